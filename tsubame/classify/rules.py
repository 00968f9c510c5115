"""The registry of packet rules: what each tag means, why we believe it, and for how long.

Two questions are asked of every packet: what ``kind`` of packet it is, and which ``tool`` it bears the mark
of. Each is answered by the first rule that matches, in the order below. A rule is one entry: a test of a single
packet's fields, where it comes from, and since and until when it can be trusted (signatures decay).

A test that chance can pass is not evidence in a single packet. Such a rule says how many matches of one source,
in one capture, it takes (``matches``); until then the packet bears the mark of whatever rule comes next. A secret
that a source keeps shows only in two of its packets; such a rule, the last of its question, ``compares``.

To add a rule: write its test, enter it, add a test in ``tests/unit/classify/test_rules.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from tsubame.capture.compiled import inlined

ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


class Packet(NamedTuple):
    """The fields that a test may look at; all are int64, with the meanings of ``schemas.PACKETS``."""

    src_address: int
    dst_address: int
    protocol: int
    src_port: int
    dst_port: int
    icmp_type: int
    tcp_flags: int
    tcp_seq: int
    tcp_window: int
    tcp_options: int
    ip_id: int
    ttl: int
    ip_length: int
    fragment_offset: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        tag: what a matching packet is called.
        test: compiled; takes a ``Packet``, returns whether it matches.
        says: the rule in words.
        source: where the rule comes from.
        caveat: what it gets wrong.
        valid_from, valid_until: UTC days between which it is trusted (the second excluded); None: always.
        matches: how many packets of one source must match in a capture before any is tagged.
        compares: the test returns a mark, -1 for none, and it takes two packets of one source that differ in their
            sequence numbers and have the same mark; the second and those that follow are tagged.
    """

    tag: str
    test: Callable[[Packet], Any]
    says: str
    source: str
    caveat: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    matches: int = 1
    compares: bool = False


def _rule(tag: str, says: str, source: str, **more: Any) -> Callable[[Any], Rule]:
    def enter(test: Any) -> Rule:
        return Rule(tag, inlined(test), says, source, **more)

    return enter


_CORSARO = "CAIDA libcorsaro, filters for backscatter"


@_rule("backscatter", "TCP with SYN and ACK, or with RST", _CORSARO)
def _tcp_answer(packet: Packet) -> bool:
    flags = packet.tcp_flags
    return packet.protocol == TCP and (flags & (SYN | ACK) == SYN | ACK or flags & RST != 0)


@_rule(
    "backscatter",
    "ICMP of types 0, 3, 4, 5, 11, 12, 14, 16, 18: answers and error messages",
    _CORSARO,
)
def _icmp_answer(packet: Packet) -> bool:
    # One bit per type.
    answers = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 11 | 1 << 12 | 1 << 14 | 1 << 16 | 1 << 18
    return (
        packet.protocol == ICMP
        and packet.fragment_offset == 0
        and packet.icmp_type <= 18
        and answers >> packet.icmp_type & 1 != 0
    )


@_rule("backscatter", "UDP from port 53", _CORSARO, caveat="a scanner may choose source port 53")
def _dns_answer(packet: Packet) -> bool:
    return packet.protocol == UDP and packet.src_port == 53


@_rule("scan", "TCP with SYN and without ACK and RST", "RFC 9293, section 3.5: an attempt to open a connection")
def _tcp_open(packet: Packet) -> bool:
    return packet.protocol == TCP and packet.tcp_flags & SYN != 0


@_rule(
    "scan",
    "TCP without SYN, ACK and RST: FIN, NULL and Xmas scans",
    "nmap reference guide, section on scan techniques (-sF, -sN, -sX)",
    caveat="a TCP header cut before its flags is told from a NULL scan by its window alone",
)
def _tcp_stealth(packet: Packet) -> bool:
    return packet.protocol == TCP and packet.tcp_flags & ACK == 0 and (packet.tcp_flags != 0 or packet.tcp_window != 0)


@_rule(
    "scan",
    "UDP, but for later fragments",
    "nobody asks a telescope for anything; what is not an answer is a probe",
    caveat="answers of reflectors other than DNS, and misdirected traffic, are counted here too",
)
def _udp_probe(packet: Packet) -> bool:
    return packet.protocol == UDP and packet.fragment_offset == 0


