"""One gzip member at a time, inflated by zlib-ng straight into the buffer that is read.

The Python interfaces of zlib, zlib-ng and isal return new bytes, which costs a quarter of inflating them, and lose
what a call inflated before it met damage. zlib-ng's own interface does neither, and its wheels export it; where one
does not, zlib's Python interface is used, a little at a time.

Source: zlib-ng.h, native API of zlib-ng 2.
"""

from __future__ import annotations

import ctypes
import gzip
import zlib
from functools import cache
from typing import Any

from tsubame.capture.damage import DamagedStream

#: Largest window, and the header of gzip (zlib.h, inflateInit2).
_GZIP = 31
_NO_FLUSH, _OK, _STREAM_END, _BUFFER_ERROR = 0, 0, 1, -5


class _Stream(ctypes.Structure):
    """``zng_stream``."""

    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_uint32),
        ("total_in", ctypes.c_size_t),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint32),
        ("total_out", ctypes.c_size_t),
        ("message", ctypes.c_char_p),
        ("state", ctypes.c_void_p),
        ("allocate", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("checksum", ctypes.c_uint32),
        ("reserved", ctypes.c_ulong),
        # Room for what a later version may add.
        ("room", ctypes.c_uint64 * 8),
    )


class GzipMember:
    """Inflates one gzip member.

    Attributes:
        ended: whether the member's end has been reached.
        left_over: nothing is held back of what was taken.
    """

    left_over = b""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._stream = _Stream()
        self._reference = ctypes.byref(self._stream)
        if library.zng_inflateInit2(self._reference, _GZIP) != _OK:
            raise MemoryError("zlib-ng has no memory for a stream")
        self.ended = False

    def __del__(self) -> None:
        self._library.zng_inflateEnd(self._reference)

    def inflate_into(self, packed: memoryview, plain: memoryview) -> tuple[int, int]:
        """Inflate some bytes into a buffer.

        Args:
            packed: writable, as ctypes asks for; it is only read.
            plain: filled from its beginning.

        Returns:
            How many packed bytes were used, and how many bytes were written.

        Raises:
            DamagedStream: the stream cannot be inflated further.
        """
        stream = self._stream
        stream.next_in, stream.avail_in = address_of(packed), len(packed)
        stream.next_out, stream.avail_out = address_of(plain), len(plain)
        status = self._library.zng_inflate(self._reference, _NO_FLUSH)
        taken, written = len(packed) - stream.avail_in, len(plain) - stream.avail_out
        if status == _STREAM_END:
            self.ended = True
        elif status not in (_OK, _BUFFER_ERROR):
            message = stream.message or b"preset dictionary needed"
            raise DamagedStream(message.decode("ascii", "replace"), taken, written)
        return taken, written


def address_of(view: memoryview) -> int:
    """Return where a writable buffer lies; 0 when it is empty."""
    return ctypes.addressof(ctypes.c_char.from_buffer(view)) if len(view) else 0


@cache
def _zlib_ng() -> Any:
    """Return zlib-ng's own functions; None where they cannot be called."""
    try:
        from zlib_ng import zlib_ng

        library = ctypes.CDLL(zlib_ng.__file__)
        for name in ("zng_inflateInit2", "zng_inflate", "zng_inflateEnd"):
            getattr(library, name).restype = ctypes.c_int32
        library.zng_inflateInit2.argtypes = (ctypes.c_void_p, ctypes.c_int32)
        library.zng_inflate.argtypes = (ctypes.c_void_p, ctypes.c_int32)
        library.zng_inflateEnd.argtypes = (ctypes.c_void_p,)
        # A library of another layout than expected would not give this back.
        text = b"tsubame" * 9
        packed, plain = memoryview(bytearray(gzip.compress(text))), memoryview(bytearray(len(text) + 1))
        member = GzipMember(library)
        sound = member.inflate_into(packed, plain) == (len(packed), len(text)) and member.ended
        return library if sound and plain[: len(text)] == text else None
    except (ImportError, OSError, AttributeError, DamagedStream):
        return None


def open_member() -> GzipMember | None:
    """Return what inflates one gzip member; None where zlib-ng cannot be called."""
    library = _zlib_ng()
    return GzipMember(library) if library is not None else None


class ZlibMember:
    """Inflates one gzip member with the interface of bz2's and lzma's decompressors."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=_GZIP)

    @property
    def eof(self) -> bool:
        """Whether the member's end has been reached."""
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        """Whether it has inflated all that it was given."""
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """What it was given beyond the member's end."""
        return self._stream.unused_data

    def decompress(self, data: bytes, most: int) -> bytes:
        """Inflate to at most some number of bytes."""
        return self._stream.decompress(self._stream.unconsumed_tail + data, most)
