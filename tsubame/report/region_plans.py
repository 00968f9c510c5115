"""Which reassignments the regions page draws, and what each figure is called."""

from __future__ import annotations

from tsubame.analysis.results import QuarterAnalysis, Reassignment
from tsubame.report.claims import english_in_sentence
from tsubame.report.names import region_name
from tsubame.report.plans import FigurePlan
from tsubame.report.reassigned import reassigned_days, span_text

BLOCKS = "blocks"
LARGEST_DRAWN = 6
"""Reassignments drawn on the regions page, largest effect first; a picture takes some seconds in four forms."""

_HEIGHT = 5.4


def plan_blocks(analysis: QuarterAnalysis) -> tuple[FigurePlan, ...]:
    """Return the regions page's figures, numbered on that page."""
    drawn = [item for item in analysis.reassignments if item.series is not None][:LARGEST_DRAWN]
    return tuple(_plan(item, number) for number, item in enumerate(drawn, 1))


def blocks_figure(item: Reassignment) -> str:
    """Return the id of the figure of a reassignment's regions and blocks."""
    return f"{BLOCKS}-{item.from_region.lower()}-{item.to_region.lower()}-{item.date:%Y%m%d}"


def _plan(item: Reassignment, number: int) -> FigurePlan:
    ja = region_name(item.from_region), region_name(item.to_region)
    en = english_in_sentence(item.from_region), english_in_sentence(item.to_region)
    when_ja, when_en = span_text(*reassigned_days(item))
    return FigurePlan(
        blocks_figure(item),
        number,
        f"{ja[0]}から{ja[1]}への割り当て変更（{when_ja}）と送信元別パケット観測数の推移",
        f"Packets by source around the reassignment from {en[0]} to {en[1]} ({when_en})",
        f"折れ線グラフと面グラフ。上段は{ja[1]}と{ja[0]}からのパケット観測数で、実線は各日の割り当て、破線は固定した割り当てによる。"
        f"下段は割り当てが変わったアドレス帯のパケット観測数。縦の点線は{when_ja}。",
        f"Line charts of {en[1]} and {en[0]}, as delegated each day (solid) and with delegations held fixed (dashed); "
        f"below, packets from the moved blocks. The dotted line is {when_en}.",
        blocks_figure(item),
        _HEIGHT,
        item,
        kind=BLOCKS,
    )
