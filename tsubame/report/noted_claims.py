"""Claims of the chapter on noted ports: what each rests on is in ``analysis.noted``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from tsubame.analysis.noted_results import Focus, NotedPort
from tsubame.analysis.results import DailySeries, QuarterAnalysis
from tsubame.periods import Window
from tsubame.report import noted_text
from tsubame.report.cutoffs import PRINTED_RANKS
from tsubame.report.event_claims import Told, event_claim, event_claims, period_claim, told_events
from tsubame.report.names import Language, port_slug, region_name
from tsubame.report.narrative import Bilingual
from tsubame.report.numbering import (
    COMPANION,
    FOCUS,
    PORTS_FIGURE,
    REGIONS,
    TOOLS,
    figure_numbers,
    noted_figure,
    noted_slug,
    other_regions,
    shown_regions,
    surest_rise,
)
from tsubame.report.statements import Claim, Subject

WORTH_A_MARK = 0.1
"""Part of a port's packets from which on a tool's mark is worth a sentence, ..."""

SHARE_CHANGED = 0.1
"""... and change of that part, first days to last, from which on both are told."""

_SPAN = timedelta(days=9)

RegionNamer = Callable[[str, Language], str]


def noted_claims(analysis: QuarterAnalysis, name_region: RegionNamer) -> Iterator[Claim]:
    """Yield what the report says of its noted ports, port by port.

    Args:
        analysis: what is known.
        name_region: names a region as it stands inside a sentence.
    """
    numbers = figure_numbers(analysis)

    def bilingual(region: str) -> Bilingual:
        return name_region(region, "ja"), name_region(region, "en")

    for noted in analysis.noted:
        yield from _port_claims(analysis, noted)
        if noted.focus is not None:
            yield from _focus_claims(analysis, noted, noted.focus, bilingual(noted.focus.region), numbers)
        yield from _region_claims(analysis, noted, bilingual, numbers)
        yield from _superposition_claims(analysis, noted, numbers)
        yield from _basis_claims(analysis, noted)


def section_title(noted: NotedPort) -> Bilingual:
    """Return the title of a noted port's section."""
    only = noted.regions[0].region if len(noted.regions) == 1 else None
    name = None if only is None else (region_name(only, "ja"), region_name(only, "en"))
    return noted_text.noted_title(noted.port, len(noted.regions), name)


def _subject(noted: NotedPort, region: str | None = None, tool: str | None = None) -> Subject:
    return Subject("destination" if region is None else "source", *noted.port, region, tool)


def _whole(analysis: QuarterAnalysis) -> tuple[Window, ...]:
    return (Window(analysis.days[0], analysis.days[-1]),)


def _port_claims(analysis: QuarterAnalysis, noted: NotedPort) -> Iterator[Claim]:
    slug, figure = noted_slug(noted), noted_figure(noted, TOOLS)
    if noted.previous_ratio is not None and noted.previous_ratio >= 1:
        yield Claim(
            f"{slug}-previous",
            "noted",
            _subject(noted),
            *noted_text.say_noted(noted.port, noted.previous_ratio),
            ratio=noted.previous_ratio,
            windows=_whole(analysis),
            formula="packets per domestic sensor-day of the quarter / of the quarter before",
            section=slug,
        )
    tool, share = _main_tool(noted)
    if tool and share >= WORTH_A_MARK:
        ends = _end_shares(noted, tool)
        told = None
        if ends is not None and abs(ends[1] - ends[0]) >= SHARE_CHANGED:
            told = round(100 * ends[0]), round(100 * ends[1])
        yield Claim(
            f"{slug}-tool",
            "tool_share",
            _subject(noted, tool=tool),
            *noted_text.say_tool_share(noted.port, tool, round(100 * share), told),
            windows=_whole(analysis),
            formula="packets that bear the tool's mark / all packets to the port",
            figure=figure,
            numbers={"share": share}
            | ({} if ends is None or told is None else {"share_first": ends[0], "share_last": ends[1]})
            | ({} if told is None else {"window_days": 10}),
            section=slug,
        )


def _main_tool(noted: NotedPort) -> tuple[str, float]:
    """Return the named tool with most packets, and its part of the port's packets."""
    totals = {tool: _packets(series) for tool, series in noted.by_tool.items()}
    whole = sum(totals.values())
    named = {tool: count for tool, count in totals.items() if tool}
    if not named or not whole:
        return "", 0.0
    tool = max(named, key=lambda name: (named[name], name))
    return tool, named[tool] / whole


def _end_shares(noted: NotedPort, tool: str) -> tuple[float, float] | None:
    """Return the tool's part of the packets in the first and in the last 10 days."""
    days = noted.series.days
    windows = Window(days[0], days[0] + _SPAN), Window(days[-1] - _SPAN, days[-1])
    shares = []
    for window in windows:
        whole = sum(_packets(series, window) for series in noted.by_tool.values())
        if not whole:
            return None
        shares.append(_packets(noted.by_tool[tool], window) / whole)
    return shares[0], shares[1]


