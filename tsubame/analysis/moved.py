"""Moved blocks -> groups that are one reassignment, and the windows of days that each is judged by.

Registries move one holder's blocks over some days; such moves between one pair of regions are one group, and all
days between its first and its last move are left out of the windows: for a move of one day, that day. Windows are
the ten days before and after. Where another group that matters to one of the two regions falls into them they end
before it; where that would leave too few days the two groups are one if they are of the same pair of regions, and
are judged by the same days if not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from tsubame.analysis.ratios import slice_of, windows_around
from tsubame.analysis.timeline import MovedBlock, Timeline
from tsubame.periods import ONE_DAY, Window

SAME_HOLDER_DAYS = 3
"""Registries move one holder's blocks over some days: so far apart, it is still one reassignment."""

OTHER_HOLDER_DAYS = 1
LONGEST_GROUP_DAYS = 7
"""A group longer than this would leave too little of the windows; it is cut."""

CARRYING = 0.01
"""A block with less than this part of the group's packets does not date it."""

MATTERS = 0.05
"""A group matters to a region when it moves at least this part of what the region had in the larger of the two
windows, ..."""

MATTERS_PACKETS = 1.0
"""... and at least so many packets per domestic sensor and day: fewer cannot be told from noise."""

FEWEST_WINDOW_DAYS = 4
"""A window shorter than the blocks of days that are resampled says nothing of the days' scatter."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Moves between one pair of regions at one time.

    Attributes:
        moves: in order of date, then address.
        packets: (moves, days) int64.
        first, last: of the dates on which a block moved that carries some of the packets.
        before, after: the windows.
        shortened_for: dates of other groups for which the windows are not the usual ones.
        effect: mean of the packets in the two windows, per domestic sensor and day.
        levels: the larger of the two windows' means of each of the two regions.
    """

    moves: tuple[MovedBlock, ...]
    packets: np.ndarray
    first: date
    last: date
    before: Window
    after: Window
    effect: float
    levels: dict[str, float]
    shortened_for: tuple[date, ...] = field(default=())

    @property
    def pair(self) -> tuple[str, str]:
        """Losing and gaining region."""
        return self.moves[0].from_region, self.moves[0].to_region

    @property
    def matters(self) -> bool:
        """Whether it matters to either of its regions."""
        return any(self.matters_to(region) for region in self.pair)

    def matters_to(self, region: str) -> bool:
        """Say whether it moves a part of the region's packets that can be seen."""
        return region in self.levels and self.effect >= max(MATTERS_PACKETS, MATTERS * self.levels[region])


def group_moves(timeline: Timeline) -> tuple[Group, ...]:
    """Group the moves and give each group its windows; groups before the quarter are left out."""
    order = sorted(
        range(len(timeline.moves)),
        key=lambda index: (
            timeline.moves[index].from_region,
            timeline.moves[index].to_region,
            timeline.moves[index].first_seen,
            timeline.moves[index].first,
        ),
    )
    parts: list[list[int]] = []
    for index in order:
        if parts and _belongs(timeline.moves[index], [timeline.moves[other] for other in parts[-1]]):
            parts[-1].append(index)
        else:
            parts.append([index])
    groups = _part_windows([_group(timeline, part) for part in parts], timeline)
    first_day = timeline.days[timeline.start]
    return tuple(group for group in groups if group.last >= first_day)


def _belongs(move: MovedBlock, group: list[MovedBlock]) -> bool:
    first = group[0]
    if (move.from_region, move.to_region) != (first.from_region, first.to_region):
        return False
    if (move.first_seen - first.first_seen).days >= LONGEST_GROUP_DAYS:
        return False
    if (move.first_seen - group[-1].first_seen).days <= OTHER_HOLDER_DAYS:
        return True
    same = [other for other in group if move.holder and other.holder == move.holder]
    return any((move.first_seen - other.first_seen).days <= SAME_HOLDER_DAYS for other in same)


