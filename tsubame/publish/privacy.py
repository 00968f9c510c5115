"""Refuse to publish what gives a sensor's address away.

Every file is looked into, whatever it is: text as it stands; Parquet column by column and its metadata; PNG and
compressed streams by what they hold, since a compressed byte means nothing. What cannot be looked into is searched
byte by byte. Addresses are looked for as dotted text (also reversed, with dashes, defanged), as decimal and
hexadecimal numbers, and as integers, in both byte orders.

The networks are an argument of the call; they are neither stored nor named in the refusal.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.errors import Rejected

NUMERIC_BOUND = 65_536
"""Addresses of a network up to which bare numbers are compared; above, plain counts would fall into it."""

_DOTTED = re.compile(
    r"(?<![\d.])(\d{1,3})(?P<sep>\.|-|_|\[\.\]|\(\.\)|%2[eE])(\d{1,3})(?P=sep)(\d{1,3})(?P=sep)(\d{1,3})(?!\d)"
    r"(?:/(?P<length>\d{1,2})(?!\d))?"
)
_DECIMAL = re.compile(r"(?<![\w.])(\d{7,10})(?:\.0+)?(?![\w.]*\d)")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0[xX]|\\x)?([0-9A-Fa-f]{8})(?![0-9A-Za-z])")
_HEX_BYTES = re.compile(
    r"(?<![0-9A-Fa-f])([0-9A-Fa-f]{2})([: ]|\\x)([0-9A-Fa-f]{2})\2([0-9A-Fa-f]{2})\2([0-9A-Fa-f]{2})(?![0-9A-Fa-f])"
)
_PRINTABLE = re.compile(rb"[\x20-\x7e]{7,}")
_NO_NUMBERS = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"wOFF",
    b"wOF2",
    b"\x00\x01\x00\x00",
    b"OTTO",
    b"\x00\x00\x01\x00",
)
_SMALLEST_HIDING_BLOCK = 24
_SMALLEST_SWAPPED = np.uint64(2**24)

Addresses = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that gives a sensor's address away. The address itself is not repeated.

    Attributes:
        form: how it stands there: ``dotted text``, ``decimal number``, ``hexadecimal number``,
            ``column <name>`` …
        offset: character, row or byte offset there.
    """

    path: str
    form: str
    offset: int


@dataclass(frozen=True, slots=True)
class Networks:
    """The sensors' networks as sorted, disjoint intervals of IPv4 addresses in host order.

    Attributes:
        first, last: (n,) uint64 ends, both included.
        numeric_first, numeric_last: the same of the networks small enough to compare numbers with.
    """

    first: Addresses
    last: Addresses
    numeric_first: Addresses
    numeric_last: Addresses

    @classmethod
    def of(cls, networks: Iterable[tuple[int, int]]) -> Networks:
        """Build from (first, last) pairs, as ``tsubame.sensors.Sensor.network`` holds them."""
        every = sorted(set(networks))
        small = [pair for pair in every if pair[1] - pair[0] < NUMERIC_BOUND]
        return cls(*_merged(every), *_merged(small))

    def hold(self, value: int) -> bool:
        """Say whether an address is a sensor's."""
        return bool(_inside(np.array([value], np.uint64), self.first, self.last)[0])

    def hold_number(self, value: int, *, plain: bool = False) -> bool:
        """Say whether a bare number is a sensor's address; see ``hold_numbers``."""
        return 0 <= value < 2**32 and bool(self.hold_numbers(np.array([value], np.uint64), plain=plain)[0])

    def hold_numbers(self, values: Addresses, *, plain: bool = False) -> npt.NDArray[np.bool_]:
        """Say for each number below 2**32 whether it is a sensor's address, in either byte order.

        Args:
            values: (n,) uint64.
            plain: whether the numbers may as well be counts. Then those below 2**24 are compared in host order
                only: swapped, every small count is an address that ends in .0, such as 7 and 7.0.0.0.
        """
        swapped = values.astype(np.uint32).byteswap().astype(np.uint64)
        in_swapped = _inside(swapped, self.numeric_first, self.numeric_last)
        if plain:
            in_swapped &= values >= _SMALLEST_SWAPPED
        return _inside(values, self.numeric_first, self.numeric_last) | in_swapped

    def hidden_by(self, first: int, last: int, length: int) -> bool:
        """Say whether a published block names many addresses around a sensor's, rather than the sensor.

        A block that lies in a sensor's network names it. A larger one hides the sensor among others when it
        holds at least 512 addresses.
        """
        within = any(
            low <= first and last <= high for low, high in zip(self.first.tolist(), self.last.tolist(), strict=True)
        )
        return not within and length < _SMALLEST_HIDING_BLOCK


