"""Runs of flows put aside until the capture has been read: which sources are confirmed is known only then.

They go to a scratch file that the caller opens, so that memory does not grow with the capture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsubame.aggregate.confirming import Matches
from tsubame.aggregate.grouping import RUN_COLUMNS
from tsubame.aggregate.scratch import Scratch
from tsubame.capture.blocks import Numbers

_ROW_BYTES = 8 * RUN_COLUMNS


@dataclass(frozen=True, slots=True)
class Run:
    """Flows of one batch, in the order of hour and key, each once.

    Attributes:
        offset: of the first flow in the scratch file.
        hours: (h,) int64, ascending: beginnings of the hours in seconds since 1970.
        begins: (h + 1,) int64, number of the first flow of each hour; at last, the number of flows.
    """

    offset: int
    hours: NDArray[np.int64]
    begins: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.begins[-1])


class Runs:
    """The runs of one capture.

    Args:
        scratch: a file opened for reading and writing binary; memory when there is none.

    Attributes:
        matches: which sources are confirmed.
    """

    def __init__(self, scratch: Any = None) -> None:
        self._scratch = Scratch(scratch)
        self._runs: list[Run] = []
        self.matches = Matches()

    def add(self, flows: Numbers, hours: NDArray[np.int64], begins: NDArray[np.int64]) -> None:
        """Put a run aside; ``flows`` is (n, 2) int64, as ``grouping`` packs them."""
        self.matches.observe(flows)
        self._runs.append(Run(self._scratch.append(flows), hours, begins))

    def read_into(self, run: Run, first: int, flows: Numbers) -> None:
        """Fill ``flows`` with those of a run from the ``first`` on."""
        self._scratch.read_into(run.offset + first * _ROW_BYTES, flows)

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        """Yield the runs in the order of their first hours."""
        return iter(sorted(self._runs, key=lambda run: (int(run.hours[0]), run.offset)))
