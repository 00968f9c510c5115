"""Editions: immutable once published, a new one only when something changed, the pointer to it last.

Order of writing: every file of the edition, then its ``manifest.json`` (from then on it is complete), then
``latest.json`` (from then on it is served), then the site's front page. An interruption at any point leaves the
old edition served. What an interrupted publication left behind is never served, overwritten or deleted: the
next one takes the next free number, unless the left edition is complete and the same, which is then served.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tsubame.analysis.explore import ExplorerRows
from tsubame.analysis.results import QuarterAnalysis
from tsubame.errors import BadInput
from tsubame.keys import edition_prefix, latest_key
from tsubame.periods import Quarter
from tsubame.provenance import canonical_json, digest_of, sha256_of
from tsubame.publish.changes import describe_changes
from tsubame.publish.citation import CITATION, citation_files
from tsubame.publish.opendata import build_data
from tsubame.publish.privacy import refuse_addresses
from tsubame.report.context import ReportContext
from tsubame.report.document import (
    DRAFT,
    build_document,
    encode_document,
    encode_lineage,
    instant_text,
    load_schema,
    validate_document,
)
from tsubame.report.explorer import render_explorer
from tsubame.report.figures import draw_figures, plan_figures
from tsubame.report.linter import refuse_faults
from tsubame.report.pages import PublishedQuarter, render_edition, render_site
from tsubame.report.pdf import PDFS, render_pdfs
from tsubame.report.region_page import render_regions
from tsubame.report.region_plans import plan_blocks
from tsubame.stores import Store

MANIFEST = "manifest.json"
SITE_INDEX = "index.html"
_RENDERED = frozenset({"index.html", "regions.html", *PDFS, *CITATION, "changes.json", MANIFEST, "report.json"})
_VALIDATION = "validation/"


@dataclass(frozen=True, slots=True)
class Edition:
    """A finished edition without a number yet.

    Attributes:
        files: path in the edition -> content; ``report.json`` says edition 0 until publication.
    """

    quarter: Quarter
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class PublishedEdition:
    """Which edition is served now.

    Attributes:
        url: of its ``index.html``, as the store locates it.
        created: whether this call made it; False when nothing had changed.
    """

    quarter: Quarter
    edition: int
    url: str
    created: bool


def build_edition(
    analysis: QuarterAnalysis,
    context: ReportContext,
    *,
    networks: Iterable[tuple[int, int]],
    explorer: ExplorerRows | None = None,
) -> Edition:
    """Make every file of a quarter's edition; the same arguments give the same bytes but for ``created_at``.

    Args:
        analysis: what the quarter's numbers are.
        context: what the report says beside them.
        networks: (first, last) address of each sensor's network; nothing that gives one away is let through.
        explorer: what readers may explore; without it the edition has no ``explore.html``.

    Raises:
        SchemaMismatch: the document does not follow its schema.
        Rejected: a file gives a sensor's address away.
    """
    plans = (*plan_figures(analysis), *plan_blocks(analysis))
    document = build_document(analysis, context, plans, explorer=explorer is not None)
    validate_document(document)
    files = {
        "report.json": encode_document(document),
        "index.html": render_edition(document),
        "regions.html": render_regions(document),
        "lineage.json": encode_lineage(context),
        "schema/report.schema.json": (json.dumps(load_schema(), ensure_ascii=False, indent=2) + "\n").encode(),
        **build_data(analysis, plans, None if explorer is None else explorer.rows),
        **{f"{_VALIDATION}{path}": content for path, content in sorted(context.data_docs.items())},
    }
    if explorer is not None:
        files["explore.html"] = render_explorer(document, explorer)
    refuse_faults(document, files)
    secret = tuple(networks)
    # Drawing is what takes time: a refusal need not wait for it.
    refuse_addresses(files, secret)
    figures = draw_figures(analysis, plans)
    rendered = _rendered(document, figures)
    refuse_addresses({**figures, **rendered}, secret)
    return Edition(analysis.quarter, {**files, **figures, **rendered})


def _rendered(document: dict[str, Any], figures: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what says in other forms what the document says, with its number and instant."""
    return {
        **render_pdfs(document, figures),
        **citation_files(document, document["publisher"], document["licence"]),
    }


def content_digest(files: Mapping[str, bytes]) -> str:
    """Return a digest of what an edition says: of every file but for its number and instant of creation.

    What is rendered from ``report.json`` says nothing more, and Data Docs carry the instants of their runs:
    neither counts.
    """
    document = _stamped(json.loads(files["report.json"]), DRAFT, "")
    counted = {
        path: sha256_of(content)
        for path, content in files.items()
        if path not in _RENDERED and not path.startswith(_VALIDATION)
    }
    return digest_of({**counted, "report.json": sha256_of(canonical_json(document))}, digits=64)


