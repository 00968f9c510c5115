"""Listings of a hundred thousand objects."""

import subprocess
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from infra.s3.buckets import make_buckets
from infra.s3.environment import installed
from infra.s3.service import S3Service
from tests.faults.conftest import settings_in
from tests.integration.s3.breaking import Relay
from tests.integration.s3.conftest import point_at
from tsubame.periods import days_between
from tsubame.pipeline.inventory import take_inventory
from tsubame.stores import Store

pytestmark = pytest.mark.long

LISTED_SENSORS, LISTED_DAYS, LISTED_A_DAY = 20, 500, 10
LISTED_FIRST = date(2022, 1, 1)
SPAN = (date(2023, 1, 23), date(2023, 1, 30))


def listed_keys():
    """The keys of 100,000 captures."""
    for sensor in range(LISTED_SENSORS):
        for day in days_between(LISTED_FIRST, LISTED_FIRST + timedelta(days=LISTED_DAYS - 1)):
            yield from (f"s{sensor:02}/{day:%Y/%m/%d}/{hour:02}.pcap.gz" for hour in range(LISTED_A_DAY))


def registry():
    rows = [f"s{sensor:02},203.0.113.{sensor + 1},JP,2022-01-01," for sensor in range(LISTED_SENSORS)]
    return "\n".join(["sensor_id,address,country,active_from,active_to", *rows, ""]).encode()


def near(key):
    """Whether a capture's date lies where the days of ``SPAN`` are looked for."""
    day = date(*map(int, key.split("/")[1:4]))
    return SPAN[0] - timedelta(days=2) <= day <= SPAN[1] + timedelta(days=31)


def test_a_hundred_thousand_objects_are_listed_by_their_days_on_a_disk(fault, tmp_path):
    keys = list(listed_keys())
    with fault("100,000 captures on a disk", "inventory of 8 report days, as each day's run takes it") as told:
        for key in keys:
            path = tmp_path / "captures" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (tmp_path / "captures" / "sensors.csv").write_bytes(registry())
        settings = settings_in(tmp_path, tmp_path)
        began = time.monotonic()
        inventory = take_inventory(settings, *SPAN)
        seconds = time.monotonic() - began
        began = time.monotonic()
        assert sum(1 for _ in Store(settings.captures_url).list()) == len(keys) + 1
        whole = time.monotonic() - began
        assert set(inventory.captures) == {key for key in keys if near(key)}
        told.held = f"{len(inventory.captures):,} found in {seconds:.2f} s (all {len(keys):,}: {whole:.1f} s)"


def test_a_hundred_thousand_objects_are_listed_by_their_days_on_s3(fault, tmp_path, monkeypatch):
    keys = list(listed_keys())
    with (
        fault("100,000 captures on S3", "the same on Swift, its container filled by Swift's own broker") as told,
        S3Service(tmp_path / "s3") as service,
        Relay(service.endpoint) as relay,
    ):
        make_buckets(service.environment(), ["captures", "lake"])
        filled = subprocess.run(
            [installed(), Path(__file__).with_name("fill_container.py"), tmp_path / "s3" / "devices", "captures"],
            input="\n".join(keys), text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert filled.returncode == 0, filled.stderr
        point_at(monkeypatch, {**service.environment(), "AWS_ENDPOINT_URL_S3": relay.endpoint})
        Store("s3://captures").put("sensors.csv", registry())
        from tsubame.settings import Settings

        settings = Settings(
            captures_url="s3://captures", lake_url="s3://lake", sensors_url="s3://captures/sensors.csv"
        )  # fmt: skip
        found = {}
        for name, listing in (
            ("all", lambda: {info.key for info in Store("s3://captures").list()} - {"sensors.csv"}),
            ("days", lambda: set(take_inventory(settings, *SPAN).captures)),
        ):
            relay.requests = Counter()
            began = time.monotonic()
            found[name] = listing(), sum(relay.requests.values()), time.monotonic() - began
        assert found["all"][0] == set(keys)
        assert found["all"][1] >= len(keys) / 1000
        assert found["days"][0] == {key for key in keys if near(key)}
        (days, requests, seconds), (_, of_all, all_seconds) = found["days"], found["all"]
        told.held = (
            f"{len(days):,} found with {requests} requests in {seconds:.1f} s; "
            f"all {len(keys):,}: {of_all} requests, {all_seconds:.1f} s"
        )
