"""How well events are found: simulated quarters, the detector against a trailing ten-day z-score.

Run ``python benchmarks/events.py [--series N] [--seed S]``. Series are negative binomial counts on a level
with a day-of-week pattern, AR(1) variation and sensors that go down; two thirds of the quarters have one or two
events of the sizes that a report is about, one third none. The seeds that set the detector's thresholds are
below 1000; the table of results is of seed 2000.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import date

import numpy as np

from tsubame.analysis.events import THRESHOLD, TOP_THRESHOLD, detect_events
from tsubame.analysis.results import DailySeries
from tsubame.analysis.templates import BURST, DECAY, GRADUAL, SHIFT
from tsubame.periods import Quarter

DAYS = Quarter(2023, 1).days
N = len(DAYS)
TOLERANCE_DAYS = {SHIFT: 3, BURST: 3, DECAY: 3, GRADUAL: 15}


@dataclass(frozen=True)
class Truth:
    """An event that was put in."""

    kind: str
    onset: int
    end: int
    factor: float


def simulate(rng: np.random.Generator, events: int) -> tuple[DailySeries, list[Truth]]:
    """Return a quarter with so many events."""
    level = np.exp(rng.uniform(np.log(20), np.log(5000)))
    log_mean = np.log(level) + rng.normal(0, 0.06, 7)[(np.arange(N) + 6) % 7]
    truths: list[Truth] = []
    for _ in range(100):
        if len(truths) == events:
            break
        truth, shape = draw_event(rng)
        if all(truth.onset > t.end + 12 or t.onset > truth.end + 12 for t in truths):
            truths.append(truth)
            log_mean = log_mean + shape
    correlation, spread = rng.uniform(0, 0.5), rng.uniform(0.03, 0.15)
    noise = np.zeros(N)
    for day in range(N):
        step = rng.normal(0, spread * np.sqrt(1 - correlation**2))
        noise[day] = correlation * noise[day - 1] + step if day else rng.normal(0, spread)
    sensors = np.full(N, 20)
    for _ in range(rng.integers(0, 3)):
        start = rng.integers(0, N - 5)
        sensors[start : start + rng.integers(1, 6)] -= rng.integers(1, 8)
    if rng.random() < 0.2:
        start = rng.integers(0, N - 2)
        sensors[start : start + rng.integers(1, 3)] = 0
    mean = np.exp(log_mean + noise) * sensors / 20
    size = 1 / rng.uniform(0.0005, 0.01)
    counts = rng.negative_binomial(size, size / (size + np.maximum(mean, 1e-9)))
    packets = tuple(int(c) if s else None for c, s in zip(counts, sensors, strict=True))
    per_sensor = tuple(c / s if s and c is not None else None for c, s in zip(packets, sensors, strict=True))
    return DailySeries(DAYS, packets, per_sensor), truths


def draw_event(rng: np.random.Generator) -> tuple[Truth, np.ndarray]:
    """Draw an event of a size that a report is about, and its effect on the logarithm of the level."""
    days = np.arange(N)
    kind = str(rng.choice([SHIFT, BURST, DECAY, GRADUAL]))
    if kind == SHIFT:
        onset = int(rng.integers(10, N - 10))
        factor = float(rng.uniform(2, 8)) ** (1 if rng.random() < 0.6 else -1)
        return Truth(kind, onset, N, factor), np.log(factor) * (days >= onset)
    if kind == BURST:
        onset, length = int(rng.integers(7, N - 25)), int(rng.integers(1, 15))
        factor = float(rng.uniform(3, 12))
        inside = (days >= onset) & (days < onset + length)
        return Truth(kind, onset, onset + length - 1, factor), np.log(factor) * inside
    if kind == DECAY:
        onset, rise, fall = int(rng.integers(7, N - 30)), int(rng.integers(0, 5)), float(rng.uniform(3, 12))
        factor = float(rng.uniform(3, 12))
        since = days - onset
        added = np.where(since <= rise, (since + 1) / (rise + 1), np.exp(-(since - rise) / fall))
        added[since < 0] = 0
        return Truth(kind, onset, int(onset + rise + 2.3 * fall), factor), np.log1p((factor - 1) * added)
    onset, length = int(rng.integers(0, N - 45)), int(rng.integers(30, 75))
    factor = float(rng.uniform(2, 5))
    return Truth(kind, onset, N, factor), np.log(factor) * np.clip((days - onset + 1) / length, 0, 1)


def trailing_z_score(series: DailySeries) -> list[tuple[str, int]]:
    """Return the days that lie 3 deviations from the ten days before, first days of each run only."""
    values = np.array(series.per_sensor, np.float64)
    hits = []
    for day in range(10, N):
        before = values[day - 10 : day]
        z = (values[day] - np.nanmean(before)) / max(np.nanstd(before), 1e-9)
        if abs(z) > 3 and not (hits and day - hits[-1] <= 3):
            hits.append(day)
    return [("any", day) for day in hits]


@dataclass
class Score:
    """What a detector got right."""

    found: dict[str, int]
    put_in: dict[str, int]
    kinds: int = 0
    claims: int = 0
    true_claims: int = 0
    null_series: int = 0
    null_claims: int = 0
    covered: int = 0
    measured: int = 0


def score(detector: object, seed: int, series: int) -> tuple[Score, list[int], float]:
    """Run a detector on simulated quarters."""
    rng = np.random.default_rng(seed)
    total = Score(defaultdict(int), defaultdict(int))
    errors: list[int] = []
    spent = 0.0
    for number in range(series):
        values, truths = simulate(rng, (0, 1, 2)[number % 3])
        start = time.process_time()
        claims = detector(values)  # type: ignore[operator]
        spent += time.process_time() - start
        if not truths:
            total.null_series += 1
            total.null_claims += len(claims)
        total.claims += len(claims) if truths else 0
        matched: set[int] = set()
        for truth in truths:
            total.put_in[truth.kind] += 1
            near = [
                (abs(claim[1] - truth.onset), place)
                for place, claim in enumerate(claims)
                if abs(claim[1] - truth.onset) <= TOLERANCE_DAYS[truth.kind] and place not in matched
            ]
            if near:
                error, place = min(near)
                matched.add(place)
                total.found[truth.kind] += 1
                total.kinds += claims[place][0] in (truth.kind, "any")
                if truth.kind != GRADUAL:
                    errors.append(error)
                if len(claims[place]) > 2:
                    total.measured += 1
                    low, high = claims[place][2]
                    total.covered += low <= truth.onset <= high
        total.true_claims += len(matched)
    return total, errors, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=600)
    parser.add_argument("--seed", type=int, default=2000)
    arguments = parser.parse_args()

    def ours(threshold: float) -> object:
        def detect(series: DailySeries) -> list[tuple[str, int, tuple[int, int]]]:
            def at(day: date) -> int:
                return (day - DAYS[0]).days

            return [
                (e.kind, at(e.onset), (at(e.onset_interval[0]), at(e.onset_interval[1])))
                for e in detect_events(series, threshold=threshold)
            ]

        return detect

    detectors = {
        f"templates, {THRESHOLD:g}": ours(THRESHOLD),
        f"templates, {TOP_THRESHOLD:g}": ours(TOP_THRESHOLD),
        "trailing z-score": trailing_z_score,
    }
    print("| detector | recall | by kind | right kind | precision | per null series | onset error | covered | ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, detector in detectors.items():
        total, errors, spent = score(detector, arguments.seed, arguments.series)
        put_in = sum(total.put_in.values())
        found = sum(total.found.values())
        by_kind = ", ".join(f"{k} {total.found[k] / n:.2f}" for k, n in sorted(total.put_in.items()))
        ends = f"median {np.median(errors):.0f}, 90 % {np.quantile(errors, 0.9):.0f}" if errors else "-"
        covered = f"{total.covered / total.measured:.2f}" if total.measured else "-"
        print(
            f"| {name} | {found / put_in:.3f} | {by_kind} | {total.kinds / max(found, 1):.2f} | "
            f"{total.true_claims / max(total.claims, 1):.3f} | {total.null_claims / total.null_series:.3f} | "
            f"{ends} | {covered} | {1000 * spent / arguments.series:.1f} |"
        )


if __name__ == "__main__":
    main()
