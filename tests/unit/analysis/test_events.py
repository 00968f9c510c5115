"""Events are found where they were put in, with onset, factor and the report's ratio; nulls have none."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from tests.unit.analysis.quarter_data import Q, Row, cube_of
from tsubame.analysis.contribution import excess_shares, port_parts
from tsubame.analysis.events import detect_events
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
        assert not shape[:onset].any()
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
