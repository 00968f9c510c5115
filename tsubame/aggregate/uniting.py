"""Making flows that were put aside in pieces into flows that occur once each.

Two flows can turn out to be the same: when a tag that awaited confirmation is settled, and when packets of one hour
were grouped in two pieces (because the table was full, or because a packet came late).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tsubame.aggregate.grouping import BYTES, KEY, PACKETS, SLOT_KIND
from tsubame.classify.apply import CONFIRMED_TOOL, UNCONFIRMED, matches_needed

Chunk = NDArray[np.int64]


def unite_flows(chunks: list[Chunk]) -> list[Chunk]:
    """Return the flows, each once; the order of first sight is kept, and the list is used up.

    Args:
        chunks: (n, 4) each, as ``grouping`` packs them.
    """
    confirmed = _confirmed_sources(chunks)
    united = []
    for group in _that_share_hours(chunks):
        hours = _hours_in_several(group)
        flows = group[0] if len(group) == 1 else np.concatenate(group)
        awaiting = np.flatnonzero(flows[:, KEY] & UNCONFIRMED)
        same = np.isin(flows[:, SLOT_KIND] >> 2, hours) if len(hours) else np.zeros(len(flows), bool)
        if len(awaiting):
            same |= _settle(flows, awaiting, confirmed)
        united.append(_merge(flows, np.flatnonzero(same)) if same.any() else flows)
    chunks.clear()
    return united


def _confirmed_sources(chunks: list[Chunk]) -> NDArray[np.int64]:
    """Return the sources with enough packets that await confirmation, over the whole capture."""
    awaiting = [chunk[(chunk[:, KEY] & UNCONFIRMED) != 0] for chunk in chunks]
    flows = np.concatenate(awaiting) if awaiting else np.empty((0, 4), np.int64)
    sources, source_of = np.unique(flows[:, KEY] >> 32, return_inverse=True)
    matches = np.zeros(len(sources), np.int64)
    np.add.at(matches, source_of, flows[:, PACKETS])
    confirmed: NDArray[np.int64] = sources[matches >= matches_needed()]
    return confirmed


def _settle(flows: Chunk, awaiting: NDArray[np.intp], confirmed: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Give the flows that await confirmation their tools; return where flows can have become the same."""
    keys = flows[awaiting, KEY]
    is_confirmed = np.isin(keys >> 32, confirmed)
    next_best = keys & (UNCONFIRMED - 1)
    flows[awaiting, KEY] = keys & ~0xFF | np.where(is_confirmed, CONFIRMED_TOOL, next_best)
    same = np.zeros(len(flows), bool)
    # No other flow bears the confirmed tool: these can only meet one another, and only if they differed before.
    if len(np.unique(next_best[is_confirmed])) > 1:
        same[awaiting[is_confirmed]] = True
    if not is_confirmed.all():
        same |= np.isin(flows[:, KEY], flows[awaiting[~is_confirmed], KEY])
    return same


def _that_share_hours(chunks: list[Chunk]) -> list[list[Chunk]]:
    """Group neighbours whose spans of hours overlap."""
    groups: list[list[Chunk]] = []
    latest = 0
    for chunk in chunks:
        first, last = int(chunk[:, SLOT_KIND].min()) >> 2, int(chunk[:, SLOT_KIND].max()) >> 2
        if groups and first <= latest:
            groups[-1].append(chunk)
            latest = max(latest, last)
            # A late packet may reach back over more than one group.
            while len(groups) > 1 and first <= _latest(groups[-2]):
                groups[-2:] = [groups[-2] + groups[-1]]
        else:
            groups.append([chunk])
            latest = last
    return groups


def _latest(group: list[Chunk]) -> int:
    return max(int(chunk[:, SLOT_KIND].max()) >> 2 for chunk in group)


def _hours_in_several(group: list[Chunk]) -> NDArray[np.int64]:
    if len(group) == 1:
        return np.empty(0, np.int64)
    hours, times = np.unique(
        np.concatenate([np.unique(chunk[:, SLOT_KIND] >> 2) for chunk in group]), return_counts=True
    )
    return hours[times > 1]


def _merge(flows: Chunk, rows: NDArray[np.intp]) -> Chunk:
    """Add up those of some rows that have the same key, in the place of the first."""
    keys, slots = flows[rows, KEY], flows[rows, SLOT_KIND]
    order = rows[np.lexsort((rows, slots, keys))]
    keys, slots = flows[order, KEY], flows[order, SLOT_KIND]
    first = np.ones(len(order), bool)
    first[1:] = (keys[1:] != keys[:-1]) | (slots[1:] != slots[:-1])
    if first.all():
        return flows
    begins = np.flatnonzero(first)
    for column in (PACKETS, BYTES):
        flows[order[begins], column] = np.add.reduceat(flows[order, column], begins)
    keep = np.ones(len(flows), bool)
    keep[order[~first]] = False
    return flows[keep]
