"""Every table that is written: its columns, their Arrow types, units and meanings.

Parquet files, expectation suites, headings and the data dictionary derive from these declarations, and
``enforce`` runs at every write. It never repairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from tsubame.errors import SchemaMismatch

LABEL = pa.dictionary(pa.int32(), pa.string())
INSTANT = pa.timestamp("ns", tz="UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        unit: what a number counts; empty for identifiers.
        key: whether the column is part of the table's key.
        nullable: whether a value may be missing.
    """

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""
    key: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table: what a row is, and its columns in order."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the columns that together are unique."""
        return tuple(column.name for column in self.columns if column.key)

    def arrow(self, metadata: dict[str, str] | None = None) -> pa.Schema:
        """Return the Arrow schema, each field carrying its meaning and unit as metadata."""
        return _arrow_schema(self).with_metadata({"table": self.name, **(metadata or {})})

    def empty(self) -> pa.Table:
        """Return the table without rows."""
        return self.arrow().empty_table()


@cache
def _arrow_schema(schema: TableSchema) -> pa.Schema:
    return pa.schema(
        [
            pa.field(
                column.name,
                column.type,
                nullable=column.nullable,
                metadata={"meaning": column.meaning, **({"unit": column.unit} if column.unit else {})},
            )
            for column in schema.columns
        ]
    )


def enforce(table: pa.Table, schema: TableSchema, *, key: str | None = None) -> pa.Table:
    """Return ``table`` with the declared field metadata, or refuse it.

    Column names, order, types and nulls must be as declared; the key must hold no null. Only field metadata
    and the schema's own metadata are added; values never change.

    Raises:
        SchemaMismatch: names the first difference.
    """
    if tuple(table.column_names) != schema.names:
        raise SchemaMismatch(
            f"columns of {schema.name}", key=key, expected=list(schema.names), actual=list(table.column_names)
        )
    for column in schema.columns:
        found = table.schema.field(column.name).type
        if found != column.type:
            raise SchemaMismatch(f"type of {schema.name}.{column.name}", key=key, expected=column.type, actual=found)
        if not column.nullable and table.column(column.name).null_count:
            raise SchemaMismatch(
                f"nulls in {schema.name}.{column.name}",
                key=key,
                expected=0,
                actual=table.column(column.name).null_count,
            )
    own: dict[Any, Any] = dict(table.schema.metadata or {})
    declared = schema.arrow().with_metadata({b"table": schema.name.encode(), **own})
    return table.cast(declared)


KIND = Column("kind", LABEL, "scan, backscatter or other, by the rules of tsubame.classify", key=True)
TOOL = Column("tool", LABEL, "tool the packet bears the mark of; empty when none", key=True)
SENSOR_ID = Column("sensor_id", LABEL, "name of the sensor in the registry", key=True)
PROTOCOL = Column("protocol", pa.uint8(), "IPv4 protocol number: 1 ICMP, 6 TCP, 17 UDP", key=True)
DST_PORT = Column("dst_port", pa.uint16(), "destination port; 0 where the protocol has none", key=True)
REGION = Column("region", LABEL, "region the source is delegated to by the snapshot in force that day", key=True)
REGION_PINNED = Column(
    "region_pinned", LABEL, "region the source was delegated to on the quarter's first day", key=True
)
PACKETS_COUNT = Column("packets", pa.uint64(), "number of packets", unit="packets")
BYTES_COUNT = Column("bytes", pa.uint64(), "sum of the IPv4 total lengths", unit="bytes")

PACKETS = TableSchema(
    "packets",
    "one IPv4 packet, in file order",
    (
        Column(
            "timestamp",
            INSTANT,
            "when the sensor saw the packet; null where the container has no time",
            nullable=True,
        ),
        Column("src_address", pa.uint32(), "source address, IPv4 in host order"),
        Column("dst_address", pa.uint32(), "destination address, IPv4 in host order; a sensor's, so secret"),
        Column("protocol", pa.uint8(), PROTOCOL.meaning),
        Column("src_port", pa.uint16(), "source port; 0 where the protocol has none"),
        Column("dst_port", pa.uint16(), DST_PORT.meaning),
        Column("icmp_type", pa.uint8(), "ICMP type; 0 for other protocols"),
        Column("icmp_code", pa.uint8(), "ICMP code; 0 for other protocols"),
        Column("tcp_flags", pa.uint8(), "TCP flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128"),
        Column("tcp_seq", pa.uint32(), "TCP sequence number; of a Mirai packet the sensor's address, so secret"),
        Column("tcp_window", pa.uint16(), "TCP window, unscaled", unit="bytes"),
        Column("ip_id", pa.uint16(), "IPv4 identification"),
        Column("ttl", pa.uint8(), "IPv4 time to live", unit="hops"),
        Column("ip_length", pa.uint16(), "total length that the IPv4 header states", unit="bytes"),
        Column("fragment_offset", pa.uint16(), "fragment offset", unit="8 bytes"),
        Column("kind", LABEL, KIND.meaning),
        Column("tool", LABEL, TOOL.meaning),
    ),
)

FLOWS = TableSchema(
    "flows",
    "packets of one capture object that share hour, sensor, source, protocol, port, kind and tool",
    (
        Column(
            "hour",
            pa.timestamp("ms", tz="UTC"),
            "instant at which the clock hour of the report's zone began",
            key=True,
        ),
        SENSOR_ID,
        Column("src_address", pa.uint32(), "source address, IPv4 in host order", key=True),
        PROTOCOL,
        DST_PORT,
        KIND,
        TOOL,
        PACKETS_COUNT,
        BYTES_COUNT,
    ),
)

COUNTS = TableSchema(
    "counts",
    "packets of one report day (hive partition `day`) that share every key below",
    (
        SENSOR_ID,
        PROTOCOL,
        DST_PORT,
        REGION,
        REGION_PINNED,
        KIND,
        TOOL,
        PACKETS_COUNT,
        BYTES_COUNT,
        Column("sources", pa.uint32(), "number of distinct source addresses in this row", unit="sources"),
    ),
)

SOURCES = TableSchema(
    "sources",
    "packets of one report day (hive partition `day`) from one source to one port at one sensor group",
    (
        Column("domestic", pa.bool_(), "whether the sensors stand in Japan", key=True),
        Column("src_address", pa.uint32(), "source address, IPv4 in host order", key=True),
        PROTOCOL,
        DST_PORT,
        TOOL,
        REGION,
        REGION_PINNED,
        PACKETS_COUNT,
    ),
)

VALIDATION = TableSchema(
    "validation",
    "an expectation that a quarter's validation (hive partition `quarter`) checked",
    (
        Column("suite", pa.string(), "table that was checked", key=True),
        Column("place", pa.uint16(), "place of the expectation in its suite, from 1", key=True),
        Column("expectation", pa.string(), "kind of expectation"),
        Column("column", pa.string(), "column it speaks of; empty where it is of the whole table"),
        Column("severity", pa.string(), "critical refuses publication, warning is printed, info is only kept"),
        Column("passed", pa.bool_(), "whether it held"),
        Column("observed", pa.string(), "what was seen, where the expectation says"),
        Column("expected", pa.string(), "what was expected, in English"),
        Column("expected_ja", pa.string(), "the same in Japanese"),
        Column("found", pa.string(), "what was found instead; empty where it held"),
        Column("found_ja", pa.string(), "the same in Japanese"),
    ),
)

TABLES = (PACKETS, FLOWS, COUNTS, SOURCES, VALIDATION)
