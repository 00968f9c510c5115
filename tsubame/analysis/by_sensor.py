"""What single sensors have to do with a series: what each is worth, and whether one of them made an event.

A sensor that sees five times as much as the others, and fails, takes a third of the mean per sensor with it: no traffic
changed. An event is therefore searched for beside what the sensors up are worth together. And a sum that rises because
one sensor's packets did says nothing about the internet: the report tells so.

Which sensor it was is not told, nor are events of single sensors by day: who sends a burst to one address and finds it
in the report has found a sensor (Bethencourt, Franklin and Vernon, "Mapping internet sensors with probe response
attacks", 2005).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from tsubame.analysis.events import THRESHOLD, detect_events
from tsubame.analysis.ratios import WINDOW_DAYS, slice_of
from tsubame.analysis.results import DailySeries, Event, SeenBySensors
from tsubame.analysis.templates import BURST, DECAY
from tsubame.periods import ONE_DAY, Window

GREATER_PART = 0.5
FEWEST_SENSORS = 3
"""Of two sensors one has the greater part of nearly anything."""

NEAR_DAYS = 3
"""An event of a sensor is that of the sum when it begins so near to it."""


@dataclass(frozen=True, slots=True, eq=False)
class SensorDays:
    """A series by sensor.

    Attributes:
        packets: (sensors, days) int64.
        up: (sensors, days) bool.
    """

    days: tuple[date, ...]
    packets: np.ndarray
    up: np.ndarray


def with_largest_share(events: tuple[Event, ...], seen: SensorDays) -> tuple[Event, ...]:
    """Add to each event what part of it one sensor saw, where that is the greater part."""
    return tuple(replace(event, one_sensor=_largest_share(event, seen)) for event in events)


def _largest_share(event: Event, seen: SensorDays) -> float | None:
    during, before = _windows(event, seen.days)
    after, first = _means(seen, during), _means(seen, before)
    known = ~np.isnan(after) & ~np.isnan(first)
    if known.sum() < FEWEST_SENSORS:
        return None
    changed = (after - first)[known] * (1 if event.factor > 1 else -1)
    whole = float(changed.sum())
    if whole <= 0:
        return None
    share = min(float(changed.max()) / whole, 1.0)
    # Of three sensors alike each has a third: one must have more than twice its part.
    return share if share > max(GREATER_PART, 2 / int(known.sum())) else None


def _windows(event: Event, days: tuple[date, ...]) -> tuple[Window, Window]:
    span = timedelta(days=WINDOW_DAYS)
    last = event.end or days[-1]
    if event.kind in (BURST, DECAY):
        during = Window(event.onset, last)
    else:
        # A shift or ramp is compared where it has come to its full effect.
        full = event.onset if event.end is None else min(last, days[-1] - span + ONE_DAY)
        during = Window(full, min(full + span - ONE_DAY, days[-1]))
    before = Window(max(event.onset - span, days[0]), event.onset - ONE_DAY)
    if len(before) <= 0:
        before = Window(days[0], min(days[0] + timedelta(days=2), last))
    return during, before


def _means(seen: SensorDays, window: Window) -> np.ndarray:
    """Return each sensor's mean over its days up, (sensors,) float64; NaN without any."""
    part = slice_of(seen.days, window)
    up = seen.up[:, part]
    days = up.sum(axis=1)
    packets = (seen.packets[:, part] * up).sum(axis=1).astype(np.float64)
    means: np.ndarray = np.divide(packets, days, out=np.full(len(days), np.nan), where=days > 0)
    return means


def events_by_sensor(events: tuple[Event, ...], seen: SensorDays) -> SeenBySensors:
    """Search each sensor's own series for events, and say how many sensors have each event of the sum.

    Args:
        events: of the sum.
        seen: its packets by sensor.
    """
    near, alone = [0] * len(events), 0
    for packets, up in zip(seen.packets, seen.up, strict=True):
        counted = tuple(int(n) if is_up else None for n, is_up in zip(packets, up, strict=True))
        values = tuple(None if n is None else float(n) for n in counted)
        own = detect_events(DailySeries(seen.days, counted, values), threshold=THRESHOLD)
        shared = [[_is_one(event, its) for its in own] for event in events]
        for place, hits in enumerate(shared):
            near[place] += any(hits)
        alone += sum(not any(column) for column in zip(*shared, strict=True)) if events else len(own)
    return SeenBySensors(sensors=len(seen.packets), of_event=tuple(near), alone=alone)


def _is_one(event: Event, own: Event) -> bool:
    return (event.factor > 1) == (own.factor > 1) and abs((event.onset - own.onset).days) <= NEAR_DAYS
