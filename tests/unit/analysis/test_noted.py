"""Noted ports: what is chosen, and every number of it against the rows it was made from."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from tests.unit.analysis.noted_quarter import (
    BR_BURST,
    DOMESTIC,
    HOSTS,
    JP_BURST,
    PORT,
    analysis,
    cube,
    rows_of,
)
from tests.unit.analysis.quarter_data import Q
from tsubame.analysis.contribution import port_parts
from tsubame.analysis.noted import has_parts, is_telling
from tsubame.analysis.overlap import find_companion
from tsubame.analysis.results import Overlap
from tsubame.analysis.series import build_exposure


@pytest.fixture(scope="module")
def noted():
    (only,) = analysis().noted
    return only


@pytest.fixture(scope="module")
def rows():
    return [(day, row) for day in Q.days for row in rows_of(day) if row.sensor in DOMESTIC]


def test_the_port_with_a_rise_is_noted(noted):
    assert noted.port == PORT
    assert noted.reasons == ("rise",)
    assert noted.previous_ratio is None
    assert [event.kind for event in noted.events if event.factor > 1.5]


def test_regions_are_those_that_rose(noted):
    found = {part.region: part.events for part in noted.regions}
    assert set(found) == {"JP", "BR"}
    for region, span in (("JP", JP_BURST), ("BR", BR_BURST)):
        (burst,) = found[region]
        assert (burst.kind, burst.onset, burst.end) == ("burst", *span)


def test_a_tools_own_events_are_those_of_its_regions(noted):
    ((tool, events),) = noted.tool_events.items()
    assert tool == "mirai"
    assert {event.kind for event in events} == {"burst"}
    # Both regions' bursts overlap: one begins with one's onset, the last ends with the other's end.
    assert (events[0].onset, events[-1].end) == (JP_BURST[0], BR_BURST[1])


def test_the_focus_is_japan_by_its_tool_with_its_companion(noted, rows):
    focus = noted.focus
    assert (focus.region, focus.tool) == ("JP", "mirai")
    assert focus.overlap.companion == (6, 23)
    assert (focus.overlap.sources, focus.overlap.also) == (HOSTS, HOSTS)
    assert (focus.overlap.baseline_sources, focus.overlap.baseline_also) == (20, 0)
    assert focus.comparison.verdict == "none"
    counted = Counter()
    for day, row in rows:
        if (row.protocol, row.port, row.region) == (6, 23, "JP"):
            counted[day] += row.packets
    assert focus.companion.packets == tuple(counted[day] for day in Q.days)


def test_superposition_adds_up(noted, rows):
    found = noted.superposition
    assert found.holds
    assert found.rest_events == ()
    daily = defaultdict(lambda: np.zeros(90))
    for day, row in rows:
        if (row.protocol, row.port) == PORT:
            daily[row.region][Q.days.index(day)] += row.packets / len(DOMESTIC)

    def mean(values, window):
        return values[Q.days.index(window.first) : Q.days.index(window.last) + 1].mean()

    excess = {region: mean(v, found.during) - mean(v, found.before) for region, v in daily.items()}
    expected = (excess["JP"] + excess["BR"]) / sum(excess.values())
    assert found.share == pytest.approx(expected)
    assert found.rest.packets == tuple(round(value * len(DOMESTIC)) for value in daily["CN"])


def test_sources_by_day_and_new_ones(noted, rows):
    by_day = defaultdict(set)
    for day, row in rows:
        if (row.protocol, row.port) == PORT:
            by_day[day].add(row.source)
    seen: set[int] = set()
    new = []
    for day in Q.days:
        new.append(len(by_day[day] - seen))
        seen |= by_day[day]
    assert noted.sources.seen == tuple(len(by_day[day]) for day in Q.days)
    assert noted.sources.new == tuple(new)
    assert noted.sources.total == len(seen)
    assert noted.sources.returning is None


def test_tools_and_sensors_add_up_to_the_port(noted, rows):
    own = [(row.tool, row.sensor, row.packets) for _, row in rows if (row.protocol, row.port) == PORT]
    by_tool, by_sensor = Counter(), Counter()
    for tool, sensor, packets in own:
        by_tool[tool] += packets
        by_sensor[sensor] += packets
    assert {tool: sum(series.packets) for tool, series in noted.by_tool.items()} == by_tool
    assert list(noted.by_tool) == [tool for tool, _ in by_tool.most_common()]
    assert noted.sensors == by_sensor
    assert noted.domestic == sum(
        row.packets for _, row in rows if (row.protocol, row.port, row.region) == (*PORT, "JP")
    )


def test_parts_of_a_region_by_tool():
    exposure = build_exposure(cube())
    parts = port_parts(cube(), exposure, [PORT], "tool", "CN")
    assert set(parts) == {(PORT, "")}
    assert has_parts(cube(), PORT)
    assert has_parts(cube(), (17, 9))


def test_a_source_without_another_port_has_no_companion():
    assert find_companion(cube(), PORT, "BR") is None
    assert find_companion(cube(), (17, 9)) is None


@pytest.mark.parametrize(
    ("sources", "also", "others", "others_also", "telling"),
    [
        (60, 60, 200, 0, True),
        (60, 29, 200, 0, False),
        (60, 40, 200, 130, False),
        (9, 9, 200, 0, False),
        (60, 60, 0, 0, True),
        (0, 0, 10, 1, False),
    ],
)
def test_a_companion_must_be_telling(sources, also, others, others_also, telling):
    assert is_telling(Overlap(PORT, (6, 23), "JP", sources, also, others, others_also)) is telling