def _packets(series: DailySeries, window: Window | None = None) -> int:
    pairs = zip(series.days, series.packets, strict=True)
    return sum(count or 0 for day, count in pairs if window is None or day in window)


def _focus_claims(
    analysis: QuarterAnalysis, noted: NotedPort, focus: Focus, name: Bilingual, numbers: dict[str, int]
) -> Iterator[Claim]:
    slug, last = noted_slug(noted), analysis.days[-1]
    told = Told(
        slug=f"{slug}-{focus.region.lower()}",
        subject=_subject(noted, focus.region, focus.tool),
        said=noted_text.focus_subject(name, focus.tool, noted.port),
        figure=noted_figure(noted, FOCUS),
        section=slug,
        last_day=last,
    )
    events = told_events(focus.events, last)
    if events:
        said = told.said[0] + "の", told.said[1]
        if focus.tool is not None:
            said = noted_text.defined_subject(name, focus.tool, noted.port)
        yield period_claim(events, told, said)
        yield from event_claims(events, told)
    if focus.overlap is not None:
        overlap = focus.overlap
        yield Claim(
            f"{slug}-companion",
            "overlap",
            _subject(noted, focus.region),
            *noted_text.say_overlap(overlap, name),
            windows=_whole(analysis),
            formula="distinct sources of the region that sent to both ports in the quarter / sent to the first",
            figure=noted_figure(noted, COMPANION) if focus.companion is not None else None,
            numbers={
                "sources": overlap.sources,
                "also": overlap.also,
                "share": overlap.share or 0.0,
                "baseline_sources": overlap.baseline_sources,
                "baseline_also": overlap.baseline_also,
            }
            | ({} if overlap.baseline is None else {"baseline_share": overlap.baseline}),
            section=slug,
        )
    yield from _comparison_claims(noted, focus, name, numbers)


def _comparison_claims(noted: NotedPort, focus: Focus, name: Bilingual, numbers: dict[str, int]) -> Iterator[Claim]:
    comparison, overlap = focus.comparison, focus.overlap
    if comparison is None or overlap is None:
        return
    slug = noted_slug(noted)
    figures = numbers[noted_figure(noted, FOCUS)], numbers[noted_figure(noted, COMPANION)]
    kinds = {"none": "no_correlation", "changed": "correlation"}
    yield Claim(
        f"{slug}-correlation",
        kinds.get(comparison.verdict, "undecided_correlation"),
        Subject("source", *overlap.companion, focus.region),
        *noted_text.say_comparison(comparison, overlap.companion, name, figures),
        onset=min(event.onset for event in focus.events),
        end=max(event.end or focus.series.days[-1] for event in focus.events),
        ratio=comparison.factor,
        ratio_interval=comparison.factor_interval,
        formula=(
            "factor of the companion series where the first series' events are at their full effect "
            f"(there about {comparison.other_factor:.2g}); no change: the 95 % interval lies within "
            f"1/{comparison.margin:.3g} and {comparison.margin:.3g}"
        ),
        figure=noted_figure(noted, COMPANION),
        numbers={"figure_of_port": figures[0], "figure_of_companion": figures[1], "margin": comparison.margin},
        section=slug,
    )


def _region_claims(
    analysis: QuarterAnalysis,
    noted: NotedPort,
    name: Callable[[str], Bilingual],
    numbers: dict[str, int],
) -> Iterator[Claim]:
    shown, last = shown_regions(noted), analysis.days[-1]
    if not shown:
        return
    slug, figure = noted_slug(noted), noted_figure(noted, REGIONS)
    surest = {part.region: surest_rise(part.events) for part in shown}
    ordered = sorted(shown, key=lambda part: (surest[part.region].onset, part.region))
    story = f"{slug}-regions"
    text = noted_text.say_regions(
        noted.port, [(name(part.region), surest[part.region]) for part in ordered], numbers[figure], last
    )
    yield Claim(
        story,
        "regional_rises",
        _subject(noted),
        *text,
        onset=min(event.onset for event in surest.values()),
        formula="events of at least 1.5 times of each region's packets to the port, as pinned",
        figure=figure,
        numbers={"regions": len(ordered), "figure": numbers[figure]}
        | {f"{region}_{event.kind}_onset": event.onset for region, event in surest.items()}
        | {f"{region}_end": event.end for region, event in surest.items() if event.end is not None}
        | {
            f"{region}_ratio": event.ratio.value
            for region, event in surest.items()
            if event.ratio is not None and event.ratio.value is not None
        },
        section=slug,
    )
    more = f"{slug}-more-regions"
    for part in (*ordered, *(each for each in other_regions(noted) if each not in shown)):
        told = Told(
            slug=f"{slug}-{part.region.lower()}",
            subject=_subject(noted, part.region),
            said=noted_text.focus_subject(name(part.region), None, noted.port),
            figure=figure,
            section=slug,
            last_day=last,
        )
        for event in told_events(part.events, last):
            yield event_claim(event, told, told_in=story if part in shown else more)
    left = [part for part in other_regions(noted) if part not in shown]
    if left:
        yield Claim(
            more,
            "regional_rises",
            _subject(noted),
            *noted_text.say_others(len(left), passing=all(surest_rise(part.events).peak for part in left)),
            formula="regions with events of at least 1.5 times beyond those shown",
            numbers={"regions": len(left)},
            section=slug,
        )


