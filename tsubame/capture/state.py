"""The numbers that a walk over a capture carries from one window of bytes to the next: an int64 array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Fates of a record, in the order of accounting.OUTCOMES.
KEPT, NOT_IP, IPV6, TRUNCATED, BAD_HEADER, OUTSIDE, DAMAGED = range(7)

# Why a walk came back.
NEED_BYTES = 0
"""The record at POSITION is not whole in the window."""
BLOCK_FULL = 1
BROKEN = 2
"""The framing at POSITION cannot be true; nothing after it can be found."""
SECTION = 3
"""pcapng: a section header, interface description or other block at POSITION is for the driver to read."""

# Places in the array.
POSITION = 0
"""Offset in the window of the next record."""
FILLED = 1
"""Offset after the window's last byte."""
ROWS = 2
REJECTED = 3
WANTED = 4
"""Bytes that the record at POSITION needs, as far as known."""
SENSOR_FIRST = 5
SENSOR_LAST = 6
SWAPPED = 7
"""1 when the container's integers are big-endian."""
HEADER_BYTES = 8
"""pcap: bytes of a record header."""
TICK = 9
"""pcap: nanoseconds of the record header's second field."""
LAYER = 10
FCS_BYTES = 11
MOST_CAPTURED = 12
LENGTHS = 13
"""pcap: 0 captured length first, 1 original length first, 2 the smaller is the captured one."""
INTERFACES = 14
"""pcapng: number of interfaces of the section."""
COUNTS = 16
"""The first of seven counters, by fate."""
SIZE = COUNTS + 8


def new_state(sensor: tuple[int, int] | None) -> NDArray[np.int64]:
    """Return the state at the beginning of a capture of a sensor that answers for ``sensor``; None: for all."""
    state = np.zeros(SIZE, np.int64)
    state[SENSOR_FIRST], state[SENSOR_LAST] = sensor or (0, 2**32 - 1)
    return state
