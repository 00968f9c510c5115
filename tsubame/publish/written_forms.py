"""Every way in which an address may stand in text and in bytes.

Dotted text (also reversed, with dashes, spaces or commas, defanged, without dots, with its last part left out), decimal
and hexadecimal numbers, bits, digests, base64 of any of these; text also as HTML, JSON and URLs escape it and as
drawings spell it glyph by glyph. In bytes: printable runs in UTF-8 and UTF-16, and every four bytes as a number.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

import numpy as np

from tsubame.publish.sensor_networks import Addresses, Networks

Found = tuple[str, int]
"""How an address stands, and the place of its first character or byte."""

_DOTTED = re.compile(
    r"(?<![\d.])(\d{1,3})(?P<sep>\.|-|_|\[\.\]|\(\.\)|%2[eE]|[ ,;|\t]|[,;.] |, ?\n ?|::?)(\d{1,3})(?P=sep)(\d{1,3})"
    r"(?P=sep)(\d{1,3})(?!\d)(?:/(?P<length>\d{1,2})(?!\d))?"
)
_PLAIN_SEPARATORS = frozenset((".", "-", "_", "[.]", "(.)", "%2e", "%2E"))
_CUT = re.compile(r"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(?:[xX*]+)(?![\w.])")
_TWELVE = re.compile(r"(?<![\w.])(\d{3})(\d{3})(\d{3})(\d{3})(?![\w.]*\d)")
_DECIMAL = re.compile(r"(?<![\w.])(-?\d{7,10})(?:\.0+)?(?![\w.]*\d)")
_GROUPED = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3}){2,3})(?![\w.,]*\d)")
_POWER = re.compile(r"(?<![\w.])(\d\.\d{6,9})[eE]\+?0?([6-9])(?!\d)")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0[xX]|\\x)?([0-9A-Fa-f]{8})(?![0-9A-Za-z])")
_HEX_BYTES = re.compile(
    r"(?<![0-9A-Fa-f])([0-9A-Fa-f]{2})([: ]|\\x)([0-9A-Fa-f]{2})\2([0-9A-Fa-f]{2})\2([0-9A-Fa-f]{2})(?![0-9A-Fa-f])"
)
_MAPPED = re.compile(r"(?i)(?:::ffff|64:ff9b:)(?::0)?:([0-9a-f]{1,4}):([0-9a-f]{1,4})(?![0-9a-f:])")
_BITS = re.compile(r"(?<![01])(?:0b)?([01]{32})(?![01])")
_DIGEST = re.compile(r"(?<![0-9A-Za-z])([0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})(?![0-9A-Za-z])")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])([A-Za-z0-9+/_-]{6,}={0,2})(?![A-Za-z0-9+/_=-])")
_MIXED = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])")
_LEAST_UNPADDED = 12
_ESCAPED = re.compile(r"\\u[0-9A-Fa-f]{4}")
_STROKES = re.compile(r"\b(?:d|points|transform|viewBox)=\"[^\"]*\"")
_GLYPH = re.compile(r"#[A-Za-z][\w-]*?-([0-9a-f]{2,5})\"[^>]*/>")
_PRINTABLE = re.compile(rb"[\x20-\x7e]{7,}")
_WIDE = re.compile(rb"(?:[\x20-\x7e]\x00){7,}|(?:\x00[\x20-\x7e]){7,}")
_SHORT_BYTES = 64
_LARGEST_INDEX = 128


def scan_text(text: str, known: Networks) -> Iterator[Found]:
    """Yield every place of a text, as it stands and as its escapes and its glyphs read, that names a sensor."""
    yield from _scan_plain(text, known)
    for name, reading in _readings(text):
        yield from ((f"{form}, {name}", 0) for form, _ in _scan_plain(reading, known))
    yield from _scan_base64(text, known)


def _readings(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a text says once its escapes are undone, where that differs."""
    if "&" in text and (plain := html.unescape(text)) != text:
        yield "written in HTML", plain
    if "%" in text and (plain := unquote(text)) != text:
        yield "written as in a URL", plain
    if "\\u" in text:
        yield "written in JSON", _ESCAPED.sub(lambda match: chr(int(match[0][2:], 16)), text)
    if not text.isascii() and (plain := unicodedata.normalize("NFKC", text)) != text:
        yield "in other digits", plain
    glyphs = _GLYPH.findall(text)
    if glyphs:
        yield "drawn glyph by glyph", "".join(map(_glyph, glyphs))


def _glyph(code: str) -> str:
    number = int(code, 16)
    return chr(number) if number < 0x110000 else " "


def scan_drawing(text: str, known: Networks) -> Iterator[Found]:
    """Yield the places of a text that draws: four numbers side by side are two points there."""
    yield from scan_text(_STROKES.sub(lambda match: match[0].replace(" ", "\n"), text), known)


def _scan_plain(text: str, known: Networks) -> Iterator[Found]:
    yield from _scan_dotted(text, known)
    for match in _DECIMAL.finditer(text):
        if known.hold_number(_unsigned(match[1]), plain=True):
            yield "decimal number", match.start()
    for match in _GROUPED.finditer(text):
        if known.hold_number(int(match[1].replace(",", "")), plain=True):
            yield "decimal number", match.start()
    for match in _POWER.finditer(text):
        if known.hold_number(round(float(match[1]) * 10 ** int(match[2])), plain=True):
            yield "decimal number", match.start()
    for match in _HEX.finditer(text):
        if known.hold_number(int(match[1], 16)):
            yield "hexadecimal number", match.start()
    for match in _HEX_BYTES.finditer(text):
        if known.hold_number(int("".join(match.group(1, 3, 4, 5)), 16)):
            yield "hexadecimal bytes", match.start()
    for match in _MAPPED.finditer(text):
        if known.hold_number((int(match[1], 16) << 16) | int(match[2], 16)):
            yield "IPv6 address", match.start()
    for match in _BITS.finditer(text):
        if known.hold_number(int(match[1], 2)):
            yield "bits", match.start()
    for match in _DIGEST.finditer(text):
        if match[1].lower() in known.digests:
            yield "digest", match.start()


