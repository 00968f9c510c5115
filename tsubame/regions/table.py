"""Delegation records of the registries -> one table that names a region and a holder for every address.

The table is gapless over all 2**32 addresses and does not depend on how records are cut: neighbouring
intervals of the same region and holder are one, so a record split in two, or two merged, give the same
table and the same digest.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tsubame.regions.delegated import DelegatedFile
from tsubame.regions.overlaps import Claims, Overlaps, order_by_belief, resolve
from tsubame.regions.records import STATUSES

RESERVED = "reserved"
AVAILABLE = "available"
UNDELEGATED = "undelegated"
ADDRESSES = 2**32

_STATUS_RANK = {"allocated": 0, "assigned": 0, "reserved": 1, "available": 2}
Starts = np.ndarray[tuple[int], np.dtype[np.uint32]]
Codes = np.ndarray[tuple[int], np.dtype[np.uint16]]
HolderCodes = np.ndarray[tuple[int], np.dtype[np.int32]]


def is_country(region: str) -> bool:
    """Say whether a region is one that is ranked: a two-letter code (EU and AP too), and not ZZ."""
    return len(region) == 2 and region != "ZZ"


@dataclass(frozen=True, eq=False)
class RegionTable:
    """Region and holder of every IPv4 address on one delegation date.

    Interval i runs from ``starts[i]`` to ``starts[i + 1] - 1``, the last one to 2**32 - 1.

    Attributes:
        starts: (n,) uint32, increasing, ``starts[0]`` = 0.
        codes: (n,) uint16, indices into ``regions``.
        regions: names in alphabetical order: two letters as the registries write them, ``reserved``,
            ``available``, and ``undelegated`` for space in no file. Exactly those that occur.
        holder_codes: (n,) int32, indices into ``holders``.
        holders: opaque-ids in order; the empty string where none is known.
        overlaps: what had to be resolved to make the table; no part of its identity.
    """

    starts: Starts
    codes: Codes
    regions: tuple[str, ...]
    holder_codes: HolderCodes
    holders: tuple[str, ...]
    overlaps: Overlaps = field(default=Overlaps(), compare=False)

    def __len__(self) -> int:
        return len(self.starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RegionTable) and self.holders_digest == other.holders_digest

    def __hash__(self) -> int:
        return hash(self.holders_digest)

    def __getstate__(self) -> dict[str, Any]:
        # What is derived is made again where it is needed, not sent between processes.
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @cached_property
    def by_region(self) -> tuple[Starts, Codes]:
        """Starts and codes with neighbouring intervals of one region merged, whoever holds them."""
        first = np.ones(len(self.codes), dtype=np.bool_)
        first[1:] = self.codes[1:] != self.codes[:-1]
        return self.starts[first], self.codes[first]

    @cached_property
    def digest(self) -> str:
        """32 hex digits naming the region of every address: what attribution depends on, and nothing else."""
        return _digest(*self.by_region, self.regions)

    @cached_property
    def holders_digest(self) -> str:
        """32 hex digits naming region and holder of every address."""
        return _digest(self.starts, self.codes, self.regions, self.holder_codes, self.holders)

    def without_holders(self) -> RegionTable:
        """Return the table with regions only: a tenth of the size, the same digest, to send to workers."""
        starts, codes = self.by_region
        return RegionTable(starts, codes, self.regions, np.zeros(len(starts), dtype=np.int32), ("",))

    @cached_property
    def sizes(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """(n,) int64, number of addresses of each interval."""
        bounds = np.append(self.starts.astype(np.int64), np.int64(ADDRESSES))
        return np.diff(bounds)

    def addresses_by_region(self) -> dict[str, int]:
        """Return how many addresses each region has; they add up to 2**32."""
        sums = np.bincount(self.codes, weights=self.sizes, minlength=len(self.regions))
        return dict(zip(self.regions, sums.astype(np.int64).tolist(), strict=True))

    def region_of(self, address: int) -> str:
        """Return the region of one address."""
        return self.regions[int(self.codes[np.searchsorted(self.starts, address, side="right") - 1])]


def _digest(*parts: np.ndarray | tuple[str, ...]) -> str:
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = (
            "\n".join(part).encode()
            if isinstance(part, tuple)
            else np.ascontiguousarray(part).astype(part.dtype.newbyteorder("<"), copy=False).tobytes()
        )
        state.update(len(content).to_bytes(8, "little") + content)
    return state.hexdigest()


def build_table(files: Sequence[DelegatedFile], *, holders: bool = True) -> RegionTable:
    """Join the IPv4 records of the registries' files into one table.

    Args:
        files: at most one for each registry is usual; none gives a table of undelegated space.
        holders: whether the table names holders; without them it has the same regions and digest.

    Returns:
        The table. Which record is believed where several cover an address: see ``overlaps``.
    """
    records = pa.concat_tables([file.ipv4 for file in files]) if files else None
    if records is None or not records.num_rows:
        return assemble(
            np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), (), np.zeros(0, np.int64), ("",)
        )
    counts = [file.ipv4.num_rows for file in files]
    registries = sorted({file.registry for file in files})
    registry = np.repeat([registries.index(file.registry) for file in files], counts)
    region, regions = _factorise(_region_names(records))
    holder, names = (
        _factorise(records.column("holder")) if holders else (np.zeros(records.num_rows, dtype=np.int64), ("",))
    )
    status = _factorise(records.column("status"))
    first, last, line = (_numbers(records.column(name)) for name in ("first", "last", "line"))
    day = _numbers(pc.fill_null(records.column("date").cast(pa.int32()), np.iinfo(np.int32).min))
    status_rank = np.array([_STATUS_RANK[name] for name in status[1]], dtype=np.int64)[status[0]]
    rank = order_by_belief(status_rank, first, last, day, registry, line)
    order = np.argsort(first, kind="stable")
    claims = Claims(first, last, region, holder, registry, rank).take(order)
    starts, ends, rows, overlaps = resolve(claims)
    return assemble(starts, ends, claims.region[rows], regions, claims.holder[rows], names, overlaps)


def assemble(
    first: np.ndarray,
    last: np.ndarray,
    region: np.ndarray,
    regions: Sequence[str],
    holder: np.ndarray,
    holders: Sequence[str],
    overlaps: Overlaps = Overlaps(),  # noqa: B008 - frozen
) -> RegionTable:
    """Make a table of disjoint intervals in order: fill the gaps, merge neighbours, name only what occurs.

    Args:
        first: (n,) int64, first address of each.
        last: (n,) int64, last address of each.
        region: (n,) int64, indices into ``regions``.
        regions: names of regions.
        holder: (n,) int64, indices into ``holders``.
        holders: opaque-ids.
        overlaps: what was resolved before.
    """
    regions, holders = (*regions, UNDELEGATED), (*holders, "")
    bounds = np.empty(2 * len(first) + 1, dtype=np.int64)
    bounds[0], bounds[1::2], bounds[2::2] = 0, first, last + 1
    region_codes = np.full(len(bounds), len(regions) - 1, dtype=np.int64)
    holder_codes = np.full(len(bounds), len(holders) - 1, dtype=np.int64)
    region_codes[1::2], holder_codes[1::2] = region, holder
    real = np.diff(bounds, append=ADDRESSES) > 0
    bounds, region_codes, holder_codes = bounds[real], region_codes[real], holder_codes[real]
    region_codes, region_names = _rename(region_codes, regions)
    holder_codes, holder_names = _rename(holder_codes, holders)
    new = np.ones(len(bounds), dtype=np.bool_)
    new[1:] = (np.diff(region_codes) != 0) | (np.diff(holder_codes) != 0)
    return RegionTable(
        bounds[new].astype(np.uint32),
        region_codes[new].astype(np.uint16),
        region_names,
        holder_codes[new].astype(np.int32),
        holder_names,
        overlaps,
    )


def _rename(codes: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number the names that occur in alphabetical order, equal names alike."""
    present = np.flatnonzero(np.bincount(codes, minlength=len(names)))
    # Holders recur in every day's table: interned, 90 tables of a quarter share their strings.
    kept = sorted({sys.intern(names[index]) for index in present.tolist()})
    places = {name: place for place, name in enumerate(kept)}
    mapping = np.zeros(len(names), dtype=np.int64)
    for index in present.tolist():
        mapping[index] = places[names[index]]
    return mapping[codes], tuple(kept)


def _region_names(records: pa.Table) -> pa.ChunkedArray:
    """Return the region of each record: its country where delegated, else its status."""
    status, country = (records.column(name).cast(pa.string()) for name in ("status", "region"))
    return pc.if_else(pc.is_in(status, pa.array(STATUSES[:2])), country, status)


def _factorise(column: pa.ChunkedArray) -> tuple[np.ndarray, tuple[str, ...]]:
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), tuple(encoded.dictionary.to_pylist())


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.to_numpy(), dtype=np.int64)
