"""What a decompressor raises when a stream cannot be inflated further."""

from __future__ import annotations


class DamagedStream(Exception):
    """A packed stream that cannot be inflated further; caught where the capture is read, never seen outside.

    Attributes:
        taken: packed bytes of the last call that were used before the damage.
        written: bytes that the last call inflated before the damage.
    """

    def __init__(self, what: str, taken: int = 0, written: int = 0) -> None:
        super().__init__(what)
        self.taken = taken
        self.written = written


def first_line(error: Exception) -> str:
    """Return the first line of what a library said."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
