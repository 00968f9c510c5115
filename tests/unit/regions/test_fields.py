"""The column readers agree with Python's own int, ipaddress and date, and never raise."""

import ipaddress
from datetime import date, timedelta

import numpy as np
import pytest

from tsubame.regions.fields import (
    PADDING,
    gather_strings,
    pad_text,
    read_addresses,
    read_dates,
    read_numbers,
    split_lines,
)


def columns(words: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    raw = [word.encode() for word in words]
    text = pad_text(b"|".join(raw))
    lengths = np.array([len(word) for word in raw], dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths[:-1] + 1))).astype(np.int64)
    return text, starts, lengths


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb \t\n\nc", [b"a", b"b", b"", b"c"]),
        (b" \n", [b""]),
    ],
)
def test_lines_end_at_newlines_and_lose_white_space_at_their_end(text, lines):
    padded = pad_text(text)
    starts, ends = split_lines(padded, len(text))
    assert [text[s:e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)] == lines
    assert len(padded) == len(text) + PADDING


ADDRESSES = [
    "0.0.0.0", "255.255.255.255", "192.0.2.1", "1.2.3.4", "10.20.30.40", "256.0.0.1", "1.2.3", "1.2.3.4.5", "1..2.3",
    ".1.2.3", "1.2.3.", "01.2.3.4", "1.2.3.04", "1.2.3.00", "1.2.3.0", "", "a.b.c.d", "1.2.3.4 ", " 1.2.3.4",
    "-1.2.3.4", "1.2.3.4/8", "999.1.1.1", "1111.1.1.1", "1.1.1.1111", "1234567", "1.2.3.4.", "...", "....", "0x1.2.3.4",
    "１.2.3.4",
]  # fmt: skip


def test_addresses_are_those_that_ipaddress_takes():
    values, valid = read_addresses(*columns(ADDRESSES))
    for word, value, good in zip(ADDRESSES, values.tolist(), valid.tolist(), strict=True):
        try:
            expected = int(ipaddress.IPv4Address(word))
        except ValueError:
            assert not good, word
        else:
            assert good, word
            assert value == expected


def test_numbers():
    words = ["0", "7", "4294967296", "9999999999", "10000000000", "", "-1", "+1", "1 ", "1e3", "0007", "12a"]
    values, valid = read_numbers(*columns(words))
    assert valid.tolist() == [True, True, True, True, False, False, False, False, False, False, True, False]
    assert values[valid].tolist() == [0, 7, 4294967296, 9999999999, 7]


def test_every_day_of_four_centuries_is_read_and_no_other_text_is():
    first = date(1801, 1, 1)
    days = [first + timedelta(days=index) for index in range(0, 146_097, 7)]
    days += [date(2000, 2, 29), date(1970, 1, 1), date(9999, 12, 31), date(1, 1, 1)]
    values, known, sound = read_dates(*columns([f"{day.year:04}{day:%m%d}" for day in days]))
    assert known.all()
    assert sound.all()
    assert values.tolist() == [(day - date(1970, 1, 1)).days for day in days]
    bad = ["20230229", "19000229", "20231301", "20230100", "2023011", "202301011", "2023-1-1", "0", "20230431"]
    _, known, sound = read_dates(*columns(bad))
    assert not known.any()
    assert sound.tolist() == [word == "0" for word in bad]
    _, known, sound = read_dates(*columns(["", "00000000"]))
    assert not known.any()
    assert sound.all()


def test_strings_are_copied_whatever_their_length():
    words = ["", "a", "", "ü", "x" * 300, ""]
    assert gather_strings(*columns(words)).to_pylist() == words
    assert gather_strings(pad_text(b""), np.zeros(0, np.int64), np.zeros(0, np.int64)).to_pylist() == []
