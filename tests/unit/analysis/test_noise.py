"""The noise model against dense linear algebra and scipy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tsubame.analysis.noise import Counted, Noise, covariance, fit_noise, whiten, working_residual

RNG = np.random.default_rng(4)


def counted(packets, at=None, sensors=None):
    at = np.arange(len(packets)) if at is None else np.asarray(at)
    base = np.column_stack([np.ones(len(at)), *(at % 7 == day for day in range(7))]).astype(float)
    sensors = np.ones(len(at)) if sensors is None else sensors
    return Counted(at, np.asarray(packets, float), sensors, base)


def test_the_filter_whitens_as_the_dense_covariance_does():
    at = np.delete(np.arange(40), [3, 4, 17])
    data = counted(np.full(len(at), 9), at)
    counting, columns = RNG.uniform(0.01, 0.5, len(at)), RNG.normal(size=(len(at), 3))
    for variance, correlation in ((0.04, 0.5), (0.3, 0.0), (0.02, 0.9)):
        white, log_determinant = whiten(columns, counting, np.diff(at), np.array([variance]), np.array([correlation]))
        dense = covariance(data, counting, Noise(variance, correlation, 0.1))
        np.testing.assert_allclose(white[0].T @ white[0], columns.T @ np.linalg.solve(dense, columns), rtol=1e-9)
        assert log_determinant[0] == pytest.approx(np.linalg.slogdet(dense)[1])


def test_the_working_residual_is_the_logarithm_of_many_and_the_deviance_of_few():
    many = counted([50_000, 120_000])
    left, counting = working_residual(many, np.log([100_000.0, 100_000.0]), 0.04)
    np.testing.assert_allclose(left, np.log([0.5, 1.2]), rtol=2e-3)
    np.testing.assert_allclose(counting, 1e-5)
    few = counted([0, 2, 9])
    left, _ = working_residual(few, np.log([4.0, 4.0, 4.0]), 1e-9)
    seen = np.array([0.0, 2.0, 9.0])
    deviance = 2 * (np.where(seen > 0, seen * np.log(np.maximum(seen, 1) / 4), 0) - (seen - 4))
    np.testing.assert_allclose(left, np.sign(seen - 4) * np.sqrt(deviance) * 0.5, rtol=1e-4)


@pytest.mark.parametrize("mean", [2.0, 10.0, 300.0])
def test_working_residuals_of_counts_are_nearly_standard_normal(mean):
    variance = 0.02
    counts = RNG.poisson(mean * np.exp(RNG.normal(0, np.sqrt(variance), 20_000)))
    left, counting = working_residual(counted(counts), np.full(len(counts), np.log(mean)), variance)
    scaled = left / np.sqrt(counting + variance)
    assert scaled.std() == pytest.approx(1, abs=0.08)
    for level in (0.999, 0.9999):
        share = (scaled > stats.norm.ppf(level)).mean()
        assert share < 3 * (1 - level) + 2e-4


@pytest.mark.parametrize(("spread", "correlation"), [(0.05, 0.0), (0.1, 0.5), (0.3, 0.3)])
def test_noise_is_estimated_without_bias(spread, correlation):
    found = []
    for _ in range(12):
        steps = RNG.normal(0, spread * np.sqrt(1 - correlation**2), 91)
        noise = np.zeros(91)
        for day in range(91):
            noise[day] = correlation * noise[day - 1] + steps[day] if day else RNG.normal(0, spread)
        data = counted(np.full(91, 1e4))
        found.append(fit_noise(data, noise, np.full(91, 1e-4), np.zeros((0, 91))))
    assert np.mean([each.variance for each in found]) == pytest.approx(spread**2, rel=0.3)
    assert np.mean([each.correlation for each in found]) == pytest.approx(correlation, abs=0.15)
