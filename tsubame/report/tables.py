"""The report's tables as rows of plain values, the same for JSON, CSV and pages."""

from __future__ import annotations

from typing import Any

from tsubame.analysis.results import QuarterAnalysis, RankedPort, RankedRegion, Reassignment
from tsubame.report.claims import PORT_CUTOFF, PRINTED_RANKS, REGION_CUTOFF
from tsubame.report.names import port_label, region_name, service_name
from tsubame.report.narrative import previous_text

_DIGITS = 6
"""Decimals kept of means and ratios: far below their uncertainty, and the same text on every machine."""


def rounded(value: float | None) -> float | None:
    """Return a mean or ratio as it is written."""
    return None if value is None else round(value, _DIGITS)


def port_rows(analysis: QuarterAnalysis, ranks: int = PRINTED_RANKS) -> list[dict[str, Any]]:
    """Return the first ``ranks`` rows of the port table, as the contract's ``tables.ports``."""
    has_previous = analysis.previous is not None
    return [
        {
            "rank": row.rank,
            "protocol": row.protocol,
            "port": row.port,
            "service": service_name(row.protocol, row.port),
            "label": port_label(row.protocol, row.port),
            "label_en": port_label(row.protocol, row.port, "en"),
            **_figures(row),
            "previous_label": previous_text(row.previous_rank, PORT_CUTOFF, has_previous, "ja"),
            "previous_label_en": previous_text(row.previous_rank, PORT_CUTOFF, has_previous, "en"),
        }
        for row in analysis.ports[:ranks]
    ]


def region_rows(analysis: QuarterAnalysis, ranks: int = PRINTED_RANKS) -> list[dict[str, Any]]:
    """Return the first ``ranks`` rows of the region table, as the contract's ``tables.regions``."""
    has_previous = analysis.previous is not None
    return [
        {
            "rank": row.rank,
            "region": row.region,
            "name_ja": region_name(row.region, "ja"),
            "name_en": region_name(row.region, "en"),
            **_figures(row),
            "previous_label": previous_text(row.previous_rank, REGION_CUTOFF, has_previous, "ja"),
            "previous_label_en": previous_text(row.previous_rank, REGION_CUTOFF, has_previous, "en"),
        }
        for row in analysis.regions[:ranks]
    ]


def _figures(row: RankedPort | RankedRegion) -> dict[str, Any]:
    return {
        "packets": row.packets,
        "per_sensor_day": rounded(row.per_sensor_day),
        "sources": row.sources,
        "previous_rank": row.previous_rank,
        "rank_interval": list(row.rank_interval),
        "close_to_next": row.close_to_next,
    }


def reassignment_rows(analysis: QuarterAnalysis) -> list[dict[str, Any]]:
    """Return every reassignment tested, as the contract's ``reassignments``."""
    return [_reassignment_row(item) for item in analysis.reassignments]


def _reassignment_row(item: Reassignment) -> dict[str, Any]:
    def ends(interval: tuple[float, float] | None) -> list[float | None] | None:
        return None if interval is None else [rounded(end) for end in interval]

    return {
        "from": item.from_region,
        "to": item.to_region,
        "date": item.date.isoformat(),
        "windows": [item.before.as_text(), item.after.as_text()],
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
        "ratio_observed_interval": ends(item.observed.interval),
        "ratio_pinned": rounded(item.pinned.value),
        "ratio_pinned_interval": ends(item.pinned.interval),
        "ratio_observed_from": rounded(item.observed_from.value),
        "ratio_pinned_from": rounded(item.pinned_from.value),
        "share": rounded(item.share),
        "share_interval": ends(item.share_interval),
        "verdict": item.verdict,
        "formula": item.observed.formula,
    }
