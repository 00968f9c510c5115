"""A lasting change of a first region is explained by a reassignment, or said not to be."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectStepsToBeTold(FrameExpectation):
    """Every row has a verdict of the analysis: no jump of ten-day means is passed over."""

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Name the jumps without a verdict."""
        silent = frame[frame["verdict"] == ""]
        lines = [line("step_unflagged", region=row.region, day=row.day, ratio=row.ratio) for row in silent.itertuples()]
        return f"{len(frame)} steps, {int(frame['jump'].sum())} of them jumps of ten-day means", lines
