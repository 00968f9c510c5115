"""Report day, quarter and windows of days. Standard library only: the scheduler imports it.

A report day runs from 0:00 to 24:00 in the report's time zone. Instants are UTC throughout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tsubame.errors import UsageError

DEFAULT_ZONE = "Asia/Tokyo"
ONE_DAY = timedelta(days=1)
#: The years of quarters and days that can be asked for; before and after them there is room for windows.
FIRST_YEAR, LAST_YEAR = 1970, 9998


def load_zone(name: str) -> ZoneInfo:
    """Return the time zone called ``name``.

    Raises:
        UsageError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            "unknown time zone", actual=repr(name), hint="Use a name such as Asia/Tokyo in TSUBAME_TIMEZONE."
        ) from error


def parse_day(text: str) -> date:
    """Read a day written ``2023-01-31`` or ``20230131``, of the years that quarters are of.

    Raises:
        UsageError: the text is not a day.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError("not a day", expected="YYYY-MM-DD", actual=repr(text)) from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise UsageError("not a day", expected=f"a year from {FIRST_YEAR} to {LAST_YEAR}", actual=text)
    return day


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the UTC instants at which a report day begins and ends (end exclusive)."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + ONE_DAY
    end = datetime(following.year, following.month, following.day, tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield every day from ``first`` to ``last``, both included."""
    day = first
    while day <= last:
        yield day
        day += ONE_DAY


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """A calendar quarter, written ``2023Q1``."""

    year: int
    number: int

    def __post_init__(self) -> None:
        if not (1 <= self.number <= 4 and FIRST_YEAR <= self.year <= LAST_YEAR):
            raise UsageError("not a quarter", expected="YYYYQ1 to YYYYQ4", actual=f"{self.year}Q{self.number}")

    @classmethod
    def parse(cls, text: str) -> Quarter:
        """Read ``2023Q1``.

        Raises:
            UsageError: the text is not a quarter.
        """
        match = re.fullmatch(r"(\d{4})[Qq]([1-4])", text.strip(), flags=re.ASCII)
        if match is None:
            raise UsageError("not a quarter", expected="YYYYQ1 to YYYYQ4", actual=repr(text))
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> Quarter:
        """Return the quarter that contains ``day``."""
        return cls(day.year, (day.month - 1) // 3 + 1)

    @property
    def first_day(self) -> date:
        """The quarter's first day."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last_day(self) -> date:
        """The quarter's last day."""
        return self.next.first_day - ONE_DAY

    @property
    def previous(self) -> Quarter:
        """The quarter before this one."""
        return Quarter(self.year - 1, 4) if self.number == 1 else Quarter(self.year, self.number - 1)

    @property
    def next(self) -> Quarter:
        """The quarter after this one."""
        return Quarter(self.year + 1, 1) if self.number == 4 else Quarter(self.year, self.number + 1)

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of the quarter, in order."""
        return tuple(days_between(self.first_day, self.last_day))

    def is_over(self, now: datetime, zone: ZoneInfo) -> bool:
        """Say whether the quarter's last report day has ended at the instant ``now``."""
        return now >= day_bounds(self.last_day, zone)[1]

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"


@dataclass(frozen=True, slots=True)
class Window:
    """Some consecutive report days, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of the window, in order."""
        return tuple(days_between(self.first, self.last))

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __len__(self) -> int:
        return max(0, (self.last - self.first).days + 1)

    def as_text(self) -> list[str]:
        """Return the two ends as ISO dates."""
        return [self.first.isoformat(), self.last.isoformat()]
