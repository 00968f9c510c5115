"""Flows -> counts: one object per report day, only the days whose inputs changed.

A day's ledger record is written after its counts and names, in its key, all that they were made from. A day
without exactly one record of the right digest is counted again, so a run that was killed heals itself. What is
read is compared with the digest that was kept of it; what was damaged is made again from what it was made from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.aggregate.counts import COUNTS_VERSION, DayCounting
from tsubame.capture.accounting import Accounting
from tsubame.errors import BadInput, DamagedObject
from tsubame.keys import FlowsKey, LedgerKey, counts_key, sources_key
from tsubame.periods import Quarter, day_bounds, days_between, load_zone
from tsubame.pipeline.cluster import Progress, connect, silent, spread
from tsubame.pipeline.delegations import DelegationArchive, SnapshotUse, open_archive
from tsubame.pipeline.ingest import ingest_days, open_flows
from tsubame.pipeline.inventory import REACH, list_flows, list_ledger, read_registry
from tsubame.pipeline.ledger import DayRecord
from tsubame.provenance import HashingSink, code_version, digest_of
from tsubame.regions.delegated import DelegatedFile
from tsubame.regions.table import RegionTable
from tsubame.schemas import COUNTS, SOURCES, TableSchema, enforce
from tsubame.settings import Settings
from tsubame.stores import Store, scratch_file

STAGE = "flows → counts"
_RECORD_VERSION = 2
"""Changes when records of the ledger hold something else."""
_ROUNDS = 3
"""Of counting, where what a day rests on is damaged or replaced meanwhile."""
_FLOWS_DIGITS = 6
"""How many of a ledger digest's 16 name the day's flows alone, so that a listing tells whether these have changed."""


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
class CountSummary:
    """What a call of ``count_days`` did.

    Attributes:
        rebuilt: flows objects that were damaged, and were made again from their captures.
        incomplete: the days of the span that lack captures because these kill the workers that read them.
    """

    counted: tuple[date, ...]
    unchanged: int
    accounting: Accounting
    packets: int
    rebuilt: tuple[str, ...] = ()
    incomplete: dict[date, tuple[str, ...]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-ready values."""
        return {
            "counted": [day.isoformat() for day in self.counted],
            "unchanged": self.unchanged,
            "accounting": self.accounting.as_dict(),
            "packets": self.packets,
            "rebuilt": list(self.rebuilt),
            "incomplete": {day.isoformat(): list(captures) for day, captures in self.incomplete.items()},
        }


def count_days(settings: Settings, first: date, last: date, *, progress: Progress = silent) -> CountSummary:
    """Bring the counts of the report days from ``first`` to ``last`` up to date with flows and delegations.

    ``ingest_days`` of the same span may have replaced or removed captures that bear on days beside it, too: those of
    them that were counted are counted again.

    Raises:
        NotReady: no delegation snapshot is in force on one of the days or on its quarter's first day.
        BadInput: the sensor registry is missing or malformed.
        Unavailable: a store or the cluster does not answer; what is done stays done.
    """
    lake = Store(settings.lake_url)
    records: dict[date, DayRecord] = {}
    rebuilt: list[str] = []
    for _ in range(_ROUNDS):
        flows = list_flows(lake, first, last)
        if any(len(objects) > 1 for objects in flows.values()):
            # Left by an interrupted run, or by another one at this moment: a capture must not be counted twice.
            ingest_days(settings, first, last, progress=progress)
            flows = list_flows(lake, first, last)
        beside, flows_beside = _changed_beside(lake, first, last)
        tasks, unchanged = _plan(settings, [*days_between(first, last), *beside], flows_beside | flows)
        done, damaged = _count(tasks, progress)
        records |= {record.day: record for record in done}
        if not damaged:
            break
        rebuilt += [key.key for key in damaged]
        ingest_days(settings, first, last, progress=progress)
    else:
        raise DamagedObject(
            "flows objects are damaged again as soon as they are made", key=lake.locate(rebuilt[-1]),
            hint="Look whether another run is at work on these days, and at the store.",
        )  # fmt: skip
    total = Accounting()
    for record in records.values():
        total = total + record.accounting
    return CountSummary(
        counted=tuple(sorted(records)),
        unchanged=unchanged,
        accounting=total,
        packets=sum(sum(record.packets.values()) for record in records.values()),
        rebuilt=tuple(sorted(set(rebuilt))),
        incomplete=_incomplete(_flows_by_day(flows, first, last)),
    )


