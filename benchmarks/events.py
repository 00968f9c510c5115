"""How well events of a daily series are found, against segmentation (ruptures) and a trailing ten-day z-score.

    python benchmarks/events.py [--quarters N] [--nulls N] [--compared N] [--seed S] [--write]

Series are simulated: families of noise, levels and outages in ``event_series/families.py``, events with other
formulas than the detector's templates in ``event_series/shapes.py``. What thresholds and rules were chosen on has
seeds below 1000; results are of seed 5000. A claim matches an event when it is of its kind and its onset lies within
3 days (15 where one of the two is a ramp); "located" asks for the onset alone. Every other claim is false. A detector
that knows no kinds matches any, and what it says between an event's onset and end counts neither way.

The first bound is that of a likelihood ratio test which knows the event's shape and onset and the noise, and claims
something in 1 % of the series without events: no detector finds more. The second is that of one which knows the noise
but must search: it tries about 1,000 independent shapes. Neither has to say of which kind the event is.
"Worlds" are of a second simulator (``event_series/worlds.py``) that shares nothing with the first but the scoring.
Times are CPU seconds of one process.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from event_series.detectors import segment_counts, segment_logarithm, templates, trailing_z_score
from event_series.families import FAMILIES, NULLS, simulate
from event_series.scoring import Detector, Found, Tally, judge
from event_series.shapes import GRADUAL, KINDS
from event_series.worlds import EDGE_DAYS, WORLDS, simulate_world

from tsubame.analysis.events import THRESHOLD, TOP_THRESHOLD

HELD_OUT = 5000
QUARTER_DAYS = 90
Z_ONE_PERCENT = 2.326
SEARCHED = 19.5
"""What twice the log likelihood must rise by if one of about 1,000 independent shapes is to do so by chance in 1 %."""

BANDS: dict[str, list[tuple[str, Callable[[Found], bool]]]] = {
    "packets a day": [
        (f"{low:,}–{high:,}", lambda f, low=low, high=high: low <= f.level < high)  # type: ignore[misc]
        for low, high in ((2, 5), (5, 20), (20, 100), (100, 1000), (1000, 20_001))
    ],
    "size": [
        (f"×{low}–{high}", lambda f, low=low, high=high: low <= max(f.truth.factor, 1 / f.truth.factor) < high)  # type: ignore[misc]
        for low, high in ((2, 3), (3, 5), (5, 16))
    ],
    "worth to the oracle": [
        (f"{low}–{high}", lambda f, low=low, high=high: low <= f.oracle < high)  # type: ignore[misc]
        for low, high in ((0, 30), (30, 60), (60, 120), (120, np.inf))
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quarters", type=int, default=20, help="with events, of each family")
    parser.add_argument("--nulls", type=int, default=20, help="without events, of each family")
    parser.add_argument("--compared", type=int, default=4, help="of each family, for the other detectors")
    parser.add_argument("--seed", type=int, default=HELD_OUT)
    parser.add_argument("--write", action="store_true", help="write the tables to benchmarks/results/")
    arguments = parser.parse_args()
    report = "\n".join(run(arguments.quarters, arguments.nulls, arguments.compared, arguments.seed)) + "\n"
    print(report)
    if arguments.write:
        results = Path(__file__).parent / "results"
        (results / f"{datetime.date.today()}-events.md").write_text(report, encoding="utf-8")


def run(quarters: int, nulls: int, compared: int, seed: int) -> Iterator[str]:
    """Measure everything and return the lines of the report."""
    yield f"# Events, {datetime.date.today()}"
    yield ""
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "ruptures"))
    yield f"Python {platform.python_version()}, {platform.machine()}, {versions}."
    yield f"{quarters} quarters with events and {nulls} without of each family, seed {seed};"
    yield f"the comparison of detectors on {compared} of each."
    yield ""
    yield from (__doc__ or "").splitlines()[4:]
    yield ""
    tallies, spent = with_events(templates(THRESHOLD), seed, quarters)
    typical = total(tallies[family.name] for family in FAMILIES if family.typical)
    yield from detectors_table(typical, seed, compared)
    yield from families_table(tallies, typical)
    yield from bands_table(total(tallies.values()))
    yield from intervals_table(total(tallies.values()))
    yield from worlds_table(seed, quarters, nulls)
    seconds = spent / (quarters * len(FAMILIES))
    yield from nulls_table(seed, nulls, seconds)


def with_events(
    detector: Detector, seed: int, quarters: int, names: set[str] | None = None
) -> tuple[dict[str, Tally], float]:
    """Run a detector on quarters with events; return what it did and the CPU seconds that it took."""
    tallies = {family.name: Tally() for family in FAMILIES if names is None or family.name in names}
    spent = 0.0
    for number, family in enumerate(FAMILIES):
        for index in range(quarters if family.name in tallies else 0):
            quarter = simulate(family, np.random.default_rng((seed, number, index)))
            start = time.process_time()
            claims = detector(quarter.series)
            spent += time.process_time() - start
            judge(tallies[family.name], quarter, claims)
    return tallies, spent


def without_events(detector: Detector, seed: int, quarters: int, names: set[str]) -> tuple[dict[str, int], float]:
    """Run a detector on quarters without events; return its claims by family and the CPU seconds that it took."""
    claims = {family.name: 0 for family in NULLS if family.name in names}
    spent = 0.0
    for number, family in enumerate(NULLS):
        for index in range(quarters if family.name in claims else 0):
            series = simulate(family, np.random.default_rng((seed + 1, number, index)), null=True).series
            start = time.process_time()
            claims[family.name] += len(detector(series))
            spent += time.process_time() - start
    return claims, spent


def total(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up."""
    whole = Tally()
    for each in tallies:
        whole.found += each.found
        whole.claims += each.claims
        whole.matched += each.matched
        whole.placed += each.placed
        whole.series += each.series
    return whole


