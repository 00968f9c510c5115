"""The chapter on noted phenomena as a run of paragraphs and figures, for the page as for print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tsubame.report.names import Language

Claims = Sequence[Mapping[str, Any]]
Prose = Callable[[Claims], str]

# A paragraph holds these kinds of claims, in the order in which they are made, then comes the figure.
_PARAGRAPHS: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (frozenset({"noted", "tool_share"}), ()),
    (frozenset({"period", "story", "burst", "shift", "gradual", "spike_and_decay"}), ("focus",)),
    (frozenset({"overlap", "no_correlation", "correlation", "undecided_correlation"}), ("companion",)),
    (frozenset({"regional_rises", "superposition"}), ("regions",)),
    (frozenset({"sources", "sensors"}), ("tools", "sources")),
)


def noted_sections(document: Mapping[str, Any], language: Language, prose: Prose) -> list[dict[str, Any]]:
    """Return the chapter's sections.

    Args:
        document: the content of ``report.json``.
        language: of all words.
        prose: joins claims to a paragraph.

    Returns:
        For each section its ``id``, ``title`` with its number, and ``blocks``: (``text`` or ``figure``, content).
    """
    figures = {figure["id"]: figure for figure in document["figures"]}
    references = reference_numbers(document)
    sections = []
    for number, noted in enumerate(document["noted"], 1):
        claims = [claim for claim in document["claims"] if claim["section"] == noted["id"] and not claim["told_in"]]
        blocks: list[tuple[str, Any]] = []
        context = _context(noted, references, language)
        for place, (kinds, shown) in enumerate(_PARAGRAPHS):
            text = prose([claim for claim in claims if claim["kind"] in kinds])
            if place == 0 and context:
                text = f"{context}{'' if language == 'ja' else ' '}{text}".strip()
            if text:
                blocks.append(("text", text))
            blocks += [
                ("figure", figures[f"{noted['id']}-{kind}"]) for kind in shown if f"{noted['id']}-{kind}" in figures
            ]
        sections.append({"id": noted["id"], "title": f"2.{number}. {noted[f'title_{language}']}", "blocks": blocks})
    return sections


def reference_numbers(document: Mapping[str, Any], first: int = 3) -> dict[str, int]:
    """Return the number of each source of the chapter by its address; the first two are of every report."""
    numbers: dict[str, int] = {}
    for source in _sources(document["noted"]):
        numbers.setdefault(source["url"], first + len(numbers))
    return numbers


def references_of(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return title and address of the chapter's sources, in order of their numbers."""
    titles: dict[str, str] = {}
    for source in _sources(document["noted"]):
        titles.setdefault(source["url"], f"{source['title']} ({source['date']})")
    return [(title, url) for url, title in titles.items()]


def _sources(noted: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, str]]:
    for item in noted:
        if item["context"] is not None:
            yield from item["context"]["sources"]


def _context(noted: Mapping[str, Any], numbers: Mapping[str, int], language: Language) -> str:
    """Return what is known of a port, with the numbers of its sources."""
    context = noted["context"]
    if context is None:
        return ""
    cited = [numbers[source["url"]] for source in context["sources"]]
    if language == "ja":
        marks = "".join(f"（{number}）" for number in cited)
        return f"{context['text_ja'].rstrip('。')}{marks}。"
    marks = " ".join(f"({number})" for number in cited)
    return f"{context['text_en'].rstrip('.')} {marks}."


def pointers(document: Mapping[str, Any], language: Language) -> list[str]:
    """Return, for each noted port in the table, the sentence that leads to its section."""
    said = []
    printed = {(row["protocol"], row["port"]) for row in document["tables"]["ports"]}
    for number, noted in enumerate(document["noted"], 1):
        if (noted["protocol"], noted["port"]) not in printed:
            continue
        title = noted[f"title_{language}"]
        if language == "ja":
            said.append(f"{noted['label']}の現象については「2.{number}. {title}」で取り上げます。")
        else:
            said.append(f"Section 2.{number}, “{title}”, looks into {noted['label_en']}.")
    return said
