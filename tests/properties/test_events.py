"""Whatever the counts, the detector answers in order, within its own intervals, and the same again."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsubame.analysis.events import detect_events
from tsubame.analysis.results import DailySeries
from tsubame.analysis.templates import KINDS

FIRST = date(2024, 2, 1)


def series_of(packets, sensors):
    days = tuple(FIRST + timedelta(days=day) for day in range(len(packets)))
    per_sensor = tuple(None if n is None else n / s for n, s in zip(packets, sensors, strict=True))
    return DailySeries(days, tuple(packets), per_sensor)


@st.composite
def quarters(draw):
    n = draw(st.sampled_from([1, 20, 28, 45, 90, 91, 92]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    level = np.exp(draw(st.floats(-2, 20)) + np.cumsum(rng.normal(0, draw(st.sampled_from([0, 0.02, 0.5])), n)))
    level *= np.where(rng.random(n) < draw(st.sampled_from([0, 0.1, 0.9])), draw(st.sampled_from([0, 30])), 1)
    packets = [int(each) for each in rng.poisson(np.minimum(level, 1e12))]
    down = rng.random(n) < draw(st.sampled_from([0, 0.05, 0.6, 1]))
    packets = [None if gone else each for each, gone in zip(packets, down, strict=True)]
    return packets, rng.integers(1, 30, n)


@settings(max_examples=40, deadline=None)
@given(quarters())
def test_events_are_in_order_and_within_their_intervals(quarter):
    series = series_of(*quarter)
    found = detect_events(series, threshold=14)
    assert found == detect_events(series, threshold=14)
    assert [event.onset for event in found] == sorted(event.onset for event in found)
    for event in found:
        assert event.kind in KINDS
        assert series.days[0] <= event.onset_interval[0] <= event.onset <= event.onset_interval[1] <= series.days[-1]
        assert event.factor_interval[0] <= event.factor <= event.factor_interval[1]
        assert np.isfinite([*event.factor_interval, event.strength]).all()
        assert event.end is None or event.onset <= event.end <= series.days[-1]
        assert event.peak is None or event.onset <= event.peak


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 50))
def test_more_sensors_that_see_as_much_are_no_event_and_change_none(seed, times):
    rng = np.random.default_rng(seed)
    level = np.where(np.arange(91) >= 50, 1500.0, 400.0)
    packets = [int(n) for n in rng.poisson(level)]
    sensors = np.full(91, 4)
    (one,) = detect_events(series_of(packets, sensors))
    (other,) = detect_events(series_of(packets, sensors * times))
    assert (one.kind, one.onset, one.end) == (other.kind, other.onset, other.end)
    assert one.factor == pytest.approx(other.factor, rel=1e-3)
    # Sensors that come and go: as many times the packets, the mean as before.
    growing = np.where(np.arange(91) >= 30, 4 * times, 4)
    more = [int(n) for n in rng.poisson(100.0 * growing)]
    assert detect_events(series_of(more, growing)) == ()


@pytest.mark.parametrize(
    "packets",
    [
        [0] * 90,
        [None] * 90,
        [7] * 90,
        [10**12] * 90,
        [None] * 45 + [50] + [None] * 44,
        [0] * 89 + [10**9],
        [10**9] + [0] * 89,
        [0, 1] * 45,
        [5] * 27,
        [5],
        [],
    ],
    ids=lambda packets: f"{len(packets)} days, {len(set(packets))} values, {packets[-1:]}",
)
def test_degenerate_series_are_answered(packets):
    found = detect_events(series_of(packets, [3] * len(packets)))
    assert all(event.kind == "burst" for event in found)
