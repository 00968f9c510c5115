"""A reassignment's verdict says no more than its numbers do."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectVerdictsToFollow(FrameExpectation):
    """Explained only where every condition holds, the share's lower bound anew; a share lies in its interval."""

    explained: str
    explained_from: float
    verdicts: list[str]

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Check each reassignment by itself."""
        lines = []
        for row in frame.itertuples():
            name = f"{row.from_region} -> {row.to_region} on {row.date}"
            known = row.share == row.share
            if row.verdict not in self.verdicts:
                lines.append(line("verdict_unknown", name=name, verdict=row.verdict))
            if row.verdict == self.explained and not (known and row.share_low >= self.explained_from):
                lines.append(line("verdict_low", name=name, low=row.share_low))
            if known and not row.share_low <= row.share <= row.share_high:
                lines.append(
                    line("verdict_interval", name=name, share=row.share, low=row.share_low, high=row.share_high)
                )
            if row.packets_before + row.packets_after == 0 and row.verdict == self.explained:
                lines.append(line("verdict_packets", name=name))
            if row.verdict == self.explained and row.failed:
                lines.append(line("verdict_condition", name=name, failed=row.failed))
        return f"{len(frame)} reassignments", lines