def _merged(pairs: Sequence[tuple[int, int]]) -> tuple[Addresses, Addresses]:
    merged: list[list[int]] = []
    for first, last in pairs:
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    ends = np.array(merged, np.uint64).reshape(-1, 2)
    return ends[:, 0].copy(), ends[:, 1].copy()


def _inside(values: Addresses, first: Addresses, last: Addresses) -> npt.NDArray[np.bool_]:
    if not len(first):
        return np.zeros(len(values), np.bool_)
    place = np.searchsorted(first, values, side="right")
    inside: npt.NDArray[np.bool_] = (place > 0) & (values <= last[np.maximum(place, 1) - 1])
    return inside


def refuse_addresses(files: Mapping[str, bytes], networks: Iterable[tuple[int, int]]) -> None:
    """Refuse the files when a sensor's address can be read from any of them.

    Args:
        files: path -> content of everything about to be published.
        networks: (first, last) address of each sensor's network, in host order.

    Raises:
        Rejected: names the first file and place; ``verdict`` lists every finding, without the addresses.
    """
    findings = list(find_addresses(files, networks))
    if findings:
        first = findings[0]
        raise Rejected(
            f"gives a sensor's address away as {first.form}"
            + (f" ({len(findings)} places in all)" if len(findings) > 1 else ""),
            key=first.path,
            offset=first.offset,
            unit="place",
            hint="Nothing was published; find where the value comes from.",
            verdict=[{"path": item.path, "form": item.form, "offset": item.offset} for item in findings],
        )


def find_addresses(files: Mapping[str, bytes], networks: Iterable[tuple[int, int]]) -> Iterator[Finding]:
    """Yield every place in the files, and in their names, from which a sensor's address can be read."""
    known = Networks.of(networks)
    if not len(known.first):
        return
    for path, content in sorted(files.items()):
        for form, offset in _scan_text(path, known):
            yield Finding(path, f"{form} in the file's name", offset)
        for form, offset in _scan(content, known):
            yield Finding(path, form, offset)


def _scan(content: bytes, known: Networks) -> Iterator[tuple[str, int]]:
    if content[:4] == b"PAR1":
        yield from _scan_parquet(content, known)
    elif content[:8] == b"\x89PNG\r\n\x1a\n":
        yield from _scan_png(content, known)
    elif content[:2] == b"\x1f\x8b":
        yield from _scan(gzip.decompress(content), known)
    elif content[:5] == b"%PDF-":
        yield from _scan_pdf(content, known)
    else:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            yield from _scan_binary(content, known)
        else:
            yield from _scan_text(text, known)


def _scan_text(text: str, known: Networks) -> Iterator[tuple[str, int]]:
    for match in _DOTTED.finditer(text):
        parts = [int(match[group]) for group in (1, 3, 4, 5)]
        if max(parts) > 255:
            continue
        address = int.from_bytes(bytes(parts), "big")
        if _names_sensor(address, match["length"], known):
            yield "dotted text", match.start()
        elif match["length"] is None and known.hold_number(int.from_bytes(bytes(parts), "little")):
            yield "reversed dotted text", match.start()
    for match in _DECIMAL.finditer(text):
        if known.hold_number(int(match[1]), plain=True):
            yield "decimal number", match.start()
    for match in _HEX.finditer(text):
        if known.hold_number(int(match[1], 16)):
            yield "hexadecimal number", match.start()
    for match in _HEX_BYTES.finditer(text):
        if known.hold_number(int("".join(match.group(1, 3, 4, 5)), 16)):
            yield "hexadecimal bytes", match.start()


