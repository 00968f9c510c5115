"""pcapng's large blocks that hold no packet: names, keys, what programs of their own write."""

import io
import struct
import sys
from pathlib import Path

import pytest

from tsubame.capture.reader import open_capture

sys.path.insert(0, str(Path(__file__).parents[2] / "properties"))
from captures import LINKS, block, ipv4_packet, pcapng

FIELDS = dict.fromkeys(("icmp_type", "icmp_code", "fragment_offset", "tcp_seq", "tcp_flags", "tcp_window"), 0)
PACKET = LINKS["1"] + ipv4_packet(
    FIELDS | {"protocol": 6, "src_port": 1, "dst_port": 23, "ip_id": 1, "ttl": 64, "src_address": 1, "dst_address": 2}
)
LARGE = 17 << 20


def account(content):
    capture = open_capture(io.BytesIO(content), key="x")
    for _ in capture.blocks():
        pass
    return capture.accounting.check()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("size", [LARGE, LARGE + 3, (16 << 20) - 11])
def test_a_large_block_of_no_packet_is_passed_over(order, size):
    capture = pcapng([(10**18, PACKET)], order=order)
    packet = capture[len(pcapng([], order=order)) :]
    found = account(capture + block(4, bytes(size), order) + packet + packet)
    assert (found.packets_kept, found.records_read, found.unread_bytes, found.error) == (3, 3, 0, None)


def test_a_large_block_that_is_cut_or_lies_is_accounted_for():
    capture, large = pcapng([(10**18, PACKET)]), block(4, bytes(LARGE))
    for size in (20, LARGE // 2, len(large) - 4, len(large) - 1):
        found = account(capture + large[:size])
        assert (found.packets_kept, found.truncated_tail, found.unread_bytes, found.error) == (1, 1, size, None)
    lying = large[:-4] + struct.pack("<I", 12)
    found = account(capture + lying + capture)
    assert (found.packets_kept, found.unread_bytes) == (1, len(lying) + len(capture))
    assert "does not end with its length at byte" in found.error


def test_a_packet_of_such_a_size_is_not_believed():
    capture = pcapng([(10**18, PACKET)])
    found = account(capture + block(6, bytes(LARGE)) + capture)
    assert found.packets_kept == 1
    assert "expected 12 to 16777216" in found.error