def detectors_table(typical: Tally, seed: int, compared: int) -> Iterator[str]:
    """Compare the detectors on the families that are the issue's range."""
    names = {family.name for family in FAMILIES if family.typical}
    yield "## Detectors, on the families of the range asked for"
    yield ""
    yield "| detector | recall | shift | burst | spike | gradual | precision | per null series | onset error | ms |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, detector in (
        (f"templates, threshold {THRESHOLD:g}", templates(THRESHOLD)),
        (f"templates, threshold {TOP_THRESHOLD:g} (Top 5)", templates(TOP_THRESHOLD)),
        ("ruptures, PELT, squares of the logarithm", segment_logarithm),
        ("ruptures, PELT, negative binomial", segment_counts),
        ("trailing z-score, 3σ of 10 days", trailing_z_score),
    ):
        tallies, spent = with_events(detector, seed, compared, names)
        tally = total(tallies.values())
        false, more = without_events(detector, seed, compared, names)
        per_null = sum(false.values()) / (compared * len(names))
        ms = 1000 * (spent + more) / (2 * compared * len(names))
        yield f"| {name} | {_row(tally)} | {tally.precision:.3f} | {per_null:.3f} | {_errors(tally)} | {ms:.0f} |"
    yield f"| the first, on all quarters | {_row(typical)} | {typical.precision:.3f} | | {_errors(typical)} | |"
    yield ""


def _row(tally: Tally) -> str:
    return " | ".join(f"{tally.recall(kind):.3f}" for kind in (None, *KINDS))


def _errors(tally: Tally, kinds: tuple[str, ...] = KINDS[:3]) -> str:
    errors = [abs(f.onset_error) for f in tally.found if f.claim and f.truth.kind in kinds]
    return f"{np.median(errors):.0f} / {np.quantile(errors, 0.9):.0f}" if errors else "–"


