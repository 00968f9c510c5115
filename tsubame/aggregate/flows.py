"""One capture -> its flows: packets that share hour, source, protocol, port, kind and tool.

The packet's timestamp decides the hour and the day, in the report's zone; a record without one belongs to the
day of the record before it. Every record is accounted for in its day, so that days add up to the capture.
"""

from __future__ import annotations

import io
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
    BYTES,
    DAY,
    ENTRIES,
    FULL,
    HOUR_BEGINS,
    HOUR_ENDS,
    KEY,
    LAST_TIME,
    PACKETS,
    REJECT,
    ROW,
    SLOT_KIND,
    STATE_SIZE,
    enter_time,
    group_block,
    new_flows,
    reindex,
)  # fmt: skip
from tsubame.aggregate.uniting import unite_flows
from tsubame.capture.accounting import OUTCOMES, Accounting
from tsubame.capture.arrow import labels, to_arrow
from tsubame.capture.blocks import Block
from tsubame.capture.reader import open_capture
from tsubame.classify.apply import classify_block
from tsubame.classify.rules import KINDS, TOOLS
from tsubame.errors import BadInput
from tsubame.periods import day_bounds
from tsubame.schemas import FLOWS, enforce

#: Part of every fingerprint: raised when the same capture gives other flows than before.
FLOWS_VERSION = 1
_FIRST_CAPACITY, _MOST_CAPACITY = 1 << 16, 1 << 21
_ROW_GROUP = 1 << 20
#: Parquet columns whose values repeat enough for a dictionary to pay; addresses, ports and sums do not.
_DICTIONARIES = ["hour", "sensor_id", "protocol", "kind", "tool"]


@dataclass(frozen=True, slots=True)
class FlowsResult:
    """The flows of one capture, and what became of its records.

    Attributes:
        sensor_id: what the ``sensor_id`` column says.
        chunks: the flows, packed as ``grouping`` packs them; ``table`` and ``tables`` unpack them.
        accounting: of the whole capture.
        accounting_by_day: the same by report day, adding up to it. Faults of the file are in the day of its last
            record, or, when it has none, of the hint, which then is the one day there is.
        format: the container, such as ``pcap-usec-LE``; empty when the file is no capture.
        link_types: records by name of their link type.
    """

    sensor_id: str
    chunks: tuple[NDArray[np.int64], ...]
    accounting: Accounting
    accounting_by_day: dict[date, Accounting]
    format: str
    link_types: dict[str, int] = field(default_factory=dict)

    @classmethod
    def rejected(cls, error: BadInput, *, hint: date | None) -> FlowsResult:
        """Return the result that stands for a file that is no capture: no rows, and the error in its account."""
        account = Accounting(error=str(error))
        return cls("", (), account, {hint: account} if hint else {}, "")

    def tables(self) -> Iterator[pa.Table]:
        """Yield the flows in pieces, so that not all of them lie unpacked in memory."""
        for chunk in self.chunks:
            yield _to_arrow(chunk, self.sensor_id)

    @property
    def table(self) -> pa.Table:
        """The flows as one table of ``schemas.FLOWS``, in the order of first sight."""
        return pa.concat_tables(self.tables()) if self.chunks else FLOWS.empty()

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
) -> FlowsResult:
    """Read a capture from start to end and group its packets.

    Args:
        stream: anything with ``readinto``, such as ``Store.open`` gives.
        capture_key: the capture's name, for messages.
        sensor_id: what the ``sensor_id`` column says.
        network: first and last address of the sensor, IPv4 in host order; None keeps every destination.
        zone: zone of the report day and of the clock hour.
        hint: day to which records belong that come before any timestamp.

    Returns:
        The flows. A capture that is damaged gives what precedes the damage, and says so in its account.

    Raises:
        UnsupportedCapture: the file is no capture; ``FlowsResult.rejected`` makes a result of it.
        Unavailable: the store stopped answering.
    """
    grouping = _Grouping(zone, hint)
    capture = open_capture(stream, key=capture_key, sensor=network)
    for block in capture.blocks():
        classify_block(block)
        grouping.add(block)
    account = capture.accounting.check()
    return FlowsResult(
        sensor_id,
        grouping.chunks(),
        account,
        grouping.days(account),
        capture.format,
        capture.link_types,
    )


