"""The suites, the frames they run on and the schemas agree."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

from tsubame import schemas
from tsubame.validation.suites import SUITES, quiet

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built():
    with quiet():
        return {name: importlib.import_module(f"expectations.suites.{name}").build() for name in SUITES}


@pytest.fixture(scope="module")
def frames():
    from tests.unit.validation.test_quarter import good
    from tsubame.validation.frames import build_frames

    return build_frames(good.__wrapped__())


def test_every_module_of_suites_is_run():
    assert {m.name for m in pkgutil.iter_modules([str(ROOT / "expectations" / "suites")])} == set(SUITES)


def test_every_frame_has_a_suite(frames):
    assert set(frames) == set(SUITES)


def test_expectations_name_columns_that_their_frames_have(built, frames):
    for name, expectations in built.items():
        for each in expectations:
            named = {
                getattr(each, field)
                for field in ("column", "column_A", "column_B", "part", "whole", "left", "right", "label")
                if getattr(each, field, None)
            } | set(getattr(each, "column_list", None) or ())
            assert named <= set(frames[name].columns), (name, each)


def test_the_suite_of_counts_is_the_schema_of_counts(built):
    of_column = {}
    for each in built["counts"]:
        condition = re.search(r'"(\w+)"', str(each.row_condition or ""))
        if condition:
            of_column.setdefault(condition[1], []).append(each)
    assert set(of_column) == set(schemas.COUNTS.names)
    for column in schemas.COUNTS.columns:
        types = [e.value_set for e in of_column[column.name] if e.column == "type"]
        assert types == [[str(column.type)]]
        assert any(e.column == "nulls" for e in of_column[column.name]) == (not column.nullable)


def test_every_expectation_has_a_severity_and_says_what_it_expects(built):
    for name, expectations in built.items():
        assert expectations, name
        for each in expectations:
            assert each.severity.value in {"critical", "warning", "info"}
            assert each.description, (name, each)
            assert len(each.description) < 160


def test_every_expectation_is_said_in_japanese(built):
    from expectations.texts import EXPECTED, in_japanese

    said = {each.description for expectations in built.values() for each in expectations}
    for description in said:
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", in_japanese(description)), description
    assert set(EXPECTED) <= said, "no text is left over from an expectation that is gone"


def test_every_line_has_the_same_values_in_both_languages():
    import string

    from expectations.texts import LINES

    for key, line in LINES.items():
        named = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in line]
        assert named[0] == named[1], key


def test_every_bound_has_its_reason():
    """A string follows each constant of bounds.py."""
    lines = inspect.getsource(importlib.import_module("expectations.bounds")).splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[A-Z_]+ = ", line):
            assert lines[number + 1].startswith('"""'), line


def test_each_custom_expectation_is_in_a_file_of_its_own():
    for path in (ROOT / "expectations").glob("*.py"):
        classes = re.findall(r"^class (\w+)\(", path.read_text(), flags=re.MULTILINE)
        assert len(classes) <= (2 if path.name == "frame.py" else 1), path.name


def test_nothing_else_imports_great_expectations():
    for path in (ROOT / "tsubame").rglob("*.py"):
        if path.parent.name != "validation":
            assert not re.search(r"^\s*(import|from) great_expectations", path.read_text(), re.MULTILINE), path


def test_importing_the_packages_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys, tsubame.validation.quarter, tsubame.analysis.quarter, expectations\n"
        "heavy = {'great_expectations', 'pandas', 'scipy', 'matplotlib', 'dask'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
