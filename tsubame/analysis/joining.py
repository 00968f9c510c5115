"""What a sum of shapes says twice and a reader sees once.

An event begins and ends at some hour, so that its first and last day have a part of it; nor is a burst as high on
each of its days, or a spike of exactly a template's shape. Where the counts are many, each of these small differences
is certain, and is fitted by a shape of its own. It is no event of its own:

* shifts of one direction within ``NEAR_DAYS`` days are one;
* a shift that another one takes back within ``LONGEST_BURST`` days is a burst;
* bursts of one direction of which one begins where the other ends are one, if one of them has a day or two, or their
  effects are alike; so are longer ones of the same days but for a day or two at either end;
* a burst or spike that begins with a shift of the same direction, or just after, and has less than half its effect,
  is how that shift began;
* a shift that a gradual change takes back, begun within ``FALL_BEGINS`` days of it, is a spike and its decay;
* ``WEEKLY`` or more bursts or spikes of one direction and alike, week after week, are a weekly pattern that the level
  of the rest of the quarter hides, and no event.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from tsubame.analysis.ratios import slice_of
from tsubame.analysis.results import DailySeries, Event
from tsubame.analysis.templates import BURST, DECAY, GRADUAL, LONGEST_BURST, SHIFT
from tsubame.periods import ONE_DAY, Window

NEAR_DAYS = 3

TAKEN_BACK = 0.35
"""Part of a shift's effect, as a logarithm, that may be left after what takes it back."""

EDGE_DAYS = 2
ALIKE = 0.6
"""Bursts that follow upon each other are one from this part of the larger effect on."""

PART_OF_A_SHIFT = 0.5
WEEKLY = 3
FALL_BEGINS = 14

_Joined = Callable[[Event, Event], bool]


def join_events(series: DailySeries, events: Sequence[Event]) -> list[Event]:
    """Return the events of a series with those made one that a reader sees as one, in order of onset."""
    found = _pairwise(events, (SHIFT, SHIFT), _same_shift, _sum_of)
    found = _pairwise(found, (SHIFT, SHIFT), _takes_back, _burst_of)
    found = _pairwise(found, (BURST, BURST), _same_days, _both_bursts)
    found = _pairwise(found, (BURST, BURST), _one_burst, _longer_burst)
    found = _pairwise(found, (SHIFT, GRADUAL), _decays, _spike_of)
    shifts = [event for event in found if event.kind == SHIFT]
    kept = [event for event in found if not any(_is_part(event, shift) for shift in shifts)]
    kept = [event for event in kept if not _is_weekly(event, kept)]
    told = [_with_peak(series, event) if event not in events else event for event in kept]
    return sorted(told, key=lambda event: (event.onset, event.kind))


def _pairwise(
    events: Sequence[Event], kinds: tuple[str, str], joined: _Joined, join: Callable[[Event, Event], Event]
) -> list[Event]:
    """Join each event of the first kind with a later one of the second, as long as there are such."""
    left = sorted(events, key=lambda event: event.onset)
    for place, first in enumerate(left):
        if first.kind != kinds[0]:
            continue
        after = (event for event in left[place + 1 :] if event.kind == kinds[1] and joined(first, event))
        if (later := next(after, None)) is not None:
            rest = [event for event in left if event is not first and event is not later]
            return _pairwise([*rest, join(first, later)], kinds, joined, join)
    return left


def _effects(first: Event, second: Event) -> tuple[float, float]:
    return math.log(first.factor), math.log(second.factor)


def _days(first: Event, second: Event) -> int:
    return (second.onset - first.onset).days


def _same_shift(first: Event, second: Event) -> bool:
    one, other = _effects(first, second)
    return _days(first, second) <= NEAR_DAYS and one * other > 0


def _takes_back(first: Event, second: Event) -> bool:
    up, down = _effects(first, second)
    near = _days(first, second) <= LONGEST_BURST
    return near and up * down < 0 and abs(up + down) <= TAKEN_BACK * max(abs(up), abs(down))


def _same_days(first: Event, second: Event) -> bool:
    """Say whether two bursts of one direction have the same days, but for a day or two at either end."""
    one, other = _effects(first, second)
    if first.end is None or second.end is None or one * other <= 0:
        return False
    apart = abs((second.onset - first.onset).days), abs((second.end - first.end).days)
    return max(apart) <= EDGE_DAYS and (first.end - first.onset).days >= 2 * EDGE_DAYS


