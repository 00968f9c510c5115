"""The three DAGs as they are lived with, through live services: fetch, wait, count, late data, decisions, alarms."""

import json
import os
import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import airflow_live

from tests.integration.miscounted import drop_a_row
from tsubame.periods import Quarter
from tsubame.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
Q1 = Quarter(2023, 1)
FETCHED = date(2023, 1, 16)
LATE = "jp-b/2023/01/24"


@pytest.fixture(scope="module")
def alarms(database):
    return []


@pytest.fixture(scope="module")
def place(tiny, database, tmp_path_factory):
    """The tiny scenario without one day's delegation files, one late capture, and all of a sensor's last days."""
    place = tmp_path_factory.mktemp("days")
    for name in ("captures", "delegations"):
        shutil.copytree(tiny / name, place / name)
    (place / "captures" / "truth.json").unlink()
    (place / "held").mkdir()
    shutil.move(place / "delegations" / f"{FETCHED:%Y%m%d}", place / "held" / f"{FETCHED:%Y%m%d}")
    late = sorted((place / "captures" / LATE).iterdir())[-1]
    shutil.move(late, place / "held" / late.name)
    return place


@pytest.fixture(scope="module")
def live(tiny, place, alarms, database, dask_address):
    def answer(method, path, body):
        if method == "POST":
            alarms.append(json.loads(body))
            return b""
        file = tiny / "delegations" / path.lstrip("/")
        return file.read_bytes() if file.is_file() else None

    with airflow_live.http_server(answer) as url:
        registries = {f"TSUBAME_RIR_BASE_URL_{name}": url for name in ("AFRINIC", "APNIC", "ARIN", "LACNIC", "RIPENCC")}
        with airflow_live.services(
            place, DASK_SCHEDULER_ADDRESS=dask_address, TSUBAME_ALARMS=f"webhook:{url}/alarms",
            **registries, **database,
            # Two centuries: the days of the scenario are still waited for.
            TSUBAME_GRACE_HOURS="2000000", TSUBAME_POLL_SECONDS="1", TSUBAME_LOOKBACK_DAYS="1",
            TSUBAME_REPUBLISH="yes", TSUBAME_DEADLINE_HOURS="0",
        ) as live:  # fmt: skip
            for dag in ("delegations_daily", "observe_day", "report_quarter"):
                live.unpause(dag)
            yield live


@pytest.fixture
def settings(place, live, monkeypatch):
    """The live services' settings, in this process."""
    for name, value in live.env.items():
        if name.startswith(("TSUBAME_", "DASK_")):
            monkeypatch.setenv(name, value)
    return Settings.from_environment()


def ledger(place: Path) -> dict[str, tuple[str, float]]:
    """The ledger's records and when they were written, by day."""
    return {path.name[:10]: (path.name, path.stat().st_mtime) for path in (place / "lake" / "ledger").iterdir()}


def test_a_days_delegation_files_are_fetched_from_the_registries(live, place):
    run = live.trigger("delegations_daily", FETCHED.isoformat())
    assert live.await_run("delegations_daily", run) == "success"
    fetched = sorted((place / "delegations" / f"{FETCHED:%Y%m%d}").glob("delegated-*"))
    held = place / "held" / f"{FETCHED:%Y%m%d}"
    files = [path for path in fetched if path.suffix != ".md5"]
    assert len(files) == 5
    for path in files:
        assert path.read_bytes() == (held / path.name).read_bytes()


def test_a_day_is_awaited_outside_of_the_workers(live, place):
    waiting = [place / "captures" / "jp-b" / "2023" / "01" / f"{day:02}" for day in range(20, 29)]
    for folder in waiting:
        shutil.move(folder, place / "held" / folder.name)
    run = live.trigger("observe_day", "2023-01-20")
    live.await_("deferred", lambda: live.state("observe_day", run, "await_captures") == "deferred")
    pools = {pool["name"]: pool for pool in live.client.get("/pools", limit=10)["pools"]}
    assert [pools[name]["running_slots"] for name in ("default_pool", "dask")] == [0, 0]
    for folder in waiting:
        # The clock of the store says when it came.
        shutil.copytree(place / "held" / folder.name, folder, copy_function=shutil.copy)
    assert live.await_run("observe_day", run) == "success"
    assert live.xcom("observe_day", run, "await_captures") == {"day": "2023-01-20", "delivered": 3, "awaited": []}
    assert set(ledger(place)) == {"2023-01-19", "2023-01-20"}
    assert live.state("observe_day", run, "mark_stale") == "skipped"
    events = live.client.get("/assets/events", limit=50)["asset_events"]
    assert {"2023-01-19", "2023-01-20"} <= {event["partition_key"] for event in events}


