"""Names that readers know: services from IANA's registry, regions from CLDR with the report's own usage on top.

Labels are looked up, never written by hand: a hand-made label once printed 80/TCP as Microsoft-ds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, Language] = ("ja", "en")

PROTOCOLS: Mapping[int, str] = {
    1: "ICMP",
    2: "IGMP",
    4: "IPIP",
    6: "TCP",
    17: "UDP",
    33: "DCCP",
    41: "IPv6",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "IPv6-ICMP",
    132: "SCTP",
}
_PROTOCOL_LETTERS = {"t": 6, "u": 17, "s": 132, "d": 33}

# CLDR's names are those of maps and forms; a report for CSIRTs uses the press's shorter ones.
REGION_NAMES: Mapping[str, tuple[str, str]] = {
    "AE": ("アラブ首長国連邦", "United Arab Emirates"),
    "AN": ("オランダ領アンティル", "Netherlands Antilles"),
    "AP": ("アジア太平洋地域（AP）", "Asia-Pacific (AP)"),
    "BA": ("ボスニア・ヘルツェゴビナ", "Bosnia and Herzegovina"),
    "CD": ("コンゴ民主共和国", "DR Congo"),
    "CG": ("コンゴ共和国", "Congo"),
    "CN": ("中国", "China"),
    "CZ": ("チェコ", "Czech Republic"),
    "EU": ("欧州連合（EU）", "European Union (EU)"),
    "GB": ("英国", "United Kingdom"),
    "HK": ("香港", "Hong Kong"),
    "JP": ("日本", "Japan"),
    "KP": ("北朝鮮", "North Korea"),
    "KR": ("韓国", "South Korea"),
    "MK": ("北マケドニア", "North Macedonia"),
    "MM": ("ミャンマー", "Myanmar"),
    "MO": ("マカオ", "Macao"),
    "NL": ("オランダ", "Netherlands"),
    "PS": ("パレスチナ", "Palestine"),
    "RU": ("ロシア", "Russia"),
    "TR": ("トルコ", "Turkey"),
    "TW": ("台湾", "Taiwan"),
    "UK": ("英国", "United Kingdom"),
    "US": ("米国", "United States"),
    "VA": ("バチカン", "Vatican City"),
    "ZZ": ("不明", "unknown"),
}


@cache
def _services() -> Mapping[tuple[int, int], str]:
    table: dict[tuple[int, int], str] = {}
    text = files("tsubame.report").joinpath("data", "services.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        ports, name, letters = line.split("\t")
        first, _, last = ports.partition("-")
        for port in range(int(first), int(last or first) + 1):
            for letter in letters:
                table.setdefault((_PROTOCOL_LETTERS[letter], port), name)
    return table


def protocol_name(protocol: int) -> str:
    """Return ``TCP`` for 6, and ``IP protocol 99`` for one that has no common short name."""
    return PROTOCOLS.get(protocol, f"IP protocol {protocol}")


def service_name(protocol: int, port: int | None) -> str | None:
    """Return the service that IANA's registry assigns to the port, or None when it assigns none."""
    return None if port is None else _services().get((protocol, port))


def port_name(protocol: int, port: int | None) -> str:
    """Return ``23/TCP``, or ``ICMP`` where the protocol has no ports."""
    return protocol_name(protocol) if port is None else f"{port}/{protocol_name(protocol)}"


def port_label(protocol: int, port: int | None, language: Language = "ja") -> str:
    """Return the port as the report prints it: ``23/TCP（telnet）``, ``37215/TCP``, ``ICMP``."""
    service = service_name(protocol, port)
    name = port_name(protocol, port)
    if service is None:
        return name
    return f"{name}（{service}）" if language == "ja" else f"{name} ({service})"


def port_slug(protocol: int, port: int | None) -> str:
    """Return the port as part of an identifier: ``23-tcp``, ``icmp``."""
    return port_name(protocol, port).lower().replace("/", "-").replace(" ", "-")


@cache
def region_name(region: str, language: Language = "ja") -> str:
    """Return a region's name: the report's usage where it differs, otherwise CLDR's; else the code itself."""
    own = REGION_NAMES.get(region)
    if own is not None:
        return own[0] if language == "ja" else own[1]
    from babel import Locale

    territories = Locale(language).territories
    return str(territories.get(region, region))


@cache
def region_codes() -> tuple[str, ...]:
    """Return every two-letter code that has a name of its own; of two with one name (GB, UK) the first."""
    from babel import Locale

    codes = {str(code) for code in Locale("en").territories} | set(REGION_NAMES)
    named: dict[str, str] = {}
    for code in sorted(codes):
        if len(code) == 2 and code.isalpha() and region_name(code, "ja") != code:
            named.setdefault(region_name(code, "ja"), code)
    return tuple(sorted(named.values()))
