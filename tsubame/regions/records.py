"""The record lines of a delegation file -> Arrow tables, one each for IPv4, AS numbers and IPv6.

Source: RIR statistics exchange format, section 2.3 (record format).
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tsubame.regions.fields import (
    Bytes,
    Mask,
    Positions,
    gather_strings,
    matches,
    read_addresses,
    read_dates,
    read_numbers,
)

TYPES = ("asn", "ipv4", "ipv6")
STATUSES = ("allocated", "assigned", "available", "reserved")
DELEGATED = STATUSES[:2]

_LABEL = pa.dictionary(pa.int32(), pa.string())
_SHARED = [
    pa.field("region", _LABEL, nullable=False),
    pa.field("status", _LABEL, nullable=False),
    pa.field("holder", pa.string(), nullable=False),
    pa.field("date", pa.date32()),
    pa.field("line", pa.int32(), nullable=False),
]
RANGES = pa.schema(
    [pa.field("first", pa.uint32(), nullable=False), pa.field("last", pa.uint32(), nullable=False), *_SHARED]
)
PREFIXES = pa.schema(
    [
        pa.field("first", pa.binary(16), nullable=False),
        pa.field("prefix_length", pa.uint8(), nullable=False),
        *_SHARED,
    ]
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields of every line lie.

    Attributes:
        text: the padded text.
        marks: (m,) positions of all delimiters.
        lows: (n,) index in ``marks`` of each line's first delimiter.
        fields: (n,) number of fields of each line.
        starts, ends: (n,) bounds of each line.
    """

    text: Bytes
    marks: Positions
    lows: Positions
    fields: Positions
    starts: Positions
    ends: Positions

    def bounds(self, lines: Positions, number: int) -> tuple[Positions, Positions]:
        """Return start and length of the field of that number (from 0), which each of ``lines`` must have."""
        low = self.lows[lines]
        starts = self.starts[lines] if number == 0 else self.marks[low + number - 1] + 1
        # The field ends at the next delimiter, or with the line.
        follows = np.minimum(low + number, max(len(self.marks) - 1, 0))
        ends = np.where(number + 1 < self.fields[lines], self.marks[follows], self.ends[lines])
        return starts, ends - starts


@dataclass(slots=True)
class Complaints:
    """What is wrong with which lines; the first complaint that drops a line stands, others are noise."""

    _entries: list[tuple[int, str, bool]] = field(default_factory=list)
    _dropped: set[int] = field(default_factory=set)

    def add(self, lines: Positions, what: str, *, kept: bool = False) -> None:
        """Complain about some lines, given by index."""
        for line in lines.tolist():
            if line in self._dropped:
                continue
            self._entries.append((line, what, kept))
            if not kept:
                self._dropped.add(line)

    def entries(self) -> Iterator[tuple[int, str, bool]]:
        """Yield line index, complaint, and whether the line is kept."""
        return iter(self._entries)


@dataclass(slots=True)
class _Shared:
    """The columns that all types of record have, for some lines, and which of them are sound."""

    lines: Positions
    sound: Mask
    region: pa.Array
    status: pa.Array
    holder: pa.Array
    date: pa.Array

    def columns(self, keep: Mask) -> list[pa.Array]:
        mask = pa.array(keep)
        number = pa.array((self.lines + 1).astype(np.int32))
        return [column.filter(mask) for column in (self.region, self.status, self.holder, self.date, number)]


def read_records(
    layout: Layout,
    lines: Positions,
    registry: str,
    complaints: Complaints,
    types: Collection[str] = TYPES,
) -> tuple[dict[str, pa.Table], dict[str, int]]:
    """Read all record lines.

    Args:
        layout: where the fields lie.
        lines: (n,) indices of the lines with at least seven fields.
        registry: the file's registry.
        complaints: is told what is wrong with which line.
        types: of which types the records are read; the others are counted only.

    Returns:
        A table for each of ``TYPES``, empty for those not read, and how many lines there are of each,
        malformed ones included.
    """
    text = layout.text
    own = matches(text, *layout.bounds(lines, 0), registry)
    complaints.add(lines[~own], f"registry is not {registry}")
    kinds = {kind: matches(text, *layout.bounds(lines, 2), kind) for kind in TYPES}
    complaints.add(lines[~np.logical_or.reduce(list(kinds.values()))], "type is not asn, ipv4 or ipv6")
    readers = {"asn": _read_asn, "ipv4": _read_ipv4, "ipv6": _read_ipv6}
    tables = {}
    for kind, reader in readers.items():
        chosen = kinds[kind] if kind in types else np.zeros(len(lines), dtype=np.bool_)
        shared = _read_shared(layout, lines[chosen], own[chosen], complaints)
        tables[kind] = reader(layout, shared, complaints)
    return tables, {kind: int(mask.sum()) for kind, mask in kinds.items()}


def _read_shared(layout: Layout, lines: Positions, own: Mask, complaints: Complaints) -> _Shared:
    text, sound = layout.text, own.copy()
    starts, lengths = layout.bounds(lines, 6)
    status = np.full(len(lines), -1, dtype=np.int32)
    for code, word in enumerate(STATUSES):
        status[matches(text, starts, lengths, word)] = code
    sound &= status >= 0
    complaints.add(lines[status < 0], "status is not allocated, assigned, available or reserved")
    delegated = (status >= 0) & (status < len(DELEGATED))
    region, named = _read_regions(layout, lines, delegated, complaints)
    sound &= named
    days, known, dated = read_dates(text, *layout.bounds(lines, 5))
    complaints.add(lines[~dated], "date is not YYYYMMDD", kept=True)
    holder, legible = _read_holders(layout, lines)
    complaints.add(lines[~legible], "opaque-id is not UTF-8", kept=True)
    return _Shared(
        lines,
        sound,
        region,
        pa.DictionaryArray.from_arrays(np.maximum(status, 0), pa.array(STATUSES)),
        holder,
        pa.array(days, mask=~known).cast(pa.date32()),
    )


