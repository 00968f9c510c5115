"""What holds for any delegation files: each address has one region, cuts do not matter, reading undoes writing."""

import gzip
import ipaddress
from datetime import date

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from tsubame.errors import MalformedDelegation
from tsubame.keys import REGISTRIES
from tsubame.regions.delegated import parse_delegated
from tsubame.regions.emit import emit_delegated, emit_table
from tsubame.regions.lookup import build_lookup, look_up
from tsubame.regions.moves import moved_blocks
from tsubame.regions.patches import clip, patch_file
from tsubame.regions.table import assemble, build_table

# Small spaces make overlaps and neighbours frequent; the ends of the address space are where arithmetic breaks.
BASES = st.sampled_from([0, 10 << 24, (192 << 24) + (168 << 16), 2**32 - 1024])
COUNTRIES = st.sampled_from(["GB", "NL", "EU", "AP", "ZZ"])
HOLDERS = st.sampled_from(["", "a", "b-1", "é"])
DATES = st.sampled_from(["", "00000000", "20200101", "19991231"])


@st.composite
def record(draw, registry: str) -> tuple[int, int, str]:
    start = draw(BASES) + draw(st.integers(0, 1000))
    size = min(draw(st.integers(1, 700)), 2**32 - start)
    status = draw(st.sampled_from(["allocated", "assigned", "available", "reserved"]))
    free = status in ("available", "reserved")
    country = draw(st.sampled_from(["", "ZZ"])) if free else draw(COUNTRIES)
    line = f"{registry}|{country}|ipv4|{ipaddress.IPv4Address(start)}|{size}|{draw(DATES)}|{status}|{draw(HOLDERS)}"
    return start, size, line


def content(registry: str, lines: list[str]) -> bytes:
    head = f"2|{registry}|20230101|{len(lines)}||20230101|+0000\n{registry}|*|ipv4|*|{len(lines)}|summary\n"
    return (head + "".join(f"{line}\n" for line in lines)).encode()


@st.composite
def files(draw):
    registries = draw(st.lists(st.sampled_from(REGISTRIES), unique=True, max_size=3))
    return [
        parse_delegated(content(name, [line for _, _, line in draw(st.lists(record(name), max_size=12))]), key=name)
        for name in registries
    ]


def edges(*tables) -> np.ndarray:
    starts = np.concatenate([table.starts.astype(np.int64) for table in tables])
    return np.unique(np.concatenate((starts, starts - 1, starts + 1, [0, 2**32 - 1])) % 2**32).astype(np.uint32)


STATUS_ORDER = {"allocated": 0, "assigned": 0, "reserved": 1, "available": 2}


def claims(parsed) -> list[tuple]:
    """List first, last, place in the order of the written rule, region and holder of every record."""
    found = []
    for file in parsed:
        for row in file.ipv4.to_pylist():
            since = row["date"].toordinal() if row["date"] else 0
            status = STATUS_ORDER[row["status"]]
            order = (status, row["last"] - row["first"], -since, file.registry, row["line"])
            region = row["region"] if status == 0 else row["status"]
            found.append((row["first"], row["last"], order, region, row["holder"]))
    return found


@given(files())
@settings(deadline=None, max_examples=60)
def test_every_address_has_the_one_region_that_the_rule_gives_it(parsed):
    table = build_table(parsed)
    assert table.starts[0] == 0
    assert (np.diff(table.starts.astype(np.int64)) > 0).all()
    assert sum(table.addresses_by_region().values()) == 2**32
    assert all(table.addresses_by_region().values())
    listed = claims(parsed)
    for address in edges(table).tolist():
        place = np.searchsorted(table.starts, address, side="right") - 1
        shown = (table.regions[table.codes[place]], table.holders[table.holder_codes[place]])
        covering = [claim[2:] for claim in listed if claim[0] <= address <= claim[1]]
        assert shown == (min(covering)[1:] if covering else ("undelegated", ""))


@given(files(), st.randoms())
@settings(deadline=None, max_examples=60)
def test_the_order_of_the_files_does_not_matter(parsed, random):
    table = build_table(parsed)
    random.shuffle(parsed)
    again = build_table(parsed)
    assert again == table
    assert again.overlaps == table.overlaps


@given(files())
@settings(deadline=None, max_examples=60)
def test_the_lookup_agrees_with_the_intervals(parsed):
    table = build_table(parsed)
    addresses = edges(table)
    expected = table.codes[np.searchsorted(table.starts, addresses, side="right") - 1]
    assert (look_up(addresses, build_lookup(table)) == expected).all()


@st.composite
def disjoint(draw):
    """Intervals in order, neighbours often touching, and a way to cut them further."""
    cuts = sorted(draw(st.sets(st.integers(0, 400), min_size=1, max_size=20)))
    regions = draw(st.lists(st.sampled_from(["GB", "NL", None]), min_size=len(cuts), max_size=len(cuts)))
    further = sorted(draw(st.sets(st.integers(0, 400), max_size=20)))
    return cuts, regions, further


