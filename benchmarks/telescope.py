"""A telescope's bucket that is nowhere: each capture is made while it is read, and then is gone.

``telescope://days=30,sensors=10,parts=1,packets=1000000`` is a URL like any other to the pipeline: so many report days
from 2023-01-01 on, sensors (a /16 each), captures a day of each, and packets of each capture. What making the captures
costs is kept apart, in ``made``.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import fsspec
from traffic import FIRST, packed, records

from tsubame.settings import Settings

FIRST_DAY = date(2023, 1, 1)
_NETWORKS = 20 << 24
made = {"cpu": 0.0, "packets": 0.0, "bytes": 0.0}
"""Of this process: what making captures cost, and how much was made."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How much there is to read."""

    days: int = 1
    sensors: int = 1
    parts: int = 1
    packets: int = 1_000_000

    @classmethod
    def parse(cls, text: str) -> Shape:
        """Read what ``str`` says."""
        return cls(**{name: int(value) for name, _, value in (part.partition("=") for part in text.split(","))})

    def __str__(self) -> str:
        return f"days={self.days},sensors={self.sensors},parts={self.parts},packets={self.packets}"

    @property
    def objects(self) -> int:
        """How many captures there are."""
        return self.days * self.sensors * self.parts

    @property
    def last_day(self) -> date:
        """The last report day."""
        return FIRST_DAY + timedelta(days=self.days - 1)

    def captures(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield key, day, sensor and part of every capture."""
        for sensor in range(self.sensors):
            for day in range(self.days):
                for part in range(self.parts):
                    folder = f"{sensor_name(sensor)}/{FIRST_DAY + timedelta(days=day):%Y/%m/%d}"
                    yield f"{folder}/{sensor_name(sensor)}-{part:05}.pcap.gz", day, sensor, part

    def capture(self, day: int, sensor: int, part: int) -> Iterator[bytes]:
        """Yield a capture's content, piece by piece; its packets are spread over its part of the day."""
        return packed(
            records(
                self.packets,
                first=FIRST + day * 86_400 + part * 86_400 // self.parts,
                rate=self.packets * self.parts,
                seed=(day * self.sensors + sensor) * self.parts + part,
                network=_NETWORKS + (sensor << 16),
            )
        )


def sensor_name(number: int) -> str:
    return f"jp-{number:04}"


class Telescope(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """The bucket, for fsspec."""

    protocol = "telescope"

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List what is directly below a folder."""
        path = self._strip_protocol(path).rstrip("/")
        shape, _, folder = path.partition("/")
        entries = _tree(shape).get(folder)
        if entries is None:
            raise FileNotFoundError(path)
        found = [
            {"name": f"{path}/{name}", "type": "directory" if size is None else "file", "size": size or 0, "ETag": name}
            for name, size in entries.items()
        ]
        return found if detail else [entry["name"] for entry in found]

    def _open(self, path: str, *_: Any, **__: Any) -> io.RawIOBase:
        text, _, key = self._strip_protocol(path).partition("/")
        shape = Shape.parse(text)
        return _Made(shape.capture(*_places(text)[key]))


@cache
def _places(text: str) -> dict[str, tuple[int, int, int]]:
    return {key: place for key, *place in Shape.parse(text).captures()}  # type: ignore[misc]


@cache
def _tree(text: str) -> dict[str, dict[str, int | None]]:
    tree: dict[str, dict[str, int | None]] = {"": {}}
    size = Shape.parse(text).packets * 30
    for key in _places(text):
        *folders, name = key.split("/")
        for depth, folder in enumerate(folders):
            tree.setdefault("/".join(folders[:depth]), {})[folder] = None
        tree.setdefault("/".join(folders), {})[name] = size
    return tree


class _Made(io.RawIOBase):
    """Reads pieces as they are made."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            begin = time.thread_time()
            piece = next(self._pieces, None)
            made["cpu"] += time.thread_time() - begin
            if piece is None:
                return 0
            made["bytes"] += len(piece)
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


fsspec.register_implementation("telescope", Telescope, clobber=True)


def settings_in(folder: Path, shape: Shape, *, stored: bool, there: bool = False) -> Settings:
    """Return settings of a deployment in a folder, with its sensors and the simulator's delegation files.

    Args:
        folder: gets lake and site, and with ``stored`` the captures; otherwise they are made while they are read.
        there: the captures were stored by an earlier call.
    """
    from tsubame.simulate.delegations import DelegationFiles
    from tsubame.simulate.reading import load_scenario
    from tsubame.simulate.world import World

    folder.mkdir(parents=True, exist_ok=True)
    for key, content in DelegationFiles(World(load_scenario("2023Q1"))).files(FIRST_DAY - timedelta(days=1)):
        target = folder / "delegations" / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    rows = [
        f"{sensor_name(number)},{20 + (number >> 8)}.{number & 255}.0.0/16,JP,2022-01-01,"
        for number in range(shape.sensors)
    ]
    (folder / "sensors.csv").write_text("sensor_id,address,country,active_from,active_to\n" + "\n".join(rows) + "\n")
    if stored:
        for key, *place in shape.captures():
            target = folder / "captures" / key
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as sink:
                sink.writelines(shape.capture(*place))
    return Settings(
        captures_url=str(folder / "captures") if stored or there else f"telescope://{shape}",
        delegations_url=str(folder / "delegations"),
        lake_url=str(folder / "lake"),
        site_url=str(folder / "site"),
        sensors_url=str(folder / "sensors.csv"),
    )


@contextmanager
def workers(number: int, *, processes: bool = True) -> Iterator[Any]:
    """Give a client of a local cluster of so many workers of one thread; without ``processes`` they are in this one."""
    import dask

    from tsubame.pipeline.cluster import connect

    arguments = {
        "n_workers": number, "threads_per_worker": 1, "processes": processes, "silence_logs": 50,
        **({"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"} if processes else {"dashboard_address": None}),
    }  # fmt: skip
    named = {"tsubame.cluster.class": "distributed.LocalCluster", "tsubame.cluster.arguments": arguments}
    with dask.config.set(named), connect() as client:
        if processes:
            client.wait_for_workers(number)
            client.run(_load)
        yield client


def _load() -> None:
    """Know this bucket, in a worker."""


def make_flows(folder: Path, shape: Shape) -> tuple[Settings, int]:
    """Make the flows of the first day; return the settings, and how many flows there are."""
    import pyarrow.parquet as pq

    from tsubame.pipeline.ingest import ingest_days

    settings = settings_in(folder, shape, stored=False)
    with workers(2):
        ingest_days(settings, FIRST_DAY, FIRST_DAY)
    return settings, sum(pq.read_metadata(path).num_rows for path in (folder / "lake" / "flows").rglob("*.parquet"))


def warm_up(folder: Path, *, parts: int = 1, packets: int = 1000) -> None:
    """Ingest and count a small telescope, so that nothing is compiled or imported in what is measured afterwards."""
    from tsubame.pipeline.counts import count_days
    from tsubame.pipeline.ingest import ingest_days

    settings = settings_in(folder / "warm", Shape(parts=parts, packets=packets), stored=False)
    ingest_days(settings, FIRST_DAY, FIRST_DAY)
    count_days(settings, FIRST_DAY, FIRST_DAY)


def cost_of_counting(folder: Path, shape: Shape) -> dict[str, float]:
    """Count the first day of flows that are made, as ``tsubame count`` does; the one worker is this process.

    Raises:
        RuntimeError: packets were lost.
    """
    from tempfile import TemporaryDirectory

    from harness import spent

    from tsubame.pipeline.counts import count_days

    with TemporaryDirectory() as scratch, workers(1, processes=False):
        warm_up(Path(scratch))
        settings = settings_in(folder, shape, stored=False)
        for key in (folder / "lake").glob("ledger/*"):
            key.unlink()
        with spent() as cost:
            packets = count_days(settings, FIRST_DAY, FIRST_DAY).packets
    if packets != shape.objects * shape.packets:
        raise RuntimeError(f"{packets} packets counted of {shape.objects * shape.packets}")
    return cost


def cpu_of(client: Any) -> float:
    """Return the CPU seconds that this process, with its scheduler, and all workers have used so far."""
    return time.process_time() + sum(client.run(time.process_time).values())


def peak_of(client: Any) -> int:
    """Return the memory, in bytes, of the worker that has held most."""
    from harness import peak_memory

    return max(client.run(peak_memory).values())


def made_in(client: Any) -> dict[str, float]:
    """Return what making captures has cost all workers so far."""
    each = client.run(_made_here).values()
    return {name: sum(found[name] for found in each) for name in made}


def _made_here() -> dict[str, float]:
    return made
