"""The registries' real files: parsed whole, summed up right, and the moves of January 2023 found in them."""

import gzip
import ipaddress
import json
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from benchmarks.real_delegations import FIVE, HOLDER, as_archive, expected_moves, found_moves, read_worlds
from tsubame.cli.main import main
from tsubame.keys import DelegationKey
from tsubame.pipeline.delegations import DelegationArchive, import_delegation
from tsubame.regions.delegated import parse_delegated
from tsubame.regions.emit import emit_delegated, emit_table
from tsubame.regions.lookup import attribute_regions
from tsubame.regions.moves import moved_blocks, trace_regions
from tsubame.regions.table import assemble, build_table
from tsubame.settings import Settings
from tsubame.stores import Store

RIR = Path(__file__).parents[2].parent / "shared" / "data" / "rir"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not RIR.is_dir(), reason="the shared delegation files are not beside the checkout"),
]
FILES = sorted(RIR.glob("delegated_*/*.gz"))


def name_of(path: Path) -> str:
    return path.name


@pytest.fixture(scope="module")
def worlds():
    return read_worlds(RIR)


@pytest.fixture(scope="module")
def registries():
    return [parse_delegated(path.read_bytes(), key=path.name) for path in FILES if "20181013" in str(path)]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_line_is_read_and_the_counts_are_the_registrys_own(path):
    file = parse_delegated(path.read_bytes(), key=path.name)
    assert file.faults == ()
    assert file.extended
    counts = {"asn": file.asn.num_rows, "ipv4": file.ipv4.num_rows, "ipv6": file.ipv6.num_rows}
    assert counts == file.summaries == file.record_lines
    assert sum(counts.values()) == file.header.stated_records
    assert f"delegated-{file.registry}-" in path.name


@pytest.mark.parametrize(
    "path", [path for path in FILES if "afrinic" in path.name or "lacnic" in path.name], ids=name_of
)
def test_each_record_is_what_a_plain_reader_makes_of_its_line(path):
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    file = parse_delegated(path.read_bytes(), key=path.name)
    for row in file.ipv4.to_pylist():
        _, country, kind, start, size, since, status, *holder = lines[row["line"] - 1].split("|")
        first = int(ipaddress.IPv4Address(start))
        assert (kind, row["region"], row["status"]) == ("ipv4", country, status)
        assert (row["first"], row["last"]) == (first, first + int(size) - 1)
        assert row["holder"] == "".join(holder)
        assert (f"{row['date']:%Y%m%d}" if row["date"] else "") == ("" if since == "00000000" else since)
    for row in file.ipv6.slice(0, 500).to_pylist():
        fields = lines[row["line"] - 1].split("|")
        assert row["first"] == ipaddress.IPv6Address(fields[3]).packed
        assert row["prefix_length"] == int(fields[4])


def test_records_written_and_read_again_are_the_same(registries):
    for file in registries:
        if file.registry in ("afrinic", "lacnic"):
            again = parse_delegated(emit_delegated(file), key="again")
            for kind in ("ipv4", "asn", "ipv6"):
                assert sorted(map(str, getattr(again, kind).drop_columns("line").to_pylist())) == sorted(
                    map(str, getattr(file, kind).drop_columns("line").to_pylist())
                )


def test_the_table_of_five_registries(registries):
    table = build_table(registries)
    assert not table.overlaps
    sizes = table.addresses_by_region()
    expected = Counter()
    for file in registries:
        for row in file.ipv4.select(["first", "last", "region", "status"]).to_pylist():
            delegated = row["status"] in ("allocated", "assigned")
            expected[row["region"] if delegated else row["status"]] += row["last"] - row["first"] + 1
    expected["undelegated"] = 2**32 - sum(expected.values())
    assert sizes == dict(expected)
    assert {"EU", "available", "reserved"} <= set(sizes)
    assert build_table(registries[::-1]) == table
    again = parse_delegated(emit_table(table, registry="ripencc", day=date(2018, 10, 13)), key="again")
    assert build_table([again]) == table
    addresses = np.random.default_rng(1).integers(0, 2**32, 300_000).astype(np.uint32)
    expected_codes = table.codes[np.searchsorted(table.starts, addresses, side="right") - 1]
    assert (attribute_regions(addresses, table) == expected_codes).all()


