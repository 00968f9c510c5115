"""A day of 10 million packets, flows → counts and sources, against DuckDB and Polars on the same Parquet.

    python benchmarks/counting.py [--packets 10000000]

All read the flows of ten sensors, attribute each source to a region twice, group twice, sort, and write both tables,
on one thread. DuckDB and Polars find regions by joining with the intervals (``ASOF``); what the grouping alone costs
them, without any region, is told as well. Their results are compared with ours, row by row.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import harness
from harness import Row, measured, say, spent
from others import run_other
from traffic import FIRST

SENSORS = 10
ROUNDS = 2


def _shape(packets: int) -> Any:
    from telescope import Shape

    return Shape(sensors=SENSORS, packets=packets // SENSORS)


@harness.work
def prepare(folder: str, packets: int) -> dict[str, Any]:
    """Make the flows of a day, and the table of regions as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from telescope import FIRST_DAY, make_flows

    from tsubame.pipeline.delegations import open_archive

    settings, flows = make_flows(Path(folder), _shape(packets))
    table = open_archive(settings).in_use(FIRST_DAY).table
    names = pa.array(table.regions).take(pa.array(table.codes))
    pq.write_table(pa.table({"start": pa.array(table.starts), "region": names}), f"{folder}/regions.parquet")
    return {"flows": flows, "intervals": len(table)}


@harness.work
def ours(folder: str, packets: int) -> dict[str, Any]:
    from telescope import cost_of_counting

    return cost_of_counting(Path(folder), _shape(packets))


@harness.work
def duckdb(folder: str, regions: bool) -> dict[str, Any]:
    import duckdb as db

    start, end = (datetime.fromtimestamp(FIRST + day * 86_400, UTC).isoformat() for day in (0, 1))
    names = ["region", "region_pinned"] if regions else []
    joined = "".join(
        f" ASOF JOIN (SELECT start, region AS {name} FROM '{folder}/regions.parquet') {name}_of"
        f" ON f.src_address >= {name}_of.start"
        for name in names
    )
    keys = ", ".join(["sensor_id", "protocol", "dst_port", *names, "kind", "tool"])
    source_keys = ", ".join(["src_address", "protocol", "dst_port", "tool", *names])
    out = Path(folder, "duckdb")
    out.mkdir(exist_ok=True)
    with db.connect() as connection, spent() as cost:
        for setting in ("threads = 1", "TimeZone = 'UTC'", "enable_progress_bar = false"):
            connection.execute(f"SET {setting}")
        connection.execute(
            f"CREATE TEMP TABLE flows AS SELECT f.* EXCLUDE (hour) {''.join(f', {name}' for name in names)}"
            f" FROM (SELECT * FROM read_parquet('{folder}/lake/flows/**/*.parquet')"
            f" WHERE hour >= TIMESTAMPTZ '{start}' AND hour < TIMESTAMPTZ '{end}') f{joined}"
        )
        for name, grouped, sums in (
            ("counts", keys, "sum(packets)::UBIGINT AS packets, sum(bytes)::UBIGINT AS bytes,"
             " count(DISTINCT src_address)::UINTEGER AS sources"),
            ("sources", source_keys, "sum(packets)::UBIGINT AS packets"),
        ):  # fmt: skip
            connection.execute(
                f"COPY (SELECT {grouped}, {sums} FROM flows GROUP BY {grouped} ORDER BY {grouped})"
                f" TO '{out}/{name}.parquet' (COMPRESSION zstd)"
            )
    return dict(cost)


def polars(folder: str, regions: bool) -> dict[str, Any] | None:
    """Do the same with Polars; None where it cannot be installed."""
    out = Path(folder, "polars")
    out.mkdir(exist_ok=True)
    bounds = (str((FIRST + day * 86_400) * 1000) for day in (0, 1))
    flows, table = f"{folder}/lake/flows", f"{folder}/regions.parquet"
    return run_other("polars", "polars_counts.py", flows, table, *bounds, str(out), str(int(regions)))


