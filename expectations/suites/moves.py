"""Packets that parted from one region to another: a row for each day and pair of regions."""

from __future__ import annotations

from typing import Any

from expectations import bounds
from expectations.parted_packets_carried import ExpectPartedPacketsToBeCarried


def build() -> list[Any]:
    """Return the expectations."""
    return [
        ExpectPartedPacketsToBeCarried(
            tolerance=bounds.CARRIED_TOLERANCE,
            description="Where a region's two series part, named moved blocks carry the difference",
            notes="Regions, from counts, and blocks, from sources and delegation files, are computed apart.",
        ),
    ]
