"""The report as it is printed: ``report.json`` as a run of headings, paragraphs, tables and figures.

The order is the page's. The same run is set in Japanese and in English by ``pdf``; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from tsubame.periods import Quarter
from tsubame.report.document import DRAFT
from tsubame.report.names import Language
from tsubame.report.narrative import quarter_title
from tsubame.report.pages import BLOCKS_SHOWN, day_of_text, edition_parts, mean_text, name_region
from tsubame.report.wording import WORDING

LISTED = 10
"""Damaged captures, notes and the like that are printed before ``and n more``."""

Block = dict[str, Any]
Document = Mapping[str, Any]


def printed_view(document: Document, language: Language) -> dict[str, Any]:
    """Return everything that ``templates/report.typ`` sets.

    Args:
        document: the content of ``report.json``.
        language: of all words.

    Returns:
        Plain data: title, period, front matter, and ``blocks``, each with its ``kind``.
    """
    words = WORDING[language]
    quarter = Quarter.parse(str(document["quarter"]))
    edition = words["draft"] if document["edition"] == DRAFT else words["edition"].format(n=document["edition"])
    parts = edition_parts(document, language)
    created = date.fromisoformat(str(document["created_at"])[:10]) if document["created_at"] else quarter.last_day
    return {
        "language": language,
        "system": words["system"],
        "publisher": document["publisher"],
        "title": words["title"],
        "period": quarter_title(quarter, language),
        "description": words["intro"],
        "created": [created.year, created.month, created.day],
        "edition": edition,
        "front": [
            [words["period"], parts["period"]],
            [words["version"], edition],
            [words["created"], parts["created"]],
            [words["publisher"], document["publisher"]],
            [words["sensors"], words["sensors_value"].format(**document["sensors"])],
            [words["kept"], f"{document['accounting']['packets_kept']:,}"],
            [words["code"], document["lineage"]["code_version"]],
        ],
        "before": [{"kind": "notice", "text": document["notice"][f"text_{language}"]}] if document["notice"] else [],
        "contents": words["contents"],
        "blocks": [
            *_overview(document, parts, language),
            *_noted(parts, language),
            *_basis(document, parts, language),
            *_changes_and_data(language),
            *_references(parts, language),
        ],
    }


def _overview(document: Document, parts: Mapping[str, Any], language: Language) -> list[Block]:
    words, tables = WORDING[language], document["tables"]
    gap = words["gap_note"] if parts["has_gaps"] else ""
    blocks = [_heading(words["overview"]), _paragraph(words["intro"])]
    for number, name, lead, caption, heading, source in (
        (1, "ports", "ports_lead", "table_ports", "port", "iana"),
        (2, "regions", "regions_lead", "table_regions", "region", "rir"),
    ):
        rows = tables[name]
        note = words[source] + (words["close_mark"] if parts["close"][name] else "")
        blocks += [
            _paragraph(words[lead].format(n=len(rows))),
            _ranking(rows, number, words[caption].format(n=len(rows)), words[heading], note, language),
            *_figures([parts["figures"][name]], language, gap),
            _paragraph(parts["prose"][name] or words["no_claims"]),
            *(_remarks(parts, "ports", language) if name == "ports" else ()),
        ]
    blocks += [_paragraph(sentence) for sentence in parts["reassignments"]]
    return [*blocks, *_remarks(parts, "regions", language)]


def _noted(parts: Mapping[str, Any], language: Language) -> list[Block]:
    """Return the chapter on noted phenomena, the reassigned blocks last."""
    words = WORDING[language]
    gap = words["gap_note"] if parts["has_gaps"] else ""
    blocks = [_heading(words["noted"]), _paragraph(words["noted_lead" if parts["noted"] else "noted_none"])]
    for section in parts["noted"]:
        blocks.append(_heading(section["title"], 2))
        for kind, content in section["blocks"]:
            blocks += [_paragraph(content)] if kind == "text" else _figures([content], language, gap)
    if parts["figures"]["reassignments"] or parts["moved"]:
        blocks.append(_heading(f"2.{parts['reassigned_number']}. {words['reassigned']}", 2))
        blocks += _figures(parts["figures"]["reassignments"], language)
        blocks += [_moved(item, 3 + place, language) for place, item in enumerate(parts["moved"])]
    return [*blocks, *_remarks(parts, "noted", language)]


def _remarks(parts: Mapping[str, Any], section: str, language: Language) -> list[Block]:
    """Return the analyst's remarks on a section."""
    remark = WORDING[language]["remark"]
    return [_paragraph(remark.format(text=text, author=author)) for text, author in parts["remarks"][section]]


