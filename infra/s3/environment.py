"""Swift's environment in ``.setup/s3``: made from its hash lock by uv, once, and again when the lock changes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.scripts import setup_environment
from tsubame.errors import Unavailable

LOCK = Path(__file__).with_name("swift.lock.txt")
FOLDER = Path(setup_environment.ROOT) / ".setup" / "s3"


def installed(folder: Path = FOLDER, lock: Path = LOCK) -> Path:
    """Return the Python of an environment of its own, Swift's if no other is named, after installing what is missing.

    Raises:
        Unavailable: its folder cannot be written.
        SystemExit: it cannot be installed; the reason is on stderr.
    """
    python, stamp = folder / "bin" / "python", folder / ".tsubame-s3"
    wanted = hashlib.sha256(sys.version.encode() + lock.read_bytes()).hexdigest()

    def is_there() -> bool:
        return stamp.exists() and stamp.read_text().strip() == wanted and python.exists()

    if is_there():
        return python
    with _alone(folder):
        if is_there():
            return python
        shutil.rmtree(folder, ignore_errors=True)
        uv = setup_environment.find_uv()
        setup_environment.run_uv(uv, ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
        setup_environment.run_uv(uv, ["pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(lock)])
        stamp.write_text(wanted + "\n")
    return python


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let two test runs not install at the same time."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_suffix(".lock").open("a")
    except OSError as error:
        raise Unavailable(
            "Swift cannot be installed", key=str(folder), actual=error.strerror, hint="Clone the checkout for yourself."
        ) from error
    with lock as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
