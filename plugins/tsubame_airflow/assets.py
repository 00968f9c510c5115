"""The assets that join the DAGs: what one writes and another waits for."""

from __future__ import annotations

from airflow.sdk import Asset

DELEGATIONS = Asset(name="delegations", uri="tsubame://delegations", group="tsubame")
"""The five registries' delegation files of one day; the partition is the day."""

DAY_COUNTS = Asset(name="day_counts", uri="tsubame://lake/counts", group="tsubame")
"""Counts of one report day; the partition is the day."""

STALE_QUARTER = Asset(name="stale_quarter", uri="tsubame://site/stale", group="tsubame")
"""A published quarter whose data have changed since; the partition is the quarter."""

EDITION = Asset(name="edition", uri="tsubame://site/edition", group="tsubame")
"""A published edition; the partition is the quarter, ``extra`` says which edition and where."""
