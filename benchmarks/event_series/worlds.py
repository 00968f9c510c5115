"""A second simulator, written to disagree with the first one: ``families`` shares nothing with it but the scoring.

Here a series is a sum over sensors, none like another, each with its own level, week and failures, and what one sends
is a number of sources with packets each, so that counts are overdispersed without anyone choosing how. Noise is
multiplied in as each world has it. Events begin at any hour of their first day, are added to the level as often as
they multiply it, and have shapes of their own: trapezoids, gamma-shaped rises and falls, hyperbolic decays, logistic
ramps. Sensors see them alike within a spread. What the detector was looked at with has seeds below 1000.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from event_series.families import Quarterly
from event_series.shapes import BURST, DECAY, GRADUAL, SHIFT, Truth
from tsubame.analysis.results import DailySeries
from tsubame.analysis.series import sensors_worth
from tsubame.periods import Quarter

Rng = np.random.Generator
Multiplier = Callable[[Rng, int], np.ndarray]

EDGE_DAYS = 10
LONGEST_CUT = 3


@dataclass(frozen=True)
class World:
    """One kind of simulated quarter.

    Attributes:
        levels: packets a day of all sensors, drawn log-uniformly between these.
        noise: draws (days,) float64 by which the level is multiplied.
        week: standard deviation of the logarithm of a weekday.
        wandering: the same of what a weekday changes by from week to week.
        per_source: packets of a source on a day, drawn between these; 1 makes counts Poisson.
        missing: share of all days without any sensor up.
        failing: failures of a sensor in the quarter, of a day to three weeks.
        unlike: standard deviation of the logarithm of a sensor's level.
        known: whether packets are known by sensor, as they are of the series that a report tells of.
        edge: every event begins within ``EDGE_DAYS`` of an end of the quarter.
        typical: part of the range asked for.
    """

    name: str
    levels: tuple[float, float]
    noise: Multiplier
    week: float = 0.1
    wandering: float = 0.0
    per_source: tuple[float, float] = (1.0, 5.0)
    missing: float = 0.0
    failing: float = 0.2
    unlike: float = 0.2
    known: bool = True
    edge: bool = False
    typical: bool = True


def steady(_: Rng, n: int) -> np.ndarray:
    """Add nothing to what sources do."""
    return np.ones(n)


def log_normal(low: float, high: float, correlated: float = 0.0) -> Multiplier:
    """Multiply by log-normal noise, correlated from day to day by up to ``correlated``."""

    def draw(rng: Rng, n: int) -> np.ndarray:
        spread, correlation = rng.uniform(low, high), rng.uniform(0, correlated) if correlated else 0.0
        noise = rng.normal(0, spread, n)
        for day in range(1, n):
            noise[day] = correlation * noise[day - 1] + np.sqrt(1 - correlation**2) * noise[day]
        return np.exp(noise)

    return draw


def mixture(rng: Rng, n: int) -> np.ndarray:
    """Draw days of two kinds: ordinary ones, and some in which a few more scanners are about."""
    more = 1 + rng.uniform(0.1, 0.35) * (rng.random(n) < rng.uniform(0.05, 0.4))
    return more * rng.gamma(100, 0.01, n)


def outliers(rng: Rng, n: int) -> np.ndarray:
    """Draw single days that stand out, by a Pareto tail cut at ×1.9, among quiet ones."""
    out = rng.random(n) < 0.04
    return np.exp(rng.normal(0, 0.06, n)) * np.where(out, np.minimum(1.15 + 0.15 * rng.pareto(2.0, n), 1.9), 1.0)


def drifting(rng: Rng, n: int) -> np.ndarray:
    """Let the level wander by up to a fifth over the quarter: a slow wave, or a line."""
    day = np.arange(n) / n
    size = rng.uniform(0.05, 0.2)
    slow = size * (day - 0.5) if rng.random() < 0.5 else 0.5 * size * np.sin(2 * np.pi * (day + rng.random()))
    return np.exp(slow + rng.normal(0, rng.uniform(0.03, 0.1), n))


def wandering(rng: Rng, n: int) -> np.ndarray:
    """Let the level walk at random, by a hundredth a day."""
    return np.exp(np.cumsum(rng.normal(0, rng.uniform(0.003, 0.012), n)) + rng.normal(0, 0.05, n))


def empty_days(rng: Rng, n: int) -> np.ndarray:
    """Let a tenth to a quarter of the days have nothing."""
    return (rng.random(n) >= rng.uniform(0.1, 0.25)) * np.exp(rng.normal(0, 0.08, n))


WORLDS = (
    World("sources", (300, 1e5), steady, per_source=(1, 30)),
    World("multiplied", (100, 1e6), log_normal(0.03, 0.2, 0.5)),
    World("two kinds of days", (50, 1e5), mixture),
    World("outlying days", (100, 1e5), outliers),
    World("changing weeks", (100, 1e5), log_normal(0.03, 0.1), week=0.2, wandering=0.08),
    World("drift", (50, 1e6), drifting),
    World("missing days", (50, 1e5), log_normal(0.03, 0.12, 0.4), missing=0.08),
    World("failing sensors", (50, 1e5), log_normal(0.03, 0.1), failing=1.5),
    World("huge and still", (1e5, 1e6), log_normal(0.005, 0.02)),
    World("at the edges", (50, 1e5), log_normal(0.03, 0.12, 0.4), edge=True),
    World("small, Poisson", (5, 20), steady, per_source=(1, 1)),
    World("small, of few sources", (5, 20), steady, per_source=(2, 4), typical=False),
    World("empty days", (20, 1000), empty_days, typical=False),
    World("unlike sensors failing", (50, 1e5), log_normal(0.03, 0.1), failing=1.0, unlike=1.0),
    World(
        "the same, worth unknown", (50, 1e5), log_normal(0.03, 0.1), failing=1.0, unlike=1.0, known=False, typical=False
    ),
    World("walk", (50, 1e5), wandering, typical=False),
)


def simulate_world(world: World, rng: Rng, *, null: bool = False) -> Quarterly:
    """Draw one quarter."""
    quarter = Quarter(2024, int(rng.integers(1, 5)))
    days = quarter.days
    n = len(days)
    level = float(np.exp(rng.uniform(*np.log(world.levels))))
    truths = [] if null else _draw(world, rng, n)
    base = level * world.noise(rng, n) * _weeks(world, rng, days)
    mean = _with_events(rng, base, truths)
    up, weights = _sensors(world, rng, n)
    per_source = rng.uniform(*world.per_source)
    spread = np.exp(rng.normal(0, 0.05, up.shape))
    sources = rng.poisson(weights[:, None] * spread * mean / per_source)
    packets = np.where(sources > 0, _packets(rng, sources, per_source), 0)
    packets = packets * up
    counted = packets.sum(axis=0)
    sensors = up.sum(axis=0)
    at = np.flatnonzero(sensors)
    truths = [truth for truth in truths if np.abs(truth.effect[at]).sum() > 0.5 * np.abs(truth.effect).sum()]
    series = DailySeries(
        days,
        tuple(int(count) if s else None for count, s in zip(counted, sensors, strict=True)),
        tuple(float(count) / int(s) if s else None for count, s in zip(counted, sensors, strict=True)),
        tuple(sensors_worth(packets, up).tolist()) if world.known else None,
    )
    # What an oracle would know: of no use here, where noise is no Gaussian process.
    return Quarterly(series, truths, level, np.eye(len(at)), at)


def _packets(rng: Rng, sources: np.ndarray, per_source: float) -> np.ndarray:
    """Draw the packets of some sources: at least one of each, geometric beyond that."""
    if per_source <= 1:
        return sources
    return sources + rng.negative_binomial(np.maximum(sources, 1), 1 / per_source)


def _weeks(world: World, rng: Rng, days: tuple[date, ...]) -> np.ndarray:
    weeks = -(-len(days) // 7) + 1
    pattern = rng.normal(0, world.week, 7) + np.cumsum(rng.normal(0, world.wandering, (weeks, 7)), axis=0)
    place = (days[0].weekday() + np.arange(len(days))) // 7
    return np.exp(pattern[place, np.array([day.weekday() for day in days])])


def _sensors(world: World, rng: Rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw which sensors are up, (sensors, days) bool, and each one's part of the level."""
    number = int(rng.integers(3, 30))
    weights = np.exp(rng.normal(0, world.unlike, number))
    up = np.ones((number, n), bool)
    for sensor in range(number):
        for _ in range(rng.poisson(world.failing)):
            start = int(rng.integers(0, n))
            up[sensor, start : start + int(rng.integers(1, 22))] = False
    if world.missing:
        up[:, rng.random(n) < world.missing] = False
    return up, weights / weights.sum()


