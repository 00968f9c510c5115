"""Series that rise and fall again and again: no single event, but not even either.

Judged on means of seven days, so that days of the week and the scatter of single days count for nothing. A swing is a
way from a low to the next high, or back, of at least ``SWING`` times and well above the scatter; a series fluctuates
when it has ``SWINGS`` of them in turn.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np

from tsubame.analysis.results import DailySeries, Fluctuation
from tsubame.periods import Window

SPAN = 7
SWING = 1.25
SWINGS = 4
_KNOWN = 5
_SURE = 6.0


def find_fluctuation(series: DailySeries) -> Fluctuation | None:
    """Return how a series rose and fell, or None where it did not do so repeatedly."""
    values = np.array([np.nan if value is None else value for value in series.per_sensor], np.float64)
    means = _means(values)
    known = np.flatnonzero(~np.isnan(means))
    if len(known) < 3 * SPAN or not np.nanmin(means) > 0:
        return None
    scatter = _SURE * _scatter(values, means)
    turns = _turns(means[known], scatter)
    if len(turns) <= SWINGS:
        return None
    smoothed = means[known]
    rises = sum(bool(smoothed[one] < smoothed[other]) for one, other in pairwise(turns))
    low, high = (int(known[place]) for place in (np.argmin(smoothed), np.argmax(smoothed)))
    return Fluctuation(
        rises=rises,
        falls=len(turns) - 1 - rises,
        low=_window(series, low),
        high=_window(series, high),
        ratio=float(means[high] / means[low]),
    )


def _means(values: np.ndarray) -> np.ndarray:
    """Return the mean of the seven days around each day; nan at both ends and where too few are known."""
    half, means = SPAN // 2, np.full(len(values), np.nan)
    for place in range(half, len(values) - half):
        around = values[place - half : place + half + 1]
        if np.count_nonzero(~np.isnan(around)) >= _KNOWN:
            means[place] = np.nanmean(around)
    return means


def _scatter(values: np.ndarray, means: np.ndarray) -> float:
    """Return the standard error of a mean of seven days, from the differences of days to the mean around them."""
    apart = (values - means)[~np.isnan(values - means)]
    return float(np.std(apart)) / SPAN**0.5 if len(apart) else 0.0


def _turns(means: np.ndarray, scatter: float) -> list[int]:
    """Return the places of lows and highs in turn, of which each differs enough from the one before."""

    def apart(one: int, other: int) -> bool:
        low, high = sorted((means[one], means[other]))
        return bool(high >= SWING * low and high - low >= scatter)

    turns: list[int] = []
    low = high = 0
    for place in range(len(means)):
        low = place if means[place] < means[low] else low
        high = place if means[place] > means[high] else high
        if not turns and apart(low, high):
            turns = sorted((low, high))
        elif turns:
            last, rising = turns[-1], bool(means[turns[-1]] > means[turns[-2]])
            if (means[place] > means[last]) == rising and means[place] != means[last]:
                turns[-1] = place
            elif apart(last, place):
                turns.append(place)
    return turns


def _window(series: DailySeries, place: int) -> Window:
    half = timedelta(days=SPAN // 2)
    return Window(series.days[place] - half, series.days[place] + half)
