"""Events are found where they were put in, with onset, factor and the report's ratio; nulls have none."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from tests.unit.analysis.quarter_data import Q, Row, cube_of
from tsubame.analysis.contribution import excess_shares, port_parts
from tsubame.analysis.events import TOP_THRESHOLD, detect_events
from tsubame.analysis.overlap import measure_overlap
from tsubame.analysis.results import DailySeries
from tsubame.analysis.series import build_exposure
from tsubame.analysis.templates import KINDS, make_templates
from tsubame.periods import Window

DAYS = np.arange(90)


def series_of(shape, seed=1, level=300.0, sensors=10, down=()):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(level * np.exp(shape + rng.normal(0, 0.05, 90)))
    packets = tuple(None if day in down else int(n) for day, n in enumerate(counts))
    return DailySeries(Q.days, packets, tuple(None if n is None else n / sensors for n in packets))


def test_every_template_begins_at_its_onset_and_is_at_most_one():
    templates = make_templates(90)
    assert templates.shapes.max() == 1
    assert templates.shapes.min() >= 0
    for shape, onset, end in zip(templates.shapes, templates.onset, templates.end, strict=True):
        assert (shape[:onset] < 0.1).all()
        assert shape[onset] > 0
        assert shape[end] > 0
    assert set(templates.kind) == set(range(len(KINDS)))


def test_a_steady_quarter_has_no_event():
    assert all(detect_events(series_of(np.zeros(90), seed=seed)) == () for seed in range(10))


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_shift(factor):
    (found,) = detect_events(series_of(np.log(factor) * (DAYS >= 40)))
    assert (found.kind, found.onset, found.end) == ("shift", Q.days[40], None)
    assert found.factor == pytest.approx(factor, rel=0.1)
    assert found.factor_interval[0] < factor < found.factor_interval[1]
    assert found.onset_interval[0] <= found.onset <= found.onset_interval[1]
    assert found.ratio.value == pytest.approx(factor, rel=0.1)
    assert found.ratio.denominator.last == Q.days[39]
    assert found.ratio.numerator.first == Q.days[40]


def test_a_burst_with_days_down():
    shape = np.log(5) * ((DAYS >= 50) & (DAYS < 56))
    (found,) = detect_events(series_of(shape, down=(10, 11, 53)))
    assert (found.kind, found.onset, found.end) == ("burst", Q.days[50], Q.days[55])
    assert found.peak in Q.days[50:56]
    assert found.ratio.value == pytest.approx(5, rel=0.25)


@pytest.mark.parametrize(("first", "last"), [(0, 70), (20, 89), (15, 75)])
def test_the_part_of_a_day_on_which_observation_began_or_ended_is_no_event(first, last):
    cut = np.zeros(90)
    cut[first] = cut[last] = np.log(0.2)
    # Only a day beside days without a sensor is such a part; the quarter's own first and last day are whole.
    cut[[0, 89]] = 0
    down = set(range(90)) - set(range(first, last + 1))
    for seed in range(3):
        assert detect_events(series_of(cut, seed=seed, down=down)) == ()


def test_a_burst_beside_days_down_is_seen():
    (found,) = detect_events(series_of(np.log(6) * ((DAYS >= 50) & (DAYS < 53)), down=(53, 54)))
    assert (found.kind, found.onset, found.end) == ("burst", Q.days[50], Q.days[52])


def test_a_spike_is_compared_with_what_was_before_the_first_linked_burst():
    """The seed's figure 3: 19-21 February, again from 25 February, ×6 on the 28th, decaying."""
    at = [date(2023, 2, d) for d in (19, 25, 28)]
    first, onset, top = (Q.days.index(day) for day in at)
    added = np.where(top >= DAYS, (DAYS - onset + 1) / (top - onset + 1), np.exp(-(DAYS - top) / 7))
    shape = np.log1p(5 * np.where(onset > DAYS, 0, added)) + np.log(2.5) * ((first <= DAYS) & (first + 2 >= DAYS))
    events = detect_events(series_of(shape, level=2000))
    assert [event.onset for event in events] == at[:2]
    spike = events[1]
    assert (spike.kind, spike.peak) == ("spike_and_decay", at[2])
    assert spike.ratio.numerator.as_text() == ["2023-02-28", "2023-02-28"]
    assert spike.ratio.denominator.as_text() == ["2023-02-09", "2023-02-18"]
    assert spike.ratio.value == pytest.approx(6, rel=0.15)


def test_a_gradual_rise():
    (found,) = detect_events(series_of(np.log(2) * np.clip((DAYS + 1) / 90, 0, 1)))
    assert found.kind == "gradual"
    assert found.ratio.numerator.last == Q.last_day
    assert found.ratio.value == pytest.approx(2 ** (80 / 90), rel=0.1)


def spike(onset, rise, fall, factor):
    since = DAYS - onset - rise
    added = np.where(since <= 0, (since + rise + 1) / (rise + 1), np.exp(-np.maximum(since, 0) / fall))
    return np.log1p((factor - 1) * np.where(onset > DAYS, 0, added))


