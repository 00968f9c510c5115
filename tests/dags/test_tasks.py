"""What an error of the pipeline means to Airflow, and what a task says while it works."""

import logging
import os
import re
import signal
import threading
import time
from datetime import date

import pytest

from tsubame.errors import BadInput, NotReady, Rejected, TsubameError, Unavailable, UsageError
from tsubame.periods import Quarter


@pytest.fixture
def tasks(in_process):
    return in_process.tasks


@pytest.mark.parametrize(
    ("error", "becomes", "says"),
    [
        (BadInput("is cut", key="a.pcap", offset=24), "InputFailed", "a.pcap: is cut at byte 24"),
        (UsageError("unknown time zone", actual="'X'"), "InputFailed", "unknown time zone: found 'X'"),
        (Rejected("GB and NL part unexplained"), "EditionRefused", "GB and NL part unexplained"),
        (NotReady("no captures", key="2022Q3"), "AirflowSkipException", "2022Q3: no captures"),
        (Unavailable("does not answer", key="s3://x"), "Unavailable", "s3://x: does not answer"),
        (TsubameError("odd"), "InputFailed", "odd"),
    ],
)
def test_errors_become_what_airflow_should_do(tasks, error, becomes, says):
    with pytest.raises(Exception, match=f"^{re.escape(says)}$") as caught, tasks.framed():
        raise error
    assert type(caught.value).__name__ == becomes


def test_only_unavailable_is_retried(tasks):
    from airflow.sdk.exceptions import AirflowFailException

    assert issubclass(tasks.InputFailed, AirflowFailException)
    assert issubclass(tasks.EditionRefused, AirflowFailException)
    assert not issubclass(Unavailable, AirflowFailException)


def test_sigterm_ends_the_work_and_the_handler_is_put_back(tasks):
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with tasks.framed():
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()

    with pytest.raises(tasks.TaskStopped):
        work()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_partition_key_is_required(tasks):
    assert tasks.require_quarter("2023Q1") == Quarter(2023, 1)
    assert tasks.require_day("2023-01-31") == date(2023, 1, 31)
    with pytest.raises(tasks.InputFailed, match="trigger it with one, such as 2023Q1"):
        tasks.require_quarter(None)
    with pytest.raises(tasks.InputFailed, match="not a day"):
        tasks.require_day("yesterday")


def test_progress_is_told_every_few_seconds_with_rate_and_rest(tasks, caplog):
    now = [100.0]
    progress = tasks.ProgressLog(lambda: now[0])
    with caplog.at_level(logging.INFO, "tsubame.progress"):
        progress("decoding", 0, 1200)
        for second in range(1, 61):
            now[0] += 1
            # Nothing is done in the first 20 seconds: the cluster starts.
            progress("decoding", max(0, second - 20) * 30, 1200)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "decoding: 0 of 1,200"
    assert "decoding: 720 of 1,200, 30.0/s, about 16 s left" in lines
    assert lines[-1] == "decoding: 1,200 of 1,200, done in 60 s"
    assert 14 <= len(lines) <= 18


def test_slow_parts_are_told_in_seconds_each(tasks, caplog):
    now = [0.0]
    progress = tasks.ProgressLog(lambda: now[0])
    with caplog.at_level(logging.INFO, "tsubame.progress"):
        for done in range(4):
            progress("drawing", done, 10)
            now[0] += 5
        progress("nothing", 0, 0)
    lines = [record.getMessage() for record in caplog.records]
    assert "drawing: 3 of 10, 5.0 s each, about 35 s left" in lines
    assert lines[-1] == "nothing: nothing to do"


def test_xcom_is_small_and_faults_are_logged(tasks, caplog):
    rejected = {f"tokyo/2023/01/01/{n}.pcap": "is no capture" for n in range(50)}
    with caplog.at_level(logging.WARNING, "tsubame.task"):
        xcom = tasks.brief({"decoded": 3, "days": list(range(92)), "inner": {"rejected": rejected}})
    assert xcom == {"decoded": 3, "days": 92, "inner": {"rejected": 50}}
    assert "rejected capture tokyo/2023/01/01/0.pcap: is no capture" in caplog.text
    assert "30 more" in caplog.text


def test_a_suite_tells_a_line_for_each_expectation(tasks, caplog):
    from tsubame.pipeline.checked import CheckedSuite

    held = {"passed": True, "severity": "critical", "expected": "Days are whole", "found": "90 rows"}
    failed = {"passed": False, "severity": "warning", "expected": "No file is old", "found": "2 of 5 rows"}
    with caplog.at_level(logging.INFO, "tsubame.task"):
        assert tasks.tell_suite(CheckedSuite("days", (held, failed))) == {
            "suite": "days", "expectations": 2, "failed": 1,
        }  # fmt: skip
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [
        ("INFO", "holds: Days are whole"),
        ("WARNING", "fails, warning: No file is old; found: 2 of 5 rows"),
    ]


def test_a_part_that_takes_long_is_told_of_again_and_again(tasks, caplog):
    now = [0.0]
    progress = tasks.ProgressLog(lambda: now[0])
    with caplog.at_level(logging.INFO, "tsubame.progress"):
        progress.still()
        progress("decoding", 0, 64)
        progress("decoding", 1, 64)
        for second in range(1, 31):
            now[0] = float(second)
            progress.still()
        told = [record.getMessage() for record in caplog.records]
        progress("decoding", 64, 64)
        now[0] = 100.0
        progress.still()
    assert told[0] == "decoding: 0 of 64"
    assert told[1:] == [f"decoding: 1 of 64, the last {seconds} s ago" for seconds in (8, 16, 24)]
    assert caplog.records[-1].getMessage() == "decoding: 64 of 64, done in 30 s"


def test_a_task_at_work_tells_so_by_itself(tasks, caplog, monkeypatch):
    monkeypatch.setattr(tasks, "SECONDS_BETWEEN_LINES", 0.02)
    with caplog.at_level(logging.INFO, "tsubame.progress"), tasks.framed() as progress:
        progress("decoding", 1, 2)
        before = len(caplog.records)
        time.sleep(0.3)
    assert len(caplog.records) > before
    assert "progress" not in {thread.name for thread in threading.enumerate()}
