"""The report zone's clock as a table that compiled code can read: when its offset from UTC changed."""

from __future__ import annotations

import itertools
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
    """Return the table of a zone, found by asking it about every month and halving where the answer changed."""

    def offset(seconds: int) -> int:
        local = (_UNIX + timedelta(seconds=seconds)).astimezone(zone)
        delta = local.utcoffset()
        return int(delta.total_seconds()) if delta is not None else 0

    months = [
        int((datetime(year, month, 1, tzinfo=UTC) - _UNIX).total_seconds())
        for year in range(_FIRST_YEAR, _LAST_YEAR + 1)
        for month in range(1, 13)
    ]
    starts, offsets = [-(2**62)], [offset(months[0])]
    for before, after in itertools.pairwise(months):
        low, high = before, after
        # A zone may change twice in a month (Morocco at Ramadan): look for one change after the other.
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
