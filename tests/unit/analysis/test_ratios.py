"""The three ratios of the report, and whether their intervals cover what they claim."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from tsubame.analysis.ratios import (
    day_over_window,
    growth,
    ratio_of_means,
    windows_around,
)
from tsubame.analysis.results import DailySeries
from tsubame.analysis.uncertainty import day_block_draws, multiplicities, t_quantile, widening
from tsubame.periods import Quarter, Window

Q = Quarter(2023, 1)


def series_of(values, sensors=10):
    return DailySeries(
        Q.days,
        tuple(None if v is None else round(v * sensors) for v in values),
        tuple(None if v is None else round(v * sensors) / sensors for v in values),
    )


def test_growth_is_the_last_ten_days_over_the_first_ten():
    values = [float(n) for n in range(1, 91)]
    found = growth(series_of(values))
    assert found.value == pytest.approx(np.mean(values[-10:]) / np.mean(values[:10]))
    assert found.numerator.as_text() == ["2023-03-22", "2023-03-31"]
    assert found.denominator.as_text() == ["2023-01-01", "2023-01-10"]
    assert found.formula == ("mean per domestic sensor 2023-03-22..2023-03-31 / 2023-01-01..2023-01-10")


def test_a_day_over_a_window():
    day = date(2023, 2, 28)
    values = [600.0 if d == day else 100.0 for d in Q.days]
    found = day_over_window(series_of(values), day, Window(date(2023, 2, 9), date(2023, 2, 18)))
    assert found.value == 6
    low, high = found.interval
    assert low < 6 < high


@pytest.mark.parametrize("gap", [None, 0.0])
def test_days_down_do_not_count_and_zero_divides_nothing(gap):
    values = [gap] * 10 + [10.0] * 80
    found = growth(series_of(values))
    assert found.value is None
    assert found.interval is None


def test_a_window_with_days_down_is_the_mean_of_the_others():
    values = [None, 10.0, 20.0, None, *[30.0] * 86]
    window = Window(Q.first_day, Q.first_day + timedelta(days=3))
    assert ratio_of_means(series_of(values), Window(Q.last_day, Q.last_day), window).value == 2


def test_windows_outside_the_series_hold_no_day():
    outside = Window(date(2022, 12, 1), date(2022, 12, 10))
    assert ratio_of_means(series_of([1.0] * 90), outside, Window(Q.first_day, Q.last_day)).value is None


def test_windows_are_cut_at_the_ends():
    before, after = windows_around(date(2023, 1, 1), date(2023, 1, 1), Q.days)
    assert len(before) == 0
    assert after.as_text() == ["2023-01-02", "2023-01-11"]


def test_t_quantiles_are_those_of_the_tables():
    assert t_quantile(9) == pytest.approx(2.262, abs=1e-3)
    assert t_quantile(1e9) == pytest.approx(1.960, abs=1e-3)


def test_day_blocks_are_consecutive_days():
    drawn = day_block_draws(10, 50, np.random.default_rng(1))
    assert drawn.shape == (50, 10)
    assert set(np.unique(drawn)) <= set(range(10))
    assert (np.diff(drawn[:, :4], axis=1) == 1).all()
    assert multiplicities(7, 5, np.random.default_rng(1)).sum(axis=1).tolist() == [7] * 5
    assert widening(10) == pytest.approx(np.sqrt(10 / 6))


@pytest.mark.parametrize(("correlation", "dispersion"), [(0.0, 0.05), (0.3, 0.05), (0.5, 0.05)])
def test_intervals_cover_what_they_claim(correlation, dispersion):
    """Ratios of correlated, overdispersed days: 95 % intervals hold the truth in 90 to 99 %."""
    rng = np.random.default_rng(20230401)
    truth, held, trials = 1.5, 0, 400
    for _ in range(trials):
        noise = np.zeros(90)
        for day in range(90):
            step = rng.normal(0, np.sqrt(dispersion * (1 - correlation**2)))
            noise[day] = correlation * noise[day - 1] + step if day else step / np.sqrt(1 - correlation**2)
        level = np.where(np.arange(90) < 45, 40.0, 40.0 * truth) * np.exp(noise)
        low, high = growth(series_of(rng.poisson(level * 10) / 10)).interval
        held += low <= truth <= high
    assert 0.9 <= held / trials <= 0.99
