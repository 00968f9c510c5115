"""From the first byte of a record to its network header, through whatever lies between.

``find_network`` walks from layer to layer. Each step is given the layer and where it begins, and says which
layer comes next and where. Nothing above the outermost network header is looked at: tunnels are not opened.
"""

from __future__ import annotations

from tsubame.capture import layers as at
from tsubame.capture.blocks import Bytes
from tsubame.capture.compiled import inner
from tsubame.capture.loads import be16, be32, le16
from tsubame.capture.rarer import step_rarer
from tsubame.capture.wireless import step_wireless

#: More layers than any real frame has; a longer chain (mutated tags and labels) is no IP packet.
MOST_LAYERS = 64

_ETHERTYPE_IPV4 = 0x0800
_ETHERTYPE_IPV6 = 0x86DD
_AF_INET = 2


@inner
def find_network(window: Bytes, start: int, end: int, layer: int) -> tuple[int, int]:
    """Return the network header that a record holds and the offset at which it begins.

    Args:
        window: (n,) uint8.
        start: offset of the record's first byte.
        end: offset after the record's last captured byte.
        layer: code of the layer that the link type begins with.

    Returns:
        ``(found, offset)``, found being one of IPV4, IPV6, UNKNOWN (not IP) and CUT (ends before it can
        be told).
    """
    offset = start
    for _ in range(MOST_LAYERS):
        if layer == at.IPV4 or layer == at.IPV6 or layer == at.UNKNOWN or layer == at.CUT:
            return layer, offset
        layer, offset = _step(window, offset, end, layer)
    return at.UNKNOWN, offset


@inner
def _step(window: Bytes, offset: int, end: int, layer: int) -> tuple[int, int]:
    """Look through one layer: return the next one and its offset."""
    if layer == at.ETHERNET:
        return _ethernet(window, offset, end)
    if layer == at.VLAN:
        return _vlan(window, offset, end)
    if layer == at.IP:
        return _ip(window, offset, end)
    if layer == at.LLC:
        return _llc(window, offset, end)
    if layer == at.ETHERTYPE:
        if offset + 2 > end:
            return at.CUT, offset
        return _ethertype(be16(window, offset)), offset + 2
    if layer == at.NULL:
        return _null(window, offset, end)
    if layer == at.SLL:
        return _sll(window, offset, end)
    if layer == at.SLL2:
        return _sll2(window, offset, end)
    if layer == at.MPLS:
        return _mpls(window, offset, end)
    if layer >= at.FIRST_RARER:
        return step_rarer(window, offset, end, layer)
    if layer >= at.FIRST_WIRELESS:
        return step_wireless(window, offset, end, layer)
    return _step_serial(window, offset, end, layer)


@inner
def _step_serial(window: Bytes, offset: int, end: int, layer: int) -> tuple[int, int]:
    """Look through one layer of point-to-point lines."""
    if layer == at.PPPOE:
        if offset + 6 > end:
            return at.CUT, offset
        # Session data only; RFC 2516: code 0 is the session stage.
        return (at.PPP if window[offset + 1] == 0 else at.UNKNOWN), offset + 6
    if layer == at.PPP_ANY:
        if offset + 2 > end:
            return at.CUT, offset
        # RFC 1662: all-stations address and unnumbered information, unless they are compressed away.
        if window[offset] == 0xFF and window[offset + 1] == 0x03:
            return at.PPP, offset + 2
        if window[offset] == 0x0F or window[offset] == 0x8F:
            return at.C_HDLC, offset
        return at.PPP, offset
    if layer == at.PPP:
        return _ppp(window, offset, end)
    if layer == at.C_HDLC:
        return (at.ETHERTYPE, offset + 2) if offset + 4 <= end else (at.CUT, offset)
    if layer == at.FRAME_RELAY:
        return _frame_relay(window, offset, end)
    if layer == at.ETHERTYPE_RESERVED:
        if offset + 4 > end:
            return at.CUT, offset
        return _ethertype(be16(window, offset)), offset + 4
    return at.UNKNOWN, offset


