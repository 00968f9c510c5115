"""Link layers that are rarer on a telescope: local networks of old, appliances' own headers, switch tags.

Sources are the tcpdump group's pages on link types (https://www.tcpdump.org/linktypes.html) unless said.
"""

from __future__ import annotations

from tsubame.capture import layers as at
from tsubame.capture.blocks import Bytes
from tsubame.capture.compiled import inner
from tsubame.capture.links import LAYER_TABLE
from tsubame.capture.loads import be16, be32, le16, le32

_AF_INET = 2
_NFLOG_PAYLOAD = 9


@inner
def step_rarer(window: Bytes, offset: int, end: int, layer: int) -> tuple[int, int]:
    """Look through one layer: return the next one and its offset."""
    after, skipped = _fixed(layer)
    if after != at.UNKNOWN:
        return after, offset + skipped
    # All that follow look at no more than their first 24 bytes, most at fewer.
    if layer == at.PKTAP or layer == at.NFLOG or layer == at.ERF or layer == at.SYMANTEC or layer == at.IPNET:
        if offset + 24 > end:
            return at.CUT, offset
        return _of_appliance(window, offset, end, layer)
    if layer == at.TOKEN_RING or layer == at.FDDI:
        return _ring(window, offset, end, layer)
    if offset + 9 > end:
        return at.CUT, offset
    if layer >= at.JUNIPER_ETHER and layer <= at.JUNIPER_CHDLC:
        return _juniper(window, offset, layer)
    return _of_line(window, offset, layer)


@inner
def _fixed(layer: int) -> tuple[int, int]:
    """Return what lies behind a header of fixed size that need not be read, and that size."""
    if layer == at.PPP_WITH_DIR:
        return at.PPP_ANY, 1
    if layer == at.C_HDLC_WITH_DIR:
        return at.C_HDLC, 1
    if layer == at.FRAME_RELAY_WITH_DIR:
        return at.FRAME_RELAY, 1
    if layer == at.SLIP:
        return at.IP, 16
    if layer == at.SLIP_BSDOS:
        return at.IP, 24
    if layer == at.IP_OVER_FC:
        return at.LLC, 16
    if layer == at.APPLE_1394:
        return at.ETHERTYPE, 16
    if layer == at.IPOIB:
        return at.ETHERTYPE_RESERVED, 40
    if layer == at.NETANALYZER or layer == at.DSA_BRCM_PREPEND or layer == at.PBB:
        return at.ETHERNET, 4
    if layer == at.NETANALYZER_TRANSPARENT:
        return at.ETHERNET, 12
    if layer == at.MPACKET or layer == at.EPON:
        return at.ETHERNET, 8
    if layer == at.DSA_BRCM or layer == at.DSA:
        return at.ETHERTYPE, 16
    if layer == at.EDSA:
        return at.ETHERTYPE, 20
    if layer == at.SKIP_4:
        return at.ETHERTYPE, 4
    if layer == at.SKIP_6:
        return at.ETHERTYPE, 6
    if layer == at.BRIDGED_PADDED:
        return at.ETHERNET, 2
    return at.UNKNOWN, 0


@inner
def _of_line(window: Bytes, offset: int, layer: int) -> tuple[int, int]:
    """Look through headers of lines and local networks; nine bytes are there."""
    if layer == at.ATM_CLIP:
        if be32(window, offset) == 0xAAAA0300 and be16(window, offset + 4) == 0:
            return at.LLC, offset
        return at.IP, offset
    if layer == at.SUNATM:
        # The low nibble of the first byte: 1 is LAN emulation, 2 is LLC.
        traffic = window[offset] & 15
        if traffic == 1:
            return at.ETHERNET, offset + 6
        return (at.LLC if traffic == 2 else at.UNKNOWN), offset + 4
    if layer == at.PPP_PPPD:
        return at.PPP, offset + (2 if window[offset + 1] == 0x03 else 1)
    if layer == at.PFLOG:
        size = (window[offset] + 3) & ~3
        return (at.IPV4 if window[offset + 1] == _AF_INET else at.UNKNOWN), offset + size
    if layer == at.ENC:
        little = window[offset] == _AF_INET and be16(window, offset + 2) == 0
        return (at.IPV4 if little or be32(window, offset) == _AF_INET else at.UNKNOWN), offset + 12
    if layer == at.MFR:
        # FRF.16.1: begin of fragment 0x80, control 0x20.
        if window[offset] & 0x20 or window[offset] & 0x80 == 0:
            return at.UNKNOWN, offset
        return at.FRAME_RELAY, offset + 2
    if layer == at.DOCSIS:
        # Packet PDUs: frame control, parameter (length of the extended header), length, header check.
        if window[offset] & 0xC0:
            return at.UNKNOWN, offset
        return at.ETHERNET, offset + 6 + (window[offset + 1] if window[offset] & 1 else 0)
    if layer == at.NSH:
        size = (window[offset + 1] & 0x3F) * 4
        inside = window[offset + 3]
        if size < 8 or inside < 1 or inside > 3:
            return at.UNKNOWN, offset
        return (at.ETHERNET if inside == 3 else at.IP), offset + size
    return _arcnet(window, offset, layer)


