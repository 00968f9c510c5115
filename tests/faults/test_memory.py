"""A capture, and a day's flows, that are larger than the memory of the workers that are given them."""

import sys
from pathlib import Path

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


@pytest.fixture
def one_large_capture(monkeypatch, tmp_path):
    """Settings over a bucket with one capture of a day."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2] / "benchmarks"), *sys.path])
    from telescope import Shape, settings_in

    return settings_in(tmp_path, Shape(packets=PACKETS), stored=True)


def test_what_is_larger_than_a_workers_memory(fault, one_large_capture, own_cluster):
    from telescope import FIRST_DAY

    settings = one_large_capture
    done = f"one capture of {PACKETS:,} packets, two workers of {LIMIT >> 20} MiB; ingest, count; then without a limit"
    with fault("a capture and a day larger than a worker's memory", done) as told:
        with own_cluster(arguments={"memory_limit": LIMIT}):
            ingested = ingest_days(settings, FIRST_DAY, FIRST_DAY)
            assert (ingested.decoded, ingested.accounting.packets_kept, ingested.set_aside) == (1, PACKETS, {})
            before = objects(settings.lake_url)
            with pytest.raises(SetAside, match=f"report day {FIRST_DAY}: .* Give the workers more memory") as caught:
                count_days(settings, FIRST_DAY, FIRST_DAY)
            assert caught.value.exit_status == 4
            assert objects(settings.lake_url) == before, "something half-counted was left"
        with own_cluster():
            assert ingest_days(settings, FIRST_DAY, FIRST_DAY).decoded == 0
            count_days(settings, FIRST_DAY, FIRST_DAY)
        (record,) = read_records(settings, FIRST_DAY, FIRST_DAY).values()
        assert sum(record.packets.values()) == record.accounting.records_read == PACKETS
        told.held = (
            "the capture is decoded in that memory; counting its day needs more, and ends with status 4 and the day's "
            "name, nothing written; with more memory every packet is counted"
        )
