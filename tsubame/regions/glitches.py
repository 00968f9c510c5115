"""Which changes of a registry's file its neighbours contradict, and are therefore held back.

Registries' data, and mirrors of it, now and then show for some hours what was never so: on 26 January 2023
NL had 598,016 addresses of another region for less than 18 hours. A change is a glitch when a later file

- within ``HOLD_DAYS`` days has the former region again, or
- being the very next one, within ``HOLD_DAYS`` days, has yet another region, so that no neighbour supports
  it. Only a country is held back for this: space that is reserved for a day between two holders, or before
  its first, is how registries work.

A held change is left out: its addresses keep the region they had, and the rest of the file is used. When
most of the addresses that a file changes are contradicted the whole file is not used, and the one before it
is carried forward. Whether a change will stand is known only when later files are there; until then it is
used, and the table in use changes (so its digest does) when it turns out to have been a glitch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from tsubame.regions.changes import Spans, cut, states_at
from tsubame.regions.table import AVAILABLE, RESERVED, UNDELEGATED, RegionTable

HOLD_DAYS = 3
"""A change that is undone within this many days is a glitch. Glitches seen last hours, at most a weekend with
the registry's office closed; a transfer that is really undone takes the registry's business days."""


@dataclass(frozen=True, slots=True)
class Held:
    """A change held back.

    Attributes:
        registry, file_day: the file that shows it.
        first, last: range of addresses, both ends included.
        region: region the range keeps.
        contradicted: region the file gives it.
        whole_file: whether the whole file is left out because of such changes.
    """

    registry: str
    file_day: date
    first: int
    last: int
    region: str
    contradicted: str
    whole_file: bool

    @property
    def addresses(self) -> int:
        """Number of addresses."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class FileUse:
    """How one registry's data of a day is put together.

    Attributes:
        base: index of the file that is used.
        patches: ranges (first, last, index) whose records come from another, earlier file instead.
        held: what is held back for it.
    """

    base: int
    patches: tuple[tuple[int, int, int], ...] = ()
    held: tuple[Held, ...] = ()


def settle(
    registry: str,
    files: Sequence[tuple[date, RegionTable]],
    changes: Sequence[Spans],
    *,
    hold_days: int = HOLD_DAYS,
) -> tuple[FileUse, ...]:
    """Decide, for each of a registry's consecutive files, what of it is used.

    Args:
        registry: whose files, for the record of what is held.
        files: date and table of each file, by date; the first is taken as it stands.
        changes: ``changed_ranges`` of each file and the next: one fewer than files.
        hold_days: see ``HOLD_DAYS``.

    Returns:
        One entry for each file.
    """
    spans = cut(changes)
    names = sorted({name for _, table in files for name in table.regions})
    states = np.stack([states_at(table, spans[:, 0], names) for _, table in files])
    sizes = spans[:, 1] - spans[:, 0]
    passing = np.array([name in (RESERVED, AVAILABLE, UNDELEGATED) for name in names], dtype=np.bool_)
    source = np.zeros(len(spans), dtype=np.int64)
    base, uses = 0, [FileUse(0)]
    for index in range(1, len(files)):
        accepted = states[source, np.arange(len(spans))]
        changed = states[index] != accepted
        glitch = changed & _contradicted(index, accepted, states, [day for day, _ in files], hold_days, passing)
        whole = 2 * int(sizes[glitch].sum()) > int(sizes[changed].sum())
        if not whole:
            base = index
            source[~glitch] = index
        held = tuple(
            Held(
                registry,
                files[index][0],
                int(spans[column, 0]),
                int(spans[column, 1]) - 1,
                names[accepted[column]],
                names[states[index, column]],
                whole,
            )
            for column in np.flatnonzero(glitch)
        )
        patched = np.flatnonzero((source != base) & (states[source, np.arange(len(spans))] != states[base]))
        patches = tuple((int(spans[c, 0]), int(spans[c, 1]) - 1, int(source[c])) for c in patched)
        uses.append(FileUse(base, patches, merge_held(held)))
    return tuple(uses)


def _contradicted(
    index: int,
    accepted: np.ndarray,
    states: np.ndarray,
    days: Sequence[date],
    hold_days: int,
    passing: np.ndarray,
) -> np.ndarray:
    """Say in which ranges later files do not bear out the file at ``index``; (n,) bool."""
    result = np.zeros(states.shape[1], dtype=np.bool_)
    for later in range(index + 1, len(days)):
        if (days[later] - days[index]).days > hold_days:
            break
        result |= states[later] == accepted
        if later == index + 1:
            result |= (states[later] != states[index]) & ~passing[states[index]]
    return result


def merge_held(held: Sequence[Held]) -> tuple[Held, ...]:
    """Join neighbouring ranges that are held back alike."""
    merged: list[Held] = []
    for entry in held:
        previous = merged[-1] if merged else None
        if (
            previous
            and previous.last + 1 == entry.first
            and (previous.region, previous.contradicted) == (entry.region, entry.contradicted)
        ):
            entry = Held(
                entry.registry,
                entry.file_day,
                previous.first,
                entry.last,
                entry.region,
                entry.contradicted,
                entry.whole_file,
            )
            merged.pop()
        merged.append(entry)
    return tuple(merged)
