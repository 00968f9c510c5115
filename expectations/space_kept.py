"""No registry loses much space from one snapshot to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectSpaceToBeKept(FrameExpectation):
    """The addresses of a registry's snapshot are at least ``1 − maximum_loss`` of the one before."""

    maximum_loss: float

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Compare each registry's consecutive snapshots."""
        used = frame[frame["snapshot_date"].notna()]
        used = used.drop_duplicates(["registry", "snapshot_date"]).sort_values(["registry", "snapshot_date"])
        lines = []
        for registry, rows in used.groupby("registry"):
            pairs = list(zip(rows["snapshot_date"], rows["addresses"].astype("int64"), strict=True))
            for (_, before), (day, after) in pairwise(pairs):
                if after < before * (1 - self.maximum_loss):
                    lines.append(
                        line(
                            "space_lost",
                            registry=registry,
                            day=day,
                            after=after,
                            loss=1 - after / before,
                            before=before,
                        )
                    )
        return f"{len(used)} snapshots", lines
