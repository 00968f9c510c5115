"""What a quarter's report costs from millions of count rows: counts and sources as Parquet → every file of an edition.

    python benchmarks/quarter.py [--counts 50000000]

The days are drawn from a seed: sensors seen by hosts that come and go, ports half by popularity and half at random, so
that there are many small rows and many distinct sources, which is what costs. They are written to a temporary folder;
the report is then made by one process of its own, whose CPU time and peak memory are the figures.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import harness
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness import Row, say

from tsubame.analysis.cubes import Cube, day_cube, merge_cubes
from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
from tsubame.analysis.series import SensorFacts
from tsubame.periods import Quarter
from tsubame.pipeline.cluster import merge_tree
from tsubame.schemas import COUNTS, SOURCES

QUARTER = Quarter(2023, 1)
SENSORS = 50
HOSTS = 400_000


def regions_of_hosts(random: np.random.Generator) -> np.ndarray:
    """Return the region of each host as a place in ``region_names``; the first few hold most hosts."""
    weights = 1 / np.arange(1, 201) ** 1.1
    return random.choice(200, HOSTS, p=weights / weights.sum()).astype(np.int16)


def region_names() -> pa.Array:
    """Return 200 two-letter names, those of large countries first."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    first = ["US", "CN", "NL", "RU", "GB", "JP", "KR", "IN", "BR", "TW"]
    return pa.array([*first, *(a + b for a in letters for b in letters if a + b not in first)][:200])


def draw_day(day: date, regions: np.ndarray, records: int) -> tuple[pa.Table, pa.Table]:
    """Return counts and sources of a day that ``records`` records of one host, port and sensor make."""
    random = np.random.default_rng(day.toordinal())
    hosts = (random.zipf(1.4, records) * 7919 + day.toordinal() * 131) % HOSTS
    popular = np.minimum(random.zipf(1.25, records), 2000)
    port = np.where(random.random(records) < 0.5, popular, random.integers(1, 65536, records)).astype(np.uint16)
    tool = np.where(port % 3 == 0, hosts % 4, 0).astype(np.int8)
    columns = {
        "sensor": random.integers(0, SENSORS, records).astype(np.int8),
        "dst_port": port,
        "region": regions[hosts],
        "tool": tool,
        "src_address": (hosts * 10_007 + 16_777_216).astype(np.uint32),
        "packets": random.geometric(0.3, records).astype(np.uint64),
    }
    table = pa.table(columns)
    keys = ["sensor", "dst_port", "region", "tool"]
    counted = table.group_by(keys, use_threads=False).aggregate([("packets", "sum"), ("src_address", "count_distinct")])
    keys = ["src_address", "dst_port", "region", "tool"]
    seen = table.group_by(keys, use_threads=False).aggregate([("packets", "sum")])
    return _counts(counted), _sources(seen)


def _labels(codes: pa.ChunkedArray, names: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes.combine_chunks().cast(pa.int32()), names)


def _constant(value: object, kind: pa.DataType, length: int) -> pa.Array:
    return pa.array([value], kind).take(pa.array(np.zeros(length, np.int32)))


def _shared(table: pa.Table) -> dict[str, pa.Array]:
    region = _labels(table["region"], region_names())
    return {
        "protocol": _constant(6, pa.uint8(), table.num_rows),
        "dst_port": table["dst_port"],
        "region": region,
        "region_pinned": region,
        "tool": _labels(table["tool"], pa.array(["", "mirai", "zmap", "masscan"])),
        "packets": table["packets_sum"],
    }


def _counts(table: pa.Table) -> pa.Table:
    columns = _shared(table) | {
        "sensor_id": _labels(table["sensor"], pa.array([f"jp-{number:02}" for number in range(SENSORS)])),
        "kind": _constant("scan", pa.string(), table.num_rows).dictionary_encode(),
        "bytes": pa.array(table["packets_sum"].to_numpy() * 44),
        "sources": table["src_address_count_distinct"].cast(pa.uint32()),
    }
    return pa.table({name: columns[name] for name in COUNTS.names}).cast(COUNTS.arrow())