def _scan_dotted(text: str, known: Networks) -> Iterator[Found]:
    for match in _DOTTED.finditer(text):
        parts = [int(match[group]) for group in (1, 3, 4, 5)]
        plain = match["sep"] in _PLAIN_SEPARATORS
        # Four small numbers side by side are rather a row of counts.
        if max(parts) > 255 or (not plain and max(parts) < 32):
            continue
        address = int.from_bytes(bytes(parts), "big")
        if _names_sensor(address, match["length"], known):
            yield "dotted text" if plain else "four numbers", match.start()
        elif match["length"] is None and known.hold_number(int.from_bytes(bytes(parts), "little")):
            yield "reversed dotted text" if plain else "four numbers", match.start()
    for match in _CUT.finditer(text):
        parts = [int(match[group]) for group in (1, 2, 3)]
        if max(parts) <= 255 and _names_sensor(int.from_bytes(bytes([*parts, 0]), "big"), "24", known):
            yield "dotted text", match.start()
    for match in _TWELVE.finditer(text):
        parts = [int(each) for each in match.groups()]
        if max(parts) <= 255 and known.hold_number(int.from_bytes(bytes(parts), "big")):
            yield "text without dots", match.start()


def _unsigned(text: str) -> int:
    """Read a number; a negative one is that of a signed column, an address from 128.0.0.0 on."""
    number = int(text)
    return number + 2**32 if number < 0 else number


def _names_sensor(address: int, length: str | None, known: Networks) -> bool:
    if length is None or int(length) >= 32:
        return known.hold(address)
    bits = int(length)
    first = address & (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF
    return known.named_by(first, first + 2 ** (32 - bits) - 1, bits)


def numbers_of(text: str) -> Addresses:
    """Return the numbers of a text that may be addresses combined with something: decimal, hexadecimal, dotted."""
    found = [each for match in _DECIMAL.finditer(text) if (each := _unsigned(match[1])) < 2**32]
    found += [int(match[1], 16) for match in _HEX.finditer(text)]
    for match in _DOTTED.finditer(text):
        parts = [int(match[group]) for group in (1, 3, 4, 5)]
        if match["sep"] == "." and max(parts) <= 255:
            found.append(int.from_bytes(bytes(parts), "big"))
    return np.array(found, np.uint64)


def _scan_base64(text: str, known: Networks) -> Iterator[Found]:
    """Search what a text holds in base64: text, and bytes as they are."""
    for match in _BASE64.finditer(text):
        code = match[1].rstrip("=").replace("-", "+").replace("_", "/")
        padded = len(code) < len(match[1])
        # Every plain word would do for base64, too.
        if len(code) % 4 == 1 or not (padded or (len(code) >= _LEAST_UNPADDED and _MIXED.match(code))):
            continue
        try:
            content = base64.b64decode(code + "=" * (-len(code) % 4), validate=True)
        except binascii.Error:
            continue
        if any(True for _ in scan_decoded(content, known)):
            yield "base64", match.start()


def scan_decoded(content: bytes, known: Networks) -> Iterator[Found]:
    """Search bytes that came out of a text or a stream: printable runs, and numbers.

    A short piece is searched at every byte. A long one is a column of a page's data: it is read as 32-bit numbers,
    unless all of its bytes are places in a list.
    """
    yield from scan_printable(content, known)
    if len(content) <= _SHORT_BYTES:
        yield from _scan_words(content, known)
        return
    if max(content) < _LARGEST_INDEX:
        return
    aligned = np.frombuffer(content[: len(content) // 4 * 4], "<u4").astype(np.uint64)
    for place in np.flatnonzero(known.hold_numbers(aligned, plain=True)).tolist():
        yield "four bytes", 4 * place


def scan_printable(content: bytes, known: Networks) -> Iterator[Found]:
    """Search the printable runs of a binary file, of one byte and of two bytes a character."""
    for match in _PRINTABLE.finditer(content):
        for form, offset in _scan_run(match[0].decode("ascii"), known):
            yield form, match.start() + offset
    for match in _WIDE.finditer(content):
        for form, offset in _scan_run(match[0].replace(b"\x00", b"").decode("ascii"), known):
            yield f"{form} in UTF-16", match.start() + 2 * offset


def _scan_run(text: str, known: Networks) -> Iterator[Found]:
    yield from _scan_plain(text, known)
    yield from _scan_base64(text, known)


def scan_bytes(content: bytes, known: Networks) -> Iterator[Found]:
    """Search a binary file: its printable runs, and every four bytes of it."""
    yield from scan_printable(content, known)
    yield from _scan_words(content, known)


def _scan_words(content: bytes, known: Networks) -> Iterator[Found]:
    if len(content) < 4:
        return
    octets = np.frombuffer(content, np.uint8).astype(np.uint64)
    words = (
        (octets[:-3] << np.uint64(24)) | (octets[1:-2] << np.uint64(16)) | (octets[2:-1] << np.uint64(8)) | octets[3:]
    )
    for offset in np.flatnonzero(known.hold_numbers(words)).tolist():
        yield "four bytes", offset