def _ranking(
    rows: Sequence[Mapping[str, Any]], number: int, title: str, heading: str, note: str, language: Language
) -> Block:
    words = WORDING[language]
    ending = "" if language == "ja" else "_en"

    def name(row: Mapping[str, Any]) -> str:
        return str(row[f"name_{language}"] if "region" in row else row[f"label{ending}"])

    return _table(
        _caption("table", number, title, language),
        [words[key] if key else heading for key in ("rank", "", "previous", "packets", "per_sensor_day", "sources")],
        [
            [
                f"{row['rank']}{' †' if row['close_to_next'] else ''}",
                name(row),
                row[f"previous_label{ending}"],
                f"{row['packets']:,}",
                mean_text(row["per_sensor_day"]),
                f"{row['sources']:,}",
            ]
            for row in rows
        ],
        ["center", "left", "center", "right", "right", "right"],
        note=_asterisk(note, language),
    )


def _moved(item: Mapping[str, Any], number: int, language: Language) -> Block:
    words = WORDING[language]
    title = words["moved_caption"].format(
        from_=name_region(item["from"], language),
        to=name_region(item["to"], language),
        date=day_of_text(item["date"], language),
    )
    blocks = item["blocks"]
    more = len(blocks) - BLOCKS_SHOWN
    return _table(
        _caption("table", number, title, language),
        [
            words["cidr"],
            words["addresses"],
            words["first_seen"],
            words["packets_before"].format(days=item["days_before"]),
            words["packets_after"].format(days=item["days_after"]),
        ],
        [
            [
                block["cidr"],
                f"{block['addresses']:,}",
                day_of_text(block["first_seen"], language),
                f"{block['packets_before']:,}",
                f"{block['packets_after']:,}",
            ]
            for block in blocks[:BLOCKS_SHOWN]
        ],
        ["left", "right", "center", "right", "right"],
        note=words["more"].format(n=more) if more > 0 else "",
    )


def _basis(document: Document, parts: Mapping[str, Any], language: Language) -> list[Block]:
    words, sensors = WORDING[language], document["sensors"]
    colon, comma = ("：", "、") if language == "ja" else (": ", ", ")
    dropped = comma.join(f"{words[name]} {number:,}" for name, number in parts["dropped"])
    error = "error_ja" if language == "ja" else "error"
    damaged = [f"{item['key']}{colon}{item[error]}" for item in document["damaged_captures"]]
    held = [f"{item['key']}{colon}{item['reason']}" for item in document["snapshots"]["held_back"]]
    days = words["sensor_days_value"].format(
        up=f"{sensors['sensor_days_up']:,}",
        expected=f"{sensors['sensor_days_expected']:,}",
        domestic=f"{sensors['domestic_sensor_days_up']:,}",
    )
    rows = [
        [words["sensors"], words["sensors_value"].format(**sensors)],
        [words["sensor_days"], days],
        [words["records"], f"{document['accounting']['records_read']:,}"],
        [words["kept"], f"{document['accounting']['packets_kept']:,}"],
        [words["dropped"], dropped or words["none"]],
        [words["damaged"], _listed(damaged, language, counted=True)],
        [words["snapshots"], words["files"].format(n=f"{document['snapshots']['used']:,}")],
        [words["carried"], _listed(parts["carried"], language)],
        [words["held_back"], _listed(held, language)],
        [words["zone"], words["zone_value"].format(zone=document["timezone"])],
    ]
    blocks = [
        _heading(words["basis"]),
        _paragraph(words["basis_lead"]),
        _table("", [words["item"], words["value"]], rows, ["left", "left"], widths=["auto", "rest"]),
        *_figures([parts["figures"]["coverage"]], language),
        _heading(words["validation"], 2),
    ]
    withheld = [f"{item['claim']}{colon}{item[f'reason_{language}']}" for item in document["overlay"]["withheld"]]
    after = _remarks(parts, "basis", language)
    if withheld:
        after += [_heading(words["withheld"], 2), {"kind": "list", "items": withheld}]
    if not document["validation"]:
        return [*blocks, _paragraph(words["no_validation"]), *after]
    blocks += [
        _paragraph(words["validation_lead"]),
        _table(
            "",
            [words[name] for name in ("suite", "passed", "failed", "severity")],
            [
                [
                    suite["suite"],
                    f"{suite['passed']:,}",
                    f"{suite['failed']:,}",
                    words.get(f"severity_{suite['severity']}", suite["severity"]),
                ]
                for suite in document["validation"]
            ],
            ["left", "right", "right", "center"],
        ),
    ]
    return [*blocks, *after, *_notes(document["notes_ja" if language == "ja" else "notes"], language)]


