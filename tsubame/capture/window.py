"""The reused window of bytes that a capture is read through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tsubame.capture.compression import Source

#: Bytes read at a time: holds the largest ordinary record, and stays near the caches beside a column block.
WINDOW_BYTES = 1 << 19


class Window:
    """A buffer that slides over a source: bytes before ``position`` are done with.

    Attributes:
        bytes: (capacity,) uint8, for the kernels.
        filled: offset after the last byte that was read.
        base: offset in the (inflated) stream of the buffer's first byte.
    """

    def __init__(self, source: Source, capacity: int = WINDOW_BYTES) -> None:
        self._source = source
        self._allocate(capacity)
        self.filled = 0
        self.base = 0
        self.ended = False

    def _allocate(self, capacity: int) -> None:
        self.bytes: NDArray[np.uint8] = np.empty(capacity, np.uint8)
        self._view = memoryview(self.bytes.data)

    def slide(self, position: int, wanted: int) -> bool:
        """Forget the bytes before ``position`` and read on until ``wanted`` bytes lie at the start.

        Returns:
            False when the source ends before that.
        """
        rest = self.filled - position
        kept = self.bytes[position : self.filled]
        if wanted > len(self.bytes):
            old = kept.copy()
            self._allocate(wanted)
            kept = old
        if position or kept is not self.bytes:
            self.bytes[:rest] = kept.copy() if rest > position else kept
        self.base += position
        self.filled = rest
        while not self.ended and self.filled < max(wanted, len(self.bytes)):
            size = self._source.read_into(self._view[self.filled :])
            if size == 0:
                self.ended = True
            self.filled += size
            if self.filled >= wanted and self.filled > len(self.bytes) // 2:
                break
        return self.filled >= wanted

    def drop_rest(self, position: int) -> int:
        """Read the source to its end and return how many bytes lie after ``position``."""
        rest = self.filled - position
        while size := self._source.read_into(self._view):
            rest += size
        self.ended = True
        return rest
