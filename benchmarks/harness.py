"""What every benchmark shares: rows, work in processes of their own, what was run where, and the command line.

A benchmark is a script with one function that yields rows::

    def measure(options: argparse.Namespace) -> Iterator[Row]: ...

    if __name__ == "__main__":
        harness.main("counting", __doc__, measure, {"packets": 10_000_000})

It prints its rows as they come; with ``--rows FILE`` it keeps them for ``run.py``, which writes ``RESULTS.md``. Work
whose CPU time and memory count is a function marked ``@harness.work``: ``harness.measured`` runs it in a process that
has done nothing else. It returns a dictionary of numbers; ``peak``, in bytes, is added.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Work = Callable[..., dict[str, Any]]
_works: dict[str, Work] = {}
PACKAGES = (
    "numpy", "numba", "pyarrow", "zlib-ng", "isal", "zstandard", "dask", "distributed", "s3fs", "duckdb",
    "pandas", "great-expectations", "apache-airflow",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        name: by which ``scale.py`` and other programs know it.
        what: what was measured, in words.
        at_most, at_least: what it should reach; None where it is only told.
        note: conditions that belong to the figure.
    """

    name: str
    what: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def reach(self) -> str:
        """What it should reach, in words; empty where nothing is asked."""
        if self.at_most is not None:
            return f"≤ {shown(self.at_most, self.unit)}"
        return f"≥ {shown(self.at_least, self.unit)}" if self.at_least is not None else ""

    @property
    def held(self) -> bool:
        """Whether it reached what it should."""
        below = self.at_most is None or self.value <= self.at_most
        return below and (self.at_least is None or self.value >= self.at_least)

    def __str__(self) -> str:
        asked = f"  ({self.reach}{'' if self.held else ': missed'})" if self.reach else ""
        return f"{self.what:<72} {shown(self.value, self.unit)}{asked}"


def shown(value: float, unit: str) -> str:
    """Return a value with its unit, three digits that count and no power of ten."""
    size = abs(value)
    if float(value).is_integer() and size >= 1:
        text = f"{value:,.0f}"
    else:
        text = f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def work(function: Work) -> Work:
    """Mark a function that ``measured`` may run in a process of its own."""
    _works[function.__name__] = function
    return function


def measured(function: Work, **arguments: Any) -> dict[str, Any]:
    """Run a function marked ``work`` in a new process; return what it returned, and ``peak``, its memory in bytes.

    Raises:
        RuntimeError: it failed; carries the last line it said.
    """
    script = str(Path(function.__code__.co_filename).resolve())
    command = [sys.executable, script, "--work", function.__name__, json.dumps(arguments)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode:
        lines = said.stderr.strip().splitlines() or ["nothing said"]
        raise RuntimeError(f"{function.__name__}({arguments}): status {said.returncode}: {lines[-1]}")
    result: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return result


def best(runs: Iterable[dict[str, Any]], by: str = "cpu") -> dict[str, Any]:
    """Return the run that cost least: what others do on the machine only ever adds."""
    return min(runs, key=lambda run: run[by])


@contextmanager
def spent() -> Iterator[dict[str, float]]:
    """Give a dictionary that holds, after the block, its ``cpu`` and ``wall`` seconds in this process."""
    found: dict[str, float] = {}
    cpu, wall = time.process_time(), time.perf_counter()
    yield found
    found["cpu"], found["wall"] = time.process_time() - cpu, time.perf_counter() - wall


def peak_memory() -> int:
    """Return the most memory this process has held, in bytes; of this program alone, unlike ``ru_maxrss``."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    print(f"  {datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """Return what the figures depend on; no names of hosts."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    memory = Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]
    return {
        "processor": next((line.split(":")[1].strip() for line in info if "model name" in line), platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory) / 2**20),
        "kernel": platform.release().split("-")[0],
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main(
    part: str, about: str | None, measure: Callable[[argparse.Namespace], Iterable[Row]], sizes: dict[str, int | float]
) -> None:
    """Be the program of a benchmark.

    Args:
        part: its name.
        about: the script's docstring.
        sizes: options that scale it, with their defaults.
    """
    if sys.argv[1:2] == ["--work"]:
        found = _works[sys.argv[2]](**json.loads(sys.argv[3]))
        print(json.dumps({"peak": peak_memory(), **found}))
        return
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help="default: %(default)s")
    parser.add_argument("--rows", type=Path, help="keep the rows here, as JSON")
    options = parser.parse_args()
    started, load, rows, error = datetime.now(UTC), os.getloadavg()[0], [], ""
    try:
        for row in measure(options):
            rows.append(row)
            print(row, flush=True)
    except Exception as raised:  # noqa: BLE001 - of whatever kind, it is told and the status says so
        # What was measured before it is kept; the status says that it is not all.
        error = f"{type(raised).__name__}: {raised}"
        print(f"{part}: {error}", file=sys.stderr)
    if options.rows:
        given = "".join(f" --{name} {getattr(options, name)}" for name in sizes)
        kept = {
            "part": part,
            "date": f"{started:%Y-%m-%d %H:%M} UTC",
            "command": f"python benchmarks/{Path(sys.argv[0]).name}{given}",
            "seconds": round((datetime.now(UTC) - started).total_seconds()),
            "load": [round(load, 1), round(os.getloadavg()[0], 1)],
            "machine": machine(),
            "error": error,
            "rows": [asdict(row) for row in rows],
        }
        options.rows.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if error:
        raise SystemExit(1)
