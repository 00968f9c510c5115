"""Who holds which IPv4 addresses on which day: a synthetic world with the scenario's blocks laid over it.

The world is invented: its records are no one's. What is real in it is its form: the /8 blocks that IANA gave to
each registry, about the share of records that each country has in each registry's file, sizes that are not
all powers of two, reserved and available space, gaps that no file names.
"""

from __future__ import annotations

import dataclasses
import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from tsubame.errors import MalformedScenario
from tsubame.keys import REGISTRIES
from tsubame.simulate.reading import parse_range
from tsubame.simulate.scenario import (
    AVAILABLE,
    RESERVED,
    SPOOFED,
    UNDELEGATED,
    DelegationsSpec,
    MoveSpec,
    RearrangementSpec,
    Scenario,
)

Addresses = npt.NDArray[np.uint32]
DEFAULT_RECORDS = {"afrinic": 60, "apnic": 260, "arin": 260, "lacnic": 120, "ripencc": 400}

# IANA IPv4 address space registry: /8 blocks whose largest part each registry administers.
_SLASH_8 = {
    "afrinic": "41 102 105 154 196 197",
    "apnic": "1 14 27 36 39 42 43 49 58 59 60 61 101 103 106 110 111 112 113 114 115 116 117 118 119 120 121 122 "
    "123 124 125 126 150 153 163 171 175 180 182 183 202 203 210 211 218 219 220 221 222 223",
    "arin": "4 8 9 12 13 15 16 18 20 23 24 32 34 35 38 40 44 45 47 48 50 52 54 56 63 64 65 66 67 68 69 70 71 72 73 "
    "74 75 76 96 97 98 99 100 104 107 108 129 132 134 135 136 137 138 142 147 149 152 155 156 157 158 159 160 162 "
    "165 167 168 170 172 173 174 184 198 199 204 205 206 207 208 209 216",
    "lacnic": "177 179 181 186 187 189 190 191 200 201",
    "ripencc": "2 5 31 37 46 62 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 109 141 145 151 176 178 185 "
    "188 193 194 195 212 213 217",
}
# Relative numbers of IPv4 records, after the registries' published files (rounded).
COUNTRIES = {
    "afrinic": "ZA 30 NG 5 KE 4 EG 4 SC 4 TZ 3 GH 3 MU 3 AO 2 MA 2 UG 2 MZ 1 CD 1 CM 1 CI 1 DZ 1 TN 1 SN 1",
    "apnic": "CN 83 AU 77 IN 60 JP 42 ID 25 HK 23 NZ 17 SG 14 KR 12 BD 12 VN 9 TW 8 MY 7 TH 6 PH 6 PK 5 KH 2 NP 2 MM 1 "
    "AP 1 LK 1 LA 1 MO 1 MN 1",
    "arin": "US 532 CA 78 PR 3 JM 2 BM 2 BB 2",
    "lacnic": "BR 92 AR 16 MX 12 CL 8 CO 5 EC 4 CR 3 VE 2 PE 2 PA 2 DO 1 UY 1 GT 1",
    "ripencc": "RU 88 DE 78 GB 70 NL 42 PL 37 FR 34 UA 29 ES 28 IT 26 RO 25 CH 24 SE 18 AT 15 IR 14 CZ 13 BG 12 DK 11 "
    "NO 11 TR 11 FI 9 BE 8 LT 7 IE 6 HU 5 IL 5 EU 4 PT 4 SA 4 LV 4 KZ 4 GR 3 MD 3 EE 2",
}
_RANGES_NEVER_SOURCES = ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
                         "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
                         "203.0.113.0/24", "224.0.0.0-255.255.255.255")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """Addresses that one line of a delegation file names; both ends included, in host order."""

    first: int
    last: int
    registry: str
    region: str
    status: str
    holder: str
    since: date | None

    @property
    def attributed(self) -> str:
        """What a source address in it is attributed to."""
        return self.region if self.status in ("allocated", "assigned") else self.status


Records = tuple[Record, ...]


