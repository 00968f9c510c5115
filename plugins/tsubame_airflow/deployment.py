"""What a deployment may set for its schedules, read from the environment while DAG files are parsed."""

from __future__ import annotations

import os

from tsubame.errors import UsageError
from tsubame.periods import DEFAULT_ZONE, load_zone

DASK_POOL = "dask"
"""Pool of the tasks that compute on Dask; its slots are how many may do so at once."""

DEFAULT_POOL = "default_pool"
"""Pool of the tasks that do not, by Airflow's own name."""

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
    """Return how long after a day's end its captures are waited for at most: ``TSUBAME_GRACE_HOURS``, 12 hours.

    Captures cut at midnight UTC are whole nine hours after the end of Tokyo's day.
    """
    return _whole_number("TSUBAME_GRACE_HOURS", 12)


def poll_seconds() -> int:
    """Return how often a day's captures are looked for meanwhile: ``TSUBAME_POLL_SECONDS``, a minute."""
    return max(1, _whole_number("TSUBAME_POLL_SECONDS", 60))


def approval_hours() -> int:
    """Return how long a person's decision about a refused edition is awaited: ``TSUBAME_APPROVAL_HOURS``, 3 days.

    0 asks nobody: a refused edition fails its run at once.
    """
    return _whole_number("TSUBAME_APPROVAL_HOURS", 72)


def deadline_hours() -> int:
    """Return how late a day or a quarter may be before an alarm: ``TSUBAME_DEADLINE_HOURS``, 6 hours.

    A day's hours begin when its grace is over, a quarter's when its publication lag is.
    """
    return _whole_number("TSUBAME_DEADLINE_HOURS", 6)


def event_ratio() -> int:
    """Return from which multiple of its last ten days on a port's day is an alarm: ``TSUBAME_EVENT_RATIO``, 5."""
    return max(1, _whole_number("TSUBAME_EVENT_RATIO", 5))


def republishes() -> bool:
    """Say whether a quarter whose data changed is published anew by itself: ``TSUBAME_REPUBLISH``, no.

    Raises:
        UsageError: the setting is neither yes nor no.
    """
    text = os.environ.get("TSUBAME_REPUBLISH", "").strip().lower()
    if text in ("", "0", "no", "false"):
        return False
    if text in ("1", "yes", "true"):
        return True
    raise UsageError("neither yes nor no", key="TSUBAME_REPUBLISH", actual=repr(text))


def dask_dashboard() -> str:
    """Return where a browser finds the Dask cluster's dashboard: ``TSUBAME_DASK_DASHBOARD_URL``, nowhere.

    Raises:
        UsageError: the setting is no URL of a page.
    """
    text = os.environ.get("TSUBAME_DASK_DASHBOARD_URL", "").strip()
    if text and not text.startswith(("http://", "https://")):
        raise UsageError("not the URL of a page", key="TSUBAME_DASK_DASHBOARD_URL", actual=repr(text))
    return text


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
