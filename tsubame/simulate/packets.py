"""IPv4 packets as bytes, with the marks that real tools leave, and right checksums.

Marks: ``mirai`` sends the destination address as sequence number, no options, TTL 64 (mirai/bot/scanner.c);
``zmap`` sets IP id 54321 (zmap src/probe_modules/packet.c, before 4.1); ``masscan`` sets the IP id to the low 16
bits of destination address ^ destination port ^ sequence number and window 1024 (src/templ-pkt.c); ``nmap``
sends an MSS option alone and a window of 1024 to 4096 (tcpip.cc); ``unicornscan`` keeps sequence number ^
destination address ^ (destination port << 16 + source port) constant for a run.
"""

from __future__ import annotations

import dataclasses
import struct
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from tsubame.simulate.scenario import Form, Tool
from tsubame.simulate.traffic import Hosts, Plan

Matrix = npt.NDArray[np.uint8]
TCP, UDP, ICMP = 6, 17, 1
PROTOCOL_NUMBERS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}
ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP = 0x0800, 0x86DD, 0x0806
_FIN_SYN_RST_ACK = {"scan": 0x02, "syn-ack": 0x12, "rst": 0x14, "ack": 0x10}
_LINUX_OPTIONS = bytes.fromhex("020405b40402080a000000000000000001030307")
_WINDOWS_OPTIONS = bytes.fromhex("020405b40103030801010402")
_MSS_OPTION = bytes.fromhex("020405b4")
_ZMAP_ID = 54321
_TOOLS: tuple[str, ...] = get_args(Tool)
_NONE, _MIRAI, _ZMAP, _MASSCAN, _NMAP, _UNICORNSCAN = range(len(_TOOLS))
_FORMS: tuple[str, ...] = get_args(Form)
_, _SYN_ACK, _RST, _ICMP_REPLY, _ACK = range(len(_FORMS))
_DONT_FRAGMENT = 0x4000

_PAYLOADS = {
    53: bytes.fromhex("1234010000010000000000000776657273696f6e0462696e640000100003"),
    123: bytes.fromhex("1700032a00000000"),
    161: bytes.fromhex("302602010104067075626c6963a019020401020304020100020100300b300906052b060102010500"),
    1900: b"M-SEARCH * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\n"
    b'MAN:"ssdp:discover"\r\nMX:1\r\nST:upnp:rootdevice\r\n\r\n',
    5060: b"OPTIONS sip:100@1.1.1.1 SIP/2.0\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    389: bytes.fromhex("30840000002d02010163840000002404000a01000a0100020100020100010100870b6f626a656374636c617373"),
    11211: bytes.fromhex("000000000001000073746174730d0a"),
}
_ANY_PAYLOAD = bytes(12)


@dataclass(frozen=True, slots=True)
class Packets:
    """Packets of one sensor, as columns; ``select`` and ``join`` keep them together.

    Attributes:
        time: int64, nanoseconds since 1970, UTC.
        stream: index into ``Plan.streams``; -1 for what is no stream's.
        host: index into ``Plan.hosts``.
        destination: uint32, IPv4 in host order.
        port: uint16, destination port; 0 for ICMP.
        ethertype: uint16.
        length: bytes of the IPv4 packet (or of whatever the ethertype says).
        content: (n, width) bytes, zero beyond ``length``.
    """

    time: npt.NDArray[np.int64]
    stream: npt.NDArray[np.int64]
    host: npt.NDArray[np.int64]
    destination: npt.NDArray[np.uint32]
    port: npt.NDArray[np.uint16]
    ethertype: npt.NDArray[np.uint16]
    length: npt.NDArray[np.int64]
    content: Matrix

    def __len__(self) -> int:
        return len(self.time)

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Packets:
        """Return some of the rows."""
        return Packets(*(getattr(self, item.name)[rows] for item in dataclasses.fields(self)))

    @classmethod
    def join(cls, parts: list[Packets]) -> Packets:
        """Return all parts in the order of time."""
        columns = [np.concatenate([getattr(part, item.name) for part in parts]) for item in dataclasses.fields(cls)]
        return cls(*columns).select(np.argsort(columns[0], kind="stable"))


