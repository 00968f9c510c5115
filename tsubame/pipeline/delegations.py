"""The archive of delegation files: what is in force on a day, and the region table it makes.

Parsed files and tables are kept by content, in the process and on the disk (``region_cache``), so that a quarter
of days costs one parse of each file and one build of each different set of files, once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise

from tsubame.errors import BadInput, NotReady
from tsubame.keys import REGISTRIES, DelegationKey
from tsubame.periods import days_between
from tsubame.pipeline.delegation_sources import (
    Arrival,
    FetchSummary,
    base_urls_from_environment,
    fetch_delegations,
    import_delegation,
)
from tsubame.pipeline.recent import Recent
from tsubame.pipeline.region_cache import RegionCache, open_cache
from tsubame.pipeline.snapshot_use import Refusal, SnapshotUse
from tsubame.regions.changes import Spans, changed_ranges
from tsubame.regions.checks import check_md5, check_registry, check_whole
from tsubame.regions.delegated import DelegatedFile, VersionLine, decompress, identify, parse_delegated, read_version
from tsubame.regions.glitches import HOLD_DAYS, FileUse, Held, settle
from tsubame.regions.moves import Move, moves_over, trace_regions
from tsubame.regions.patches import patch_file
from tsubame.regions.snapshots import Snapshot, preference, snapshot_in_force
from tsubame.regions.table import RegionTable, build_table
from tsubame.settings import Settings
from tsubame.stores import Store, open_store

__all__ = [
    "Arrival",
    "DelegationArchive",
    "FetchSummary",
    "Refusal",
    "SnapshotUse",
    "base_urls_from_environment",
    "fetch_delegations",
    "import_delegation",
    "moves_between",
    "open_archive",
]

Progress = Callable[[str, int, int], None]


# A file of the largest registry takes some 6 MiB parsed, a table of all five some 3 MiB.
_headers: Recent[tuple[VersionLine, str]] = Recent(8192)
_verified: Recent[bool] = Recent(8192)
_bodies: Recent[DelegatedFile] = Recent(64)
_tables: Recent[RegionTable] = Recent(64)
_changes: Recent[Spans] = Recent(4096)
_DAYS_KEPT = 128


class DelegationArchive:
    """The delegation files of a store.

    Args:
        store: where they lie, see ``keys.DelegationKey``.
        hold_days: a change undone within so many days is a glitch.
        cache: where parsed files and tables are kept beyond the process; None for nowhere.
    """

    def __init__(self, store: Store, *, hold_days: int = HOLD_DAYS, cache: RegionCache | None = None) -> None:
        self._store = store
        self._cache = cache
        self._hold_days = hold_days
        self._listing: dict[str, str] | None = None
        self._refusals: dict[DelegationKey, str] = {}
        self._stamps: dict[DelegationKey, Hashable] = {}
        self._uses: Recent[SnapshotUse] = Recent(_DAYS_KEPT)

    def _etags(self) -> dict[str, str]:
        if self._listing is None:
            self._listing = {info.key: info.etag for info in self._store.list()}
        return self._listing

    def refresh(self) -> None:
        """Forget the listing: the next call sees files that have arrived since."""
        self._listing = None
        self._refusals.clear()
        self._stamps.clear()
        self._uses = Recent(_DAYS_KEPT)
        self.__dict__.pop("_by_registry", None)

    def keys(self) -> tuple[DelegationKey, ...]:
        """Return the delegation files there are, by date and registry; lists the store once."""
        return tuple(sorted(key for name in self._etags() if (key := DelegationKey.parse(name))))

    @cached_property
    def _by_registry(self) -> dict[str, dict[date, list[DelegationKey]]]:
        """The files of each registry and day, the preferred form first."""
        result: dict[str, dict[date, list[DelegationKey]]] = {registry: {} for registry in REGISTRIES}
        for key in sorted(self.keys(), key=preference, reverse=True):
            result[key.registry].setdefault(key.day, []).append(key)
        return result

    def snapshot(self, day: date) -> Snapshot:
        """Return the files in force on a day by their names alone, whatever they contain.

        Raises:
            NotReady: there is no file of that day or before.
        """
        return snapshot_in_force(self.keys(), day)

    def read(self, key: DelegationKey) -> DelegatedFile:
        """Return a file's IPv4 records, after checking it.

        AS and IPv6 records are counted and left out: nothing here needs them.

        Raises:
            MalformedDelegation: its MD5 is another, its end is missing, or it is no such delegation file.
            Unavailable: the store does not answer.
        """
        stamp = self._stamps.get(key)
        if stamp is None:
            etag = self._etags().get(key.key)
            stamp = self._stamps[key] = (self._store.url, key.key, etag, self._checksum_key(key))
        known = _headers.peek(stamp)
        if known is not None:
            header, identity = known
            file = _bodies.peek(identity)
            if file is not None:
                return replace(file, key=key.key, header=header)
        return self._read(key, stamp)

    def is_verified(self, key: DelegationKey) -> bool | None:
        """Say whether a file that is used agrees with the MD5 beside it.

        Returns:
            None when there is none; False when what lies there names no MD5 and so proves nothing.
        """
        if self._checksum_key(key) is None:
            return None
        self.read(key)
        return _verified.peek(self._stamps[key])

    def _checksum_key(self, key: DelegationKey) -> tuple[str, str] | None:
        for name in (f"{key.key}.md5", f"{key.key.removesuffix('.gz')}.md5"):
            if name in self._etags():
                return name, self._etags()[name]
        return None

    def _read(self, key: DelegationKey, stamp: Hashable) -> DelegatedFile:
        content = self._store.read(key.key)
        beside = self._checksum_key(key)
        checksum = None if beside is None else self._store.read(beside[0])

        def make() -> tuple[DelegatedFile, bool]:
            return _parse(key, content, checksum)

        if self._cache is None:
            file, verified = make()
        else:
            parts = [content] if checksum is None else [content, checksum]
            file, verified = self._cache.file(key.key, parts, make)
            _bodies.get(file.identity, lambda: file)
        check_registry(file, key.registry)
        _verified.get(stamp, lambda: verified)
        _headers.get(stamp, lambda: (file.header, file.identity))
        return file

    def load(self, snapshot: Snapshot) -> RegionTable:
        """Return the region table of a snapshot's files as they stand.

        Raises:
            MalformedDelegation: a file cannot be used.
        """
        return self._join([self.read(key) for key in snapshot.files])

    def _join(self, files: Sequence[DelegatedFile], *, holders: bool = True) -> RegionTable:
        identity = (holders, *(file.identity for file in files))

        def make() -> RegionTable:
            return build_table(files, holders=holders)

        cache = self._cache
        return _tables.get(identity, make if cache is None else lambda: cache.table(identity, make))

    def in_use(self, day: date) -> SnapshotUse:
        """Return the delegations that a report day is attributed by: usable files, glitches held back.

        Raises:
            NotReady: there is no usable file of that day or before.
        """
        return self._uses.get(day, lambda: self._use(day))

    def covers(self, day: date) -> bool:
        """Say whether there is a usable file of that day or before."""
        try:
            self.in_use(day)
        except NotReady:
            return False
        return True

    def _use(self, day: date) -> SnapshotUse:
        parts = [part for registry in REGISTRIES if (part := self._registry_use(registry, day))]
        files = [part for part in parts if part.file is not None]
        refused = tuple(refusal for part in parts for refusal in part.refused)
        if not files:
            snapshot_in_force(self.keys(), day)
            raise NotReady(
                f"no usable delegation file of {day.isoformat()} or before",
                actual=refused[0].reason,
                hint="Fetch or import it again.",
            )
        return SnapshotUse(
            day,
            Snapshot(day, tuple(part.key for part in files if part.key)),
            self._join([part.file for part in files if part.file is not None]),
            refused,
            tuple(held for part in files for held in part.held),
            all(part.settled for part in parts),
        )

    def _registry_use(self, registry: str, day: date) -> _RegistryUse | None:
        """Choose one registry's file for a day, from it and its neighbours."""
        days = sorted(self._by_registry[registry])
        # Changes are followed from well before the day, so that a glitch at the beginning has passed.
        begin = day - timedelta(days=2 * self._hold_days + 1)
        end = day + timedelta(days=self._hold_days)
        window: list[tuple[date, DelegationKey, DelegatedFile]] = []
        refused: list[Refusal] = []
        for file_day in reversed([candidate for candidate in days if candidate <= end]):
            found = self._usable(self._by_registry[registry][file_day], refused)
            if found:
                window.insert(0, (file_day, *found))
            if window and window[0][0] <= begin:
                break
        past = [index for index, (file_day, _, _) in enumerate(window) if file_day <= day]
        settled = bool(days) and days[-1] >= end
        if not past:
            late = tuple(refusal for refusal in refused if refusal.key.day <= day)
            return _RegistryUse(None, None, late, (), settled) if late else None
        use = self._settled(registry, window)[past[-1]]
        _, key, base = window[use.base]
        file = patch_file(base, [(first, last, window[index][2]) for first, last, index in use.patches])
        newer = tuple(refusal for refusal in reversed(refused) if key.day <= refusal.key.day <= day)
        return _RegistryUse(key, file, newer, use.held, settled)

    def _usable(
        self, keys: Sequence[DelegationKey], refused: list[Refusal]
    ) -> tuple[DelegationKey, DelegatedFile] | None:
        for key in keys:
            reason = self._refusals.get(key)
            if reason is None:
                try:
                    return key, self.read(key)
                except BadInput as error:
                    reason = self._refusals[key] = str(error)
            refused.append(Refusal(key, reason))
        return None

    def _settled(
        self, registry: str, window: Sequence[tuple[date, DelegationKey, DelegatedFile]]
    ) -> tuple[FileUse, ...]:
        if len({file.identity for _, _, file in window}) == 1:
            return tuple(FileUse(index) for index in range(len(window)))
        tables = [(file_day, self._join([file], holders=False)) for file_day, _, file in window]
        return settle(
            registry,
            tables,
            [_difference(old, new) for (_, old), (_, new) in pairwise(tables)],
            hold_days=self._hold_days,
        )

    def uses(self, first: date, last: date, *, progress: Progress | None = None) -> Iterator[SnapshotUse]:
        """Yield the delegations in use on each day from ``first`` to ``last``."""
        total = (last - first).days + 1
        for done, day in enumerate(days_between(first, last), start=1):
            yield self.in_use(day)
            if progress:
                progress("delegations", done, total)

    def tables(self, first: date, last: date) -> list[tuple[date, Snapshot, RegionTable]]:
        """Return day, files and table in use for each day from ``first`` to ``last``."""
        return [(use.day, use.snapshot, use.table) for use in self.uses(first, last)]

    def moves(self, first: date, last: date, *, progress: Progress | None = None) -> tuple[Move, ...]:
        """Return every move from a day to the next, from ``first`` to ``last``, glitches held back."""
        return moves_over([(use.day, use.table) for use in self.uses(first, last, progress=progress)])


