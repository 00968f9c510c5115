"""The frame around every task: what an error means to Airflow, progress in the log, common arguments.

===============  =====================================================
``BadInput``     ``InputFailed``: fails at once, no retry helps
``Rejected``     ``EditionRefused``: fails at once; the verdict says why
``NotReady``     skipped with the reason
``Unavailable``  fails and is retried with backoff
===============  =====================================================
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tsubame.errors import BadInput, NotReady, Rejected, TsubameError, Unavailable, UsageError
from tsubame.periods import Quarter, parse_day
from tsubame_airflow import metrics
from tsubame_airflow.alarms import Alarm, raise_alarm
from tsubame_airflow.masking import mask_settings

log = logging.getLogger("tsubame.task")
progress_log = logging.getLogger("tsubame.progress")

SECONDS_BETWEEN_LINES = 4.0
_SECONDS_OF_RATE = 30.0
_XCOM_ENTRIES = 5
_XCOM_CHARACTERS = 1000
_FAULTS_SHOWN = 20
_FAULTS = {
    "rejected": "rejected capture",
    "damaged": "damaged capture",
    "set_aside": "set aside capture",
    "passed_over": "not read:",
}
"""What a log says of the objects that a summary names with reasons."""

ARGUMENTS: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(hours=1),
    "execution_timeout": timedelta(hours=1),
}
"""``default_args`` of every DAG; each DAG adds its owner."""


class InputFailed(AirflowFailException):
    """The input is wrong and will still be wrong on a retry."""


class EditionRefused(AirflowFailException):
    """Validation refused the edition; nothing was published."""


class TaskStopped(Exception):
    """Airflow asks the task to end: it was cancelled, or the services stop; it may be tried again."""


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM end the block, so that a cluster started in it is stopped; Airflow itself only tells the operator."""

    def stop(*_: Any) -> None:
        raise TaskStopped("asked to stop before it was done; what is done stays done")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _repeated(progress: ProgressLog) -> Iterator[None]:
    """Tell every few seconds of a part that takes long that it is still under way."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(SECONDS_BETWEEN_LINES):
            progress.still()

    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def framed() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a progress callback, and turn the pipeline's errors into what Airflow does about them.

    Raises:
        InputFailed, EditionRefused: see the table above; the text is the error's one line.
        AirflowSkipException: the task has nothing to work on; the text says what is missing.
        Unavailable: as it is, for a retry.
    """
    mask_settings()
    for name in ("distributed.batched", "distributed.http.proxy"):
        # A closing cluster tells of every connection that it closes.
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        progress = ProgressLog()
        with _stoppable(), _repeated(progress):
            yield progress
    except Rejected as error:
        raise EditionRefused(str(error)) from None
    except (BadInput, UsageError) as error:
        raise InputFailed(str(error)) from None
    except NotReady as error:
        log.warning("skipped: %s", error)
        raise AirflowSkipException(str(error)) from None
    except Unavailable as error:
        log.error("will be tried again: %s", error)  # noqa: TRY400 - Airflow prints the traceback itself
        raise
    except TsubameError as error:
        raise InputFailed(str(error)) from error


def require_quarter(partition_key: str | None) -> Quarter:
    """Return the quarter a run is of.

    Raises:
        InputFailed: the run was triggered by hand without a partition key, or with one that is no quarter.
    """
    if not partition_key:
        raise InputFailed("the run has no partition key: trigger it with one, such as 2023Q1")
    with framed():
        return Quarter.parse(partition_key)


def require_day(partition_key: str | None) -> date:
    """Return the day a run is of.

    Raises:
        InputFailed: the run was triggered by hand without a partition key, or with one that is no day.
    """
    if not partition_key:
        raise InputFailed("the run has no partition key: trigger it with one, such as 2023-01-31")
    with framed():
        return parse_day(partition_key)


def brief(summary: Any) -> dict[str, Any]:
    """Return a summary as a small XCom, log what of it a person should see, and send its counters.

    Collections with more than a few entries become their lengths: tables and lists belong in the lake.
    """
    full = summary if isinstance(summary, dict) else summary.as_dict()
    metrics.measure(full)
    for name, value in _faults(full):
        log.warning("%s: %s", name, value)
    return {name: _shortened(value) for name, value in full.items()}


def tell_notices(found: Any) -> dict[str, Any]:
    """Send an alarm for each of a day's notices, and return them as a small XCom."""
    for notice in found.notices:
        raise_alarm(Alarm(notice.kind, notice.subject, notice.text))
    return brief(found)