def test_a_late_capture_changes_its_day_and_makes_a_new_edition(live, place, settings):
    from tsubame.pipeline.freshness import quarter_states
    from tsubame.pipeline.quarter import complete_quarter
    from tsubame.pipeline.report import publish_quarter, validate_quarter

    def state() -> str:
        return quarter_states(settings, [Q1], now=datetime.now(UTC))[0].state

    now = datetime.now(UTC)
    assert state() == "missing"
    complete_quarter(settings, Q1, previous=True)
    validate_quarter(settings, Q1, now=now)
    assert publish_quarter(settings, Q1, now=now).edition == 1
    assert state() == "current"
    before = ledger(place)

    (late,) = (place / "held").glob("*.pcapng*")
    shutil.copy(late, place / "captures" / LATE / late.name)
    assert state() == "stale"
    run = live.trigger("observe_day", "2023-01-24")
    assert live.await_run("observe_day", run) == "success"
    (stale,) = live.xcom("observe_day", run, "mark_stale")
    assert (stale["quarter"], stale["state"]) == ("2023Q1", "stale")
    # The capture runs past midnight of the report's zone.
    assert stale["reasons"] == ["counted anew since: day 2023-01-24, 2023-01-25"]
    changed = {day for day, record in ledger(place).items() if before[day] != record}
    assert changed == {"2023-01-24", "2023-01-25"}

    (again,) = live.await_("a run of the stale quarter", lambda: live.runs("report_quarter", "2023Q1"))
    assert again["run_type"] == "asset_triggered"
    assert live.await_run("report_quarter", again["dag_run_id"]) == "success"
    assert json.loads((place / "site" / "2023Q1" / "latest.json").read_text())["edition"] == 2
    assert state() == "current"
    assert {day for day, record in ledger(place).items() if before[day] != record} == changed


def test_a_quarter_that_is_late_is_told(live, alarms):
    live.await_("the alarm", lambda: any(alarm["kind"] == "deadline" for alarm in alarms), 60)
    (alarm,) = [alarm for alarm in alarms if alarm["kind"] == "deadline" and alarm["subject"] == "2023Q1"][:1]
    assert alarm["text"] == "the quarter is not published in time"


def test_a_refused_edition_is_rejected_then_approved_by_a_person(live, place, settings, alarms):
    drop_a_row(place / "lake", date(2023, 1, 20))
    run = live.trigger("report_quarter", "2023Q1")
    where = f"/dags/report_quarter/dagRuns/{run}/taskInstances/decide/-1/hitlDetails"
    live.await_question("report_quarter", run, "decide")
    asked = live.client.get(where)
    assert "2023Q1" in asked["subject"]
    assert "Failed critical expectations" in asked["body"]
    (refused,) = [alarm for alarm in alarms if alarm["kind"] == "refused_edition"]
    assert refused["text"] in asked["body"]

    named = live.await_("the suites' names", lambda: airflow_live.mapped_names(live, "report_quarter", run, "suite"))
    assert any(name.endswith(" failed, critical") for name in named), named

    answer = {"chosen_options": ["Reject"], "params_input": {"comment": "counts are cut"}}
    live.client.patch(where, answer)
    assert live.await_run("report_quarter", run) == "failed"
    assert live.state("report_quarter", run, "publish") == "upstream_failed"
    decision = json.loads((place / "lake" / "validation" / "2023Q1" / "decision.json").read_text())
    assert (decision["decision"], decision["author"], decision["comment"]) == ("rejected", "admin", "counts are cut")
    assert json.loads((place / "site" / "2023Q1" / "latest.json").read_text())["edition"] == 2

    clear = {"dry_run": False, "dag_run_id": run, "task_ids": ["decide"], "include_downstream": True}
    live.client.post("/dags/report_quarter/clearTaskInstances", {**clear, "only_failed": False})
    live.await_question("report_quarter", run, "decide")
    live.client.patch(where, {"chosen_options": ["Approve"], "params_input": {"comment": ""}})
    assert live.await_run("report_quarter", run) == "success"
    edition = place / "site" / "2023Q1" / "editions" / "3"
    approval = json.loads((edition / "lineage.json").read_text())["approval"]
    assert (approval["decision"], approval["author"]) == ("approved", "admin")
    assert approval["failed"] == decision["failed"] != []
    assert "inputs" not in approval


def test_no_alarm_was_lost_on_the_way(live):
    for path in Path(live.env["AIRFLOW_HOME"], "logs").rglob("*.log"):
        assert "an alarm could not be sent" not in path.read_text(errors="replace"), path
    assert os.path.exists(live.env["TSUBAME_SITE_URL"])


def test_the_observation_page_inside_airflow(live, browser, tmp_path):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(180_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(live.client.url)
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", live.client.password())
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/auth/" not in url)
    page.goto(f"{live.client.url}/plugin/observation")
    inside = page.frame_locator("iframe")
    inside.locator("#quarters table").wait_for()
    inside.locator("#runs table").wait_for()
    inside.locator("#ports table").wait_for()
    inside.locator("#grid canvas").wait_for()
    assert "jp-b · JP" in inside.locator("#grid").inner_text()
    first = inside.locator("#quarters tbody tr").first.inner_text()
    assert "2023Q1" in first
    assert "current" in first
    assert "edition 3" in first
    assert "23/TCP" in inside.locator("#ports").inner_text()
    assert "asset triggered" in inside.locator("#runs").inner_text()
    page.screenshot(path=os.environ.get("TSUBAME_SCREENSHOT") or tmp_path / "page.png")
    assert errors == []
    page.close()
