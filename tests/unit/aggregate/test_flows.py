"""Flows against an aggregation done by DuckDB's sibling: plain Python over the generated packets."""

import io
import struct
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from tsubame.aggregate import flows as module
from tsubame.aggregate import uniting
from tsubame.aggregate.clock import clock_of
from tsubame.aggregate.flows import FlowsResult, build_flows, read_accounting, write_flows
from tsubame.capture.accounting import Accounting
from tsubame.errors import UnsupportedCapture
from tsubame.schemas import FLOWS

TOKYO = ZoneInfo("Asia/Tokyo")


def packet(source, destination=0x01020304, port=23, sequence=7, ident=0, flags=2, window=1000):
    header = struct.pack(">BBHHHBBHII", 0x45, 0, 40, ident, 0, 64, 6, 0, source, destination)
    return header + struct.pack(">HHIIBBHHH", 40000, port, sequence, 0, 0x50, flags, window, 0, 0)


def capture(records):
    """A pcap of RAW records: (seconds, bytes)."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
    for seconds, content in records:
        out.append(struct.pack("<IIII", int(seconds), 0, len(content), len(content)) + content)
    return b"".join(out)


def build(content, zone=TOKYO, **more):
    more = {"network": None, "hint": date(2023, 1, 1)} | more
    return build_flows(io.BytesIO(content), capture_key="c.pcap", sensor_id="s1", zone=zone, **more)


def instant(*parts, zone=TOKYO):
    return datetime(*parts, tzinfo=zone).timestamp()


def test_packets_are_grouped_by_hour_source_and_port():
    at = instant(2023, 1, 5, 10, 20)
    result = build(capture([(at, packet(1)), (at + 60, packet(1)), (at + 3600, packet(1)), (at, packet(2, port=80))]))
    rows = result.table.to_pylist()
    assert [(row["src_address"], row["dst_port"], row["packets"], row["bytes"]) for row in rows] == [
        (1, 23, 2, 80),
        (2, 80, 1, 40),
        (1, 23, 1, 40),
    ]
    first, second = datetime(2023, 1, 5, 1, tzinfo=UTC), datetime(2023, 1, 5, 2, tzinfo=UTC)
    assert [row["hour"] for row in rows] == [first, first, second]
    assert result.first_day == result.last_day == date(2023, 1, 5)


@pytest.mark.parametrize(
    "zone", ["Asia/Tokyo", "UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"]
)
def test_hours_and_days_are_the_zones(zone):
    """Every quarter of an hour of days around changes of the clock, against zoneinfo itself."""
    zone = ZoneInfo(zone)
    starts = [datetime(2023, 3, 11, tzinfo=UTC), datetime(2023, 11, 4, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC)]
    moments = sorted(start + timedelta(minutes=15 * step) for start in starts for step in range(192))
    result = build(capture([(moment.timestamp(), packet(index)) for index, moment in enumerate(moments)]), zone)
    hours = dict(zip(result.table["src_address"].to_pylist(), result.table["hour"].to_pylist(), strict=True))
    for index, moment in enumerate(moments):
        local = moment.astimezone(zone)
        began = hours[index].astimezone(zone)
        assert hours[index] <= moment < hours[index] + timedelta(hours=1)
        assert (began.date(), began.hour) == (local.date(), local.hour)
        # A moment earlier it was another hour of the clock.
        before = (hours[index] - timedelta(seconds=1)).astimezone(zone)
        assert (before.hour, before.utcoffset()) != (local.hour, local.utcoffset())
    expected = Counter(moment.astimezone(zone).date() for moment in moments)
    assert {day: account.records_read for day, account in result.accounting_by_day.items()} == expected


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Africa/Cairo", date(2010, 8, 1), date(2010, 10, 2)),
        ("America/Recife", date(2000, 10, 1), date(2000, 11, 1)),
        ("Africa/Casablanca", date(2023, 3, 1), date(2023, 5, 1)),
        ("America/Sao_Paulo", date(2015, 10, 1), date(2016, 3, 1)),
        ("Pacific/Apia", date(2011, 12, 1), date(2012, 1, 5)),
    ],
)
def test_a_zone_may_change_twice_in_a_month(zone, first, last):
    """Summer time is left for Ramadan and taken up again: every hour of those months, against zoneinfo itself."""
    zone = ZoneInfo(zone)
    clock = clock_of(zone)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    moments = [start + timedelta(hours=hour) for hour in range((last - first).days * 24)]
    seconds = np.array([moment.timestamp() for moment in moments], np.int64)
    offsets = clock.offsets[np.searchsorted(clock.starts, seconds, "right") - 1]
    assert offsets.tolist() == [moment.astimezone(zone).utcoffset().total_seconds() for moment in moments]


def test_days_add_up_to_the_capture():
    at = instant(2023, 1, 5, 23, 59, 59)
    records = [(at, packet(1)), (at, b"\x60" + bytes(39)), (at + 2, b""), (at + 2, packet(5)), (at + 2, b"\x00" * 30)]
    result = build(capture(records) + b"torn")
    assert result.accounting_by_day[date(2023, 1, 5)] == Accounting(2, 1, ipv6=1)
    last = result.accounting_by_day[date(2023, 1, 6)]
    assert (last.records_read, last.truncated_tail, last.unread_bytes) == (3, 1, 4)
    assert sum(result.accounting_by_day.values()) == result.accounting
    result.accounting.check()


def test_a_capture_without_records_has_the_hint_as_its_day():
    result = build(capture([])[:20])
    assert result.accounting_by_day == {date(2023, 1, 1): Accounting(truncated_tail=1, unread_bytes=20)}
    assert build(capture([])).accounting_by_day == {date(2023, 1, 1): Accounting()}
    assert build(capture([])).table.schema == FLOWS.arrow() or build(capture([])).table.num_rows == 0


def test_packets_to_others_are_outside():
    at = instant(2023, 1, 5)
    result = build(capture([(at, packet(1)), (at, packet(1, destination=9))]), network=(9, 9))
    assert (result.accounting.packets_kept, result.accounting.outside_sensor) == (1, 1)
    assert result.table.num_rows == 1


def masscan(source, port, sequence=99, **more):
    return packet(source, port=port, sequence=sequence, ident=(0x01020304 ^ port ^ sequence) & 0xFFFF, **more)


def test_masscan_is_confirmed_by_two_matches_anywhere_in_the_capture():
    at = instant(2023, 1, 5)
    others = [(at + index * 20, packet(1000 + index)) for index in range(40_000)]
    result = build(
        capture(
            [
                (at, masscan(1, 80)),
                (at, packet(1, port=80)),
                (at, masscan(2, 80)),
                *others,
                (at + 900_000, masscan(1, 81)),
            ]
        )
    )
    rows = [row for row in result.table.to_pylist() if row["src_address"] < 1000]
    assert [(row["src_address"], row["dst_port"], row["tool"], row["packets"]) for row in rows] == [
        (1, 80, "", 1),
        (1, 80, "masscan", 1),
        (2, 80, "", 1),
        (1, 81, "masscan", 1),
    ]


def test_an_unconfirmed_match_joins_the_flow_of_its_other_packets():
    at = instant(2023, 1, 5)
    result = build(capture([(at, packet(1, port=80)), (at, masscan(1, 80)), (at, packet(1, port=80))]))
    assert [(row["tool"], row["packets"]) for row in result.table.to_pylist()] == [("", 3)]


@pytest.mark.parametrize("small", [False, True])
def test_grouping_agrees_with_plain_counting(monkeypatch, small):
    """A hundred thousand packets of few and many flows, some late, against a Counter."""
    if small:
        # Many runs that share hours, read in many pieces, written in many row groups.
        monkeypatch.setattr(module, "BATCH_PACKETS", 7000)
        monkeypatch.setattr(uniting, "_PIECE", 1 << 10)
        monkeypatch.setattr(module, "_ROW_GROUP", 1 << 11)
    rng = np.random.default_rng(3)
    count = 150_000
    times = (instant(2023, 1, 5) + np.sort(rng.integers(0, 40_000, count))).astype(np.int64)
    times[rng.random(count) < 0.01] -= 7200
    sources = np.where(rng.random(count) < 0.5, rng.integers(0, 50, count), rng.integers(0, 2**32, count)).tolist()
    ports = rng.choice([22, 23, 80], count).tolist()
    result = build(capture(zip(times.tolist(), map(packet, sources, [5] * count, ports), strict=True)))
    expected = Counter(zip((times // 3600 * 3600).tolist(), sources, ports, strict=True))
    rows = result.table.select(["hour", "src_address", "dst_port", "packets"]).to_pylist()
    found = {(int(row["hour"].timestamp()), row["src_address"], row["dst_port"]): row["packets"] for row in rows}
    assert len(rows) == len(expected)
    assert found == expected
    assert list(found) == sorted(found)


@pytest.mark.parametrize("batch", [300, 5000, 1 << 20])
def test_flows_do_not_depend_on_batches(monkeypatch, batch):
    """Many protocols, lengths, tools and hours, out of order, in batches of any size, against a Counter."""
    monkeypatch.setattr(module, "BATCH_PACKETS", batch)
    monkeypatch.setattr(uniting, "_PIECE", 1 << 10)
    rng = np.random.default_rng(batch)
    count = 8000
    records, expected, matched = [], Counter(), Counter()
    draws = [rng.integers(0, most, count).tolist() for most in (40_000, 12, 3, 4, 256, 3000)]
    for moment, source, port, way, protocol, length in zip(*draws, strict=True):
        source = source * 0x13579BDF & 0xFFFFFFFF
        content, tool = packet(source, port=80 + port), ""
        if way == 1:
            content, tool = masscan(source, 80 + port), "masscan"
            matched[source] += 1
        elif way == 2:
            content, tool = packet(source, port=80 + port, sequence=0x01020304), "mirai"
        elif way == 3 and protocol not in (1, 6, 17, 33, 132, 136):
            port = -80
            content = content[:2] + struct.pack(">H", length) + content[4:9] + bytes([protocol]) + content[10:]
        size = int.from_bytes(content[2:4], "big")
        at = int(instant(2023, 1, 5)) + moment
        records.append((at, content))
        for what, number in (("packets", 1), ("bytes", size)):
            expected[at // 3600 * 3600, source, content[9], 80 + port, tool, what] += number
    result = build(capture(records))
    found = Counter()
    for row in result.table.to_pylist():
        key = (int(row["hour"].timestamp()), row["src_address"], row["protocol"], row["dst_port"], row["tool"])
        assert (*key, "packets") not in found or row["kind"] != "scan"
        found[*key, "packets"] += row["packets"]
        found[*key, "bytes"] += row["bytes"]
    assert min(matched.values()) > 1
    assert found == expected


def test_more_classes_than_a_batch_names_are_grouped_all_the_same():
    """Every length and two protocols: twice as many classes as there are numbers for them."""
    at = instant(2023, 1, 5)
    whole = packet(7)
    records = [
        (at, whole[:2] + struct.pack(">H", length) + whole[4:9] + bytes([protocol]) + whole[10:])
        for protocol in (47, 50)
        for length in range(1 << 16)
    ]
    rows = build(capture(records)).table.to_pylist()
    assert [(row["protocol"], row["packets"], row["bytes"]) for row in rows] == [
        (protocol, 1 << 16, (1 << 16) * ((1 << 16) - 1) // 2) for protocol in (47, 50)
    ]


def written(result, metadata=None):
    sink = io.BytesIO()
    write_flows(result, sink, metadata)
    return sink.getvalue()


def test_parquet_carries_the_account_and_reads_back():
    at = instant(2023, 1, 5, 23, 59, 59)
    result = build(capture([(at, packet(1)), (at + 2, packet(5))]))
    content = written(result, {"capture": "c.pcap"})
    assert content == written(build(capture([(at, packet(1)), (at + 2, packet(5))])), {"capture": "c.pcap"})
    table = pq.read_table(io.BytesIO(content))
    assert table.to_pylist() == result.table.to_pylist()
    assert table.schema.metadata[b"capture"] == b"c.pcap"
    assert read_accounting(table.schema.metadata) == result.accounting_by_day


def test_a_file_that_is_no_capture_is_refused_and_can_be_recorded():
    with pytest.raises(UnsupportedCapture) as caught:
        build(b"hello, this is text")
    result = FlowsResult.rejected(caught.value, hint=date(2023, 1, 1))
    assert result.table.num_rows == 0
    assert "c.pcap" in result.accounting_by_day[date(2023, 1, 1)].error
    assert pq.read_table(io.BytesIO(written(result))).num_rows == 0
