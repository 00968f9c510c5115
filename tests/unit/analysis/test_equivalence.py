"""``none`` is said where nothing changed and would have been seen, never where something did."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tsubame.analysis.equivalence import compare_series, event_shape
from tsubame.analysis.results import DailySeries, Event
from tsubame.periods import Quarter

DAYS = Quarter(2023, 1).days
SENSORS = 9


def event(kind, onset, end, factor, peak=None):
    return Event(kind, onset, (onset, onset), peak, end, factor, (factor, factor), 100.0, None)


BUMP = event("burst", date(2023, 2, 19), date(2023, 2, 21), 2.6, date(2023, 2, 20))
WAVE = event("spike_and_decay", date(2023, 2, 25), date(2023, 3, 18), 6.0, date(2023, 2, 28))


def drawn(rng, mean, carried=0.0, spread=0.08, correlation=0.3, down=()):
    """A companion whose logarithm follows a part ``carried`` of the two events."""
    shape = carried * (event_shape(BUMP, DAYS) + event_shape(WAVE, DAYS))
    noise = np.zeros(len(DAYS))
    for day in range(len(DAYS)):
        noise[day] = correlation * noise[day - 1] + rng.normal(0, spread * np.sqrt(1 - correlation**2))
    packets = rng.poisson(mean * np.exp(shape + noise))
    values = [None if i in down else int(n) for i, n in enumerate(packets)]
    return DailySeries(DAYS, tuple(values), tuple(None if v is None else v / SENSORS for v in values))


def verdicts(carried, mean=90.0, draws=150, **changes):
    rng = np.random.default_rng(7)
    found = [compare_series(drawn(rng, mean, carried, **changes), (BUMP, WAVE)) for _ in range(draws)]
    return found, {name: sum(f.verdict == name for f in found) / draws for name in ("none", "changed", "cannot tell")}


def test_no_change_is_found_to_be_none():
    found, share = verdicts(0.0)
    assert share["none"] >= 0.8
    assert share["changed"] <= 0.1
    inside = [f.factor_interval[0] <= 1 <= f.factor_interval[1] for f in found]
    assert np.mean(inside) >= 0.9


@pytest.mark.parametrize("carried", [0.5, 1.0, -0.4])
def test_a_change_is_never_called_none(carried):
    found, share = verdicts(carried)
    assert share["none"] == 0
    assert share["changed"] >= 0.95
    # The factor of the companion, at the full effect of the events.
    assert np.median([f.factor for f in found]) == pytest.approx(6.0**carried, rel=0.15)


def test_a_change_at_the_margin_is_seldom_called_none():
    assert verdicts(np.log(1.3) / np.log(6.0))[1]["none"] <= 0.05


def test_too_few_packets_cannot_tell():
    assert verdicts(0.0, mean=1.0, draws=20)[1]["cannot tell"] == 1
    assert verdicts(0.0, mean=8.0, draws=60)[1]["none"] <= 0.7


def test_gaps_are_left_out_and_an_empty_story_tells_nothing():
    series = drawn(np.random.default_rng(1), 90.0, down=(30, 31, 32))
    assert compare_series(series, (WAVE,)).verdict == "none"
    assert compare_series(series, ()).verdict == "cannot tell"
    silent = DailySeries(DAYS, (None,) * 90, (None,) * 90)
    assert compare_series(silent, (WAVE,)).verdict == "cannot tell"


def test_the_margin_is_smaller_where_the_other_series_changed_little():
    small = event("burst", date(2023, 2, 1), date(2023, 2, 5), 1.5, date(2023, 2, 2))
    assert compare_series(drawn(np.random.default_rng(1), 90.0), (small,)).margin == pytest.approx(1.5 ** (1 / 3))


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (event("shift", DAYS[40], None, 2.0), {39: 1.0, 40: 2.0, 89: 2.0}),
        (event("gradual", DAYS[10], DAYS[19], 4.0), {9: 1.0, 14: 2.0, 19: 4.0, 89: 4.0}),
        (event("burst", DAYS[40], DAYS[42], 0.5, DAYS[41]), {39: 1.0, 40: 0.5, 42: 0.5, 43: 1.0}),
        (event("spike_and_decay", DAYS[40], DAYS[60], 6.0, DAYS[43]), {39: 1.0, 43: 6.0, 60: 1.5, 61: 1.0}),
    ],
)
def test_shapes_are_those_of_the_events(what, expected):
    shape = np.exp(event_shape(what, DAYS))
    for day, factor in expected.items():
        assert shape[day] == pytest.approx(factor)
