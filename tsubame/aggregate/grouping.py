"""Grouping packets into runs of flows, batch by batch, in compiled code.

A packet is packed into one 64-bit word: source address, port, and the number of its class in a small directory of
what else matters (protocol, kind, tool, length). A batch of such words is sorted by numpy, which sorts integers with
vector instructions faster than any hash table groups them, and equal neighbours are added up. What comes out is a
run: flows in the order of hour, source, port, protocol, kind, tool, each once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsubame.aggregate.clock import DAY_ZERO, DAYS, Clock, segment_of
from tsubame.capture.blocks import Columns, Numbers, Rejects
from tsubame.capture.compiled import inlined, inner, kernel
from tsubame.capture.loads import mixed, signed

_NO_TIME = -(2**63)
_BILLION = 1_000_000_000

# Places in the state.
FILLED, ROW, REJECT, LAST_TIME, HOUR_BEGINS, HOUR_ENDS, SLOT, DAY, FIRST_DAY, LAST_DAY, CLASSES, STRETCHES = range(12)
STATE_SIZE = 12

# Why collecting came back.
DONE, FULL = range(2)

#: Packets of a batch: sorting it stays near the processor, and runs are long enough for few of them to be merged.
BATCH_PACKETS = 1 << 19
#: Packets from which on a batch is ended when an hour ends, so that most hours lie in one run.
ENOUGH = 1 << 17
_MOST_CLASSES = 1 << 16

# Columns of a run: source address less 2**31, port, protocol, kind and tool packed into 64 bits that sort in this
# order; packets and bytes. A batch is small enough for both sums to fit into one word.
KEY, SUMS = range(2)
RUN_COLUMNS = 2
BYTES_BITS = 36
# The fields of a key, from its lowest bit: tool (with the bit that says it awaits confirmation), kind, protocol.
TOOL_BITS, KIND_BITS, PROTOCOL_BITS, PORT_BITS = 6, 2, 8, 16
CODE_BITS = TOOL_BITS + KIND_BITS + PROTOCOL_BITS


class Batch(NamedTuple):
    """Packets waiting to be sorted.

    Attributes:
        words: (n,) int64, source address less 2**31, port, class.
        begins: (n + 1,) int64, where in ``words`` each stretch of packets of one hour begins.
        hours: (n,) int64, beginning of each stretch's hour in seconds since 1970.
        classes: (65536,) int64, code and length of each class.
        places: (131072,) int32, classes by hash, plus one; 0 where there is none.
    """

    words: NDArray[np.int64]
    begins: NDArray[np.int64]
    hours: NDArray[np.int64]
    classes: NDArray[np.int64]
    places: NDArray[np.int32]


def new_batch(packets: int) -> Batch:
    """Return an empty batch for some number of packets; memory is used only as it fills."""
    return Batch(
        np.empty(packets, np.int64),
        np.empty(packets + 1, np.int64),
        np.empty(packets, np.int64),
        np.empty(_MOST_CLASSES, np.int64),
        np.zeros(2 * _MOST_CLASSES, np.int32),
    )


def new_state() -> Numbers:
    """Return the state at the beginning of a capture."""
    state = np.zeros(STATE_SIZE, np.int64)
    # No instant lies in an hour that ends before it begins.
    state[HOUR_BEGINS], state[HOUR_ENDS] = 1, 0
    state[FIRST_DAY], state[LAST_DAY] = DAYS, -1
    return state


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


@inner
def _count(outcome: int, records: int, days: Numbers, state: Numbers) -> None:
    """Enter records into the account of the current day."""
    if records:
        day = state[DAY]
        days[day, outcome] += records
        state[FIRST_DAY] = min(state[FIRST_DAY], day)
        state[LAST_DAY] = max(state[LAST_DAY], day)


@kernel
def enter_time(timestamp: int, clock: Clock, state: Numbers) -> Any:
    """Make the hour and the day of a timestamp the current ones."""
    _enter_time(timestamp, clock, state)
    return state[DAY]


@inlined
def _class_of(code: int, length: int, batch: Batch, state: Numbers) -> int:
    """Return the number of a class, entering it when it is new; -1 when there is no room."""
    what = signed(code) << 16 | length
    mask = len(batch.places) - 1
    place = mixed(what) & mask
    while True:
        number = signed(batch.places[place]) - 1
        if number < 0:
            break
        if batch.classes[number] == what:
            return number
        place = (place + 1) & mask
    number = signed(state[CLASSES])
    if number == len(batch.classes):
        return -1
    batch.classes[number] = what
    batch.places[place] = number + 1
    state[CLASSES] = number + 1
    return number


@kernel
def collect_block(
    columns: Columns,
    rejects: Rejects,
    rows: int,
    rejected: int,
    clock: Clock,
    batch: Batch,
    days: Numbers,
    state: Numbers,
) -> Any:
    """Pack a block's packets into the batch, and enter all its records into their days.

    Args:
        columns: the classified block's packets.
        rejects: its other records.
        rows: number of packets.
        rejected: number of other records.
        clock: the report zone's.
        batch: where packets go.
        days: (DAYS, 7) int64, records by day and fate.
        state: ``ROW`` and ``REJECT`` say where to begin, and where it ended.

    Returns:
        ``DONE``; or ``FULL`` when the batch must be emptied first, to be called again then.
    """
    filled, row, reject = state[FILLED], state[ROW], state[REJECT]
    last, stretches = state[LAST_TIME], state[STRETCHES]
    counted = 0
    reason = DONE
    while reason == DONE:
        while reject < rejected and rejects.row[reject] <= row:
            _count(0, counted, days, state)
            counted = 0
            state[LAST_TIME] = last
            _enter_time(rejects.timestamp[reject], clock, state)
            last = state[LAST_TIME]
            _count(signed(rejects.outcome[reject]), 1, days, state)
            reject += 1
        if row >= rows:
            break
        until = rows
        if reject < rejected:
            until = min(rows, signed(rejects.row[reject]))
        begins, ends, slot = state[HOUR_BEGINS], state[HOUR_ENDS], state[SLOT]
        is_new = stretches == 0 or batch.hours[stretches - 1] != slot
        while row < until:
            timestamp = columns.timestamp[row]
            if timestamp < begins or timestamp >= ends:
                _count(0, counted, days, state)
                counted = 0
                state[LAST_TIME] = last
                _enter_time(timestamp, clock, state)
                timestamp = state[LAST_TIME]
                begins, ends = state[HOUR_BEGINS], state[HOUR_ENDS]
                if slot != state[SLOT]:
                    slot = state[SLOT]
                    is_new = True
                    if filled >= ENOUGH:
                        last = timestamp
                        reason = FULL
                        break
            last = timestamp
            if filled >= len(batch.words):
                reason = FULL
                break
            code = (
                signed(columns.protocol[row]) << (KIND_BITS + TOOL_BITS)
                | signed(columns.kind[row]) << TOOL_BITS
                | signed(columns.tool[row])
            )
            number = _class_of(code, signed(columns.ip_length[row]), batch, state)
            if number < 0:
                reason = FULL
                break
            batch.words[filled] = (
                ((signed(columns.src_address[row]) - (1 << 31)) << 32) | (signed(columns.dst_port[row]) << 16) | number
            )
            if is_new:
                batch.begins[stretches] = filled
                batch.hours[stretches] = slot
                stretches += 1
                is_new = False
            filled += 1
            counted += 1
            row += 1
    _count(0, counted, days, state)
    state[LAST_TIME], state[STRETCHES] = last, stretches
    state[FILLED], state[ROW], state[REJECT] = filled, row, reject
    return reason


@kernel
def add_up(words: Numbers, bounds: Numbers, classes: Numbers, flows: Numbers, begins: Numbers) -> Any:
    """Add up the packets of each flow.

    Args:
        words: of a batch, sorted within each hour.
        bounds: (h + 1,) int64, where in ``words`` each of h hours begins, and the end.
        classes: of the batch.
        flows: (n, 2) int64, the run; as long as ``words``.
        begins: (h + 1,) int64, filled with where in ``flows`` each hour begins, and the end.

    Returns:
        Number of flows.
    """
    filled = 0
    for hour in range(len(bounds) - 1):
        begins[hour] = filled
        row, end = bounds[hour], bounds[hour + 1]
        while row < end:
            pair = words[row] >> 16
            first = filled
            while row < end and words[row] >> 16 == pair:
                what = classes[words[row] & 0xFFFF]
                key = pair << CODE_BITS | what >> 16
                sums = 1 << BYTES_BITS | what & 0xFFFF
                # A source rarely sends more than one or two kinds of packets to a port: they are kept in order.
                place = filled
                while place > first and flows[place - 1, KEY] > key:
                    place -= 1
                if place > first and flows[place - 1, KEY] == key:
                    flows[place - 1, SUMS] += sums
                else:
                    for other in range(filled, place, -1):
                        flows[other, KEY] = flows[other - 1, KEY]
                        flows[other, SUMS] = flows[other - 1, SUMS]
                    flows[place, KEY] = key
                    flows[place, SUMS] = sums
                    filled += 1
                row += 1
    begins[len(bounds) - 1] = filled
    return filled
