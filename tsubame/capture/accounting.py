"""What became of every record of a capture; nothing is dropped without a count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

#: The fates a record can meet, in the order of the counters that the kernels keep.
OUTCOMES = (
    "packets_kept",
    "not_ip",
    "ipv6",
    "truncated_header",
    "bad_header",
    "outside_sensor",
    "damaged_record",
)
_MOST_ERRORS = 5
_SEPARATOR = "; "
_MORE = "and more"


@dataclass(frozen=True, slots=True)
class Accounting:
    """Counts of records by fate, and the faults of the file itself.

    Attributes:
        records_read: records found; always the sum of the seven that follow.
        packets_kept: IPv4 packets with a whole header, addressed to the sensor.
        not_ip: another network protocol, or a link type that cannot be looked through.
        ipv6: the outermost network header is IPv6.
        truncated_header: the record ends before the IPv4 header does, or before it can be reached.
        bad_header: where IPv4 must be, the version is not 4 or the header length is under 5 words.
        outside_sensor: a whole IPv4 header whose destination is not the sensor's.
        damaged_record: a record whose own lengths cannot be true.
        truncated_tail: captures that end inside a record, a block or a compressed stream (0 or 1 for one file).
        unread_bytes: bytes after the last readable record: uncompressed ones, and compressed ones that could
            not be inflated.
        error: one line saying what is wrong with the file; None when nothing is.
    """

    records_read: int = 0
    packets_kept: int = 0
    not_ip: int = 0
    ipv6: int = 0
    truncated_header: int = 0
    bad_header: int = 0
    outside_sensor: int = 0
    damaged_record: int = 0
    truncated_tail: int = 0
    unread_bytes: int = 0
    error: str | None = None

    def __add__(self, other: Accounting) -> Accounting:
        """Add two accounts; the first few distinct errors are joined, the others only hinted at."""
        numbers: dict[str, Any] = {
            name: getattr(self, name) + getattr(other, name) for name in FIELDS if name != "error"
        }
        return Accounting(**numbers, error=_join_errors(self.error, other.error))

    def __radd__(self, other: int) -> Accounting:
        # sum() begins with 0.
        return self if other == 0 else NotImplemented

    @classmethod
    def of_counts(cls, counts: Any) -> Accounting:
        """Build an account from counters in the order of ``OUTCOMES``."""
        parts: dict[str, Any] = {name: int(count) for name, count in zip(OUTCOMES, counts, strict=True)}
        return cls(records_read=sum(parts.values()), **parts)

    def as_dict(self) -> dict[str, int | str | None]:
        """Return the fields as plain values, in the order of the contract."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Accounting:
        """Read what ``as_dict`` wrote.

        Raises:
            ValueError: a field is missing or unknown.
        """
        if set(values) != set(FIELDS):
            raise ValueError(f"fields of an accounting: expected {list(FIELDS)}, found {sorted(values)}")
        return cls(**values)

    def check(self) -> Accounting:
        """Return the account itself, or refuse one that does not add up.

        Raises:
            ValueError: ``records_read`` is not the sum of its parts, or a count is negative.
        """
        parts = sum(getattr(self, name) for name in OUTCOMES)
        if parts != self.records_read:
            raise ValueError(f"accounting: expected records_read {parts} (sum of its parts), found {self.records_read}")
        negative = [name for name in FIELDS if name != "error" and getattr(self, name) < 0]
        if negative:
            raise ValueError(f"accounting: {negative[0]} is negative")
        return self

    def damage(self) -> str:
        """Return the faults that the file's owner should hear of, in one line; empty when there are none."""
        faults = (
            f"{self.damaged_record} damaged records" if self.damaged_record else "",
            "ends inside a record" if self.truncated_tail else "",
            f"{self.unread_bytes} bytes not read" if self.unread_bytes else "",
            self.error or "",
        )
        return "; ".join(fault for fault in faults if fault)


FIELDS = tuple(field.name for field in fields(Accounting))


def _join_errors(*errors: str | None) -> str | None:
    lines: dict[str, None] = {}
    for error in errors:
        lines.update(dict.fromkeys(error.split(_SEPARATOR) if error else ()))
    if not lines:
        return None
    more = lines.pop(_MORE, "") is None or len(lines) > _MOST_ERRORS
    return _SEPARATOR.join([*list(lines)[:_MOST_ERRORS], *([_MORE] if more else [])])
