"""Darknet packets, as fast as they can be read: Mirai, ZMap and masscan SYNs, UDP, TCP answers, as a /16 sees them.

    python benchmarks/traffic.py --packets N [--first UNIX_SECONDS] [--rate 10e6] [--seed 0] [--packed] > capture

``--rate`` is packets a day. A few sources send most, ports are half popular and half at random; hardly two packets
of an hour share source and port, which is the dearest case for all that groups them. Records go out in order of time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import numba
import numpy as np

DAY = 86_400_000_000
"""Microseconds."""
FIRST = 1_672_498_800
"""2023-01-01 00:00 in Tokyo."""
NETWORK = 0xCB007100
"""Of the addresses written to: 65,536 from 203.0.113.0 on."""
_BLOCK = 1 << 17
_LONGEST = 16 + 74
_DRAWS = 1 << 22
HEADER = np.array([0xA1B2C3D4, 0x00040002, 0, 0, 65535, 1], "<u4").tobytes()


@cache
def _tables() -> tuple[Any, Any]:
    """Return draws of source addresses and of destination ports, from which packets draw again."""
    rng = np.random.default_rng(20230101)
    sources = (rng.zipf(1.2, _DRAWS).astype(np.uint64) * 2_654_435_761 % (1 << 32)).astype(np.uint32)
    common = np.array([23, 6379, 37215, 22, 80, 443, 445, 2323, 8080, 3389, 5555, 81], np.uint16)
    popular = common[rng.zipf(1.5, _DRAWS) % len(common)]
    ports = np.where(rng.random(_DRAWS) < 0.6, popular, rng.integers(1, 65536, _DRAWS, np.uint16))
    return sources, ports


@numba.njit(cache=True)
def _write(out, count, moment, step, state, sources, ports, network, spread):  # type: ignore[no-untyped-def]
    """Write ``count`` records into ``out``; return bytes written and the generator's next state."""
    place = 0
    for number in range(count):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        first = state * np.uint64(0x2545F4914F6CDD1D)
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        second = state * np.uint64(0x2545F4914F6CDD1D)
        kind = np.uint64(first >> np.uint64(57))
        source = np.uint64(sources[np.int64((first >> np.uint64(20)) & np.uint64(sources.size - 1))])
        port = np.uint64(ports[np.int64((second >> np.uint64(8)) & np.uint64(ports.size - 1))])
        target = np.uint64(network) + ((first >> np.uint64(3)) & np.uint64(spread - 1))
        sequence = second >> np.uint64(32)
        ident = (first >> np.uint64(41)) & np.uint64(0xFFFF)
        window = (second >> np.uint64(16)) & np.uint64(0xFFFF)
        udp, flags = False, np.uint64(2)
        if kind < 58:
            sequence = target
        elif kind < 77:
            ident = np.uint64(54321)
        elif kind < 96:
            ident, window = (target ^ port ^ sequence) & np.uint64(0xFFFF), np.uint64(1024)
        elif kind < 109:
            udp = True
        elif kind < 122:
            flags = np.uint64(0x12)
        length = 74 if udp else 60
        micro = moment + number * step
        seconds, rest = micro // 1_000_000, micro % 1_000_000
        for byte in range(4):
            out[place + byte] = (seconds >> (8 * byte)) & 255
            out[place + 4 + byte] = (rest >> (8 * byte)) & 255
            out[place + 8 + byte] = out[place + 12 + byte] = (length >> (8 * byte)) & 255
        frame = place + 16
        for byte in range(length):
            out[frame + byte] = 0
        out[frame], out[frame + 5], out[frame + 6], out[frame + 11] = 2, 1, 2, 2
        out[frame + 12], out[frame + 14], out[frame + 17] = 8, 0x45, 60 if udp else 40
        out[frame + 18], out[frame + 19] = ident >> np.uint64(8), ident & np.uint64(255)
        out[frame + 22] = 30 + (second & np.uint64(63))
        out[frame + 23] = 17 if udp else 6
        for byte in range(4):
            shift = np.uint64(24 - 8 * byte)
            out[frame + 26 + byte] = (source >> shift) & np.uint64(255)
            out[frame + 30 + byte] = (target >> shift) & np.uint64(255)
            out[frame + 38 + byte] = (sequence >> shift) & np.uint64(255)
        out[frame + 34], out[frame + 35] = 128 + (sequence & np.uint64(127)), (first >> np.uint64(12)) & np.uint64(255)
        out[frame + 36], out[frame + 37] = port >> np.uint64(8), port & np.uint64(255)
        out[frame + 46], out[frame + 47] = 0x50, flags
        out[frame + 48], out[frame + 49] = window >> np.uint64(8), window & np.uint64(255)
        place = frame + length
    return place, state


def records(
    packets: int, *, first: int = FIRST, rate: float = 10e6, seed: int = 0, network: int = NETWORK, spread: int = 65536
) -> Iterator[memoryview]:
    """Yield a pcap file piece by piece; each piece overwrites the one before.

    Args:
        first: seconds since 1970 of the first record.
        rate: packets a day.
        seed: another one gives other packets.
        network, spread: first address written to, and how many, a power of two.
    """
    out = np.empty(_BLOCK * _LONGEST, np.uint8)
    sources, ports = _tables()
    state: Any = np.uint64((seed * 2 + 1) * 0x9E3779B97F4A7C15 % (1 << 64))
    step = max(1, int(DAY / rate))
    yield memoryview(HEADER)
    for done in range(0, packets, _BLOCK):
        count = min(_BLOCK, packets - done)
        moment = first * 1_000_000 + done * step
        size, state = _write(out, count, moment, step, np.uint64(state), sources, ports, network, spread)
        yield out[:size].data


def packed(pieces: Iterator[memoryview], level: int = 1) -> Iterator[bytes]:
    """Yield the same as gzip."""
    from isal import isal_zlib

    pack = isal_zlib.compressobj(level, wbits=31)
    for piece in pieces:
        yield pack.compress(piece)
    yield pack.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, required=True)
    parser.add_argument("--first", type=int, default=FIRST)
    parser.add_argument("--rate", type=float, default=10e6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--packed", action="store_true", help="as gzip")
    options = parser.parse_args()
    pieces = records(options.packets, first=options.first, rate=options.rate, seed=options.seed)
    for piece in packed(pieces) if options.packed else pieces:
        sys.stdout.buffer.write(piece)


if __name__ == "__main__":
    main()
