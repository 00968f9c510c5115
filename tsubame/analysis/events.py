"""Events of a daily series: shifts, bursts, spikes that decay, gradual changes.

The logarithm of packets per sensor is a level, a day-of-week pattern, some shapes (``templates``) and noise that
is counting (Poisson) plus day-to-day variation that lasts (AR(1)). Shapes are added one by one, each time the one
that raises the likelihood most, until none raises it enough; then each is fitted again beside the others. A day
without a sensor up is left out, and sensors up are the exposure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from tsubame.analysis.ratios import WINDOW_DAYS, growth, ratio_of_means
from tsubame.analysis.results import DailySeries, Event, Ratio
from tsubame.analysis.templates import BURST, DECAY, GRADUAL, KINDS, SHIFT, Templates, make_templates
from tsubame.periods import Window

TOP_THRESHOLD = 18.0
"""Twice the gain in log likelihood, beyond the kind's own penalty, that an event of a Top-5 series needs."""

THRESHOLD = 25.0
"""The same for any other series: there are thousands of them."""

PENALTY = {SHIFT: 0.0, BURST: 2.0, GRADUAL: 2.0, DECAY: 6.0}
"""What a kind must gain over a shift for each thing more that is chosen of it: length, rise, fall."""

MOST_EVENTS = 8
SMALLEST_FACTOR = 1.3
"""A smaller change is no event, however sure: a telescope's level wanders by as much in a season."""

FEWEST_DAYS = 28
FEWEST_PACKETS = 3.0
"""Packets a day, on the median, below which a series has no events of its own."""

LINK_DAYS = 10
"""Events so near to each other are compared with what was before the first of them."""

