"""The quarter's packets for readers to explore: by day, port, region (as of and pinned), tool and sensor group.

Everything adds up: what is not shown apart is under ``other``, so that the rows of a day and group add up to all of
its packets. A day is reduced beside its data (``explorer_day``), the quarter is cut from the days (``explorer_rows``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tsubame import schemas

if TYPE_CHECKING:
    from tsubame.analysis.cubes import Cube

DAY_PORTS = 48
"""Ports of a day and sensor group that are kept apart; a quarter shows the first ``PORTS_SHOWN`` of them."""
PORTS_SHOWN = 20
REGIONS_SHOWN = 30
LEAST_SOURCES = 3
"""A region of a port is shown apart only if at least as many of its sources sent to the port on some day."""
OTHER = "other"
_NO_PORT = (1 << 24) - 1

DAY_ROWS = pa.schema(
    [
        ("domestic", pa.bool_()),
        ("protocol", pa.uint8()),
        ("port", pa.uint16()),
        ("region", schemas.LABEL),
        ("region_pinned", schemas.LABEL),
        ("tool", schemas.LABEL),
        ("sources", pa.uint32()),
        ("packets", pa.uint64()),
    ]
)
_DAY_KEYS = DAY_ROWS.names[:6]
EXPLORER = pa.schema(
    [
        ("day", pa.date32()),
        ("domestic", pa.bool_()),
        ("protocol", pa.uint8()),
        ("port", pa.uint16()),
        ("region", pa.string()),
        ("region_pinned", pa.string()),
        ("tool", pa.string()),
        ("packets", pa.uint64()),
    ]
)
_KEYS = EXPLORER.names[:7]


@dataclass(frozen=True, slots=True, eq=False)
class ExplorerRows:
    """What readers of an edition may explore.

    Attributes:
        rows: ``EXPLORER``.
        domestic_up, overseas_up: sensors of each group of which a packet was kept, for every day of the quarter.
    """

    rows: pa.Table
    domestic_up: tuple[int, ...]
    overseas_up: tuple[int, ...]


def build_explorer(cube: Cube, *, home: str) -> ExplorerRows:
    """Return what readers may explore of a quarter's merged cube; ``home`` as for ``explorer_rows``."""
    up = [_sensors_up(day.regions, cube.sensors) for day in cube.days]
    known = {day.day: place for place, day in enumerate(cube.days)}
    counts = [up[known[day]] if day in known else (0, 0) for day in cube.quarter.days]
    rows = explorer_rows(((day.day, day.explorer) for day in cube.days), home=home)
    return ExplorerRows(rows, tuple(each[0] for each in counts), tuple(each[1] for each in counts))


def _sensors_up(regions: pa.Table, domestic: Collection[str]) -> tuple[int, int]:
    up = set(regions.filter(pc.greater(regions["packets"], 0))["sensor_id"].to_pylist())
    ours = len(up.intersection(domestic))
    return ours, len(up) - ours


def explorer_day(sources: pa.Table) -> pa.Table:
    """Reduce a day's ``schemas.SOURCES``.

    Returns:
        ``DAY_ROWS``: packets and distinct sources of each sensor group; protocol and port are null for those
        beyond the group's first ``DAY_PORTS``, whose sources may then be counted once a port.
    """
    parts = [_group_rows(sources.filter(pc.equal(sources["domestic"], each))) for each in (True, False)]
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def _group_rows(seen: pa.Table) -> pa.Table:
    if not seen.num_rows:
        return DAY_ROWS.empty_table()
    ports = seen.group_by(["protocol", "dst_port"], use_threads=False).aggregate([("packets", "sum")])
    first = _first(ports, ["protocol", "dst_port"], DAY_PORTS)
    shown = pc.is_in(_packed(seen["protocol"], seen["dst_port"]), _packed(first["protocol"], first["dst_port"]))
    columns = {
        "domestic": seen["domestic"],
        "protocol": pc.if_else(shown, seen["protocol"], pa.scalar(None, pa.uint8())),
        "port": pc.if_else(shown, seen["dst_port"], pa.scalar(None, pa.uint16())),
        **{name: seen[name].cast(pa.string()) for name in ("region", "region_pinned", "tool")},
        "packets": seen["packets"],
    }
    grouped = pa.table(columns).group_by(_DAY_KEYS, use_threads=False)
    summed = grouped.aggregate([("packets", "count"), ("packets", "sum")])
    return summed.rename_columns(DAY_ROWS.names).cast(DAY_ROWS)


