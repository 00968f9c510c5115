"""Tasks that wait: for the sensors of a day in a trigger, for a person's decision in Airflow's own way."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseOperator, Param

from tsubame.periods import day_bounds
from tsubame_airflow import metrics
from tsubame_airflow.alarms import Alarm, raise_alarm
from tsubame_airflow.deployment import poll_seconds
from tsubame_airflow.links import DataDocsLink
from tsubame_airflow.tasks import EditionRefused, InputFailed, framed, require_day, require_quarter
from tsubame_airflow.triggers import DeliveryTrigger

log = logging.getLogger("tsubame.task")

_NAMED = 10


class AwaitCaptures(BaseOperator):
    """Waits until every sensor that is active on the run's day has delivered it, or the grace is over.

    A day whose grace is over (a backfill's) is not waited for. Returns who has delivered and who has not.

    Args:
        grace: how long after the day's end captures are waited for.
    """

    def __init__(self, *, grace: timedelta, **more: Any) -> None:
        super().__init__(**more)
        self.grace = grace

    def execute(self, context: Any) -> dict[str, Any]:
        """Look once; defer unless there is nothing to wait for."""
        from tsubame.pipeline.delivery import day_delivery
        from tsubame.settings import Settings

        with framed():
            settings, now = Settings.from_environment(), datetime.now(UTC)
            day = require_day(context["dag_run"].partition_key)
            found = day_delivery(settings, day, now=now).as_dict()
            until = day_bounds(day, settings.zone)[1] + self.grace
        if found["awaited"] and now < until:
            log.info("waiting until %s for %s", until.isoformat(), _listed(found["awaited"]))
            trigger = DeliveryTrigger(day.isoformat(), until.isoformat(), poll_seconds())
            self.defer(trigger=trigger, method_name="resume")
        return self._told(found)

    def resume(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Go on when the trigger has fired."""
        if "error" in event:
            raise InputFailed(event["error"])
        if event["awaited"]:
            missing = _listed(event["awaited"])
            raise_alarm(Alarm("missing_sensors", event["day"], f"the grace is over, nothing from {missing}"))
        return self._told(event)

    @staticmethod
    def _told(found: dict[str, Any]) -> dict[str, Any]:
        if found["awaited"]:
            log.warning("goes on without %s", _listed(found["awaited"]))
        metrics.delivery(len(found["delivered"]), len(found["awaited"]))
        return {"day": found["day"], "delivered": len(found["delivered"]), "awaited": found["awaited"][:_NAMED]}


class DecideOnRefusal(ApprovalOperator):
    """Lets a validated edition pass, and asks a person about a refused one, showing what failed.

    The decision and its author are kept in the lake and come into the edition's lineage. *Reject*, or no answer
    in time, fails the task. An approval holds as long as the quarter's inputs are the same.

    Args:
        wait: how long an answer is waited for; zero asks nobody and fails at once.
    """

    operator_extra_links = (DataDocsLink(),)

    def __init__(self, *, wait: timedelta, **more: Any) -> None:
        super().__init__(
            subject="{{ dag_run.partition_key }}: publish although validation refuses it?",
            body="",
            defaults=self.REJECT,
            params={"comment": Param("", type="string", title="Comment")},
            response_timeout=wait or timedelta(hours=1),
            execution_timeout=None,
            **more,
        )
        self.wait = wait

    def execute(self, context: Any) -> Any:
        """Return at once when nothing is refused, or when it was approved already."""
        from tsubame.pipeline.approval import APPROVED, read_decision, read_refusal
        from tsubame.settings import Settings

        with framed():
            settings, quarter = Settings.from_environment(), require_quarter(context["dag_run"].partition_key)
            refusal = read_refusal(settings, quarter)
            if refusal is None:
                return {"asked": False}
            decision = read_decision(settings, quarter, refusal.inputs)
        if decision is not None and decision.decision == APPROVED:
            log.info("approved by %s at %s", decision.author, decision.at)
            return {"asked": False, "author": decision.author}
        raise_alarm(Alarm("refused_edition", str(quarter), refusal.failed[0], refusal.failed[1:]))
        if not self.wait:
            raise EditionRefused(f"{quarter}: validation refuses publication: {refusal.failed[0]}")
        context["ti"].xcom_push("inputs", refusal.inputs)
        self.body = refusal.as_markdown()
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Keep the decision; go on only if it approves."""
        from tsubame.pipeline.approval import APPROVED, REJECTED, decide
        from tsubame.settings import Settings

        if "error" in event:
            self.process_trigger_event_error(event)
        approved = list(event["chosen_options"]) == [self.APPROVE]
        user = event.get("responded_by_user") or {}
        author = str(user.get("name") or user.get("id") or "nobody")
        comment = str((event.get("params_input") or {}).get("comment") or "")
        with framed():
            quarter = require_quarter(context["dag_run"].partition_key)
            made = decide(
                Settings.from_environment(), quarter, APPROVED if approved else REJECTED,
                inputs=context["ti"].xcom_pull(task_ids=self.task_id, key="inputs"), author=author,
                at=datetime.now(UTC), comment=comment,
            )  # fmt: skip
        if not approved:
            raise EditionRefused(f"{quarter}: rejected by {author}" + (f": {comment}" if comment else ""))
        log.info("approved by %s", author)
        return {"asked": True, "author": author, "at": made.at}


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
