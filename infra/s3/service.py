"""Starts the S3 service, watches it, and stops it without an orphan."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import psutil

from infra.machine import end_with_parent, write_private
from infra.s3.configuration import ACCOUNT, ADMINISTRATOR, REGION, STORAGE, Ports, write_configuration
from infra.s3.environment import installed
from tsubame.errors import Unavailable

SECONDS_TO_START = 120
_ATTEMPTS = 3


@dataclass(slots=True)
class S3Service:
    """One S3 service over one folder; a context that starts and stops it.

    Args:
        folder: holds the objects, configuration, secrets and log; used again, it holds them again.
        host: the address that clients reach it at; the storage servers listen on loopback in any case.
        port: of the endpoint; 0 takes a free one at every start.
        users: besides administrators; they may do what ACLs of buckets let them.
        administrators: may do everything in the account. Who is no longer named when it starts does not get in.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    users: Sequence[str] = ()
    administrators: Sequence[str] = (ADMINISTRATOR,)
    _process: subprocess.Popen[bytes] | None = None
    _lock: IO[str] | None = None
    _secrets: dict[str, str] = field(default_factory=dict)
    _suffix: str = ""

    def __enter__(self) -> S3Service:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """The URL that clients use."""
        return f"http://{self.host}:{self.port}"

    @property
    def log(self) -> Path:
        """What Swift says."""
        return self.folder / "logs" / "swift.log"

    def environment(self, user: str = ADMINISTRATOR) -> dict[str, str]:
        """Return the variables that botocore reads, for one user; the secret is among them."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": f"{ACCOUNT}:{user}",
            "AWS_SECRET_ACCESS_KEY": self._secrets[user],
            "AWS_REGION": REGION,
        }

    def start(self) -> None:
        """Start the servers; returns when the endpoint answers.

        Raises:
            Unavailable: they do not come up, the folder cannot hold them, or a service of this folder runs already.
        """
        try:
            self._start(installed())
        except BaseException:
            self.stop()
            raise

    def _start(self, python: Path) -> None:
        self._prepare()
        fixed = self.port
        for attempt in range(_ATTEMPTS):
            ports = _free_ports(self.host, fixed)
            write_configuration(
                self.folder, ports, self.host, self._secrets, self._suffix, administrators=self.administrators
            )
            self._spawn(python, ports)
            self.port = ports.proxy
            if self._answers(ports):
                return
            self.kill()
            # Somebody may have taken a port between our looking and the servers' listening.
            if attempt + 1 == _ATTEMPTS or "in use" not in self.log.read_text(errors="replace"):
                break
        said = (self.log.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise Unavailable("the S3 service did not start", actual=said[:300], hint=f"Read {self.log}.")

    def check(self) -> None:
        """Look whether it lives.

        Raises:
            Unavailable: it has ended.
        """
        if self._process is None or self._process.poll() is not None:
            raise Unavailable("the S3 service has ended", key=self.endpoint, hint=f"Read {self.log}.")

    def stop(self) -> None:
        """Stop it; every object that was acknowledged is on disk."""
        if self._process:
            servers = _servers_of(self._process)
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._end(servers)
        if self._lock:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """End it as a power cut would, with SIGKILL; ``start`` brings it back on the same port."""
        if self._process:
            self._end(_servers_of(self._process))

    def _end(self, servers: Sequence[psutil.Process]) -> None:
        assert self._process is not None
        for process in (self._process, *servers):
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        _await_end(servers)
        self._process = None

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            (self.folder / "logs").mkdir(exist_ok=True)
            self._take_folder()
            self._keep_secrets()
            os.setxattr(self.folder, "user.tsubame", b"1")
        except OSError as error:
            raise Unavailable(
                "cannot hold an S3 service", key=str(self.folder), actual=error.strerror,
                hint="It needs a file system with extended attributes, and the right to write.",
            ) from error  # fmt: skip

    def _take_folder(self) -> None:
        if self._lock:
            return
        self._lock = (self.folder / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            self._lock = None
            raise Unavailable("an S3 service of this folder runs already", key=str(self.folder)) from error

    def _keep_secrets(self) -> None:
        """Make a secret for each user once: a folder used again keeps them."""
        path = self.folder / "secrets.json"
        kept = json.loads(path.read_text()) if path.exists() else {"suffix": secrets.token_hex(8), "users": {}}
        names = (*self.administrators, *self.users)
        for name in names:
            kept["users"].setdefault(name, secrets.token_urlsafe(30))
        self._secrets, self._suffix = {name: kept["users"][name] for name in names}, kept["suffix"]
        write_private(path, json.dumps(kept))

    def _spawn(self, python: Path, ports: Ports) -> None:
        program = Path(__file__).with_name("servers.py")
        numbers = [str(ports.of(kind)) for kind in STORAGE]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "PYTHONUNBUFFERED": "1"}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), str(program), str(self.folder / "etc"), *numbers], cwd=self.folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip

    def _answers(self, ports: Ports) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self._process.poll() is None:
            if all(_listens(ports.of(kind)) for kind in STORAGE) and _is_healthy(self.host, self.port):
                return True
            time.sleep(0.05)
        return False


def _servers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the servers that it has forked; Swift gives each a process group of its own."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _await_end(servers: Sequence[psutil.Process], seconds: float = 5) -> None:
    """Wait until servers are gone that have been killed: they hold their ports until then."""
    deadline = time.monotonic() + seconds
    for server in servers:
        with suppress(psutil.NoSuchProcess):
            while server.is_running() and server.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
                time.sleep(0.01)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def _is_healthy(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/healthcheck")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_ports(host: str, proxy: int) -> Ports:
    """Find free ports, the endpoint's only where it is not given."""
    with ExitStack() as stack:
        found = []
        for wanted_host, wanted in ((host, proxy), *(("127.0.0.1", 0) for _ in STORAGE)):
            probe = stack.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((wanted_host, wanted))
            except OSError as error:
                raise Unavailable(
                    f"port {wanted} is taken or cannot be used", key=wanted_host,
                    hint="Stop what listens there, or choose another: S3_PORT=...",
                ) from error  # fmt: skip
            found.append(probe.getsockname()[1])
        return Ports(*found)