def differences(folder: str, other: str) -> int:
    """Return how many rows of counts and sources are in ours or in the other's result, but not in both."""
    import duckdb as db

    found = 0
    with db.connect() as connection:
        for name in ("counts", "sources"):
            mine = f"read_parquet('{folder}/lake/{name}/day=*/{name}.parquet', hive_partitioning = false)"
            theirs = f"read_parquet('{folder}/{other}/{name}.parquet')"
            query = f"DESCRIBE SELECT * FROM {theirs}"
            columns = ", ".join(
                f"{row[0]}::{'VARCHAR' if 'VARCHAR' in row[1] else 'UBIGINT'}"
                for row in connection.execute(query).fetchall()
            )
            pair = [f"SELECT {columns} FROM {table}" for table in (mine, theirs)]
            for one, two in (pair, pair[::-1]):
                row = connection.execute(f"SELECT count(*) FROM ({one} EXCEPT ALL {two})").fetchone()
                found += row[0] if row else 0
    return found


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the figures."""
    with TemporaryDirectory() as folder:
        say(f"making the flows of {options.packets:,} packets")
        made = measured(prepare, folder=folder, packets=options.packets)
        found: dict[str, list[dict[str, Any]]] = {}
        for _ in range(ROUNDS):
            say("counting")
            found.setdefault("ours", []).append(measured(ours, folder=folder, packets=options.packets))
            for regions in (False, True):
                name = "" if regions else " alone"
                found.setdefault(f"DuckDB{name}", []).append(measured(duckdb, folder=folder, regions=regions))
                if (run := polars(folder, regions)) is not None:
                    found.setdefault(f"Polars{name}", []).append(run)
        with TemporaryDirectory() as smaller:
            say("a quarter of them")
            measured(prepare, folder=smaller, packets=options.packets // 4)
            few = measured(ours, folder=smaller, packets=options.packets // 4)
        text = f"{options.packets / 1e6:g} M packets, {made['flows'] / 1e6:.2f} M flows → counts and sources"
        own = harness.best(found["ours"])
        yield Row("count.cpu", text, own["cpu"], "s CPU")
        yield Row("count.peak", "  peak memory", own["peak"] / 1e6, "MB")
        yield Row("flow.count_cpu", "  CPU of a flow", own["cpu"] / made["flows"] * 1e9, "ns")
        yield Row("count.peak_ratio", "  against a quarter of the packets", own["peak"] / few["peak"], at_most=1.1)
        for name, runs in found.items():
            if name == "ours":
                continue
            run = harness.best(runs)
            what = f"{name.split()[0]}, grouping alone, no regions" if name.endswith("alone") else f"{name}, all of it"
            key = name.lower().replace(" ", "_")
            yield Row(
                f"count.{key}.cpu",
                f"{what}: {run['cpu']:.2f} s CPU, {run['peak'] / 1e6:,.0f} MB; against ours",
                run["cpu"] / own["cpu"],
                "times the CPU",
            )
        for name in ("DuckDB", "Polars"):
            if name in found:
                differing = differences(folder, name.lower())
                yield Row(
                    f"count.{name.lower()}.differs",
                    f"rows that differ between {name}'s result and ours",
                    differing,
                    at_most=0,
                )
        yield from _sizes(folder, options.packets)


def _sizes(folder: str, packets: int) -> Iterator[Row]:
    import pyarrow.parquet as pq

    for name in ("counts", "sources"):
        path = next(Path(folder, "lake", name).rglob("*.parquet"))
        rows = pq.read_metadata(path).num_rows
        yield Row(f"{name}.rows", f"rows of {name} of a packet", rows / packets)
        yield Row(f"{name}.row_bytes", f"bytes of a row of {name}", path.stat().st_size / rows, "bytes")


if __name__ == "__main__":
    harness.main("counting", __doc__, measure, {"packets": 10_000_000})
