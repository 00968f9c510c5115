"""What a port is used for and abused by: a small sourced table, and CISA's KEV list where one is given.

Each row of ``data/port_context.tsv`` names its source and date; a port that is not in the table has no context.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from tsubame.errors import BadInput
from tsubame.report.names import port_label
from tsubame.report.narrative import Bilingual, day_text

AMPLIFICATION = "amplification"
KEV_SOURCE = "CISA Known Exploited Vulnerabilities Catalog"
KEV_URL = "https://www.cisa.gov/known-exploited-vulnerabilities-catalog"


@dataclass(frozen=True, slots=True)
class PortContext:
    """A row of the table.

    Attributes:
        product: what listens there, in both languages.
        cves: vulnerabilities of it that are exploited from the network.
        malware: what is known to look for it; empty for none.
        source, url, date: where all of that is from; the date is the source's own or of the version read.
    """

    protocol: int
    port: int
    product: Bilingual
    cves: tuple[str, ...]
    malware: Bilingual
    source: str
    url: str
    date: str


@dataclass(frozen=True, slots=True)
class ExploitedVulnerability:
    """An entry of CISA's catalogue of vulnerabilities known to be exploited."""

    cve: str
    added: date


KnownExploited = Mapping[str, ExploitedVulnerability]


@cache
def port_contexts() -> Mapping[tuple[int, int], PortContext]:
    """Return the table by protocol and port."""
    text = files("tsubame.report").joinpath("data", "port_context.tsv").read_text(encoding="utf-8")
    table = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        protocol, port, ja, en, cves, malware, source, url, when = line.split("\t")
        said = malware.split("|")
        row = PortContext(
            int(protocol),
            int(port),
            (ja, en),
            tuple(cves.split(",")) if cves else (),
            (said[0], said[-1]),
            source,
            url,
            when,
        )
        table[row.protocol, row.port] = row
    return table


def read_kev(content: bytes, *, key: str) -> KnownExploited:
    """Read CISA's KEV list: its JSON as published, or the list of entries alone; plain or gzip.

    Raises:
        BadInput: it is neither.
    """
    try:
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        data: Any = json.loads(plain)
        entries: Iterable[Mapping[str, str]] = data["vulnerabilities"] if isinstance(data, dict) else data
        found = [ExploitedVulnerability(str(e["cveID"]), date.fromisoformat(str(e["dateAdded"]))) for e in entries]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            "is no KEV list", key=key, expected="vulnerabilities with cveID and dateAdded", actual=repr(error)[:80]
        ) from error
    return {entry.cve: entry for entry in found}


def say_context(row: PortContext, known: KnownExploited, until: date) -> Bilingual:
    """Say what a port is used for and abused by.

    Args:
        row: of the table.
        known: the KEV list; empty where none is given.
        until: last day of the quarter: what the list gained later is not said.
    """
    label_ja, label_en = port_label(row.protocol, row.port, "ja"), port_label(row.protocol, row.port, "en")
    ja = [f"{label_ja}は、{row.product[0]}に使われるポートです。"]
    en = [f"{label_en} is used by {row.product[1]}."]
    if row.cves:
        ja.append(f"脆弱性（{'、'.join(row.cves)}）を悪用する攻撃が知られています。")
        plural = "ies" if len(row.cves) > 1 else "y"
        en.append(f"Attacks are known that exploit the vulnerabilit{plural} {' and '.join(row.cves)}.")
    if row.malware[0] == AMPLIFICATION:
        ja.append("送信元を詐称した問い合わせによる反射型のDDoS攻撃に悪用されることがあります。")
        en.append("It is abused for reflected denial-of-service attacks by queries under forged sources.")
    elif row.malware[0]:
        ja.append(f"このポートを探索するマルウェアとして{row.malware[0]}が知られています。")
        en.append(f"{row.malware[1]} {'are' if ' and ' in row.malware[1] else 'is'} known to look for it.")
    for cve in row.cves:
        entry = known.get(cve)
        if entry is not None and entry.added <= until:
            ja.append(
                f"{cve}は、{day_text(entry.added, 'ja', with_year=True)}に"
                "CISAの悪用が確認された脆弱性の一覧（KEV）に登録されています。"
            )
            en.append(
                f"{cve} has been on CISA's list of known exploited vulnerabilities (KEV) since "
                f"{day_text(entry.added, 'en', with_year=True)}."
            )
    return "".join(ja), " ".join(en)


def context_of(port: tuple[int, int | None], known: KnownExploited, until: date) -> dict[str, Any] | None:
    """Return a port's context as ``report.json`` writes it; None where the table has none."""
    row = None if port[1] is None else port_contexts().get((port[0], port[1]))
    if row is None:
        return None
    ja, en = say_context(row, known, until)
    sources = [{"title": row.source, "url": row.url, "date": row.date}]
    listed = [known[cve].added for cve in row.cves if cve in known and known[cve].added <= until]
    if listed and row.url != KEV_URL:
        sources.append({"title": KEV_SOURCE, "url": KEV_URL, "date": max(listed).isoformat()})
    return {"text_ja": ja, "text_en": en, "cves": list(row.cves), "sources": sources}
