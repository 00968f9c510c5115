"""Families of simulated quarters, each another idea of what a telescope's noise is like.

A quarter is a level with a day-of-week pattern, events, noise that lasts (AR(1)) and noise that does not (negative
binomial, log-normal, Poisson), seen by sensors that go down. What the detector was tuned on has seeds below 1000;
results are of seeds from 5000 on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from event_series.shapes import Truth, draw_events
from tsubame.analysis.results import DailySeries
from tsubame.periods import Quarter

Rng = np.random.Generator
Noise = Callable[[Rng, int], tuple[np.ndarray, np.ndarray, float]]
"""Draws (n,) float64 noise of the log level, its (n, n) covariance, and the counts' dispersion 1/k."""


@dataclass(frozen=True)
class Family:
    """One kind of simulated quarter.

    Attributes:
        levels: packets a day, all sensors together, drawn log-uniformly between these.
        noise: see ``Noise``.
        week: how large the day-of-week pattern may be, standard deviation of its logarithm.
        spiked: one day of the week stands out by ×2 to ×5.
        outages: how often sensors fail, per quarter.
        zeroes: share of the days on which nothing arrives although the sensors are up.
        events: how many events a quarter has, drawn from these.
        edge: the event lies at an end of the quarter.
        gap: days between events, at least.
        typical: part of the issue's range of what is to be detected; the others show where it ends.
    """

    name: str
    levels: tuple[float, float]
    noise: Noise
    week: float = 0.1
    spiked: bool = False
    outages: float = 1.5
    zeroes: float = 0.0
    events: tuple[int, ...] = (1, 2)
    edge: bool = False
    gap: int = 12
    typical: bool = True


@dataclass(frozen=True)
class Quarterly:
    """A simulated quarter.

    Attributes:
        truths: the events put in.
        covariance: (m, m) of the log level's noise on the days with a sensor up, counting included: an oracle's.
    """

    series: DailySeries
    truths: list[Truth]
    level: float
    covariance: np.ndarray = field(repr=False)
    at: np.ndarray = field(repr=False)


def autoregressive(low: float, high: float, most: float = 0.6, dispersion: tuple[float, float] = (5e-4, 0.02)) -> Noise:
    """Make AR(1) noise with a standard deviation between ``low`` and ``high`` and a correlation up to ``most``."""

    def draw(rng: Rng, n: int) -> tuple[np.ndarray, np.ndarray, float]:
        spread, correlation = rng.uniform(low, high), rng.uniform(0, most)
        steps = rng.normal(0, spread * np.sqrt(1 - correlation**2), n)
        steps[0] = rng.normal(0, spread)
        noise = np.zeros(n)
        for day in range(n):
            noise[day] = (correlation * noise[day - 1] if day else 0.0) + steps[day]
        apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        dispersed = float(np.exp(rng.uniform(*np.log(dispersion)))) if dispersion[1] else 0.0
        return noise, spread**2 * correlation**apart, dispersed

    return draw


def random_walk(low: float, high: float) -> Noise:
    """Make noise that never returns, with daily steps between ``low`` and ``high``, on top of daily noise."""

    def draw(rng: Rng, n: int) -> tuple[np.ndarray, np.ndarray, float]:
        step = rng.uniform(low, high)
        noise = np.cumsum(rng.normal(0, step, n)) + rng.normal(0, 0.06, n)
        return noise, step**2 * np.minimum.outer(np.arange(1, n + 1), np.arange(1, n + 1)), 0.005

    return draw


