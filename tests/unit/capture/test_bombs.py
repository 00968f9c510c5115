"""Small files that inflate to much more than fits anywhere."""

import bz2
import gzip
import io
import lzma
import struct
import subprocess
import sys
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from tsubame.capture.reader import open_capture

PACKERS = {
    "gz": lambda content: gzip.compress(content, 1),
    "zst": zstandard.compress,
    "bz2": bz2.compress,
    "xz": lambda content: lzma.compress(content, preset=1),
    "lz4": lz4.frame.compress,
}
BOMB = bytes(200_000_000)


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_is_inflated_in_small_pieces(name, bombs):
    """200 MB of zeros, by what the process holds at its most, whoever allocated it."""
    said = subprocess.run(
        [sys.executable, "-c", BOMB_PROGRAM, bombs / f"bomb.{name}"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    total, grown = map(int, said.stdout.split())
    assert total == len(BOMB)
    # xz's own dictionary is 8 MB.
    assert grown < 16_000_000


def test_a_bomb_of_empty_records_ends_at_the_limit():
    """A gigabyte of zeros behind a pcap header is 67 million records of no bytes, packed into a megabyte."""
    packed = gzip.compress(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1), 1)
    packed += gzip.compress(bytes(1 << 24), 1) * 64
    stream = io.BytesIO(packed)
    capture = open_capture(stream, key="bomb", most_records=100_000)
    assert sum(block.rejected for block in capture.blocks()) == capture.accounting.truncated_header
    assert 100_000 <= capture.accounting.records_read < 110_000
    assert "limit of 100000 records" in capture.accounting.error
    assert stream.tell() < len(packed) / 4


BOMB_PROGRAM = """
import resource, sys
from tsubame.capture.compression import open_plain

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

buffer = memoryview(bytearray(1 << 19))
with open(sys.argv[1], "rb", buffering=0) as stream:
    source, _, _ = open_plain(stream)
    total = source.read_into(buffer)
    before = peak()
    while size := source.read_into(buffer):
        total += size
print(total, peak() - before)
"""


@pytest.fixture(scope="session")
def bombs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bombs")
    for name in PACKERS:
        (folder / f"bomb.{name}").write_bytes(PACKERS[name](BOMB))
    return folder
