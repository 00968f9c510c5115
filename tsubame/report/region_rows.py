"""Reassignments, all other moves of a quarter, and steps of regions, as rows of plain values for ``report.json``."""

from __future__ import annotations

from typing import Any

from tsubame.analysis.results import Event, Evidence, Interval, QuarterAnalysis, Reassignment, RegionStep
from tsubame.report.claims import english_in_sentence
from tsubame.report.names import region_name
from tsubame.report.reassigned import reassigned_days, say_reasons
from tsubame.report.tables import rounded

LARGEST_MOVES = 50
"""Groups of moves without a marked effect that are named in ``report.json``; the open data has them all."""


def reassignment_rows(analysis: QuarterAnalysis) -> list[dict[str, Any]]:
    """Return every reassignment that matters, as the contract's ``reassignments``, with what its verdict rests on."""
    return [_reassignment(item) for item in analysis.reassignments]


def _reassignment(item: Reassignment) -> dict[str, Any]:
    names = {
        region: (region_name(region, "ja"), english_in_sentence(region))
        for region in (item.from_region, item.to_region)
    }
    reasons = say_reasons(item, names)
    return {
        "from": item.from_region,
        "to": item.to_region,
        "date": item.date.isoformat(),
        "last": reassigned_days(item)[1].isoformat(),
        "reference": None if item.reference is None else item.reference.isoformat(),
        "windows": [item.before.as_text(), item.after.as_text()],
        "shortened_for": [day.isoformat() for day in item.shortened_for],
        "blocks": [
            {
                "cidr": block.cidr,
                "addresses": block.addresses,
                "holder": block.holder,
                "first_seen": block.first_seen.isoformat(),
                "packets_before": block.packets_before,
                "packets_after": block.packets_after,
            }
            for block in item.blocks
        ],
        "ratio_observed": rounded(item.observed.value),
        "ratio_observed_interval": _ends(item.observed.interval),
        "ratio_pinned": rounded(item.pinned.value),
        "ratio_pinned_interval": _ends(item.pinned.interval),
        "ratio_observed_from": rounded(item.observed_from.value),
        "ratio_pinned_from": rounded(item.pinned_from.value),
        "effect": rounded(item.effect),
        "change": rounded(item.delta),
        "share": rounded(item.share),
        "share_interval": _ends(item.share_interval),
        "share_from": rounded(item.share_from),
        "share_from_interval": _ends(item.share_from_interval),
        "verdict": item.verdict,
        "conditions": None if item.evidence is None else _conditions(item.evidence),
        "reasons_ja": [ja for ja, _ in reasons],
        "reasons_en": [en for _, en in reasons],
        "formula": item.observed.formula,
    }


def _conditions(evidence: Evidence) -> dict[str, Any]:
    return {
        "share": evidence.share,
        "alone": evidence.alone,
        "timely": evidence.timely,
        "own_events": [{"region": region, **_event(event)} for region, event in evidence.own_events],
        "shift": None if evidence.shift is None else _event(evidence.shift),
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "onset": event.onset.isoformat(),
        "onset_interval": [day.isoformat() for day in event.onset_interval],
        "end": None if event.end is None else event.end.isoformat(),
        "factor": rounded(event.factor),
        "ratio": None if event.ratio is None else rounded(event.ratio.value),
    }


def step_rows(analysis: QuarterAnalysis) -> list[dict[str, Any]]:
    """Return the lasting changes of the first regions, each with its verdict."""
    return [_step(step) for step in analysis.region_steps]


def _step(step: RegionStep) -> dict[str, Any]:
    return {
        "region": step.region,
        "name_ja": region_name(step.region, "ja"),
        "name_en": region_name(step.region, "en"),
        **_event(step.event),
        "pinned_onset": None if step.own is None else step.own.onset.isoformat(),
        "verdict": step.verdict,
        "reassignments": [
            {"from": source, "to": target, "date": day.isoformat()} for source, target, day in step.reassignments
        ],
        "blocks_near": step.blocks_near,
        "moved_share": rounded(step.moved_share),
    }


def move_rows(analysis: QuarterAnalysis) -> dict[str, Any]:
    """Return how much moved in the quarter, and the largest of the groups that do not matter."""
    every = (*analysis.reassignments, *analysis.minor_reassignments)
    minor = sorted(
        analysis.minor_reassignments,
        key=lambda item: (-item.effect, -_addresses(item), item.date, item.from_region, item.to_region),
    )
    return {
        "groups": len(every),
        "blocks": sum(len(item.blocks) for item in every),
        "addresses": sum(map(_addresses, every)),
        "minor": [
            {
                "from": item.from_region,
                "to": item.to_region,
                "date": item.date.isoformat(),
                "blocks": len(item.blocks),
                "cidr": item.blocks[0].cidr,
                "addresses": _addresses(item),
                "packets_before": sum(block.packets_before for block in item.blocks),
                "packets_after": sum(block.packets_after for block in item.blocks),
                "effect": rounded(item.effect),
                "share": rounded(item.share),
                "verdict": item.verdict,
            }
            for item in minor[:LARGEST_MOVES]
        ],
    }


def _addresses(item: Reassignment) -> int:
    return sum(block.addresses for block in item.blocks)


def _ends(interval: Interval | None) -> list[float | None] | None:
    return None if interval is None else [rounded(end) for end in interval]
