"""What the files of an edition hold, whatever they are packed in: each kind is opened, and searched as what it is.

Text as it stands; tables row by row and column by column; Parquet by its values and metadata; pictures by their
words; PDF by its inflated streams and by the words that a reader sees; compressed files by what they hold. A
compressed byte means nothing, so it is not compared with anything.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.publish.packet_tables import columns_of_csv, read_json, scan_columns, tables_in_json
from tsubame.publish.sensor_networks import Addresses, Networks
from tsubame.publish.written_forms import (
    Found,
    numbers_of,
    scan_bytes,
    scan_drawing,
    scan_printable,
    scan_text,
)

_PICTURES_AND_FONTS = (b"\xff\xd8\xff", b"GIF8", b"wOFF", b"wOF2", b"\x00\x01\x00\x00", b"OTTO", b"\x00\x00\x01\x00")
_PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"pHYs", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD")
_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
_WIDE_TEXT = re.compile(rb"\xfe\xff(?:(?!\)).){8,}|<(?:FEFF|feff)([0-9A-Fa-f\s]+)>", re.DOTALL)
_DEEPEST = 5
_ADDRESS_SHIFTS = (0, 16, 32)


def scan_file(content: bytes, known: Networks, depth: int = 0) -> Iterator[Found]:
    """Yield how and where a file gives a sensor's address away."""
    if depth > _DEEPEST:
        yield "files packed into files too deep to search", 0
    elif content[:4] == b"PAR1":
        yield from _scan_parquet(content, known)
    elif content[:8] == _PNG:
        yield from _scan_png(content, known)
    elif content[:5] == b"%PDF-":
        yield from _scan_pdf(content, known, depth)
    elif content.startswith(_PICTURES_AND_FONTS):
        yield from scan_printable(content, known)
    elif (members := _unpacked(content)) is not None:
        for name, member in members:
            yield from scan_text(name, known)
            yield from scan_file(member, known, depth + 1)
    else:
        yield from _scan_plain_file(content, known)


def _unpacked(content: bytes) -> list[tuple[str, bytes]] | None:
    """Return names and contents of what is packed in a file; None where nothing is.

    A file that only looks like one is searched as it is.
    """
    try:
        if content[:2] == b"\x1f\x8b":
            # The header holds a name and a comment in plain text.
            return [(content[3:300].decode("latin-1"), gzip.decompress(content))]
        if content[:3] == b"BZh":
            return [("", bz2.decompress(content))]
        if content[:6] == b"\xfd7zXZ\x00":
            return [("", lzma.decompress(content))]
        if content[:4] == b"\x28\xb5\x2f\xfd":
            import zstandard

            return [("", zstandard.ZstdDecompressor().decompressobj().decompress(content))]
        if content[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                comment = archive.comment.decode("latin-1")
                return [("", comment.encode()), *((name, archive.read(name)) for name in archive.namelist())]
        if content[:1] == b"\x78" and len(content) > 1 and int.from_bytes(content[:2], "big") % 31 == 0:
            return [("", zlib.decompress(content))]
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError):
        return None
    return None


def _scan_plain_file(content: bytes, known: Networks) -> Iterator[Found]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        yield from scan_bytes(content, known)
        return
    drawing = "<svg" in text[:2000]
    yield from (scan_drawing if drawing else scan_text)(text, known)
    if "\x00" in text:
        yield from scan_bytes(content, known)
    if known.hold_masked(numbers_of(text)):
        yield "numbers that hide addresses behind one number", 0
    if text.lstrip()[:1] in ("{", "["):
        value = read_json(text)
        for columns in tables_in_json(value):
            yield from scan_columns(columns, known)
    elif "," in text[: text.find("\n")] and "<" not in text[:200]:
        yield from scan_columns(columns_of_csv(content), known)


def _scan_parquet(content: bytes, known: Networks) -> Iterator[Found]:
    file = pq.ParquetFile(io.BytesIO(content))
    table = file.read()
    for metadata in (file.metadata.metadata, *(field.metadata for field in table.schema)):
        for name, value in (metadata or {}).items():
            if name != b"ARROW:schema":
                yield from scan_text((name + b" " + value).decode("utf-8", "replace"), known)
    whole: dict[str, list[int]] = {}
    for name in table.column_names:
        column = _plain_column(table.column(name))
        yield from scan_text(name, known)
        yield from ((f"column {name}", row) for row in _rows_with_addresses(column, known))
        if pa.types.is_integer(column.type):
            whole[name] = [value if value is not None and abs(value) < 2**63 else -1 for value in column.to_pylist()]
            if known.hold_masked(_below(whole[name])):
                yield f"column {name}, which hides addresses behind one number", 0
    yield from scan_columns(whole | {name: [] for name in table.column_names if name not in whole}, known)


def _below(values: list[int]) -> Addresses:
    return np.array([value & 0xFFFFFFFF for value in values if -(2**31) <= value < 2**32], np.uint64)


def _plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without its dictionary, instants as seconds and other times as the numbers they are."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s", column.type.tz), safe=False)
    if pa.types.is_temporal(column.type):
        return column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
    return column


