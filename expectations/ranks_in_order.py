"""A ranking is a ranking: ranks without gaps, packets that never rise, none ranked twice."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectRanksInOrder(FrameExpectation):
    """In each table ranks count from 1, packets do not rise with the rank, and intervals hold the rank."""

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Check each table of the frame by itself."""
        lines = []
        for table, rows in frame.groupby("table", sort=True):
            if list(rows["rank"]) != list(range(1, len(rows) + 1)):
                lines.append(line("ranks_gap", table=table, n=len(rows)))
            if (rows["packets"].diff().dropna() > 0).any():
                lines.append(line("ranks_rise", table=table))
            if rows["name"].duplicated().any():
                lines.append(line("ranks_twice", table=table, name=rows["name"][rows["name"].duplicated()].iloc[0]))
            outside = rows[(rows["rank"] < rows["rank_low"]) | (rows["rank"] > rows["rank_high"])]
            lines += [line("ranks_outside", table=table, rank=rank) for rank in outside["rank"]]
        return f"{len(frame)} rows", lines
