"""Counts each report day, a grace period after its end, so that late captures are still in time.

The partition key is the day: `2023-01-31`. A run also looks at the days before it (`TSUBAME_LOOKBACK_DAYS`): a
capture that came later, was replaced or withdrawn changes the days it bears on, and no others.

- **Backfill:** `report_quarter` completes the days of its quarter by itself, and faster. For single days:
  `airflow backfill create --dag-id observe_day --from-date 2023-01-30 --to-date 2023-01-31`.

### When a task fails
- `ingest`: the message names the object. A file that is no capture never fails the day; it is named in the log and
  counted. *Skipped*: the sensor bucket is empty, so look whether the sensors upload. A folder that `sensors.csv`
  does not name is not read: add the sensor and clear `ingest`.
- `count`: *Skipped*: no delegation file is in force on one of the days; look at `delegations_daily`.
- *Unavailable*: the store or the Dask cluster does not answer; the task is tried again with growing pauses.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task
from tsubame_airflow.assets import DAY_COUNTS
from tsubame_airflow.deployment import DASK_POOL, OWNER, TAGS, grace_hours, lookback_days, report_zone
from tsubame_airflow.tasks import ARGUMENTS, brief, framed, require_day
from tsubame_airflow.timetables import DayTimetable

LOOKBACK = timedelta(days=lookback_days())


@dag(
    schedule=DayTimetable(report_zone(), grace_hours()),
    catchup=False,
    max_active_runs=1,
    tags=[*TAGS, "daily"],
    doc_md=__doc__,
    default_args=ARGUMENTS | {"owner": OWNER, "pool": DASK_POOL},
)
def observe_day() -> None:
    """Decode what has arrived, then count the days that it touches."""

    @task(multiple_outputs=False)
    def ingest(partition_key: str | None = None) -> dict[str, Any]:
        """Captures to flows: only captures that are new, changed or gone."""
        from tsubame.pipeline.ingest import ingest_days
        from tsubame.settings import Settings

        with framed() as progress:
            day = require_day(partition_key)
            return brief(ingest_days(Settings.from_environment(), day - LOOKBACK, day, progress=progress))

    @task(multiple_outputs=False, outlets=[DAY_COUNTS])
    def count(partition_key: str | None = None, *, outlet_events: Any = None) -> dict[str, Any]:
        """Flows to counts: only days whose flows or delegations changed."""
        from tsubame.pipeline.counts import count_days
        from tsubame.settings import Settings

        with framed() as progress:
            day = require_day(partition_key)
            counts = brief(count_days(Settings.from_environment(), day - LOOKBACK, day, progress=progress))
        outlet_events[DAY_COUNTS].extra = counts
        return counts

    ingest() >> count()


observe_day()
