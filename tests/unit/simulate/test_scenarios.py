"""The scenarios hold what they say, before a packet is made; a few days of each are made."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tsubame.keys import DelegationKey
from tsubame.periods import Quarter, days_between
from tsubame.simulate.delegations import DelegationFiles
from tsubame.simulate.reading import load_scenario
from tsubame.simulate.run import simulate
from tsubame.simulate.traffic import Plan
from tsubame.simulate.world import World
from tsubame.stores import Store

FILES = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
MOVE = date(2023, 2, 10)


class Domestic:
    """Numbers of packets of the domestic sensors by stream and day, with the regions of their hosts.

    Hosts of a stream share one region here: moved blocks move whole.
    """

    def __init__(self, name: str | Path, scale: float = 1.0) -> None:
        scenario = load_scenario(name)
        self.world = World(scenario)
        self.plan = Plan(scenario, self.world, scale=scale, seed=scenario.seed)
        sensors = [sensor for sensor in scenario.sensors if sensor.country == "JP"]
        self.sensors = len(sensors)
        self.counts = sum(self.plan.counts(sensor) for sensor in sensors)
        self.at = {day: index for index, day in enumerate(self.plan.days)}

    def regions(self, day: date, pinned: bool = False) -> np.ndarray:
        codes = self.plan.codes(day)[pinned]
        return np.array([self.plan.regions[codes[stream.first_host]] for stream in self.plan.streams])

    def mean(self, first: date, last: date, region: str, *, pinned: bool = False, port: int | None = None) -> float:
        days = list(days_between(first, last))
        ports = np.array([stream.traffic.port for stream in self.plan.streams])
        return float(
            np.mean(
                [
                    self.counts[
                        (self.regions(day, pinned) == region) & ((ports == port) | (port is None)), self.at[day]
                    ].sum()
                    for day in days
                ]
            )
        )

    def totals(self, quarter: Quarter, by_region: bool) -> list[object]:
        found: dict[object, int] = {}
        for day in quarter.days:
            regions = self.regions(day)
            for index, stream in enumerate(self.plan.streams):
                spec = stream.traffic
                key = regions[index] if by_region else (spec.protocol, spec.port)
                if (by_region and len(key) == 2) or (not by_region and not spec.ports and spec.port != -1):
                    found[key] = found.get(key, 0) + int(self.counts[index, self.at[day]])
        return sorted(found, key=lambda key: -found[key])


def around(domestic: Domestic, day: date, region: str, *, pinned: bool = False) -> float:
    """Ten days after / ten days before, the day itself left out."""
    days = [timedelta(days=n) for n in (1, 10)]
    after = domestic.mean(day + days[0], day + days[1], region, pinned=pinned)
    return after / domestic.mean(day - days[1], day - days[0], region, pinned=pinned)


@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_2023q1_holds_what_the_report_says(scale):
    domestic = Domestic("2023Q1", scale)
    before, quarter = Quarter(2022, 4), Quarter(2023, 1)
    ports = domestic.totals(quarter, by_region=False)
    assert [port for _, port in ports[:5]] == [23, 6379, 37215, 22, 80]
    previous = domestic.totals(before, by_region=False)
    assert [previous.index(port) + 1 for port in ports[:5]] == [1, 2, 7, 4, 5]
    regions = domestic.totals(quarter, by_region=True)
    assert regions[:5] == ["US", "CN", "NL", "RU", "GB"]
    previous = domestic.totals(before, by_region=True)
    assert [previous.index(region) + 1 for region in ("US", "CN", "RU", "GB")] == [1, 4, 2, 3]
    assert previous.index("NL") > 5

    last, first = (date(2023, 3, 22), date(2023, 3, 31)), (date(2023, 1, 1), date(2023, 1, 10))
    assert 1.4 < domestic.mean(*last, "CN") / domestic.mean(*first, "CN") < 1.6
    move = date(2023, 1, 21)
    assert 7 < around(domestic, move, "NL") < 9
    assert around(domestic, move, "NL", pinned=True) == pytest.approx(1, abs=0.08)
    assert around(domestic, move, "GB") < 0.4
    assert around(domestic, move, "GB", pinned=True) == pytest.approx(1, abs=0.05)

    base = domestic.mean(date(2023, 2, 9), date(2023, 2, 18), "JP", port=37215)
    peak = date(2023, 2, 28)
    assert 5 < domestic.mean(peak, peak, "JP", port=37215) / base < 7
    assert domestic.mean(date(2023, 2, 19), date(2023, 2, 21), "JP", port=37215) > 1.8 * base
    assert domestic.mean(date(2023, 3, 19), date(2023, 3, 28), "JP", port=37215) == pytest.approx(base, rel=0.1)
    telnet = [domestic.mean(day, day + timedelta(days=4), "JP", port=23) for day in days_between(move, peak)]
    assert max(telnet) < 1.25 * min(telnet)


def test_2023q1_the_same_hosts_of_jp_send_both():
    streams = {stream.name: stream for stream in Domestic("2023Q1", 0.05).plan.streams}
    telnet, other = streams["telnet from JP/JP"], streams["37215 from JP/JP"]
    assert (telnet.first_host, telnet.hosts) == (other.first_host, other.hosts)


def test_the_five_real_blocks_of_one_holder_move_on_21_january():
    world = World(load_scenario("2023Q1"))
    moved = []
    for day in (date(2023, 1, 20), date(2023, 1, 21)):
        records = world.records(world.version(day))
        moved.append({r.first: r for r in records if r.holder == "a76eb471-7991-48ed-a60b-0c9015b986ca"})
    assert {r.region for r in moved[0].values()} == {"GB"}
    assert {r.region for r in moved[1].values()} == {"NL"}
    assert sum(r.last - r.first + 1 for r in moved[1].values()) == 15_360


def test_the_quiet_quarter_has_ties_few_regions_udp_and_icmp():
    domestic = Domestic("quiet-2024Q2")
    quarter = Quarter(2024, 2)
    assert {p for p, _ in domestic.totals(quarter, by_region=False)[:5]} == {"tcp", "udp", "icmp"}
    assert len(domestic.totals(quarter, by_region=True)) < 5
    ports = np.array([stream.traffic.port for stream in domestic.plan.streams])
    days = [domestic.at[day] for day in quarter.days]
    assert domestic.counts[ports == 443][:, days].sum() == domestic.counts[ports == 8080][:, days].sum()
    span = quarter.first_day, quarter.last_day
    assert domestic.mean(*span, "DE") == domestic.mean(*span, "VN")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_few_days_of_each_scenario(path, tmp_path):
    scenario = load_scenario(path)
    first = scenario.first + timedelta(days=40 if (scenario.last - scenario.first).days > 60 else 0)
    captures = Store(str(tmp_path / "c"))
    truth = simulate(scenario, captures, Store(str(tmp_path / "d")), first=first, last=first + timedelta(days=1))
    assert truth.complete
    assert truth.packets > 0
    assert set(truth.captures) <= {info.key for info in captures.list()}


def scenario_called(name: str) -> Path:
    return next(path for path in FILES if path.stem == name)


@pytest.mark.parametrize(
    ("name", "observed", "pinned"),
    [
        ("move-with-rise", 5.0, 3.0),
        ("move-without-traffic", 1.0, 1.0),
        ("shift-without-move", 4.0, 4.0),
        ("missing-week", 5.0, 1.0),
        ("split-and-merge", 1.0, 1.0),
    ],
)
def test_ratios_of_nl_around_10_february(name, observed, pinned):
    domestic = Domestic(scenario_called(name))
    assert around(domestic, MOVE, "NL") == pytest.approx(observed, rel=0.05)
    assert around(domestic, MOVE, "NL", pinned=True) == pytest.approx(pinned, rel=0.05)


def test_added_sensors_raise_totals_but_no_mean():
    scenario = load_scenario(scenario_called("sensors-added"))
    plan = Plan(scenario, World(scenario), scale=1, seed=scenario.seed)
    added = [sensor for sensor in scenario.sensors if sensor.active_from]
    assert [sensor.active_from for sensor in added] == [date(2023, 2, 14)] * 2
    means = [plan.counts(sensor).sum(axis=0).mean() for sensor in scenario.sensors]
    assert max(means) < 1.02 * min(means)


def regions_in_files(name: str, address: str, days: list[date]) -> list[str | None]:
    """By the text of each day's files: the region of the record that begins at an address."""
    files = DelegationFiles(World(load_scenario(scenario_called(name))))
    said = []
    for day in days:
        lines = [
            line.split("|")
            for key, content in files.files(day)
            if DelegationKey.parse(key)
            for line in (gzip.decompress(content) if key.endswith(".gz") else content).decode().splitlines()
        ]
        said.append(next((line[1] for line in lines if len(line) > 6 and line[3] == address), None))
    return said