@pytest.mark.parametrize(("rise", "fall"), [(0, 3), (2, 6), (4, 12)])
def test_a_spike_is_no_burst(rise, fall):
    (found,) = detect_events(series_of(spike(40, rise, fall, 5), level=1000))
    assert (found.kind, found.onset) == ("spike_and_decay", Q.days[40])
    assert abs((found.peak - Q.days[40 + rise]).days) <= 1
    assert found.factor_interval[0] < 5 < found.factor_interval[1]


def test_strong_events_do_not_hide_each_other():
    burst = np.log(9) * ((DAYS >= 12) & (DAYS < 17))
    shape = burst + np.log(0.3) * (DAYS >= 30) + spike(60, 1, 6, 7)
    found = detect_events(series_of(shape, level=3000))
    assert [(event.kind, event.onset) for event in found] == [
        ("burst", Q.days[12]),
        ("shift", Q.days[30]),
        ("spike_and_decay", Q.days[60]),
    ]


def test_a_shift_then_a_ramp_are_two_events():
    ramp = np.log(0.35) * np.clip((DAYS - 34) / 45, 0, 1)
    found = detect_events(series_of(np.log(4) * (DAYS >= 15) + ramp, level=1500))
    assert [event.kind for event in found] == ["shift", "gradual"]
    assert found[0].onset == Q.days[15]


@pytest.mark.parametrize("days", [(40,), (20, 21, 63), (0, 89)])
def test_days_with_few_packets_or_none_are_gaps_and_no_events(days):
    dipped = np.where(np.isin(DAYS, days), np.log(0.2), 0)
    assert detect_events(series_of(dipped)) == ()
    counts = [0 if day in days else n for day, n in enumerate(series_of(np.zeros(90)).packets)]
    assert detect_events(DailySeries(Q.days, tuple(counts), tuple(n / 10 for n in counts))) == ()


def test_a_day_of_the_week_that_stands_out_is_no_event():
    assert all(detect_events(series_of(np.log(4) * (DAYS % 7 == 2), seed=seed)) == () for seed in range(5))


def test_traffic_that_begins_from_nothing_is_a_shift():
    rng = np.random.default_rng(5)
    counts = np.where(DAYS >= 50, rng.poisson(80, 90), rng.random(90) < 0.05).astype(int).tolist()
    (found,) = detect_events(DailySeries(Q.days, tuple(counts), tuple(n / 10 for n in counts)))
    assert (found.kind, found.onset) == ("shift", Q.days[50])
    assert found.factor > 100


@pytest.mark.parametrize("level", [5, 40, 20_000])
def test_a_tripled_level_is_found_at_any_level(level):
    found = detect_events(series_of(np.log(3) * (DAYS >= 45), level=level, seed=level), threshold=TOP_THRESHOLD)
    assert [event.kind for event in found] == ["shift"]
    assert abs((found[0].onset - Q.days[45]).days) <= 2


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = []
    for seed in range(40):
        (found,) = detect_events(series_of(np.log(2.5) * (DAYS >= 45), level=60, seed=seed))
        held.append(found.factor_interval[0] < 2.5 < found.factor_interval[1])
        assert found.onset_interval[0] <= Q.days[46]
        assert found.onset_interval[1] >= Q.days[44]
    assert 34 <= sum(held) <= 40


@pytest.mark.parametrize("packets", [None, 0, 1])
def test_a_series_without_enough_packets_has_no_event(packets):
    per_sensor = None if packets is None else packets / 10
    assert detect_events(DailySeries(Q.days, (packets,) * 90, (per_sensor,) * 90)) == ()


def test_overlap_and_contribution_are_exact():
    def rows(day):
        busy = day >= Q.days[60]
        for source in range(4):
            yield Row("jp-1", 6, 37215, source, "JP", "JP", 3 if busy else 1, tool="mirai")
        for source in (0, 1, 2, 7):
            yield Row("jp-1", 6, 23, source, "JP", "JP", 1)
        yield Row("jp-1", 6, 80, 8, "JP", "JP", 1)
        yield Row("jp-1", 6, 37215, 9, "US", "US", 3 if busy else 1)
        yield Row("us-1", 6, 23, 3, "JP", "JP", 1)

    cube = cube_of(rows, ("jp-1",))
    found = measure_overlap(cube, (6, 37215), (6, 23), "JP")
    assert (found.sources, found.also, found.baseline_sources, found.baseline_also) == (4, 3, 2, 1)
    assert (found.share, found.baseline) == (0.75, 0.5)
    everywhere = measure_overlap(cube, (6, 37215), (6, 23))
    assert (everywhere.sources, everywhere.also) == (5, 3)
    assert measure_overlap(cube, (17, 1), (6, 23)).share is None

    exposure = build_exposure(cube)
    parts = {part: s for (_, part), s in port_parts(cube, exposure, [(6, 37215)], "region").items()}
    assert parts["JP"].packets[0] == 4
    assert parts["JP"].packets[60] == 12
    by_tool = port_parts(cube, exposure, [(6, 37215)], "tool")
    assert by_tool[(6, 37215), "mirai"].packets[60] == 12
    total = DailySeries(Q.days, (5,) * 60 + (15,) * 30, (5.0,) * 60 + (15.0,) * 30)
    during = Window(Q.days[60], Q.days[69])
    before = Window(Q.days[50], Q.days[60] - timedelta(days=1))
    assert excess_shares(total, parts, during, before) == {"JP": 0.8, "US": 0.2}
