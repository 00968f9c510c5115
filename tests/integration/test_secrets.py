"""Canaries: every secret of a deployment has a value of its own, much goes wrong, and none is found in what is written.

The secrets: S3's key, the address of a webhook, the mail server's password, Airflow's password, Fernet, JWT and session
keys, the database's password, and the sensors' addresses. Searched: what commands and services say, with the
libraries at DEBUG, the lake, the site, Airflow's database (XCom among it), logs, what its API shows, and command lines.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.machine import free_port, write_private
from infra.postgres.service import PostgresService, find_programs
from infra.s3.buckets import make_buckets
from infra.s3.service import S3Service
from tests.integration import airflow_live
from tsubame.errors import Unavailable
from tsubame.stores import Store

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1800)]

CHECKOUT = Path(__file__).resolve().parents[2]
SCENARIO = CHECKOUT / "tests" / "scenarios" / "tiny.toml"
NAMES = ("captures", "delegations", "lake", "site")
ADDRESSES = ("203.0.113.10", "203.0.113.20")
QUARTER = "2023Q1"
SPAN = ("--from", "2023-01-14", "--to", "2023-01-18")
# numba would tell each step of its compiler, for minutes; it knows nothing but code.
_COMMAND = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("numba").setLevel(logging.INFO)
from tsubame.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def canary(name: str) -> str:
    return f"canary-{name}-{secrets.token_hex(12)}"


def forms(value: str) -> Iterator[bytes]:
    """The ways in which a secret may stand in a text."""
    yield value.encode()
    yield urllib.parse.quote(value, safe="").encode()
    yield base64.b64encode(value.encode()).rstrip(b"=")
    yield value.encode().hex().encode()


def leaks(where: str, content: bytes, canaries: Mapping[str, str]) -> list[str]:
    found = []
    for name, value in canaries.items():
        for form in forms(value):
            place = content.find(form)
            if place >= 0:
                found.append(f"{name} in {where}: …{content[max(0, place - 160) : place + 20]!r}")
    return found


def leaks_in_files(folder: Path, canaries: Mapping[str, str], but: Iterable[Path] = ()) -> list[str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in set(but)]
    assert files
    return [leak for path in files for leak in leaks(str(path), path.read_bytes(), canaries)]


def leaks_in_store(url: str, canaries: Mapping[str, str]) -> list[str]:
    """Search every object; of Parquet also the decoded columns and the metadata, addresses as numbers too."""
    numbers = {int.from_bytes(bytes(map(int, address.split("."))), "big"): address for address in ADDRESSES}
    found, keys = [], [item.key for item in Store(url).list()]
    assert keys
    for key in keys:
        content = Store(url).read(key)
        found += leaks(key, content, canaries)
        if not key.endswith(".parquet"):
            continue
        table = pq.read_table(pa.BufferReader(content))
        found += leaks(f"{key}: metadata", repr(table.schema.metadata).encode(), canaries)
        for name in table.column_names:
            column = table[name].to_pylist()
            found += [f"{numbers[v]} in {key}: {name}" for v in column if isinstance(v, int) and v in numbers]
            texts = "\n".join({str(v) for v in column if isinstance(v, str | bytes | list | dict)})
            found += leaks(f"{key}: {name}", texts.encode(), canaries)
    return found


@pytest.fixture(scope="module")
def canaries() -> dict[str, str]:
    names = ("s3", "wrong-s3", "webhook-path", "webhook-query", "smtp", "password", "jwt", "session", "database", "url")
    made = {name: canary(name) for name in names} | {f"sensor {address}": address for address in ADDRESSES}
    made["fernet"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return made


@pytest.fixture(scope="module")
def s3(tmp_path_factory, canaries):
    folder = tmp_path_factory.mktemp("s3")
    write_private(folder / "secrets.json", json.dumps({"suffix": "x", "users": {"admin": canaries["s3"]}}))
    with S3Service(folder) as service:
        make_buckets(service.environment(), NAMES)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in service.environment().items():
                patch.setenv(name, value)
            yield service


@pytest.fixture(scope="module")
def webhook(canaries):
    """The address of a webhook that fails, and what it was asked."""
    asked: list[str] = []

    def answer(_method: str, path: str, _body: bytes) -> None:
        asked.append(path)

    with airflow_live.http_server(answer) as url:
        host = url.partition("://")[2]
        path = f"{canaries['webhook-path']}?token={canaries['webhook-query']}"
        yield f"http://me:{canaries['url']}@{host}/{path}", asked


@pytest.fixture(scope="module")
def settings(s3, webhook, canaries):
    """The environment of a deployment whose secrets are the canaries."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "TSUBAME_", "AWS_", "DASK_"))}
    smtp = {"conn_type": "smtp", "host": "127.0.0.1", "port": 9, "login": "me", "password": canaries["smtp"]}
    return {
        **kept, **s3.environment(), **{f"TSUBAME_{name.upper()}_URL": f"s3://{name}" for name in NAMES},
        "AWS_EC2_METADATA_DISABLED": "true", "TSUBAME_ALARMS": f"webhook:{webhook[0]},smtp:ops@example.org",
        "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(smtp), "TZ": "UTC",
    }  # fmt: skip


