"""Captures -> flows: one flows object per capture object, only what is new, changed or withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.aggregate.counts import select_day
from tsubame.aggregate.flows import FlowsResult, build_flows, read_accounting, write_flows
from tsubame.aggregate.runs import Runs
from tsubame.capture.accounting import Accounting
from tsubame.errors import BadInput, DamagedObject
from tsubame.keys import FlowsKey
from tsubame.periods import days_between, load_zone
from tsubame.pipeline.cluster import Progress, SetAside, connect, silent, spread
from tsubame.pipeline.inventory import MOST_NAME_BYTES, Capture, take_inventory
from tsubame.provenance import UNSEALED, Hashing, Sealing, code_version, require_intact
from tsubame.schemas import FLOWS
from tsubame.settings import Settings
from tsubame.stores import Store, scratch_file

STAGE = "captures → flows"
SET_ASIDE = "killed every worker it was given to, is not decoded"


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker needs to turn one capture into flows."""

    capture: Capture
    superseded: tuple[FlowsKey, ...]
    captures_url: str
    lake_url: str
    timezone: str

    def __str__(self) -> str:
        return self.capture.key.key


@dataclass(frozen=True, slots=True)
class IngestedCapture:
    """What became of one capture object."""

    capture: str
    accounting: Accounting
    days: tuple[date, ...]
    rejected: bool
    aside: bool = False


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What a call of ``ingest_days`` did.

    Attributes:
        decoded: captures read in this call.
        bytes: their size in the sensor bucket.
        unchanged: captures whose flows were already there.
        withdrawn: flows objects removed because their capture is gone or replaced.
        rejected: every capture in the span that is none, whether met now or before, with the reason where known.
        damaged: captures read in this call that were cut or held damaged records, with what was lost.
        set_aside: captures that killed every worker they were given to in this call; their days are incomplete.
        unknown_sensors: folders that the registry does not name; nothing in them is read.
        passed_over: objects and folders in sensors' folders that are not read, with the reason.
    """

    decoded: int
    unchanged: int
    withdrawn: int
    accounting: Accounting
    rejected: dict[str, str]
    damaged: dict[str, str]
    set_aside: dict[str, str] = field(default_factory=dict)
    unknown_sensors: tuple[str, ...] = ()
    passed_over: dict[str, str] = field(default_factory=dict)
    days: tuple[date, ...] = field(default=())
    bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-ready values."""
        return {
            "decoded": self.decoded,
            "bytes": self.bytes,
            "unchanged": self.unchanged,
            "withdrawn": self.withdrawn,
            "accounting": self.accounting.as_dict(),
            "rejected": self.rejected,
            "damaged": self.damaged,
            "set_aside": self.set_aside,
            "unknown_sensors": list(self.unknown_sensors),
            "passed_over": self.passed_over,
            "days": [day.isoformat() for day in self.days],
        }


def ingest_days(settings: Settings, first: date, last: date, *, progress: Progress = silent) -> IngestSummary:
    """Bring the flows of the report days from ``first`` to ``last`` up to date with the sensor bucket.

    A capture that kills its workers is set aside by name: a mark in its place makes its days incomplete until a
    later run decodes it.

    Raises:
        NotReady: the sensor bucket is empty.
        BadInput: the sensor registry is missing or malformed.
        Unavailable: a store or the cluster does not answer; what is done stays done.
    """
    inventory = take_inventory(settings, first, last)
    lake = Store(settings.lake_url)
    superseded: dict[str, list[FlowsKey]] = {}
    for old in inventory.obsolete:
        superseded.setdefault(old.capture, []).append(old)
    tasks = [
        _Task(
            c,
            tuple(superseded.pop(c.key.key, ())),
            settings.captures_url,
            settings.lake_url,
            settings.timezone,
        )
        for c in inventory.missing
    ]
    for withdrawn in (old for objects in superseded.values() for old in objects):
        lake.delete(withdrawn.key)
    done = _run(tasks, progress)
    rejected = {key: "rejected by an earlier run" for key in inventory.rejected if key in inventory.captures}
    rejected |= dict.fromkeys(inventory.unfit, f"name is no UTF-8 or above {MOST_NAME_BYTES} bytes. Rename it.")
    rejected |= {item.capture: item.accounting.error or "is no capture" for item in done if item.rejected}
    total = Accounting()
    for item in done:
        total = total + item.accounting
    return IngestSummary(
        decoded=sum(not item.aside for item in done),
        unchanged=len(inventory.captures) - len(tasks),
        withdrawn=len(inventory.obsolete),
        accounting=total,
        rejected=dict(sorted(rejected.items())),
        damaged={i.capture: text for i in done if not (i.rejected or i.aside) and (text := i.accounting.damage())},
        set_aside={item.capture: SET_ASIDE for item in done if item.aside},
        unknown_sensors=inventory.unknown_sensors,
        passed_over=inventory.passed_over,
        days=tuple(sorted({day for item in done for day in item.days})),
        bytes=sum(task.capture.info.size for task in tasks),
    )


def _run(tasks: list[_Task], progress: Progress) -> list[IngestedCapture]:
    if not tasks:
        progress(STAGE, 0, 0)
        return []
    outcomes: list[IngestedCapture] = []
    with connect() as client:
        try:
            for _, outcome in spread(client, ingest_capture, tasks, stage=STAGE, progress=progress):
                outcomes.append(outcome)
        except SetAside as error:
            outcomes += [_set_aside(task) for task in tasks if str(task) in error.items]
    return sorted(outcomes, key=lambda outcome: outcome.capture)


