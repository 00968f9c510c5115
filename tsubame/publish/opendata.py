"""Open data: the table behind every table and figure, as Parquet and CSV, and the dictionary of their columns.

Full rankings are cut at rank 100 and leave out rows with fewer than ``LEAST_SOURCES`` sources: far down the list a
row is a handful of packets from single hosts.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.analysis.explore import LEAST_SOURCES
from tsubame.analysis.results import DailySeries, QuarterAnalysis, Reassignment
from tsubame.publish.columns import DAY, NAME_EN, NAME_JA, PORT, PROTOCOL, SERIES, rows_table
from tsubame.publish.noted_data import noted_table
from tsubame.publish.region_data import region_tables
from tsubame.report.cutoffs import PRINTED_RANKS
from tsubame.report.names import port_label, region_name
from tsubame.report.numbering import COVERAGE_FIGURE, PORTS_FIGURE, REGIONS_FIGURE
from tsubame.report.plans import FigurePlan
from tsubame.report.region_plans import BLOCKS
from tsubame.report.tables import port_rows, region_rows
from tsubame.schemas import Column, TableSchema, enforce

RANKING_CUTOFF = 100

_RANK = Column("rank", pa.uint32(), "place by packets, 1 first", key=True)
_LABEL = Column("label", pa.string(), "the port as the report prints it")
_REGION = Column("region", pa.string(), "region of the source: ISO 3166 alpha-2 or a registry's own code")
_FIGURES = (
    Column("packets", pa.uint64(), "packets kept of the domestic sensors", unit="packets"),
    Column(
        "per_sensor_day",
        pa.float64(),
        "packets divided by domestic sensor-days up",
        unit="packets per sensor and day",
    ),
    Column("sources", pa.uint64(), "distinct source addresses over the quarter", unit="sources"),
    Column("previous_rank", pa.uint32(), "rank in the previous quarter; null where it had none", nullable=True),
    Column("previous_label", pa.string(), "previous rank as the report prints it"),
    Column("rank_low", pa.uint32(), "best rank of the 95 % interval"),
    Column("rank_high", pa.uint32(), "worst rank of the 95 % interval"),
    Column("close_to_next", pa.bool_(), "whether the next rank could as well be above this one"),
)
_PINNED = tuple(
    Column(
        f"{column.name}_pinned",
        column.type,
        f"{column.meaning}; regions as delegated on the quarter's first day",
        column.unit,
        nullable=True,
    )
    for column in SERIES
)

PORT_RANKING = TableSchema(
    "port_ranking",
    "a destination port of the quarter, by packets",
    (
        _RANK,
        PROTOCOL,
        PORT,
        Column("service", pa.string(), "IANA's service name; null where there is none", nullable=True),
        _LABEL,
        *_FIGURES,
    ),
)
REGION_RANKING = TableSchema(
    "region_ranking",
    "a source region of the quarter, by packets",
    (_RANK, _REGION, NAME_JA, NAME_EN, *_FIGURES),
)
PORT_SERIES = TableSchema(
    "port_series",
    "packets to one of the top ports on one report day",
    (DAY, _RANK, PROTOCOL, PORT, _LABEL, *SERIES),
)
REGION_SERIES = TableSchema(
    "region_series",
    "packets from one of the top regions on one report day",
    (DAY, _RANK, _REGION, NAME_JA, NAME_EN, *SERIES, *_PINNED),
)
REASSIGNMENT_SERIES = TableSchema(
    "reassignment_series",
    "packets of one region of a reassignment on one report day, as delegated that day and as pinned",
    (
        DAY,
        Column("region", pa.string(), _REGION.meaning, key=True),
        Column("role", pa.string(), "whether the region gained (to) or lost (from) the blocks"),
        *SERIES,
        *_PINNED,
    ),
)
COVERAGE = TableSchema(
    "coverage",
    "a sensor on a report day",
    (
        Column("sensor_id", pa.string(), "name of the sensor", key=True),
        DAY,
        Column(
            "state",
            pa.string(),
            "up: at least one packet kept; down: expected, but none; not expected: outside its active dates",
        ),
    ),
)
MOVED_BLOCKS = TableSchema(
    "moved_blocks",
    "a block of addresses that the registries moved from one region to another",
    (
        Column("from_region", pa.string(), "region that lost the block", key=True),
        Column("to_region", pa.string(), "region that gained the block", key=True),
        Column("date", pa.date32(), "date of the first snapshot that shows a move of this group", key=True),
        Column("cidr", pa.string(), "the block; several CIDRs where its size is no power of two", key=True),
        Column("addresses", pa.uint64(), "size of the block", unit="addresses"),
        Column("holder", pa.string(), "the registry's opaque id of the holder; empty where it gives none"),
        Column("first_seen", pa.date32(), "date of the first snapshot that shows this block moved"),
        Column("packets_before", pa.uint64(), "packets from the block in the window before", unit="packets"),
        Column("packets_after", pa.uint64(), "packets from the block in the window after", unit="packets"),
        Column("verdict", pa.string(), "what the test of the group's effect found"),
    ),
)

EXPLORER = TableSchema(
    "explorer",
    "packets of a report day and sensor group that share port, region and tool; small cells are under other",
    (
        DAY,
        Column("domestic", pa.bool_(), "whether the sensors stand in Japan", key=True),
        Column("protocol", pa.uint8(), f"{PROTOCOL.meaning}; null for all other ports", nullable=True, key=True),
        Column("port", pa.uint16(), "destination port, 0 for ICMP; null for all other ports", nullable=True, key=True),
        Column("region", pa.string(), f"{_REGION.meaning}; other for those not shown apart", key=True),
        Column("region_pinned", pa.string(), "the same, as delegated on the quarter's first day", key=True),
        Column("tool", pa.string(), "tool the packets bear the mark of; empty when none", key=True),
        Column("packets", pa.uint64(), "number of packets", unit="packets"),
    ),
)


def build_data(
    analysis: QuarterAnalysis, plans: Sequence[FigurePlan], explorer: pa.Table | None = None
) -> dict[str, bytes]:
    """Return the open data of an edition.

    Args:
        analysis: what the quarter's numbers are.
        plans: the figures to be drawn.
        explorer: the rows of the explorer, where the edition has one.

    Returns:
        ``data/<name>.parquet`` and ``tables/<name>.csv`` for every table and figure, and
        ``data/dictionary.json``.

    Raises:
        SchemaMismatch: a table is not what is declared above.
    """
    tables = build_tables(analysis, plans)
    if explorer is not None:
        tables["explorer"] = EXPLORER, explorer
    made: dict[str, bytes] = {}
    for name, (schema, table) in tables.items():
        checked = enforce(table, schema, key=f"data/{name}.parquet")
        made[f"data/{name}.parquet"] = encode_parquet(checked)
        made[f"tables/{name}.csv"] = encode_csv(checked)
    dictionary = [describe(name, schema) for name, (schema, _) in tables.items()]
    made["data/dictionary.json"] = (json.dumps(dictionary, ensure_ascii=False, indent=1) + "\n").encode()
    return made


def build_tables(analysis: QuarterAnalysis, plans: Sequence[FigurePlan]) -> dict[str, tuple[TableSchema, pa.Table]]:
    """Return the tables by name: rankings, the series behind every planned figure, moved blocks."""
    tables = {
        "ports": (PORT_RANKING, _ranking(port_rows(analysis), PORT_RANKING)),
        "regions": (REGION_RANKING, _ranking(region_rows(analysis), REGION_RANKING)),
        "port-ranking": (PORT_RANKING, _ranking(_shown(port_rows(analysis, RANKING_CUTOFF)), PORT_RANKING)),
        "region-ranking": (REGION_RANKING, _ranking(_shown(region_rows(analysis, RANKING_CUTOFF)), REGION_RANKING)),
        "moved-blocks": (MOVED_BLOCKS, _moved_blocks((*analysis.reassignments, *analysis.minor_reassignments))),
    }
    for name, (schema, rows) in region_tables(analysis, tuple(plans)).items():
        tables[name] = schema, rows_table(rows, schema)
    for plan in plans:
        if plan.kind == BLOCKS:
            continue
        if plan.id == PORTS_FIGURE:
            tables[plan.data] = PORT_SERIES, _port_series(analysis)
        elif plan.id == REGIONS_FIGURE:
            tables[plan.data] = REGION_SERIES, _region_series(analysis)
        elif plan.id == COVERAGE_FIGURE:
            tables[plan.data] = COVERAGE, _coverage(analysis)
        elif plan.noted is not None:
            tables[plan.data] = noted_table(plan.noted, plan.kind)
        elif plan.reassignment is not None:
            tables[plan.data] = REASSIGNMENT_SERIES, _reassignment_series(analysis, plan.reassignment)
    return tables


def _shown(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that no one or two hosts alone make up; a rank left out is a gap in the ranks."""
    return [row for row in rows if row["sources"] >= LEAST_SOURCES]


