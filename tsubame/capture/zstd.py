"""One zstd frame at a time, block by block.

The decompressor is handed whole blocks, so that no call gives more than a block's 128 KiB, whatever a bomb
packs into its input; so that damage costs the damaged block and none before it; and so that the end of a frame
is known from a stream that ends inside one.

Source: RFC 8878, section 3.
"""

from __future__ import annotations

from typing import Any

from tsubame.capture.damage import DamagedStream, first_line

MAGIC = b"\x28\xb5\x2f\xfd"
#: Largest window that a decoder should accept (RFC 8878, section 3.1.1.1.2 asks for 8 MiB; `zstd --long` needs more).
_MOST_WINDOW = 1 << 27
_RLE, _RESERVED = 1, 3
_MAGIC_BYTES = 8


def is_zstd(head: bytes) -> bool:
    """Say whether bytes begin as a frame or a skippable frame."""
    return head[:4] == MAGIC or _is_skippable(head)


def _is_skippable(head: bytes) -> bool:
    return head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5


class ZstdFrame:
    """Inflates one frame, or skips a skippable one."""

    def __init__(self) -> None:
        import zstandard

        self._error: Any = zstandard.ZstdError
        self._stream = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW).decompressobj()
        self._input = bytearray()
        self._skip = 0
        self._stage = "magic"
        self._has_checksum = False
        self.wants_input = True
        self.ended = False
        self.left_over = b""

    def inflate(self, data: bytes) -> bytes:
        """Take more of the packed stream; return what the next whole part of it inflates to."""
        self._input += data
        size = self._size_of_next_part()
        if size == 0 or len(self._input) < size:
            self.wants_input = True
            return b""
        part = bytes(self._input[:size])
        del self._input[:size]
        produced = b""
        if self._stage != "skipping":
            try:
                produced = self._stream.decompress(part)
            except self._error as error:
                raise DamagedStream(first_line(error), b"", size + len(self._input)) from error
        self._advance(part)
        self.wants_input = not self._input
        if self.ended:
            self.left_over = bytes(self._input)
        return produced

    def finish(self) -> bytes:
        """Return what the stream holds back: nothing but parts that are not whole."""
        return b""

    def _size_of_next_part(self) -> int:
        """Return how many bytes the next part has; 0 while that cannot be told."""
        head = self._input
        if self._stage == "magic":
            if len(head) < _MAGIC_BYTES:
                return 0
            if _is_skippable(bytes(head[:4])):
                self._stage = "skipping"
                self._skip = 8 + int.from_bytes(head[4:8], "little")
            else:
                self._stage = "header"
        if self._stage == "skipping":
            return min(self._skip, max(len(head), 1))
        if self._stage == "header":
            return _header_size(head[4])
        if self._stage == "checksum":
            return 4
        if len(head) < 3:
            return 0
        kind, size = head[0] >> 1 & 3, int.from_bytes(head[:3], "little") >> 3
        # A block of the reserved kind is for the decompressor to refuse.
        return 3 if kind == _RESERVED else 3 + (1 if kind == _RLE else size)

    def _advance(self, part: bytes) -> None:
        """Go on to the stage that follows a part."""
        if self._stage == "skipping":
            self._skip -= len(part)
            self.ended = self._skip == 0
        elif self._stage == "header":
            self._has_checksum = bool(part[4] & 4)
            self._stage = "block"
        elif self._stage == "checksum":
            self.ended = True
        elif part[0] & 1:
            self._stage = "checksum"
            self.ended = not self._has_checksum


def _header_size(descriptor: int) -> int:
    single = descriptor >> 5 & 1
    content = (single, 2, 4, 8)[descriptor >> 6]
    return 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + content