def test_the_five_blocks_of_21_january_2023(worlds):
    tables = dict(worlds)
    moves = moved_blocks(tables[date(2023, 1, 20)], tables[date(2023, 1, 21)], seen=date(2023, 1, 21))
    found = [move for move in moves if (move.from_region, move.to_region) == ("GB", "NL")]
    assert {cidr for move in found for cidr in move.cidrs} == FIVE
    assert sum(move.addresses for move in found) == 15_360


def test_the_moves_between_gb_and_nl_are_those_of_an_independent_history(worlds):
    found = found_moves(worlds)
    assert {cidr for direction, cidr, _ in found if direction == "GB->NL"} >= FIVE
    assert found == expected_moves(worlds, RIR)
    assert trace_regions(worlds).between(0, len(worlds) - 1) != ()


def test_the_command_prints_the_five_blocks_of_one_holder(worlds, registries, tmp_path, monkeypatch, capsys):
    as_archive(worlds[4:7], registries, Store(str(tmp_path)))
    monkeypatch.setenv("TSUBAME_DELEGATIONS_URL", str(tmp_path))
    command = ["delegations", "moves", "2023-01-20", "2023-01-21", "--from", "GB", "--to", "NL"]
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["cidr"] for row in rows} == FIVE
    assert sum(row["addresses"] for row in rows) == 15_360
    assert {row["holder"] for row in rows} == {HOLDER}
    assert {row["first_seen"] for row in rows} == {"2023-01-21"}
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "5 blocks, 15,360 addresses, 1 holder"


def test_the_glitch_of_26_january_2023_is_held_back(worlds, tmp_path):
    """A mirror gave NL 67.58.224.0-67.67.255.255 for under 18 hours; the days around it are those of 24 January."""
    _, world = worlds[-1]
    first, last = (int(ipaddress.IPv4Address(text)) for text in ("67.58.224.0", "67.67.255.255"))
    bounds = np.unique(np.append(world.starts.astype(np.int64), [first, last + 1]))
    at = np.searchsorted(world.starts, bounds.astype(np.uint32), side="right") - 1
    names = world.regions
    codes = world.codes[at].astype(np.int64)
    wrong = np.where((bounds >= first) & (bounds <= last), names.index("NL"), codes)
    zeros = np.zeros(len(bounds), dtype=np.int64)
    ends = np.append(bounds[1:], 2**32) - 1
    right, glitch = (
        emit_table(assemble(bounds, ends, chosen, names, zeros, ("",)), registry="ripencc", day=date(2023, 1, 1))
        for chosen in (codes, wrong)
    )
    store = Store(str(tmp_path))
    for number in range(24, 30):
        dated = (glitch if number == 26 else right).replace(b"20230101", f"202301{number}".encode(), 2)
        store.put(DelegationKey(date(2023, 1, number), "ripencc").key, dated)
    archive = DelegationArchive(store)
    use = archive.in_use(date(2023, 1, 26))
    assert sum(held.addresses for held in use.held) == 598_016 == last - first + 1
    assert {held.contradicted for held in use.held} == {"NL"}
    assert use.digest == archive.in_use(date(2023, 1, 25)).digest == archive.in_use(date(2023, 1, 27)).digest
    assert archive.moves(date(2023, 1, 24), date(2023, 1, 29)) == ()


def test_the_files_of_five_dates_are_imported_and_their_moves_followed(tmp_path):
    settings = Settings(delegations_url=str(tmp_path))
    paths = [path for path in FILES if "asof" in path.name]
    assert {import_delegation(settings, path).outcome for path in paths} == {"stored"}
    assert {import_delegation(settings, path).outcome for path in paths} == {"present"}
    archive = DelegationArchive(Store(settings.delegations_url))
    names = [info.key for info in Store(settings.delegations_url).list()]
    days = sorted({key.day for key in map(DelegationKey.parse, names) if key})
    assert len(days) == 5
    first, last = (archive.load(archive.snapshot(day)) for day in (days[0], days[-1]))
    net = trace_regions([(day, archive.load(archive.snapshot(day))) for day in days]).between(0, 4)
    plain = moved_blocks(first, last, seen=days[-1])
    assert sum(move.addresses for move in net) == sum(move.addresses for move in plain)
    gained = Counter()
    for move in net:
        gained[move.to_region] += move.addresses
        gained[move.from_region] -= move.addresses
    sizes = first.addresses_by_region(), last.addresses_by_region()
    for region in {*sizes[0], *sizes[1]}:
        assert gained[region] == sizes[1].get(region, 0) - sizes[0].get(region, 0)
    # Between neighbouring days of a live registry nothing is contradicted.
    assert archive.in_use(date(2023, 1, 21)).held == ()
