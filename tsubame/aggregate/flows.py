"""One capture -> its flows: packets that share hour, source, protocol, port, kind and tool.

The packet's timestamp decides the hour and the day, in the report's zone; a record without one belongs to the
day of the record before it. Every record is accounted for in its day, so that days add up to the capture.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tsubame.aggregate.clock import DAYS, Clock, clock_of, day_of_index
from tsubame.aggregate.grouping import (
    BATCH_PACKETS,
    CLASSES,
    DAY,
    FILLED,
    FIRST_DAY,
    LAST_DAY,
    LAST_TIME,
    REJECT,
    ROW,
    RUN_COLUMNS,
    STRETCHES,
    Batch,
    add_up,
    collect_block,
    enter_time,
    new_batch,
    new_state,
)
from tsubame.aggregate.runs import Runs
from tsubame.aggregate.uniting import FlowColumns, unite_flows
from tsubame.capture.accounting import OUTCOMES, Accounting
from tsubame.capture.arrow import labels, to_arrow
from tsubame.capture.blocks import Block, Numbers
from tsubame.capture.reader import open_capture
from tsubame.classify.apply import classify_block, new_memory
from tsubame.classify.rules import KINDS, TOOLS
from tsubame.errors import BadInput
from tsubame.periods import day_bounds
from tsubame.schemas import FLOWS, enforce

#: Part of every fingerprint: raised when the same capture gives other flows than before.
FLOWS_VERSION = 3
_ROW_GROUP = 1 << 18
#: Values that Parquet is given at a time; its own 1,024 cost a twentieth more.
_WRITTEN_AT_ONCE = 1 << 14
#: How columns are written: what costs least to write among what costs little to keep. Labels have dictionaries
#: anyway; making others costs more than lz4, which finds what repeats; ports take fewer bits when packed by
#: differences, and then nothing repeats. benchmarks/results has the figures.
_DICTIONARIES = ["sensor_id", "kind", "tool"]
_ENCODINGS = {name: "PLAIN" for name in FLOWS.names if name not in _DICTIONARIES} | {"dst_port": "DELTA_BINARY_PACKED"}
_COMPRESSIONS = dict.fromkeys(FLOWS.names, "lz4") | {"dst_port": "none"}
#: Columns by whose bounds readers choose row groups.
_STATISTICS = ["hour", "src_address"]


@dataclass(frozen=True, slots=True)
class FlowsResult:
    """The flows of one capture, and what became of its records.

    Attributes:
        sensor_id: what the ``sensor_id`` column says.
        runs: the flows, as they were put aside; ``table`` and ``tables`` unite them.
        accounting: of the whole capture.
        accounting_by_day: the same by report day, adding up to it. Faults of the file are in the day of its last
            record, or, when it has none, of the hint, which then is the one day there is.
        format: the container, such as ``pcap-usec-LE``; empty when the file is no capture.
        link_types: records by name of their link type.
    """

    sensor_id: str
    runs: Runs
    accounting: Accounting
    accounting_by_day: dict[date, Accounting]
    format: str
    link_types: dict[str, int] = field(default_factory=dict)

    @classmethod
    def rejected(cls, error: BadInput, *, hint: date | None) -> FlowsResult:
        """Return the result that stands for a file that is no capture: no rows, and the error in its account."""
        account = Accounting(error=str(error))
        return cls("", Runs(), account, {hint: account} if hint else {}, "")

    def tables(self) -> Iterator[pa.Table]:
        """Yield the flows in pieces of ``schemas.FLOWS``; each overwrites the memory of the one before."""
        for columns, rows in unite_flows(self.runs, _ROW_GROUP):
            yield _to_arrow(columns, rows, self.sensor_id)

    @property
    def table(self) -> pa.Table:
        """The flows as one table of ``schemas.FLOWS``, in the order of its key."""
        pieces = [table.take(np.arange(table.num_rows)) for table in self.tables()]
        return pa.concat_tables(pieces) if pieces else FLOWS.empty()

    @property
    def first_day(self) -> date | None:
        """The first report day that is accounted for; None when there is none."""
        return min(self.accounting_by_day, default=None)

    @property
    def last_day(self) -> date | None:
        """The last report day that is accounted for; None when there is none."""
        return max(self.accounting_by_day, default=None)


def build_flows(
    stream: io.RawIOBase | Any,
    *,
    capture_key: str,
    sensor_id: str,
    network: tuple[int, int] | None,
    zone: ZoneInfo,
    hint: date | None = None,
    scratch: Any = None,
) -> FlowsResult:
    """Read a capture from start to end and group its packets.

    Args:
        stream: anything with ``readinto``, such as ``Store.open`` gives.
        capture_key: the capture's name, for messages.
        sensor_id: what the ``sensor_id`` column says.
        network: first and last address of the sensor, IPv4 in host order; None keeps every destination.
        zone: zone of the report day and of the clock hour.
        hint: day to which records belong that come before any timestamp.
        scratch: a file opened for reading and writing binary, to which flows are put aside until the result is
            used; memory when there is none.

    Returns:
        The flows. A capture that is damaged gives what precedes the damage, and says so in its account.

    Raises:
        UnsupportedCapture: the file is no capture; ``FlowsResult.rejected`` makes a result of it.
        Unavailable: the store stopped answering.
    """
    grouping = _Grouping(zone, hint, Runs(scratch))
    capture = open_capture(stream, key=capture_key, sensor=network)
    memory = new_memory()
    for block in capture.blocks():
        classify_block(block, memory=memory)
        grouping.add(block)
    account = capture.accounting.check()
    return FlowsResult(
        sensor_id,
        grouping.runs(),
        account,
        grouping.days(account),
        capture.format,
        capture.link_types,
    )


class _Grouping:
    """The flows and the days' accounts as they grow."""

    def __init__(self, zone: ZoneInfo, hint: date | None, runs: Runs) -> None:
        self._clock: Clock = clock_of(zone)
        self._batch: Batch = new_batch(BATCH_PACKETS)
        self._flows: NDArray[np.int64] = np.empty((len(self._batch.words), RUN_COLUMNS), np.int64)
        self._runs = runs
        # Mostly untouched, so mostly not there: the pages of the few days that occur are all that is used.
        self._days: NDArray[np.int64] = np.zeros((DAYS, len(OUTCOMES)), np.int64)
        self._state: NDArray[np.int64] = new_state()
        start = day_bounds(hint, zone)[0] if hint else datetime(1970, 1, 1, tzinfo=UTC)
        self._state[LAST_TIME] = int(start.timestamp()) * 1_000_000_000
        enter_time(int(self._state[LAST_TIME]), self._clock, self._state)
        self._hinted = hint is not None

    def add(self, block: Block) -> None:
        """Add a classified block."""
        self._state[ROW] = self._state[REJECT] = 0
        while collect_block(
            block.columns, block.rejects, block.rows, block.rejected,
            self._clock, self._batch, self._days, self._state,
        ):  # fmt: skip
            self._empty()

    def _empty(self) -> None:
        """Sort the batch, add up its flows, put them aside, and begin again."""
        state, batch = self._state, self._batch
        filled = int(state[FILLED])
        if filled:
            stretches = int(state[STRETCHES])
            batch.begins[stretches] = filled
            words, bounds, hours = batch.words[:filled], batch.begins[: stretches + 1], batch.hours[:stretches].copy()
            if (hours[1:] <= hours[:-1]).any():
                words, bounds, hours = _in_order(words, bounds, hours)
            for begin, end in itertools.pairwise(bounds.tolist()):
                words[begin:end].sort()
            begins = np.empty(len(bounds), np.int64)
            rows = int(add_up(words, bounds, batch.classes, self._flows, begins))
            self._runs.add(self._flows[:rows], hours, begins)
        state[FILLED] = state[STRETCHES] = 0
        if state[CLASSES] == len(batch.classes):
            batch.places[:] = 0
            state[CLASSES] = 0

    def days(self, account: Accounting) -> dict[date, Accounting]:
        """Return the account of every day that has one."""
        first = int(self._state[FIRST_DAY])
        span = self._days[first : int(self._state[LAST_DAY]) + 1]
        touched = (first + np.flatnonzero(span.any(axis=1))).tolist()
        found = {day_of_index(index): Accounting.of_counts(self._days[index]) for index in touched}
        faults = Accounting(
            truncated_tail=account.truncated_tail, unread_bytes=account.unread_bytes, error=account.error
        )
        if found or self._hinted:
            last = day_of_index(int(self._state[DAY]))
            found[last] = found.get(last, Accounting()) + faults
        return found

    def runs(self) -> Runs:
        """Return the flows, what remains in the batch put aside as well."""
        self._empty()
        return self._runs


