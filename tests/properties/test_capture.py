"""What must hold of any capture: whole, cut anywhere, changed anywhere, or no capture at all."""

import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tsubame.capture.blocks import NO_TIME
from tsubame.capture.links import LAYERS
from tsubame.capture.reader import open_capture
from tsubame.classify.apply import classify_block
from tsubame.errors import UnsupportedCapture

sys.path.insert(0, str(Path(__file__).parent))
from captures import LINKS, ipv4_packet, link_number, pcap, pcapng

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
COLUMNS = (
    "timestamp", "src_address", "dst_address", "protocol", "src_port", "dst_port", "icmp_type", "icmp_code",
    "tcp_flags", "tcp_seq", "tcp_window", "ip_id", "ttl", "ip_length", "fragment_offset",
)  # fmt: skip


def decode(content, rows=7):
    capture = open_capture(io.BytesIO(content), key="made", block_rows=rows)
    found = []
    for block in capture.blocks():
        classify_block(block)
        columns = [block.column(name).astype(np.int64).tolist() for name in COLUMNS]
        found += [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]
    account = capture.accounting.check()
    assert account.packets_kept == len(found)
    # A damaged record may name an interface that is not there.
    linked = sum(capture.link_types.values())
    assert account.records_read - account.damaged_record <= linked <= account.records_read
    return found, account


def one_line(error):
    assert "\n" not in str(error)


byte, half, word = st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
instant = st.integers(0, 4_294_967_295).map(lambda seconds: seconds * 10**9 + 123_456_000)


@st.composite
def packet_fields(draw):
    protocol = draw(st.one_of(st.sampled_from([1, 6, 17, 33, 132, 136, 47, 50]), byte))
    row = dict.fromkeys(COLUMNS, 0) | {
        "timestamp": draw(instant), "src_address": draw(word), "dst_address": draw(word), "protocol": protocol,
        "ip_id": draw(half), "ttl": draw(byte), "fragment_offset": draw(st.one_of(st.just(0), st.integers(0, 0x1FFF))),
    }  # fmt: skip
    if not row["fragment_offset"]:
        if protocol in (6, 17, 33, 132, 136):
            row["src_port"], row["dst_port"] = draw(half), draw(half)
        if protocol == 6:
            row["tcp_flags"], row["tcp_seq"], row["tcp_window"] = draw(byte), draw(word), draw(half)
        if protocol == 1:
            row["icmp_type"], row["icmp_code"] = draw(byte), draw(byte)
    options = draw(st.integers(0, 10).map(lambda words: b"\1" * (4 * words)))
    content = ipv4_packet(row, options)
    return row | {"ip_length": len(content)}, content


packets = st.lists(packet_fields(), max_size=20)


@pytest.mark.parametrize("name", LINKS)
@settings(QUICK, max_examples=8)
@given(made=st.lists(packet_fields(), min_size=1, max_size=9))
def test_every_link_layer_is_looked_through(name, made):
    records = [(row["timestamp"], LINKS[name] + content) for row, content in made]
    found, account = decode(pcap(records, link_number(name)))
    assert found == [row for row, _ in made]
    assert account.records_read == len(made)


def test_every_link_layer_that_is_looked_through_is_tested():
    assert {link_number(name) for name in LINKS} == set(LAYERS) - {229}


CONTAINERS = {
    **{
        f"pcap-{form}{order}": lambda records, form=form, order=order: pcap(records, form=form, order=order)
        for form in ("usec", "nsec", "kuznetzov")
        for order in "<>"
    },
    **{
        f"pcapng-{kind}{order}": lambda records, kind=kind, order=order: pcapng(records, order=order, packet_block=kind)
        for kind in (2, 3, 6)
        for order in "<>"
    },
}


