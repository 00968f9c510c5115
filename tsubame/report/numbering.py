"""Which figures an edition has, in the order of the report: what gives them their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tsubame.analysis.noted_results import NotedPort, RegionPart
from tsubame.analysis.results import Event, QuarterAnalysis, Reassignment
from tsubame.report.names import port_slug
from tsubame.report.reassigned import reassignment_figure, reported_reassignments

PORTS_FIGURE = "figure-1"
REGIONS_FIGURE = "figure-2"
COVERAGE_FIGURE = "coverage"
FOCUS, COMPANION, REGIONS, TOOLS, SOURCES = "focus", "companion", "regions", "tools", "sources"

MOST_PANELS = 9
"""Regions shown of a noted port; the text says that there are more."""


def figure_numbers(analysis: QuarterAnalysis) -> dict[str, int]:
    """Return the number of every figure by its id."""
    ids = [PORTS_FIGURE, REGIONS_FIGURE]
    for noted in analysis.noted:
        ids += [noted_figure(noted, kind) for kind in noted_kinds(noted)]
    ids += [reassignment_figure(item) for item in reported_reassignments(analysis) if panels_of(analysis, item)]
    if analysis.sensors.coverage:
        ids.append(COVERAGE_FIGURE)
    return {name: number for number, name in enumerate(ids, 1)}


def noted_slug(noted: NotedPort) -> str:
    """Return the port as part of ids: ``noted-37215-tcp``."""
    return f"noted-{port_slug(*noted.port)}"


def noted_figure(noted: NotedPort, kind: str) -> str:
    """Return the id of a noted port's figure."""
    return f"{noted_slug(noted)}-{kind}"


def noted_kinds(noted: NotedPort) -> Iterator[str]:
    """Yield the kinds of a noted port's figures, in order."""
    if noted.focus is not None:
        yield FOCUS
        if noted.focus.companion is not None:
            yield COMPANION
    if shown_regions(noted):
        yield REGIONS
    yield TOOLS
    yield SOURCES


def shown_regions(noted: NotedPort) -> tuple[RegionPart, ...]:
    """Return the regions with rises that are shown beside the one the report looks into, in order of onset.

    The most prominent rises are shown: those that reached most times the level before.
    """
    others = sorted(other_regions(noted), key=lambda part: (-prominence(part), part.region))[:MOST_PANELS]
    return tuple(sorted(others, key=lambda part: (surest_rise(part.events).onset, part.region)))


def surest_rise(events: Sequence[Event]) -> Event:
    """Return the surest rise that passes; the surest of all where none does."""
    passing = [event for event in events if event.kind in ("burst", "spike_and_decay")] or list(events)
    return max(passing, key=lambda event: (event.strength, event.onset))


def prominence(part: RegionPart) -> float:
    """Return how many times its level before a region's surest rise reached."""
    event = surest_rise(part.events)
    known = event.peak is not None and event.ratio is not None and event.ratio.value is not None
    return event.ratio.value if known else event.factor  # type: ignore[union-attr,return-value]


def other_regions(noted: NotedPort) -> tuple[RegionPart, ...]:
    """Return the regions with rises beside the one the report looks into, largest excess first."""
    focus = None if noted.focus is None else noted.focus.region
    return tuple(part for part in noted.regions if part.region != focus)


def panels_of(analysis: QuarterAnalysis, item: Reassignment) -> list[str]:
    """Return the regions of a reassignment that have series to draw."""
    return [
        region
        for region in (item.to_region, item.from_region)
        if region in analysis.region_series and region in analysis.region_series_pinned
    ]
