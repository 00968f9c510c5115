"""What a deployment may set for its schedules, read from the environment while DAG files are parsed."""

from __future__ import annotations

import os

from tsubame.errors import UsageError
from tsubame.periods import DEFAULT_ZONE, load_zone

DASK_POOL = "dask"
"""Pool of the tasks that compute on Dask; its slots are how many may do so at once."""

TAGS = ("tsubame",)
OWNER = "observation"


def report_zone() -> str:
    """Return the name of the report day's zone (``TSUBAME_TIMEZONE``).

    Raises:
        UsageError: there is no such zone.
    """
    name = os.environ.get("TSUBAME_TIMEZONE", "").strip() or DEFAULT_ZONE
    load_zone(name)
    return name


def publication_lag_hours() -> int:
    """Return how long after a quarter's end it is reported: ``TSUBAME_PUBLICATION_LAG_DAYS``, 5 days."""
    return 24 * _whole_number("TSUBAME_PUBLICATION_LAG_DAYS", 5)


def grace_hours() -> int:
    """Return how long after a day's end late captures are waited for: ``TSUBAME_GRACE_HOURS``, 3 hours."""
    return _whole_number("TSUBAME_GRACE_HOURS", 3)


def lookback_days() -> int:
    """Return how many earlier days a daily run looks at again: ``TSUBAME_LOOKBACK_DAYS``, 7 days."""
    return _whole_number("TSUBAME_LOOKBACK_DAYS", 7)


def _whole_number(name: str, default: int) -> int:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise UsageError("not a whole number", key=name, actual=repr(text))
    return int(text)
