"""Eight quarters through live services with a scheduler killed in the middle: as if undisturbed.

Backwards where Airflow's metadata are in SQLite, forwards where they are in PostgreSQL.
"""

import itertools
import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import airflow_live

from tsubame.periods import Quarter
from tsubame.pipeline.freshness import quarter_states, span_of
from tsubame.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2400)]
DAG = "report_quarter"
QUARTERS = span_of(Quarter(2021, 4), Quarter(2023, 3))
WITH_DATA = {"2022Q4", "2023Q1"}
SPAN = {"from_date": "2021-10-01T00:00:00Z", "to_date": "2023-09-30T00:00:00Z"}


def settings_of(folder: Path) -> Settings:
    return Settings.from_environment(airflow_live.environment(folder))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The scenario's captures, and 2023Q1 from them by the library alone."""
    from tsubame.pipeline.quarter import complete_quarter
    from tsubame.simulate.reading import load_scenario
    from tsubame.simulate.run import simulate
    from tsubame.stores import Store

    folder = tmp_path_factory.mktemp("undisturbed")
    settings = settings_of(folder)
    scenario = load_scenario(str(airflow_live.CHECKOUT / "tests" / "scenarios" / "eight-quarters.toml"))
    simulate(scenario, Store(settings.captures_url), Store(settings.delegations_url))
    complete_quarter(settings, Quarter(2023, 1), previous=True)
    return folder


def kill_scheduler(live: airflow_live.Live) -> None:
    """Kill the scheduler, as a machine short of memory would; `make airflow` then ends, and is started again."""
    live.service("scheduler").send_signal(signal.SIGKILL)
    assert live.process.wait(120) == 4


def counts_in(folder: Path) -> dict[str, bytes]:
    lake = folder / "lake"
    return {
        str(p.relative_to(lake)): p.read_bytes()
        for part in ("counts", "sources")
        for p in (lake / part).rglob("*.parquet")
    }


def test_eight_quarters_through_a_killed_scheduler(undisturbed, database, tmp_path, dask_address):
    backwards = not database
    for name in ("captures", "delegations"):
        (tmp_path / name).symlink_to(undisturbed / name)
    settings = {"DASK_SCHEDULER_ADDRESS": dask_address, "TSUBAME_APPROVAL_HOURS": "0"} | database
    with airflow_live.services(tmp_path, **settings) as live:
        live.unpause(DAG)
        created = live.cli(
            "backfill", "create", "--dag-id", DAG, "--from-date", "2021-10-01", "--to-date", "2023-09-30",
            "--max-active-runs", "2", "--reprocess-behavior", "none", *["--run-backwards"] * backwards,
        )  # fmt: skip
        assert created.returncode == 0, created.stderr[-2000:]
        began, runs = time.monotonic(), live.runs(DAG)
        in_turn = reversed(QUARTERS) if backwards else QUARTERS
        assert [run["partition_key"] for run in runs] == [str(quarter) for quarter in in_turn]
        assert all(run["dag_run_id"].startswith(f"backfill__{run['partition_key']}__") for run in runs)

        (first,) = live.runs(DAG, next(run["partition_key"] for run in runs if run["partition_key"] in WITH_DATA))
        live.await_("work under way", lambda: live.state(DAG, first["dag_run_id"], "complete_days") == "running")
        live.await_("something done", lambda: any((tmp_path / "lake").rglob("*.parquet")))
        down = time.monotonic()
        kill_scheduler(live)
        live.start()
        down = time.monotonic() - down
        live.await_("all runs", lambda: all(run["state"] in airflow_live.ENDED for run in live.runs(DAG)), 1500)
        print(f"eight quarters: {time.monotonic() - began:.0f} s, of them {down:.0f} without a scheduler")

        check_runs(live)
        check_reprocessing(live)
    check_published(tmp_path, undisturbed)


def check_runs(live: airflow_live.Live) -> None:
    on_dask = []
    for run in live.runs(DAG):
        assert run["state"] == "success", (run["partition_key"], live.states())
        tasks = {(task["task_id"], task["map_index"]): task for task in live.tasks(DAG, run["dag_run_id"])}
        expected = "success" if run["partition_key"] in WITH_DATA else "skipped"
        assert {task["state"] for task in tasks.values()} == {expected}, run["partition_key"]
        on_dask += [
            (task["start_date"], task["end_date"])
            for task in tasks.values()
            if task["pool"] == "dask" and task["duration"]
        ]
        if expected == "skipped":
            log = "".join(p.read_text() for p in live.logs(DAG, run["dag_run_id"], "complete_days"))
            assert f"{run['partition_key']}: no capture has a packet of this quarter" in log
    for (_, ended), (began, _) in itertools.pairwise(sorted(on_dask)):
        assert ended <= began, "two tasks computed on Dask at once"


def check_reprocessing(live: airflow_live.Live) -> None:
    """Quarters that succeeded are left alone, unless they are wanted again."""
    before = len(live.runs(DAG))
    empty = {"from_date": "2022-01-01T00:00:00Z", "to_date": "2022-03-31T00:00:00Z"}
    for behaviour, span, made in (("none", SPAN, 0), ("failed", SPAN, 0), ("completed", empty, 1)):
        # The scheduler closes a backfill whose runs have ended every half minute.
        live.await_("the last backfill's end", lambda: all(b["completed_at"] for b in live.backfills(DAG)), 120)
        body = {"dag_id": DAG, **span, "reprocess_behavior": behaviour, "max_active_runs": 2, "dag_run_conf": {}}
        live.client.post("/backfills", body)
        live.await_("the end", lambda: all(run["state"] in airflow_live.ENDED for run in live.runs(DAG)))
        assert len(live.runs(DAG)) == before + made, behaviour
        before += made


def check_published(folder: Path, undisturbed: Path) -> None:
    from tsubame.pipeline.report import publish_quarter, validate_quarter

    assert counts_in(folder) == counts_in(undisturbed)
    now, quarter = datetime.now(UTC), Quarter(2023, 1)
    states = {str(s.quarter): s.state for s in quarter_states(settings_of(folder), QUARTERS, now=now)}
    assert states == {str(q): "current" if str(q) in WITH_DATA else "empty" for q in QUARTERS}
    validate_quarter(settings_of(undisturbed), quarter, now=now)
    publish_quarter(settings_of(undisturbed), quarter, now=now)
    ours, theirs = (json.loads((at / "site/2023Q1/editions/1/report.json").read_text()) for at in (folder, undisturbed))
    # 2023Q1 ran before 2022Q4, and knows its ranks.
    assert [row["previous_rank"] for row in ours["tables"]["ports"]] == [1, 2, 3, 4]
    assert {**ours, "created_at": ""} == {**theirs, "created_at": ""}
    manifests = (json.loads((at / "site/2023Q1/editions/1/manifest.json").read_text()) for at in (folder, undisturbed))
    assert len({manifest["content"] for manifest in manifests}) == 1
