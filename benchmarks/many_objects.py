"""What Dask and many small captures cost: 1 worker against 2, an object's share, 10 to 10,000 objects, nothing new.

    python benchmarks/many_objects.py [--objects 10000] [--packets 400000]

Two workers share one machine with the scheduler, the client and the disk, so twice the speed is the bound. An object's
share of Dask is taken with work that does nothing, given out as captures are. Small captures have 200 packets.
The second run looks at 10,000 captures that are all done; every call of the stores is counted.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import harness
from harness import Row, measured, say

LARGE_CAPTURES = 48
ROUNDS = 3
NOTHINGS = 2_000
SMALL = 200


@harness.work
def with_workers(folder: str, shape: str, number: int) -> dict[str, Any]:
    """Ingest a day of captures that are on disk with so many workers; the best of some runs."""
    from telescope import FIRST_DAY, Shape, settings_in, workers

    from tsubame.pipeline.ingest import ingest_days

    settings = settings_in(Path(folder), Shape.parse(shape), stored=False, there=True)
    walls = []
    with workers(number):
        for _ in range(1 + ROUNDS):
            begin = time.perf_counter()
            done = ingest_days(settings, FIRST_DAY, FIRST_DAY)
            walls.append(time.perf_counter() - begin)
            assert done.decoded == Shape.parse(shape).objects
            shutil.rmtree(settings.lake_url)
    return {"wall": min(walls[1:])}


@harness.work
def nothings(number: int) -> dict[str, Any]:
    """Give out so many things to do that are nothing, as captures are given out."""
    from telescope import FIRST_DAY, Shape, cpu_of, settings_in, workers

    from tsubame.pipeline.cluster import spread
    from tsubame.pipeline.inventory import take_inventory

    with TemporaryDirectory() as folder, workers(2) as client:
        settings = settings_in(Path(folder), Shape(parts=number, packets=1), stored=False)
        items = list(take_inventory(settings, FIRST_DAY, FIRST_DAY).captures.values())
        list(spread(client, bool, items[:50], stage="warm"))
        cpu, begin = cpu_of(client), time.perf_counter()
        list(spread(client, bool, items, stage="nothing"))
        wall = time.perf_counter() - begin
        return {"wall": wall / number, "cpu": (cpu_of(client) - cpu) / number}


@harness.work
def small_captures(number: int) -> dict[str, Any]:
    """Ingest and count so many small captures of 10 sensors, then do it again with nothing new."""
    from telescope import FIRST_DAY, Shape, cpu_of, settings_in, warm_up, workers

    from tsubame.pipeline.counts import count_days
    from tsubame.pipeline.ingest import ingest_days

    shape = Shape(sensors=10, parts=number // 10, packets=SMALL)
    found: dict[str, Any] = {}
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with workers(2) as client:
            warm_up(folder, parts=8, packets=SMALL)
            settings = settings_in(folder, shape, stored=True)
            for name, call in (("ingest", ingest_days), ("count", count_days)):
                cpu, begin = cpu_of(client), time.perf_counter()
                call(settings, FIRST_DAY, FIRST_DAY)
                found[f"{name}_wall"] = time.perf_counter() - begin
                found[f"{name}_cpu"] = cpu_of(client) - cpu
        cpu, begin = time.process_time(), time.perf_counter()
        with counted_calls() as calls:
            again = ingest_days(settings, FIRST_DAY, FIRST_DAY), count_days(settings, FIRST_DAY, FIRST_DAY)
        assert again[0].decoded == 0
        assert again[1].counted == ()
        found["again_wall"], found["again_cpu"] = time.perf_counter() - begin, time.process_time() - cpu
        found["calls"] = dict(calls)
    return found


@contextmanager
def counted_calls() -> Iterator[Counter[str]]:
    """Count every call of every store of this process: ``list captures``, ``open flows``, and so on."""
    from tsubame.stores import Store

    calls: Counter[str] = Counter()
    originals = {name: getattr(Store, name) for name in ("list", "folders", "info", "open", "read", "put", "writing")}

    def counting(name: str) -> Any:
        def call(store: Any, key: str = "", *rest: Any, **named: Any) -> Any:
            kind = key.partition("/")[0] if store.url.endswith("lake") else Path(store.url).name
            calls[f"{name} {'sensors.csv' if key == 'sensors.csv' else kind}"] += 1
            return originals[name](store, key, *rest, **named)

        return call

    for name in originals:
        setattr(Store, name, counting(name))
    try:
        yield calls
    finally:
        for name, original in originals.items():
            setattr(Store, name, original)


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the figures."""
    yield from _two_workers(options.packets)
    say(f"{NOTHINGS:,} times nothing")
    nothing = harness.best((measured(nothings, number=NOTHINGS) for _ in range(2)), "wall")
    yield Row("dask.wall", "an object's share of Dask, wall time", nothing["wall"] * 1000, "ms", at_most=15)
    yield Row("dask.cpu", "  its CPU: client, scheduler and workers", nothing["cpu"] * 1000, "ms CPU")
    numbers = [10, 100, max(1000, options.objects)]
    found = {}
    for number in numbers:
        say(f"{number:,} small captures")
        found[number] = measured(small_captures, number=number)
        run = found[number]
        text = f"{number:,} captures of {SMALL} packets"
        yield Row(f"objects.ingest.{number}", f"{text} → flows, 2 workers, wall", run["ingest_wall"], "s")
        yield Row(f"objects.ingest_each.{number}", "  CPU of each", run["ingest_cpu"] / number * 1000, "ms CPU")
        yield Row(
            f"objects.count_each.{number}", "  CPU of each, flows → counts", run["count_cpu"] / number * 1000, "ms CPU"
        )
    each = {
        number: (run["ingest_cpu"] / number * 1000, run["count_cpu"] / number * 1000) for number, run in found.items()
    }
    large, middle = each[numbers[2]], each[numbers[1]]
    yield Row("object.ingest_cpu", "CPU of a small capture to flows, Dask included", large[0], "ms CPU")
    yield Row("object.count_cpu", "CPU of its flows to counts", large[1], "ms CPU")
    text = f"CPU an object, {numbers[2]:,} against {numbers[1]:,}"
    yield Row("objects.ratio", text, sum(large) / sum(middle), at_most=1.1)
    yield from _nothing_new(found[numbers[2]], numbers[2])


