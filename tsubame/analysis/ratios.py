"""Ratios of means over windows of days, and the three the report uses.

The report's "about 1.5 times" is the last 10 days over the first 10 of the quarter; "about 8 times" around a
day is the 10 days after over the 10 days before; "about 6 times" on a day is that day over the 10 days before
the first linked burst. A mean is that of the daily means per domestic sensor up: the value that figures plot.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from tsubame.analysis.results import DailySeries, Ratio
from tsubame.analysis.uncertainty import log_ratio_interval
from tsubame.periods import Window

WINDOW_DAYS = 10


def values_in(series: DailySeries, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Return the window's values per sensor and its packets, days without a sensor up left out.

    Returns:
        Two (n,) float64 arrays, n at most the length of the window.
    """
    part = slice_of(series.days, window)
    values = np.array((series.per_sensor[part], series.packets[part]), np.float64)
    up = ~np.isnan(values[0])
    return values[0, up], values[1, up]


def slice_of(days: tuple[date, ...], window: Window) -> slice:
    """Return where a window lies in consecutive ``days``; what lies outside them is cut off."""
    low, high = (window.first - days[0]).days, (window.last - days[0]).days + 1
    return slice(min(max(low, 0), len(days)), min(max(high, 0), len(days)))


def ratio_of_means(series: DailySeries, numerator: Window, denominator: Window) -> Ratio:
    """Divide the mean over one window by the mean over another.

    Days of a window that lie outside the series, or on which no domestic sensor is up, do not count.
    """
    above, above_packets = values_in(series, numerator)
    below, below_packets = values_in(series, denominator)
    formula = f"mean per domestic sensor {_words(numerator)} / {_words(denominator)}"
    if not len(above) or not len(below) or not below.mean():
        return Ratio(None, None, numerator, denominator, formula)
    value = float(above.mean() / below.mean())
    interval = log_ratio_interval(above, above_packets, below, below_packets)
    return Ratio(value, interval, numerator, denominator, formula)


def growth(series: DailySeries) -> Ratio:
    """Divide the mean of the last 10 days by the mean of the first 10."""
    first, last = series.days[0], series.days[-1]
    span = timedelta(days=WINDOW_DAYS - 1)
    return ratio_of_means(series, Window(last - span, last), Window(first, first + span))


def day_over_window(series: DailySeries, day: date, window: Window) -> Ratio:
    """Divide the value of a single day by the mean of a window."""
    return ratio_of_means(series, Window(day, day), window)


def windows_around(first: date, last: date, days: tuple[date, ...]) -> tuple[Window, Window]:
    """Return the 10 days before ``first`` and the 10 days after ``last``, cut at the ends of ``days``.

    Where the quarter begins or ends within 10 days the window is shorter; it is empty when the change falls
    on the quarter's first or last day.
    """
    one, ten = timedelta(days=1), timedelta(days=WINDOW_DAYS)
    before = Window(max(first - ten, days[0]), first - one)
    return before, Window(last + one, min(last + ten, days[-1]))


def _words(window: Window) -> str:
    if len(window) <= 0:
        return "(no day)"
    return str(window.first) if len(window) == 1 else f"{window.first}..{window.last}"
