"""Machine code is kept and found again: by several processes, in installations that cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from tsubame.aggregate.clock import clock_of
from tsubame.aggregate.grouping import STATE_SIZE, enter_time
import numpy, zoneinfo
enter_time(0, clock_of(zoneinfo.ZoneInfo("UTC")), numpy.zeros(STATE_SIZE, numpy.int64))
print("numba" in sys.modules)
"""


def run(cache, **more):
    environment = {
        name: value for name, value in os.environ.items() if name not in ("NUMBA_DISABLE_JIT", "TSUBAME_CACHE_DIR")
    }
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment | {"TSUBAME_CACHE_DIR": str(cache)} | more,
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_second_process_needs_no_compiler(tmp_path):
    # The installation's own cache may hold the code already; this kernel's type makes no difference there.
    cache = tmp_path / "cache"
    run(cache)
    assert run(cache).stdout.strip() == "False"


def test_damaged_code_is_not_run(tmp_path):
    cache = tmp_path / "cache"
    run(cache)
    for path in cache.glob("*.kernel"):
        path.write_bytes(path.read_bytes()[:-100])
    run(cache)


def test_a_directory_that_others_may_write_is_not_trusted(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    run(cache)
    assert not list(cache.glob("*.kernel"))
