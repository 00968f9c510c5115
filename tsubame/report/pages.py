"""Pages: an edition's ``index.html``, rendered from its ``report.json`` alone, and the site's front page.

A page asks no other host for anything, needs no script, and shows one language at a time (``#en`` switches).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from tsubame.periods import Quarter
from tsubame.report.chapters import noted_sections, pointers, references_of
from tsubame.report.claims import english_in_sentence, name_subject
from tsubame.report.document import DRAFT
from tsubame.report.names import LANGUAGES, Language, region_name
from tsubame.report.narrative import day_text, join_sentences, quarter_title
from tsubame.report.noted_text import focus_subject
from tsubame.report.numbering import COVERAGE_FIGURE, PORTS_FIGURE, REGIONS_FIGURE
from tsubame.report.overlay import SECTIONS
from tsubame.report.wording import WORDING

BLOCKS_SHOWN = 20
REFERENCES = (
    ("ref_iana", "https://www.iana.org/assignments/service-names-port-numbers/"),
    (
        "ref_rir",
        "https://www.apnic.net/about-apnic/corporate-documents/documents/"
        "resource-guidelines/rir-statistics-exchange-format/",
    ),
)
"""What the report refers to by number: name in ``wording``, address."""
_DROPPED = ("not_ip", "ipv6", "truncated_header", "bad_header", "outside_sensor", "damaged_record")


@dataclass(frozen=True, slots=True)
class PublishedQuarter:
    """A quarter on the site's front page.

    Attributes:
        editions: numbers of the editions that were ever current, newest first.
        created_at: instant of the newest, as its pointer writes it.
    """

    quarter: str
    latest: int
    editions: tuple[int, ...]
    created_at: str


def render_edition(document: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> bytes:
    """Render the page of an edition.

    Args:
        document: the content of ``report.json``.
        changes: the content of ``changes.json``; None for a first edition.
    """
    return render_template(
        "edition.html.j2",
        document=document,
        changes=changes,
        languages=LANGUAGES,
        wording=WORDING,
        is_draft=document["edition"] == DRAFT,
        titles=titles_of(document),
        parts={language: edition_parts(document, language) for language in LANGUAGES},
    )


def render_site(quarters: Sequence[PublishedQuarter]) -> bytes:
    """Render the site's front page: every quarter with its editions, newest quarter first."""
    listed = sorted(quarters, key=lambda item: item.quarter, reverse=True)
    titles = {
        language: {item.quarter: quarter_title(Quarter.parse(item.quarter), language) for item in listed}
        for language in LANGUAGES
    }
    return render_template("site.html.j2", quarters=listed, languages=LANGUAGES, wording=WORDING, titles=titles)


def titles_of(document: Mapping[str, Any]) -> dict[Language, str]:
    """Return the quarter of a document in words, by language."""
    quarter = Quarter.parse(str(document["quarter"]))
    return {language: quarter_title(quarter, language) for language in LANGUAGES}


