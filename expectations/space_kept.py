"""No registry loses much space from one snapshot to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from expectations.frame import FrameExpectation


class ExpectSpaceToBeKept(FrameExpectation):
    """The addresses of a registry's snapshot are at least ``1 − maximum_loss`` of the one before."""

    maximum_loss: float

    def find_failures(self, frame: Any) -> tuple[str, list[str]]:
        """Compare each registry's consecutive snapshots."""
        used = frame[frame["snapshot_date"].notna()]
        used = used.drop_duplicates(["registry", "snapshot_date"]).sort_values(["registry", "snapshot_date"])
        lines = []
        for registry, rows in used.groupby("registry"):
            pairs = list(zip(rows["snapshot_date"], rows["addresses"].astype("int64"), strict=True))
            for (_, before), (day, after) in pairwise(pairs):
                if after < before * (1 - self.maximum_loss):
                    lines.append(
                        f"{registry} {day}: {after:,} addresses, {1 - after / before:.1%} fewer than in the "
                        f"snapshot before ({before:,})"
                    )
        return f"{len(used)} snapshots", lines
