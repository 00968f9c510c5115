"""Open data of the regions page: groups of moves, what they did day by day, steps, and the series of its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from tsubame.analysis.results import QuarterAnalysis, Reassignment
from tsubame.publish.columns import DAY, SERIES
from tsubame.report.plans import FigurePlan
from tsubame.report.reassigned import reassigned_days
from tsubame.report.region_plans import BLOCKS
from tsubame.schemas import Column, TableSchema

_SHARE = "M/Δ; null where the change cannot be told from none"

GROUPS = TableSchema(
    "reassignments",
    "blocks that moved between one pair of regions at one time, and what that did to the two regions",
    (
        Column("from_region", pa.string(), "region that lost the blocks", key=True),
        Column("to_region", pa.string(), "region that gained the blocks", key=True),
        Column("date", pa.date32(), "date of the first snapshot that shows a move of this group", key=True),
        Column("first_cidr", pa.string(), "the group's block with most packets", key=True),
        Column("last", pa.date32(), "date of its last move"),
        Column("blocks", pa.uint32(), "number of blocks", unit="blocks"),
        Column("addresses", pa.uint64(), "number of addresses", unit="addresses"),
        Column("before_first", pa.date32(), "first day of the window before", nullable=True),
        Column("before_last", pa.date32(), "last day of the window before", nullable=True),
        Column("after_first", pa.date32(), "first day of the window after", nullable=True),
        Column("after_last", pa.date32(), "last day of the window after", nullable=True),
        Column("effect", pa.float64(), "M of the gaining region", unit="packets per sensor and day"),
        Column("change", pa.float64(), "Δ of the gaining region", unit="packets per sensor and day", nullable=True),
        Column("share", pa.float64(), f"{_SHARE}, of the gaining region", nullable=True),
        Column("share_low", pa.float64(), "lower end of its 95 % interval", nullable=True),
        Column("share_high", pa.float64(), "upper end of its 95 % interval", nullable=True),
        Column("share_from", pa.float64(), f"{_SHARE}, of the losing region", nullable=True),
        Column("share_from_low", pa.float64(), "lower end of its 95 % interval", nullable=True),
        Column("share_from_high", pa.float64(), "upper end of its 95 % interval", nullable=True),
        Column("ratio_observed", pa.float64(), "after / before of the gaining region", nullable=True),
        Column("ratio_pinned", pa.float64(), "the same with delegations held fixed", nullable=True),
        Column("matters", pa.bool_(), "whether it moves at least 5 % of either region's packets"),
        Column("verdict", pa.string(), "what the test of its effect found"),
        Column(
            "failed", pa.string(), "conditions of an explanation that do not hold; null where not tested", nullable=True
        ),
    ),
)
EFFECTS = TableSchema(
    "region_effects",
    "what reassignment since the quarter's first day added to a region on one report day; each day adds up to 0",
    (
        DAY,
        Column("region", pa.string(), "alpha-2, a registry's own code, or a kind of space without one", key=True),
        Column("gained", pa.int64(), "packets as delegated that day minus packets as pinned", unit="packets"),
    ),
)
STEPS = TableSchema(
    "region_steps",
    "a lasting change of one of the first regions, as delegated each day",
    (
        Column("region", pa.string(), "region of the sources", key=True),
        Column("onset", pa.date32(), "first day of the change", key=True),
        Column("onset_first", pa.date32(), "earliest day on which it may have begun"),
        Column("onset_last", pa.date32(), "latest day on which it may have begun"),
        Column("ratio", pa.float64(), "10 days from the onset / 10 days before", nullable=True),
        Column("pinned_onset", pa.date32(), "onset of the same change with delegations held fixed", nullable=True),
        Column("moved_blocks", pa.uint32(), "blocks that moved to or from it within 3 days", unit="blocks"),
        Column("moved_share", pa.float64(), "part of the change that their packets make up", nullable=True),
        Column("verdict", pa.string(), "whether a reassignment explains it"),
    ),
)
BLOCK_SERIES = TableSchema(
    "reassignment_blocks",
    "daily means behind a figure of the regions page",
    (
        DAY,
        Column("line", pa.string(), "observed, pinned (of a region) or block (packets from a moved block)", key=True),
        Column("name", pa.string(), "the region, or the block's CIDR", key=True),
        *SERIES,
    ),
)


def region_tables(
    analysis: QuarterAnalysis, plans: tuple[FigurePlan, ...]
) -> dict[str, tuple[TableSchema, list[Mapping[str, Any]]]]:
    """Return the tables by name, each with its rows.

    Args:
        analysis: what the quarter's numbers are.
        plans: the regions page's figures.
    """
    tables: dict[str, tuple[TableSchema, list[Mapping[str, Any]]]] = {
        "reassignments": (GROUPS, list(_groups(analysis))),
        "region-effects": (EFFECTS, list(_effects(analysis))),
        "region-steps": (STEPS, list(_steps(analysis))),
    }
    for plan in plans:
        if plan.kind == BLOCKS and plan.reassignment is not None:
            tables[plan.data] = BLOCK_SERIES, list(_series(plan.reassignment))
    return tables


def _groups(analysis: QuarterAnalysis) -> Iterator[Mapping[str, Any]]:
    for items, matters in ((analysis.reassignments, True), (analysis.minor_reassignments, False)):
        for item in items:
            low, high = item.share_interval or (None, None)
            from_low, from_high = item.share_from_interval or (None, None)
            yield {
                "from_region": item.from_region,
                "to_region": item.to_region,
                "date": item.date,
                "first_cidr": item.blocks[0].cidr,
                "last": reassigned_days(item)[1],
                "blocks": len(item.blocks),
                "addresses": sum(block.addresses for block in item.blocks),
                "before_first": item.before.first if len(item.before) > 0 else None,
                "before_last": item.before.last if len(item.before) > 0 else None,
                "after_first": item.after.first if len(item.after) > 0 else None,
                "after_last": item.after.last if len(item.after) > 0 else None,
                "effect": item.effect,
                "change": item.delta,
                "share": item.share,
                "share_low": low,
                "share_high": high,
                "share_from": item.share_from,
                "share_from_low": from_low,
                "share_from_high": from_high,
                "ratio_observed": item.observed.value,
                "ratio_pinned": item.pinned.value,
                "matters": matters,
                "verdict": item.verdict,
                "failed": None if item.evidence is None else " ".join(item.evidence.failed),
            }


def _effects(analysis: QuarterAnalysis) -> Iterator[Mapping[str, Any]]:
    for effect in analysis.region_effects:
        for day, gained in zip(analysis.days, effect.gained, strict=True):
            if gained:
                yield {"day": day, "region": effect.region, "gained": gained}


def _steps(analysis: QuarterAnalysis) -> Iterator[Mapping[str, Any]]:
    for step in analysis.region_steps:
        yield {
            "region": step.region,
            "onset": step.event.onset,
            "onset_first": step.event.onset_interval[0],
            "onset_last": step.event.onset_interval[1],
            "ratio": None if step.event.ratio is None else step.event.ratio.value,
            "pinned_onset": None if step.own is None else step.own.onset,
            "moved_blocks": step.blocks_near,
            "moved_share": step.moved_share,
            "verdict": step.verdict,
        }


def _series(item: Reassignment) -> Iterator[Mapping[str, Any]]:
    if item.series is None:
        return
    lines = [("observed", region, series) for region, series in item.series.observed.items()]
    lines += [("pinned", region, series) for region, series in item.series.pinned.items()]
    lines += [("block", block.cidr, series) for block, series in zip(item.blocks, item.series.blocks, strict=True)]
    for line, name, series in lines:
        for day, packets, mean in zip(series.days, series.packets, series.per_sensor, strict=True):
            yield {"day": day, "line": line, "name": name, "packets": packets, "per_sensor": mean}
