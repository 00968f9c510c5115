"""What the report states: typed claims, each with its numbers, windows and formula, derived from the analysis.

A claim is made only where the analysis supports it; the sentence comes from ``narrative``. Pages print the
sentences of claims and no other statement about the quarter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from tsubame.analysis import results
from tsubame.analysis.results import (
    DailySeries,
    Event,
    QuarterAnalysis,
    RankedPort,
    RankedRegion,
    Ratio,
)
from tsubame.periods import Window
from tsubame.report import narrative
from tsubame.report.cutoffs import PORT_CUTOFF, PRINTED_RANKS, REGION_CUTOFF
from tsubame.report.event_claims import Told, event_claims, told_events
from tsubame.report.names import Language, port_label, port_slug, region_name
from tsubame.report.narrative import Bilingual
from tsubame.report.noted_claims import decay_claims, domestic_claims, noted_claims
from tsubame.report.numbering import PORTS_FIGURE, REGIONS_FIGURE
from tsubame.report.reassigned import (
    quiet_reassignments,
    reassigned_days,
    reassignment_figure,
    reported_reassignments,
    reported_steps,
    say_quiet,
    say_reassignment,
    say_step,
)
from tsubame.report.statements import Claim, Subject

# Below ±5 % a change is not worth a sentence even where it is certain; from ±20 % on, it is whatever its shape.
_SLIGHT = 1.05
_NOTABLE = 1.2
_BLOCK_DAYS = 10


def derive_claims(analysis: QuarterAnalysis) -> tuple[Claim, ...]:
    """Return everything the report says about the quarter, in the order in which it says it."""
    sections = {
        "ports": _port_claims(analysis),
        "regions": _region_claims(analysis),
        "reassignments": _reassignment_claims(analysis),
        "": noted_claims(analysis, name_in_sentence),
    }
    return tuple(
        replace(claim, section=claim.section or section) for section, claims in sections.items() for claim in claims
    )


def port_subject(row: RankedPort) -> Bilingual:
    """Return ``23/TCP（telnet）宛`` and ``to 23/TCP (telnet)``."""
    return name_subject(row.protocol, row.port, None)


def name_subject(protocol: int | None, port: int | None, region: str | None) -> Bilingual:
    """Return what packets are said to go to or come from: a port, or a region."""
    if region is not None:
        return region_subject(region)
    assert protocol is not None
    ja, en = port_label(protocol, port, "ja"), port_label(protocol, port, "en")
    # A protocol without ports is what the packets are of, not where they go.
    return (ja, f"of {en}") if port is None else (f"{ja}宛", f"to {en}")


def region_subject(region: str) -> Bilingual:
    """Return ``米国から`` and ``from United States``."""
    return f"{region_name(region, 'ja')}から", f"from {english_in_sentence(region)}"


def english_in_sentence(region: str) -> str:
    """Return a region's English name as it stands inside a sentence: with its article where it has one."""
    name = region_name(region, "en")
    articled = region in {"US", "GB", "NL", "AE", "PH", "EU", "CZ", "DO", "CF", "BS", "MV", "SC", "GM", "KM", "KY"}
    return f"the {name}" if articled else name


def name_in_sentence(region: str, language: Language) -> str:
    """Return a region's name as it stands inside a sentence."""
    return region_name(region, "ja") if language == "ja" else english_in_sentence(region)


def _port_claims(analysis: QuarterAnalysis) -> Iterator[Claim]:
    rows = analysis.ports[:PRINTED_RANKS]
    for row in rows:
        key = (row.protocol, row.port)
        slug = port_slug(*key)
        target = Subject("destination", row.protocol, row.port)
        rank = _rank_claims(analysis, row, f"port-{slug}", target, port_subject(row), PORT_CUTOFF, PORTS_FIGURE)
        if row.rank == 1:
            yield from rank
        grown = list(
            _growth_claims(
                analysis.growth_ports.get(key),
                analysis.port_series.get(key),
                f"port-{slug}",
                target,
                port_subject(row),
                PORTS_FIGURE,
            )
        )
        told = Told(
            f"port-{slug}",
            target,
            port_subject(row),
            PORTS_FIGURE,
            "ports",
            analysis.days[-1],
            _rank_clause(row, PORT_CUTOFF, analysis),
            (row.rank, row.previous_rank, PORT_CUTOFF),
        )
        happened = list(_told(analysis.port_events.get(key, ()), told, grown))
        yield from happened
        if not happened and not grown:
            yield from _fluctuation_claims(analysis, key, f"port-{slug}", target, port_subject(row))
        yield from grown
        # The first one's place has been told at the head.
        if row.rank > 1 and not any(claim.kind == "story" for claim in happened):
            yield from rank
        yield from domestic_claims(analysis, key, target, f"port-{slug}")
        yield from decay_claims(analysis, key)
    yield from _order_claims(analysis, rows, PORTS_FIGURE)


