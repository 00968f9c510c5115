"""What is validated: one frame for each suite, made from what the quarter was computed from.

A check is worth something when its two sides were computed on different ways: counts against accounting,
sources against counts, moved blocks (delegation files and sources) against regions (counts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from tsubame.analysis.cubes import Cube
from tsubame.analysis.results import QuarterAnalysis, RankedPort, RankedRegion, Reassignment
from tsubame.analysis.series import (
    RegionGrid,
    SensorFacts,
    build_exposure,
    build_region_grid,
    piece_packets,
    sensor_day_packets,
)
from tsubame.analysis.timeline import MovedBlock
from tsubame.validation.stepwise import COLUMNS, step_rows

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[Mapping[str, Any]]

ACCOUNTING = (
    "records_read",
    "packets_kept",
    "not_ip",
    "ipv6",
    "truncated_header",
    "bad_header",
    "outside_sensor",
    "damaged_record",
)
DELEGATIONS = (
    "day",
    "registry",
    "snapshot_date",
    "age_days",
    "faults",
    "addresses",
    "md5_ok",
    "md5_unreadable",
    "glitch",
)
UNDELEGATED = "undelegated"
_NONE_KINDS = frozenset({UNDELEGATED, "available", "reserved", "ZZ"})


@dataclass(frozen=True, slots=True, eq=False)
class ValidationFrames:
    """What a quarter's validation looks at.

    Attributes:
        sensors: every sensor of the registry, without addresses.
        current: the quarter's merged cube, of which the analysis was made.
        captures: a row for each capture object: ``capture``, ``sensor_id``, the counters of ``ACCOUNTING``,
            ``truncated_tail``, ``unread_bytes``, ``error`` (one line or None).
        accounting_days: a row for each report day with a record: ``day`` and the counters of ``ACCOUNTING``.
        delegations: a row for each day of the quarter and registry with a snapshot in force, or without
            one (then ``snapshot_date`` is None): the columns of ``DELEGATIONS``; ``md5_ok`` None where
            there is no MD5, ``md5_unreadable`` whether what lies in its place names none, ``glitch``
            whether something in that day's file was held back.
        moves: the moved blocks that the cube and the analysis were given.
    """

    sensors: tuple[SensorFacts, ...]
    current: Cube
    captures: Rows
    accounting_days: Rows
    delegations: Rows
    moves: Sequence[MovedBlock]
    analysis: QuarterAnalysis


def build_frames(frames: ValidationFrames) -> dict[str, pd.DataFrame]:
    """Return a frame for each suite, by the suite's name, in the order of the data path."""
    grid = build_region_grid(frames.current, build_exposure(frames.current))
    return {
        "delegations": _delegations(frames.delegations),
        "captures": _captures(frames.captures),
        "days": _days(frames, grid),
        "counts": _counts(frames.current),
        "regions": _regions(grid),
        "moves": _moves(frames, grid),
        "reassignments": _pairs(frames.analysis, grid),
        "steps": _frame(step_rows(frames.analysis, grid), COLUMNS),
        "verdicts": _verdicts(frames.analysis),
        "ranking": _ranking(frames.analysis),
    }