def _with_events(rng: Rng, base: np.ndarray, truths: list[Truth]) -> np.ndarray:
    """Let events multiply the level, or add as much to each day as they add to an ordinary one of theirs."""
    mean = base.copy()
    for truth in truths:
        times = np.exp(truth.effect)
        if rng.random() < 0.5 and truth.factor > 1:
            its = mean[(truth.effect > 0) & (mean > 0)]
            mean = mean + float(np.exp(np.log(its).mean())) * (times - 1)
        else:
            mean = mean * times
    return mean


def _draw(world: World, rng: Rng, n: int) -> list[Truth]:
    """Draw one to three events that leave each other ten days; at an edge one."""
    if world.edge:
        return [_at_edge(rng, n)]
    truths: list[Truth] = []
    for _ in range(200):
        if len(truths) == 1 + int(rng.integers(0, 3)):
            break
        truth = (_shift, _burst, _decay, _ramp)[int(rng.integers(0, 4))](rng, n, None)
        if all(_apart(truth, other) for other in truths):
            truths.append(truth)
    return sorted(truths, key=lambda truth: truth.onset)


def _apart(one: Truth, other: Truth) -> bool:
    """Say whether events leave each other ten days; two shifts within three weeks may be a burst."""
    gap = 22 if one.kind == other.kind == SHIFT else 10
    first, second = sorted((one, other), key=lambda truth: truth.onset)
    last = first.onset if first.kind == SHIFT else first.end
    return second.onset > last + gap


