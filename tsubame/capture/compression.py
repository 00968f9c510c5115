"""Inflating by content, never by name: each compression is a reader of plain bytes over a reader of packed ones.

Every reader holds one piece of input and one of output, whatever the size of the stream, goes on over
concatenated members and frames, and yields every byte that precedes damage before it says so.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from tsubame.capture.damage import DamagedStream, first_line
from tsubame.capture.deflate import ZlibMember, open_member
from tsubame.capture.zstd import ZstdFrame, is_zstd

_PIECE_IN = 1 << 17
#: Bytes that a decompressor may leave while it waits for more: a few, of a header that is not whole.
_MOST_REST = 64
_PIECE_OUT = 1 << 18
_PIECE_BUFFERED = 1 << 10
#: Compressions inside one another that are looked through; more is a bomb, not a capture.
MOST_LAYERS = 3
_MAGIC_BYTES = 16


class Source(Protocol):
    """What bytes are read from."""

    @property
    def truncated(self) -> bool:
        """Whether it ended inside something."""

    @property
    def error(self) -> str | None:
        """What is wrong with it, if anything."""

    @property
    def unread(self) -> int:
        """Bytes that could not be made use of."""

    def read_into(self, buffer: memoryview) -> int:
        """Fill part of ``buffer`` and return how many bytes; 0 at the end."""


class PlainSource:
    """Reads a raw stream, with the bytes that were looked at put back in front."""

    def __init__(self, stream: io.RawIOBase, ahead: bytes = b"") -> None:
        self._stream = stream
        self._ahead = ahead
        self.truncated = False
        self.error: str | None = None
        self.unread = 0

    def read_into(self, buffer: memoryview) -> int:
        """Fill part of ``buffer`` and return how many bytes; 0 at the end."""
        if self._ahead:
            size = min(len(self._ahead), len(buffer))
            buffer[:size] = self._ahead[:size]
            self._ahead = self._ahead[size:]
            return size
        return self._stream.readinto(buffer) or 0


class Member(Protocol):
    """One member, frame or stream of a packed file."""

    @property
    def ended(self) -> bool:
        """Whether its end has been reached."""

    @property
    def left_over(self) -> bytes:
        """What it has taken beyond its end."""

    def inflate_into(self, packed: memoryview, plain: memoryview) -> tuple[int, int]:
        """Use some packed bytes, fill some of a buffer, and return how many of each; raises DamagedStream."""


class InflatingSource:
    """Reads what another source's bytes inflate to.

    Attributes:
        truncated: the packed stream ended inside a member or frame.
        error: what the decompressor said, once it could not go on.
        unread: packed bytes that were not inflated.
    """

    def __init__(self, inner: Source, name: str, make: Callable[[], Member], magic: Callable[[bytes], bool]) -> None:
        self._inner = inner
        self.name = name
        self._make = make
        self._is_magic = magic
        self._member = make()
        self._started = False
        self._input = memoryview(bytearray(_MOST_REST + _PIECE_IN))
        self._pending = self._input[:0]
        self._ended = False
        self.truncated = False
        self.error: str | None = None
        self.unread = 0

    def read_into(self, buffer: memoryview) -> int:
        """Fill part of ``buffer`` and return how many bytes; 0 at the end."""
        while not self._ended:
            try:
                taken, written = self._member.inflate_into(self._pending, buffer)
            except DamagedStream as damage:
                self._pending = self._pending[damage.taken :]
                self._fail(f"damaged {self.name} stream: {damage}")
                return damage.written
            self._pending = self._pending[taken:]
            if self._member.ended:
                self._next_member()
            elif not taken and not written and not self._more_input():
                self._ended = True
                self.truncated = self._started
            if written:
                return written
        return 0

    def _more_input(self) -> bool:
        """Read on behind what is pending; return whether there was more."""
        rest = bytes(self._pending)
        room = self._input if len(rest) <= _MOST_REST else memoryview(bytearray(len(rest) + _PIECE_IN))
        room[: len(rest)] = rest
        size = self._inner.read_into(room[len(rest) : len(rest) + _PIECE_IN])
        self._pending = room[: len(rest) + size]
        self._started |= size > 0
        return size > 0

    def _next_member(self) -> None:
        """Go on with the member that follows, if one does."""
        left_over = self._member.left_over
        if left_over:
            self._pending = memoryview(bytearray(left_over + bytes(self._pending)))
        self._member = self._make()
        # gzip and xz are padded with zeros by tapes and block devices.
        self._skip_zeros()
        while len(self._pending) < _MAGIC_BYTES and self._more_input():
            self._skip_zeros()
        self._started = len(self._pending) > 0
        if not self._started:
            self._ended = True
        elif not self._is_magic(bytes(self._pending[:_MAGIC_BYTES])):
            self._fail(f"bytes after the end of the {self.name} stream are not {self.name}")

    def _skip_zeros(self) -> None:
        self._pending = self._pending[len(self._pending) - len(bytes(self._pending).lstrip(b"\0")) :]

    def _fail(self, error: str) -> None:
        self._ended = True
        self.error = error
        self.unread += len(self._pending)
        while size := self._inner.read_into(self._input):
            self.unread += size


class _Buffered:
    """One stream of a decompressor with the interface of bz2's and lzma's.

    These lose what the call that meets damage had inflated before it, so they are given little at a time.
    """

    def __init__(self, stream: Any, errors: tuple[type[Exception], ...]) -> None:
        self._stream = stream
        self._errors = errors
        self.ended = False
        self.left_over = b""

    def inflate_into(self, packed: memoryview, plain: memoryview) -> tuple[int, int]:
        """Inflate a little more."""
        piece = produced = b""
        try:
            if not self._stream.needs_input:
                produced = self._stream.decompress(b"", min(len(plain), _PIECE_OUT))
            # lz4 may say that there is more when there is none.
            if not produced and self._stream.needs_input and packed:
                piece = bytes(packed[:_PIECE_BUFFERED])
                produced = self._stream.decompress(piece, min(len(plain), _PIECE_OUT))
        except self._errors as error:
            raise DamagedStream(first_line(error)) from error
        plain[: len(produced)] = produced
        self.ended = self._stream.eof
        self.left_over = bytes(self._stream.unused_data or b"") if self.ended else b""
        return len(piece), len(produced)


def _make_gzip() -> Member:
    return open_member() or _Buffered(ZlibMember(), (zlib.error,))


def _make_bz2() -> _Buffered:
    return _Buffered(bz2.BZ2Decompressor(), (OSError, ValueError))


def _make_xz() -> _Buffered:
    # The largest dictionary that `xz -9` makes is 64 MiB.
    return _Buffered(lzma.LZMADecompressor(memlimit=160 << 20), (lzma.LZMAError,))


def _make_lz4() -> _Buffered:
    import lz4.frame

    return _Buffered(lz4.frame.LZ4FrameDecompressor(), (RuntimeError,))


def _is_gzip(head: bytes) -> bool:
    return head[:2] == b"\x1f\x8b"


def _is_bz2(head: bytes) -> bool:
    return head[:3] == b"BZh" and head[3:4].isdigit()


def _is_xz(head: bytes) -> bool:
    return head[:6] == b"\xfd7zXZ\0"


def _is_lz4(head: bytes) -> bool:
    return head[:4] == b"\x04\x22\x4d\x18"


FORMATS: tuple[tuple[str, Callable[[bytes], bool], Callable[[], Member]], ...] = (
    ("gz", _is_gzip, _make_gzip),
    ("zst", is_zstd, ZstdFrame),
    ("bz2", _is_bz2, _make_bz2),
    ("xz", _is_xz, _make_xz),
    ("lz4", _is_lz4, _make_lz4),
)


def open_plain(stream: io.RawIOBase) -> tuple[Source, list[Source], list[str]]:
    """Look through the compressions of a stream.

    Returns:
        The source of plain bytes, all sources outermost first (for their faults), and the compressions' names.
    """
    source: Source = PlainSource(stream)
    sources = [source]
    names: list[str] = []
    while True:
        head = _peek(source)
        source = _PutBack(source, head)
        sources[-1] = source
        found = next((entry for entry in FORMATS if entry[1](head)), None)
        if found is None or len(names) == MOST_LAYERS:
            return source, sources, names
        name, magic, make = found
        source = InflatingSource(source, name, make, magic)
        sources.append(source)
        names.append(name)


def _peek(source: Source) -> bytes:
    buffer = memoryview(bytearray(_MAGIC_BYTES))
    filled = 0
    while filled < _MAGIC_BYTES and (size := source.read_into(buffer[filled:])):
        filled += size
    return bytes(buffer[:filled])


class _PutBack:
    """A source with some bytes put back in front."""

    def __init__(self, inner: Source, ahead: bytes) -> None:
        self._inner = inner
        self._ahead = ahead

    @property
    def truncated(self) -> bool:
        return self._inner.truncated

    @property
    def error(self) -> str | None:
        return self._inner.error

    @property
    def unread(self) -> int:
        return self._inner.unread

    def read_into(self, buffer: memoryview) -> int:
        """Fill part of ``buffer`` and return how many bytes; 0 at the end."""
        if self._ahead:
            size = min(len(self._ahead), len(buffer))
            buffer[:size] = self._ahead[:size]
            self._ahead = self._ahead[size:]
            return size
        return self._inner.read_into(buffer)
