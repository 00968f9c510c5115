"""Telling containers apart by their first bytes."""

from __future__ import annotations

from typing import Any

from tsubame.capture.blocks import BLOCK_ROWS
from tsubame.capture.compression import open_plain
from tsubame.capture.pcap import PcapReader, is_pcap
from tsubame.capture.pcapng import PcapngReader, is_pcapng
from tsubame.capture.reader import CaptureReader
from tsubame.capture.window import Window
from tsubame.errors import UnsupportedCapture

_EXPECTED = "pcap or pcapng, plain or in gz, zst, bz2, xz or lz4"
#: What other files begin with, so that the message can say what was found.
FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"snoop\0\0\0", "a snoop capture"),
    (b"GMBU", "a Microsoft Network Monitor capture"),
    (b"RTSS", "a Microsoft Network Monitor capture"),
    (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "nothing but zeros"),
    (b"TRSNIFF data", "a Sniffer capture"),
    (b"XCP\0", "a NetXRay capture"),
    (b"btsnoop\0", "a btsnoop capture"),
    (b"\x1f\x9d", "a compress (.Z) file"),
    (b"\x02\x21\x4c\x18", "a legacy lz4 file"),
    (b"\x5d\x00\x00", "an lzma file of the old form"),
    (b"LZIP", "an lzip file"),
    (b"\x89PNG", "a PNG picture"),
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet file"),
    (b"\x7fELF", "an ELF program"),
    (b"-----BEGIN PGP", "an encrypted PGP message"),
    (b"Salted__", "content encrypted by OpenSSL"),
    (b"age-encryption.org", "content encrypted by age"),
)


def describe(head: bytes) -> str:
    """Say in a few words what a file seems to be that begins with ``head``."""
    for magic, name in FOREIGN:
        if head.startswith(magic):
            return name
    if not head:
        return "nothing"
    if head and all(byte in b"\t\r\n\f" or 32 <= byte < 127 for byte in head):
        return f"text beginning {head[:12].decode('ascii')!r}"
    return f"bytes {head[:8].hex(' ')}"


def recognise(
    stream: Any, *, key: str, sensor: tuple[int, int] | None, block_rows: int | None, most_records: int
) -> CaptureReader:
    """Return the reader of the container that ``stream`` holds.

    Raises:
        UnsupportedCapture: it holds none that is supported.
    """
    source, sources, names = open_plain(stream)
    window = Window(source)
    window.slide(0, 24)
    head = window.bytes[: min(window.filled, 32)].tobytes()
    arguments = (window, sources, tuple(names), sensor, block_rows or BLOCK_ROWS, most_records)
    if is_pcap(head):
        return PcapReader(*arguments)
    if is_pcapng(head):
        return PcapngReader(*arguments)
    inside = f" inside {' inside '.join(reversed(names))}" if names else ""
    broken = next((s.error for s in sources if s.error), None)
    raise UnsupportedCapture(
        "is no capture",
        key=key,
        offset=0,
        expected=_EXPECTED,
        actual=describe(head) + inside + (f" ({broken})" if broken else ""),
        hint="Remove it, or convert it with editcap.",
    )
