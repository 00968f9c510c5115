"""What a scenario may say. The file format is these dataclasses; ``simulate/README.md`` is made from them.

Dates are report days in the scenario's time zone unless a field says otherwise; ranges of dates include both
ends. Rates are packets per sensor and day at scale 1.
"""

# ruff: noqa: RUF009 - ``told`` wraps dataclasses.field, which the rule itself allows.
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from tsubame.keys import REGISTRIES

RegistryName = Literal["afrinic", "apnic", "arin", "lacnic", "ripencc"]
Tool = Literal["", "mirai", "zmap", "masscan", "nmap", "unicornscan"]
Form = Literal["scan", "syn-ack", "rst", "icmp-reply", "ack"]
ShapeKind = Literal["burst", "spike", "shift", "ramp", "wave"]

RESERVED, AVAILABLE, UNDELEGATED, SPOOFED = "reserved", "available", "undelegated", "spoofed"
PSEUDO_REGIONS = (RESERVED, AVAILABLE, UNDELEGATED, SPOOFED)


def told(meaning: str, default: Any = ..., **limits: Any) -> Any:
    """Declare a field with its meaning and limits (``at_least``, ``at_most``, ``above``, ``pattern``)."""
    metadata = {"meaning": meaning, **limits}
    if default is ...:
        return field(metadata=metadata)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class SensorSpec:
    """A sensor and the form of its captures."""

    id: str = told("name of the sensor and of its folder", pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
    address: str = told("IPv4 address or CIDR block; secret, so use documentation ranges (RFC 5737)")
    country: str = told("ISO 3166 alpha-2; JP is domestic", pattern=r"[A-Z]{2}")
    active_from: date | None = told("first day; default: the day before the scenario's first", None)
    active_to: date | None = told("last day; default: still active", None)
    rate_factor: float = told("all rates are multiplied by this", 1.0, above=0)
    container: Literal["pcap", "pcap-ns", "pcap-be", "pcap-ns-be", "pcapng"] = told(
        "classic pcap with µs or ns, little- or big-endian (be), or pcapng", "pcap"
    )
    compression: Literal["none", "gz", "zst"] = told("compression of the capture objects", "gz")
    link: Literal["ethernet", "vlan", "raw", "sll"] = told(
        "Ethernet, Ethernet with an 802.1Q tag, bare IP, or Linux cooked", "ethernet"
    )
    captures_per_day: Literal[1, 2, 3, 4, 6, 8, 12, 24] = told("capture objects in a UTC day", 1)
    snaplen: int = told("bytes captured of each frame", 65535, at_least=96, at_most=262144)
    arp: int = told("ARP frames in each capture (none on bare IP)", 2, at_least=0)
    ipv6: int = told("IPv6 packets in each capture", 1, at_least=0)
    outside: int = told("IPv4 packets to other addresses than the sensor's, in each capture", 1, at_least=0)


@dataclass(frozen=True, slots=True)
class ShapeSpec:
    """A multiplier through time; several multiply. One is the level without it."""

    kind: ShapeKind = told(
        "burst: factor from onset to end. "
        "spike: linear rise from 1 the day before onset to factor on peak, then exponential decay to 1 after end. "
        "shift: factor from onset on. "
        "ramp: linear from 1 at onset to factor at end, which holds. "
        "wave: 1 + factor·sin of a period beginning at onset"
    )
    onset: date = told("first day of the change")
    factor: float = told("height of the change, as a multiple of the level without it", at_least=0)
    peak: date | None = told("spike: the day of the highest level", None)
    end: date | None = told("burst, spike, ramp: last day of the change", None)
    half_life_days: float = told(
        "spike: half-life of the decay; 0: such that 3 % is left on the last day", 0.0, at_least=0
    )
    period_days: float = told("wave: length of a period", 0.0, at_least=0)


@dataclass(frozen=True, slots=True)
class EventSpec:
    """A change of some of the traffic."""

    name: str = told("name in truth.json")
    shape: ShapeSpec = told("its form through time")
    traffic: tuple[str, ...] = told("names of the traffic it changes; empty: all", ())
    regions: tuple[str, ...] = told("regions it changes; empty: all", ())


@dataclass(frozen=True, slots=True)
class TrafficSpec:
    """Packets of one kind, tool, protocol and port, from some regions or blocks."""

    name: str = told("name, for events and `same_hosts_as`")
    protocol: Literal["tcp", "udp", "icmp"] = told("protocol")
    port: int = told(
        "destination port; 0 for ICMP; -1: spread over ports above 1023 that no other traffic names",
        0, at_least=-1, at_most=65535,
    )  # fmt: skip
    ports: tuple[int, ...] = told("instead of `port`: several, each as often", (), at_least=1, at_most=65535)
    tool: Tool = told("tool whose mark the packets bear; empty: an operating system's own", "")
    form: Form = told(
        "scan: SYN, UDP request or echo request. Backscatter: syn-ack, rst, icmp-reply. ack: neither", "scan"
    )
    rates: dict[str, float] = told(
        "region -> packets per sensor and day; besides alpha-2 codes: reserved, available, undelegated, spoofed",
        {}, at_least=0,
    )  # fmt: skip
    blocks: dict[str, float] = told("CIDR block or range -> packets per sensor and day", {}, at_least=0)
    hosts: int = told("source hosts for each region or block", 40, at_least=1, at_most=1_000_000)
    same_hosts_as: str = told("name of earlier traffic whose hosts send this too, region by region", "")
    noise: float = told(
        "overdispersion: squared coefficient of variation from day to day (and again from sensor to sensor)",
        0.0, at_least=0,
    )  # fmt: skip
    weekly: tuple[float, ...] = told("seven multipliers, Monday first", (), at_least=0)
    profile: tuple[ShapeSpec, ...] = told("changes through time", ())


@dataclass(frozen=True, slots=True)
class OutageSpec:
    """Days on which a sensor's captures are missing or late."""

    sensor: str = told("id of the sensor")
    first: date = told("first day")
    last: date = told("last day")
    kind: Literal["down", "late"] = told(
        "down: nothing is captured on these report days; late: captures of these UTC days are uploaded afterwards",
        "down",
    )
    delay_days: int = told("late: days between capture and upload", 1, at_least=1, at_most=90)


@dataclass(frozen=True, slots=True)
class DamageSpec:
    """A capture object that is not as it should be."""

    sensor: str = told("id of the sensor")
    day: date = told("UTC day of the capture")
    kind: Literal["truncated", "foreign"] = told(
        "truncated: the day's first capture ends inside a record; foreign: a further object that is no capture"
    )
    keep: float = told("truncated: share of the bytes that remain", 0.6, above=0, at_most=1)


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """Addresses delegated from the start, placed over the synthetic world."""

    range: str = told("CIDR, or first-last")
    registry: RegistryName = told("registry whose file names it")
    region: str = told("alpha-2 code; empty where reserved or available", "", pattern=r"|[A-Z]{2}")
    status: Literal["allocated", "assigned", "reserved", "available"] = told("status", "allocated")
    holder: str = told("opaque-id; empty: one is made", "", pattern=r"[^|\s]*")
    since: date = told("date of delegation", date(2010, 1, 1))


@dataclass(frozen=True, slots=True)
class MoveSpec:
    """Blocks that are delegated to another region from a date on."""

    on: date = told("date of the first file that shows it")
    ranges: tuple[str, ...] = told("CIDRs, or first-last; parts of records split them")
    region: str = told("new region", pattern=r"[A-Z]{2}")
    registry: str = told("new registry; empty: unchanged", "", pattern="|".join(("", *REGISTRIES)))
    holder: str = told("new opaque-id; empty: unchanged", "", pattern=r"[^|\s]*")
    until: date | None = told("date of the first file that shows it undone; none: it stays", None)


@dataclass(frozen=True, slots=True)
class RearrangementSpec:
    """Records that are written otherwise from a date on, while nothing changes hands."""

    on: date = told("date of the first file that shows it")
    range: str = told("CIDR, or first-last")
    kind: Literal["split", "merge"] = told(
        "split: each record in `parts` records; merge: neighbours of one region and holder become one"
    )
    parts: int = told("split: number of records", 2, at_least=2, at_most=256)


@dataclass(frozen=True, slots=True)
class GlitchSpec:
    """A file that names a wrong region on some dates only."""

    dates: tuple[date, ...] = told("dates of the wrong files")
    range: str = told("CIDR, or first-last")
    region: str = told("region wrongly named", pattern=r"[A-Z]{2}")
    registry: RegistryName = told(
        "registry whose file is wrong; where the range is another's, it overlaps that one's records"
    )


@dataclass(frozen=True, slots=True)
class MissingSpec:
    """Delegation files that are not there."""

    first: date = told("first date")
    last: date = told("last date")
    registries: tuple[RegistryName, ...] = told("registries; empty: all five", ())


@dataclass(frozen=True, slots=True)
class DelegationsSpec:
    """The registries' world and how it changes."""

    seed: int = told("seed of the synthetic world; apart from the scenario's", 2023, at_least=0)
    records: dict[RegistryName, int] = told(
        "registry -> about how many IPv4 records; default: 1,100 in all", {}, at_least=1, at_most=200_000
    )
    compressed: tuple[RegistryName, ...] = told("registries whose files are gzipped", ("apnic", "arin"))
    md5: bool = told("whether `.md5` files lie beside", True)
    blocks: tuple[BlockSpec, ...] = told("named blocks", ())
    moves: tuple[MoveSpec, ...] = told("reassignments", ())
    rearrangements: tuple[RearrangementSpec, ...] = told("splits and merges of records", ())
    glitches: tuple[GlitchSpec, ...] = told("wrong files", ())
    missing: tuple[MissingSpec, ...] = told("missing files", ())


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is simulated; the scenario's name is the file's name without its ending."""

    name: str = told("set from the file's name")
    title: str = told("one line")
    first: date = told("first report day; captures begin a UTC day earlier")
    last: date = told("last report day")
    sensors: tuple[SensorSpec, ...] = told("the sensors")
    traffic: tuple[TrafficSpec, ...] = told("the traffic")
    seed: int = told("seed of everything but the world", 1, at_least=0)
    timezone: str = told("zone of the report day", "Asia/Tokyo")
    sampling: Literal["carried", "poisson"] = told(
        "carried: what a rate leaves over is carried to the next day, so that small scales keep all ratios; "
        "poisson: independent counts", "carried",
    )  # fmt: skip
    events: tuple[EventSpec, ...] = told("changes of the traffic", ())
    outages: tuple[OutageSpec, ...] = told("days without captures, or with late ones", ())
    damage: tuple[DamageSpec, ...] = told("objects that are not as they should be", ())
    delegations: DelegationsSpec = told("the registries' files", DelegationsSpec())
