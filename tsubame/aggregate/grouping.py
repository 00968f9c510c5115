"""Grouping packets into flows: a hash table filled block by block, in compiled code.

Flows are kept in the order in which they were first seen, which for one and the same capture is always the
same order, and costs no sort. Captures run forward in time, so the table is emptied where an hour ends: it stays
small, and near the processor.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsubame.aggregate.clock import DAY_ZERO, Clock, segment_of
from tsubame.capture.blocks import Columns, Numbers, Rejects
from tsubame.capture.compiled import inlined, inner, kernel
from tsubame.capture.loads import signed

_NO_TIME = -(2**63)
_BILLION = 1_000_000_000
# Odd multipliers; int64 arithmetic wraps around in compiled code.
_ODD_FIRST = -0x00AE502812AA7333
_ODD_SECOND = -0x3B314601E57A13AD
_ODD_SLOT = 0x2545F4914F6CDD1D

# Places in the state.
ENTRIES, ROW, REJECT, LAST_TIME, HOUR_BEGINS, HOUR_ENDS, SLOT, DAY = range(8)
STATE_SIZE = 8

# Columns of the table: source address, destination port, protocol and tool code packed into 64 bits; beginning
# of the hour in seconds since 1970, times 4, plus the kind code; sums of packets and of bytes.
KEY, SLOT_KIND, PACKETS, BYTES = range(4)

# Why grouping came back.
DONE, FULL, HOUR_OVER = range(3)
#: Flows from which on the table is emptied when an hour ends.
ENOUGH = 1 << 17


class Flows(NamedTuple):
    """The table: flows in order of first sight, and an index into them by hash.

    Attributes:
        entries: (capacity, 4) int64, one cache line for two flows.
        places: (2 * capacity,) places in ``entries`` plus one, by hash; 0 where there is none. The capacity is a
            power of two.
    """

    entries: NDArray[np.int64]
    places: NDArray[np.int32]


def new_flows(capacity: int) -> Flows:
    """Return an empty table for ``capacity`` flows, a power of two."""
    return Flows(np.zeros((capacity, 4), np.int64), np.zeros(2 * capacity, np.int32))


@inner
def _place(key: int, slot: int, mask: int) -> int:
    """Mix a flow's key into a place in the index (the finish of MurmurHash3, on what int64 has)."""
    mixed = key ^ (slot * _ODD_SLOT)
    mixed = (mixed ^ (mixed >> 33)) * _ODD_FIRST
    mixed = (mixed ^ (mixed >> 29)) * _ODD_SECOND
    return (mixed >> 32) & mask


@kernel
def reindex(flows: Flows, entries: int) -> int:
    """Enter the first ``entries`` flows into an empty index."""
    mask = len(flows.places) - 1
    for entry in range(entries):
        place = _place(flows.entries[entry, KEY], flows.entries[entry, SLOT_KIND], mask)
        while flows.places[place] != 0:
            place = (place + 1) & mask
        flows.places[place] = entry + 1
    return entries


@inlined
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
        ``DONE``; or why the table must be emptied or grow first, to be called again then.
    """
    table, places = flows.entries, flows.places
    mask = len(places) - 1
    entries = state[ENTRIES]
    row, reject = state[ROW], state[REJECT]
    reason = DONE
    while True:
        while reject < rejected and rejects.row[reject] <= row:
            _enter_time(rejects.timestamp[reject], clock, state)
            days[state[DAY], rejects.outcome[reject]] += 1
            reject += 1
        if row >= rows:
            break
        slot_before = state[SLOT]
        _enter_time(columns.timestamp[row], clock, state)
        if entries >= len(table) or (entries >= ENOUGH and state[SLOT] != slot_before):
            reason = FULL if entries >= len(table) else HOUR_OVER
            break
        days[state[DAY], 0] += 1
        key = (
            signed(columns.src_address[row]) << 32
            | signed(columns.dst_port[row]) << 16
            | signed(columns.protocol[row]) << 8
            | signed(columns.tool[row])
        )
        slot = state[SLOT] * 4 + signed(columns.kind[row])
        place = _place(key, slot, mask)
        entry = places[place] - 1
        while entry >= 0 and (table[entry, KEY] != key or table[entry, SLOT_KIND] != slot):
            place = (place + 1) & mask
            entry = places[place] - 1
        if entry < 0:
            entry = entries
            places[place] = entry + 1
            table[entry, KEY] = key
            table[entry, SLOT_KIND] = slot
            table[entry, PACKETS] = 0
            table[entry, BYTES] = 0
            entries += 1
        table[entry, PACKETS] += 1
        table[entry, BYTES] += columns.ip_length[row]
        row += 1
    state[ENTRIES] = entries
    state[ROW], state[REJECT] = row, reject
    return reason
