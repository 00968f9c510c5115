import importlib.util
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent


def load_layouts():
    name = "tsubame_test_layouts"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, GOLDEN / "layouts.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def layouts():
    return load_layouts()


@pytest.fixture(scope="session")
def analysis(layouts):
    return layouts.analysis_2023q1()


@pytest.fixture(scope="session")
def context(layouts):
    return layouts.make_context()
