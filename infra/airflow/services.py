"""Starts Airflow's services in the order that is safe, watches them, and stops them without an orphan.

The API server must be healthy before the scheduler starts: tasks that are queued before it listens fail.
Every service leads a process group of its own, and tasks lead theirs; as "subreaper" this process
inherits whatever loses its parent, so that stopping reaches tasks and their Dask workers too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

from infra.airflow.client import Client, NoAnswer
from infra.airflow.configuration import Deployment
from infra.machine import control, end_with_parent
from tsubame.errors import Unavailable

SECONDS_TO_START = 300
SECONDS_TO_STOP = 20
_BEHIND_THE_API = ("scheduler", "triggerer")
_ORDER_OF_STOPPING = ("migrate", "scheduler", "triggerer", "dag-processor", "api-server")
_EXCEPTION = re.compile(r"[\w.]+(Error|Exception): \S")
_PR_SET_CHILD_SUBREAPER = 36
POOLS = {"dask": (1, "Tasks that compute on Dask; one at a time uses every core.")}


class Interrupted(BaseException):
    """The person or the machine asks to stop: Ctrl-C or SIGTERM; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass(slots=True)
class Services:
    """Airflow's services of one deployment.

    Use it as a context: leaving it stops everything that was started.

    Args:
        deployment: where and how.
        tell: is called with one line about each step.
    """

    deployment: Deployment
    tell: Callable[[str], None] = print
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _lock: IO[str] | None = None
    _others: list[psutil.Process] = field(default_factory=list)
    _awaited: set[int] = field(default_factory=set)

    def __enter__(self) -> Services:
        control(_PR_SET_CHILD_SUBREAPER, 1)
        self._others = psutil.Process().children()
        self._take_home()
        return self

    def __exit__(self, *_: object) -> None:
        with _signals_held():
            self.stop()

    def start(self, before_scheduling: Callable[[Client], None] = lambda _: None) -> None:
        """Start all services; returns when all are healthy.

        Args:
            before_scheduling: is called when the API answers and nothing is scheduled yet.

        Raises:
            Unavailable: the port is taken, or a service does not come up; the message names its log.
        """
        require_port(self.deployment.port)
        began = time.monotonic()
        self.migrate()
        self._spawn("api-server", "api-server")
        self._spawn("dag-processor", "dag-processor")
        client = self.client()
        self._await("the API server", lambda: client.version() is not None)
        client.login()
        for name, (slots, description) in POOLS.items():
            client.ensure_pool(name, slots, description)
        before_scheduling(client)
        for name in _BEHIND_THE_API:
            # Logs are read from the files of this machine: the log servers would listen beyond loopback.
            self._spawn(name, name, "--skip-serve-logs")
        self._await("all services", client.is_healthy)
        self.tell(f"Airflow is up after {time.monotonic() - began:.0f} s: {self.deployment.url}")

    def client(self) -> Client:
        """Return a REST client of the deployment."""
        return Client(self.deployment.url, "admin", lambda: self.deployment.password)

    def migrate(self) -> None:
        """Bring the metadata database to this Airflow's schema.

        Raises:
            Unavailable: it failed; the message names the log.
        """
        process = self._spawn("migrate", "db", "migrate")
        waited = _Waiting("the metadata database", self.tell)
        while process.poll() is None:
            waited.on()
        del self._processes["migrate"]
        if process.returncode:
            raise self._died("migrate", process.returncode)

    def check(self) -> None:
        """Look whether every service lives.

        Raises:
            Unavailable: one has ended; the message names it and its log.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise self._died(name, process.returncode)
        self._reap()

    def leave_to_starter(self, pid: int) -> None:
        """Leave a child's exit status to whoever started it beside the services and waits for it."""
        self._awaited.add(pid)

    def _reap(self) -> None:
        """Take note of the end of what lost its parent: as its heir this process must, or it stays as a zombie.

        What a service started is of the service's session; what this process started itself is of its own, unless
        it was named to ``leave_to_starter``.
        """
        known = {process.pid for process in (*self._processes.values(), *self._others)} | self._awaited
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, ChildProcessError):
                foreign = child.pid not in known and os.getsid(child.pid) != os.getsid(0)
                if foreign and child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)

    def airflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``airflow`` with the deployment's settings, and return what it said."""
        return subprocess.run(
            airflow_command(*arguments), env=dict(self.deployment.environment), capture_output=True, text=True,
            check=False, cwd=self.deployment.home,
        )  # fmt: skip

    def stop(self) -> None:
        """Stop all services and everything they started: first politely, then for good."""
        if self._processes:
            self.tell("stopping Airflow …")
        # The scheduler first, so that no task is started any more; the API last, since ending tasks report to it.
        for name in _ORDER_OF_STOPPING[:-1]:
            if name in self._processes:
                self._processes[name].terminate()
        if "scheduler" in self._processes:
            _stop_tasks(self._processes["scheduler"])
        deadline = time.monotonic() + SECONDS_TO_STOP
        for name in _ORDER_OF_STOPPING[:-1]:
            if process := self._processes.pop(name, None):
                # The triggerer would wait ten seconds for triggers, which lose nothing: they begin anew.
                _await_end(process, deadline if name == "scheduler" else time.monotonic() + 2)
        if process := self._processes.pop("api-server", None):
            process.terminate()
            _await_end(process, time.monotonic() + 5)
        _sweep(self._others)
        if self._lock:
            self._lock.close()
            self._lock = None

    def _take_home(self) -> None:
        self._lock = (self.deployment.home / "services.lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            self._lock = None
            raise Unavailable(
                "Airflow's services of this home run already", key=str(self.deployment.home),
                hint="Stop them, or choose another AIRFLOW_HOME and PORT.",
            ) from error  # fmt: skip

    def _spawn(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log_of(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                airflow_command(*arguments), env=dict(self.deployment.environment), stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, cwd=self.deployment.home, start_new_session=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip
        return self._processes[name]

    def _log_of(self, name: str) -> Path:
        return self.deployment.service_logs / f"{name}.log"

    def _died(self, name: str, status: int) -> Unavailable:
        lines = [line.strip() for line in self._log_of(name).read_text(errors="replace").splitlines() if line.strip()]
        # An exception says more than the hints that its library puts below it.
        said = next((line for line in reversed(lines[-5:]) if _EXCEPTION.match(line)), (lines or ["nothing"])[-1])
        return Unavailable(
            f"Airflow's {name} has ended with status {status}", actual=said[:300],
            hint=f"Read {self._log_of(name)}.",
        )  # fmt: skip

    def _await(self, what: str, ready: Callable[[], bool]) -> None:
        waited = _Waiting(what, self.tell)
        while True:
            self.check()
            with contextlib.suppress(NoAnswer):
                if ready():
                    return
            if waited.seconds > SECONDS_TO_START:
                raise Unavailable(
                    f"{what} did not come up within {SECONDS_TO_START} s",
                    hint=f"Read the logs in {self.deployment.service_logs}.",
                )
            waited.on()


class _Waiting:
    """Tells every few seconds what is waited for."""

    def __init__(self, what: str, tell: Callable[[str], None]) -> None:
        self._what, self._tell = what, tell
        self._began = self._told = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def on(self) -> None:
        """Wait a little longer."""
        if time.monotonic() - self._told >= 5:
            self._told = time.monotonic()
            self._tell(f"waiting for {self._what}, {self.seconds:.0f} s")
        time.sleep(0.25)


def airflow_command(*arguments: str) -> list[str]:
    """Return the command line of ``airflow`` in this environment, whether its scripts are on PATH or not."""
    return [sys.executable, "-m", "airflow", *arguments]


def require_port(port: int) -> None:
    """Look whether the port is free on loopback.

    Raises:
        Unavailable: it is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Unavailable(
                f"port {port} is taken" if port > 1023 else f"port {port} cannot be used",
                hint=f"Stop what listens there, or choose another one: PORT={port + 1 if port > 1023 else 8080}.",
            ) from error


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into ``Interrupted`` within the block."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Let a second Ctrl-C not interrupt the stopping, which is short and must be whole."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_tasks(scheduler: subprocess.Popen[bytes]) -> None:
    """Ask running tasks to end: the scheduler would wait for them as long as they take.

    Its children are the executor's workers; they pass the signal on to their tasks, which stop their Dask workers.
    """
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(scheduler.pid).children():
            with contextlib.suppress(psutil.Error):
                child.terminate()


def _await_end(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Wait for a service that was asked to end, and kill it with its group when it does not.

    It is not asked twice: the scheduler would break off its own stopping and wait for its workers forever.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.1, deadline - time.monotonic()))
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _sweep(others: list[psutil.Process]) -> None:
    """End what is left of this process' descendants, tasks and Dask workers that lost their parents, but the others."""

    def descendants() -> list[psutil.Process]:
        children = [child for child in psutil.Process().children() if child not in others]
        found = list(children)
        for child in children:
            with contextlib.suppress(psutil.Error):
                found += child.children(recursive=True)
        return found

    for _ in range(3):
        left = descendants()
        for number in ("terminate", "kill"):
            for process in left:
                with contextlib.suppress(psutil.Error):
                    getattr(process, number)()
            _, left = psutil.wait_procs(left, timeout=5 if number == "terminate" else 2)
        if not descendants():
            return


def run_until_interrupted(services: Services, each: Callable[[], Any] = lambda: None) -> None:
    """Watch the services until Ctrl-C or SIGTERM.

    Raises:
        Unavailable: a service has ended by itself.
    """
    with contextlib.suppress(Interrupted):
        while True:
            services.check()
            each()
            time.sleep(1)
