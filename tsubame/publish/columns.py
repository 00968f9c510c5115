"""Columns that several tables of the open data share, and how rows become a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from tsubame.schemas import Column, TableSchema

DAY = Column("day", pa.date32(), "report day", key=True)
PROTOCOL = Column("protocol", pa.uint8(), "IPv4 protocol number: 1 ICMP, 6 TCP, 17 UDP")
PORT = Column("port", pa.uint16(), "destination port; null where the protocol has none", nullable=True)
NAME_JA = Column("name_ja", pa.string(), "the region's name in Japanese")
NAME_EN = Column("name_en", pa.string(), "the region's name in English")
SERIES = (
    Column(
        "packets",
        pa.uint64(),
        "packets of the domestic sensors; null on a day with no sensor up",
        unit="packets",
        nullable=True,
    ),
    Column(
        "per_sensor",
        pa.float64(),
        "packets divided by the domestic sensors up that day; null with none up",
        unit="packets per sensor",
        nullable=True,
    ),
)


def rows_table(rows: Iterable[Mapping[str, Any]], schema: TableSchema) -> pa.Table:
    """Return a table of the schema's columns; what else a row holds is left out."""
    found = list(rows)
    return pa.table(
        [pa.array([row[column.name] for row in found], column.type) for column in schema.columns],
        schema=schema.arrow(),
    )
