"""Which delegations a report day is attributed by, and what a reader should know of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

from tsubame.keys import REGISTRIES, DelegationKey
from tsubame.regions.glitches import Held
from tsubame.regions.snapshots import Snapshot
from tsubame.regions.table import RegionTable


@dataclass(frozen=True, slots=True)
class Refusal:
    """A delegation file that is there but not used.

    Attributes:
        key: the file.
        reason: one line saying why.
    """

    key: DelegationKey
    reason: str


@dataclass(frozen=True)
class SnapshotUse:
    """The delegations a report day is attributed by.

    Attributes:
        day: the report day.
        snapshot: the files that are used; not always the newest ones, see ``refused`` and ``held``.
        table: the region table they make.
        refused: newer files that cannot be used: wrong MD5, cut, or no delegation file.
        held: changes in newer files, or in the ones used, that their neighbours contradict.
        settled: whether there are files late enough to know that nothing more of it will be held back.
    """

    day: date
    snapshot: Snapshot
    table: RegionTable
    refused: tuple[Refusal, ...] = ()
    held: tuple[Held, ...] = ()
    settled: bool = True

    @property
    def digest(self) -> str:
        """Names the region of every address; counts are made again when it changes."""
        return self.table.digest

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """What a reader should know, one short line each."""
        carried = [f"{registry}: carried forward {age} days" for registry, age in self.snapshot.carried_forward.items()]
        absent = [f"{registry}: no file" for registry in self.snapshot.absent]
        refused = [f"{refusal.key.registry}: {refusal.reason}" for refusal in self.refused]
        held = [
            f"{registry}: {sum(entry.addresses for entry in entries)} addresses of {entries[0].file_day} held back"
            for registry in REGISTRIES
            if (entries := [entry for entry in self.held if entry.registry == registry])
        ]
        return tuple(carried + absent + refused + held)
