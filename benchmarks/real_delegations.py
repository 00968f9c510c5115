"""Checks of the region step on real delegation data, each against what somebody else says of the same data.

The registries' own summary lines, sizes of regions before and after, an independent daily history of moves between
GB and NL, and the five blocks of 21 January 2023.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tsubame.cli.main import main as command
from tsubame.keys import DelegationKey
from tsubame.regions.blocks import table_from_blocks
from tsubame.regions.delegated import DelegatedFile, parse_delegated
from tsubame.regions.emit import emit_table
from tsubame.regions.moves import moves_over, trace_regions
from tsubame.regions.table import RegionTable, assemble, build_table
from tsubame.stores import Store

FIVE = {"80.82.64.0/20", "89.248.160.0/20", "93.174.88.0/21", "94.102.48.0/20", "185.216.140.0/22"}
HOLDER = "a76eb471-7991-48ed-a60b-0c9015b986ca"
Worlds = list[tuple[date, RegionTable]]


def read_worlds(rir: Path) -> Worlds:
    """Return the whole-world tables of the country blocks, by date."""
    paths = sorted((rir / "country_blocks").glob("*.tsv.gz"))
    return [
        (date.fromisoformat(path.name.split("_")[1].split(".")[0]), table_from_blocks(path.read_bytes(), key=path.name))
        for path in paths
    ]


def read_files(rir: Path) -> list[DelegatedFile]:
    """Return the five registries' files of 2018."""
    paths = sorted((rir / "delegated_20181013").glob("*.gz"))
    return [parse_delegated(path.read_bytes(), key=path.name) for path in paths]


def listed_moves(rir: Path) -> set[tuple[str, str, str]]:
    """Direction, block and day of the moves that an independent daily history of the same data shows."""
    lines = (rir / "gb_nl_moves_until_2023-01-31.tsv").read_text().splitlines()[1:]
    return {(row[3], row[4], row[0][:10]) for row in (line.split("\t") for line in lines)}


def as_archive(worlds: Worlds, files: list[DelegatedFile], store: Store) -> None:
    """Write the worlds as RIPE NCC files whose holders are those of 2018, where the region is one of 2018's."""
    old = build_table([file for file in files if file.registry == "ripencc"])
    for day, world in worlds:
        starts = np.union1d(world.starts, old.starts).astype(np.int64)
        at_world = np.searchsorted(world.starts, starts.astype(np.uint32), side="right") - 1
        at_old = np.searchsorted(old.starts, starts.astype(np.uint32), side="right") - 1
        table = assemble(
            starts,
            np.append(starts[1:], 2**32) - 1,
            world.codes[at_world].astype(np.int64),
            world.regions,
            old.holder_codes[at_old].astype(np.int64),
            old.holders,
        )
        key = DelegationKey(day, "ripencc", compressed=True)
        store.put(key.key, gzip.compress(emit_table(table, registry="ripencc", day=day), 1))


def found_moves(worlds: Worlds) -> set[tuple[str, str, date]]:
    """Direction, block and date of the moves between GB and NL that the worlds show."""
    return {
        (f"{move.from_region}->{move.to_region}", cidr, move.first_seen)
        for move in moves_over(worlds)
        if {move.from_region, move.to_region} == {"GB", "NL"}
        for cidr in move.cidrs
    }


def expected_moves(worlds: Worlds, rir: Path) -> set[tuple[str, str, date]]:
    """The listed moves, each dated by the first world from its day on: the worlds are of eight days only."""
    days = [day for day, _ in worlds]
    return {
        (direction, cidr, min(day for day in days if day >= date.fromisoformat(seen)))
        for direction, cidr, seen in listed_moves(rir)
        if days[0] < date.fromisoformat(seen) <= days[-1]
    }


def check_all(rir: Path) -> Iterator[tuple[str, str]]:
    """Yield what was checked and what was found.

    Raises:
        SystemExit: something is not as others say it is.
    """
    files, worlds = read_files(rir), read_worlds(rir)
    for file in files:
        stated, found = file.summaries, file.record_lines
        _demand(stated == {kind: found.get(kind, 0) for kind in stated}, f"{file.key}: summary {stated}, found {found}")
        _demand(not file.dropped, f"{file.key}: {file.dropped} lines dropped")
        said = ", ".join(f"{kind} {number:,}" for kind, number in sorted(stated.items()))
        yield f"{file.registry} 2018-10-13: records equal the summary lines", said
    for registry in ("lacnic", "afrinic"):
        yield f"{registry}: moves between five dates", _check_sizes(rir, registry)
    found = found_moves(worlds)
    _demand(found == expected_moves(worlds, rir), f"moves differ: {sorted(found ^ expected_moves(worlds, rir))}")
    yield "GB <-> NL, country blocks of eight dates: equal to the independent history", f"{len(found)} blocks"
    yield "tsubame delegations moves 2023-01-20 2023-01-21 --from GB --to NL", _check_command(worlds, files)


def _check_sizes(rir: Path, registry: str) -> str:
    paths = sorted((rir / "delegated_2023").glob(f"*-{registry}-*.gz"))
    tables = [
        (date.fromisoformat(path.name.split("_")[-1].removesuffix(".gz")),
         build_table([parse_delegated(path.read_bytes(), key=path.name)]))
        for path in paths
    ]  # fmt: skip
    moves = trace_regions(tables).between(0, len(tables) - 1)
    gained: Counter[str] = Counter()
    for move in moves:
        gained[move.to_region] += move.addresses
        gained[move.from_region] -= move.addresses
    before, after = (tables[place][1].addresses_by_region() for place in (0, -1))
    for region in {*before, *after}:
        _demand(gained[region] == after.get(region, 0) - before.get(region, 0), f"{registry}: {region} does not add up")
    steps = len(moves_over(tables))
    return f"{len(moves)} net ({steps} steps), {sum(move.addresses for move in moves):,} addresses; sizes add up"


def _check_command(worlds: Worlds, files: list[DelegatedFile]) -> str:
    arguments = ["delegations", "moves", "2023-01-20", "2023-01-21", "--from", "GB", "--to", "NL"]
    with TemporaryDirectory() as folder:
        days = {date(2023, 1, 20), date(2023, 1, 21)}
        as_archive([(day, world) for day, world in worlds if day in days], files, Store(folder))
        before = os.environ.get("TSUBAME_DELEGATIONS_URL")
        os.environ["TSUBAME_DELEGATIONS_URL"] = folder
        try:
            printed = []
            for more in (["--json"], []):
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    _demand(command([*arguments, *more]) == 0, "the command failed")
                printed.append(out.getvalue())
        finally:
            if before is None:
                del os.environ["TSUBAME_DELEGATIONS_URL"]
            else:
                os.environ["TSUBAME_DELEGATIONS_URL"] = before
    rows = json.loads(printed[0])
    _demand({row["cidr"] for row in rows} == FIVE, f"blocks are {sorted(row['cidr'] for row in rows)}")
    _demand({row["holder"] for row in rows} == {HOLDER}, "another holder")
    return printed[1].splitlines()[-1]


def _demand(holds: bool, problem: str) -> None:
    if not holds:
        raise SystemExit(f"not as expected: {problem}")


if __name__ == "__main__":
    shared = Path(__file__).parents[1].parent / "shared" / "data" / "rir"
    for what, found in check_all(shared) if shared.is_dir() else [("nothing checked", f"there is no folder {shared}")]:
        print(f"{what}: {found}")