@pytest.fixture(scope="module")
def simulated(settings, tmp_path_factory):
    """The tiny scenario in the buckets."""
    command = [sys.executable, "-c", _COMMAND, "simulate", str(SCENARIO)]
    done = subprocess.run(command, env=settings, cwd=tmp_path_factory.mktemp("here"), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def said(simulated, settings, canaries, tmp_path_factory):
    """What the commands say while all is well and while much is wrong: arguments, status, output."""
    folder = tmp_path_factory.mktemp("commands")
    bad = f"http://me:{canaries['url']}@127.0.0.1:9/?token={canaries['webhook-query']}"
    once = {"AWS_MAX_ATTEMPTS": "1"}
    steps = [
        (["ingest", *SPAN], {}, 0),
        (["count", *SPAN], {}, 0),
        (["ingest", *SPAN], {"TSUBAME_LAKE_URL": "s3://none"}, 3),
        (["status"], {"AWS_SECRET_ACCESS_KEY": canaries["wrong-s3"]}, 4),
        (["status"], {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", **once}, 4),
        (["status"], {"AWS_ENDPOINT_URL_S3": bad, **once}, 2),
        (["status"], {"TSUBAME_CAPTURES_URL": f"sftp://me:{canaries['url']}@127.0.0.1:9/captures"}, 3),
        (["delegations", "fetch"], {"TSUBAME_RIR_BASE_URL_ARIN": bad}, 2),
    ]
    told = []
    for arguments, changes, status in steps:
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, *arguments], env=settings | changes,
            cwd=folder, capture_output=True, check=False,
        )  # fmt: skip
        told.append((arguments, changes.keys(), status, done.returncode, done.stdout + done.stderr))
    return told


def test_commands_tell_no_secret_whatever_goes_wrong(said, canaries):
    for arguments, changes, wanted, status, output in said:
        assert status == wanted, (arguments, changes, output[-2000:])
        # The control: the libraries did log all they could, where they were asked at all.
        assert b"DEBUG:" in output or wanted == 2 or "TSUBAME_CAPTURES_URL" in changes, arguments
        assert leaks(f"{arguments} {list(changes)}", output, canaries) == []


def test_the_lake_holds_no_secret(said, s3, canaries):
    assert leaks_in_store("s3://lake", canaries) == []
    assert leaks(s3.log.name, s3.log.read_bytes(), canaries) == []


@pytest.fixture(scope="module")
def database(canaries):
    try:
        find_programs()
    except Unavailable as missing:
        pytest.skip(str(missing))
    folder = Path(tempfile.mkdtemp(prefix="tsubame-postgres-"))
    passwords = {"postgres": canary("superuser"), "airflow": canaries["database"]}
    write_private(folder / "tsubame.json", json.dumps({"passwords": passwords, "port": free_port()}))
    try:
        with PostgresService(folder) as service:
            yield service
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lived(simulated, settings, database, canaries, tmp_path_factory):
    """Airflow at DEBUG: a run that succeeds, one without a bucket, one without keys; the API's answers meanwhile."""
    place = tmp_path_factory.mktemp("airflow")
    home = place / "airflow"
    home.mkdir()
    keys = {name: canaries[name] for name in ("fernet", "jwt", "session")}
    write_private(home / "secrets.json", json.dumps(keys))
    write_private(home / "passwords.json", json.dumps({"admin": canaries["password"]}))
    environment = settings | {
        "AIRFLOW_HOME": str(home), "PORT": str(free_port()), "DATABASE": database.url,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG", "TSUBAME_APPROVAL_HOURS": "0",
        # Every task asks: the days of the scenario are long late.
        "TSUBAME_DEADLINE_HOURS": "0", "TSUBAME_EVENT_RATIO": "1", "TSUBAME_GRACE_HOURS": "0",
    }  # fmt: skip
    answers: dict[str, bytes] = {}
    live = airflow_live.Live(environment, place / "said.txt")
    live.start()
    try:
        live.unpause("report_quarter")
        live.unpause("observe_day")
        states = {}
        for dag, key in (("observe_day", "2023-01-20"), ("report_quarter", QUARTER)):
            run = live.trigger(dag, key)
            states[dag] = live.await_run(dag, run)
            for task in live.tasks(dag, run):
                path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task['task_id']}"
                answers[f"{path}[{task['map_index']}]"] = json.dumps(task).encode()
                for more in ("/logs/1", "/xcomEntries", "/xcomEntries/return_value"):
                    answers[f"{path}[{task['map_index']}]{more}"] = asked(
                        live, path + more, map_index=task["map_index"]
                    )
        for path in (
            "/connections",
            "/variables",
            "/config",
            "/assets/events",
            "/eventLogs",
            "/importErrors",
            "/plugins",
        ):
            answers[path] = asked(live, path)
        family = [*psutil.Process(live.process.pid).children(recursive=True), psutil.Process(live.process.pid)]
        lines = [process.cmdline() for process in family if process.is_running()]
        answers["command lines"] = repr(lines).encode()
    finally:
        live.stop()
    return home, answers, states, live