@pytest.mark.parametrize("name", CONTAINERS)
@settings(QUICK, max_examples=12)
@given(made=packets)
def test_every_container_gives_back_what_was_put_in(name, made):
    content = CONTAINERS[name]([(row["timestamp"], LINKS["1"] + packet) for row, packet in made])
    expected = [row | ({"timestamp": NO_TIME} if "-3" in name else {}) for row, _ in made]
    for packed in (content, gzip.compress(content, 1), zstandard.compress(content)):
        assert decode(packed)[0] == expected


@pytest.mark.parametrize("name", CONTAINERS)
@settings(QUICK, max_examples=15)
@given(made=st.lists(packet_fields(), min_size=1, max_size=6), data=st.data())
def test_a_cut_capture_gives_what_precedes_the_cut_and_says_so(name, made, data):
    content = CONTAINERS[name]([(row["timestamp"], LINKS["1"] + packet) for row, packet in made])
    whole, _ = decode(content)
    cut = data.draw(st.integers(12, len(content) - 1))
    found, account = decode(content[:cut])
    assert found == whole[: len(found)]
    assert account.records_read == len(found)
    # Nothing is lost without a word: what was read and what was not make up the file.
    assert account.truncated_tail == (account.unread_bytes > 0)
    assert cut - account.unread_bytes in _boundaries(name, content)


def _boundaries(name, content):
    """Offsets at which a container could end."""
    order = "big" if name.endswith(">") else "little"
    ends = [0]
    if name.startswith("pcapng"):
        while ends[-1] < len(content):
            ends.append(ends[-1] + int.from_bytes(content[ends[-1] + 4 : ends[-1] + 8], order))
    else:
        header = 24 if "kuznetzov" in name else 16
        ends.append(24)
        while ends[-1] < len(content):
            ends.append(ends[-1] + header + int.from_bytes(content[ends[-1] + 8 : ends[-1] + 12], order))
    return ends


@QUICK
@given(content=st.binary(max_size=4000))
@example(b"")
@example(b"\n\r\r\n")
@example(b"\xd4\xc3\xb2\xa1")
def test_any_bytes_are_refused_or_read(content):
    try:
        decode(content)
    except UnsupportedCapture as error:
        one_line(error)


@settings(QUICK, max_examples=300)
@given(
    name=st.sampled_from(sorted(CONTAINERS)),
    link=st.sampled_from(sorted(LINKS)),
    made=st.lists(packet_fields(), min_size=1, max_size=4),
    changes=st.lists(st.tuples(st.integers(0, 10_000), byte), min_size=1, max_size=12),
    packed=st.sampled_from([bytes, gzip.compress, zstandard.compress]),
)
def test_a_changed_capture_is_read_or_refused(name, link, made, changes, packed):
    content = CONTAINERS[name]([(row["timestamp"], LINKS[link] + packet) for row, packet in made])
    mutated = bytearray(packed(content))
    for place, value in changes:
        mutated[place % len(mutated)] = value
    try:
        decode(bytes(mutated))
    except UnsupportedCapture as error:
        one_line(error)


@pytest.mark.parametrize("link", [0, 1, 101, 105, 113, 127, 192, 239, 276])
@settings(QUICK, max_examples=30)
@given(content=st.binary(max_size=200))
def test_any_record_is_counted_once(link, content):
    _, account = decode(pcap([(0, content)], link))
    assert account.records_read == 1


def test_decoding_does_not_depend_on_what_lay_in_the_window_before():
    """A record whose headers are cut is judged by its own bytes, not by those of a record before it."""
    long = LINKS["1vlan"] + ipv4_packet(
        dict.fromkeys(COLUMNS, 0) | {"protocol": 6, "tcp_seq": 0xFFFFFFFF, "tcp_flags": 2}
    )
    records = [(0, long), *((0, long[:size]) for size in range(len(long))), (0, long)]
    alone = [decode(pcap([record]))[0] for record in records]
    together, _ = decode(pcap(records), rows=3)
    assert together == [row for rows in alone for row in rows]
