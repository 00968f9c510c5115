"""The runbooks' steps, done as they are written: a sensor, what was lost, other versions, keys of the store."""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.s3.buckets import make_buckets
from infra.s3.service import S3Service
from tests.integration.s3.conftest import point_at
from tsubame.cli.main import main
from tsubame.periods import days_between
from tsubame.pipeline.cluster import connect
from tsubame.stores import Store

pytestmark = pytest.mark.integration

QUARTER = "2023Q1"
FIRST, LAST = date(2023, 1, 14), date(2023, 1, 28)
SPAN = ("--from", str(FIRST), "--to", str(LAST))
COMPUTED = ("flows", "counts", "sources", "ledger")


def tables(url, part="counts"):
    """The tables below a part of a lake, by key; what stands beside a table in its file is left out."""
    store = Store(url)
    return {
        item.key: pq.read_table(pa.BufferReader(store.read(item.key)))
        for item in store.list(f"{part}/")
        if item.key.endswith(".parquet")
    }


def said_by(capsys):
    """What a command printed as JSON, and its lines on stderr."""
    said = capsys.readouterr()
    return json.loads(said.out), said.err.splitlines()


def test_a_sensor_is_added_and_retired(settings, capsys):
    registry = Path(settings.captures_url, "sensors.csv")
    whole = registry.read_text()
    (line,) = [line for line in whole.splitlines() if line.startswith("jp-b,")]
    name, address, country, *_ = line.split(",")
    registry.write_text(whole.replace(f"{line}\n", ""))
    unknown = "jp-b: sensor is not in the registry, its captures are not read. Add it to sensors.csv."

    # It uploads before it has a line: named each time, and nothing of it is read.
    assert main(["ingest", *SPAN, "--json"]) == 3
    done, told = said_by(capsys)
    assert (done["unknown_sensors"], unknown in "\n".join(told)) == (["jp-b"], True)
    assert main(["status", *SPAN, "--json"]) == 0
    status, _ = said_by(capsys)
    assert (status["unknown_sensors"], "jp-b" in status["sensors"]) == (["jp-b"], False)
    assert main(["status", *SPAN]) == 0
    assert unknown in capsys.readouterr().err

    # It gets its line, with its first whole day; of one later day nothing came, nor of the hours around it.
    registry.write_text(whole.replace(line, f"{name},{address},{country},2023-01-20,"))
    for day in ("23", "24", "25"):
        shutil.rmtree(Path(settings.captures_url, "jp-b/2023/01", day))
    assert main(["status", *SPAN, "--json"]) == 0
    status, told = said_by(capsys)
    row = status["sensors"]["jp-b"]
    assert (row["2023-01-22"], row["2023-01-24"]) == ("waiting", "missing")
    assert not told
    assert main(["ingest", *SPAN]) == 0
    assert main(["count", *SPAN]) == 0
    capsys.readouterr()
    assert main(["status", *SPAN, "--json"]) == 0
    status, _ = said_by(capsys)
    row = status["sensors"]["jp-b"]
    assert {day for day, state in row.items() if state == "missing"} == {"2023-01-24", "2023-01-25"}
    assert {state for day, state in row.items() if day >= "2023-01-26"} == {"received"}
    assert {key.partition("day=")[2][:10] for key in tables(settings.lake_url)} >= set(row)

    # It ends: the days after its last one are not asked for.
    registry.write_text(whole.replace(line, f"{name},{address},{country},2023-01-20,2023-01-23"))
    assert main(["status", *SPAN, "--json"]) == 0
    status, _ = said_by(capsys)
    assert (status["sensors"]["jp-b"]["2023-01-24"], status["sensors"]["jp-b"]["2023-01-25"]) == ("inactive",) * 2


@pytest.mark.long
def test_a_lost_lake_and_a_lost_site_are_made_again(settings, capsys):
    lake, site = Path(settings.lake_url), Path(settings.site_url)

    def run() -> dict:
        assert main(["run", QUARTER, "--json"]) == 0
        return json.loads(capsys.readouterr().out)["edition"]

    first = run()
    assert (first["edition"], first["created"]) == (1, True)
    kept = {part: tables(settings.lake_url, part) for part in ("flows", "counts", "sources")}
    document = json.loads((site / QUARTER / "editions/1/report.json").read_text())

    # The quarter's objects deleted, as the runbook says.
    for part in COMPUTED:
        shutil.rmtree(lake / part)
    assert run() == first | {"created": False}
    assert {part: tables(settings.lake_url, part) for part in kept} == kept

    # The whole lake.
    shutil.rmtree(lake)
    assert run() == first | {"created": False}
    assert {part: tables(settings.lake_url, part) for part in kept} == kept
    assert main(["status", "--quarters", QUARTER]) == 0
    assert capsys.readouterr().out.split()[1] == "current"

    # The site alone: the lake knows which number was the last.
    shutil.rmtree(site)
    again = run()
    assert (again["edition"], again["created"]) == (2, True)
    made = json.loads((site / QUARTER / "editions/2/report.json").read_text())
    assert {**made, "edition": 1, "created_at": ""} == {**document, "created_at": ""}

    # Both: a number that was cited is kept from being given again by anything that lies there.
    shutil.rmtree(site)
    shutil.rmtree(lake)
    cited = site / QUARTER / "editions/3"
    cited.mkdir(parents=True)
    (cited / "lost").touch()
    assert run()["edition"] == 4
    made = json.loads((site / QUARTER / "editions/4/report.json").read_text())
    assert {**made, "edition": 1, "created_at": ""} == {**document, "created_at": ""}