def _fluctuation_claims(
    analysis: QuarterAnalysis, key: tuple[int, int | None], slug: str, subject: Subject, said: Bilingual
) -> Iterator[Claim]:
    """Tell of a port that rose and fell again and again; one with an event or a trend has a story of its own."""
    found = analysis.fluctuations.get(key)
    if found is None:
        return
    yield Claim(
        f"fluctuation-{slug}",
        "fluctuation",
        subject,
        *narrative.say_fluctuation(said, found.ratio, len(found.high)),
        ratio=found.ratio,
        windows=(found.low, found.high),
        formula="highest mean of 7 days / lowest mean of 7 days",
        figure=PORTS_FIGURE,
        numbers={"rises": found.rises, "falls": found.falls},
    )


def _told(
    events: Sequence[Event], told: Told, grown: Sequence[Claim], kinds: Sequence[str] | None = None
) -> Iterator[Claim]:
    """Yield the claims of a series' events; what went on evenly through the quarter is told as growth alone."""
    chosen = told_events(events, told.last_day, kinds)
    if any(claim.kind == "gradual" for claim in grown):
        chosen = tuple(event for event in chosen if event.kind != "gradual")
    yield from event_claims(chosen, told)


def _rank_clause(row: RankedPort, cutoff: int, analysis: QuarterAnalysis) -> Bilingual:
    """Return what became of a rank as the closing clause of a sentence; empty where it did not rise."""
    if analysis.previous is None or (row.previous_rank is not None and row.rank >= row.previous_rank):
        return "", ""
    return narrative.rank_clause(row.rank, row.previous_rank, cutoff)


def _region_claims(analysis: QuarterAnalysis) -> Iterator[Claim]:
    rows = analysis.regions[:PRINTED_RANKS]
    # What a reassignment did is told as such, not as growth.
    moved = {
        region
        for item in reported_reassignments(analysis)
        if item.verdict in (results.EXPLAINED, results.COINCIDES)
        for region in (item.from_region, item.to_region)
    }
    for row in rows:
        target, said = Subject("source", region=row.region), region_subject(row.region)
        slug = f"region-{row.region.lower()}"
        rank = _rank_claims(analysis, row, slug, target, said, REGION_CUTOFF, REGIONS_FIGURE)
        if row.rank == 1:
            yield from rank
        grown: list[Claim] = []
        if row.region not in moved:
            grown += _growth_claims(
                analysis.growth_regions.get(row.region),
                analysis.region_series.get(row.region),
                slug,
                target,
                said,
                REGIONS_FIGURE,
            )
        told = Told(slug, target, said, REGIONS_FIGURE, "regions", analysis.days[-1])
        # Lasting shifts of regions are told with the reassignments that may explain them.
        kinds = ("burst", "spike_and_decay", "gradual")
        yield from _told(analysis.region_events.get(row.region, ()), told, grown, kinds)
        yield from grown
        if row.rank > 1:
            yield from rank
    yield from _order_claims(analysis, rows, REGIONS_FIGURE)


