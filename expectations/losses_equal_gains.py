"""What one region loses by reassignment others gain: Σ_r M_r(t) = 0 on every day."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectLossesToEqualGains(FrameExpectation):
    """As-of minus pinned packets add up to zero over all regions and kinds of space, every day."""

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Add up ``observed`` − ``pinned`` by day."""
        effect = (frame["observed"] - frame["pinned"]).groupby(frame["day"]).sum()
        lines = [line("gain", day=day, total=total) for day, total in effect.items() if total]
        moved = int((frame["observed"] - frame["pinned"]).clip(lower=0).sum())
        return f"{moved} packets counted for another region than at first", lines
