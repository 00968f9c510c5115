"""``report.ja.pdf`` and ``report.en.pdf``, set by Typst from ``report.json`` and the edition's figures.

The only place that imports typst. The same document gives the same bytes: the one instant in the file is the
document's own day of creation, and only fonts that are shipped with packages are used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tsubame.report.names import LANGUAGES, Language
from tsubame.report.printed import printed_view

PDFS = tuple(f"report.{language}.pdf" for language in LANGUAGES)


def render_pdfs(document: Mapping[str, Any], figures: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return ``report.<language>.pdf`` for both languages.

    Args:
        document: the content of ``report.json``.
        figures: path in the edition -> content; holds at least every figure's SVG files.

    Raises:
        KeyError: a figure of the document is not among ``figures``.
    """
    return {f"report.{language}.pdf": render_pdf(document, figures, language) for language in LANGUAGES}


def render_pdf(document: Mapping[str, Any], figures: Mapping[str, bytes], language: Language) -> bytes:
    """Set the report in one language as tagged PDF (PDF/UA-1: readable aloud, figures with their alt text)."""
    import typst

    view = printed_view(document, language)
    with TemporaryDirectory(prefix="tsubame-pdf-") as folder:
        root = Path(folder)
        for name in _drawings(view):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(figures[name])
        (root / "view.json").write_text(json.dumps(view, ensure_ascii=False), encoding="utf-8")
        template = root / "report.typ"
        template.write_bytes(files("tsubame.report").joinpath("templates", "report.typ").read_bytes())
        made: bytes = typst.compile(
            str(template),
            root=folder,
            font_paths=[str(_font_folder())],
            ignore_system_fonts=True,
            pdf_standards=["ua-1"],
        )
    return made


def _drawings(view: Mapping[str, Any]) -> list[str]:
    """Return the files of every figure that the view shows."""
    shown = []
    for block in view["blocks"]:
        if block["kind"] == "figure":
            shown.append(block["file"])
        elif block["kind"] == "figures":
            shown += [figure["file"] for figure in block["figures"]]
    return shown


def _font_folder() -> Path:
    """Return the folder of the Japanese font, found without loading matplotlib."""
    from importlib.util import find_spec

    spec = find_spec("matplotlib_fontja")
    assert spec is not None, "matplotlib-fontja is installed with tsubame[report]"
    assert spec.origin is not None, "matplotlib-fontja is a package of files"
    return Path(spec.origin).parent / "fonts"
