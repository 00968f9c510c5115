"""The table is gapless, resolves overlaps by its rule, and does not depend on how records are cut."""

import ipaddress
import pickle

import numpy as np
import pytest

from tsubame.errors import MalformedDelegation
from tsubame.regions.blocks import table_from_blocks
from tsubame.regions.delegated import parse_delegated
from tsubame.regions.overlaps import Overlaps
from tsubame.regions.table import build_table, is_country


def file(registry: str, *records: str):
    """Make a file of records written ``NL 192.0.2.0 256 [status [holder [date]]]``."""
    lines = []
    for record in records:
        region, start, size, *rest = record.split()
        status, holder, since = (*rest, *("allocated", "", "")[len(rest) :])
        country = "" if region == "-" else region
        lines.append(f"{registry}|{country}|ipv4|{start}|{size}|{since}|{status}|{holder}")
    head = [f"2|{registry}|20230101|{len(lines)}||20230101|+0000", f"{registry}|*|ipv4|*|{len(lines)}|summary"]
    parsed = parse_delegated("\n".join([*head, *lines, ""]).encode(), key=registry)
    assert parsed.faults == ()
    return parsed


def region_of(table, address: str) -> str:
    return table.region_of(int(ipaddress.IPv4Address(address)))


def test_no_record_at_all_is_undelegated_space():
    for table in (build_table([]), build_table([file("arin")])):
        assert table.addresses_by_region() == {"undelegated": 2**32}
        assert table.starts.tolist() == [0]


def test_gaps_are_undelegated_and_space_that_is_free_has_its_status():
    table = build_table(
        [
            file("ripencc", "NL 0.0.0.0 256", "GB 0.0.2.0 768", "- 0.0.8.0 256 available", "ZZ 0.0.9.0 256 reserved"),
            file("arin", "US 255.255.255.0 256", "EU 10.0.0.0 1", "AP 11.0.0.0 1", "ZZ 12.0.0.0 1"),
        ]
    )
    assert [region_of(table, f"0.0.{third}.255") for third in (0, 1, 2, 4, 5, 8, 9)] == [
        "NL", "undelegated", "GB", "GB", "undelegated", "available", "reserved",
    ]  # fmt: skip
    assert [region_of(table, a) for a in ("10.0.0.0", "10.0.0.1", "11.0.0.0", "12.0.0.0", "255.255.255.255")] == [
        "EU", "undelegated", "AP", "ZZ", "US",
    ]  # fmt: skip
    assert sum(table.addresses_by_region().values()) == 2**32
    assert table.starts[0] == 0
    assert (np.diff(table.starts.astype(np.int64)) > 0).all()
    assert table.regions == tuple(sorted(table.regions))
    assert not table.overlaps


def test_all_of_the_address_space_in_one_record():
    table = build_table([file("arin", "US 0.0.0.0 4294967296")])
    assert table.addresses_by_region() == {"US": 2**32}
    assert table.digest == build_table([file("arin", "US 0.0.0.0 2147483648", "US 128.0.0.0 2147483648")]).digest


def test_records_split_and_merged_give_the_same_table():
    whole = build_table([file("ripencc", "NL 10.0.0.0 1024 allocated x")])
    split = build_table([file("ripencc", "NL 10.0.0.0 256 assigned x", "NL 10.0.1.0 768 allocated x 20200101")])
    assert whole == split
    assert whole.holders_digest == split.holders_digest
    other = build_table([file("ripencc", "NL 10.0.0.0 256 allocated x", "NL 10.0.1.0 768 allocated y")])
    assert whole != other
    assert whole.digest == other.digest
    assert len(other) == len(whole) + 1


def test_digests_name_the_content():
    base = build_table([file("ripencc", "NL 10.0.0.0 1024")])
    for record in ("DE 10.0.0.0 1024", "NL 10.0.0.0 1023", "NL 10.0.0.1 1023"):
        assert build_table([file("ripencc", record)]).digest != base.digest
    assert build_table([file("arin", "NL 10.0.0.0 1024")]).digest == base.digest


