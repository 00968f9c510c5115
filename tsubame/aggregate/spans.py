"""Rows under sorted words, put aside in runs, read back in spans of words: memory does not grow with the day.

A word holds a whole key, so that sorting words, a fifth of what hashing columns costs, groups rows. Runs of all
sensors are cut at the same words, so that a span holds all that is known of its keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsubame.aggregate.scratch import Scratch

Words = NDArray[np.uint64]
Rows = tuple[Words, ...]
"""Words, and what is to be added up for each of them: packets and bytes, say; each (n,)."""
FAMILY_BITS = 8
"""Words that differ in no higher bit are never torn between two spans."""

_AT_ONCE = 1 << 19
"""Rows that are sorted at once, and about as many as a span has; 32 bytes each at most, and four times that at work."""
_STEP = 1 << 8
"""Every so manyth word of a run is kept in memory: it says where to cut, and where to read on."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows of one sensor in the order of their words, each word once.

    Attributes:
        shape: how many rows, how many columns.
        steps: every ``_STEP``th word, from the first.
        place: of the first row in the scratch file.
    """

    sensor_id: str
    shape: tuple[int, int]
    steps: Words
    place: int


class SpannedRows:
    """Collects rows sensor by sensor, and gives them back in the order of their words."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._runs: list[_Run] = []
        self._waiting: dict[str, list[Rows]] = {}
        self._waiting_rows = 0

    @property
    def sensors(self) -> list[str]:
        """Ids of the sensors that have rows, in their order."""
        return sorted(self._waiting.keys() | {run.sensor_id for run in self._runs})

    def add(self, sensor_id: str, rows: Rows) -> None:
        """Add rows of a sensor, in any order."""
        if self._waiting_rows and self._waiting_rows + len(rows[0]) > _AT_ONCE:
            self._put_aside()
        if len(rows[0]):
            self._waiting.setdefault(sensor_id, []).append(rows)
            self._waiting_rows += len(rows[0])

    def spans(self, sensors: Collection[str]) -> Iterator[dict[str, Rows]]:
        """Yield the rows of some sensors in spans of ascending words, by sensor, each word of a sensor once."""
        if not self._runs:
            here = sorted(self._waiting.keys() & set(sensors))
            if here:
                yield {sensor_id: unite(self._waiting[sensor_id]) for sensor_id in here}
            return
        self._put_aside()
        readers = [_Reader(self._scratch, run) for run in self._runs if run.sensor_id in sensors]
        for end in _ends([reader.run for reader in readers]):
            parts: dict[str, list[Rows]] = {}
            for reader in readers:
                rows = reader.take(end)
                if len(rows[0]):
                    parts.setdefault(reader.run.sensor_id, []).append(rows)
            if parts:
                yield {sensor_id: unite(found) for sensor_id, found in sorted(parts.items())}

    def _put_aside(self) -> None:
        for sensor_id, parts in sorted(self._waiting.items()):
            rows = unite(parts)
            content = np.stack(rows, axis=1)
            steps = rows[0][::_STEP].copy()
            self._runs.append(_Run(sensor_id, content.shape, steps, self._scratch.append(content)))
        self._waiting, self._waiting_rows = {}, 0


class _Reader:
    """Reads a run from its beginning to its end, a span at a time."""

    def __init__(self, scratch: Scratch, run: _Run) -> None:
        self.run = run
        self._scratch = scratch
        self._done = 0

    def take(self, end: np.uint64 | None) -> Rows:
        """Return the rows before a word that have not been taken; all of them when there is none."""
        count, columns = self.run.shape
        if end is not None:
            count = min(count, _STEP * int(np.searchsorted(self.run.steps, end)))
        rows = np.empty((max(count - self._done, 0), columns), np.uint64)
        self._scratch.read_into(self.run.place + self._done * columns * rows.itemsize, rows)
        if end is not None:
            rows = rows[: int(np.searchsorted(rows[:, 0], end))]
        self._done += len(rows)
        return tuple(np.ascontiguousarray(column) for column in rows.T)


def _ends(runs: Sequence[_Run]) -> list[np.uint64 | None]:
    """Return the words before which spans end; the last has no end."""
    if sum(run.shape[0] for run in runs) <= _AT_ONCE:
        return [None]
    steps = np.sort(np.concatenate([run.steps for run in runs]))
    ends = steps[_AT_ONCE // _STEP :: _AT_ONCE // _STEP] >> np.uint64(FAMILY_BITS) << np.uint64(FAMILY_BITS)
    return [*np.unique(ends), None]


def unite(parts: Sequence[Rows]) -> Rows:
    """Bring rows into the order of their words, and add up those of one word."""
    if len(parts) == 1 and (parts[0][0][1:] > parts[0][0][:-1]).all():
        return parts[0]
    words, *sums = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(words)
    words, sums = words[order], [column[order] for column in sums]
    return sum_up(words, *sums)[: 1 + len(sums)]


def sum_up(words: Words, *sums: Words) -> Rows:
    """Add up the neighbours of one word; the last column of what is returned is how many they were."""
    if not len(words):
        return words, *sums, words
    begins = np.flatnonzero(np.concatenate(([True], words[1:] != words[:-1])))
    counted = np.diff(np.append(begins, len(words))).astype(np.uint64)
    return words[begins], *(np.add.reduceat(column, begins) for column in sums), counted
