"""Counts and sources of a day, held to DuckDB's grouping of the same flows."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tsubame.aggregate import counts as counting
from tsubame.aggregate import spans
from tsubame.aggregate.counts import DayCounting, count_day
from tsubame.aggregate.scratch import Scratch
from tsubame.regions.table import assemble
from tsubame.schemas import COUNTS, FLOWS, SOURCES

REGIONS = ("CN", "GB", "NL", "undelegated")
SENSORS = ("jp-b", "jp-a", "de-1")


def regions(seed):
    """200 intervals, each delegated to one of the regions; dense, so that many sources share a /24."""
    rng = np.random.default_rng(seed)
    starts = np.unique(np.append(rng.integers(0, 2**16, 200) + 0x0A000000, 0)).astype(np.int64)
    ends = np.append(starts[1:], 2**32) - 1
    none = np.zeros(len(starts), np.int64)
    return assemble(starts, ends, rng.integers(0, len(REGIONS), len(starts)), REGIONS, none, ("",))


def flows(seed, rows, *, sensors, tools):
    """Flows with few values of each column, so that keys repeat; dictionaries in an order of their own."""
    rng = np.random.default_rng(seed)

    def label(names):
        return pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, len(names), rows), pa.int32()), pa.array(names))

    columns = {
        "hour": pa.array(rng.integers(0, 24, rows) * 3_600_000, pa.timestamp("ms", tz="UTC")),
        "sensor_id": label(sensors),
        "src_address": pa.array(rng.choice([0, 0xFFFFFFFF, *range(0x0A000000, 0x0A010000, 997)], rows), pa.uint32()),
        "protocol": pa.array(rng.choice([0, 1, 6, 17, 255], rows), pa.uint8()),
        "dst_port": pa.array(rng.choice([0, 23, 65535], rows), pa.uint16()),
        "kind": label(["scan", "backscatter", "other"]),
        "tool": label(tools),
        "packets": pa.array(rng.integers(1, 2**40, rows), pa.uint64()),
        "bytes": pa.array(rng.integers(1, 2**40, rows), pa.uint64()),
    }
    return pa.table(columns).select(list(FLOWS.names)).cast(FLOWS.arrow())


def oracle(tables, as_of, pinned, domestic):
    """Return DuckDB's counts and sources, in the order of their keys."""
    plain = pa.concat_tables([table.cast(_without_labels(table.schema)) for table in tables])
    intervals = [
        pa.table({"start": t.starts, "region": [t.regions[code] for code in t.codes]}) for t in (as_of, pinned)
    ]
    with duckdb.connect() as connection:
        for name, table in (("plain", plain), ("now", intervals[0]), ("then", intervals[1])):
            connection.register(name, table)
        connection.execute(
            "CREATE TABLE f AS SELECT plain.*, now.region, past.region AS region_pinned,"
            f" sensor_id IN ({', '.join(map(repr, domestic))}) AS domestic"
            " FROM plain ASOF JOIN now ON src_address >= now.start"
            ' ASOF JOIN "then" past ON src_address >= past.start'
        )
        found = []
        for schema, extra in ((COUNTS, ", sum(bytes) AS bytes, count(DISTINCT src_address) AS sources"), (SOURCES, "")):
            keys = ", ".join(schema.key)
            query = f"SELECT {keys}, sum(packets) AS packets{extra} FROM f GROUP BY ALL ORDER BY {keys}"
            found.append(connection.sql(query).to_arrow_table().select(list(schema.names)).to_pylist())
        return found


def _without_labels(schema):
    return pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in schema])


@pytest.mark.parametrize("seed", range(4))
def test_counts_and_sources_are_those_of_duckdb(seed):
    tables = [
        flows(seed, 3000, sensors=SENSORS[:1], tools=["", "mirai"]),
        flows(seed + 10, 0, sensors=SENSORS[:1], tools=[""]),
        flows(seed + 20, 2000, sensors=SENSORS[1:], tools=["zmap", "", "a new tool"]),
    ]
    as_of, pinned = regions(seed), regions(seed + 100)
    day = count_day(tables, as_of=as_of, pinned=pinned, domestic=("jp-a", "jp-b"))
    counts, sources = oracle(tables, as_of, pinned, ("jp-a", "jp-b"))
    assert day.counts.to_pylist() == counts
    assert day.sources.to_pylist() == sources


