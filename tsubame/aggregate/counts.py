"""Flows of one report day -> counts and distinct sources, each source attributed to a region twice.

Flows are added up sensor by sensor, as words that hold a whole key (``spans``). A row's distinct sources are then its
rows before the source is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tsubame.aggregate.scratch import Scratch
from tsubame.aggregate.spans import FAMILY_BITS, Rows, SpannedRows, Words, sum_up, unite
from tsubame.regions.lookup import attribute_regions
from tsubame.regions.table import RegionTable
from tsubame.schemas import COUNTS, FLOWS, SOURCES, TableSchema, enforce

COUNTS_VERSION = 1
"""Changes when the same flows and regions would give different counts."""
_PAIRS = 1 << FAMILY_BITS
"""How many pairs of tool and kind a word has room for."""
_ROW_GROUP = 1 << 19
"""Rows of the tables in which sources are given."""
_Columns = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DayCounts:
    """A report day's tables: ``counts`` (schema COUNTS) and ``sources`` (schema SOURCES)."""

    counts: pa.Table
    sources: pa.Table


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
    flows: Iterable[pa.Table], *, as_of: RegionTable, pinned: RegionTable, domestic: Collection[str]
) -> DayCounts:
    """Group a report day's flows by region, and find the distinct sources, in memory.

    Args:
        flows: tables of schema FLOWS, each already narrowed to the day.
        as_of: regions by the snapshot in force that day.
        pinned: regions by the snapshot in force on the quarter's first day.
        domestic: ids of the sensors that stand in Japan.

    Returns:
        Tables in the order of their keys: the same flows give the same bytes in whatever order they come.
    """
    day = DayCounting()
    for table in flows:
        day.add(table)
    counts: list[pa.Table] = []
    sources: list[pa.Table] = []
    day.finish(as_of=as_of, pinned=pinned, domestic=domestic, counts=counts.append, sources=sources.append)
    return DayCounts(pa.concat_tables(counts), pa.concat_tables(sources))


class DayCounting:
    """Counts a report day whose flows come table by table.

    What grows with the day lies in ``scratch``; memory holds half a million rows at a time.

    Args:
        scratch: a file opened for reading and writing binary, empty; memory when there is none.
    """

    def __init__(self, scratch: Any = None) -> None:
        self._scratch = Scratch(scratch)
        self._flows = SpannedRows(self._scratch)
        self._pairs: dict[tuple[str, str], int] = {}

    def add(self, flows: pa.Table) -> None:
        """Add flows: a table of schema FLOWS that is narrowed to the day."""
        ids = flows.column("sensor_id")
        for sensor_id in pc.unique(ids.cast(pa.string())).to_pylist() if flows.num_rows else []:
            mask = pc.equal(ids, sensor_id)
            # A capture, and so a table, is mostly of one sensor.
            part = flows if pc.all(mask).as_py() else flows.filter(mask)
            for batch in part.to_batches():
                self._flows.add(sensor_id, self._packed(batch))

    def finish(
        self,
        *,
        as_of: RegionTable,
        pinned: RegionTable,
        domestic: Collection[str],
        counts: Callable[[pa.Table], Any],
        sources: Callable[[pa.Table], Any],
    ) -> dict[str, int]:
        """Give the day's tables away, in pieces, and return the packets of each sensor.

        Args:
            as_of, pinned, domestic: as of ``count_day``.
            counts, sources: each is called with tables of schema COUNTS, or SOURCES, in the order of their key; with
                one at least.
        """
        tools, kinds = (sorted({pair[place] for pair in self._pairs}) for place in (0, 1))
        places = np.zeros(_PAIRS, np.uint64)
        for (tool, kind), code in self._pairs.items():
            places[code] = tools.index(tool) * len(kinds) + kinds.index(kind)
        regions = as_of, pinned
        sensors = self._flows.sensors
        names: dict[str, Sequence[str]] = {
            "sensor_id": sensors, "kind": kinds, "tool": tools,
            "region": as_of.regions, "region_pinned": pinned.regions,
        }  # fmt: skip
        counted = SpannedRows(self._scratch)
        with _Pieces(SOURCES, names, sources) as pieces:
            for is_domestic in (False, True):
                for span in self._flows.spans([name for name in sensors if (name in domestic) == is_domestic]):
                    seen: list[Rows] = []
                    for sensor_id, (words, packets, sizes) in span.items():
                        rows = unite([(_replaced(words, places), packets, sizes)])
                        counted.add(sensor_id, _counts(rows, regions, len(kinds)))
                        seen.append(sum_up(_without_kind(rows[0], len(kinds)), rows[1])[:2])
                    pieces.add({"domestic": is_domestic, **_sources(unite(seen), regions)})
        total = dict.fromkeys(sensors, 0)
        with _Pieces(COUNTS, names, counts) as pieces:
            for number, sensor_id in enumerate(sensors):
                for span in counted.spans([sensor_id]):
                    total[sensor_id] += int(span[sensor_id][1].sum())
                    pieces.add({"sensor_id": number, **_unpacked(span[sensor_id], len(kinds))})
        return total

    def _packed(self, flows: pa.RecordBatch) -> Rows:
        """Return words, packets and bytes; a word is source, protocol, port, and the pair of tool and kind."""
        source, protocol, port, packets, sizes = (
            flows.column(name).to_numpy().astype(np.uint64)
            for name in ("src_address", "protocol", "dst_port", "packets", "bytes")
        )
        tool, kind = flows.column("tool"), flows.column("kind")
        known = kind.dictionary.to_pylist()
        codes = np.array([[self._code(t, k) for k in known] for t in tool.dictionary.to_pylist()], np.uint64)
        pair = codes[tool.indices.to_numpy(), kind.indices.to_numpy()]
        return source << np.uint64(32) | protocol << np.uint64(24) | port << np.uint64(8) | pair, packets, sizes

    def _code(self, tool: str, kind: str) -> int:
        code = self._pairs.setdefault((tool, kind), len(self._pairs))
        if code == len(self._pairs) - 1:
            tools, kinds = ({pair[place] for pair in self._pairs} for place in (0, 1))
            if len(kinds) * len(tools) > _PAIRS:
                raise ValueError(f"{len(kinds)} kinds and {len(tools)} tools make more than {_PAIRS} pairs")
        return code