class World:
    """All records on every day.

    Args:
        scenario: its ``delegations`` are laid over the synthetic world.

    Raises:
        MalformedScenario: a move names addresses that nobody holds, or a region has no addresses.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        spec = scenario.delegations
        records = _lay_blocks(_make_world(spec), spec)
        self._dates: list[date] = [date.min]
        self._states: list[Records] = [records]
        for day, change in sorted(_changes(spec, scenario.name), key=lambda item: item[0]):
            records = change(records)
            if day == self._dates[-1]:
                self._states[-1] = records
            else:
                self._dates.append(day)
                self._states.append(records)
        self._named = [parse_range(text) for text in _named_ranges(spec)]
        self._spaces: dict[str, list[tuple[int, int]]] = {}
        self._spans: dict[str, list[tuple[int, int]]] = {}
        for record in self._states[self.version(scenario.first)]:
            self._spans.setdefault(record.attributed, []).append((record.first, record.last))

    def version(self, day: date) -> int:
        """Return the number of the state on ``day``; equal numbers mean equal records."""
        return bisect_right(self._dates, day) - 1

    @property
    def versions(self) -> int:
        """How many states there are."""
        return len(self._states)

    def records(self, version: int) -> Records:
        """Return a state's records in the order of their addresses."""
        return self._states[version]

    def attribute(self, addresses: Addresses, version: int) -> npt.NDArray[np.object_]:
        """Name what each address is attributed to in a state.

        Args:
            addresses: (n,) uint32, IPv4 in host order.
            version: number of the state.

        Returns:
            (n,) region codes, or ``reserved``, ``available``, ``undelegated``.
        """
        records = self._states[version]
        firsts = np.array([record.first for record in records], np.int64)
        lasts = np.array([record.last for record in records], np.int64)
        names = np.array([*(record.attributed for record in records), UNDELEGATED], object)
        at = np.searchsorted(firsts, addresses.astype(np.int64), side="right") - 1
        inside = (at >= 0) & (addresses <= lasts[at])
        return names[np.where(inside, at, len(records))]

    def hosts(self, origin: str, count: int, rng: np.random.Generator) -> Addresses:
        """Choose source addresses of a region, a pseudo-region or a block, as of the scenario's first day.

        Args:
            origin: alpha-2 code, ``reserved``, ``available``, ``undelegated``, ``spoofed``, CIDR or first-last.
            count: how many.
            rng: source of randomness.

        Returns:
            (count,) uint32, IPv4 in host order; never an address ending in .0 or .255.
        """
        if origin == SPOOFED:
            chosen = rng.integers(0, 2**32, count, np.uint32)
        elif "." in origin:
            chosen = _choose([parse_range(origin)], count, rng)
        else:
            if origin not in self._spaces:
                self._spaces[origin] = self._space(origin)
            chosen = _choose(self._spaces[origin], count, rng)
        low = chosen & np.uint32(255)
        chosen = np.where(low == 0, chosen + np.uint32(1), chosen)
        return np.where(low == 255, chosen - np.uint32(1), chosen)

    def _space(self, origin: str) -> list[tuple[int, int]]:
        if origin == UNDELEGATED:
            never = (parse_range(text) for text in _RANGES_NEVER_SOURCES)
            held = (span for spans in self._spans.values() for span in spans)
            return _gaps(sorted([*held, *never]))
        spans = self._spans.get(origin)
        if not spans:
            raise MalformedScenario(
                f"key traffic: nothing is delegated as {origin} on {self.scenario.first}",
                key=f"{self.scenario.name}.toml",
                hint="Add delegations.blocks of it, or more delegations.records.",
            )
        # Traffic of a region does not come from the blocks that the scenario tells of.
        free = [s for s in spans if not any(s[0] <= last and first <= s[1] for first, last in self._named)]
        return free or spans


