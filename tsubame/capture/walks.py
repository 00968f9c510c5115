"""Walking the records of a window of bytes: one compiled loop per container."""

from __future__ import annotations

from tsubame.capture.blocks import Bytes, Columns, Numbers, Rejects
from tsubame.capture.compiled import inlined, inner, kernel
from tsubame.capture.layers import ETHERNET
from tsubame.capture.loads import be16, be32, le16, le32
from tsubame.capture.packets import decode_plain, decode_record, reject
from tsubame.capture.state import (
    BLOCK_FULL,
    BROKEN,
    COUNTS,
    DAMAGED,
    FCS_BYTES,
    FILLED,
    HEADER_BYTES,
    INTERFACES,
    KEPT,
    LAYER,
    LENGTHS,
    MOST_CAPTURED,
    NEED_BYTES,
    POSITION,
    REJECTED,
    ROWS,
    SECTION,
    SENSOR_FIRST,
    SENSOR_LAST,
    SWAPPED,
    TICK,
    WANTED,
)
from tsubame.capture.times import to_nanoseconds

_NO_TIME = -(2**63)
_SECTION_HEADER = 0x0A0D0D0A
_INTERFACE, PACKET, SIMPLE, ENHANCED = 1, 2, 3, 6
#: Largest packet block that is believed; libpcap's own limit on blocks is 16 MiB.
MOST_BLOCK = 16 << 20

# Columns of the table of interfaces.
IF_LAYER, IF_SNAPLEN, IF_BINARY, IF_EXPONENT, IF_OFFSET, IF_FCS, IF_RECORDS, IF_MOST = range(8)
IF_SIZE = 8


@inner
def _load32(window: Bytes, offset: int, swapped: int) -> int:
    return be32(window, offset) if swapped else le32(window, offset)


@inner
def _load16(window: Bytes, offset: int, swapped: int) -> int:
    return be16(window, offset) if swapped else le16(window, offset)


@inner
def _without_fcs(captured: int, original: int, fcs: int) -> int:
    """Return how many captured bytes belong to the packet and not to the frame check sequence behind it."""
    # A packet that was cut has lost its check sequence first.
    return captured if fcs == 0 or captured <= original - fcs else max(original - fcs, 0)


@kernel
def walk_pcap(window: Bytes, columns: Columns, rejects: Rejects, state: Numbers) -> int:
    """Decode whole records until the window or the block is used up; return why it stopped."""
    swapped = state[SWAPPED]
    header = state[HEADER_BYTES]
    filled = state[FILLED]
    position = state[POSITION]
    most = state[MOST_CAPTURED]
    layer = state[LAYER]
    tick = state[TICK]
    capacity = len(columns.timestamp)
    lengths, fcs = state[LENGTHS], state[FCS_BYTES]
    first, last = state[SENSOR_FIRST], state[SENSOR_LAST]
    row, rejected, plain = state[ROWS], state[REJECTED], 0
    may_be_plain = layer == ETHERNET and fcs == 0
    reason = NEED_BYTES
    state[WANTED] = header
    while position + header <= filled:
        if row >= capacity or rejected >= capacity:
            reason = BLOCK_FULL
            break
        seconds = _load32(window, position, swapped)
        fraction = _load32(window, position + 4, swapped)
        captured = _load32(window, position + 8, swapped)
        original = _load32(window, position + 12, swapped)
        if lengths == 1 or (lengths == 2 and captured > original):
            captured, original = original, captured
        timestamp = seconds * 1_000_000_000 + fraction * tick
        if captured > most:
            reason = BROKEN
            break
        start = position + header
        if start + captured > filled:
            state[WANTED] = header + captured
            break
        position = start + captured
        if (
            may_be_plain
            and captured >= 54
            and decode_plain(window, start, captured, timestamp, columns, row, first, last)
        ):
            row += 1
            plain += 1
            continue
        # What is not plain is counted where it is decoded.
        state[ROWS] = row
        end = start + _without_fcs(captured, original, fcs)
        decode_record(window, start, end, layer, timestamp, columns, rejects, state)
        row, rejected = state[ROWS], state[REJECTED]
    state[ROWS] = row
    state[COUNTS + KEPT] += plain
    state[POSITION] = position
    return reason


@kernel
def walk_pcapng(window: Bytes, columns: Columns, rejects: Rejects, interfaces: Numbers, state: Numbers) -> int:
    """Decode whole packet blocks and skip others until the window or the block is used up.

    Section headers and interface descriptions are left to the caller (``SECTION``), as are blocks too large
    to be held (``BROKEN`` with ``WANTED`` their length).
    """
    swapped = state[SWAPPED]
    filled = state[FILLED]
    position = state[POSITION]
    capacity = len(columns.timestamp)
    reason = NEED_BYTES
    state[WANTED] = 12
    while position + 12 <= filled:
        if state[ROWS] >= capacity or state[REJECTED] >= capacity:
            reason = BLOCK_FULL
            break
        kind = _load32(window, position, swapped)
        length = _load32(window, position + 4, swapped)
        if kind in (_SECTION_HEADER, _INTERFACE):
            reason = SECTION
            break
        padded = (length + 3) & ~3
        state[WANTED] = padded
        if length < 12 or padded > MOST_BLOCK:
            reason = BROKEN
            break
        if position + padded > filled:
            break
        if _load32(window, position + padded - 4, swapped) != length:
            reason = BROKEN
            break
        if kind in (ENHANCED, SIMPLE, PACKET):
            _packet_block(window, position, position + padded - 4, kind, swapped, columns, rejects, interfaces, state)
        position += padded
        state[WANTED] = 12
    state[POSITION] = position
    return reason


@inlined
def _packet_block(
    window: Bytes,
    position: int,
    stop: int,
    kind: int,
    swapped: int,
    columns: Columns,
    rejects: Rejects,
    interfaces: Numbers,
    state: Numbers,
) -> None:
    """Decode the packet of one block, whose trailing length begins at ``stop``."""
    body = position + 8
    start = body + (4 if kind == SIMPLE else 20)
    interface = 0
    timestamp = _NO_TIME
    if start > stop:
        reject(DAMAGED, timestamp, rejects, state)
        return
    if kind == ENHANCED:
        interface = _load32(window, body, swapped)
    elif kind == PACKET:
        interface = _load16(window, body, swapped)
    if interface >= state[INTERFACES]:
        reject(DAMAGED, timestamp, rejects, state)
        return
    about = interfaces[interface]
    if kind == SIMPLE:
        original = _load32(window, body, swapped)
        captured = min(original, stop - start)
        if about[IF_SNAPLEN] > 0:
            captured = min(captured, about[IF_SNAPLEN])
    else:
        timestamp = to_nanoseconds(
            _load32(window, body + 4, swapped),
            _load32(window, body + 8, swapped),
            about[IF_BINARY],
            about[IF_EXPONENT],
            about[IF_OFFSET],
        )
        captured = _load32(window, body + 12, swapped)
        original = _load32(window, body + 16, swapped)
    about[IF_RECORDS] += 1
    if start + captured > stop or captured > about[IF_MOST]:
        reject(DAMAGED, timestamp, rejects, state)
        return
    end = start + _without_fcs(captured, original, about[IF_FCS])
    decode_record(window, start, end, about[IF_LAYER], timestamp, columns, rejects, state)
