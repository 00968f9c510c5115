"""Each rule on packets that bear its mark, on ones that nearly do, and at the ends of its validity."""

from datetime import UTC, datetime

import numpy as np
import pytest

from tsubame.capture.blocks import NO_TIME, Block
from tsubame.classify.apply import UNCONFIRMED, Confirmation, classify_block, new_memory, settle_tools
from tsubame.classify.rules import KIND_RULES, KINDS, TOOL_RULES, TOOLS

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
PLAIN = {
    "timestamp": 1_674_000_000_000_000_000, "src_address": 0xC0000201, "dst_address": 0xCB007105, "protocol": 6,
    "src_port": 40000, "dst_port": 23, "tcp_flags": SYN, "tcp_seq": 1, "tcp_window": 5840, "ip_id": 7, "ttl": 50,
    "ip_length": 40,
}  # fmt: skip


def block_of(*packets):
    block = Block(max(len(packets), 1))
    for row, packet in enumerate(packets):
        for name, value in (PLAIN | packet).items():
            getattr(block.columns, name)[row] = value
    block.rows = len(packets)
    return block


def judge(*packets):
    block, confirmation = block_of(*packets), Confirmation()
    classify_block(block, confirmation)
    tools = settle_tools(block.columns.tool[: block.rows], block.column("src_address"), confirmation.sources)
    return [(KINDS[kind], TOOLS[tool]) for kind, tool in zip(block.column("kind"), tools, strict=True)]


@pytest.mark.parametrize(
    ("packet", "kind"),
    [
        ({"tcp_flags": SYN}, "scan"),
        ({"tcp_flags": SYN | 0xC0}, "scan"),
        ({"tcp_flags": SYN | ACK}, "backscatter"),
        ({"tcp_flags": RST}, "backscatter"),
        ({"tcp_flags": RST | ACK}, "backscatter"),
        ({"tcp_flags": ACK}, "other"),
        ({"tcp_flags": PSH | ACK}, "other"),
        ({"tcp_flags": FIN}, "scan"),
        ({"tcp_flags": FIN | PSH | 32}, "scan"),
        ({"tcp_flags": 0}, "scan"),
        ({"tcp_flags": 0, "tcp_window": 0}, "other"),
        ({"protocol": 17, "tcp_flags": 0, "dst_port": 5060}, "scan"),
        ({"protocol": 17, "tcp_flags": 0, "src_port": 53}, "backscatter"),
        ({"protocol": 17, "tcp_flags": 0, "fragment_offset": 3}, "other"),
        ({"protocol": 47, "tcp_flags": 0}, "other"),
        *(({"protocol": 1, "icmp_type": number}, "backscatter") for number in (0, 3, 4, 5, 11, 12, 14, 16, 18)),
        *(({"protocol": 1, "icmp_type": number}, "scan") for number in (8, 13, 15, 17)),
        *(({"protocol": 1, "icmp_type": number}, "other") for number in (1, 2, 6, 9, 19, 64, 67, 255)),
        ({"protocol": 1, "icmp_type": 0, "fragment_offset": 2}, "other"),
    ],
)
def test_kind(packet, kind):
    assert judge(packet)[0][0] == kind


