"""Airflow's services as ``make airflow`` runs them: settings, port, secrets, start, a death, the end."""

import configparser
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from airflow_live import environment, free_port, processes_of

from infra.airflow.client import Client
from infra.airflow.configuration import Deployment, deploy
from tsubame.errors import Unavailable, UsageError

CHECKOUT = Path(__file__).resolve().parents[2]


def run(module: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module], env=env, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("module", ["infra.airflow", "infra.demo"])
def test_a_taken_port_is_one_line_and_status_4(tmp_path, module):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(module, environment(tmp_path, PORT=str(port)))
    assert done.returncode == 4
    assert done.stderr == (
        f"tsubame: port {port} is taken. Stop what listens there, or choose another one: PORT={port + 1}.\n"
    )
    assert not (tmp_path / "captures").exists()


def test_a_port_that_is_none_is_status_2(tmp_path):
    done = run("infra.airflow", environment(tmp_path, PORT="http"))
    assert (done.returncode, done.stderr) == (2, "tsubame: PORT: not a port: expected 1 to 65535, found 'http'\n")


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"file/airflow: cannot be written: found Not a directory"):
        deploy(environment(tmp_path / "file"))


def test_a_wrong_setting_of_the_pipeline_is_found_before_anything_starts(tmp_path):
    with pytest.raises(UsageError, match="unknown time zone"):
        deploy(environment(tmp_path, TSUBAME_TIMEZONE="Mars/Olympus"))


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path):
    before = os.umask(0o022)
    try:
        one = deploy(environment(tmp_path))
    finally:
        os.umask(before)
    kept = {name: (one.home / name).read_bytes() for name in ("secrets.json", "passwords.json")}
    again = deploy(environment(tmp_path))
    for name, content in kept.items():
        assert (again.home / name).read_bytes() == content
    for name in ("secrets.json", "passwords.json", "airflow.cfg", "airflow.db"):
        assert stat.S_IMODE((one.home / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(one.home.stat().st_mode) == 0o700
    assert one.password == json.loads(kept["passwords.json"])["admin"]
    assert one.password not in repr(one)


def test_the_configuration_is_for_loopback_and_this_checkout(tmp_path):
    deployment = deploy(environment(tmp_path, PORT="8123"))
    written = configparser.ConfigParser()
    written.read(deployment.home / "airflow.cfg")
    assert written["api"]["host"] == "127.0.0.1"
    assert written["core"]["execution_api_server_url"] == "http://localhost:8123/execution/"
    assert written["core"]["load_examples"] == "False"
    assert Path(written["core"]["dags_folder"]) == CHECKOUT / "dags"
    assert deployment.environment["TSUBAME_SENSORS_URL"] == str(tmp_path / "captures" / "sensors.csv")


def test_paths_become_absolute_and_urls_stay(tmp_path):
    env = environment(tmp_path, TSUBAME_LAKE_URL="var/lake", TSUBAME_SITE_URL="s3://bucket/site")
    told = deploy(env).environment
    assert told["TSUBAME_LAKE_URL"] == str(CHECKOUT / "var" / "lake")
    assert told["TSUBAME_SITE_URL"] == "s3://bucket/site"


def check_pages(deployment: Deployment) -> None:
    """The site and the Data Docs are served to who is logged in, and nothing else is."""
    client = Client(deployment.url, "admin", lambda: deployment.password)
    client.login()

    def ask(path: str, *, logged_in: bool = True) -> tuple[int, str, bytes]:
        headers = {"Authorization": f"Bearer {client._token}"} if logged_in else {}
        connection = http.client.HTTPConnection("127.0.0.1", deployment.port, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()
        finally:
            connection.close()

    page = "/tsubame/site/2023Q1/editions/1/index.html"
    assert ask(page) == (200, "text/html; charset=utf-8", b"<p>report</p>")
    assert ask("/tsubame/validation/2023Q1/docs/index.html")[2] == b"<p>docs</p>"
    status, kind, content = ask("/tsubame/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert b"<h1>Observation</h1>" in content
    # There is no sensor registry in this deployment, and the page says so.
    assert ask("/tsubame/data/days")[0] == 500
    assert b"the sensor registry does not exist" in ask("/tsubame/data/days")[2]
    assert ask("/tsubame/data/days?days=100000")[0] == 422
    data = ("/tsubame/", "/tsubame/data/days", "/tsubame/data/ranks", "/tsubame/data/quarters")
    for path in ("/api/v2/dags", page, "/tsubame/validation/2023Q1/docs/index.html", *data):
        assert ask(path, logged_in=False)[0] == 401, path
    for path in (
        "/tsubame/site/2023Q1/none.html",
        "/tsubame/site/2023Q1/../secret",
        "/tsubame/site/2023Q1/%2e%2e/secret",
        "/tsubame/site/2023Q1/editions/..%2f..%2f..%2fsecret",
        "/tsubame/validation/2023Q1/verdict.json",
        "/tsubame/openapi.json",
        "/tsubame/docs",
    ):
        assert ask(path)[0] == 404, path


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_services_start_serve_only_loopback_and_end_whole(tmp_path):
    env = environment(tmp_path)
    home = Path(env["AIRFLOW_HOME"])
    for path, content in {
        "site/2023Q1/editions/1/index.html": "<p>report</p>",
        "site/secret": "secret",
        "lake/validation/2023Q1/docs/index.html": "<p>docs</p>",
        "lake/validation/2023Q1/verdict.json": "{}",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    with (tmp_path / "said").open("w+") as said:
        services = subprocess.Popen(
            [sys.executable, "-m", "infra.airflow"], env=env, cwd=CHECKOUT, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            while "password in" not in (text := (tmp_path / "said").read_text()):
                assert services.poll() is None, text
                time.sleep(0.5)
            check_pages(deploy(env))
            second = run("infra.airflow", env | {"PORT": str(free_port())})
            assert (second.returncode, "run already" in second.stderr) == (4, True)
            running = processes_of(home)
            listening = {
                connection.laddr.ip
                for process in running
                for connection in process.net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            }
            assert listening == {"127.0.0.1"}
            assert deploy(env).password not in (home / "logs" / "services" / "api-server.log").read_text()
            # A service that dies is noticed, named, and takes the others with it.
            (victim,) = [p for p in running if p.ppid() == services.pid and "dag-processor" in p.cmdline()]
            victim.send_signal(signal.SIGKILL)
            assert services.wait(60) == 4
        finally:
            services.terminate()
            services.wait()
    text = (tmp_path / "said").read_text()
    assert "Airflow's dag-processor has ended with status -9" in text
    assert f"Read {home}/logs/services/dag-processor.log." in text
    assert processes_of(home) == []