def _one_burst(first: Event, second: Event) -> bool:
    one, other = _effects(first, second)
    if first.end is None or one * other <= 0 or not first.end <= second.onset <= first.end + ONE_DAY:
        return False
    days = (first.end - first.onset).days + 1, (second.end - second.onset).days + 1 if second.end else math.inf
    alike = min(abs(one), abs(other)) >= ALIKE * max(abs(one), abs(other))
    return alike or min(days) <= EDGE_DAYS


def _decays(first: Event, second: Event) -> bool:
    up, down = _effects(first, second)
    near = _days(first, second) <= FALL_BEGINS
    return near and up > 0 > down and abs(up + down) <= TAKEN_BACK * up


def _is_part(event: Event, shift: Event) -> bool:
    if event.kind not in (BURST, DECAY):
        return False
    own, its = _effects(event, shift)
    return 0 <= _days(shift, event) <= EDGE_DAYS and 0 < own * its < PART_OF_A_SHIFT * its * its


def _is_weekly(event: Event, events: Sequence[Event]) -> bool:
    """Say whether a burst or spike is one of several, each a week after the one before, give or take a day."""
    if event.kind not in (BURST, DECAY):
        return False
    alike = []
    for other in events:
        own, its = _effects(event, other)
        size = min(abs(own), abs(its)) >= PART_OF_A_SHIFT * max(abs(own), abs(its))
        if other.kind in (BURST, DECAY) and own * its > 0 and size:
            alike.append(_days(event, other))
    weeks = {round(days / 7) for days in alike if abs(days - 7 * round(days / 7)) <= 1}
    first = last = 0
    while first - 1 in weeks:
        first -= 1
    while last + 1 in weeks:
        last += 1
    return last - first + 1 >= WEEKLY


def _sum_of(first: Event, second: Event) -> Event:
    """Return one event of both effects, from the day on which it began."""
    main, other = sorted((first, second), key=lambda event: -abs(math.log(event.factor)))
    low = min(first.onset_interval[0], second.onset_interval[0])
    high = max(first.onset_interval[1], second.onset_interval[1])
    low_factor, high_factor = (end * other.factor for end in main.factor_interval)
    return replace(
        first,
        onset_interval=(low, high),
        factor=first.factor * second.factor,
        factor_interval=(low_factor, high_factor),
        strength=max(first.strength, second.strength),
    )


def _burst_of(first: Event, second: Event) -> Event:
    return replace(
        first,
        kind=BURST,
        peak=first.onset,
        end=second.onset - ONE_DAY,
        strength=min(first.strength, second.strength),
    )


def _both_bursts(first: Event, second: Event) -> Event:
    """Return one burst over the days of either, with the effect of both."""
    ends = [event.end for event in (first, second) if event.end is not None]
    return replace(_sum_of(first, second), end=max(ends))


def _longer_burst(first: Event, second: Event) -> Event:
    """Return one burst over the days of both, with the effect of the longer one."""
    last = second.end or second.onset + timedelta(days=LONGEST_BURST)
    longer = first if first.end and first.end - first.onset >= last - second.onset else second
    return replace(
        longer,
        onset=first.onset,
        onset_interval=(min(first.onset_interval[0], first.onset), max(first.onset_interval[1], first.onset)),
        end=second.end,
        strength=max(first.strength, second.strength),
    )


def _spike_of(first: Event, second: Event) -> Event:
    return replace(first, kind=DECAY, peak=first.onset, end=second.end, strength=min(first.strength, second.strength))


def _with_peak(series: DailySeries, event: Event) -> Event:
    """Return a burst or spike with its highest (or lowest) day."""
    if event.kind not in (BURST, DECAY):
        return event
    part = slice_of(series.days, Window(event.onset, event.end or series.days[-1]))
    values = np.array(series.per_sensor[part], np.float64)
    if np.isnan(values).all():
        return event
    place = int(np.nanargmax(values) if event.factor > 1 else np.nanargmin(values))
    return replace(event, peak=series.days[part.start + place])
