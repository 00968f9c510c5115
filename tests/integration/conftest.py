"""A Dask cluster for the whole session: what starts one for each call takes it when it is named."""

import pytest


@pytest.fixture(scope="session")
def dask_address():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The tiny scenario's buckets, simulated once; tests that change them take a copy."""
    from pathlib import Path

    from tsubame.simulate.reading import load_scenario
    from tsubame.simulate.run import simulate
    from tsubame.stores import Store

    root = tmp_path_factory.mktemp("tiny")
    scenario = load_scenario(str(Path(__file__).parents[1] / "scenarios" / "tiny.toml"))
    simulate(scenario, Store(str(root / "captures")), Store(str(root / "delegations")))
    return root


@pytest.fixture
def settings(tiny, tmp_path, monkeypatch, dask_address):
    """Settings over a copy of the tiny scenario's buckets, with the session's cluster."""
    import shutil

    from tsubame.settings import Settings

    for name in ("captures", "delegations"):
        shutil.copytree(tiny / name, tmp_path / name)
        monkeypatch.setenv(f"TSUBAME_{name.upper()}_URL", str(tmp_path / name))
    monkeypatch.setenv("TSUBAME_LAKE_URL", str(tmp_path / "lake"))
    monkeypatch.setenv("TSUBAME_SITE_URL", str(tmp_path / "site"))
    monkeypatch.delenv("TSUBAME_SENSORS_URL", raising=False)
    monkeypatch.delenv("TSUBAME_TIMEZONE", raising=False)
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", dask_address)
    monkeypatch.chdir(tmp_path)
    return Settings.from_environment()


@pytest.fixture(scope="session")
def s3_service(tmp_path_factory):
    """A real S3 service with access control: Swift, in an environment of its own, on loopback."""
    from infra.s3.service import S3Service

    with S3Service(tmp_path_factory.mktemp("s3"), users=("reader",)) as service:
        yield service


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL on loopback; ``postgres.url`` is what Airflow's setting ``DATABASE`` takes."""
    import shutil
    import tempfile
    from pathlib import Path

    from infra.postgres.service import PostgresService, find_programs
    from tsubame.errors import Unavailable

    try:
        find_programs()
    except Unavailable as missing:
        pytest.skip(str(missing))
    # Not below pytest's folders: as root the server runs as another user, who cannot reach them.
    folder = Path(tempfile.mkdtemp(prefix="tsubame-postgres-"))
    try:
        with PostgresService(folder) as service:
            yield service
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def database(request):
    """Settings that choose where Airflow's metadata are; a new database for each module."""
    import secrets

    if request.param == "sqlite":
        return {}
    server = request.getfixturevalue("postgres")
    name = f"airflow_{secrets.token_hex(4)}"
    server.execute(f"CREATE DATABASE {name} OWNER airflow;")
    return {"DATABASE": f"{server.url.rpartition('/')[0]}/{name}"}
