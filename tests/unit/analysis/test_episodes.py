from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tsubame.analysis.episodes import as_episodes
from tsubame.analysis.results import DailySeries, Event
from tsubame.periods import Quarter

DAYS = Quarter(2023, 1).days


def series(values):
    return DailySeries(DAYS, tuple(int(10 * v) for v in values), tuple(float(v) for v in values))


def event(kind, onset, end, factor, peak=None, strength=100.0):
    onset = date.fromisoformat(onset)
    end = None if end is None else date.fromisoformat(end)
    return Event(kind, onset, (onset, onset), peak, end, factor, (factor, factor), strength, None)


def level(*spans):
    values = np.full(90, 10.0)
    for first, last, value in spans:
        values[(date.fromisoformat(first) - DAYS[0]).days : (date.fromisoformat(last) - DAYS[0]).days + 1] = value
    return values


def test_bursts_over_each_other_are_told_one_after_the_other():
    values = series(level(("2023-02-26", "2023-03-07", 26.0), ("2023-03-08", "2023-03-12", 16.0)))
    found = as_episodes(
        values,
        [event("burst", "2023-02-26", "2023-03-12", 1.6), event("burst", "2023-02-26", "2023-03-07", 1.6, strength=90)],
    )
    assert [(e.onset, e.end, round(e.factor, 2)) for e in found] == [
        (date(2023, 2, 26), date(2023, 3, 7), 2.56),
        (date(2023, 3, 8), date(2023, 3, 12), 1.6),
    ]
    # Both are compared with what was before the first of them.
    assert [round(e.ratio.value, 2) for e in found] == [2.6, 1.6]
    assert {e.ratio.denominator.last for e in found} == {date(2023, 2, 25)}


def test_bursts_that_only_follow_each_other_are_left_alone():
    events = [event("burst", "2023-02-01", "2023-02-03", 2.0), event("burst", "2023-02-06", "2023-02-08", 0.5)]
    found = as_episodes(series(level(("2023-02-01", "2023-02-03", 20.0), ("2023-02-06", "2023-02-08", 5.0))), events)
    assert [(e.onset, e.end, e.factor) for e in found] == [(e.onset, e.end, e.factor) for e in events]
    # Its ten days before hold the rise: only rises are linked to rises.
    assert found[1].ratio.value == pytest.approx(5 / 13)


def test_a_spike_ends_when_it_is_back():
    at = np.arange(90)
    values = 10 + np.where(at >= 58, 50 * 0.5 ** ((at - 58) / 4), 0)
    spike = event("spike_and_decay", "2023-02-28", "2023-03-31", 6.0, peak=date(2023, 2, 28))
    (found,) = as_episodes(series(values), [spike])
    # A tenth is left after 4·log2(10) = 13.3 days.
    assert abs((found.end - date(2023, 3, 13)).days) <= 1
    (open_ended,) = as_episodes(series(np.where(at >= 58, 60.0, 10.0)), [spike])
    assert open_ended.end == spike.end


def test_nothing_gives_nothing_and_gaps_are_no_lows():
    assert as_episodes(series(level()), []) == ()
    values = series(level(("2023-02-01", "2023-02-05", 3.0)))
    holed = replace(
        values,
        packets=(*values.packets[:32], None, *values.packets[33:]),
        per_sensor=(*values.per_sensor[:32], None, *values.per_sensor[33:]),
    )
    (found,) = as_episodes(holed, [event("burst", "2023-02-01", "2023-02-05", 0.3)])
    assert found.ratio.value == pytest.approx(0.3)


@pytest.mark.parametrize(("spread", "seed"), [(0.02, 1), (0.08, 2), (0.15, 3)])
def test_a_line_is_told_as_one_and_a_step_stays_a_step(spread, seed):
    rng = np.random.default_rng(seed)
    at = np.arange(90)
    noise = np.exp(rng.normal(0, spread, 90))
    line = 10 + 12 * np.clip((at - 17 + 1) / 39, 0, 1)
    shift = event("shift", "2023-01-28", None, 1.9)
    burst = event("burst", "2023-02-26", "2023-03-07", 2.0)
    (slow, _) = as_episodes(series(line * noise), [shift, burst])
    assert slow.kind == "gradual"
    assert abs((slow.onset - date(2023, 1, 18)).days) <= (7 if spread < 0.1 else 12)
    assert slow.factor == pytest.approx(2.2, rel=0.15 if spread < 0.1 else 0.3)
    assert slow.end <= date(2023, 2, 25)
    step = np.where(at >= 27, 19.0, 10.0)
    assert as_episodes(series(step * noise), [shift, burst])[0].kind == "shift"
