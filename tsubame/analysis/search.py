"""Which templates a series holds: added one by one, each fitted again beside the others, the weak ones dropped.

What a template is worth beside others is a matter of its score (its product with the response, both weighed by the
noise's precision) and its size (its product with itself); for all of them these are two matrix products, after which
any choice among them costs a few vectors. These are float32: their last digits are far below what matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsubame.analysis.noise import (
    SPREADS,
    Counted,
    Noise,
    covariance,
    fit_noise,
    week_prior,
    working_residual,
)
from tsubame.analysis.templates import BURST, GRADUAL, KINDS, SHIFT, Templates

MOST_EVENTS = 10
"""Templates of one series; a quarter that needs more is not told as events."""

NEAR_DAYS = 3
"""So near to a template's onset another kind is tried in its place."""

_ROUNDS = 4
_FIRST_CORRELATION = 0.3
_FIRST_WEEK_SPREAD = 0.4
_FIRST_WIDENING = 1.3
"""A running median follows some of the noise: its residuals have so much less than the variance."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Every template against a series under one model of its noise.

    Attributes:
        templates: what the shapes are.
        shapes: (k, m) float32.
        projector: (m, m) float64, precision of the response with level and week taken out.
        weighted: (k, m) float32, the shapes times the projector.
        response: (m,) float64.
        score: (k,) float32, weighted shapes times the response.
        size: (k,) float32, weighted shapes times the shapes.
        columns: (k,) float32 of each template asked for, weighted shapes times its shape.
    """

    templates: Templates
    shapes: np.ndarray
    projector: np.ndarray
    weighted: np.ndarray
    response: np.ndarray
    score: np.ndarray
    size: np.ndarray
    columns: dict[int, np.ndarray]

    @classmethod
    def of(cls, templates: Templates, shapes: np.ndarray, response: np.ndarray, projector: np.ndarray) -> Scan:
        """Weigh all templates; what follows for any choice among them is cheap."""
        weighted = shapes @ projector.astype(np.float32)
        size = np.einsum("ij,ij->i", weighted, shapes)
        score = shapes @ (projector @ response).astype(np.float32)
        return cls(templates, shapes, projector, weighted, response, score, size, {})

    def about(self, response: np.ndarray) -> Scan:
        """Return the same for another response."""
        score = self.shapes @ (self.projector @ response).astype(np.float32)
        return replace(self, response=response, score=score)

    def beside(self, chosen: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return each template's score and size beside others: its effect is score / size, its gain score² / size.

        One that others stand for has size 0.
        """
        if not chosen:
            return self.score, self.size
        taken = list(chosen)
        shared = np.stack([self._column(each) for each in taken])
        inner = shared[:, taken]
        inner.flat[:: len(taken) + 1] *= 1 + 1e-5
        inner = 1 / inner if len(taken) == 1 else np.linalg.inv(inner)
        projected = inner @ shared
        score = self.score - self.score[taken] @ projected
        projected *= shared
        size = self.size - projected.sum(axis=0)
        size[size < 2e-3 * self.size] = 0.0
        return score, size

    def worth(self, chosen: Sequence[int]) -> np.ndarray:
        """Return what each template gains beside others, less what its kind costs; -inf where it is none."""
        score, size = self.beside(chosen)
        gains: np.ndarray = np.divide(score * score, size, out=np.full_like(score, -np.inf), where=size > 0)
        gains -= np.where(score < 0, self.templates.cost_of_fall, self.templates.cost)
        return gains

    def _column(self, template: int) -> np.ndarray:
        if template not in self.columns:
            self.columns[template] = self.weighted @ self.shapes[template]
        return self.columns[template]

    def joint(self, chosen: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the effects of templates fitted together, and what each gains beside the others."""
        return fit_together(self.shapes[list(chosen)], self.projector, self.response)


def fit_together(shapes: np.ndarray, projector: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the effects of some shapes fitted together, and by how much each raises twice the log likelihood."""
    if not len(shapes):
        return np.zeros(0), np.zeros(0)
    weighted = shapes.astype(np.float64) @ projector
    inner = weighted @ shapes.T
    inner.flat[:: len(inner) + 1] *= 1 + 1e-6
    inverse = np.linalg.inv(inner)
    effects: np.ndarray = inverse @ (weighted @ response)
    return effects, effects**2 / np.maximum(np.diag(inverse), 1e-12)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The chosen templates and what they leave.

    Attributes:
        chosen: indices of templates.
        effects: (chosen,) float64, on the logarithm of the level, fitted together.
        gains: (chosen,) float64, by how much each raises twice the log likelihood beside the others.
        scan: all templates under the last model of the noise.
        noise: that model.
    """

    chosen: tuple[int, ...]
    effects: np.ndarray
    gains: np.ndarray
    scan: Scan
    noise: Noise


@dataclass(slots=True, eq=False)
class _State:
    """Where the search stands: a series, its noise, and what is fitted to it.

    Attributes:
        fitted: (m,) float64, logarithm of the level per sensor.
        response: (m,) float64, working response.
        counting: (m,) float64, variance that counting adds to it.
    """

    data: Counted
    templates: Templates
    shapes: np.ndarray
    noise: Noise
    fitted: np.ndarray
    response: np.ndarray
    counting: np.ndarray

    def refit(self, chosen: Sequence[int], rounds: int = 2) -> None:
        """Fit level, week and templates together, and the working response about them."""
        for _ in range(rounds):
            columns = np.column_stack([self.data.base, self.shapes[list(chosen)].T])
            weighted = np.linalg.solve(covariance(self.data, self.counting, self.noise), columns)
            prior = np.eye(columns.shape[1]) * 1e-6
            prior[:8, :8] = week_prior(self.noise.week_spread)
            fitted = columns @ np.linalg.solve(columns.T @ weighted + prior, weighted.T @ self.response)
            self.about(fitted)

    def about(self, fitted: np.ndarray) -> None:
        """Take the working response about other fitted values."""
        left, self.counting = working_residual(self.data, fitted, self.noise.variance)
        self.fitted, self.response = fitted, fitted + left

    def measure(self, chosen: Sequence[int]) -> None:
        """Estimate the noise beside the chosen templates."""
        self.noise = fit_noise(self.data, self.response, self.counting, self.shapes[list(chosen)])

    def projector(self) -> np.ndarray:
        """Return the precision of the response with level and week taken out."""
        precision = np.linalg.inv(covariance(self.data, self.counting, self.noise))
        weighted = precision @ self.data.base
        inner = self.data.base.T @ weighted + week_prior(self.noise.week_spread)
        taken_out: np.ndarray = precision - weighted @ np.linalg.solve(inner, weighted.T)
        return taken_out

    def scan(self) -> Scan:
        """Weigh all templates."""
        return Scan.of(self.templates, self.shapes, self.response, self.projector())


def search(data: Counted, templates: Templates, threshold: float) -> Fit | None:
    """Find the templates that a series holds.

    First templates are added under a model of the noise that takes everything slow for events; then, with all of
    them in the model, the noise is estimated and the weak ones are dropped one by one. The other way round one
    strong event hides behind the noise that another one makes.
    """
    state = _start(data, templates)
    chosen = _add_many(state, threshold)
    if not chosen:
        return None
    chosen, scan = _prune(state, chosen, threshold)
    for _ in range(_ROUNDS):
        before = sorted(chosen)
        found, worth = _best(scan, chosen)
        if worth >= threshold and len(chosen) < MOST_EVENTS:
            chosen.append(found)
        chosen = _sweep(scan, chosen, threshold)
        if len(chosen) > 1:
            chosen = _exchange(scan, chosen, threshold)
        if sorted(chosen) == before:
            break
        chosen, scan = _prune(state, chosen, threshold)
    if not chosen:
        return None
    effects, own = scan.joint(chosen)
    return Fit(tuple(chosen), effects, own, scan, state.noise)


def _add_many(state: _State, threshold: float) -> list[int]:
    """Add templates as long as one is worth the threshold: once of any kind, once what lasts first; take the better."""
    first = state.scan()
    best, value, about = [], 0.0, (state.fitted, state.response, state.counting)
    lasting = np.isin(state.templates.kind, [KINDS.index(SHIFT), KINDS.index(GRADUAL)])
    for allowed in (None, lasting):
        state.fitted, state.response, state.counting = about
        scan, chosen = _grow(state, first, [], threshold, allowed)
        if allowed is not None and chosen:
            for _ in range(2):
                chosen = _sweep(scan, chosen, threshold)
            scan, chosen = _grow(state, scan, chosen, threshold, None)
        if (worth := _value(scan, chosen, threshold)) > value:
            best, value = chosen, worth
        if not best:
            break
    return best


def _grow(
    state: _State, scan: Scan, chosen: list[int], threshold: float, allowed: np.ndarray | None
) -> tuple[Scan, list[int]]:
    for _ in range(MOST_EVENTS + 4):
        before = list(chosen)
        found, worth = _best(scan, chosen, allowed)
        if worth < threshold:
            break
        chosen = _sweep(scan, [*chosen, found], threshold, allowed)
        if chosen == before:
            break
        state.refit(chosen)
        scan = scan.about(state.response)
    return scan, chosen


def _prune(state: _State, chosen: list[int], threshold: float) -> tuple[list[int], Scan]:
    """Estimate the noise beside the templates and drop the weakest, until all are worth the threshold."""
    while True:
        state.refit(chosen)
        state.measure(chosen)
        state.refit(chosen, rounds=1)
        kept = _drop_weakest(state, chosen, threshold)
        if len(kept) == len(chosen):
            return chosen, state.scan()
        chosen = kept


def _start(data: Counted, templates: Templates) -> _State:
    """Begin with a running median: it follows shifts and ramps, and leaves bursts out."""
    level = np.log((data.packets + 0.5) / data.sensors)
    smooth = _running_median(level)
    left = level - smooth
    week = data.base[:, 1:].astype(bool)
    for day in range(7):
        if week[:, day].sum() >= 4:
            smooth = smooth + week[:, day] * float(np.median(left[week[:, day]]))
    smooth = smooth + float(np.median(level - smooth))
    noise = Noise(0.01, _FIRST_CORRELATION, _FIRST_WEEK_SPREAD)
    whole = len(data.at) == templates.shapes.shape[1]
    shapes = templates.shapes if whole else np.ascontiguousarray(templates.shapes[:, data.at])
    state = _State(data, templates, shapes, noise, smooth, smooth, smooth)
    state.about(smooth)
    left = state.response - smooth
    spread = (1.4826 * float(np.median(np.abs(left)))) ** 2 * _FIRST_WIDENING - float(np.median(state.counting))
    state.noise = Noise(max(spread, SPREADS[1] ** 2), _FIRST_CORRELATION, _FIRST_WEEK_SPREAD)
    state.about(smooth)
    return state


def _best(scan: Scan, others: Sequence[int], allowed: np.ndarray | None = None) -> tuple[int, float]:
    worth = scan.worth(others)
    if allowed is not None:
        worth[~allowed] = -np.inf
    best = int(np.argmax(worth))
    return best, float(worth[best])


def _sweep(scan: Scan, chosen: list[int], threshold: float, allowed: np.ndarray | None = None) -> list[int]:
    """Let each template be replaced by the best beside the others."""
    for each in list(chosen):
        others = [other for other in chosen if other != each]
        if not others:
            break
        found, worth = _best(scan, others, allowed)
        chosen = [*others, found] if worth >= threshold else others
    return chosen


def _exchange(scan: Scan, chosen: list[int], threshold: float) -> list[int]:
    """Try another kind at the onset of each template, and what is then best for the others.

    Two events can be explained by two others nearly as well; one at a time does not lead from these to those.
    """
    best, value = chosen, _value(scan, chosen, threshold)
    templates = scan.templates
    for each in chosen:
        others = [other for other in chosen if other != each]
        worth = scan.worth(others)
        near = np.abs(templates.onset - templates.onset[each]) <= NEAR_DAYS
        for kind in range(len(KINDS)):
            if kind == templates.kind[each]:
                continue
            allowed = np.where(near & (templates.kind == kind), worth, -np.inf)
            if not np.isfinite(allowed.max()):
                continue
            tried = [int(np.argmax(allowed)), *others]
            for other in others:
                rest = [one for one in tried if one != other]
                found, gained = _best(scan, rest)
                tried = [found, *rest] if gained >= threshold else rest
            found, gained = _best(scan, tried)
            if gained >= threshold and len(tried) < MOST_EVENTS:
                tried.append(found)
            if (tried_value := _value(scan, tried, threshold)) > value + 1e-6:
                best, value = tried, tried_value
    for tried in _rebracketed(templates, best):
        if (tried_value := _value(scan, tried, threshold)) > value + 1e-6:
            best, value = tried, tried_value
    return best


def _rebracketed(templates: Templates, chosen: Sequence[int]) -> Iterator[list[int]]:
    """Yield the other reading of each level that has a gap: a shift and a burst that takes it back for some days.

    That may as well be a burst before the gap and a shift after it; no exchange of one template leads there.
    """
    kinds = templates.kind[list(chosen)]
    for shift in np.array(chosen)[kinds == KINDS.index(SHIFT)]:
        for gap in np.array(chosen)[kinds == KINDS.index(BURST)]:
            first, after = templates.onset[gap] - 1, templates.end[gap] + 1
            before = _find(templates, BURST, templates.onset[shift], first)
            later = _find(templates, SHIFT, after, templates.shapes.shape[1] - 1)
            if before is not None and later is not None:
                yield [before, later, *(each for each in chosen if each not in (shift, gap))]


def _find(templates: Templates, kind: str, onset: int, end: int) -> int | None:
    """Return the template of these days; None where there is none."""
    found = np.flatnonzero((templates.kind == KINDS.index(kind)) & (templates.onset == onset) & (templates.end == end))
    return int(found[0]) if len(found) else None


def _value(scan: Scan, chosen: list[int], threshold: float) -> float:
    """Return what templates are worth together, less the threshold for each."""
    if not chosen:
        return 0.0
    effects, _ = scan.joint(chosen)
    together = float(effects @ scan.score[chosen])
    return together - float(_cost(scan.templates, chosen, effects).sum()) - threshold * len(chosen)


def _cost(templates: Templates, chosen: Sequence[int], effects: np.ndarray) -> np.ndarray:
    taken = list(chosen)
    cost: np.ndarray = np.where(effects < 0, templates.cost_of_fall[taken], templates.cost[taken])
    return cost


def _drop_weakest(state: _State, chosen: list[int], threshold: float) -> list[int]:
    """Drop the weakest template if it is worth less than the threshold."""
    if not chosen:
        return chosen
    effects, gains = fit_together(state.shapes[chosen], state.projector(), state.response)
    worth = gains - _cost(state.templates, chosen, effects)
    weakest = int(np.argmin(worth))
    return chosen if worth[weakest] >= threshold else [*chosen[:weakest], *chosen[weakest + 1 :]]


def _running_median(values: np.ndarray, width: int = 13) -> np.ndarray:
    padded = np.pad(values, width // 2, mode="reflect")
    median: np.ndarray = np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    return median
