"""Steps that no reassignment explains, for whoever reads the validation first."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectStepsToBeExplained(FrameExpectation):
    """No row has the verdict ``unexplained``."""

    unexplained: str

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Name the steps that are changes of traffic."""
        rows = frame[frame["verdict"] == self.unexplained]
        lines = [line("step_unexplained", region=row.region, day=row.day, ratio=row.ratio) for row in rows.itertuples()]
        return f"{len(frame)} steps", lines
