"""``regions.html``: what the registries moved in the quarter, what it did, and steps that nothing of it explains.

Rendered from ``report.json`` alone, like the report's own page.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from tsubame.report.document import DRAFT
from tsubame.report.names import LANGUAGES, Language, region_name
from tsubame.report.pages import name_region, render_template, titles_of, window_length
from tsubame.report.reassigned import span_text
from tsubame.report.region_words import CONDITIONS, VERDICTS, WORDS

BLOCKS_SHOWN = 30
MINOR_SHOWN = 20


def render_regions(document: Mapping[str, Any]) -> bytes:
    """Render the page of an edition's moved blocks.

    Args:
        document: the content of ``report.json``.
    """
    figures = {figure["id"]: figure for figure in document["region_figures"]}
    return render_template(
        "regions.html.j2",
        document=document,
        languages=LANGUAGES,
        words=WORDS,
        verdicts=VERDICTS,
        is_draft=document["edition"] == DRAFT,
        titles=titles_of(document),
        blocks_most=BLOCKS_SHOWN,
        minor_most=MINOR_SHOWN,
        parts={
            language: [_part(item, document, figures, language) for item in document["reassignments"]]
            for language in LANGUAGES
        },
        summaries={language: _summary(document, language) for language in LANGUAGES},
        steps={language: [_step(step, language) for step in document["region_steps"]] for language in LANGUAGES},
    )


def _summary(document: Mapping[str, Any], language: Language) -> str:
    moves = document["moves"]
    counts = {key: moves[key] for key in ("groups", "blocks", "addresses")}
    return WORDS[language]["summary" if moves["groups"] else "summary_none"].format(
        **counts, matters=len(document["reassignments"])
    )


def _part(
    item: Mapping[str, Any], document: Mapping[str, Any], figures: Mapping[str, Any], language: Language
) -> dict[str, Any]:
    """Return what the page says of one reassignment."""
    slug = f"{item['from'].lower()}-{item['to'].lower()}-{item['date'].replace('-', '')}"
    names = name_region(item["from"], language), name_region(item["to"], language)
    when = span_text(date.fromisoformat(item["date"]), date.fromisoformat(item["last"]))[language == "en"]
    claims = [claim for claim in document["claims"] if claim["id"] == f"reassignment-{slug}"]
    return {
        "id": slug,
        "title": WORDS[language]["reassignment"].format(source=names[0], target=names[1], when=when),
        "verdict": VERDICTS[language][item["verdict"]],
        "tone": item["verdict"].split()[0],
        "text": claims[0][f"text_{language}"] if claims else "",
        "item": item,
        "rows": [_ratio_row(item, which, language) for which in ("to", "from")],
        "conditions": _conditions(item, language),
        "holders": len({block["holder"] for block in item["blocks"]}),
        "addresses": sum(block["addresses"] for block in item["blocks"]),
        "days": [window_length(window) for window in item["windows"]],
        "figure": figures.get(f"blocks-{slug}"),
    }


def _ratio_row(item: Mapping[str, Any], which: str, language: Language) -> tuple[str, str, str, str]:
    """Return a region with its two ratios and the moved share of its change."""
    end = "" if which == "to" else "_from"
    share, interval = item[f"share{end}"], item[f"share{end}_interval"]
    said = "－" if language == "ja" else "–"
    if share is not None:
        said = f"{share:.0%}"
        if interval is not None:
            dash = "〜" if language == "ja" else "–"
            said += f" [{interval[0]:.0%}{dash}{interval[1]:.0%}]"
    return (
        region_name(item[which], language),
        _times(item[f"ratio_observed{end}"], language),
        _times(item[f"ratio_pinned{end}"], language),
        said,
    )


def _conditions(item: Mapping[str, Any], language: Language) -> list[tuple[str, bool]]:
    if item["conditions"] is None:
        return []
    return [(CONDITIONS[language][name], bool(item["conditions"][name])) for name in ("share", "alone", "timely")]


def _step(step: Mapping[str, Any], language: Language) -> dict[str, Any]:
    moved = step["moved_share"]
    return {
        "region": step[f"name_{language}"],
        "onset": step["onset"],
        "ratio": _times(step["ratio"], language),
        "moved": ("－" if language == "ja" else "–") if moved is None else f"{moved:.0%}".replace("-0%", "0%"),
        "blocks": step["blocks_near"],
        "verdict": VERDICTS[language][step["verdict"]],
        "tone": step["verdict"].split()[0],
    }


def _times(ratio: float | None, language: Language) -> str:
    if ratio is None:
        return "－" if language == "ja" else "–"
    return f"{ratio:.2f}倍" if language == "ja" else f"× {ratio:.2f}"
