"""A day's counts reduced to what the analysis needs, and the merging of days into a quarter.

The reduction runs beside the data, one day a task; what it returns is small and merges in any order to the
same bytes. What belongs to one day is kept by day; only what must be known across days (packets by 7-day
block for resampling, distinct sources) is packed into sorted integer keys.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tsubame import schemas
from tsubame.analysis.explore import explorer_day
from tsubame.analysis.packing import (
    is_region,
    pack_port,
    pack_port_cells,
    pack_port_source,
    port_of_source,
    region_code,
)
from tsubame.errors import SchemaMismatch
from tsubame.periods import Quarter

BLOCK_DAYS = 7
"""Days that are resampled together: a week keeps the day-of-week pattern whole."""

CELL_PORTS = 256
"""Ports of a day whose packets are kept by region and tool. Background radiation touches every port from
every region; a port below this rank has less than one packet in two thousand and no series of its own."""

SENSOR_PORTS = 4096
"""Ports of a day whose packets are kept by sensor, to tell how sure a rank is. Ports beyond are counted all the
same; a port that is among them on some days has that part of its packets left out of the resampling."""

SERIES_PORTS = 64
"""Ports of a day whose packets are kept by sensor and day: those that may be told of."""

_CHUNK = 1 << 20
_NUMBER = pa.uint64()

REGIONS = pa.schema(
    [("sensor_id", pa.string()), ("region", pa.string()), ("region_pinned", pa.string()), ("packets", _NUMBER)]
)
PORTS = pa.schema([("protocol", pa.uint8()), ("dst_port", pa.uint16()), ("sources", pa.uint32()), ("packets", _NUMBER)])
CELLS = pa.schema(
    [
        ("protocol", pa.uint8()),
        ("dst_port", pa.uint16()),
        ("region", schemas.LABEL),
        ("region_pinned", schemas.LABEL),
        ("tool", schemas.LABEL),
        ("sources", pa.uint32()),
        ("packets", _NUMBER),
    ]
)
PORT_SENSORS = pa.schema(
    [("sensor_id", pa.string()), ("protocol", pa.uint8()), ("dst_port", pa.uint16()), ("packets", _NUMBER)]
)
PIECES = pa.schema([("first", pa.uint32()), ("last", pa.uint32()), ("packets", _NUMBER)])
PROFILE = pa.schema(
    [
        ("column", pa.string()),
        ("type", pa.string()),
        ("nulls", pa.int64()),
        ("minimum", pa.int64()),
        ("maximum", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What is kept of one report day. Tables are sorted by their keys.

    Attributes:
        regions: packets of every sensor by region as delegated that day and as pinned (``REGIONS``).
        ports: packets of the domestic sensors and their distinct sources by protocol and port (``PORTS``).
        cells: the same by region, as delegated that day and as pinned, and tool, of the day's first
            ``CELL_PORTS`` ports (``CELLS``). A source that bore two tools' marks is one of both.
        port_sensors: packets of the domestic sensors by sensor and port, of the day's first ``SERIES_PORTS`` ports
            (``PORT_SENSORS``).
        pieces: packets of the domestic sensors from the moved blocks, cut at every block's ends
            (``PIECES``); no piece overlaps another.
        profile: of each column of counts its type, nulls and range (``PROFILE``), for validation.
        rows: rows of counts that day.
        source_rows_wrong: rows of counts with no source, or with more sources than packets.
        source_packets: packets of the domestic sensors as the table of sources has them.
        explorer: packets of every sensor group by port, region and tool, for readers to explore
            (``explore.DAY_ROWS``).
    """

    day: date
    regions: pa.Table
    ports: pa.Table
    cells: pa.Table
    port_sensors: pa.Table
    pieces: pa.Table
    profile: pa.Table
    rows: int
    source_rows_wrong: int
    source_packets: int
    explorer: pa.Table


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """Some days of a quarter.

    Attributes:
        sensors: ids of all domestic sensors, sorted; a packed key holds an index into it.
        days: in order, each day once.
        port_cells: (n,) uint64, sorted: 7-day block, sensor and port, see ``packing.pack_port_cells``.
        port_packets: (n,) uint64, packets of the domestic sensors for each of ``port_cells``: of each
            day's first ``SENSOR_PORTS`` ports only.
        port_sources: (m,) uint64, sorted: port and source of the domestic sensors' packets, each pair once,
            with the day on which it was first seen, see ``packing.pack_port_source``.
        region_sources: (k,) uint64, sorted, unique: two-letter region and source.
    """

    quarter: Quarter
    sensors: tuple[str, ...]
    days: tuple[DayCounts, ...]
    port_cells: np.ndarray
    port_packets: np.ndarray
    port_sources: np.ndarray
    region_sources: np.ndarray

    def equals(self, other: Cube) -> bool:
        """Say whether both hold the same values."""
        return (
            (self.quarter, self.sensors, self.days) == (other.quarter, other.sensors, other.days)
            and np.array_equal(self.port_cells, other.port_cells)
            and np.array_equal(self.port_packets, other.port_packets)
            and np.array_equal(self.port_sources, other.port_sources)
            and np.array_equal(self.region_sources, other.region_sources)
        )

    @property
    def nbytes(self) -> int:
        """Memory that the cube holds, in bytes."""
        tables = sum(
            t.nbytes
            for day in self.days
            for t in (day.regions, day.ports, day.cells, day.port_sensors, day.pieces, day.profile, day.explorer)
        )
        arrays = (self.port_cells, self.port_packets, self.port_sources, self.region_sources)
        return int(tables) + sum(int(array.nbytes) for array in arrays)


