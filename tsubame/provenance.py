"""Where a result came from: digests and the version of the code."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tsubame import __version__

_BLOCK = 2**20
_SEAL = b"seal-sha256:"
UNSEALED = _SEAL + b"0" * 64
"""What a file holds in the place of its digest while the digest is made."""


def canonical_json(value: Any) -> bytes:
    """Return ``value`` as JSON that is the same bytes for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str).encode()


def digest_of(value: Any, *, digits: int = 16) -> str:
    """Return the first hex digits of the BLAKE2b digest of a JSON-like value."""
    return hashlib.blake2b(canonical_json(value), digest_size=32).hexdigest()[:digits]


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


class Hashing(io.RawIOBase):
    """Passes a stream's bytes on and digests them: what is read is what the lineage names.

    An ETag says less: on a file system it is the time of writing, on S3 it depends on how the upload was cut.
    """

    def __init__(self, stream: io.RawIOBase) -> None:
        super().__init__()
        self._stream = stream
        self._state = hashlib.sha256()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` from the stream and digest what came."""
        count = self._stream.readinto(buffer) or 0
        self._state.update(memoryview(buffer)[:count])
        return count

    def sha256(self) -> str:
        """Read what is left and return the SHA-256 of the whole stream, in hex."""
        block = bytearray(_BLOCK)
        while self.readinto(block):
            pass
        return self._state.hexdigest()

    def close(self) -> None:
        """Close the stream beneath."""
        if not self.closed:
            self._stream.close()
        super().close()


class HashingSink:
    """Passes what is written on and digests it: an object's digest is known when its last byte is written.

    Args:
        sink: a file opened for writing binary; it is written from its beginning to its end.
    """

    closed = False

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self._state = hashlib.sha256()
        self._size = 0

    def write(self, content: Any) -> int:
        """Write bytes."""
        view = memoryview(content)
        self._state.update(view)
        self._sink.write(view)
        self._size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        """Return how much has been written."""
        return self._size

    def flush(self) -> None:
        """Do nothing: the sink's owner does."""

    def sha256(self) -> str:
        """Return the SHA-256 of what was written, in hex."""
        return self._state.hexdigest()


class Sealing(HashingSink):
    """Passes what is written on, and at the end puts its digest into it, where ``UNSEALED`` stands.

    A file can so tell by itself that it is whole and unchanged, whoever copied it.

    Args:
        sink: as of ``HashingSink``; it can seek.
    """

    def __init__(self, sink: Any) -> None:
        super().__init__(sink)
        self._place = -1

    def write(self, content: Any) -> int:
        """Write bytes; what holds ``UNSEALED`` must come in one piece, as a Parquet file's footer does."""
        block = bytes(content)
        found = block.rfind(UNSEALED)
        if found >= 0:
            self._place = self.tell() + found
        return super().write(block)

    def seal(self) -> None:
        """Put the digest of all that was written in its place."""
        if self._place < 0:
            raise ValueError("nothing that was written has a place for a seal")
        self._sink.seek(self._place + len(_SEAL))
        self._sink.write(self.sha256().encode())
        self._sink.seek(self.tell())


def require_intact(stream: io.RawIOBase | io.BytesIO) -> None:
    """Refuse a file that does not carry the seal that ``Sealing`` put into it, or is not what was sealed.

    Args:
        stream: the file, which can seek; it is read a block at a time, and left anywhere.

    Raises:
        ValueError: says so.
    """
    size = stream.seek(0, io.SEEK_END)
    found = False
    # A name in the file may hold the same words as the seal.
    for place in _seals(stream, size):
        found = True
        begin, end = place + len(_SEAL), place + len(UNSEALED)
        state = hashlib.sha256()
        for block in _blocks(stream, 0, begin):
            state.update(block)
        kept = b"".join(_blocks(stream, begin, end))
        state.update(UNSEALED[len(_SEAL) :])
        for block in _blocks(stream, end, size):
            state.update(block)
        if state.hexdigest().encode() == kept:
            return
    raise ValueError("its digest is another" if found else "it has no digest")


def _seals(stream: io.RawIOBase | io.BytesIO, size: int) -> Iterator[int]:
    """Yield where a seal's words begin, the last first: it mostly lies near the end."""
    for begin in range((size - 1) // _BLOCK * _BLOCK, -1, -_BLOCK):
        block = b"".join(_blocks(stream, begin, min(begin + _BLOCK + len(_SEAL) - 1, size)))
        place = block.rfind(_SEAL)
        while place >= 0:
            yield begin + place
            place = block.rfind(_SEAL, 0, place)


def _blocks(stream: io.RawIOBase | io.BytesIO, begin: int, end: int) -> Iterator[bytes]:
    """Yield a file's bytes from ``begin`` to ``end``, or to its end."""
    while begin < end:
        stream.seek(begin)
        block = stream.read(min(_BLOCK, end - begin))
        if not block:
            return
        begin += len(block)
        yield block


@cache
def code_version() -> str:
    """Return the package's version, with the commit when it runs from a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return __version__
    try:
        said = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"],  # noqa: S607 - the user's git
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return __version__
    return f"{__version__}+g{said.stdout.strip()}"


@cache
def build_name() -> str:
    """Return the package's version and 8 digits of its sources' digest: equal where the same code runs.

    A version alone is the same before and after a change in a checkout, or in two images of one release.
    """
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return f"{__version__} (sources {digest.hexdigest()[:8]})"
