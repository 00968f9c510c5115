"""How much of a region's change the registries made by delegating blocks elsewhere.

For a region r, N is its packets as delegated each day, N⁰ as delegated on the quarter's first day, x the
packets of the moved blocks; a bar is the mean per domestic sensor over a window, A the 10 days before the
move, B the 10 days after, the days of the move left out::

    Δ = N̄(B) − N̄(A)    M^P = Σ_in x̄(B) − Σ_out x̄(B)    M^L = Σ_in x̄(A) − Σ_out x̄(A)
    M = (M^P + M^L)/2    share = M/Δ

M^P prices the move at the traffic that followed, M^L at what went before; their mean leaves no remainder that
depends on the order in which move and traffic are counted. The share is withheld where Δ cannot be told
from 0. For groups of moves and their windows see ``moved``.

Words follow evidence. A change is said to be because of a reassignment only where

- ``share``: the share's lower bound is at least ``EXPLAINED_FROM``,
- ``alone``: the pinned series of both regions show no event within ``OWN_EVENT_DAYS`` of the move, and
- ``timely``: a lasting change of the gaining region, as delegated each day, set in within ``ONSET_DAYS`` of it.

Otherwise it coincides with it, is not explained by it, or nothing can be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

import numpy as np

from tsubame.analysis import results
from tsubame.analysis.events import detect_events
from tsubame.analysis.moved import Group, days_up, group_moves
from tsubame.analysis.ratios import WINDOW_DAYS, ratio_of_means, slice_of
from tsubame.analysis.results import (
    Event,
    Evidence,
    MovedBlockEffect,
    Ratio,
    Reassignment,
    ReassignmentSeries,
)
from tsubame.analysis.series import daily_series
from tsubame.analysis.shares import Estimate, estimate_share, share_among_sensors
from tsubame.analysis.templates import BURST, SHIFT
from tsubame.analysis.timeline import Timeline
from tsubame.periods import ONE_DAY

EXPLAINED_FROM = 0.5
"""A change is a reassignment's when at least half of it surely is."""

COINCIDES_FROM = 0.1
"""A smaller part of a change is not worth a sentence."""

OWN_EVENT_DAYS = 3
"""An event of traffic so near to a move cannot be told from it by its date."""

ONSET_DAYS = 2
"""A move's effect is in the packets of the day it is dated by; files are dated by five registries' clocks, and a
day's file may have been made a day before or after."""


class RegionEvents:
    """A timeline's series and their events, each made once.

    Args:
        timeline: the quarter's days and moves.
        threshold_of: how sure an event of a region must be, see ``events.THRESHOLD``.
    """

    def __init__(self, timeline: Timeline, threshold_of: Callable[[str], float]) -> None:
        self.timeline = timeline
        self._threshold_of = threshold_of
        self._events: dict[tuple[str, tuple[int | None, ...]], tuple[Event, ...]] = {}

    def series(self, region: str, reference: date | None = None) -> results.DailySeries:
        """Return a region's series as delegated each day, or on the day ``reference``."""
        return self.timeline.series(region) if reference is None else self.timeline.series_on(region, reference)

    def events(self, region: str, reference: date | None = None) -> tuple[Event, ...]:
        """Return the events of the same series."""
        series = self.series(region, reference)
        # No block of most regions moves: their two series are one.
        key = region, series.packets
        if key not in self._events:
            self._events[key] = detect_events(series, threshold=self._threshold_of(region))
        return self._events[key]


def find_reassignments(regions: RegionEvents, seed: int) -> tuple[tuple[Reassignment, ...], tuple[Reassignment, ...]]:
    """Group a quarter's moves and quantify each group.

    Args:
        regions: the quarter's days and moves.
        seed: of the resampling; equal input gives equal output.

    Returns:
        The reassignments that matter, largest first, and all others, in order of date.
    """
    groups = sorted(group_moves(regions.timeline), key=lambda group: (group.pair, group.first, group.moves[0].first))
    important: list[Reassignment] = []
    others: list[Reassignment] = []
    for number, group in enumerate(groups):
        found = _quantify(group, regions, np.random.default_rng((seed, number)))
        (important if group.matters else others).append(found)
    important.sort(key=lambda each: (-each.effect, each.date, each.from_region, each.to_region))
    others.sort(key=lambda each: (each.date, each.from_region, each.to_region))
    return tuple(important), tuple(others)


