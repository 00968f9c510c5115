"""Whether the intervals of ratios and ranks cover what they claim.

    python benchmarks/intervals.py [--quarters N] [--seed S] [--write]

Ratios: quarters of the second simulator without events, each multiplied by a known step; the 95 % interval of a
10-day ratio, of the quarter's growth and of a single day over ten must hold the true ratio of the expected means.
What is true is the ratio of what the traffic meant to be, not of the noise that came: day-to-day variation is
uncertainty of the ratio.

Ranks: sensors that see different address space. A population of sensors has a true order of ports by mean packets;
each draw takes some sensors and thirteen weeks from it, as a telescope does, and the interval of each of the first
ten ranks must hold the port's true rank, the "close" mark must stand where neighbours are in the wrong order.
"""

from __future__ import annotations

import argparse
import datetime
import platform
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np
from event_series.worlds import WORLDS, World, simulate_world

from tsubame.analysis.ranking import RANK_DRAWS, _Cells, _with_intervals
from tsubame.analysis.ratios import growth, ratio_of_means
from tsubame.analysis.results import DailySeries, Interval, Ratio
from tsubame.periods import Window

HELD_OUT = 7000
PORTS, WEEKS = 40, 13
RATIOS = ("10 days / 10 days", "last 10 / first 10", "one day / 10 days")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quarters", type=int, default=150, help="of each world; as many draws of each population")
    parser.add_argument("--seed", type=int, default=HELD_OUT)
    parser.add_argument("--write", action="store_true", help="write the tables to benchmarks/results/")
    arguments = parser.parse_args()
    report = "\n".join(run(arguments.quarters, arguments.seed)) + "\n"
    print(report)
    if arguments.write:
        name = f"{datetime.date.today()}-intervals.md"
        (Path(__file__).parent / "results" / name).write_text(report, encoding="utf-8")


def run(quarters: int, seed: int) -> Iterator[str]:
    """Measure everything and return the lines of the report."""
    yield f"# Intervals, {datetime.date.today()}"
    yield ""
    versions = f"Python {platform.python_version()}, numpy {version('numpy')}"
    yield f"{versions}; {quarters} quarters of each world, seed {seed}."
    yield ""
    yield from (__doc__ or "").splitlines()[4:]
    yield ""
    yield from ratios_table(quarters, seed)
    yield from ranks_table(quarters, seed)


def ratios_table(quarters: int, seed: int) -> Iterator[str]:
    """Show for each world how often each kind of ratio's interval holds the truth."""
    yield "## Ratios, claimed 95 %"
    yield ""
    yield "In brackets the median width: upper / lower end."
    yield ""
    yield f"| world | {' | '.join(RATIOS)} |"
    yield f"|---|{'---|' * len(RATIOS)}"
    everything: list[list[tuple[bool, float]]] = [[] for _ in RATIOS]
    for number, world in enumerate(WORLDS):
        found: list[list[tuple[bool, float]]] = [[] for _ in RATIOS]
        for index in range(quarters):
            for place, hit in enumerate(_ratios(world, np.random.default_rng((seed, number, index)))):
                if hit is not None:
                    found[place].append(hit)
        yield f"| {world.name} | {' | '.join(map(_cell, found))} |"
        if world.typical:
            for place, hits in enumerate(found):
                everything[place] += hits
    yield f"| **range asked for** | {' | '.join(map(_cell, everything))} |"
    yield ""


def _cell(hits: list[tuple[bool, float]]) -> str:
    held, width = np.array([hit[0] for hit in hits]), np.array([hit[1] for hit in hits])
    return f"{held.mean():.3f} ({np.median(width):.2f})"


def _ratios(world: World, rng: np.random.Generator) -> Iterator[tuple[bool, float] | None]:
    """Yield for each kind of ratio whether its interval holds the truth, and how wide it is."""
    steady = replace(world, week=0.0, wandering=0.0)
    quarter = simulate_world(steady, rng, null=True)
    days = quarter.series.days
    at, factor = int(rng.integers(20, 70)), float(np.exp(rng.uniform(np.log(0.3), np.log(6))))
    series = _stepped(quarter.series, at, factor, rng)
    before = Window(days[at] - timedelta(days=10), days[at] - timedelta(days=1))
    after = Window(days[at], days[at] + timedelta(days=9))
    yield _held(ratio_of_means(series, after, before), factor)
    yield _held(growth(series), factor)
    yield _held(ratio_of_means(series, Window(days[at], days[at]), before), factor)


