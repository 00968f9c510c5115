"""Where region tables differ: the pieces of address space that no table's boundary cuts.

A record that is split, or two that are merged, change no address's region, and so give no such piece.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tsubame.regions.table import ADDRESSES, RegionTable

Spans = np.ndarray[tuple[int, int], np.dtype[np.int64]]
"""(n, 2) int64: first address, and the one after the last, of ranges in order."""


def changed_ranges(old: RegionTable, new: RegionTable) -> Spans:
    """Return the atomic intervals whose region is not the same in two tables."""
    if old.digest == new.digest:
        return np.zeros((0, 2), dtype=np.int64)
    starts = np.sort(np.concatenate((old.by_region[0], new.by_region[0])))
    starts = starts[np.append(True, starts[1:] != starts[:-1])]
    names = sorted({*old.regions, *new.regions})
    differs = states_at(old, starts, names) != states_at(new, starts, names)
    bounds = np.append(starts.astype(np.int64), ADDRESSES)
    return np.stack((bounds[:-1][differs], bounds[1:][differs]), axis=1)


def states_at(
    table: RegionTable, addresses: np.ndarray, names: Sequence[str]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the region of each address as its place in ``names``; (n,) int64."""
    places = {name: place for place, name in enumerate(names)}
    starts, codes = table.by_region
    mapping = np.array([places[name] for name in table.regions], dtype=np.int64)
    found = np.searchsorted(starts, addresses.astype(np.uint32), side="right") - 1
    return np.asarray(mapping[codes[found]])


def cut(changes: Sequence[Spans], others: Sequence[np.ndarray] = ()) -> Spans:
    """Return the union of ranges, cut at each one's ends and at the given boundaries inside it.

    Args:
        changes: ranges; they may overlap.
        others: further addresses at which to cut, in order, each array on its own.
    """
    found = [change for change in changes if len(change)]
    if not found:
        return np.zeros((0, 2), dtype=np.int64)
    ranges = np.concatenate(found)
    bounds = np.unique(ranges)
    inside = np.zeros(len(bounds), dtype=np.int64)
    np.add.at(inside, np.searchsorted(bounds, ranges[:, 0]), 1)
    np.add.at(inside, np.searchsorted(bounds, ranges[:, 1]), -1)
    covered = np.cumsum(inside)[:-1] > 0
    spans = np.stack((bounds[:-1][covered], bounds[1:][covered]), axis=1)
    within = [other[_falls_inside(other.astype(np.int64), spans)] for other in others]
    if not any(len(part) for part in within):
        return spans
    extra = np.unique(np.concatenate(within)).astype(np.int64)
    starts = np.union1d(spans[:, 0], extra)
    ends = np.union1d(spans[:, 1], extra)
    return np.stack((starts, ends), axis=1)


def _falls_inside(addresses: np.ndarray, spans: Spans) -> np.ndarray:
    """Say which addresses lie in a range but not at its beginning; (n,) bool."""
    place = np.searchsorted(spans[:, 0], addresses, side="left") - 1
    return np.asarray((place >= 0) & (addresses < spans[np.maximum(place, 0), 1]))
