"""PostgreSQL as Airflow's metadata database: started, refusing strangers, killed, started again, used by Airflow."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import psutil
import psycopg2
import pytest

from infra.dask.certificates import make_server_certificates
from infra.machine import free_port
from infra.postgres.configured import database_address
from infra.postgres.service import PostgresService, find_programs
from tests.integration.airflow_live import services
from tsubame.errors import Unavailable, UsageError

CHECKOUT = Path(__file__).resolve().parents[2]


def connect(url: str) -> psycopg2.extensions.connection:
    return psycopg2.connect(url.replace("+psycopg2", ""))


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="tsubame-postgres-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(autouse=True)
def _installed():
    try:
        find_programs()
    except Unavailable as missing:
        pytest.skip(str(missing))


def test_only_who_knows_the_password_gets_in_and_only_by_loopback(postgres):
    with connect(postgres.url) as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = USER"
        )
        assert cursor.fetchone() == ("airflow", False)
    session.close()
    password = postgres.url.split(":")[2].split("@")[0]
    for wrong in (postgres.url.replace(password, "guess"), postgres.url.replace(f":{password}", "")):
        with pytest.raises(psycopg2.OperationalError, match=r"password authentication failed|no password supplied"):
            connect(wrong)
    server = psutil.Process(postgres._process.pid)
    listening = {c.laddr for c in server.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", postgres.port)}
    assert server.uids().effective != 0
    assert password not in postgres.log.read_text() + repr(postgres)


def test_a_changed_password_leaves_open_sessions_and_lets_no_new_one_in_by_the_old(folder):
    with PostgresService(folder) as service:
        old = service.url
        new = old.replace(old.split(":")[2].split("@")[0], "another-password")
        session = connect(old)
        service.execute("ALTER ROLE airflow PASSWORD 'another-password';")
        with session, session.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        session.close()
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            connect(old)
        connect(new).close()


def test_what_was_committed_outlives_a_kill(folder):
    with PostgresService(folder) as service:
        with connect(service.url) as session, session.cursor() as cursor:
            cursor.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        session.close()
        server = psutil.Process(service._process.pid)
        service.kill()
        psutil.wait_procs([server], timeout=5)
        with pytest.raises(Unavailable, match="PostgreSQL has ended"):
            service.check()
        service.start()
        assert service.execute("SELECT sum(n) FROM kept", database="airflow") == "500500"
        with pytest.raises(Unavailable, match="is taken"):
            PostgresService(folder).start()
        family = [psutil.Process(service._process.pid), *psutil.Process(service._process.pid).children(recursive=True)]
    assert not [process for process in family if process.is_running()]


def test_it_ends_with_who_started_it(folder):
    code = (
        "import sys, time; from pathlib import Path; from infra.postgres.service import PostgresService\n"
        "service = PostgresService(Path(sys.argv[1])); service.start()\n"
        "print(service._process.pid, flush=True); time.sleep(99)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as starter:
        server = psutil.Process(int(starter.stdout.readline()))
        starter.send_signal(signal.SIGKILL)
    began = time.monotonic()
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() - began < 10
        time.sleep(0.05)


def test_with_tls_nobody_gets_in_without_it_and_both_drivers_check_the_server(folder, tmp_path, monkeypatch):
    make_server_certificates(tmp_path / "own", {"postgres": ("127.0.0.1",)})
    make_server_certificates(tmp_path / "foreign", {"postgres": ("127.0.0.1",)})
    with PostgresService(folder, tls=tmp_path / "own" / "postgres.pem") as service:

        def modes() -> list[str]:
            """TLS versions that Airflow's two drivers come in with, as the compose file sets them."""
            with connect(service.url) as session, session.cursor() as cursor:
                cursor.execute("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                (one,) = cursor.fetchone()
            session.close()

            async def other() -> str:
                session = await asyncpg.connect(service.url.replace("+psycopg2", ""))
                found = await session.fetchval("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                await session.close()
                return found

            with ThreadPoolExecutor(1) as pool:
                return [one, pool.submit(asyncio.run, other()).result()]

        monkeypatch.setenv("PGSSLMODE", "verify-full")
        monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "own" / "ca.pem"))
        assert modes() == ["TLSv1.3", "TLSv1.3"]
        monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "foreign" / "ca.pem"))
        with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
            connect(service.url)
        monkeypatch.setenv("PGSSLMODE", "disable")
        with pytest.raises(psycopg2.OperationalError, match="no encryption"):
            connect(service.url)


@pytest.mark.skipif(os.geteuid() != 0, reason="as another user the server runs as that user")
def test_a_folder_that_its_user_cannot_reach_is_named(folder):
    folder.chmod(0o700)
    with pytest.raises(Unavailable, match=r"closed.*Permission denied.*choose another POSTGRES_FOLDER"):
        PostgresService(folder / "closed").start()


def test_the_setting_says_which_database(tmp_path):
    assert database_address({}) is None
    assert database_address({"DATABASE": "postgresql://a:b@c/d"}) == "postgresql://a:b@c/d"
    with pytest.raises(UsageError, match="DATABASE: not a database") as error:
        database_address({"DATABASE": "mysql://root:hunter2@h/d"})
    assert "hunter2" not in str(error.value)
    with pytest.raises(Unavailable, match="there is no database"):
        database_address({"DATABASE": "postgres", "POSTGRES_FOLDER": str(tmp_path)})


@pytest.mark.long
@pytest.mark.integration
def test_airflow_is_healthy_on_a_postgres_of_its_own(folder, tmp_path):
    settings = {"DATABASE": "postgres", "POSTGRES_FOLDER": str(folder), "PORT": str(free_port())}
    with services(tmp_path, **settings) as live:
        live.await_("health", live.client.is_healthy)
        live.await_("the DAGs", lambda: live.client.get("/dags")["total_entries"] >= 3, 120)
        with connect(database_address(live.env)) as session, session.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM dag")
            assert cursor.fetchone()[0] >= 3
        session.close()
        assert not (tmp_path / "airflow" / "airflow.db").exists()
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]