def explorer_rows(days: Iterable[tuple[date, pa.Table]], *, home: str) -> pa.Table:
    """Return the rows that the explorer of a quarter shows.

    Args:
        days: of each report day its ``DAY_ROWS``.
        home: region of the domestic sensors, shown apart whatever its rank.

    Returns:
        ``EXPLORER``, sorted by its keys. Protocol and port are null for all but the quarter's first
        ``PORTS_SHOWN`` ports; region and region_pinned are ``other`` for all but the first ``REGIONS_SHOWN``
        regions, and where a region never had ``LEAST_SOURCES`` sources a day on that port. The packets of a day
        and sensor group add up to all there were.
    """
    parts = [rows.add_column(0, "day", pa.array([day] * rows.num_rows, pa.date32())) for day, rows in days]
    if not parts or not sum(part.num_rows for part in parts):
        return EXPLORER.empty_table()
    rows = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    rows = _fold_ports(rows)
    rows = _fold_regions(rows, home)
    grouped = rows.group_by(_KEYS, use_threads=False).aggregate([("packets", "sum")])
    return grouped.rename_columns(EXPLORER.names).cast(EXPLORER).sort_by([(key, "ascending") for key in _KEYS])


def _fold_ports(rows: pa.Table) -> pa.Table:
    ports = rows.filter(pc.is_valid(rows["protocol"]))
    sums = ports.group_by(["protocol", "port"], use_threads=False).aggregate([("packets", "sum")])
    first = _first(sums, ["protocol", "port"], PORTS_SHOWN)
    shown = pc.is_in(_packed(rows["protocol"], rows["port"]), _packed(first["protocol"], first["port"]))
    for name, kind in (("protocol", pa.uint8()), ("port", pa.uint16())):
        place = rows.column_names.index(name)
        rows = rows.set_column(place, name, pc.if_else(shown, rows[name], pa.scalar(None, kind)))
    return rows


def _fold_regions(rows: pa.Table, home: str) -> pa.Table:
    """Put regions beyond the first, and those with too few sources on a port, under ``other``."""
    names = rows["region"].cast(pa.string())
    pinned = rows["region_pinned"].cast(pa.string())
    by_region = pa.table({"region": names, "packets": rows["packets"]}).group_by("region", use_threads=False)
    first = _first(by_region.aggregate([("packets", "sum")]), ["region"], REGIONS_SHOWN)["region"].to_pylist()
    shown = pa.array(sorted({*first, home}), pa.string())
    for name, values in (("region", names), ("region_pinned", pinned)):
        kept = pc.and_(pc.is_in(values, shown), _seen_enough(rows, values))
        folded = pc.if_else(kept, values, pa.scalar(OTHER))
        rows = rows.set_column(rows.column_names.index(name), name, folded)
    return rows.set_column(rows.column_names.index("tool"), "tool", rows["tool"].cast(pa.string()))


def _seen_enough(rows: pa.Table, region: pa.ChunkedArray) -> pa.Array:
    """Say for each row whether its port and region had ``LEAST_SOURCES`` sources on some day."""
    table = pa.table(
        {
            "pair": _pairs(rows, region),
            "day": rows["day"],
            "domestic": rows["domestic"],
            "sources": rows["sources"],
        }
    )
    daily = table.group_by(["pair", "day", "domestic"], use_threads=False).aggregate([("sources", "sum")])
    most = daily.group_by("pair", use_threads=False).aggregate([("sources_sum", "max")])
    enough = most.filter(pc.greater_equal(most["sources_sum_max"], LEAST_SOURCES))["pair"]
    return pc.is_in(table["pair"], enough)


def _pairs(rows: pa.Table, region: pa.ChunkedArray) -> pa.Array:
    """Number each port and region: port in the upper bits, place of the region in the lower."""
    coded = pa.chunked_array(region).combine_chunks().dictionary_encode()
    packed = _packed(rows["protocol"], rows["port"]).to_numpy(zero_copy_only=False).astype(np.int64)
    return pa.array((packed << 20) | coded.indices.to_numpy(zero_copy_only=False).astype(np.int64))


def _packed(protocol: pa.ChunkedArray, port: pa.ChunkedArray) -> pa.Array:
    """Pack protocol and port into an integer; null becomes a number that no port has."""
    numbers = [pc.fill_null(each.cast(pa.int64()), -1).to_numpy() for each in (protocol, port)]
    return pa.array(np.where(numbers[0] < 0, _NO_PORT, (numbers[0] << 16) | np.maximum(numbers[1], 0)))


def _first(sums: pa.Table, keys: list[str], most: int) -> pa.Table:
    """Return the rows with the most packets, ties to the lower key."""
    return sums.sort_by([("packets_sum", "descending"), *((key, "ascending") for key in keys)]).slice(0, most)
