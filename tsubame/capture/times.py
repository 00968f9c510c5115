"""pcapng's ticks to nanoseconds since 1970, exactly, in 64-bit integers."""

from __future__ import annotations

from tsubame.capture.compiled import inner
from tsubame.capture.loads import signed, unsigned

_NO_TIME = -(2**63)
_BILLION = 1_000_000_000
#: Seconds that int64 nanoseconds can hold, either side of 1970 (to the year 2262), less a day for the hour
#: and the day that an instant lies in.
_MOST_SECONDS = (2**63 - 1) // _BILLION - 100_000


@inner
def to_nanoseconds(high: int, low: int, binary: int, exponent: int, offset_seconds: int) -> int:
    """Convert a 64-bit count of ticks.

    Args:
        high: the upper half of the count, below 2**32.
        low: the lower half.
        binary: 1 when a tick is 2**-exponent s, 0 when it is 10**-exponent s.
        exponent: 0 to 127.
        offset_seconds: added to the result.

    Returns:
        int64 nanoseconds since 1970, rounded down; ``NO_TIME`` when they cannot be held.

    Source: pcapng, section 4.2, if_tsresol and if_tsoffset.
    """
    if binary:
        seconds, nanoseconds = _split_binary(high, low, exponent)
    else:
        seconds, nanoseconds = _split_decimal(high, low, exponent)
    if seconds > _MOST_SECONDS or offset_seconds > _MOST_SECONDS or offset_seconds < -_MOST_SECONDS:
        return _NO_TIME
    seconds += offset_seconds
    if seconds > _MOST_SECONDS or seconds < -_MOST_SECONDS:
        return _NO_TIME
    return seconds * _BILLION + nanoseconds


@inner
def _split_decimal(high: int, low: int, exponent: int) -> tuple[int, int]:
    # Long division of the 64-bit count by 10**exponent, 32 bits at a time, would need 96 bits; the count is
    # at most 2**64 < 10**20, so from there on nothing but the fraction is left.
    ticks = (unsigned(high) << unsigned(32)) | unsigned(low)
    scale = unsigned(1)
    for _ in range(min(exponent, 19)):
        scale *= unsigned(10)
    if exponent > 19:
        seconds = unsigned(0)
        rest = ticks
    else:
        seconds = ticks // scale
        rest = ticks - seconds * scale
    if exponent <= 9:
        for _ in range(9 - exponent):
            rest *= unsigned(10)
    else:
        for _ in range(min(exponent - 9, 20)):
            rest //= unsigned(10)
    if seconds > unsigned(_MOST_SECONDS):
        return _MOST_SECONDS + 1, 0
    return signed(seconds), signed(rest)


@inner
def _split_binary(high: int, low: int, exponent: int) -> tuple[int, int]:
    if exponent >= 64:
        seconds = 0
        rest_high, rest_low = high, low
    elif exponent >= 32:
        seconds = high >> (exponent - 32)
        rest_high, rest_low = high - (seconds << (exponent - 32)), low
    else:
        if exponent == 0 and high >> 31:
            return _MOST_SECONDS + 1, 0
        seconds = (high << (32 - exponent)) | (low >> exponent)
        rest_high, rest_low = 0, low & ((1 << exponent) - 1)
    # rest * 10**9 / 2**exponent, the product held as upper + 32 bits.
    lower = rest_low * _BILLION
    upper = rest_high * _BILLION + (lower >> 32)
    if exponent >= 32:
        shift = exponent - 32
        nanoseconds = upper >> shift if shift < 63 else 0
    else:
        nanoseconds = lower >> exponent
    return seconds, nanoseconds
