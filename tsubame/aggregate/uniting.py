"""Runs of flows -> flows, each once, in the order of hour, source, port, protocol, kind and tool.

Two flows can turn out to be the same: when packets of one hour were grouped in two runs (because a batch was full, or
because a packet came late), and when a tag that awaited confirmation is settled. Both lie beside each other when the
runs are merged. Runs are read a piece at a time, so that memory does not grow with them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsubame.aggregate.confirming import is_confirmed
from tsubame.aggregate.grouping import BYTES_BITS, CODE_BITS, KEY, KIND_BITS, RUN_COLUMNS, SUMS, TOOL_BITS
from tsubame.aggregate.runs import Run, Runs
from tsubame.capture.blocks import Numbers
from tsubame.capture.compiled import inner, kernel
from tsubame.capture.loads import unsigned
from tsubame.classify.apply import CONFIRMED_TOOL, UNCONFIRMED

#: Flows that are read of a run at a time, and of all runs that are merged at once.
_PIECE, _PIECES = 1 << 15, 1 << 20
_SMALLEST_PIECE = 1 << 10


class FlowColumns(NamedTuple):
    """Columns of flows, each (capacity,); meanings are those of ``schemas.FLOWS``, the hour is in milliseconds."""

    hour: NDArray[np.int64]
    src_address: NDArray[np.uint32]
    protocol: NDArray[np.uint8]
    dst_port: NDArray[np.uint16]
    kind: NDArray[np.int32]
    tool: NDArray[np.int32]
    packets: NDArray[np.int64]
    bytes: NDArray[np.int64]


_TYPES: tuple[type[np.generic], ...] = (
    np.int64, np.uint32, np.uint8, np.uint16, np.int32, np.int32, np.int64, np.int64,
)  # fmt: skip


def new_columns(capacity: int) -> FlowColumns:
    """Return columns for some number of flows."""
    return FlowColumns(*(np.empty(capacity, dtype) for dtype in _TYPES))


class _Piece(NamedTuple):
    """Some flows in order.

    Attributes:
        hours: (n,) int64, seconds since 1970.
        flows: (n, 2) int64, as ``grouping`` packs them.
    """

    hours: Numbers
    flows: Numbers


@inner
def _precedes(hour: int, key: int, other_hour: int, other_key: int) -> bool:
    return hour < other_hour or (hour == other_hour and key < other_key)


@kernel
def _find(piece: _Piece, hour: int, key: int) -> Any:
    """Return how many flows of a piece come before an hour and key."""
    low, high = 0, len(piece.hours)
    while low < high:
        middle = (low + high) // 2
        if _precedes(piece.hours[middle], piece.flows[middle, KEY], hour, key):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _merge(first: _Piece, second: _Piece, merged: _Piece) -> Any:
    """Merge two pieces in order into a third."""
    one = other = 0
    for row in range(len(merged.hours)):
        if other >= len(second.hours) or (
            one < len(first.hours)
            and not _precedes(second.hours[other], second.flows[other, KEY], first.hours[one], first.flows[one, KEY])
        ):
            merged.hours[row] = first.hours[one]
            merged.flows[row, KEY] = first.flows[one, KEY]
            merged.flows[row, SUMS] = first.flows[one, SUMS]
            one += 1
        else:
            merged.hours[row] = second.hours[other]
            merged.flows[row, KEY] = second.flows[other, KEY]
            merged.flows[row, SUMS] = second.flows[other, SUMS]
            other += 1
    return len(merged.hours)


@kernel
def _settle(piece: _Piece, matches: Numbers, columns: FlowColumns, filled: int) -> Any:
    """Settle what awaits confirmation, add up flows that are the same, and unpack them.

    Args:
        piece: flows in order; those that differ in nothing but the tool are not torn between two pieces.
        matches: the table of ``confirming.Matches``.
        columns: where flows go.
        filled: number of flows that are there already.

    Returns:
        Number of flows that are there now.
    """
    hours, flows = piece.hours, piece.flows
    first, family_before, hour_before = filled, 0, 0
    for row in range(len(hours)):
        hour, key, sums = hours[row], flows[row, KEY], flows[row, SUMS]
        family, tool = key >> TOOL_BITS, key & ((1 << TOOL_BITS) - 1)
        if tool & UNCONFIRMED:
            tool = CONFIRMED_TOOL if is_confirmed(key >> 32, matches) else tool & ~UNCONFIRMED
        if row == 0 or family != family_before or hour != hour_before:
            first, family_before, hour_before = filled, family, hour
        place = filled
        while place > first and columns.tool[place - 1] > tool:
            place -= 1
        if place > first and columns.tool[place - 1] == tool:
            columns.packets[place - 1] += sums >> BYTES_BITS
            columns.bytes[place - 1] += sums & ((1 << BYTES_BITS) - 1)
            continue
        for other in range(filled, place, -1):
            columns.tool[other] = columns.tool[other - 1]
            columns.packets[other] = columns.packets[other - 1]
            columns.bytes[other] = columns.bytes[other - 1]
        end, at = unsigned(filled), unsigned(place)
        columns.hour[end] = hour * 1000
        columns.src_address[end] = (key >> 32) + (1 << 31)
        columns.dst_port[end] = (key >> CODE_BITS) & 0xFFFF
        columns.protocol[end] = (key >> (KIND_BITS + TOOL_BITS)) & 0xFF
        columns.kind[end] = (key >> TOOL_BITS) & ((1 << KIND_BITS) - 1)
        columns.tool[at] = tool
        columns.packets[at] = sums >> BYTES_BITS
        columns.bytes[at] = sums & ((1 << BYTES_BITS) - 1)
        filled += 1
    return filled


class _Reader:
    """One run, read a piece at a time into memory of its own; ``piece`` is what has been read and not been taken."""

    def __init__(self, runs: Runs, run: Run, size: int) -> None:
        size = min(size, len(run))
        self._runs, self._run = runs, run
        self._memory = _Piece(np.empty(size, np.int64), np.empty((size, RUN_COLUMNS), np.int64))
        self._read = 0
        self.piece = _Piece(self._memory.hours[:0], self._memory.flows[:0])
        self.refill()

    @property
    def ended(self) -> bool:
        """Whether ``piece`` is the last of the run."""
        return self._read == len(self._run)

    def refill(self) -> None:
        """Read on behind what has not been taken; what has been is overwritten."""
        hours, flows = self._memory
        left, begin = len(self.piece.hours), self._read
        end = min(begin + len(hours) - left, len(self._run))
        if end <= begin:
            return
        # What lies behind the bound of another run, or a family of flows of which there may be more.
        hours[:left], flows[:left] = self.piece.hours.copy(), self.piece.flows.copy()
        filled = left + end - begin
        self._runs.read_into(self._run, begin, flows[left:filled])
        first = int(np.searchsorted(self._run.begins, begin, side="right")) - 1
        after = int(np.searchsorted(self._run.begins, end, side="left"))
        edges = np.clip(self._run.begins[first : after + 1], begin, end)
        hours[left:filled] = np.repeat(self._run.hours[first:after], np.diff(edges))
        self._read = end
        self.piece = _Piece(hours[:filled], flows[:filled])

    def take(self, bound: tuple[int, int] | None) -> _Piece:
        """Return and forget the flows before a bound; all of them when there is none."""
        hours, flows = self.piece
        count = len(hours) if bound is None else int(_find(self.piece, *bound))
        self.piece = _Piece(hours[count:], flows[count:])
        return _Piece(hours[:count], flows[:count])

    def bound(self) -> tuple[int, int]:
        """Return hour and first key of the last family of flows in ``piece``, which may go on behind it."""
        return int(self.piece.hours[-1]), int(self.piece.flows[-1, KEY]) >> TOOL_BITS << TOOL_BITS


def _first_of(runs: Runs, run: Run) -> tuple[int, int]:
    flows = np.empty((1, RUN_COLUMNS), np.int64)
    runs.read_into(run, 0, flows)
    return int(run.hours[0]), int(flows[0, KEY]) >> TOOL_BITS << TOOL_BITS


def _merged(pieces: list[_Piece]) -> _Piece:
    """Merge pieces in order, in pairs."""
    while len(pieces) > 1:
        pairs = [pieces[index : index + 2] for index in range(0, len(pieces), 2)]
        pieces = []
        for pair in pairs:
            if len(pair) == 2:
                rows = len(pair[0].hours) + len(pair[1].hours)
                merged = _Piece(np.empty(rows, np.int64), np.empty((rows, RUN_COLUMNS), np.int64))
                _merge(*pair, merged)
                pieces.append(merged)
            else:
                pieces += pair
    return pieces[0]


def _pieces_in_order(runs: Runs) -> Iterator[_Piece]:
    """Yield all flows in order; those that differ in nothing but the tool are never torn apart."""
    waiting = deque(sorted(((_first_of(runs, run), run) for run in runs), key=lambda entry: entry[0]))
    size = min(_PIECE, max(_PIECES // max(len(runs), 1), _SMALLEST_PIECE))
    active: list[_Reader] = []
    while active or waiting:
        if not active:
            active.append(_Reader(runs, waiting.popleft()[1], size))
        while waiting and waiting[0][0] <= _reach(active):
            active.append(_Reader(runs, waiting.popleft()[1], size))
        # What is not read yet lies behind the pieces that are not their runs' last.
        bound = min((reader.bound() for reader in active if not reader.ended), default=None)
        yield _merged([piece for reader in active if len((piece := reader.take(bound)).hours)])
        for reader in active:
            reader.refill()
        active = [reader for reader in active if len(reader.piece.hours)]


def _reach(active: list[_Reader]) -> tuple[int, int]:
    """Return how far the runs that are being read can be merged."""
    unfinished = [reader.bound() for reader in active if not reader.ended]
    return min(unfinished) if unfinished else max(reader.bound() for reader in active)


def unite_flows(runs: Runs, capacity: int) -> Iterator[tuple[FlowColumns, int]]:
    """Yield columns and how many flows they hold, about ``capacity`` at most; each overwrites the one before."""
    columns = new_columns(capacity)
    filled = 0
    for piece in _pieces_in_order(runs):
        if filled + len(piece.hours) > len(columns.hour):
            yield columns, filled
            filled = 0
            if len(piece.hours) > len(columns.hour):
                columns = new_columns(len(piece.hours))
        filled = int(_settle(piece, runs.matches.table, columns, filled))
    if filled:
        yield columns, filled
