"""From which moment on a run's deadline counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from airflow.sdk.definitions.deadline import BaseDeadlineReference


class FirstQueuedAt(BaseDeadlineReference):
    """When a run was queued first.

    Airflow's own ``DAGRUN_QUEUED_AT`` counts anew whenever a run is cleared, and in 3.3 breaks doing so: clearing a run
    that has ended answers 500 (apache/airflow#70368). A cleared run's deadline is the one that it had.
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> datetime | None:
        """Return the moment, in the scheduler or the API server, when the run is made."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        found: datetime | None = session.scalar(
            select(DagRun.queued_at).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        )
        return found
