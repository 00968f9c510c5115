"""On every day each of the five registries has a snapshot in force."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation


class ExpectRegistriesToBePresent(FrameExpectation):
    """Each registry of ``registries`` has a row with a snapshot on each day that has rows."""

    registries: list[str]

    def find_failures(self, frame: Any) -> tuple[str, list[str]]:
        """Name each registry that is absent, with the number of days."""
        days = frame["day"].nunique()
        present = frame[frame["snapshot_date"].notna()].groupby("registry")["day"].nunique()
        lines = [
            f"{registry}: no snapshot on {days - int(present.get(registry, 0))} of {days} days; "
            "its space counts as undelegated"
            for registry in self.registries
            if int(present.get(registry, 0)) < days
        ]
        return f"{days} days", lines
