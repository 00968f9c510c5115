"""Dask's scheduler and workers on hosts of their own, with TLS, reading from S3: what breaks changes no byte."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import dask
import pytest
import yaml

from tests.integration.hosts.network import Network, require_namespaces
from tests.integration.s3.conftest import point_at
from tests.integration.s3.test_pipeline import contents

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

CHECKOUT = Path(__file__).resolve().parents[3]
DASK = str(Path(sys.executable).with_name("dask"))
WORKERS = ("w1", "w2", "w3")
FIRST, LAST = date(2023, 1, 14), date(2023, 1, 28)


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


@pytest.fixture(scope="module")
def scheduler(network, service, configuration, tmp_path_factory):
    """The address of a scheduler with three workers, each on its host."""
    folder = tmp_path_factory.mktemp("dask")
    (folder / "config").mkdir()
    (folder / "config" / "dask.yaml").write_text(configuration)
    environment = {**os.environ, **service.environment(), "DASK_CONFIG": str(folder / "config")}
    environment |= {"PYTHONPATH": str(CHECKOUT), "AWS_EC2_METADATA_DISABLED": "true"}
    environment.pop("DASK_SCHEDULER_ADDRESS", None)
    address = f"tls://{network.addresses['sch']}:8786"
    started = []

    def start(name, *arguments):
        with (folder / f"{name}.log").open("wb") as log:
            command = ["ip", "netns", "exec", network.host(name), DASK, *arguments, "--no-dashboard"]
            started.append(
                subprocess.Popen(
                    command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            )

    try:
        start("sch", "scheduler", "--host", network.addresses["sch"], "--port", "8786")
        for name in WORKERS:
            start(
                name, "worker", address, "--host", network.addresses[name], "--name", name, "--nworkers", "1",
                "--nthreads", "1", "--memory-limit", "1GB", "--local-directory", str(folder / f"spill-{name}"),
                "--death-timeout", "120",
            )  # fmt: skip
        yield address
    finally:
        for process in reversed(started):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for name in ("sch", *WORKERS):
            # A nanny's worker leads a group of its own; the namespace knows all that runs in it.
            pids = subprocess.run(["ip", "netns", "pids", network.host(name)], capture_output=True, text=True)
            for pid in pids.stdout.split():
                os.kill(int(pid), signal.SIGKILL)


def configured(settings):
    """Lay settings over Dask's own, as its configuration files are."""
    import distributed  # noqa: F401 - brings the defaults

    return dask.config.set(dask.config.merge(dask.config.config, settings))


@pytest.fixture
def cluster(scheduler, service, configuration, monkeypatch):
    """This process as a client of the hosts, by settings alone."""
    point_at(monkeypatch, service.environment())
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", scheduler)
    with configured(yaml.safe_load(configuration)):
        yield scheduler


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
    from tsubame.pipeline.ingest import ingest_capture

    time.sleep(0.5)
    return ingest_capture(task)


class Breaking(threading.Thread):
    """Kills a worker and cuts another one's link, once work is under way."""

    def __init__(self, network, client):
        super().__init__(daemon=True)
        self.network, self.client = network, client
        self.begun = threading.Event()
        self.broken = []

    def run(self):
        self.begun.wait(120)
        victim = int(self.client.run(os.getpid, workers=[self._address_of("w1")]).popitem()[1])
        os.kill(victim, signal.SIGKILL)
        self.broken.append("worker")
        self.network.cut("w3")
        time.sleep(8)
        self.network.mend("w3")
        self.broken.append("link")

    def _address_of(self, name):
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        return next(address for address, worker in workers.items() if worker["name"] == name)


def test_a_killed_worker_and_a_cut_link_change_no_byte(cluster, network, settings_of, monkeypatch):
    from tsubame.pipeline import ingest
    from tsubame.pipeline.cluster import connect
    from tsubame.pipeline.counts import count_days

    calm, broken = settings_of("calm"), settings_of("broken")
    with connect() as client:
        client.wait_for_workers(3, timeout=120)
        ingested = ingest.ingest_days(calm, FIRST, LAST)
        count_days(calm, FIRST, LAST)
        monkeypatch.setattr(ingest, "ingest_capture", slowly)
        breaking = Breaking(network, client)
        breaking.start()
        again = ingest.ingest_days(
            broken, FIRST, LAST, progress=lambda _, done, __: breaking.begun.set() if done >= 3 else None
        )
        breaking.join(60)
        assert breaking.broken == ["worker", "link"]
        count_days(broken, FIRST, LAST)
    assert again.decoded == ingested.decoded > 30
    assert again.accounting == ingested.accounting
    undisturbed = contents(calm.lake_url)
    assert len(undisturbed) > 100
    assert contents(broken.lake_url) == undisturbed


def handshake(address, context):
    """What the scheduler says to a client that has spoken TLS with it: its first bytes."""
    host, _, port = address.removeprefix("tls://").rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=None) as secured,
    ):
        return secured.recv(8)


def client_context(tls, authority, certificate=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(tls / authority / "ca.pem")
    if certificate:
        context.load_cert_chain(tls / certificate / "client.pem")
    return context


def test_the_scheduler_talks_to_its_own_clients_only(cluster, tls):
    from tsubame.pipeline.cluster import connect

    with connect() as client:
        client.wait_for_workers(1, timeout=120)
    assert handshake(cluster, client_context(tls, "ours", "ours"))
    for certificate in (None, "foreign"):
        with pytest.raises((ssl.SSLError, ConnectionError), match=r"(?i)certificate required|unknown ca|reset"):
            handshake(cluster, client_context(tls, "ours", certificate))


def test_a_client_talks_to_its_own_scheduler_only(cluster, tls):
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed certificate|unable to get local issuer"):
        handshake(cluster, client_context(tls, "foreign", "ours"))


@pytest.mark.parametrize("kind", ["no certificate", "foreign"])
def test_the_pipeline_says_so_in_one_line(cluster, configuration, tls, kind, monkeypatch):
    from tsubame.errors import Unavailable
    from tsubame.pipeline import cluster as cluster_module

    settings = yaml.safe_load(configuration)
    role = settings["distributed"]["comm"]["tls"]["client"]
    path = str(tls / "foreign" / "client.pem") if kind == "foreign" else None
    role["cert"] = role["key"] = path
    monkeypatch.setattr(cluster_module, "_CONNECT_SECONDS", 4)
    with (
        configured(settings),
        pytest.raises(Unavailable, match="the Dask scheduler does not answer") as caught,
        cluster_module.connect(),
    ):
        pass
    assert "\n" not in str(caught.value)
