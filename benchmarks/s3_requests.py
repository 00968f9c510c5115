"""Which requests an S3 service gets: of a capture, of a day, of a run with nothing new, of a large capture.

    python benchmarks/s3_requests.py [--captures 40]

The service is real (``make s3``'s). Every operation is counted where botocore makes it; workers are threads of this
process, so that none is missed. A repeated request counts once.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import harness
from harness import Row, measured, say

SENSORS = 4
WRITES = ("Put", "Create", "Upload", "Complete", "Copy", "List", "Delete")
"""Operations that cost what a PUT or LIST costs; the others cost what a GET costs."""


@harness.work
def requests_of(captures: int) -> dict[str, Any]:
    """Ingest and count captures in buckets; return the operations of each step."""
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from telescope import FIRST_DAY, Shape, settings_in, workers

    from infra.s3.buckets import make_buckets
    from infra.s3.service import S3Service
    from tsubame.pipeline.counts import count_days
    from tsubame.pipeline.ingest import ingest_days
    from tsubame.stores import Store

    found: dict[str, Any] = {}
    with TemporaryDirectory() as scratch, S3Service(Path(scratch) / "s3") as service:
        os.environ.update(service.environment(), AWS_EC2_METADATA_DISABLED="true")
        shape = Shape(days=2, sensors=SENSORS, parts=captures // SENSORS // 2, packets=200)
        local = settings_in(Path(scratch) / "local", shape, stored=True)
        names = ("captures", "delegations", "lake")
        make_buckets(service.environment(), names)
        for name in ("captures", "delegations"):
            store = Store(f"s3://{name}")
            for path in sorted((Path(scratch) / "local" / name).rglob("*")):
                if path.is_file():
                    store.put_file(str(path.relative_to(Path(scratch) / "local" / name)), path)
        Store("s3://captures").put_file("sensors.csv", Path(local.sensors_url))
        settings = replace(
            local, captures_url="s3://captures", delegations_url="s3://delegations", lake_url="s3://lake",
            sensors_url="s3://captures/sensors.csv",
        )  # fmt: skip
        with workers(2, processes=False):
            found["ingest"] = _counted(lambda: ingest_days(settings, FIRST_DAY, shape.last_day))
            found["count"] = _counted(lambda: count_days(settings, FIRST_DAY, shape.last_day))
            found["ingest again"] = _counted(lambda: ingest_days(settings, FIRST_DAY, shape.last_day))
            found["count again"] = _counted(lambda: count_days(settings, FIRST_DAY, shape.last_day))
            large = Path(scratch) / "large.pcap.gz"
            with large.open("wb") as sink:
                sink.writelines(replace(shape, packets=1_500_000).capture(0, 0, 9_999))
            key = next(shape.captures())[0].replace("00000", "09999")
            Store("s3://captures").put_file(key, large)
            found["large"] = _counted(lambda: ingest_days(settings, FIRST_DAY, shape.last_day))
            found["large_bytes"] = large.stat().st_size
    return found


@contextmanager
def _operations() -> Iterator[Counter[str]]:
    from aiobotocore.client import AioBaseClient

    seen: Counter[str] = Counter()
    original = AioBaseClient._make_api_call

    async def counting(client: Any, operation: str, parameters: Any) -> Any:
        seen[operation] += 1
        return await original(client, operation, parameters)

    AioBaseClient._make_api_call = counting
    try:
        yield seen
    finally:
        AioBaseClient._make_api_call = original


def _counted(call: Callable[[], Any]) -> dict[str, int]:
    with _operations() as seen:
        call()
    return dict(seen)


def told(operations: dict[str, float]) -> str:
    """Return operations in words."""
    return ", ".join(f"{count:g} {name}" for name, count in sorted(operations.items()))


def of_each_price(operations: dict[str, int]) -> tuple[int, int]:
    """Return how many operations cost what a PUT costs, and how many what a GET costs."""
    dear = sum(count for name, count in operations.items() if name.startswith(WRITES))
    return dear, sum(operations.values()) - dear


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the figures."""
    captures = options.captures // (2 * SENSORS) * 2 * SENSORS
    say(f"{captures} captures in a real bucket")
    run = measured(requests_of, captures=captures)
    # Listings are told by themselves: how many there are depends on what there was before.
    own = {
        step: {name: count for name, count in run[step].items() if not name.startswith("List")}
        for step in ("ingest", "count", "ingest again", "count again")
    }
    planning = of_each_price(own["ingest again"]), of_each_price(own["count again"])
    work = of_each_price(own["ingest"]), of_each_price(own["count"])
    for index, price in enumerate(("PUT", "GET")):
        each = (work[0][index] - planning[0][index]) / captures
        yield Row(
            f"s3.capture.{price}", f"requests of a capture → flows, priced as {price}", each, note=told(run["ingest"])
        )
    for index, price in enumerate(("PUT", "GET")):
        # Reading the flows of the captures is a request of each.
        rest = work[1][index] - planning[1][index] - (captures if price == "GET" else 0)
        yield Row(
            f"s3.day.{price}",
            f"requests of a day's counts beside reading its flows, priced as {price}",
            rest / 2,
            note=told(run["count"]),
        )
    again = Counter(run["ingest again"]) + Counter(run["count again"])
    for index, price in enumerate(("PUT", "GET")):
        total = of_each_price(again)[index]
        yield Row(
            f"s3.again.{price}",
            f"requests of a run with nothing new, {SENSORS} sensors, priced as {price}",
            total,
            note=told(again),
        )
    lists = again["ListObjectsV2"]
    yield Row("s3.again.lists_a_sensor", "listings of a sensor and run", lists / SENSORS)
    reading = run["large"].get("GetObject", 0) - run["ingest again"].get("GetObject", 0)
    size = run["large_bytes"] / 2**20
    yield Row("s3.large.reads", f"reads of a capture of {size:.0f} MiB", reading, note=told(run["large"]))
    yield Row("s3.read_mib", "MiB of a capture a read brings", size / max(1, reading), "MiB")


if __name__ == "__main__":
    harness.main("s3_requests", __doc__, measure, {"captures": 40})
