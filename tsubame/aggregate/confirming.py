"""Which sources have matched a rule often enough that awaits confirmation, over a whole capture."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsubame.aggregate.grouping import BYTES_BITS, KEY, SUMS
from tsubame.capture.blocks import Numbers
from tsubame.capture.compiled import inlined, kernel
from tsubame.capture.loads import mixed
from tsubame.classify.apply import UNCONFIRMED, matches_needed

_FIRST_CAPACITY = 1 << 10
_COUNT_BITS = 8
_MOST_COUNT = (1 << _COUNT_BITS) - 1
_NEEDED = matches_needed()
if _NEEDED > _MOST_COUNT:
    raise RuntimeError("matches are counted up to 255")

# Places in the state.
NEXT, ENTRIES = range(2)


@inlined
def _place_of(source: int, table: Numbers) -> int:
    """Return where a source is, or belongs."""
    mask = len(table) - 1
    place = mixed(source) & mask
    while table[place] != 0 and table[place] >> _COUNT_BITS != source:
        place = (place + 1) & mask
    return place


@inlined
def is_confirmed(source: int, table: Numbers) -> bool:
    """Say whether a source is confirmed; ``source`` is its address less 2**31."""
    return bool((table[_place_of(source, table)] & _MOST_COUNT) >= _NEEDED)


@kernel
def _count_matches(flows: Numbers, table: Numbers, state: Numbers) -> Any:
    """Count the matches of some flows, from ``NEXT`` on; stop when the table is half full."""
    entries = state[ENTRIES]
    row = state[NEXT]
    while row < len(flows) and 2 * entries < len(table):
        key = flows[row, KEY]
        if key & UNCONFIRMED:
            source = key >> 32
            place = _place_of(source, table)
            if table[place] == 0:
                entries += 1
            count = min((table[place] & _MOST_COUNT) + (flows[row, SUMS] >> BYTES_BITS), _MOST_COUNT)
            table[place] = source << _COUNT_BITS | count
        row += 1
    state[NEXT], state[ENTRIES] = row, entries
    return row


@kernel
def _reinsert(old: Numbers, table: Numbers) -> Any:
    """Move all entries into a larger table."""
    for entry in old:
        if entry != 0:
            table[_place_of(entry >> _COUNT_BITS, table)] = entry
    return len(old)


class Matches:
    """Sources whose packets await confirmation, with how many there are of each.

    Attributes:
        table: (capacity,) int64, a power of two: source address less 2**31 above eight bits of count, by hash;
            0 where there is none. 16 to 32 bytes for each source that ever matched.
    """

    def __init__(self) -> None:
        self.table: Numbers = np.zeros(_FIRST_CAPACITY, np.int64)
        self._state: Numbers = np.zeros(2, np.int64)

    def observe(self, flows: Numbers) -> None:
        """Count the matches of a run of flows."""
        self._state[NEXT] = 0
        while _count_matches(flows, self.table, self._state) < len(flows):
            table: Numbers = np.zeros(2 * len(self.table), np.int64)
            _reinsert(self.table, table)
            self.table = table
