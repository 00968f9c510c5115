"""Captions and alternative texts of a noted port's figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tsubame.analysis.noted_results import Focus, NotedPort, RegionPart
from tsubame.report.names import port_label, region_name
from tsubame.report.narrative import Bilingual
from tsubame.report.noted_text import tool_label
from tsubame.report.numbering import (
    COMPANION,
    FOCUS,
    REGIONS,
    SOURCES,
    TOOLS,
    noted_figure,
    noted_kinds,
    shown_regions,
)
from tsubame.report.plans import FigurePlan

MOST_LINES = 4
"""Tools drawn one by one; the others are drawn together."""

PANEL_COLUMNS = 3
LARGEST_SPREAD = 6.0
"""The panels of the regions share one scale unless the largest peak is so many times the smallest."""

_HEIGHTS = {FOCUS: 3.2, COMPANION: 3.0, TOOLS: 3.2, SOURCES: 2.8}


def plan_noted(noted: NotedPort, first_number: int) -> Iterator[FigurePlan]:
    """Yield the plans of a noted port's figures, numbered from ``first_number``."""
    for number, kind in enumerate(noted_kinds(noted), first_number):
        title, alt = _texts(noted, kind)
        figure = noted_figure(noted, kind)
        height = _HEIGHTS.get(kind) or 0.5 + 1.35 * rows_of(len(shown_regions(noted)))
        yield FigurePlan(figure, number, *title, *alt, figure, height, noted=noted, kind=kind)


def rows_of(panels: int) -> int:
    """Return in how many rows so many panels stand."""
    return -(-panels // PANEL_COLUMNS)


def one_scale(parts: Sequence[RegionPart]) -> bool:
    """Say whether the panels of some regions share one scale."""
    peaks = [max((value or 0.0 for value in part.series.per_sensor), default=0.0) for part in parts]
    return not peaks or min(peaks) <= 0 or max(peaks) / min(peaks) <= LARGEST_SPREAD


def _texts(noted: NotedPort, kind: str) -> tuple[Bilingual, Bilingual]:
    """Return title and alternative text of one figure."""
    target = _target(noted.port)
    if kind == FOCUS and noted.focus is not None:
        return _focus_texts(noted.focus, target)
    if kind == COMPANION and noted.focus is not None and noted.focus.overlap is not None:
        return _companion_texts(noted, noted.focus)
    if kind == REGIONS:
        return _region_texts(noted, target)
    if kind == SOURCES:
        return (
            (f"{target[0]}のパケットの送信元IPアドレス数の推移", f"Source addresses of the packets {target[1]}"),
            (
                f"{target[0]}のパケットの、1日ごとの送信元IPアドレス数（折れ線）と、"
                "そのうち四半期に入って初めて観測したものの数（塗りつぶし）。",
                f"Daily number of source addresses of the packets {target[1]}: all seen as a line, those first seen "
                "in the quarter on that day as a filled area.",
            ),
        )
    tools = list(noted.by_tool)
    names = [[tool_label(tool, language) for tool in tools[:MOST_LINES]] for language in ("ja", "en")]
    return (
        (f"{target[0]}のパケットのツール別の内訳の推移", f"Packets {target[1]}, by tool"),
        (
            f"積み上げ面グラフ。{target[0]}の、センサー1台・1日あたりの平均パケット数の内訳：{'、'.join(names[0])}。",
            f"Stacked areas of daily packets per sensor {target[1]}: {', '.join(names[1])}.",
        ),
    )


def _target(port: tuple[int, int | None]) -> Bilingual:
    ja, en = port_label(*port, "ja"), port_label(*port, "en")
    return (ja, f"of {en}") if port[1] is None else (f"{ja}宛", f"to {en}")


def _focus_texts(focus: Focus, target: Bilingual) -> tuple[Bilingual, Bilingual]:
    ja, en = region_name(focus.region, "ja"), region_name(focus.region, "en")
    tools = list(focus.by_tool)[:MOST_LINES]
    names = [[tool_label(tool, language) for tool in tools] for language in ("ja", "en")]
    days = [event.onset for event in focus.events]
    marked_ja = "、".join(f"{day.month}月{day.day}日" for day in days)
    marked_en = ", ".join(f"{day.day} {day:%B}" for day in days)
    return (
        (f"{ja}を送信元とする{target[0]}のパケットの推移", f"Packets {target[1]} from {en}"),
        (
            f"折れ線グラフ。{ja}からの{target[0]}の、センサー1台・1日あたりの平均パケット数の日ごとの推移"
            f"（{'、'.join(names[0])}）。変化の始まりの印：{marked_ja}。",
            f"Line chart of daily packets per sensor {target[1]} from {en} ({', '.join(names[1])}); "
            f"onsets marked: {marked_en}.",
        ),
    )


def _companion_texts(noted: NotedPort, focus: Focus) -> tuple[Bilingual, Bilingual]:
    assert focus.overlap is not None
    ja, en = region_name(focus.region, "ja"), region_name(focus.region, "en")
    target = _target(focus.overlap.companion)
    return (
        (f"{ja}を送信元とする{target[0]}のパケットの推移", f"Packets {target[1]} from {en}"),
        (
            f"折れ線グラフ。{ja}からの{target[0]}の、センサー1台・1日あたりの平均パケット数の日ごとの推移。"
            f"{port_label(*noted.port)}宛の変化の始まりを点線で示す。",
            f"Line chart of daily packets per sensor {target[1]} from {en}; "
            f"dotted: onsets of the changes to {port_label(*noted.port, 'en')}.",
        ),
    )


def _region_texts(noted: NotedPort, target: Bilingual) -> tuple[Bilingual, Bilingual]:
    parts = shown_regions(noted)
    ja = "、".join(region_name(part.region, "ja") for part in parts)
    en = ", ".join(region_name(part.region, "en") for part in parts)
    scale = ("縦軸は共通", "one scale") if one_scale(parts) else ("縦軸は地域ごとに異なる", "each on its own scale")
    return (
        (
            f"{ja}を送信元とする{target[0]}のパケットの推移（{scale[0]}）",
            f"Packets {target[1]} from {en} ({scale[1]})",
        ),
        (
            f"地域ごとの小さな折れ線グラフ。{ja}からの{target[0]}の、センサー1台・1日あたりの平均パケット数の推移。"
            "増加の始まりを点線で示す。",
            f"Small line charts of daily packets per sensor {target[1]}, one for each of {en}; dotted: onsets.",
        ),
    )
