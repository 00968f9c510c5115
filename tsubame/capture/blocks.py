"""The reused column block that packets are decoded into, and the state that a walk carries along."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Bytes of a window; whole numbers of any use.
Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

#: Rows of a block: all columns together stay within half a second-level cache (about 45 bytes a row).
BLOCK_ROWS = 1 << 13
#: Timestamp of a packet whose container states none; numpy's not-a-time.
NO_TIME = np.iinfo(np.int64).min


class Columns(NamedTuple):
    """One array per column, each (BLOCK_ROWS,); meanings and units are those of ``schemas.PACKETS``.

    ``kind`` and ``tool`` are codes of ``tsubame.classify``. ``tcp_options`` is not published: the first four
    bytes of the TCP options when they are all of the options there are, otherwise 0; it is evidence of tools.
    """

    timestamp: NDArray[np.int64]
    src_address: NDArray[np.uint32]
    dst_address: NDArray[np.uint32]
    protocol: NDArray[np.uint8]
    src_port: NDArray[np.uint16]
    dst_port: NDArray[np.uint16]
    icmp_type: NDArray[np.uint8]
    icmp_code: NDArray[np.uint8]
    tcp_flags: NDArray[np.uint8]
    tcp_seq: NDArray[np.uint32]
    tcp_window: NDArray[np.uint16]
    ip_id: NDArray[np.uint16]
    ttl: NDArray[np.uint8]
    ip_length: NDArray[np.uint16]
    fragment_offset: NDArray[np.uint16]
    kind: NDArray[np.uint8]
    tool: NDArray[np.uint8]
    tcp_options: NDArray[np.uint32]


COLUMN_TYPES: tuple[type[np.generic], ...] = (
    np.int64, np.uint32, np.uint32, np.uint8, np.uint16, np.uint16, np.uint8, np.uint8, np.uint8,
    np.uint32, np.uint16, np.uint16, np.uint8, np.uint16, np.uint16, np.uint8, np.uint8, np.uint32,
)  # fmt: skip


class Rejects(NamedTuple):
    """Records that were not kept, in file order, so that they can be counted in their report day.

    Attributes:
        timestamp: nanoseconds since 1970, or ``NO_TIME``.
        row: how many packets of the block were kept before the record.
        outcome: index into ``accounting.OUTCOMES``.
    """

    timestamp: NDArray[np.int64]
    row: NDArray[np.int32]
    outcome: NDArray[np.uint8]


class Block:
    """Up to ``BLOCK_ROWS`` packets and rejects; its arrays are overwritten by the next block."""

    __slots__ = ("columns", "rejected", "rejects", "rows")

    def __init__(self, capacity: int = BLOCK_ROWS) -> None:
        self.columns = Columns(*(np.zeros(capacity, dtype) for dtype in COLUMN_TYPES))
        self.rejects = Rejects(np.zeros(capacity, np.int64), np.zeros(capacity, np.int32), np.zeros(capacity, np.uint8))
        self.rows = 0
        self.rejected = 0

    def column(self, name: str) -> NDArray[np.generic]:
        """Return the filled part of a column; a view that the next block overwrites."""
        array: NDArray[np.generic] = getattr(self.columns, name)[: self.rows]
        return array
