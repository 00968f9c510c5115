"""The ledger: how each report day's counts were made, and its counts and sources as they were written.

What is read is compared with the digest that was kept of it, so that nothing damaged reaches a report.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.capture.accounting import Accounting
from tsubame.errors import DamagedObject, NotReady
from tsubame.keys import counts_key, sources_key
from tsubame.pipeline.inventory import list_ledger
from tsubame.provenance import canonical_json, sha256_of
from tsubame.schemas import COUNTS, SOURCES, TableSchema
from tsubame.settings import Settings
from tsubame.stores import Store


@dataclass(frozen=True, slots=True)
class DayRecord:
    """How a day's counts were made.

    Attributes:
        digest: names all inputs; two records of the same digest stand for the same counts.
        accounting: of the records whose report day this is.
        captures: for each capture that bears on the day: key, SHA-256, size, and its share of the account.
        packets: packets kept that day of each sensor; a sensor that is not named was not up.
        snapshot: which delegation files were in use, and what was carried forward, refused or held back.
        counts_sha256: of the counts object.
        sources_sha256: of the sources object.
        incomplete: captures that are not in the counts because they kill the workers that read them.
    """

    day: date
    digest: str
    accounting: Accounting
    captures: tuple[dict[str, Any], ...]
    packets: dict[str, int]
    snapshot: dict[str, Any]
    counts_sha256: str
    sources_sha256: str
    code_version: str
    incomplete: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return the record as JSON, with its own digest in it."""
        data = {
            "day": self.day.isoformat(),
            "digest": self.digest,
            "accounting": self.accounting.as_dict(),
            "captures": list(self.captures),
            "packets": self.packets,
            "snapshot": self.snapshot,
            "counts_sha256": self.counts_sha256,
            "sources_sha256": self.sources_sha256,
            "code_version": self.code_version,
            "incomplete": list(self.incomplete),
        }
        return json.dumps({**data, "sha256": sha256_of(canonical_json(data))}, sort_keys=True, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> DayRecord:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is something else, or was changed since.
        """
        data = dict(json.loads(content))
        if data.pop("sha256", None) != sha256_of(canonical_json(data)):
            raise ValueError("its digest is another")
        return cls(
            **{
                **data,
                "day": date.fromisoformat(data["day"]),
                "accounting": Accounting.from_dict(data["accounting"]),
                "captures": tuple(data["captures"]),
                "incomplete": tuple(data["incomplete"]),
            }
        )


class DamagedDays(DamagedObject):
    """Counts, sources or records of days are not what was written; ``recount_days`` makes them again.

    Args:
        days: which.
    """

    def __init__(self, what: str, *, days: Collection[date] = (), **where: Any) -> None:
        super().__init__(what, **where)
        self.days = frozenset(days)


def refuse_damaged(settings: Settings, days: Collection[date]) -> None:
    """Raise when there are such days.

    Raises:
        DamagedDays: names them.
    """
    if days:
        raise DamagedDays(
            f"{len(days)} days are not what was counted", days=days,
            key=Store(settings.lake_url).locate(counts_key(min(days))), hint="Run `tsubame count` for them.",
        )  # fmt: skip


def read_records(settings: Settings, first: date, last: date) -> dict[date, DayRecord]:
    """Read the ledger records of the days that are counted.

    Raises:
        NotReady: an interrupted run left a day with more than one record.
        DamagedDays: records are not what was written.
    """
    lake = Store(settings.lake_url)
    records: dict[date, DayRecord] = {}
    damaged: list[date] = []
    for day, keys in list_ledger(lake, first, last).items():
        if len(keys) != 1:
            raise NotReady("was counted by an interrupted run", key=str(day), hint="Run `tsubame count` for it again.")
        try:
            records[day] = DayRecord.from_json(lake.read(keys[0].key))
        except (ValueError, TypeError, KeyError):
            damaged.append(day)
    refuse_damaged(settings, damaged)
    return records


def read_day(settings: Settings, record: DayRecord) -> tuple[pa.Table, pa.Table]:
    """Read a day's counts (schema COUNTS) and sources (schema SOURCES), as its record says they were written.

    Raises:
        DamagedDays: they are not, or are gone.
    """
    sources = _read_table(settings, record.day, sources_key(record.day), record.sources_sha256, SOURCES)
    return read_counts(settings, record), sources


def read_counts(settings: Settings, record: DayRecord) -> pa.Table:
    """Read a day's counts (schema COUNTS) as its record says they were written.

    Raises:
        DamagedDays: they are not, or are gone.
    """
    return _read_table(settings, record.day, counts_key(record.day), record.counts_sha256, COUNTS)


def _read_table(settings: Settings, day: date, key: str, sha256: str, schema: TableSchema) -> pa.Table:
    lake = Store(settings.lake_url)
    content = lake.read(key) if lake.exists(key) else b""
    if sha256_of(content) != sha256:
        refuse_damaged(settings, [day])
    return pq.read_table(pa.BufferReader(content), use_threads=False).select(list(schema.names))
