"""Grouping packets into flows: a hash table filled block by block, in compiled code.

Flows are kept in the order in which they were first seen, which for one and the same capture is always the
same order, and costs no sort.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsubame.aggregate.clock import DAY_ZERO, Clock, segment_of
from tsubame.capture.blocks import Columns, Numbers, Rejects
from tsubame.capture.compiled import inner, kernel

_NO_TIME = -(2**63)
_BILLION = 1_000_000_000
_ODD = np.uint64(0x9E3779B97F4A7C15)

# Places in the state.
ENTRIES, ROW, REJECT, LAST_TIME, HOUR_BEGINS, HOUR_ENDS, SLOT, DAY = range(8)
STATE_SIZE = 8


class Flows(NamedTuple):
    """The table: dense arrays in order of first sight, and an index into them by hash.

    Attributes:
        keys: source address, destination port, protocol and tool code, packed into 64 bits.
        slots: beginning of the hour in seconds since 1970, times 4, plus the kind code.
        packets, bytes: sums.
        places: places in the arrays plus one, by hash; 0 where there is none. Its length is a power of two.
    """

    keys: NDArray[np.uint64]
    slots: NDArray[np.int64]
    packets: NDArray[np.uint64]
    bytes: NDArray[np.uint64]
    places: NDArray[np.int32]


def new_flows(capacity: int) -> Flows:
    """Return an empty table for ``capacity`` flows, a power of two."""
    return Flows(
        np.zeros(capacity, np.uint64),
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.uint64),
        np.zeros(capacity, np.uint64),
        np.zeros(2 * capacity, np.int32),
    )


@inner
def _place(key: Any, slot: Any, index: NDArray[np.int32]) -> Any:
    mixed = (key ^ (np.uint64(slot) * _ODD)) * _ODD
    mixed ^= mixed >> np.uint64(32)
    return np.int64(mixed & np.uint64(len(index) - 1))


@kernel
def reindex(flows: Flows, entries: int) -> int:
    """Enter the first ``entries`` flows into an empty index."""
    index = flows.places
    for entry in range(entries):
        place = _place(flows.keys[entry], flows.slots[entry], index)
        while index[place] != 0:
            place = (place + 1) & (len(index) - 1)
        index[place] = entry + 1
    return entries


@inner
def _enter_time(timestamp: int, clock: Clock, state: Numbers) -> None:
    """Make the hour and the day of a timestamp the current ones; without one they stay as they are."""
    if timestamp == _NO_TIME:
        timestamp = state[LAST_TIME]
    state[LAST_TIME] = timestamp
    if state[HOUR_BEGINS] <= timestamp < state[HOUR_ENDS]:
        return
    seconds = timestamp // _BILLION
    segment = segment_of(seconds, clock.starts)
    local = seconds + clock.offsets[segment]
    begins = seconds - local % 3600
    ends = begins + 3600
    # Where the clock was put forward or back within the hour, the clock hour began then.
    begins = max(begins, clock.starts[segment])
    if segment + 1 < len(clock.starts):
        ends = min(ends, clock.starts[segment + 1])
    state[SLOT] = begins
    state[HOUR_BEGINS] = begins * _BILLION
    state[HOUR_ENDS] = ends * _BILLION
    state[DAY] = local // 86400 - DAY_ZERO


@kernel
def enter_time(timestamp: int, clock: Clock, state: Numbers) -> Any:
    """Make the hour and the day of a timestamp the current ones."""
    _enter_time(timestamp, clock, state)
    return state[DAY]


@kernel
def group_block(
    columns: Columns,
    rejects: Rejects,
    rows: int,
    rejected: int,
    clock: Clock,
    flows: Flows,
    days: Numbers,
    state: Numbers,
) -> Any:
    """Add a block's packets to the flows, and all its records to their days.

    Args:
        columns: the classified block's packets.
        rejects: its other records.
        rows: number of packets.
        rejected: number of other records.
        clock: the report zone's.
        flows: the table.
        days: (DAYS, 7) int64, records by day and fate.
        state: ``ROW`` and ``REJECT`` say where to begin, and where it ended.

    Returns:
        True when the block is done; False when the table must grow first.
    """
    index, keys, slots = flows.places, flows.keys, flows.slots
    mask = len(index) - 1
    entries = state[ENTRIES]
    row, reject = state[ROW], state[REJECT]
    while True:
        while reject < rejected and rejects.row[reject] <= row:
            _enter_time(rejects.timestamp[reject], clock, state)
            days[state[DAY], rejects.outcome[reject]] += 1
            reject += 1
        if row >= rows or entries >= len(keys):
            break
        _enter_time(columns.timestamp[row], clock, state)
        days[state[DAY], 0] += 1
        key = (
            np.uint64(columns.src_address[row]) << np.uint64(32)
            | np.uint64(columns.dst_port[row]) << np.uint64(16)
            | np.uint64(columns.protocol[row]) << np.uint64(8)
            | np.uint64(columns.tool[row])
        )
        slot = state[SLOT] * 4 + np.int64(columns.kind[row])
        place = _place(key, slot, index)
        entry = index[place] - 1
        while entry >= 0 and (keys[entry] != key or slots[entry] != slot):
            place = (place + 1) & mask
            entry = index[place] - 1
        if entry < 0:
            entry = entries
            index[place] = entry + 1
            keys[entry] = key
            slots[entry] = slot
            entries += 1
        flows.packets[entry] += np.uint64(1)
        flows.bytes[entry] += np.uint64(columns.ip_length[row])
        row += 1
    state[ENTRIES] = entries
    state[ROW], state[REJECT] = row, reject
    return row >= rows