def publish_edition(
    site: Store,
    quarter: Quarter,
    files: Mapping[str, bytes],
    *,
    created_at: datetime,
    networks: Iterable[tuple[int, int]],
    given: int = 0,
) -> PublishedEdition:
    """Publish an edition, unless the served one already says the same.

    Args:
        site: the site bucket.
        quarter: the quarter reported on.
        files: as ``build_edition`` makes them.
        created_at: instant of publication.
        networks: (first, last) address of each sensor's network; every file as it is about to be written is searched
            for them, what the edition before it adds among them.
        given: the last number known to have been given: a site that was lost, or restored from before, must not give
            to another edition a number that was cited.

    Raises:
        Rejected: a file gives a sensor's address away.
        Unavailable: the store does not answer; the old edition is still served.
        BadInput: the pointer of the quarter cannot be read.
    """
    digest = content_digest(files)
    pointer = read_pointer(site, quarter)
    if pointer is not None and pointer.get("content") == digest:
        edition = int(pointer["edition"])
        _write_site_index(site)
        return PublishedEdition(quarter, edition, _url(site, quarter, edition), created=False)
    taken = _editions_in(site, quarter)
    served = 0 if pointer is None else int(pointer["edition"])
    left = _complete_edition(site, quarter, [n for n in taken if n > served], digest)
    edition = left or max((*taken, served, given)) + 1
    if left is None:
        stamped = _stamp(site, quarter, files, edition, served, instant_text(created_at))
        refuse_addresses(stamped, networks)
        _write_edition(site, quarter, edition, stamped, digest)
    manifest = json.loads(site.read(edition_prefix(quarter, edition) + MANIFEST))
    pointer = {
        "quarter": str(quarter),
        "edition": edition,
        "url": f"editions/{edition}/index.html",
        "created_at": manifest["created_at"],
        "content": digest,
    }
    site.put(latest_key(quarter), canonical_json(pointer) + b"\n")
    _write_site_index(site)
    return PublishedEdition(quarter, edition, _url(site, quarter, edition), created=True)


def read_pointer(site: Store, quarter: Quarter) -> dict[str, Any] | None:
    """Return the content of a quarter's ``latest.json``, or None when nothing is published.

    Raises:
        BadInput: the pointer is not what this module writes.
    """
    key = latest_key(quarter)
    if not site.exists(key):
        return None
    try:
        pointer = json.loads(site.read(key))
        int(pointer["edition"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            "pointer to the newest edition cannot be read",
            key=site.locate(key),
            expected='{"edition": n, …}',
            hint="Restore it by hand from the folder of editions.",
        ) from error
    return dict(pointer)


def _stamped(document: dict[str, Any], edition: int, created_at: str) -> dict[str, Any]:
    return {**document, "edition": edition, "created_at": created_at}


def _stamp(
    site: Store, quarter: Quarter, files: Mapping[str, bytes], edition: int, served: int, created_at: str
) -> dict[str, bytes]:
    """Put number and instant into the document, add what changed, and render page and PDF from both."""
    document = _stamped(json.loads(files["report.json"]), edition, created_at)
    stamped = {**files, "report.json": encode_document(document)}
    changes = None
    if served:
        prefix = edition_prefix(quarter, served)
        changes = describe_changes(
            json.loads(site.read(f"{prefix}report.json")),
            document,
            json.loads(site.read(f"{prefix}lineage.json")),
            json.loads(files["lineage.json"]),
        )
        stamped["changes.json"] = (json.dumps(changes, ensure_ascii=False, indent=1) + "\n").encode()
    stamped["index.html"] = render_edition(document, changes)
    stamped["regions.html"] = render_regions(document)
    return {**stamped, **_rendered(document, files)}


def _write_edition(site: Store, quarter: Quarter, edition: int, files: Mapping[str, bytes], digest: str) -> None:
    prefix = edition_prefix(quarter, edition)
    for path, content in sorted(files.items()):
        site.put(prefix + path, content)
    manifest = {
        "quarter": str(quarter),
        "edition": edition,
        "created_at": json.loads(files["report.json"])["created_at"],
        "content": digest,
        "files": {
            path: {"sha256": sha256_of(content), "bytes": len(content)} for path, content in sorted(files.items())
        },
    }
    site.put(prefix + MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def _editions_in(site: Store, quarter: Quarter) -> list[int]:
    """Return the numbers under which anything lies, complete or not."""
    start = f"{quarter}/editions/"
    numbers = {info.key[len(start) :].partition("/")[0] for info in site.list(start)}
    return sorted(int(number) for number in numbers if number.isdecimal())


def _complete_edition(site: Store, quarter: Quarter, numbers: Iterable[int], digest: str) -> int | None:
    """Return the edition among ``numbers`` that is complete and says the same, if there is one."""
    for number in sorted(numbers, reverse=True):
        key = edition_prefix(quarter, number) + MANIFEST
        if site.exists(key) and json.loads(site.read(key)).get("content") == digest:
            return number
    return None


def _url(site: Store, quarter: Quarter, edition: int) -> str:
    return site.locate(f"{edition_prefix(quarter, edition)}index.html")


def _write_site_index(site: Store) -> None:
    """Render the front page anew from the pointers, and write it when it differs."""
    keys = [info.key for info in site.list("")]
    quarters = []
    for key in keys:
        name, _, rest = key.partition("/")
        if rest != "latest.json":
            continue
        quarter = Quarter.parse(name)
        pointer = read_pointer(site, quarter)
        if pointer is None:
            continue
        served = int(pointer["edition"])
        complete = sorted(
            (
                n
                for n in _editions_in(site, quarter)
                if n <= served and f"{edition_prefix(quarter, n)}{MANIFEST}" in keys
            ),
            reverse=True,
        )
        quarters.append(PublishedQuarter(name, served, tuple(complete), str(pointer.get("created_at", ""))))
    page = render_site(quarters)
    if SITE_INDEX not in keys or site.read(SITE_INDEX) != page:
        site.put(SITE_INDEX, page)
