"""Flows -> counts: one object per report day, only the days whose inputs changed.

A day's ledger record is written after its counts and names, in its key, all that they were made from. A day
without exactly one record of the right digest is counted again, so a run that was killed heals itself.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.aggregate.counts import COUNTS_VERSION, count_day, select_day
from tsubame.capture.accounting import Accounting
from tsubame.errors import BadInput, NotReady
from tsubame.keys import FlowsKey, LedgerKey, counts_key, sources_key
from tsubame.periods import Quarter, day_bounds, days_between, load_zone
from tsubame.pipeline.cluster import Progress, connect, silent, spread
from tsubame.pipeline.delegations import DelegationArchive, SnapshotUse, open_archive
from tsubame.pipeline.ingest import read_flows
from tsubame.pipeline.inventory import list_flows, list_ledger, read_registry
from tsubame.provenance import code_version, digest_of, sha256_of
from tsubame.regions.delegated import DelegatedFile
from tsubame.regions.table import RegionTable
from tsubame.schemas import COUNTS, SOURCES, TableSchema, enforce
from tsubame.settings import Settings
from tsubame.stores import Store

STAGE = "flows → counts"


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker needs to count one report day."""

    day: date
    flows: tuple[FlowsKey, ...]
    as_of: RegionTable
    pinned: RegionTable
    snapshot: dict[str, Any]
    domestic: tuple[str, ...]
    digest: str
    settings: Settings
    stale: tuple[LedgerKey, ...]

    def __str__(self) -> str:
        return f"report day {self.day}"


@dataclass(frozen=True, slots=True)
class DayRecord:
    """How a day's counts were made: the ledger's content.

    Attributes:
        digest: names all inputs; two records of the same digest stand for the same counts.
        accounting: of the records whose report day this is.
        captures: for each capture that bears on the day: key, SHA-256, size, and its share of the account.
        packets: packets kept that day of each sensor; a sensor that is not named was not up.
        snapshot: which delegation files were in use, and what was carried forward, refused or held back.
        counts_sha256: of the counts object.
    """

    day: date
    digest: str
    accounting: Accounting
    captures: tuple[dict[str, Any], ...]
    packets: dict[str, int]
    snapshot: dict[str, Any]
    counts_sha256: str
    code_version: str

    def to_json(self) -> bytes:
        """Return the record as JSON."""
        return json.dumps(
            {
                "day": self.day.isoformat(),
                "digest": self.digest,
                "accounting": self.accounting.as_dict(),
                "captures": list(self.captures),
                "packets": self.packets,
                "snapshot": self.snapshot,
                "counts_sha256": self.counts_sha256,
                "code_version": self.code_version,
            },
            sort_keys=True,
            indent=1,
        ).encode()

    @classmethod
    def from_json(cls, content: bytes) -> DayRecord:
        """Read what ``to_json`` wrote."""
        data = json.loads(content)
        return cls(
            **{
                **data,
                "day": date.fromisoformat(data["day"]),
                "accounting": Accounting.from_dict(data["accounting"]),
                "captures": tuple(data["captures"]),
            }
        )


