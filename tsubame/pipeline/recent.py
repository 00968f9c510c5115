"""The values that were made last, by what they were made from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Recent(Generic[_T]):
    """The values made last, by what they were made from."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, _T] = OrderedDict()

    def peek(self, key: Hashable) -> _T | None:
        """Return the value kept for ``key``, if there is one."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Return the value kept for ``key``, or make it."""
        value = self.peek(key)
        if value is None:
            value = self._values[key] = make()
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value
