"""A part of a whole stays below a bound, over all rows together."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectShareBelow(FrameExpectation):
    """The sum of ``part`` over the sum of ``whole`` is at most ``maximum``."""

    part: str
    whole: str
    maximum: float

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Compare the two sums; an empty whole has no share."""
        part, whole = float(frame[self.part].sum()), float(frame[self.whole].sum())
        share = part / whole if whole else 0.0
        observed = f"{self.part} / {self.whole} = {part:.0f} / {whole:.0f} = {share:.4%}"
        too_much = [line("share", part=self.part, whole=self.whole, share=share, maximum=self.maximum)]
        return observed, too_much if share > self.maximum else []