@inner
def _arcnet(window: Bytes, offset: int, layer: int) -> tuple[int, int]:
    """Look through ARCNET (RFC 1201, and RFC 1051's older form); only a first fragment begins with IP."""
    place = 2 if layer == at.ARCNET_BSD else 4
    if window[offset + place] == 240:
        return at.IPV4, offset + place + 1
    if window[offset + place] != 212:
        return at.UNKNOWN, offset
    flag = window[offset + place + 1]
    if flag == 0xFF:
        return at.IPV4, offset + place + 7
    return (at.IPV4 if flag == 0 or flag & 1 else at.UNKNOWN), offset + place + 4


@inner
def _ring(window: Bytes, offset: int, end: int, layer: int) -> tuple[int, int]:
    """Look through the MAC headers of FDDI and token ring to their LLC."""
    if layer == at.FDDI:
        if offset >= end:
            return at.CUT, offset
        # Frame control 01010xxx or 01011xxx: LLC.
        return (at.LLC if window[offset] & 0xF0 == 0x50 else at.UNKNOWN), offset + 13
    if offset + 15 > end:
        return at.CUT, offset
    if window[offset + 1] & 0xC0 != 0x40:
        return at.UNKNOWN, offset
    # The source's first bit announces routing information, its length in the low five bits.
    routing = window[offset + 14] & 0x1F if window[offset + 8] & 0x80 else 0
    return at.LLC, offset + 14 + routing


@inner
def _juniper(window: Bytes, offset: int, layer: int) -> tuple[int, int]:
    """Look through Juniper's header: magic, flags, and extensions when bit 0x80 is set."""
    if be32(window, offset) >> 8 != 0x4D4743:
        return at.UNKNOWN, offset
    size = 4
    if window[offset + 3] & 0x80:
        size = 6 + be16(window, offset + 4)
    # Bit 0x02: the link layer has been taken off.
    if window[offset + 3] & 0x02:
        return at.IP, offset + size + 4
    if layer == at.JUNIPER_ETHER:
        return at.ETHERNET, offset + size
    if layer == at.JUNIPER_PPP:
        return at.PPP_ANY, offset + size
    if layer == at.JUNIPER_FRAME_RELAY:
        return at.FRAME_RELAY, offset + size
    return at.C_HDLC, offset + size


@inner
def _of_appliance(window: Bytes, offset: int, end: int, layer: int) -> tuple[int, int]:
    """Look through headers of capture software and appliances; 24 bytes are there."""
    if layer == at.PKTAP:
        size, inside = le32(window, offset), le32(window, offset + 8)
        # Record type 1 is a packet; the number once stood for anything, so be sure.
        if size < 24 or size > 4096 or le32(window, offset + 4) != 1 or inside >= len(LAYER_TABLE):
            return at.UNKNOWN, offset
        return LAYER_TABLE[inside], offset + size
    if layer == at.NFLOG:
        return _nflog(window, offset, end)
    if layer == at.ERF:
        return _erf(window, offset, end)
    if layer == at.SYMANTEC:
        # Version 2 has its EtherType at 6 and 44 bytes, version 3 at 20 and 56.
        if be16(window, offset + 6) == 0x0800:
            return at.IPV4, offset + 44
        return (at.IPV4 if be16(window, offset + 20) == 0x0800 else at.UNKNOWN), offset + 56
    # Solaris IPNET: version, address family.
    if window[offset + 1] == _AF_INET:
        return at.IPV4, offset + 24
    return (at.IPV6 if window[offset + 1] == 26 else at.UNKNOWN), offset + 24


@inner
def _nflog(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    """Find the payload among the type-length-values of Linux's netfilter log, in its host's byte order."""
    if window[offset + 1] != 0:
        return at.UNKNOWN, offset
    place = offset + 4
    while place + 4 <= end:
        # A length is far below 0x100 or not: the byte order in which it is smaller is the host's.
        size, kind = le16(window, place), le16(window, place + 2)
        if be16(window, place) < size:
            size, kind = be16(window, place), be16(window, place + 2)
        if size < 4:
            return at.UNKNOWN, offset
        if kind & 0x7FFF == _NFLOG_PAYLOAD:
            if window[offset] == _AF_INET:
                return at.IPV4, place + 4
            return (at.IPV6 if window[offset] == 10 else at.IP), place + 4
        place += (size + 3) & ~3
    return at.CUT, place


@inner
def _erf(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    """Look through Endace's record header and its extensions."""
    kind = window[offset + 8]
    place = offset + 16
    more = kind & 0x80
    while more:
        if place + 8 > end:
            return at.CUT, place
        more = window[place] & 0x80
        place += 8
    kind &= 0x7F
    if kind in (2, 11, 16, 20):
        return at.ETHERNET, place + 2
    if kind == 1:
        return at.PPP_ANY, place
    return (at.IP if kind in (22, 23) else at.UNKNOWN), place
