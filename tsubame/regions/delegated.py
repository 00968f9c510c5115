"""A registry's delegation file -> its records, with every malformed line reported by its number.

Both forms of the RIRs' statistics exchange format are read, plain or gzip, told apart by content:
``registry|cc|type|start|value|date|status`` and the extended one, which adds the holder's ``opaque-id``
(and whatever a registry appends) and lists reserved and available space too.

A line that breaks the format becomes a ``Fault``. It is dropped unless its range and region are beyond
doubt: a date that is no date, or a country in lower case, is reported and the record kept. A record of
another registry than the file's is dropped: each registry speaks for its own space.

Source: RIR statistics exchange format (version 2), and the registries' readme of the extended format.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa

from tsubame.errors import MalformedDelegation
from tsubame.keys import REGISTRIES
from tsubame.regions.fields import Bytes, Positions, count_fields, matches, pad_text, split_lines
from tsubame.regions.records import TYPES, Complaints, Layout, read_records

_GZIP_MAGIC = b"\x1f\x8b"
_TEXT_LIMIT = 2**31 - 2**16  # offsets into the text are 32-bit where they are many
_VERSION_LINE = "version|registry|serial|records|startdate|enddate|UTCoffset"
_VERSION = re.compile(r"\d+(\.\d+)*", re.ASCII)
_SUMMARY = re.compile(
    rf"(?P<registry>[^|]*)\|[^|]*\|(?P<kind>{'|'.join(TYPES)})\|[^|]*\|(?P<count>\d{{1,18}})\|summary", re.ASCII
)
_EXCERPT = 80
_CUT_TOLERANCE = 0.01
_SERIAL_TOLERANCE = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a delegation file that is not as the format has it.

    Attributes:
        line: line number, counted from 1.
        what: what is wrong.
        text: the line's beginning.
        kept: whether the line's record is used all the same.
    """

    line: int
    what: str
    text: str
    kept: bool = False

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}: {self.text!r}"


@dataclass(frozen=True, slots=True)
class VersionLine:
    """The first line of a delegation file.

    Attributes:
        serial: as written; registries use a date, seconds or milliseconds since 1970.
        stated_records: how many records the file says it holds.
        first_day, last_day: dates the file says it covers; None where it does not say.
        utc_offset: the registry's clock.
        line: its line number, counted from 1.
    """

    version: str
    registry: str
    serial: str
    stated_records: int
    first_day: date | None
    last_day: date | None
    utc_offset: timedelta
    line: int = 1

    @property
    def issued_on(self) -> date | None:
        """The registry's local date of the serial number, where that is a date or an instant."""
        if len(self.serial) == 8 and (day := _read_day(self.serial)):
            return day
        if len(self.serial) in (10, 13) and self.serial.isdecimal():
            instant = int(self.serial) / (1000 if len(self.serial) == 13 else 1)
            return datetime.fromtimestamp(instant, UTC).astimezone(timezone(self.utc_offset)).date()
        return None


@dataclass(frozen=True, slots=True, eq=False)
class DelegatedFile:
    """What a delegation file says.

    Attributes:
        key: the object it was read from, for messages.
        identity: names all that the file says but its serial number and dates; see ``identify``.
        header: the version line.
        summaries: records of each type that the summary lines state.
        extended: whether it is of the extended form.
        ipv4: ``first`` and ``last`` address uint32, ``region`` (the country code as written, upper case;
            may be empty), ``status``, ``holder`` (opaque-id, may be empty), ``date`` (null: not known),
            ``line``; in file order.
        asn: the same for AS numbers.
        ipv6: the same, but ``first`` is 16 bytes in network order and ``prefix_length`` stands for ``last``.
        record_lines: lines of each type, malformed ones that still name their type included.
        comments: text of the comment lines.
        faults: everything that is not as it should be, by line.
        ends_with_newline: whether the last line is whole.
    """

    key: str
    identity: str
    header: VersionLine
    summaries: dict[str, int]
    extended: bool
    ipv4: pa.Table
    asn: pa.Table
    ipv6: pa.Table
    record_lines: dict[str, int]
    comments: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    ends_with_newline: bool = True

    @property
    def registry(self) -> str:
        """The registry that issued the file."""
        return self.header.registry

    @property
    def day(self) -> date | None:
        """The file's own date, by the registry's clock: what the registry writes into the file's name.

        That is the date of its serial number, unless this is no date near the last one it covers.
        """
        issued, last = self.header.issued_on, self.header.last_day
        if issued and last and abs(issued - last) > _SERIAL_TOLERANCE:
            return last
        return issued or last

    @property
    def own_days(self) -> tuple[date, ...]:
        """The dates the file gives itself: that of its records and that of its serial number.

        They differ: LACNIC's last date stands still on days without a change, APNIC's serial runs a day ahead.
        """
        found = {day for day in (self.header.last_day, self.header.issued_on) if day}
        return tuple(sorted(found))

    @property
    def dropped(self) -> int:
        """Number of lines that could not be used."""
        return len({fault.line for fault in self.faults if not fault.kept})

    @property
    def is_cut(self) -> bool:
        """Whether the end of the file is missing.

        So it is when lines are fewer than the version or summary lines state, by more than 1 % or with the
        last line broken off. A smaller difference is a registry's miscount, and only a fault.
        """
        stated = max(self.header.stated_records, sum(self.summaries.values()))
        missing = stated - sum(self.record_lines.values())
        return missing > 0 and (not self.ends_with_newline or missing > _CUT_TOLERANCE * stated)


