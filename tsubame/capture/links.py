"""Link types: number in the file -> name, and the layer with which decoding begins.

Names are those of the tcpdump group's registry without ``LINKTYPE_`` (https://www.tcpdump.org/linktypes.html).
To add one: give it a name in ``NAMES`` and, if it can carry IPv4, a layer in ``LAYERS``.
"""

from __future__ import annotations

import numpy as np

from tsubame.capture import layers as layer

NAMES = {
    0: "NULL", 1: "ETHERNET", 2: "EXP_ETHERNET", 3: "AX25", 4: "PRONET", 5: "CHAOS", 6: "IEEE802_5",
    7: "ARCNET_BSD", 8: "SLIP", 9: "PPP", 10: "FDDI", 12: "RAW", 14: "RAW", 50: "PPP_HDLC", 51: "PPP_ETHER",
    99: "SYMANTEC_FIREWALL", 100: "ATM_RFC1483", 101: "RAW", 102: "SLIP_BSDOS", 103: "PPP_BSDOS",
    104: "C_HDLC", 105: "IEEE802_11", 106: "ATM_CLIP", 107: "FRELAY", 108: "LOOP", 109: "ENC", 113: "LINUX_SLL",
    114: "LTALK", 116: "IPFILTER", 117: "PFLOG", 118: "CISCO_IOS", 119: "IEEE802_11_PRISM",
    121: "HHDLC", 122: "IP_OVER_FC", 123: "SUNATM", 127: "IEEE802_11_RADIOTAP", 128: "TZSP",
    129: "ARCNET_LINUX", 130: "JUNIPER_MLPPP", 131: "JUNIPER_MLFR", 132: "JUNIPER_ES", 133: "JUNIPER_GGSN",
    134: "JUNIPER_MFR", 135: "JUNIPER_ATM2", 136: "JUNIPER_SERVICES", 137: "JUNIPER_ATM1",
    138: "APPLE_IP_OVER_IEEE1394", 139: "MTP2_WITH_PHDR", 140: "MTP2", 141: "MTP3", 142: "SCCP",
    143: "DOCSIS", 144: "LINUX_IRDA", 145: "IBM_SP", 146: "IBM_SN",
    **{147 + n: f"USER{n}" for n in range(16)},
    163: "IEEE802_11_AVS", 164: "JUNIPER_MONITOR", 165: "BACNET_MS_TP", 166: "PPP_PPPD",
    167: "JUNIPER_PPPOE", 168: "JUNIPER_PPPOE_ATM", 169: "GPRS_LLC", 170: "GPF_T", 171: "GPF_F",
    172: "GCOM_T1E1", 173: "GCOM_SERIAL", 174: "JUNIPER_PIC_PEER", 175: "ERF_ETH", 176: "ERF_POS",
    177: "LINUX_LAPD", 178: "JUNIPER_ETHER", 179: "JUNIPER_PPP", 180: "JUNIPER_FRELAY",
    181: "JUNIPER_CHDLC", 182: "MFR", 183: "JUNIPER_VP", 184: "A429", 185: "A653_ICM", 186: "USB_FREEBSD",
    187: "BLUETOOTH_HCI_H4", 188: "IEEE802_16_MAC_CPS", 189: "USB_LINUX", 190: "CAN20B",
    191: "IEEE802_15_4_LINUX", 192: "PPI", 193: "IEEE802_16_MAC_CPS_RADIO", 194: "JUNIPER_ISM",
    195: "IEEE802_15_4_WITHFCS", 196: "SITA", 197: "ERF", 198: "RAIF1", 199: "IPMB_KONTRON",
    200: "JUNIPER_ST", 201: "BLUETOOTH_HCI_H4_WITH_PHDR", 202: "AX25_KISS", 203: "LAPD",
    204: "PPP_WITH_DIR", 205: "C_HDLC_WITH_DIR", 206: "FRELAY_WITH_DIR", 207: "LAPB_WITH_DIR",
    209: "IPMB_LINUX", 210: "FLEXRAY", 211: "MOST", 212: "LIN", 213: "X2E_SERIAL", 214: "X2E_XORAYA",
    215: "IEEE802_15_4_NONASK_PHY", 216: "LINUX_EVDEV", 217: "GSMTAP_UM", 218: "GSMTAP_ABIS",
    219: "MPLS", 220: "USB_LINUX_MMAPPED", 221: "DECT", 222: "AOS", 223: "WIHART", 224: "FC_2",
    225: "FC_2_WITH_FRAME_DELIMS", 226: "IPNET", 227: "CAN_SOCKETCAN", 228: "IPV4", 229: "IPV6",
    230: "IEEE802_15_4_NOFCS", 231: "DBUS", 232: "JUNIPER_VS", 233: "JUNIPER_SRX_E2E",
    234: "JUNIPER_FIBRECHANNEL", 235: "DVB_CI", 236: "MUX27010", 237: "STANAG_5066_D_PDU",
    238: "JUNIPER_ATM_CEMIC", 239: "NFLOG", 240: "NETANALYZER", 241: "NETANALYZER_TRANSPARENT", 242: "IPOIB",
    243: "MPEG_2_TS", 244: "NG40", 245: "NFC_LLCP", 246: "PFSYNC", 247: "INFINIBAND", 248: "SCTP",
    249: "USBPCAP", 250: "RTAC_SERIAL", 251: "BLUETOOTH_LE_LL", 252: "WIRESHARK_UPPER_PDU",
    253: "NETLINK", 254: "BLUETOOTH_LINUX_MONITOR", 255: "BLUETOOTH_BREDR_BB",
    256: "BLUETOOTH_LE_LL_WITH_PHDR", 257: "PROFIBUS_DL", 258: "PKTAP", 259: "EPON", 260: "IPMI_HPM_2",
    261: "ZWAVE_R1_R2", 262: "ZWAVE_R3", 263: "WATTSTOPPER_DLM", 264: "ISO_14443", 265: "RDS",
    266: "USB_DARWIN", 267: "OPENFLOW", 268: "SDLC", 269: "TI_LLN_SNIFFER", 270: "LORATAP", 271: "VSOCK",
    272: "NORDIC_BLE", 273: "DOCSIS31_XRA31", 274: "ETHERNET_MPACKET", 275: "DISPLAYPORT_AUX",
    276: "LINUX_SLL2", 277: "SERCOS_MONITOR", 278: "OPENVIZSLA", 279: "EBHSCR", 280: "VPP_DISPATCH",
    281: "DSA_TAG_BRCM", 282: "DSA_TAG_BRCM_PREPEND", 283: "IEEE802_15_4_TAP", 284: "DSA_TAG_DSA",
    285: "DSA_TAG_EDSA", 286: "ELEE", 287: "Z_WAVE_SERIAL", 288: "USB_2_0", 289: "ATSC_ALP", 290: "ETW",
    291: "NETANALYZER_NG", 292: "ZBOSS_NCP", 293: "USB_2_0_LOW_SPEED", 294: "USB_2_0_FULL_SPEED",
    295: "USB_2_0_HIGH_SPEED", 296: "AUERSWALD_LOG", 297: "ZWAVE_TAP", 298: "SILABS_DEBUG_CHANNEL",
    299: "FIRA_UCI", 300: "MDB", 301: "DECT_NR",
}  # fmt: skip

