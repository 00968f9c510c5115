"""How days vary without an event: counting, and day-to-day variation that lasts.

Packets of day t are Poisson given their mean, and the logarithm of the mean is what is fitted plus Gaussian noise
that is AR(1): a Poisson-lognormal state model. Counts enter through a working response: what is fitted plus the
signed root of the day's deviance, scaled to the standard deviation √(1/μ + σ²) of the logarithm. For large counts
that is log y, for small ones the Poisson deviance residual, which is nearly normal where log y is not (Pierce and
Schafer 1986; for the joint deviance Breslow and Clayton 1993, penalised quasi-likelihood). The noise's variance and
correlation are estimated by restricted likelihood (REML; Patterson and Thompson 1971) on a grid and averaged over
it, so that neither is ever estimated as nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SPREADS = np.array([0.02, 0.03, 0.04, 0.055, 0.075, 0.1, 0.135, 0.18, 0.24, 0.32, 0.43, 0.6, 0.85, 1.2, 1.8, 2.6, 4.0])
"""Standard deviations of the noise that are tried."""

CORRELATIONS = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9])
"""Correlations from day to day that are tried. A higher one is not told from a shift or a ramp in a quarter."""

CORRELATION_WEIGHTS = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.6, 0.3])
"""How likely each is beforehand: noise that hardly returns is rare, and would explain any ramp."""

WEEK_SPREADS = np.array([0.02, 0.1, 0.4, 1.5])
"""Standard deviations of the day-of-week effects that are tried."""

SMALLEST_MEAN = 0.3
"""Packets a day below which a mean is not believed."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The model of the noise.

    Attributes:
        variance, correlation: of the day-to-day variation of the logarithm.
        week_spread: standard deviation of the day-of-week effects.
    """

    variance: float
    correlation: float
    week_spread: float


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What is fitted: the days with a sensor up.

    Attributes:
        at: (m,) int64, indices of these days.
        packets: (m,) float64.
        sensors: (m,) float64, sensors up.
        base: (m, 8) float64, level and days of the week.
    """

    at: np.ndarray
    packets: np.ndarray
    sensors: np.ndarray
    base: np.ndarray


def working_residual(data: Counted, fitted: np.ndarray, variance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the working response less what is fitted, and the variance that counting adds to it.

    Args:
        data: the series.
        fitted: (m,) float64, logarithm of the level per sensor.
        variance: of the day-to-day variation.
    """
    mean = np.maximum(np.exp(np.clip(fitted, -30, 30)) * data.sensors, SMALLEST_MEAN)
    packets = data.packets
    own = np.maximum(variance, 1e-6)
    # The day's own level u that is likeliest: Newton from above, where the convex function's root is approached
    # from one side.
    u = np.maximum(np.log(np.maximum(packets, 1e-9) / mean), 0.0)
    for _ in range(12):
        rate = mean * np.exp(u)
        u = u - (rate - packets + u / own) / (rate + 1 / own)
    rate = mean * np.exp(u)
    counted = np.where(packets > 0, packets * np.log(np.maximum(packets, 1e-9) / rate), 0.0)
    deviance = 2 * (counted - (packets - rate)) + u**2 / own
    counting = 1 / mean
    root = np.sqrt(np.maximum(deviance, 0.0))
    return np.sign(packets - mean) * root * np.sqrt(counting + variance), counting


def covariance(data: Counted, counting: np.ndarray, noise: Noise) -> np.ndarray:
    """Return the (m, m) covariance of the working response."""
    powers = noise.variance * noise.correlation ** np.arange(data.at[-1] - data.at[0] + 1)
    matrix: np.ndarray = powers[np.abs(data.at[:, None] - data.at[None, :])]
    matrix[np.diag_indices_from(matrix)] += counting
    return matrix


def week_prior(week_spread: float) -> np.ndarray:
    """Return the precision of the coefficients of ``Counted.base``."""
    return np.diag([1e-9, *[1 / week_spread**2] * 7])


def fit_noise(data: Counted, response: np.ndarray, counting: np.ndarray, shapes: np.ndarray) -> Noise:
    """Estimate the noise beside a level, a week and some shapes.

    Args:
        data: the series.
        response: (m,) float64, working response.
        counting: (m,) float64, variance that counting adds.
        shapes: (k, m) float64, shapes already chosen.
    """
    columns = np.column_stack([data.base, shapes.T, response])
    spreads, correlations, weights = _grid()
    white, log_determinant = whiten(columns, counting, np.diff(data.at), spreads**2, correlations)
    moments = np.swapaxes(white, 1, 2) @ white
    own, cross, total = moments[:, :-1, :-1], moments[:, :-1, -1], moments[:, -1, -1]
    best = []
    for spread in WEEK_SPREADS:
        prior = np.zeros(own.shape[1:])
        prior[:8, :8] = week_prior(float(spread))
        prior[8:, 8:] = np.eye(len(shapes)) * 1e-6
        inner = own + prior
        explained = (cross * np.linalg.solve(inner, cross[:, :, None])[:, :, 0]).sum(axis=1)
        minus = log_determinant + np.linalg.slogdet(inner)[1] + total - explained + 14 * np.log(spread)
        best.append(-0.5 * minus + np.log(weights))
    likelihood = np.array(best)
    likelihood -= likelihood.max()
    mass = np.exp(likelihood)
    mass /= mass.sum()
    each = mass.sum(axis=0)
    return Noise(
        variance=float(each @ spreads**2),
        correlation=float((each * spreads**2) @ correlations / (each @ spreads**2)),
        week_spread=float(np.exp(mass.sum(axis=1) @ np.log(WEEK_SPREADS))),
    )


@lru_cache(maxsize=1)
def _grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    spreads = np.repeat(SPREADS, len(CORRELATIONS))
    return spreads, np.tile(CORRELATIONS, len(SPREADS)), np.tile(CORRELATION_WEIGHTS, len(SPREADS))


def whiten(
    columns: np.ndarray, counting: np.ndarray, gaps: np.ndarray, variance: np.ndarray, correlation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns with the noise made white, (g, m, c), and the covariance's log determinant, (g,).

    The Kalman filter of AR(1) in Poisson-like noise, for g models of the noise at once.
    """
    m = len(columns)
    gain, scale, carry = np.empty((3, m, len(variance)))
    state = variance
    for day in range(m):
        total = state + counting[day]
        gain[day], scale[day] = state / total, total
        carry[day] = correlation ** gaps[day] if day < m - 1 else 0.0
        state = carry[day] ** 2 * (state * (1 - gain[day])) + variance * (1 - carry[day] ** 2)
    white = np.empty((m, len(variance), columns.shape[1]))
    expected = np.zeros((len(variance), columns.shape[1]))
    gain, carry = gain[:, :, None], carry[:, :, None]
    for day in range(m):
        surprise = columns[day] - expected
        white[day] = surprise
        expected = carry[day] * (expected + gain[day] * surprise)
    white /= np.sqrt(scale)[:, :, None]
    return np.swapaxes(white, 0, 1), np.log(scale).sum(axis=0)
