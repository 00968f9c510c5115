"""Bytes of a delimited text file -> lines, fields, numbers and addresses, a column at a time.

A delegation file has up to 200,000 lines and the five of one day 500,000; a quarter has 90 such days. A
Python loop over lines would take minutes, so each step here works on all lines at once. Nothing raises:
each reader returns its values with a mask of those that are well formed.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Positions = np.ndarray[tuple[int], np.dtype[np.int64]]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

# Readers look a fixed number of bytes past a field's start, so the text is followed by this many zeros.
PADDING = 64
_NEWLINE, _RETURN, _SPACE, _TAB, _DOT, _ZERO = (ord(character) for character in "\n\r \t.0")


def pad_text(content: bytes) -> Bytes:
    """Return the bytes of a text followed by ``PADDING`` zeros, as (n,) uint8."""
    return np.frombuffer(content + bytes(PADDING), dtype=np.uint8)


def split_lines(text: Bytes, size: int) -> tuple[Positions, Positions]:
    """Find the lines in the first ``size`` bytes of a padded text.

    Returns:
        starts and ends, (n,) int64 each: line i is ``text[starts[i]:ends[i]]``, without its line end and
        without white space before it. What follows the last newline is a line when it is not empty.
    """
    newlines = np.flatnonzero(text[:size] == _NEWLINE)
    ends = newlines if size == 0 or text[size - 1] == _NEWLINE else np.append(newlines, size)
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    ends = ends.copy()
    while True:
        before = text[ends - 1]
        blank = (ends > starts) & ((before == _RETURN) | (before == _SPACE) | (before == _TAB))
        if not blank.any():
            return starts, ends
        ends[blank] -= 1


def count_fields(
    text: Bytes, starts: Positions, ends: Positions, delimiter: str
) -> tuple[Positions, Positions, Positions]:
    """Find the delimiters of each line.

    Returns:
        ``marks`` (m,) int64, positions of all delimiters; ``lows`` (n,) int64, the index in ``marks`` of
        each line's first; ``fields`` (n,) int64, the number of fields of each line.
    """
    marks = np.flatnonzero(text == ord(delimiter))
    lows = np.searchsorted(marks, starts)
    return marks, lows, np.searchsorted(marks, ends) - lows + 1


def read_numbers(
    text: Bytes, starts: Positions, lengths: Positions, *, digits: int = 10
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Mask]:
    """Read decimal numbers of 1 to ``digits`` digits.

    Returns:
        values (n,) int64, meaningless where malformed; mask (n,) of the well-formed.
    """
    values = np.zeros(len(starts), dtype=np.int64)
    valid = (lengths > 0) & (lengths <= digits)
    for position in range(int(min(digits, lengths.max(initial=0)))):
        inside = position < lengths
        digit = text[starts + position].astype(np.int64) - _ZERO
        valid &= ~inside | ((digit >= 0) & (digit <= 9))
        values = np.where(inside, values * 10 + digit, values)
    return values, valid


def read_addresses(
    text: Bytes, starts: Positions, lengths: Positions
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Mask]:
    """Read IPv4 addresses in dotted decimal, four octets without leading zeros.

    Returns:
        values (n,) int64 in host order, meaningless where malformed; mask (n,) of the well-formed.
    """
    values, octets, dots, width = (np.zeros(len(starts), dtype=np.int64) for _ in range(4))
    valid = (lengths >= 7) & (lengths <= 15)
    for position in range(int(min(15, lengths.max(initial=0)))):
        inside = position < lengths
        byte = text[starts + position].astype(np.int64)
        dot = inside & (byte == _DOT)
        digit = inside & (byte >= _ZERO) & (byte <= _ZERO + 9)
        valid &= ~inside | dot | digit
        valid &= ~dot | (width > 0)
        valid &= ~digit | (width == 0) | (octets > 0)  # 010 is eight to some readers and ten to others
        values = np.where(dot, values * 256 + octets, values)
        octets = np.where(digit, octets * 10 + (byte - _ZERO), np.where(dot, 0, octets))
        width = np.where(digit, width + 1, np.where(dot, 0, width))
        dots += dot
        valid &= octets <= 255
    return values * 256 + octets, valid & (dots == 3) & (width > 0)


def read_dates(
    text: Bytes, starts: Positions, lengths: Positions
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int32]], Mask, Mask]:
    """Read dates written ``YYYYMMDD``; nothing, or all zeros, means that the date is not known.

    Returns:
        days since 1970-01-01 (n,) int32; mask of the known; mask of the well-formed, the unknown included.
    """
    numbers, valid = read_numbers(text, starts, lengths, digits=8)
    absent = (lengths == 0) | (valid & (numbers == 0))
    years, months, days = numbers // 10_000, numbers // 100 % 100, numbers % 100
    sound = valid & (lengths == 8) & (years > 0) & (months >= 1) & (months <= 12) & (days >= 1)
    month = (np.where(sound, years * 12 + months - 1, 1970 * 12) - 1970 * 12).astype("datetime64[M]")
    first = month.astype("datetime64[D]").astype(np.int64)
    following = (month + np.timedelta64(1, "M")).astype("datetime64[D]").astype(np.int64)
    result = first + np.where(sound, days, 1) - 1
    known = sound & (result < following)
    return result.astype(np.int32), known, known | absent


def matches(text: Bytes, starts: Positions, lengths: Positions, word: str) -> Mask:
    """Say which fields are exactly the ASCII ``word``; (n,) bool."""
    same: Mask = lengths == len(word)
    for position, character in enumerate(word):
        same &= text[starts + position] == ord(character)
    return same


def gather_strings(text: Bytes, starts: Positions, lengths: Positions) -> pa.StringArray:
    """Copy fields out of the text as Arrow strings; bytes that are no UTF-8 must have been refused before."""
    offsets = np.zeros(len(starts) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    total = int(offsets[-1])
    indices = np.arange(total, dtype=np.int32)
    indices += np.repeat((starts - offsets[:-1]).astype(np.int32), lengths)
    data = text[indices]
    return pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(data))
