"""The report's figures, SVG and PNG, in Japanese and English. The only place that imports seaborn.

Lines show the mean per domestic sensor up that day, from zero. A port or region keeps its colour and line style
through an edition. Days without a sensor up are hatched, never drawn as zero. The same analysis gives the
same bytes: no date, no random id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from itertools import groupby
from typing import Any

from tsubame.analysis.results import DailySeries, QuarterAnalysis, Reassignment
from tsubame.report.axes import (
    INK,
    MUTED,
    date_axis,
    day_number,
    encode_figure,
    finish_axis,
    hatch_gaps,
    japanese_font,
    label_ends,
    mark_dates,
    new_figure,
    plot_series,
)
from tsubame.report.claims import english_in_sentence
from tsubame.report.cutoffs import PRINTED_RANKS
from tsubame.report.names import LANGUAGES, Language, port_label, region_name
from tsubame.report.narrative import day_text, quarter_title
from tsubame.report.noted_figures import draw_noted
from tsubame.report.noted_plans import plan_noted
from tsubame.report.numbering import COVERAGE_FIGURE, PORTS_FIGURE, REGIONS_FIGURE, panels_of
from tsubame.report.plans import LINES_HEIGHT, PANELS_HEIGHT, FigurePlan
from tsubame.report.reassigned import reassigned_days, reassignment_figure, reported_reassignments, span_text
from tsubame.report.region_figures import draw_blocks
from tsubame.report.region_plans import BLOCKS

# Okabe & Ito's palette (2008), told apart with every common colour vision; the yellow is left out on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: tuple[Any, ...] = ("", (4, 1.5), (1.2, 1.2), (5, 1.5, 1.2, 1.5), (7, 2), (2.5, 1), (1, 0.8))


def plan_figures(analysis: QuarterAnalysis) -> tuple[FigurePlan, ...]:
    """Return the quarter's figures, numbered in the order of the report."""
    when_ja, when_en = quarter_title(analysis.quarter, "ja"), quarter_title(analysis.quarter, "en")
    ports = [port_label(row.protocol, row.port) for row in analysis.ports[:PRINTED_RANKS]]
    regions = [row.region for row in analysis.regions[:PRINTED_RANKS]]
    number = len(ports), len(regions)
    plans = [
        FigurePlan(
            PORTS_FIGURE,
            1,
            f"{when_ja}の宛先ポート番号別パケット観測数トップ{number[0]}の推移",
            f"Packets to the top {number[0]} destination ports, {when_en}",
            f"折れ線グラフ。{'、'.join(ports)}宛の、センサー1台・1日あたりの平均パケット数の日ごとの推移。",
            f"Line chart of daily packets per sensor to {', '.join(ports).replace('（', ' (').replace('）', ')')}.",
            PORTS_FIGURE,
            LINES_HEIGHT,
        ),
        FigurePlan(
            REGIONS_FIGURE,
            2,
            f"{when_ja}の送信元地域別パケット観測数トップ{number[1]}の推移",
            f"Packets from the top {number[1]} source regions, {when_en}",
            f"折れ線グラフ。{'、'.join(map(region_name, regions))}からの、"
            "センサー1台・1日あたりの平均パケット数の日ごとの推移。",
            "Line chart of daily packets per sensor from "
            f"{', '.join(region_name(region, 'en') for region in regions)}.",
            REGIONS_FIGURE,
            LINES_HEIGHT,
        ),
    ]
    for noted in analysis.noted:
        plans += plan_noted(noted, len(plans) + 1)
    for item in reported_reassignments(analysis):
        if panels_of(analysis, item):
            plans.append(_plan_reassignment(item, len(plans) + 1))
    if analysis.sensors.coverage:
        plans.append(
            FigurePlan(
                COVERAGE_FIGURE,
                len(plans) + 1,
                f"{when_ja}のセンサー別稼働状況",
                f"Days on which each sensor was up, {when_en}",
                "センサーと日の格子。稼働した日、観測のなかった日、対象外の日を示す。",
                "Grid of sensors and days: up, expected but silent, not expected.",
                COVERAGE_FIGURE,
                min(1.3 + 0.13 * len(analysis.sensors.coverage), 9.0),
            )
        )
    return tuple(plans)


