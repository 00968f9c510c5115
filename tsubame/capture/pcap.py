"""The classic pcap container: 24 bytes of header, then records.

Source: draft-ietf-opsawg-pcap; libpcap's sf-pcap.c for the historic variants.
"""

from __future__ import annotations

import struct
from typing import Any

from tsubame.capture import state as at
from tsubame.capture.blocks import Block
from tsubame.capture.links import layer_of, longest_record, name_of
from tsubame.capture.reader import CaptureReader
from tsubame.capture.walks import walk_pcap

_HEADER_BYTES = 24
#: magic -> name, nanoseconds of a tick, bytes of a record header.
MAGICS = {
    0xA1B2C3D4: ("usec", 1_000, 16),
    0xA1B23C4D: ("nsec", 1, 16),
    # Alexey Kuznetzov's patched libpcap (old Red Hat): interface, protocol and packet type in each record.
    0xA1B2CD34: ("kuznetzov", 1_000, 24),
}


def is_pcap(head: bytes) -> bool:
    """Say whether the bytes begin as a pcap of either byte order."""
    return len(head) >= 4 and any(int.from_bytes(head[:4], order) in MAGICS for order in ("little", "big"))


class PcapReader(CaptureReader):
    """Reads a pcap of microseconds, nanoseconds or Kuznetzov's form, in either byte order."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        head = self._window.bytes[: min(self._window.filled, _HEADER_BYTES)].tobytes()
        big = int.from_bytes(head[:4], "big") in MAGICS
        name, tick, record_header = MAGICS[int.from_bytes(head[:4], "big" if big else "little")]
        self.format = f"pcap-{name}-{'BE' if big else 'LE'}"
        self._link_type = -1
        state = self._state
        if len(head) < _HEADER_BYTES:
            # Cut inside the file header: the walk finds no record, and the bytes are reported as a cut tail.
            state[at.HEADER_BYTES] = _HEADER_BYTES
            return
        major, minor, _, _, _, network = struct.unpack(f"{'>' if big else '<'}4xHHiIII", head)
        # The upper bits tell of the frame check sequence: its length in 16-bit words, if bit 26 is set.
        self._link_type = network & 0xFFFF
        state[at.POSITION] = _HEADER_BYTES
        state[at.SWAPPED] = int(big)
        state[at.TICK] = tick
        state[at.HEADER_BYTES] = record_header
        state[at.LAYER] = layer_of(self._link_type)
        state[at.FCS_BYTES] = (network >> 28) * 2 if network & 0x04000000 else 0
        state[at.MOST_CAPTURED] = longest_record(self._link_type)
        state[at.LENGTHS] = _order_of_lengths(major, minor)

    @property
    def link_types(self) -> dict[str, int]:
        """Records read so far, by the name of their link type."""
        if self._link_type < 0:
            return {}
        return {name_of(self._link_type): int(self._state[at.COUNTS : at.COUNTS + 7].sum())}

    def _walk(self, block: Block) -> int:
        return int(walk_pcap(self._window.bytes, block.columns, block.rejects, self._state))

    def _handle(self, reason: int) -> bool:  # noqa: ARG002 - a pcap has one way to break
        return self._stop(f"record with a captured length above {int(self._state[at.MOST_CAPTURED])} bytes")


def _order_of_lengths(major: int, minor: int) -> int:
    """Tell in which order a version of the format wrote the two lengths of a record (libpcap's sf-pcap.c)."""
    if major == 543 or (major == 2 and minor < 3):
        return 1
    return 2 if major == 2 and minor == 3 else 0