def _quantify(group: Group, regions: RegionEvents, rng: np.random.Generator) -> Reassignment:
    timeline, (source, target) = regions.timeline, group.pair
    first_day = timeline.days[timeline.start]
    reference = first_day if group.first > first_day else group.first - ONE_DAY
    windows = days_up(timeline, group.before), days_up(timeline, group.after)
    ratios = {
        (region, day): ratio_of_means(regions.series(region, day), group.after, group.before)
        for region in group.pair
        for day in (None, reference)
    }
    if group.packets[:, np.concatenate(windows)].any():
        moved = share_among_sensors(timeline, group.pair, group.packets)
        gained = estimate_share(timeline, target, moved, windows, rng)
        lost = estimate_share(timeline, source, -moved, windows, rng)
    else:
        gained = _without_packets(timeline, target, group, ratios[target, None])
        lost = _without_packets(timeline, source, group, ratios[source, None])
    evidence = _gather_evidence(group, regions, gained, reference) if group.matters else None
    blocks = _block_effects(group, timeline)
    order = _largest_first(blocks)
    return Reassignment(
        from_region=source,
        to_region=target,
        date=group.first,
        before=group.before,
        after=group.after,
        blocks=tuple(blocks[index] for index in order),
        observed=ratios[target, None],
        pinned=ratios[target, reference],
        observed_from=ratios[source, None],
        pinned_from=ratios[source, reference],
        share=gained.share,
        share_interval=gained.interval,
        verdict=_verdict(gained, evidence),
        reference=reference,
        effect=gained.effect,
        delta=gained.delta,
        share_from=lost.share,
        share_from_interval=lost.interval,
        last=group.last,
        shortened_for=group.shortened_for,
        evidence=evidence,
        series=_series(group, regions, reference, order) if group.matters else None,
    )


def _without_packets(timeline: Timeline, region: str, group: Group, observed: Ratio) -> Estimate:
    """Judge a move without a packet by the region's ratio: there is nothing to resample."""
    delta = timeline.mean(region, group.after) - timeline.mean(region, group.before)
    if observed.interval is None:
        return Estimate(0.0, delta, None, None, None)
    steady = observed.interval[0] <= 1 <= observed.interval[1]
    return Estimate(0.0, delta, steady, None if steady else 0.0, None if steady else (0.0, 0.0))


def _gather_evidence(group: Group, regions: RegionEvents, gained: Estimate, reference: date) -> Evidence:
    near = timedelta(days=OWN_EVENT_DAYS)
    own = tuple(
        (region, event)
        for region in (group.pair[1], group.pair[0])
        for event in regions.events(region, reference)
        if any(group.first - near <= day <= group.last + near for day in change_days(event))
    )
    shift = _nearest_shift(regions.events(group.pair[1]), group, up=gained.effect > 0)
    within = timedelta(days=ONSET_DAYS)
    return Evidence(
        share=gained.interval is not None and gained.interval[0] >= EXPLAINED_FROM,
        alone=not own,
        timely=shift is not None
        and shift.onset_interval[0] <= group.last + within
        and shift.onset_interval[1] >= group.first - within,
        own_events=own,
        shift=shift,
    )


def change_days(event: Event) -> tuple[date, ...]:
    """Return the days on which an event changes a series: its onset, its peak, the end of a burst."""
    ends = (event.end,) if event.kind == BURST else ()
    return tuple(day for day in (event.onset, event.peak, *ends) if day is not None)


def is_lasting(event: Event) -> bool:
    """Say whether an event moves a mean of ten days as a move does: a shift, or a burst of at least as long."""
    if event.kind == BURST:
        return event.end is None or (event.end - event.onset).days >= WINDOW_DAYS
    return event.kind == SHIFT


def _nearest_shift(events: Iterable[Event], group: Group, *, up: bool) -> Event | None:
    found = [event for event in events if is_lasting(event) and (event.factor > 1) == up]
    return min(found, key=lambda event: abs((event.onset - group.first).days), default=None)


def _verdict(gained: Estimate, evidence: Evidence | None) -> str:
    """Let the numbers choose the words; ``evidence`` is None for what does not matter."""
    if gained.effect == 0 and gained.steady is not False:
        return results.NO_SHIFT
    if gained.steady is None:
        return results.CANNOT_TELL
    if gained.share is None or gained.interval is None:
        # The region did not change: either nothing came with the blocks, or something else made up for it.
        return results.NO_SHIFT if evidence is None else results.CANNOT_TELL
    low, high = gained.interval
    if evidence is not None and not evidence.failed:
        return results.EXPLAINED
    if gained.share >= COINCIDES_FROM and low > 0:
        return results.COINCIDES
    return results.NOT_EXPLAINED if high < EXPLAINED_FROM else results.CANNOT_TELL


def _block_effects(group: Group, timeline: Timeline) -> tuple[MovedBlockEffect, ...]:
    """Return a row for each of the group's moves; one of several CIDRs is named by all of them."""
    parts = [slice_of(timeline.days, window) for window in (group.before, group.after)]
    return tuple(
        MovedBlockEffect(
            cidr=", ".join(str(cidr) for cidr in move.cidrs),
            addresses=move.addresses,
            holder=move.holder,
            first_seen=move.first_seen,
            packets_before=int(packets[parts[0]].sum()),
            packets_after=int(packets[parts[1]].sum()),
        )
        for move, packets in zip(group.moves, group.packets, strict=True)
    )


def _largest_first(rows: Sequence[MovedBlockEffect]) -> list[int]:
    return sorted(range(len(rows)), key=lambda i: (-rows[i].packets_after, -rows[i].packets_before, rows[i].cidr))


def _series(group: Group, regions: RegionEvents, reference: date, order: Sequence[int]) -> ReassignmentSeries:
    timeline = regions.timeline
    return ReassignmentSeries(
        days=timeline.days,
        observed={region: regions.series(region) for region in group.pair},
        pinned={region: regions.series(region, reference) for region in group.pair},
        blocks=tuple(daily_series(timeline.exposure, group.packets[index]) for index in order),
    )