def _plan_reassignment(item: Reassignment, number: int) -> FigurePlan:
    ja = f"{region_name(item.from_region)}・{region_name(item.to_region)}"
    en = f"{english_in_sentence(item.from_region)} and {english_in_sentence(item.to_region)}"
    when_ja, when_en = span_text(*reassigned_days(item))
    return FigurePlan(
        reassignment_figure(item),
        number,
        f"{ja}からのパケット観測数：各日の割り当てと四半期初日の割り当てによる集計",
        f"Packets from {en}, by each day's delegations and by those of the quarter's first day",
        f"折れ線グラフ。{ja}について、各日の割り当てによる集計（実線）と四半期初日の割り当てに固定した集計"
        f"（破線）を示し、{when_ja}以降の差が割り当て変更による分。",
        f"Line charts for {en}: as delegated each day (solid) and on the quarter's first day (dashed); "
        f"from {when_en} on they part by the reassigned blocks.",
        reassignment_figure(item),
        PANELS_HEIGHT,
        item,
    )


def draw_figures(analysis: QuarterAnalysis, plans: Sequence[FigurePlan]) -> dict[str, bytes]:
    """Draw every planned figure.

    Returns:
        Path in the edition -> content, SVG (text as outlines, so that no reader's fonts matter) and PNG.
    """
    drawn: dict[str, bytes] = {}
    for language in LANGUAGES:
        with _style(language):
            for plan in plans:
                figure = _draw(analysis, plan, language)
                for form in ("svg", "png"):
                    drawn[f"figures/{plan.id}.{language}.{form}"] = encode_figure(figure, form)
                    # Laying out costs as much as drawing; the second picture keeps the first one's layout.
                    figure.set_layout_engine("none")
    return drawn


def _draw(analysis: QuarterAnalysis, plan: FigurePlan, language: Language) -> Any:
    if plan.id == PORTS_FIGURE:
        ports = [(row.protocol, row.port) for row in analysis.ports[:PRINTED_RANKS]]
        lines = {port_label(*key, language): analysis.port_series[key] for key in ports if key in analysis.port_series}
        return _draw_lines(analysis, lines, (), language)
    if plan.id == REGIONS_FIGURE:
        regions = [row.region for row in analysis.regions[:PRINTED_RANKS]]
        lines = {
            region_name(region, language): analysis.region_series[region]
            for region in regions
            if region in analysis.region_series
        }
        marks = [(item.date, _mark_text(item, language)) for item in reported_reassignments(analysis)]
        return _draw_lines(analysis, lines, marks, language)
    if plan.noted is not None:
        return draw_noted(analysis, plan, language, lambda thing: _colour_of(analysis, thing))
    if plan.kind == BLOCKS:
        return draw_blocks(plan, language, lambda region: _colour_of(analysis, region))
    if plan.reassignment is not None:
        return _draw_pinned(analysis, plan.reassignment, language)
    return _draw_coverage(analysis, plan.height, language)


def _colour_of(analysis: QuarterAnalysis, thing: object) -> str:
    """Return the colour that a port or region has in the first two figures; ink for all others."""
    ports: list[object] = [(row.protocol, row.port) for row in analysis.ports[:PRINTED_RANKS]]
    regions: list[object] = [row.region for row in analysis.regions[:PRINTED_RANKS]]
    for things in (ports, regions):
        if thing in things:
            return COLOURS[things.index(thing) % len(COLOURS)]
    return INK


def _mark_text(item: Reassignment, language: Language) -> str:
    names = region_name(item.from_region, language), region_name(item.to_region, language)
    if language == "ja":
        return f"{names[0]}→{names[1]} 割り当て変更"
    return f"blocks reassigned, {names[0]} → {names[1]}"