@inner
def _ethertype(value: int) -> int:
    """Name the layer that an EtherType announces."""
    if value == _ETHERTYPE_IPV4:
        return at.IPV4
    if value == _ETHERTYPE_IPV6:
        return at.IPV6
    # 802.1Q, 802.1ad, and what was used for QinQ before it.
    if value in (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300):
        return at.VLAN
    if value in (0x8847, 0x8848):
        return at.MPLS
    if value == 0x8864:
        return at.PPPOE
    if value == 0x880B:
        return at.PPP
    if value == 0x6558:
        return at.ETHERNET
    if value == 0x8870:
        return at.LLC
    if value == 0x88E7:
        return at.PBB
    # HSR (IEC 62439-3), R-TAG (802.1CB), VN-Tag (802.1BR).
    if value in (0x892F, 0xF1C1, 0x8926):
        return at.SKIP_4
    if value == 0x894F:
        return at.NSH
    # Marvell's EDSA, Cisco's metadata.
    return at.SKIP_6 if value in (0xDADA, 0x8909) else at.UNKNOWN


@inner
def _ethernet(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    if offset + 14 > end:
        return at.CUT, offset
    value = be16(window, offset + 12)
    if value > 1500:
        return _ethertype(value), offset + 14
    # Cisco's ISL puts 26 bytes before the frame, the first of them a group address of its own.
    if be32(window, offset) in (0x01000C00, 0x0C000C00) and window[offset + 4] == 0:
        return at.ETHERNET, offset + 26
    return at.LLC, offset + 14


@inner
def _vlan(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    """Look through two bytes of tag and the EtherType, or the length of an 802.3 frame, behind it."""
    if offset + 4 > end:
        return at.CUT, offset
    value = be16(window, offset + 2)
    if value <= 1500:
        return at.LLC, offset + 4
    return _ethertype(value), offset + 4


@inner
def _llc(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    if offset + 3 > end:
        return at.CUT, offset
    service = be16(window, offset)
    if window[offset + 2] != 0x03:
        return at.UNKNOWN, offset
    if service == 0x0606:
        return at.IPV4, offset + 3
    if service == 0xFEFE:
        # ISO network layer protocol identifier (RFC 2684, section 5.1).
        if offset + 4 > end:
            return at.CUT, offset
        return (at.IPV4 if window[offset + 3] == 0xCC else at.UNKNOWN), offset + 4
    if service != 0xAAAA:
        return at.UNKNOWN, offset
    if offset + 8 > end:
        return at.CUT, offset
    # SNAP: encapsulated Ethernet (RFC 1042), 802.1H's bridge tunnel, bridged frames (RFC 2684).
    organisation = be32(window, offset + 2) & 0xFFFFFF
    if organisation in (0x000000, 0x0000F8):
        return at.ETHERTYPE, offset + 6
    if organisation == 0x0080C2 and be16(window, offset + 6) in (0x0001, 0x0007):
        return at.BRIDGED_PADDED, offset + 8
    return at.UNKNOWN, offset


@inner
def _frame_relay(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    """Look through a Q.922 address and RFC 2427's encapsulation, or Cisco's EtherType."""
    size = 1
    while offset + size < end and size < 4 and window[offset + size - 1] & 1 == 0:
        size += 1
    offset += size
    if offset + 2 > end:
        return at.CUT, offset
    if window[offset] != 0x03:
        return at.ETHERTYPE, offset
    # A padding byte may follow the control byte.
    offset += 2 if window[offset + 1] == 0 else 1
    if offset >= end:
        return at.CUT, offset
    protocol = window[offset]
    if protocol == 0xCC:
        return at.IPV4, offset + 1
    if protocol == 0x8E:
        return at.IPV6, offset + 1
    if protocol != 0x80:
        return at.UNKNOWN, offset
    if offset + 6 > end:
        return at.CUT, offset
    organisation = be32(window, offset) & 0xFFFFFF
    if organisation == 0x000000:
        return at.ETHERTYPE, offset + 4
    if organisation == 0x0080C2 and be16(window, offset + 4) in (0x0001, 0x0007):
        return at.ETHERNET, offset + 6
    return at.UNKNOWN, offset


@inner
def _ip(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    if offset >= end:
        return at.CUT, offset
    if window[offset] >> 4 == 6:
        return at.IPV6, offset
    # Another version is for the IPv4 decoder to refuse.
    return at.IPV4, offset


@inner
def _null(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    """Look through the address family of BSD's loopback: four bytes in the order of who captured it."""
    if offset + 4 > end:
        return at.CUT, offset
    family = be16(window, offset + 2)
    if be16(window, offset) != 0:
        if family > 1500:
            return _ethertype(family), offset + 4
        if family != 0:
            return at.UNKNOWN, offset
        family = le16(window, offset)
    if family == _AF_INET:
        return at.IPV4, offset + 4
    # AF_INET6 of Linux, NetBSD and OpenBSD, Windows, FreeBSD, Darwin.
    if family in (10, 23, 24, 28, 30):
        return at.IPV6, offset + 4
    # Linux writes an EtherType here on some kernels.
    return _ethertype(family) if family > 1500 else at.UNKNOWN, offset + 4


@inner
def _sll(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    if offset + 16 > end:
        return at.CUT, offset
    return _cooked(be16(window, offset + 2), be16(window, offset + 14), offset + 16)


@inner
def _sll2(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    if offset + 20 > end:
        return at.CUT, offset
    return _cooked(be16(window, offset + 8), be16(window, offset), offset + 20)


@inner
def _cooked(hardware: int, protocol: int, offset: int) -> tuple[int, int]:
    """Name the layer behind a Linux cooked header by its ARPHRD type and its protocol."""
    # The protocol field is an EtherType for most hardware only (libpcap's LINKTYPE_LINUX_SLL).
    if hardware == 824:
        return at.UNKNOWN, offset
    if hardware == 803:
        return at.RADIOTAP, offset
    if hardware == 801:
        return at.IEEE802_11, offset
    if hardware == 778:
        return _ethertype(protocol), offset
    if protocol == 4:
        return at.LLC, offset
    if protocol <= 1500:
        return at.UNKNOWN, offset
    return _ethertype(protocol), offset


@inner
def _mpls(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    """Pop labels to the bottom of the stack; the payload's first nibble tells what it is (RFC 4928)."""
    for _ in range(MOST_LAYERS):
        if offset + 4 > end:
            return at.CUT, offset
        bottom = window[offset + 2] & 1
        offset += 4
        if bottom:
            if offset >= end:
                return at.CUT, offset
            version = window[offset] >> 4
            if version == 4:
                return at.IPV4, offset
            if version == 6:
                return at.IPV6, offset
            # A pseudowire's control word (RFC 4385), and the frame that it carries.
            return (at.ETHERNET if version == 0 else at.UNKNOWN), offset + 4
    return at.UNKNOWN, offset


@inner
def _ppp(window: Bytes, offset: int, end: int) -> tuple[int, int]:
    if offset >= end:
        return at.CUT, offset
    # A protocol's last byte is odd and no other is: one byte is enough when it is odd (RFC 1661, section 6.5).
    if window[offset] & 1:
        protocol = window[offset] & 0xFF
        offset += 1
    else:
        if offset + 2 > end:
            return at.CUT, offset
        protocol = be16(window, offset)
        offset += 2
    if protocol == 0x0021:
        return at.IPV4, offset
    if protocol == 0x0057:
        return at.IPV6, offset
    if protocol in (0x0281, 0x0283):
        return at.MPLS, offset
    return at.UNKNOWN, offset