@given(disjoint())
@settings(deadline=None, max_examples=60)
def test_splitting_and_merging_records_changes_nothing(case):
    cuts, regions, further = case

    def lines(bounds: list[int]) -> list[str]:
        result = []
        for start, end in zip(bounds, [*bounds[1:], 500], strict=True):
            region = regions[max(index for index, cut in enumerate(cuts) if cut <= start)]
            if region and end > start:
                result.append(f"arin|{region}|ipv4|{ipaddress.IPv4Address(start)}|{end - start}||allocated|h")
        return result

    finer = sorted({*cuts, *(cut for cut in further if cut >= cuts[0])})
    tables = [build_table([parse_delegated(content("arin", lines(bounds)), key="x")]) for bounds in (cuts, finer)]
    assert tables[0] == tables[1]
    assert tables[0].digest == tables[1].digest
    assert moved_blocks(*tables, seen=date(2023, 1, 1)) == ()


@given(files())
@settings(deadline=None, max_examples=60)
def test_records_written_and_read_again_are_the_same(parsed):
    for file in parsed:
        again = parse_delegated(emit_delegated(file), key="again")
        assert again.faults == ()
        for kind in ("ipv4", "asn", "ipv6"):
            assert (
                getattr(again, kind).drop_columns("line").to_pylist()
                == getattr(file, kind).drop_columns("line").to_pylist()
            )
        assert emit_delegated(again) == emit_delegated(file)


@given(files(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_table_written_and_read_again_is_the_same(parsed, pack):
    table = build_table(parsed)
    written = emit_table(table, registry="ripencc", day=date(2023, 1, 1))
    again = parse_delegated(gzip.compress(written) if pack else written, key="again")
    assert again.faults == ()
    assert build_table([again]) == table


@given(files(), files())
@settings(deadline=None, max_examples=60)
def test_moves_are_exactly_the_addresses_whose_region_changed(old_files, new_files):
    old, new = build_table(old_files), build_table(new_files)
    moves = moved_blocks(old, new, seen=date(2023, 1, 1))
    for address in edges(old, new).tolist():
        was, now = old.region_of(address), new.region_of(address)
        found = [move for move in moves if move.first <= address <= move.last]
        assert [(move.from_region, move.to_region) for move in found] == ([(was, now)] if was != now else [])
    gained = dict.fromkeys({*old.regions, *new.regions}, 0)
    for move in moves:
        gained[move.to_region] += move.addresses
        gained[move.from_region] -= move.addresses
    before, after = old.addresses_by_region(), new.addresses_by_region()
    assert gained == {region: after.get(region, 0) - before.get(region, 0) for region in gained}
    back = moved_blocks(new, old, seen=date(2023, 1, 1))
    assert sum(move.addresses for move in back) == sum(move.addresses for move in moves)


@given(files(), st.integers(0, 1500), st.integers(0, 1500), BASES)
@settings(deadline=None, max_examples=60)
def test_a_patched_range_is_the_other_files_and_the_rest_its_own(parsed, one, other, base):
    first, last = sorted((min(base + one, 2**32 - 1), min(base + other, 2**32 - 1)))
    for file in parsed:
        empty = parse_delegated(content(file.registry, []), key="empty")
        cut = build_table([patch_file(file, [(first, last, empty)])])
        assert sum(row["last"] - row["first"] + 1 for row in clip(file.ipv4, first, last).to_pylist()) == sum(
            max(0, min(row["last"], last) - max(row["first"], first) + 1) for row in file.ipv4.to_pylist()
        )
        assert cut.region_of(first) == cut.region_of(last) == "undelegated"
        restored = patch_file(empty, [(first, last, file)])
        whole = build_table([restored])
        assert all(
            whole.region_of(address) == "undelegated"
            for address in edges(whole).tolist()
            if not first <= address <= last
        )


LINES = st.lists(
    st.one_of(
        record("arin").map(lambda made: made[2].encode()),
        st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"")),
        st.text(st.sampled_from("arin|ipv4*NL0123456789.:- \t\r#é"), max_size=50).map(str.encode),
    ),
    max_size=15,
)


@given(LINES, st.integers(0, 2000), st.booleans())
@settings(deadline=None, max_examples=60)
def test_no_content_makes_it_crash_and_every_line_is_accounted_for(lines, keep, pack):
    text = (b"2|arin|20230101|3||20230101|+0000\n" + b"\n".join(lines))[: 34 + keep]
    file = parse_delegated(gzip.compress(text) if pack else text, key="x")
    records = file.ipv4.num_rows + file.asn.num_rows + file.ipv6.num_rows
    counted = [
        line.rstrip(b" \t\r") for line in text.split(b"\n")[1:] if line.rstrip(b" \t\r") and not line.startswith(b"#")
    ]
    summaries = len(file.summaries)
    assert records + file.dropped + summaries == len(counted)
    numbers = [fault.line for fault in file.faults]
    assert numbers == sorted(numbers)
    assert all(1 <= number <= text.count(b"\n") + 1 for number in numbers)
    build_table([file])


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=60)
def test_any_bytes_are_a_delegation_file_or_refused_by_name(raw):
    try:
        parse_delegated(raw, key="some-key")
    except MalformedDelegation as error:
        refused = str(error)
        assert refused.startswith("some-key: ")


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_cidrs_are_those_of_ipaddress(one, other):
    first, last = sorted((one, other))
    codes = np.zeros(1, dtype=np.int64)
    table = assemble(np.array([first]), np.array([last]), codes, ["NL"], codes, [""])
    (move,) = moved_blocks(build_table([]), table, seen=date(2023, 1, 1))
    expected = ipaddress.summarize_address_range(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
    assert [ipaddress.IPv4Network(cidr) for cidr in move.cidrs] == list(expected)
