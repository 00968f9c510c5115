"""Dask by settings, with real processes: which cluster is taken, what it must be, and what a dying worker does."""

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import dask
import pytest
from distributed import Client

import tsubame
from tsubame import __version__
from tsubame.errors import Unavailable, UsageError
from tsubame.pipeline import cluster
from tsubame.pipeline.cluster import SetAside, connect, spread
from tsubame.provenance import build_name

pytestmark = pytest.mark.integration


@pytest.fixture
def named_class(monkeypatch):
    """Settings that name a cluster class, as a deployment's Dask configuration would."""
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    arguments = {"n_workers": 1, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with dask.config.set(
        {
            "tsubame.cluster.class": "distributed.LocalCluster",
            "tsubame.cluster.arguments": arguments,
            "tsubame.cluster.workers": 2,
            "distributed.scheduler.allowed-failures": 1,
        }
    ):
        yield arguments


def double(number):
    return 2 * number


def kill_if_poison(item):
    if item == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return item.upper()


def in_flight(folder, number):
    """Note how many tasks there are that have been begun and not been waited for."""
    (Path(folder) / f"begun-{number}").touch()
    return number


def test_a_cluster_class_is_started_by_its_name_and_scaled(named_class):
    with connect() as client:
        client.wait_for_workers(2, timeout=60)
        assert len(client.nthreads()) == 2
        assert dict(spread(client, double, range(20), stage="double")) == {n: 2 * n for n in range(20)}
        scheduler = client.scheduler.address
    with pytest.raises(OSError, match=r"Timed out|refused"):
        Client(scheduler, timeout=1)


def test_an_adaptive_cluster_grows_from_nothing(named_class):
    del named_class["n_workers"]
    with (
        dask.config.set({"tsubame.cluster.arguments": {**named_class, "n_workers": 0}}),
        dask.config.set({"tsubame.cluster.workers": None, "tsubame.cluster.adapt": {"minimum": 0, "maximum": 1}}),
        connect() as client,
    ):
        assert dict(spread(client, double, range(9), stage="double")) == {n: 2 * n for n in range(9)}


def test_what_kills_its_workers_is_set_aside_by_name_and_the_rest_is_done(named_class):
    items = [f"object-{n}" for n in range(12)]
    items.insert(3, "poison")
    done = {}

    def work(client):
        for item, result in spread(client, kill_if_poison, items, stage="kill"):
            done[item] = result

    with connect() as client, pytest.raises(SetAside) as caught:
        work(client)
    assert caught.value.items == ("poison",)
    assert str(caught.value).startswith("poison: 1 of 13 objects killed every worker they were given to; the others")
    assert caught.value.exit_status == 4
    assert done == {item: item.upper() for item in items if item != "poison"}


@pytest.fixture
def outdated(tmp_path):
    """The address of a cluster whose one worker has the same version of the library, but for a line of its source."""
    from distributed import LocalCluster

    shutil.copytree(Path(tsubame.__file__).parent, tmp_path / "tsubame", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "tsubame" / "classify" / "rules.py").open("a") as source:
        source.write("# another rule\n")
    with LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as scheduler:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler.scheduler_address]
        with subprocess.Popen(
            [*command, "--no-nanny", "--nthreads", "1", "--no-dashboard"], cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as worker:  # fmt: skip
            try:
                scheduler.wait_for_workers(1, timeout=60)
                yield scheduler.scheduler_address
            finally:
                worker.terminate()


def test_workers_with_other_sources_are_named_in_one_line(outdated, monkeypatch):
    """The version is the same: what counts is the code."""
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", outdated)
    with connect() as client, pytest.raises(Unavailable) as caught:
        list(spread(client, len, ["a capture"], stage="measure"))
    said = str(caught.value)
    assert said.startswith(
        f"the Dask workers run another version of tsubame: expected {build_name()}, found {__version__}"
    )
    assert said.endswith("). Install the same version everywhere.")
    assert "\n" not in said
    assert caught.value.exit_status == 4


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({"tsubame.cluster.class": "no_such_package.Cluster"}, UsageError, "'no_such_package.Cluster'"),
        ({"tsubame.cluster.class": "distributed.NoCluster"}, UsageError, "'distributed.NoCluster'"),
        ({"tsubame.cluster.class": "Cluster"}, UsageError, "'Cluster'"),
        (
            {"tsubame.cluster.class": "ipaddress.IPv4Address", "tsubame.cluster.arguments": {"address": "x"}},
            Unavailable,
            "ipaddress.IPv4Address: the cluster does not start: found Expected 4 octets in 'x'. Check",
        ),
    ],
)
def test_a_cluster_that_cannot_be_meant_is_one_line(named_class, settings, kind, says):
    with dask.config.set(settings), pytest.raises(kind) as caught, connect():
        pass
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_scheduler_without_workers_is_unavailable(named_class):
    with (
        dask.config.set(
            {
                "tsubame.cluster.arguments": {**named_class, "n_workers": 0},
                "tsubame.cluster.wait": "500ms",
                "tsubame.cluster.workers": None,
            }
        ),
        pytest.raises(Unavailable, match="has no worker"),
        connect(),
    ):
        pass


def test_only_so_much_is_under_way_at_once(dask_address, monkeypatch, tmp_path):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", dask_address)
    most = 0
    with connect() as client:
        limit = cluster._in_flight(client)
        numbers = range(limit * 4)
        for done, _ in enumerate(spread(client, partial(in_flight, str(tmp_path)), numbers, stage="flight")):
            most = max(most, len(list(tmp_path.iterdir())) - done)
    assert most <= limit + 1
    assert len(list(tmp_path.iterdir())) == len(numbers)


@pytest.mark.parametrize("configured", [None, 1 << 20])
def test_workers_keep_memory_for_the_next_array(configured, monkeypatch):
    # Dask leaves what it set for workers in this process, and would take it for the user's.
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    environ = dask.config.get("distributed.nanny.pre-spawn-environ")
    chosen = environ if configured is None else environ | {"MALLOC_TRIM_THRESHOLD_": configured}
    with dask.config.set({"distributed.nanny.pre-spawn-environ": chosen}), connect() as client:
        (limit,) = set(client.run(os.environ.get, "MALLOC_TRIM_THRESHOLD_").values())
        (threads,) = set(client.run(os.environ.get, "OMP_NUM_THREADS").values())
    assert (limit, threads) == (str(configured or 128 << 20), "1")
    assert dask.config.get("distributed.nanny.pre-spawn-environ") == environ
