"""The tables behind a noted port's figures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pyarrow as pa

from tsubame.analysis.noted_results import NotedPort
from tsubame.analysis.results import DailySeries
from tsubame.publish.columns import DAY, NAME_EN, NAME_JA, PORT, PROTOCOL, SERIES, rows_table
from tsubame.report.names import region_name
from tsubame.report.numbering import COMPANION, FOCUS, REGIONS, SOURCES, shown_regions
from tsubame.schemas import Column, TableSchema

_REGION = Column("region", pa.string(), "region the source was delegated to on the quarter's first day", key=True)
_TOOL = Column("tool", pa.string(), "tool whose mark the packets bear; empty for none", key=True)

TOOL_SERIES = TableSchema(
    "noted_tool_series",
    "packets to a noted port on one report day, by tool",
    (DAY, PROTOCOL, PORT, _TOOL, *SERIES),
)
FOCUS_SERIES = TableSchema(
    "noted_focus_series",
    "packets from one region to a noted port on one report day, by tool",
    (DAY, PROTOCOL, PORT, _REGION, _TOOL, *SERIES),
)
REGION_PORT_SERIES = TableSchema(
    "noted_region_series",
    "packets from one region to one port on one report day",
    (
        DAY,
        PROTOCOL,
        PORT,
        _REGION,
        NAME_JA,
        NAME_EN,
        *SERIES,
    ),
)
SOURCE_SERIES = TableSchema(
    "noted_source_series",
    "distinct sources of the packets to a noted port on one report day",
    (
        DAY,
        PROTOCOL,
        PORT,
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
        return FOCUS_SERIES, rows_table(chain.from_iterable(parts), FOCUS_SERIES)
    if kind == COMPANION and focus is not None and focus.companion is not None and focus.overlap is not None:
        rows = _rows(focus.overlap.companion, focus.companion, **_named(focus.region))
        return REGION_PORT_SERIES, rows_table(rows, REGION_PORT_SERIES)
    if kind == REGIONS:
        parts = [_rows(noted.port, part.series, **_named(part.region)) for part in shown_regions(noted)]
        return REGION_PORT_SERIES, rows_table(chain.from_iterable(parts), REGION_PORT_SERIES)
    if kind == SOURCES:
        return SOURCE_SERIES, rows_table(_source_rows(noted), SOURCE_SERIES)
    parts = [_rows(noted.port, series, tool=tool) for tool, series in noted.by_tool.items()]
    return TOOL_SERIES, rows_table(chain.from_iterable(parts), TOOL_SERIES)


def _named(region: str) -> dict[str, str]:
    return {"region": region, "name_ja": region_name(region, "ja"), "name_en": region_name(region, "en")}


def _rows(port: tuple[int, int | None], series: DailySeries, **same: str) -> Iterator[dict[str, Any]]:
    for day, packets, mean in zip(series.days, series.packets, series.per_sensor, strict=True):
        yield {"day": day, "protocol": port[0], "port": port[1], **same, "packets": packets, "per_sensor": mean}


def _source_rows(noted: NotedPort) -> Iterator[dict[str, Any]]:
    for day, seen, new in zip(noted.series.days, noted.sources.seen, noted.sources.new, strict=True):
        yield {"day": day, "protocol": noted.port[0], "port": noted.port[1], "sources": seen, "new_sources": new}