def _rank_claims(
    analysis: QuarterAnalysis,
    row: RankedPort | RankedRegion,
    slug: str,
    subject: Subject,
    said: Bilingual,
    cutoff: int,
    figure: str,
) -> Iterator[Claim]:
    has_previous = analysis.previous is not None
    rows: Sequence[RankedPort | RankedRegion] = analysis.ports if isinstance(row, RankedPort) else analysis.regions
    if row.rank == 1 and len(rows) > 1 and rows[1].packets == row.packets:
        # Of two with as many packets neither had most; that their order is not certain is told below.
        return
    if row.rank == 1:
        throughout = analysis.leads_daily and isinstance(row, RankedRegion)
        text = narrative.say_first(said, row.previous_rank, cutoff, has_previous, throughout=throughout)
    elif has_previous and row.rank != row.previous_rank:
        text = narrative.say_rank_change(said, row.rank, row.previous_rank, cutoff)
    else:
        return
    window = (Window(analysis.days[0], analysis.days[-1]),) if analysis.days else ()
    formula = "rank by packets of the domestic sensors, all kinds and tools"
    numbers: dict[str, float | int | date] = {"rank": row.rank, "cutoff": cutoff}
    if row.previous_rank is not None:
        numbers["previous_rank"] = row.previous_rank
    yield Claim(f"rank-{slug}", "rank", subject, *text, windows=window, formula=formula, figure=figure, numbers=numbers)


def _order_claims(analysis: QuarterAnalysis, rows: Sequence[RankedPort | RankedRegion], figure: str) -> Iterator[Claim]:
    """Say of neighbours in the table that their order is not certain, and of a whole table that it is the old one."""
    window = (Window(analysis.days[0], analysis.days[-1]),) if analysis.days else ()
    kind = "ports" if figure == PORTS_FIGURE else "regions"
    unchanged = len(rows) > 1 and all(row.rank == row.previous_rank for row in rows)
    if unchanged and analysis.previous is not None:
        yield Claim(
            f"rank-{kind}-unchanged",
            "rank",
            Subject("destination" if kind == "ports" else "source"),
            *narrative.say_unchanged(len(rows)),
            windows=window,
            formula="rank by packets of the domestic sensors, all kinds and tools",
            figure=figure,
            numbers={"rows": len(rows)},
        )
    yield from _common_claims(analysis, rows, kind, figure)
    for group in _close_groups(rows):
        yield Claim(
            f"close-{'-'.join(map(_slug_of, group))}",
            "close",
            _subject_of(group[0]),
            *narrative.say_close([_name_of(row) for row in group]),
            windows=window,
            formula="neighbours change places in at least 5 % of the resamples of sensors × 7-day blocks",
            figure=figure,
        )


def _common_claims(
    analysis: QuarterAnalysis, rows: Sequence[RankedPort | RankedRegion], kind: str, figure: str
) -> Iterator[Claim]:
    """Say of a table what its ranks are on common sensors, where the sensors changed."""
    common = analysis.common
    if common is None:
        return
    differing: list[tuple[Bilingual, int, int | None]] = []
    numbers = {"sensors": common.sensors, "added": common.added, "removed": common.removed, "rows": len(rows)}
    for row in rows:
        found = common.ports.get((row.protocol, row.port)) if isinstance(row, RankedPort) else None
        rank, previous = found or (common.regions.get(row.region) if isinstance(row, RankedRegion) else None) or (0, 0)
        if rank and (rank, previous) != (row.rank, row.previous_rank):
            differing.append((_name_of(row), rank, previous))
            slug = _slug_of(row)
            numbers |= {f"rank_{slug}": rank} | ({f"previous_rank_{slug}": previous} if previous else {})
    yield Claim(
        f"rank-{kind}-common",
        "rank",
        Subject("destination" if kind == "ports" else "source"),
        *narrative.say_common(differing, common.sensors, common.added, common.removed, len(rows)),
        windows=(Window(analysis.days[0], analysis.days[-1]),),
        formula="rank by packets of the domestic sensors up on at least half of the days of both quarters",
        figure=figure,
        numbers=numbers,
    )


def _close_groups(rows: Sequence[RankedPort | RankedRegion]) -> Iterator[list[RankedPort | RankedRegion]]:
    """Yield the runs of rows of which each is close to the next one."""
    group: list[RankedPort | RankedRegion] = []
    for row in rows:
        group.append(row)
        if not row.close_to_next:
            if len(group) > 1:
                yield group
            group = []
    if len(group) > 1:
        yield group


def _name_of(row: RankedPort | RankedRegion) -> Bilingual:
    if isinstance(row, RankedPort):
        return port_label(row.protocol, row.port, "ja"), port_label(row.protocol, row.port, "en")
    return region_name(row.region, "ja"), english_in_sentence(row.region)


def _slug_of(row: RankedPort | RankedRegion) -> str:
    return port_slug(row.protocol, row.port) if isinstance(row, RankedPort) else row.region.lower()


