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
