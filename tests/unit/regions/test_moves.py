"""Moves are changes of region, never of record; each is dated and in the fewest CIDR blocks."""

import ipaddress
from datetime import date, timedelta

import numpy as np

from tsubame.regions.delegated import parse_delegated
from tsubame.regions.moves import Move, moved_blocks, moves_over, trace_regions
from tsubame.regions.table import build_table

DAY = date(2023, 1, 20)


def table(*records: str):
    """Make a table of records written ``NL 10.0.0.0 256 [holder]``; ``-`` is reserved space."""
    lines = []
    for record in records:
        region, start, size, *holder = record.split()
        status = "reserved" if region == "-" else "allocated"
        lines.append(f"ripencc|{region.strip('-')}|ipv4|{start}|{size}||{status}|{''.join(holder)}")
    head = f"2|ripencc|20230101|{len(lines)}||20230101|+0000\nripencc|*|ipv4|*|{len(lines)}|summary\n"
    return build_table([parse_delegated((head + "\n".join(lines) + "\n").encode(), key="x")])


def shown(moves):
    return [(move.from_region, move.to_region, move.cidrs, move.holder, (move.first_seen - DAY).days) for move in moves]


def test_a_split_record_and_a_change_of_holder_are_no_moves():
    old = table("GB 10.0.0.0 1024 a")
    assert moved_blocks(old, table("GB 10.0.0.0 256 a", "GB 10.0.1.0 768 a"), seen=DAY) == ()
    assert moved_blocks(old, table("GB 10.0.0.0 256 b", "GB 10.0.1.0 768 c"), seen=DAY) == ()


def test_only_the_part_that_changed_has_moved():
    moves = moved_blocks(
        table("GB 10.0.0.0 1024 a"), table("GB 10.0.0.0 256 a", "NL 10.0.1.0 512 b", "GB 10.0.3.0 256 a"), seen=DAY
    )
    assert shown(moves) == [("GB", "NL", ("10.0.1.0/24", "10.0.2.0/24"), "b", 0)]
    assert moves[0].addresses == 512


def test_the_holder_is_who_has_it_now_or_had_it_where_nobody_does():
    old = table("GB 10.0.0.0 512 a")
    assert shown(moved_blocks(old, table("- 10.0.0.0 256"), seen=DAY)) == [
        ("GB", "reserved", ("10.0.0.0/24",), "a", 0),
        ("GB", "undelegated", ("10.0.1.0/24",), "a", 0),
    ]
    assert shown(moved_blocks(table(), old, seen=DAY)) == [("undelegated", "GB", ("10.0.0.0/23",), "a", 0)]


def test_two_holders_make_two_moves_and_one_holder_one():
    old = table("GB 10.0.0.0 512 a")
    assert len(moved_blocks(old, table("NL 10.0.0.0 256 a", "NL 10.0.1.0 256 b"), seen=DAY)) == 2
    assert len(moved_blocks(old, table("NL 10.0.0.0 256 a", "NL 10.0.1.0 256 a"), seen=DAY)) == 1
    before = table("GB 10.0.0.0 256 a", "FR 10.0.1.0 256 a")
    assert len(moved_blocks(before, table("NL 10.0.0.0 512 a"), seen=DAY)) == 2


def test_the_whole_world_moves():
    (move,) = moved_blocks(table("GB 0.0.0.0 4294967296 a"), table("NL 0.0.0.0 4294967296 a"), seen=DAY)
    assert (move.cidrs, move.addresses) == (("0.0.0.0/0",), 2**32)


def test_ranges_that_are_no_powers_of_two_are_written_in_the_fewest_blocks():
    move = Move(1, 2**32 - 2, "GB", "NL", "", DAY)
    networks = [ipaddress.IPv4Network(cidr) for cidr in move.cidrs]
    assert sum(network.num_addresses for network in networks) == move.addresses
    assert list(ipaddress.collapse_addresses(networks)) == networks
    assert len(networks) == 62


def history():
    tables = [
        table("GB 10.0.0.0 256 a", "FR 10.1.0.0 256 f"),
        table("NL 10.0.0.0 256 b", "FR 10.1.0.0 256 f"),
        table("NL 10.0.0.0 256 b", "FR 10.1.0.0 256 f"),
        table("DE 10.0.0.0 256 c", "IT 10.1.0.0 256 f"),
        table("DE 10.0.0.0 256 c", "FR 10.1.0.0 256 f"),
    ]
    return [(DAY + timedelta(days=index), value) for index, value in enumerate(tables)]


def test_each_step_is_a_move_of_its_day():
    assert shown(moves_over(history())) == [
        ("GB", "NL", ("10.0.0.0/24",), "b", 1),
        ("NL", "DE", ("10.0.0.0/24",), "c", 3),
        ("FR", "IT", ("10.1.0.0/24",), "f", 3),
        ("IT", "FR", ("10.1.0.0/24",), "f", 4),
    ]
    assert moves_over([]) == ()
    assert moves_over(history()[:1]) == ()
    assert moves_over([(DAY, table("GB 10.0.0.0 256 a"))] * 3) == ()


def test_between_two_days_only_what_remains_has_moved():
    traced = trace_regions(history())
    assert shown(traced.between(0, 4)) == [("GB", "DE", ("10.0.0.0/24",), "c", 3)]
    assert shown(traced.between(0, 2)) == [("GB", "NL", ("10.0.0.0/24",), "b", 1)]
    assert shown(traced.between(1, 2)) == []
    assert traced.between(2, 2) == ()


def test_a_holder_boundary_inside_a_changed_range_is_kept():
    days = [
        (DAY, table("GB 10.0.0.0 512 a")),
        (DAY + timedelta(days=1), table("NL 10.0.0.0 256 b", "NL 10.0.1.0 256 c")),
        (DAY + timedelta(days=2), table("NL 10.0.0.0 512 d")),
    ]
    assert [move.holder for move in moves_over(days)] == ["b", "c"]
    assert [move.holder for move in trace_regions(days).between(0, 2)] == ["d"]


def test_any_two_days_agree_with_a_plain_comparison():
    random = np.random.default_rng(5)
    names = ["GB", "NL", "DE", "-"]
    days = [
        (
            DAY + timedelta(days=index),
            table(*(f"{names[random.integers(4)]} 10.0.{third}.0 256 h{random.integers(2)}" for third in range(12))),
        )
        for index in range(8)
    ]
    traced = trace_regions(days)
    for early in range(8):
        for late in range(early, 8):
            moves = traced.between(early, late)
            for third in range(12):
                address = (10 << 24) + (third << 8)
                was, now = days[early][1].region_of(address), days[late][1].region_of(address)
                found = [move for move in moves if move.first <= address <= move.last]
                assert [(move.from_region, move.to_region) for move in found] == ([(was, now)] if was != now else [])
                for move in found:
                    since = (move.first_seen - DAY).days
                    assert all(days[day][1].region_of(address) == now for day in range(since, late + 1))
                    assert days[since - 1][1].region_of(address) != now
