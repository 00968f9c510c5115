"""Region tables of some days -> the blocks that were delegated to another region, and when.

Tables are compared by atomic intervals (see ``changes``), so a record split or merged is no move: only a
change of an address's region is. All that is asked of the tables of a quarter is answered from the few
thousand intervals that ever changed, so any two of its days are compared in a millisecond.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import numpy as np

from tsubame.regions.changes import Spans, changed_ranges, cut, states_at
from tsubame.regions.table import RegionTable

Matrix = np.ndarray[tuple[int, int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, order=True)
class Move:
    """A range of addresses delegated to another region than before.

    Attributes:
        first: first address.
        last: last address.
        from_region: region before; ``reserved``, ``available`` and ``undelegated`` too.
        to_region: region after.
        holder: opaque-id of whom it is delegated to after the move; of whom it was before where nobody is.
        first_seen: date of the first snapshot used that shows the move.
    """

    first: int
    last: int
    from_region: str
    to_region: str
    holder: str
    first_seen: date

    @property
    def addresses(self) -> int:
        """Number of addresses."""
        return self.last - self.first + 1

    @property
    def cidrs(self) -> tuple[str, ...]:
        """The range as the fewest CIDR blocks, in order."""
        networks = ipaddress.summarize_address_range(
            ipaddress.IPv4Address(self.first), ipaddress.IPv4Address(self.last)
        )
        return tuple(str(network) for network in networks)


@dataclass(frozen=True, slots=True, eq=False)
class RegionHistory:
    """Region and holder, day by day, of the address space that changed region at all.

    Attributes:
        days: (t,) the days, in order.
        spans: (n, 2) the intervals, see ``changes.Spans``.
        names: region names.
        regions: (t, n) indices into ``names``.
        since: (t, n) the day, by its place, since which each interval has had its region.
        holder_names: opaque-ids.
        holders: (t, n) indices into ``holder_names``.
    """

    days: tuple[date, ...]
    spans: Spans
    names: tuple[str, ...]
    regions: Matrix
    since: Matrix
    holder_names: tuple[str, ...]
    holders: Matrix
    _known: dict[tuple[int, ...], Move] = field(default_factory=dict)

    def between(self, earlier: int, later: int) -> tuple[Move, ...]:
        """Return the moves between two days, in order of address.

        A block that went and came back has not moved; one that moved on has moved once, from where it was on
        the earlier day to where it is on the later, at the date since which it is there.

        Args:
            earlier: place in ``days``.
            later: a later place.
        """
        columns = np.flatnonzero(self.regions[earlier] != self.regions[later])
        since = self.since[later, columns]
        return self._moves(columns, np.full(len(columns), earlier), np.full(len(columns), later), since)

    def steps(self) -> tuple[Move, ...]:
        """Return every move from a day to the next, by date, then address."""
        rows, columns = np.nonzero(self.regions[1:] != self.regions[:-1])
        return self._moves(columns, rows, rows + 1, rows + 1)

    def _moves(self, columns: np.ndarray, before: np.ndarray, after: np.ndarray, since: np.ndarray) -> tuple[Move, ...]:
        """Make the moves of some intervals; neighbours that are alike in everything are one."""
        sources, targets = self.regions[before, columns], self.regions[after, columns]
        holders = self.holders[after, columns]
        nobody = holders == self.holder_names.index("") if "" in self.holder_names else holders < 0
        holders = np.where(nobody, self.holders[before, columns], holders)
        first, end = self.spans[columns, 0], self.spans[columns, 1]
        begins = np.ones(len(columns), dtype=np.bool_)
        begins[1:] = first[1:] != end[:-1]
        for values in (sources, targets, holders, since):
            begins[1:] |= values[1:] != values[:-1]
        ends = np.append(begins[1:], True)[: len(begins)]
        others = (part[begins].tolist() for part in (sources, targets, holders, since))
        rows = zip(first[begins].tolist(), (end[ends] - 1).tolist(), *others, strict=True)
        return tuple([self._known.get(row) or self._move(row) for row in rows])

    def _move(self, row: tuple[int, ...]) -> Move:
        """Make a move once: most are the same between very many pairs of days."""
        first, last, source, target, holder, since = row
        move = self._known[row] = Move(
            first, last, self.names[source], self.names[target], self.holder_names[holder], self.days[since]
        )
        return move


def trace_regions(snapshots: Sequence[tuple[date, RegionTable]]) -> RegionHistory:
    """Follow all that changed region over some days.

    Args:
        snapshots: the tables in use, by day; what glitches show must have been held back (see ``glitches``).
    """
    tables = [table for _, table in snapshots]
    distinct = list({id(table): table for table in tables}.values())
    changes = [changed_ranges(old, new) for old, new in pairwise(tables) if old is not new]
    spans = cut(changes, [table.starts for table in distinct] if any(map(len, changes)) else ())
    names = tuple(sorted({name for table in distinct for name in table.regions}))
    holder_names: dict[str, int] = {}
    rows = {
        id(table): (states_at(table, spans[:, 0], names), _holders_at(table, spans[:, 0], holder_names))
        for table in distinct
    }
    regions, holders = (
        np.array([rows[id(table)][which] for table in tables], dtype=np.int64).reshape(len(tables), len(spans))
        for which in (0, 1)
    )
    changed = np.zeros(regions.shape, dtype=np.bool_)
    changed[1:] = regions[1:] != regions[:-1]
    since = np.maximum.accumulate(changed * np.arange(len(tables))[:, None], axis=0)
    days = tuple(day for day, _ in snapshots)
    return RegionHistory(days, spans, names, regions, since, tuple(holder_names), holders)


def _holders_at(table: RegionTable, addresses: np.ndarray, numbers: dict[str, int]) -> np.ndarray:
    """Return the holder of each address by number, giving new names the next numbers."""
    found = table.holder_codes[np.searchsorted(table.starts, addresses.astype(np.uint32), side="right") - 1]
    return np.array([numbers.setdefault(table.holders[code], len(numbers)) for code in found.tolist()], dtype=np.int64)


def moved_blocks(old: RegionTable, new: RegionTable, *, seen: date) -> tuple[Move, ...]:
    """Return the ranges whose region is not the same in two tables, in order of address.

    Neighbouring pieces with the same regions and holder are one move.

    Args:
        old: the table before.
        new: the table after.
        seen: date of the later one.
    """
    return trace_regions([(seen, old), (seen, new)]).between(0, 1)


def moves_over(snapshots: Sequence[tuple[date, RegionTable]]) -> tuple[Move, ...]:
    """Return every move from each snapshot to the next, dated by the one that first shows it.

    Args:
        snapshots: tables in use, by day; a glitch must have been held back before (see ``glitches``).

    Returns:
        Moves by date, then address. A block that moves on has a move for each step.
    """
    return trace_regions(snapshots).steps()
