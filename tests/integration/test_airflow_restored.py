"""Airflow's own state through the runbook of a deployment: another Fernet key, a dump, no dump, an older schema."""

import base64
import json
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import airflow_live

from infra.postgres.service import find_programs

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1800)]
DAG = "observe_day"
BEFORE = "3.2.0"
"""The Airflow whose schema stands for that of before an upgrade."""


def fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def new_database(postgres) -> str:
    """Make an empty database of Airflow's user; returns its address."""
    name = f"airflow_{secrets.token_hex(4)}"
    postgres.execute(f"CREATE DATABASE {name} OWNER airflow;")
    return f"{postgres.url.rpartition('/')[0]}/{name}"


def airflow(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.airflow", *arguments],
        env=env, cwd=airflow_live.CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def succeed(env: dict[str, str], *arguments: str) -> str:
    done = airflow(env, *arguments)
    assert done.returncode == 0, (arguments, done.stdout[-1000:], done.stderr[-2000:])
    return done.stdout


def dump(url: str, to: Path) -> None:
    command = [str(find_programs() / "pg_dump"), "--format=custom", f"--file={to}", url.replace("+psycopg2", "")]
    subprocess.run(command, check=True, capture_output=True)


def restore(url: str, dumped: Path) -> None:
    command = [str(find_programs() / "pg_restore"), "--exit-on-error", "--no-owner"]
    command += [f"--dbname={url.replace('+psycopg2', '')}", str(dumped)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_fernet_key_is_rotated(postgres, tmp_path):
    key = tmp_path / "airflow_fernet"
    env = airflow_live.environment(
        tmp_path, DATABASE=new_database(postgres), AIRFLOW__CORE__FERNET_KEY_CMD=f"cat {key}"
    )

    def password() -> str | None:
        """The stored password; None where it does not open."""
        done = airflow(env, "connections", "get", "smtp_default", "--output", "json")
        return json.loads(done.stdout)[0]["password"] if done.returncode == 0 else None

    old, new = fernet_key(), fernet_key()
    key.write_text(old)
    succeed(env, "db", "migrate")
    succeed(env, "connections", "add", "smtp_default", "--conn-type", "smtp", "--conn-password", "by heart")
    assert password() == "by heart"
    name = env["DATABASE"].rpartition("/")[2]
    stored = "SELECT password FROM connection WHERE conn_id = 'smtp_default'"
    before = postgres.execute(stored, database=name)
    assert "by heart" not in before

    # Without the rotation the new key opens nothing.
    key.write_text(new)
    assert password() is None
    key.write_text(f"{new},{old}")
    assert password() == "by heart"
    succeed(env, "rotate-fernet-key")
    assert postgres.execute(stored, database=name) != before
    key.write_text(new)
    assert password() == "by heart"
    key.write_text(old)
    assert password() is None


@pytest.fixture(scope="module")
def lived(postgres, tiny, tmp_path_factory, dask_address):
    """A deployment that has counted a day and waits for another; its nightly dump; then it is stopped."""
    place = tmp_path_factory.mktemp("restored")
    for name in ("captures", "delegations"):
        shutil.copytree(tiny / name, place / name)
    (place / "captures" / "truth.json").unlink()
    (place / "held").mkdir()
    for day in range(24, 29):
        shutil.move(place / "captures" / f"jp-b/2023/01/{day}", place / "held" / str(day))
    settings = {
        "DATABASE": new_database(postgres), "DASK_SCHEDULER_ADDRESS": dask_address, "TSUBAME_LOOKBACK_DAYS": "1",
        # Two centuries: the days of the scenario are still waited for.
        "TSUBAME_GRACE_HOURS": "2000000", "TSUBAME_POLL_SECONDS": "1",
    }  # fmt: skip
    with airflow_live.services(place, **settings) as live:
        live.unpause(DAG)
        counted = live.trigger(DAG, "2023-01-20")
        assert live.await_run(DAG, counted) == "success"
        waiting = live.trigger(DAG, "2023-01-25")
        live.await_("deferred", lambda: live.state(DAG, waiting, "await_captures") == "deferred")
        succeed(live.env, "connections", "add", "kept", "--conn-type", "http", "--conn-password", "as it was")
        dump(live.env["DATABASE"], place / "airflow.dump")
    return place, settings, (counted, waiting)


def written(place: Path) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns
        for part in ("flows", "counts", "ledger")
        for path in (place / "lake" / part).rglob("*")
    }


def test_a_dump_is_restored_and_what_waited_goes_on(lived, postgres):
    place, settings, (counted, waiting) = lived
    env = airflow_live.environment(place, **settings | {"DATABASE": new_database(postgres)})
    restore(env["DATABASE"], place / "airflow.dump")
    succeed(env, "db", "migrate")
    with airflow_live.services(place, **settings | {"DATABASE": env["DATABASE"]}) as live:
        assert [run["dag_run_id"] for run in live.runs(DAG)] == [counted, waiting]
        assert live.run(DAG, counted)["state"] == "success"
        assert live.client.get(f"/dags/{DAG}")["is_paused"] is False
        assert live.xcom(DAG, counted, "count")["counted"]
        said = json.loads(succeed(live.env, "connections", "get", "kept", "--output", "json"))
        assert said[0]["password"] == "as it was"
        for folder in (place / "held").iterdir():
            # The clock of the store says when it came.
            shutil.copytree(folder, place / "captures/jp-b/2023/01" / folder.name, copy_function=shutil.copy)
        assert live.await_run(DAG, waiting) == "success"
        more = live.trigger(DAG, "2023-01-22")
        assert live.await_run(DAG, more) == "success"


def test_without_a_dump_days_that_are_done_are_found_done(lived, postgres):
    place, settings, _ = lived
    before = written(place)
    assert before
    with airflow_live.services(place, **settings | {"DATABASE": new_database(postgres)}) as live:
        assert live.runs(DAG) == []
        live.unpause(DAG)
        run = live.trigger(DAG, "2023-01-20")
        assert live.await_run(DAG, run) == "success"
        assert (live.xcom(DAG, run, "ingest")["decoded"], live.xcom(DAG, run, "count")["counted"]) == (0, [])
    assert written(place) == before


def test_an_upgrade_keeps_the_history_and_its_dump_leads_back(lived, postgres, tmp_path):
    place, settings, (counted, waiting) = lived
    env = airflow_live.environment(place, **settings | {"DATABASE": new_database(postgres)})
    name = env["DATABASE"].rpartition("/")[2]

    def schema(database: str = name) -> str:
        return postgres.execute("SELECT version_num FROM alembic_version", database=database)

    def runs(database: str = name) -> list[str]:
        return postgres.execute("SELECT run_id FROM dag_run ORDER BY id", database=database).splitlines()

    restore(env["DATABASE"], place / "airflow.dump")
    now = schema()
    succeed(env, "db", "downgrade", "--to-version", BEFORE, "--yes")
    older = schema()
    assert older != now
    dump(env["DATABASE"], tmp_path / "before.dump")

    succeed(env, "db", "migrate")
    assert (schema(), runs()) == (now, [counted, waiting])
    succeed(env, "db", "migrate")
    assert (schema(), runs()) == (now, [counted, waiting])

    back = new_database(postgres)
    restore(back, tmp_path / "before.dump")
    name = back.rpartition("/")[2]
    assert (schema(name), runs(name)) == (older, [counted, waiting])
