"""What nobody triggers: the quarter that is due is reported, from its schedule to its edition, on either database."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import airflow_live

from tsubame.periods import Quarter

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
DAG = "report_quarter"
LAG_DAYS = 2
DAYS = 21
SECONDS_OF_OVERHEAD = 60
"""Four tasks, each handed over within some seconds however busy the machine."""
SCENARIO = (airflow_live.CHECKOUT / "tests" / "scenarios" / "eight-quarters.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def due():
    """The newest quarter whose publication lag is over, as the report's calendar has it now."""
    today = datetime.now(ZoneInfo("Asia/Tokyo")).date()
    return Quarter.of(today - timedelta(days=LAG_DAYS)).previous


@pytest.fixture(scope="module")
def observed(due, tmp_path_factory):
    """The captures of two sensors on the last weeks of that quarter."""
    from tsubame.simulate.reading import load_scenario
    from tsubame.simulate.run import simulate
    from tsubame.stores import Store

    folder = tmp_path_factory.mktemp("observed")
    first = due.last_day - timedelta(days=DAYS - 1)
    text = SCENARIO.replace("2022-11-14", f"{first}").replace("2023-01-18", f"{due.last_day}")
    (folder / "due.toml").write_text(text, encoding="utf-8")
    simulate(
        load_scenario(str(folder / "due.toml")), Store(str(folder / "captures")), Store(str(folder / "delegations"))
    )
    return folder


def tell_overhead(live: airflow_live.Live, run_id: str) -> None:
    """Print what Airflow took of an undisturbed run beside its tasks: between them, and to start each one's process."""
    run, tasks = live.run(DAG, run_id), live.tasks(DAG, run_id)
    began, ended = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
    # Mapped tasks run beside the others.
    tasks = [task for task in tasks if task["map_index"] < 0]
    working = sum(task["duration"] for task in tasks)
    whole = (ended - began).total_seconds()
    print(f"run of {whole:.1f} s, {len(tasks)} tasks of {working:.1f} s: overhead {whole - working:.1f} s")
    assert whole - working < SECONDS_OF_OVERHEAD


def test_a_quarter_that_is_due_is_run_and_published(due, observed, database, tmp_path, dask_address):
    """A deployment that has reported the quarter before last makes the last one by itself."""
    for name in ("captures", "delegations"):
        (tmp_path / name).symlink_to(observed / name)
    settings = {"TSUBAME_PUBLICATION_LAG_DAYS": str(LAG_DAYS), "DASK_SCHEDULER_ADDRESS": dask_address}
    with airflow_live.services(tmp_path, **settings, **database) as live:
        live.unpause(DAG)
        before = due.previous
        span = ("--from-date", f"{before.first_day}", "--to-date", f"{before.last_day}")
        made = live.cli("backfill", "create", "--dag-id", DAG, *span)
        assert made.returncode == 0, made.stderr[-2000:]
        (run,) = live.await_("the scheduled run", lambda: live.runs(DAG, str(due)))
        assert (run["run_type"], run["triggered_by"]) == ("scheduled", "timetable")
        assert run["dag_run_id"].startswith(f"scheduled__{due}__")
        assert live.await_run(DAG, run["dag_run_id"]) == "success"
        tell_overhead(live, run["dag_run_id"])
        suites = airflow_live.mapped_names(live, DAG, run["dag_run_id"], "suite")
        assert len(suites) == 10
        assert all(
            re.fullmatch(r"[a-z]+: (\d+) of \1 hold|[a-z]+: \d+ of \d+ failed, (warning|info)", n) for n in suites
        ), suites
        edition = live.xcom(DAG, run["dag_run_id"], "publish")
        assert (edition["quarter"], edition["edition"]) == (str(due), 1)
        (event,) = [e for e in live.client.get("/assets/events", limit=10)["asset_events"] if e["name"] == "edition"]
        assert event["source_run_id"] == run["dag_run_id"]
        # The quarter after is not over: nothing is scheduled before its time.
        assert {r["partition_key"] for r in live.runs(DAG)} == {str(before), str(due)}
    report = json.loads((tmp_path / "site" / str(due) / "editions" / "1" / "report.json").read_text())
    assert report["sensors"]["domestic"] == 2
    assert [row["previous_rank"] for row in report["tables"]["ports"]] == [None] * 4
    assert datetime.fromisoformat(report["created_at"]) <= datetime.now(UTC)
