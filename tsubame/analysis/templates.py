"""The shapes that a change of traffic takes, as effects on the logarithm of the level.

Every shape is 0 before its onset and 1 at its full effect. All of them for a quarter are one matrix, so that
trying every onset, length and kind on a series is one product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SHIFT = "shift"
BURST = "burst"
DECAY = "spike_and_decay"
GRADUAL = "gradual"
KINDS = (SHIFT, BURST, DECAY, GRADUAL)

LONGEST_BURST = 21
RISES = (0, 1, 3, 6)
"""Days from the onset of a spike to its peak."""

DECAYS = (2.0, 4.0, 8.0, 16.0)
"""Days in which what a spike added falls to a third."""

AMPLITUDES = (1.0, 6.0)
"""What falls exponentially is the packets added, not their logarithm; the two differ the more, the larger the
spike. Shapes are made for spikes that add once and six times the level."""

RAMPS = (14, 20, 28, 36, 45, 60, 75, 90)
MARGIN = 3
"""Days that a level must have on both sides of a shift."""


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """All shapes for ``n`` days.

    Attributes:
        shapes: (k, n) float64, effect on the logarithm of the level, 1 at most.
        kind: (k,) int64, index into ``KINDS``.
        onset: (k,) int64, first day with an effect.
        end: (k,) int64, last day with an effect of a tenth; the last day where it stays.
    """

    shapes: np.ndarray
    kind: np.ndarray
    onset: np.ndarray
    end: np.ndarray


@lru_cache(maxsize=4)
def make_templates(n: int) -> Templates:
    """Return all shapes for a series of ``n`` days."""
    days = np.arange(n, dtype=np.float64)
    rows: list[np.ndarray] = []
    facts: list[tuple[int, int, int]] = []

    def add(kind: str, onset: int, end: int, shape: np.ndarray) -> None:
        rows.append(shape)
        facts.append((KINDS.index(kind), onset, min(end, n - 1)))

    for onset in range(n):
        if MARGIN <= onset <= n - MARGIN:
            add(SHIFT, onset, n - 1, (days >= onset).astype(np.float64))
        for length in range(1, LONGEST_BURST + 1):
            # A burst that lasts to the end of the series cannot be told from a shift.
            if onset >= 1 and onset + length < n:
                inside = (days >= onset) & (days < onset + length)
                add(BURST, onset, onset + length - 1, inside.astype(np.float64))
        for length in RAMPS:
            if onset <= n - length:
                rise = np.clip((days - onset + 1) / length, 0.0, 1.0)
                add(GRADUAL, onset, onset + length - 1, rise)
        if 1 <= onset <= n - MARGIN:
            for added in _spikes(days, onset):
                lasting = np.flatnonzero(added >= 0.1)
                add(DECAY, onset, int(lasting[-1]), added)
    kind, first, last = (np.array(column, np.int64) for column in zip(*facts, strict=True))
    return Templates(np.array(rows), kind, first, last)


def _spikes(days: np.ndarray, onset: int) -> list[np.ndarray]:
    found = []
    for rise in RISES:
        for fall in DECAYS:
            since = days - onset
            up = np.clip((since + 1) / (rise + 1), 0.0, 1.0)
            added = np.where(since <= rise, up, np.exp(-(since - rise) / fall))
            added[since < 0] = 0.0
            found += [np.log1p(a * added) / np.log1p(a) for a in AMPLITUDES]
    return found
