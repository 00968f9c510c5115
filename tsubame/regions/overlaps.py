"""Records that claim the same addresses: which of them is believed, and how often that had to be decided.

Duplicates and overlaps occur within a registry's file (a holder's block listed again, a part listed beside
the whole) and between registries (a block on its way from one to another is in both files for a while).
Of the records that cover an address the first by this order is believed:

1. delegated (allocated or assigned) before reserved before available: who has it outweighs that it was free;
2. the narrower range: the more particular statement;
3. the later date of delegation (one that is not known counts as earliest): a transfer is news;
4. the registry first in the alphabet, then the line first in the file, so that the result never depends on
   the order in which files are given.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Column = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Overlaps:
    """How many records of a snapshot overlapped, and how many addresses that concerned.

    Attributes:
        duplicate_records: records that repeat range, region and holder of another one of their registry.
        records_within: records that share addresses with another one of the same registry, duplicates apart.
        records_between: records that share addresses with one of another registry.
        addresses: addresses in more than one record.
        contested: those of them for which the records name different regions.
    """

    duplicate_records: int = 0
    records_within: int = 0
    records_between: int = 0
    addresses: int = 0
    contested: int = 0

    def __bool__(self) -> bool:
        return self.addresses > 0


@dataclass(frozen=True, slots=True)
class Claims:
    """Records of all registries, one row each, in order of ``first``; every column (n,) int64.

    Attributes:
        first, last: range of addresses, both ends included.
        region, holder: codes.
        registry: number of the file's registry in the alphabet.
        rank: place in the order of belief, 0 first; no two alike.
    """

    first: Column
    last: Column
    region: Column
    holder: Column
    registry: Column
    rank: Column

    def take(self, rows: np.ndarray) -> Claims:
        """Return some rows."""
        return Claims(
            *(getattr(self, name)[rows] for name in ("first", "last", "region", "holder", "registry", "rank"))
        )


def order_by_belief(
    status_rank: Column, first: Column, last: Column, day: Column, registry: Column, line: Column
) -> Column:
    """Return each record's place in the order of belief that this module's docstring states."""
    order = np.lexsort((line, registry, -day, last - first, status_rank))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank


def resolve(claims: Claims) -> tuple[Column, Column, Column, Overlaps]:
    """Give every claimed address to one record.

    Args:
        claims: records in order of ``first``.

    Returns:
        first, last (m,) of disjoint intervals in order; row (m,) in ``claims`` that holds each; the counts.
    """
    reach = np.maximum.accumulate(claims.last)
    touches = np.zeros(len(reach), dtype=np.bool_)
    touches[1:] = claims.first[1:] <= reach[:-1]
    crowded = touches.copy()
    crowded[:-1] |= touches[1:]
    rows = np.flatnonzero(crowded)
    if not len(rows):
        return claims.first, claims.last, np.arange(len(reach)), Overlaps()
    pieces, counts = _sweep(claims.take(rows))
    alone = np.flatnonzero(~crowded)
    first = np.concatenate((claims.first[alone], pieces[:, 0]))
    last = np.concatenate((claims.last[alone], pieces[:, 1]))
    row = np.concatenate((alone, rows[pieces[:, 2]]))
    order = np.argsort(first, kind="stable")
    return first[order], last[order], row[order], counts


def _sweep(claims: Claims) -> tuple[np.ndarray, Overlaps]:
    """Walk along the addresses, holding the records that cover the place, the most believed on top."""
    count = len(claims.first)
    first, last, rank = claims.first.tolist(), claims.last.tolist(), claims.rank.tolist()
    region, registry = claims.region.tolist(), claims.registry.tolist()
    cuts = np.unique(np.concatenate((claims.first, claims.last + 1))).tolist()
    pieces: list[tuple[int, int, int]] = []
    heap: list[tuple[int, int]] = []
    active: dict[int, None] = {}
    ending: dict[int, list[int]] = {}
    within, between, addresses, contested, upcoming = set[int](), set[int](), 0, 0, 0
    for start, stop in pairwise(cuts):
        for row in ending.pop(start, ()):
            del active[row]
        while upcoming < count and first[upcoming] == start:
            for other in active:
                (within if registry[other] == registry[upcoming] else between).update((other, upcoming))
            active[upcoming] = None
            heapq.heappush(heap, (rank[upcoming], upcoming))
            ending.setdefault(last[upcoming] + 1, []).append(upcoming)
            upcoming += 1
        while heap and heap[0][1] not in active:
            heapq.heappop(heap)
        if not active:
            continue
        pieces.append((start, stop - 1, heap[0][1]))
        if len(active) > 1:
            addresses += stop - start
            contested += (stop - start) * (len({region[row] for row in active}) > 1)
    duplicates = _duplicates(claims)
    counts = Overlaps(
        int(duplicates.sum()),
        len(within - set(np.flatnonzero(duplicates).tolist())),
        len(between),
        addresses,
        contested,
    )
    return np.array(pieces, dtype=np.int64).reshape(-1, 3), counts


def _duplicates(claims: Claims) -> np.ndarray:
    """Say which records repeat one that is believed before them; (n,) bool."""
    columns = (claims.rank, claims.holder, claims.region, claims.registry, claims.last, claims.first)
    order = np.lexsort(columns)
    same = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for column in columns[1:]:
        same &= np.diff(column[order]) == 0
    result = np.zeros(len(order), dtype=np.bool_)
    result[order[1:]] = same
    return result