class _Pieces:
    """Gives rows away in tables of ``_ROW_GROUP`` rows, however they came; in one without rows if none came."""

    def __init__(self, schema: TableSchema, names: dict[str, Sequence[str]], give: Callable[[pa.Table], Any]) -> None:
        self._schema, self._names, self._give = schema, names, give
        self._parts: list[_Columns] = []
        self._rows = 0
        self._given = False

    def __enter__(self) -> _Pieces:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and (self._rows or not self._given):
            self._give_parts()

    def add(self, part: _Columns) -> None:
        """Add rows: a column is an array, or one value for all of them."""
        while self._rows + (rows := len(part["packets"])) >= _ROW_GROUP:
            room = _ROW_GROUP - self._rows
            self._parts.append(_cut(part, slice(room)))
            self._give_parts()
            part = _cut(part, slice(room, rows))
        if rows:
            self._parts.append(part)
            self._rows += rows

    def _give_parts(self) -> None:
        self._give(_table(self._parts, self._schema, self._names))
        self._parts, self._rows, self._given = [], 0, True


def _cut(part: _Columns, rows: slice) -> _Columns:
    return {name: values[rows] if isinstance(values, np.ndarray) else values for name, values in part.items()}


def _replaced(words: Words, places: Words) -> Words:
    """Put the alphabetical place of tool and kind where words have the code in whose order they were met."""
    last = np.uint64(_PAIRS - 1)
    return words & ~last | places[(words & last).astype(np.intp)]


def _without_kind(words: Words, kinds: int) -> Words:
    last = np.uint64(_PAIRS - 1)
    return words & ~last | (words & last) // np.uint64(kinds)


def _counts(rows: Rows, regions: tuple[RegionTable, RegionTable], kinds: int) -> Rows:
    """Put regions into the place of a sensor's sources, which were distinct: rows that become one count them.

    Returns:
        Words of protocol, port, both regions, kind and tool; packets, bytes and sources.
    """
    words, packets, sizes = rows
    tool, kind = np.divmod(words & np.uint64(_PAIRS - 1), np.uint64(kinds))
    keys = (words >> np.uint64(FAMILY_BITS) & np.uint64(0xFFFFFF)) << np.uint64(32)
    for shift, codes in zip((16, 0), _regions_of(words, regions), strict=True):
        keys |= codes.astype(np.uint64) << np.uint64(shift)
    # Kinds before tools, unlike in the words of flows.
    keys = keys << np.uint64(FAMILY_BITS) | kind * np.uint64(_PAIRS // kinds) + tool
    order = np.argsort(keys)
    return sum_up(keys[order], packets[order], sizes[order])


def _unpacked(rows: Rows, kinds: int) -> _Columns:
    """Return the columns of ``counts`` for rows of ``_counts``."""
    keys, packets, sizes, sources = rows
    kind, tool = np.divmod((keys & np.uint64(_PAIRS - 1)).astype(np.uint16), np.uint16(_PAIRS // kinds))
    return {
        "protocol": (keys >> np.uint64(56)).astype(np.uint8), "dst_port": (keys >> np.uint64(40)).astype(np.uint16),
        "region": (keys >> np.uint64(24)).astype(np.uint16),
        "region_pinned": (keys >> np.uint64(8)).astype(np.uint16),
        "kind": kind, "tool": tool, "packets": packets, "bytes": sizes, "sources": sources,
    }  # fmt: skip


def _sources(rows: Rows, regions: tuple[RegionTable, RegionTable]) -> _Columns:
    """Return the columns of ``sources`` for rows whose words are source, protocol, port and tool."""
    words, packets = rows
    region, pinned = _regions_of(words, regions)
    return {
        "src_address": (words >> np.uint64(32)).astype(np.uint32),
        "protocol": (words >> np.uint64(24)).astype(np.uint8), "dst_port": (words >> np.uint64(8)).astype(np.uint16),
        "tool": words.astype(np.uint8),
        "region": region, "region_pinned": pinned, "packets": packets,
    }  # fmt: skip


def _regions_of(words: Words, regions: tuple[RegionTable, RegionTable]) -> list[NDArray[np.uint16]]:
    addresses = (words >> np.uint64(32)).astype(np.uint32)
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
