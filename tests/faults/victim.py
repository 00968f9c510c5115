"""A run that is killed with SIGKILL at a chosen write: ``victim.py STEPS PREFIX NUMBER MOMENT``, by settings.

STEPS are ``days`` or ``edition``. The NUMBERth write of a key that begins with PREFIX, or its deletion where PREFIX
begins with ``-``, ends the process ``before`` it, in the ``middle`` of its bytes, between the ``written`` bytes and
their name, or ``after`` it. Dask's workers are threads of this process, so that all ends at once, as in a power cut.
"""

import os
import signal
import sys
from contextlib import contextmanager
from datetime import UTC, date, datetime
from threading import Lock

import dask

from tsubame.periods import Quarter
from tsubame.pipeline.cluster import connect
from tsubame.pipeline.counts import count_days
from tsubame.pipeline.ingest import ingest_days
from tsubame.pipeline.report import publish_quarter, validate_quarter
from tsubame.settings import Settings
from tsubame.stores import Store

NOW = datetime(2023, 6, 1, tzinfo=UTC)
FIRST, LAST = date(2023, 1, 14), date(2023, 1, 28)
_CLUSTER = {"processes": False, "n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class HalfWritten:
    """Writes the first half of a larger piece, and dies."""

    def __init__(self, sink):
        self._sink = sink

    def __getattr__(self, name):
        return getattr(self._sink, name)

    def write(self, content):
        content = bytes(content)
        if len(content) > 16:
            self._sink.write(content[: len(content) // 2])
            self._sink.flush()
            die()
        return self._sink.write(content)


def arm(prefix, number, moment):
    """Let the store end this process at the chosen moment."""
    writing, delete, lock = Store.writing, Store.delete, Lock()
    left = number

    def is_meant(key, deleting):
        nonlocal left
        with lock:
            left -= key.startswith(prefix.removeprefix("-")) and deleting == prefix.startswith("-")
            return left == 0 and key.startswith(prefix.removeprefix("-")) and deleting == prefix.startswith("-")

    @contextmanager
    def armed_writing(self, key):
        meant = is_meant(key, False)
        if meant and moment == "before":
            die()
        with writing(self, key) as sink:
            yield HalfWritten(sink) if meant and moment == "middle" else sink
            if meant and moment in ("middle", "written"):
                sink.flush()
                die()
        if meant:
            die()

    def armed_delete(self, key):
        meant = is_meant(key, True)
        if meant and moment == "before":
            die()
        delete(self, key)
        if meant:
            die()

    Store.writing, Store.delete = armed_writing, armed_delete


def main(steps, prefix, number, moment):
    settings, quarter = Settings.from_environment(), Quarter(2023, 1)
    with (
        dask.config.set({"tsubame.cluster.class": "distributed.LocalCluster", "tsubame.cluster.arguments": _CLUSTER}),
        connect(),
    ):
        arm(prefix, int(number), moment)
        if steps == "days":
            ingest_days(settings, FIRST, LAST)
            count_days(settings, FIRST, LAST)
        else:
            validate_quarter(settings, quarter, now=NOW)
            publish_quarter(settings, quarter, now=NOW)


if __name__ == "__main__":
    main(*sys.argv[1:])
