"""What the region step costs on the registries' real files: parse, build, look up, moves of a quarter.

    python benchmarks/regions.py [FOLDER] [--out FILE]

FOLDER holds the five registries' extended files of one day (plain or gzip). The quarter is that day's table
with 25 random blocks delegated elsewhere from each day to the next: in January 2023 it was really about 20.
Times are CPU seconds of one process, the best of some runs; what other processes do on the machine still shows
in them.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tsubame.regions.delegated import DelegatedFile, parse_delegated
from tsubame.regions.lookup import attribute_regions, build_lookup, look_up
from tsubame.regions.moves import moves_over, trace_regions
from tsubame.regions.table import ADDRESSES, RegionTable, assemble, build_table

SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "rir" / "delegated_20181013"
ADDRESSES_LOOKED_UP = 10_000_000
DAYS = 90
MOVES_A_DAY = 25


def cpu_seconds(call: Callable[[], Any], *, runs: int = 5) -> tuple[float, Any]:
    """Return the least CPU time of some runs, and the result of the last."""
    best, result = float("inf"), None
    for _ in range(runs):
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
    return best, result


def darknet_addresses(table: RegionTable, random: np.random.Generator) -> np.ndarray:
    """Draw source addresses as a darknet sees them: few /16s send most, forged ones come from everywhere."""
    countries = np.flatnonzero([len(table.regions[code]) == 2 for code in table.codes])
    homes = table.starts[random.choice(countries, 20_000)].astype(np.int64) & ~0xFFFF
    weights = random.pareto(1.1, len(homes)) + 0.01
    count = int(ADDRESSES_LOOKED_UP * 0.9)
    scanning = random.choice(homes, count, p=weights / weights.sum()) + random.integers(0, 65_536, count)
    forged = random.integers(0, ADDRESSES, ADDRESSES_LOOKED_UP - count)
    mixed = np.concatenate((scanning, forged)).astype(np.uint32)
    random.shuffle(mixed)
    return mixed


def quarter(table: RegionTable, random: np.random.Generator) -> list[tuple[date, RegionTable]]:
    """Make the tables of a quarter, each with some blocks delegated elsewhere than the day before."""
    days = [(date(2023, 1, 1), table)]
    codes = table.codes.astype(np.int64)
    first = table.starts.astype(np.int64)
    last = np.append(first[1:], ADDRESSES) - 1
    for number in range(1, DAYS):
        codes = codes.copy()
        codes[random.integers(0, len(codes), MOVES_A_DAY)] = random.integers(0, len(table.regions), MOVES_A_DAY)
        made = assemble(first, last, codes, table.regions, table.holder_codes.astype(np.int64), table.holders)
        days.append((date(2023, 1, 1) + timedelta(days=number), made))
    return days


def all_pairs(days: list[tuple[date, RegionTable]]) -> int:
    """Compare every day of the quarter with every later one; return how many moves that gives."""
    history = trace_regions(days)
    return sum(len(history.between(early, late)) for early in range(len(days)) for late in range(early + 1, len(days)))


def measure(folder: Path) -> list[tuple[str, str]]:
    """Run everything; return what was measured and the figure."""
    contents = {path.name: path.read_bytes() for path in sorted(folder.glob("delegated-*")) if path.suffix != ".md5"}

    def parse(types: tuple[str, ...]) -> list[DelegatedFile]:
        return [parse_delegated(content, key=name, types=types) for name, content in contents.items()]

    rows: list[tuple[str, str]] = []
    all_types, files = cpu_seconds(lambda: parse(("asn", "ipv4", "ipv6")), runs=3)
    lines = sum(sum(file.record_lines.values()) for file in files)
    rows.append((f"parse {len(files)} files, {lines:,} records", f"{all_types:.2f} s"))
    seconds, _ = cpu_seconds(lambda: parse(("ipv4",)), runs=3)
    rows.append(("the same, IPv4 records only (what the archive does)", f"{seconds:.2f} s"))
    built, table = cpu_seconds(lambda: build_table(files))
    rows.append((f"build the table, {len(table):,} intervals", f"{built:.2f} s"))
    lookup_built, lookup = cpu_seconds(lambda: build_lookup(table))
    rows.append((f"build the lookup, {lookup.nbytes / 2**20:.1f} MiB", f"{lookup_built:.3f} s"))
    rows.append(("parse + build + lookup", f"{all_types + built + lookup_built:.2f} s"))
    random = np.random.default_rng(2023)
    for name, addresses in (
        ("darknet addresses", darknet_addresses(table, random)),
        ("uniform addresses", random.integers(0, ADDRESSES, ADDRESSES_LOOKED_UP).astype(np.uint32)),
    ):
        attribute_regions(addresses[:10], table)
        fast, codes = cpu_seconds(lambda given=addresses: look_up(given, lookup), runs=9)
        slow, expected = cpu_seconds(
            lambda given=addresses: table.codes[np.searchsorted(table.starts, given, side="right") - 1], runs=3
        )
        if not (codes == expected).all():
            raise SystemExit("the lookup and binary search disagree")
        rows.append((f"look up {len(addresses) // 1_000_000} M {name}", f"{fast:.3f} s"))
        rows.append(("numpy.searchsorted for the same", f"{slow:.2f} s, {slow / fast:.0f} times as long"))
    days = quarter(table, random)
    for _, made in days:
        _ = made.digest
    steps, moves = cpu_seconds(lambda: moves_over(days), runs=2)
    rows.append((f"moves of {DAYS} days, each against the next: {len(moves):,}", f"{steps:.2f} s"))
    pairs, total = cpu_seconds(lambda: all_pairs(days), runs=1)
    rows.append((f"all {DAYS * (DAYS - 1) // 2:,} pairs of {DAYS} days: {total:,} moves", f"{pairs:.2f} s"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED, help="the files (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="also write the table, as Markdown, to this file")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        print(f"nothing measured: there is no folder {arguments.folder} of delegation files")
        return
    rows = measure(arguments.folder)
    width = max(len(what) for what, _ in rows)
    for what, figure in rows:
        print(f"{what:<{width}}  {figure}")
    if arguments.out:
        head = f"# Regions, {date.today().isoformat()}\n\nPython {platform.python_version()}, {platform.machine()}, "
        body = "".join(f"| {what} | {figure} |\n" for what, figure in rows)
        arguments.out.write_text(f"{head}CPU seconds of one process.\n\n| what | CPU |\n|---|---|\n{body}")


if __name__ == "__main__":
    main()
