"""Events of a daily series: shifts, bursts, spikes that decay, gradual changes.

The model. Packets of day t are Poisson with mean s_t·exp(η_t + u_t): s_t the sensors up that day, or what they are
worth where that is known (the exposure, so a day without one is missing, not zero), η_t a level, a day-of-week
pattern with a common variance and a few shapes (``templates``), u_t Gaussian AR(1) noise (``noise``). A shape's worth
is twice the rise of the restricted log likelihood, a score scan over ten thousand shapes against the covariance of u
and of counting, less a penalty for each kind's freedom. The search (``search``) adds shapes under a noise model that
a running median gives, so that strong events do not hide each other; then estimates the noise by REML beside all of
them and drops the weakest until each is worth the threshold; then lets shapes be replaced and exchanged. Thresholds
hold the rate of false events per series, measured on simulated quarters, not a nominal level: the search over shapes
is inside that rate. Intervals are of the posterior over the shapes of the kind found, flat but for the penalties:
onsets are credible sets of days, factors mixtures over shapes widened by what no shape fits exactly.

Sources: generalised likelihood ratio for changes in dynamic models, Willsky and Jones (1976); intervention shapes in
ARMA noise and their iterated detection, Box and Tiao (1975), Tsay (1988), Chen and Liu (1993); the working response,
Breslow and Clayton (1993); REML, Patterson and Thompson (1971). Measured by ``benchmarks/events.py``, against
segmentation and a trailing z-score; decided in ``infra/decisions/0007``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from tsubame.analysis.joining import EDGE_DAYS, join_events
from tsubame.analysis.noise import Counted
from tsubame.analysis.ratios import WINDOW_DAYS, growth, ratio_of_means
from tsubame.analysis.results import DailySeries, Event, Ratio
from tsubame.analysis.search import Fit, search
from tsubame.analysis.templates import (
    BURST,
    DECAY,
    GRADUAL,
    KINDS,
    SHIFT,
    SHORTEST_FALL,
    Templates,
    make_templates,
)
from tsubame.analysis.threads import one_thread
from tsubame.periods import Window

TOP_THRESHOLD = 14.0
"""What an event of a Top-5 series must be worth: twice the gain in log likelihood, less its kind's penalty. Fewer than
0.05 false events a series came of it on every family of simulated noise."""

THRESHOLD = 20.0
"""The same for any other series: there are thousands of them. Of 4,000 simulated ones 0.003 false events each;
up to 0.013 where noise is not of the model: random walks, a quarter of the days empty, outlying days."""

SMALLEST_FACTOR = {SHIFT: 1.3, GRADUAL: 1.3, BURST: 1.5, DECAY: 1.5}
"""A smaller change is no event, however sure: a telescope's level wanders by as much in a season."""

SMALLEST_OUTLIER = 2.3
"""The same for a burst of fewer than ``SHORTEST_FALL`` days: single days stand out by themselves, up to twice."""

STANDARD_ERRORS = 2.05
"""Half a 95 % interval: Student's t with as many degrees of freedom as a quarter's days leave."""

MISFIT = {SHIFT: 0.02, BURST: 0.03, GRADUAL: 0.03, DECAY: 0.045}
"""Standard error of an effect, as part of it, that comes of no change having exactly a template's shape: a burst's
first and last day have a part of it, no level is level. With many packets nothing else is left of an interval."""

PART_OF_A_SPIKE = 0.35
"""Of the effect of a burst or spike: what begins within it and has less is part of its shape."""

FEWEST_DAYS = 28
FEWEST_PACKETS = 1.0
"""Packets a day, on average, below which a series has no events of its own."""

LARGEST_EFFECT = float(np.log(1e6))
"""What began from nothing has no factor; it is said to be a million at most."""

GAP_DAYS = 7
GAP_PACKETS = 5.0
"""So few days without any packet, between days with so many or more, are a gap in the data, not an event."""

LINK_DAYS = 10
"""Events so near to each other are compared with what was before the first of them."""


