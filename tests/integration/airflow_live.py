"""Airflow's live services for a test: ``python -m infra.airflow`` in a process of its own, asked by its REST API."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil

from infra.airflow.client import Client, NoAnswer, Refused
from infra.airflow.configuration import deploy

CHECKOUT = Path(__file__).resolve().parents[2]
ENDED = ("success", "failed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment whose buckets and Airflow home lie in ``folder``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "TSUBAME_"))}
    places = {f"TSUBAME_{n.upper()}_URL": str(folder / n) for n in ("captures", "delegations", "lake", "site")}
    return kept | places | {"AIRFLOW_HOME": str(folder / "airflow"), "PORT": str(free_port())} | more


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that works for the Airflow of ``home``."""
    found = []
    for process in psutil.process_iter():
        try:
            # Services write their title over their environment, but all work in the home.
            inside = process.environ().get("AIRFLOW_HOME") == str(home) or process.cwd() == str(home)
            if inside and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


@dataclass
class Live:
    """Running services, and what a test asks of them."""

    env: dict[str, str]
    said: Path
    process: subprocess.Popen[bytes] = field(init=False)
    client: Client = field(init=False)

    def start(self) -> None:
        with self.said.open("a") as said:
            begin = self.said.stat().st_size
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.airflow"], env=self.env, cwd=CHECKOUT, stdout=said, stderr=said
            )
        while "password in" not in (text := self.said.read_text()[begin:]):
            assert self.process.poll() is None, text
            time.sleep(0.5)
        deployment = deploy(self.env)
        self.client = Client(deployment.url, "admin", lambda: deployment.password)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the services as a person or the machine does; nothing of them stays."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            assert self.process.wait(120) == 0, self.said.read_text()[-2000:]
        left = processes_of(Path(self.env["AIRFLOW_HOME"]))
        assert left == [], [process.cmdline() for process in left]

    def service(self, name: str) -> psutil.Process:
        """The process of one of Airflow's services."""
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.ZombieProcess):
                if name in child.cmdline():
                    return child
        raise AssertionError(f"no {name} runs")

    def await_(self, what: str, ready: Callable[[], Any], seconds: float = 480) -> Any:
        """Return what ``ready`` gives as soon as it gives something."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            assert self.process.poll() is None, self.said.read_text()[-2000:]
            with contextlib.suppress(NoAnswer):
                if found := ready():
                    return found
            time.sleep(0.5)
        raise AssertionError(f"{what}: not within {seconds} s; runs: {self.states()}")

    def states(self) -> dict[str, Any]:
        """Return every task's state by run, for messages."""
        told = {}
        for dag in ("delegations_daily", "observe_day", "report_quarter"):
            with contextlib.suppress(NoAnswer, Refused):
                for run in self.runs(dag):
                    told[run["dag_run_id"]] = {t["task_id"]: t["state"] for t in self.tasks(dag, run["dag_run_id"])}
        return told

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``airflow`` as a person does beside ``make airflow``."""
        return subprocess.run(
            [sys.executable, "-m", "infra.airflow", *arguments],
            env=self.env, cwd=CHECKOUT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def logs(self, dag: str, run_id: str, task: str) -> list[Path]:
        folder = Path(self.env["AIRFLOW_HOME"], "logs", f"dag_id={dag}", f"run_id={run_id}", f"task_id={task}")
        return sorted(folder.rglob("*.log"))

    def backfills(self, dag: str) -> list[dict[str, Any]]:
        return list(self.client.get("/backfills", dag_id=dag, limit=50)["backfills"])

    def unpause(self, dag: str) -> None:
        def known() -> bool:
            with contextlib.suppress(Refused):
                self.client.patch(f"/dags/{dag}", {"is_paused": False})
                return True
            return False

        self.await_(dag, known, 90)

    def trigger(self, dag: str, key: str) -> str:
        """Make a run of a partition and return its id."""
        made = self.client.post(f"/dags/{dag}/dagRuns", {"logical_date": None, "partition_key": key})
        return str(made["dag_run_id"])

    def runs(self, dag: str, key: str | None = None) -> list[dict[str, Any]]:
        found = self.client.get(f"/dags/{dag}/dagRuns", order_by="id", limit=100)["dag_runs"]
        return [run for run in found if key in (None, run["partition_key"])]

    def run(self, dag: str, run_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"/dags/{dag}/dagRuns/{run_id}"))

    def tasks(self, dag: str, run_id: str) -> list[dict[str, Any]]:
        return list(self.client.get(f"/dags/{dag}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"])

    def state(self, dag: str, run_id: str, task: str) -> str | None:
        return {each["task_id"]: each["state"] for each in self.tasks(dag, run_id)}.get(task)

    def await_question(self, dag: str, run_id: str, task: str) -> None:
        """Wait until a task asks a person, and Airflow is ready for the answer.

        An answer within the second or two until the scheduler has seen the asking process end is lost, and asked for
        again (apache/airflow#67287, #72716); people read longer than that.
        """

        def ready() -> bool:
            (asking,) = [t for t in self.tasks(dag, run_id) if t["task_id"] == task]
            attempt = rf"task_id={task}, run_id={re.escape(run_id)},.* try_number={asking['try_number']},"
            said = Path(self.env["AIRFLOW_HOME"], "logs", "services", "scheduler.log").read_text(errors="replace")
            noted = any(re.search(attempt, line) for line in said.splitlines() if " state=awaiting_input," in line)
            return asking["state"] == "awaiting_input" and noted

        self.await_("a question", ready)

    def await_run(self, dag: str, run_id: str, seconds: float = 480) -> str:
        """Wait for a run's end and return its state."""
        self.await_(run_id, lambda: self.run(dag, run_id)["state"] in ENDED, seconds)
        return str(self.run(dag, run_id)["state"])

    def xcom(self, dag: str, run_id: str, task: str) -> Any:
        value = self.client.get(f"/dags/{dag}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/return_value")["value"]
        return json.loads(value) if isinstance(value, str) else value


@contextlib.contextmanager
def services(folder: Path, **settings: str) -> Iterator[Live]:
    """Run the services for the block."""
    live = Live(environment(folder, **settings), folder / "said.txt")
    live.start()
    try:
        yield live
    finally:
        live.stop()


@contextlib.contextmanager
def http_server(answer: Callable[[str, str, bytes], bytes | None]) -> Iterator[str]:
    """Serve ``answer(method, path, body)`` on loopback; None is 404. Yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            content = answer(self.command, self.path, body)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def mapped_names(live: Live, dag: str, run_id: str, task: str) -> list[str]:
    """Return the names that a mapped task's instances show in the grid; none until all have succeeded."""
    instances = [each for each in live.tasks(dag, run_id) if each["task_id"] == task]
    done = all(each["state"] == "success" for each in instances)
    return [each["rendered_map_index"] for each in instances] if done else []
