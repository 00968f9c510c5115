"""A capture, and a day's flows, that are larger than the memory of the workers that are given them."""

import duckdb
import pytest

from tsubame.keys import counts_key, sources_key
from tsubame.pipeline.counts import count_days
from tsubame.pipeline.ingest import ingest_days
from tsubame.pipeline.ledger import read_records

pytestmark = pytest.mark.long

PACKETS = 24_000_000
LIMIT = 448 << 20
"""Bytes of a worker's memory, where its nanny ends it: a third of the capture unpacked; beside the 250 MB of a
worker that has decoded, less than half of what its flows and counts take as words."""


def test_what_is_larger_than_a_workers_memory(fault, telescope, own_cluster, tmp_path):
    settings = telescope.settings_in(tmp_path, telescope.Shape(packets=PACKETS), stored=True)
    day = telescope.FIRST_DAY
    done = f"one capture of {PACKETS:,} packets, two workers of {LIMIT >> 20} MiB; ingest, count"
    with fault("a capture and a day larger than a worker's memory", done) as told:
        with own_cluster(arguments={"memory_limit": LIMIT}):
            ingested = ingest_days(settings, day, day)
            assert (ingested.decoded, ingested.accounting.packets_kept, ingested.set_aside) == (1, PACKETS, {})
            assert count_days(settings, day, day).packets == PACKETS
        (record,) = read_records(settings, day, day).values()
        assert sum(record.packets.values()) == record.accounting.records_read == PACKETS
        _same_as_duckdb(settings.lake_url, day)
        told.held = "decoded and counted in that memory; counts and sources equal DuckDB's sums of the flows"


def _same_as_duckdb(lake, day):
    flows, counts, sources = (
        f"read_parquet('{lake}/{name}')" for name in ("flows/**/*.parquet", counts_key(day), sources_key(day))
    )
    with duckdb.connect(config={"memory_limit": "2GB", "threads": 1}) as connection:
        for table, key, more in (
            (counts, "sensor_id::VARCHAR, protocol, dst_port, kind::VARCHAR, tool::VARCHAR", "sum(bytes)"),
            (sources, "src_address, protocol, dst_port, tool::VARCHAR", "0"),
        ):
            ours, theirs = (f"SELECT {key}, sum(packets), {more} FROM {name} GROUP BY ALL" for name in (table, flows))
            for one, other in ((ours, theirs), (theirs, ours)):
                query = f"SELECT count(*) FROM ({one} EXCEPT ALL {other})"
                assert connection.execute(query).fetchone() == (0,)