def _stepped(series: DailySeries, at: int, factor: float, rng: np.random.Generator) -> DailySeries:
    """Return the series with what came after a day multiplied: kept by chance where fewer, drawn anew where more."""
    packets = list(series.packets)
    for day in range(at, len(packets)):
        counted = packets[day]
        if counted is not None:
            extra = rng.poisson(counted * (factor - 1)) if factor > 1 else 0
            packets[day] = counted + int(extra) if factor > 1 else int(rng.binomial(counted, factor))
    pairs = zip(packets, series.packets, series.per_sensor, strict=True)
    means = [None if n is None or not was or mean is None else n * mean / was for n, was, mean in pairs]
    means = [0.0 if mean is None and n is not None else mean for mean, n in zip(means, packets, strict=True)]
    return DailySeries(series.days, tuple(packets), tuple(means))


def _held(ratio: Ratio, truth: float) -> tuple[bool, float] | None:
    interval: Interval | None = ratio.interval
    return None if interval is None else (interval[0] <= truth <= interval[1], interval[1] / interval[0])


def ranks_table(draws: int, seed: int) -> Iterator[str]:
    """Show how often rank intervals hold the true rank, and what the "close" mark catches."""
    yield f"## Ranks, claimed 95 %: {PORTS} ports, {RANK_DRAWS} resamples of sensors × 7-day blocks"
    yield ""
    yield "| sensors | unlike by | covered, ranks 1–10 | mean width | wrong neighbours marked close | right ones, too |"
    yield "|---|---|---|---|---|---|"
    for place, (sensors, unlike) in enumerate([(5, 0.2), (10, 0.2), (10, 0.5), (20, 0.2), (20, 0.5), (50, 0.5)]):
        covered, width, wrong, right = [], [], [], []
        for draw in range(draws):
            rng = np.random.default_rng((seed, 200 + place, draw))
            held, marks = _ranked(rng, sensors, unlike)
            covered += [low <= truth <= high for truth, low, high in held]
            width += [high - low + 1 for _, low, high in held]
            wrong += [close for swapped, close in marks if swapped]
            right += [close for swapped, close in marks if not swapped]
        yield (
            f"| {sensors} | {unlike} | {np.mean(covered):.3f} | {np.mean(width):.2f} | "
            f"{np.mean(wrong) if wrong else 1:.2f} of {len(wrong)} | {np.mean(right):.2f} |"
        )
    yield ""


def _ranked(
    rng: np.random.Generator, sensors: int, unlike: float
) -> tuple[list[tuple[int, int, int]], list[tuple[bool, bool]]]:
    """Draw a telescope; return true rank and interval of its first ten, and of neighbours: swapped, marked close."""
    level = np.sort(np.exp(rng.normal(8, 1, PORTS)))[::-1]
    sees = np.exp(rng.normal(-(unlike**2) / 2, unlike, (PORTS, sensors)))
    weeks = np.exp(rng.normal(0, 0.2, (PORTS, 1, WEEKS)))
    packets = rng.poisson(level[:, None, None] * sees[:, :, None] * weeks)
    totals = packets.sum(axis=(1, 2))
    order = np.argsort(-totals, kind="stable")
    thing, sensor, week = (axis.ravel() for axis in np.indices(packets.shape))
    ranking = _with_intervals(order, totals, _Cells(thing, packets.ravel(), week, sensor), rng)
    held = [(int(thing) + 1, int(ranking.low[i]), int(ranking.high[i])) for i, thing in enumerate(order[:10])]
    marks = [(bool(order[i] > order[i + 1]), bool(ranking.close[i])) for i in range(10)]
    return held, marks


if __name__ == "__main__":
    main()
