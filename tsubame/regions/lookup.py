"""Addresses -> region codes, by a table of /24 blocks that shares its uniform parts.

Binary search in 200,000 intervals misses the cache at every step. One flat table of all 2**24 /24 blocks
costs a single look, but into 32 MiB, where nearly every look misses cache and TLB. So the table is cut into
pages of a /16 each, and the nine tenths of them that one region fills are kept once per region: some 3 MiB
for the five registries, which stay in the cache. A /24 that several regions share costs one look more.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from tsubame.capture.compiled import kernel
from tsubame.regions.table import Codes, RegionTable, Starts

_SPLIT = 0x8000  # an entry from here on names a row of ``split``, below it is a region code
_CROWDED = 0xFFFF  # a shared /24 that found no row
_KEPT = 8  # lookups kept per process; the day's and the quarter's first are used together
Addresses = np.ndarray[tuple[int], np.dtype[np.uint32]]
Rows = np.ndarray[tuple[int, int], np.dtype[np.uint16]]


@dataclass(frozen=True, slots=True, eq=False)
class RegionLookup:
    """The tables, and the intervals they were made from.

    Attributes:
        page_of: (65536,) uint32, the row of ``pages`` for each /16.
        pages: (p, 256) uint16, for each /24 a region code, or ``0x8000`` + a row of ``split``.
        split: (m, 256) uint16, region codes of the addresses of a /24 that several regions share.
        starts, codes: the intervals; needed only for shared /24s beyond the 32,767 that have a row.
    """

    page_of: np.ndarray[tuple[int], np.dtype[np.uint32]]
    pages: Rows
    split: Rows
    starts: Starts
    codes: Codes

    @property
    def nbytes(self) -> int:
        """Size in memory, in bytes: at most 49 MiB and the intervals, some 4 MiB for real delegations."""
        return sum(array.nbytes for array in (self.page_of, self.pages, self.split, self.starts, self.codes))


def build_lookup(table: RegionTable) -> RegionLookup:
    """Make the tables of a region table."""
    starts, codes = table.by_region
    cut = np.unique(starts[starts & 0xFFFF != 0] >> 16)  # the /16s that several regions share
    page_of = _codes_at(table, np.arange(65_536) << 16).astype(np.uint32)
    page_of[cut] = np.arange(len(table.regions), len(table.regions) + len(cut), dtype=np.uint32)
    uniform = np.repeat(np.arange(len(table.regions), dtype=np.uint16)[:, None], 256, axis=1)
    shared = _codes_at(table, (cut[:, None].astype(np.int64) << 16) + (np.arange(256) << 8))
    pages = np.concatenate((uniform, shared))
    mixed = np.unique(starts[starts & 0xFF != 0] >> 8)  # the /24s that several regions share
    entries = np.minimum(_SPLIT + np.arange(len(mixed)), _CROWDED).astype(np.uint16)
    pages[page_of[mixed >> 8], mixed & 255] = entries
    split = _codes_at(table, (mixed[: _CROWDED - _SPLIT, None].astype(np.int64) << 8) + np.arange(256))
    return RegionLookup(page_of, pages, split, starts, codes)


def _codes_at(table: RegionTable, addresses: np.ndarray) -> np.ndarray:
    """Return the codes of some addresses by binary search, in their shape."""
    starts, codes = table.by_region
    return codes[np.searchsorted(starts, addresses.astype(np.uint32), side="right") - 1]


def look_up(addresses: Addresses, lookup: RegionLookup) -> Codes:
    """Return the region code of each address; (n,) uint16.

    Raises:
        TypeError: ``addresses`` is not uint32.
    """
    if addresses.dtype != np.uint32:
        raise TypeError(f"addresses are {addresses.dtype}, not uint32")
    result = np.empty(len(addresses), dtype=np.uint16)
    _look_up(
        np.ascontiguousarray(addresses),
        lookup.page_of,
        lookup.pages,
        lookup.split,
        lookup.starts,
        lookup.codes,
        result,
    )
    return result


@kernel
def _look_up(
    addresses: Addresses,
    page_of: np.ndarray,
    pages: Rows,
    split: Rows,
    starts: Starts,
    codes: Codes,
    result: Codes,
) -> int:
    for index in range(len(addresses)):
        address = addresses[index]
        entry = pages[page_of[address >> 16], (address >> 8) & 255]
        if entry < _SPLIT:
            result[index] = entry
        elif entry != _CROWDED:
            result[index] = split[entry - _SPLIT, address & 255]
        else:
            low, high = 0, len(starts)
            while high - low > 1:
                middle = (low + high) >> 1
                if starts[middle] <= address:
                    low = middle
                else:
                    high = middle
            result[index] = codes[low]
    return len(addresses)


_recent: OrderedDict[str, RegionLookup] = OrderedDict()


def attribute_regions(addresses: Addresses, table: RegionTable) -> Codes:
    """Name the region each source address is delegated to.

    The lookup of a table is built at its first use and kept, by digest, for the next calls in this process.

    Args:
        addresses: (n,) uint32, IPv4 in host order.
        table: intervals covering all 2**32 addresses on one delegation date.

    Returns:
        (n,) uint16 codes into ``table.regions``; undelegated space has its own code.

    Raises:
        TypeError: ``addresses`` is not uint32.
    """
    return look_up(addresses, _lookup_of(table))


def _lookup_of(table: RegionTable) -> RegionLookup:
    """Return the table's lookup; the digest covers the names, so equal digests mean equal codes."""
    lookup = _recent.pop(table.digest, None) or build_lookup(table)
    _recent[table.digest] = lookup
    while len(_recent) > _KEPT:
        _recent.popitem(last=False)
    return lookup
