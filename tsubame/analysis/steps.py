"""Lasting changes of the first regions, and whether a reassignment explains each.

A step is seen in a region's series as delegated each day, where moved blocks and traffic both show. One that no
reassignment of its time explains is said to be so: that is a change of traffic, or of what nobody has explained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import numpy as np

from tsubame.analysis import results
from tsubame.analysis.moved import FEWEST_WINDOW_DAYS
from tsubame.analysis.ratios import WINDOW_DAYS
from tsubame.analysis.reassignment import (
    COINCIDES_FROM,
    EXPLAINED_FROM,
    ONSET_DAYS,
    OWN_EVENT_DAYS,
    RegionEvents,
    change_days,
    is_lasting,
)
from tsubame.analysis.results import Event, Reassignment, RegionStep
from tsubame.analysis.timeline import Timeline
from tsubame.periods import ONE_DAY

_BEST_FIRST = (results.EXPLAINED, results.COINCIDES, results.CANNOT_TELL, results.NOT_EXPLAINED)


def find_steps(
    names: Iterable[str], regions: RegionEvents, reassignments: Sequence[Reassignment]
) -> tuple[RegionStep, ...]:
    """Return the lasting changes of some regions in the quarter, by region in the given order, then onset.

    Args:
        names: the regions to look at.
        regions: their series.
        reassignments: those that matter.
    """
    first_day = regions.timeline.days[regions.timeline.start]
    steps = []
    for region in names:
        pinned = regions.events(region, first_day)
        steps += [
            _step(region, event, pinned, regions.timeline, reassignments)
            for event in regions.events(region)
            if is_lasting(event) and event.onset >= first_day and _is_seen(event, regions.timeline)
        ]
    return tuple(steps)


def _is_seen(event: Event, timeline: Timeline) -> bool:
    """Say whether enough days on either side were observed: the first and the last of an archive are cut short."""
    at = (event.onset - timeline.days[0]).days
    return all(
        (timeline.up[max(start, 0) : start + WINDOW_DAYS] > 0).sum() >= FEWEST_WINDOW_DAYS
        for start in (at - WINDOW_DAYS, at)
    )


def _step(
    region: str, event: Event, pinned: Iterable[Event], timeline: Timeline, reassignments: Sequence[Reassignment]
) -> RegionStep:
    near = timedelta(days=OWN_EVENT_DAYS)
    own = [
        other
        for other in pinned
        if (other.factor > 1) == (event.factor > 1)
        and any(abs(day - event.onset) <= near for day in change_days(other))
    ]
    found = [item for item in reassignments if region in (item.from_region, item.to_region) and _meets(item, event)]
    verdicts = {verdict_for(item, region, rises=event.factor > 1) for item in found} | {results.NOT_EXPLAINED}
    blocks, share = _moved_near(region, event.onset, timeline)
    return RegionStep(
        region=region,
        event=event,
        own=max(own, key=lambda other: other.strength, default=None),
        verdict=min(verdicts, key=_BEST_FIRST.index),
        reassignments=tuple((item.from_region, item.to_region, item.date) for item in found),
        blocks_near=blocks,
        moved_share=share,
    )


def _meets(item: Reassignment, event: Event) -> bool:
    """Say whether a step may have set in with a reassignment."""
    last = item.after.first - ONE_DAY
    within, near = timedelta(days=ONSET_DAYS), timedelta(days=OWN_EVENT_DAYS)
    if item.date - near <= event.onset <= last + near:
        return True
    return event.onset_interval[0] <= last + within and event.onset_interval[1] >= item.date - within


def verdict_for(item: Reassignment, region: str, *, rises: bool) -> str:
    """Say what a reassignment explains of a step of one of its two regions."""
    if rises != (region == item.to_region):
        return results.NOT_EXPLAINED
    if region == item.to_region:
        return item.verdict if item.verdict in _BEST_FIRST else results.NOT_EXPLAINED
    if item.share_from is None or item.share_from_interval is None:
        return results.CANNOT_TELL
    low, high = item.share_from_interval
    if low >= EXPLAINED_FROM and item.evidence is not None and item.evidence.alone:
        return results.EXPLAINED
    if item.share_from >= COINCIDES_FROM and low > 0:
        return results.COINCIDES
    return results.NOT_EXPLAINED if high < EXPLAINED_FROM else results.CANNOT_TELL


def _moved_near(region: str, onset: date, timeline: Timeline) -> tuple[int, float | None]:
    """Return how many blocks moved to or from the region about the onset, and M/Δ of all of them."""
    near = timedelta(days=OWN_EVENT_DAYS)
    at = (onset - timeline.days[0]).days
    windows = [slice(max(at - WINDOW_DAYS, 0), at), slice(at, at + WINDOW_DAYS)]
    up = timeline.up
    level, moved = timeline.of(region).sum(axis=0), np.zeros(len(timeline.days), np.int64)
    blocks = 0
    for move, packets in zip(timeline.moves, timeline.packets, strict=True):
        sign = (move.to_region == region) - (move.from_region == region)
        if sign and abs(move.first_seen - onset) <= near:
            blocks += 1
            moved += sign * packets
    means = []
    for values in (level, moved):
        for window in windows:
            days = up[window] > 0
            means.append(float((values[window][days] / up[window][days]).mean()) if days.any() else float("nan"))
    delta, effect = means[1] - means[0], (means[2] + means[3]) / 2
    return blocks, effect / delta if np.isfinite(delta) and delta else None
