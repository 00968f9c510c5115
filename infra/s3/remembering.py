"""A Swift filter that remembers accounts and buckets in the proxy's memory; loaded by Swift's own Python.

Swift looks both up at every request unless it has memcached, which would be one more service to install. With a single
proxy a dictionary is as good, and halves the cost of a request.
"""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

_MOST = 10_000


class Memory:
    """What Swift asks of its memcached client, within one process; values are copies, as they would be by wire."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, str]] = {}

    def set(self, key: str, value: Any, time: float = 0, **_: Any) -> None:
        """Keep a value, for ``time`` seconds where that is not 0."""
        if len(self._held) >= _MOST:
            self._held.clear()
        self._held[key] = (_now() + time if time else float("inf"), json.dumps(value))

    def get(self, key: str, *_: Any, **__: Any) -> Any:
        """Return what is kept, or None."""
        until, value = self._held.get(key, (0.0, ""))
        return json.loads(value) if until > _now() else None

    def delete(self, key: str, *_: Any, **__: Any) -> None:
        """Forget a value."""
        self._held.pop(key, None)

    def incr(self, key: str, delta: int = 1, time: float = 0, **_: Any) -> int:
        """Add to a kept number; returns the sum."""
        value = max(0, int(self.get(key) or 0) + delta)
        self.set(key, value, time=time)
        return value


def _now() -> float:
    return time.monotonic()


def filter_factory(_: dict[str, str], **__: str) -> Callable[[Any], Any]:
    """Return the filter, as PasteDeploy wants it."""
    memory = Memory()

    def remember(application: Any) -> Any:
        def serve(environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            environment["swift.cache"] = memory
            answer: Iterable[bytes] = application(environment, start_response)
            return answer

        return serve

    return remember
