import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def airflow_environment(home: Path, **more: str) -> dict[str, str]:
    """An environment in which Airflow knows this checkout's DAGs and plugin and touches nothing but ``home``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "TSUBAME_"))}
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONPATH": str(CHECKOUT),
        **more,
    }


def probe(home: Path, **more: str) -> dict:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("probe_dags.py"))],
        env=airflow_environment(home, **more), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What ``probe_dags.py`` tells of every DAG file."""
    return probe(tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="session")
def republishing(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The same of a deployment that publishes stale quarters anew."""
    return probe(tmp_path_factory.mktemp("airflow"), TSUBAME_REPUBLISH="yes")


@pytest.fixture(scope="session")
def in_process(tmp_path_factory: pytest.TempPathFactory):
    """Import ``tsubame_airflow`` here: Airflow's own warnings at import are not ours to mend."""
    before = {name: os.environ.get(name) for name in ("AIRFLOW_HOME", "AIRFLOW__CORE__LOAD_EXAMPLES")}
    os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow-import"))
    sys.path.insert(0, str(CHECKOUT / "plugins"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tsubame_airflow.alarms
            import tsubame_airflow.assets
            import tsubame_airflow.deployment
            import tsubame_airflow.metrics
            import tsubame_airflow.operators
            import tsubame_airflow.tasks
            import tsubame_airflow.timetables
            import tsubame_airflow.triggers  # noqa: F401

            yield sys.modules["tsubame_airflow"]
    finally:
        sys.path.remove(str(CHECKOUT / "plugins"))
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