def _names_sensor(address: int, length: str | None, known: Networks) -> bool:
    if length is None or int(length) >= 32:
        return known.hold(address)
    bits = int(length)
    first = address & (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF
    last = first + 2 ** (32 - bits) - 1
    overlaps = bool(np.any((known.first <= np.uint64(last)) & (known.last >= np.uint64(first))))
    return overlaps and not known.hidden_by(first, last, bits)


def _scan_parquet(content: bytes, known: Networks) -> Iterator[tuple[str, int]]:
    table = pq.read_table(io.BytesIO(content))
    for metadata in (table.schema.metadata, *(field.metadata for field in table.schema)):
        for name, value in (metadata or {}).items():
            if name != b"ARROW:schema":
                yield from _scan_text((name + b" " + value).decode("utf-8", "replace"), known)
    for name in table.column_names:
        yield from _scan_text(name, known)
        yield from ((f"column {name}", row) for row in _rows_with_addresses(table.column(name), known))


def _rows_with_addresses(column: pa.ChunkedArray, known: Networks) -> list[int]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_nested(kind):
        rows = ((row, str(value)) for row, value in enumerate(column.to_pylist()))
        return [row for row, text in rows if any(True for _ in _scan_text(text, known))]
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers_with_addresses(column, known)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        values: list[Any] = column.to_pylist()
        return [row for row, value in enumerate(values) if value and any(True for _ in _scan_binary(value, known))]
    texts = column.cast(pa.string()).to_pylist()
    found = {text for text in set(texts) if text and any(True for _ in _scan_text(text, known))}
    return [row for row, text in enumerate(texts) if text in found] if found else []


def _numbers_with_addresses(column: pa.ChunkedArray, known: Networks) -> list[int]:
    numbers = [
        (row, int(value))
        for row, value in enumerate(column.to_pylist())
        if value is not None and -(2**31) <= value < 2**32 and value == int(value)
    ]
    if not numbers:
        return []
    # An address in a signed column is a negative number from 128.0.0.0 on.
    values = np.array([value & 0xFFFFFFFF for _, value in numbers], np.uint64)
    return [row for (row, _), hit in zip(numbers, known.hold_numbers(values, plain=True).tolist(), strict=True) if hit]


def _scan_png(content: bytes, known: Networks) -> Iterator[tuple[str, int]]:
    """Search the text chunks; pixels are drawn from the same labels as the SVG beside it."""
    offset = 8
    while offset + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, offset)
        kind, body = content[offset + 4 : offset + 8], content[offset + 8 : offset + 8 + length]
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            if kind == b"zTXt":
                body = _inflated(body.partition(b"\x00")[2][1:])
            for form, _ in _scan_text(body.decode("latin-1"), known):
                yield form, offset
        offset += 12 + length
    if offset < len(content):
        for form, place in _scan_binary(content[offset:], known):
            yield form, offset + place


def _scan_pdf(content: bytes, known: Networks) -> Iterator[tuple[str, int]]:
    for form, offset in _scan_text(content.decode("latin-1"), known):
        yield form, offset
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        for form, _ in _scan_text(_inflated(match[1]).decode("latin-1"), known):
            yield form, match.start()


def _inflated(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content)
    except zlib.error:
        return b""


def _scan_binary(content: bytes, known: Networks) -> Iterator[tuple[str, int]]:
    """Search text in a binary file and, unless its kind is one of pictures and fonts, every four bytes of it."""
    for match in _PRINTABLE.finditer(content):
        for form, offset in _scan_text(match[0].decode("ascii"), known):
            yield form, match.start() + offset
    if content.startswith(_NO_NUMBERS) or len(content) < 4:
        return
    octets = np.frombuffer(content, np.uint8).astype(np.uint64)
    words = (
        (octets[:-3] << np.uint64(24)) | (octets[1:-2] << np.uint64(16)) | (octets[2:-1] << np.uint64(8)) | octets[3:]
    )
    for offset in np.flatnonzero(known.hold_numbers(words)).tolist():
        yield "four bytes", offset
