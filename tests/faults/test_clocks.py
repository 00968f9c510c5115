"""Wall clocks that leap during a run, and that differ between a client and the S3 service.

The clock of a process, and of all that it starts, is shifted by a preloaded library, whoever reads it. What
the kernel stamps, as the times of files, is not shifted: a store has a clock of its own.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from infra.s3.buckets import make_buckets
from infra.s3.service import S3Service
from tests.faults.conftest import FIRST, LAST, objects
from tests.faults.recording import TO_THE_BYTE

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).resolve().parents[2]
HOUR = 3600
COMMAND = "import sys; from tsubame.cli.main import main; sys.exit(main())"
SPAN = ("--from", str(FIRST), "--to", str(LAST))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc")
    if not compiler or sys.platform != "linux":
        pytest.skip("needs a C compiler on Linux")
    path = tmp_path_factory.mktemp("clock") / "shifted_clock.so"
    source = Path(__file__).with_name("shifted_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", path, source, "-ldl"], check=True)
    return path


class Clock:
    """A clock that can be shifted while processes read it.

    Attributes:
        environment: of the processes that are to read it.
    """

    def __init__(self, library, path):
        self._path = path
        path.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(path)}

    def shift(self, seconds):
        with self._path.open("r+b", buffering=0) as sink:
            sink.write(int(seconds).to_bytes(8, sys.byteorder, signed=True))


@pytest.fixture
def clock(library, tmp_path):
    return Clock(library, tmp_path / "shift")


def environment_of(settings, clock):
    named = {
        f"TSUBAME_{name.upper()}_URL": str(getattr(settings, f"{name}_url"))
        for name in ("captures", "delegations", "lake", "site", "sensors")
    }
    inherited = {key: value for key, value in os.environ.items() if key != "DASK_SCHEDULER_ADDRESS"}
    return {**inherited, "PYTHONPATH": str(CHECKOUT), **named, **clock.environment}


def command(settings, clock, *arguments, **more):
    """Run a command whose clock is shifted, with workers of its own."""
    Path(settings.lake_url).parent.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], env=environment_of(settings, clock) | more,
        cwd=Path(settings.lake_url).parent if "://" not in settings.lake_url else None, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def set_back_and_done(settings, clock, folder, pattern, number, step):
    """Run a step whose clock is set right midway; return what became of it, having run it again if it failed."""
    leapt = leaping(clock, 0, folder, pattern, number)
    first = command(settings, clock, step, *SPAN)
    assert leapt.is_set()
    if first.returncode == 0:
        return "went on"
    assert first.returncode == 4, first.stderr
    (line,) = (text for text in first.stderr.replace("\r", "\n").splitlines() if text.startswith("tsubame: "))
    assert "Dask is silent since this machine's clock was set back: found 93,6" in line
    assert command(settings, clock, step, *SPAN).returncode == 0
    return "status 4 after a minute and one line; run again"


def leaping(clock, seconds, folder, pattern, number):
    """Shift the clock when so many files match; returns the thread, which tells in ``leapt`` whether it did."""
    leapt = threading.Event()

    def watch():
        until = time.monotonic() + 200
        while time.monotonic() < until:
            if sum(1 for _ in Path(folder).glob(pattern)) >= number:
                clock.shift(seconds)
                leapt.set()
                return
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    return leapt


def test_the_clock_is_shifted_for_every_reader(clock):
    clock.shift(26 * HOUR)
    program = "import time, datetime; print(time.time(), datetime.datetime.now(datetime.UTC).timestamp())"
    said = subprocess.run([sys.executable, "-c", program], env=os.environ | clock.environment, capture_output=True)
    assert [round((float(each) - time.time()) / HOUR) for each in said.stdout.split()] == [26, 26]


def test_a_run_of_days(fault, clock, fresh, undisturbed):
    hours = 26
    done = f"by {hours} h during `ingest`, and back during `count`, for client, scheduler and workers"
    with fault("the clock leaps forwards: ingest, count", done) as told:
        leapt = leaping(clock, hours * HOUR, fresh.lake_url, "flows/**/*.parquet", 12)
        ingested = command(fresh, clock, "ingest", *SPAN)
        assert (ingested.returncode, leapt.is_set()) == (0, True), ingested.stderr
        became = set_back_and_done(fresh, clock, fresh.lake_url, "counts/*/*.parquet", 3, "count")
        assert objects(fresh.lake_url) == undisturbed
        told.held = f"ingest went on; count {became}: {TO_THE_BYTE}"


def test_a_clock_that_is_set_back(fault, clock, fresh, undisturbed):
    hours = 26
    done = f"by {hours} h during `ingest`, for client, scheduler and workers; then run again"
    with fault("the clock is set back: ingest", done) as told:
        clock.shift(hours * HOUR)
        became = set_back_and_done(fresh, clock, fresh.lake_url, "flows/**/*.parquet", 12, "ingest")
        assert command(fresh, clock, "count", *SPAN).returncode == 0
        assert objects(fresh.lake_url) == undisturbed
        told.held = f"{became}: {TO_THE_BYTE}"


@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_that_s3_refuses(fault, clock, fresh, tmp_path, hours):
    done = f"{hours:+} h; Swift's S3 interface refuses signatures more than a quarter of an hour off"
    with fault(f"the client's clock {hours:+} h, with S3", done) as told, S3Service(tmp_path / "s3") as service:
        make_buckets(service.environment(), ["lake"])
        clock.shift(hours * HOUR)
        more = {**service.environment(), "TSUBAME_LAKE_URL": "s3://lake", "AWS_EC2_METADATA_DISABLED": "true"}
        refused = command(fresh, clock, "ingest", *SPAN, **more)
        assert refused.returncode == 4, refused.stderr
        lines = [line for line in refused.stderr.replace("\r", "\n").splitlines() if line.startswith("tsubame: ")]
        assert len(lines) == 1, refused.stderr
        assert lines[0].endswith("Check this machine's clock."), lines
        assert f"2 h 00 min {'ahead of' if hours > 0 else 'behind'}" in lines[0]
        told.held = f"status 4 and one line (“{lines[0].removeprefix('tsubame: ')[:160]}”)"