@dataclass(frozen=True, slots=True)
class CountSummary:
    """What a call of ``count_days`` did."""

    counted: tuple[date, ...]
    unchanged: int
    accounting: Accounting
    packets: int

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-ready values."""
        return {
            "counted": [day.isoformat() for day in self.counted],
            "unchanged": self.unchanged,
            "accounting": self.accounting.as_dict(),
            "packets": self.packets,
        }


def count_days(settings: Settings, first: date, last: date, *, progress: Progress = silent) -> CountSummary:
    """Bring the counts of the report days from ``first`` to ``last`` up to date with flows and delegations.

    Raises:
        NotReady: no delegation snapshot is in force on one of the days or on its quarter's first day.
        BadInput: the sensor registry is missing or malformed.
        Unavailable: a store or the cluster does not answer; what is done stays done.
    """
    tasks, unchanged = plan_counts(settings, first, last)
    records = []
    if tasks:
        with connect() as client:
            records = [record for _, record in spread(client, count_one_day, tasks, stage=STAGE, progress=progress)]
    else:
        progress(STAGE, 0, 0)
    total = Accounting()
    for record in records:
        total = total + record.accounting
    return CountSummary(
        counted=tuple(sorted(record.day for record in records)),
        unchanged=unchanged,
        accounting=total,
        packets=sum(sum(record.packets.values()) for record in records),
    )


def plan_counts(settings: Settings, first: date, last: date) -> tuple[list[_Task], int]:
    """Return the days that must be counted, and how many are up to date."""
    registry = read_registry(settings)
    domestic = tuple(sensor.sensor_id for sensor in registry if sensor.domestic)
    lake = Store(settings.lake_url)
    by_day = _flows_by_day(list_flows(lake, first, last), first, last)
    ledger = list_ledger(lake, first, last)
    archive = open_archive(settings)
    tables: dict[str, RegionTable] = {}

    def regions_of(use: SnapshotUse) -> RegionTable:
        # One table for all days that share it: the days of a quarter differ in little.
        return tables.setdefault(use.digest, use.table.without_holders())

    tasks: list[_Task] = []
    unchanged = 0
    for day in days_between(first, last):
        flows = tuple(by_day.get(day, ()))
        pinned = archive.in_use(pinned_day(archive, day))
        # A day without packets needs no regions, so it may lie before the first delegation file.
        as_of = archive.in_use(day) if flows else archive.in_use(max(day, pinned.day))
        snapshot = describe_snapshot(archive, as_of)
        digest = digest_of(
            {
                "flows": [key.key for key in flows],
                "snapshot": snapshot,
                "pinned": pinned.digest,
                "domestic": domestic,
                "timezone": settings.timezone,
                "version": COUNTS_VERSION,
            }
        )
        records = tuple(ledger.get(day, ()))
        if [record.digest for record in records] == [digest]:
            unchanged += 1
        else:
            pair = regions_of(as_of), regions_of(pinned)
            tasks.append(_Task(day, flows, *pair, snapshot, domestic, digest, settings, records))
    return tasks, unchanged


def pinned_day(archive: DelegationArchive, day: date) -> date:
    """Return the day whose delegations a report day's quarter is pinned to.

    That is the quarter's first day, or, where the archive begins later, the day of its first file: an
    observation that begins in mid-quarter is compared with the earliest delegations there are.
    """
    first = Quarter.of(day).first_day
    files = archive.keys()
    earliest = files[0].day if files else first
    return max(first, earliest)


def describe_snapshot(archive: DelegationArchive, use: SnapshotUse) -> dict[str, Any]:
    """Return which delegation files a day rests on, and how good they are, as JSON-ready values."""
    return {
        "digest": use.digest,
        "files": [key.key for key in use.snapshot.files],
        "registries": {
            key.registry: {
                "snapshot_date": key.day.isoformat(),
                "age_days": use.snapshot.age_days[key.registry],
                "faults": len(archive.read(key).faults),
                "addresses": _addresses_of(archive.read(key)),
                "md5_ok": archive.is_verified(key) or None,
                "md5_unreadable": archive.is_verified(key) is False,
            }
            for key in use.snapshot.files
        },
        "carried_forward": use.snapshot.carried_forward,
        "absent": list(use.snapshot.absent),
        "refused": [{"key": refusal.key.key, "reason": refusal.reason} for refusal in use.refused],
        "held": [
            {
                "registry": held.registry,
                "file_day": held.file_day.isoformat(),
                "addresses": held.addresses,
                "region": held.region,
                "contradicted": held.contradicted,
            }
            for held in use.held
        ],
    }


def _addresses_of(file: DelegatedFile) -> int:
    """Return how many addresses a file's IPv4 records cover."""
    first, last = (file.ipv4.column(name).to_numpy().astype(np.int64) for name in ("first", "last"))
    return int((last - first + 1).sum())