_WEEK_SPREAD = 0.15
_NOISE_FLOOR = 0.03
_PROFILE_DROP = 6.0
_SWEEPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """What is fitted: the days with a sensor up.

    Attributes:
        at: (m,) int64, indices of these days.
        log_level: (m,) float64, logarithm of packets per sensor.
        sensors: (m,) float64, sensors up.
        base: (m, 8) float64, level and days of the week.
    """

    at: np.ndarray
    log_level: np.ndarray
    sensors: np.ndarray
    base: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Scan:
    """Every shape against a series under one model of its noise.

    Attributes:
        shapes: (k, m) float64.
        weighted: (k, m) float64, the shapes times the projector.
        score: (k,) float64, weighted shapes times the series.
        size: (k,) float64, weighted shapes times the shapes.
    """

    shapes: np.ndarray
    weighted: np.ndarray
    score: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, shapes: np.ndarray, values: np.ndarray, projector: np.ndarray) -> _Scan:
        """Weigh all shapes; what follows for any choice among them is cheap."""
        weighted = shapes @ projector
        return cls(shapes, weighted, weighted @ values, np.einsum("ij,ij->i", weighted, shapes))

    def beside(self, chosen: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return by how much each shape raises twice the log likelihood, and its effect, beside ``chosen``."""
        score, size = self.score, self.size
        if chosen:
            taken = list(chosen)
            shared = self.weighted @ self.shapes[taken].T
            inner = np.linalg.pinv(shared[taken], hermitian=True)
            projected = shared @ inner
            score = score - projected @ self.score[taken]
            size = size - np.einsum("ij,ij->i", projected, shared)
        usable = size > 1e-6 * float(self.size.max())
        effects = np.divide(score, size, out=np.zeros_like(score), where=usable)
        return effects * score, effects


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """The chosen shapes and what they leave.

    Attributes:
        chosen: indices of templates.
        effects: (chosen,) float64, their effect on the logarithm of the level.
        gains: (chosen,) float64, by how much each raises twice the log likelihood beside the others.
        scan: all shapes under the last model of the noise.
        noise: variance of the day-to-day variation, and its correlation from day to day.
    """

    chosen: tuple[int, ...]
    effects: np.ndarray
    gains: np.ndarray
    scan: _Scan
    noise: tuple[float, float]


def detect_events(series: DailySeries, *, threshold: float = THRESHOLD) -> tuple[Event, ...]:
    """Find the events of a series, in order of onset.

    Args:
        series: packets and packets per sensor of consecutive report days.
        threshold: see ``THRESHOLD`` and ``TOP_THRESHOLD``.
    """
    prepared = _prepare(series)
    if prepared is None:
        return ()
    templates = make_templates(len(series.days))
    fit = _search(prepared, templates, threshold)
    events = [
        _event(series, templates, fit, place)
        for place in range(len(fit.chosen))
        if abs(fit.effects[place]) >= np.log(SMALLEST_FACTOR)
    ]
    events.sort(key=lambda event: (event.onset, event.kind))
    return tuple(replace(event, ratio=_ratio(series, event, events)) for event in events)


def _prepare(series: DailySeries) -> _Series | None:
    packets = np.array(series.packets, np.float64)
    per_sensor = np.array(series.per_sensor, np.float64)
    at = np.flatnonzero(~np.isnan(packets))
    if len(at) < FEWEST_DAYS or np.median(packets[at]) < FEWEST_PACKETS:
        return None
    kept, mean = packets[at], per_sensor[at]
    # A day with no packet still had its sensors up; the count of any other day tells how many.
    typical = float(np.median(kept[kept > 0] / mean[kept > 0]))
    sensors = np.divide(kept, mean, out=np.full_like(kept, typical), where=mean > 0)
    weekday = (series.days[0].weekday() + at) % 7
    base = np.column_stack([np.ones(len(at)), *(weekday == day for day in range(7))]).astype(np.float64)
    return _Series(at, np.log((kept + 0.5) / sensors), sensors, base)


def _search(data: _Series, templates: Templates, threshold: float) -> _Fit:
    """Add shapes greedily, each time fitting the earlier ones again beside the new; then drop what is weak."""
    shapes = templates.shapes[:, data.at]
    penalty = np.array([PENALTY[name] for name in KINDS])[templates.kind]
    smooth = _running_median(data.log_level)
    projector, noise = _noise_model(data, smooth, data.log_level - smooth, first=True)
    scan = _Scan.of(shapes, data.log_level, projector)

    def best_beside(others: Sequence[int]) -> tuple[int, float]:
        worth = scan.beside(others)[0] - penalty
        best = int(np.argmax(worth))
        return best, float(worth[best])

    chosen: list[int] = []
    for _ in range(MOST_EVENTS + _SWEEPS):
        found, worth = best_beside(chosen)
        settled = worth < threshold or len(chosen) == MOST_EVENTS
        if not settled:
            chosen.append(found)
        before = list(chosen)
        for place in range(len(before)):
            others = [other for other in chosen if other != before[place]]
            found, worth = best_beside(others)
            chosen = [*others, found] if worth >= threshold else others
        if settled and chosen == before:
            break
        fitted = _fitted(data, shapes[chosen], projector)
        projector, noise = _noise_model(data, fitted, data.log_level - fitted)
        scan = _Scan.of(shapes, data.log_level, projector)
    effects, own = _joint(shapes[chosen], data.log_level, projector)
    return _Fit(tuple(chosen), effects, own, scan, noise)


def _noise_model(
    data: _Series, fitted: np.ndarray, left: np.ndarray, *, first: bool = False
) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the noise's precision with level and week taken out, and its variance and correlation.

    Residuals about a running median say little of correlation, and too little of variance; the first round
    takes a correlation of 0.3 and corrects the variance for it.
    """
    counting = 1 / np.maximum(np.exp(fitted) * data.sensors, 0.5)
    centred = left - np.median(left)
    spread = (1.4826 * np.median(np.abs(centred))) ** 2 * (1.3 if first else 1.0)
    limit = 3 * np.sqrt(max(spread, 1e-12))
    clipped = np.clip(centred, -limit, limit)
    if not first:
        spread = max(spread, float((clipped**2).mean()))
        spread *= len(left) / max(len(left) - 8.0, 1.0)
    variance = max(spread - float(np.median(counting)), _NOISE_FLOOR**2)
    near = np.diff(data.at) == 1
    product = float((clipped[1:] * clipped[:-1])[near].mean()) if near.any() else 0.0
    correlation = 0.3 if first else float(np.clip(product / variance * 1.1 + 0.05, 0.0, 0.8))
    covariance = variance * correlation ** np.abs(data.at[:, None] - data.at[None, :])
    covariance[np.diag_indices_from(covariance)] += counting
    precision = np.linalg.inv(covariance)
    weighted = precision @ data.base
    prior = np.diag([0.0, *[1 / _WEEK_SPREAD**2] * 7])
    inner = np.linalg.solve(data.base.T @ weighted + prior, weighted.T)
    return precision - weighted @ inner, (variance, correlation)


def _joint(shapes: np.ndarray, values: np.ndarray, projector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the effects of shapes fitted together, and what each gains beside the others."""
    if not len(shapes):
        return np.zeros(0), np.zeros(0)
    inverse = np.linalg.pinv(shapes @ projector @ shapes.T, hermitian=True)
    effects: np.ndarray = inverse @ (shapes @ (projector @ values))
    return effects, effects**2 / np.maximum(np.diag(inverse), 1e-12)


def _fitted(data: _Series, shapes: np.ndarray, projector: np.ndarray) -> np.ndarray:
    """Return the level, week and shapes as fitted, (m,) float64."""
    effects, _ = _joint(shapes, data.log_level, projector)
    shaped = effects @ shapes
    left = data.log_level - shaped
    prior = np.diag([1e-9, *[1.0] * 7])
    level = np.linalg.solve(data.base.T @ data.base + prior, data.base.T @ left)
    fitted: np.ndarray = shaped + data.base @ level
    return fitted


def _running_median(values: np.ndarray, width: int = 13) -> np.ndarray:
    padded = np.pad(values, width // 2, mode="reflect")
    median: np.ndarray = np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    return median


def _event(series: DailySeries, templates: Templates, fit: _Fit, place: int) -> Event:
    index = fit.chosen[place]
    others = [other for other in fit.chosen if other != index]
    kind = KINDS[int(templates.kind[index])]
    gains, effects = fit.scan.beside(others)
    # Onsets that the same kind explains nearly as well: a profile of the likelihood.
    near = (templates.kind == templates.kind[index]) & (gains >= gains[index] - _PROFILE_DROP)
    near &= np.sign(effects) == np.sign(effects[index])
    onsets = templates.onset[near]
    onset, end = int(templates.onset[index]), int(templates.end[index])
    effect, spread = float(fit.effects[place]), abs(float(fit.effects[place])) / np.sqrt(fit.gains[place])
    days = series.days
    lasting = kind == SHIFT or (kind != GRADUAL and end == len(days) - 1)
    return Event(
        kind=kind,
        onset=days[onset],
        onset_interval=(days[int(onsets.min())], days[int(onsets.max())]),
        peak=days[_extreme(series, onset, end, effect > 0)] if kind in (BURST, DECAY) else None,
        end=None if lasting else days[end],
        factor=float(np.exp(effect)),
        factor_interval=(float(np.exp(effect - 1.96 * spread)), float(np.exp(effect + 1.96 * spread))),
        strength=float(fit.gains[place]),
        ratio=None,
    )


def _extreme(series: DailySeries, onset: int, end: int, highest: bool) -> int:
    """Return the index of the event's highest (or lowest) day."""
    values = np.array(series.per_sensor[onset : end + 1], np.float64)
    return onset + int(np.nanargmax(values) if highest else np.nanargmin(values))


def _ratio(series: DailySeries, event: Event, events: Sequence[Event]) -> Ratio:
    """Return the ratio that the report states: see contract.md, "Events"."""
    if event.kind == GRADUAL:
        return growth(series)
    if event.kind == SHIFT or event.peak is None:
        before, after = _around(event.onset)
        return ratio_of_means(series, after, before)
    before, _ = _around(first_linked(event, events).onset)
    return ratio_of_means(series, Window(event.peak, event.peak), before)


def _around(onset: date) -> tuple[Window, Window]:
    one, span = timedelta(days=1), timedelta(days=WINDOW_DAYS)
    return Window(onset - span, onset - one), Window(onset, onset + span - one)


def first_linked(event: Event, events: Sequence[Event]) -> Event:
    """Return the first of the bursts and spikes that lead up to ``event`` without a pause.

    Two are linked when the later one begins at most ``LINK_DAYS`` days after the end of the earlier one.
    """
    first = event
    for other in sorted(events, key=lambda each: each.onset, reverse=True):
        if other.kind not in (BURST, DECAY) or other.onset >= first.onset or other.end is None:
            continue
        if (first.onset - other.end).days <= LINK_DAYS and (other.factor > 1) == (event.factor > 1):
            first = other
    return first
