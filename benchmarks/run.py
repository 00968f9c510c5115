"""Run the benchmarks and write ``RESULTS.md`` and ``scale.md``.

    python benchmarks/run.py [PART …] [--small]

Each part is a program of its own; its rows are kept in ``results/rows``, and both pages are written anew from all rows
there are, so a long run may be done in parts. A part that fails loses nobody else's rows; the status is 1 then. With
``--small`` everything is a hundredth of its size and nothing is kept: a rehearsal. ``scale`` only writes the pages.
"""

# ruff: noqa: E501 - a table is read by its rows
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import scale
from harness import Row, shown

HERE = Path(__file__).parent
ROWS = HERE / "results" / "rows"
SECONDS_A_PART = 1200
PARTS: dict[str, tuple[str, list[str]]] = {
    "capture": ("Reading a capture", ["--packets=100000"]),
    "lookup": ("Regions of addresses", ["--addresses=100000"]),
    "counting": ("Counting a day", ["--packets=100000"]),
    "growth": ("Growth with packets and sensors", ["--packets=1000000", "--shared=40000"]),
    "many_objects": ("Workers, Dask and many objects", ["--objects=1000", "--packets=4000"]),
    "s3_requests": ("Requests of an S3 service", ["--captures=16"]),
    "quarter": ("A quarter's report", ["--counts=500000"]),
    "simulation": ("The largest that fits here", ["--packets=3000000", "--days=3"]),
}


def run_part(part: str, folder: Path, small: bool) -> bool:
    """Run one part, its rows into ``folder``; return whether it went well."""
    command = [sys.executable, str(HERE / f"{part}.py"), "--rows", str(folder / f"{part}.json")]
    print(f"== {part}: {PARTS[part][0]}", flush=True)
    begin = time.monotonic()
    try:
        status = subprocess.run(command + PARTS[part][1] * small, check=False, timeout=SECONDS_A_PART).returncode
    except subprocess.TimeoutExpired:
        status = -1
        print(f"{part}: not done after {SECONDS_A_PART} s", file=sys.stderr)
    print(f"== {part}: {time.monotonic() - begin:.0f} s{'' if status == 0 else f', FAILED ({status})'}", flush=True)
    return status == 0


def read_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is kept of each part, in the order of the parts."""
    return {part: json.loads(path.read_text("utf-8")) for part in PARTS if (path := folder / f"{part}.json").exists()}


def results_page(kept: dict[str, dict[str, Any]]) -> str:
    """Return ``RESULTS.md``."""
    lines = [
        "# Results", "",
        "Written by `make bench` from `benchmarks/results/rows`; one part again: `make bench ONLY=counting`. Seconds are CPU seconds, user and",
        "system, unless they are said to be wall; memory is the peak of one process. Ratios are of one run on one machine, the best of its rounds.",
        "",
    ]  # fmt: skip
    missed = []
    for part, (title, _) in PARTS.items():
        lines += [f"## {title}", ""]
        if part not in kept:
            lines += ["Not measured.", ""]
            continue
        found = kept[part]
        rows = [Row(**row) for row in found["rows"]]
        missed += [
            f"{row.what.strip()}: {shown(row.value, row.unit)}, asked {row.reach}" for row in rows if not row.held
        ]
        load = " before and ".join(f"{value:g}" for value in found["load"])
        lines += [f"`{found['command']}`, {found['date']}, {found['seconds']} s; load {load} after.", ""]
        lines += ["| what | measured | asked | |", "|---|---|---|---|"]
        lines += [
            f"| {row.what.replace('  ', '– ', 1)} | {shown(row.value, row.unit)} | {row.reach}"
            f" | {'; '.join(filter(None, ['' if row.held else '**missed**', row.note]))} |"
            for row in rows
        ]
        if found["error"]:
            lines += ["", f"Did not finish: {found['error']}."]
        lines.append("")
    return "\n".join(lines + _airflow() + _missed(missed) + _machines(kept))


def _airflow() -> list[str]:
    files = sorted((HERE / "results").glob("*airflow*.md"))
    told = [f"See [{path.stem}](results/{path.name})." for path in files] or ["Not measured."]
    return ["## Airflow's share of a run", "", *told, ""]


def _missed(missed: list[str]) -> list[str]:
    return ["## Asked for and missed", "", *([f"- {text}" for text in missed] or ["Nothing."]), ""]


def _machines(kept: dict[str, dict[str, Any]]) -> list[str]:
    texts: dict[str, list[str]] = {}
    for part, found in kept.items():
        m = found["machine"]
        versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
        text = (
            f"{m['processor']}, {m['cores']} cores, {m['memory_gib']} GiB, {m['system']} {m['kernel']},"
            f" Python {m['python']}; {versions}."
        )
        texts.setdefault(text, []).append(part)
    return ["## Machine", "", *(f"{', '.join(parts)}: {text}" for text, parts in texts.items()), ""]


def write_pages(kept: dict[str, dict[str, Any]], folder: Path) -> bool:
    """Write both pages; return whether ``scale.md`` could be, for which every part must have been measured."""
    (folder / "RESULTS.md").write_text(results_page(kept), encoding="utf-8")
    values = {row["name"]: row["value"] for found in kept.values() for row in found["rows"]}
    try:
        (folder / "scale.md").write_text(scale.render(values), encoding="utf-8")
    except KeyError as error:
        print(f"scale.md is not written: not measured: {error.args[0]}", file=sys.stderr)
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, "scale", []], help=", ".join(PARTS))
    parser.add_argument("--small", action="store_true", help="a hundredth of everything, and keep nothing")
    options = parser.parse_args()
    parts = [part for part in options.parts or PARTS if part != "scale"]
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) if options.small else ROWS
        folder.mkdir(parents=True, exist_ok=True)
        failed = [part for part in parts if not run_part(part, folder, options.small)]
        written = write_pages(read_rows(folder), folder if options.small else HERE)
        if options.small:
            print((folder / "RESULTS.md").read_text("utf-8"))
            print((folder / "scale.md").read_text("utf-8") if written else "")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or not written else 0


if __name__ == "__main__":
    sys.exit(main())
