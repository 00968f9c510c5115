"""Events as they are put into simulated series: other formulas than the detector's templates on purpose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHIFT, BURST, DECAY, GRADUAL = "shift", "burst", "spike_and_decay", "gradual"
KINDS = (SHIFT, BURST, DECAY, GRADUAL)
LONGEST_BURST = 21


@dataclass(frozen=True)
class Truth:
    """An event that was put in.

    Attributes:
        onset, end: indices of its first day and of the last with a tenth of its effect.
        factor: level at full effect / level without.
        effect: (n,) float64, on the logarithm of the level.
    """

    kind: str
    onset: int
    end: int
    factor: float
    effect: np.ndarray


def draw_shift(rng: np.random.Generator, n: int, margin: int = 10) -> Truth:
    """Draw a shift of at least ×2 or at most ×½."""
    onset = int(rng.integers(margin, n - margin + 1))
    factor = float(np.exp(rng.uniform(np.log(2), np.log(8)))) ** (1 if rng.random() < 0.6 else -1)
    return Truth(SHIFT, onset, n - 1, factor, np.log(factor) * (np.arange(n) >= onset))


def draw_burst(rng: np.random.Generator, n: int) -> Truth:
    """Draw a burst of 1 to 14 days of at least ×3, flat or uneven."""
    length = int(rng.integers(1, 15))
    onset = int(rng.integers(5, n - length - 4))
    factor = float(np.exp(rng.uniform(np.log(3), np.log(15))))
    effect = np.zeros(n)
    effect[onset : onset + length] = np.log(factor)
    if rng.random() < 0.3:
        effect[onset : onset + length] += rng.normal(0, 0.1, length)
    return Truth(BURST, onset, onset + length - 1, factor, effect)


def draw_decay(rng: np.random.Generator, n: int, last: int = 15) -> Truth:
    """Draw a rise of 0 to 4 days to at least ×3 and a decay: exponential, a power law, or exponential in the level."""
    onset, rise = int(rng.integers(5, n - last + 1)), int(rng.integers(0, 5))
    factor = float(np.exp(rng.uniform(np.log(3), np.log(15))))
    since = np.arange(n) - onset - rise
    form, days = rng.integers(0, 3), float(rng.uniform(3, 12))
    fall = np.exp(-np.maximum(since, 0) / days) if form < 2 else 1 / (1 + np.maximum(since, 0) / days) ** 2
    added = np.where(since < 0, (since + rise + 1) / (rise + 1), fall)
    added[np.arange(n) < onset] = 0
    effect = np.log(factor) * added if form == 1 else np.log1p((factor - 1) * added)
    lasting = np.flatnonzero(effect >= 0.1 * np.log(factor))
    return Truth(DECAY, onset, int(lasting[-1]), factor, effect)


def draw_gradual(rng: np.random.Generator, n: int) -> Truth:
    """Draw a rise (or, once in five, a fall) of 30 days or more, straight in the level or in its logarithm."""
    length = int(rng.integers(30, n + 1))
    onset = int(rng.integers(0, n - length + 1))
    factor = float(np.exp(rng.uniform(np.log(2), np.log(6)))) ** (1 if rng.random() < 0.8 else -1)
    part = np.clip((np.arange(n) - onset + 1) / length, 0, 1)
    effect = np.log(factor) * part if rng.random() < 0.5 else np.log1p((factor - 1) * part)
    return Truth(GRADUAL, onset, onset + length - 1, factor, effect)


def draw_edge(rng: np.random.Generator, n: int) -> Truth:
    """Draw an event near an end of the quarter: a shift 5 to 9 days from it, a burst or decay that it cuts."""
    kind, late = rng.integers(0, 3), rng.random() < 0.5
    if kind == 0:
        truth = draw_shift(rng, n)
        onset = n - int(rng.integers(5, 10)) if late else int(rng.integers(5, 10))
        return Truth(SHIFT, onset, n - 1, truth.factor, np.log(truth.factor) * (np.arange(n) >= onset))
    if kind == 1:
        length, factor = int(rng.integers(1, 4)), float(rng.uniform(3, 15))
        onset = n - length if late else int(rng.integers(1, 4))
        inside = (np.arange(n) >= onset) & (np.arange(n) < onset + length)
        return Truth(BURST, onset, onset + length - 1, factor, np.log(factor) * inside)
    onset, days, factor = n - int(rng.integers(7, 15)), float(rng.uniform(2, 6)), float(rng.uniform(3, 15))
    since = np.arange(n) - (onset if late else int(rng.integers(1, 5)))
    first = int(n - 1 - since[-1])
    added = np.where(since >= 0, np.exp(-np.maximum(since, 0) / days), 0)
    return Truth(DECAY, first, n - 1, factor, np.log1p((factor - 1) * added))


DRAW = {SHIFT: draw_shift, BURST: draw_burst, DECAY: draw_decay, GRADUAL: draw_gradual}


def draw_events(rng: np.random.Generator, n: int, count: int, gap: int = 12, edge: bool = False) -> list[Truth]:
    """Draw events whose effects do not come nearer to each other than ``gap`` days; a long one stands alone."""
    if edge:
        return [draw_edge(rng, n)]
    truths: list[Truth] = []
    for _ in range(200):
        if len(truths) == count:
            break
        kind = KINDS[int(rng.integers(0, 4))]
        truth = DRAW[kind](rng, n)
        if all(_apart(truth, other, gap) for other in truths):
            truths.append(truth)
    return sorted(truths, key=lambda truth: truth.onset)


def _apart(one: Truth, other: Truth, gap: int) -> bool:
    """Say whether two events leave each other alone: what lasts to the end counts until it is fully there.

    Two shifts within three weeks are no two events: they may be a burst.
    """
    if one.kind == other.kind == SHIFT:
        gap = max(gap, LONGEST_BURST)

    def last(truth: Truth) -> int:
        return truth.onset if truth.kind == SHIFT else truth.end

    return one.onset > last(other) + gap or other.onset > last(one) + gap
