"""A thousand damaged captures among ten thousand: each is named, all else is counted, and nothing piles up."""

import gzip
import os
import struct
from collections import Counter
from pathlib import Path

import duckdb
import psutil
import pyarrow.parquet as pq
import pytest

from tsubame.aggregate.flows import read_accounting
from tsubame.pipeline.counts import count_days
from tsubame.pipeline.ingest import ingest_days

pytestmark = pytest.mark.long

CAPTURES = int(os.environ.get("FAULTS_CAPTURES", "10000"))
EVERY = 10
"""One capture of so many is damaged."""
PACKETS = 200
AT_ONCE = 64
"""Tasks that the scheduler may know of at a time: four times what two workers of one thread are given."""
GROWTH = 96 << 20
"""Bytes by which client and scheduler, one process, may grow after the first tenth of the captures."""
MAGIC, RECORD = 24, 16


def offsets(content):
    """Where the records of a pcap file begin, and where the last one ends."""
    found, at = [], MAGIC
    while at < len(content):
        found.append(at)
        at += RECORD + struct.unpack_from("<I", content, at + 8)[0]
    return [*found, at]


def cut_in_a_record(raw, _):
    return gzip.compress(raw[:-7], 1)


def no_capture(*_):
    return gzip.compress(b"<html><title>502 Bad Gateway</title></html>\n" * 9, 1)


def broken_gzip(_, packed):
    return packed[: len(packed) // 2]


def header_of_the_file_changed(raw, _):
    return gzip.compress(bytes([raw[0] ^ 0x40, raw[1] ^ 0x08]) + raw[2:], 1)


def header_of_a_record_changed(raw, _):
    at = offsets(raw)[PACKETS // 2] + 11
    return gzip.compress(raw[:at] + bytes([raw[at] ^ 0x70]) + raw[at + 1 :], 1)


def nothing_but_a_name(*_):
    return b""


READABLE = {
    cut_in_a_record: PACKETS - 1,
    no_capture: 0,
    broken_gzip: None,
    header_of_the_file_changed: 0,
    header_of_a_record_changed: PACKETS // 2,
    nothing_but_a_name: 0,
}
"""Packets that can still be read; None where the compression decides it."""
DAMAGES = tuple(READABLE)


@pytest.fixture
def bucket(tmp_path, telescope):
    """The settings, the damage of each damaged capture, and the packets of each capture as they were sent."""
    shape = telescope.Shape(sensors=10, parts=CAPTURES // 10, packets=PACKETS)
    settings = telescope.settings_in(tmp_path, shape, stored=True)
    damages, sent = {}, {}
    for number, path in enumerate(sorted(Path(settings.captures_url).rglob("*.pcap.gz"))):
        key, packed = str(path.relative_to(settings.captures_url)), path.read_bytes()
        raw = gzip.decompress(packed)
        sent[key] = [meaning(raw, at) for at in offsets(raw)[:-1]]
        if number % EVERY == 3:
            damages[key] = DAMAGES[len(damages) % len(DAMAGES)]
            path.write_bytes(damages[key](raw, packed))
    return settings, damages, sent


def meaning(raw, at):
    """Protocol and destination port of a record, read without the library."""
    begin = at + RECORD + 14
    protocol, transport = raw[begin + 9], begin + 4 * (raw[begin] & 15)
    return protocol, struct.unpack_from(">H", raw, transport + 2)[0]


def test_a_thousand_damaged_captures(fault, own_cluster, bucket, telescope):
    settings, damages, sent = bucket
    day = telescope.FIRST_DAY
    done = f"{len(damages):,} of {len(sent):,} captures of 10 sensors, in {len(DAMAGES)} ways; ingest, count; 2 workers"
    with fault("many damaged captures", done) as told:
        process, tasks, sizes = psutil.Process(), [], []
        with own_cluster() as client:

            def look(*_):
                tasks.append(len(client.cluster.scheduler.tasks))
                sizes.append(process.memory_info().rss)

            ingested = ingest_days(settings, day, day, progress=look)
            counted = count_days(settings, day, day)
        named = ingested.rejected.keys() | ingested.damaged.keys()
        assert named == damages.keys()
        assert {key for key, how in damages.items() if READABLE[how] == 0} == ingested.rejected.keys()
        assert ingested.decoded == len(sent)

        accounts = accounts_of(settings)
        assert accounts.keys() == sent.keys()
        expected = Counter()
        for key, packets in sent.items():
            account = accounts[key].check()
            readable = READABLE[damages[key]] if key in damages else PACKETS
            assert account.packets_kept == (account.packets_kept if readable is None else readable), (key, account)
            assert key not in damages or account.damage()
            expected.update((key.partition("/")[0], *packet) for packet in packets[: account.packets_kept])
        assert ingested.accounting.records_read == sum(account.records_read for account in accounts.values())
        halves = [accounts[key].packets_kept for key, how in damages.items() if how is broken_gzip]
        assert all(0 < kept < PACKETS for kept in halves)

        assert in_the_lake(settings, "counts/*/*.parquet") == expected
        assert in_the_lake(settings, "flows/**/*.parquet") == expected
        assert counted.packets == sum(expected.values())
        tenth = sizes[len(sizes) // 10]
        assert max(tasks) <= AT_ONCE
        assert max(sizes) - tenth < GROWTH
        told.held = (
            f"each named, the others not; {sum(expected.values()):,} packets counted, by sensor, protocol and port "
            f"what was sent and can be read; at most {max(tasks)} tasks in the scheduler, client with scheduler "
            f"grew by {(max(sizes) - tenth) >> 20} MiB"
        )


def accounts_of(settings):
    """Each capture's account, from its flows object; the days add up to the capture."""
    found = {}
    for path in Path(settings.lake_url, "flows").rglob("*.parquet"):
        metadata = pq.read_schema(path).metadata
        found[metadata[b"capture"].decode()] = sum(read_accounting(metadata).values())
    return found


def in_the_lake(settings, pattern):
    """Packets by sensor, protocol and port, as DuckDB adds them up."""
    rows = duckdb.sql(
        f"select sensor_id, protocol, dst_port, sum(packets)::bigint "
        f"from read_parquet('{settings.lake_url}/{pattern}', "
        "hive_partitioning = false) group by all"
    ).fetchall()
    return Counter({(sensor, int(protocol), int(port)): packets for sensor, protocol, port, packets in rows})
