"""What a table gives away by its columns together: halves and quarters of an address, and the marks of packets.

A row of per-packet fields holds the sensor's address more than once: Mirai's sequence number is the address itself, and
masscan's IP identification is the lower half of address, port and sequence number combined by exclusive or.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from tsubame.publish.sensor_networks import Addresses, Networks

PACKET_FIELDS = frozenset(
    {
        *("dst_address", "dst_ip", "dstip", "destination_address", "sensor_address"),
        *("src_address", "src_ip", "srcip", "source_address"),
        *("tcp_seq", "seq", "sequence_number", "tcp_ack", "ip_id", "ipid", "identification", "tcp_window", "ttl"),
    }
)
"""Columns of single packets: none of them is ever published, whatever its values."""

_HALF, _QUARTER = 2**16, 2**8
_MOST_PAIRED = 16
_LEAST_ROWS = 2
_BY_CHANCE = 8.0
"""A mark is one when it fits so many times oftener than one row in 65,536 and address."""


def columns_of_csv(content: bytes) -> dict[str, list[int]]:
    """Return the columns of a CSV file that hold whole numbers in every row."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    if len(rows) < 2 or len(rows[0]) < 2:
        return {}
    whole = [row for row in rows[1:] if len(row) == len(rows[0])]
    return {name: list(map(_whole, column)) for name, column in zip(rows[0], zip(*whole, strict=True), strict=False)}


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def tables_in_json(value: Any) -> Iterator[dict[str, list[int]]]:
    """Yield the columns of every list of objects, and of every list of lists, in nested data."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from tables_in_json(each)
    elif isinstance(value, list):
        rows = [each for each in value if isinstance(each, Mapping)]
        lists = [each for each in value if isinstance(each, list)]
        if rows:
            yield {str(name): [_number(row.get(name)) for row in rows] for name in rows[0]}
        if lists and len({len(each) for each in lists}) == 1:
            yield {str(place): [_number(each[place]) for each in lists] for place in range(len(lists[0]))}
        for each in value:
            if isinstance(each, Mapping | list):
                yield from tables_in_json(each)


def read_json(text: str) -> Any:
    """Return what a JSON text holds, or None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _number(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**63 else -1


def scan_columns(columns: Mapping[str, list[int]], known: Networks) -> Iterator[tuple[str, int]]:
    """Yield how columns, taken together, name a sensor, and the row.

    Args:
        columns: name -> whole numbers; -1 where a row has none.
    """
    for name in columns:
        if name.lower() in PACKET_FIELDS:
            yield f"column {name} of single packets", 0
    arrays = {name: np.array(values, np.int64) for name, values in columns.items()}
    arrays = {name: values for name, values in arrays.items() if len(values) and values.max() > 0}
    yield from _scan_halves(arrays, known)
    yield from _scan_quarters(arrays, known)
    yield from _scan_marks(arrays, known)


def _scan_halves(arrays: Mapping[str, np.ndarray], known: Networks) -> Iterator[tuple[str, int]]:
    small = {name: values for name, values in arrays.items() if values.max() < _HALF}
    for (one, high), (two, low) in combinations(list(small.items())[:_MOST_PAIRED], 2):
        # Upper halves below 256 are addresses that start with 0, and counts.
        fit = (np.minimum(high, low) >= 0) & (np.maximum(high, low) >= _QUARTER)
        for first, second in ((high, low), (low, high)):
            whole = ((first.astype(np.uint64) << np.uint64(16)) | second.astype(np.uint64)) & np.uint64(0xFFFFFFFF)
            hits = np.flatnonzero(fit & known.hold_numbers(whole, plain=True))
            if len(hits):
                yield f"columns {one} and {two}", int(hits[0])


def _scan_quarters(arrays: Mapping[str, np.ndarray], known: Networks) -> Iterator[tuple[str, int]]:
    names = [name for name, values in arrays.items() if values.max() < _QUARTER]
    for start in range(len(names) - 3):
        four = names[start : start + 4]
        parts = [arrays[name] for name in four]
        fit = (np.minimum.reduce(parts) >= 0) & (np.maximum.reduce(parts) >= 32)
        whole = np.zeros(len(fit), np.uint64)
        for part in parts:
            whole = (whole << np.uint64(8)) | (part.astype(np.uint64) & np.uint64(0xFF))
        hits = np.flatnonzero(fit & known.hold_numbers(whole))
        if len(hits):
            yield f"columns {', '.join(four)}", int(hits[0])


def _scan_marks(arrays: Mapping[str, np.ndarray], known: Networks) -> Iterator[tuple[str, int]]:
    """Look for rows whose one number is address ^ port ^ sequence number, cut to 16 bits, as masscan sends them."""
    wide = {name: values for name, values in arrays.items() if values.max() >= _HALF and values.min() >= 0}
    narrow = {name: values for name, values in arrays.items() if values.max() < _HALF and values.min() >= 0}
    lows = _low_halves(known)
    for sequence, values in list(wide.items())[:_MOST_PAIRED]:
        for one, two in combinations(list(narrow)[:_MOST_PAIRED], 2):
            left = (values ^ narrow[one] ^ narrow[two]) & 0xFFFF
            varied = len(np.unique(values & 0xFFFF)) > 1
            hits = np.flatnonzero(np.isin(left, lows))
            expected = len(values) * len(lows) / _HALF
            if varied and len(hits) >= max(_LEAST_ROWS, _BY_CHANCE * expected):
                yield f"columns {sequence}, {one} and {two}, combined as masscan does", int(hits[0])


def _low_halves(known: Networks) -> Addresses:
    ends = zip(known.numeric_first.tolist(), known.numeric_last.tolist(), strict=True)
    return np.unique(np.array([each & 0xFFFF for first, last in ends for each in range(first, last + 1)], np.int64))