def _frame(rows: Iterable[Sequence[Any]], columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([tuple(row) for row in rows], columns=list(columns))


def _delegations(rows: Rows) -> pd.DataFrame:
    frame = _frame(([row.get(name) for name in DELEGATIONS] for row in rows), DELEGATIONS)
    for name in ("age_days", "faults", "addresses"):
        frame[name] = frame[name].astype("Int64")
    for name in ("day", "snapshot_date"):
        frame[name] = [None if value is None else str(value) for value in frame[name].astype(object)]
    return frame


def _captures(rows: Rows) -> pd.DataFrame:
    names = ("capture", "sensor_id", *ACCOUNTING, "truncated_tail", "unread_bytes", "error")
    return _frame(([row.get(name, 0) for name in names[:-1]] + [row.get("error")] for row in rows), names)


def _days(frames: ValidationFrames, grid: RegionGrid) -> pd.DataFrame:
    accounts = {_as_day(row["day"]): row for row in frames.accounting_days}
    counted = {each.day: each for each in frames.current.days}
    up = {key for key in sensor_day_packets(frames.current) if key[0] in frames.current.sensors}
    first_day = frames.current.quarter.first_day
    rows = []
    for at, day in enumerate(frames.current.quarter.days):
        account = accounts.get(day, {})
        each = counted.get(day)
        packets = each.regions["packets"].to_numpy() if each else np.zeros(0, np.int64)
        region = np.array(each.regions["region"].to_pylist(), object) if each else packets
        pinned = np.array(each.regions["region_pinned"].to_pylist(), object) if each else packets
        expected = sum(s.domestic and s.is_active(day) for s in frames.sensors)
        sensors_up = sum(1 for _, when in up if when == day)
        rows.append(
            [
                str(day),
                *(int(account.get(name, 0)) for name in ACCOUNTING),
                int(packets.sum()),
                int(packets[pinned != ""].sum()),
                int(grid.observed[:, at].sum()),
                int(each.ports["packets"].to_numpy().sum()) if each else 0,
                each.source_packets if each else 0,
                int(packets[region != pinned].sum()) if day == first_day else 0,
                each.source_rows_wrong if each else 0,
                sensors_up,
                expected,
                min(1.0, sensors_up / expected) if expected else 1.0,
                int(packets[np.isin(region, list(_NONE_KINDS))].sum()),
            ]
        )
    return _frame(rows, ("day", *ACCOUNTING, *_DAY_COLUMNS))


_DAY_COLUMNS = (
    "counted_packets",
    "pinned_packets",
    "domestic_packets",
    "domestic_port_packets",
    "domestic_source_packets",
    "parted_on_first_day",
    "source_rows_wrong",
    "sensors_up",
    "sensors_expected",
    "sensors_up_share",
    "undelegated_packets",
)


def _counts(cube: Cube) -> pd.DataFrame:
    names = ("column", "type", "nulls", "minimum", "maximum")
    rows = (
        (str(each.day), *row)
        for each in cube.days
        for row in zip(*(each.profile[name].to_pylist() for name in names), strict=True)
    )
    frame = _frame(rows, ("day", *names))
    for name in ("nulls", "minimum", "maximum"):
        # A label has no minimum; 64-bit sums of bytes pass the range of floats.
        frame[name] = frame[name].astype("Int64")
    return frame


def _regions(grid: RegionGrid) -> pd.DataFrame:
    observed, pinned = grid.observed.sum(axis=0), grid.pinned.sum(axis=0)
    rows = (
        (str(day), region, int(observed[at, i]), int(pinned[at, i]))
        for at, day in enumerate(grid.exposure.days)
        for i, region in enumerate(grid.regions)
        if observed[at, i] or pinned[at, i]
    )
    return _frame(rows, ("day", "region", "observed", "pinned"))


def _moves(frames: ValidationFrames, grid: RegionGrid) -> pd.DataFrame:
    parted = {
        (str(grid.exposure.days[at]), *pair): int(total)
        for pair, packets in grid.moved.items()
        for at, total in enumerate(packets.sum(axis=0).tolist())
        if total
    }
    carried = _carried(frames.current, frames.moves)
    rows = ((*key, parted.get(key, 0), carried.get(key, 0)) for key in sorted({*parted, *carried}))
    return _frame(rows, ("day", "from_region", "to_region", "parted", "carried"))


def _carried(cube: Cube, moves: Sequence[MovedBlock]) -> dict[tuple[str, str, str], int]:
    """Follow each piece of the moved blocks through its moves; return packets by day, was and now."""
    first, last, packets = piece_packets(cube)
    of_piece: dict[int, list[MovedBlock]] = {}
    for move in sorted(moves, key=lambda each: each.first_seen):
        low, high = np.searchsorted(first, move.first), np.searchsorted(last, move.last, side="right")
        for piece in range(int(low), int(high)):
            if packets[piece].any():
                of_piece.setdefault(piece, []).append(move)
    found: dict[tuple[str, str, str], int] = {}
    for piece, steps in of_piece.items():
        was = steps[0].from_region
        for at in np.flatnonzero(packets[piece]).tolist():
            day = cube.quarter.days[at]
            now = next((step.to_region for step in reversed(steps) if step.first_seen <= day), was)
            if now != was:
                key = (str(day), was, now)
                found[key] = found.get(key, 0) + int(packets[piece, at])
    return found


def _pairs(analysis: QuarterAnalysis, grid: RegionGrid) -> pd.DataFrame:
    every = (*analysis.reassignments, *analysis.minor_reassignments)
    up = grid.exposure.sensors_up
    rows = []
    for (was, now), packets in sorted(grid.moved.items()):
        by_day = packets.sum(axis=0)
        at = np.flatnonzero(by_day)
        sizes = [
            max(grid.of(name, pinned=pinned).sum(axis=0)[at].sum() for pinned in (False, True)) for name in (was, now)
        ]
        days = float(up[at].sum())
        # A block that moved on again has no reassignment from its first region to its last.
        own = [r for r in every if (r.from_region, r.to_region) == (was, now)]
        own = own or [r for r in every if r.to_region == now]
        seen = [block.first_seen for r in own for block in r.blocks]
        rows.append(
            (
                was,
                now,
                float(by_day.sum()) / days,
                float(min(sizes)) / days,
                str(grid.exposure.days[int(at[0])]),
                str(min(seen)) if seen else "",
                len(seen),
            )
        )
    return _frame(
        rows,
        (
            "from_region",
            "to_region",
            "parted_per_sensor_day",
            "smaller_region_per_sensor_day",
            "first_parted",
            "first_seen",
            "blocks",
        ),
    )


def _verdicts(analysis: QuarterAnalysis) -> pd.DataFrame:
    def row(each: Reassignment, matters: bool) -> tuple[Any, ...]:
        low, high = each.share_interval or (float("nan"), float("nan"))
        return (
            each.from_region,
            each.to_region,
            str(each.date),
            float("nan") if each.share is None else each.share,
            low,
            high,
            each.verdict,
            sum(block.packets_before for block in each.blocks),
            sum(block.packets_after for block in each.blocks),
            matters,
            "" if each.evidence is None else " ".join(each.evidence.failed),
        )

    rows = [row(each, True) for each in analysis.reassignments]
    rows += [row(each, False) for each in analysis.minor_reassignments]
    return _frame(
        rows,
        (
            "from_region",
            "to_region",
            "date",
            "share",
            "share_low",
            "share_high",
            "verdict",
            "packets_before",
            "packets_after",
            "matters",
            "failed",
        ),
    )


def _ranking(analysis: QuarterAnalysis) -> pd.DataFrame:
    def row(table: str, name: str, each: RankedPort | RankedRegion) -> tuple[Any, ...]:
        return table, name, each.rank, each.packets, each.sources, *each.rank_interval

    rows = [row("ports", f"{r.protocol}/{'-' if r.port is None else r.port}", r) for r in analysis.ports]
    rows += [row("regions", r.region, r) for r in analysis.regions]
    return _frame(rows, ("table", "name", "rank", "packets", "sources", "rank_low", "rank_high"))


def _as_day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))
