"""Object key <-> meaning, for every bucket. Keys are relative to the bucket's URL and use ``/``.

What has been computed is told by listings alone: a flows key carries the fingerprint of what it was made
from, so that a second run opens nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from tsubame.periods import days_between

SENSORS = "sensors.csv"
REGISTRIES = ("afrinic", "apnic", "arin", "lacnic", "ripencc")

_CAPTURE = re.compile(r"(?P<sensor>[^/]+)/(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/(?P<name>[^/]+)", re.ASCII)
CAPTURE_NAME = re.compile(r"[^/]+\.(?:pcap|pcapng|cap|dmp)(?:\.(?:gz|zst|bz2|xz|lz4))?", re.ASCII | re.IGNORECASE)
_FLOWS = re.compile(
    r"flows/(?P<capture>.+)~(?P<fingerprint>[0-9a-f]{16})~(?P<first>\d{8}|none)~(?P<last>\d{8}|none)(?P<state>~rejected|~aside)?\.parquet",
    re.ASCII | re.DOTALL,
)
_LEDGER = re.compile(r"ledger/(?P<day>\d{4}-\d\d-\d\d)~(?P<digest>[0-9a-f]{16})\.json", re.ASCII)
_DELEGATION = re.compile(
    r"(?P<day>\d{8})/delegated-(?P<registry>"
    + "|".join(REGISTRIES)
    + r")(?P<extended>-extended)?-(?P<named>\d{8})(?P<gz>\.gz)?",
    re.ASCII,
)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, order=True)
class CaptureKey:
    """A capture object in the sensor bucket: ``<sensor>/<Y>/<M>/<D>/<name>``.

    Attributes:
        hint: the date in the path: UTC, day of upload. The packets' timestamps decide, not this.
    """

    sensor_id: str
    hint: date
    name: str

    @property
    def key(self) -> str:
        """The object's key."""
        return f"{self.sensor_id}/{self.hint:%Y/%m/%d}/{self.name}"

    @classmethod
    def parse(cls, key: str) -> CaptureKey | None:
        """Return the meaning of ``key``, or None when it does not lie where captures lie."""
        match = _CAPTURE.fullmatch(key)
        if match is None:
            return None
        hint = _day(f"{match['year']}-{match['month']}-{match['day']}")
        return None if hint is None else cls(match["sensor"], hint, match["name"])

    @property
    def named_as_capture(self) -> bool:
        """Whether the name ends as a capture's does; checksums and notes beside captures do not."""
        return CAPTURE_NAME.fullmatch(self.name) is not None


@dataclass(frozen=True, slots=True, order=True)
class FlowsKey:
    """The flows object of one capture object.

    Attributes:
        capture: key of the capture object.
        fingerprint: 16 hex digits naming the capture's ETag and size, the sensor and the code that read it.
        first, last: first and last report day that the object's account speaks of.
        rejected: whether the file could not be read as a capture; such an object has no rows.
        aside: whether the capture killed every worker that it was given to, so that its days are incomplete; such
            an object has no rows either, and the next run tries the capture again.
    """

    capture: str
    fingerprint: str
    first: date | None
    last: date | None
    rejected: bool = False
    aside: bool = False

    @property
    def key(self) -> str:
        """The object's key."""
        ends = (f"{day:%Y%m%d}" if day else "none" for day in (self.first, self.last))
        state = "~rejected" if self.rejected else "~aside" if self.aside else ""
        return f"flows/{self.capture}~{self.fingerprint}~{'~'.join(ends)}{state}.parquet"

    @property
    def is_decoded(self) -> bool:
        """Whether the object holds what the capture held, and is not a mark for one that could not be decoded."""
        return not (self.rejected or self.aside)

    @classmethod
    def parse(cls, key: str) -> FlowsKey | None:
        """Return the meaning of ``key``, or None when it is no flows key."""
        match = _FLOWS.fullmatch(key)
        if match is None:
            return None
        first, last = (None if match[name] == "none" else _day(match[name]) for name in ("first", "last"))
        state = match["state"]
        return cls(match["capture"], match["fingerprint"], first, last, state == "~rejected", state == "~aside")

    def may_contain(self, day: date) -> bool:
        """Say whether the object can hold packets of the report day."""
        return self.first is not None and self.last is not None and self.first <= day <= self.last


def month_prefixes(first: date, last: date) -> list[str]:
    """Return ``YYYY/MM/`` for every month that the days from ``first`` to ``last`` touch."""
    months = {(day.year, day.month) for day in days_between(first, last)}
    return [f"{year:04d}/{month:02d}/" for year, month in sorted(months)]


@dataclass(frozen=True, slots=True, order=True)
class LedgerKey:
    """The record of how a day's counts were made, written after them.

    Attributes:
        digest: 16 hex digits naming all that the counts were made from.
    """

    day: date
    digest: str

    @property
    def key(self) -> str:
        """The object's key."""
        return f"ledger/{self.day.isoformat()}~{self.digest}.json"

    @classmethod
    def parse(cls, key: str) -> LedgerKey | None:
        """Return the meaning of ``key``, or None when it is no ledger key."""
        match = _LEDGER.fullmatch(key)
        day = _day(match["day"]) if match else None
        return cls(day, match["digest"]) if match and day else None


def counts_key(day: date) -> str:
    """Return the key of a day's counts."""
    return f"counts/day={day.isoformat()}/counts.parquet"


def sources_key(day: date) -> str:
    """Return the key of a day's distinct sources."""
    return f"sources/day={day.isoformat()}/sources.parquet"


@dataclass(frozen=True, slots=True, order=True)
class DelegationKey:
    """One registry's delegation file: ``<YYYYMMDD>/delegated-<registry>-extended-<YYYYMMDD>[.gz]``."""

    day: date
    registry: str
    extended: bool = True
    compressed: bool = False

    @property
    def key(self) -> str:
        """The object's key."""
        form = "-extended" if self.extended else ""
        return f"{self.day:%Y%m%d}/delegated-{self.registry}{form}-{self.day:%Y%m%d}" + (
            ".gz" if self.compressed else ""
        )

    @classmethod
    def parse(cls, key: str) -> DelegationKey | None:
        """Return the meaning of ``key``, or None when it is no delegation file (an ``.md5``, say)."""
        match = _DELEGATION.fullmatch(key)
        if match is None or match["day"] != match["named"]:
            return None
        day = _day(match["day"])
        return None if day is None else cls(day, match["registry"], bool(match["extended"]), bool(match["gz"]))


def edition_prefix(quarter: object, edition: int) -> str:
    """Return the prefix below which an edition lies in the site bucket."""
    return f"{quarter}/editions/{edition}/"


def verdict_key(quarter: object) -> str:
    """Return the key, in the lake, of the newest verdict on a quarter."""
    return f"validation/{quarter}/verdict.json"


def decision_key(quarter: object) -> str:
    """Return the key, in the lake, of a person's decision about a quarter's refused edition."""
    return f"validation/{quarter}/decision.json"


def overlay_key(quarter: object) -> str:
    """Return the key, in the lake, of what an analyst changed in a quarter's words."""
    return f"overlays/{quarter}.toml"


def latest_key(quarter: object) -> str:
    """Return the key of the pointer to a quarter's newest edition."""
    return f"{quarter}/latest.json"
