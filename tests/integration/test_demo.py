"""The demo on a small scale, through live services: interrupted, gone on with, and run once more."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCENARIO = CHECKOUT / "tests" / "scenarios" / "boundary-move.toml"
QUARTERS = ("2022Q4", "2023Q1")


def environment(folder: Path, **more: str) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "TSUBAME_"))}
    places = {f"TSUBAME_{n.upper()}_URL": str(folder / n) for n in ("captures", "delegations", "lake", "site")}
    own = {"AIRFLOW_HOME": str(folder / "airflow"), "PORT": port, "SCENARIO": str(SCENARIO), "SCALE": "0.3"}
    return kept | places | own | {"DETACH": "1"} | more


def left_over(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            # Services write their title over their environment, but all work in the home.
            inside = process.environ().get("AIRFLOW_HOME") == str(home) or process.cwd() == str(home)
            if inside and process.pid != os.getpid():
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def demo(env: dict[str, str], until: str = "") -> tuple[int, str]:
    """Run the demo, until it says ``until`` if that is given; return its exit status and what it said."""
    command = [sys.executable, "-m", "infra.demo"]
    said = ""
    with subprocess.Popen(
        command, env=env, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if until and until in line:
                until = ""
                process.send_signal(signal.SIGINT)
        return process.wait(), said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.mark.integration
@pytest.mark.timeout(2400)
def test_interrupted_then_gone_on_with_then_nothing_to_do(folder):
    env = environment(folder)
    home = Path(env["AIRFLOW_HOME"])

    status, said = demo(env, until="complete_days running")
    assert status == 130, said
    assert "interrupted; run it again to go on" in said
    assert left_over(home) == []
    assert not list((folder / "site").glob("*/latest.json"))

    status, said = demo(env)
    assert status == 0, said
    assert "going on with the runs that were interrupted" in said
    assert left_over(home) == []
    for quarter in QUARTERS:
        latest = json.loads((folder / "site" / quarter / "latest.json").read_text())
        assert latest["edition"] == 1
        assert (folder / "site" / quarter / "editions" / "1" / "index.html").stat().st_size > 1000
        page = (folder / "site" / quarter / "editions" / "1" / "index.html").as_uri()
        assert f"report {quarter}, edition 1: {page}" in said

    began = time.monotonic()
    status, said = demo(env)
    assert status == 0, said
    assert "every quarter was published already: nothing to do" in said
    assert "complete_days" not in said
    assert time.monotonic() - began < 300
    assert left_over(home) == []


def test_a_scenario_that_is_none_ends_with_its_reason_and_status(tmp_path):
    status, said = demo(environment(tmp_path, SCENARIO="no-such-scenario"))
    assert (status, said.count("\n")) == (3, 1)
    assert "no-such-scenario: no such scenario" in said
    assert left_over(tmp_path / "airflow") == []


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_someone_elses_captures_are_left_alone(tmp_path):
    (tmp_path / "captures" / "tokyo").mkdir(parents=True)
    (tmp_path / "captures" / "tokyo" / "a.pcap").write_bytes(b"theirs")
    status, said = demo(environment(tmp_path))
    assert status == 2, said
    assert "holds captures that were not simulated" in said
    assert [path.name for path in (tmp_path / "captures").rglob("*") if path.is_file()] == ["a.pcap"]
    assert left_over(tmp_path / "airflow") == []


@pytest.mark.parametrize(("scale", "says"), [("big", "SCALE: not a scale"), ("0", "scale: expected a number above 0")])
def test_a_scale_that_is_none(tmp_path, scale, says):
    status, said = demo(environment(tmp_path, SCALE=scale))
    assert status == 2, said
    assert says in said
