"""Ports, sources, sensors and regions packed into sorted integer keys, and unpacked again."""

from __future__ import annotations

import numpy as np

REGION_SHIFT = 32
"""Bit from which on a packed region stands above the source, ..."""

PORT_SHIFT = 39
"""... and a packed port above source and day."""


def pack_port(protocol: np.ndarray, port: np.ndarray) -> np.ndarray:
    """Return (n,) uint64 keys that order ports by protocol, then number."""
    return (protocol.astype(np.uint64) << np.uint64(16)) | port.astype(np.uint64)


def unpack_port(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return protocol (uint8) and port (uint16) of keys made by ``pack_port``."""
    return (packed >> np.uint64(16)).astype(np.uint8), (packed & np.uint64(0xFFFF)).astype(np.uint16)


def pack_port_cells(block: int, sensor: np.ndarray, port: np.ndarray) -> np.ndarray:
    """Return (n,) uint64 keys: port (24 bits), 7-day block (8 bits), index of the sensor (16 bits)."""
    return (port << np.uint64(24)) | np.uint64(block << 16) | sensor.astype(np.uint64)


def unpack_port_cells(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return port key (uint64), 7-day block (int64) and sensor index (int64) of ``pack_port_cells``."""
    block = ((packed >> np.uint64(16)) & np.uint64(0xFF)).astype(np.int64)
    return packed >> np.uint64(24), block, (packed & np.uint64(0xFFFF)).astype(np.int64)


def pack_port_source(port: np.ndarray, source: np.ndarray, day: int) -> np.ndarray:
    """Return (n,) uint64 keys: port (24 bits), source (32 bits), day of the quarter (7 bits), 0 the first."""
    return (port << np.uint64(PORT_SHIFT)) | (source << np.uint64(7)) | np.uint64(day)


def port_of_source(packed: np.ndarray) -> np.ndarray:
    """Return the port keys (uint64) of ``pack_port_source``."""
    ports: np.ndarray = packed >> np.uint64(PORT_SHIFT)
    return ports


def source_of(packed: np.ndarray) -> np.ndarray:
    """Return the sources (uint64) of ``pack_port_source``."""
    sources: np.ndarray = (packed >> np.uint64(7)) & np.uint64(0xFFFFFFFF)
    return sources


def first_day_of(packed: np.ndarray) -> np.ndarray:
    """Return the day of the quarter (int64) on which each key of ``pack_port_source`` was first seen."""
    return (packed & np.uint64(0x7F)).astype(np.int64)


def region_code(region: str) -> int:
    """Return the 16 bits that stand for a two-letter region: its letters."""
    return int.from_bytes(region.encode("ascii"), "big")


def region_of_code(code: int) -> str:
    """Return the region of a code made by ``region_code``."""
    return code.to_bytes(2, "big").decode("ascii")


def is_region(name: str) -> bool:
    """Say whether ``name`` is a two-letter code, as against reserved, available or undelegated space."""
    return len(name) == 2 and name.isascii() and name.isalpha() and name.isupper()
