"""Steps of the first regions, found anew from the counts, beside what the analysis says of each.

The analysis finds steps by fitting shapes and prices moves by the packets of named blocks; here a step is a plain
jump of ten-day means, and the moved part is the difference of the two series that the counts hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np

from tsubame.analysis import results
from tsubame.analysis.results import QuarterAnalysis, RegionStep
from tsubame.analysis.series import RegionGrid

COLUMNS = ("region", "day", "ratio", "moved_share", "verdict", "jump")
FIRST_REGIONS = 10
NEAR_DAYS = 3
_WINDOW, _FEWEST = 10, 4
_JUMP, _SHARP, _LASTING = np.log(2), np.log(1.7), np.log(1.5)


def step_rows(analysis: QuarterAnalysis, grid: RegionGrid) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each step that the analysis names, and for each jump that it does not.

    The verdict is empty where the analysis says nothing; ``jump`` says whether plain means show it, too.
    """
    for ranked in analysis.regions[:FIRST_REGIONS]:
        levels = _levels(grid, ranked.region, pinned=False), _levels(grid, ranked.region, pinned=True)
        jumps = _jumps(levels[0])
        told = [step for step in analysis.region_steps if step.region == ranked.region]
        for step in told:
            at = (step.event.onset - analysis.days[0]).days
            near = any(abs(at - jump) <= NEAR_DAYS for jump in jumps)
            yield (ranked.region, str(step.event.onset), *_sizes(levels, at), step.verdict, near)
        for jump in jumps:
            day = analysis.days[jump]
            if not any(_is_told(step, day) for step in told) and not _is_moved(analysis, ranked.region, day):
                yield (ranked.region, str(day), *_sizes(levels, jump), "", True)


def _is_told(step: RegionStep, day: date) -> bool:
    near = timedelta(days=NEAR_DAYS)
    return step.event.onset_interval[0] - near <= day <= step.event.onset_interval[1] + near


def _is_moved(analysis: QuarterAnalysis, region: str, day: date) -> bool:
    """Say whether a reassignment of the region at that time is told with its verdict."""
    near = timedelta(days=NEAR_DAYS)
    return any(
        region in (item.from_region, item.to_region)
        and item.verdict in (results.EXPLAINED, results.COINCIDES)
        and item.date - near <= day <= (item.last or item.date) + near
        for item in analysis.reassignments
    )


def _levels(grid: RegionGrid, region: str, *, pinned: bool) -> np.ndarray:
    """Return (days,) float64 packets per sensor up; nan on days with none."""
    up = grid.exposure.sensors_up.astype(np.float64)
    packets = grid.of(region, pinned=pinned).sum(axis=0).astype(np.float64)
    level: np.ndarray = np.divide(packets, up, out=np.full_like(up, np.nan), where=up > 0)
    return level


def _mean(level: np.ndarray, first: int, last: int) -> float:
    """Return the mean from ``first`` up to ``last``, nan where too few days are known."""
    part = level[max(first, 0) : max(last, 0)]
    known = part[~np.isnan(part)]
    return float(known.mean()) if len(known) >= min(_FEWEST, last - first) else float("nan")


def _sizes(levels: tuple[np.ndarray, np.ndarray], at: int) -> tuple[float, float]:
    """Return after / before, and the part of the change by which the two series part."""
    (before, after), (pinned_before, pinned_after) = (
        (_mean(level, at - _WINDOW, at), _mean(level, at, at + _WINDOW)) for level in levels
    )
    change = after - before
    ratio = after / before if before > 0 else float("nan")
    share = (change - (pinned_after - pinned_before)) / change if change else float("nan")
    return ratio, share


def _jumps(level: np.ndarray) -> list[int]:
    """Return the days on which a level at least doubles or halves at once, and stays so."""
    found: list[tuple[float, int]] = []
    for at in range(_FEWEST, len(level) - _FEWEST):
        before, after = _mean(level, at - _WINDOW, at), _mean(level, at, at + _WINDOW)
        near = _mean(level, at - 3, at), _mean(level, at, at + 3)
        later = _mean(level, at + _WINDOW, at + 2 * _WINDOW)
        if not min(before, after, *near) >= 1:
            continue
        size, sharp = np.log(after / before), np.log(near[1] / near[0])
        lasts = np.isnan(later) or np.sign(size) * np.log(max(later, 1e-9) / before) >= _LASTING
        if abs(size) >= _JUMP and np.sign(size) * sharp >= _SHARP and lasts:
            found.append((abs(sharp), at))
    kept: list[int] = []
    for _, at in sorted(found, reverse=True):
        if all(abs(at - other) > _WINDOW for other in kept):
            kept.append(at)
    return sorted(kept)