@dataclass(slots=True)
class _Reading:
    """A file while it is being read."""

    key: str
    text: Bytes
    starts: Positions
    ends: Positions
    faults: list[Fault] = field(default_factory=list)

    def line(self, index: int | np.signedinteger) -> str:
        raw = self.text[self.starts[index] : min(self.ends[index], self.starts[index] + 4 * _EXCERPT)]
        return raw.tobytes().decode("utf-8", "replace")

    def complain(self, index: int, what: str, *, kept: bool = False) -> None:
        self.faults.append(Fault(int(index) + 1, what, self.line(index)[:_EXCERPT], kept))


def parse_delegated(content: bytes, *, key: str, types: Collection[str] = TYPES) -> DelegatedFile:
    """Read a delegation file.

    Args:
        content: the file's bytes, plain or gzip.
        key: its name, for messages.
        types: of which types the records are read; the others are counted only, and their tables empty.

    Returns:
        The records, and every fault with its line number.

    Raises:
        MalformedDelegation: it is no delegation file: broken gzip, or no version line of a known registry.
    """
    plain = decompress(content, key=key)
    header, doubts = read_version(plain, key=key)
    text = pad_text(plain)
    reading = _Reading(key, text, *split_lines(text, len(plain)))
    for doubt in doubts:
        reading.complain(header.line - 1, doubt, kept=True)
    comments = text[reading.starts] == ord("#")
    lines = np.flatnonzero(~comments & (reading.starts < reading.ends))
    lines = lines[lines >= header.line]
    layout = Layout(text, *count_fields(text, reading.starts, reading.ends, "|"), reading.starts, reading.ends)
    summaries = _take_summaries(reading, layout, lines, header)
    complaints = Complaints()
    is_record = layout.fields[lines] >= 7
    for index in lines[~is_record & ~np.isin(lines, [line for line, _ in summaries.values()])]:
        complaints.add(np.array([index]), _short_line(layout, index))
    tables, record_lines = read_records(layout, lines[is_record], header.registry, complaints, types)
    for index, what, kept in complaints.entries():
        reading.complain(index, what, kept=kept)
    _check_counts(reading, header, summaries, record_lines)
    return DelegatedFile(
        key,
        identify(plain, key=key),
        header,
        {kind: count for kind, (_, count) in summaries.items()},
        _is_extended(layout, lines[is_record], tables["ipv4"]),
        tables["ipv4"],
        tables["asn"],
        tables["ipv6"],
        record_lines,
        tuple(reading.line(index).lstrip("#").strip() for index in np.flatnonzero(comments)),
        tuple(sorted(reading.faults, key=lambda fault: fault.line)),
        plain.endswith(b"\n"),
    )


def identify(plain: bytes, *, key: str) -> str:
    """Name all that a file says but its serial number and dates, in 32 hex digits.

    Registries issue a file every day whether or not anything has changed; files of equal identity need to be
    parsed only once.

    Raises:
        MalformedDelegation: it is no delegation file.
    """
    start, end, _ = _version_span(plain, key)
    header, doubts = read_version(plain, key=key)
    said = (header.version, header.registry, header.stated_records, header.utc_offset, *doubts)
    state = hashlib.blake2b(repr(said).encode(), digest_size=16)
    state.update(plain[:start])
    state.update(memoryview(plain)[end:])
    return state.hexdigest()


def decompress(content: bytes, *, key: str) -> bytes:
    """Return the plain text of a file that may be gzip.

    Raises:
        MalformedDelegation: broken or cut gzip, or a text too long to be a delegation file.
    """
    if content[:2] == _GZIP_MAGIC:
        try:
            content = gzip.decompress(content)
        except EOFError as error:
            raise MalformedDelegation(
                "gzip data ends too early", key=key, offset=len(content), hint="Fetch the file again."
            ) from error
        except (OSError, zlib.error) as error:
            raise MalformedDelegation("broken gzip data", key=key, actual=error) from error
    if len(content) > _TEXT_LIMIT:
        raise MalformedDelegation("too long", key=key, expected=f"{_TEXT_LIMIT} bytes", actual=len(content))
    return content


def _read_day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date() if len(text) == 8 else None
    except ValueError:
        return None


