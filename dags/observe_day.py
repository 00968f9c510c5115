"""Counts each report day as soon as its sensors have delivered it, at the latest when its grace is over.

The partition key is the day: `2023-01-31`. A run also looks at the days before it (`TSUBAME_LOOKBACK_DAYS`): a
capture that came later, was replaced or withdrawn changes the days it bears on, and no others.

- **Backfill:** `report_quarter` completes the days of its quarter by itself, and faster. For single days:
  `airflow backfill create --dag-id observe_day --from-date 2023-01-30 --to-date 2023-01-31`.
- **A capture came very late:** trigger with its day as partition key.

### When a task fails
- `await_captures`: *deferred* is no failure: sensors have not delivered yet, the log names them, no worker waits.
  It ends by itself with the grace (`TSUBAME_GRACE_HOURS`); mark it as success to go on at once.
- `ingest`: the message names the object. A file that is no capture never fails the day; it is named in the log and
  counted. *Skipped*: the sensor bucket is empty, so look whether the sensors upload. A folder that `sensors.csv`
  does not name is not read: add the sensor and clear `ingest`.
- `count`: *Skipped*: no delegation file is in force on one of the days; look at `delegations_daily`.
- `watch` tells of events and old delegation files; `mark_stale` is *skipped* when every edition is as its data stand.
- *Unavailable*: the store or the Dask cluster does not answer; the task is tried again with growing pauses.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task
from tsubame_airflow.alarms import day_deadline
from tsubame_airflow.assets import DAY_COUNTS, STALE_QUARTER
from tsubame_airflow.deployment import DASK_POOL, OWNER, TAGS, event_ratio, grace_hours, lookback_days, report_zone
from tsubame_airflow.operators import AwaitCaptures
from tsubame_airflow.tasks import ARGUMENTS, brief, framed, require_day, tell_notices, tell_stale
from tsubame_airflow.timetables import DayTimetable

LOOKBACK = timedelta(days=lookback_days())


@dag(
    schedule=DayTimetable(report_zone()),
    catchup=False,
    max_active_runs=2,
    tags=[*TAGS, "daily"],
    doc_md=__doc__,
    deadline=day_deadline(),
    default_args=ARGUMENTS | {"owner": OWNER},
)
def observe_day() -> None:
    """Await the captures, decode what has arrived, count the days that it touches, tell what is remarkable."""

    @task(multiple_outputs=False, pool=DASK_POOL)
    def ingest(partition_key: str | None = None) -> dict[str, Any]:
        """Captures to flows: only captures that are new, changed or gone."""
        from tsubame.pipeline.ingest import ingest_days
        from tsubame.settings import Settings

        with framed() as progress:
            day = require_day(partition_key)
            return brief(ingest_days(Settings.from_environment(), day - LOOKBACK, day, progress=progress))

    @task(multiple_outputs=False, pool=DASK_POOL, outlets=[DAY_COUNTS])
    def count(partition_key: str | None = None, *, outlet_events: Any = None) -> dict[str, Any]:
        """Flows to counts: only days whose flows or delegations changed; an asset event for each of them."""
        from tsubame.pipeline.counts import count_days
        from tsubame.settings import Settings

        with framed() as progress:
            day = require_day(partition_key)
            done = count_days(Settings.from_environment(), day - LOOKBACK, day, progress=progress)
        told = outlet_events[DAY_COUNTS].extra = brief(done)
        outlet_events[DAY_COUNTS].add_partitions([day.isoformat() for day in done.counted])
        return told

    @task(multiple_outputs=False)
    def watch(partition_key: str | None = None) -> dict[str, Any]:
        """Alarm about ports far above their last days, and about old delegation files."""
        from tsubame.pipeline.watching import watch_day
        from tsubame.settings import Settings

        with framed():
            return tell_notices(watch_day(Settings.from_environment(), require_day(partition_key), ratio=event_ratio()))

    @task(multiple_outputs=False, outlets=[STALE_QUARTER])
    def mark_stale(partition_key: str | None = None, *, outlet_events: Any = None) -> list[dict[str, Any]]:
        """Tell which published quarters no longer say what the data say; with TSUBAME_REPUBLISH they run again."""
        from datetime import UTC, datetime

        from tsubame.pipeline.freshness import stale_quarters
        from tsubame.settings import Settings

        with framed():
            day, now = require_day(partition_key), datetime.now(UTC)
            stale = tell_stale(stale_quarters(Settings.from_environment(), day - LOOKBACK, day, now=now))
        outlet_events[STALE_QUARTER].add_partitions([state["quarter"] for state in stale])
        return stale

    awaited = AwaitCaptures(task_id="await_captures", grace=timedelta(hours=grace_hours()))
    awaited >> ingest() >> count() >> [watch(), mark_stale()]


observe_day()
