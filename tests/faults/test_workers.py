"""Workers that die, stop, lack memory, are of another version, or are given what kills them."""

import os
import signal
import threading
import time

import psutil
import pytest

from tests.faults.conftest import FIRST, LAST, Q1, objects, run_days
from tests.faults.recording import TO_THE_BYTE
from tsubame.pipeline import ingest
from tsubame.pipeline.cluster import SetAside, connect
from tsubame.pipeline.counts import count_days
from tsubame.pipeline.quarter import complete_quarter

pytestmark = pytest.mark.long

POISON = "jp-b/2023/01/21"


def slowly(task):
    """Ingest a capture as a worker does, with time in it for something to break."""
    time.sleep(0.1)
    return ingest.ingest_capture(task)


def killing(task):
    """Kill the worker that is given one of the captures, as the kernel does when memory is gone."""
    if task.capture.key.key.startswith(POISON):
        os.kill(os.getpid(), signal.SIGKILL)
    return ingest.ingest_capture(task)


def during(happens):
    """Call ``happens`` once, in a thread, when three captures are done; returns progress and thread."""
    begun = threading.Event()
    thread = threading.Thread(target=lambda: begun.wait(120) and happens(), daemon=True)
    thread.start()
    return (lambda _, done, __: begun.set() if done >= 3 else None), thread


def test_a_worker_ends(fault, own_cluster, fresh, undisturbed, monkeypatch):
    with fault("a worker is killed", "SIGKILL during a run; two workers") as told:
        monkeypatch.setattr(ingest, "ingest_capture", slowly)
        with own_cluster() as client:
            victim = next(iter(client.run(os.getpid).values()))
            progress, thread = during(lambda: os.kill(victim, signal.SIGKILL))
            summary = ingest.ingest_days(fresh, FIRST, LAST, progress=progress)
            thread.join(10)
            monkeypatch.undo()
            run_days(fresh)
        assert summary.decoded > 30
        assert objects(fresh.lake_url) == undisturbed
        told.held = TO_THE_BYTE


@pytest.mark.parametrize("seconds", [5, None])
def test_a_local_worker_is_stopped(fault, fresh, undisturbed, monkeypatch, seconds):
    done = f"SIGSTOP during a run, {f'SIGCONT {seconds} s later' if seconds else 'for good'}; the local cluster"
    with fault(f"a local worker is stopped {f'for {seconds} s' if seconds else 'for good'}", done) as told:
        monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        monkeypatch.setattr(ingest, "ingest_capture", slowly)
        with connect() as client:
            victim = next(iter(client.run(os.getpid).values()))

            def stop():
                os.kill(victim, signal.SIGSTOP)
                if seconds:
                    time.sleep(seconds)
                    os.kill(victim, signal.SIGCONT)

            progress, thread = during(stop)
            began = time.monotonic()
            ingest.ingest_days(fresh, FIRST, LAST, progress=progress)
            took = time.monotonic() - began
            thread.join(seconds or 10)
            assert psutil.pid_exists(victim) == bool(seconds), (
                "a stopped worker was left, or one that only paused ended"
            )
            monkeypatch.undo()
            monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
            count_days(fresh, FIRST, LAST)
        assert objects(fresh.lake_url) == undisturbed
        told.held = f"{TO_THE_BYTE}; `ingest` took {took:.0f} s"


def test_a_local_cluster_closes_over_a_stopped_worker(fault, monkeypatch):
    with fault("a local worker is stopped at the end", "SIGSTOP, for good, before the cluster is closed") as told:
        monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        with connect() as client:
            workers = list(client.run(os.getpid).values())
            os.kill(workers[0], signal.SIGSTOP)
            began = time.monotonic()
        took = time.monotonic() - began
        assert took < 60
        assert not [pid for pid in workers if psutil.pid_exists(pid)]
        told.held = f"closed in {took:.1f} s, no process left"


def test_a_capture_kills_every_worker(fault, own_cluster, fresh, undisturbed, monkeypatch):
    done = f"SIGKILL to whatever worker reads a capture of {POISON}; `tsubame` runs, then runs again without"
    with fault("a capture that kills its workers", done) as told:
        monkeypatch.setattr(ingest, "ingest_capture", killing)
        with own_cluster(**{"distributed.scheduler.allowed-failures": 2}):
            with pytest.raises(SetAside, match="captures are set aside, 2 days counted without them") as aside:
                complete_quarter(fresh, Q1)
            found = objects(fresh.lake_url)
            others = {
                key for key in undisturbed if POISON not in key and not key.startswith(("counts", "sources", "ledger"))
            }
            assert all(found[key] == undisturbed[key] for key in others)
            assert len(aside.value.items) == 2
            summary = count_days(fresh, FIRST, LAST)
            assert sorted(map(str, summary.incomplete)) == ["2023-01-21", "2023-01-22"]
            monkeypatch.setattr(ingest, "ingest_capture", slowly)
            run_days(fresh)
        found = objects(fresh.lake_url)
        assert {key: found[key] for key in undisturbed} == undisturbed
        told.held = f"both captures named, 2 days marked incomplete, all others done; next run: {TO_THE_BYTE}"
