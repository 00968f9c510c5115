"""How long the observation page's data take: two years of 50 sensors, against the second it may take.

    .venv/bin/python benchmarks/observation_page.py [local|s3] [sensors] [days]

A lake of that size is written (ledger, counts of the last two weeks), with one capture a sensor and day and eight
published quarters, into a folder or into the S3 service of ``make s3``. Every row is a new process that answers twice,
as the API server does:

- cold: nothing is imported or kept yet, and with "no digests" only the ledger's own records are there;
- warm: the second answer of the same process.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

LAST = date(2023, 12, 31)
PARTS = ("days", "ranks", "quarters")
REPEATS = 5


def generate(sensors: int, days: int) -> None:
    """Write the sensor registry, the lake and the site's pointers to where the environment says."""
    from tsubame.periods import Quarter
    from tsubame.pipeline.freshness import basis_of, keep_basis, span_of
    from tsubame.settings import Settings
    from tsubame.stores import Store

    names = [f"sensor-{number:02}" for number in range(sensors)]
    settings = Settings.from_environment()
    lines = [
        f"{name},203.0.113.{number},{'JP' if number % 2 else 'DE'},2020-01-01," for number, name in enumerate(names)
    ]
    registry = "\n".join(["sensor_id,address,country,active_from,active_to", *lines])
    Store(settings.captures_url).put("sensors.csv", registry.encode())
    lake, site = Store(settings.lake_url), Store(settings.site_url)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda back: _write_day(lake, LAST - timedelta(days=back), names, back), range(days)))
    for quarter in span_of(Quarter(2022, 1), Quarter(2023, 4)):
        site.put(f"{quarter}/latest.json", json.dumps({"edition": 1}).encode())
        site.put(f"{quarter}/editions/1/report.json", json.dumps({"created_at": "", "claims": []}).encode())
        keep_basis(settings, quarter, 1, basis_of(settings, quarter))


def _write_day(lake: object, day: date, names: list[str], back: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tsubame.capture.accounting import Accounting
    from tsubame.keys import CaptureKey, LedgerKey, counts_key
    from tsubame.stores import Store

    assert isinstance(lake, Store)
    account = Accounting().as_dict() | {"records_read": 1000, "packets_kept": 1000}
    # What is amiss, so that every state is met: nothing came, came late, is cut; and down, below.
    absent, late, cut = ((number * 7 + back // 3) % 97 for number in (1, 3, 5))
    keys = [
        CaptureKey(name, day + timedelta(days=3 * (number == late)), f"{name}-{day:%Y%m%d}T0000Z.pcap.zst")
        for number, name in enumerate(names) if number != absent
    ]  # fmt: skip
    record = {
        "day": day.isoformat(), "packets": dict.fromkeys(names[back % 11 == 5:], 1000),
        "captures": [
            {
                "capture": key.key, "sha256": "0" * 64, "size": 1_000_000,
                "accounting": account | ({"truncated_tail": 1} if number == cut else {}),
            }
            for number, key in enumerate(keys)
        ],
    }  # fmt: skip
    lake.put(LedgerKey(day, "0" * 16).key, json.dumps(record, indent=1).encode())
    if back >= 14:
        lake.put(counts_key(day), b"")
        return
    rows = [(name, 6, port, region) for name in names for port in range(200) for region in ("CN", "US", "NL", "RU")]
    columns = [list(column) for column in zip(*rows, strict=True)]
    table = pa.table(
        {
            "sensor_id": pa.array(columns[0]).dictionary_encode(),
            "protocol": pa.array(columns[1], pa.uint8()),
            "dst_port": pa.array(columns[2], pa.uint16()),
            "region": pa.array(columns[3]).dictionary_encode(),
            "packets": pa.array([7] * len(rows), pa.uint64()),
        }
    )
    content = io.BytesIO()
    pq.write_table(table, content)
    lake.put(counts_key(day), content.getvalue())


def answer(part: str, days: int) -> None:
    """Answer one of the page's questions twice and print what it took: the work of the child process."""
    began, used = time.perf_counter(), time.process_time()
    told = {}
    for which in ("cold", "warm"):
        from tsubame.periods import Quarter
        from tsubame.pipeline import observation
        from tsubame.settings import Settings

        settings, now = Settings.from_environment(), datetime(2024, 2, 1, tzinfo=UTC)
        last = observation.newest_day(settings) or LAST
        if part == "days":
            said: object = observation.sensor_days(settings, last - timedelta(days=days - 1), last)
        elif part == "ranks":
            said = observation.current_ranks(settings, observation.newest_observed_day(settings, last))
        else:
            said = observation.quarters(settings, Quarter.of(last), 8, now=now)
        told[which] = time.perf_counter() - began
        told[f"{which} cpu"] = time.process_time() - used
        began, used = time.perf_counter(), time.process_time()
    print(json.dumps(told | {"bytes": len(json.dumps(said))}))


@contextlib.contextmanager
def stored(kind: str) -> Iterator[dict[str, str]]:
    """Yield the environment that points at an empty store of the kind."""
    with tempfile.TemporaryDirectory(prefix="tsubame-page-") as folder:
        if kind == "local":
            yield {f"TSUBAME_{n.upper()}_URL": f"{folder}/{n}" for n in ("captures", "delegations", "lake", "site")}
            return
        from infra.s3.buckets import BUCKETS, make_buckets, urls
        from infra.s3.service import S3Service

        with S3Service(Path(folder)) as service:
            make_buckets(service.environment(), BUCKETS)
            yield {**service.environment(), **urls()}


def measure(part: str, days: int, env: dict[str, str]) -> dict[str, float]:
    """Return the medians of several new processes."""
    runs = []
    for _ in range(REPEATS):
        command = [sys.executable, __file__, "--answer", part, str(days)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        runs.append(json.loads(done.stdout))
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main(kind: str = "local", sensors: int = 50, days: int = 731) -> None:
    """Write the lake, ask, print a table."""
    with stored(kind) as places:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("TSUBAME_", "AWS_"))} | places
        os.environ.clear()
        os.environ.update(env | {"PYTHONPATH": str(Path(__file__).parents[1])})
        began = time.perf_counter()
        generate(sensors, days)
        print(f"{kind}: {sensors} sensors, {days} days, written in {time.perf_counter() - began:.0f} s, "
              f"load {os.getloadavg()[0]:.1f}, medians of {REPEATS} processes")  # fmt: skip
        print(f"{'':24}cold, s  warm, s  CPU cold  CPU warm    bytes")
        for part in PARTS:
            took = measure(part, days, dict(os.environ))
            print(f"data/{part:19}{took['cold']:7.2f}  {took['warm']:7.2f}  {took['cold cpu']:8.2f}  "
                  f"{took['warm cpu']:8.2f}  {took['bytes']:7,.0f}")  # fmt: skip


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    if sys.argv[1:2] == ["--generate"]:
        generate(*map(int, sys.argv[2:4]))
    elif sys.argv[1:2] == ["--answer"]:
        answer(sys.argv[2], int(sys.argv[3]))
    else:
        main(*sys.argv[1:2], *map(int, sys.argv[2:4]))