def _sources(table: pa.Table) -> pa.Table:
    columns = _shared(table) | {
        "domestic": _constant(True, pa.bool_(), table.num_rows),
        "src_address": table["src_address"],
    }
    return pa.table({name: columns[name] for name in SOURCES.names}).cast(SOURCES.arrow())


def write_days(folder: Path, rows: int) -> tuple[int, int]:
    """Write the quarter's days, so many records that the counts have about ``rows`` rows; return rows of both."""
    regions = regions_of_hosts(np.random.default_rng(1))
    trial, _ = draw_day(QUARTER.first_day, regions, 200_000)
    records = int(200_000 * rows / len(QUARTER.days) / trial.num_rows)
    counted = seen = 0
    for day in QUARTER.days:
        counts, sources = draw_day(day, regions, records)
        pq.write_table(counts, folder / f"{day}.counts.parquet", compression="zstd")
        pq.write_table(sources, folder / f"{day}.sources.parquet", compression="zstd")
        counted, seen = counted + counts.num_rows, seen + sources.num_rows
    return counted, seen


def make_report(folder: Path) -> dict[str, float]:
    """Make every file of the edition from the days in ``folder``; return seconds of CPU by step, and peak memory."""
    from tsubame.analysis.explore import build_explorer
    from tsubame.publish.editions import build_edition
    from tsubame.report.context import ReportContext

    pa.set_cpu_count(1)
    sensors = tuple(f"jp-{number:02}" for number in range(SENSORS))
    steps = {"start": time.process_time()}

    def reduced(day: date) -> Cube:
        tables = [pq.read_table(folder / f"{day}.{name}.parquet", use_threads=False) for name in ("counts", "sources")]
        return day_cube(day, *tables, sensors)

    cube = merge_tree((reduced(day) for day in QUARTER.days), merge_cubes)
    assert cube is not None
    steps["reduce and merge"] = time.process_time()
    facts = tuple(SensorFacts(name, True, QUARTER.first_day, None) for name in sensors)
    analysis = analyse_quarter(QuarterInputs(QUARTER, facts, cube, None))
    steps["analyse"] = time.process_time()
    context = ReportContext(datetime(2023, 4, 6, tzinfo=UTC), "Asia/Tokyo", {})
    edition = build_edition(analysis, context, networks=[], explorer=build_explorer(cube, home="JP"))
    steps["edition"] = time.process_time()
    names = list(steps)
    spent = {name: steps[name] - steps[before] for before, name in pairwise(names)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(map(len, edition.files.values()))
    return {
        **spent,
        "whole process": time.process_time(),
        "peak_mb": peak,
        "cube_mb": cube.nbytes / 2**20,
        "edition_mb": size / 2**20,
    }


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the figures."""
    with tempfile.TemporaryDirectory(prefix="tsubame-quarter-") as folder:
        say(f"writing {options.counts:,} rows of counts")
        counted, seen = write_days(Path(folder), options.counts)
        say("the report")
        command = [sys.executable, __file__, "--make", folder]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    yield Row("quarter.counts", "rows of counts", counted, note=f"{len(QUARTER.days)} days, {SENSORS} sensors")
    yield Row("quarter.sources", "rows of sources", seen)
    for name in ("reduce and merge", "analyse", "edition"):
        yield Row(f"quarter.{name.split()[0]}", f"  {name}", found[name], "s CPU")
    yield Row("quarter.cpu", "the report, whole process", found["whole process"], "s CPU", at_most=120)
    yield Row("quarter.peak", "  its peak memory", found["peak_mb"], "MB", at_most=2048)
    yield Row("quarter.cube", "  the merged quarter in memory", found["cube_mb"], "MB")
    yield Row("quarter.edition_mb", "  the edition", found["edition_mb"], "MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        print(json.dumps(make_report(Path(sys.argv[2]))))
    else:
        harness.main("quarter", __doc__, measure, {"counts": 50_000_000})
