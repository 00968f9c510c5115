"""The tables behind a noted port's figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from tsubame.analysis.noted_results import NotedPort
from tsubame.analysis.results import DailySeries
from tsubame.report.names import region_name
from tsubame.report.numbering import COMPANION, FOCUS, REGIONS, SOURCES, shown_regions
from tsubame.schemas import Column, TableSchema

_DAY = Column("day", pa.date32(), "report day", key=True)
_PROTOCOL = Column("protocol", pa.uint8(), "IPv4 protocol number: 1 ICMP, 6 TCP, 17 UDP")
_PORT = Column("port", pa.uint16(), "destination port; null where the protocol has none", nullable=True)
_REGION = Column("region", pa.string(), "region the source was delegated to on the quarter's first day", key=True)
_TOOL = Column("tool", pa.string(), "tool whose mark the packets bear; empty for none", key=True)
_PACKETS = Column(
    "packets",
    pa.uint64(),
    "packets of the domestic sensors; null on a day with no sensor up",
    unit="packets",
    nullable=True,
)
_PER_SENSOR = Column(
    "per_sensor",
    pa.float64(),
    "packets divided by the domestic sensors up that day; null with none up",
    unit="packets per sensor",
    nullable=True,
)
_SERIES = (_PACKETS, _PER_SENSOR)

TOOL_SERIES = TableSchema(
    "noted_tool_series",
    "packets to a noted port on one report day, by tool",
    (_DAY, _PROTOCOL, _PORT, _TOOL, *_SERIES),
)
FOCUS_SERIES = TableSchema(
    "noted_focus_series",
    "packets from one region to a noted port on one report day, by tool",
    (_DAY, _PROTOCOL, _PORT, _REGION, _TOOL, *_SERIES),
)
REGION_PORT_SERIES = TableSchema(
    "noted_region_series",
    "packets from one region to one port on one report day",
    (
        _DAY,
        _PROTOCOL,
        _PORT,
        _REGION,
        Column("name_ja", pa.string(), "the region's name in Japanese"),
        Column("name_en", pa.string(), "the region's name in English"),
        *_SERIES,
    ),
)
SOURCE_SERIES = TableSchema(
    "noted_source_series",
    "distinct sources of the packets to a noted port on one report day",
    (
        _DAY,
        _PROTOCOL,
        _PORT,
        Column(
            "sources",
            pa.uint64(),
            "distinct sources seen that day; null on a day with no sensor up",
            unit="sources",
            nullable=True,
        ),
        Column(
            "new_sources",
            pa.uint64(),
            "those of them not seen at this port since the quarter's first day",
            unit="sources",
            nullable=True,
        ),
    ),
)


def noted_table(noted: NotedPort, kind: str) -> tuple[TableSchema, pa.Table]:
    """Return schema and table behind one of a noted port's figures."""
    focus = noted.focus
    if kind == FOCUS and focus is not None:
        parts = [_rows(noted.port, series, region=focus.region, tool=tool) for tool, series in focus.by_tool.items()]
        return FOCUS_SERIES, _table(parts, FOCUS_SERIES)
    if kind == COMPANION and focus is not None and focus.companion is not None and focus.overlap is not None:
        rows = _rows(focus.overlap.companion, focus.companion, **_named(focus.region))
        return REGION_PORT_SERIES, _table([rows], REGION_PORT_SERIES)
    if kind == REGIONS:
        parts = [_rows(noted.port, part.series, **_named(part.region)) for part in shown_regions(noted)]
        return REGION_PORT_SERIES, _table(parts, REGION_PORT_SERIES)
    if kind == SOURCES:
        return SOURCE_SERIES, _table([_source_rows(noted)], SOURCE_SERIES)
    parts = [_rows(noted.port, series, tool=tool) for tool, series in noted.by_tool.items()]
    return TOOL_SERIES, _table(parts, TOOL_SERIES)


def _named(region: str) -> dict[str, str]:
    return {"region": region, "name_ja": region_name(region, "ja"), "name_en": region_name(region, "en")}


def _rows(port: tuple[int, int | None], series: DailySeries, **same: str) -> Iterator[dict[str, Any]]:
    for day, packets, mean in zip(series.days, series.packets, series.per_sensor, strict=True):
        yield {"day": day, "protocol": port[0], "port": port[1], **same, "packets": packets, "per_sensor": mean}


def _source_rows(noted: NotedPort) -> Iterator[dict[str, Any]]:
    for day, seen, new in zip(noted.series.days, noted.sources.seen, noted.sources.new, strict=True):
        yield {"day": day, "protocol": noted.port[0], "port": noted.port[1], "sources": seen, "new_sources": new}


def _table(parts: Iterable[Iterable[Mapping[str, Any]]], schema: TableSchema) -> pa.Table:
    found = [row for part in parts for row in part]
    columns = [pa.array([row[column.name] for row in found], column.type) for column in schema.columns]
    return pa.table(columns, schema=schema.arrow())