class _Grouping:
    """The flows and the days' accounts as they grow."""

    def __init__(self, zone: ZoneInfo, hint: date | None) -> None:
        self._clock: Clock = clock_of(zone)
        self._flows = new_flows(_FIRST_CAPACITY)
        self._chunks: list[NDArray[np.int64]] = []
        # Mostly untouched, so mostly not there: the pages of the few days that occur are all that is used.
        self._days: NDArray[np.int64] = np.zeros((DAYS, len(OUTCOMES)), np.int64)
        self._state: NDArray[np.int64] = np.zeros(STATE_SIZE, np.int64)
        self._state[HOUR_BEGINS], self._state[HOUR_ENDS] = 1, 0
        start = day_bounds(hint, zone)[0] if hint else datetime(1970, 1, 1, tzinfo=UTC)
        self._state[LAST_TIME] = int(start.timestamp()) * 1_000_000_000
        enter_time(int(self._state[LAST_TIME]), self._clock, self._state)
        self._hinted = hint is not None

    def add(self, block: Block) -> None:
        """Add a classified block."""
        self._state[ROW] = self._state[REJECT] = 0
        while reason := group_block(
            block.columns, block.rejects, block.rows, block.rejected,
            self._clock, self._flows, self._days, self._state,
        ):  # fmt: skip
            if reason == FULL and len(self._flows.entries) < _MOST_CAPACITY:
                self._grow()
            else:
                self._empty()

    def _grow(self) -> None:
        entries, old = int(self._state[ENTRIES]), self._flows
        flows = new_flows(2 * len(old.entries))
        flows.entries[:entries] = old.entries[:entries]
        reindex(flows, entries)
        self._flows = flows

    def _empty(self) -> None:
        """Put the table's flows aside and begin again."""
        entries = int(self._state[ENTRIES])
        if entries:
            self._chunks.append(self._flows.entries[:entries].copy())
        self._flows.places[:] = 0
        self._state[ENTRIES] = 0

    def days(self, account: Accounting) -> dict[date, Accounting]:
        """Return the account of every day that has one."""
        touched = np.flatnonzero(self._days.any(axis=1))
        found = {day_of_index(int(index)): Accounting.of_counts(self._days[index]) for index in touched}
        faults = Accounting(
            truncated_tail=account.truncated_tail, unread_bytes=account.unread_bytes, error=account.error
        )
        if found or self._hinted:
            last = day_of_index(int(self._state[DAY]))
            found[last] = found.get(last, Accounting()) + faults
        return found

    def chunks(self) -> tuple[NDArray[np.int64], ...]:
        """Return the flows, each once, those of an hour together; what awaits confirmation is settled."""
        self._empty()
        return tuple(unite_flows(self._chunks))


def _to_arrow(chunk: NDArray[np.int64], sensor_id: str) -> pa.Table:
    """Unpack flows into the columns of ``schemas.FLOWS``."""
    keys, slots = chunk[:, KEY], chunk[:, SLOT_KIND]
    columns = {
        "hour": to_arrow((slots >> 2) * 1000, pa.timestamp("ms", tz="UTC")),
        "sensor_id": labels(np.zeros(len(keys), np.int32), (sensor_id,)),
        "src_address": to_arrow((keys >> 32).astype(np.uint32), pa.uint32()),
        "protocol": to_arrow((keys >> 8).astype(np.uint8), pa.uint8()),
        "dst_port": to_arrow((keys >> 16).astype(np.uint16), pa.uint16()),
        "kind": labels(slots & 3, KINDS),
        "tool": labels(keys & 0xFF, TOOLS),
        "packets": to_arrow(chunk[:, PACKETS], pa.uint64()),
        "bytes": to_arrow(chunk[:, BYTES], pa.uint64()),
    }
    return enforce(pa.table(columns), FLOWS)


def flows_parquet(result: FlowsResult, metadata: dict[str, str] | None = None) -> bytes:
    """Return the flows as a Parquet file, its schema carrying the accounting and what the caller adds.

    The keys of the schema's metadata: ``accounting`` and ``accounting_by_day`` (JSON), ``format``,
    ``link_types`` (JSON), ``flows_version``, and those of ``metadata``.
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
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink, FLOWS.arrow(own), compression="zstd", compression_level=1, use_dictionary=_DICTIONARIES
    ) as writer:
        for table in result.tables():
            writer.write_table(table, row_group_size=_ROW_GROUP)
    return bytes(sink.getvalue())


def read_accounting(metadata: dict[bytes, bytes]) -> dict[date, Accounting]:
    """Read the days' accounts back from the metadata of a flows object's schema."""
    days = json.loads(metadata[b"accounting_by_day"])
    return {date.fromisoformat(day): Accounting.from_dict(values) for day, values in days.items()}