def families_table(tallies: dict[str, Tally], typical: Tally) -> Iterator[str]:
    """Show each family."""
    yield "## Families"
    yield ""
    yield "Onset errors in days, median / 90th percentile, are of shifts, bursts and spikes; those of ramps are apart."
    yield "Covered: how often the 95 % intervals of matched events hold the truth."
    yield ""
    yield "| family | events | recall | located | precision | onset error | of ramps | onset covered | factor covered |"
    yield "|---|---|---|---|---|---|---|---|---|"
    asked = {f.name: f.typical for f in FAMILIES}
    rows = [(name if asked[name] else f"*{name}*", tally) for name, tally in tallies.items()]
    for name, tally in (*rows, ("**range asked for**", typical)):
        onset, factor = coverage(tally.found)
        yield (
            f"| {name} | {len(tally.found)} | {tally.recall():.3f} | {tally.recall(located=True):.3f} | "
            f"{tally.precision:.3f} | {_errors(tally)} | {_errors(tally, (GRADUAL,))} | {onset:.3f} | {factor:.3f} |"
        )
    yield ""
    yield "In italics: beyond the range, to show where it ends."
    yield ""


def coverage(found: Iterable[Found]) -> tuple[float, float]:
    """Return the shares of matched events whose onset and factor lie in the intervals claimed."""
    onset, factor = [], []
    for each in found:
        if each.claim and each.claim.onset_interval and each.claim.factor_interval:
            onset.append(each.claim.onset_interval[0] <= each.truth.onset <= each.claim.onset_interval[1])
            factor.append(each.claim.factor_interval[0] <= each.truth.factor <= each.claim.factor_interval[1])
    return (float(np.mean(onset)), float(np.mean(factor))) if onset else (np.nan, np.nan)


def bands_table(whole: Tally) -> Iterator[str]:
    """Show recall over everything, by level, size and worth, against the bound."""
    yield "## Where it ends: all families together"
    yield ""
    yield "| band | events | recall | located | bound | searching | shift | burst | spike | gradual |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for what, bands in (("all", [("", lambda _: True)]), *BANDS.items()):
        for name, belongs in bands:
            part = Tally([f for f in whole.found if belongs(f)])
            if part.found:
                recalls = (part.recall(), part.recall(located=True))
                bounds = (bound(part.found, z) for z in (Z_ONE_PERCENT, float(np.sqrt(SEARCHED))))
                kinds = (part.recall(kind) for kind in KINDS)
                cells = " | ".join("–" if np.isnan(each) else f"{each:.3f}" for each in (*recalls, *bounds, *kinds))
                yield f"| {what} {name} | {len(part.found)} | {cells} |"
    yield ""


def bound(found: list[Found], z: float) -> float:
    """Return the recall of an oracle that knows shape and noise and asks for so many standard errors."""
    from scipy.stats import norm

    roots = np.sqrt(np.array([each.oracle for each in found]))
    return float(norm.cdf(roots - z).mean())


def intervals_table(whole: Tally) -> Iterator[str]:
    """Show how often the intervals hold the truth, by kind."""
    yield "## Intervals, claimed 95 %, all families"
    yield ""
    yield "Onsets are days: where one is certain, the interval is that day and holds the truth more often than 95 %."
    yield ""
    yield "| kind | matched | onset covered | of these longer than a day | and then covered | factor covered |"
    yield "|---|---|---|---|---|---|"
    for kind in KINDS:
        found = [f for f in whole.found if f.claim and f.truth.kind == kind]
        wide = [f for f in found if f.claim and f.claim.onset_interval and len(set(f.claim.onset_interval)) > 1]
        onset, factor = coverage(found)
        yield (
            f"| {kind} | {len(found)} | {onset:.3f} | {len(wide) / max(len(found), 1):.2f} | "
            f"{coverage(wide)[0]:.3f} | {factor:.3f} |"
        )
    yield ""


