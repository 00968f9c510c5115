"""Applying the rules to a block: one compiled pass, then the confirmation of sources."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsubame.capture.blocks import Block, Columns
from tsubame.capture.compiled import inlined, kernel
from tsubame.capture.loads import mixed, signed
from tsubame.classify.rules import KIND_RULES, KINDS, TOOL_RULES, TOOLS, Packet, Rule

#: Added to the code of the next matching rule while the source of the packet is not confirmed.
UNCONFIRMED = 0x20
_UNCONFIRMED_BIT = UNCONFIRMED.bit_length() - 1
_AWAITING = [code for code, rule in enumerate(TOOL_RULES, 1) if rule.matches > 1]
if len(_AWAITING) != 1 or len(TOOLS) > UNCONFIRMED:
    raise RuntimeError("the tool codes have room for one rule that awaits confirmation, and for 31 in all")
CONFIRMED_TOOL = _AWAITING[0]
_MATCHES = TOOL_RULES[CONFIRMED_TOOL - 1].matches


_COMPARING = [code for code, rule in enumerate(TOOL_RULES, 1) if rule.compares]
if [len(TOOL_RULES)] != _COMPARING:
    raise RuntimeError("there is room for one rule that compares packets, the last of the registry")
_COMPARED_TOOL = _COMPARING[0]
_mark_of = TOOL_RULES[-1].test
#: Sources that are remembered, by hash; a power of two.
_REMEMBERED = 1 << 16
_IS_SURE = 1 << 32


class Memory(NamedTuple):
    """What is remembered of the sources of one capture by the rule that compares their packets.

    Attributes:
        marks: (n,) int64, source address less 2**31 above the mark, by hash of the source.
        sequences: (n,) int64, sequence number of the source's last packet, and from bit 32 on whether another of
            the same mark preceded it.
    """

    marks: NDArray[np.int64]
    sequences: NDArray[np.int64]


def new_memory() -> Memory:
    """Return the memory at the beginning of a capture."""
    return Memory(np.zeros(_REMEMBERED, np.int64), np.zeros(_REMEMBERED, np.int64))


_NO_MEMORY = Memory(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _nanoseconds(day: Any, default: int) -> int:
    if day is None:
        return default
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000_000


def _link(rule: Rule, code: int, rest: Any) -> Any:
    """Return a compiled function that tries a rule and then the rest.

    Nothing branches: traffic is a mixture, and a processor that guesses wrong loses more time than all rules take.
    """
    test = rule.test
    if rule.compares:
        return rest
    begins, ends = _nanoseconds(rule.valid_from, -(2**63)), _nanoseconds(rule.valid_until, 2**63 - 1)
    if rule.matches > 1:

        def decide(packet: Packet, timestamp: int) -> Any:
            otherwise = rest(packet, timestamp)
            matches = test(packet) & (begins <= timestamp) & (timestamp < ends)
            return otherwise | UNCONFIRMED if matches else otherwise

    else:

        def decide(packet: Packet, timestamp: int) -> Any:
            otherwise = rest(packet, timestamp)
            matches = test(packet) & (begins <= timestamp) & (timestamp < ends)
            return code if matches else otherwise

    return inlined(decide)


@inlined
def _nothing(packet: Packet, timestamp: int) -> int:  # noqa: ARG001
    return 0


def _chain(rules: tuple[Rule, ...], codes: list[int]) -> Any:
    decide = _nothing
    for rule, code in zip(reversed(rules), reversed(codes), strict=True):
        decide = _link(rule, code, decide)
    return decide


_kind_of = _chain(KIND_RULES, [KINDS.index(rule.tag) for rule in KIND_RULES])
_tool_of = _chain(TOOL_RULES, [TOOLS.index(rule.tag) for rule in TOOL_RULES])


@inlined
def _compare(packet: Packet, memory: Memory) -> int:
    """Say whether a packet bears the mark of an earlier one of its source, and remember it."""
    mark = _mark_of(packet)
    if mark < 0:
        return 0
    place = mixed(packet.src_address) & (len(memory.marks) - 1)
    entry = ((packet.src_address - (1 << 31)) << 32) | mark
    # An empty place reads as a packet of 128.0.0.0 with a mark of 0, of which there is none worth the question.
    if memory.marks[place] != entry:
        memory.marks[place] = entry
        memory.sequences[place] = packet.tcp_seq
        return 0
    before = memory.sequences[place]
    is_sure = before & _IS_SURE
    if before & (_IS_SURE - 1) != packet.tcp_seq:
        is_sure = _IS_SURE
    memory.sequences[place] = is_sure | packet.tcp_seq
    return signed(is_sure) >> 32


@kernel
def _classify(columns: Columns, rows: int, memory: Memory) -> int:
    """Write kind and tool codes of the first ``rows`` packets; return how many await confirmation."""
    awaiting = 0
    for row in range(rows):
        packet = Packet(
            signed(columns.src_address[row]),
            signed(columns.dst_address[row]),
            signed(columns.protocol[row]),
            signed(columns.src_port[row]),
            signed(columns.dst_port[row]),
            signed(columns.icmp_type[row]),
            signed(columns.tcp_flags[row]),
            signed(columns.tcp_seq[row]),
            signed(columns.tcp_window[row]),
            signed(columns.tcp_options[row]),
            signed(columns.ip_id[row]),
            signed(columns.ttl[row]),
            signed(columns.ip_length[row]),
            signed(columns.fragment_offset[row]),
        )
        timestamp = columns.timestamp[row]
        tool = _tool_of(packet, timestamp)
        if len(memory.marks) and tool & ~UNCONFIRMED == 0 and _compare(packet, memory):
            tool |= _COMPARED_TOOL
        columns.kind[row] = _kind_of(packet, timestamp)
        columns.tool[row] = tool
        awaiting += tool >> _UNCONFIRMED_BIT
    return awaiting


def matches_needed() -> int:
    """Return how many matches of one source confirm the rule that awaits confirmation."""
    return _MATCHES


class Confirmation:
    """Which sources have matched often enough, over the blocks of one capture.

    Feed it every block of the capture; afterwards ``sources`` holds those to be tagged.
    """

    def __init__(self) -> None:
        self._matches: dict[int, int] = {}

    def observe(self, block: Block) -> None:
        """Count the matches of a classified block."""
        tools = block.columns.tool[: block.rows]
        addresses, counts = np.unique(block.columns.src_address[: block.rows][tools >= UNCONFIRMED], return_counts=True)
        for address, count in zip(addresses.tolist(), counts.tolist(), strict=True):
            self._matches[address] = self._matches.get(address, 0) + count

    @property
    def sources(self) -> NDArray[np.uint32]:
        """Confirmed source addresses, ascending."""
        return np.array(sorted(address for address, count in self._matches.items() if count >= _MATCHES), np.uint32)


def classify_block(block: Block, confirmation: Confirmation | None = None, memory: Memory | None = None) -> None:
    """Write the ``kind`` and ``tool`` codes of a block.

    Args:
        block: of a capture whose blocks come in order.
        confirmation: told of packets that await confirmation.
        memory: of the capture; without one, the rule that compares packets is not asked.

    A packet whose rule awaits confirmation gets the code of the next matching rule plus ``UNCONFIRMED``;
    ``settle_tools`` turns it into what it is once the whole capture is known.
    """
    if _classify(block.columns, block.rows, memory or _NO_MEMORY) and confirmation is not None:
        confirmation.observe(block)


def settle_tools(
    tools: NDArray[np.uint8], addresses: NDArray[np.uint32], confirmed: NDArray[np.uint32]
) -> NDArray[np.uint8]:
    """Return tool codes in which nothing awaits confirmation.

    Args:
        tools: (n,) codes, some of them with ``UNCONFIRMED``.
        addresses: (n,) source addresses, IPv4 in host order.
        confirmed: ascending, from ``Confirmation.sources``.
    """
    awaiting = np.flatnonzero(tools >= UNCONFIRMED)
    if not len(awaiting):
        return tools
    settled = tools.copy()
    known = np.isin(addresses[awaiting], confirmed)
    settled[awaiting] = np.where(known, CONFIRMED_TOOL, tools[awaiting] & (UNCONFIRMED - 1))
    return settled
