"""The undisturbed result, once, and lakes to disturb."""

import importlib
import shutil
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import dask
import pytest

from tests.faults.recording import fault  # noqa: F401 - a fixture
from tests.integration.conftest import dask_address, tiny  # noqa: F401 - fixtures
from tsubame.periods import Quarter
from tsubame.pipeline.cluster import connect
from tsubame.pipeline.counts import count_days
from tsubame.pipeline.ingest import ingest_days
from tsubame.pipeline.quarter import complete_quarter
from tsubame.pipeline.report import publish_quarter, validate_quarter
from tsubame.settings import Settings

FIRST, LAST = date(2023, 1, 14), date(2023, 1, 28)
Q1 = Quarter(2023, 1)
NOW = datetime(2023, 6, 1, tzinfo=UTC)
COMPUTED = ("flows", "counts", "sources", "ledger")


def objects(folder, parts=COMPUTED):
    """Every object that is computed in a lake on disk, with its content; what an interrupted write left is none."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in parts
        for path in sorted(Path(folder, part).rglob("*"))
        if path.is_file() and not path.name.startswith(".~put-")
    }


def settings_in(root, captures):
    """Settings over the buckets of a folder, with captures and delegations from elsewhere."""
    return Settings(
        captures_url=f"{captures}/captures", delegations_url=f"{captures}/delegations", lake_url=f"{root}/lake",
        site_url=f"{root}/site", sensors_url=f"{captures}/captures/sensors.csv",
    )  # fmt: skip


def run_days(settings):
    """Ingest and count the scenario's days; returns both summaries."""
    return ingest_days(settings, FIRST, LAST), count_days(settings, FIRST, LAST)


def publish(settings):
    """Validate and publish the quarter."""
    validate_quarter(settings, Q1, now=NOW)
    return publish_quarter(settings, Q1, now=NOW)


def served(settings):
    """The digest of what the served edition says; every file of it must be as its manifest tells."""
    import json

    from tsubame.provenance import sha256_of

    site = Path(settings.site_url, str(Q1))
    edition = site / "editions" / str(json.loads((site / "latest.json").read_text())["edition"])
    manifest = json.loads((edition / "manifest.json").read_text())
    for name, said in manifest["files"].items():
        assert sha256_of((edition / name).read_bytes()) == said["sha256"], name
    return manifest["content"]


@pytest.fixture
def cluster(dask_address, monkeypatch):  # noqa: F811
    """The session's Dask cluster, by settings."""
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", dask_address)


@pytest.fixture(scope="session")
def calm(tiny, dask_address, tmp_path_factory):  # noqa: F811
    """The settings of a run of the scenario's days that nothing disturbed."""
    settings = settings_in(tmp_path_factory.mktemp("calm"), tiny)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASK_SCHEDULER_ADDRESS", dask_address)
        run_days(settings)
    return settings


@pytest.fixture(scope="session")
def undisturbed(calm):
    """All that is computed, of the undisturbed run."""
    found = objects(calm.lake_url)
    assert len(found) > 100
    return found


@pytest.fixture(scope="session")
def calm_quarter(tiny, dask_address, tmp_path_factory):  # noqa: F811
    """The settings of an undisturbed run of the whole quarter, through to its edition."""
    settings = settings_in(tmp_path_factory.mktemp("quarter"), tiny)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASK_SCHEDULER_ADDRESS", dask_address)
        complete_quarter(settings, Q1)
        publish(settings)
    return settings


@pytest.fixture
def fresh(tiny, tmp_path):  # noqa: F811
    """Settings with an empty lake over the same captures."""
    return settings_in(tmp_path, tiny)


@pytest.fixture
def counted(calm_quarter, tiny, tmp_path):  # noqa: F811
    """Settings with a copy of the undisturbed quarter's lake, nothing published."""
    settings = settings_in(tmp_path, tiny)
    shutil.copytree(calm_quarter.lake_url, settings.lake_url, ignore=shutil.ignore_patterns("validation", "published"))
    return settings


@pytest.fixture
def telescope(monkeypatch):
    """The benchmarks' telescope, which makes captures of any number and size."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    return importlib.import_module("telescope")


@pytest.fixture
def own_cluster(monkeypatch):
    """Gives a cluster of the test's own, whose workers may be ill-treated."""
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)

    @contextmanager
    def start(**settings):
        arguments = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
        arguments |= settings.pop("arguments", {})
        named = {"tsubame.cluster.class": "distributed.LocalCluster", "tsubame.cluster.arguments": arguments}
        with dask.config.set({**named, **settings}), connect() as client:
            client.wait_for_workers(arguments["n_workers"], timeout=60)
            yield client

    return start
