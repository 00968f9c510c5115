"""Hands quarters to the scheduler by ``airflow backfill create``, and tells how their runs get on."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.airflow.client import Client, NoAnswer, Refused
from infra.airflow.services import Services
from tsubame.errors import TsubameError, Unavailable
from tsubame.keys import latest_key
from tsubame.periods import Quarter
from tsubame.stores import Store

DAG = "report_quarter"
_ENDED = ("success", "failed")
_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_TO_CLOSE = 180
_EXIT_STATUS = {"EditionRefused": 5, "InputFailed": 3}
_EXPECTED = ("EditionRefused", "InputFailed", "AirflowSkipException", "Unavailable")


class RunFailed(TsubameError):
    """A quarter's run failed or had nothing to work on; carries the exit status of the reason."""

    def __init__(self, what: str, exit_status: int) -> None:
        super().__init__(what)
        self.exit_status = exit_status


@dataclass(slots=True)
class Quarters:
    """Runs of the DAG ``report_quarter``, one for each quarter.

    Args:
        services: started.
        wanted: in the order of time.
        tell: is called with one line about each change, and every few seconds.
    """

    services: Services
    wanted: Sequence[Quarter]
    tell: Callable[[str], None]
    _client: Client = field(init=False)
    _told: dict[str, tuple[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = self.services.client()

    def are_published(self) -> bool:
        """Say whether every quarter's newest run has published its edition, and the site still has it."""
        runs = self._runs()
        site = Store(self.services.deployment.environment["TSUBAME_SITE_URL"])
        return all(
            (run := runs.get(str(quarter))) is not None
            and run["state"] == "success"
            and self._edition(run) is not None
            and site.exists(latest_key(quarter))
            for quarter in self.wanted
        )

    def create(self) -> None:
        """Create the runs; those that an interrupted demo left under way are taken as they are.

        Raises:
            Unavailable: Airflow does not know the DAG, or refuses.
        """
        self._await_dag()
        began = time.monotonic()
        while any(backfill["completed_at"] is None for backfill in self._backfills()):
            if any(run["state"] not in _ENDED for run in self._runs().values()):
                self.tell("going on with the runs that were interrupted")
                return
            # All of its runs have ended; the scheduler takes note of that every half minute.
            self.services.check()
            if time.monotonic() - began > _SECONDS_TO_CLOSE:
                raise Unavailable("the scheduler does not close the last backfill", key=DAG)
            time.sleep(1)
        first, last = self.wanted[0], self.wanted[-1]
        made = self.services.airflow(
            "backfill", "create", "--dag-id", DAG, "--from-date", first.first_day.isoformat(),
            "--to-date", last.last_day.isoformat(), "--reprocess-behavior", "completed", "--max-active-runs", "2",
        )  # fmt: skip
        if made.returncode:
            said = (made.stderr.strip() or made.stdout.strip() or "nothing").splitlines()[-1]
            raise Unavailable("`airflow backfill create` failed", key=DAG, actual=said)

    def pause_if_known(self) -> None:
        """Pause the DAG if an earlier demo made Airflow know it; a new one is paused anyway."""
        with contextlib.suppress(Refused):
            self.pause(True)

    def pause(self, paused: bool) -> None:
        """Pause the DAG or let it run; runs that exist wait while it is paused."""
        self._client.patch(f"/dags/{DAG}", {"is_paused": paused})

    def watch(self) -> list[dict[str, Any]]:
        """Wait until every quarter is published, telling progress; returns the editions.

        Raises:
            RunFailed: a run failed, or skipped its quarter; the message is the task's own line.
            Unavailable: a service has ended.
        """
        while True:
            self.services.check()
            try:
                runs = self._runs()
                for quarter in self.wanted:
                    self._report(str(quarter), runs.get(str(quarter)))
                if all(runs.get(str(q), {}).get("state") in _ENDED for q in self.wanted):
                    return [self._require_edition(str(q), runs[str(q)]) for q in self.wanted]
            except NoAnswer:
                pass
            time.sleep(1)

    def editions(self) -> list[dict[str, Any]]:
        """Return what the newest runs published."""
        runs = self._runs()
        return [self._require_edition(str(q), runs[str(q)]) for q in self.wanted]

    def _await_dag(self) -> None:
        began = time.monotonic()
        while time.monotonic() - began < 120:
            self.services.check()
            try:
                if not self._client.get(f"/dags/{DAG}")["is_stale"]:
                    return
            except (NoAnswer, Refused):
                pass
            time.sleep(0.5)
        errors = self._client.get("/importErrors")["import_errors"]
        said = errors[0]["stack_trace"].strip().splitlines()[-1] if errors else "no such DAG"
        raise Unavailable("Airflow does not know the DAG", key=DAG, actual=said)

    def _backfills(self) -> list[dict[str, Any]]:
        return list(self._client.get("/backfills", dag_id=DAG, order_by="-id", limit=50)["backfills"])

    def _runs(self) -> dict[str, dict[str, Any]]:
        """Return the newest run of each partition; none while Airflow has yet to read the DAG file."""
        try:
            found = self._client.get(f"/dags/{DAG}/dagRuns", order_by="-id", limit=100)["dag_runs"]
        except Refused as refused:
            if refused.status != 404:
                raise
            return {}
        newest: dict[str, dict[str, Any]] = {}
        for run in found:
            newest.setdefault(run["partition_key"], run)
        return newest

    def _tasks(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        path = f"/dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances"
        return list(self._client.get(path, limit=100)["task_instances"])

    def _report(self, quarter: str, run: dict[str, Any] | None) -> None:
        if run is None or run["state"] == "queued":
            return
        for task in self._tasks(run):
            state = task["state"] or "waits"
            if state in ("waits", "scheduled", "queued", "removed"):
                continue
            # Parts take a second and are named by what they found: they are told when they are done.
            is_part = task["map_index"] >= 0
            if is_part and state == "running":
                continue
            name = f"{quarter} {task['rendered_map_index'] or task['task_id']}"
            line = "" if is_part and state == "success" else self._line(run, task, state)
            before, when = self._told.get(name, (None, 0.0))
            if line == before:
                continue
            changed = before is None or before.partition(":")[0] != line.partition(":")[0]
            if changed or time.monotonic() - when >= _SECONDS_BETWEEN_LINES:
                self._told[name] = (line, time.monotonic())
                self.tell(f"{name} {line}".rstrip())

    def _line(self, run: dict[str, Any], task: dict[str, Any], state: str) -> str:
        log = self._log(run, task)
        if state == "success":
            return f"done in {task['duration'] or 0:.0f} s"
        if state == "running":
            progress = last_progress(log)
            return f"running: {progress}" if progress else "running"
        if state in ("failed", "up_for_retry", "skipped"):
            reason = last_reason(log)
            words = {"up_for_retry": "will be tried again", "upstream_failed": "not run"}
            return f"{words.get(state, state)}: {reason[1]}"
        return state.replace("_", " ")

    def _log(self, run: dict[str, Any], task: dict[str, Any]) -> list[dict[str, Any]]:
        folder = self.services.deployment.home / "logs" / f"dag_id={DAG}" / f"run_id={run['dag_run_id']}"
        part = f"map_index={task['map_index']}" if task["map_index"] >= 0 else ""
        return read_log(folder / f"task_id={task['task_id']}" / part / f"attempt={task['try_number']}.log")

    def _edition(self, run: dict[str, Any]) -> dict[str, Any] | None:
        path = f"/dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances/publish/xcomEntries/return_value"
        try:
            value = self._client.get(path)["value"]
        except Refused:
            return None
        found = json.loads(value) if isinstance(value, str) else value
        return found if isinstance(found, dict) else None

    def _require_edition(self, quarter: str, run: dict[str, Any]) -> dict[str, Any]:
        edition = self._edition(run) if run["state"] == "success" else None
        if edition is not None:
            return edition
        for state, what in (("failed", "failed"), ("skipped", "was skipped")):
            for task in self._tasks(run):
                kind, reason = last_reason(self._log(run, task))
                if task["state"] == state and reason:
                    status = _EXIT_STATUS.get(kind, 4)
                    raise RunFailed(f"{quarter}: {task['task_id']} {what}: {reason}", status)
        raise RunFailed(f"{quarter}: the run {run['dag_run_id']} ended as {run['state']}", 4)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a task's log; one that is being written may end inside a line."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    entries = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return [entry for entry in entries if isinstance(entry, dict)]


def last_progress(log: list[dict[str, Any]]) -> str:
    """Return the pipeline's latest progress line."""
    return next((str(e.get("event", "")) for e in reversed(log) if e.get("logger") == "tsubame.progress"), "")


def last_reason(log: list[dict[str, Any]]) -> tuple[str, str]:
    """Return why a task failed or was skipped: the class of the error and its text."""
    for entry in reversed(log):
        for error in reversed(entry.get("error_detail") or []):
            kind, text = str(error.get("exc_type", "")), str(error.get("exc_value", ""))
            line = (text.strip().splitlines() or [""])[0]
            return kind, line if kind in _EXPECTED else f"{kind}: {line}"
        if entry.get("logger") == "tsubame.task" and str(entry.get("event", "")).startswith("skipped: "):
            return "NotReady", str(entry["event"]).removeprefix("skipped: ")
    return "", ""
