"""Dask's scheduler and workers on hosts of their own, with TLS, reading from S3: what breaks changes no byte."""

import os
import signal
import socket
import ssl
import threading
import time
from datetime import date

import pytest
import yaml

from tests.integration.hosts.conftest import configured, slowly
from tests.integration.s3.test_pipeline import contents

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

FIRST, LAST = date(2023, 1, 14), date(2023, 1, 28)


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