def _rows_with_addresses(column: pa.ChunkedArray, known: Networks) -> list[int]:
    kind = column.type
    if pa.types.is_nested(kind):
        rows = ((row, str(value)) for row, value in enumerate(column.to_pylist()))
        return [row for row, text in rows if any(True for _ in scan_text(text, known))]
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers_with_addresses(column, known)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        values: list[Any] = column.to_pylist()
        return [row for row, value in enumerate(values) if value and any(True for _ in scan_bytes(value, known))]
    texts = column.cast(pa.string()).to_pylist()
    found = {text for text in set(texts) if text and any(True for _ in scan_text(text, known))}
    return [row for row, text in enumerate(texts) if text in found] if found else []


def _numbers_with_addresses(column: pa.ChunkedArray, known: Networks) -> list[int]:
    numbers = [
        (row, int(value))
        for row, value in enumerate(column.to_pylist())
        if value is not None and -(2**63) <= value < 2**64 and value == int(value)
    ]
    narrow = [(row, value & 0xFFFFFFFF) for row, value in numbers if -(2**31) <= value < 2**32]
    # A wider number may hold an address beside a port, or above one.
    wide = [
        (row, part)
        for row, value in numbers
        if value >= 2**33
        for shift in _ADDRESS_SHIFTS
        if (part := (value >> shift) & 0xFFFFFFFF) >= 2**24
    ]
    found: set[int] = set()
    for pairs in (narrow, wide):
        values = np.array([value for _, value in pairs], np.uint64)
        hits = known.hold_numbers(values, plain=True) if pairs is narrow else _exactly(values, known)
        found |= {row for (row, _), hit in zip(pairs, hits.tolist(), strict=True) if hit}
    return sorted(found)


def _exactly(values: Addresses, known: Networks) -> np.ndarray:
    """Compare parts of wide numbers in host order alone: there are many parts."""
    return np.array([known.hold_number(int(v), plain=True) for v in values], np.bool_)


def _scan_png(content: bytes, known: Networks) -> Iterator[Found]:
    """Search all chunks but the picture itself; it is drawn from the same labels as the SVG beside it."""
    offset = 8
    while offset + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, offset)
        kind, body = content[offset + 4 : offset + 8], content[offset + 8 : offset + 8 + length]
        if kind not in _PIXELS:
            for form, _ in _scan_chunk(body, known):
                yield form, offset
        offset += 12 + length
    if offset < len(content):
        for form, place in scan_bytes(content[offset:], known):
            yield form, offset + place


def _scan_chunk(body: bytes, known: Networks) -> Iterator[Found]:
    """Search a chunk as it is, and what is compressed behind its keyword."""
    yield from scan_bytes(body, known)
    yield from scan_text(body.decode("latin-1"), known)
    rest = body.partition(b"\x00")[2]
    for start in range(min(len(rest), 64)):
        inner = _inflated(rest[start:]) if rest[start : start + 1] == b"\x78" else b""
        if inner:
            yield from scan_bytes(inner, known)
            yield from scan_text(inner.decode("latin-1"), known)
            return


def _scan_pdf(content: bytes, known: Networks, depth: int) -> Iterator[Found]:
    """Search objects, inflated streams, files that are attached, and the words and notes of every page."""
    yield from _scan_pdf_bytes(content, known)
    for match in _STREAM.finditer(content):
        stream = _inflated(match[1]) or match[1]
        for form, _ in _scan_pdf_bytes(stream, known):
            yield form, match.start()
    try:
        words = list(_pdf_words(content))
    except RuntimeError:  # PDFium cannot read it: what is not compressed has been searched all the same.
        return
    for page, (text, attached) in enumerate(words):
        for form, _ in (*scan_text(text, known), *scan_text(text.replace("\n", "").replace("\r", ""), known)):
            yield f"{form} on a page", page
        if attached:
            yield from scan_file(attached, known, depth + 1)


def _scan_pdf_bytes(content: bytes, known: Networks) -> Iterator[Found]:
    # Four numbers side by side are a place on the page.
    yield from scan_text(content.decode("latin-1").replace(" ", "\n"), known)
    for match in _WIDE_TEXT.finditer(content):
        wide = bytes.fromhex(re.sub(r"\s", "", match[1].decode())[: len(match[1]) // 4 * 4]) if match[1] else match[0]
        yield from scan_text(wide.removeprefix(b"\xfe\xff").decode("utf-16-be", "replace"), known)


def _pdf_words(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the text of metadata, bookmarks and pages, and the files attached."""
    import pypdfium2

    document = pypdfium2.PdfDocument(content)
    try:
        yield " ".join(map(str, document.get_metadata_dict().values())), b""
        yield " ".join(str(mark.get_title()) for mark in document.get_toc()), b""
        for place in range(document.count_attachments()):
            attachment = document.get_attachment(place)
            yield str(attachment.get_name()), bytes(attachment.get_data())
        for page in document:
            yield page.get_textpage().get_text_range(), b""
    finally:
        document.close()


def _inflated(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content)
    except zlib.error:
        return b""
