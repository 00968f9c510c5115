"""How sure a number is: block bootstraps over days and sensors.

Days of a telescope are dependent, so days are resampled in blocks; sensors see different address space, so
sensors are resampled too. With windows of ten days a block bootstrap is too narrow: intervals use Student's t
and are widened by √(n/(n−L)), n days in blocks of L (Künsch 1989; Hall, Horowitz and Jing 1995).
"""

from __future__ import annotations

import numpy as np

from tsubame.analysis.results import Interval

DAY_BLOCK = 4
"""Days resampled together within a 10-day window. With as many degrees of freedom as there are blocks, 95 %
intervals of ten-day ratios held the truth in 93 % of simulated series whose days correlate by 0.5, in 96 % by
0.3, in 98 % by 0; blocks of 3 with nine degrees of freedom in 85, 91 and 93 %."""

REPLICATES = 1000
LEVEL = 0.95
MINIMUM_DAYS = 3
"""A window with fewer days up has no interval of its own."""


def t_quantile(degrees: float) -> float:
    """Return the two-sided 95 % quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + LEVEL / 2))


def mean_variance(values: np.ndarray, packets: np.ndarray) -> float:
    """Return the variance of a window's mean: what a moving block bootstrap converges to.

    With n days and blocks of L the bootstrap's variance of the mean is L/n times the variance of the means of
    all blocks of L consecutive days, so no drawing is needed. It is never below what counting alone (Poisson)
    would give, and is widened by n/(n−L).

    Args:
        values: (n,) float64, mean per sensor of each day.
        packets: (n,) float64, the packets behind them.
    """
    n = len(values)
    up = np.divide(packets, values, out=np.ones_like(values), where=values > 0)
    counting = float((packets / up**2).sum()) / n**2
    if n < MINIMUM_DAYS:
        return counting
    length = min(DAY_BLOCK, n - 1)
    blocks = np.lib.stride_tricks.sliding_window_view(values, length).mean(axis=1)
    spread = float(((blocks - blocks.mean()) ** 2).mean()) * length / n
    return max(spread * n / (n - length), counting)


def log_ratio_interval(
    above: np.ndarray, above_packets: np.ndarray, below: np.ndarray, below_packets: np.ndarray
) -> Interval | None:
    """Return the 95 % interval of a ratio of means, from the variance of its logarithm.

    A single day carries no spread of its own: it is given the relative spread of the days of the other
    window. None when a mean is zero or the denominator has fewer than ``MINIMUM_DAYS`` days.
    """
    if len(below) < MINIMUM_DAYS or not len(above) or above.mean() <= 0 or below.mean() <= 0:
        return None
    relative = mean_variance(below, below_packets) / below.mean() ** 2
    own = mean_variance(above, above_packets) / above.mean() ** 2
    if len(above) < MINIMUM_DAYS:
        own = max(own, float(below.var(ddof=1) / below.mean() ** 2) / len(above))
    blocks = (len(below) + len(above)) / DAY_BLOCK
    degrees = max(blocks - 2, 1.0) if len(above) >= MINIMUM_DAYS else len(below) - 1.0
    half = t_quantile(degrees) * float(np.sqrt(relative + own))
    centre = float(np.log(above.mean() / below.mean()))
    return float(np.exp(centre - half)), float(np.exp(centre + half))


def day_block_draws(n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return (draws, n) int64 indices of days: blocks of ``DAY_BLOCK`` consecutive days with replacement."""
    length = min(DAY_BLOCK, n)
    starts = rng.integers(0, n - length + 1, size=(draws, -(-n // length)))
    days = (starts[:, :, None] + np.arange(length)).reshape(draws, -1)
    return days[:, :n]


def multiplicities(n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return (draws, n) int64: how often each of n things is drawn when n are drawn with replacement."""
    return rng.multinomial(n, np.full(n, 1 / n), size=draws) if n else np.zeros((draws, 0), np.int64)


def widening(n: int) -> float:
    """Return √(n/(n−L)), by which an interval from n days in blocks of L is widened."""
    length = min(DAY_BLOCK, n - 1)
    return float(np.sqrt(n / (n - length))) if n > 1 else float("inf")