def _subject_of(row: RankedPort | RankedRegion) -> Subject:
    if isinstance(row, RankedPort):
        return Subject("destination", row.protocol, row.port)
    return Subject("source", region=row.region)


def _growth_claims(
    growth: Ratio | None,
    series: DailySeries | None,
    slug: str,
    subject: Subject,
    said: Bilingual,
    figure: str,
) -> Iterator[Claim]:
    if growth is None or series is None or growth.value is None or growth.interval is None:
        return
    low, high = growth.interval
    size = max(growth.value, 1 / growth.value) if growth.value > 0 else float("inf")
    if low <= 1 <= high or size < _SLIGHT:
        return
    gradual = is_gradual(series)
    if not gradual and size < _NOTABLE:
        return
    kind = "gradual" if gradual else "change"
    yield Claim(
        f"{kind}-{slug}",
        kind,
        subject,
        *narrative.say_growth(said, growth.value, len(growth.numerator), gradual=gradual),
        onset=series.days[0] if gradual else None,
        end=series.days[-1] if gradual else None,
        ratio=growth.value,
        ratio_interval=growth.interval,
        windows=(growth.denominator, growth.numerator),
        formula=growth.formula,
        figure=figure,
    )


def is_gradual(series: DailySeries) -> bool:
    """Say whether a series went evenly from its first level to its last.

    Judged on ten-day means: none of them differs from the ten days next to it by more than half of the whole
    change, and none lies outside the two ends by more than a third of it. A step, a burst or a bump in between
    therefore is not gradual.
    """
    means = [_mean_of(series.per_sensor[start : start + _BLOCK_DAYS]) for start in range(len(series.days))]
    means = means[: len(series.days) - _BLOCK_DAYS + 1]
    first, last = (means[0], means[-1]) if means else (None, None)
    if len(means) <= 3 * _BLOCK_DAYS or first is None or last is None or first == last:
        return False
    change = last - first
    steps = [
        (after - before) / change
        for before, after in zip(means, means[_BLOCK_DAYS:], strict=False)
        if before is not None and after is not None
    ]
    places = [(mean - first) / change for mean in means if mean is not None]
    return max(steps) <= 0.5 and min(places) >= -1 / 3 and max(places) <= 4 / 3


def _mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of the days with a value; None where they are fewer than half."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if 2 * len(known) >= _BLOCK_DAYS else None


def _reassignment_claims(analysis: QuarterAnalysis) -> Iterator[Claim]:
    for item in (*reported_reassignments(analysis), *quiet_reassignments(analysis)):
        names = tuple(
            (region_name(region, "ja"), english_in_sentence(region)) for region in (item.from_region, item.to_region)
        )
        text = say_reassignment(item, (names[0], names[1]))
        drawn = item in analysis.reassignments and item.to_region in analysis.region_series_pinned
        yield Claim(
            reassignment_figure(item),
            "reassignment",
            Subject("source", region=item.to_region),
            *text,
            onset=item.date,
            end=reassigned_days(item)[1],
            ratio=item.observed.value,
            ratio_interval=item.observed.interval,
            windows=(item.before, item.after),
            formula=item.observed.formula,
            figure=reassignment_figure(item) if drawn else None,
        )
    for step in reported_steps(analysis):
        ratio = step.event.ratio
        yield Claim(
            f"shift-region-{step.region.lower()}-{step.event.onset:%Y%m%d}",
            "shift",
            Subject("source", region=step.region),
            *say_step(step, (region_name(step.region, "ja"), english_in_sentence(step.region))),
            onset=step.event.onset,
            end=step.event.end,
            ratio=None if ratio is None else ratio.value,
            ratio_interval=None if ratio is None else ratio.interval,
            windows=() if ratio is None else (ratio.denominator, ratio.numerator),
            formula="event of the daily series" if ratio is None else ratio.formula,
            figure=REGIONS_FIGURE,
        )
    quiet = [item for item in analysis.minor_reassignments if item not in quiet_reassignments(analysis)]
    if quiet:
        yield Claim(
            "reassignments-without-effect",
            "reassignment",
            Subject("source"),
            *say_quiet(quiet),
            windows=(Window(analysis.days[0], analysis.days[-1]),) if analysis.days else (),
            formula="blocks that moved less than 5 % of either region's packets, or less than one per sensor and day",
        )
