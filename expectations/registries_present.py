"""On every day each of the five registries has a snapshot in force."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line


class ExpectRegistriesToBePresent(FrameExpectation):
    """Each registry of ``registries`` has a row with a snapshot on each day that has rows."""

    registries: list[str]

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Name each registry that is absent, with the number of days."""
        days = frame["day"].nunique()
        present = frame[frame["snapshot_date"].notna()].groupby("registry")["day"].nunique()
        lines = [
            line("absent", registry=registry, missing=days - int(present.get(registry, 0)), days=days)
            for registry in self.registries
            if int(present.get(registry, 0)) < days
        ]
        return f"{days} days", lines
