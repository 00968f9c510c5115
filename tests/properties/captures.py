"""Captures made of known packets, in every container and behind every link layer; for property tests and fuzzing."""

import struct

ETHERNET = b"\x02\0\0\0\0\1\x02\0\0\0\0\2"
SNAP = b"\xaa\xaa\x03\0\0\0"
IPV4 = b"\x08\0"
DOT11 = b"\x08\x01\0\0" + bytes(20)

#: link type -> what lies before the IPv4 header; several forms of one type are told apart by a letter.
LINKS = {
    "0": b"\x02\0\0\0", "0be": b"\0\0\0\x02", "1": ETHERNET + IPV4, "1vlan": ETHERNET + b"\x81\0\0\x05" + IPV4,
    "1qinq": ETHERNET + b"\x88\xa8\0\x05\x81\0\0\x06" + IPV4,
    "1mpls": ETHERNET + b"\x88\x47\0\x01\x20\x40\0\0\x11\x40",
    "1pppoe": ETHERNET + b"\x88\x64\x11\0\0\1\0\x40\0\x21", "1snap": ETHERNET + b"\0\x40" + SNAP + IPV4,
    "1llc": ETHERNET + b"\0\x40\x06\x06\x03", "1pbb": ETHERNET + b"\x88\xe7\0\0\0\x01" + ETHERNET + IPV4,
    "1hsr": ETHERNET + b"\x89\x2f\0\0\0\0" + IPV4, "6": b"\x10\x40" + ETHERNET + SNAP + IPV4,
    "6routed": b"\x10\x40" + ETHERNET[:6] + b"\x82\0\0\0\0\2" + b"\x06\0\0\0\0\0" + SNAP + IPV4,
    "7": b"\1\2\xd4\0\0\0", "7old": b"\1\2\xf0", "8": bytes(16), "9": b"\xff\x03\0\x21", "9bare": b"\0\x21",
    "9short": b"\x21", "10": b"\x50" + ETHERNET + SNAP + IPV4, "12": b"", "14": b"", "50": b"\xff\x03\0\x21",
    "50cisco": b"\x0f\0" + IPV4, "51": b"\x11\0\0\1\0\x40\0\x21", "99": bytes(6) + IPV4 + bytes(36),
    "100": SNAP + IPV4, "101": b"", "102": bytes(24), "104": b"\x0f\0" + IPV4, "105": DOT11 + SNAP + IPV4,
    "105qos": b"\x88\x01\0\0" + bytes(20) + b"\0\0" + SNAP + IPV4,
    "105wds": b"\x08\x03\0\0" + bytes(26) + SNAP + IPV4, "106": SNAP + IPV4, "106raw": b"",
    "107": b"\x18\x41\x03\xcc", "107cisco": b"\x18\x41" + IPV4, "107snap": b"\x18\x41\x03\0\x80\0\0\0" + IPV4,
    "108": b"\0\0\0\x02", "109": b"\x02\0\0\0" + bytes(8), "113": bytes(14) + IPV4, "117": b"\x3d\x02" + bytes(62),
    "119": b"\0\0\0\x44" + bytes(140) + DOT11 + SNAP + IPV4,
    "119avs": b"\x80\x21\x10\x01\0\0\0\x40" + bytes(56) + DOT11 + SNAP + IPV4, "122": bytes(16) + SNAP + IPV4,
    "123": b"\x02\0\0\0" + SNAP + IPV4, "127": b"\0\0\x08\0\0\0\0\0" + DOT11 + SNAP + IPV4,
    "127padded": b"\0\0\x09\0\2\0\0\0\x20\x88\x01\0\0" + bytes(20) + b"\0\0\0\0" + SNAP + IPV4,
    "129": b"\1\2\0\0\xd4\0\0\0", "138": bytes(16) + IPV4, "143": bytes(6) + ETHERNET + IPV4,
    "149": struct.pack("<III", 108, 1, 1) + bytes(96) + ETHERNET + IPV4,
    "163": b"\x80\x21\x10\x01\0\0\0\x40" + bytes(56) + DOT11 + SNAP + IPV4, "166": b"\0\x03\0\x21",
    "178": b"MGC\0" + ETHERNET + IPV4, "179": b"MGC\0\xff\x03\0\x21", "180": b"MGC\0\x18\x41\x03\xcc",
    "181": b"MGC\x80\0\4\0\0\0\0\x0f\0" + IPV4, "182": b"\xc0\0\x18\x41\x03\xcc",
    "192": b"\0\0\x08\0" + struct.pack("<I", 105) + DOT11 + SNAP + IPV4,
    "192raw": b"\0\0\x08\0" + struct.pack("<I", 101), "197": bytes(8) + b"\x02" + bytes(9) + ETHERNET + IPV4,
    "197ext": bytes(8) + b"\x96" + bytes(7) + bytes(8), "204": b"\1\xff\x03\0\x21", "205": b"\1\x0f\0" + IPV4,
    "206": b"\1\x18\x41\x03\xcc", "219": b"\0\x01\x21\x40", "226": b"\1\2" + bytes(22), "228": b"",
    "239": b"\2\0\0\0\x08\0\1\0\0\0\0\0\x2c\0\x09\0", "239be": b"\2\0\0\0\0\x08\0\1\0\0\0\0\0\x2c\0\x09",
    "240": bytes(4) + ETHERNET + IPV4, "241": bytes(12) + ETHERNET + IPV4, "242": bytes(40) + IPV4 + bytes(2),
    "258": struct.pack("<III", 108, 1, 1) + bytes(96) + ETHERNET + IPV4, "259": bytes(8) + ETHERNET + IPV4,
    "274": bytes(8) + ETHERNET + IPV4, "276": IPV4 + bytes(18), "281": ETHERNET + bytes(4) + IPV4,
    "282": bytes(4) + ETHERNET + IPV4, "284": ETHERNET + bytes(4) + IPV4,
    "285": ETHERNET + b"\xda\xda\0\0\0\0\0\0" + IPV4,
}  # fmt: skip


