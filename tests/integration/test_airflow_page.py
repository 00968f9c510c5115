"""The observation page inside Airflow's UI: who may see it, how long it takes, what it looks like, links, metrics."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import airflow_live

from infra.airflow.client import Client, NoAnswer, Refused
from infra.airflow.configuration import deploy
from infra.airflow.services import airflow_command
from tsubame.validation.suites import SUITES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
CHECKOUT = airflow_live.CHECKOUT
DATA = ("days?days=731", "ranks", "quarters")
ROLES = ("admin", "op", "user", "viewer")
OUTLINE = "each => [...each.querySelectorAll('rect')].map(bar => ['y', 'height'].map(n => bar.getAttribute(n))).join()"
SHOTS = os.environ.get("TSUBAME_SCREENSHOTS")


@pytest.fixture(scope="module")
def two_years(tmp_path_factory):
    """A lake of two years of 50 sensors, as the benchmark writes it, with what is amiss here and there."""
    folder = tmp_path_factory.mktemp("page")
    env = airflow_live.environment(folder)
    command = [sys.executable, CHECKOUT / "benchmarks" / "observation_page.py", "--generate", "50", "731"]
    subprocess.run(command, env=env, check=True, cwd=CHECKOUT)
    return env


@pytest.fixture(scope="module")
def server(two_years):
    """Airflow's API server alone, with a user of every role."""
    env = two_years | {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{role}:{role}" for role in ROLES)}
    deployment = deploy(env)
    passwords = {role: f"password of {role}" for role in ROLES}
    deployment.password_file.write_text(json.dumps(passwords))
    subprocess.run(airflow_command("db", "migrate"), env=dict(deployment.environment), check=True, capture_output=True)
    with (deployment.home / "said").open("wb") as said:
        running = subprocess.Popen(
            airflow_command("api-server"), env=dict(deployment.environment), cwd=deployment.home,
            stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
    try:
        clients = {role: Client(deployment.url, role, lambda role=role: passwords[role]) for role in ROLES}
        began = time.monotonic()
        while True:
            assert running.poll() is None, (deployment.home / "said").read_text()[-2000:]
            with contextlib.suppress(NoAnswer):
                if clients["admin"].version():
                    break
            assert time.monotonic() - began < 240
            time.sleep(0.5)
        yield deployment, clients
    finally:
        running.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def ask(port: int, path: str, token: str | None = None) -> tuple[int, bytes, float]:
    """Return status, content and seconds of an answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, content, time.perf_counter() - began
    finally:
        connection.close()


def token_of(client: Client) -> str:
    client.login()
    assert client._token
    return client._token


@pytest.mark.long
def test_every_part_of_the_page_answers_within_a_second(server, capsys):
    deployment, clients = server
    token = token_of(clients["viewer"])
    # What is read ahead when the server starts may still be under way.
    first = {path: ask(deployment.port, f"/tsubame/data/{path}", token)[2] for path in DATA}
    took = {path: min(ask(deployment.port, f"/tsubame/data/{path}", token)[2] for _ in range(5)) for path in DATA}
    with capsys.disabled():
        print(
            f"\nload {os.getloadavg()[0]:.1f}; "
            + "; ".join(f"{p}: first {first[p]:.2f} s, then {took[p]:.2f} s" for p in DATA)
        )
    assert max(took.values()) < 1.0
    days = json.loads(ask(deployment.port, "/tsubame/data/days?days=731", token)[1])
    assert (len(days["sensors"]), {len(sensor["states"]) for sensor in days["sensors"]}) == (50, {731})


def test_an_anonymous_request_gets_nothing(server):
    deployment, clients = server
    forged = token_of(clients["viewer"])[:-6] + "AAAAAA"
    paths = [
        "",
        *(f"data/{path}" for path in DATA),
        "site/2023Q1/latest.json",
        "validation/2023Q1/docs/index.html",
    ]
    for path in paths:
        for token in (None, forged, "no token"):
            status, content, _ = ask(deployment.port, f"/tsubame/{path}", token)
            assert status in (401, 403), (path, token, status)
            assert b"sensor-" not in content, path
            assert len(content) < 200, path


def test_every_role_of_airflow_may_look_and_none_can_change(server):
    deployment, clients = server
    for role in ROLES:
        token = token_of(clients[role])
        for path in ("", *(f"data/{path}" for path in DATA)):
            assert ask(deployment.port, f"/tsubame/{path}", token)[0] == 200, (role, path)
    # The page is as Airflow's own pages are: a viewer reads, and may not start what the page shows.
    assert clients["viewer"].get("/dags") is not None
    with pytest.raises(Refused) as refused:
        clients["viewer"].post("/dags/report_quarter/dagRuns", {"logical_date": None, "partition_key": "2023Q1"})
    assert refused.value.status == 403
    connection = http.client.HTTPConnection("127.0.0.1", deployment.port, timeout=60)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        headers = {"Authorization": f"Bearer {token_of(clients['admin'])}"}
        connection.request(method, "/tsubame/data/days", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 405, method
    connection.close()


def login(browser, url: str, user: str, password: str, **more):
    """Open Airflow as a person does: the UI sends who is not logged in to the form."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}, **more).new_page()
    page.set_default_timeout(120_000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(url)
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda now: "/auth/" not in now)
    return page


def shoot(page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS, f"{name}.png"))


def opened(context, address: str):
    """Return the page, of the same tab or a new one, that a link led to."""
    for _ in range(60):
        for page in context.pages:
            if page.url.endswith(address):
                page.wait_for_load_state()
                return page
        context.pages[0].wait_for_timeout(500)
    raise AssertionError([page.url for page in context.pages])


def open_observation(page):
    """Go to the page by Airflow's navigation; returns the frame that it is in."""
    # Exactly: DAGs bear links to their tag "tsubame".
    page.get_by_role("link", name="TSUBAME", exact=True).or_(
        page.get_by_role("button", name="TSUBAME", exact=True)
    ).first.click()
    page.wait_for_url("**/plugin/observation")
    inside = page.frame_locator("iframe")
    for part in ("#grid canvas", "#faults table", "#ports table", "#quarters table"):
        inside.locator(part).wait_for()
    return inside


def test_the_page_is_in_the_navigation_in_airflows_colours_and_two_languages(server, browser):
    deployment, _ = server
    page = login(browser, deployment.url, "viewer", "password of viewer", locale="en-GB")
    inside = open_observation(page)
    assert "50 sensors" in inside.locator("#said").inner_text()
    legend = inside.locator("#legend li").all_inner_texts()
    assert legend == ["received", "late", "damaged", "down", "missing", "not counted"]
    shapes = [item.evaluate(OUTLINE)
              for item in inside.locator("#legend li").all()]  # fmt: skip
    assert len(set(shapes)) == len(legend), "a state is told by its colour alone"
    words = set(inside.locator("#faults tbody td:last-child").all_inner_texts())
    assert {"missing", "down", "damaged", "late"} <= {word.strip() for word in words}
    shoot(page, "page-light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = inside.locator("body").evaluate(ground)
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.reload()
    inside = page.frame_locator("iframe")
    inside.locator("#faults table").wait_for()
    assert page.evaluate("document.documentElement.classList.contains('dark')")
    assert inside.locator("body").evaluate(ground) != light
    inside.get_by_role("button", name="2 years").click()
    inside.locator("#grid-title", has_text="2021-12-31").wait_for()
    shoot(page, "page-dark-two-years")
    inside.locator("#language").click()
    assert inside.locator("h1").inner_text() == "観測状況"
    assert inside.locator("#legend li").first.inner_text() == "受信済み"
    page.set_viewport_size({"width": 480, "height": 1000})
    page.wait_for_timeout(300)
    shoot(page, "page-narrow-ja")
    wide = inside.locator("html").evaluate("each => each.scrollWidth > each.clientWidth")
    assert not wide, "the page scrolls sideways"
    assert page.errors == []
    page.context.close()


def test_nobody_sees_the_page_without_logging_in(server, browser):
    deployment, _ = server
    page = browser.new_page()
    page.goto(f"{deployment.url}/plugin/observation")
    page.wait_for_url("**/auth/login**")
    assert page.locator("iframe").count() == 0
    answer = page.goto(f"{deployment.url}/tsubame/")
    assert answer.status == 401
    page.close()


@contextlib.contextmanager
def statsd():
    """A StatsD server that adds up what it hears."""
    heard: Counter[str] = Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.2)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    for line in listener.recv(65535).decode().splitlines():
                        name, _, value = line.partition(":")
                        heard[name] += float(value.partition("|")[0])

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"statsd://127.0.0.1:{listener.getsockname()[1]}", heard
        finally:
            ended.set()
            thread.join()


@pytest.mark.long
def test_a_run_in_the_grid_its_links_its_log_and_its_metrics(tiny, tmp_path, browser, dask_address):
    for name in ("captures", "delegations"):
        shutil.copytree(tiny / name, tmp_path / name)
    (tmp_path / "captures" / "truth.json").unlink()
    captures = [path for path in (tmp_path / "captures").rglob("*.pcap*") if path.is_file()]
    dashboard = "http://127.0.0.1:8787/status"
    with statsd() as (receiver, heard), airflow_live.services(
        tmp_path, DASK_SCHEDULER_ADDRESS=dask_address, TSUBAME_METRICS=receiver, TSUBAME_DASK_DASHBOARD_URL=dashboard,
    ) as live:  # fmt: skip
        live.unpause("report_quarter")
        run = live.trigger("report_quarter", "2023Q1")
        assert live.await_run("report_quarter", run) == "success"
        where = f"/dags/report_quarter/dagRuns/{run}/taskInstances"
        tasks = [task["task_id"] for task in live.tasks("report_quarter", run) if task["map_index"] < 0]
        links = {task: live.client.get(f"{where}/{task}/links")["extra_links"] for task in tasks}
        assert links["publish"]["Report"] == "/tsubame/site/2023Q1/editions/1/index.html"
        assert links["validate"]["Data Docs"] == "/tsubame/validation/2023Q1/docs/index.html"
        on_dask = {name for name, each in links.items() if each["Dask dashboard"] == dashboard}
        assert on_dask == {"complete_days", "validate", "publish"}
        for task in ("complete_days", "validate", "publish"):
            assert len(json.dumps(live.xcom("report_quarter", run, task))) < 4000
        (log,) = live.logs("report_quarter", run, "complete_days")
        assert "captures → flows" in log.read_text()

        page = login(browser, live.client.url, "admin", live.client.password(), locale="en-GB")
        inside = open_observation(page)
        inside.locator("#runs table").wait_for()
        quarter = inside.locator("#quarters tbody tr").first.inner_text()
        assert all(word in quarter for word in ("2023Q1", "current", "edition 1", "success")), quarter
        inside.locator("#ports-title").scroll_into_view_if_needed()
        inside.locator("#runs").scroll_into_view_if_needed()
        shoot(page, "page-quarters-runs")
        page.goto(f"{live.client.url}/dags/report_quarter")
        page.get_by_text("complete_days").first.wait_for()
        page.wait_for_timeout(1500)
        shoot(page, "grid")
        page.goto(f"{live.client.url}/dags/report_quarter/runs/{run}/tasks/publish/details")
        button = page.get_by_role("link", name="Report", exact=True)
        button.wait_for()
        page.get_by_role("link", name="Dask dashboard").wait_for()
        shoot(page, "task-links")
        button.click()
        report = opened(page.context, "/tsubame/site/2023Q1/editions/1/index.html")
        assert "2023" in report.title()
        shoot(report, "report-in-airflow")
        page.goto(f"{live.client.url}/dags/report_quarter/runs/{run}/tasks/complete_days")
        page.get_by_text("captures → flows").first.wait_for()
        shoot(page, "task-log")
        # The grid has one square for all suites; their names are in the list that it opens.
        page.goto(f"{live.client.url}/dags/report_quarter/runs/{run}/tasks/suite/mapped")
        names = airflow_live.mapped_names(live, "report_quarter", run, "suite")
        assert len(names) == len(SUITES)
        for name in names:
            page.get_by_text(name, exact=True).first.wait_for()
        shoot(page, "suites")
        page.goto(f"{live.client.url}/dags/report_quarter/runs/{run}/tasks/suite/mapped/0")
        page.get_by_text(" hold").first.wait_for()
        page.wait_for_timeout(1500)
        shoot(page, "suite-log")
        page.goto(f"{live.client.url}/tsubame/validation/2023Q1/docs/index.html")
        assert page.locator("body").inner_text()
        assert page.errors == []
        page.context.close()
    assert heard["airflow.tsubame.ingest.captures"] == len(captures)
    assert heard["airflow.tsubame.ingest.bytes"] == sum(path.stat().st_size for path in captures)
    assert 0 < heard["airflow.tsubame.ingest.packets"] <= heard["airflow.tsubame.ingest.records"]
    assert heard["airflow.tsubame.counts.days"] >= 90
    assert heard["airflow.ti_successes"] == 4 + len(SUITES)
