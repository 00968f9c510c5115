"""A pair of regions whose packets part is recognised as a reassignment, dated and quantified."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation


class ExpectReassignmentsToBeRecognised(FrameExpectation):
    """Each pair whose parted packets matter is among the analysis' reassignments, with date and blocks."""

    minimum_share: float
    minimum_packets: float

    def find_failures(self, frame: Any) -> tuple[str, list[str]]:
        """Check the pairs (one a row): size of what parted, and what the analysis says of it."""
        matters = (frame["parted_per_sensor_day"] >= self.minimum_packets) & (
            frame["parted_per_sensor_day"] >= self.minimum_share * frame["smaller_region_per_sensor_day"]
        )
        lines = []
        for row in frame[matters].itertuples():
            pair = f"{row.from_region} -> {row.to_region}"
            if not row.blocks:
                lines.append(
                    f"{pair}: {row.parted_per_sensor_day:.1f} packets per sensor and day parted from "
                    f"{row.first_parted}, but no reassignment is recognised"
                )
            elif row.first_seen > row.first_parted:
                lines.append(f"{pair}: first seen {row.first_seen}, but packets parted from {row.first_parted} on")
        return f"{int(matters.sum())} of {len(frame)} pairs matter", lines
