"""Linear algebra of small matrices on one thread.

On two cores BLAS divides even a 90 × 90 matrix between two threads, which then wait for each other: a series took
six times the CPU. Worse, where a product is divided decides its last digits, so that an edition's bytes would depend
on how many cores a machine has.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_lock = threading.Lock()
_inside = 0
_limit: Any = None


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let numpy's BLAS use one thread within; what it used before is restored when the last user has left."""
    global _inside, _limit
    with _lock:
        if not _inside:
            _limit = _libraries().limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limit.restore_original_limits()
