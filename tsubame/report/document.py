"""``report.json``: everything an edition states, for machines; and the JSON Schema it must satisfy.

The page of an edition is rendered from this document alone, so that what people read is what machines get.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from tsubame.analysis.results import QuarterAnalysis
from tsubame.errors import SchemaMismatch
from tsubame.provenance import canonical_json, sha256_of
from tsubame.report.claims import derive_claims
from tsubame.report.context import ReportContext, suite_outcomes
from tsubame.report.damage_text import damage_in_japanese
from tsubame.report.names import port_label
from tsubame.report.noted_claims import section_title
from tsubame.report.numbering import noted_slug
from tsubame.report.overlay import apply_overlay
from tsubame.report.plans import PIXELS_PER_INCH, FigurePlan
from tsubame.report.port_context import context_of
from tsubame.report.region_plans import BLOCKS
from tsubame.report.region_rows import move_rows, reassignment_rows, step_rows
from tsubame.report.statements import Claim
from tsubame.report.tables import common_rows, port_rows, region_rows, rounded, sensor_event_rows

ACCOUNTING = (
    "records_read",
    "packets_kept",
    "not_ip",
    "ipv6",
    "truncated_header",
    "bad_header",
    "outside_sensor",
    "damaged_record",
    "truncated_tail",
    "unread_bytes",
)
DRAFT = 0
"""The edition number of a document that is not published yet."""


def build_document(
    analysis: QuarterAnalysis, context: ReportContext, plans: Sequence[FigurePlan], *, explorer: bool = False
) -> dict[str, Any]:
    """Return the report as plain data; ``edition`` is 0 until it is published, ``explorer`` whether it has one."""
    sensors = analysis.sensors
    claims, overlay = apply_overlay(context.overlay, [_claim(claim) for claim in derive_claims(analysis)])
    return {
        "quarter": str(analysis.quarter),
        "edition": DRAFT,
        "created_at": instant_text(context.created_at),
        "timezone": context.timezone,
        "publisher": context.publisher,
        "licence": context.licence,
        "days": [day.isoformat() for day in analysis.days],
        "has_gaps": any(value is None for series in analysis.port_series.values() for value in series.per_sensor),
        "previous_quarter": None if analysis.previous is None else str(analysis.previous),
        "notice": None if context.notice is None else {"text_ja": context.notice[0], "text_en": context.notice[1]},
        "sensors": {
            "domestic": sensors.domestic,
            "overseas": sensors.overseas,
            "sensor_days_expected": sensors.sensor_days_expected,
            "sensor_days_up": sensors.sensor_days_up,
            "domestic_sensor_days_up": sensors.domestic_sensor_days_up,
        },
        "accounting": _accounting(context),
        "damaged_captures": [
            {"key": item.key, "error": item.error, "error_ja": damage_in_japanese(item.error)}
            for item in sorted(context.damaged, key=lambda item: item.key)
        ],
        "snapshots": context.snapshots.as_dict(),
        "tables": {"ports": port_rows(analysis), "regions": region_rows(analysis)},
        "common_ranks": common_rows(analysis),
        "sensor_events": sensor_event_rows(analysis),
        "claims": claims,
        "noted": _noted(analysis, context),
        "overlay": overlay,
        "reassignments": reassignment_rows(analysis),
        "moves": move_rows(analysis),
        "region_steps": step_rows(analysis),
        "figures": [_figure(plan) for plan in plans if plan.kind != BLOCKS],
        "region_figures": [_figure(plan) for plan in plans if plan.kind == BLOCKS],
        "validation": [outcome.as_dict() for outcome in suite_outcomes(context.verdict)],
        "notes": list(context.notes),
        "notes_ja": list(context.notes_ja or context.notes),
        "data_docs": "validation/index.html" if "index.html" in context.data_docs else None,
        "explorer": "explore.html" if explorer else None,
        "lineage": _lineage(context),
    }


def _accounting(context: ReportContext) -> dict[str, int]:
    known = {name: int(context.accounting.get(name, 0)) for name in ACCOUNTING}
    more = {name: value for name, value in sorted(context.accounting.items()) if name not in known}
    return {**known, **{name: int(value) for name, value in more.items() if isinstance(value, int)}}


def _claim(claim: Claim) -> dict[str, Any]:
    plain = claim.as_dict()
    plain["ratio"] = rounded(claim.ratio)
    plain["numbers"] = {
        name: rounded(value) if isinstance(value, float) else value for name, value in plain["numbers"].items()
    }
    if claim.ratio_interval is not None:
        plain["ratio_interval"] = [rounded(end) for end in claim.ratio_interval]
    return plain


def _figure(plan: FigurePlan) -> dict[str, Any]:
    return {
        "id": plan.id,
        "number": plan.number,
        "title_ja": plan.title_ja,
        "title_en": plan.title_en,
        "alt_ja": plan.alt_ja,
        "alt_en": plan.alt_en,
        "files": list(plan.files),
        "data": f"data/{plan.data}.parquet",
        "csv": f"tables/{plan.data}.csv",
        "height": round(PIXELS_PER_INCH * plan.height),
    }


def _noted(analysis: QuarterAnalysis, context: ReportContext) -> list[dict[str, Any]]:
    """Return what the chapter on noted ports is about; its claims and figures bear the same id."""
    rows = []
    for noted in analysis.noted:
        title = section_title(noted)
        rows.append(
            {
                "id": noted_slug(noted),
                "protocol": noted.port[0],
                "port": noted.port[1],
                "label": port_label(*noted.port, "ja"),
                "label_en": port_label(*noted.port, "en"),
                "title_ja": title[0],
                "title_en": title[1],
                "reasons": list(noted.reasons),
                "tool_events": [
                    {
                        "tool": tool,
                        "kind": event.kind,
                        "onset": event.onset.isoformat(),
                        "end": None if event.end is None else event.end.isoformat(),
                        "factor": rounded(event.factor),
                    }
                    for tool, events in noted.tool_events.items()
                    for event in events
                ],
                "context": context_of(noted.port, context.known_exploited, analysis.days[-1]),
            }
        )
    return rows


def _lineage(context: ReportContext) -> dict[str, Any]:
    """Summarise ``lineage.json``: its digest, and how many inputs of each kind it names."""
    sizes = {
        name: len(value) for name, value in sorted(context.lineage.items()) if isinstance(value, list | tuple | dict)
    }
    return {
        "file": "lineage.json",
        "sha256": sha256_of(encode_lineage(context)),
        "code_version": context.code_version,
        "inputs": sizes,
    }


def encode_lineage(context: ReportContext) -> bytes:
    """Return ``lineage.json``: the lineage as it was given, with the code's version."""
    return canonical_json({"code_version": context.code_version, **context.lineage}) + b"\n"


def instant_text(instant: datetime) -> str:
    """Return an instant as ``2023-04-14T01:00:00Z``."""
    return instant.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def encode_document(document: dict[str, Any]) -> bytes:
    """Return the document as JSON, the same bytes for the same content."""
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


@cache
def load_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of ``report.json``."""
    text = files("tsubame.report").joinpath("schema", "report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def validate_document(document: dict[str, Any]) -> None:
    """Refuse a document that its schema does not allow.

    Raises:
        SchemaMismatch: names the first place that is wrong.
    """
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(load_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.absolute_path))):
        place = "/".join(map(str, error.absolute_path)) or "the whole"
        raise SchemaMismatch(
            f"report.json does not follow its schema in {place}",
            key=str(document.get("quarter")),
            actual=error.message[:200],
        )
