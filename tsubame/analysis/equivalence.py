"""No correlated change: a claim of equivalence, made only where a change would have been seen.

That a test finds no change says little of a noisy series. So the events of a series A are made into one template
and fitted to a series B; the claim is made when the whole 95 % interval of B's factor at the template's full effect
lies within a margin around 1.

The model: log((packets + ½) / sensors) = level + trend + day of the week + β·template + noise, the noise being
counting (Poisson) plus day-to-day variation that lasts (AR(1)); generalised least squares, refitted twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

import numpy as np

from tsubame.analysis.noted_results import CHANGED, NO_CHANGE, UNDECIDED, Comparison
from tsubame.analysis.results import DailySeries, Event
from tsubame.analysis.uncertainty import t_quantile

MARGIN = 1.25
"""A factor nearer to 1 than this is no change worth the name, ..."""

PART = 1 / 3
"""... nor is one of less than this part of the other series' change, as logarithms, where that is smaller."""

FEWEST_DAYS = 28
FEWEST_PACKETS = 3.0
"""Packets a day, on the median, below which nothing is fitted."""

_WEEK_SPREAD = 0.15
_NOISE_FLOOR = 0.03
_ROUNDS = 3
_COLUMNS = 3
"""Level, trend and template; the days of the week are drawn to nothing by a prior."""


def event_shape(event: Event, days: Sequence[date]) -> np.ndarray:
    """Return (days,) float64: an event's effect on the logarithm of the level, from what is published of it.

    A burst is a box; a shift a step; a gradual change a line, and level from its end on; a spike rises in a line
    to its peak, and what it added falls exponentially to a tenth on its last day.
    """
    at = np.array([day.toordinal() for day in days], np.float64)
    onset = event.onset.toordinal()
    end = (event.end or days[-1]).toordinal()
    effect = math.log(event.factor)
    if event.kind == "shift":
        return effect * (at >= onset)
    if event.kind == "gradual":
        return effect * np.clip((at - onset + 1) / max(end - onset + 1, 1), 0.0, 1.0)
    inside = (at >= onset) & (at <= end)
    if event.kind != "spike_and_decay" or event.peak is None:
        return effect * inside
    peak = event.peak.toordinal()
    up = np.clip((at - onset + 1) / (peak - onset + 1), 0.0, 1.0)
    down = np.exp(-math.log(10) * (at - peak) / max(end - peak, 1))
    added = np.where(at <= peak, up, down) * inside
    # The spike's logarithm, not its packets, is what is fitted.
    return np.log1p((event.factor - 1) * added) if event.factor > 1 else effect * added


def compare_series(series: DailySeries, events: Sequence[Event]) -> Comparison:
    """Say whether a series changed as the events of another one would have it.

    Args:
        series: packets and packets per sensor, which might have changed.
        events: of the other series, over the same days.
    """
    template = sum((event_shape(event, series.days) for event in events), np.zeros(len(series.days)))
    full = int(np.argmax(np.abs(template))) if len(template) else 0
    size = float(template[full]) if len(template) else 0.0
    margin = min(MARGIN, math.exp(PART * abs(size)))
    unknown = Comparison(UNDECIDED, None, None, margin, math.exp(size))
    packets = np.array(series.packets, np.float64)
    up = np.flatnonzero(~np.isnan(packets))
    if not size or len(up) < FEWEST_DAYS or np.median(packets[up]) < FEWEST_PACKETS:
        return unknown
    fitted = _fit(series, up, template[up] / size)
    if fitted is None:
        return unknown
    effect, spread = fitted
    half = t_quantile(len(up) - _COLUMNS - 7) * spread
    low, high = math.exp(effect - half), math.exp(effect + half)
    verdict = UNDECIDED
    if 1 / margin < low and high < margin:
        verdict = NO_CHANGE
    elif low > 1 or high < 1:
        verdict = CHANGED
    return Comparison(verdict, math.exp(effect), (low, high), margin, math.exp(size))


def _fit(series: DailySeries, up: np.ndarray, template: np.ndarray) -> tuple[float, float] | None:
    """Return the template's effect on the logarithm, and its standard error; None where it has no room."""
    packets = np.array(series.packets, np.float64)[up]
    mean = np.array(series.per_sensor, np.float64)[up]
    typical = float(np.median(packets[packets > 0] / mean[packets > 0])) if (packets > 0).any() else 1.0
    sensors = np.divide(packets, mean, out=np.full_like(packets, typical), where=mean > 0)
    values = np.log((packets + 0.5) / sensors)
    weekday = (series.days[0].weekday() + up) % 7
    trend = (up - up.mean()) / max(np.ptp(up), 1)
    design = np.column_stack([template, np.ones(len(up)), trend, *(weekday == day for day in range(7))])
    prior = np.diag([0.0] * _COLUMNS + [1 / _WEEK_SPREAD**2] * 7)
    if np.ptp(template) < 0.5:
        return None
    precision = np.eye(len(up)) / max(float(values.var()), _NOISE_FLOOR**2)
    effects = covariance = np.zeros(0)
    for _ in range(_ROUNDS):
        covariance = np.linalg.inv(design.T @ precision @ design + prior)
        effects = covariance @ (design.T @ (precision @ values))
        precision = _precision(values - design @ effects, np.exp(design @ effects) * sensors, up)
    return float(effects[0]), math.sqrt(float(covariance[0, 0]))


def _precision(left: np.ndarray, expected: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Return the inverse of the noise's covariance: counting, and lasting variation."""
    n = len(left)
    counting = 1 / np.maximum(expected, 0.5)
    spread = float((left**2).sum()) / max(n - _COLUMNS - 4, 1)
    variance = max(spread - float(counting.mean()), _NOISE_FLOOR**2)
    near = np.diff(up) == 1
    product = float((left[1:] * left[:-1])[near].mean()) if near.any() else 0.0
    # Residuals of few days understate correlation; a little more is the careful side.
    correlation = float(np.clip(1.1 * product / variance + 0.1, 0.0, 0.9))
    covariance = variance * correlation ** np.abs(up[:, None] - up[None, :])
    covariance[np.diag_indices(n)] += counting
    inverse: np.ndarray = np.linalg.inv(covariance)
    return inverse