def link_number(name: str) -> int:
    return int("".join(letter for letter in name if letter.isdigit()))


def ipv4_packet(fields: dict[str, int], options: bytes = b"") -> bytes:
    """Encode the row of PACKETS that ``fields`` is."""
    protocol = fields["protocol"]
    if fields["fragment_offset"]:
        body = b"\xa5" * 20
    elif protocol == 6:
        body = struct.pack(
            ">HHIIBBHHH", fields["src_port"], fields["dst_port"], fields["tcp_seq"], 0, 0x50, fields["tcp_flags"],
            fields["tcp_window"], 0, 0,
        )  # fmt: skip
    elif protocol in (17, 33, 132, 136):
        body = struct.pack(">HHHH", fields["src_port"], fields["dst_port"], 8, 0)
    elif protocol == 1:
        body = struct.pack(">BBHI", fields["icmp_type"], fields["icmp_code"], 0, 0)
    else:
        body = b"\x5a" * 12
    header = struct.pack(
        ">BBHHHBBHII", 0x45 + len(options) // 4, 0, 20 + len(options) + len(body), fields["ip_id"],
        fields["fragment_offset"], fields["ttl"], protocol, 0, fields["src_address"], fields["dst_address"],
    )  # fmt: skip
    return header + options + body


def pcap(records, link=1, order="<", form="usec", snaplen=65535):
    """Encode (nanoseconds, bytes) as a pcap."""
    magic, tick = {"usec": (0xA1B2C3D4, 1000), "nsec": (0xA1B23C4D, 1), "kuznetzov": (0xA1B2CD34, 1000)}[form]
    out = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snaplen, link)]
    for time, content in records:
        out.append(
            struct.pack(f"{order}IIII", time // 10**9, time % 10**9 // tick, len(content), len(content))
            + (bytes(8) if form == "kuznetzov" else b"")
            + content
        )
    return b"".join(out)


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)


def pcapng(records, link=1, order="<", packet_block=6, resolution=9):
    """Encode (nanoseconds, bytes) as a pcapng of one section and one interface."""
    out = [
        block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order),
        block(1, struct.pack(f"{order}HHIHHB3xHH", link, 0, 0, 9, 1, resolution, 0, 0), order),
    ]
    for time, content in records:
        ticks = time // 10 ** (9 - resolution)
        if packet_block == 6:
            body = struct.pack(f"{order}IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(content), len(content))
        elif packet_block == 2:
            body = struct.pack(f"{order}HHIIII", 0, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(content), len(content))
        else:
            body = struct.pack(f"{order}I", len(content))
        out.append(block(packet_block, body + content, order))
    return b"".join(out)
