"""A reassignment's verdict says no more than its numbers do."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation


class ExpectVerdictsToFollow(FrameExpectation):
    """Explained only from a lower bound of ``explained_from`` on; a share lies in its interval."""

    explained: str
    explained_from: float
    verdicts: list[str]

    def find_failures(self, frame: Any) -> tuple[str, list[str]]:
        """Check each reassignment by itself."""
        lines = []
        for row in frame.itertuples():
            name = f"{row.from_region} -> {row.to_region} on {row.date}"
            known = row.share == row.share
            if row.verdict not in self.verdicts:
                lines.append(f"{name}: unknown verdict {row.verdict!r}")
            if row.verdict == self.explained and not (known and row.share_low >= self.explained_from):
                lines.append(f"{name}: said to be explained with a share from {row.share_low}")
            if known and not row.share_low <= row.share <= row.share_high:
                lines.append(f"{name}: share {row.share:.3f} outside {row.share_low:.3f} to {row.share_high:.3f}")
            if row.packets_before + row.packets_after == 0 and row.verdict == self.explained:
                lines.append(f"{name}: said to be explained by blocks without packets")
        return f"{len(frame)} reassignments", lines