def edition_parts(document: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """Group claims and figures by where they stand in the report, on the page as in print."""
    claims, figures = document["claims"], {figure["id"]: figure for figure in document["figures"]}
    by_id = [figure for name, figure in figures.items() if name.startswith("reassignment-")]
    texts = {
        name: [claim for claim in claims if claim["section"] == name and not claim["told_in"]]
        for name in ("ports", "regions", "reassignments")
    }
    told = {c["id"] for c in texts["reassignments"]}
    days = [date.fromisoformat(day) for day in document["days"]]
    accounting = document["accounting"]
    return {
        "prose": {
            "ports": join_paragraph([_prose(texts["ports"], language), *pointers(document, language)], language),
            "regions": _prose(texts["regions"], language),
        },
        "noted": noted_sections(document, language, lambda told: _prose(told, language)),
        "reassigned_number": len(document["noted"]) + 1,
        "references": [*((WORDING[language][name], url) for name, url in REFERENCES), *references_of(document)],
        "reassignments": [claim[f"text_{language}"] for claim in texts["reassignments"]],
        "figures": {
            "ports": figures.get(PORTS_FIGURE),
            "regions": figures.get(REGIONS_FIGURE),
            "coverage": figures.get(COVERAGE_FIGURE),
            "reassignments": by_id,
        },
        "moved": [
            {**item, "days_before": window_length(item["windows"][0]), "days_after": window_length(item["windows"][1])}
            for item in document["reassignments"]
            if _claim_id(item) in told
        ],
        "remarks": {
            section: [
                (item[f"text_{language}"], item["author"])
                for item in document["overlay"]["remarks"]
                if item["section"] == section
            ]
            for section in SECTIONS
        },
        "carried": _carried(document["snapshots"]["carried_forward"], language),
        "has_gaps": document["has_gaps"],
        "period": (
            f"{day_text(days[0], language, with_year=True)}{'〜' if language == 'ja' else ' – '}"
            f"{day_text(days[-1], language, with_year=True)}"
            if days
            else ""
        ),
        "created": _local(document["created_at"], document["timezone"]),
        "dropped": [(name, accounting[name]) for name in _DROPPED if accounting[name]],
        "close": {name: any(row["close_to_next"] for row in document["tables"][name]) for name in ("ports", "regions")},
    }


def join_paragraph(texts: Sequence[str], language: Language) -> str:
    """Join what there is of some texts to one paragraph."""
    return ("" if language == "ja" else " ").join(text for text in texts if text)


def _prose(claims: Sequence[Mapping[str, Any]], language: Language) -> str:
    """Join claims to a paragraph; see ``join_sentences``."""
    texts = []
    for claim in claims:
        subject = claim["subject"]
        named = subject["protocol"] is not None or subject["region"] is not None
        begins = ""
        if named:
            ja, en = _said_subject(subject)
            begins = f"{ja}のパケットは" if language == "ja" else f"Packets {en} "
        texts.append((begins, claim[f"text_{language}"]))
    return join_sentences(texts, language)


def _said_subject(subject: Mapping[str, Any]) -> tuple[str, str]:
    """Return what the packets of a claim are called: by port, by region, or by both."""
    if subject["protocol"] is None or subject["region"] is None:
        return name_subject(subject["protocol"], subject["port"], subject["region"])
    region = region_name(subject["region"], "ja"), english_in_sentence(subject["region"])
    return focus_subject(region, subject["tool"], (subject["protocol"], subject["port"]))


def _claim_id(item: Mapping[str, Any]) -> str:
    return f"reassignment-{item['from'].lower()}-{item['to'].lower()}-{item['date'].replace('-', '')}"


def window_length(window: Sequence[str]) -> int:
    """Return how many days a window of two ISO dates spans, both included; 0 for one that ends before it starts."""
    return max((date.fromisoformat(window[1]) - date.fromisoformat(window[0])).days + 1, 0)


def _carried(items: Sequence[Mapping[str, str]], language: Language) -> list[str]:
    """Say for each registry and snapshot on which days it stood in."""
    days: dict[tuple[str, str], list[str]] = {}
    for item in items:
        days.setdefault((item["registry"], item["snapshot"]), []).append(item["day"])
    said = []
    for (registry, snapshot), found in sorted(days.items(), key=lambda entry: (entry[1][0], entry[0])):
        first, last = found[0], found[-1]
        span = first if first == last else f"{first}{'〜' if language == 'ja' else ' – '}{last}"
        said.append(
            f"{span}（{registry}、{snapshot}の情報）"
            if language == "ja"
            else f"{span} ({registry}, file of {snapshot})"
        )
    return said


def _local(instant: str, zone: str) -> str:
    moment = datetime.fromisoformat(instant.replace("Z", "+00:00")).astimezone(ZoneInfo(zone))
    return moment.strftime("%Y-%m-%d %H:%M %Z")


def render_template(template: str, **values: Any) -> bytes:
    """Render one of the package's templates."""
    text: str = _environment().get_template(template).render(**values)
    return (text.rstrip() + "\n").encode()


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tsubame.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csp_hash"] = csp_hash
    environment.filters["count"] = lambda value: f"{value:,}"
    environment.filters["mean"] = mean_text
    environment.filters["region"] = name_region
    environment.filters["day"] = day_of_text
    environment.globals["blocks_shown"] = BLOCKS_SHOWN
    return environment


def csp_hash(content: str) -> str:
    """Return the source expression that lets this very script or style into a page, and no other."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + "'"


def name_region(region: str, language: Language) -> str:
    """Name a region as it stands within a sentence."""
    return region_name(region, "ja") if language == "ja" else english_in_sentence(region)


def day_of_text(text: str, language: Language) -> str:
    """Return ``1月21日`` or ``21 January`` of ``2023-01-21``."""
    return day_text(date.fromisoformat(text), language)


def mean_text(value: float) -> str:
    """Return a mean with one decimal; more where it would read 0.0."""
    return f"{value:,.1f}" if value >= 0.1 or value == 0 else f"{value:.2g}"