def _choose(spans: Sequence[tuple[int, int]], count: int, rng: np.random.Generator) -> Addresses:
    firsts = np.array([first for first, _ in spans], np.int64)
    sizes = np.array([last - first + 1 for first, last in spans], np.int64)
    # The square root keeps one huge record from holding all hosts of its region.
    weights = np.sqrt(sizes)
    at = rng.choice(len(spans), count, p=weights / weights.sum())
    return (firsts[at] + (rng.random(count) * sizes[at]).astype(np.int64)).astype(np.uint32)


def _gaps(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    gaps, cursor = [], 0
    for first, last in spans:
        if first - cursor >= 256:
            gaps.append((cursor, first - 1))
        cursor = max(cursor, last + 1)
    return gaps


def _named_ranges(spec: DelegationsSpec) -> list[str]:
    return [
        *(block.range for block in spec.blocks),
        *(text for move in spec.moves for text in move.ranges),
        *(item.range for item in spec.rearrangements),
        *(glitch.range for glitch in spec.glitches),
    ]


def _make_world(spec: DelegationsSpec) -> Records:
    numbers = DEFAULT_RECORDS | {str(registry): number for registry, number in spec.records.items()}
    made: list[Record] = []
    for index, registry in enumerate(REGISTRIES):
        rng = np.random.default_rng([spec.seed, index])
        made += _make_registry(registry, numbers[registry], rng)
    return tuple(sorted(made, key=lambda record: record.first))


def _make_registry(registry: str, number: int, rng: np.random.Generator) -> list[Record]:
    words = COUNTRIES[registry].split()
    countries, weights = words[::2], np.array(words[1::2], float)
    # Every country that there is room for gets a record; the rest follow the shares.
    regions = countries[:number]
    rest = max(0, number - len(regions))
    regions += list(rng.choice(countries, rest, p=weights / weights.sum()))
    rng.shuffle(regions)
    blocks = [int(word) for word in _SLASH_8[registry].split()]
    used = sorted(rng.choice(blocks, min(len(blocks), max(1, number // 12)), replace=False))
    records: list[Record] = []
    for part, block in zip(np.array_split(np.array(regions, object), len(used)), used, strict=True):
        records += _fill_slash_8(registry, int(block) << 24, [str(region) for region in part], rng)
    return records


def _fill_slash_8(registry: str, cursor: int, regions: list[str], rng: np.random.Generator) -> list[Record]:
    end = cursor + 2**24
    records: list[Record] = []
    holders: dict[str, str] = {}
    room = int(np.log2(2**24 / max(1, len(regions))))
    for region in regions:
        power = 2 ** int(np.clip(rng.normal(room - 1.5, 2), 8, min(20, room)))
        # One in twelve is no power of two, as grown and shrunk delegations are.
        size = power * 3 // 4 if power >= 1024 and rng.random() < 1 / 12 else power
        skipped = -cursor % power
        if rng.random() < 0.12:
            skipped += 256 * int(rng.integers(1, 32))
        if cursor + skipped + size > end:
            break
        if skipped:
            records += _leave_space(registry, cursor, skipped, rng)
            cursor += skipped
        if region not in holders or rng.random() < 0.6:
            holders[region] = make_holder(registry, rng)
        since = date(1993, 1, 1) + timedelta(days=int(rng.integers(0, 10_400)))
        status = "allocated" if rng.random() < 0.65 else "assigned"
        records.append(Record(cursor, cursor + size - 1, registry, region, status, holders[region], since))
        cursor += size
    return records


def _leave_space(registry: str, first: int, size: int, rng: np.random.Generator) -> list[Record]:
    kind = rng.choice(["reserved", "available", "nothing"], p=[0.45, 0.35, 0.2])
    # ARIN's file names no available IPv4 space: what is free there is reserved.
    status = RESERVED if kind == "available" and registry == "arin" else str(kind)
    if status not in (RESERVED, AVAILABLE):
        return []
    return [Record(first, first + size - 1, registry, "", status, "", None)]


def make_holder(registry: str, rng: np.random.Generator) -> str:
    """Make up an opaque-id in the registry's style."""
    text = rng.bytes(16).hex()
    if registry == "ripencc":
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
    if registry == "lacnic":
        return str(100_000 + int(text[:6], 16) % 220_000)
    return {"arin": text, "apnic": f"A91{text[:5].upper()}", "afrinic": f"F36{text[:5].upper()}"}[registry]


def place(records: Iterable[Record], new: Sequence[Record]) -> Records:
    """Lay ``new`` records over ``records``; what they cover is cut away."""
    kept = list(records)
    for over in new:
        cut: list[Record] = []
        for record in kept:
            if record.last < over.first or over.last < record.first:
                cut.append(record)
                continue
            if record.first < over.first:
                cut.append(dataclasses.replace(record, last=over.first - 1))
            if over.last < record.last:
                cut.append(dataclasses.replace(record, first=over.last + 1))
        kept = cut
    return tuple(sorted([*kept, *new], key=lambda record: record.first))


def pieces(records: Iterable[Record], span: tuple[int, int]) -> list[Record]:
    """Return the records inside a span, those at its ends cut to it."""
    return [
        dataclasses.replace(record, first=max(record.first, span[0]), last=min(record.last, span[1]))
        for record in records
        if record.first <= span[1] and span[0] <= record.last
    ]


def _lay_blocks(records: Records, spec: DelegationsSpec) -> Records:
    rng = np.random.default_rng([spec.seed, 99])
    made = []
    for block in spec.blocks:
        first, last = parse_range(block.range)
        holder = block.holder or (make_holder(block.registry, rng) if block.region else "")
        since = block.since if block.region else None
        made.append(Record(first, last, block.registry, block.region, block.status, holder, since))
    return place(records, made)


_Change = tuple[date, Callable[[Records], Records]]


def _changes(spec: DelegationsSpec, name: str) -> list[_Change]:
    changes: list[_Change] = []
    for i, move in enumerate(spec.moves):
        undone: list[Record] = []
        changes.append((move.on, _mover(move, undone, f"delegations.moves[{i}].ranges", f"{name}.toml")))
        if move.until is not None:
            changes.append((move.until, lambda records, undone=undone: place(records, undone)))  # type: ignore[misc]
    for item in spec.rearrangements:
        changes.append((item.on, lambda records, item=item: _rearrange(records, item)))  # type: ignore[misc]
    return changes


def _mover(move: MoveSpec, undone: list[Record], where: str, key: str) -> Callable[[Records], Records]:
    def apply(records: Records) -> Records:
        moved = []
        for text in move.ranges:
            span = parse_range(text)
            before = [record for record in pieces(records, span) if record.region]
            if sum(record.last - record.first + 1 for record in before) != span[1] - span[0] + 1:
                raise MalformedScenario(f"key {where}", key=key, expected="addresses that are delegated", actual=text)
            undone.extend(before)
            moved += [
                dataclasses.replace(
                    record,
                    region=move.region,
                    registry=move.registry or record.registry,
                    holder=move.holder or record.holder,
                )
                for record in before
            ]
        return place(records, moved)

    return apply


def _rearrange(records: Records, item: RearrangementSpec) -> Records:
    span = parse_range(item.range)
    found = pieces(records, span)
    if item.kind == "split":
        made = [part for record in found for part in _split(record, item.parts)]
        return place(records, made)
    merged: list[Record] = []
    for record in found:
        last = merged[-1] if merged else None
        if (
            last is not None
            and last.last + 1 == record.first
            and (last.registry, last.region, last.status, last.holder)
            == (record.registry, record.region, record.status, record.holder)
        ):
            merged[-1] = dataclasses.replace(last, last=record.last)
        else:
            merged.append(record)
    return place(records, merged)


def _split(record: Record, parts: int) -> list[Record]:
    size = record.last - record.first + 1
    ends = [record.first + size * i // parts for i in range(parts + 1)]
    return [
        dataclasses.replace(record, first=first, last=after - 1)
        for first, after in itertools.pairwise(ends)
        if after > first
    ]
