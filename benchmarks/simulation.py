"""The largest that fits here: hundreds of millions of packets, made while they are read and not kept, through it all.

    python benchmarks/simulation.py [--packets 300000000] [--days 30]

Ten sensors, a capture of each and a day, gzip; listing, ingest and counts as ``tsubame ingest`` and ``tsubame count``
do them, two workers. What making the captures costs is measured apart and taken off. ``scale.py`` compares the rest
with what it foretells from the other benchmarks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import harness
from harness import Row, measured, say

SENSORS = 10


@harness.work
def through(packets: int, days: int) -> dict[str, Any]:
    """Ingest and count so many packets; return what each cost."""
    from telescope import FIRST_DAY, Shape, cpu_of, made_in, peak_of, settings_in, warm_up, workers

    from tsubame.pipeline.counts import count_days
    from tsubame.pipeline.ingest import ingest_days

    def told(stage: str, done: int, total: int) -> None:
        if done and done % max(1, total // 10) == 0:
            say(f"{stage} {done}/{total}")

    shape = Shape(days=days, sensors=SENSORS, packets=packets // days // SENSORS)
    with TemporaryDirectory() as scratch:
        settings = settings_in(Path(scratch), shape, stored=False)
        found: dict[str, Any] = {"packets": shape.objects * shape.packets, "objects": shape.objects}
        with workers(2) as client:
            warm_up(Path(scratch), parts=8)
            for name, call in (("ingest", ingest_days), ("count", count_days)):
                cpu, made, begin = cpu_of(client), made_in(client), time.perf_counter()
                result = call(settings, FIRST_DAY, shape.last_day, progress=told)
                found[f"{name}_wall"] = time.perf_counter() - begin
                after = made_in(client)
                found["made_cpu"] = found.get("made_cpu", 0) + after["cpu"] - made["cpu"]
                found["captured"] = found.get("captured", 0) + after["bytes"] - made["bytes"]
                found[f"{name}_cpu"] = cpu_of(client) - cpu - (after["cpu"] - made["cpu"])
                found[f"{name}_peak"] = peak_of(client)
                kept = result.accounting.packets_kept
                if kept != found["packets"]:
                    raise RuntimeError(f"{name}: {kept} packets of {found['packets']}")
        return {**found, **_stored(Path(settings.lake_url))}


def _stored(lake: Path) -> dict[str, int]:
    import pyarrow.parquet as pq

    found = {}
    for table in ("flows", "counts", "sources"):
        paths = list((lake / table).rglob("*.parquet"))
        found[f"{table}_rows"] = sum(pq.read_metadata(path).num_rows for path in paths)
        found[f"{table}_bytes"] = sum(path.stat().st_size for path in paths)
    return found


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the figures."""
    say(f"{options.packets:,} packets over {options.days} days")
    run = measured(through, packets=options.packets, days=options.days)
    yield Row("simulation.packets", "packets, made while they are read and not kept", run["packets"], at_least=300e6)
    yield Row("simulation.days", "report days", options.days)
    yield Row("simulation.objects", "captures", run["objects"])
    yield Row("simulation.captured", "bytes of captures, gzip", run["captured"] / 1e9, "GB")
    yield Row("simulation.made_cpu", "making them, taken off below", run["made_cpu"], "s CPU")
    for name, text in (("ingest", "captures → flows"), ("count", "flows → counts")):
        yield Row(f"simulation.{name}_cpu", f"{text}, all processes", run[f"{name}_cpu"], "s CPU")
        yield Row(
            f"simulation.{name}_wall",
            "  wall, 2 workers" + ", making included" * (name == "ingest"),
            run[f"{name}_wall"],
            "s",
        )
        yield Row(f"simulation.{name}_peak", "  peak memory of a worker so far", run[f"{name}_peak"] / 1e6, "MB")
    for table in ("flows", "counts", "sources"):
        yield Row(f"simulation.{table}_rows", f"rows of {table}", run[f"{table}_rows"])
        yield Row(f"simulation.{table}_bytes", "  their bytes in the lake", run[f"{table}_bytes"] / 1e6, "MB")
    per_second = run["packets"] / (run["ingest_wall"] + run["count_wall"])
    yield Row("simulation.rate", "packets a second on this machine, from capture to counts", per_second)


if __name__ == "__main__":
    harness.main("simulation", __doc__, measure, {"packets": 300_000_000, "days": 30})
