"""A task that is cancelled stops its Dask work within seconds: on a cluster of its own, and on one that stays."""

import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
import airflow_live

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1800)]
DAG = "observe_day"
DAY = "2023-01-20"
CAPTURES = 8_000
"""Far more than two workers decode before they are cancelled."""
SECONDS = 20
"""Until a running task's next heartbeat is refused (5), it is asked to end (5), and its listing is over."""


@pytest.fixture(scope="module")
def place(tiny, tmp_path_factory):
    """One day's capture under very many names: much work of very small pieces."""
    place = tmp_path_factory.mktemp("cancel")
    (place / "delegations").symlink_to(tiny / "delegations")
    day = place / "captures" / "jp-a" / "2023" / "01" / "20"
    day.mkdir(parents=True)
    (place / "captures" / "sensors.csv").write_text((tiny / "captures" / "sensors.csv").read_text())
    (capture,) = (tiny / "captures" / "jp-a" / "2023" / "01" / "20").iterdir()
    name, _, endings = capture.name.partition(".")
    for number in range(CAPTURES):
        os.link(capture, day / f"{name}-{number:05}.{endings}")
    return place


@pytest.fixture(scope="module")
def dask_configuration(place):
    """A folder of Dask's own configuration, which a task reads when it begins."""
    folder = place / "dask"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def live(place, dask_configuration):
    with airflow_live.services(place, DASK_CONFIG=str(dask_configuration), TSUBAME_LOOKBACK_DAYS="0") as live:
        live.unpause(DAG)
        yield live


@pytest.fixture(params=["a cluster of its own", "a cluster that stays"])
def cluster(request, live, dask_configuration, dask_address):
    """Where the next task computes; yields how many pieces of work there are, as the cluster itself says."""
    from distributed import Client

    settings = dask_configuration / "tsubame.yaml"
    if request.param == "a cluster of its own":
        settings.unlink(missing_ok=True)
        yield lambda: len(workers_of(live))
        return
    settings.write_text(yaml.safe_dump({"scheduler-address": dask_address}))
    with Client(dask_address, set_as_default=False) as client:
        yield lambda: client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))


def workers_of(live: airflow_live.Live) -> list[psutil.Process]:
    """The processes of local Dask clusters that the services' tasks have started, orphans too."""
    found = []
    for process in airflow_live.processes_of(Path(live.env["AIRFLOW_HOME"])):
        with contextlib.suppress(psutil.Error):
            # A worker calls itself so as soon as it can; before, it is a new Python that waits for what to do.
            if any(name in " ".join(process.cmdline()) for name in ("dask worker", "spawn_main")):
                found.append(process)
    return found


def flows(place: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(place / "lake" / "flows"))


def under_way(live: airflow_live.Live, place: Path, cluster) -> str:
    """Start a run on an empty lake and return it when its captures are being decoded."""
    shutil.rmtree(place / "lake", ignore_errors=True)
    run = live.trigger(DAG, DAY)
    live.await_("captures being decoded", lambda: flows(place) > 50)
    assert cluster() > 0
    return run


def check_stopped(place: Path, cluster, record_property) -> None:
    began = time.monotonic()
    while cluster() and time.monotonic() - began < SECONDS:
        time.sleep(0.2)
    print(f"stopped after {time.monotonic() - began:.1f} s")
    record_property("seconds until its work had stopped", round(time.monotonic() - began, 1))
    assert cluster() == 0
    done = flows(place)
    time.sleep(3)
    assert flows(place) == done < CAPTURES


def test_a_task_marked_as_failed_stops_its_work(live, place, cluster, record_property):
    run = under_way(live, place, cluster)
    live.client.patch(f"/dags/{DAG}/dagRuns/{run}/taskInstances/ingest", {"new_state": "failed"})
    check_stopped(place, cluster, record_property)
    assert live.await_run(DAG, run) == "failed"
    assert live.state(DAG, run, "count") == "upstream_failed"


def test_a_run_marked_as_failed_stops_its_work(live, place, cluster, record_property):
    run = under_way(live, place, cluster)
    live.client.patch(f"/dags/{DAG}/dagRuns/{run}", {"state": "failed"})
    check_stopped(place, cluster, record_property)
    assert live.await_run(DAG, run) == "failed"


def test_a_task_that_is_killed_leaves_no_work_behind(live, place, cluster, record_property):
    """As a machine short of memory kills: nothing of the task gets to say goodbye."""
    run = under_way(live, place, cluster)
    victim = task_process(live)
    victim.send_signal(signal.SIGKILL)
    check_stopped(place, cluster, record_property)
    live.client.patch(f"/dags/{DAG}/dagRuns/{run}", {"state": "failed"})
    assert live.await_run(DAG, run) == "failed"


def task_process(live: airflow_live.Live) -> psutil.Process:
    """The process that runs the task: a child of one of the executor's workers, which are the scheduler's."""
    executor = live.service("scheduler").children()
    (task,) = [child for worker in executor for child in worker.children()]
    return task


def test_what_was_stopped_is_gone_on_with(live, place, dask_configuration, dask_address):
    """A cleared run finds what was done; captures withdrawn meanwhile leave nothing in the lake."""
    (dask_configuration / "tsubame.yaml").write_text(yaml.safe_dump({"scheduler-address": dask_address}))
    run = under_way(live, place, lambda: 1)
    live.client.patch(f"/dags/{DAG}/dagRuns/{run}/taskInstances/ingest", {"new_state": "failed"})
    assert live.await_run(DAG, run) == "failed"
    time.sleep(SECONDS / 2)
    day = place / "captures" / "jp-a" / "2023" / "01" / "20"
    kept = sorted(day.iterdir())[:40]
    for capture in set(day.iterdir()) - set(kept):
        capture.unlink()
    clear = {"dry_run": False, "dag_run_id": run, "task_ids": ["ingest"], "include_downstream": True}
    live.client.post(f"/dags/{DAG}/clearTaskInstances", {**clear, "only_failed": False})
    live.await_("another attempt", lambda: live.run(DAG, run)["state"] not in airflow_live.ENDED, 30)
    assert live.await_run(DAG, run) == "success"
    told = live.xcom(DAG, run, "ingest")
    assert (told["decoded"] + told["unchanged"], flows(place)) == (len(kept), len(kept))
    assert told["withdrawn"] > 0


def test_what_lost_its_parent_and_ended_is_no_zombie(live):
    def zombies() -> int:
        number = 0
        for child in psutil.Process(live.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                number += child.status() == psutil.STATUS_ZOMBIE
        return number

    live.await_("no zombie", lambda: not zombies(), 30)


def test_services_that_are_stopped_in_the_middle_leave_nothing_running(live, place, dask_configuration):
    """Ctrl-C while a task computes on its own cluster; ``stop`` looks for what is left."""
    (dask_configuration / "tsubame.yaml").unlink(missing_ok=True)
    day = place / "captures" / "jp-a" / "2023" / "01" / "20"
    capture = next(day.iterdir())
    for number in range(CAPTURES):
        os.link(capture, day / f"again-{number:05}{''.join(capture.suffixes)}")
    under_way(live, place, lambda: len(workers_of(live)))
    live.stop(signal.SIGINT)
    assert flows(place) < CAPTURES
    with socket.create_server(("127.0.0.1", int(live.env["PORT"]))):
        pass
