"""The report zone's clock as a table that compiled code can read: when its offset from UTC changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tsubame.capture.compiled import inner

#: The first and the last year that int64 nanoseconds hold whole.
_FIRST_YEAR, _LAST_YEAR = 1678, 2262
_EPOCH = date(1970, 1, 1).toordinal()
#: Day 0 of the dense tables of days; all days that a timestamp can fall on lie within ``DAYS`` of it.
DAY_ZERO = date(1677, 9, 1).toordinal() - _EPOCH
DAYS = date(2262, 5, 1).toordinal() - _EPOCH - DAY_ZERO


class Clock(NamedTuple):
    """Offsets of a zone; segment ``n`` holds from ``starts[n]`` to ``starts[n + 1]``.

    Attributes:
        starts: (n,) int64, seconds since 1970, ascending; the first is before every timestamp.
        offsets: (n,) int64, seconds that local time is ahead of UTC.
    """

    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]


@lru_cache(maxsize=8)
def clock_of(zone: ZoneInfo) -> Clock:
    """Return the table of a zone, found by asking it again and again and halving where the answer changed."""

    def offset(seconds: int) -> int:
        local = (_UNIX + timedelta(seconds=seconds)).astimezone(zone)
        delta = local.utcoffset()
        return int(delta.total_seconds()) if delta is not None else 0

    probes = list(_probes())
    starts, offsets = [-(2**62)], [offset(probes[0])]
    for before, after in itertools.pairwise(probes):
        low, high = before, after
        while offsets[-1] != offset(high):
            last = high
            while last - low > 1:
                middle = (low + last) // 2
                if offset(middle) == offsets[-1]:
                    low = middle
                else:
                    last = middle
            starts.append(last)
            offsets.append(offset(last))
            low = last
    return Clock(np.array(starts, np.int64), np.array(offsets, np.int64))


def _probes() -> Iterator[int]:
    """Yield seconds since 1970 between which no zone changes its offset and changes it back.

    Offsets that held for a week only are known (Brazil in October 2000); before 1900 none that held for less than
    years. A zone that keeps Ramadan (Egypt in 2010) has its two changes in one month.
    """
    moment, end = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(_LAST_YEAR, 12, 1, tzinfo=UTC)
    while moment < end:
        yield int((moment - _UNIX).total_seconds())
        moment += timedelta(days=4 if 1900 <= moment.year < 2100 else 30)
    yield int((end - _UNIX).total_seconds())


_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


def day_of_index(index: int) -> date:
    """Return the day of a place in the dense tables of days."""
    return date.fromordinal(index + DAY_ZERO + _EPOCH)


@inner
def segment_of(seconds: int, starts: NDArray[np.int64]) -> int:
    """Return the index of the segment of a clock that holds at an instant."""
    low, high = 0, len(starts)
    while high - low > 1:
        middle = (low + high) // 2
        if starts[middle] <= seconds:
            low = middle
        else:
            high = middle
    return low
