"""Whether cost grows with packets alone: captures and days of 1, 10, 100 million; the same packets of many sensors.

    python benchmarks/growth.py [--packets 100000000] [--shared 4000000]

A capture is made by another process and read from a pipe, so that only reading counts; packets come at 10 million a
day: a longer capture is more days, not a busier hour. A day of so many packets is counted, ten captures of one sensor:
that is a busier hour. ``--shared`` packets are shared among 1, 10 and 100 sensors.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import harness
from harness import Row, measured, say, spent

HERE = Path(__file__).parent
ROUNDS = 3


def _piped(packets: int, folder: Path, packed: bool = True) -> dict[str, float]:
    """Read a capture of so many packets from a pipe and write its flows; return what that cost here."""
    from zoneinfo import ZoneInfo

    from tsubame.aggregate.flows import build_flows, write_flows
    from tsubame.stores import Store, scratch_file

    command = [sys.executable, str(HERE / "traffic.py"), f"--packets={packets}"] + ["--packed"] * packed
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as maker, scratch_file() as scratch:
        assert maker.stdout is not None
        with spent() as cost:
            result = build_flows(
                maker.stdout, capture_key="pipe", sensor_id="jp", network=None, zone=ZoneInfo("Asia/Tokyo"),
                scratch=scratch,
            )  # fmt: skip
            with Store(str(folder)).writing("flows.parquet") as sink:
                write_flows(result, sink)
    if result.accounting.packets_kept != packets:
        raise RuntimeError(f"{result.accounting.packets_kept} packets kept of {packets}")
    return cost


@harness.work
def one_capture(packets: int, rounds: int) -> dict[str, Any]:
    import pyarrow.parquet as pq

    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _piped(10_000, folder)
        cost = harness.best(_piped(packets, folder) for _ in range(rounds))
        rows = pq.read_metadata(folder / "flows.parquet").num_rows
        return {**cost, "flows": rows, "bytes": (folder / "flows.parquet").stat().st_size}


@harness.work
def day_of_flows(packets: int, folder: str) -> dict[str, Any]:
    """Make the flows of a day of so many packets."""
    from telescope import make_flows

    return {"flows": make_flows(Path(folder), _day(packets))[1]}


@harness.work
def one_day(packets: int, folder: str) -> dict[str, Any]:
    """Count that day."""
    from telescope import cost_of_counting

    return cost_of_counting(Path(folder), _day(packets))


def _day(packets: int) -> Any:
    from telescope import Shape

    return Shape(parts=10, packets=packets // 10)


@harness.work
def many_sensors(sensors: int, packets: int) -> dict[str, Any]:
    """Ingest and count a day of so many packets of so many sensors; the one worker is this process."""
    from telescope import FIRST_DAY, Shape, settings_in, warm_up, workers

    from tsubame.pipeline.counts import count_days
    from tsubame.pipeline.ingest import ingest_days

    with TemporaryDirectory() as scratch, workers(1, processes=False):
        warm_up(Path(scratch))
        settings = settings_in(Path(scratch), Shape(sensors=sensors, packets=packets // sensors), stored=True)
        runs = []
        for _ in range(ROUNDS):
            with spent() as ingest:
                ingest_days(settings, FIRST_DAY, FIRST_DAY)
            with spent() as count:
                count_days(settings, FIRST_DAY, FIRST_DAY)
            shutil.rmtree(settings.lake_url)
            runs.append({"ingest": ingest["cpu"], "count": count["cpu"], "cpu": ingest["cpu"] + count["cpu"]})
        return harness.best(runs)


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the figures."""
    largest = options.packets
    sizes = [largest // 100, largest // 10, largest]
    found = {}
    for size, rounds in zip(sizes, (ROUNDS, ROUNDS, 1), strict=True):
        say(f"a capture of {size:,} packets")
        found[size] = measured(one_capture, packets=size, rounds=rounds)
    for size in sizes:
        name, run = f"{size / 1e6:g} M packets", found[size]
        yield Row(f"growth.cpu.{size}", f"gz → flows written, {name}", run["cpu"], "s CPU")
        yield Row(f"growth.peak.{size}", "  its peak memory", run["peak"] / 1e6, "MB")
    each = {size: found[size]["cpu"] / size for size in sizes}
    for small, large in ((sizes[0], sizes[1]), (sizes[1], sizes[2])):
        yield Row(
            f"growth.ratio.{large}", f"CPU a packet, {large / 1e6:g} M against {small / 1e6:g} M",
            each[large] / each[small], "", at_most=1.1,
        )  # fmt: skip
    middle = found[sizes[1]]
    yield Row("packet.ingest_cpu", "CPU of a packet from gzip to flows", middle["cpu"] / sizes[1] * 1e9, "ns")
    yield Row("packet.flows", "flows of a packet", middle["flows"] / sizes[1])
    yield Row("flow.bytes", "bytes of a flow in the lake", middle["bytes"] / middle["flows"], "bytes")
    yield from _days(sizes)
    yield from _sensors(options.shared)


def _days(sizes: list[int]) -> Iterator[Row]:
    each = {}
    for size in sizes:
        say(f"a day of {size:,} packets")
        with TemporaryDirectory() as folder:
            flows = measured(day_of_flows, packets=size, folder=folder)["flows"]
            run = measured(one_day, packets=size, folder=folder)
        each[size] = run["cpu"] / flows
        text = f"a day of {size / 1e6:g} M packets, {flows / 1e6:.3g} M flows → counts and sources"
        yield Row(f"growth.day.cpu.{size}", text, run["cpu"], "s CPU")
        yield Row(f"growth.day.peak.{size}", "  its peak memory", run["peak"] / 1e6, "MB")
    for small, large in ((sizes[0], sizes[1]), (sizes[1], sizes[2])):
        yield Row(
            f"growth.day.ratio.{large}", f"CPU a flow, {large / 1e6:g} M against {small / 1e6:g} M",
            each[large] / each[small], "", at_most=1.1,
        )  # fmt: skip


def _sensors(packets: int) -> Iterator[Row]:
    numbers = (1, 10, 100)
    found = {}
    for number in numbers:
        say(f"{packets:,} packets of {number} sensors")
        found[number] = measured(many_sensors, sensors=number, packets=packets)
    for number in numbers:
        run, text = found[number], f"{packets / 1e6:g} M packets of a day, {number} sensors"
        yield Row(f"sensors.ingest.{number}", f"{text}: captures → flows", run["ingest"], "s CPU")
        yield Row(f"sensors.count.{number}", f"{text}: flows → counts", run["count"], "s CPU")
    yield Row(
        "sensors.each", "what a sensor more costs a day, beside its packets",
        (found[100]["cpu"] - found[1]["cpu"]) / 99 * 1000, "ms CPU",
    )  # fmt: skip


if __name__ == "__main__":
    harness.main("growth", __doc__, measure, {"packets": 100_000_000, "shared": 4_000_000})
