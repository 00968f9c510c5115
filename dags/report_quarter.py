"""One report for each quarter of the report's calendar, a publication lag after the quarter has ended.

The partition key is the quarter: `2023Q1`.

- **Backfill:** `airflow backfill create --dag-id report_quarter --from-date 2022-10-01 --to-date 2023-03-31`
  takes every quarter that *begins* in the span and is over.
- **By hand:** trigger with partition key `2023Q1`.
- A second run decodes only what has changed, and publishes a new edition only if its content differs.
- **Late data:** `tsubame status --quarters 2022Q1..2023Q4` names the stale quarters. With `TSUBAME_REPUBLISH=yes` a
  quarter that `observe_day` finds stale runs by itself.

### When a task fails
- `complete_days`: the message names the object. *InputFailed*: mend or remove it, clear the task. *Unavailable*: the
  store or the Dask cluster does not answer; it is tried again by itself. *Skipped*: no capture has a packet of the
  quarter, or no delegation file is old enough.
- `validate`: the button *Data Docs* shows every expectation. A refusal does not fail it, `decide` deals with it.
- `suite [ ]` opens the list of what was checked, a line for each table: its name tells how many expectations hold, its
  log which do not. It decides nothing.
- `decide` *awaits input*: critical expectations failed and are shown under *Required Actions*. *Approve* publishes
  all the same, and the edition's lineage names you; *Reject*, or no answer in time, fails it with *EditionRefused* and
  nothing is published: mend the cause and clear `complete_days` with what is downstream of it.
- `publish`: clear it. An edition is written before the pointer to it, so a part of one is never shown.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, get_current_context, task
from tsubame_airflow.alarms import quarter_deadline
from tsubame_airflow.assets import EDITION, STALE_QUARTER
from tsubame_airflow.deployment import (
    DASK_POOL,
    DEFAULT_POOL,
    OWNER,
    TAGS,
    approval_hours,
    publication_lag_hours,
    report_zone,
    republishes,
)
from tsubame_airflow.links import DataDocsLink, EditionLink, with_link
from tsubame_airflow.operators import DecideOnRefusal
from tsubame_airflow.tasks import ARGUMENTS, brief, framed, require_quarter, tell_suite
from tsubame_airflow.timetables import QuarterTimetable

from tsubame.validation.suites import SUITES


@dag(
    schedule=QuarterTimetable(report_zone(), publication_lag_hours(), stale=STALE_QUARTER if republishes() else None),
    catchup=False,
    max_active_runs=2,
    tags=[*TAGS, "report"],
    doc_md=__doc__,
    deadline=quarter_deadline(),
    default_args=ARGUMENTS | {"owner": OWNER, "pool": DASK_POOL},
)
def report_quarter() -> None:
    """Complete the quarter's days, validate the result, publish it."""

    @task(multiple_outputs=False, execution_timeout=timedelta(hours=12))
    def complete_days(partition_key: str | None = None) -> dict[str, Any]:
        """Decode and count every day that is missing or stale, the quarter before included for previous ranks."""
        from tsubame.pipeline.quarter import complete_quarter
        from tsubame.settings import Settings

        with framed() as progress:
            quarter = require_quarter(partition_key)
            return brief(complete_quarter(Settings.from_environment(), quarter, previous=True, progress=progress))

    @task(multiple_outputs=False)
    def validate(partition_key: str | None = None) -> dict[str, Any]:
        """Run the suites; a failed critical expectation refuses the edition, which `decide` then deals with."""
        from tsubame.errors import Rejected
        from tsubame.pipeline.report import validate_quarter
        from tsubame.settings import Settings

        with framed() as progress:
            quarter, now = require_quarter(partition_key), datetime.now(UTC)
            try:
                return brief(validate_quarter(Settings.from_environment(), quarter, now=now, progress=progress))
            except Rejected as refused:
                return brief(refused.verdict)

    @task(
        multiple_outputs=False,
        pool=DEFAULT_POOL,
        max_active_tis_per_dagrun=1,  # What publishes goes first.
        execution_timeout=timedelta(minutes=10),
        map_index_template="{{ told | default(task.op_kwargs['name']) }}",
    )
    def suite(name: str, partition_key: str | None = None) -> dict[str, Any]:
        """Tell what one suite found, in the log and in the task's name; a failed expectation does not fail it."""
        from tsubame.pipeline.checked import read_suite
        from tsubame.settings import Settings

        with framed():
            found = read_suite(Settings.from_environment(), require_quarter(partition_key), name)
        get_current_context()["told"] = found.summary  # type: ignore[typeddict-unknown-key]
        return tell_suite(found)

    @task(multiple_outputs=False, outlets=[EDITION])
    def publish(partition_key: str | None = None, *, outlet_events: Any = None) -> dict[str, Any]:
        """Write the edition, then the pointer to it."""
        from tsubame.pipeline.report import publish_quarter
        from tsubame.settings import Settings

        with framed() as progress:
            quarter, now = require_quarter(partition_key), datetime.now(UTC)
            edition = brief(publish_quarter(Settings.from_environment(), quarter, now=now, progress=progress))
        outlet_events[EDITION].extra = edition
        return edition

    decide = DecideOnRefusal(task_id="decide", wait=timedelta(hours=approval_hours()), pool=DEFAULT_POOL)
    validated = with_link(validate(), DataDocsLink())
    complete_days() >> validated >> decide >> with_link(publish(), EditionLink())
    validated >> suite.expand(name=list(SUITES))


report_quarter()