def _ranking(rows: list[dict[str, Any]], schema: TableSchema) -> pa.Table:
    return rows_table(
        ({**row, "rank_low": row["rank_interval"][0], "rank_high": row["rank_interval"][1]} for row in rows),
        schema,
    )


def _values(series: DailySeries | None, length: int, suffix: str = "") -> list[dict[str, Any]]:
    if series is None:
        return [{f"packets{suffix}": None, f"per_sensor{suffix}": None}] * length
    return [
        {f"packets{suffix}": packets, f"per_sensor{suffix}": mean}
        for packets, mean in zip(series.packets, series.per_sensor, strict=True)
    ]


def _port_series(analysis: QuarterAnalysis) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for ranked in analysis.ports[:PRINTED_RANKS]:
        key = (ranked.protocol, ranked.port)
        series = analysis.port_series.get(key)
        if series is None:
            continue
        same = {"rank": ranked.rank, "protocol": key[0], "port": key[1], "label": port_label(*key)}
        values = _values(series, len(series.days))
        rows += [{"day": day, **same, **value} for day, value in zip(series.days, values, strict=True)]
    return rows_table(rows, PORT_SERIES)


def _region_series(analysis: QuarterAnalysis) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for ranked in analysis.regions[:PRINTED_RANKS]:
        series = analysis.region_series.get(ranked.region)
        if series is None:
            continue
        same = {
            "rank": ranked.rank,
            "region": ranked.region,
            "name_ja": region_name(ranked.region, "ja"),
            "name_en": region_name(ranked.region, "en"),
        }
        rows += [{**same, **row} for row in _observed_and_pinned(analysis, ranked.region)]
    return rows_table(rows, REGION_SERIES)


