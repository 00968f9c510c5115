"""Inflating by content, never by name: each compression is a reader of plain bytes over a reader of packed ones.

Every reader holds one piece of input and one of output, whatever the size of the stream, goes on over
concatenated members and frames, and yields every byte that precedes damage before it says so.
"""

from __future__ import annotations

import bz2
import io
import lzma
from collections.abc import Callable
from typing import Any, Protocol

from tsubame.capture.damage import DamagedStream, first_line
from tsubame.capture.zstd import ZstdFrame, is_zstd

_PIECE_IN = 1 << 16
_PIECE_OUT = 1 << 18
_PIECE_BUFFERED = 1 << 10
_CALLS_BETWEEN_CHECKPOINTS = 32
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


class InflatingSource:
    """Reads what another source's bytes inflate to.

    Attributes:
        truncated: the packed stream ended inside a member or frame.
        error: what the decompressor said, once it could not go on.
        unread: packed bytes that were not inflated.
    """

    def __init__(self, inner: Source, name: str, make: Callable[[], Any], magic: Callable[[bytes], bool]) -> None:
        self._inner = inner
        self.name = name
        self._make = make
        self._is_magic = magic
        self._member = make()
        self._started = False
        self._input = memoryview(bytearray(_PIECE_IN))
        self._pending = b""
        self._output = memoryview(b"")
        self._ended = False
        self.truncated = False
        self.error: str | None = None
        self.unread = 0

    def read_into(self, buffer: memoryview) -> int:
        """Fill part of ``buffer`` and return how many bytes; 0 at the end."""
        while not self._output and not self._ended:
            self._inflate_more()
        size = min(len(self._output), len(buffer))
        buffer[:size] = self._output[:size]
        self._output = self._output[size:]
        return size

    def _more_input(self) -> bytes:
        size = self._inner.read_into(self._input)
        return bytes(self._input[:size])

    def _inflate_more(self) -> None:
        if not self._pending and self._member.wants_input:
            self._pending = self._more_input()
            if not self._pending:
                self._end_of_input()
                return
        self._started = True
        try:
            produced = self._member.inflate(self._pending)
        except DamagedStream as damage:
            self._output = memoryview(damage.salvaged)
            self.unread += damage.unread
            self._fail(f"damaged {self.name} stream: {damage}")
            return
        self._pending = b""
        self._output = memoryview(produced)
        if self._member.ended:
            self._next_member(self._member.left_over)

    def _next_member(self, left_over: bytes) -> None:
        """Go on with the member that follows, if one does."""
        self._member = self._make()
        self._started = False
        # gzip and xz are padded with zeros by tapes and block devices.
        ahead = left_over.lstrip(b"\0")
        while len(ahead) < _MAGIC_BYTES and (more := self._more_input()):
            ahead = (ahead + more).lstrip(b"\0")
        if not ahead:
            self._ended = True
            return
        if not self._is_magic(ahead):
            self.unread += len(ahead)
            self._fail(f"bytes after the end of the {self.name} stream are not {self.name}")
            return
        self._pending = ahead

    def _end_of_input(self) -> None:
        self._ended = True
        self.truncated = self._started
        self._output = memoryview(self._member.finish())

    def _fail(self, error: str) -> None:
        self._ended = True
        self.error = error
        while piece := self._more_input():
            self.unread += len(piece)


class _Gzip:
    """One gzip member, by zlib-ng: the fastest of zlib, isal and zlib-ng on captures."""

    def __init__(self) -> None:
        from zlib_ng import zlib_ng

        self._error: Any = zlib_ng.error
        make: Any = zlib_ng.decompressobj
        self._stream: Any = make(wbits=31)
        # A copy costs as much as inflating half a piece: from one now and then, and the input since, what precedes
        # damage can be inflated once more.
        self._checkpoint: Any = self._stream.copy()
        self._since: list[bytes] = []
        self.wants_input = True
        self.ended = False
        self.left_over = b""
        self._held = b""

    def inflate(self, data: bytes) -> bytes:
        data = self._held + data if self._held else data
        if len(self._since) == _CALLS_BETWEEN_CHECKPOINTS:
            self._checkpoint, self._since = self._stream.copy(), []
        try:
            produced: bytes = self._stream.decompress(data, _PIECE_OUT)
        except self._error as error:
            for earlier in self._since:
                self._checkpoint.decompress(earlier, _PIECE_OUT)
            salvaged, used = _salvage(self._checkpoint, data, self._error)
            raise DamagedStream(first_line(error), salvaged, len(data) - used) from error
        self._since.append(data)
        self._held = self._stream.unconsumed_tail
        self.ended = self._stream.eof
        self.wants_input = not self._held
        if self.ended:
            self.left_over = self._stream.unused_data
        return produced

    def finish(self) -> bytes:
        """Return what the stream holds back, at the end of a cut one."""
        try:
            return bytes(self._stream.flush())
        except self._error:
            return b""


def _salvage(stream: Any, data: bytes, kind: type[Exception]) -> tuple[bytes, int]:
    """Inflate byte by byte from before the call that failed, keeping all that comes out before the damage."""
    out = bytearray()
    for used in range(len(data)):
        try:
            out += stream.decompress(data[used : used + 1])
        except kind:
            return bytes(out), used
    return bytes(out), len(data)


class _Buffered:
    """One stream of a decompressor with the interface of bz2's and lzma's.

    These lose what the call that meets damage had inflated before it, so they are given little at a time.
    """

    def __init__(self, stream: Any, errors: tuple[type[Exception], ...]) -> None:
        self._stream = stream
        self._errors = errors
        self._held = b""
        self.wants_input = True
        self.ended = False
        self.left_over = b""

    def inflate(self, data: bytes) -> bytes:
        """Inflate a little more."""
        held = self._held + data
        piece, self._held = (
            (held[:_PIECE_BUFFERED], held[_PIECE_BUFFERED:]) if self._stream.needs_input else (b"", held)
        )
        try:
            produced: bytes = self._stream.decompress(piece, _PIECE_OUT)
        except self._errors as error:
            raise DamagedStream(first_line(error), b"", len(held)) from error
        self.ended = self._stream.eof
        self.wants_input = self._stream.needs_input and not self._held and not self.ended
        if self.ended:
            self.left_over = (self._stream.unused_data or b"") + self._held
        return produced

    def finish(self) -> bytes:
        """Return what the stream holds back: nothing."""
        return b""


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


FORMATS: tuple[tuple[str, Callable[[bytes], bool], Callable[[], Any]], ...] = (
    ("gz", _is_gzip, _Gzip),
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
