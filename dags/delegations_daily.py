"""Fetches the five registries' delegation files of each day (UTC), the morning after.

The partition key is the day: `2023-01-31`. Packets are attributed to regions by the newest files not later than
their day. The DAG needs the internet; without it, leave it paused and use `tsubame delegations import`.

- **Backfill:** registries keep old files for a while:
  `airflow backfill create --dag-id delegations_daily --from-date 2023-01-01 --to-date 2023-01-31`.

### When the task fails
- *Unavailable*: a registry does not answer. It is tried again for half a day. Then nothing is lost: the newest older
  file stays in force and the report says so. Clear the task when the registry is back.
- *InputFailed*: a file is malformed or contradicts its checksum, and was not kept. Compare it with a mirror's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task
from tsubame_airflow.assets import DELEGATIONS
from tsubame_airflow.deployment import OWNER, TAGS
from tsubame_airflow.tasks import ARGUMENTS, brief, framed, require_day
from tsubame_airflow.timetables import DayTimetable

HOURS_UNTIL_PUBLISHED = 6
"""Every registry has published a day's file by then; RIPE NCC and APNIC do soon after midnight UTC."""


@dag(
    schedule=DayTimetable("UTC", HOURS_UNTIL_PUBLISHED),
    catchup=False,
    max_active_runs=1,
    tags=[*TAGS, "daily"],
    doc_md=__doc__,
    default_args=ARGUMENTS | {"owner": OWNER, "retries": 10, "retry_delay": timedelta(minutes=5)},
)
def delegations_daily() -> None:
    """Fetch a day's delegation files."""

    @task(multiple_outputs=False, outlets=[DELEGATIONS], execution_timeout=timedelta(minutes=30))
    def fetch(partition_key: str | None = None) -> dict[str, Any]:
        """Fetch the five files, check them, put them into the delegation bucket."""
        from tsubame.pipeline.delegations import fetch_delegations
        from tsubame.settings import Settings

        with framed() as progress:
            day = require_day(partition_key)
            arrived = fetch_delegations(Settings.from_environment(), day, progress=progress)
            said = brief(arrived)
            # Every registry has had its turn; one that failed still fails the task, so that it is tried again.
            arrived.demand_all()
            return said

    fetch()


delegations_daily()