def worlds_table(seed: int, quarters: int, nulls: int) -> Iterator[str]:
    """Show each world of the second simulator, with and without events."""
    yield "## Worlds: a second simulator"
    yield ""
    yield "False: events claimed per series without any, threshold 20 (≤ 0.01) and 14 (Top 5, ≤ 0.05)."
    yield ""
    yield (
        "| world | events | recall | located | precision | onset error | onset covered | factor covered | false | "
        "Top 5 |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    tallies: dict[bool, list[Tally]] = {True: [], False: []}
    claimed: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for number, world in enumerate(WORLDS):
        tally = Tally()
        for index in range(quarters):
            quarter = simulate_world(world, np.random.default_rng((seed, 100 + number, index)))
            judge(tally, quarter, templates(THRESHOLD)(quarter.series))
        false = _false_in_world(seed, number, nulls)
        tallies[world.typical].append(tally)
        claimed[world.typical].append(false)
        yield _world_row(world.name if world.typical else f"*{world.name}*", tally, false, nulls)
    typical = total(tallies[True])
    false = (sum(each[0] for each in claimed[True]), sum(each[1] for each in claimed[True]))
    yield _world_row("**range asked for**", typical, false, nulls * len(tallies[True]))
    yield ""
    edges = [f for f in typical.found if not EDGE_DAYS <= f.truth.onset < QUARTER_DAYS - EDGE_DAYS]
    edges = [f for f in edges if f.truth.kind != GRADUAL]
    kinds = ", ".join(f"{kind} {typical.recall(kind):.3f}" for kind in KINDS)
    yield f"Recall by kind: {kinds}; of the {len(edges)} that begin in the first or last ten days "
    yield f"(ramps apart) {Tally(edges).recall():.3f}."
    yield ""


def _false_in_world(seed: int, number: int, nulls: int) -> tuple[int, int]:
    """Return how many events are claimed in quarters without any, with either threshold."""
    high = low = 0
    for index in range(nulls):
        rng = np.random.default_rng((seed + 1, 100 + number, index))
        series = simulate_world(WORLDS[number], rng, null=True).series
        claims = len(templates(TOP_THRESHOLD)(series))
        low += claims
        high += len(templates(THRESHOLD)(series)) if claims else 0
    return high, low


def _world_row(name: str, tally: Tally, false: tuple[int, int], nulls: int) -> str:
    onset, factor = coverage(tally.found)
    return (
        f"| {name} | {len(tally.found)} | {tally.recall():.3f} | {tally.recall(located=True):.3f} | "
        f"{tally.precision:.3f} | {_errors(tally)} | {onset:.3f} | {factor:.3f} | "
        f"{false[0] / nulls:.4f} | {false[1] / nulls:.4f} |"
    )


def nulls_table(seed: int, nulls: int, seconds_with_events: float) -> Iterator[str]:
    """Show what is claimed where there is nothing, and what a series costs.

    The higher threshold is tried where the lower one claims something: it adds the same templates, fewer of them.
    """
    top, elsewhere = (dict.fromkeys((family.name for family in NULLS), 0) for _ in range(2))
    low, high, spent = templates(TOP_THRESHOLD), templates(THRESHOLD), 0.0
    for number, family in enumerate(NULLS):
        for index in range(nulls):
            series = simulate(family, np.random.default_rng((seed + 1, number, index)), null=True).series
            start = time.process_time()
            claims = low(series)
            spent += time.process_time() - start
            top[family.name] += len(claims)
            elsewhere[family.name] += len(high(series)) if claims else 0
    yield "## Nulls: events claimed per series without any"
    yield ""
    yield f"| family | threshold {THRESHOLD:g} (≤ 0.01) | threshold {TOP_THRESHOLD:g}, Top 5 (≤ 0.05) |"
    yield "|---|---|---|"
    for name in elsewhere:
        yield f"| {name} | {elsewhere[name] / nulls:.4f} | {top[name] / nulls:.4f} |"
    number = nulls * len(NULLS)
    yield f"| **all, {number:,} series** | {sum(elsewhere.values()) / number:.4f} | {sum(top.values()) / number:.4f} |"
    yield ""
    per_null = spent / number
    yield "## Cost"
    yield ""
    yield (
        f"{1000 * per_null:.1f} ms CPU for a series without events, {1000 * seconds_with_events:.1f} ms for one with "
        f"one to four. 5,000 series, one in five with events, on two cores: "
        f"{5000 * (0.8 * per_null + 0.2 * seconds_with_events) / 2:.0f} s; "
        f"all with events: {5000 * seconds_with_events / 2:.0f} s (asked for: 120 s)."
    )


if __name__ == "__main__":
    main()
