"""Drawing a noted port's figures; what they have in common with others is in ``axes``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from tsubame.analysis.noted_results import NotedPort
from tsubame.analysis.results import DailySeries, Event, QuarterAnalysis
from tsubame.report.axes import (
    INK,
    MUTED,
    day_number,
    finish_axis,
    grid_of_axes,
    hatch_gaps,
    label_ends,
    mark_dates,
    new_figure,
    plot_series,
    shade_days,
)
from tsubame.report.event_claims import told_events
from tsubame.report.names import Language, region_name
from tsubame.report.narrative import day_text
from tsubame.report.noted_plans import MOST_LINES, PANEL_COLUMNS, one_scale, rows_of
from tsubame.report.noted_text import tool_label
from tsubame.report.numbering import COMPANION, FOCUS, REGIONS, SOURCES, shown_regions
from tsubame.report.plans import FigurePlan

TOOL_COLOURS = {
    "mirai": "#8B1E3F",
    "zmap": "#3C91B5",
    "masscan": "#C28E0E",
    "nmap": "#5B7F3A",
    "unicornscan": "#7A5C99",
    "": "#9A9A9A",
}
"""Of tools, apart from those of ports and regions; packets without a mark are grey."""

_OTHER = "#5c5c5c"
_SOURCES = {
    "ja": ("送信元IPアドレス数（1日あたり）", "観測した送信元", "四半期に入って初めて観測"),
    "en": ("source addresses per day", "seen", "first seen in the quarter"),
}
_REST = {"ja": "その他のツール", "en": "other tools"}

Colour = Callable[[object], str]


def draw_noted(analysis: QuarterAnalysis, plan: FigurePlan, language: Language, colour: Colour) -> Any:
    """Draw one of a noted port's figures.

    Args:
        analysis: for its days.
        plan: which figure.
        language: of all words.
        colour: gives the colour of a port or region that is kept through the edition.
    """
    noted = plan.noted
    assert noted is not None
    if plan.kind == FOCUS:
        return _draw_focus(analysis, noted, plan, language)
    if plan.kind == COMPANION:
        return _draw_companion(analysis, noted, plan, language, colour)
    if plan.kind == REGIONS:
        return _draw_regions(analysis, noted, plan, language, colour)
    if plan.kind == SOURCES:
        return _draw_sources(analysis, noted, plan, language, colour)
    return _draw_tools(analysis, noted, plan, language)


def onsets(events: Sequence[Event], last_day: date, language: Language) -> list[tuple[date, str]]:
    """Return the onsets to be marked, with their texts."""
    return [(event.onset, day_text(event.onset, language)) for event in told_events(events, last_day)]


def by_line(parts: Mapping[str, DailySeries], language: Language) -> list[tuple[str, str, DailySeries]]:
    """Return tool, label and series of what is drawn by itself, largest first; the others are added up."""
    named = [(tool, tool_label(tool, language), series) for tool, series in list(parts.items())[:MOST_LINES]]
    others = list(parts.values())[MOST_LINES:]
    if others:
        named.append(("other", _REST[language], _added(others)))
    return named


def _added(parts: Sequence[DailySeries]) -> DailySeries:
    def add(rows: Any) -> tuple[Any, ...]:
        return tuple(None if any(v is None for v in day) else sum(day) for day in zip(*rows, strict=True))

    return DailySeries(parts[0].days, add([part.packets for part in parts]), add([part.per_sensor for part in parts]))


def _draw_focus(analysis: QuarterAnalysis, noted: NotedPort, plan: FigurePlan, language: Language) -> Any:
    focus = noted.focus
    assert focus is not None
    figure, axes = new_figure(plan.height, 1)
    ends = []
    for tool, label, series in by_line(focus.by_tool, language):
        colour = TOOL_COLOURS.get(tool, _OTHER)
        plot_series(axes[0], series, colour, "")
        ends.append((label, _last(series), colour))
    finish_axis(axes[0], analysis.days, language)
    hatch_gaps(axes[0], [focus.series], language)
    told = told_events(focus.events, analysis.days[-1])
    shade_days(axes[0], [(event.onset, event.end or analysis.days[-1]) for event in told])
    mark_dates(axes[0], onsets(focus.events, analysis.days[-1], language), language)
    label_ends(axes[0], ends)
    return figure


def _draw_companion(
    analysis: QuarterAnalysis, noted: NotedPort, plan: FigurePlan, language: Language, colour: Colour
) -> Any:
    focus = noted.focus
    assert focus is not None
    assert focus.companion is not None
    assert focus.overlap is not None
    figure, axes = new_figure(plan.height, 1)
    plot_series(axes[0], focus.companion, colour(focus.overlap.companion), "")
    finish_axis(axes[0], analysis.days, language)
    hatch_gaps(axes[0], [focus.companion], language)
    mark_dates(axes[0], onsets(focus.events, analysis.days[-1], language), language)
    return figure


def _draw_regions(
    analysis: QuarterAnalysis, noted: NotedPort, plan: FigurePlan, language: Language, colour: Colour
) -> Any:
    parts = shown_regions(noted)
    shared = one_scale(parts)
    figure, axes = grid_of_axes(plan.height, rows_of(len(parts)), PANEL_COLUMNS, len(parts), share=shared)
    for place, (axis, part) in enumerate(zip(axes, parts, strict=True)):
        plot_series(axis, part.series, colour(part.region), "")
        finish_axis(axis, analysis.days, language, step=30)
        hatch_gaps(axis, [part.series], language)
        # Two dates fit above a panel; the surest are marked.
        told = sorted(told_events(part.events, analysis.days[-1]), key=lambda event: -event.strength)[:2]
        for event in told:
            axis.axvline(day_number(event.onset), color=MUTED, linewidth=0.9, linestyle=(0, (1, 1.5)), zorder=1)
        axis.set_title(region_name(part.region, language), loc="left", fontsize=9, color=INK, pad=3)
        dates = "・" if language == "ja" else ", "
        axis.set_title(
            dates.join(_short(event.onset, language) for event in sorted(told, key=lambda event: event.onset)),
            loc="right",
            fontsize=7,
            color=MUTED,
            pad=3,
        )
        axis.set_ylabel("")
        axis.tick_params(labelsize=7.5)
        axis.tick_params(axis="y", labelleft=not shared or place % PANEL_COLUMNS == 0)
    if shared and axes:
        # Shared axes stop growing with the first panel that is finished.
        axes[0].set_ylim(0, 1.06 * max(peak_of(part.series) for part in parts))
    words = {"ja": "パケット数（センサー1台・1日あたりの平均）", "en": "packets per sensor and day (mean)"}
    figure.supylabel(words[language], fontsize=8)
    return figure


def peak_of(series: DailySeries) -> float:
    """Return the highest value of a series."""
    return max((value for value in series.per_sensor if value is not None), default=1.0)


def _short(day: date, language: Language) -> str:
    return f"{day.month}/{day.day}" if language == "ja" else f"{day.day} {day:%b}"


def _draw_tools(analysis: QuarterAnalysis, noted: NotedPort, plan: FigurePlan, language: Language) -> Any:
    figure, axes = new_figure(plan.height, 1)
    axis = axes[0]
    lines = by_line(noted.by_tool, language)
    days = [day_number(day) for day in analysis.days]
    # An area is not drawn over a day without a sensor up: NaN leaves the gap that hatching fills.
    values = [[float("nan") if v is None else v for v in series.per_sensor] for _, _, series in lines]
    colours = [TOOL_COLOURS.get(tool, _OTHER) for tool, _, _ in lines]
    axis.stackplot(days, values, colors=colours, alpha=0.85, linewidth=0, labels=[label for _, label, _ in lines])
    finish_axis(axis, analysis.days, language)
    hatch_gaps(axis, [noted.series], language)
    mark_dates(axis, onsets(noted.events, analysis.days[-1], language), language)
    _legend(figure, len(lines))
    return figure


def _draw_sources(
    analysis: QuarterAnalysis, noted: NotedPort, plan: FigurePlan, language: Language, colour: Colour
) -> Any:
    figure, axes = new_figure(plan.height, 1)
    axis, words = axes[0], _SOURCES[language]
    days = [day_number(day) for day in analysis.days]
    seen, new = (
        [float("nan") if count is None else float(count) for count in counts]
        for counts in (noted.sources.seen, noted.sources.new)
    )
    axis.fill_between(days, new, step="mid", color="#9A9A9A", alpha=0.55, linewidth=0, label=words[2])
    axis.plot(days, seen, color=colour(noted.port), linewidth=1.6, label=words[1])
    finish_axis(axis, analysis.days, language)
    axis.set_ylabel(words[0], fontsize=8.5)
    hatch_gaps(axis, [noted.series], language)
    _legend(figure, 2)
    return figure


def _legend(figure: Any, columns: int) -> None:
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=8)


def _last(series: DailySeries) -> float:
    known = [value for value in series.per_sensor if value is not None][-3:]
    return sum(known) / len(known) if known else 0.0