def _count(tasks: list[_Task], progress: Progress) -> tuple[list[DayRecord], list[FlowsKey]]:
    """Count days; return their records, and the flows objects that were damaged, and are gone now."""
    if not tasks:
        progress(STAGE, 0, 0)
        return [], []
    records: list[DayRecord] = []
    damaged: list[FlowsKey] = []
    with connect() as client:
        for _, outcome in spread(client, count_one_day, tasks, stage=STAGE, progress=progress):
            if isinstance(outcome, DayRecord):
                records.append(outcome)
            else:
                damaged += outcome
    return records, damaged


def recount_days(settings: Settings, days: Collection[date], *, progress: Progress = silent) -> CountSummary:
    """Count days again whose counts, sources or record are damaged.

    Raises:
        What ``count_days`` raises.
    """
    lake, first, last = Store(settings.lake_url), min(days), max(days)
    for day, keys in list_ledger(lake, first, last).items():
        for key in keys if day in days else ():
            lake.delete(key.key)
    return count_days(settings, first, last, progress=progress)


def _incomplete(by_day: dict[date, list[FlowsKey]]) -> dict[date, tuple[str, ...]]:
    found = {day: tuple(key.capture for key in keys if key.aside) for day, keys in sorted(by_day.items())}
    return {day: captures for day, captures in found.items() if captures}


def plan_counts(settings: Settings, first: date, last: date) -> tuple[list[_Task], int]:
    """Return the days that must be counted, and how many are up to date."""
    return _plan(settings, list(days_between(first, last)), list_flows(Store(settings.lake_url), first, last))


def _changed_beside(lake: Store, first: date, last: date) -> tuple[list[date], dict[str, list[FlowsKey]]]:
    """Return the counted days near a span, not in it, whose flows are others than those they were counted from.

    Returns:
        The days, and the flows objects that can bear on them, by capture key.
    """
    near = {d: keys for d, keys in list_ledger(lake, first - REACH, last + REACH).items() if not first <= d <= last}
    if not near:
        return [], {}
    begin, end = min(near), max(near)
    flows = list_flows(lake, begin, end)
    by_day = _flows_by_day(flows, begin, end)
    # Left by an interrupted run; whoever ingests these days next removes it.
    twice = {key for objects in flows.values() if len(objects) > 1 for key in objects}
    changed = [
        day
        for day, records in sorted(near.items())
        if twice.isdisjoint(here := by_day.get(day, []))
        and {record.digest[:_FLOWS_DIGITS] for record in records} != {_digest_of_flows(here)}
    ]
    return changed, flows


def _digest_of_flows(flows: Sequence[FlowsKey]) -> str:
    return digest_of([key.key for key in flows], digits=_FLOWS_DIGITS)


def _plan(settings: Settings, days: Sequence[date], flows_of: dict[str, list[FlowsKey]]) -> tuple[list[_Task], int]:
    registry = read_registry(settings)
    domestic = tuple(sensor.sensor_id for sensor in registry if sensor.domestic)
    lake = Store(settings.lake_url)
    by_day = _flows_by_day(flows_of, min(days), max(days))
    ledger = list_ledger(lake, min(days), max(days))
    archive = open_archive(settings)
    tables: dict[str, RegionTable] = {}

    def regions_of(use: SnapshotUse) -> RegionTable:
        # One table for all days that share it: the days of a quarter differ in little.
        return tables.setdefault(use.digest, use.table.without_holders())

    tasks: list[_Task] = []
    unchanged = 0
    for day in days:
        flows = tuple(by_day.get(day, ()))
        pinned = archive.in_use(pinned_day(archive, day))
        # A day without packets needs no regions, so it may lie before the first delegation file.
        as_of = archive.in_use(day) if flows else archive.in_use(max(day, pinned.day))
        snapshot = describe_snapshot(archive, as_of)
        everything = digest_of(
            {
                "flows": [key.key for key in flows],
                "snapshot": snapshot,
                "pinned": pinned.digest,
                "domestic": domestic,
                "timezone": settings.timezone,
                "version": COUNTS_VERSION,
                "record": _RECORD_VERSION,
            },
            digits=16 - _FLOWS_DIGITS,
        )
        digest = _digest_of_flows(flows) + everything
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
    readable = {key: [flows for flows in objects if flows.is_decoded] for key, objects in listed.items()}
    return set(_flows_by_day(readable, first, last))


