"""From a record's bytes to a row of columns, or to the count of what kept it from being one."""

from __future__ import annotations

from tsubame.capture import layers as at
from tsubame.capture.blocks import Bytes, Columns, Numbers, Rejects
from tsubame.capture.compiled import inlined
from tsubame.capture.loads import be16, be32, byte, unsigned
from tsubame.capture.network import find_network
from tsubame.capture.state import (
    BAD_HEADER,
    COUNTS,
    DAMAGED,
    IPV6,
    KEPT,
    NOT_IP,
    OUTSIDE,
    REJECTED,
    ROWS,
    SENSOR_FIRST,
    SENSOR_LAST,
    TRUNCATED,
)

_ICMP, _TCP, _UDP, _DCCP, _SCTP, _UDPLITE = 1, 6, 17, 33, 132, 136


@inlined
def decode_record(
    window: Bytes, start: int, end: int, layer: int, timestamp: int, columns: Columns, rejects: Rejects, state: Numbers
) -> None:
    """Decode the bytes ``start`` to ``end`` of a record into the next row, or count why not."""
    # Nearly every frame of a telescope is plain Ethernet and IPv4.
    if layer == at.ETHERNET and start + 14 <= end and be16(window, start + 12) == 0x0800:
        outcome = _decode_ipv4(window, start + 14, end, timestamp, columns, state)
    else:
        found, offset = find_network(window, start, end, layer)
        if found == at.IPV4:
            outcome = _decode_ipv4(window, offset, end, timestamp, columns, state)
        elif found == at.IPV6:
            outcome = IPV6
        elif found == at.CUT:
            outcome = TRUNCATED
        else:
            outcome = NOT_IP
    if outcome == KEPT:
        state[ROWS] += 1
        state[COUNTS + KEPT] += 1
    else:
        reject(outcome, timestamp, rejects, state)


@inlined
def decode_plain(
    window: Bytes, start: int, size: int, timestamp: int, columns: Columns, row: int, first: int, last: int
) -> bool:
    """Decode a record if it is what nearly all of a telescope's are: a whole TCP header in IPv4 in Ethernet.

    Args:
        window: the bytes that are read.
        start: offset of the frame.
        size: bytes of the frame, at least 54.
        timestamp: nanoseconds since 1970.
        columns: filled at ``row``.
        row: place of the packet.
        first, last: addresses between which the destination must lie.

    Returns:
        Whether it was; if not, nothing is decoded, and ``decode_record`` is to be asked.
    """
    length = be16(window, start + 16)
    destination = be32(window, start + 30)
    # EtherType IPv4 and a header without options; no fragment but the first; TCP; the header within the lengths.
    plain = (
        (be32(window, start + 12) >> 8 == 0x080045)
        & (be16(window, start + 20) & 0x1FFF == 0)
        & (byte(window, start + 23) == _TCP)
        & ((length >= 40) | (length == 0))
        & (destination >= first)
        & (destination <= last)
    )
    if not plain:
        return False
    # One option word, if it is all of the options there are and lies within the lengths.
    options = 0
    if byte(window, start + 46) >> 4 == 6 and size >= 58 and (length >= 44 or length == 0):
        options = be32(window, start + 54)
    place = unsigned(row)
    columns.timestamp[place] = timestamp
    columns.src_address[place] = be32(window, start + 26)
    columns.dst_address[place] = destination
    columns.protocol[place] = _TCP
    columns.src_port[place] = be16(window, start + 34)
    columns.dst_port[place] = be16(window, start + 36)
    columns.icmp_type[place] = 0
    columns.icmp_code[place] = 0
    columns.tcp_flags[place] = byte(window, start + 47)
    columns.tcp_seq[place] = be32(window, start + 38)
    columns.tcp_window[place] = be16(window, start + 48)
    columns.ip_id[place] = be16(window, start + 18)
    columns.ttl[place] = byte(window, start + 22)
    columns.ip_length[place] = length
    columns.fragment_offset[place] = 0
    columns.tcp_options[place] = options
    return True


@inlined
def reject(outcome: int, timestamp: int, rejects: Rejects, state: Numbers) -> None:
    """Count a record that is not kept, and remember when it was."""
    index = state[REJECTED]
    rejects.timestamp[index] = timestamp
    rejects.row[index] = state[ROWS]
    rejects.outcome[index] = outcome
    state[REJECTED] = index + 1
    state[COUNTS + outcome] += 1


@inlined
def _decode_ipv4(window: Bytes, offset: int, end: int, timestamp: int, columns: Columns, state: Numbers) -> int:
    """Write the IPv4 header's and the transport header's fields into the next row (RFC 791)."""
    if offset >= end:
        return TRUNCATED
    first = window[offset]
    if first >> 4 != 4 or first & 15 < 5:
        return BAD_HEADER
    header = (first & 15) * 4
    if offset + header > end:
        return TRUNCATED
    destination = be32(window, offset + 16)
    if destination < state[SENSOR_FIRST] or destination > state[SENSOR_LAST]:
        return OUTSIDE
    row = state[ROWS]
    length = be16(window, offset + 2)
    fragment = be16(window, offset + 6) & 0x1FFF
    protocol = window[offset + 9]
    columns.timestamp[row] = timestamp
    columns.src_address[row] = be32(window, offset + 12)
    columns.dst_address[row] = destination
    columns.protocol[row] = protocol
    columns.ip_id[row] = be16(window, offset + 4)
    columns.ttl[row] = window[offset + 8]
    columns.ip_length[row] = length
    columns.fragment_offset[row] = fragment
    # Ethernet pads short frames: what lies beyond the total length is not the packet's. A length of 0 is what
    # segmentation offload leaves; one shorter than the header says that nothing follows it.
    if length != 0 and offset + length < end:
        end = max(offset + length, offset + header)
    if fragment != 0:
        end = offset + header
    _decode_transport(window, offset + header, end, protocol, columns, row)
    return KEPT


@inlined
def _decode_transport(window: Bytes, offset: int, end: int, protocol: int, columns: Columns, row: int) -> None:
    """Write the transport fields that were captured whole; the others are 0."""
    size = end - offset
    src_port = dst_port = icmp_type = icmp_code = flags = sequence = tcp_window = options = 0
    if protocol in (_TCP, _UDP, _SCTP, _DCCP, _UDPLITE):
        if size >= 2:
            src_port = be16(window, offset)
        if size >= 4:
            dst_port = be16(window, offset + 2)
        if protocol == _TCP:
            if size >= 8:
                sequence = be32(window, offset + 4)
            if size >= 14:
                flags = window[offset + 13] & 0xFF
            if size >= 16:
                tcp_window = be16(window, offset + 14)
            if size >= 24 and window[offset + 12] >> 4 == 6:
                options = be32(window, offset + 20)
    elif protocol == _ICMP:
        if size >= 1:
            icmp_type = window[offset] & 0xFF
        if size >= 2:
            icmp_code = window[offset + 1] & 0xFF
    columns.src_port[row] = src_port
    columns.dst_port[row] = dst_port
    columns.icmp_type[row] = icmp_type
    columns.icmp_code[row] = icmp_code
    columns.tcp_flags[row] = flags
    columns.tcp_seq[row] = sequence
    columns.tcp_window[row] = tcp_window
    columns.tcp_options[row] = options


__all__ = ["DAMAGED", "decode_plain", "decode_record", "reject"]