def heavy_tailed(rng: Rng, n: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Draw Student's t with five degrees of freedom: days that stand out without being events."""
    scale = rng.uniform(0.03, 0.1)
    return rng.standard_t(5, n) * scale, np.eye(n) * scale**2 * 5 / 3, 0.002


_TELESCOPE = autoregressive(0.03, 0.15)
FAMILIES = (
    Family("telescope", (20, 20_000), _TELESCOPE),
    Family("negative binomial alone", (20, 5_000), autoregressive(0, 1e-6, 0, (0.01, 0.04)), outages=0, events=(1,)),
    Family("no week", (50, 20_000), _TELESCOPE, week=0.0),
    Family("strong week", (50, 20_000), _TELESCOPE, week=0.35),
    Family("many events", (50, 20_000), autoregressive(0.03, 0.1), events=(3, 4), gap=8),
    Family("at the edges", (50, 20_000), autoregressive(0.03, 0.12), edge=True),
    Family("log-normal", (200, 20_000), autoregressive(0.05, 0.2, 0.0, (0, 0)), week=0.15),
    Family("long memory", (50, 20_000), autoregressive(0.05, 0.12, 0.6), outages=6.0),
    Family("small counts", (5, 20), autoregressive(0.0, 0.1, 0.3), typical=False),
    Family("tiny counts", (2, 5), autoregressive(0.0, 0.1, 0.3), typical=False),
    Family("noisy", (20, 5_000), autoregressive(0.1, 0.2, 0.5, (0.05, 0.2)), typical=False),
)
NULLS = (
    *FAMILIES,
    Family("random walk", (50, 20_000), random_walk(0.003, 0.015)),
    Family("weekly bursts", (50, 20_000), autoregressive(0.03, 0.12), spiked=True),
    Family("zero-inflated", (5, 200), autoregressive(0.0, 0.1, 0.3, (0.01, 0.1)), zeroes=0.25),
    Family("heavy tails", (50, 20_000), heavy_tailed),
)


def simulate(family: Family, rng: Rng, *, null: bool = False) -> Quarterly:
    """Draw one quarter of a family."""
    quarter = Quarter(2023, int(rng.integers(1, 5)))
    n = len(quarter.days)
    truths = [] if null else draw_events(rng, n, int(rng.choice(family.events)), family.gap, family.edge)
    level = float(np.exp(rng.uniform(*np.log(family.levels))))
    noise, covariance, dispersion = family.noise(rng, n)
    log_mean = np.log(level) + noise + _week(family, rng, n, quarter) + sum(truth.effect for truth in truths)
    sensors, whole = _sensors(family, rng, n)
    mean = np.exp(log_mean) * sensors / whole * (rng.random(n) >= family.zeroes)
    rate = rng.gamma(1 / dispersion, dispersion, n) * mean if dispersion else mean
    counts = rng.poisson(rate)
    at = np.flatnonzero(sensors)
    # What happens while no sensor is up did not happen to anyone who looks at the series.
    truths = [truth for truth in truths if np.abs(truth.effect[at]).sum() > 0.5 * np.abs(truth.effect).sum()]
    packets = tuple(int(c) if s else None for c, s in zip(counts, sensors, strict=True))
    per_sensor = tuple(c / int(s) if c is not None else None for c, s in zip(packets, sensors, strict=True))
    expected = np.maximum(level * sensors / whole, 0.1)
    covariance = (covariance + np.diag(dispersion + 1 / expected))[np.ix_(at, at)]
    return Quarterly(DailySeries(quarter.days, packets, per_sensor), truths, level, covariance, at)


def _week(family: Family, rng: Rng, n: int, quarter: Quarter) -> np.ndarray:
    """Draw a day-of-week pattern: none, a weekend, any, or one day that stands out."""
    weekdays = np.array([(quarter.first_day + timedelta(days=day)).weekday() for day in range(n)])
    pattern = np.zeros(7)
    form = rng.integers(0, 3)
    if form == 0:
        pattern[5:] = -abs(rng.normal(0, 2 * family.week))
    elif form == 1:
        pattern = rng.normal(0, family.week, 7)
    if family.spiked:
        pattern[rng.integers(0, 7)] += rng.uniform(np.log(2), np.log(5))
    return pattern[weekdays]


def _sensors(family: Family, rng: Rng, n: int) -> tuple[np.ndarray, int]:
    """Draw the sensors up on each day: some fail for days or weeks, now and then all of them; some are added."""
    whole = int(rng.integers(2, 40))
    sensors = np.full(n, whole)
    for _ in range(rng.poisson(family.outages)):
        start, length = int(rng.integers(0, n)), int(rng.integers(1, 25))
        sensors[start : start + length] -= int(rng.integers(1, max(2, whole // 2)))
    if family.outages and rng.random() < 0.1:
        sensors[int(rng.integers(10, n - 10)) :] += int(rng.integers(1, whole + 1))
    sensors = np.maximum(sensors, 1)
    if rng.random() < 0.2 * min(family.outages, 1):
        start = int(rng.integers(0, n - 5))
        sensors[start : start + int(rng.integers(1, 6))] = 0
    return sensors, whole