def day_cube(
    day: date,
    counts: pa.Table,
    sources: pa.Table,
    domestic: Collection[str],
    blocks: Sequence[tuple[int, int]] = (),
) -> Cube:
    """Reduce a day.

    Args:
        day: the report day.
        counts: ``schemas.COUNTS`` of the day.
        sources: ``schemas.SOURCES`` of the day.
        domestic: ids of all domestic sensors of the registry, the same for every day of the quarter.
        blocks: first and last address of the blocks that the registries moved in the quarter; may overlap.

    Returns:
        A cube of one day; memory is bounded by the day's rows, never by its packets.

    Raises:
        SchemaMismatch: a table lacks a column.
    """
    for table, schema in ((counts, schemas.COUNTS), (sources, schemas.SOURCES)):
        if missing := [name for name in schema.names if name not in table.column_names]:
            raise SchemaMismatch(f"columns of {schema.name}", key=str(day), expected=missing, actual="nothing")
    counts = counts.select(schemas.COUNTS.names).unify_dictionaries().combine_chunks()
    sensors = tuple(sorted(domestic))
    ours = counts.filter(pc.is_in(counts["sensor_id"], pa.array(sensors, pa.string())))
    seen = sources.filter(sources["domestic"]).unify_dictionaries().combine_chunks()
    quarter = Quarter.of(day)
    place = (day - quarter.first_day).days
    port_sources = _port_source_keys(seen, place)
    ports = _with_sources(_sum(ours, ["protocol", "dst_port"], _without(PORTS, "sources")), port_sources)
    packed, packets = _port_cells(ours, ports, sensors, place // BLOCK_DAYS)
    wrong = pc.or_(pc.equal(counts["sources"], 0), pc.greater(counts["sources"], counts["packets"]))
    kept = DayCounts(
        day=day,
        regions=_sum(counts, ["sensor_id", "region", "region_pinned"], REGIONS),
        ports=ports,
        cells=_cells(seen, ports),
        port_sensors=_sum(
            _of_first_ports(ours, ports, SERIES_PORTS), ["sensor_id", "protocol", "dst_port"], PORT_SENSORS
        ),
        pieces=_piece_packets(seen, blocks),
        profile=_profile(counts),
        rows=counts.num_rows,
        source_rows_wrong=pc.sum(wrong).as_py() or 0,
        source_packets=pc.sum(seen["packets"]).as_py() or 0,
        explorer=explorer_day(sources),
    )
    return Cube(quarter, sensors, (kept,), packed, packets, port_sources, _region_source_keys(seen))


def merge_cubes(a: Cube, b: Cube) -> Cube:
    """Merge two cubes of one quarter that share no day; associative and commutative.

    Raises:
        ValueError: the cubes are of different quarters or sensors, or both hold a day.
    """
    if (a.quarter, a.sensors) != (b.quarter, b.sensors):
        raise ValueError("cubes of different quarters or of different domestic sensors do not merge")
    days = tuple(sorted((*a.days, *b.days), key=lambda each: each.day))
    if len({each.day for each in days}) != len(days):
        raise ValueError("a day is in both cubes")
    cells, packets = _merge_sums(a.port_cells, a.port_packets, b.port_cells, b.port_packets)
    return Cube(
        a.quarter,
        a.sensors,
        days,
        cells,
        packets,
        _first_seen(np.concatenate((a.port_sources, b.port_sources))),
        _distinct(np.concatenate((a.region_sources, b.region_sources))),
    )


def _sum(table: pa.Table, keys: list[str], schema: pa.Schema) -> pa.Table:
    """Return packets added up by ``keys``, sorted by them."""
    grouped = table.select([*keys, "packets"]).group_by(keys, use_threads=False)
    summed = grouped.aggregate([("packets", "sum")]).rename_columns([*keys, "packets"])
    if not summed.num_rows:
        return schema.empty_table()
    plain = pa.table({k: _plain(summed[k]) for k in keys} | {"packets": summed["packets"]})
    return plain.sort_by([(k, "ascending") for k in keys]).cast(schema).combine_chunks()


def _plain(column: Any) -> Any:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _without(schema: pa.Schema, name: str) -> pa.Schema:
    return schema.remove(schema.get_field_index(name))


def _with_sources(ports: pa.Table, port_sources: np.ndarray) -> pa.Table:
    """Add to a day's ports how many distinct sources each had."""
    keys, counted = np.unique(port_of_source(port_sources), return_counts=True)
    port = pack_port(_integers(ports["protocol"]), _integers(ports["dst_port"]))
    sources = np.zeros(len(port), np.uint32)
    at = np.searchsorted(keys, port)
    known = at < len(keys)
    known[known] = keys[at[known]] == port[known]
    sources[known] = counted[at[known]]
    return ports.add_column(2, PORTS.field("sources"), pa.array(sources)).cast(PORTS)


def _cells(seen: pa.Table, ports: pa.Table) -> pa.Table:
    """Return packets and sources by port, region and tool of the day's first ports.

    A row of the table of sources is one source, so the rows of a cell are its distinct sources.
    """
    keys = [name for name in CELLS.names if name not in ("sources", "packets")]
    first = _of_first_ports(seen, ports, CELL_PORTS).select([*keys, "packets"])
    grouped = first.group_by(keys, use_threads=False).aggregate([("packets", "count"), ("packets", "sum")])
    if not grouped.num_rows:
        return CELLS.empty_table()
    plain = pa.table([_plain(column) for column in grouped.columns], names=CELLS.names)
    return plain.sort_by([(key, "ascending") for key in keys]).cast(CELLS).combine_chunks()


def _of_first_ports(ours: pa.Table, ports: pa.Table, most: int) -> pa.Table:
    """Return the rows of the day's first ports; ties go to the lower key."""
    if ports.num_rows <= most:
        return ours
    order = np.argsort(-_integers(ports["packets"], np.int64), kind="stable")[:most]
    wanted = pack_port(_integers(ports["protocol"]), _integers(ports["dst_port"]))[order]
    mine = pack_port(_integers(ours["protocol"]), _integers(ours["dst_port"]))
    return ours.filter(pa.array(np.isin(mine, wanted)))


def _port_cells(ours: pa.Table, ports: pa.Table, sensors: tuple[str, ...], block: int) -> tuple[np.ndarray, np.ndarray]:
    ours = _of_first_ports(ours, ports, SENSOR_PORTS)
    index = pc.index_in(_plain(ours["sensor_id"]), pa.array(sensors, pa.string()))
    port = pack_port(_integers(ours["protocol"]), _integers(ours["dst_port"]))
    keys = pack_port_cells(block, _integers(index), port)
    return _add_up(keys, _integers(ours["packets"], np.uint64))


def _piece_packets(seen: pa.Table, blocks: Sequence[tuple[int, int]]) -> pa.Table:
    """Return the packets from each piece of the blocks: the address space cut at every block's ends."""
    if not blocks:
        return PIECES.empty_table()
    first = np.array([each[0] for each in blocks], np.uint64)
    after = np.array([each[1] for each in blocks], np.uint64) + np.uint64(1)
    cuts = np.unique(np.concatenate((first, after)))
    inside = np.zeros(len(cuts), np.int64)
    np.add.at(inside, np.searchsorted(cuts, first), 1)
    np.add.at(inside, np.searchsorted(cuts, after), -1)
    covered = np.flatnonzero(np.cumsum(inside) > 0)
    piece = np.searchsorted(cuts, _integers(seen["src_address"], np.uint64), side="right") - 1
    # Floats add exactly up to 2**53 packets a day.
    own = piece >= 0
    packets = np.bincount(piece[own], weights=_integers(seen["packets"], np.float64)[own], minlength=len(cuts))
    columns = (
        cuts[covered].astype(np.uint32),
        (cuts[covered + 1] - np.uint64(1)).astype(np.uint32),
        packets[covered].astype(np.uint64),
    )
    return pa.table([pa.array(column) for column in columns], schema=PIECES)


def _port_source_keys(seen: pa.Table, day: int) -> np.ndarray:
    port = pack_port(_integers(seen["protocol"]), _integers(seen["dst_port"]))
    return _distinct(pack_port_source(port, _integers(seen["src_address"], np.uint64), day))


def _region_source_keys(seen: pa.Table) -> np.ndarray:
    labels = seen["region"].combine_chunks()
    if isinstance(labels, pa.ChunkedArray):
        labels = labels.chunk(0) if labels.num_chunks else pa.array([], schemas.LABEL)
    names = labels.dictionary.to_pylist()
    codes = np.array([region_code(name) if is_region(name) else 0 for name in names] or [0], np.uint64)
    code = codes[_integers(labels.indices, np.int64)]
    keys = (code << np.uint64(32)) | _integers(seen["src_address"], np.uint64)
    return _distinct(keys[code > 0])


def _profile(counts: pa.Table) -> pa.Table:
    rows = []
    for name in schemas.COUNTS.names:
        column = counts[name]
        low = high = None
        if pa.types.is_integer(column.type) and counts.num_rows:
            ends = pc.min_max(column).as_py()
            low, high = ends["min"], ends["max"]
        rows.append((name, str(column.type), column.null_count, low, high))
    return pa.table([list(values) for values in zip(*rows, strict=True)], schema=PROFILE)


def _integers(column: Any, dtype: Any = None) -> np.ndarray:
    array: np.ndarray = column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(False)
    return array if dtype is None else array.astype(dtype)


def _add_up(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct keys in order, and the sum of the values of each."""
    if not len(keys):
        return keys.astype(np.uint64), values.astype(np.uint64)
    # Stable sorting finds the runs that the parts already are.
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return ordered[starts], np.add.reduceat(values[order], starts)


def _distinct(keys: np.ndarray) -> np.ndarray:
    """Return the distinct keys in order; sorts ``keys`` in place, which nobody else may hold."""
    if not len(keys):
        return keys.astype(np.uint64)
    # Sorting anew is three times as fast as merging the two sorted halves: numpy's sort uses vector registers.
    keys.sort()
    first = np.empty(len(keys), bool)
    first[0] = True
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return keys[first]


def _first_seen(keys: np.ndarray) -> np.ndarray:
    """Return each port and source once, with the first of its days; sorts ``keys`` in place."""
    keys.sort()
    first = np.ones(len(keys), bool)
    for low in range(1, len(keys), _CHUNK):
        high = min(low + _CHUNK, len(keys))
        # Two keys that differ in the day only differ in nothing but the lowest seven bits.
        first[low:high] = (keys[low:high] ^ keys[low - 1 : high - 1]) > np.uint64(0x7F)
    return keys[first]


def _merge_sums(
    keys: np.ndarray, values: np.ndarray, other_keys: np.ndarray, other_values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add one sorted list of keys and values to another, in time and memory linear in both."""
    at = np.searchsorted(keys, other_keys)
    known = np.zeros(len(other_keys), bool)
    inside = at < len(keys)
    known[inside] = keys[at[inside]] == other_keys[inside]
    added = values.copy()
    added[at[known]] += other_values[known]
    new = ~known
    return np.insert(keys, at[new], other_keys[new]), np.insert(added, at[new], other_values[new])
