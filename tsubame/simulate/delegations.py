"""The registries' files of a day, as bytes, in the form each registry gives its own.

Source: RIR statistics exchange format (version, summary and record lines), and what the published files look
like: comments in APNIC's, ``ZZ`` for AFRINIC's reserved space, no closing bar on RIPE NCC's, a GNU-style
``.md5`` from ARIN and BSD-style ones, naming the ``latest`` file, from the others.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
from isal import igzip

from tsubame.keys import REGISTRIES, DelegationKey
from tsubame.simulate.reading import parse_range
from tsubame.simulate.scenario import GlitchSpec
from tsubame.simulate.world import COUNTRIES, Record, World, make_holder, pieces, place

_OFFSETS = {
    "afrinic": "00000",
    "apnic": "+1000",
    "arin": "-0500",
    "lacnic": "-0300",
    "ripencc": "+0100",
}
_BEGAN = {
    "afrinic": "00000000",
    "apnic": "19830613",
    "arin": "19700101",
    "lacnic": "19870101",
    "ripencc": "19830705",
}
_APNIC_COMMENT = b"""######################################################################
#
#\tSYNTHETIC FILE, written by `tsubame simulate`: no record is real.
#
#       http://www.apnic.net/db/rir-stats-format.html
#
######################################################################
#
"""


class DelegationFiles:
    """Renders the files; equal bodies are rendered and compressed once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._spec = world.scenario.delegations
        self._bodies: dict[tuple[object, ...], _Body] = {}
        self._others = {registry: _other_records(registry, self._spec.seed) for registry in REGISTRIES}

    def files(self, day: date) -> Iterator[tuple[str, bytes]]:
        """Yield key and content of each file of a date, ``.md5`` files after those that they are of."""
        absent = {
            registry
            for item in self._spec.missing
            if item.first <= day <= item.last
            for registry in item.registries or REGISTRIES
        }
        for registry in REGISTRIES:
            if registry in absent:
                continue
            body = self._body(registry, day)
            head = _head(registry, day, body)
            compressed = registry in self._spec.compressed
            plain = DelegationKey(day, registry).key
            # Two gzip members, one after the other, are one file (RFC 1952, section 2.2).
            content = igzip.compress(head, 1, mtime=0) + body.gzipped if compressed else head + body.plain
            yield DelegationKey(day, registry, compressed=compressed).key, content
            if self._spec.md5:
                yield f"{plain}.md5", _md5_line(registry, plain, head + body.plain)

    def _body(self, registry: str, day: date) -> _Body:
        version = self._world.version(day)
        glitches = tuple(
            glitch for glitch in self._spec.glitches if day in glitch.dates and glitch.registry == registry
        )
        cache_key = (registry, version, glitches)
        if cache_key not in self._bodies:
            records = tuple(r for r in self._world.records(version) if r.registry == registry)
            for glitch in glitches:
                records = _distort(records, glitch)
            lines = [_ipv4_line(record) for record in records]
            self._bodies[cache_key] = _Body.of(registry, lines, self._others[registry])
        return self._bodies[cache_key]


@dataclasses.dataclass(frozen=True, slots=True)
class _Body:
    """The record lines of a file, plain and as a gzip member, and how many there are of each type."""

    plain: bytes
    gzipped: bytes
    numbers: dict[str, int]

    @classmethod
    def of(cls, registry: str, ipv4: list[str], others: dict[str, list[str]]) -> _Body:
        kinds = {"asn": others["asn"], "ipv4": ipv4, "ipv6": others["ipv6"]}
        text = "".join(f"{line}\n" for kind in _order(registry) for line in kinds[kind]).encode()
        numbers = {kind: len(lines) for kind, lines in kinds.items()}
        return cls(text, igzip.compress(text, 1, mtime=0), numbers)


def _order(registry: str) -> tuple[str, str, str]:
    return {"ripencc": ("ipv4", "asn", "ipv6"), "lacnic": ("ipv4", "ipv6", "asn")}.get(
        registry, ("asn", "ipv4", "ipv6")
    )