def _read_offset(text: str) -> timedelta | None:
    match = re.fullmatch(r"([+-]?)(\d\d)(\d\d)", text.lstrip("0") and text, re.ASCII)
    if match is None:
        return timedelta(0) if re.fullmatch(r"[+-]?0*", text) else None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return None if size >= timedelta(days=1) else -size if match[1] == "-" else size


def _version_span(plain: bytes, key: str) -> tuple[int, int, int]:
    """Return start, end and number (from 1) of the first line that is neither comment nor blank."""
    position, number = 0, 0
    while position < len(plain):
        end = plain.find(b"\n", position)
        end = len(plain) if end < 0 else end
        number += 1
        line = plain[position:end].strip()
        if line and not line.startswith(b"#"):
            return position, end, number
        position = end + 1
    raise MalformedDelegation("not a delegation file", key=key, expected=_VERSION_LINE, actual="no line")


def read_version(plain: bytes, *, key: str) -> tuple[VersionLine, tuple[str, ...]]:
    """Read a file's version line.

    Returns:
        The line, and what is doubtful in it.

    Raises:
        MalformedDelegation: the first line that is neither comment nor blank is no version line, or is that
            of none of the registries.
    """
    start, end, number = _version_span(plain, key)
    line = plain[start : min(end, start + 1000)].decode("utf-8", "replace").removeprefix("\ufeff").strip()
    parts = line.split("|")
    what, expected, actual = "", _VERSION_LINE, line[:_EXCERPT]
    if len(parts) < 7 or not _VERSION.fullmatch(parts[0]) or not re.fullmatch(r"\d{1,18}", parts[3], re.ASCII):
        what = "not a delegation file: no version line"
    elif parts[1] not in REGISTRIES:
        what, expected, actual = "not one of the registries", ", ".join(REGISTRIES), parts[1]
    if what:
        raise MalformedDelegation(what, key=key, offset=number, unit="line", expected=expected, actual=repr(actual))
    days, offset = [_read_day(text) for text in parts[4:6]], _read_offset(parts[6])
    doubts = [
        f"{name} date is no date"
        for text, day, name in zip(parts[4:6], days, ("start", "end"), strict=True)
        if day is None and text.strip("0")
    ]
    if offset is None:
        doubts.append("UTC offset is not +hhmm")
    return VersionLine(
        parts[0], parts[1], parts[2], int(parts[3]), days[0], days[1], offset or timedelta(0), number
    ), tuple(doubts)


def _take_summaries(
    reading: _Reading, layout: Layout, lines: Positions, header: VersionLine
) -> dict[str, tuple[int, int]]:
    """Return, for each type with a summary line, the line's index and the number of records it states."""
    found: dict[str, tuple[int, int]] = {}
    six = lines[layout.fields[lines] == 6]
    starts, lengths = layout.bounds(six, 5)
    for index in six[matches(layout.text, starts, lengths, "summary")]:
        match = _SUMMARY.fullmatch(reading.line(index))
        if match and match["registry"] == header.registry and match["kind"] not in found:
            found[match["kind"]] = (int(index), int(match["count"]))
    return found


def _short_line(layout: Layout, line: int) -> str:
    """Say what is wrong with a line of too few fields."""
    if layout.fields[line] == 6 and matches(layout.text, *layout.bounds(np.array([line]), 5), "summary")[0]:
        return "a summary that is given twice, or of nothing known"
    return f"{layout.fields[line]} fields where a record has 7 or 8"


def _check_counts(
    reading: _Reading,
    header: VersionLine,
    summaries: dict[str, tuple[int, int]],
    record_lines: dict[str, int],
) -> None:
    """Hold the version and summary lines against the lines that are there."""
    for kind in TYPES:
        index, stated = summaries.get(kind, (header.line - 1, 0))
        if kind in summaries and stated != record_lines[kind]:
            reading.complain(
                index, f"summary states {stated} {kind} records, the file has {record_lines[kind]}", kept=True
            )
        elif kind not in summaries and record_lines[kind]:
            reading.complain(index, f"no summary line for {record_lines[kind]} {kind} records", kept=True)
    total = sum(record_lines.values())
    if header.stated_records != total:
        reading.complain(
            header.line - 1,
            f"version line states {header.stated_records} records, the file has {total}",
            kept=True,
        )


def _is_extended(layout: Layout, records: Positions, ipv4: pa.Table) -> bool:
    """Tell the form by its marks: an eighth field, or space that is not delegated."""
    statuses = set(ipv4.column("status").unique().to_pylist())
    return bool((layout.fields[records] >= 8).any()) or not statuses <= {"allocated", "assigned"}


def faults_by_kind(faults: tuple[Fault, ...]) -> Iterator[tuple[str, int]]:
    """Yield each kind of fault with how often it occurs, in order of first appearance."""
    counts: dict[str, int] = {}
    for fault in faults:
        counts[fault.what] = counts.get(fault.what, 0) + 1
    yield from counts.items()
