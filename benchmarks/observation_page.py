"""How long the observation page's data take: two years of 50 sensors, against the second it may take.

    .venv/bin/python benchmarks/observation_page.py [sensors] [days]

A lake of that size is generated (ledger, flows listing, counts of the last two weeks), with one capture a sensor
and day, and eight published quarters. "cold" is the first answer of a new process, "warm" a later one.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.capture.accounting import Accounting
from tsubame.keys import CaptureKey, FlowsKey, LedgerKey, counts_key
from tsubame.periods import Quarter
from tsubame.pipeline.freshness import basis_of, keep_basis, span_of
from tsubame.pipeline.observation import current_ranks, newest_day, quarters, sensor_days
from tsubame.settings import Settings
from tsubame.stores import Store

LAST = date(2023, 12, 31)


def generate(root: Path, sensors: int, days: int) -> Settings:
    """Write the lake, the sensor registry and the site's pointers."""
    names = [f"sensor-{number:02}" for number in range(sensors)]
    settings = Settings(
        *(str(root / name) for name in ("captures", "delegations", "lake", "site")),
        sensors_url=str(root / "captures" / "sensors.csv"),
    )
    lines = [
        f"{name},203.0.113.{number},{'JP' if number % 2 else 'DE'},2020-01-01," for number, name in enumerate(names)
    ]
    (root / "captures").mkdir(parents=True)
    (root / "captures" / "sensors.csv").write_text(
        "\n".join(["sensor_id,address,country,active_from,active_to", *lines])
    )
    lake, site = Store(settings.lake_url), Store(settings.site_url)
    account = Accounting().as_dict() | {"records_read": 1000, "packets_kept": 1000}
    for back in range(days):
        day = LAST - timedelta(days=back)
        keys = [CaptureKey(name, day, f"{name}-{day:%Y%m%d}T0000Z.pcap.zst") for name in names]
        for key in keys:
            for path in (root / "captures" / key.key, root / "lake" / FlowsKey(key.key, "0" * 16, day, day).key):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        record = {
            "day": day.isoformat(), "packets": dict.fromkeys(names[back % 7:], 1000),
            "captures": [
                {"capture": key.key, "sha256": "0" * 64, "size": 1_000_000, "accounting": account} for key in keys
            ],
        }  # fmt: skip
        lake.put(LedgerKey(day, "0" * 16).key, json.dumps(record).encode())
        path = root / "lake" / counts_key(day)
        path.parent.mkdir(parents=True, exist_ok=True)
        if back < 14:
            pq.write_table(_counts(names), path)
    for quarter in span_of(Quarter(2022, 1), Quarter(2023, 4)):
        site.put(f"{quarter}/latest.json", json.dumps({"edition": 1}).encode())
        site.put(f"{quarter}/editions/1/report.json", json.dumps({"created_at": "", "claims": []}).encode())
        keep_basis(settings, quarter, 1, basis_of(settings, quarter))
    return settings


def _counts(names: list[str]) -> pa.Table:
    rows = [(name, 6, port, region) for name in names for port in range(200) for region in ("CN", "US", "NL", "RU")]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return pa.table(
        {
            "sensor_id": pa.array(columns[0]).dictionary_encode(),
            "protocol": pa.array(columns[1], pa.uint8()),
            "dst_port": pa.array(columns[2], pa.uint16()),
            "region": pa.array(columns[3]).dictionary_encode(),
            "packets": pa.array([7] * len(rows), pa.uint64()),
        }
    )


def main(sensors: int, days: int) -> None:
    """Generate, ask twice, print a table."""
    with tempfile.TemporaryDirectory(prefix="tsubame-page-") as folder:
        settings = generate(Path(folder), sensors, days)
        first, now = LAST - timedelta(days=days - 1), datetime(2024, 2, 1, tzinfo=UTC)
        parts = {
            "data/days": lambda: sensor_days(settings, first, newest_day(settings) or LAST),
            "data/ranks": lambda: current_ranks(settings, LAST),
            "data/quarters": lambda: quarters(settings, Quarter.of(LAST), 8, now=now),
        }
        print(f"{sensors} sensors, {days} days\n{'':16}cold, s  warm, s   CPU, s   bytes")
        for name, ask in parts.items():
            seconds = []
            for _ in range(2):
                began, used = time.perf_counter(), time.process_time()
                answer = ask()
                seconds.append(time.perf_counter() - began)
            cpu = time.process_time() - used
            print(f"{name:16}{seconds[0]:7.2f}  {seconds[1]:7.2f}  {cpu:7.2f}  {len(json.dumps(answer)):7,}")


if __name__ == "__main__":
    main(*(int(text) for text in (*sys.argv[1:3], *("50", "730")[len(sys.argv) - 1 :])))
