"""Flows of one report day -> counts and distinct sources, each source attributed to a region twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tsubame.regions.lookup import attribute_regions
from tsubame.regions.table import RegionTable
from tsubame.schemas import COUNTS, FLOWS, SOURCES, TableSchema, enforce

COUNTS_VERSION = 1
"""Changes when the same flows and regions would give different counts."""


@dataclass(frozen=True, slots=True)
class DayCounts:
    """A report day's tables: ``counts`` (schema COUNTS) and ``sources`` (schema SOURCES)."""

    counts: pa.Table
    sources: pa.Table

    @property
    def packets(self) -> int:
        """Packets of all sensors."""
        return int(pc.sum(self.counts.column("packets")).as_py() or 0)


def select_day(flows: pa.Table, bounds: tuple[datetime, datetime]) -> pa.Table:
    """Return the rows of one report day.

    Args:
        flows: table of schema FLOWS.
        bounds: UTC instants at which the day begins and ends (exclusive).
    """
    start, end = (pa.scalar(moment, FLOWS.arrow().field("hour").type) for moment in bounds)
    hour = flows.column("hour")
    return flows.filter(pc.and_(pc.greater_equal(hour, start), pc.less(hour, end)))


def count_day(
    flows: Sequence[pa.Table], *, as_of: RegionTable, pinned: RegionTable, domestic: Collection[str]
) -> DayCounts:
    """Group a report day's flows by region, and find the distinct sources.

    Args:
        flows: tables of schema FLOWS, each already narrowed to the day.
        as_of: regions by the snapshot in force that day.
        pinned: regions by the snapshot in force on the quarter's first day.
        domestic: ids of the sensors that stand in Japan.

    Returns:
        Tables in the order of their keys: the same flows give the same bytes in whatever order they come.
    """
    table = pa.concat_tables([FLOWS.empty(), *flows]).unify_dictionaries().combine_chunks()
    addresses = np.ascontiguousarray(table.column("src_address").to_numpy(), dtype=np.uint32)
    ids = table.column("sensor_id")
    table = (
        table.append_column("region", _labels(addresses, as_of))
        .append_column("region_pinned", _labels(addresses, pinned))
        .append_column("domestic", pc.is_in(ids.cast(pa.string()), pa.array(sorted(domestic), pa.string())))
    )
    return DayCounts(
        counts=_group(table, COUNTS, {"packets": "sum", "bytes": "sum", "src_address": "count_distinct"}),
        sources=_group(table, SOURCES, {"packets": "sum"}),
    )


def _labels(addresses: np.ndarray, regions: RegionTable) -> pa.DictionaryArray:
    codes = attribute_regions(addresses, regions)
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(regions.regions, pa.string()))


def _group(table: pa.Table, schema: TableSchema, sums: dict[str, str]) -> pa.Table:
    keys = list(schema.key)
    grouped = table.group_by(keys, use_threads=False).aggregate(list(sums.items()))
    grouped = grouped.rename_columns(
        {f"{column}_{how}": "sources" if how == "count_distinct" else column for column, how in sums.items()}
    )
    # Strings sort by themselves, dictionary codes by the accident of their order.
    for position, name in enumerate(grouped.column_names):
        if pa.types.is_dictionary(grouped.schema.field(name).type):
            grouped = grouped.set_column(position, name, grouped.column(name).cast(pa.string()))
    ordered = grouped.sort_by([(name, "ascending") for name in keys]).select(list(schema.names))
    typed = [
        ordered.column(column.name).combine_chunks().dictionary_encode().cast(column.type)
        if pa.types.is_dictionary(column.type)
        else ordered.column(column.name).cast(column.type)
        for column in schema.columns
    ]
    return enforce(pa.table(typed, schema=pa.schema([(c.name, c.type) for c in schema.columns])), schema)
