"""A pair of regions whose packets part is recognised as a reassignment, dated and quantified."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectReassignmentsToBeRecognised(FrameExpectation):
    """Each pair whose parted packets matter is among the analysis' reassignments, with date and blocks."""

    minimum_share: float
    minimum_packets: float

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Check the pairs (one a row): size of what parted, and what the analysis says of it."""
        matters = (frame["parted_per_sensor_day"] >= self.minimum_packets) & (
            frame["parted_per_sensor_day"] >= self.minimum_share * frame["smaller_region_per_sensor_day"]
        )
        lines = []
        for row in frame[matters].itertuples():
            pair = f"{row.from_region} -> {row.to_region}"
            if not row.blocks:
                lines.append(line("unrecognised", pair=pair, packets=row.parted_per_sensor_day, first=row.first_parted))
            elif row.first_seen > row.first_parted:
                lines.append(line("dated_late", pair=pair, seen=row.first_seen, first=row.first_parted))
        return f"{int(matters.sum())} of {len(frame)} pairs matter", lines
