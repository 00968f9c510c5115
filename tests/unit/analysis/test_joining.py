from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tests.unit.analysis.test_episodes import event, level, series
from tsubame.analysis.events import detect_events
from tsubame.analysis.joining import join_events
from tsubame.analysis.results import DailySeries
from tsubame.periods import Quarter

DAYS = Quarter(2023, 1).days
AT = np.arange(90)


def told(events):
    return [(e.kind, e.onset, e.end) for e in events]


def test_a_shift_that_is_taken_back_is_a_burst():
    values = series(level(("2023-02-19", "2023-02-20", 24.0), ("2023-02-21", "2023-02-21", 26.0)))
    events = [event("shift", "2023-02-19", None, 2.5), event("shift", "2023-02-22", None, 0.42, strength=80)]
    (found,) = join_events(values, events)
    assert told([found]) == [("burst", date(2023, 2, 19), date(2023, 2, 21))]
    assert found.peak == date(2023, 2, 21)
    assert found.strength == 80


@pytest.mark.parametrize(
    "second",
    [
        event("shift", "2023-03-29", None, 0.4),
        event("shift", "2023-02-22", None, 0.8),
        event("shift", "2023-02-23", None, 2.0),
    ],
)
def test_other_shifts_stay_shifts(second):
    first = event("shift", "2023-02-19", None, 2.5)
    assert [e.kind for e in join_events(series(level()), [first, second])] == ["shift", "shift"]


def test_the_steps_of_a_shift_that_took_two_days_are_one():
    (found,) = join_events(
        series(level()), [event("shift", "2023-02-19", None, 2.0), event("shift", "2023-02-20", None, 1.5)]
    )
    assert (found.kind, found.onset, found.factor) == ("shift", date(2023, 2, 19), 3.0)


def test_a_half_day_at_a_bursts_end_is_part_of_it():
    values = series(level(("2023-02-01", "2023-02-08", 50.0), ("2023-02-09", "2023-02-09", 20.0)))
    (found,) = join_events(
        values, [event("burst", "2023-02-01", "2023-02-08", 5.0), event("burst", "2023-02-09", "2023-02-09", 2.0)]
    )
    assert told([found]) == [("burst", date(2023, 2, 1), date(2023, 2, 9))]
    assert found.factor == 5.0


def test_bursts_of_different_height_stay_apart():
    events = [event("burst", "2023-02-01", "2023-02-08", 5.0), event("burst", "2023-02-09", "2023-02-16", 1.7)]
    assert len(join_events(series(level()), events)) == 2


def test_how_a_shift_began_is_no_event_of_its_own():
    events = [event("shift", "2023-02-01", None, 5.0), event("burst", "2023-02-02", "2023-02-05", 1.6)]
    assert [e.kind for e in join_events(series(level()), events)] == ["shift"]
    events = [event("shift", "2023-02-01", None, 2.0), event("burst", "2023-02-02", "2023-02-05", 3.0)]
    assert [e.kind for e in join_events(series(level()), events)] == ["burst", "shift"][::-1]


def test_a_shift_that_a_slow_fall_takes_back_is_a_spike():
    events = [event("shift", "2023-02-01", None, 6.0), event("gradual", "2023-02-05", "2023-02-28", 0.2)]
    (found,) = join_events(series(level(("2023-02-01", "2023-02-04", 60.0))), events)
    assert told([found]) == [("spike_and_decay", date(2023, 2, 1), date(2023, 2, 28))]
    left = [event("shift", "2023-02-01", None, 6.0), event("gradual", "2023-02-05", "2023-02-28", 0.6)]
    assert len(join_events(series(level()), left)) == 2


@pytest.mark.parametrize("hour", [6, 12, 18])
def test_an_event_that_begins_at_any_hour_is_one_event(hour):
    rng = np.random.default_rng(hour)
    times = np.where((AT >= 40) & (AT < 52), 6.0, 1.0)
    for day, part in ((40, 1 - hour / 24), (51, hour / 24)):
        times[day] = 1 + 5 * part
    counts = rng.poisson(50_000 * times * np.exp(rng.normal(0, 0.03, 90)))
    (found,) = detect_events(DailySeries(DAYS, tuple(map(int, counts)), tuple(n / 10 for n in counts)))
    assert told([found]) == [("burst", DAYS[40], DAYS[51])]
    assert found.factor == pytest.approx(6, rel=0.15)


def test_what_comes_week_after_week_is_no_event():
    weekly = [event("burst", f"2023-02-{day:02}", f"2023-02-{day + 1:02}", 2.5 + day / 30) for day in (3, 10, 16)]
    shift = event("shift", "2023-03-01", None, 6.0)
    assert [e.kind for e in join_events(series(level()), [*weekly, shift])] == ["shift"]
    twice = join_events(series(level()), [*weekly[:2], shift])
    assert [e.kind for e in twice] == ["burst", "burst", "shift"]
    unlike = [event("burst", "2023-02-16", "2023-02-17", 20.0), *weekly[:2]]
    assert len(join_events(series(level()), unlike)) == 3
    apart = [*weekly[:2], event("burst", "2023-02-20", "2023-02-21", 2.5)]
    assert len(join_events(series(level()), apart)) == 3


def test_a_weekly_pattern_that_a_rise_hides_is_no_event():
    rng = np.random.default_rng(3)
    week = np.where(AT % 7 == 2, 3.0, 1.0)
    level_of = np.where(AT < 30, 1000 * week, 7000 + 1000 * week) * np.exp(rng.normal(0, 0.04, 90))
    counts = rng.poisson(level_of)
    found = detect_events(DailySeries(DAYS, tuple(map(int, counts)), tuple(n / 10 for n in counts)))
    assert [(e.kind, e.onset) for e in found] == [("shift", DAYS[30])]