@_rule("scan", "ICMP echo, timestamp, information and address mask requests", "RFC 792 and RFC 950")
def _icmp_request(packet: Packet) -> bool:
    return (
        packet.protocol == ICMP
        and packet.fragment_offset == 0
        and (packet.icmp_type == 8 or packet.icmp_type == 13 or packet.icmp_type == 15 or packet.icmp_type == 17)
    )


@_rule(
    "mirai",
    "TCP SYN without ACK whose sequence number is the destination address",
    "Mirai's published scanner.c (tcph->seq = iph->daddr)",
    caveat="matches by chance once in 2**32; evaluated on the public address, before any anonymisation",
)
def _mirai(packet: Packet) -> bool:
    return packet.protocol == TCP and packet.tcp_flags & (SYN | ACK) == SYN and packet.tcp_seq == packet.dst_address


@_rule(
    "zmap",
    "IP identification 54321",
    "ZMap's probe_modules/packet.c; randomised from 4.1.0 on (CHANGELOG, 2024-03-21)",
    caveat="other packets carry it by chance once in 65,536; forks of older versions go on after the date",
    valid_until=date(2024, 3, 21),
)
def _zmap(packet: Packet) -> bool:
    return packet.ip_id == 54321


@_rule(
    "masscan",
    "TCP SYN without ACK whose IP identification is the low half of destination address ^ destination port ^ "
    "sequence number",
    "masscan's templ-pkt.c",
    caveat="matches by chance once in 65,536: a source is tagged from two matches in a capture on",
    matches=2,
)
def _masscan(packet: Packet) -> bool:
    return (
        packet.protocol == TCP
        and packet.tcp_flags & (SYN | ACK) == SYN
        and packet.ip_id == (packet.dst_address ^ packet.dst_port ^ packet.tcp_seq) & 0xFFFF
    )


@_rule(
    "nmap",
    "TCP SYN alone, window 1024, 2048, 3072 or 4096, and the one option MSS 1460",
    "nmap's tcpip.cc and scan_engine_raw.cc (SYN scan probes)",
    caveat="weak alone: other tools copy these values",
)
def _nmap(packet: Packet) -> bool:
    window = packet.tcp_window
    return (
        packet.protocol == TCP
        and packet.tcp_flags == SYN
        and (window == 1024 or window == 2048 or window == 3072 or window == 4096)
        and packet.tcp_options == 0x020405B4
    )


@_rule(
    "unicornscan",
    "TCP SYN without ACK of a source whose sequence numbers, xored with the destination address (its bytes in reverse "
    "order) and with destination port and source port side by side, are all one secret",
    "unicornscan 0.4.7: TCPHASHTRACK in tcphash.h, its call in send_packet.c, makepkt.c (sequence number in network "
    "order of the secret ^ (target's s_addr ^ ((remote port << 16) + local port)))",
    caveat="s_addr lies in memory in network order: a little-endian scanner reverses it, and a big-endian one is not "
    "recognised unless the sensor has a single address; two packets match by chance once in 2**32; the first packet of "
    "a source bears no mark yet, nor one whose source was forgotten among 65,536 others",
    compares=True,
)
def _unicornscan(packet: Packet) -> int:
    destination = packet.dst_address
    reverse = (
        (destination & 0xFF) << 24
        | (destination >> 8 & 0xFF) << 16
        | (destination >> 16 & 0xFF) << 8
        | destination >> 24
    )
    secret = packet.tcp_seq ^ reverse ^ (packet.dst_port << 16 | packet.src_port)
    return secret if (packet.protocol == TCP) & (packet.tcp_flags & (SYN | ACK) == SYN) else -1


KIND_RULES: tuple[Rule, ...] = (
    _tcp_answer,
    _icmp_answer,
    _dns_answer,
    _tcp_open,
    _tcp_stealth,
    _udp_probe,
    _icmp_request,
)
TOOL_RULES: tuple[Rule, ...] = (_mirai, _zmap, _masscan, _nmap, _unicornscan)

#: Code in the ``kind`` column -> its name.
KINDS = ("other", "scan", "backscatter")
#: Code in the ``tool`` column -> its name; a rule's code is its place among ``TOOL_RULES`` plus one.
TOOLS = ("", *(rule.tag for rule in TOOL_RULES))
