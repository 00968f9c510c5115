"""Where a result came from: digests and the version of the code."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
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


class Sealing:
    """Passes what is written on, and at the end puts its digest into it, where ``UNSEALED`` stands.

    A file can so tell by itself that it is whole and unchanged, whoever copied it.

    Args:
        sink: a file opened for writing binary that can seek; what is written to it is written from its beginning.
    """

    closed = False

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self._state = hashlib.sha256()
        self._size = 0
        self._place = -1

    def write(self, content: Any) -> int:
        """Write bytes; what holds ``UNSEALED`` must come in one piece, as a Parquet file's footer does."""
        block = bytes(content)
        found = block.rfind(UNSEALED)
        if found >= 0:
            self._place = self._size + found
        self._state.update(block)
        self._size += len(block)
        self._sink.write(block)
        return len(block)

    def tell(self) -> int:
        """Return how much has been written."""
        return self._size

    def flush(self) -> None:
        """Do nothing: the sink's owner does."""

    def seal(self) -> None:
        """Put the digest of all that was written in its place."""
        if self._place < 0:
            raise ValueError("nothing that was written has a place for a seal")
        self._sink.seek(self._place + len(_SEAL))
        self._sink.write(self._state.hexdigest().encode())
        self._sink.seek(self._size)


def require_intact(content: bytes) -> None:
    """Refuse bytes that do not carry the seal that ``Sealing`` put into them, or are not what was sealed.

    Raises:
        ValueError: says so.
    """
    place = content.rfind(_SEAL)
    if place < 0:
        raise ValueError("it has no digest")
    # A name in the file may hold the same words as the seal.
    while place >= 0:
        begin, end = place + len(_SEAL), place + len(UNSEALED)
        state = hashlib.sha256(memoryview(content)[:begin])
        state.update(UNSEALED[len(_SEAL) :])
        state.update(memoryview(content)[end:])
        if state.hexdigest().encode() == content[begin:end]:
            return
        place = content.rfind(_SEAL, 0, place)
    raise ValueError("its digest is another")


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
