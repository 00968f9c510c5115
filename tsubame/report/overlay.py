"""An analyst's hand in a quarter's report: sentences withheld with a reason, remarks added under a name.

One TOML file a quarter. It names claims by their id and never holds a number of the report, so that it fits every
edition of the quarter: what an edition no longer states is kept and listed as unused::

    [[withhold]]
    claim = "growth-region-cn"
    reason_ja = "センサーの移設の影響と考えられるため"
    reason_en = "thought to come from a sensor that was moved"

    [[remark]]
    section = "ports"                 # ports, regions, noted or basis
    author = "山田"
    text_ja = "関連する注意喚起を公開しています。"
    text_en = "An alert on this has been published."
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tsubame.errors import BadInput

SECTIONS = ("ports", "regions", "noted", "basis")
_HINT = "The docstring of tsubame.report.overlay shows the form; numbers of the report cannot be edited."


@dataclass(frozen=True, slots=True)
class Withheld:
    """A claim that the analyst does not sign, and why."""

    claim: str
    reason_ja: str
    reason_en: str


@dataclass(frozen=True, slots=True)
class Remark:
    """A paragraph of the analyst's own, printed at the end of a section under the author's name."""

    section: str
    author: str
    text_ja: str
    text_en: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """What an analyst changed in a quarter's words."""

    withheld: tuple[Withheld, ...] = ()
    remarks: tuple[Remark, ...] = ()


NO_OVERLAY = Overlay()


def parse_overlay(content: bytes, *, key: str) -> Overlay:
    """Read an overlay.

    Raises:
        BadInput: it is no TOML, or holds anything but withheld claims and remarks.
    """
    try:
        data = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput("overlay is no TOML", key=key, actual=error, hint=_HINT) from error
    if unknown := sorted(set(data) - {"withhold", "remark"}):
        raise BadInput(f"overlay has {unknown[0]!r}", key=key, expected="[[withhold]], [[remark]]", hint=_HINT)
    withheld = tuple(Withheld(**entry) for entry in _entries(data, "withhold", Withheld, key))
    remarks = tuple(Remark(**entry) for entry in _entries(data, "remark", Remark, key))
    for remark in remarks:
        if remark.section not in SECTIONS:
            expected = ", ".join(SECTIONS)
            raise BadInput("section of a remark", key=key, expected=expected, actual=remark.section, hint=_HINT)
    twice = [each.claim for place, each in enumerate(withheld) if each.claim in {w.claim for w in withheld[:place]}]
    if twice:
        raise BadInput(f"claim {twice[0]!r} is withheld twice", key=key, hint=_HINT)
    return Overlay(withheld, remarks)


def _entries(data: Mapping[str, Any], name: str, kind: type, key: str) -> list[dict[str, str]]:
    entries = data.get(name, [])
    wanted = set(kind.__slots__)  # type: ignore[attr-defined]
    for place, entry in enumerate(entries if isinstance(entries, list) else [entries], start=1):
        if not isinstance(entries, list) or not isinstance(entry, dict) or set(entry) != wanted:
            found = ", ".join(sorted(entry)) if isinstance(entry, dict) else type(entry).__name__
            expected = ", ".join(kind.__slots__)  # type: ignore[attr-defined]
            raise BadInput(f"[[{name}]] {place}", key=key, expected=expected, actual=found, hint=_HINT)
        if empty := [field for field in kind.__slots__ if not str(entry[field]).strip()]:  # type: ignore[attr-defined]
            raise BadInput(f"[[{name}]] {place} has an empty {empty[0]}", key=key, hint=_HINT)
        if wrong := [field for field, value in entry.items() if not isinstance(value, str)]:
            raise BadInput(f"[[{name}]] {place}: {wrong[0]} is no text", key=key, hint=_HINT)
    return list(entries)


def apply_overlay(
    overlay: Overlay, claims: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, str]]]]:
    """Take out what is withheld.

    Args:
        overlay: the analyst's.
        claims: as ``report.json`` holds them.

    Returns:
        The claims that are printed, and ``report.json``'s ``overlay``: ``withheld``, ``remarks``, ``unused``.
    """
    known = {claim["id"]: claim["kind"] for claim in claims}
    reasons = {each.claim: each for each in overlay.withheld}
    said = {
        "withheld": [
            {"claim": each.claim, "kind": known[each.claim], "reason_ja": each.reason_ja, "reason_en": each.reason_en}
            for each in overlay.withheld
            if each.claim in known
        ],
        "remarks": [
            {"section": each.section, "author": each.author, "text_ja": each.text_ja, "text_en": each.text_en}
            for each in overlay.remarks
        ],
        "unused": [
            {"claim": each.claim, "reason_ja": each.reason_ja, "reason_en": each.reason_en}
            for each in overlay.withheld
            if each.claim not in known
        ],
    }
    return [claim for claim in claims if claim["id"] not in reasons], said
