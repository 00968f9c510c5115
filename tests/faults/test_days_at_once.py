"""Two runs of the same days at the same time, with and without a capture that is replaced between them."""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.conftest import FIRST, LAST, NOW, Q1, objects, publish, run_days, served, settings_in
from tests.faults.recording import TO_THE_BYTE
from tsubame.pipeline.report import publish_quarter, validate_quarter

pytestmark = pytest.mark.long

CHECKOUT = Path(__file__).resolve().parents[2]


def command(settings, *arguments):
    """Start ``tsubame`` as a process of its own, with a cluster of its own."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TSUBAME_CAPTURES_URL": settings.captures_url}
    environment |= {"TSUBAME_DELEGATIONS_URL": settings.delegations_url, "TSUBAME_LAKE_URL": settings.lake_url}
    environment |= {"TSUBAME_SITE_URL": settings.site_url, "TSUBAME_SENSORS_URL": settings.sensors_url}
    environment.pop("DASK_SCHEDULER_ADDRESS", None)
    program = "import sys; from tsubame.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], env=environment, cwd=Path(settings.lake_url).parent,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process):
    """The exit status of a process and what it said."""
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def test_two_runs_of_the_same_days(fault, cluster, fresh, undisturbed):
    done = "`tsubame ingest` twice at once, then `tsubame count` twice at once"
    with fault("two runs of the same days at once", done) as told:
        for step in ("ingest", "count"):
            runs = [command(fresh, step, "--from", FIRST, "--to", LAST) for _ in range(2)]
            for status, said in map(finish, runs):
                assert status == 0, said
        run_days(fresh)
        assert objects(fresh.lake_url) == undisturbed
        told.held = f"both ended with 0; {TO_THE_BYTE}"


def test_a_capture_is_replaced_between_two_runs(fault, cluster, tiny, tmp_path):
    done = "one run begins, a capture is replaced, a second run begins before the first has ended"
    with fault("a capture replaced between two runs at once", done) as told:
        shutil.copytree(tiny, tmp_path / "there")
        settings = settings_in(tmp_path, tmp_path / "there")
        one, other = (sorted(Path(settings.captures_url, "jp-a/2023/01", day).iterdir())[0] for day in ("20", "18"))
        first = command(settings, "ingest", "--from", FIRST, "--to", LAST)
        flows = Path(settings.lake_url, "flows")
        while first.poll() is None and not list(flows.rglob("*.parquet")):
            time.sleep(0.01)
        one.write_bytes(other.read_bytes())
        second = command(settings, "ingest", "--from", FIRST, "--to", LAST)
        for status, said in (finish(first), finish(second)):
            assert status == 0, said
        count = finish(command(settings, "count", "--from", FIRST, "--to", LAST))
        assert count[0] == 0, count
        run_days(settings)
        alone = replace(settings, lake_url=str(tmp_path / "alone"))
        run_days(alone)
        assert objects(settings.lake_url) == objects(alone.lake_url)
        told.held = f"no capture counted twice; {TO_THE_BYTE}"


def test_the_same_run_at_the_same_time_leaves_another_ones_counts(fault, cluster, counted, calm_quarter):
    done = "a run with older flows puts its counts after the newer run's record, and is killed before its own record"
    with fault("counts of an older run under a newer run's record", done) as told:
        day = Path(counted.lake_url, "counts/day=2023-01-20/counts.parquet")
        day.write_bytes(Path(counted.lake_url, "counts/day=2023-01-19/counts.parquet").read_bytes())
        publish(counted)
        assert objects(counted.lake_url) == objects(calm_quarter.lake_url)
        assert served(counted) == served(calm_quarter)
        told.held = f"found by its digest, counted again; {TO_THE_BYTE}, edition the same"


def test_two_publications_at_once(fault, cluster, counted, calm_quarter):
    with fault("two publications of the same quarter at once", "two processes validate, then publish, at once") as told:
        validate_quarter(counted, Q1, now=NOW)
        publishers = [command(counted, "report", str(Q1)) for _ in range(2)]
        results = [finish(process) for process in publishers]
        assert served(counted) == served(calm_quarter)
        again = publish_quarter(counted, Q1, now=NOW)
        editions = sorted(path.name for path in Path(counted.site_url, str(Q1), "editions").iterdir())
        pointer = json.loads(Path(counted.site_url, str(Q1), "latest.json").read_text())
        assert not again.created
        told.held = (
            f"ended with {sorted(status for status, _ in results)}; editions {', '.join(editions)}, "
            f"edition {pointer['edition']} served, every file of it as its manifest tells"
        )


def test_many_reads_while_a_day_is_counted(fault, cluster, counted, calm_quarter):
    done = "a day is counted anew 20 times while another thread reads it"
    with fault("a day read while it is written", done) as told:
        from tsubame.pipeline.counts import recount_days
        from tsubame.pipeline.ledger import DamagedDays, DayRecord, read_day

        (path,) = Path(counted.lake_url, "ledger").glob("2023-01-20~*.json")
        record = DayRecord.from_json(path.read_bytes())
        counts, _ = read_day(counted, record)

        def read():
            whole = 0
            for _ in range(200):
                try:
                    whole += read_day(counted, record)[0].equals(counts)
                except DamagedDays:
                    whole += 0
            return whole

        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(read)
            for _ in range(20):
                recount_days(counted, [record.day])
            whole = reader.result()
        assert whole == 200
        assert objects(counted.lake_url) == objects(calm_quarter.lake_url)
        told.held = f"each of 200 reads whole; {TO_THE_BYTE}"
