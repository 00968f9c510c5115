"""The report's tables as rows of plain values, the same for JSON, CSV and pages."""

from __future__ import annotations

from typing import Any

from tsubame.analysis.results import QuarterAnalysis, RankedPort, RankedRegion
from tsubame.report.cutoffs import PORT_CUTOFF, PRINTED_RANKS, REGION_CUTOFF
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


def sensor_event_rows(analysis: QuarterAnalysis) -> list[dict[str, Any]]:
    """Return of the first ports and regions how many sensors have each of their events in their own series."""
    rows = []
    for key, found in analysis.seen_by_sensors.items():
        port, region = (None, key) if isinstance(key, str) else (key, None)
        events = analysis.region_events[region] if region is not None else analysis.port_events[port or (0, None)]
        rows.append(
            {
                "protocol": None if port is None else port[0],
                "port": None if port is None else port[1],
                "region": region,
                "sensors": found.sensors,
                "events": [
                    {"kind": event.kind, "onset": event.onset.isoformat(), "sensors": count}
                    for event, count in zip(events, found.of_event, strict=True)
                ],
                "alone": found.alone,
            }
        )
    return rows


def common_rows(analysis: QuarterAnalysis) -> dict[str, Any] | None:
    """Return the ranks on common sensors, as ``report.json`` writes them; None where the sensors did not change."""
    common = analysis.common
    if common is None:
        return None
    return {
        "sensors": common.sensors,
        "added": common.added,
        "removed": common.removed,
        "ports": [
            {"protocol": protocol, "port": port, "rank": rank, "previous_rank": previous}
            for (protocol, port), (rank, previous) in common.ports.items()
        ],
        "regions": [
            {"region": region, "rank": rank, "previous_rank": previous}
            for region, (rank, previous) in common.regions.items()
        ],
    }
