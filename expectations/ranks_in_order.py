"""A ranking is a ranking: ranks without gaps, packets that never rise, none ranked twice."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation


class ExpectRanksInOrder(FrameExpectation):
    """In each table ranks count from 1, packets do not rise with the rank, and intervals hold the rank."""

    def find_failures(self, frame: Any) -> tuple[str, list[str]]:
        """Check each table of the frame by itself."""
        lines = []
        for table, rows in frame.groupby("table", sort=True):
            if list(rows["rank"]) != list(range(1, len(rows) + 1)):
                lines.append(f"{table}: ranks do not count from 1 to {len(rows)}")
            if (rows["packets"].diff().dropna() > 0).any():
                lines.append(f"{table}: packets rise from one rank to the next")
            if rows["name"].duplicated().any():
                lines.append(f"{table}: {rows['name'][rows['name'].duplicated()].iloc[0]} is ranked twice")
            outside = rows[(rows["rank"] < rows["rank_low"]) | (rows["rank"] > rows["rank_high"])]
            lines += [f"{table}: rank {rank} outside its interval" for rank in outside["rank"]]
        return f"{len(frame)} rows", lines
