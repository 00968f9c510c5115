"""Which delegation files are in force on a day.

Registries date their files by their own clocks; a file counts from the report day of the date in its name.
For each registry the newest file not later than the day is in force. One older than the day is carried
forward, and says so; the space of a registry without any is undelegated, and that is said too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from tsubame.errors import NotReady
from tsubame.keys import REGISTRIES, DelegationKey


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The delegation files in force on a day.

    Attributes:
        day: the report day.
        files: at most one for each registry, in the order of ``keys.REGISTRIES``.
    """

    day: date
    files: tuple[DelegationKey, ...]

    @property
    def absent(self) -> tuple[str, ...]:
        """Registries of which there is no file; their space is undelegated."""
        present = {file.registry for file in self.files}
        return tuple(registry for registry in REGISTRIES if registry not in present)

    @property
    def age_days(self) -> dict[str, int]:
        """Age of each registry's file in days; 0 for one of the day itself."""
        return {file.registry: (self.day - file.day).days for file in self.files}

    @property
    def carried_forward(self) -> dict[str, int]:
        """Age in days of the files that are older than the day."""
        return {registry: age for registry, age in self.age_days.items() if age > 0}


def preference(key: DelegationKey) -> tuple[date, bool, bool]:
    """Order the files of one registry by how much each is preferred, the latest day last."""
    # Of one day's files the extended form says more; plain and gzip say the same.
    return key.day, key.extended, not key.compressed


def snapshot_in_force(available: Collection[DelegationKey], day: date) -> Snapshot:
    """Choose, for each registry, the newest file whose date is not later than ``day``.

    Args:
        available: the files there are.
        day: a report day.

    Raises:
        NotReady: no registry has any file of that day or before.
    """
    newest: dict[str, DelegationKey] = {}
    for key in available:
        held = newest.get(key.registry)
        if key.day <= day and (held is None or preference(held) < preference(key)):
            newest[key.registry] = key
    if not newest:
        raise NotReady(
            f"no delegation file of {day.isoformat()} or before",
            hint="Run `tsubame delegations fetch` or `tsubame delegations import`.",
        )
    return Snapshot(day, tuple(newest[registry] for registry in REGISTRIES if registry in newest))
