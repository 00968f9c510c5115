"""The whole data path on S3 by settings alone: the same bytes as on a disk, nothing done twice, no secret told."""

import contextlib
import io
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.s3.buckets import make_buckets
from tests.integration.s3.breaking import Relay
from tests.integration.s3.conftest import point_at
from tsubame.cli.main import main
from tsubame.errors import Unavailable
from tsubame.pipeline.counts import plan_counts
from tsubame.pipeline.ingest import _Task, ingest_capture
from tsubame.pipeline.inventory import take_inventory
from tsubame.settings import Settings
from tsubame.stores import Store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

CHECKOUT = Path(__file__).resolve().parents[3]
SCENARIO = CHECKOUT / "tests" / "scenarios" / "tiny.toml"
NAMES = ("captures", "delegations", "lake", "site")
FIRST, LAST = date(2022, 12, 31), date(2023, 1, 31)


def settings_at(place):
    return {f"TSUBAME_{name.upper()}_URL": f"{place}/{name}" for name in NAMES}


def contents(url):
    """Every object of a store, read eight at a time."""
    store = Store(url)
    with ThreadPoolExecutor(8) as pool:
        keys = [item.key for item in store.list()]
        return dict(zip(keys, pool.map(store.read, keys), strict=True))


@pytest.fixture(scope="module")
def runs(s3_service, tmp_path_factory):
    """The tiny scenario simulated and run on a disk and on S3, by settings alone; and what the commands said."""
    from distributed import LocalCluster

    folder = tmp_path_factory.mktemp("runs")
    bucket = f"run-{uuid.uuid4().hex}"
    make_buckets(s3_service.environment(), [bucket])
    places = {
        "disk": settings_at(folder / "disk"),
        "s3": settings_at(f"s3://{bucket}") | s3_service.environment(),
    }
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("TSUBAME_SENSORS_URL", raising=False)
        point_at(patch, s3_service.environment())
        # Workers get the environment of whoever starts them.
        with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
            patch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
            for environment in places.values():
                point_at(patch, environment)
                with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                    for arguments in (["simulate", str(SCENARIO)], ["run", "2023Q1"]):
                        assert main(arguments) == 0, said.getvalue()
    return places, said.getvalue()


@pytest.fixture
def on_s3(runs, s3, monkeypatch):
    places, _ = runs
    point_at(monkeypatch, places["s3"])
    monkeypatch.delenv("TSUBAME_SENSORS_URL", raising=False)
    return Settings.from_environment()


def without_times(name, content):
    """A file of an edition without the instants of publication, which alone may differ."""
    if name.endswith(".json"):
        document = json.loads(content)
        if isinstance(document, dict):
            document.pop("created_at", None)
            # The lineage names the ETags' digests, and a disk and S3 give the same content other ETags.
            document.pop("lineage", None)
        return document
    return content


def test_the_edition_is_the_same_bytes_as_on_a_disk(runs, on_s3):
    places, _ = runs
    disk = contents(places["disk"]["TSUBAME_SITE_URL"])
    s3 = contents(on_s3.site_url)
    assert disk.keys() == s3.keys()
    assert any(key.endswith("2023Q1/editions/1/report.json") for key in s3)
    instants = {json.loads(site["2023Q1/latest.json"])["created_at"].encode() for site in (disk, s3)}
    differing = [key for key in s3 if without_times(key, disk[key]) != without_times(key, s3[key])]
    # What prints the instant, or digests a file that holds it, may differ; tables, figures and data never.
    unexplained = [
        key for key in differing if not (instants and key.endswith((".html", ".json", ".cff", ".xml", ".pdf")))
    ]
    assert not unexplained
    assert not [key for key in differing if key.endswith("report.json")]


def test_inputs_and_counts_are_the_same_as_on_a_disk(runs, on_s3):
    places, _ = runs
    for name in ("captures", "delegations"):
        assert contents(places["disk"][f"TSUBAME_{name.upper()}_URL"]) == contents(
            places["s3"][f"TSUBAME_{name.upper()}_URL"]
        )
    of = {place: contents(f"{places[place]['TSUBAME_LAKE_URL']}/counts") for place in places}
    assert of["disk"].keys() == of["s3"].keys()
    for key, content in of["s3"].items():
        # Beside the table a file names the digest of its inputs' ETags, which differ between a disk and S3.
        one, other = (pq.read_table(pa.BufferReader(each)) for each in (content, of["disk"][key]))
        assert one.equals(other), key
    assert len(of["s3"]) == 90


def test_with_nothing_new_there_is_only_listing(runs, s3, monkeypatch):
    places, _ = runs
    with Relay(s3.endpoint) as relay:
        point_at(monkeypatch, {**places["s3"], "AWS_ENDPOINT_URL_S3": relay.endpoint})
        settings = Settings.from_environment()
        inventory = take_inventory(settings, FIRST, LAST)
        assert (inventory.missing, inventory.obsolete) == ((), ())
        assert len(inventory.captures) == 64
        tasks, unchanged = plan_counts(settings, date(2023, 1, 1), LAST)
        assert (tasks, unchanged) == ([], 31)
        bucket = places["s3"]["TSUBAME_LAKE_URL"].split("/")[2]
        asked = {key for key in relay.requests if key[0] != "GET" or key[1].rstrip("/") != f"/{bucket}"}
        # Besides listings: the sensor registry, and delegation files or what is kept of them.
        assert {path for method, path in asked if method != "HEAD"} >= {f"/{bucket}/captures/sensors.csv"}
        assert not [key for key in asked if key[0] not in ("GET", "HEAD")]
        assert not [
            key for key in asked if key[1].endswith((".gz", ".zst", ".pcap", ".parquet")) and "/captures/" in key[1]
        ]
        assert not [
            key
            for key in asked
            if key[0] == "GET" and key[1].startswith((f"/{bucket}/lake/flows/", f"/{bucket}/lake/counts/"))
        ]


def test_a_connection_that_is_cut_never_passes_for_a_damaged_capture(runs, on_s3, s3, monkeypatch, tmp_path):
    captures = take_inventory(on_s3, FIRST, LAST).captures
    capture = max(captures.values(), key=lambda one: one.info.size)
    with Relay(s3.endpoint) as relay:
        point_at(monkeypatch, {"AWS_ENDPOINT_URL_S3": relay.endpoint})
        relay.cut, relay.cut_after = 10**6, capture.info.size // 2
        with pytest.raises(Unavailable, match="cannot be read"):
            ingest_capture(_Task(capture, (), on_s3.captures_url, str(tmp_path / "lake"), "Asia/Tokyo"))
    assert list(Store(str(tmp_path / "lake")).list()) == []


def test_no_secret_is_told(runs, on_s3, s3):
    _, said = runs
    secret = s3.environment()["AWS_SECRET_ACCESS_KEY"]
    assert len(secret) > 30
    assert secret not in said
    assert secret not in s3.log.read_text(errors="replace")
    assert secret not in repr(Store(on_s3.lake_url)) + repr(on_s3)
    for url in (on_s3.site_url, on_s3.lake_url):
        assert not [key for key, content in contents(url).items() if secret.encode() in content]
