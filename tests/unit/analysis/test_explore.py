"""What readers explore, against DuckDB on the same rows."""

from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tsubame.analysis.explore import LEAST_SOURCES, OTHER, PORTS_SHOWN, REGIONS_SHOWN, explorer_day, explorer_rows
from tsubame.schemas import SOURCES, enforce

DAYS = [date(2024, 4, 1), date(2024, 4, 2), date(2024, 4, 3)]
REGIONS = [f"{a}{b}" for a in "ABCDEFG" for b in "ABCDEF"]


def sources(day, rows=3000, ports=120):
    rng = np.random.default_rng(day.toordinal())
    region = rng.choice(REGIONS, rows, p=np.arange(1, 43) / np.arange(1, 43).sum())
    pinned = np.where(rng.random(rows) < 0.1, rng.choice(REGIONS, rows), region)
    protocol = rng.choice([1, 6, 17], rows, p=[0.05, 0.85, 0.1]).astype(np.uint8)
    port = np.where(protocol == 1, 0, np.minimum(rng.zipf(1.3, rows), ports)).astype(np.uint16)
    table = pa.table(
        {
            "domestic": rng.random(rows) < 0.6,
            "src_address": rng.integers(0, 2**32, rows, np.uint32),
            "protocol": protocol,
            "dst_port": port,
            "tool": pa.array(rng.choice(["", "mirai", "zmap"], rows)).dictionary_encode(),
            "region": pa.array(region).dictionary_encode(),
            "region_pinned": pa.array(pinned).dictionary_encode(),
            "packets": rng.integers(1, 50, rows).astype(np.uint64),
        }
    )
    return enforce(table.select(SOURCES.names).cast(SOURCES.arrow()), SOURCES)


@pytest.fixture(scope="module")
def days():
    return {day: sources(day) for day in DAYS}


@pytest.fixture(scope="module")
def rows(days):
    return explorer_rows([(day, explorer_day(table)) for day, table in days.items()], home="JP")


def query(text, **tables):
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.execute(text).fetchall()


def test_every_packet_of_a_day_and_sensor_group_is_in_a_row(days, rows):
    for day, table in days.items():
        mine = query(f"SELECT domestic, sum(packets) FROM r WHERE day = '{day}' GROUP BY 1 ORDER BY 1", r=rows)
        assert mine == query("SELECT domestic, sum(packets) FROM t GROUP BY 1 ORDER BY 1", t=table)


def test_the_first_ports_and_tools_have_their_packets(days, rows):
    whole = pa.concat_tables(
        table.add_column(0, "day", pa.array([day] * table.num_rows, pa.date32())) for day, table in days.items()
    )
    shown = query("SELECT DISTINCT protocol, port FROM r WHERE protocol IS NOT NULL", r=rows)
    assert len(shown) == PORTS_SHOWN
    text = """SELECT day, domestic, protocol, {port}, tool, sum(packets) FROM t
              WHERE (protocol, {port}) IN ({shown}) GROUP BY ALL ORDER BY ALL"""
    wanted = ", ".join(f"({protocol}, {port})" for protocol, port in shown)
    assert query(text.format(port="port", shown=wanted), t=rows) == query(
        text.format(port="dst_port", shown=wanted), t=whole
    )


def test_a_region_that_few_sources_sent_from_is_not_told_apart(days, rows):
    whole = pa.concat_tables(
        table.add_column(0, "day", pa.array([day] * table.num_rows, pa.date32())) for day, table in days.items()
    )
    named = query(
        f"SELECT DISTINCT protocol, port, region FROM r WHERE region <> '{OTHER}' AND protocol IS NOT NULL", r=rows
    )
    most = {
        (protocol, port, region): number
        for protocol, port, region, number in query(
            """SELECT protocol, dst_port, region, max(n) FROM (
                 SELECT day, domestic, protocol, dst_port, region, count(*) AS n FROM t GROUP BY ALL
               ) GROUP BY ALL""",
            t=whole,
        )
    }
    assert named
    assert all(most[each] >= LEAST_SOURCES for each in named)
    assert any(number < LEAST_SOURCES for number in most.values())
    assert len({region for _, _, region in named}) <= REGIONS_SHOWN + 1


def test_moved_sources_are_where_they_were_delegated(days, rows):
    """As of and pinned agree on what they share: the same packets, cut twice."""
    by_region = query("SELECT region, sum(packets) FROM r GROUP BY 1 ORDER BY 1", r=rows)
    by_pinned = query("SELECT region_pinned, sum(packets) FROM r GROUP BY 1 ORDER BY 1", r=rows)
    assert sum(n for _, n in by_region) == sum(n for _, n in by_pinned)
    assert by_region != by_pinned


def test_the_order_of_days_does_not_matter(days, rows):
    again = explorer_rows([(day, explorer_day(days[day])) for day in reversed(DAYS)], home="JP")
    assert again.equals(rows)


def test_no_packets_no_rows():
    empty = explorer_day(SOURCES.empty())
    assert empty.num_rows == 0
    assert explorer_rows([(DAYS[0], empty)], home="JP").num_rows == 0
    assert explorer_rows([], home="JP").num_rows == 0
