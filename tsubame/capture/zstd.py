"""One zstd frame at a time, block by block, straight into the buffer that is read.

The decompressor is handed whole blocks, so that no call gives more than a block's 128 KiB, whatever a bomb
packs into its input; so that damage costs the damaged block and none before it; and so that the end of a frame
is known from a stream that ends inside one.

libzstd's own interface inflates without making new bytes for every block, and the wheels of ``zstandard`` export it
(from the module that they make for PyPy); where one does not, the Python interface is used.

Source: RFC 8878, section 3; zstd.h.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from typing import Any

from tsubame.capture.damage import DamagedStream, first_line
from tsubame.capture.deflate import address_of

MAGIC = b"\x28\xb5\x2f\xfd"
#: Largest window that a decoder should accept (RFC 8878, section 3.1.1.1.2 asks for 8 MiB; `zstd --long` needs more).
_MOST_WINDOW_LOG = 27
_RLE, _RESERVED = 1, 3
_MAGIC_BYTES = 8
_WINDOW_LOG_MAX = 100
"""``ZSTD_d_windowLogMax``."""


def is_zstd(head: bytes) -> bool:
    """Say whether bytes begin as a frame or a skippable frame."""
    return head[:4] == MAGIC or _is_skippable(head)


def _is_skippable(head: bytes) -> bool:
    return head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5


class ZstdFrame:
    """Inflates one frame, or skips a skippable one."""

    def __init__(self) -> None:
        library = _libzstd()
        self._decoder: _Direct | _Buffered = _Direct(library) if library is not None else _Buffered()
        self._stage = "magic"
        self._left = 0
        self._is_last = self._has_checksum = self._is_full = self._is_done = False

    @property
    def ended(self) -> bool:
        """Whether the frame's end has been reached."""
        return self._is_done and not self._is_full

    #: Nothing is held back of what was taken.
    left_over = b""

    def inflate_into(self, packed: memoryview, plain: memoryview) -> tuple[int, int]:
        """Inflate the next part of the packed stream, or as much of it as there is; raises DamagedStream."""
        taken = written = 0
        if self._is_full:
            _, written = self._decoder.run(packed[:0], plain)
        else:
            if not self._left:
                self._left = self._size_of_next_part(packed)
            piece = packed[: self._left]
            if self._stage == "skipping":
                taken = len(piece)
            elif piece:
                taken, written = self._decoder.run(piece, plain)
            self._left -= taken
            if taken and not self._left:
                self._advance()
        self._is_full = written == len(plain)
        return taken, written

    def _size_of_next_part(self, head: memoryview) -> int:
        """Return how many bytes the next part has; 0 while that cannot be told."""
        if self._stage == "magic":
            if len(head) < _MAGIC_BYTES:
                return 0
            if _is_skippable(bytes(head[:4])):
                self._stage = "skipping"
                return 8 + int.from_bytes(head[4:8], "little")
            self._has_checksum = bool(head[4] & 4)
            return _header_size(head[4])
        if self._stage == "checksum":
            return 4
        if len(head) < 3:
            return 0
        kind, size = head[0] >> 1 & 3, int.from_bytes(head[:3], "little") >> 3
        self._is_last = bool(head[0] & 1)
        # A block of the reserved kind is for the decompressor to refuse.
        return 3 if kind == _RESERVED else 3 + (1 if kind == _RLE else size)

    def _advance(self) -> None:
        """Go on to the stage that follows a part."""
        if self._stage in ("skipping", "checksum"):
            self._is_done = True
        elif self._stage == "magic":
            self._stage = "block"
        elif self._is_last:
            self._stage = "checksum"
            self._is_done = not self._has_checksum


def _header_size(descriptor: int) -> int:
    single = descriptor >> 5 & 1
    content = (single, 2, 4, 8)[descriptor >> 6]
    return 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + content


class _View(ctypes.Structure):
    """``ZSTD_inBuffer`` and ``ZSTD_outBuffer``."""

    _fields_ = (("address", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t))


class _Direct:
    """Inflates with libzstd's own functions."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._context = ctypes.c_void_p(library.ZSTD_createDCtx())
        if not self._context.value:
            raise MemoryError("libzstd has no memory for a stream")
        library.ZSTD_DCtx_setParameter(self._context, _WINDOW_LOG_MAX, _MOST_WINDOW_LOG)
        self._packed, self._plain = _View(), _View()
        self._arguments = ctypes.byref(self._plain), ctypes.byref(self._packed)

    def __del__(self) -> None:
        self._library.ZSTD_freeDCtx(self._context)

    def run(self, packed: memoryview, plain: memoryview) -> tuple[int, int]:
        """Inflate some bytes into a buffer; return how many were used and written."""
        source, target = self._packed, self._plain
        source.address, source.size, source.position = address_of(packed), len(packed), 0
        target.address, target.size, target.position = address_of(plain), len(plain), 0
        status = self._library.ZSTD_decompressStream(self._context, *self._arguments)
        if self._library.ZSTD_isError(status):
            raise DamagedStream(self._library.ZSTD_getErrorName(status).decode("ascii", "replace"))
        return source.position, target.position


@cache
def _libzstd() -> Any:
    """Return libzstd's own functions; None where they cannot be called."""
    try:
        spec = find_spec("zstandard._cffi")
        if spec is None or spec.origin is None:
            return None
        library = ctypes.CDLL(spec.origin)
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        for name, result, *arguments in (
            ("ZSTD_createDCtx", pointer),
            ("ZSTD_freeDCtx", size, pointer),
            ("ZSTD_DCtx_setParameter", size, pointer, ctypes.c_int, ctypes.c_int),
            ("ZSTD_decompressStream", size, pointer, pointer, pointer),
            ("ZSTD_isError", ctypes.c_uint, size),
            ("ZSTD_getErrorName", ctypes.c_char_p, size),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, tuple(arguments)
    except (ImportError, OSError, AttributeError):
        return None
    return library


class _Buffered:
    """Inflates with the Python interface, holding what finds no room."""

    def __init__(self) -> None:
        import zstandard

        self._error: Any = zstandard.ZstdError
        self._stream = zstandard.ZstdDecompressor(max_window_size=1 << _MOST_WINDOW_LOG).decompressobj()
        self._held = b""

    def run(self, packed: memoryview, plain: memoryview) -> tuple[int, int]:
        """Inflate some bytes into a buffer; return how many were used and written."""
        if packed:
            try:
                self._held += self._stream.decompress(bytes(packed))
            except self._error as error:
                raise DamagedStream(first_line(error)) from error
        size = min(len(self._held), len(plain))
        plain[:size] = self._held[:size]
        self._held = self._held[size:]
        return len(packed), size
