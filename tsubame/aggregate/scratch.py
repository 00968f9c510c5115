"""Numbers put aside on disk, so that memory does not grow with a capture or a day."""

from __future__ import annotations

import io
from typing import Any

from numpy.typing import NDArray


class Scratch:
    """Appends arrays to a file, and reads them back.

    Args:
        file: opened for reading and writing binary, empty; memory when there is none.
    """

    def __init__(self, file: Any = None) -> None:
        self._file = io.BytesIO() if file is None else file
        self._end = 0

    def append(self, numbers: NDArray[Any]) -> int:
        """Put a contiguous array aside, and return where it lies."""
        place = self._end
        self._file.seek(place)
        self._file.write(numbers.data)
        self._end += numbers.nbytes
        return place

    def read_into(self, place: int, numbers: NDArray[Any]) -> None:
        """Fill a contiguous array with what lies at a place.

        Raises:
            OSError: less lies there.
        """
        self._file.seek(place)
        view = memoryview(numbers.data).cast("B") if numbers.size else memoryview(b"")
        done = 0
        while done < len(view):
            size = self._file.readinto(view[done:])
            if not size:
                raise OSError(f"scratch file ends at byte {self._file.tell()}")
            done += size
