"""Merging days in any order gives the same cube, and the cube agrees with DuckDB on the same rows."""

from __future__ import annotations

import functools
from datetime import date, timedelta

import duckdb
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analysis.quarter_data import Move, Q, Row, tables
from tsubame.analysis.cubes import day_cube, merge_cubes
from tsubame.analysis.packing import (
    first_day_of,
    port_of_source,
    region_of_code,
    source_of,
    unpack_port,
    unpack_port_cells,
)
from tsubame.analysis.series import block_packets

DOMESTIC = ("jp-1", "jp-2", "jp-3")
BLOCKS = [(100, 199), (150, 160), (150, 160), (0, 0), (2**32 - 1, 2**32 - 1)]

rows = st.builds(
    Row,
    sensor=st.sampled_from([*DOMESTIC, "us-1"]),
    protocol=st.sampled_from([1, 6, 17]),
    port=st.sampled_from([0, 23, 80, 65535]),
    source=st.sampled_from([0, 100, 150, 160, 199, 200, 2**32 - 1]),
    region=st.sampled_from(["US", "NL", "GB", "undelegated", "reserved", "ZZ"]),
    pinned=st.sampled_from(["US", "GB"]),
    packets=st.integers(1, 2**40),
    tool=st.sampled_from(["", "mirai", "zmap"]),
)
quarter_rows = st.lists(st.lists(rows, max_size=12), min_size=1, max_size=6)


def cubes_of(days):
    return [
        day_cube(Q.first_day + timedelta(days=5 * i), *tables(each, DOMESTIC), DOMESTIC, BLOCKS)
        for i, each in enumerate(days)
    ]


@settings(max_examples=20, deadline=None)
@given(quarter_rows, st.randoms(use_true_random=False))
def test_merging_in_any_order_agrees(days, random):
    cubes = cubes_of(days)
    whole = functools.reduce(merge_cubes, cubes)
    shuffled = list(cubes)
    while len(shuffled) > 1:
        random.shuffle(shuffled)
        shuffled.append(merge_cubes(shuffled.pop(), shuffled.pop()))
    assert shuffled[0].equals(whole)


@settings(max_examples=20, deadline=None)
@given(quarter_rows)
def test_a_cube_agrees_with_duckdb(days):
    cube = functools.reduce(merge_cubes, cubes_of(days))
    flat = [
        (date.isoformat(Q.first_day + timedelta(days=5 * i)), (5 * i) // 7, r)
        for i, each in enumerate(days)
        for r in each
    ]
    con = duckdb.connect()
    con.execute(
        "create table t(day varchar, block int, sensor varchar, protocol int, port int, source bigint, "
        "region varchar, pinned varchar, packets hugeint, tool varchar)"
    )
    for day, block, r in flat:
        con.execute(
            "insert into t values (?,?,?,?,?,?,?,?,?,?)",
            [day, block, r.sensor, r.protocol, r.port, r.source, r.region, r.pinned, r.packets, r.tool],
        )
    domestic = "sensor like 'jp-%'"

    def ask(sql):
        return {tuple(row[:-1]): int(row[-1]) for row in con.execute(sql).fetchall()}

    assert ask(
        f"select block, sensor, protocol, port, sum(packets) from t where {domestic} group by all"
    ) == port_cells(cube)
    protocol, port = unpack_port(port_of_source(cube.port_sources))
    found, counted = np.unique(np.stack([protocol.astype(int), port.astype(int)]), axis=1, return_counts=True)
    assert ask(f"select protocol, port, count(distinct source) from t where {domestic} group by all") == dict(
        zip(zip(*found.tolist(), strict=True), counted.tolist(), strict=True)
    )
    keys = zip(protocol.tolist(), port.tolist(), source_of(cube.port_sources).tolist(), strict=True)
    assert ask(
        "select protocol, port, source, min(date_diff('day', date '2023-01-01', day::date)) "
        f"from t where {domestic} group by all"
    ) == dict(zip(keys, first_day_of(cube.port_sources).tolist(), strict=True))
    codes, counted = np.unique(cube.region_sources >> np.uint64(32), return_counts=True)
    assert ask(
        f"select region, count(distinct source) from t where {domestic} and length(region) = 2 group by all"
    ) == {(region_of_code(int(c)),): int(n) for c, n in zip(codes, counted, strict=True)}
    assert ask("select day, sensor, region, pinned, sum(packets) from t group by all") == day_rows(cube, "regions")
    assert ask(
        f"select day, protocol, port, count(distinct source), sum(packets) from t where {domestic} group by all"
    ) == day_rows(cube, "ports")
    assert ask(
        "select day, protocol, port, region, pinned, tool, count(distinct source), sum(packets) "
        f"from t where {domestic} group by all"
    ) == day_rows(cube, "cells")
    moves = [Move(first, last, "A", "B", "", Q.first_day) for first, last in BLOCKS]
    of_block = block_packets(cube, moves)
    for (first, last), packets in zip(BLOCKS, of_block, strict=True):
        assert ask(
            f"select day, sum(packets) from t where {domestic} and source between {first} and {last} group by all"
        ) == {(day.isoformat(),): n for day, n in zip(Q.days, packets.tolist(), strict=True) if n}


def port_cells(cube):
    port, block, sensor = unpack_port_cells(cube.port_cells)
    protocol, number = unpack_port(port)
    names = [cube.sensors[i] for i in sensor]
    keys = zip(block.tolist(), names, protocol.tolist(), number.tolist(), strict=True)
    return dict(zip(keys, cube.port_packets.tolist(), strict=True))


def day_rows(cube, name):
    found = {}
    for each in cube.days:
        table = getattr(each, name)
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
            found[(each.day.isoformat(), *row[:-1])] = row[-1]
    return found