_OTHER_FORMAT = """
import sys
import dask
import tsubame.aggregate.counts as counts
import tsubame.aggregate.flows as flows
flows.FLOWS_VERSION += int(sys.argv[1])
counts.COUNTS_VERSION += int(sys.argv[2])
from tsubame.cli.main import main
# Workers are threads of this process, so that they are of the same version.
cluster = {"processes": False, "n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
with dask.config.set({"tsubame.cluster.class": "distributed.LocalCluster", "tsubame.cluster.arguments": cluster}):
    sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.long
@pytest.mark.parametrize("changed", ["flows", "counts"])
def test_what_is_of_another_format_is_made_again_forth_and_back(settings, capsys, changed):
    captures = len(list(Path(settings.captures_url).rglob("*.pcap*")))
    assert main(["ingest", *SPAN]) == 0
    assert main(["count", *SPAN]) == 0
    capsys.readouterr()
    before = tables(settings.lake_url)
    environment = {name: value for name, value in os.environ.items() if name != "DASK_SCHEDULER_ADDRESS"}

    def upgraded(command: str) -> dict:
        steps = [str(int(changed == part)) for part in ("flows", "counts")]
        done = subprocess.run(
            [sys.executable, "-c", _OTHER_FORMAT, *steps, command, *SPAN, "--json"],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    def this(command: str) -> dict:
        assert main([command, *SPAN, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    for version in (upgraded, this):
        ingested, counted = version("ingest"), version("count")
        decoded = captures if changed == "flows" else 0
        assert (ingested["decoded"], ingested["withdrawn"]) == (decoded, decoded)
        assert counted["counted"] == [str(day) for day in days_between(FIRST, LAST)]
        assert tables(settings.lake_url) == before
        assert (version("ingest")["decoded"], version("count")["counted"]) == (0, [])


def credentials(path: Path, variables: dict[str, str]) -> None:
    """Write the file that a deployment keeps its S3 key in."""
    path.write_text(
        f"[default]\naws_access_key_id = {variables['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {variables['AWS_SECRET_ACCESS_KEY']}\n"
    )


@pytest.mark.long
def test_the_stores_key_is_changed_and_the_old_one_withdrawn_in_the_middle_of_a_run(
    settings, tiny, tmp_path, monkeypatch
):
    assert main(["ingest", *SPAN]) == 0
    assert main(["count", *SPAN]) == 0
    wanted = tables(settings.lake_url)
    service = S3Service(tmp_path / "s3")
    with service:
        old, names = service.environment(), ("captures", "delegations", "lake", "site")
        make_buckets(old, names)
        point_at(monkeypatch, old)
        for name in names[:2]:
            for path in (tiny / name).rglob("*"):
                if path.is_file() and path.name != "truth.json":
                    Store(f"s3://{name}").put_file(str(path.relative_to(tiny / name)), path)

        secret = tmp_path / "credentials"
        credentials(secret, old)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TSUBAME_", "AWS_", "DASK_"))}
        environment = kept | {f"TSUBAME_{name.upper()}_URL": f"s3://{name}" for name in names} | {
            "AWS_SHARED_CREDENTIALS_FILE": str(secret), "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_S3": service.endpoint, "AWS_REGION": old["AWS_REGION"],
        }  # fmt: skip

        def tsubame(*arguments: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-c", "import sys; from tsubame.cli.main import main; sys.exit(main())"]
            return subprocess.Popen(
                [*command, *arguments], env=environment, cwd=tmp_path, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip

        # The new key beside the old one: both open.
        service.stop()
        service.administrators = ("admin", "next")
        service.start()
        new = service.environment("next")
        for key in (old, new):
            point_at(monkeypatch, key)
            assert Store("s3://captures").exists("sensors.csv")

        # The old one is withdrawn while a run uses it.
        running = tsubame("ingest", *SPAN)
        lake = Store("s3://lake")
        deadline = time.monotonic() + 120
        while not list(lake.list("flows/")):
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        service.stop()
        service.administrators = ("next",)
        service.start()
        _, told = running.communicate(timeout=300)
        assert running.returncode == 4, told
        assert "found 403" in told.splitlines()[-1], told

        point_at(monkeypatch, service.environment("next"))
        decoded = [item.key for item in lake.list("flows/")]
        print(f"{len(decoded)} flows objects were written when the key was withdrawn")
        assert 0 < len(decoded) < 64
        for key in decoded:
            pq.read_table(pa.BufferReader(lake.read(key)))

        # With the withdrawn key nothing more is done; with the new one what is left.
        again = tsubame("ingest", *SPAN)
        assert "found 403" in again.communicate(timeout=300)[1]
        assert again.returncode == 4
        credentials(secret, new)
        done, told = (one := tsubame("ingest", *SPAN, "--json")).communicate(timeout=300)
        assert one.returncode == 0, told
        assert json.loads(done)["unchanged"] >= len(decoded)
        _, told = (one := tsubame("count", *SPAN)).communicate(timeout=300)
        assert one.returncode == 0, told
        found = tables("s3://lake")
        assert found.keys() == wanted.keys()
        assert all(found[key].equals(wanted[key]) for key in wanted)


def place_of_work(_):
    from distributed import get_worker

    time.sleep(0.05)
    return get_worker().address


def test_workers_that_join_during_a_run_take_part(monkeypatch):
    from distributed import LocalCluster

    from tsubame.pipeline.cluster import spread

    with LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        with connect() as client:
            shares: dict[str, int] = {}
            for number, (_, worker) in enumerate(spread(client, place_of_work, range(300), stage="work")):
                shares[worker] = shares.get(worker, 0) + 1
                if number == 20:
                    cluster.scale(3)
        assert len(shares) == 3
        assert min(shares.values()) >= 10, shares
