"""The registries' world and its files."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import ipaddress
import itertools
from datetime import date

import numpy as np
import pytest

from tsubame.errors import MalformedScenario
from tsubame.keys import REGISTRIES, DelegationKey
from tsubame.simulate.delegations import DelegationFiles
from tsubame.simulate.reading import load_scenario
from tsubame.simulate.scenario import (
    BlockSpec,
    DelegationsSpec,
    GlitchSpec,
    MissingSpec,
    MoveSpec,
    RearrangementSpec,
)
from tsubame.simulate.world import World

BLOCK = BlockSpec("80.82.64.0/20", "ripencc", "GB", holder="h")
DAY = date(2023, 1, 20)


@pytest.fixture(scope="module")
def base(scenarios):
    scenario = load_scenario(scenarios / "tiny.toml")
    return dataclasses.replace(scenario, delegations=DelegationsSpec(blocks=(BLOCK,)))


def world_of(base, **changes) -> World:
    return World(dataclasses.replace(base, delegations=dataclasses.replace(base.delegations, **changes)))


def region(world: World, address: str, day: date) -> str:
    number = np.array([int(ipaddress.IPv4Address(address))], np.uint32)
    return str(world.attribute(number, world.version(day))[0])


def files_of(world: World, day: date) -> dict[str, bytes]:
    return dict(DelegationFiles(world).files(day))


def lines_of(world: World, registry: str, day: date) -> list[list[str]]:
    files = files_of(world, day)
    name = DelegationKey(day, registry).key
    content = files[name] if name in files else gzip.decompress(files[f"{name}.gz"])
    return [line.split("|") for line in content.decode().splitlines() if not line.startswith("#")]


def test_records_never_overlap_and_are_in_order(base):
    world = world_of(base, moves=(MoveSpec(DAY, ("80.82.66.0/23",), "NL"),))
    for version in range(world.versions):
        records = world.records(version)
        assert all(a.last < b.first for a, b in itertools.pairwise(records))


def test_attribution_equals_a_search_by_ipaddress(base):
    world = World(base)
    rng = np.random.default_rng(5)
    addresses = rng.integers(0, 2**32, 300, np.uint32)
    records = world.records(0)
    for address, said in zip(addresses, world.attribute(addresses, 0), strict=True):
        inside = [r for r in records if r.first <= int(address) <= r.last]
        assert said == (inside[0].attributed if inside else "undelegated")


def test_a_move_begins_on_its_date_and_splits_its_record(base):
    world = world_of(base, moves=(MoveSpec(DAY, ("80.82.66.0/23",), "NL"),))
    assert region(world, "80.82.66.1", date(2023, 1, 19)) == "GB"
    assert region(world, "80.82.66.1", DAY) == "NL"
    assert region(world, "80.82.65.255", DAY) == "GB"
    assert region(world, "80.82.68.0", DAY) == "GB"


def test_a_move_can_end_and_can_go_to_another_registry(base):
    move = MoveSpec(DAY, ("80.82.64.0/20",), "US", registry="arin", until=date(2023, 1, 24))
    world = world_of(base, moves=(move,))
    there = [line for line in lines_of(world, "arin", DAY) if line[3:5] == ["80.82.64.0", "4096"]]
    assert [line[1] for line in there] == ["US"]
    assert not [line for line in lines_of(world, "ripencc", DAY) if line[3] == "80.82.64.0"]
    assert region(world, "80.82.64.1", date(2023, 1, 23)) == "US"
    assert region(world, "80.82.64.1", date(2023, 1, 24)) == "GB"


def test_a_move_of_what_nobody_holds_is_refused(base):
    with pytest.raises(MalformedScenario, match="addresses that are delegated, found 10"):
        world_of(base, moves=(MoveSpec(DAY, ("10.0.0.0/8",), "NL"),))


def test_a_split_and_a_merge_change_lines_but_no_region(base):
    split = RearrangementSpec(DAY, BLOCK.range, "split", 3)
    merge = RearrangementSpec(date(2023, 1, 22), BLOCK.range, "merge")
    world = world_of(base, rearrangements=(split, merge))

    def lines(day):
        return [line[3:5] for line in lines_of(world, "ripencc", day) if line[3].startswith("80.82.")]

    before, during, after = lines(date(2023, 1, 19)), lines(DAY), lines(date(2023, 1, 22))
    assert len(during) == len(before) + 2
    assert sum(int(size) for _, size in during) == sum(int(size) for _, size in before)
    assert after == before
    assert {region(world, f"80.82.{64 + i}.7", DAY) for i in range(16)} == {"GB"}


@pytest.mark.parametrize("registry", REGISTRIES)
def test_a_file_is_what_its_version_and_summary_lines_say(base, registry):
    lines = lines_of(World(base), registry, DAY)
    version, summaries = lines[0], lines[1:4]
    records = lines[4:]
    assert version[1] == registry
    assert int(version[3]) == len(records)
    for summary in summaries:
        assert summary[0] == registry
        assert summary[5] == "summary"
        assert int(summary[4]) == sum(record[2] == summary[2] for record in records)
    ends = -1
    for record in (r for r in records if r[2] == "ipv4"):
        first = int(ipaddress.IPv4Address(record[3]))
        assert first > ends
        ends = first + int(record[4]) - 1
        assert record[6] in ("allocated", "assigned", "available", "reserved")
        if record[6] in ("allocated", "assigned"):
            assert len(record[1]) == 2
            assert record[5].isdigit()
            assert record[7]
        else:
            assert record[1] == ("ZZ" if registry == "afrinic" else "")
    for record in (r for r in records if r[2] == "ipv6"):
        ipaddress.IPv6Network(f"{record[3]}/{record[4]}")


def test_sizes_are_not_all_powers_of_two(base):
    sizes = [r.last - r.first + 1 for r in World(base).records(0) if r.region]
    assert any(size & (size - 1) for size in sizes)
    assert {r.status for r in World(base).records(0)} == {"allocated", "assigned", "reserved", "available"}


def test_md5_files_name_the_digest_of_the_plain_file(base):
    files = files_of(World(base), DAY)
    checked = 0
    for key, content in files.items():
        if key.endswith(".md5"):
            continue
        plain = gzip.decompress(content) if key.endswith(".gz") else content
        digest = hashlib.md5(plain).hexdigest()
        assert digest in files[key.removesuffix(".gz") + ".md5"].decode()
        checked += 1
    assert checked == 5


def test_missing_files(base):
    one = MissingSpec(DAY, DAY, ("arin",))
    world = world_of(base, missing=(one,))
    assert len([key for key in files_of(world, DAY) if DelegationKey.parse(key)]) == 4
    assert len([key for key in files_of(world, date(2023, 1, 21)) if DelegationKey.parse(key)]) == 5
    assert not files_of(world_of(base, missing=(MissingSpec(DAY, DAY),)), DAY)


def test_a_glitch_is_in_the_file_of_its_date_only_and_in_nobodys_truth(base):
    glitch = GlitchSpec((DAY,), "80.82.64.0/20", "NL", "ripencc")
    world = world_of(base, glitches=(glitch,))

    def code(day):
        return [line[1] for line in lines_of(world, "ripencc", day) if line[3] == "80.82.64.0"]

    assert code(date(2023, 1, 19)) == ["GB"]
    assert code(DAY) == ["NL"]
    assert code(date(2023, 1, 21)) == ["GB"]
    assert region(world, "80.82.64.1", DAY) == "GB"


def test_a_glitch_of_another_registry_overlaps(base):
    world = world_of(base, glitches=(GlitchSpec((DAY,), "80.82.64.0/20", "NL", "apnic"),))
    assert any(line[1:5] == ["NL", "ipv4", "80.82.64.0", "4096"] for line in lines_of(world, "apnic", DAY))
    assert any(line[1:5] == ["GB", "ipv4", "80.82.64.0", "4096"] for line in lines_of(world, "ripencc", DAY))


def test_a_region_without_addresses_is_named(base):
    traffic = dataclasses.replace(base.traffic[0], rates={"QQ": 1.0})
    world = World(base)
    with pytest.raises(MalformedScenario, match="nothing is delegated as QQ"):
        world.hosts(*traffic.rates, 3, np.random.default_rng(1))


@pytest.mark.parametrize("origin", ["CN", "EU", "reserved", "available", "undelegated", "80.82.64.0/20"])
def test_hosts_are_of_their_origin(base, origin):
    world = World(base)
    hosts = world.hosts(origin, 500, np.random.default_rng(1))
    expected = "GB" if "." in origin else origin
    assert set(world.attribute(hosts, 0)) == {expected}
    assert not set(hosts & 255) & {0, 255}


def test_hosts_of_a_region_stay_out_of_named_blocks(base):
    hosts = World(base).hosts("GB", 5000, np.random.default_rng(1))
    first, last = int(ipaddress.IPv4Address("80.82.64.0")), int(ipaddress.IPv4Address("80.82.79.255"))
    assert not ((hosts >= first) & (hosts <= last)).any()