def _two_workers(packets: int) -> Iterator[Row]:
    from telescope import Shape, settings_in

    shape = Shape(parts=LARGE_CAPTURES, packets=packets)
    with TemporaryDirectory() as folder:
        say(f"writing {shape.objects} captures of {packets:,} packets")
        settings_in(Path(folder), shape, stored=True)
        walls = {}
        for number in (1, 2):
            say(f"{number} worker(s)")
            walls[number] = measured(with_workers, folder=folder, shape=str(shape), number=number)["wall"]
    text = f"{LARGE_CAPTURES} captures of {packets / 1e6:g} M packets → flows"
    for number, wall in walls.items():
        yield Row(f"workers.{number}", f"{text}, {number} worker{'s' * (number > 1)}", wall, "s")
    yield Row("workers.speedup", "2 workers against 1", walls[1] / walls[2], "times as fast", at_least=1.7)


def _nothing_new(run: dict[str, Any], number: int) -> Iterator[Row]:
    calls = run["calls"]
    text = f"second run over {number:,} captures"
    yield Row("again.wall", f"{text}, nothing new: wall", run["again_wall"], "s")
    yield Row("again.cpu", "  CPU", run["again_cpu"], "s CPU")
    touched = sum(count for call, count in calls.items() if call.split()[0] in ("open", "put", "writing"))
    touched += sum(count for call, count in calls.items() if call in ("read captures", "read flows", "read counts"))
    told = ", ".join(f"{count} × {call}" for call, count in sorted(calls.items()))
    yield Row("again.opened", "  captures, flows and counts opened, objects written", touched, "", at_most=0, note=told)
    listed = sum(count for call, count in calls.items() if call.split()[0] in ("list", "folders"))
    yield Row("again.listed", "  listings asked for", listed)


if __name__ == "__main__":
    harness.main("many_objects", __doc__, measure, {"objects": 10_000, "packets": 400_000})
