"""What is said to explain a step is there: the two series of the region part by as much."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectStepsToBeCarried(FrameExpectation):
    """Of a step with the verdict ``explained`` the moved part is at least ``minimum`` where it can be told."""

    explained: str
    minimum: float

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Compare the moved part of each explained step with the least it must be."""
        rows = frame[frame["verdict"] == self.explained]
        lines = [
            line("step_share", region=row.region, day=row.day, share=row.moved_share)
            for row in rows[rows["moved_share"] < self.minimum].itertuples()
        ]
        return f"{len(rows)} of {len(frame)} steps are explained", lines