def _read_regions(layout: Layout, lines: Positions, delegated: Mask, complaints: Complaints) -> tuple[pa.Array, Mask]:
    """Read the country codes: two letters, or nothing where the space is not delegated."""
    starts, lengths = layout.bounds(lines, 1)
    letters = [layout.text[starts + position].astype(np.int32) for position in (0, 1)]
    upper = [letter & ~0x20 for letter in letters]
    alphabetic = (lengths == 2) & np.logical_and.reduce([(u >= 65) & (u <= 90) for u in upper])
    complaints.add(lines[~alphabetic & (lengths > 0)], "country is not two letters")
    complaints.add(lines[(lengths == 0) & delegated], "delegated without a country", kept=True)
    lower = alphabetic & ((letters[0] != upper[0]) | (letters[1] != upper[1]))
    complaints.add(lines[lower], "country in lower case", kept=True)
    packed = np.where(alphabetic, (upper[0] << 8) | upper[1], np.where(delegated, (90 << 8) | 90, 0))
    values = np.flatnonzero(np.bincount(packed, minlength=1))
    codes = np.searchsorted(values, packed)
    names = [f"{chr(value >> 8)}{chr(value & 255)}" if value else "" for value in values.tolist()]
    array = pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(names, pa.string()))
    return array, alphabetic | (lengths == 0)


def _read_holders(layout: Layout, lines: Positions) -> tuple[pa.Array, Mask]:
    """Read the opaque-ids; those that are no UTF-8 become empty."""
    has = layout.fields[lines] >= 8
    starts = np.zeros(len(lines), dtype=np.int64)
    lengths = np.zeros(len(lines), dtype=np.int64)
    starts[has], lengths[has] = layout.bounds(lines[has], 7)
    legible = np.ones(len(lines), dtype=np.bool_)
    foreign = np.flatnonzero(layout.text >= 128)
    if len(foreign):
        begin = np.searchsorted(foreign, starts)
        for index in np.flatnonzero(np.searchsorted(foreign, starts + lengths) > begin):
            raw = layout.text[starts[index] : starts[index] + lengths[index]].tobytes()
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                legible[index], lengths[index] = False, 0
    return gather_strings(layout.text, starts, lengths), legible


def _read_ipv4(layout: Layout, shared: _Shared, complaints: Complaints) -> pa.Table:
    first, addressed = read_addresses(layout.text, *layout.bounds(shared.lines, 3))
    complaints.add(shared.lines[~addressed], "start is no IPv4 address")
    return _ranges(layout, shared, complaints, first, addressed, "addresses")


def _read_asn(layout: Layout, shared: _Shared, complaints: Complaints) -> pa.Table:
    starts, lengths = layout.bounds(shared.lines, 3)
    first, numbered = read_numbers(layout.text, starts, lengths)
    for index in np.flatnonzero(~numbered):
        # Files of 2007 to 2010 may write four-byte numbers as high.low (RFC 5396, asdot).
        high, dot, low = layout.text[starts[index] : starts[index] + lengths[index]].tobytes().partition(b".")
        if dot and high.isdigit() and low.isdigit() and max(len(high), len(low)) <= 5 and int(low) < 65536:
            first[index], numbered[index] = int(high) * 65536 + int(low), True
    numbered &= first < 2**32
    complaints.add(shared.lines[~numbered], "start is no AS number")
    return _ranges(layout, shared, complaints, first, numbered, "AS numbers")


def _ranges(
    layout: Layout, shared: _Shared, complaints: Complaints, first: Positions, started: Mask, noun: str
) -> pa.Table:
    """Finish a table of ranges whose length the value states."""
    sizes, counted = read_numbers(layout.text, *layout.bounds(shared.lines, 4))
    counted &= sizes > 0
    complaints.add(shared.lines[~counted], f"value is no number of {noun}")
    within = first + sizes <= 2**32
    complaints.add(shared.lines[started & counted & ~within], f"range runs past the last of all {noun}")
    keep = shared.sound & started & counted & within
    columns = [
        pa.array(first[keep].astype(np.uint32)),
        pa.array((first[keep] + sizes[keep] - 1).astype(np.uint32)),
    ]
    return pa.table([*columns, *shared.columns(keep)], schema=RANGES)


def _read_ipv6(layout: Layout, shared: _Shared, complaints: Complaints) -> pa.Table:
    starts, lengths = layout.bounds(shared.lines, 3)
    # An address has at most 45 characters; what is longer must not be copied, only refused.
    fits = lengths <= 45
    raw = gather_strings(layout.text, starts, np.where(fits, lengths, 0)).cast(pa.binary()).to_pylist()
    packed = [_pack_ipv6(value) for value in raw]
    addressed = np.array([value is not None for value in packed], dtype=np.bool_)
    complaints.add(shared.lines[~addressed], "start is no IPv6 address")
    sizes, counted = read_numbers(layout.text, *layout.bounds(shared.lines, 4), digits=3)
    counted &= sizes <= 128
    complaints.add(shared.lines[~counted], "value is no IPv6 prefix length")
    keep = shared.sound & addressed & counted
    columns = [
        pa.array(packed, pa.binary(16)).filter(pa.array(keep)),
        pa.array(sizes[keep].astype(np.uint8)),
    ]
    return pa.table([*columns, *shared.columns(keep)], schema=PREFIXES)


def _pack_ipv6(text: bytes) -> bytes | None:
    try:
        return socket.inet_pton(socket.AF_INET6, text.decode("ascii"))
    except (OSError, ValueError):
        return None
