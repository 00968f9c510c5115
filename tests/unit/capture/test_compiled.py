"""Machine code is kept and found again: by several processes, in installations that cannot be written."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

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


# An installation of its own, in which nothing is compiled yet


@pytest.fixture
def installation():
    """A copy of the package without its caches, in a folder that any user may read."""
    folder = Path(tempfile.mkdtemp(prefix="tsubame-test-"))
    folder.chmod(0o755)
    try:
        # None of what is installed is copied beside it: the import of the checkout must not win.
        shutil.copytree(ROOT / "tsubame", folder / "tsubame", ignore=shutil.ignore_patterns("__pycache__"))
        yield folder
    finally:
        shutil.rmtree(folder)


WHERE = "import tsubame.capture.compiled as c; print(c.__file__)"


def start(installation, program=PROGRAM, **environment):
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-B", "-c", program],
        cwd=installation, env=kept | {"PYTHONPATH": str(installation)} | environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def said(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""
    return out.strip()


def test_several_processes_may_begin_with_an_empty_cache_at_once(installation, tmp_path):
    own = installation / "tsubame" / "capture" / "__pycache__"
    assert said(start(installation, WHERE)).startswith(str(installation))
    environment = {"HOME": str(tmp_path)}
    assert [said(process) for process in [start(installation, **environment) for _ in range(3)]] == ["True"] * 3
    # One file, whoever wrote it last, and nothing half written beside it.
    assert [path.suffix for path in own.iterdir()] == [".kernel"]
    assert said(start(installation, **environment)) == "False"


#: Compiles as who it is started by, so that all is imported that may lie where others cannot read; then becomes
#: nobody if it is root, forgets the machine code, and looks for it in other places.
AS_ANOTHER = (
    PROGRAM
    + """
import os, sys
import tsubame.capture.compiled as compiled

home, meant = sys.argv[1], sys.argv[2]
if not os.geteuid():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
del os.environ["TSUBAME_CACHE_DIR"]
os.environ["HOME"] = compiled.tempfile.tempdir = home

def again():
    enter_time._native = None
    enter_time(0, clock_of(zoneinfo.ZoneInfo("UTC")), numpy.zeros(STATE_SIZE, numpy.int64))

again()
kept = [str(path) for folder in compiled._directories() for path in folder.glob("*") if path.suffix]
print(len(kept), all(path.startswith(meant) for path in kept))
if kept:
    compiled._compile = None
    again()
"""
)


@pytest.mark.parametrize("writable", [True, False], ids=["with a home", "without a home"])
def test_a_read_only_installation_keeps_its_code_with_its_user_or_not_at_all(installation, tmp_path, writable):
    home = installation / "home"
    home.mkdir()
    if not os.geteuid():
        os.chown(home, 65534, 65534)
    home.chmod(0o755 if writable else 0o555)
    own = installation / "tsubame" / "capture" / "__pycache__"
    own.mkdir()
    own.chmod(0o555)
    program = ["-B", "-c", AS_ANOTHER, str(home), str(home / ".cache" / "tsubame")]
    try:
        process = subprocess.run(
            [sys.executable, *program], cwd=installation, capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(installation), "TSUBAME_CACHE_DIR": str(tmp_path / "c")},
        )  # fmt: skip
    finally:
        own.chmod(0o755)
        home.chmod(0o755)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.split("\n")[1] == ("1 True" if writable else "0 True")
