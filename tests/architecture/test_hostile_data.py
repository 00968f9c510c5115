"""No stored or received data is ever run: read from every module's syntax; and the threat model names its tests."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.test_modules import ROOT, tracked

UNPICKLERS = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle", "code"}
XML = {"xml", "lxml", "xmlrpc"}
RUN = {"eval", "exec", "compile", "__import__", "input", "breakpoint"}
METHODS = {"read_pickle", "to_pickle", "load_module", "exec_module", "literal_eval", "loads_pickle"}
KNOWN = {("tsubame/capture/compiled.py", "exec()")}
"""The text is made of numbers and type names two lines above; ``test_compiled`` holds what it makes."""


def dangers(path: Path, source: str) -> set[str]:
    """What in a module could run data, or let XML reach for entities."""
    found = set()
    for node in ast.walk(ast.parse(source, str(path))):
        if isinstance(node, ast.Import):
            found |= {f"import {a.name}" for a in node.names if a.name.partition(".")[0] in UNPICKLERS | XML}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNPICKLERS | XML:
            found.add(f"import {node.module}")
        elif isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in RUN:
                found.add(f"{function.id}()")
            if isinstance(function, ast.Attribute):
                owner = function.value.id if isinstance(function.value, ast.Name) else ""
                if function.attr in METHODS or (owner == "os" and function.attr in ("system", "popen")):
                    found.add(f".{function.attr}()")
                if owner == "yaml" and not function.attr.startswith("safe_"):
                    found.add(f"yaml.{function.attr}()")
            for keyword in node.keywords:
                on = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
                if keyword.arg in ("shell", "allow_pickle") and (on or not isinstance(keyword.value, ast.Constant)):
                    found.add(f"{keyword.arg}=True")
                if keyword.arg == "autoescape" and isinstance(keyword.value, ast.Constant) and not keyword.value.value:
                    found.add("autoescape=False")
    return found


def test_nothing_runs_what_it_reads():
    modules = tracked("tsubame/**.py", "expectations/**.py", "plugins/**.py", "dags/**.py", "infra/**.py")
    assert len(modules) > 150
    found = {
        (str(path.relative_to(ROOT)), danger)
        for path in modules
        for danger in dangers(path, path.read_text(encoding="utf-8"))
    }
    assert found == KNOWN


@pytest.mark.parametrize(
    ("source", "danger"),
    [
        ("import pickle", "import pickle"), ("from xml.etree import ElementTree", "import xml.etree"),
        ("def f(t):\n eval(t)", "eval()"), ("import yaml\nyaml.load(t)", "yaml.load()"),
        ("np.load(p, allow_pickle=True)", "allow_pickle=True"), ("run(c, shell=x)", "shell=True"),
        ("pd.read_pickle(p)", ".read_pickle()"), ("Environment(autoescape=False)", "autoescape=False"),
    ],
)  # fmt: skip
def test_the_reading_finds_what_it_is_for(source, danger):
    assert danger in dangers(Path("x.py"), source)


def test_each_claim_of_the_threat_model_names_tests_that_there_are():
    model = (ROOT / "infra" / "security" / "threat-model.md").read_text(encoding="utf-8")
    assert len(model.splitlines()) <= 80, "one page"
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", model)
    assert len(named) >= 20
    for file, test in named:
        assert (ROOT / file).exists(), file
        assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test}"
    # A row of what holds without a test of it would be a hope.
    held = model.partition("## What holds")[2].partition("## What does not")[0]
    rows = [line for line in held.splitlines() if line.startswith("| ") and not line.startswith(("| threat", "|---"))]
    assert len(rows) >= 10
    assert not [row for row in rows if "`tests/" not in row and "`make check`" not in row]
