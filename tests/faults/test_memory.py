"""A capture, and a day's flows, that are larger than the memory of the workers that are given them."""

import pytest

from tests.faults.conftest import objects
from tsubame.pipeline.cluster import SetAside
from tsubame.pipeline.counts import count_days
from tsubame.pipeline.ingest import ingest_days
from tsubame.pipeline.ledger import read_records

pytestmark = pytest.mark.long

PACKETS = 12_000_000
LIMIT = 350 << 20
"""Bytes of a worker's memory, where its nanny ends it: a third of the capture unpacked."""


def test_what_is_larger_than_a_workers_memory(fault, telescope, own_cluster, tmp_path):
    settings = telescope.settings_in(tmp_path, telescope.Shape(packets=PACKETS), stored=True)
    day = telescope.FIRST_DAY
    done = f"one capture of {PACKETS:,} packets, two workers of {LIMIT >> 20} MiB; ingest, count; then without a limit"
    with fault("a capture and a day larger than a worker's memory", done) as told:
        with own_cluster(arguments={"memory_limit": LIMIT}):
            ingested = ingest_days(settings, day, day)
            assert (ingested.decoded, ingested.accounting.packets_kept, ingested.set_aside) == (1, PACKETS, {})
            before = objects(settings.lake_url)
            with pytest.raises(SetAside, match=f"report day {day}: .* Give the workers more memory") as caught:
                count_days(settings, day, day)
            assert caught.value.exit_status == 4
            assert objects(settings.lake_url) == before, "something half-counted was left"
        with own_cluster():
            assert ingest_days(settings, day, day).decoded == 0
            count_days(settings, day, day)
        (record,) = read_records(settings, day, day).values()
        assert sum(record.packets.values()) == record.accounting.records_read == PACKETS
        told.held = (
            "the capture is decoded in that memory; counting its day needs more, and ends with status 4 and the day's "
            "name, nothing written; with more memory every packet is counted"
        )
