"""What a page's content security policy must be, and that the page keeps to it: read as text, without a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_ALLOWED = re.compile(r"'none'|'self'|data:|blob:|'sha256-[A-Za-z0-9+/]{43}='")
_REMOTE = re.compile(r"(?i)\s*([a-z+]+:)?//")


class Elements(HTMLParser):
    """A document's elements in their order: tag, attributes, and the texts of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside = tag in ("script", "style")
        self.found.append((tag, dict(attributes), []))

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, text: str) -> None:
        if self._inside:
            self.found[-1][2].append(text)


def page_faults(page: Path) -> list[str]:
    """Return what is wrong with a published page."""
    elements = Elements(page.read_text(encoding="utf-8")).found
    place = [
        index
        for index, (_, attributes, _) in enumerate(elements)
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    if len(place) != 1:
        return [f"{page.name}: {len(place)} policies"]
    early = {tag for tag, _, _ in elements[: place[0]]} - {"html", "head", "meta"}
    faults = [f"<{tag}> before the policy" for tag in sorted(early)]
    content = str(elements[place[0]][1]["content"])
    policy = {name: values for name, *values in (part.split() for part in content.split(";"))}
    faults += [
        f"{name} is not 'none'" for name in ("default-src", "form-action", "base-uri") if policy.get(name) != ["'none'"]
    ]
    faults += [f"{n} {value}" for n, values in policy.items() for value in values if not _ALLOWED.fullmatch(value)]
    faults += _breaches(elements, policy)
    return [f"{page.name}: {fault}" for fault in faults]


def _breaches(
    elements: list[tuple[str, dict[str, str | None], list[str]]], policy: dict[str, list[str]]
) -> Iterator[str]:
    for tag, attributes, texts in elements:
        text = "".join(texts)
        digest = "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        if (
            tag == "script"
            and attributes.get("type") != "application/json"
            and digest not in policy.get("script-src", ())
        ):
            yield "a script that the policy does not name"
        if tag == "style" and (policy.get("style-src") != [digest] or re.search(r"@import|url\((?!['\"]?data:)", text)):
            yield "a style that the policy does not name, or one that loads"
        yield from (f"<{tag} {name}>" for name in attributes if name == "style" or name.startswith("on"))
        loaded = [attributes.get(name) or "" for name in ("src", "srcset", "data", "poster", "action")]
        loaded += [attributes.get("href") or ""] if tag in ("link", "use", "image", "base") else []
        yield from (f"<{tag}> loads {url}" for url in loaded if _REMOTE.match(url))
