"""Great Expectations' Data Docs as a static site that asks no other host for anything.

Great Expectations renders each suite's page; its pages load Bootstrap, jQuery, fonts and a logo from five
hosts and bear times and random ids. Here the links and scripts are taken out, one small style sheet stands in
for Bootstrap, and what changes from run to run is replaced, so that the same result gives the same bytes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from tsubame.validation.suites import SuiteRun, quiet
from tsubame.validation.verdict import Verdict

STYLE = "data_docs.css"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_REMOTE_TAG = re.compile(
    r"<link\b[^>]*>|<script\b[^>]*\bsrc=[^>]*>\s*</script>|<script\b.*?</script>|<footer\b.*?</footer>",
    re.DOTALL | re.IGNORECASE,
)
_STYLE_TAG = re.compile(r"<style\b.*?</style>", re.DOTALL | re.IGNORECASE)
_LOGO = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_INLINE_STYLE = re.compile(r' style="[^"]*"')
POLICY = "default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'"
"""Their own style sheet and nothing else: what a capture or a file of someone else's put into a message stays text."""
_POLICY_TAG = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_ACTIONS = re.compile(
    r'<div class="card mb-3">\s*<div class="card-header p-2">\s*<strong>Actions</strong>.*?'
    r'(?=<div class="card d-md-block)',
    re.DOTALL,
)
_RUN_ONLY = re.compile(
    r'<ol class="ge-breadcrumbs.*?</ol>|Data asset: None<br>|<tr>(?:(?!<tr>).)*?Run Time.*?</tr>'
    r'|<p class="m-0">\s*<a data-toggle="collapse".*?</p>',
    re.DOTALL,
)
_REMOTE_LINK = re.compile(r'<a\b[^>]*\bhref="https?://[^"]*"[^>]*>(.*?)</a>', re.DOTALL | re.IGNORECASE)
_LOCAL_LINK = re.compile(r'<a\b[^>]*\bhref="(?!#)[^"]*(?<!index\.html)"[^>]*>(.*?)</a>', re.DOTALL | re.IGNORECASE)
_HOME = re.compile(r'href="[^"]*index\.html"')


def write_docs(runs: Sequence[SuiteRun], verdict: Verdict, quarter: str, folder: Path) -> tuple[Path, ...]:
    """Write ``index.html``, a page for each suite, and the style sheet.

    Returns:
        The files written, in order.
    """
    pages = {"index.html": _index(verdict, quarter)}
    with quiet():
        for run in runs:
            pages[f"{run.outcome.suite}.html"] = _page(run, quarter)
    pages[STYLE] = resources.files("tsubame.validation").joinpath(STYLE).read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in pages)


def _page(run: SuiteRun, quarter: str) -> str:
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    # Batches are held in memory: their own meta names times and ids of this run only.
    version = run.result.meta["great_expectations_version"]
    run.result.meta.clear()
    run.result.meta.update(great_expectations_version=version, run_id=RunIdentifier(run_name=quarter, run_time=_EPOCH))
    document = ValidationResultsPageRenderer().render(run.result)
    text: Any = DefaultJinjaPageView().render(document)
    return clean_page(str(text), f"{run.outcome.suite} {quarter}")


def clean_page(text: str, title: str) -> str:
    """Take out of a rendered page what asks another host, needs scripts, or differs from run to run."""
    text = _STYLE_TAG.sub("", _REMOTE_TAG.sub("", text))
    text = _RUN_ONLY.sub("", _LOGO.sub("Data Docs", _ACTIONS.sub("", text)))
    text = _REMOTE_LINK.sub(r"\1", _LOCAL_LINK.sub(r"\1", text))
    text = _HOME.sub('href="index.html"', text)
    names: dict[str, str] = {}
    text = _UUID.sub(lambda match: names.setdefault(match[0], f"id-{len(names) + 1}"), text)
    text = _INLINE_STYLE.sub("", re.sub(r"<title>.*?</title>", "", text, flags=re.DOTALL))
    text = text.replace("<head>", f"<head>\n{_POLICY_TAG}", 1)
    head = f'<title>{html.escape(title)}</title>\n<link rel="stylesheet" href="{STYLE}">\n</head>'
    text = re.sub(r"</head>", head, text, count=1)
    return re.sub(r"\n\s*\n+", "\n", text)


def _index(verdict: Verdict, quarter: str) -> str:
    rows = "\n".join(
        f'<tr><th scope="row"><a href="{suite.suite}.html">{suite.suite}</a></th><td>{suite.passed}</td>'
        f'<td>{suite.failed}</td><td class="{suite.severity}">{suite.severity}</td><td>{_failures(suite)}</td></tr>'
        for suite in verdict.suites
    )
    said = "refused" if verdict.refused else "with notes" if verdict.notes else "passed"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{_POLICY_TAG}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Validation of {html.escape(quarter)}</title>
<link rel="stylesheet" href="{STYLE}">
</head>
<body>
<main class="container-fluid">
<h1>Validation of {html.escape(quarter)}: {said}</h1>
<p>{html.escape(verdict.summary)}. Every suite's page is made by Great Expectations.</p>
<table class="table">
<thead><tr><th>suite</th><th>held</th><th>failed</th><th>worst</th><th>what failed</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</main>
</body>
</html>
"""


def _failures(suite: Any) -> str:
    return "<br>".join(
        f'<span class="{failure.severity}">{failure.severity}</span> {html.escape(failure.message)}'
        for failure in suite.failures
    )