def _flows_by_day(flows: dict[str, list[FlowsKey]], first: date, last: date) -> dict[date, list[FlowsKey]]:
    by_day: dict[date, list[FlowsKey]] = {}
    for objects in flows.values():
        for key in objects:
            if key.first is None or key.last is None:
                continue
            for day in days_between(max(first, key.first), min(last, key.last)):
                by_day.setdefault(day, []).append(key)
    return {day: sorted(keys) for day, keys in by_day.items()}


def days_with_flows(settings: Settings, first: date, last: date) -> set[date]:
    """Return the report days on which some capture that could be read has records, told by listings."""
    listed = list_flows(Store(settings.lake_url), first, last)
    readable = {key: [flows for flows in objects if not flows.rejected] for key, objects in listed.items()}
    return set(_flows_by_day(readable, first, last))


def count_one_day(task: _Task) -> DayRecord:
    """Count one report day and write its objects, the ledger record last; runs on a worker."""
    settings = task.settings
    lake = Store(settings.lake_url)
    bounds = day_bounds(task.day, load_zone(settings.timezone))
    tables, captures, accounting = [], [], Accounting()
    for key in task.flows:
        flows = read_flows(lake, key)
        part = flows.accounting_by_day.get(task.day)
        if part is None:
            continue
        accounting = accounting + part
        tables.append(select_day(flows.table, bounds))
        captures.append(
            {"capture": flows.capture, "sha256": flows.sha256, "size": flows.size, "accounting": part.as_dict()}
        )
    day = count_day(tables, as_of=task.as_of, pinned=task.pinned, domestic=task.domestic)
    if day.packets != accounting.packets_kept:
        raise BadInput(
            "flows do not add up to their account", key=str(task), expected=accounting.packets_kept, actual=day.packets,
            hint="Remove the day's flows objects and run `tsubame ingest` again.",
        )  # fmt: skip
    for stale in task.stale:
        lake.delete(stale.key)
    content = _parquet(day.counts, COUNTS, task)
    lake.put(counts_key(task.day), content)
    lake.put(sources_key(task.day), _parquet(day.sources, SOURCES, task))
    by_sensor = day.counts.group_by("sensor_id", use_threads=False).aggregate([("packets", "sum")]).to_pylist()
    record = DayRecord(
        day=task.day,
        digest=task.digest,
        accounting=accounting,
        captures=tuple(sorted(captures, key=lambda item: item["capture"])),
        packets={row["sensor_id"]: row["packets_sum"] for row in sorted(by_sensor, key=lambda r: r["sensor_id"])},
        snapshot=task.snapshot,
        counts_sha256=sha256_of(content),
        code_version=code_version(),
    )
    lake.put(LedgerKey(task.day, task.digest).key, record.to_json())
    return record


def _parquet(table: pa.Table, schema: TableSchema, task: _Task) -> bytes:
    sink = io.BytesIO()
    metadata = {"day": task.day.isoformat(), "digest": task.digest, "timezone": task.settings.timezone}
    described = enforce(table.replace_schema_metadata(metadata), schema)
    pq.write_table(described, sink, compression="zstd", compression_level=3)
    return sink.getvalue()


def read_records(settings: Settings, first: date, last: date) -> dict[date, DayRecord]:
    """Read the ledger records of the days that are counted.

    Raises:
        NotReady: an interrupted run left a day with more than one record.
    """
    lake = Store(settings.lake_url)
    records: dict[date, DayRecord] = {}
    for day, keys in list_ledger(lake, first, last).items():
        if len(keys) != 1:
            raise NotReady("was counted by an interrupted run", key=str(day), hint="Run `tsubame count` for it again.")
        records[day] = DayRecord.from_json(lake.read(keys[0].key))
    return records


def read_day(settings: Settings, day: date) -> tuple[pa.Table, pa.Table]:
    """Read a day's counts (schema COUNTS) and sources (schema SOURCES)."""
    lake = Store(settings.lake_url)
    counts = pq.read_table(pa.BufferReader(lake.read(counts_key(day))), use_threads=False)
    sources = pq.read_table(pa.BufferReader(lake.read(sources_key(day))), use_threads=False)
    return counts.select(list(COUNTS.names)), sources.select(list(SOURCES.names))
