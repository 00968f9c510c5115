import bz2
import gzip
import io
import lzma

import lz4.frame
import pytest
import zstandard

from tsubame.capture.compression import open_plain
from tsubame.capture.deflate import open_member
from tsubame.capture.zstd import _libzstd

CONTENT = b"".join(number.to_bytes(4, "little") * 3 + bytes(20) for number in range(40_000))


def make_zstd(content):
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


PACKERS = {
    "gz": lambda content: gzip.compress(content, 1),
    "zst": make_zstd,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lz4.frame.compress,
}


class Trickle(io.RawIOBase):
    """Gives a few bytes at a time, as a socket may."""

    def __init__(self, content, step):
        self._stream = io.BytesIO(content)
        self._step = step

    def readinto(self, buffer):
        return self._stream.readinto(memoryview(buffer)[: self._step])


@pytest.fixture(params=["direct", "by python"], autouse=True)
def way(request, monkeypatch):
    """Inflate with the libraries' own functions, and with their Python interfaces alone."""
    if request.param == "by python":
        monkeypatch.setattr("tsubame.capture.compression.open_member", lambda: None)
        monkeypatch.setattr("tsubame.capture.zstd._libzstd", lambda: None)
    else:
        assert open_member() is not None
        assert _libzstd() is not None
    return request.param


def inflate(content, step=1 << 20):
    source, sources, names = open_plain(Trickle(content, step))
    buffer = memoryview(bytearray(100_000))
    out = bytearray()
    while size := source.read_into(buffer):
        out += buffer[:size]
    return bytes(out), sources, names


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_content_comes_back(name, step):
    content = CONTENT if step > 1 else CONTENT[:3000]
    out, sources, names = inflate(PACKERS[name](content), step)
    assert out == content
    assert names == [name]
    assert not any(source.truncated or source.error or source.unread for source in sources)


@pytest.mark.parametrize("name", PACKERS)
def test_members_and_frames_follow_one_another(name):
    pack = PACKERS[name]
    out, sources, _ = inflate(pack(CONTENT) + pack(b"") + pack(b"tail"))
    assert out == CONTENT + b"tail"
    assert not any(source.truncated or source.error for source in sources)


def test_compressions_inside_one_another_are_looked_through():
    out, _, names = inflate(gzip.compress(make_zstd(bz2.compress(CONTENT))))
    assert (out, names) == (CONTENT, ["gz", "zst", "bz2"])


def test_zeros_after_gzip_are_padding():
    out, sources, _ = inflate(gzip.compress(CONTENT) + bytes(1000))
    assert out == CONTENT
    assert not any(source.error or source.unread for source in sources)


@pytest.mark.parametrize("name", PACKERS)
def test_other_bytes_behind_the_stream_are_counted(name):
    out, sources, _ = inflate(PACKERS[name](CONTENT) + b"x" * 1000)
    assert out == CONTENT
    assert sum(source.unread for source in sources) == 1000
    assert any(source.error for source in sources)


def test_zstd_skips_skippable_frames():
    skippable = b"\x50\x2a\x4d\x18" + (200_000).to_bytes(4, "little") + bytes(200_000)
    out, sources, names = inflate(skippable + make_zstd(CONTENT) + skippable, 1000)
    assert (out, names) == (CONTENT, ["zst"])
    assert not any(source.truncated or source.error for source in sources)


@pytest.mark.parametrize("name", PACKERS)
def test_a_cut_stream_gives_a_beginning_and_says_that_it_is_cut(name):
    packed = PACKERS[name](CONTENT)
    for cut in {len(packed) * part // 7 for part in range(1, 7)} | {len(packed) - 1}:
        out, sources, _ = inflate(packed[:cut])
        assert CONTENT.startswith(out)
        assert any(source.truncated for source in sources)


@pytest.mark.parametrize("name", ["gz", "zst"])
def test_damage_costs_nothing_that_precedes_it(name):
    # Incompressible content: where the damage lies in the packed stream, it lies in the content.
    import random

    content = random.Random(1).randbytes(1_000_000)
    packed = bytearray(PACKERS[name](content))
    middle = len(packed) // 2
    packed[middle : middle + 4000] = bytes(4000)
    out, sources, _ = inflate(bytes(packed))
    assert any(source.error for source in sources)
    # Stored blocks carry no check of their own: what differs can only come from the damage on.
    assert out[:400_000] == content[:400_000]