def count_one_day(task: _Task) -> DayRecord | tuple[FlowsKey, ...]:
    """Count one report day and write its objects, the ledger record last; runs on a worker.

    Returns:
        The record; or, when flows objects were damaged, their keys: they are removed, and nothing is written.
    """
    lake = Store(task.settings.lake_url)
    bounds = day_bounds(task.day, load_zone(task.settings.timezone))
    captures, accounting = [], Accounting()
    damaged: list[FlowsKey] = []
    with scratch_file() as scratch:
        counting = DayCounting(scratch)
        for key in task.flows:
            try:
                with open_flows(lake, key) as flows:
                    part = flows.accounting_by_day.get(task.day)
                    if part is None:
                        continue
                    for table in flows.tables(bounds):
                        counting.add(table)
            except DamagedObject:
                lake.delete(key.key)
                damaged.append(key)
                continue
            accounting = accounting + part
            captures.append(
                {"capture": flows.capture, "sha256": flows.sha256, "size": flows.size, "accounting": part.as_dict()}
            )
        return tuple(damaged) if damaged else _write_day(task, counting, accounting, captures)


def _write_day(task: _Task, counting: DayCounting, accounting: Accounting, captures: list[dict[str, Any]]) -> DayRecord:
    lake = Store(task.settings.lake_url)
    with lake.writing(sources_key(task.day)) as one, lake.writing(counts_key(task.day)) as other:
        with _Parquet(one, SOURCES, task) as sources, _Parquet(other, COUNTS, task) as counts:
            packets = counting.finish(
                as_of=task.as_of, pinned=task.pinned, domestic=task.domestic, counts=counts.add, sources=sources.add
            )
        if sum(packets.values()) != accounting.packets_kept:
            raise BadInput(
                "flows do not add up to their account", key=str(task),
                expected=accounting.packets_kept, actual=sum(packets.values()),
                hint="Remove the day's flows objects and run `tsubame ingest` again.",
            )  # fmt: skip
        for stale in task.stale:
            lake.delete(stale.key)
    record = DayRecord(
        day=task.day,
        digest=task.digest,
        accounting=accounting,
        captures=tuple(sorted(captures, key=lambda item: item["capture"])),
        packets=packets,
        snapshot=task.snapshot,
        counts_sha256=counts.sha256(),
        sources_sha256=sources.sha256(),
        code_version=code_version(),
        incomplete=tuple(key.capture for key in task.flows if key.aside),
    )
    lake.put(LedgerKey(task.day, task.digest).key, record.to_json())
    return record


class _Parquet:
    """A day's table as it is written to an object, a row group a piece."""

    def __init__(self, file: Any, schema: TableSchema, task: _Task) -> None:
        self._sink = HashingSink(file)
        self._schema = schema
        # Nothing of the digest, which knows when a file system's captures were written: the same packets give the
        # same bytes, and lineage names these.
        self._metadata = {"day": task.day.isoformat(), "timezone": task.settings.timezone}
        self._writer = pq.ParquetWriter(
            self._sink, schema.arrow(self._metadata), compression="zstd", compression_level=3
        )

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, table: pa.Table) -> None:
        self._writer.write_table(enforce(table.replace_schema_metadata(self._metadata), self._schema))

    def sha256(self) -> str:
        return self._sink.sha256()