def tell_suite(found: Any) -> dict[str, Any]:
    """Log a line for each expectation of a suite, and return their numbers as a small XCom."""
    for check in found.checks:
        level, said = (logging.INFO, "holds") if check["passed"] else (logging.WARNING, f"fails, {check['severity']}")
        seen = "" if check["passed"] or not check["found"] else f"; found: {check['found']}"
        log.log(level, "%s: %s%s", said, check["expected"], seen)
    return brief(found)


def tell_stale(states: Iterable[Any]) -> list[dict[str, Any]]:
    """Log which quarters are stale and why, and return them.

    Raises:
        AirflowSkipException: none is, so the task emits no asset event.
    """
    stale = [state.as_dict() for state in states]
    if not stale:
        raise AirflowSkipException("every edition that these days bear on is as its data stand")
    for state in stale:
        log.warning("%s, edition %s, is stale: %s", state["quarter"], state["edition"], "; ".join(state["reasons"]))
    return stale


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        inner = {name: _shortened(each) for name, each in value.items()}
        return inner if len(json.dumps(inner, default=str)) <= _XCOM_CHARACTERS else len(value)
    if isinstance(value, (list, tuple)):
        return len(value) if len(value) > _XCOM_ENTRIES else [_shortened(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _faults(full: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield rejected and damaged captures and a verdict's notes, wherever they are in the summary."""
    for name, value in full.items():
        if name in _FAULTS and isinstance(value, dict):
            shown = list(value.items())[:_FAULTS_SHOWN]
            yield from ((f"{_FAULTS[name]} {key}", str(reason)) for key, reason in shown)
            if len(value) > len(shown):
                yield _FAULTS[name], f"{len(value) - len(shown):,} more, see `tsubame status`"
        elif name == "unknown_sensors" and value:
            yield "folders that the sensor registry does not name, not read", ", ".join(map(str, value))
        elif name == "notes" and isinstance(value, (list, tuple)):
            yield from (("note", str(note)) for note in value)
        elif isinstance(value, dict):
            yield from _faults(value)


class ProgressLog:
    """Logs how far a stage is: when it begins, every few seconds, and when it is done.

    The rate is that of the last seconds: the first part of a stage may wait for the cluster to start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._began = 0.0
        self._next_line = 0.0
        self._seen: deque[tuple[float, int]] = deque()
        self._last: tuple[int, int] = (0, 0)
        self._changed = 0.0
        self._lock = threading.Lock()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note that ``done`` of the stage's ``total`` parts are done."""
        with self._lock:
            self._note(stage, done, total)

    def still(self) -> None:
        """Tell again how far an unfinished stage is, if nothing has been told for a while."""
        with self._lock:
            now = self._clock()
            done, total = self._last
            if done < total and now >= self._next_line + SECONDS_BETWEEN_LINES:
                self._next_line = now + SECONDS_BETWEEN_LINES
                quiet = now - self._changed
                progress_log.info(
                    "%s: %s of %s, the last %s s ago", self._stage, f"{done:,}", f"{total:,}", f"{quiet:,.0f}"
                )

    def _note(self, stage: str, done: int, total: int) -> None:
        now = self._clock()
        if (done, total) != self._last or stage != self._stage:
            self._last, self._changed = (done, total), now
        if stage != self._stage or (self._seen and done < self._seen[-1][1]):
            self._stage, self._began, self._next_line = stage, now, now
            self._seen.clear()
        while len(self._seen) > 1 and now - self._seen[0][0] > _SECONDS_OF_RATE:
            self._seen.popleft()
        if now < self._next_line and done < total:
            return
        if done:
            self._seen.append((now, done))
        self._next_line = now + SECONDS_BETWEEN_LINES
        progress_log.info("%s", self._line(done, total, now))

    def _line(self, done: int, total: int, now: float) -> str:
        if total <= 0:
            return f"{self._stage}: nothing to do"
        line = f"{self._stage}: {done:,} of {total:,}"
        if done >= total:
            return f"{line}, done in {now - self._began:,.0f} s"
        if len(self._seen) < 2:
            return line
        (then, before) = self._seen[0]
        rate = (done - before) / max(now - then, 1e-9)
        if rate <= 0:
            return line
        pace = f"{rate:,.1f}/s" if rate >= 1 else f"{1 / rate:,.1f} s each"
        return f"{line}, {pace}, about {(total - done) / rate:,.0f} s left"
