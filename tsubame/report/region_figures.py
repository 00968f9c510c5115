"""The regions page's figures: both regions' series in two attributions, above the packets of the moved blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from tsubame.analysis.results import DailySeries, Reassignment, ReassignmentSeries
from tsubame.report.axes import INK, MUTED, PER_SENSOR, day_number, finish_axis, hatch_gaps, mark_dates
from tsubame.report.names import Language, region_name
from tsubame.report.narrative import day_text
from tsubame.report.plans import FigurePlan
from tsubame.report.reassigned import reassigned_days

MOST_BLOCKS = 6
"""Blocks that are drawn apart; the rest is one area."""

_GAINING, _LOSING = "#0072B2", "#D55E00"
_BLOCKS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7")
_REST = "#9a9a9a"


def draw_blocks(plan: FigurePlan, language: Language, colour_of: Callable[[str], str]) -> Any:
    """Draw one reassignment: gaining region, losing region, moved blocks.

    Args:
        plan: the figure's.
        language: of its words.
        colour_of: the colour that a region has in the report; ink where it has none there.
    """
    from matplotlib.figure import Figure

    item = plan.reassignment
    if item is None or item.series is None:
        raise ValueError(f"{plan.id} is of no reassignment with series")
    figure = Figure(figsize=(7.6, plan.height), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 0.9))
    first = reassigned_days(item)[0]
    marks = [(first, day_text(first, language))]
    for place, (region, plain) in enumerate(((item.to_region, _GAINING), (item.from_region, _LOSING))):
        axis = figure.add_subplot(grid[0, place])
        colour = colour_of(region)
        _draw_region(axis, item.series, region, plain if colour == INK else colour)
        finish_axis(axis, item.series.days, language, step=30)
        hatch_gaps(axis, [item.series.observed[region]], language)
        mark_dates(axis, marks, language)
        axis.set_title(region_name(region, language), loc="left", fontsize=10, color=INK, pad=14)
        axis.set_ylabel("")
    below = figure.add_subplot(grid[1, :])
    labels = _draw_stack(below, item, language)
    finish_axis(below, item.series.days, language)
    below.set_ylabel("")
    figure.supylabel(PER_SENSOR[language], fontsize=8.5, color=INK)
    below.axvline(day_number(first), color=INK, linewidth=1.1, linestyle=(0, (1, 1.5)), zorder=5)
    title = {"ja": "割り当てが変わったアドレス帯からのパケット", "en": "packets from the moved blocks"}[language]
    below.set_title(title, loc="left", fontsize=10, color=INK)
    below.legend(
        handles=labels, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, fontsize=7.5, borderpad=0
    )
    _legend(figure, item, language)
    return figure


def _draw_region(axis: Any, series: ReassignmentSeries, region: str, colour: str) -> None:
    observed, pinned = series.observed[region], series.pinned[region]
    days = np.array([day_number(day) for day in series.days])
    upper, lower = _values(observed), _values(pinned)
    axis.fill_between(days, upper, lower, color=colour, alpha=0.2, linewidth=0, where=~np.isnan(upper + lower))
    axis.plot(days, upper, color=colour, linewidth=1.6)
    axis.plot(days, lower, color=INK, linewidth=1.2, dashes=(3, 1.5))


def _draw_stack(axis: Any, item: Reassignment, language: Language) -> list[Any]:
    """Stack the blocks' packets, the largest at the bottom; return the handles of the legend, top first."""
    assert item.series is not None
    from matplotlib.patches import Patch

    names = [block.cidr.split(", ")[0] + (" …" if ", " in block.cidr else "") for block in item.blocks]
    values = [_values(series) for series in item.series.blocks]
    shown = min(len(values), MOST_BLOCKS)
    layers = list(zip(names[:shown], values[:shown], _BLOCKS, strict=False))
    if len(values) > shown:
        rest = {"ja": f"ほか{len(values) - shown}件", "en": f"{len(values) - shown} more"}[language]
        layers.append((rest, np.sum(values[shown:], axis=0), _REST))
    days = np.array([day_number(day) for day in item.series.days])
    base = np.zeros(len(days))
    known = ~np.isnan(values[0]) if values else np.zeros(len(days), bool)
    for run in _runs(known):
        bottom = base[run].copy()
        for _, value, colour in layers:
            top = bottom + value[run]
            axis.fill_between(days[run], bottom, top, color=colour, alpha=0.85, linewidth=0)
            bottom = top
    return [Patch(facecolor=colour, alpha=0.85, label=name) for name, _, colour in reversed(layers)]


def _runs(known: np.ndarray) -> list[slice]:
    """Return where runs of known days lie."""
    runs, at = [], 0
    for value, run in groupby(known.tolist()):
        length = len(list(run))
        if value:
            runs.append(slice(at, at + length))
        at += length
    return runs


def _legend(figure: Any, item: Reassignment, language: Language) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    quarterly = item.reference is None or (item.date - item.reference).days > 1
    fixed = {
        "ja": "四半期初日の割り当てに固定" if quarterly else "変更前日の割り当てに固定",
        "en": "by those of the quarter's first day" if quarterly else "by those of the day before the move",
    }[language]
    texts = {
        "ja": ("各日の割り当てによる集計", fixed, "割り当て変更による差"),
        "en": ("by each day's delegations", fixed, "difference: reassignment"),
    }[language]
    figure.legend(
        handles=[
            Line2D([], [], color=MUTED, linewidth=1.8, label=texts[0]),
            Line2D([], [], color=INK, linewidth=1.2, dashes=(3, 1.5), label=texts[1]),
            Patch(facecolor=MUTED, alpha=0.22, label=texts[2]),
        ],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8,
    )


def _values(series: DailySeries) -> np.ndarray:
    values: Sequence[float | None] = series.per_sensor
    return np.array(values, np.float64)
