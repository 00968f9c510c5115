"""Counts and sources of made-up days, with every number known beforehand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from tsubame import schemas
from tsubame.analysis.cubes import Cube, day_cube, merge_cubes
from tsubame.periods import Quarter
from tsubame.regions.moves import Move

Q = Quarter(2023, 1)


@dataclass(frozen=True)
class Row:
    """Packets of one source to one port of one sensor."""

    sensor: str
    protocol: int
    port: int
    source: int
    region: str
    pinned: str
    packets: int
    tool: str = ""
    kind: str = "scan"


def tables(rows: Iterable[Row], domestic: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """Return COUNTS and SOURCES of the rows."""
    counts: dict = defaultdict(lambda: [0, set()])
    sources: dict = defaultdict(int)
    for r in rows:
        cell = counts[r.sensor, r.protocol, r.port, r.region, r.pinned, r.kind, r.tool]
        cell[0] += r.packets
        cell[1].add(r.source)
        sources[r.sensor in domestic, r.source, r.protocol, r.port, r.tool, r.region, r.pinned] += r.packets
    count_rows = [(*key, packets, 40 * packets, len(seen)) for key, (packets, seen) in counts.items()]
    source_rows = [(*key, packets) for key, packets in sources.items()]
    return _table(count_rows, schemas.COUNTS), _table(source_rows, schemas.SOURCES)


def _table(rows: list[tuple], schema: schemas.TableSchema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [() for _ in schema.columns]
    arrays = [pa.array(list(values), column.type) for values, column in zip(columns, schema.columns, strict=True)]
    return schemas.enforce(pa.table(dict(zip(schema.names, arrays, strict=True))), schema)


def cube_of(
    rows_of: Callable[[date], Iterable[Row]],
    domestic: Sequence[str],
    moves: Sequence[Move] = (),
    days: Iterable[date] = Q.days,
) -> Cube:
    """Return the merged cube of the days."""
    merged = None
    for day in days:
        rows = list(rows_of(day))
        one = day_cube(day, *tables(rows, domestic), domestic, [(m.first, m.last) for m in moves])
        merged = one if merged is None else merge_cubes(merged, one)
    assert merged is not None
    return merged
