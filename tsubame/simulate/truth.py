"""What was put in: ``truth.json`` at the root of the captures bucket, read by tests only."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from tsubame.provenance import canonical_json
from tsubame.simulate.packets import ETHERTYPE_ARP, ETHERTYPE_IPV6, PROTOCOL_NUMBERS, Packets
from tsubame.simulate.traffic import Plan

TRUTH = "truth.json"
KINDS = {"scan": "scan", "syn-ack": "backscatter", "rst": "backscatter", "icmp-reply": "backscatter", "ack": "other"}
COUNT_COLUMNS = (
    "day", "domestic", "protocol", "port", "region", "region_pinned", "kind", "tool", "traffic", "packets",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Truth:
    """What a simulation wrote.

    Attributes:
        scenario: its name; with ``scale``, ``seed``, ``first``, ``last`` it says what was asked for.
        digest: of the scenario's content, scale, seed, days and the simulator's code.
        complete: False while the simulation is still writing.
        counts: columns of equal length, by name: packets kept of each report day, sensor group (domestic or
            not), protocol number, port (-1: any port that the scenario does not name), region as delegated
            that day and on the quarter's first day, kind, tool and traffic entry. Glitches and missing files
            do not change them.
        sensor_days: sensor id -> ISO report day -> packets kept.
        accounting: capture key -> what its accounting must say; None for an object that is no capture.
        events, moves, outages, damage: as the scenario states them.
        captures, delegations: key -> size in bytes of every object written.
    """

    scenario: str
    digest: str
    scale: float
    seed: int
    first: str
    last: str
    timezone: str
    complete: bool = False
    counts: dict[str, list[Any]] = field(default_factory=dict)
    sensor_days: dict[str, dict[str, int]] = field(default_factory=dict)
    accounting: dict[str, dict[str, int] | None] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    outages: list[dict[str, Any]] = field(default_factory=list)
    damage: list[dict[str, Any]] = field(default_factory=list)
    captures: dict[str, int] = field(default_factory=dict)
    delegations: dict[str, int] = field(default_factory=dict)

    @property
    def packets(self) -> int:
        """All packets kept."""
        return sum(self.counts.get("packets", ()))

    def as_json(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json({item.name: getattr(self, item.name) for item in fields(self)}) + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Truth | None:
        """Read the file, or return None when it is not one; what other versions wrote beside is left out."""
        try:
            table = json.loads(content)
            return cls(**{item.name: table[item.name] for item in fields(cls) if item.name in table})
        except (ValueError, TypeError):
            return None


class TruthKeeper:
    """Adds up what the captures hold."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._keys: list[npt.NDArray[np.int64]] = []
        self._packets: list[npt.NDArray[np.int64]] = []
        self.sensor_days: dict[str, dict[str, int]] = {}
        self._regions = len(plan.regions)

    def add(self, packets: Packets, day: date, sensor_id: str, domestic: bool) -> None:
        """Count the packets of one report day that a capture holds; strays are left out."""
        own = packets.stream >= 0
        if not own.any():
            return
        region, pinned = self._plan.codes(day)
        host = packets.host[own]
        key = packets.stream[own] * self._regions + region[host]
        key = key * self._regions + pinned[host]
        key = (key * 2 + domestic) * 100_000 + (day - self._plan.days[0]).days
        keys, numbers = np.unique(key, return_counts=True)
        self._keys.append(keys)
        self._packets.append(numbers)
        days = self.sensor_days.setdefault(sensor_id, {})
        days[day.isoformat()] = days.get(day.isoformat(), 0) + int(own.sum())

    def counts(self) -> dict[str, list[Any]]:
        """Return the counts as columns, in the order of day, domestic, traffic and region."""
        if not self._keys:
            return {name: [] for name in COUNT_COLUMNS}
        keys, inverse = np.unique(np.concatenate(self._keys), return_inverse=True)
        packets = np.bincount(inverse, np.concatenate(self._packets)).astype(np.int64)
        rest, day = np.divmod(keys, 100_000)
        rest, domestic = np.divmod(rest, 2)
        rest, pinned = np.divmod(rest, self._regions)
        stream, region = np.divmod(rest, self._regions)
        order = np.lexsort((pinned, region, stream, domestic, day))
        columns: dict[str, list[Any]] = {name: [] for name in COUNT_COLUMNS}
        for row in order:
            traffic = self._plan.streams[stream[row]].traffic
            values = (
                self._plan.days[day[row]].isoformat(),
                bool(domestic[row]),
                PROTOCOL_NUMBERS[traffic.protocol],
                traffic.port if not traffic.ports else -1,
                self._plan.regions[region[row]],
                self._plan.regions[pinned[row]],
                KINDS[traffic.form],
                traffic.tool,
                traffic.name,
                int(packets[row]),
            )
            for name, value in zip(COUNT_COLUMNS, values, strict=True):
                columns[name].append(value)
        return columns


def accounting_of(packets: Packets) -> dict[str, int]:
    """Return what the accounting of a capture with these packets must say, but for file faults."""
    ipv6 = int((packets.ethertype == ETHERTYPE_IPV6).sum())
    arp = int((packets.ethertype == ETHERTYPE_ARP).sum())
    kept = int((packets.stream >= 0).sum())
    return {
        "records_read": len(packets),
        "packets_kept": kept,
        "not_ip": arp,
        "ipv6": ipv6,
        "truncated_header": 0,
        "bad_header": 0,
        "outside_sensor": len(packets) - kept - ipv6 - arp,
        "damaged_record": 0,
    }
