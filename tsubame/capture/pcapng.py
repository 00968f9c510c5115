"""The pcapng container: sections of blocks, each section with interfaces of its own.

Source: draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from tsubame.capture import state as at
from tsubame.capture.blocks import Block
from tsubame.capture.links import layer_of, longest_record, name_of
from tsubame.capture.reader import CaptureReader
from tsubame.capture.walks import (
    ENHANCED,
    IF_BINARY,
    IF_EXPONENT,
    IF_FCS,
    IF_LAYER,
    IF_MOST,
    IF_OFFSET,
    IF_RECORDS,
    IF_SIZE,
    IF_SNAPLEN,
    MOST_BLOCK,
    PACKET,
    SIMPLE,
    walk_pcapng,
)

_SECTION_HEADER = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDER = 0x1A2B3C4D
_END_OF_OPTIONS, _IF_TSRESOL, _IF_FCSLEN, _IF_TSOFFSET = 0, 9, 13, 14
_MICROSECONDS = 6
#: Largest block that is believed when it holds no packet (Wireshark's own limit is 128 MiB and a little).
_MOST_SKIPPED = 128 << 20


def is_pcapng(head: bytes) -> bool:
    """Say whether the bytes begin as a pcapng section; a cut one is taken at its word."""
    if not head.startswith(_SECTION_HEADER):
        return False
    order = head[8:12]
    return len(order) < 4 or _BYTE_ORDER in (int.from_bytes(order, "little"), int.from_bytes(order, "big"))


class PcapngReader(CaptureReader):
    """Reads a pcapng of any number of sections and interfaces."""

    format = "pcapng"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._interfaces = np.zeros((8, IF_SIZE), np.int64)
        self._link_types: list[int] = []
        self._records: dict[str, int] = {}

    @property
    def link_types(self) -> dict[str, int]:
        """Records read so far, by the name of their link type; interfaces without records count 0."""
        found = dict(self._records)
        for row, link_type in zip(self._interfaces, self._link_types, strict=False):
            found[name_of(link_type)] = found.get(name_of(link_type), 0) + int(row[IF_RECORDS])
        return found

    def _walk(self, block: Block) -> int:
        return int(walk_pcapng(self._window.bytes, block.columns, block.rejects, self._interfaces, self._state))

    def _handle(self, reason: int) -> bool:
        if reason == at.SECTION:
            return self._structure()
        return self._oversized_or_broken()

    def _order(self) -> str:
        return ">" if self._state[at.SWAPPED] else "<"

    def _head(self, size: int) -> bytes:
        position = int(self._state[at.POSITION])
        return self._window.bytes[position : min(position + size, self._window.filled)].tobytes()

    def _structure(self) -> bool:
        """Read the section header or interface description at the current position."""
        head = self._head(12)
        is_section = head[:4] == _SECTION_HEADER
        if is_section:
            if int.from_bytes(head[8:12], "big") == _BYTE_ORDER:
                swapped = 1
            elif int.from_bytes(head[8:12], "little") == _BYTE_ORDER:
                swapped = 0
            else:
                return self._stop("section header without the byte-order magic")
            self._begin_section(swapped)
        (length,) = struct.unpack(f"{self._order()}I", head[4:8])
        padded = (length + 3) & ~3
        smallest = 28 if is_section else 20
        if length < smallest or padded > MOST_BLOCK:
            return self._stop(f"block length {length}, expected {smallest} to {MOST_BLOCK}")
        position = int(self._state[at.POSITION])
        if position + padded > self._window.filled:
            self._state[at.WANTED] = padded
            return self._refill()
        body = self._head(padded)
        if struct.unpack(f"{self._order()}I", body[-4:])[0] != length:
            return self._stop(f"block of length {length} that does not end with its length")
        if not is_section:
            self._add_interface(body[8:-4])
        self._state[at.POSITION] = position + padded
        return True

    def _begin_section(self, swapped: int) -> None:
        self._records = self.link_types
        self._link_types = []
        self._state[at.SWAPPED] = swapped
        self._state[at.INTERFACES] = 0

    def _add_interface(self, body: bytes) -> None:
        link_type, _, snaplen = struct.unpack(f"{self._order()}HHI", body[:8])
        index = len(self._link_types)
        if index == len(self._interfaces):
            self._interfaces = np.vstack([self._interfaces, np.zeros_like(self._interfaces)])
        row = self._interfaces[index]
        row[:] = 0
        row[IF_LAYER] = layer_of(link_type)
        row[IF_SNAPLEN] = snaplen
        row[IF_EXPONENT] = _MICROSECONDS
        row[IF_MOST] = longest_record(link_type)
        for code, value in _options(body[8:], self._order()):
            if code == _IF_TSRESOL and len(value) >= 1:
                row[IF_BINARY], row[IF_EXPONENT] = value[0] >> 7, value[0] & 0x7F
            elif code == _IF_FCSLEN and len(value) >= 1:
                row[IF_FCS] = value[0]
            elif code == _IF_TSOFFSET and len(value) >= 8:
                (row[IF_OFFSET],) = struct.unpack(f"{self._order()}q", value[:8])
        self._link_types.append(link_type)
        self._state[at.INTERFACES] = len(self._link_types)

    def _oversized_or_broken(self) -> bool:
        """Say what is wrong with the block at the current position."""
        kind, length = struct.unpack(f"{self._order()}II", self._head(8))
        if MOST_BLOCK < length <= _MOST_SKIPPED and kind not in (ENHANCED, SIMPLE, PACKET):
            return self._skip(length)
        if length < 12 or length > MOST_BLOCK:
            return self._stop(f"block of type {kind:#x} with length {length}, expected 12 to {MOST_BLOCK}")
        return self._stop(f"block of type {kind:#x} and length {length} that does not end with its length")

    def _skip(self, length: int) -> bool:
        """Pass over a block of no packet that is too large to be held, such as names or keys."""
        state, window = self._state, self._window
        begin = window.base + int(state[at.POSITION])
        trailer = begin + ((length + 3) & ~3) - 4
        while window.base + window.filled < trailer and window.slide(window.filled, 1):
            pass
        state[at.POSITION] = min(trailer - window.base, window.filled)
        whole = window.slide(int(state[at.POSITION]), 4)
        state[at.POSITION] = 0
        if whole and struct.unpack(f"{self._order()}I", self._head(4))[0] == length:
            state[at.POSITION] = 4
            return True
        self._unread += window.base - begin
        if whole:
            return self._stop(f"block of length {length} that does not end with its length")
        self._truncated = True
        self._unread += window.filled
        return False


def _options(body: bytes, order: str) -> list[tuple[int, bytes]]:
    """Read a list of options as far as it can be read."""
    found = []
    offset = 0
    while offset + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, offset)
        if code == _END_OF_OPTIONS or offset + 4 + length > len(body):
            break
        found.append((code, body[offset + 4 : offset + 4 + length]))
        offset += 4 + ((length + 3) & ~3)
    return found
