"""The shapes that a change of traffic takes, as effects on the logarithm of the level.

Every shape is 0 before its onset and 1 at its full effect. All of them for a quarter are one matrix, so that
trying every onset, length and kind on a series is one product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SHIFT = "shift"
BURST = "burst"
DECAY = "spike_and_decay"
GRADUAL = "gradual"
KINDS = (SHIFT, BURST, DECAY, GRADUAL)

LONGEST_BURST = 21
SHORTEST_FALL = 3
"""Fewer days with fewer packets are a gap in the data more often than an event: they are fitted, not reported."""

RISES = (0, 1, 2, 3, 4, 6)
"""Days from the onset of a spike to its peak."""

DECAYS = (1.5, 3.0, 5.0, 8.0, 13.0)
"""Days in which what a spike added falls to a third."""

POWER_DECAYS = ((4.0, 2.0), (10.0, 2.0))
"""Days and powers of decays that slow down: after so many days the power of a half is left."""

ROUNDED = (2.0, 3.0, 4.5, 6.5, 9.0)
"""Days from the onset of a spike without an edge to its peak: it rises, and falls, as t·exp(-t) does."""

AMPLITUDES = (0.5, 6.0)
"""What falls exponentially is the packets added, not their logarithm; the two differ the more, the larger the
spike. Shapes are made for spikes that add half and six times the level."""

SHORTEST_RAMP = 20
RAMPS = (20, 26, 32, 38, 45, 52, 60, 68, 76, 84)
"""Days of a ramp; those that last to the end of the series are tried with every length."""

BENDS = (-0.75, 0.0, 3.0)
"""A ramp is straight in the level (rising to 1 + 3 times, falling by 0.75) or in its logarithm (0)."""

SHORTEST_S = 32
"""Days of a ramp that begins and ends gently, too; it is said to last from a tenth to nine tenths of its effect."""

MARGIN = 4
"""Days that a level must have on both sides of a shift; what is nearer to an end is a burst."""

PENALTY = {SHIFT: 0.0, BURST: 2.0, GRADUAL: 5.0, DECAY: 8.0}
"""What a kind must gain over a shift, twice the log likelihood: for each more shapes of it are tried."""

LENGTH_PENALTY = 2.0
"""What a burst must gain more for each natural logarithm of its days: a short one is the simpler story."""

FALL_PENALTY = {SHIFT: 0.0, BURST: 6.0, GRADUAL: 0.0, DECAY: 8.0}
"""What a fall must gain beyond that: gaps in the data look like one."""


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """All shapes for ``n`` days.

    Attributes:
        shapes: (k, n) float32, effect on the logarithm of the level, 1 at most.
        kind: (k,) int64, index into ``KINDS``.
        onset: (k,) int64, first day with an effect; with a tenth of it where it begins gently.
        end: (k,) int64, last day with an effect of a tenth; the last day where it stays.
        cost, cost_of_fall: (k,) float32, what a shape must gain over a shift as a rise and as a fall; infinite
            where it is the shape of the other only.
    """

    shapes: np.ndarray
    kind: np.ndarray
    onset: np.ndarray
    end: np.ndarray
    cost: np.ndarray
    cost_of_fall: np.ndarray


_Row = tuple[str, int, int, int, np.ndarray]


@lru_cache(maxsize=4)
def make_templates(n: int) -> Templates:
    """Return all shapes for a series of ``n`` days."""
    days = np.arange(n, dtype=np.float64)
    rows: list[_Row] = []
    for onset in range(n):
        rows += [*_shift(days, onset), *_bursts(days, onset), *_ramps(days, onset), *_spikes(days, onset)]
    facts = [(KINDS.index(kind), onset, min(end, n - 1), sign) for kind, onset, end, sign, _ in rows]
    kind, first, last, sign = (np.array(column, np.int64) for column in zip(*facts, strict=True))
    cost = np.array([PENALTY[name] for name in KINDS])[kind]
    cost = cost + np.where(kind == KINDS.index(BURST), LENGTH_PENALTY * np.log(last - first + 1), 0.0)
    more = np.array([FALL_PENALTY[name] for name in KINDS])[kind]
    gap = (kind == KINDS.index(BURST)) & (last - first + 1 < SHORTEST_FALL)
    return Templates(
        shapes=np.array([row[4] for row in rows], np.float32),
        kind=kind,
        onset=first,
        end=last,
        cost=np.where(sign < 0, np.inf, cost).astype(np.float32),
        cost_of_fall=np.where(sign > 0, np.inf, np.where(gap, 0.0, cost + more)).astype(np.float32),
    )


def _shift(days: np.ndarray, onset: int) -> Iterator[_Row]:
    if MARGIN <= onset <= len(days) - MARGIN:
        yield SHIFT, onset, len(days) - 1, 0, (days >= onset).astype(np.float64)


def _bursts(days: np.ndarray, onset: int) -> Iterator[_Row]:
    for length in range(1, LONGEST_BURST + 1):
        # One that lasts to an end of the series cannot be told from a shift, unless it is too short for one.
        cut = onset == 0 or onset + length == len(days)
        if onset + length <= len(days) and (not cut or length < MARGIN):
            inside = (days >= onset) & (days < onset + length)
            yield BURST, onset, onset + length - 1, 0, inside.astype(np.float64)


def _ramps(days: np.ndarray, onset: int) -> Iterator[_Row]:
    left = len(days) - onset
    for length in sorted({each for each in (*RAMPS, left) if SHORTEST_RAMP <= each <= left}):
        part = np.clip((days - onset + 1) / length, 0.0, 1.0)
        for bend in BENDS:
            shape = np.log1p(bend * part) / np.log1p(bend) if bend else part
            yield GRADUAL, onset, onset + length - 1, int(np.sign(bend)), shape
        if length >= SHORTEST_S:
            shape = part**2 * (3 - 2 * part)
            first, last = (int(np.flatnonzero(shape >= level)[0]) for level in (0.1, 0.9))
            yield GRADUAL, first, last, 0, shape


def _spikes(days: np.ndarray, onset: int) -> Iterator[_Row]:
    if onset < 1:
        return
    for added in (*_edged(days, onset), *_rounded(days, onset)):
        added[days < onset] = 0.0
        for amplitude in AMPLITUDES:
            shape = np.log1p(amplitude * added) / np.log1p(amplitude)
            yield DECAY, onset, int(np.flatnonzero(shape >= 0.1)[-1]), 1, shape


def _edged(days: np.ndarray, onset: int) -> Iterator[np.ndarray]:
    """Yield what spikes add that rise in a line and fall from the next day on."""
    for rise in RISES:
        # The decay must be seen.
        if onset + rise > len(days) - 5:
            continue
        since = days - onset - rise
        falls = [np.exp(-np.maximum(since, 0) / fall) for fall in DECAYS]
        falls += [(1 + np.maximum(since, 0) / fall) ** -power for fall, power in POWER_DECAYS]
        for falling in falls:
            yield np.where(since <= 0, (since + rise + 1) / (rise + 1), falling)


def _rounded(days: np.ndarray, onset: int) -> Iterator[np.ndarray]:
    """Yield what spikes add that have no edge."""
    for peak in ROUNDED:
        if onset + peak <= len(days) - 5:
            part = np.maximum(days - onset + 1, 0.0) / peak
            yield part * np.exp(1 - part)