def _draw_lines(
    analysis: QuarterAnalysis,
    lines: Mapping[str, DailySeries],
    marks: Sequence[tuple[date, str]],
    language: Language,
) -> Any:
    figure, axes = new_figure(LINES_HEIGHT, 1)
    ends: list[tuple[str, float, str]] = []
    for place, (label, series) in enumerate(lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        plot_series(axes[0], series, colour, DASHES[place % len(DASHES)])
        last = [value for value in series.per_sensor if value is not None]
        if last:
            ends.append((label, sum(last[-3:]) / len(last[-3:]), colour))
    finish_axis(axes[0], analysis.days, language)
    hatch_gaps(axes[0], list(lines.values()), language)
    mark_dates(axes[0], marks, language)
    label_ends(axes[0], ends)
    return figure


def _draw_pinned(analysis: QuarterAnalysis, item: Reassignment, language: Language) -> Any:
    regions = panels_of(analysis, item)
    figure, axes = new_figure(PANELS_HEIGHT, len(regions))
    order = [row.region for row in analysis.regions]
    for place, (axis, region) in enumerate(zip(axes, regions, strict=True)):
        colour = COLOURS[order.index(region) % len(COLOURS)] if region in order[:PRINTED_RANKS] else INK
        observed, pinned = analysis.region_series[region], analysis.region_series_pinned[region]
        _fill_between(axis, observed, pinned, colour)
        plot_series(axis, observed, colour, "")
        plot_series(axis, pinned, INK, (3, 1.5))
        finish_axis(axis, analysis.days, language, step=30 if len(regions) > 1 else 10)
        hatch_gaps(axis, [observed], language)
        mark_dates(axis, [(item.date, day_text(item.date, language))], language)
        axis.set_title(region_name(region, language), loc="left", fontsize=10, color=INK, pad=14)
        if place:
            axis.set_ylabel("")
    _legend_pinned(figure, language)
    return figure


def _legend_pinned(figure: Any, language: Language) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    texts = {
        "ja": ("各日の割り当てによる集計", "四半期初日の割り当てに固定した集計", "割り当て変更による差"),
        "en": ("by each day's delegations", "by those of the quarter's first day", "difference: reassignment"),
    }[language]
    figure.legend(
        handles=[
            Line2D([], [], color=MUTED, linewidth=1.8, label=texts[0]),
            Line2D([], [], color=INK, linewidth=1.4, dashes=(3, 1.5), label=texts[1]),
            Patch(facecolor=MUTED, alpha=0.22, label=texts[2]),
        ],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8,
    )


def _draw_coverage(analysis: QuarterAnalysis, height: float, language: Language) -> Any:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    coverage = analysis.sensors.coverage
    names = sorted(coverage)
    codes = {"u": 2, "d": 1, "-": 0}
    grid = [[codes[letter] for letter in coverage[name]] for name in names]
    figure, axes = new_figure(height, 1)
    axis = axes[0]
    palette = ("#f0f0f0", "#D55E00", "#7fb8d8")
    first = day_number(analysis.days[0]) - 0.5
    axis.imshow(
        grid,
        aspect="auto",
        interpolation="nearest",
        cmap=ListedColormap(palette),
        vmin=0,
        vmax=2,
        extent=(first, first + len(analysis.days), len(names) - 0.5, -0.5),
    )
    axis.set_yticks([place - 0.5 for place in range(1, len(names))], minor=True)
    axis.grid(which="minor", axis="y", color="white", linewidth=1)
    axis.grid(which="major", visible=False)
    axis.tick_params(which="minor", length=0)
    step = -(-len(names) // 48)
    axis.set_yticks(range(0, len(names), step), names[::step], fontsize=7)
    date_axis(axis, analysis.days, language, 10)
    texts = {"ja": ("稼働", "観測なし", "対象外"), "en": ("up", "no packets", "not expected")}[language]
    figure.legend(
        handles=[
            Patch(facecolor=palette[code], edgecolor="#999999", linewidth=0.5, label=text)
            for code, text in zip((2, 1, 0), texts, strict=True)
        ],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8,
    )
    return figure


def _fill_between(axis: Any, observed: DailySeries, pinned: DailySeries, colour: str) -> None:
    pairs = list(zip(observed.days, observed.per_sensor, pinned.per_sensor, strict=True))
    for up, run in groupby(pairs, lambda item: item[1] is not None and item[2] is not None):
        if up:
            days, upper, lower = zip(*run, strict=True)
            axis.fill_between([day_number(day) for day in days], upper, lower, color=colour, alpha=0.22, linewidth=0)


def _style(language: Language) -> AbstractContextManager[None]:
    import matplotlib
    import seaborn

    family = japanese_font() if language == "ja" else "DejaVu Sans"
    settings = {
        **seaborn.axes_style("whitegrid"),
        "font.family": [family],
        "font.size": 9,
        "axes.edgecolor": "#888888",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.labelcolor": INK,
        "grid.color": "#e3e3e3",
        "grid.linewidth": 0.7,
        "hatch.linewidth": 0.6,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "axes.unicode_minus": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "tsubame",
        "path.simplify": True,
    }
    context: AbstractContextManager[None] = matplotlib.rc_context(settings)
    return context
