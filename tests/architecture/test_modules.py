"""The shape of the code: what may be imported at start, how long a module is, what a project file may name."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = (
    "numpy",
    "pandas",
    "pyarrow",
    "dask",
    "distributed",
    "matplotlib",
    "seaborn",
    "great_expectations",
    "airflow",
    "numba",
)


def tracked(*patterns):
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", *patterns], capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: tracked files cannot be listed")
    return [ROOT / name for name in listed.stdout.split("\n") if name and (ROOT / name).exists()]


@pytest.mark.parametrize("module", ["tsubame", "tsubame.periods", "tsubame.settings", "tsubame.errors", "tsubame.cli"])
def test_what_the_scheduler_and_the_shell_import_is_light(module):
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"


def test_no_module_grows_out_of_reading():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("tsubame/**.py", "expectations/**.py", "dags/**.py", "plugins/**.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert not long


def test_dag_files_stay_thin():
    """Beside the notes for triage, which a DAG's page shows."""
    files = {path.name: path.read_text(encoding="utf-8") for path in tracked("dags/*.py")}
    notes = {name: ast.get_docstring(ast.parse(text), clean=False) or "" for name, text in files.items()}
    lines = {name: text.count("\n") - notes[name].count("\n") for name, text in files.items()}
    assert max(lines.values()) <= 110, lines


def test_no_lock_names_a_registry_host():
    for path in tracked("*.lock.txt", "infra/*.lock.txt"):
        assert not re.search(r"https?://", path.read_text(encoding="utf-8")), path


def test_every_import_contract_holds():
    lint = Path(sys.executable).with_name("lint-imports")
    said = subprocess.run([str(lint), "--no-logo"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert said.returncode == 0, said.stdout + said.stderr
