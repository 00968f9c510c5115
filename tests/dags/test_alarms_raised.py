"""Alarms are raised by what they are about: sensors that stay away, old delegation files, a port that rises.

A refused edition and a missed deadline are raised by live services in ``tests/integration/test_airflow_days.py``.
"""

from __future__ import annotations

import asyncio
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.airflow_live import http_server
from tsubame.capture.accounting import Accounting
from tsubame.keys import LedgerKey, counts_key
from tsubame.periods import day_bounds
from tsubame.pipeline.ledger import DayRecord
from tsubame.pipeline.watching import watch_day
from tsubame.provenance import sha256_of
from tsubame.schemas import COUNTS
from tsubame.settings import Settings
from tsubame.stores import Store

DAY = date(2023, 1, 31)
REGISTRY = b"""sensor_id,address,country,active_from,active_to
jp-01,192.0.2.17,JP,2022-10-01,
jp-02,192.0.2.18,JP,2022-10-01,
"""


@pytest.fixture
def heard(monkeypatch):
    """What a webhook hears."""
    alarms = []

    def answer(method, path, body):
        alarms.append(json.loads(body))
        return b""

    with http_server(answer) as url:
        monkeypatch.setenv("TSUBAME_ALARMS", f"webhook:{url}/hook")
        yield alarms


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for name in ("captures", "delegations", "lake", "site"):
        monkeypatch.setenv(f"TSUBAME_{name.upper()}_URL", str(tmp_path / name))
    monkeypatch.delenv("TSUBAME_SENSORS_URL", raising=False)
    Store(str(tmp_path / "captures")).put("sensors.csv", REGISTRY)
    return Settings.from_environment()


def test_a_sensor_that_stays_away_until_the_grace_is_over(in_process, settings, heard):
    from airflow.sdk.exceptions import TaskDeferred

    Store(settings.captures_url).put("jp-01/2023/01/31/a.pcap", b"")
    grace = datetime.now(UTC) + timedelta(seconds=1.5) - day_bounds(DAY, settings.zone)[1]
    waiting = in_process.operators.AwaitCaptures(task_id="await_captures", grace=grace)
    context = {"dag_run": SimpleNamespace(partition_key=DAY.isoformat())}
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(context)
    assert heard == []

    async def fire():
        async for event in deferred.value.trigger.run():
            return event.payload
        return None

    # In a thread: another test's browser may keep an event loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        event = pool.submit(asyncio.run, fire()).result()
    assert waiting.resume(context, event) == {"day": "2023-01-31", "delivered": 1, "awaited": ["jp-02"]}
    assert [alarm["title"] for alarm in heard] == [
        "TSUBAME missing sensors: 2023-01-31: the grace is over, nothing from jp-02"
    ]


def put_day(settings: Settings, day: date, packets: int, age_days: int) -> None:
    """Write a day's counts and their record: one port at two sensors."""
    snapshot = {"registries": {"ripencc": {"age_days": age_days}, "apnic": {"age_days": 0}}}
    names = {field.name: "" for field in fields(DayRecord)}
    known = {"day": day, "digest": "0" * 16, "accounting": Accounting(), "captures": (), "packets": {}}
    given = {
        "sensor_id": ["jp-01", "jp-02"], "protocol": [6, 6], "dst_port": [37215, 37215], "packets": [packets, packets],
    }  # fmt: skip
    empty = {"day": [day, day]} | {
        name: ["", ""] if pa.types.is_dictionary(kind) or pa.types.is_string(kind) else [0, 0]
        for name, kind in ((field.name, field.type) for field in COUNTS.arrow())
        if name != "day"
    }
    table = pa.table({name: (empty | given)[name] for name in COUNTS.names}, schema=COUNTS.arrow())
    content = io.BytesIO()
    pq.write_table(table, content)
    sealed = {"counts_sha256": sha256_of(content.getvalue()), "snapshot": snapshot, "incomplete": ()}
    record = DayRecord(**{**names, **known, **sealed})
    lake = Store(settings.lake_url)
    lake.put(counts_key(day), content.getvalue())
    lake.put(LedgerKey(day, record.digest).key, record.to_json())


def test_a_port_that_rises_and_files_that_grow_old(in_process, settings, heard):
    for back in range(1, 11):
        put_day(settings, DAY - timedelta(days=back), packets=100, age_days=0)
    put_day(settings, DAY, packets=600, age_days=3)
    in_process.tasks.tell_notices(watch_day(settings, DAY, ratio=7))
    assert [alarm["kind"] for alarm in heard] == ["stale_delegations"]
    heard.clear()
    told = in_process.tasks.tell_notices(watch_day(settings, DAY, ratio=5))
    assert [alarm["title"] for alarm in heard] == [
        "TSUBAME stale delegations: 2023-01-31: regions rest on old files: ripencc 3 days",
        "TSUBAME event: 2023-01-31 37215/TCP: 600 packets per sensor, 6.0 times the mean of the 10 days before",
    ]
    assert len(told["notices"]) == 2
