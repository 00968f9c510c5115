"""Events in the form in which they are told: one event for what a reader sees as one.

A sum of shapes fits a series in more than one way. What is said of it should not depend on which was found, so

* a shift after which the level goes on rising (or falling) until the next event is a gradual change, where a line
  leaves at most ``STRAIGHTER`` of what the step leaves;
* bursts of one direction that lie within or over each other are cut where either begins or ends, and on each part
  their factors are multiplied;
* a spike ends on the first of three days whose mean is back within ``BACK`` of what its highest day added.

A ratio is that of the contract: the highest day over the mean of the 10 days before the first linked event.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np

from tsubame.analysis.events import first_linked
from tsubame.analysis.ratios import WINDOW_DAYS, day_over_window, growth, slice_of, values_in
from tsubame.analysis.results import DailySeries, Event
from tsubame.analysis.templates import BURST, DECAY, GRADUAL, SHIFT
from tsubame.periods import ONE_DAY, Window

SAME_LEVEL = 1.15
"""Parts of overlapping bursts whose factors differ by less than this are one."""

STRAIGHTER = 0.7
SHORTEST_LINE = 14
_DAYS_BEFORE = 21
_MEDIAN_DAYS = 11

BACK = 0.1
_BACK_DAYS = 3


def as_episodes(series: DailySeries, events: Sequence[Event]) -> tuple[Event, ...]:
    """Return the events of a series in the form in which they are told, in order of onset."""
    if not events:
        return ()
    found = _without_overlaps(events, series)
    found = [_straightened(series, event, found) for event in found]
    found = sorted(found, key=lambda event: (event.onset, event.kind))
    told = [_measured(series, event, found) for event in found]
    return tuple(_ended(series, event) for event in told)


def _straightened(series: DailySeries, event: Event, events: Sequence[Event]) -> Event:
    """Make a gradual change of a shift that is a line rather than a step, both of packets per sensor."""
    if event.kind != SHIFT:
        return event
    others = [other for other in events if other is not event]
    ends = [_end(other, series) for other in others if _end(other, series) < event.onset]
    starts = [other.onset for other in others if other.onset > event.onset]
    first = max([event.onset - timedelta(days=_DAYS_BEFORE), series.days[0], *(end + ONE_DAY for end in ends)])
    last = min([series.days[-1], *(start - ONE_DAY for start in starts)])
    part = slice_of(series.days, Window(first, last))
    values = np.array(series.per_sensor[part], np.float64)
    at = np.flatnonzero(~np.isnan(values) & (values > 0))
    if len(at) < 2 * SHORTEST_LINE:
        return event
    # A running median keeps steps and lines, and drops what lasts some days on top of them.
    level = _running_median(values[at])
    step = _left(level, (at >= (event.onset - first).days).astype(np.float64))
    best, hinge = step * STRAIGHTER, None
    for begin in range(1, len(values) - SHORTEST_LINE + 1):
        for end in range(begin + SHORTEST_LINE - 1, len(values)):
            left = _left(level, np.clip((at - begin + 1) / (end - begin + 1), 0.0, 1.0))
            if left < best:
                best, hinge = left, (begin, end)
    if hinge is None:
        return event
    line = np.clip((at - hinge[0] + 1) / (hinge[1] - hinge[0] + 1), 0.0, 1.0)
    slope = float(np.cov(line, level, bias=True)[0, 1] / line.var())
    base = float(level.mean() - slope * line.mean())
    if base <= 0 or base + slope <= 0:
        return event
    onset, end_day = first + timedelta(days=hinge[0]), first + timedelta(days=hinge[1])
    low, high = min(onset, event.onset_interval[0]), max(onset, event.onset_interval[1])
    return replace(
        event, kind=GRADUAL, onset=onset, onset_interval=(low, high), end=end_day, factor=1 + slope / base,
        ratio=growth(series),
    )  # fmt: skip


def _running_median(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, _MEDIAN_DAYS // 2, mode="edge")
    median: np.ndarray = np.median(np.lib.stride_tricks.sliding_window_view(padded, _MEDIAN_DAYS), axis=1)
    return median


def _left(values: np.ndarray, shape: np.ndarray) -> float:
    """Return the sum of squares that a level and a shape leave of some values; infinite where the shape is flat."""
    spread = shape - shape.mean()
    size = float(spread @ spread)
    if size < 1e-9:
        return math.inf
    centred = values - values.mean()
    return float(centred @ centred - (spread @ centred) ** 2 / size)


def _without_overlaps(events: Sequence[Event], series: DailySeries) -> list[Event]:
    """Cut bursts of one direction that share days."""
    kept = [event for event in events if event.kind != BURST]
    for rising in (True, False):
        bursts = sorted(
            (event for event in events if event.kind == BURST and (event.factor > 1) == rising),
            key=lambda event: event.onset,
        )
        group: list[Event] = []
        for burst in bursts:
            if group and burst.onset > max(_end(event, series) for event in group):
                kept += _cut(group, series)
                group = []
            group.append(burst)
        kept += _cut(group, series)
    return kept


def _end(event: Event, series: DailySeries) -> date:
    return event.end or series.days[-1]


def _cut(group: list[Event], series: DailySeries) -> list[Event]:
    """Return disjoint bursts that have together the effect of overlapping ones."""
    if len(group) < 2:
        return group
    cuts = sorted({event.onset for event in group} | {_end(event, series) + ONE_DAY for event in group})
    parts: list[Event] = []
    for begin, after in pairwise(cuts):
        over = [event for event in group if event.onset <= begin <= _end(event, series)]
        if not over:
            continue
        surest = max(over, key=lambda event: event.strength)
        factor = math.prod(event.factor for event in over)
        low, high = (math.prod(event.factor_interval[side] for event in over) for side in (0, 1))
        known = next((event.onset_interval for event in over if event.onset == begin), (begin, begin))
        part = replace(
            surest,
            onset=begin,
            onset_interval=known,
            peak=begin,
            end=after - ONE_DAY,
            factor=factor,
            factor_interval=(low, high),
        )
        if parts and parts[-1].end == begin - ONE_DAY and _same_level(parts[-1], part):
            parts[-1] = replace(parts[-1], end=part.end, strength=max(parts[-1].strength, part.strength))
        else:
            parts.append(part)
    return parts


def _same_level(first: Event, second: Event) -> bool:
    return max(first.factor, second.factor) / min(first.factor, second.factor) < SAME_LEVEL


def _measured(series: DailySeries, event: Event, events: Sequence[Event]) -> Event:
    """Find the highest (or lowest) day of a burst or spike, and how it compares with the days before."""
    if event.kind not in (BURST, DECAY):
        return event
    part = slice_of(series.days, Window(event.onset, _end(event, series)))
    values = np.array(series.per_sensor[part], np.float64)
    if not len(values) or np.isnan(values).all():
        return event
    place = int(np.nanargmax(values) if event.factor > 1 else np.nanargmin(values))
    peak = series.days[part.start + place]
    onset = first_linked(event, events).onset
    before = Window(max(onset - timedelta(days=WINDOW_DAYS), series.days[0]), onset - ONE_DAY)
    return replace(event, peak=peak, ratio=day_over_window(series, peak, before))


def _ended(series: DailySeries, event: Event) -> Event:
    """Date the end of a spike by what was observed, where it came back to the level before."""
    if event.kind != DECAY or event.factor <= 1 or event.peak is None or event.ratio is None:
        return event
    before, _ = values_in(series, event.ratio.denominator)
    top, _ = values_in(series, Window(event.peak, event.peak))
    if not len(before) or not len(top) or top[0] <= before.mean():
        return event
    limit = float(before.mean() + BACK * (top[0] - before.mean()))
    day = event.peak + ONE_DAY
    while day + timedelta(days=_BACK_DAYS - 1) <= series.days[-1]:
        values, _ = values_in(series, Window(day, day + timedelta(days=_BACK_DAYS - 1)))
        if len(values) and values.mean() <= limit:
            return replace(event, end=day)
        day += ONE_DAY
    return event