def _head(registry: str, day: date, body: _Body) -> bytes:
    total = sum(body.numbers.values())
    until, offset, began = f"{day:%Y%m%d}", _OFFSETS[registry], _BEGAN[registry]
    if registry == "ripencc":
        version = f"2|ripencc|{86400 * (day - date(1970, 1, 1)).days}|{total}|{began}|{until}|{offset}"
    elif registry == "arin":
        version = f"2.3|arin|{86400000 * (day - date(1970, 1, 1)).days}|{total}|{began}|{until}|{offset}"
    elif registry == "apnic":
        version = f"2.3|apnic|{until}|{total}||{day - timedelta(days=1):%Y%m%d}|{offset}"
    else:
        version = f"{'2' if registry == 'afrinic' else '2.3'}|{registry}|{until}|{total}|{began}|{until}|{offset}"
    lines = [
        version,
        *(f"{registry}|*|{kind}|*|{body.numbers[kind]}|summary" for kind in _order(registry)),
    ]
    comment = _APNIC_COMMENT if registry == "apnic" else b""
    return comment + "".join(f"{line}\n" for line in lines).encode()


def _ipv4_line(record: Record) -> str:
    start = ipaddress.IPv4Address(record.first)
    size = record.last - record.first + 1
    return _line(
        record.registry,
        record.region,
        "ipv4",
        str(start),
        size,
        record.since,
        record.status,
        record.holder,
    )


def _line(
    registry: str, region: str, kind: str, start: str, value: int, since: date | None, status: str, holder: str
) -> str:
    region = region or ("ZZ" if registry == "afrinic" else "")
    closing = "" if registry == "ripencc" and not holder else f"|{holder}"
    day = f"{since:%Y%m%d}" if since else ""
    return f"{registry}|{region}|{kind}|{start}|{value}|{day}|{status}{closing}"


def _distort(records: tuple[Record, ...], glitch: GlitchSpec) -> tuple[Record, ...]:
    first, last = parse_range(glitch.range)
    own = pieces(records, (first, last))
    since, holder = (own[0].since, own[0].holder) if own else (date(2010, 1, 1), "")
    wrong = Record(
        first, last, glitch.registry, glitch.region, "allocated", holder or "0" * 8, since or date(2010, 1, 1)
    )
    return place(records, [wrong])


def _other_records(registry: str, seed: int) -> dict[str, list[str]]:
    """Make AS number and IPv6 records: no address of theirs is used, but a parser must pass over them."""
    rng = np.random.default_rng([seed, 7, REGISTRIES.index(registry)])
    countries = COUNTRIES[registry].split()[::2]
    numbers = sorted(int(n) for n in rng.choice(200_000, 40, replace=False) + 1000)
    prefix = {"afrinic": "2c0f", "apnic": "2400", "arin": "2600", "lacnic": "2800", "ripencc": "2a00"}[registry]
    asn, ipv6 = [], []
    for i, number in enumerate(numbers):
        region, since = str(rng.choice(countries)), date(2001, 1, 1) + timedelta(days=int(rng.integers(8000)))
        holder = make_holder(registry, rng)
        free = i % 13 == 12
        rest = ("", None, "reserved", "") if free else (region, since, "allocated", holder)
        asn.append(_line(registry, rest[0], "asn", str(number), 1, rest[1], rest[2], rest[3]))
        start = f"{prefix}:{256 * (i + 1):x}::"
        ipv6.append(_line(registry, rest[0], "ipv6", start, 32, rest[1], rest[2], rest[3]))
    return {"asn": asn, "ipv6": ipv6}


def _md5_line(registry: str, plain_key: str, content: bytes) -> bytes:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if registry == "arin":
        return f"{digest}  {plain_key.rpartition('/')[2]}\n".encode()
    return f"MD5 (delegated-{registry}-extended-latest) = {digest}\n".encode()
