"""A capture reader that shares nothing with the project: struct, gzip and zstandard only."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import zstandard

SCENARIOS = Path(__file__).parents[2] / "scenarios"


class Frame(NamedTuple):
    time: int  # ns since 1970
    ethertype: int
    packet: bytes
    original: int


def inflate(content: bytes) -> bytes:
    if content[:2] == b"\x1f\x8b":
        return gzip.decompress(content)
    if content[:4] == b"\x28\xb5\x2f\xfd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content


def records(content: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """Yield (time, link type, frame, original length) of every whole record."""
    if content[:4] == bytes.fromhex("0a0d0d0a"):
        at, link = 0, -1
        while at + 12 <= len(content):
            kind, length = struct.unpack_from("<II", content, at)
            if at + length > len(content):
                return
            assert struct.unpack_from("<I", content, at + length - 4)[0] == length
            if kind == 1:
                link = struct.unpack_from("<H", content, at + 8)[0]
            elif kind == 6:
                _, high, low, captured, original = struct.unpack_from("<IIIII", content, at + 8)
                yield (high << 32) + low, link, content[at + 28 : at + 28 + captured], original
            at += length
        return
    order = "<" if content[0] in (0xD4, 0x4D) else ">"
    magic, _, _, _, _, _, link = struct.unpack_from(f"{order}IHHiIII", content)
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    at = 24
    while at + 16 <= len(content):
        seconds, fraction, captured, original = struct.unpack_from(f"{order}IIII", content, at)
        if at + 16 + captured > len(content):
            return
        yield seconds * 10**9 + fraction * unit, link, content[at + 16 : at + 16 + captured], original
        at += 16 + captured


def frames(content: bytes) -> list[Frame]:
    found = []
    for time, link, data, original in records(inflate(content)):
        if link == 101:
            ethertype, packet = (0x0800 if data[0] >> 4 == 4 else 0x86DD), data
        else:
            start = {1: 12, 113: 14}[link]
            ethertype = int.from_bytes(data[start : start + 2], "big")
            if ethertype == 0x8100:
                start += 4
                ethertype = int.from_bytes(data[start : start + 2], "big")
            packet = data[start + 2 :]
        found.append(Frame(time, ethertype, packet, original))
    return found


@pytest.fixture(scope="session")
def read_frames():
    return frames


@pytest.fixture(scope="session")
def scenarios() -> Path:
    return SCENARIOS
