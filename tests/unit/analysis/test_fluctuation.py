"""Series that rise and fall again and again are told so; scatter, weekdays, trends and single events are not."""

from datetime import date, timedelta

import numpy as np
import pytest

from tsubame.analysis.fluctuation import find_fluctuation
from tsubame.analysis.results import DailySeries

DAYS = tuple(date(2023, 1, 1) + timedelta(days=n) for n in range(90))
T = np.arange(90)


def series(values, gaps=()):
    known = [None if place in gaps else float(value) for place, value in enumerate(values)]
    return DailySeries(DAYS, tuple(None if v is None else round(9 * v) for v in known), tuple(known))


def wave(period=20, size=0.25, scatter=0.03, seed=1):
    return 100 * (1 + size * np.sin(2 * np.pi * T / period)) * np.random.default_rng(seed).normal(1, scatter, 90)


def test_a_wave_is_found_with_its_swings_and_its_size():
    found = find_fluctuation(series(wave()))
    assert (found.rises, found.falls) in ((4, 4), (4, 5), (5, 4))
    assert found.ratio == pytest.approx(1.25 / 0.75, rel=0.15)
    assert len(found.low) == len(found.high) == 7
    assert find_fluctuation(series(wave(), gaps=range(40, 44))) is not None


@pytest.mark.parametrize(
    "values",
    [
        np.full(90, 100.0),
        np.zeros(90),
        np.random.default_rng(2).poisson(4, 90),
        np.random.default_rng(3).normal(100, 15, 90),
        100 * (1 + 0.4 * (T % 7 < 2)),
        np.linspace(100, 300, 90),
        np.where((T > 30) & (T < 40), 400.0, 100.0),
        np.where(T > 45, 300.0, 100.0),
        wave(size=0.04),
        wave(period=90),
    ],
    ids=["even", "nothing", "few", "scatter", "weekdays", "trend", "burst", "step", "small wave", "one wave"],
)
def test_what_is_no_fluctuation(values):
    assert find_fluctuation(series(values)) is None


def test_few_known_days_say_nothing():
    assert find_fluctuation(series(wave(), gaps=range(15, 90))) is None
    assert find_fluctuation(series(wave(), gaps=range(90))) is None


def test_walks_of_correlated_noise_are_seldom_told():
    """AR(1) days of a coefficient of variation of 8 %: at most 2 of 200 series."""
    rng, told = np.random.default_rng(5), 0
    for _ in range(200):
        noise = np.zeros(90)
        for day in range(1, 90):
            noise[day] = 0.4 * noise[day - 1] + rng.normal(0, 0.08)
        told += find_fluctuation(series(rng.poisson(200 * np.exp(noise)))) is not None
    assert told <= 2
