"""Flows of one report day -> counts and distinct sources, each source attributed to a region twice.

Flows are added up sensor by sensor, as 64-bit words that hold a whole key: sorting words costs a fifth of hashing
columns, gives the order of the result, and needs memory for one sensor's flows at a time. A row's distinct sources
are then its rows before the source is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tsubame.regions.lookup import attribute_regions
from tsubame.regions.table import RegionTable
from tsubame.schemas import COUNTS, FLOWS, SOURCES, TableSchema, enforce

COUNTS_VERSION = 1
"""Changes when the same flows and regions would give different counts."""
_PAIRS = 256
"""How many pairs of tool and kind a word has room for."""
Words = NDArray[np.uint64]
_Columns = dict[str, Any]


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
    sensors = _by_sensor(flows)
    kinds, tools = (_names(flows, name) for name in ("kind", "tool"))
    if len(kinds) * len(tools) > _PAIRS:
        raise ValueError(f"{len(kinds)} kinds and {len(tools)} tools make more than {_PAIRS} pairs")
    regions = as_of, pinned
    counted: list[_Columns] = []
    seen: dict[bool, list[tuple[Words, ...]]] = {False: [], True: []}
    for number, (sensor_id, parts) in enumerate(sensors):
        words, packets, sizes = _unite([_words(part, kinds, tools) for part in parts])
        counted.append({"sensor_id": number, **_counts(words, packets, sizes, regions, len(kinds), len(tools))})
        seen[sensor_id in domestic].append(_sum_up(words // np.uint64(len(kinds)), packets)[:2])
    names: dict[str, Sequence[str]] = {
        "sensor_id": [sensor_id for sensor_id, _ in sensors], "kind": kinds, "tool": tools,
        "region": as_of.regions, "region_pinned": pinned.regions,
    }  # fmt: skip
    found = [
        {"domestic": is_domestic, **_sources(_unite(parts), regions, len(tools))} for is_domestic, parts in seen.items()
    ]
    return DayCounts(_table(counted, COUNTS, names), _table(found, SOURCES, names))


def _by_sensor(flows: Sequence[pa.Table]) -> list[tuple[str, list[pa.Table]]]:
    """Return the tables of each sensor, in the order of ids; a capture, and so a table, is mostly of one."""
    found: dict[str, list[pa.Table]] = {}
    for table in flows:
        ids = table.column("sensor_id")
        for sensor_id in pc.unique(ids.cast(pa.string())).to_pylist() if table.num_rows else []:
            mask = pc.equal(ids, sensor_id)
            found.setdefault(sensor_id, []).append(table if pc.all(mask).as_py() else table.filter(mask))
    return sorted(found.items())


def _names(flows: Sequence[pa.Table], column: str) -> list[str]:
    """Return the labels that a column's dictionaries hold, in alphabetical order."""
    chunks = (chunk for table in flows for chunk in table.column(column).chunks)
    return sorted({name for chunk in chunks for name in chunk.dictionary.to_pylist()})