def _set_aside(task: _Task) -> IngestedCapture:
    """Mark a capture that kills its workers, in the days that its date in the report's zone touches."""
    zone, key = load_zone(task.timezone), task.capture.key
    begin = datetime.combine(key.hint, time(), UTC)
    ends = (moment.astimezone(zone).date() for moment in (begin, begin + timedelta(days=1, microseconds=-1)))
    account = Accounting(error=f"{key.key}: {SET_ASIDE}")
    days = tuple(days_between(*ends))
    result = FlowsResult("", Runs(), account, dict.fromkeys(days, account), "")
    lake = Store(task.lake_url)
    for old in task.superseded:
        lake.delete(old.key)
    _put_flows(lake, FlowsKey(key.key, task.capture.fingerprint, days[0], days[-1], aside=True), result, task, "")
    return IngestedCapture(key.key, account, days, rejected=False, aside=True)


def ingest_capture(task: _Task) -> IngestedCapture:
    """Decode one capture object and write its flows object; runs on a worker.

    The superseded object is removed before the new one is written: whoever stops in between leaves a capture
    without flows, which the next run sees, and never one that is counted twice.
    """
    key = task.capture.key
    lake = Store(task.lake_url)
    for old in task.superseded:
        lake.delete(old.key)
    with scratch_file() as scratch:
        try:
            with Hashing(Store(task.captures_url).open(key.key)) as stream:
                result = build_flows(
                    stream,
                    capture_key=key.key,
                    hint=key.hint,
                    sensor_id=key.sensor_id,
                    network=task.capture.sensor.network,
                    zone=load_zone(task.timezone),
                    scratch=scratch,
                )
                sha256 = stream.sha256()
            rejected = False
        except BadInput as error:
            result, rejected, sha256 = FlowsResult.rejected(error, hint=key.hint), True, ""
        days = tuple(sorted(result.accounting_by_day))
        flows = FlowsKey(key.key, task.capture.fingerprint, days[0], days[-1], rejected)
        _put_flows(lake, flows, result, task, sha256)
    return IngestedCapture(key.key, result.accounting, days, rejected)


def _put_flows(lake: Store, key: FlowsKey, result: FlowsResult, task: _Task, sha256: str) -> None:
    """Write a flows object with its own digest in it."""
    with lake.writing(key.key) as sink:
        sealing = Sealing(sink)
        write_flows(result, sealing, _metadata(task, sha256))
        sealing.seal()


def _metadata(task: _Task, sha256: str) -> dict[str, str]:
    return {
        "capture": task.capture.key.key,
        "etag": task.capture.info.etag,
        "size": str(task.capture.info.size),
        "sha256": sha256,
        "timezone": task.timezone,
        "code_version": code_version(),
        "seal": UNSEALED.decode(),
    }


@dataclass(frozen=True, slots=True)
class FlowsObject:
    """A flows object that is opened for reading.

    Attributes:
        accounting_by_day: the capture's account, split by report day.
    """

    capture: str
    sha256: str
    size: int
    accounting_by_day: dict[date, Accounting]
    _file: pq.ParquetFile
    _where: str

    def tables(self, bounds: tuple[datetime, datetime]) -> Iterator[pa.Table]:
        """Yield the flows of a report day in pieces of ``schemas.FLOWS``.

        Args:
            bounds: UTC instants at which the day begins and ends (exclusive).

        Raises:
            DamagedObject: they cannot be read.
        """
        for number in range(self._file.num_row_groups):
            hours = self._file.metadata.row_group(number).column(FLOWS.names.index("hour")).statistics
            if hours is not None and hours.has_min_max and not (hours.max >= bounds[0] and hours.min < bounds[1]):
                continue
            with _known_as_damaged(self._where):
                table = self._file.read_row_group(number, columns=list(FLOWS.names), use_threads=False)
            yield select_day(table, bounds)


@contextmanager
def open_flows(lake: Store, key: FlowsKey) -> Iterator[FlowsObject]:
    """Open a flows object, whose bytes are those that were written.

    Raises:
        DamagedObject: it is gone, or is not what was written; remove it and run ``ingest`` again.
    """
    where = lake.locate(key.key)
    with ExitStack() as stack:
        with _known_as_damaged(where):
            stream = stack.enter_context(lake.local(key.key))
            require_intact(stream)
            file = stack.enter_context(pq.ParquetFile(stream))
            metadata = file.schema_arrow.metadata or {}
            found = FlowsObject(
                capture=metadata[b"capture"].decode(),
                sha256=metadata[b"sha256"].decode(),
                size=int(metadata[b"size"]),
                accounting_by_day=read_accounting(metadata),
                _file=file,
                _where=where,
            )
        yield found


@contextmanager
def _known_as_damaged(where: str) -> Iterator[None]:
    try:
        yield
    except (BadInput, pa.ArrowException, KeyError, ValueError) as error:
        raise DamagedObject(
            "flows object is not what was written",
            key=where,
            actual=str(error).splitlines()[0],
            hint="Remove it and run `tsubame ingest` for its day again.",
        ) from error
