"""Replace some ranges of a delegation file by what another file says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from tsubame.regions.delegated import DelegatedFile


def patch_file(base: DelegatedFile, patches: Sequence[tuple[int, int, DelegatedFile]]) -> DelegatedFile:
    """Return ``base`` with the IPv4 records of some ranges taken from other files.

    Args:
        base: the file that is used elsewhere.
        patches: disjoint ranges (first, last address, file).
    """
    kept = base.ipv4
    parts: list[pa.Table] = []
    for first, last, other in patches:
        kept = pa.concat_tables([clip(kept, 0, first - 1), clip(kept, last + 1, 2**32 - 1)])
        parts.append(clip(other.ipv4, first, last))
    if not parts:
        return base
    said = [base.identity, *((first, last, other.identity) for first, last, other in patches)]
    identity = hashlib.blake2b(repr(said).encode(), digest_size=16).hexdigest()
    return replace(base, identity=identity, ipv4=pa.concat_tables([kept, *parts]).combine_chunks())


def clip(records: pa.Table, first: int, last: int) -> pa.Table:
    """Return the records that touch a range, cut to it; an empty range (last < first) has none."""
    starts = records.column("first").to_numpy().astype(np.int64)
    ends = records.column("last").to_numpy().astype(np.int64)
    touching = np.flatnonzero((starts <= last) & (ends >= first) & (first <= last))
    chosen = records.take(pa.array(touching))
    begins = pa.array(np.maximum(starts[touching], first).astype(np.uint32))
    finishes = pa.array(np.minimum(ends[touching], last).astype(np.uint32))
    return chosen.set_column(0, chosen.schema.field(0), begins).set_column(1, chosen.schema.field(1), finishes)