def test_a_table_without_holders_has_the_same_digest_and_can_be_sent():
    files = [file("ripencc", "NL 10.0.0.0 256 allocated x", "NL 10.0.1.0 768 allocated y")]
    table = build_table(files)
    bare = table.without_holders()
    assert (bare.digest, len(bare)) == (table.digest, 3)
    assert (
        build_table([file("ripencc", "NL 10.0.0.0 256 allocated x", "NL 10.0.1.0 768 allocated y")], holders=False)
        == bare
    )
    sent = pickle.loads(pickle.dumps(table))
    assert sent == table
    assert hash(sent) == hash(table)


@pytest.mark.parametrize(
    ("files", "region", "holder"),
    [
        ({"arin": ["- 10.0.0.0 256 available"], "ripencc": ["NL 10.0.0.0 65536 allocated x 19900101"]}, "NL", "x"),
        ({"arin": ["- 10.0.0.0 256 available"], "ripencc": ["- 10.0.0.0 65536 reserved"]}, "reserved", ""),
        ({"arin": ["US 10.0.0.0 256 assigned a"], "ripencc": ["NL 10.0.0.0 512 allocated x 20230101"]}, "US", "a"),
        (
            {"arin": ["US 10.0.0.0 256 assigned a 20200101"], "ripencc": ["NL 10.0.0.0 256 allocated x 20230101"]},
            "NL",
            "x",
        ),
        ({"arin": ["US 10.0.0.0 256 assigned a 20200101"], "ripencc": ["NL 10.0.0.0 256 allocated x"]}, "US", "a"),
        ({"ripencc": ["NL 10.0.0.0 256"], "arin": ["US 10.0.0.0 256"]}, "US", ""),
        ({"arin": ["US 10.0.0.0 256 allocated a", "CA 10.0.0.0 256 allocated b"]}, "US", "a"),
    ],
)
def test_the_written_rule_decides_between_records(files, region, holder):
    parsed = [file(registry, *records) for registry, records in files.items()]
    for order in (parsed, parsed[::-1]):
        table = build_table(order)
        place = np.searchsorted(table.starts, 10 << 24, side="right") - 1
        assert (table.regions[table.codes[place]], table.holders[table.holder_codes[place]]) == (region, holder)
        assert table.overlaps.addresses == 256


def test_overlaps_are_counted():
    within = build_table(
        [file("arin", "US 10.0.0.0 512 allocated a", "US 10.0.0.0 512 allocated a", "CA 10.0.1.0 512 allocated b")]
    )
    assert within.overlaps == Overlaps(
        duplicate_records=1, records_within=2, records_between=0, addresses=512, contested=256
    )
    assert [region_of(within, a) for a in ("10.0.0.0", "10.0.1.0", "10.0.2.255")] == ["US", "US", "CA"]
    between = build_table([file("arin", "US 10.0.0.0 512"), file("apnic", "JP 10.0.1.0 512", "US 10.0.0.0 1")])
    assert between.overlaps == Overlaps(0, 0, 3, 257, 256)


def test_a_nested_record_is_cut_out_of_the_one_around_it():
    table = build_table([file("arin", "US 10.0.0.0 1024 allocated a", "CA 10.0.1.0 256 allocated b")])
    assert [region_of(table, f"10.0.{third}.0") for third in range(5)] == ["US", "CA", "US", "US", "undelegated"]


def test_countries():
    assert [is_country(name) for name in ("NL", "EU", "AP", "ZZ", "reserved", "undelegated", "available")] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip


def test_block_lists():
    table = table_from_blocks(b"NL\t10.0.0.0/8\nGB\t10.1.0.0/16\r\n\nFR\t0.0.0.0/32", key="list")
    assert [region_of(table, a) for a in ("0.0.0.0", "0.0.0.1", "10.0.0.1", "10.1.255.255", "10.2.0.0")] == [
        "FR", "undelegated", "NL", "GB", "NL",
    ]  # fmt: skip
    assert table.overlaps.addresses == 65536
    assert table_from_blocks(b"ZZ\t0.0.0.0/0\n", key="list").addresses_by_region() == {"ZZ": 2**32}


@pytest.mark.parametrize("line", ["NL 10.0.0.0/8", "NL\t10.0.0.0", "NL\t10.0.0.0/33", "NL\t10.0.0.1/24", "NL\t1.2.3/8"])
def test_a_line_that_is_no_block_is_named(line):
    with pytest.raises(MalformedDelegation, match="list: malformed block list at line 2"):
        table_from_blocks(f"NL\t10.0.0.0/8\n{line}\n".encode(), key="list")