def _codes(column: pa.ChunkedArray, names: Sequence[str]) -> NDArray[np.uint64]:
    """Return the place of each label in ``names``."""
    place = {name: number for number, name in enumerate(names)}
    codes = [
        np.array([place[name] for name in chunk.dictionary.to_pylist()], np.uint64)[chunk.indices.to_numpy()]
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.concatenate(codes) if codes else np.empty(0, np.uint64)


def _words(flows: pa.Table, kinds: Sequence[str], tools: Sequence[str]) -> tuple[Words, Words, Words]:
    """Return key, packets and bytes of some flows of one sensor; keys are source, protocol, port, tool and kind."""
    source, protocol, port, packets, sizes = (
        flows.column(name).to_numpy().astype(np.uint64)
        for name in ("src_address", "protocol", "dst_port", "packets", "bytes")
    )
    words = (source << np.uint64(24) | protocol << np.uint64(16) | port) * np.uint64(len(tools) * len(kinds))
    words += _codes(flows.column("tool"), tools) * np.uint64(len(kinds)) + _codes(flows.column("kind"), kinds)
    return words, packets, sizes


def _unite(parts: Sequence[tuple[Words, ...]]) -> tuple[Words, ...]:
    """Concatenate the columns of all parts and add up the rows of one key."""
    empty = (np.empty(0, np.uint64),) * 3
    columns = [np.concatenate(column) for column in zip(*(parts or [empty]), strict=True)]
    order = np.argsort(columns[0])
    return _sum_up(*(column[order] for column in columns))[: len(columns)]


def _sum_up(words: Words, *sums: Words) -> tuple[Words, ...]:
    """Add up the neighbours of one key; the last of what is returned is how many they were."""
    if not len(words):
        return words, *sums, words
    begins = np.flatnonzero(np.concatenate(([True], words[1:] != words[:-1])))
    counted = np.diff(np.append(begins, len(words))).astype(np.uint64)
    return words[begins], *(np.add.reduceat(column, begins) for column in sums), counted


def _counts(
    words: Words, packets: Words, sizes: Words, regions: tuple[RegionTable, RegionTable], kinds: int, tools: int
) -> _Columns:
    """Put regions into the place of a sensor's sources, which were distinct: rows that become one count them."""
    rest, pair = _parted(words, kinds * tools)
    tool, kind = _parted(pair, kinds)
    keys = (rest & np.uint64(0xFFFFFF)) << np.uint64(32)
    for shift, codes in zip((16, 0), _regions_of(rest, regions), strict=True):
        keys |= codes.astype(np.uint64) << np.uint64(shift)
    keys = keys * np.uint64(_PAIRS) + kind * np.uint64(tools) + tool
    order = np.argsort(keys)
    keys, packets, sizes, sources = _sum_up(keys[order], packets[order], sizes[order])
    keys, pair = _parted(keys, _PAIRS)
    kind, tool = _parted(pair, tools)
    return {
        "protocol": keys >> np.uint64(48), "dst_port": keys >> np.uint64(32) & np.uint64(0xFFFF),
        "region": keys >> np.uint64(16) & np.uint64(0xFFFF), "region_pinned": keys & np.uint64(0xFFFF),
        "kind": kind, "tool": tool, "packets": packets, "bytes": sizes, "sources": sources,
    }  # fmt: skip


def _sources(columns: tuple[Words, ...], regions: tuple[RegionTable, RegionTable], tools: int) -> _Columns:
    """Return the columns of ``sources`` for rows whose keys are source, protocol, port and tool."""
    words, packets = columns[:2]
    rest, tool = _parted(words, tools)
    region, pinned = _regions_of(rest, regions)
    return {
        "src_address": rest >> np.uint64(24), "protocol": rest >> np.uint64(16) & np.uint64(0xFF),
        "dst_port": rest & np.uint64(0xFFFF), "tool": tool, "region": region, "region_pinned": pinned,
        "packets": packets,
    }  # fmt: skip


def _parted(words: Words, base: int) -> tuple[Words, Words]:
    """Return what stands before the last digit of a word, and that digit; without flows there is no base either."""
    return words // np.uint64(base or 1), words % np.uint64(base or 1)


def _regions_of(words: Words, regions: tuple[RegionTable, RegionTable]) -> list[NDArray[np.uint16]]:
    addresses = (words >> np.uint64(24)).astype(np.uint32)
    return [attribute_regions(addresses, table) for table in regions]


def _table(parts: Sequence[_Columns], schema: TableSchema, names: dict[str, Sequence[str]]) -> pa.Table:
    """Make the table; a column is an array, or one value for all rows of its part."""
    typed = []
    for column in schema.columns:
        values = [np.broadcast_to(part[column.name], len(part["packets"])) for part in parts]
        whole = np.concatenate(values) if values else np.empty(0, np.uint64)
        if column.name in names:
            typed.append(_labels(whole, names[column.name]))
        else:
            typed.append(pa.array(whole.astype(column.type.to_pandas_dtype()), column.type))
    return enforce(pa.table(typed, schema=pa.schema([(c.name, c.type) for c in schema.columns])), schema)


def _labels(codes: NDArray[Any], names: Sequence[str]) -> pa.DictionaryArray:
    """Return labels whose dictionary holds those that occur, in the order of their occurrence."""
    first = np.full(len(names), len(codes))
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    occurring = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(codes))]
    places = np.zeros(len(names), np.int32)
    places[occurring] = np.arange(len(occurring), dtype=np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(places[codes]), pa.array([names[place] for place in occurring], pa.string())
    )