class PacketMaker:
    """Makes packets for a plan; knows the templates of all of its streams."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._templates: list[bytes] = []
        # By stream: the template of each kind of host (even and odd ones may run other systems).
        self._by_stream = np.array([self._templates_of(index) for index in range(len(plan.streams))])
        extra = [_tcp(0x02, b"", False), _arp(), _ipv6()]
        self._extra = np.arange(len(extra)) + len(self._templates)
        self._templates += extra
        self.width = -(-max(map(len, self._templates)) // 4) * 4
        self._bytes = np.zeros((len(self._templates), self.width), np.uint8)
        for row, template in enumerate(self._templates):
            self._bytes[row, : len(template)] = np.frombuffer(template, np.uint8)
        self._lengths = np.array([len(template) for template in self._templates], np.int64)
        specs = [stream.traffic for stream in plan.streams]
        self._protocol = np.array([PROTOCOL_NUMBERS[spec.protocol] for spec in specs])
        self._tool = np.array([_TOOLS.index(spec.tool) for spec in specs], np.int8)
        self._form = np.array([_FORMS.index(spec.form) for spec in specs], np.int8)
        self._hosts_first = np.array([stream.first_host for stream in plan.streams])
        self._hosts_number = np.array([stream.hosts for stream in plan.streams])
        self._ports = [_port_choices(spec.port, spec.ports, plan.other_ports) for spec in specs]
        self._one_port = np.array([ports[0] for ports in self._ports], np.uint16)
        self._many_ports = [index for index, ports in enumerate(self._ports) if len(ports) > 1]

    def _templates_of(self, index: int) -> tuple[int, int]:
        spec = self._plan.streams[index].traffic
        if spec.protocol == "udp":
            made = [_udp(_PAYLOADS.get(spec.port, _ANY_PAYLOAD))]
        elif spec.protocol == "icmp":
            made = [_echo_request() if spec.form == "scan" else _unreachable()]
        elif spec.form != "scan":
            made = [_tcp(_FIN_SYN_RST_ACK[spec.form], _MSS_OPTION if spec.form == "syn-ack" else b"", True)]
        elif spec.tool:
            made = [_tcp(0x02, _MSS_OPTION if spec.tool == "nmap" else b"", False)]
        else:
            made = [_tcp(0x02, _LINUX_OPTIONS, True), _tcp(0x02, _WINDOWS_OPTIONS, True)]
        for template in made:
            if template not in self._templates:
                self._templates.append(template)
        return self._templates.index(made[0]), self._templates.index(made[-1])

    def make(
        self,
        counts: npt.NDArray[np.int64],
        network: tuple[int, int],
        span: tuple[int, int],
        rng: np.random.Generator,
    ) -> Packets:
        """Make a day's packets for one sensor.

        Args:
            counts: (streams,) number of packets of each stream.
            network: first and last address of the sensor, IPv4 in host order.
            span: nanoseconds since 1970, UTC, at which the day begins and ends.
            rng: source of randomness.

        Returns:
            The packets in the order of time.
        """
        stream = np.repeat(np.arange(len(counts)), counts)
        number = len(stream)
        port = self._one_port[stream]
        ends = np.cumsum(counts)
        for index in self._many_ports:
            drawn = rng.integers(0, len(self._ports[index]), counts[index])
            port[ends[index] - counts[index] : ends[index]] = self._ports[index][drawn]
        time = span[0] + (rng.random(number) * (span[1] - span[0])).astype(np.int64)
        order = np.argsort(time, kind="stable")
        stream, time, port = stream[order], time[order], port[order]
        # A few hosts send most: the square of a uniform draw favours the first of the slice.
        host = self._hosts_first[stream] + (rng.random(number) ** 2 * self._hosts_number[stream]).astype(np.int64)
        destination = rng.integers(network[0], network[1] + 1, number).astype(np.uint32)
        template = np.where(host & 1, self._by_stream[stream, 1], self._by_stream[stream, 0])
        return self._assemble(time, stream, host, destination, port, template, rng)

    def _assemble(
        self,
        time: npt.NDArray[np.int64],
        stream: npt.NDArray[np.int64],
        host: npt.NDArray[np.int64],
        destination: npt.NDArray[np.uint32],
        port: npt.NDArray[np.uint16],
        template: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> Packets:
        content = self._bytes[template]
        length = self._lengths[template]
        _fill(content, length, self._fields(stream, host, destination, port, template, rng))
        ethertype = np.full(len(time), ETHERTYPE_IPV4, np.uint16)
        return Packets(time, stream, host, destination, port, ethertype, length, content)

    def _fields(
        self,
        stream: npt.NDArray[np.int64],
        host: npt.NDArray[np.int64],
        destination: npt.NDArray[np.uint32],
        port: npt.NDArray[np.uint16],
        template: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> _Fields:
        hosts: Hosts = self._plan.hosts
        number = len(stream)
        tool, form = self._tool[stream], self._form[stream]
        sequence = rng.integers(0, 2**32, number, np.uint32)
        identity = rng.integers(0, 2**16, number, np.uint16)
        identity[identity == _ZMAP_ID] += np.uint16(1)
        source_port = np.where(
            (tool == _NONE) | (tool == _ZMAP), rng.integers(32768, 61000, number), hosts.port[host]
        ).astype(np.uint16)
        # Backscatter comes from the port that was attacked.
        answers = (form == _SYN_ACK) | (form == _RST) | (form == _ACK)
        source_port[answers] = 80
        window = np.where(host & 1, 8192, 64240).astype(np.uint16)
        ttl = np.where(host & 1, 128, 64)

        is_mirai, is_zmap, is_masscan = tool == _MIRAI, tool == _ZMAP, tool == _MASSCAN
        is_nmap, is_unicornscan = tool == _NMAP, tool == _UNICORNSCAN
        sequence[is_mirai] = destination[is_mirai]
        ports = (port.astype(np.uint32) << np.uint32(16)) + source_port
        sequence = np.where(is_unicornscan, hosts.secret[host] ^ destination ^ ports, sequence)
        identity[is_zmap] = _ZMAP_ID
        mark = (destination ^ port ^ sequence) & np.uint32(0xFFFF)
        identity = np.where(is_masscan, mark, identity).astype(np.uint16)
        window[is_mirai] = hosts.window[host][is_mirai]
        window[is_zmap] = 65535
        window[is_masscan] = 1024
        window[is_nmap] = (1024 * (1 + hosts.secret[host] % 4))[is_nmap]
        window[is_unicornscan] = 4096
        window[form == _RST] = 0
        ttl[is_mirai], ttl[is_zmap | is_masscan] = 64, 255
        ttl -= hosts.hops[host]
        acknowledged = np.where(answers, rng.integers(0, 2**32, number, np.uint32), 0).astype(np.uint32)
        return _Fields(
            self._protocol[stream], form == _ICMP_REPLY, hosts.address[host], destination, source_port, port,
            sequence, acknowledged, window, identity, ttl.astype(np.uint8),
            (self._lengths[template] == 20 + 20 + len(_LINUX_OPTIONS)) & (self._protocol[stream] == TCP),
        )  # fmt: skip

    def make_strays(
        self,
        numbers: tuple[int, int, int],
        network: tuple[int, int],
        span: tuple[int, int],
        rng: np.random.Generator,
    ) -> Packets:
        """Make what a sensor captures besides its own packets.

        Args:
            numbers: of packets to other addresses, ARP frames and IPv6 packets.
            network: as for ``make``.
            span: as for ``make``.
            rng: as for ``make``.
        """
        total = sum(numbers)
        which = np.repeat(np.arange(3), numbers)
        time = span[0] + (rng.random(total) * (span[1] - span[0])).astype(np.int64)
        host = rng.integers(0, len(self._plan.hosts.address), total)
        # Neighbours on the wire; sensor networks do not lie at the very end of the address space.
        destination = (network[1] + rng.integers(1, 200, total)).astype(np.uint32)
        template = self._extra[which]
        content, length = self._bytes[template], self._lengths[template]
        rows = which == 0
        outside = content[rows]
        number = len(outside)
        zeros = np.zeros(number, np.uint32)
        fields = _Fields(
            np.full(number, TCP), np.zeros(number, bool), self._plan.hosts.address[host[rows]], destination[rows],
            np.full(number, 40000, np.uint16), np.full(number, 445, np.uint16),
            rng.integers(0, 2**32, number, np.uint32), zeros, np.full(number, 8192, np.uint16),
            rng.integers(0, 2**16, number, np.uint16), np.full(number, 110, np.uint8), np.zeros(number, bool),
        )  # fmt: skip
        _fill(outside, length[rows], fields)
        content[rows] = outside
        ethertype = np.array([ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6], np.uint16)[which]
        none = np.full(total, -1, np.int64)
        return Packets(time, none, host, destination, np.zeros(total, np.uint16), ethertype, length, content)


@dataclass(frozen=True, slots=True)
class _Fields:
    """Values of header fields, one of each packet."""

    protocol: npt.NDArray[np.int64]
    quotes: npt.NDArray[np.bool_]
    source: npt.NDArray[np.uint32]
    destination: npt.NDArray[np.uint32]
    source_port: npt.NDArray[np.uint16]
    port: npt.NDArray[np.uint16]
    sequence: npt.NDArray[np.uint32]
    acknowledged: npt.NDArray[np.uint32]
    window: npt.NDArray[np.uint16]
    identity: npt.NDArray[np.uint16]
    ttl: npt.NDArray[np.uint8]
    stamped: npt.NDArray[np.bool_]


def _fill(content: Matrix, length: npt.NDArray[np.int64], fields: _Fields) -> None:
    """Write the fields into packets made from templates, then the checksums (RFC 791, 9293, 768, 792)."""
    words, halves = content.view(">u4"), content.view(">u2")
    halves[:, 2] = fields.identity
    content[:, 8] = fields.ttl
    words[:, 3], words[:, 4] = fields.source, fields.destination
    tcp, udp = fields.protocol == TCP, fields.protocol == UDP
    icmp = ~(tcp | udp)
    ported = tcp | udp
    halves[ported, 10], halves[ported, 11] = fields.source_port[ported], fields.port[ported]
    words[tcp, 6], words[tcp, 7] = fields.sequence[tcp], fields.acknowledged[tcp]
    halves[tcp, 17] = fields.window[tcp]
    words[fields.stamped, 12] = fields.sequence[fields.stamped] >> np.uint32(4)
    # An unreachable message quotes the spoofed packet: from the sensor to whoever answers now.
    words[fields.quotes, 10], words[fields.quotes, 11] = (
        fields.destination[fields.quotes],
        fields.source[fields.quotes],
    )
    halves[fields.quotes, 19] = _checksum(halves[fields.quotes, 14:24].sum(axis=1, dtype=np.uint64))
    echo = icmp & ~fields.quotes
    halves[echo, 12], halves[echo, 13] = fields.source_port[echo], fields.identity[echo]

    halves[:, 5] = _checksum(halves[:, :10].sum(axis=1, dtype=np.uint64))
    # Ranges beyond the packet are zero, so whole rows can be summed.
    pseudo = halves[:, 6:10].sum(axis=1, dtype=np.uint64) + fields.protocol.astype(np.uint64)
    pseudo += (length - 20).astype(np.uint64)
    transport = halves[:, 10:].sum(axis=1, dtype=np.uint64) + np.where(icmp, np.uint64(0), pseudo)
    value = _checksum(transport)
    halves[tcp, 18] = value[tcp]
    # A UDP checksum of zero would mean that there is none.
    halves[udp, 13] = np.where(value == 0, 0xFFFF, value)[udp]
    halves[icmp, 11] = value[icmp]


def _checksum(total: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint16]:
    total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    return (~total & np.uint64(0xFFFF)).astype(np.uint16)


def _port_choices(port: int, ports: tuple[int, ...], others: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    if ports:
        return np.array(ports, np.uint16)
    return others if port == -1 else np.array([port], np.uint16)


def _ipv4(protocol: int, body: bytes, flags: int) -> bytes:
    return struct.pack(">BBHHHBBH8x", 0x45, 0, 20 + len(body), 0, flags, 64, protocol, 0) + body


def _tcp(flags: int, options: bytes, unfragmented: bool) -> bytes:
    words = 5 + len(options) // 4
    header = struct.pack(">HHIIBBHHH", 0, 0, 0, 0, words << 4, flags, 0, 0, 0)
    return _ipv4(TCP, header + options, _DONT_FRAGMENT if unfragmented else 0)


def _udp(payload: bytes) -> bytes:
    return _ipv4(UDP, struct.pack(">HHHH", 0, 0, 8 + len(payload), 0) + payload, 0)


def _echo_request() -> bytes:
    return _ipv4(ICMP, bytes([8, 0, 0, 0, 0, 0, 0, 0]) + bytes(range(0x10, 0x30)), 0)


def _unreachable() -> bytes:
    quoted = struct.pack(">BBHHHBBH8x", 0x45, 0, 40, 7, 0, 50, TCP, 0) + struct.pack(">HHI", 40000, 80, 1)
    return _ipv4(ICMP, bytes([3, 3, 0, 0, 0, 0, 0, 0]) + quoted, 0)


def _arp() -> bytes:
    return bytes.fromhex("0001080006040001020000000001c6336401000000000000c6336402")


def _ipv6() -> bytes:
    addresses = bytes.fromhex("20010db800000000000000000000000120010db8000000000000000000000002")
    syn = struct.pack(">HHIIBBHHH", 40000, 23, 1, 0, 0x50, 0x02, 1024, 0, 0)
    total = np.frombuffer(addresses + syn, ">u2").sum(dtype=np.uint64) + np.uint64(TCP + len(syn))
    checksum = int(_checksum(np.array([total], np.uint64))[0])
    syn = syn[:16] + checksum.to_bytes(2, "big") + syn[18:]
    return struct.pack(">IHBB", 0x60000000, len(syn), TCP, 64) + addresses + syn
