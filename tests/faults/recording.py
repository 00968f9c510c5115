"""The table of faults: one line each, written by the run itself while it runs."""

import os
import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from tsubame.provenance import code_version

TO_THE_BYTE = "lake equal to the byte"
CLEANLY = "failed cleanly, next run completed: lake equal to the byte"
_lines = {}
# Tests may be at work in other folders when they write their lines.
_TABLE = Path(os.environ["FAULTS_TABLE"]).absolute() if os.environ.get("FAULTS_TABLE") else None
_LIBRARIES = ("pyarrow", "distributed", "s3fs", "numba")


@dataclass
class Told:
    """What a test says of its fault: what was done, and what held when it has been looked at."""

    done: str
    held: str = "nothing was found to hold"


@contextmanager
def recorded(fault, done):
    """Add a line to the table for what happens in the block, whether it passes or not."""
    told, began = Told(done), time.monotonic()
    try:
        yield told
    except BaseException as error:
        told.held = f"**did not hold**: {(str(error).strip().splitlines() or [type(error).__name__])[0][:160]}"
        raise
    finally:
        _lines[fault] = f"| {fault} | {told.done} | {told.held} | {time.monotonic() - began:.1f} |".replace("\n", " ")
        _write()


def _write():
    if _TABLE is None:
        return
    _keep_lines_of(_TABLE)
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    head = [
        f"# Faults, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"`make faults` at {code_version()}; Python {platform.python_version()}, {libraries}; {os.cpu_count()} cores,",
        f"load average {os.getloadavg()[2]:.1f} over 15 minutes. Written by the run itself. The data are those of the",
        "scenario `tests/scenarios/tiny.toml` unless said otherwise; *equal to the byte*: flows, counts, sources and",
        "ledger are those of an undisturbed run.",
        "",
        "| fault | what was done | what held | seconds |",
        "|---|---|---|---|",
    ]
    _TABLE.write_text("\n".join([*head, *_lines.values()]) + "\n")


def _keep_lines_of(path):
    """Keep what an earlier run of the same table found; what runs again replaces its line."""
    lines = path.read_text().splitlines() if path.exists() else []
    for line in lines:
        name = line.split(" | ")[0].removeprefix("| ")
        if line.startswith("| ") and name != "fault":
            _lines.setdefault(name, line)


@pytest.fixture(scope="session")
def fault():
    """``with fault(name, what is done) as told`` records what the block finds out."""
    return recorded
