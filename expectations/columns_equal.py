"""Two columns that were computed on different ways agree, row by row."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectColumnsToAgree(FrameExpectation):
    """``left`` equals ``right`` in every row."""

    left: str
    right: str
    label: str = "day"

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Compare the columns; rows are named by the column ``label``."""
        wrong = frame[frame[self.left] != frame[self.right]]
        lines = [
            line("unequal", name=name, left=self.left, a=left, right=self.right, b=right)
            for name, left, right in zip(wrong[self.label], wrong[self.left], wrong[self.right], strict=True)
        ]
        totals = f"{self.left} {frame[self.left].sum()}, {self.right} {frame[self.right].sum()}"
        return totals, lines