def _superposition_claims(analysis: QuarterAnalysis, noted: NotedPort, numbers: dict[str, int]) -> Iterator[Claim]:
    found = noted.superposition
    if found is None or not found.holds:
        return
    printed = [(row.protocol, row.port) for row in analysis.ports[:PRINTED_RANKS]]
    figure = numbers[PORTS_FIGURE] if noted.port in printed else None
    slug = noted_slug(noted)
    yield Claim(
        f"{slug}-superposition",
        "superposition",
        _subject(noted),
        *noted_text.say_superposition(
            noted.port, figure, round(100 * found.share), len(noted.regions), found.rest_events is not None
        ),
        onset=found.during.first,
        end=found.during.last,
        windows=(found.before, found.during),
        formula=(
            "sum over the regions with rises of (mean during - mean before) / the same of the port; "
            "the packets of all other regions have no rise of their own"
        ),
        figure=PORTS_FIGURE if figure else noted_figure(noted, TOOLS),
        numbers={"share": found.share, "regions": len(noted.regions)} | ({"figure": figure} if figure else {}),
        section=slug,
    )


def _basis_claims(analysis: QuarterAnalysis, noted: NotedPort) -> Iterator[Claim]:
    slug, sources = noted_slug(noted), noted.sources
    known = [(count, day) for day, count in zip(analysis.days, sources.seen, strict=True) if count]
    most = max(known, key=lambda pair: (pair[0], -pair[1].toordinal()), default=None)
    yield Claim(
        f"{slug}-sources",
        "sources",
        _subject(noted),
        *noted_text.say_sources(
            noted.port, sources.total, sources.returning, None if most is None else (most[1], most[0])
        ),
        peak=None if most is None else most[1],
        windows=_whole(analysis),
        formula="distinct source addresses at the domestic sensors",
        figure=noted_figure(noted, TOOLS),
        numbers={"sources": sources.total}
        | ({} if sources.returning is None else {"returning": sources.returning})
        | ({} if most is None else {"most_on_a_day": most[0]}),
        section=slug,
    )
    whole = sum(noted.sensors.values())
    if whole:
        share = max(noted.sensors.values()) / whole
        seen, domestic = len(noted.sensors), max(analysis.sensors.domestic, len(noted.sensors))
        yield Claim(
            f"{slug}-sensors",
            "sensors",
            _subject(noted),
            *noted_text.say_sensors(noted.port, seen, domestic, round(100 * share)),
            windows=_whole(analysis),
            formula="largest part of the port's packets that one domestic sensor saw",
            numbers={"sensors": seen, "domestic": domestic, "largest_share": share},
            section=slug,
        )


def decay_claims(analysis: QuarterAnalysis, key: tuple[int, int | None]) -> Iterator[Claim]:
    """Say of a port that a tool's share collapsed: that is no statement about attacks."""
    for (port, tool), decay in analysis.decays.items():
        if port != key or decay.share_before is None or decay.share_after is None:
            continue
        shares = round(100 * decay.share_before), round(100 * decay.share_after)
        yield Claim(
            f"signature-decay-{port_slug(*port)}-{tool}",
            "signature_decay",
            Subject("destination", *port, tool=tool),
            *noted_text.say_decay(port, tool, decay, shares),
            onset=decay.onset,
            ratio=decay.tool.value,
            ratio_interval=decay.tool.interval,
            windows=(decay.tool.denominator, decay.tool.numerator),
            formula=f"{decay.tool.formula}, of the packets with the tool's mark; of all packets: {decay.verdict}",
            numbers={"share_before": decay.share_before, "share_after": decay.share_after},
        )


def domestic_claims(
    analysis: QuarterAnalysis, key: tuple[int, int | None], target: Subject, slug: str
) -> Iterator[Claim]:
    """Say of a noted port that its packets came from Japan, too."""
    noted = next((each for each in analysis.noted if each.port == key), None)
    if noted is not None and noted.domestic:
        yield Claim(
            f"domestic-{slug}",
            "domestic_sources",
            target,
            *noted_text.say_domestic(key),
            formula="packets from addresses delegated to JP on the quarter's first day",
            windows=(Window(analysis.days[0], analysis.days[-1]),),
            figure=PORTS_FIGURE,
            numbers={"packets": noted.domestic},
        )
