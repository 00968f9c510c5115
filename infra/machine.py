"""What starting a service needs of the machine: files for its owner alone, a free port, an end with its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(content)
    beside.replace(path)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nothing listens at now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """In a new process: ask the kernel for a signal when the parent dies, even by SIGKILL."""
    control(_PR_SET_PDEATHSIG, int(number))


def control(option: int, value: int) -> None:
    """Call ``prctl`` where there is one."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