def _in_order(words: Numbers, bounds: Numbers, hours: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Put the stretches of a batch into the order of their hours, those of one hour together."""
    each = np.repeat(hours, np.diff(bounds))
    order = np.argsort(each, kind="stable")
    hours, counts = np.unique(each, return_counts=True)
    return words[order], np.concatenate(([0], np.cumsum(counts))), hours


def _to_arrow(columns: FlowColumns, rows: int, sensor_id: str) -> pa.Table:
    """Return the first rows of some columns as ``schemas.FLOWS``, over the same memory."""
    kinds = {"hour": pa.timestamp("ms", tz="UTC"), "packets": pa.uint64(), "bytes": pa.uint64()}
    named = {
        name: to_arrow(values[:rows], kinds.get(name) or pa.from_numpy_dtype(values.dtype))
        for name, values in columns._asdict().items()
    }
    named["sensor_id"] = labels(np.zeros(rows, np.int32), (sensor_id,))
    named["kind"] = labels(columns.kind[:rows], KINDS)
    named["tool"] = labels(columns.tool[:rows], TOOLS)
    return enforce(pa.table({name: named[name] for name in FLOWS.names}), FLOWS)


def write_flows(result: FlowsResult, sink: Any, metadata: dict[str, str] | None = None) -> None:
    """Write the flows as a Parquet file, its schema carrying the accounting and what the caller adds.

    The keys of the schema's metadata: ``accounting`` and ``accounting_by_day`` (JSON), ``format``,
    ``link_types`` (JSON), ``flows_version``, and those of ``metadata``.

    Args:
        result: from ``build_flows``.
        sink: a file opened for writing binary.
        metadata: what else the schema is to carry.
    """
    own = {
        "flows_version": str(FLOWS_VERSION),
        "format": result.format,
        "link_types": json.dumps(result.link_types),
        "accounting": json.dumps(result.accounting.as_dict()),
        "accounting_by_day": json.dumps(
            {day.isoformat(): account.as_dict() for day, account in sorted(result.accounting_by_day.items())}
        ),
        **(metadata or {}),
    }
    with pq.ParquetWriter(
        sink, FLOWS.arrow(own), compression=_COMPRESSIONS, use_dictionary=_DICTIONARIES,
        column_encoding=_ENCODINGS, write_statistics=_STATISTICS, write_batch_size=_WRITTEN_AT_ONCE,
    ) as writer:  # fmt: skip
        for table in result.tables():
            writer.write_table(table, row_group_size=table.num_rows)


def read_accounting(metadata: dict[bytes, bytes]) -> dict[date, Accounting]:
    """Read the days' accounts back from the metadata of a flows object's schema."""
    days = json.loads(metadata[b"accounting_by_day"])
    return {date.fromisoformat(day): Accounting.from_dict(values) for day, values in days.items()}