def _observed_and_pinned(analysis: QuarterAnalysis, region: str) -> list[dict[str, Any]]:
    series = analysis.region_series[region]
    observed = _values(series, len(series.days))
    pinned = _values(analysis.region_series_pinned.get(region), len(series.days), "_pinned")
    return [
        {"day": day, **as_of, **as_pinned} for day, as_of, as_pinned in zip(series.days, observed, pinned, strict=True)
    ]


def _reassignment_series(analysis: QuarterAnalysis, item: Reassignment) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for role, region in (("to", item.to_region), ("from", item.from_region)):
        if region in analysis.region_series:
            same = {"region": region, "role": role}
            rows += [{**same, **row} for row in _observed_and_pinned(analysis, region)]
    return rows_table(rows, REASSIGNMENT_SERIES)


def _coverage(analysis: QuarterAnalysis) -> pa.Table:
    states = {"u": "up", "d": "down", "-": "not expected"}
    return rows_table(
        (
            {"sensor_id": sensor_id, "day": day, "state": states[letter]}
            for sensor_id, letters in sorted(analysis.sensors.coverage.items())
            for day, letter in zip(analysis.days, letters, strict=True)
        ),
        COVERAGE,
    )


def _moved_blocks(items: Iterable[Reassignment]) -> pa.Table:
    return rows_table(
        (
            {
                "from_region": item.from_region,
                "to_region": item.to_region,
                "date": item.date,
                "cidr": block.cidr,
                "addresses": block.addresses,
                "holder": block.holder,
                "first_seen": block.first_seen,
                "packets_before": block.packets_before,
                "packets_after": block.packets_after,
                "verdict": item.verdict,
            }
            for item in items
            for block in item.blocks
        ),
        MOVED_BLOCKS,
    )


def encode_parquet(table: pa.Table) -> bytes:
    """Return the table as Parquet, the same bytes for the same table."""
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd", version="2.6")
    return stream.getvalue()


def encode_csv(table: pa.Table) -> bytes:
    """Return the table as CSV (RFC 4180, UTF-8, header); null is empty, a truth value ``true`` or ``false``."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow([_csv_cell(value) for value in row.values()])
    return stream.getvalue().encode()


def _csv_cell(value: object) -> object:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else value


def describe(name: str, schema: TableSchema) -> dict[str, Any]:
    """Return the dictionary's entry of a table: its files, what a row is, its columns with unit and meaning."""
    return {
        "name": name,
        "files": [f"data/{name}.parquet", f"tables/{name}.csv"],
        "row": schema.row,
        "key": list(schema.key),
        "columns": [
            {
                "name": column.name,
                "type": str(column.type),
                "unit": column.unit,
                "nullable": column.nullable,
                "meaning": column.meaning,
            }
            for column in schema.columns
        ],
    }