def _notes(notes: Sequence[str], language: Language) -> list[Block]:
    words = WORDING[language]
    if not notes:
        return []
    more = len(notes) - 2 * LISTED
    shown = [*notes[: 2 * LISTED], *([words["more"].format(n=more)] if more > 0 else [])]
    return [_heading(words["notes"], 2), {"kind": "list", "items": shown}]


def _changes_and_data(language: Language) -> list[Block]:
    words = WORDING[language]
    return [_heading(words["data"]), _paragraph(words["data_beside"])]


def _references(parts: Mapping[str, Any], language: Language) -> list[Block]:
    words = WORDING[language]
    items = [
        {"mark": f"（{number}）" if language == "ja" else f"({number})", "text": text, "url": url}
        for number, (text, url) in enumerate(parts["references"], start=1)
    ]
    return [_heading(words["references"]), {"kind": "references", "items": items}]


def _listed(items: Sequence[str], language: Language, *, counted: bool = False) -> str:
    """Return the first items a line each, and how many more there are."""
    words = WORDING[language]
    if not items:
        return words["none"]
    lines = [words["files"].format(n=f"{len(items):,}")] if counted else []
    lines += items[:LISTED]
    if len(items) > LISTED:
        lines.append(words["more"].format(n=len(items) - LISTED))
    return "\n".join(lines)


def _heading(text: str, level: int = 1) -> Block:
    return {"kind": "heading", "level": level, "text": text}


def _paragraph(text: str) -> Block:
    return {"kind": "paragraph", "text": text}


def _table(
    caption: str,
    heading: Sequence[str],
    rows: Sequence[Sequence[str]],
    align: Sequence[str],
    *,
    widths: Sequence[str] | None = None,
    note: str = "",
) -> Block:
    return {
        "kind": "table",
        "caption": caption,
        "heading": list(heading),
        "rows": [list(row) for row in rows],
        "align": list(align),
        "widths": list(widths or ["auto"] * len(heading)),
        "note": note,
    }


def _figures(figures: Iterable[Mapping[str, Any] | None], language: Language, note: str = "") -> list[Block]:
    """Return a block for every figure that there is."""
    return [
        {
            "kind": "figure",
            "file": figure_file(figure, language),
            "caption": _caption("figure", figure["number"], figure[f"title_{language}"], language),
            "alt": figure[f"alt_{language}"],
            "note": note,
            "width": 1.0,
        }
        for figure in figures
        if figure is not None
    ]


def figure_file(figure: Mapping[str, Any], language: Language) -> str:
    """Return the path, in the edition, of the drawing that is printed: one that scales."""
    return f"figures/{figure['id']}.{language}.svg"


def _caption(kind: str, number: int, title: str, language: Language) -> str:
    label = WORDING[language][kind].format(n=number)
    return f"［{label}：{title}］" if language == "ja" else f"{label}. {title}"


def _asterisk(note: str, language: Language) -> str:
    return f"※{note}" if language == "ja" else note