def days(*numbers: int, month: int = 2) -> list[date]:
    return [date(2023, month, number) for number in numbers]


def test_what_the_files_of_each_scenario_say():
    block = "89.248.160.0"
    assert regions_in_files("move-with-rise", block, days(9, 10)) == ["GB", "NL"]
    assert regions_in_files("move-reverts", block, days(9, 10, 12, 13)) == ["GB", "NL", "NL", "GB"]
    assert regions_in_files("missing-week", block, days(7, 8, 14, 15)) == ["GB", None, None, "NL"]
    assert regions_in_files("glitch", "67.58.224.0", days(25, 26, 27, month=1)) == ["US", "NL", "US"]
    assert regions_in_files("split-and-merge", block, days(9, 10, 21)) == ["GB", "GB", "GB"]
    assert regions_in_files("boundary-move", block, [date(2022, 12, 31), date(2023, 1, 1)]) == ["GB", "NL"]
    assert regions_in_files("two-moves", "94.102.48.0", days(13, 14)) == ["GB", "NL"]


def test_an_absent_registry_is_absent_every_day():
    files = DelegationFiles(World(load_scenario(scenario_called("registry-absent"))))
    for day in days_between(date(2022, 12, 31), date(2023, 3, 31)):
        keys = [DelegationKey.parse(key) for key, _ in files.files(day)]
        assert {key.registry for key in keys if key} == {"afrinic", "apnic", "arin", "ripencc"}
