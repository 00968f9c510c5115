"""What the figures' axes have in common: size, dates, gaps, marks, names at the lines' ends, encoding.

Matplotlib only, without ``pyplot``: nothing global is opened, so nothing is left open.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from importlib.util import find_spec
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from tsubame.analysis.results import DailySeries
from tsubame.report.names import Language
from tsubame.report.narrative import MONTHS, day_text

INK = "#1a1a1a"
MUTED = "#5c5c5c"
_WIDTH = 7.6
_LOW = 3.3
"""Height in inches below which the name of the vertical axis is set smaller, to fit beside it."""
PER_SENSOR = {"ja": "パケット数（センサー1台・1日あたりの平均）", "en": "packets per sensor and day (mean)"}


def new_figure(height: float, columns: int) -> tuple[Any, list[Any]]:
    """Return a figure of the reports' width and its axes, side by side; ``height`` in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)
    return figure, list(axes[0])


def grid_of_axes(height: float, rows: int, columns: int, number: int, *, share: bool) -> tuple[Any, list[Any]]:
    """Return a figure of small axes in rows, the first ``number`` of them; ``share`` gives all one scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share)
    every = [axis for row in axes for axis in row]
    for axis in every[number:]:
        axis.remove()
    return figure, every[:number]


def plot_series(axis: Any, series: DailySeries, colour: str, dashes: Any) -> None:
    """Plot a series as lines that end at each gap; a day alone is a dot."""
    import seaborn

    for up, run in groupby(zip(series.days, series.per_sensor, strict=True), lambda item: item[1] is not None):
        if not up:
            continue
        days, values = zip(*run, strict=True)
        seaborn.lineplot(
            x=[day_number(day) for day in days],
            y=list(values),
            ax=axis,
            color=colour,
            linewidth=1.6,
            estimator=None,
            errorbar=None,
            marker="o" if len(days) == 1 else None,
            markersize=3,
        )
        if dashes:
            axis.lines[-1].set_dashes(dashes)


def shade_days(axis: Any, spans: Sequence[tuple[date, date]]) -> None:
    """Tint the days of events."""
    for first, last in spans:
        axis.axvspan(day_number(first) - 0.5, day_number(last) + 0.5, facecolor="#f6efe0", linewidth=0, zorder=0)


def finish_axis(axis: Any, days: Sequence[date], language: Language, step: int = 10) -> None:
    """Start the axis of counts at zero, name it, and set the dates; ``step`` 30 marks months only."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_ylim(bottom=0)
    low = axis.figure.get_figheight() < _LOW
    axis.set_ylabel(PER_SENSOR[language], fontsize=7.5 if low else 8.5)
    axis.yaxis.set_major_locator(MaxNLocator(6))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}"))
    date_axis(axis, days, language, step)


def date_axis(axis: Any, days: Sequence[date], language: Language, step: int) -> None:
    """Set the axis of dates to the quarter and mark every 1st, 11th and 21st, or the 1st only."""
    shown = [day for day in days if day.day == 1 or (step < 15 and day.day in (11, 21))]
    shown = shown or list(days[:1])
    axis.set_xlim(day_number(days[0]) - 0.5, day_number(days[-1]) + 0.5)
    texts = [
        f"{day.month}/{day.day}" if language == "ja" else f"{day.day} {MONTHS[day.month - 1][:3]}" for day in shown
    ]
    axis.set_xticks([day_number(day) for day in shown], texts)
    axis.set_xlabel("")


def hatch_gaps(axis: Any, lines: Sequence[DailySeries], language: Language) -> None:
    """Hatch the days on which no sensor was up."""
    if not lines:
        return
    gaps = [day for day, value in zip(lines[0].days, lines[0].per_sensor, strict=True) if value is None]
    runs: list[list[date]] = []
    for day in gaps:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    for place, run in enumerate(runs):
        axis.axvspan(
            day_number(run[0]) - 0.5,
            day_number(run[-1]) + 0.5,
            facecolor="#f4f4f4",
            edgecolor="#b0b0b0",
            hatch="////",
            linewidth=0,
            zorder=0,
        )
        if place == 0:
            axis.annotate(
                {"ja": "観測なし", "en": "no data"}[language],
                (day_number(run[0]) + (len(run) - 1) / 2, 0.02),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="bottom",
                fontsize=7,
                color=MUTED,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
            )


def mark_dates(axis: Any, marks: Sequence[tuple[date, str]], language: Language) -> None:
    """Mark dates with a dotted line and their meaning above the plot; texts of close dates are stacked."""
    previous: date | None = None
    level = 0
    for day, text in sorted(marks):
        axis.axvline(day_number(day), color=MUTED, linewidth=1, linestyle=(0, (1, 1.5)), zorder=1)
        level = level + 1 if previous is not None and day - previous < timedelta(days=24) else 0
        previous = day
        when = day_text(day, language)
        shown = when if text == when else f"{when} {text}"
        axis.annotate(
            shown,
            (day_number(day), 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3 + 10 * level),
            textcoords="offset points",
            ha="left" if shown != text else "center",
            va="bottom",
            fontsize=7.5,
            color=MUTED,
            annotation_clip=False,
        )


def label_ends(axis: Any, ends: Sequence[tuple[str, float, str]]) -> None:
    """Name each line at its right end, pushed apart where they would overlap."""
    if not ends:
        return
    low, high = axis.get_ylim()
    least = 0.062 * (high - low)
    ordered = sorted(ends, key=lambda end: end[1])
    places = [value for _, value, _ in ordered]
    for _ in range(200):
        moved = False
        for index, (below, above) in enumerate(pairwise(places)):
            if above - below < least - 1e-9:
                middle = (above + below) / 2
                places[index], places[index + 1] = middle - least / 2, middle + least / 2
                moved = True
        places[0] = max(places[0], low + least / 2)
        if not moved:
            break
    for (label, value, colour), place in zip(ordered, places, strict=True):
        axis.annotate(
            label,
            xy=(1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(1.025, place),
            textcoords=("axes fraction", "data"),
            ha="left",
            va="center",
            fontsize=8.5,
            color=INK,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 1.4,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )


def day_number(day: date) -> float:
    """Return a day as matplotlib counts them, without its date machinery (which follows the locale)."""
    return float(day.toordinal())


@cache
def japanese_font() -> str:
    """Register the Japanese font that ``matplotlib-fontja`` ships, without the global switch its import makes."""
    from matplotlib import font_manager

    spec = find_spec("matplotlib_fontja")
    if spec is None or spec.origin is None:
        raise ImportError("matplotlib-fontja is not installed; install tsubame[report]")
    path = Path(spec.origin).parent / "fonts" / "ipaexg.ttf"
    font_manager.fontManager.addfont(path)
    return str(font_manager.FontProperties(fname=str(path)).get_name())


def encode_figure(figure: Any, form: str) -> bytes:
    """Return the picture as ``svg`` or ``png``, the same bytes for the same figure."""
    stream = io.BytesIO()
    # What a writer adds by itself would differ between runs and versions.
    metadata = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}[form]
    figure.savefig(stream, format=form, dpi=160, metadata=metadata, facecolor="white")
    return stream.getvalue()