def _group(timeline: Timeline, indices: Iterable[int]) -> Group:
    kept = list(indices)
    moves, packets = tuple(timeline.moves[index] for index in kept), timeline.packets[kept]
    of_block = packets.sum(axis=1)
    carrying = of_block >= max(1.0, CARRYING * of_block.sum())
    dates = [m.first_seen for m, c in zip(moves, carrying, strict=True) if c or not carrying.any()]
    first, last = min(dates), max(dates)
    before, after = windows_around(first, last, timeline.days)
    return _measured(Group(moves, packets, first, last, before, after, 0.0, {}), timeline)


def _measured(group: Group, timeline: Timeline) -> Group:
    """Set effect and levels by the group's windows; where one holds no day up, by the other alone."""
    moved = group.packets.sum(axis=0)
    means = [
        float((moved[at] / timeline.up[at]).mean())
        for at in (days_up(timeline, window) for window in (group.before, group.after))
        if len(at)
    ]
    levels = {
        region: max(timeline.mean(region, window) for window in (group.before, group.after)) for region in group.pair
    }
    return replace(group, effect=sum(means) / len(means) if means else 0.0, levels=levels)


def days_up(timeline: Timeline, window: Window) -> np.ndarray:
    """Return the places of the window's days with a domestic sensor up, (n,) int64."""
    part = slice_of(timeline.days, window)
    up: np.ndarray = np.flatnonzero(timeline.up[part]) + part.start
    return up


def _part_windows(groups: list[Group], timeline: Timeline) -> list[Group]:
    """Keep the groups that matter out of each other's windows."""
    important = [group for group in groups if group.matters]
    others = [group for group in groups if not group.matters]
    important = _joined(important, timeline)
    spans = [(group.first, group.last) for group in important]
    for _ in important:
        wider = [_widened(index, important, spans) for index in range(len(important))]
        if wider == spans:
            break
        spans = wider
    parted = [_between(index, important, spans, timeline) for index in range(len(important))]
    return [*parted, *others]


def _joined(groups: list[Group], timeline: Timeline) -> list[Group]:
    """Make groups of one pair one where the days between them are too few for a window."""
    joined: list[Group] = []
    for group in sorted(groups, key=lambda each: (each.pair, each.first)):
        held = joined[-1] if joined else None
        if held and held.pair == group.pair and _days_between(held.last, group.first) < FEWEST_WINDOW_DAYS:
            both = {*map(id, held.moves), *map(id, group.moves)}
            joined[-1] = _group(timeline, [i for i, move in enumerate(timeline.moves) if id(move) in both])
        else:
            joined.append(group)
    return joined


def _days_between(earlier: date, later: date) -> int:
    return (later - earlier).days - 1


def _near(index: int, groups: list[Group]) -> list[int]:
    """Return the groups that matter to a region of this one."""
    group = groups[index]
    return [
        place
        for place, other in enumerate(groups)
        if place != index and any(other.matters_to(region) for region in {*group.pair} & {*other.pair})
    ]


def _widened(index: int, groups: list[Group], spans: list[tuple[date, date]]) -> tuple[date, date]:
    """Leave out, together with a group's own days, those of groups too near to leave a window in between."""
    first, last = spans[index]
    for other in _near(index, groups):
        other_first, other_last = spans[other]
        if (
            _days_between(last, other_first) < FEWEST_WINDOW_DAYS
            and _days_between(other_last, first) < FEWEST_WINDOW_DAYS
        ):
            first, last = min(first, other_first), max(last, other_last)
    return first, last


def _between(index: int, groups: list[Group], spans: list[tuple[date, date]], timeline: Timeline) -> Group:
    """Return the group with windows that end before the next group's days begin."""
    group, (first, last) = groups[index], spans[index]
    before, after = windows_around(first, last, timeline.days)
    reasons = {groups[other].first for other in _near(index, groups) if first <= groups[other].first <= last}
    for other in _near(index, groups):
        other_first, other_last = spans[other]
        if before.first <= other_last < first:
            before = Window(other_last + ONE_DAY, before.last)
            reasons.add(groups[other].first)
        if last < other_first <= after.last:
            after = Window(after.first, other_first - ONE_DAY)
            reasons.add(groups[other].first)
    return _measured(replace(group, before=before, after=after, shortened_for=tuple(sorted(reasons))), timeline)
