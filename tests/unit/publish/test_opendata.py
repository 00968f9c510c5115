import csv
import dataclasses
import io
import json

import duckdb
import pyarrow.parquet as pq
import pytest

from tsubame.publish.opendata import build_data, build_tables
from tsubame.report.figures import plan_figures


@pytest.fixture(scope="module")
def data(analysis):
    return build_data(analysis, plan_figures(analysis))


def test_every_table_and_figure_has_parquet_and_csv(analysis, data):
    names = {path.rpartition("/")[2].rpartition(".")[0] for path in data if path.endswith(".parquet")}
    assert names >= {"ports", "regions", "port-ranking", "region-ranking", "moved-blocks"}
    for plan in plan_figures(analysis):
        assert f"data/{plan.data}.parquet" in data
        assert f"tables/{plan.data}.csv" in data


def test_csv_and_parquet_hold_the_same(data):
    for path, content in data.items():
        if not path.endswith(".parquet"):
            continue
        name = path.removeprefix("data/").removesuffix(".parquet")
        rows = pq.read_table(io.BytesIO(content)).to_pylist()
        read = list(csv.DictReader(io.StringIO(data[f"tables/{name}.csv"].decode(), newline="")))
        assert len(read) == len(rows)
        for row, text in zip(rows, read, strict=True):
            for column, value in row.items():
                expected = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
                assert text[column] == expected


def test_other_readers_read_it(analysis, data, tmp_path):
    for path, content in data.items():
        target = tmp_path / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    figure = tmp_path / "data" / "figure-1.parquet"
    found = duckdb.sql(
        f"select label, sum(packets), count(*) from '{figure}' group by label, rank order by rank"
    ).fetchall()
    # The table and the series behind the figure agree to the packet.
    assert [(label, total) for label, total, _ in found] == [
        (row.label, row.packets)
        for row in duckdb.sql(f"select * from '{tmp_path / 'tables' / 'ports.csv'}'").df().itertuples()
    ]
    assert {days for _, _, days in found} == {90}


def test_the_share_of_a_reassignment_is_in_the_data(data):
    rows = pq.read_table(io.BytesIO(data["data/reassignment-gb-nl-20230121.parquet"])).to_pylist()
    assert {row["role"] for row in rows} == {"from", "to"}
    after = [row for row in rows if row["region"] == "NL" and row["day"].isoformat() == "2023-02-01"]
    assert after[0]["packets"] > 4 * after[0]["packets_pinned"]
    down = [row for row in rows if row["day"].isoformat() == "2023-02-03"]
    assert all(row["packets"] is None and row["per_sensor_pinned"] is None for row in down)


def test_every_column_is_described_in_the_dictionary_and_the_file(analysis, data):
    dictionary = {entry["name"]: entry for entry in json.loads(data["data/dictionary.json"])}
    for name, (schema, _) in build_tables(analysis, plan_figures(analysis)).items():
        fields = pq.read_schema(io.BytesIO(data[f"data/{name}.parquet"]))
        described = {column["name"]: column for column in dictionary[name]["columns"]}
        assert list(described) == fields.names == list(schema.names)
        for field in fields:
            assert field.metadata[b"meaning"].decode() == described[field.name]["meaning"] != ""


def test_same_analysis_same_bytes(analysis, data):
    assert build_data(analysis, plan_figures(analysis)) == data


def test_rankings_are_cut_at_a_hundred(layouts):
    ports = [(6, port, None) for port in range(1, 131)]
    means = {(6, port): [float(200 - port)] * 91 for _, port, _ in ports}
    import numpy as np

    analysis = layouts.make_analysis(
        layouts.Quarter(2024, 2), ports, [], port_means={key: np.array(value) for key, value in means.items()}
    )
    tables = build_tables(analysis, ())
    assert tables["port-ranking"][1].num_rows == 100
    assert tables["ports"][1].num_rows == 5


def test_a_row_of_a_single_host_is_left_out_of_the_full_rankings(analysis):
    lonely = analysis.ports[-1]
    changed = dataclasses.replace(analysis, ports=(*analysis.ports[:-1], dataclasses.replace(lonely, sources=2)))
    before, after = (build_tables(each, ())["port-ranking"][1]["rank"].to_pylist() for each in (analysis, changed))
    assert after == [rank for rank in before if rank != lonely.rank]
