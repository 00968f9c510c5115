"""Starts PostgreSQL, watches it, and stops it without an orphan.

PostgreSQL refuses to run as root; as root it is run as the user ``postgres``, who must be able to reach the folder.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from infra.machine import end_with_parent, free_port, write_private
from tsubame.errors import Unavailable

SECONDS_TO_START = 60
SECONDS_TO_STOP = 20
DATABASE = "airflow"
OWNER = "airflow"
_RUNS_AS = "postgres"
_KEPT = "tsubame.json"
HBA = Path(__file__).with_name("pg_hba.conf")
"""Who gets in where there is TLS: whoever knows a password, over TLS. The compose file mounts it too."""
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "log_destination": "stderr",
    "logging_collector": "off",
    # A statement that fails is named by its kind alone: its text may hold what it was about to store.
    "log_min_error_statement": "panic",
    "timezone": "UTC",
}


@dataclass(slots=True)
class PostgresService:
    """One PostgreSQL over one folder; a context that starts and stops it.

    Args:
        folder: holds the data, the passwords and the log; used again, it holds them again, on the same port.
        port: on loopback; 0 takes a free one at the first start, which is then kept.
        tls: certificate and key in one file; then nobody gets in without TLS.
    """

    folder: Path
    port: int = 0
    tls: Path | None = None
    _process: subprocess.Popen[bytes] | None = None
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    def __enter__(self) -> PostgresService:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Airflow's address of the database; the password is in it."""
        return address(self.folder)

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "postgres.log"

    def start(self) -> None:
        """Start the server; returns when the database answers to its owner.

        Raises:
            Unavailable: there is no PostgreSQL, its folder cannot be used, its port is taken, or it does not come up.
        """
        programs = find_programs()
        try:
            self._prepare(programs)
            self._spawn(programs)
            if not self._kept.get("made"):
                self._make_database(programs)
        except OSError as error:
            self.stop()
            raise Unavailable("cannot hold a database", key=str(self.folder), actual=error.strerror) from error
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Look whether it lives.

        Raises:
            Unavailable: it has ended.
        """
        if self._process is None or self._process.poll() is not None:
            raise Unavailable("PostgreSQL has ended", key=str(self.folder), hint=f"Read {self.log}.")

    def stop(self) -> None:
        """Stop it at once but whole: sessions are ended, what was committed is on disk."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self._process.send_signal(signal.SIGINT)
            self._process.wait(SECONDS_TO_STOP)
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would; ``start`` brings it back with what was committed."""
        if self._process is None:
            return
        # Sessions have process groups of their own; they end by themselves when the server is gone.
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._process = None

    def _prepare(self, programs: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        _give_away(self.folder)
        kept = self.folder / _KEPT
        if kept.exists():
            self._kept = json.loads(kept.read_text())
        else:
            passwords = {name: secrets.token_urlsafe(30) for name in ("postgres", OWNER)}
            self._kept = {"passwords": passwords, "port": self.port or free_port()}
            write_private(kept, json.dumps(self._kept))
        self.port = int(self._kept["port"])
        if not (self.folder / "data" / "PG_VERSION").exists():
            self._make_cluster(programs)
        _require_free(self.port)

    def _make_cluster(self, programs: Path) -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        password = self.folder / "password"
        write_private(password, self._kept["passwords"]["postgres"])
        _give_away(password)
        try:
            done = subprocess.run(
                [str(programs / "initdb"), "--pgdata", str(self.folder / "data"), "--username=postgres",
                 f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"],
                cwd=self.folder, env=_environment(), capture_output=True, text=True, check=False, **_as_its_user(),
            )  # fmt: skip
        finally:
            password.unlink()
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["nothing"])[0]
            raise Unavailable("initdb failed", key=str(self.folder), actual=said, hint=_reach_hint())

    def _spawn(self, programs: Path) -> None:
        settings = [f"-c{n}={v}" for n, v in {**_SETTINGS, "port": str(self.port), **self._encryption()}.items()]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(programs / "postgres"), "-D", str(self.folder / "data"), *settings], cwd=self.folder,
                env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=lambda: end_with_parent(signal.SIGINT), **_as_its_user(),
            )  # fmt: skip
        deadline = time.monotonic() + SECONDS_TO_START
        state = self.folder / "data" / "postmaster.pid"
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(FileNotFoundError):
                lines = state.read_text().splitlines()
                if lines[:1] == [str(self._process.pid)] and lines[7:8] and lines[7].strip() == "ready":
                    return
            time.sleep(0.05)
        said = (self.log.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise Unavailable("PostgreSQL did not start", actual=said[:300], hint=f"Read {self.log}.")

    def _encryption(self) -> Mapping[str, str]:
        if self.tls is None:
            return {}
        # The server insists on a key that is its own and nobody else's to read.
        own = self.folder / "tls.pem"
        write_private(own, self.tls.read_text())
        rules = self.folder / "hba.conf"
        write_private(rules, HBA.read_text())
        for path in (own, rules):
            _give_away(path)
        return {"ssl": "on", "ssl_cert_file": str(own), "ssl_key_file": str(own), "hba_file": str(rules)}

    def _make_database(self, programs: Path) -> None:
        """Make Airflow's role, which may not make others, and its database."""
        self.execute(
            f"CREATE ROLE {OWNER} LOGIN PASSWORD '{self._kept['passwords'][OWNER]}';",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER};",
            f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;",
            programs=programs,
        )
        self._kept["made"] = True
        write_private(self.folder / _KEPT, json.dumps(self._kept))

    def execute(self, *statements: str, database: str = "postgres", programs: Path | None = None) -> str:
        """Run statements as the superuser and return the rows, one a line.

        Raises:
            Unavailable: the server does not answer, or refuses a statement.
        """
        command = [str((programs or find_programs()) / "psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
        command += ["--set=ON_ERROR_STOP=1", "--host=127.0.0.1", f"--port={self.port}", "--username=postgres", database]
        done = subprocess.run(
            command, input="\n".join(statements), env=_environment(PGPASSWORD=self._kept["passwords"]["postgres"]),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["nothing"])[0]
            raise Unavailable("PostgreSQL refused", key=f"127.0.0.1:{self.port}/{database}", actual=said)
        return done.stdout.strip()


def address(folder: Path) -> str:
    """Return Airflow's address of the database in ``folder``; the password is in it.

    Raises:
        Unavailable: no database was made there.
    """
    try:
        kept = json.loads((folder / _KEPT).read_text())
    except OSError as error:
        raise Unavailable(
            "there is no database",
            key=str(folder),
            actual=error.strerror,
            hint="`make airflow DATABASE=postgres` makes it.",
        ) from error
    return f"postgresql+psycopg2://{OWNER}:{kept['passwords'][OWNER]}@127.0.0.1:{kept['port']}/{DATABASE}"


def find_programs() -> Path:
    """Return the folder of the newest PostgreSQL server's programs.

    Raises:
        Unavailable: there is none.
    """
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    for folder in (*versions, *on_path):
        if all((folder / name).exists() for name in ("initdb", "postgres", "psql")):
            return folder
    raise Unavailable("PostgreSQL is not installed", hint="On Debian: apt-get install postgresql.")


def _as_its_user() -> dict[str, Any]:
    """Return what makes a subprocess run as the user ``postgres``, for root alone."""
    if os.geteuid() != 0:
        return {}
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_RUNS_AS)
    except KeyError as error:
        raise Unavailable(
            f"PostgreSQL cannot run as root, and there is no user {_RUNS_AS}", hint="Run as another user, or add it."
        ) from error


def _give_away(path: Path) -> None:
    """Make it the property of the user that the server runs as."""
    if os.geteuid() == 0:
        account = _account()
        os.chown(path, account.pw_uid, account.pw_gid)


def _reach_hint() -> str | None:
    if os.geteuid() != 0:
        return None
    return f"As root it runs as the user {_RUNS_AS}, who must be able to reach it: choose another POSTGRES_FOLDER."


def _environment(**more: str) -> Mapping[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **more}


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Unavailable(
                f"port {port} is taken",
                key="PostgreSQL",
                hint="Stop what listens there, perhaps a PostgreSQL of this folder.",
            ) from error
