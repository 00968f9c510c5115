"""Lists of country and CIDR block -> a region table: other people's compilations of the same delegations."""

from __future__ import annotations

import numpy as np

from tsubame.errors import MalformedDelegation
from tsubame.regions.delegated import decompress
from tsubame.regions.fields import count_fields, gather_strings, pad_text, read_addresses, read_numbers, split_lines
from tsubame.regions.overlaps import Claims, order_by_belief, resolve
from tsubame.regions.table import ADDRESSES, RegionTable, assemble


def table_from_blocks(content: bytes, *, key: str) -> RegionTable:
    """Read a list of ``region<TAB>CIDR`` lines, plain or gzip, as a region table without holders.

    Where blocks overlap the narrower is believed, and of two alike the first (see ``overlaps``).

    Raises:
        MalformedDelegation: names the first line that is not such a line.
    """
    plain = decompress(content, key=key)
    text = pad_text(plain)
    starts, ends = split_lines(text, len(plain))
    lines = np.flatnonzero(ends > starts)
    starts, ends = starts[lines], ends[lines]
    tabs, low, fields = count_fields(text, starts, ends, "\t")
    _refuse(fields != 2, lines, key, "region, tab and CIDR")
    tab = tabs[low]
    slashes, low, parts = count_fields(text, tab + 1, ends, "/")
    _refuse(parts != 2, lines, key, "a CIDR block with one slash")
    slash = slashes[low]
    first, addressed = read_addresses(text, tab + 1, slash - tab - 1)
    length, counted = read_numbers(text, slash + 1, ends - slash - 1, digits=2)
    _refuse(~(addressed & counted & (length <= 32)), lines, key, "a CIDR block")
    size = ADDRESSES >> length
    _refuse(first % size != 0, lines, key, "a CIDR block without host bits")
    names = gather_strings(text, starts, tab - starts).dictionary_encode()
    zeros = np.zeros(len(first), dtype=np.int64)
    claims = Claims(
        first,
        first + size - 1,
        names.indices.to_numpy().astype(np.int64),
        zeros,
        zeros,
        order_by_belief(zeros, first, first + size - 1, zeros, zeros, lines),
    ).take(np.argsort(first, kind="stable"))
    begins, finishes, rows, overlaps = resolve(claims)
    return assemble(begins, finishes, claims.region[rows], names.dictionary.to_pylist(), zeros[rows], ("",), overlaps)


def _refuse(wrong: np.ndarray, lines: np.ndarray, key: str, expected: str) -> None:
    found = np.flatnonzero(wrong)
    if len(found):
        line = int(lines[found].min()) + 1
        raise MalformedDelegation("malformed block list", key=key, offset=line, unit="line", expected=expected)
