"""A scheduler and three workers on hosts of their own, with TLS both ways, and an S3 service that they read from."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import dask
import pytest
import yaml

from tests.faults.recording import fault  # noqa: F401 - a fixture
from tests.integration.hosts.network import Network, require_namespaces
from tests.integration.s3.conftest import point_at

CHECKOUT = Path(__file__).resolve().parents[3]
DASK = str(Path(sys.executable).with_name("dask"))
WORKERS = ("w1", "w2", "w3")


@pytest.fixture(scope="module")
def network():
    require_namespaces()
    with Network(("sch", *WORKERS)) as made:
        yield made


@pytest.fixture(scope="module")
def service(network, tmp_path_factory):
    from infra.s3.buckets import make_buckets
    from infra.s3.service import S3Service

    with S3Service(tmp_path_factory.mktemp("s3"), host=network.address) as started:
        make_buckets(started.environment(), ["hosts"])
        yield started


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    from infra.dask.certificates import make_certificates

    folder = tmp_path_factory.mktemp("tls")
    for name in ("ours", "foreign"):
        make_certificates(folder / name)
    return folder


@pytest.fixture(scope="module")
def configuration(tls):
    """The deployment's own Dask settings, with this test's certificates."""
    text = (CHECKOUT / "infra" / "dask" / "dask.yaml").read_text()
    return text.replace("/etc/tsubame/tls", str(tls / "ours"))


class Hosts:
    """The processes on the hosts.

    Attributes:
        address: of the scheduler.
    """

    def __init__(self, network, environment, folder):
        self.network = network
        self.address = f"tls://{network.addresses['sch']}:8786"
        self._environment, self._folder, self._started = environment, folder, []

    def start(self, name, *arguments):
        with (self._folder / f"{name}.log").open("ab") as log:
            command = ["ip", "netns", "exec", self.network.host(name), DASK, *arguments, "--no-dashboard"]
            self._started.append(
                subprocess.Popen(
                    command, env=self._environment, cwd=self._folder, stdout=log, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )  # fmt: skip

    def start_scheduler(self):
        self.start("sch", "scheduler", "--host", self.network.addresses["sch"], "--port", "8786")

    def start_worker(self, name):
        self.start(
            name, "worker", self.address, "--host", self.network.addresses[name], "--name", name, "--nworkers", "1",
            "--nthreads", "1", "--memory-limit", "1GB", "--local-directory", str(self._folder / f"spill-{name}"),
            "--death-timeout", "120",
        )  # fmt: skip

    def pids(self, name):
        """What runs on a host: a nanny's worker leads a group of its own, but the namespace knows all."""
        found = subprocess.run(["ip", "netns", "pids", self.network.host(name)], capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split()]

    def signal(self, name, number):
        for pid in self.pids(name):
            os.kill(pid, number)

    def stop(self):
        for name in ("sch", *WORKERS):
            self.signal(name, signal.SIGKILL)
        for process in reversed(self._started):
            process.wait()


@pytest.fixture(scope="module")
def hosts(network, service, configuration, tmp_path_factory):
    """A scheduler with three workers, each on its host."""
    folder = tmp_path_factory.mktemp("dask")
    (folder / "config").mkdir()
    (folder / "config" / "dask.yaml").write_text(configuration)
    environment = {**os.environ, **service.environment(), "DASK_CONFIG": str(folder / "config")}
    environment |= {"PYTHONPATH": str(CHECKOUT), "AWS_EC2_METADATA_DISABLED": "true"}
    environment.pop("DASK_SCHEDULER_ADDRESS", None)
    made = Hosts(network, environment, folder)
    try:
        made.start_scheduler()
        for name in WORKERS:
            made.start_worker(name)
        yield made
    finally:
        made.stop()


def configured(settings):
    """Lay settings over Dask's own, as its configuration files are."""
    import distributed  # noqa: F401 - brings the defaults

    return dask.config.set(dask.config.merge(dask.config.config, settings))


@pytest.fixture
def cluster(hosts, service, configuration, monkeypatch):
    """This process as a client of the hosts, by settings alone."""
    point_at(monkeypatch, service.environment())
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", hosts.address)
    with configured(yaml.safe_load(configuration)):
        yield hosts.address


@pytest.fixture
def settings_of(tiny, service, monkeypatch):
    """Makes settings over the tiny scenario in S3, with a lake of the given name."""
    from concurrent.futures import ThreadPoolExecutor

    from tsubame.settings import Settings
    from tsubame.stores import Store

    point_at(monkeypatch, service.environment())
    for name in ("captures", "delegations"):
        there = Store(f"s3://hosts/{name}")
        have = {item.key for item in there.list()}
        files = [p for p in (tiny / name).rglob("*") if p.is_file() and str(p.relative_to(tiny / name)) not in have]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda p, n=name, t=there: t.put_file(str(p.relative_to(tiny / n)), p), files))

    def make(lake):
        return Settings(
            captures_url="s3://hosts/captures", delegations_url="s3://hosts/delegations",
            lake_url=f"s3://hosts/{lake}", site_url="s3://hosts/site", sensors_url="s3://hosts/captures/sensors.csv",
        )  # fmt: skip

    return make


def slowly(task):
    """Ingest a capture as a worker does, with time in it for something to break."""
    import time

    from tsubame.pipeline.ingest import ingest_capture

    time.sleep(0.5)
    return ingest_capture(task)