def test_flows_give_the_same_bytes_in_whatever_order_they_come():
    tables = [flows(seed, 500, sensors=[SENSORS[seed % 3]], tools=["", "mirai"]) for seed in range(6)]
    one, two = (
        count_day(given, as_of=regions(1), pinned=regions(2), domestic=("jp-a",)) for given in (tables, tables[::-1])
    )
    assert one.counts.equals(two.counts, check_metadata=True)
    assert one.sources.equals(two.sources, check_metadata=True)
    assert one.counts.column("tool").chunk(0).dictionary == two.counts.column("tool").chunk(0).dictionary


@pytest.mark.parametrize("at_once", [64, 200, 1000, 4096, 1 << 20])
@pytest.mark.parametrize("seed", range(3))
def test_a_day_that_is_put_aside_is_counted_as_one_in_memory(monkeypatch, tmp_path, seed, at_once):
    tables = [
        flows(seed * 100 + number, 400, sensors=SENSORS if number == 3 else [SENSORS[number % 3]], tools=tools)
        for number, tools in enumerate([["", "mirai"], ["zmap", ""], ["a new tool"], ["", "mirai"], ["masscan", ""]])
    ]
    given = {"as_of": regions(seed), "pinned": regions(seed + 100), "domestic": ("jp-a", "jp-b")}
    whole = count_day(tables, **given)
    monkeypatch.setattr(spans, "_AT_ONCE", at_once)
    monkeypatch.setattr(spans, "_STEP", 16)
    monkeypatch.setattr(counting, "_ROW_GROUP", 50)
    counts, sources = [], []
    with (tmp_path / "scratch").open("w+b", buffering=0) as scratch:
        day = DayCounting(scratch)
        for table in tables:
            day.add(table)
        total = day.finish(counts=counts.append, sources=sources.append, **given)
        assert (scratch.tell() > 0) == (at_once < 2000), "the case is not the one that is meant"
    for pieces, table in ((counts, whole.counts), (sources, whole.sources)):
        assert {piece.num_rows for piece in pieces[:-1]} <= {50}
        assert 0 < pieces[-1].num_rows <= 50
        assert pa.concat_tables(pieces).to_pylist() == table.to_pylist()
    of_sensor = {name: pc.equal(whole.counts["sensor_id"], name) for name in SENSORS}
    assert total == {name: pc.sum(whole.counts.filter(mask)["packets"]).as_py() for name, mask in of_sensor.items()}


def test_spans_tear_no_family_and_lose_no_row(monkeypatch):
    monkeypatch.setattr(spans, "_AT_ONCE", 256)
    monkeypatch.setattr(spans, "_STEP", 8)
    rng = np.random.default_rng(7)
    day, given = spans.SpannedRows(Scratch()), {}
    for sensor_id in ("a", "b", "a", "c", "b", "a"):
        # Half of the words are of one family, of which there are more than a span holds.
        words = np.concatenate((rng.integers(0, 1 << 63, 150), (77 << 8) + rng.integers(0, 256, 150))).astype(np.uint64)
        day.add(sensor_id, (words, np.ones(300, np.uint64), words % np.uint64(1000)))
        for word in words.tolist():
            packets, sizes = given.get((sensor_id, word), (0, 0))
            given[sensor_id, word] = packets + 1, sizes + word % 1000
    found, last, spans_of_day = {}, -1, list(day.spans(["a", "b"]))
    for span in spans_of_day:
        low = min(int(words[0]) for words, _, _ in span.values())
        assert low >> 8 > last >> 8
        last = max(int(words[-1]) for words, _, _ in span.values())
        for sensor_id, columns in span.items():
            assert (np.diff(columns[0]) > 0).all()
            for word, packets, sizes in zip(*(column.tolist() for column in columns), strict=True):
                assert found.setdefault((sensor_id, word), (packets, sizes)) == (packets, sizes)
    assert len(spans_of_day) > 3
    assert found == {key: sums for key, sums in given.items() if key[0] != "c"}


def test_more_pairs_than_words_have_room_for_are_refused():
    with pytest.raises(ValueError, match="3 kinds and 86 tools make more than 256 pairs"):
        count_day(
            [flows(1, 500, sensors=["a"], tools=[f"tool {number}" for number in range(86)])],
            as_of=regions(1),
            pinned=regions(1),
            domestic=(),
        )


@pytest.mark.parametrize("tables", [[], [FLOWS.empty()]])
def test_a_day_without_flows_has_tables_without_rows(tables):
    day = count_day(tables, as_of=regions(1), pinned=regions(1), domestic=("jp-a",))
    assert (day.counts.num_rows, day.sources.num_rows) == (0, 0)