def nanoseconds(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000_000


MIRAI = {"tcp_seq": PLAIN["dst_address"]}
ZMAP = {"ip_id": 54321}
NMAP = {"tcp_window": 1024, "tcp_options": 0x020405B4}


def masscan(**more):
    packet = PLAIN | more
    return more | {"ip_id": (packet["dst_address"] ^ packet["dst_port"] ^ packet["tcp_seq"]) & 0xFFFF}


@pytest.mark.parametrize(
    ("packet", "tool"),
    [
        (MIRAI, "mirai"),
        (MIRAI | {"tcp_flags": SYN | ACK}, ""),
        (MIRAI | {"tcp_seq": PLAIN["dst_address"] + 1}, ""),
        (MIRAI | {"protocol": 17}, ""),
        (MIRAI | ZMAP, "mirai"),
        (ZMAP, "zmap"),
        (ZMAP | {"protocol": 17}, "zmap"),
        (ZMAP | {"timestamp": nanoseconds(2024, 3, 20, 23, 59, 59)}, "zmap"),
        (ZMAP | {"timestamp": nanoseconds(2024, 3, 21)}, ""),
        (ZMAP | {"timestamp": NO_TIME}, "zmap"),
        (NMAP, "nmap"),
        (NMAP | {"tcp_window": 4096}, "nmap"),
        (NMAP | {"tcp_window": 5120}, ""),
        (NMAP | {"tcp_options": 0}, ""),
        (NMAP | {"tcp_flags": SYN | ACK}, ""),
    ],
)
def test_tool_of_a_single_packet(packet, tool):
    assert judge(packet) == judge(packet)
    assert judge(packet)[0][1] == tool


def test_masscan_takes_two_matches_of_a_source():
    assert [tool for _, tool in judge(masscan())] == [""]
    assert [tool for _, tool in judge(masscan(), masscan(dst_port=80), {})] == ["masscan", "masscan", ""]
    assert [tool for _, tool in judge(masscan(), masscan(src_address=9, dst_port=80))] == ["", ""]


def test_an_unconfirmed_match_bears_the_next_rules_mark():
    assert [tool for _, tool in judge(masscan(**NMAP))] == ["nmap"]
    assert [tool for _, tool in judge(masscan(**NMAP), masscan(dst_port=80))] == ["masscan", "masscan"]


def test_confirmation_holds_across_blocks():
    confirmation = Confirmation()
    first, second = block_of(masscan()), block_of({}, masscan(dst_port=99))
    for block in (first, second):
        classify_block(block, confirmation)
    assert confirmation.sources.tolist() == [PLAIN["src_address"]]
    assert first.columns.tool[0] >= UNCONFIRMED


def test_chance_is_as_rare_as_the_registry_says():
    """Random SYNs: about one in 65,536 matches masscan's rule, none is tagged by it but for a pair of a source."""
    rng = np.random.default_rng(5)
    count = 400_000
    block = Block(count)
    block.columns.protocol[:], block.columns.tcp_flags[:] = 6, SYN
    for name, kind in (
        ("src_address", "u4"),
        ("dst_address", "u4"),
        ("tcp_seq", "u4"),
        ("dst_port", "u2"),
        ("ip_id", "u2"),
    ):
        getattr(block.columns, name)[:] = rng.integers(0, 2 ** (16 if kind == "u2" else 32), count)
    block.rows = count
    confirmation = Confirmation()
    classify_block(block, confirmation)
    awaiting = int((block.columns.tool >= UNCONFIRMED).sum())
    assert 0 < awaiting < 25
    assert len(confirmation.sources) == 0


def unicornscan(secret, destination=PLAIN["dst_address"], port=80, source_port=5000, **more):
    """What send_packet.c of unicornscan 0.4.7 sends from a little-endian host."""
    in_memory = int.from_bytes(destination.to_bytes(4, "big"), "little")
    sequence = secret ^ (in_memory ^ ((port << 16) + source_port))
    return {"dst_address": destination, "dst_port": port, "src_port": source_port, "tcp_seq": sequence} | more


def judge_in_order(*packets, rows=1):
    memory, tools = new_memory(), []
    for begin in range(0, len(packets), rows):
        block = block_of(*packets[begin : begin + rows])
        classify_block(block, memory=memory)
        tools += [TOOLS[tool] for tool in block.column("tool")]
    return tools


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_unicornscan_takes_two_packets_of_one_secret(rows):
    first, second = unicornscan(0xDEADBEEF), unicornscan(0xDEADBEEF, 0xCB007106, 443, 61000)
    other = unicornscan(0xDEADBEEF, port=22, src_address=PLAIN["src_address"] + 1)
    packets = (first, other, second, first, {}, first)
    assert judge_in_order(*packets, rows=rows) == ["", "", "unicornscan", "unicornscan", "", ""]


def test_a_packet_sent_again_is_no_evidence():
    assert judge_in_order(*[unicornscan(1)] * 3) == [""] * 3
    assert judge_in_order(*[unicornscan(1)] * 2, unicornscan(1, port=81), unicornscan(1, port=81))[2:] == [
        "unicornscan", "unicornscan",
    ]  # fmt: skip


def test_a_single_address_shows_unicornscan_whatever_the_byte_order_of_its_host():
    packets = [
        {"dst_port": port, "src_port": 9, "tcp_seq": 7 ^ PLAIN["dst_address"] ^ (port << 16 | 9)} for port in (1, 2, 3)
    ]
    assert judge_in_order(*packets) == ["", "unicornscan", "unicornscan"]


@pytest.mark.parametrize("change", [{"tcp_flags": SYN | ACK}, {"protocol": 17}, {"tcp_seq": 5}])
def test_what_is_nearly_unicornscan_is_not(change):
    assert judge_in_order(unicornscan(3), unicornscan(3, port=81) | change)[1] == ""


def test_other_rules_precede_unicornscan():
    packets = [unicornscan(3, port=port) | {"ip_id": 54321} for port in (1, 2)]
    assert judge_in_order(*packets) == ["zmap", "zmap"]


def test_random_packets_of_few_sources_show_no_secret():
    rng = np.random.default_rng(6)
    block, count = Block(300_000), 300_000
    block.columns.protocol[:], block.columns.tcp_flags[:] = 6, SYN
    for name, most in (("dst_address", 2**32), ("tcp_seq", 2**32), ("dst_port", 2**16), ("src_port", 2**16)):
        getattr(block.columns, name)[:] = rng.integers(0, most, count)
    block.columns.src_address[:] = rng.integers(0, 50, count)
    block.rows = count
    classify_block(block, memory=new_memory())
    assert not (block.columns.tool == TOOLS.index("unicornscan")).any()


@pytest.mark.parametrize("rule", [*KIND_RULES, *TOOL_RULES], ids=lambda rule: f"{rule.tag}: {rule.says}")
def test_every_rule_says_what_it_is_and_where_it_comes_from(rule):
    assert rule.says
    assert rule.source
    assert rule.matches >= 1
    assert rule.valid_from is None or rule.valid_until is None or rule.valid_from < rule.valid_until
    assert rule.tag in (*KINDS, *TOOLS)