def asked(live: airflow_live.Live, path: str, **query: int) -> bytes:
    try:
        return json.dumps(live.client.get(path, **query)).encode()
    except airflow_live.Refused as refused:
        return str(refused).encode()


def test_airflow_writes_and_shows_no_secret(lived, webhook, database, canaries):
    home, answers, states, live = lived
    assert states == {"report_quarter": "success", "observe_day": "success"}
    assert webhook[1], "no alarm was tried"
    kept = [home / name for name in ("airflow.cfg", "secrets.json", "passwords.json")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    found = leaks_in_files(home, canaries, but=kept)
    found += leaks("what the services say", live.said.read_bytes(), canaries)
    for where, answer in answers.items():
        found += leaks(where, answer, canaries)
    assert found == []
    logs = b"".join(path.read_bytes() for path in home.rglob("*.log"))
    assert b"an alarm could not be sent" in logs
    assert b"debug" in logs.lower()


def test_what_airflow_made_holds_no_secret(lived, canaries):
    assert leaks_in_store("s3://lake", canaries) == []
    assert leaks_in_store("s3://site", canaries) == []


def test_airflows_database_holds_no_secret(lived, database, canaries):
    dump = subprocess.run(
        [str(find_programs() / "pg_dump"), "--inserts", database.url.replace("+psycopg2", "")],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert b"INSERT INTO public.xcom " in dump
    assert b"INSERT INTO public.task_instance " in dump
    assert leaks("the metadata database", dump, canaries) == []
    # XCom and others keep JSON as text within text: once more without the escapes.
    assert leaks("the metadata database", dump.replace(b"\\", b""), canaries) == []
    assert leaks("PostgreSQL's log", database.log.read_bytes(), canaries) == []
