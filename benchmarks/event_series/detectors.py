"""The detectors that are compared: ours, segmentation by ruptures, a trailing z-score."""

from __future__ import annotations

import numpy as np

from event_series.scoring import Claim, Detector
from tsubame.analysis.events import detect_events
from tsubame.analysis.results import DailySeries

L2_PENALTY = 22.0
"""Of a change, in variances of a day: as small as leaves about 0.1 false changes in a quarter of ``telescope``
without events (seeds below 1000)."""

NEGATIVE_BINOMIAL_PENALTY = 22.0
"""The same, twice the log likelihood, with the dispersion that differences of neighbouring days show."""


def templates(threshold: float) -> Detector:
    """Return this project's detector."""

    def detect(series: DailySeries) -> list[Claim]:
        first = series.days[0]
        return [
            Claim(
                event.kind,
                (event.onset - first).days,
                tuple((day - first).days for day in event.onset_interval),  # type: ignore[arg-type]
                event.factor,
                event.factor_interval,
            )
            for event in detect_events(series, threshold=threshold)
        ]

    return detect


def segment_logarithm(series: DailySeries) -> list[Claim]:
    """Return the changes of PELT with squared errors on the logarithm, medians of the weekdays taken out."""
    import ruptures

    at, values, _ = _logarithm(series)
    spread = max(1.4826 * float(np.median(np.abs(np.diff(values)))) / np.sqrt(2), 0.02)
    cuts = ruptures.Pelt(model="l2", min_size=1, jump=1).fit(values / spread).predict(pen=L2_PENALTY)
    return [Claim("any", int(at[cut])) for cut in cuts[:-1]]


def segment_counts(series: DailySeries) -> list[Claim]:
    """Return the changes of PELT with a negative binomial cost on the counts, sensors as exposure."""
    import ruptures

    at, level, week = _logarithm(series)
    counts = np.array(series.packets, np.float64)[at]
    per_sensor = np.array(series.per_sensor, np.float64)[at]
    sensors = np.divide(counts, per_sensor, out=np.full_like(counts, np.nan), where=per_sensor > 0)
    exposure = np.where(np.isnan(sensors), np.nanmedian(sensors), sensors) * np.exp(week)
    spread = (1.4826 * float(np.median(np.abs(np.diff(level))))) ** 2 / 2
    dispersion = max(spread - float(np.median(1 / np.maximum(counts, 1))), 1e-3)
    cuts = (
        ruptures.Pelt(custom_cost=_negative_binomial(dispersion), min_size=1, jump=1)
        .fit(np.column_stack([counts, exposure]))
        .predict(pen=NEGATIVE_BINOMIAL_PENALTY)
    )
    return [Claim("any", int(at[cut])) for cut in cuts[:-1]]


def _negative_binomial(dispersion: float):  # type: ignore[no-untyped-def]
    from ruptures.base import BaseCost

    class Cost(BaseCost):  # type: ignore[misc]
        """Twice the negative log likelihood of a segment with one rate, less what does not depend on it."""

        model = "negative binomial"
        min_size = 1

        def fit(self, signal: np.ndarray) -> Cost:
            self.signal = signal
            self.sums = np.vstack((np.zeros(2), np.cumsum(signal, axis=0)))
            return self

        def error(self, start: int, end: int) -> float:
            counts, exposure = self.sums[end] - self.sums[start]
            mean = np.maximum(counts / exposure, 1e-9) * self.signal[start:end, 1]
            seen = self.signal[start:end, 0]
            size = 1 / dispersion
            return float(-2 * (seen * np.log(mean / (mean + size)) - size * np.log1p(mean / size)).sum())

    return Cost()


def _logarithm(series: DailySeries) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the days with a sensor up, their logarithms without the week, and the week that was taken out."""
    values = np.array(series.per_sensor, np.float64)
    at = np.flatnonzero(~np.isnan(values))
    level = np.log(values[at] + 0.5 * np.min(values[at][values[at] > 0], initial=1.0))
    left = level - np.array([np.median(level[max(i - 6, 0) : i + 7]) for i in range(len(level))])
    week = np.zeros(len(level))
    for day in range(7):
        week[at % 7 == day] = np.median(left[at % 7 == day])
    return at, level - week, week


def trailing_z_score(series: DailySeries) -> list[Claim]:
    """Return the days that lie three standard deviations from the ten days before, first days of each run only."""
    values = np.array(series.per_sensor, np.float64)
    hits: list[int] = []
    for day in range(10, len(values)):
        before = values[day - 10 : day]
        before = before[~np.isnan(before)]
        if len(before) < 5 or np.isnan(values[day]):
            continue
        z = (values[day] - before.mean()) / max(float(before.std()), 1e-9)
        if abs(z) > 3 and not (hits and day - hits[-1] <= 3):
            hits.append(day)
    return [Claim("any", day) for day in hits]
