"""The sensors' networks, as everything that a published value is compared with.

They are an argument of the call that searches; they are neither stored nor named in a refusal.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
import numpy.typing as npt

NUMERIC_BOUND = 65_536
"""Addresses of a network up to which bare numbers are compared; above, plain counts would fall into it."""

_SMALLEST_HIDING_BLOCK = 24
_SMALLEST_SWAPPED = np.uint64(2**24)
_MOST_DIGESTED = 4096
_APART = 2**16
_MOST_REPRESENTATIVES = 5

Addresses = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Networks:
    """The sensors' networks as sorted, disjoint intervals of IPv4 addresses in host order.

    Attributes:
        first, last: (n,) uint64 ends, both included.
        numeric_first, numeric_last: the same of the networks small enough to compare numbers with.
        digests: hexadecimal MD5, SHA-1 and SHA-256 of the addresses, as text and as four bytes: whoever has one
            finds its address in a minute. Of at most 4,096 addresses.
        masked: addresses far apart, in threes: their distances alone would tell them, see ``hold_masked``.
    """

    first: Addresses
    last: Addresses
    numeric_first: Addresses
    numeric_last: Addresses
    digests: frozenset[str]
    masked: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, networks: Iterable[tuple[int, int]]) -> Networks:
        """Build from (first, last) pairs, as ``tsubame.sensors.Sensor.network`` holds them."""
        every = sorted(set(networks))
        small = [pair for pair in every if pair[1] - pair[0] < NUMERIC_BOUND]
        return cls(*_merged(every), *_merged(small), _digests(small), _triples([first for first, _ in small]))

    def hold(self, value: int) -> bool:
        """Say whether an address is a sensor's."""
        return bool(_inside(np.array([value], np.uint64), self.first, self.last)[0])

    def hold_number(self, value: int, *, plain: bool = False) -> bool:
        """Say whether a bare number is a sensor's address; see ``hold_numbers``."""
        return 0 <= value < 2**32 and bool(self.hold_numbers(np.array([value], np.uint64), plain=plain)[0])

    def hold_numbers(self, values: Addresses, *, plain: bool = False) -> npt.NDArray[np.bool_]:
        """Say for each number below 2**32 whether it is a sensor's address, in any of the four byte orders.

        Args:
            values: (n,) uint64.
            plain: whether the numbers may as well be counts. Then those below 2**24 are compared in host order
                only: swapped, every small count is an address that ends in .0, such as 7 and 7.0.0.0.
        """
        swapped = values.astype(np.uint32).byteswap().astype(np.uint64)
        reordered = np.zeros(len(values), np.bool_)
        for order in (swapped, _halves(values), _halves(swapped)):
            reordered |= _inside(order, self.numeric_first, self.numeric_last)
        if plain:
            reordered &= values >= _SMALLEST_SWAPPED
        return _inside(values, self.numeric_first, self.numeric_last) | reordered

    def hold_masked(self, values: Addresses) -> bool:
        """Say whether among numbers stand the addresses of three sensors, all combined with one unknown number.

        Combined by exclusive or, or by addition: either keeps the distances between them, and one address that is
        known, or guessed, gives all others away.

        Args:
            values: (n,) uint64 below 2**32; those below 2**24 are left out, being counts.
        """
        pool = np.unique(values[values >= _SMALLEST_SWAPPED])
        if not len(pool):
            return False
        whole = np.uint64(0xFFFFFFFF)
        for one, two, three in self.masked:
            mask = pool ^ np.uint64(one)
            sought = (mask ^ np.uint64(two), mask ^ np.uint64(three))
            moved = (pool - np.uint64(one)) & whole
            added = ((moved + np.uint64(two)) & whole, (moved + np.uint64(three)) & whole)
            for shift, pair in ((mask, sought), (moved, added)):
                if bool(np.any((shift != 0) & np.isin(pair[0], pool) & np.isin(pair[1], pool))):
                    return True
        return False

    def named_by(self, first: int, last: int, length: int) -> bool:
        """Say whether a published block names a sensor, rather than hiding it among many addresses.

        A block that lies in a sensor's network names it. A larger one hides the sensor among others when it
        holds at least 256 addresses.
        """
        overlaps = bool(np.any((self.first <= np.uint64(last)) & (self.last >= np.uint64(first))))
        within = any(
            low <= first and last <= high for low, high in zip(self.first.tolist(), self.last.tolist(), strict=True)
        )
        return overlaps and (within or length >= _SMALLEST_HIDING_BLOCK)


def _halves(values: Addresses) -> Addresses:
    """Swap the two 16-bit halves."""
    swapped: Addresses = ((values >> np.uint64(16)) | (values << np.uint64(16))) & np.uint64(0xFFFFFFFF)
    return swapped


def _merged(pairs: Sequence[tuple[int, int]]) -> tuple[Addresses, Addresses]:
    merged: list[list[int]] = []
    for first, last in pairs:
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    ends = np.array(merged, np.uint64).reshape(-1, 2)
    return ends[:, 0].copy(), ends[:, 1].copy()


def _digests(networks: Sequence[tuple[int, int]]) -> frozenset[str]:
    addresses = islice((each for first, last in networks for each in range(first, last + 1)), _MOST_DIGESTED)
    return frozenset(
        hashlib.new(name, form, usedforsecurity=False).hexdigest()
        for address in addresses
        for form in (str(ipaddress.IPv4Address(address)).encode(), address.to_bytes(4, "big"))
        for name in ("md5", "sha1", "sha256")
    )


def _triples(addresses: Sequence[int]) -> tuple[tuple[int, int, int], ...]:
    """Return threes of some addresses of which no two are near each other."""
    chosen: list[int] = []
    for address in addresses:
        if all(abs(address - other) >= _APART and address ^ other >= _APART for other in chosen):
            chosen.append(address)
    return tuple(combinations(chosen[:_MOST_REPRESENTATIVES], 3))


def _inside(values: Addresses, first: Addresses, last: Addresses) -> npt.NDArray[np.bool_]:
    if not len(first):
        return np.zeros(len(values), np.bool_)
    place = np.searchsorted(first, values, side="right")
    inside: npt.NDArray[np.bool_] = (place > 0) & (values <= last[np.maximum(place, 1) - 1])
    return inside