#: Where decoding begins; a link type that is not here carries no IPv4 that we can find.
LAYERS = {
    0: layer.NULL,
    1: layer.ETHERNET,
    6: layer.TOKEN_RING,
    7: layer.ARCNET_BSD,
    8: layer.SLIP,
    9: layer.PPP_ANY,
    10: layer.FDDI,
    12: layer.IP,
    14: layer.IP,
    50: layer.PPP_ANY,
    51: layer.PPPOE,
    99: layer.SYMANTEC,
    100: layer.LLC,
    101: layer.IP,
    102: layer.SLIP_BSDOS,
    104: layer.C_HDLC,
    105: layer.IEEE802_11,
    106: layer.ATM_CLIP,
    107: layer.FRAME_RELAY,
    108: layer.NULL,
    109: layer.ENC,
    113: layer.SLL,
    117: layer.PFLOG,
    119: layer.PRISM,
    122: layer.IP_OVER_FC,
    123: layer.SUNATM,
    127: layer.RADIOTAP,
    129: layer.ARCNET_LINUX,
    138: layer.APPLE_1394,
    143: layer.DOCSIS,
    # Apple's libpcap wrote PKTAP under this number before it had one of its own.
    149: layer.PKTAP,
    163: layer.AVS,
    166: layer.PPP_PPPD,
    178: layer.JUNIPER_ETHER,
    179: layer.JUNIPER_PPP,
    180: layer.JUNIPER_FRAME_RELAY,
    181: layer.JUNIPER_CHDLC,
    182: layer.MFR,
    192: layer.PPI,
    197: layer.ERF,
    204: layer.PPP_WITH_DIR,
    205: layer.C_HDLC_WITH_DIR,
    206: layer.FRAME_RELAY_WITH_DIR,
    219: layer.MPLS,
    226: layer.IPNET,
    228: layer.IPV4,
    229: layer.IPV6,
    239: layer.NFLOG,
    240: layer.NETANALYZER,
    241: layer.NETANALYZER_TRANSPARENT,
    242: layer.IPOIB,
    258: layer.PKTAP,
    259: layer.EPON,
    274: layer.MPACKET,
    276: layer.SLL2,
    281: layer.DSA_BRCM,
    282: layer.DSA_BRCM_PREPEND,
    284: layer.DSA,
    285: layer.EDSA,
}

#: The same by number, for link types that are named within a record (PPI, PKTAP).
LAYER_TABLE = np.array([LAYERS.get(number, layer.UNKNOWN) for number in range(max(LAYERS) + 1)], np.int64)

#: Longest record that is believed, by link type (libpcap's max_snaplen_for_dlt); longer ones are damage.
MOST_CAPTURED = 262_144
_LONGER = {231: 128 << 20, 249: 128 << 20, 279: 8 << 20}


def name_of(link_type: int) -> str:
    """Return the registry's name of a link type, or ``LINKTYPE_<number>`` when it has none."""
    return NAMES.get(link_type, f"LINKTYPE_{link_type}")


def layer_of(link_type: int) -> int:
    """Return the layer with which decoding a record of that link type begins."""
    return LAYERS.get(link_type, layer.UNKNOWN)


def longest_record(link_type: int) -> int:
    """Return the largest captured length, in bytes, that is believed of a link type."""
    return _LONGER.get(link_type, MOST_CAPTURED)
