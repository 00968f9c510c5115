"""What befalls hosts during a run: killed, cut off for good, stopped, their S3 service killed; no byte changes."""

import signal
import threading
import time
from datetime import date

import pytest

from tests.faults.recording import CLEANLY, TO_THE_BYTE
from tests.integration.hosts.conftest import slowly
from tests.integration.s3.test_pipeline import contents
from tsubame.errors import TsubameError
from tsubame.pipeline import ingest
from tsubame.pipeline.cluster import connect
from tsubame.pipeline.counts import count_days

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1800)]

FIRST, LAST = date(2023, 1, 14), date(2023, 1, 28)


@pytest.fixture(scope="module")
def undisturbed():
    """The lake of an undisturbed run on the hosts, when it has been made."""
    return {}


@pytest.fixture
def calm(cluster, settings_of, undisturbed):
    if not undisturbed:
        settings = settings_of("calm")
        with connect() as client:
            client.wait_for_workers(3, timeout=120)
            ingest.ingest_days(settings, FIRST, LAST)
            count_days(settings, FIRST, LAST)
        undisturbed |= contents(settings.lake_url)
    assert len(undisturbed) > 100
    return undisturbed


def kill_host(hosts, service):
    hosts.network.cut("w1")
    hosts.signal("w1", signal.SIGKILL)


def cut_for_good(hosts, service):
    hosts.network.cut("w2")


def stop_worker(hosts, service):
    # The youngest process of the host is the worker; its nanny lives on, and its connections stay open.
    hosts.signal("w3", signal.SIGSTOP)


def restart_s3(hosts, service):
    service.kill()
    time.sleep(3)
    service.start()


def mend(hosts):
    """Bring back every host, with nothing of what ran there before."""
    for name in ("w1", "w2", "w3"):
        hosts.network.mend(name)
        hosts.signal(name, signal.SIGKILL)
    # What was killed is only gone when the scheduler knows it.
    time.sleep(1)
    for name in ("w1", "w2", "w3"):
        hosts.start_worker(name)


@pytest.mark.parametrize(
    ("name", "done", "happens"),
    [
        ("a host is killed", "SIGKILL to all its processes, its link down, and it never comes back", kill_host),
        ("a link is cut for good", "the host's link goes down during a run and stays down", cut_for_good),
        ("a host stops", "SIGSTOP to nanny and worker, for good, their connections open", stop_worker),
        ("the S3 service is killed and restarted", "SIGKILL to all its servers during a run; up 3 s later", restart_s3),
    ],
)
def test_no_byte_changes(fault, cluster, hosts, service, calm, settings_of, monkeypatch, name, done, happens):
    settings = settings_of(happens.__name__)
    monkeypatch.setattr(ingest, "ingest_capture", slowly)
    begun, broken, ended, errors = threading.Event(), threading.Event(), threading.Event(), []

    def breaks():
        begun.wait(120)
        happens(hosts, service)
        broken.set()
        # What a thread starts is ended with the thread.
        ended.wait(600)

    breaking = threading.Thread(target=breaks, daemon=True)
    with fault(f"hosts: {name}", f"{done}; three hosts, TLS, S3") as told:
        try:
            with connect() as client:
                client.wait_for_workers(3, timeout=120)
                breaking.start()
                for _ in range(3):
                    try:
                        ingest.ingest_days(
                            settings, FIRST, LAST, progress=lambda _, done, __: begun.set() if done >= 3 else None
                        )
                        assert broken.wait(120)
                        count_days(settings, FIRST, LAST)
                        break
                    except TsubameError as error:
                        errors.append(str(error))
                        assert "\n" not in errors[-1]
                        assert broken.wait(120)
            assert contents(settings.lake_url) == calm
        finally:
            ended.set()
            mend(hosts)
        told.held = f"{CLEANLY} (“{errors[0][:120]}”)" if errors else TO_THE_BYTE
