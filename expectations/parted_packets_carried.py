"""Where a region's two series part, named moved blocks carry the difference."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectPartedPacketsToBeCarried(FrameExpectation):
    """Packets whose region is not that of the quarter's first day come from blocks that moved so."""

    tolerance: float

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Compare ``parted`` with ``carried``, by day and pair of regions."""
        allowed = self.tolerance * frame[["parted", "carried"]].max(axis=1)
        wrong = frame[(frame["parted"] - frame["carried"]).abs() > allowed]
        lines = []
        for pair, rows in wrong.groupby(["from_region", "to_region"]):
            lines.append(
                line(
                    "parted",
                    source=pair[0],
                    target=pair[1],
                    parted=rows["parted"].sum(),
                    days=len(rows),
                    first=rows["day"].min(),
                    carried=rows["carried"].sum(),
                )
            )
        return f"{int(frame['parted'].sum())} packets parted, {int(frame['carried'].sum())} carried", lines
