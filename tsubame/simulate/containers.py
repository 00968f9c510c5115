"""Packets -> the bytes of a capture object: link header, record framing, compression.

Source: pcap and pcapng as of draft-ietf-opsawg-pcap and -pcapng; LINKTYPE_ETHERNET 1, RAW 101, LINUX_SLL 113.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
import zstandard
from isal import igzip

from tsubame.simulate.packets import ETHERTYPE_ARP, Packets
from tsubame.simulate.scenario import SensorSpec

_LINK_TYPES = {"ethernet": 1, "vlan": 1, "raw": 101, "sll": 113}
_SHORTEST_ETHERNET = 60
_VLAN = 100


def suffix(sensor: SensorSpec) -> str:
    """Return how the names of a sensor's capture objects end."""
    container = "pcapng" if sensor.container == "pcapng" else "pcap"
    return f".{container}" + ("" if sensor.compression == "none" else f".{sensor.compression}")


def compress(content: bytes, compression: str) -> bytes:
    """Compress as the scenario says: ``none``, ``gz`` or ``zst``; equal input gives equal output."""
    if compression == "gz":
        return bytes(igzip.compress(content, 1, mtime=0))
    if compression == "zst":
        return zstandard.ZstdCompressor(level=1).compress(content)
    return content


def frame(packets: Packets, sensor: SensorSpec) -> tuple[bytes, npt.NDArray[np.int64]]:
    """Return the uncompressed capture file, and the offset at which each of its records ends.

    Args:
        packets: in file order.
        sensor: says container, link type and snaplen.
    """
    header, link_length = _link_headers(packets, sensor)
    original = link_length + packets.length
    if sensor.link in ("ethernet", "vlan"):
        original = np.maximum(original, _SHORTEST_ETHERNET)
    captured = np.minimum(original, sensor.snaplen)
    width = max(link_length + packets.content.shape[1], _SHORTEST_ETHERNET)
    body = np.zeros((len(packets), -(-width // 4) * 4), np.uint8)
    body[:, :link_length] = header
    body[:, link_length : link_length + packets.content.shape[1]] = packets.content
    if sensor.container == "pcapng":
        start, records, lengths = _frame_pcapng(packets.time, body, captured, original, sensor)
    else:
        start, records, lengths = _frame_pcap(packets.time, body, captured, original, sensor)
    inside = np.arange(records.shape[1])[None, :] < lengths[:, None]
    return start + records[inside].tobytes(), len(start) + np.cumsum(lengths)


def _link_headers(packets: Packets, sensor: SensorSpec) -> tuple[npt.NDArray[np.uint8], int]:
    number = zlib.crc32(sensor.id.encode()) & 0xFFFF
    # Locally administered addresses: no maker's.
    own, router = struct.pack(">HHH", 0x0200, 0, number), struct.pack(">HHH", 0x0200, 0xFFFF, number)
    kind = packets.ethertype.astype(">u2").view(np.uint8).reshape(-1, 2)
    if sensor.link == "raw":
        return np.zeros((len(packets), 0), np.uint8), 0
    if sensor.link == "sll":
        fixed = struct.pack(">HHH", 0, 1, 6) + router + b"\0\0"
    else:
        fixed = own + router
        if sensor.link == "vlan":
            fixed += struct.pack(">HH", 0x8100, _VLAN)
    header = np.empty((len(packets), len(fixed) + 2), np.uint8)
    header[:, :-2] = np.frombuffer(fixed, np.uint8)
    header[:, -2:] = kind
    if sensor.link != "sll":
        header[packets.ethertype == ETHERTYPE_ARP, :6] = 0xFF
    return header, len(fixed) + 2


_Framed = tuple[bytes, npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def _frame_pcap(
    time: npt.NDArray[np.int64],
    body: npt.NDArray[np.uint8],
    captured: npt.NDArray[np.int64],
    original: npt.NDArray[np.int64],
    sensor: SensorSpec,
) -> _Framed:
    order = ">" if sensor.container.endswith("-be") else "<"
    nano = "-ns" in sensor.container
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    start = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, sensor.snaplen, _LINK_TYPES[sensor.link])
    seconds, rest = np.divmod(time, 1_000_000_000)
    head = np.stack([seconds, rest if nano else rest // 1000, captured, original], axis=1)
    records = np.concatenate([head.astype(f"{order}u4").view(np.uint8).reshape(len(time), 16), body], axis=1)
    return start, records, 16 + captured


def _frame_pcapng(
    time: npt.NDArray[np.int64],
    body: npt.NDArray[np.uint8],
    captured: npt.NDArray[np.int64],
    original: npt.NDArray[np.int64],
    sensor: SensorSpec,
) -> _Framed:
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    # Option 9, if_tsresol: nanoseconds.
    interface = struct.pack("<IIHHIHHBxxxHHI", 1, 32, _LINK_TYPES[sensor.link], 0, sensor.snaplen, 9, 1, 9, 0, 0, 32)
    padded = -(-captured // 4) * 4
    lengths = 32 + padded
    zeros = np.zeros(len(time), np.int64)
    head = np.stack([zeros + 6, lengths, zeros, time >> 32, time & 0xFFFFFFFF, captured, original], axis=1)
    body[np.arange(body.shape[1])[None, :] >= captured[:, None]] = 0
    records = np.zeros((len(time), 28 + body.shape[1] + 4), np.uint8)
    records[:, :28] = head.astype("<u4").view(np.uint8).reshape(len(time), 28)
    records[:, 28:-4] = body
    closing = lengths.astype("<u4").view(np.uint8).reshape(len(time), 4)
    records[np.arange(len(time))[:, None], (28 + padded)[:, None] + np.arange(4)] = closing
    return section + interface, records, lengths
