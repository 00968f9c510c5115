"""What an edition says otherwise than the one before it: tables, claims, inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tsubame.report.names import LANGUAGES, Language, region_name

_TABLES = {"ports": "label", "regions": "region"}
_LISTED = 200
"""Inputs named one by one; of more, the number is given."""

_KINDS = ("added", "removed", "changed")
_WORDS: Mapping[Language, Mapping[str, str]] = {
    "ja": {
        "rank": "順位",
        "packets": "パケット数",
        "claim_added": "記述の追加",
        "claim_removed": "記述の削除",
        "claim_reworded": "記述の変更",
        "claim_numbers": "文面は同じで根拠の数値が変わった記述の数",
        "inputs": "入力",
        "added": "追加",
        "removed": "削除",
        "changed": "変更",
        "code": "プログラムの版",
    },
    "en": {
        "rank": "rank",
        "packets": "packets",
        "claim_added": "Statement added",
        "claim_removed": "Statement removed",
        "claim_reworded": "Statement reworded",
        "claim_numbers": "Statements whose words stay and whose numbers changed",
        "inputs": "Inputs",
        "added": "added",
        "removed": "removed",
        "changed": "changed",
        "code": "Code version",
    },
}


def describe_changes(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    lineage_before: Mapping[str, Any],
    lineage_after: Mapping[str, Any],
) -> dict[str, Any]:
    """Return ``changes.json``: what differs between two editions' documents and lineages.

    Returns:
        ``previous`` and ``edition`` numbers; ``tables`` with each changed cell's old and new value; ``claims``
        added, removed and reworded; ``inputs`` added, removed and changed; ``code`` old and new version when
        it changed; ``summary`` in Japanese and English, one line each.
    """
    tables = {name: _rows(before, after, name, key) for name, key in _TABLES.items()}
    claims = _claims(before["claims"], after["claims"])
    inputs = _inputs(lineage_before, lineage_after)
    versions = [document["lineage"]["code_version"] for document in (before, after)]
    changes = {
        "previous": before["edition"],
        "edition": after["edition"],
        "tables": tables,
        "claims": claims,
        "inputs": inputs,
        "code": None if versions[0] == versions[1] else {"before": versions[0], "after": versions[1]},
    }
    return {**changes, "summary": {language: _summary(changes, language) for language in LANGUAGES}}


def _rows(before: Mapping[str, Any], after: Mapping[str, Any], name: str, key: str) -> list[dict[str, Any]]:
    old = {row[key]: row for row in before["tables"][name]}
    new = {row[key]: row for row in after["tables"][name]}
    found = []
    for row in (*new, *(row for row in old if row not in new)):
        cells = {
            column: {"before": old.get(row, {}).get(column), "after": new.get(row, {}).get(column)}
            for column in sorted({*old.get(row, {}), *new.get(row, {})} - {key})
            if old.get(row, {}).get(column) != new.get(row, {}).get(column)
        }
        if cells:
            found.append({key: row, "cells": cells})
    return found


def _claims(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    old, new = {claim["id"]: claim for claim in before}, {claim["id"]: claim for claim in after}
    return {
        "added": [
            {"id": name, "text_ja": new[name]["text_ja"], "text_en": new[name]["text_en"]}
            for name in new
            if name not in old
        ],
        "removed": [
            {"id": name, "text_ja": old[name]["text_ja"], "text_en": old[name]["text_en"]}
            for name in old
            if name not in new
        ],
        "changed": [
            {
                "id": name,
                **{
                    language: {"before": old[name][language], "after": new[name][language]}
                    for language in ("text_ja", "text_en")
                },
            }
            for name in new
            if name in old and new[name] != old[name]
        ],
    }


def _inputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name in sorted({*before, *after} - {"code_version"}):
        old, new = _named(before.get(name)), _named(after.get(name))
        added, removed = sorted(set(new) - set(old)), sorted(set(old) - set(new))
        changed = sorted(key for key in set(old) & set(new) if old[key] != new[key])
        if added or removed or changed:
            found[name] = {
                kind: {"number": len(keys), "keys": keys[:_LISTED]}
                for kind, keys in zip(_KINDS, (added, removed, changed), strict=True)
            }
    return found


_NAMES = ("key", "day", "sensor_id")
"""What a lineage record of a capture, a day or a sensor is named by."""


def _named(value: object) -> dict[str, object]:
    """Return lineage entries by name, whether they are a mapping, a list of records with a key, or plain."""
    if isinstance(value, Mapping):
        return {str(name): entry for name, entry in value.items()}
    if isinstance(value, list):
        named: dict[str, object] = {}
        for entry in value:
            names = (entry.get(name) for name in _NAMES) if isinstance(entry, Mapping) else ()
            named[str(next(filter(None, names), entry))] = entry
        return named
    return {} if value is None else {"": value}


def _summary(changes: Mapping[str, Any], language: Language) -> list[str]:
    words, colon = _WORDS[language], "：" if language == "ja" else ": "
    lines = []
    for name, key in _TABLES.items():
        for row in changes["tables"][name]:
            label = region_name(row[key], language) if name == "regions" else row[key]
            for column in ("rank", "packets"):
                if column in row["cells"]:
                    cell = row["cells"][column]
                    lines.append(f"{label}{colon}{words[column]} {_shown(cell['before'])} → {_shown(cell['after'])}")
    claims, text = changes["claims"], f"text_{language}"
    for kind in ("added", "removed"):
        lines += [f"{words[f'claim_{kind}']}{colon}{claim[text]}" for claim in claims[kind]]
    reworded = [claim[text] for claim in claims["changed"] if claim[text]["before"] != claim[text]["after"]]
    lines += [f"{words['claim_reworded']}{colon}{said['before']} → {said['after']}" for said in reworded]
    same = len(claims["changed"]) - len(reworded)
    if same:
        lines.append(f"{words['claim_numbers']}{colon}{same:,}")
    for name, kinds in changes["inputs"].items():
        numbers = [f"{words[kind]} {kinds[kind]['number']:,}" for kind in _KINDS if kinds[kind]["number"]]
        lines.append(f"{words['inputs']} {name}{colon}{', '.join(numbers)}")
    if changes["code"]:
        lines.append(f"{words['code']}{colon}{changes['code']['before']} → {changes['code']['after']}")
    return lines


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)
