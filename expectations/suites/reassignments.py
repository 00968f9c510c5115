"""Reassignments: a row for each one that the analysis found, and one for each pair that parted without."""

from __future__ import annotations

from typing import Any

from expectations import bounds
from expectations.reassignments_recognised import ExpectReassignmentsToBeRecognised


def build() -> list[Any]:
    """Return the expectations of the pairs of regions."""
    return [
        ExpectReassignmentsToBeRecognised(
            minimum_share=bounds.RECOGNISED_FROM,
            minimum_packets=bounds.RECOGNISED_PACKETS,
            description="A reassignment that matters is recognised, dated by its first snapshot, and named",
        ),
    ]
