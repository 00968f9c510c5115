"""Codes of the layers below the network layer; the kernels' vocabulary."""

from __future__ import annotations

# What a walk through the layers ends with.
UNKNOWN = 0
"""Not IP, or nothing that we can look through."""
IPV4 = 1
IPV6 = 2
CUT = 3
"""The record ends before it can be told."""

# Layers that are looked through in tsubame.capture.network.
IP = 4
"""IPv4 or IPv6, told by the version nibble."""
NULL = 10
ETHERNET = 11
ETHERTYPE = 12
"""Two bytes of EtherType, then what it says."""
LLC = 13
SLL = 14
SLL2 = 15
MPLS = 16
PPPOE = 17
PPP = 18
"""Protocol field of one or two bytes, then what it says (RFC 1661)."""
PPP_ANY = 19
"""PPP with or without HDLC address and control bytes (RFC 1662), or Cisco HDLC in its place."""
C_HDLC = 20
VLAN = 21
FRAME_RELAY = 22
ETHERTYPE_RESERVED = 23
"""Two bytes of EtherType, two that are reserved, then what the EtherType says (RFC 4391)."""

# Layers that are looked through in tsubame.capture.wireless.
FIRST_WIRELESS = 30
IEEE802_11 = 30
RADIOTAP = 31
PRISM = 32
AVS = 33
PPI = 34

# Layers that are looked through in tsubame.capture.rarer.
FIRST_RARER = 40
TOKEN_RING = 40
FDDI = 41
ARCNET_BSD = 42
ARCNET_LINUX = 43
SLIP = 44
SLIP_BSDOS = 45
SYMANTEC = 46
ATM_CLIP = 47
ENC = 48
PFLOG = 49
IP_OVER_FC = 50
SUNATM = 51
APPLE_1394 = 52
PPP_PPPD = 53
PPP_WITH_DIR = 54
C_HDLC_WITH_DIR = 55
FRAME_RELAY_WITH_DIR = 56
ERF = 57
IPNET = 58
IPOIB = 59
NFLOG = 60
NETANALYZER = 61
NETANALYZER_TRANSPARENT = 62
PKTAP = 63
MPACKET = 64
DSA_BRCM = 65
DSA_BRCM_PREPEND = 66
DSA = 67
EDSA = 68
MFR = 69
DOCSIS = 70
JUNIPER_ETHER = 71
JUNIPER_PPP = 72
JUNIPER_FRAME_RELAY = 73
JUNIPER_CHDLC = 74
EPON = 75
NSH = 76
"""Network service header (RFC 8300)."""
PBB = 77
"""Provider backbone bridge: four bytes of I-TAG, then a frame (IEEE 802.1ah)."""
SKIP_4 = 78
"""Four bytes, then an EtherType: HSR, R-TAG, VN-Tag."""
SKIP_6 = 79
"""Six bytes, then an EtherType: Marvell's EDSA."""
BRIDGED_PADDED = 80
"""Two bytes of padding, then a frame (RFC 2684, section 5.2)."""