@one_thread()
def detect_events(series: DailySeries, *, threshold: float = THRESHOLD) -> tuple[Event, ...]:
    """Find the events of a series, in order of onset.

    Args:
        series: packets and packets per sensor of consecutive report days.
        threshold: see ``THRESHOLD`` and ``TOP_THRESHOLD``.

    Returns:
        The events; none for a series of fewer than ``FEWEST_DAYS`` days up or ``FEWEST_PACKETS`` a day.
    """
    prepared = _prepare(series)
    if prepared is None:
        return ()
    templates = make_templates(len(series.days))
    if np.median(prepared.packets) == 0:
        # Where most days have nothing, a few packets together are what is usual.
        threshold *= 2
    fit = search(prepared, templates, threshold)
    if fit is None:
        return ()
    effects = fit.effects + _absorbed(templates, fit)
    events = [_event(series, templates, fit, place, effects[place]) for place in _reported(templates, fit, effects)]
    events = join_events(series, events)
    return tuple(replace(event, ratio=_ratio(series, event, events)) for event in events)


def _prepare(series: DailySeries) -> Counted | None:
    packets = np.array(series.packets, np.float64)
    per_sensor = np.array(series.per_sensor, np.float64)
    at = np.flatnonzero(_whole(packets))
    at = at[~_gaps(packets[at])]
    if len(at) < FEWEST_DAYS or packets[at].mean() < FEWEST_PACKETS:
        return None
    kept, mean = packets[at], per_sensor[at]
    if series.worth is not None:
        sensors = np.array(series.worth)[at]
    else:
        known = mean > 0
        # A day with no packet still had its sensors up: as many as the days around it.
        sensors = np.interp(at, at[known], kept[known] / mean[known])
    weekday = (series.days[0].weekday() + at) % 7
    base = np.column_stack([np.ones(len(at)), *(weekday == day for day in range(7))]).astype(np.float64)
    return Counted(at, kept, sensors, base)


def _whole(packets: np.ndarray) -> np.ndarray:
    """Say which days are observed, as far as is known from end to end, (days,) bool.

    Observation stops and begins within a day: a day beside one without any sensor up, with fewer packets than the
    days on its other side, has a part of them.
    """
    up: np.ndarray = ~np.isnan(packets)
    whole = up.copy()
    for day in np.flatnonzero(up):
        before, after = packets[max(0, day - GAP_DAYS) : day], packets[day + 1 : day + 1 + GAP_DAYS]
        for beside, others in ((after[:1], before), (before[-1:], after)):
            if np.isnan(beside).any() and not np.isnan(others).all():
                whole[day] &= packets[day] >= np.nanmedian(others)
    return whole


def _absorbed(templates: Templates, fit: Fit) -> np.ndarray:
    """Return what each chosen burst has beside its own effect, on average over its days, (chosen,) float64.

    That is of bursts and spikes too small to be told: they are part of the larger one that they lie over.
    """
    chosen, effects = np.array(fit.chosen), fit.effects
    kind, more = templates.kind[chosen], np.zeros(len(chosen))
    small = np.isin(kind, [KINDS.index(BURST), KINDS.index(DECAY)]) & (np.abs(effects) < np.log(SMALLEST_FACTOR[BURST]))
    for place in np.flatnonzero(kind == KINDS.index(BURST)):
        days = slice(templates.onset[chosen[place]], templates.end[chosen[place]] + 1)
        own = effects[place]
        part = small & (effects * own > 0) & (np.abs(effects) < abs(own))
        more[place] = effects[part] @ templates.shapes[chosen[part], days].mean(axis=1)
    return more


def _reported(templates: Templates, fit: Fit, effects: np.ndarray) -> list[int]:
    """Return which of the chosen templates are events of their own.

    Left out are small ones, gaps in the data, those that begin within a burst or spike of several times their
    effect (no spike has exactly a template's shape, and what is left over is no event), and ramps that another
    one takes back.
    """
    chosen = np.array(fit.chosen)
    kind, onset, end = templates.kind[chosen], templates.onset[chosen], templates.end[chosen]
    passing = np.isin(kind, [KINDS.index(BURST), KINDS.index(DECAY)])
    ramps = effects[kind == KINDS.index(GRADUAL)] @ templates.shapes[chosen[kind == KINDS.index(GRADUAL)]]
    kept = []
    for place, size in enumerate(np.abs(effects)):
        name, days = KINDS[int(kind[place])], int(end[place] - onset[place] + 1)
        smallest = SMALLEST_OUTLIER if name == BURST and days < SHORTEST_FALL else SMALLEST_FACTOR[name]
        small = size < np.log(smallest)
        gap = passing[place] and effects[place] < 0 and days < SHORTEST_FALL
        within = passing & (onset - 1 <= onset[place]) & (onset[place] <= end)
        within &= size < PART_OF_A_SPIKE * np.abs(effects)
        net = ramps[end[place]] - (ramps[onset[place] - 1] if onset[place] else 0.0)
        taken_back = name == GRADUAL and net * np.sign(effects[place]) < max(0.5 * size, np.log(smallest))
        if _is_piece(place, kind, onset, end, effects, small) or not (small or gap or within.any() or taken_back):
            kept.append(place)
    return kept