@dataclass(frozen=True, slots=True)
class _RegistryUse:
    """What of one registry is used on a day."""

    key: DelegationKey | None
    file: DelegatedFile | None
    refused: tuple[Refusal, ...]
    held: tuple[Held, ...]
    settled: bool


def _parse(key: DelegationKey, content: bytes, checksum: bytes | None) -> tuple[DelegatedFile, bool]:
    """Return a file's IPv4 records, and whether its MD5 was there and agreed."""
    plain = decompress(content, key=key.key)
    verified = checksum is not None and check_md5([content, plain], checksum, key=key.key)
    identity = identify(plain, key=key.key)
    header, _ = read_version(plain, key=key.key)
    parsed = _bodies.get(identity, lambda: parse_delegated(plain, key=key.key, types=("ipv4",)))
    file = replace(parsed, key=key.key, header=header)
    check_whole(file)
    return file, verified


def _difference(old: RegionTable, new: RegionTable) -> Spans:
    return _changes.get((old.digest, new.digest), lambda: changed_ranges(old, new))


def open_archive(settings: Settings) -> DelegationArchive:
    """Open the archive that the settings name."""
    return DelegationArchive(open_store(settings.delegations_url), cache=open_cache())


def moves_between(
    settings: Settings,
    first: date,
    last: date,
    from_region: str | None = None,
    to_region: str | None = None,
    *,
    progress: Progress | None = None,
) -> list[Move]:
    """Return the blocks whose region on one day is not that on a later one.

    Each is dated by the first snapshot used since which it is where it is on the later day. A block that went
    and came back in between has not moved.

    Args:
        settings: says where the archive is.
        first: the earlier day.
        last: the later day.
        from_region: only moves from this region.
        to_region: only moves to this region.
        progress: told after each day.

    Raises:
        NotReady: there is no usable snapshot on the first day.
    """
    uses = open_archive(settings).uses(first, last, progress=progress)
    tables = [(use.day, use.table) for use in uses]
    return [
        move
        for move in trace_regions(tables).between(0, len(tables) - 1)
        if from_region in (None, move.from_region) and to_region in (None, move.to_region)
    ]