def _at_edge(rng: Rng, n: int) -> Truth:
    """Draw an event that begins in the first or the last ten days.

    What lasts to the end for longer than three days may stay, as far as anyone can see: it is a shift. A spike has a
    week in which to fall.
    """
    draw = (_shift, _burst, _decay)[int(rng.integers(0, 3))]
    first, last = {_shift: (5, 5), _burst: (2, 1), _decay: (2, 8)}[draw]
    late = rng.random() < 0.5
    onset = n - int(rng.integers(last, EDGE_DAYS + 1)) if late else int(rng.integers(first, EDGE_DAYS + 1))
    truth = draw(rng, n, onset)
    lasting = truth.kind == BURST and truth.end == n - 1 and n - onset > LONGEST_CUT
    return replace(truth, kind=SHIFT) if lasting else truth


def _first_day(rng: Rng) -> float:
    """Return the part of an onset's day that is left when it begins; an onset late in the day is the next day's."""
    return float(rng.uniform(0.5, 1.0))


def _factor(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _shift(rng: Rng, n: int, onset: int | None) -> Truth:
    at = int(rng.integers(EDGE_DAYS, n - EDGE_DAYS + 1)) if onset is None else onset
    factor = _factor(rng, 2, 10)
    factor = factor if rng.random() < 0.6 else 1 / factor
    times = np.where(np.arange(n) >= at, factor, 1.0)
    times[at] = 1 + (factor - 1) * _first_day(rng)
    return Truth(SHIFT, at, n - 1, factor, np.log(times))


def _burst(rng: Rng, n: int, onset: int | None) -> Truth:
    """Draw a trapezoid: full but for its first and last day."""
    length = int(rng.integers(1, 15))
    at = int(rng.integers(5, n - length - 4)) if onset is None else onset
    length = min(length, n - at)
    factor = _factor(rng, 3, 20)
    times = np.ones(n)
    times[at : at + length] = factor
    if length > 2:
        for edge in (at, at + length - 1):
            times[edge] = 1 + (factor - 1) * _first_day(rng)
    return Truth(BURST, at, at + length - 1, factor, np.log(times))


def _decay(rng: Rng, n: int, onset: int | None) -> Truth:
    """Draw a rise to a peak and a hyperbolic or gamma-shaped fall."""
    at = int(rng.integers(5, n - 20)) if onset is None else onset
    factor, days = _factor(rng, 3, 20), float(rng.uniform(2.5, 8))
    since = np.arange(n) - at
    late = at > n - 20
    if late or rng.random() < 0.5:
        rise = 0 if late else int(rng.integers(0, 4))
        days = min(days, 3.0) if late else days
        added = np.where(since <= rise, (since + 1) / (rise + 1), (1 + np.maximum(since - rise, 0) / days) ** -1.5)
    else:
        scaled = (np.maximum(since, 0) + 1) / days
        added = scaled * np.exp(1 - scaled)
        added /= added[at:].max()
    added = np.where(since < 0, 0.0, added)
    times = 1 + (factor - 1) * added
    effect = np.log(times)
    return Truth(DECAY, at, int(np.flatnonzero(effect >= 0.1 * np.log(factor))[-1]), factor, effect)


def _ramp(rng: Rng, n: int, onset: int | None) -> Truth:
    """Draw a logistic or straight ramp of 30 days or more."""
    length = int(rng.integers(30, n - 5))
    at = int(rng.integers(0, n - length + 1)) if onset is None else onset
    factor = _factor(rng, 2, 6)
    factor = factor if rng.random() < 0.75 else 1 / factor
    part = np.clip((np.arange(n) - at + 1) / length, 0.0, 1.0)
    if rng.random() < 0.5:
        curve = 1 / (1 + np.exp(-7 * (part - 0.5)))
        part = (curve - curve.min()) / (curve.max() - curve.min())
        # It begins and ends, to anyone who looks, where a tenth of it is seen and is missing.
        at = int(np.flatnonzero(part >= 0.1)[0])
    return Truth(GRADUAL, at, int(np.flatnonzero(part >= 0.9)[0]), factor, np.log1p((factor - 1) * part))