def _is_piece(
    place: int, kind: np.ndarray, onset: np.ndarray, end: np.ndarray, effects: np.ndarray, small: bool
) -> bool:
    """Say whether a shift or burst is a piece of a larger one, which ``joining`` adds to it.

    That is the rest of its effect (a small part of a burst is in that already), or its first or last days.
    """
    size, days = abs(effects[place]), end[place] - onset[place] + 1
    if KINDS[int(kind[place])] not in (SHIFT, BURST):
        return False
    larger = (kind == kind[place]) & (effects * effects[place] > 0) & (size < np.abs(effects))
    larger &= end - onset >= 2 * EDGE_DAYS
    rest = larger & (np.abs(onset - onset[place]) <= EDGE_DAYS) & (np.abs(end - end[place]) <= EDGE_DAYS)
    beside = larger & ((end[place] + 1 == onset) | (end + 1 == onset[place]))
    edge = beside.any() and days <= EDGE_DAYS and size >= np.log(SMALLEST_FACTOR[BURST])
    return bool(edge or (rest.any() and (kind[place] == KINDS.index(SHIFT) or not small)))


def _gaps(packets: np.ndarray) -> np.ndarray:
    """Return which days are without any packet although the days around them have many, (m,) bool."""
    found = np.zeros(len(packets), bool)
    silent = packets == 0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], silent.astype(np.int8), [0]))))
    for first, beyond in zip(edges[::2], edges[1::2], strict=True):
        around = np.concatenate((packets[max(first - 10, 0) : first], packets[beyond : beyond + 10]))
        around = around[around > 0]
        if beyond - first <= GAP_DAYS and len(around) and np.median(around) >= GAP_PACKETS:
            found[first:beyond] = True
    return found


def _event(series: DailySeries, templates: Templates, fit: Fit, place: int, effect: float) -> Event:
    index = fit.chosen[place]
    others = [other for other in fit.chosen if other != index]
    kind = KINDS[int(templates.kind[index])]
    scores, sizes = fit.scan.beside(others)
    # The posterior of the onset and of the effect among the shapes of the same kind and direction.
    same = np.flatnonzero(
        (templates.kind == templates.kind[index]) & (np.sign(scores) == np.sign(scores[index])) & (sizes > 0)
    )
    worth, effects = fit.scan.worth(others)[same], scores[same] / sizes[same]
    weight = np.exp(0.5 * (worth - worth.max()))
    weight /= weight.sum()
    onset, low, high = _credible(templates.onset[same], weight, len(series.days))
    mean = float(weight @ effects)
    variance = float(weight @ (1 / sizes[same] + (effects - mean) ** 2))
    end = int(templates.end[index])
    half = STANDARD_ERRORS * float(np.sqrt(variance + (MISFIT[kind] * effect) ** 2))
    days = series.days
    lasting = kind == SHIFT or (kind != GRADUAL and end == len(days) - 1)
    return Event(
        kind=kind,
        onset=days[onset],
        onset_interval=(days[low], days[high]),
        peak=days[_extreme(series, onset, end, effect > 0)] if kind in (BURST, DECAY) else None,
        end=None if lasting else days[end],
        factor=_factor(effect),
        factor_interval=(_factor(effect - half), _factor(effect + half)),
        strength=float(fit.gains[place]),
        ratio=None,
    )


def _factor(effect: float) -> float:
    """Return the factor of an effect on the logarithm; traffic that began from nothing has no larger one."""
    return float(np.exp(np.clip(effect, -LARGEST_EFFECT, LARGEST_EFFECT)))


def _credible(onsets: np.ndarray, weight: np.ndarray, n: int) -> tuple[int, int, int]:
    """Return the likeliest onset and the days between which it lies with 95 %."""
    mass = np.bincount(onsets, weight, n)
    cumulated = np.cumsum(mass)
    best = int(np.argmax(mass))
    low, high = (int(np.searchsorted(cumulated, level)) for level in (0.025, 0.975))
    return best, min(low, best), max(min(high, n - 1), best)


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
