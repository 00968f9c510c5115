"""Rules that every DAG file keeps, whoever writes it."""

import ast
import re
from pathlib import Path

import pytest

from infra.airflow.services import POOLS

CHECKOUT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((CHECKOUT / "dags").glob("*.py"))
PARSE_SECONDS = 0.5


def test_every_file_is_imported_and_holds_one_dag(loaded):
    assert set(loaded["files"]) == {path.name for path in DAG_FILES}
    assert not {name: found["errors"] for name, found in loaded["files"].items() if found["errors"]}
    assert sorted(dag["file"] for dag in loaded["dags"].values()) == sorted(loaded["files"])


def test_a_file_is_named_as_its_dag(loaded):
    assert {f"{name}.py" for name in loaded["dags"]} == set(loaded["files"])


def test_parsing_is_quick_and_imports_nothing_heavy(loaded):
    for name, found in loaded["files"].items():
        assert found["heavy"] == [], name
        assert found["seconds"] < PARSE_SECONDS, name


def test_every_dag_says_what_it_is(loaded):
    for name, dag in loaded["dags"].items():
        assert "tsubame" in dag["tags"], name
        assert "fails" in (dag["doc"] or ""), f"{name} has no triage notes"
        assert dag["catchup"] is False, name
        assert 1 <= dag["max_active_runs"] <= 2, name


def test_every_task_has_owner_retries_timeout_and_a_line_about_it(loaded):
    for name, dag in loaded["dags"].items():
        for task_name, task in dag["tasks"].items():
            where = f"{name}.{task_name}"
            assert task["owner"] not in ("", "airflow"), where
            assert task["retries"] >= 2, where
            assert task["backoff"], where
            # What waits for a person waits as long as the person may take; its own work is a look into the lake.
            assert task["timeout"] or task_name == "decide", where
            assert task["doc"], where
            assert task_name in dag["doc"] or len(dag["tasks"]) == 1, f"{where} is not in the triage notes"


def test_tasks_that_compute_on_dask_share_its_pool_and_what_waits_does_not_hold_it(loaded):
    pools = {
        f"{name}.{task_name}": task["pool"]
        for name in ("report_quarter", "observe_day")
        for task_name, task in loaded["dags"][name]["tasks"].items()
    }
    assert {name for name, pool in pools.items() if pool == "dask"} == {
        "report_quarter.complete_days", "report_quarter.validate", "report_quarter.publish",
        "observe_day.ingest", "observe_day.count",
    }  # fmt: skip
    used = {task["pool"] for dag in loaded["dags"].values() for task in dag["tasks"].values()}
    assert used - {"default_pool"} <= set(POOLS), "`make airflow` makes every pool that a task names"


def test_a_day_and_a_quarter_have_deadlines(loaded):
    assert {name: dag["deadlines"] for name, dag in loaded["dags"].items()} == {
        "delegations_daily": [], "observe_day": [18 * 3600], "report_quarter": [6 * 3600],
    }  # fmt: skip


def test_a_run_with_a_deadline_can_be_cleared(loaded):
    """Airflow's own reference to the moment of queueing makes that impossible (apache/airflow#70368)."""
    assert {tuple(dag["counted_from"]) for dag in loaded["dags"].values()} == {(), ("FirstQueuedAt",)}


def test_the_data_path_is_the_order_of_the_tasks(loaded):
    tasks = loaded["dags"]["report_quarter"]["tasks"]
    assert tasks["validate"]["upstream"] == ["complete_days"]
    assert tasks["decide"]["upstream"] == ["validate"]
    assert tasks["publish"]["upstream"] == ["decide"]
    assert tasks["suite"]["upstream"] == ["validate"]
    tasks = loaded["dags"]["observe_day"]["tasks"]
    assert tasks["ingest"]["upstream"] == ["await_captures"]
    assert tasks["count"]["upstream"] == ["ingest"]
    assert tasks["watch"]["upstream"] == tasks["mark_stale"]["upstream"] == ["count"]


def test_mapped_tasks_have_names(loaded):
    mapped = {name: t["named"] for dag in loaded["dags"].values() for name, t in dag["tasks"].items() if t["mapped"]}
    assert set(mapped) == {"suite"}
    assert all(mapped.values())


def test_assets_join_the_dags(loaded):
    outlets = {
        outlet for dag in loaded["dags"].values() for task in dag["tasks"].values() for outlet in task["outlets"]
    }
    assert outlets == {"delegations", "day_counts", "stale_quarter", "edition"}


def test_stale_quarters_run_again_only_where_the_deployment_wants_it(loaded, republishing):
    assert "stale" not in loaded["dags"]["report_quarter"]["timetable_data"]
    wanting = republishing["dags"]["report_quarter"]
    assert wanting["timetable_data"]["stale"]["name"] == "stale_quarter"
    assert wanting["summary"] == "quarterly + 5 d, Asia/Tokyo, or stale"
    assert wanting["listens_to"] == ["stale_quarter"]


def test_timetables_survive_serialisation_with_the_plugin(loaded):
    quarter = loaded["dags"]["report_quarter"]
    assert quarter["timetable"] == "QuarterTimetable"
    assert quarter["timetable_data"] == {"zone": "Asia/Tokyo", "lag_hours": 120}
    assert all(dag["partitioned"] for dag in loaded["dags"].values())


def test_the_schedule_follows_the_deployment(in_process, monkeypatch):
    deployment = in_process.deployment
    settings = {"TIMEZONE": "America/New_York", "PUBLICATION_LAG_DAYS": "2", "GRACE_HOURS": "1", "LOOKBACK_DAYS": "0"}
    for name, value in settings.items():
        monkeypatch.setenv(f"TSUBAME_{name}", value)
    assert deployment.report_zone() == "America/New_York"
    assert deployment.publication_lag_hours() == 48
    assert deployment.grace_hours() == 1
    assert deployment.lookback_days() == 0


def test_a_setting_that_cannot_be_meant_is_named(in_process, monkeypatch):
    from tsubame.errors import UsageError

    monkeypatch.setenv("TSUBAME_TIMEZONE", "Mars/Olympus")
    monkeypatch.setenv("TSUBAME_GRACE_HOURS", "-3")
    with pytest.raises(UsageError, match="unknown time zone: found 'Mars/Olympus'"):
        in_process.deployment.report_zone()
    with pytest.raises(UsageError, match="TSUBAME_GRACE_HOURS: not a whole number: found '-3'"):
        in_process.deployment.grace_hours()


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.name)
def test_a_dag_file_is_thin_and_imports_no_other(path: Path):
    source = path.read_text(encoding="utf-8")
    names = {other.stem for other in DAG_FILES}
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    assert not imported & names
    assert imported <= {"__future__", "datetime", "typing", "airflow", "tsubame", "tsubame_airflow"}


def test_one_task_makes_one_pipeline_call():
    for path in DAG_FILES:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and any("task" in ast.dump(d) for d in function.decorator_list):
                source = ast.unparse(function)
                assert len(re.findall(r"from tsubame\.pipeline\.", source)) == 1, f"{path.name}: {function.name}"


def test_only_the_plugin_file_is_run_as_a_plugin():
    plugins = CHECKOUT / "plugins"
    assert [path.name for path in plugins.glob("*.py")] == ["tsubame_plugin.py"]
    ignored = (plugins / ".airflowignore").read_text(encoding="utf-8").split()
    packages = {path.name for path in plugins.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {f"{name}/" for name in packages} <= set(ignored)
