"""What the region step costs on the registries' real files, and whether it says what others say of them.

    python benchmarks/regions.py [FOLDER] [--write | --out FILE]

FOLDER holds the five registries' extended files of one day (plain or gzip). Where the shared real data is, the
checks of ``real_delegations`` are made first; ``--write`` keeps all of it in ``results``, dated. The quarter is that
day's table with 25 random blocks delegated elsewhere from each day to the next: in January 2023 it was really about
20. Times are CPU seconds of one process, the best of some runs; what other processes do on the machine still shows
in them.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from real_delegations import check_all

from tsubame.keys import DelegationKey
from tsubame.pipeline import delegations
from tsubame.pipeline.delegations import DelegationArchive
from tsubame.pipeline.recent import Recent
from tsubame.pipeline.region_cache import RegionCache
from tsubame.regions.delegated import DelegatedFile, parse_delegated
from tsubame.regions.lookup import attribute_regions, build_lookup, look_up
from tsubame.regions.moves import moves_over, trace_regions
from tsubame.regions.table import ADDRESSES, RegionTable, assemble, build_table
from tsubame.stores import Store

RIR = Path(__file__).parents[1].parent / "shared" / "data" / "rir"
SHARED = RIR / "delegated_20181013"
RESULTS = Path(__file__).parent / "results"
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
    return rows + archive_rows(contents)


def archive_rows(contents: dict[str, bytes]) -> list[tuple[str, str]]:
    """Time the archive's table of a day with nothing remembered, with and without its disk cache."""

    def forget() -> None:
        for name in ("_headers", "_verified", "_bodies", "_tables", "_changes"):
            setattr(delegations, name, Recent(4096))

    with TemporaryDirectory() as folder:
        store = Store(f"{folder}/delegations")
        for content in contents.values():
            file = parse_delegated(content, key="", types=())
            key = DelegationKey(date(2023, 1, 1), file.registry, compressed=content[:2] == b"\x1f\x8b")
            store.put(key.key, content)
        cache = RegionCache(Path(folder) / "cache")

        def table_of_a_day(kept: RegionCache | None) -> str:
            forget()
            return DelegationArchive(store, cache=kept).in_use(date(2023, 1, 1)).digest

        without, expected = cpu_seconds(lambda: table_of_a_day(None), runs=3)
        first, _ = cpu_seconds(lambda: table_of_a_day(cache), runs=1)
        later, digest = cpu_seconds(lambda: table_of_a_day(cache), runs=3)
        if digest != expected:
            raise SystemExit("the cache gives another table")
        size = sum(path.stat().st_size for path in (Path(folder) / "cache").iterdir())
    return [
        ("the archive's table of a day, without the disk cache", f"{without:.2f} s"),
        (f"the same, written to the cache ({size / 2**20:.1f} MiB)", f"{first:.2f} s"),
        ("the same, read from the cache", f"{later:.3f} s, {without / later:.0f} times as fast"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED, help="the files (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="also write the tables, as Markdown, to this file")
    parser.add_argument("--write", action="store_true", help="also write them to results, dated")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        print(f"nothing measured: there is no folder {arguments.folder} of delegation files")
        return
    checks = list(check_all(RIR)) if arguments.folder == SHARED else []
    rows = measure(arguments.folder)
    for table in (checks, rows):
        width = max((len(what) for what, _ in table), default=0)
        for what, figure in table:
            print(f"{what:<{width}}  {figure}")
    target = RESULTS / f"{date.today().isoformat()}-regions.md" if arguments.write else arguments.out
    if target:
        target.write_text(markdown(checks, rows))


def markdown(checks: list[tuple[str, str]], rows: list[tuple[str, str]]) -> str:
    """Return both tables as a page."""
    head = (
        f"# Regions, {date.today().isoformat()}\n\n`python benchmarks/regions.py --write`; "
        f"Python {platform.python_version()}, {platform.machine()}.\n"
    )
    made = "".join(f"| {what} | {found} |\n" for what, found in checks)
    timed = "".join(f"| {what} | {figure} |\n" for what, figure in rows)
    return (
        f"{head}\n## Checks on real files\n\n| what | found |\n|---|---|\n{made}\n## Cost\n\n"
        "CPU seconds of one process, the best of some runs; other processes ran on the machine meanwhile.\n\n"
        f"| what | CPU |\n|---|---|\n{timed}"
    )


if __name__ == "__main__":
    main()
