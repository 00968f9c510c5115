"""IEEE 802.11 frames, bare and behind the headers that capture software puts before them."""

from __future__ import annotations

from tsubame.capture import layers as at
from tsubame.capture.blocks import Bytes
from tsubame.capture.compiled import inner
from tsubame.capture.links import LAYER_TABLE
from tsubame.capture.loads import be32, le16, le32

_DATA = 2
_NO_DATA, _QOS = 4, 8
_TO_DS, _FROM_DS, _PROTECTED, _ORDER = 0x0100, 0x0200, 0x4000, 0x8000
_AGGREGATED = 0x80
_PRISM_BYTES = 144
_RADIOTAP_PADDED = 0x20


@inner
def step_wireless(window: Bytes, offset: int, end: int, layer: int) -> tuple[int, int]:
    """Look through one layer: return the next one and its offset."""
    if layer == at.IEEE802_11:
        return _ieee802_11(window, offset, end, False)
    if offset + 8 > end:
        return at.CUT, offset
    if layer == at.RADIOTAP:
        size = le16(window, offset + 2)
        if size < 8:
            return at.UNKNOWN, offset
        return _ieee802_11(window, offset + size, end, _is_padded(window, offset, end))
    if layer == at.PPI:
        number = le32(window, offset + 4)
        inside = LAYER_TABLE[number] if number < len(LAYER_TABLE) else at.UNKNOWN
        return inside, offset + max(le16(window, offset + 2), 8)
    # AVS, which is found under Prism's number too: its magic is the version 0x80211001 or 0x80211002.
    if layer == at.AVS or be32(window, offset) & 0xFFFFF000 == 0x80211000:
        return at.IEEE802_11, offset + max(be32(window, offset + 4), 8)
    return at.IEEE802_11, offset + _PRISM_BYTES


@inner
def _is_padded(window: Bytes, offset: int, end: int) -> bool:
    """Read from radiotap's flags whether the 802.11 header is padded to four bytes."""
    present = le32(window, offset + 4)
    if present & 2 == 0:
        return False
    place = offset + 8
    # Further words of presence follow while the highest bit is set.
    more = present
    while more >> 31 and place + 4 <= end:
        more = le32(window, place)
        place += 4
    if present & 1:
        place = offset + ((place - offset + 7) & ~7) + 8
    return place < end and window[place] & _RADIOTAP_PADDED != 0


@inner
def _ieee802_11(window: Bytes, offset: int, end: int, padded: bool) -> tuple[int, int]:
    """Look through the MAC header of a data frame (IEEE 802.11, section 9.2.3)."""
    if offset + 2 > end:
        return at.CUT, offset
    control = le16(window, offset)
    kind, subtype = control >> 2 & 3, control >> 4 & 15
    if kind != _DATA or subtype & _NO_DATA or control & _PROTECTED:
        return at.UNKNOWN, offset
    size = 24
    if control & _TO_DS and control & _FROM_DS:
        size += 6
    aggregated = False
    if subtype & _QOS:
        if offset + size >= end:
            return at.CUT, offset
        aggregated = window[offset + size] & _AGGREGATED != 0
        size += 2
        if control & _ORDER:
            size += 4
    if padded:
        size = (size + 3) & ~3
    # The first frame of an aggregate has a header of destination, source and length before its LLC.
    return at.LLC, offset + size + (14 if aggregated else 0)
