"""What a decompressor raises when a stream cannot be inflated further."""

from __future__ import annotations


class DamagedStream(Exception):
    """A packed stream that cannot be inflated further; caught where the capture is read, never seen outside.

    Attributes:
        salvaged: what could still be inflated of the last piece.
        unread: packed bytes of the last piece that were not.
    """

    def __init__(self, what: str, salvaged: bytes, unread: int) -> None:
        super().__init__(what)
        self.salvaged = salvaged
        self.unread = unread


def first_line(error: Exception) -> str:
    """Return the first line of what a library said."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
