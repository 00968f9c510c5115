"""A capture of any container, read once from start to end, block by block, in constant memory."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsubame.capture import state as at
from tsubame.capture.accounting import Accounting
from tsubame.capture.blocks import Block
from tsubame.capture.compression import Source
from tsubame.capture.window import Window

#: Records that are read of one capture; a day of a /8 telescope has fewer.
MOST_RECORDS = 2_000_000_000


class CaptureReader(ABC):
    """What is common to the containers: the loop, and the account at its end.

    Args:
        window: over the plain bytes, the container's header not yet consumed.
        sources: the plain source and those it inflates, for their faults.
        sensor: first and last address of the sensor, or None to keep every destination.
        capacity: most packets of a block.
        most_records: reading stops with the block that has as many.

    Attributes:
        format: the container, such as ``pcap-usec-LE`` or ``pcapng``.
        compression: names of the compressions around it, outermost first.
    """

    format: str

    def __init__(
        self,
        window: Window,
        sources: list[Source],
        compression: tuple[str, ...],
        sensor: tuple[int, int] | None,
        capacity: int,
        most_records: int,
    ) -> None:
        self._window = window
        self._sources = sources
        self.compression = compression
        self._state: NDArray[np.int64] = at.new_state(sensor)
        self._block = Block(capacity)
        self._most_records = most_records
        self._error: str | None = None
        self._truncated = False
        self._unread = 0

    @property
    @abstractmethod
    def link_types(self) -> dict[str, int]:
        """Records read so far, by the name of their link type."""

    @abstractmethod
    def _walk(self, block: Block) -> int:
        """Decode what the window holds into the block; return why it stopped (see ``state``)."""

    @abstractmethod
    def _handle(self, reason: int) -> bool:
        """Deal with what a walk could not; return False when nothing more can be read."""

    def blocks(self) -> Iterator[Block]:
        """Yield the capture's packets and rejects; each block overwrites the one before."""
        state, block = self._state, self._block
        going = True
        while going:
            state[at.FILLED] = self._window.filled
            reason = self._walk(block)
            if reason == at.BLOCK_FULL:
                yield from self._flush()
                going = self._within_bounds()
            elif reason == at.NEED_BYTES:
                going = self._refill()
            else:
                going = self._handle(reason)
        yield from self._flush()

    def _flush(self) -> Iterator[Block]:
        state, block = self._state, self._block
        block.rows, block.rejected = int(state[at.ROWS]), int(state[at.REJECTED])
        if block.rows or block.rejected:
            yield block
        state[at.ROWS] = state[at.REJECTED] = 0

    def _refill(self) -> bool:
        """Slide the window on; at the end of the capture, note a record that is cut."""
        position = int(self._state[at.POSITION])
        whole = self._window.slide(position, int(self._state[at.WANTED]))
        self._state[at.POSITION] = 0
        if whole:
            return True
        if self._window.filled:
            self._truncated = True
            self._unread += self._window.filled
        return False

    def _stop(self, error: str) -> bool:
        """Note damage at the current position; nothing after it is read."""
        position = int(self._state[at.POSITION])
        self._error = f"{error} at byte {self._window.base + position}"
        self._unread += self._window.drop_rest(position)
        return False

    def _within_bounds(self) -> bool:
        """Stop at the limit on records, so that a bomb of empty records ends."""
        if int(self._state[at.COUNTS : at.COUNTS + 7].sum()) < self._most_records:
            return True
        position = self._window.base + int(self._state[at.POSITION])
        self._error = f"limit of {self._most_records} records reached, the rest not read, at byte {position}"
        self._unread += self._window.filled - int(self._state[at.POSITION])
        return False

    @property
    def accounting(self) -> Accounting:
        """The account of what has been read; final once ``blocks`` is exhausted."""
        counts = self._state[at.COUNTS : at.COUNTS + 7]
        account = Accounting.of_counts(counts)
        errors = [error for error in (self._error, *(source.error for source in self._sources)) if error]
        return account + Accounting(
            truncated_tail=int(self._truncated or any(source.truncated for source in self._sources)),
            unread_bytes=self._unread + sum(source.unread for source in self._sources),
            error="; ".join(errors) or None,
        )


def open_capture(
    stream: io.RawIOBase | Any,
    *,
    key: str,
    sensor: tuple[int, int] | None = None,
    block_rows: int | None = None,
    most_records: int = MOST_RECORDS,
) -> CaptureReader:
    """Recognise a capture by its content and return a reader of it.

    Args:
        stream: anything with ``readinto``; read once, from start to end.
        key: the capture's name, for messages only.
        sensor: first and last address of the sensor, IPv4 in host order; packets to others are counted as
            outside. None keeps every destination.
        block_rows: most packets of a block; for tests.
        most_records: reading stops, and the account says so, with the block that has as many.

    Raises:
        UnsupportedCapture: the content is no capture, or of a container that is not supported.
    """
    from tsubame.capture.containers import recognise

    return recognise(stream, key=key, sensor=sensor, block_rows=block_rows, most_records=most_records)
