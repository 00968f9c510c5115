"""Analyses to render: the 2023Q1 edition in realistic numbers, and other editions' tables as layout fixtures.

Series are drawn from a fixed seed; packets, means, ranks and growth agree with them. No test reads a result of the
analysis package from here: these are inputs of rendering.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np

from tsubame.analysis import results
from tsubame.analysis.results import (
    DailySeries,
    MovedBlockEffect,
    QuarterAnalysis,
    RankedPort,
    RankedRegion,
    Ratio,
    Reassignment,
    SensorSummary,
)
from tsubame.periods import Quarter, Window
from tsubame.report.context import (
    CarriedForward,
    DamagedCapture,
    HeldBack,
    ReportContext,
    SnapshotUse,
    SuiteOutcome,
)

SENSORS = 20
TCP, UDP, ICMP = 6, 17, 1

# Top ports and regions (label, previous rank) of published editions; those beyond the table's cut-off as None + number.
EDITIONS: dict[str, tuple[list[tuple[int, int | None, int | None]], list[tuple[str, int | None]]]] = {
    "2015Q4": (
        [(TCP, 23, 1), (ICMP, None, 4), (UDP, 53413, 14), (TCP, 445, 2), (TCP, 1433, 3)],
        [("CN", 1), ("US", 2), ("TW", 3), ("RU", 7), ("KR", 8)],
    ),
    "2019Q2": (
        [(TCP, 23, 1), (TCP, 445, 2), (TCP, 37215, 31), (TCP, 22, 5), (TCP, 80, 6)],
        [("RU", 1), ("US", 2), ("CN", 3), ("NL", 4), ("TW", 12)],
    ),
    "2019Q3": (
        [(TCP, 23, 1), (TCP, 445, 2), (TCP, 22, 4), (TCP, 37215, 3), (TCP, 80, 5)],
        [("NL", 4), ("RU", 1), ("US", 2), ("CN", 3), ("TW", 5)],
    ),
    "2021Q4": (
        [(TCP, 6379, 2), (TCP, 23, 1), (TCP, 22, 3), (TCP, 445, 4), (TCP, 443, 6)],
        [("US", 1), ("CN", 2), ("RU", 3), ("NL", 4), ("GB", 5)],
    ),
    "2025Q2": (
        [(TCP, 23, 1), (TCP, 80, 3), (TCP, 443, 4), (TCP, 8728, 2), (TCP, 22, 5)],
        [("US", 1), ("BG", 2), ("CN", 3), ("NL", 5), ("CA", 9)],
    ),
}


def _window(first: date, count: int) -> Window:
    return Window(first, first + timedelta(days=count - 1))


def _series(days: tuple[date, ...], means: np.ndarray, rng: np.random.Generator, down: tuple[int, ...]) -> DailySeries:
    packets: list[int | None] = []
    for place, mean in enumerate(means * SENSORS):
        noisy = rng.negative_binomial(400, 400 / (400 + mean))
        packets.append(None if place in down else int(noisy))
    return DailySeries(days, tuple(packets), tuple(None if value is None else value / SENSORS for value in packets))


def _growth(series: DailySeries) -> Ratio:
    values = [value for value in series.per_sensor if value is not None]
    ratio = sum(values[-10:]) / sum(values[:10])
    days = series.days
    return Ratio(
        ratio,
        (ratio * 0.94, ratio * 1.06),
        Window(days[-10], days[-1]),
        Window(days[0], days[9]),
        "mean of the last 10 days / mean of the first 10 days",
    )


def _total(series: DailySeries) -> int:
    return sum(value or 0 for value in series.packets)


def ramp(days: int, first: float, last: float) -> np.ndarray:
    return np.linspace(first, last, days)


def make_analysis(
    quarter: Quarter,
    ports: list[tuple[int, int | None, int | None]],
    regions: list[tuple[str, int | None]],
    *,
    port_means: dict[tuple[int, int | None], np.ndarray] | None = None,
    region_means: dict[str, np.ndarray] | None = None,
    pinned_means: dict[str, np.ndarray] | None = None,
    down: tuple[int, ...] = (),
    reassignments: tuple[Reassignment, ...] = (),
    previous: bool = True,
) -> QuarterAnalysis:
    rng = np.random.default_rng(20230101)
    days = quarter.days
    flat = [np.full(len(days), level) for level in (420.0, 150.0, 110.0, 95.0, 80.0, 60.0, 50.0)]
    ports_of = port_means or {(protocol, port): flat[i] for i, (protocol, port, _) in enumerate(ports)}
    regions_of = region_means or {region: flat[i] for i, (region, _) in enumerate(regions)}
    port_series = {key: _series(days, means, rng, down) for key, means in ports_of.items()}
    region_series = {key: _series(days, means, rng, down) for key, means in regions_of.items()}
    pinned = dict(region_series)
    pinned |= {key: _series(days, means, rng, down) for key, means in (pinned_means or {}).items()}
    up = SENSORS * (len(days) - len(down))
    coverage = {
        f"jp-{n:02d}": "".join(
            "d" if place in down or (n == 7 and 40 <= place < 46) else "u" for place in range(len(days))
        )
        for n in range(1, SENSORS + 1)
    }
    coverage |= {f"us-{n:02d}": "-" * 30 + "u" * (len(days) - 30) for n in range(1, 4)}
    return QuarterAnalysis(
        quarter=quarter,
        days=days,
        sensors=SensorSummary(SENSORS, 3, 23 * len(days) - 90, 23 * len(days) - 96, up - 6, coverage),
        ports=tuple(
            RankedPort(
                rank,
                protocol,
                port,
                _total(port_series[protocol, port]),
                _total(port_series[protocol, port]) / up,
                90_000 // rank + 17,
                before if previous else None,
                (rank, rank if rank < 4 else 5),
                rank == 4,
            )
            for rank, (protocol, port, before) in enumerate(ports, 1)
        ),
        regions=tuple(
            RankedRegion(
                rank,
                region,
                _total(region_series[region]),
                _total(region_series[region]) / up,
                60_000 // rank + 5,
                before if previous else None,
                (rank, rank),
                False,
            )
            for rank, (region, before) in enumerate(regions, 1)
        ),
        port_series=port_series,
        region_series=region_series,
        region_series_pinned=pinned,
        growth_ports={key: _growth(series) for key, series in port_series.items()},
        growth_regions={key: _growth(series) for key, series in region_series.items()},
        reassignments=reassignments,
        previous=quarter.previous if previous else None,
    )


def gb_to_nl(verdict: str = results.EXPLAINED) -> Reassignment:
    before, after = _window(date(2023, 1, 11), 10), _window(date(2023, 1, 24), 10)
    blocks = (
        ("80.82.64.0/20", 4096),
        ("89.248.160.0/20", 4096),
        ("93.174.88.0/21", 2048),
        ("94.102.48.0/20", 4096),
        ("185.216.140.0/22", 1024),
        ("194.61.16.0/21", 2048),
    )

    def ratio(value: float, low: float, high: float) -> Ratio:
        return Ratio(value, (low, high), after, before, "mean of the 10 days after / mean of the 10 days before")

    return Reassignment(
        "GB",
        "NL",
        date(2023, 1, 21),
        before,
        after,
        tuple(
            MovedBlockEffect(
                cidr,
                addresses,
                "a76eb471",
                date(2023, 1, 23 if cidr.startswith("194") else 21),
                10 * addresses,
                10 * addresses + 33,
            )
            for cidr, addresses in blocks
        ),
        ratio(8.04, 7.3, 8.8),
        ratio(1.02, 0.93, 1.11),
        ratio(0.37, 0.33, 0.41),
        ratio(1.01, 0.95, 1.07),
        0.99,
        (0.96, 1.02),
        verdict,
    )


def analysis_2023q1(**changes: object) -> QuarterAnalysis:
    n = 90
    day = np.arange(n)
    bump = np.where((day >= 56) & (day < 66), 60.0, 0.0)
    huawei = 72 + np.clip((day - 17) * 0.6, 0, 24) + bump
    moved = 95.0
    step = (day >= 20).astype(float)
    nl, gb = np.full(n, 15.0), np.full(n, 60.0)
    arguments: dict[str, object] = {
        "port_means": {
            (TCP, 23): 420 + 40 * np.sin(day / 6),
            (TCP, 6379): ramp(n, 130, 155),
            (TCP, 37215): huawei,
            (TCP, 22): np.full(n, 84.0),
            (TCP, 80): np.full(n, 80.0),
            (TCP, 445): np.full(n, 60.0),
            (TCP, 443): np.full(n, 55.0),
        },
        "region_means": {
            "US": np.full(n, 330.0) + 20 * np.sin(day / 9),
            "CN": ramp(n, 115, 175),
            "NL": nl + moved * step,
            "RU": np.full(n, 86.0),
            "GB": gb + moved * (1 - step),
        },
        "pinned_means": {"NL": nl, "GB": gb + moved},
        "down": (33, 34),
        "reassignments": (gb_to_nl(),),
    }
    return make_analysis(
        Quarter(2023, 1),
        [
            (TCP, 23, 1),
            (TCP, 6379, 2),
            (TCP, 37215, 7),
            (TCP, 22, 4),
            (TCP, 80, 5),
            (TCP, 445, 3),
            (TCP, 443, 6),
        ],
        [("US", 1), ("CN", 4), ("NL", 6), ("RU", 2), ("GB", 3)],
        **{**arguments, **changes},  # type: ignore[arg-type]
    )


def analysis_of(edition: str) -> QuarterAnalysis:
    ports, regions = EDITIONS[edition]
    return make_analysis(Quarter.parse(edition), ports, regions)


def make_context(**changes: object) -> ReportContext:
    arguments: dict[str, object] = {
        "created_at": datetime(2023, 4, 14, 1, 0, tzinfo=UTC),
        "timezone": "Asia/Tokyo",
        "accounting": {
            "records_read": 4_812_345,
            "packets_kept": 4_811_900,
            "not_ip": 120,
            "ipv6": 200,
            "truncated_header": 3,
            "bad_header": 12,
            "outside_sensor": 100,
            "damaged_record": 10,
            "truncated_tail": 1,
            "unread_bytes": 512,
        },
        "verdict": (
            SuiteOutcome("delegations", 12, 0),
            SuiteOutcome("counts", 20, 1, "warning", ("1日あたりのパケット数が前週の範囲外（2023-02-03）",)),
            SuiteOutcome("quarter", 8, 0),
        ),
        "notes": ("counts: packets of 2023-02-03 and 2023-02-04 are missing from every sensor",),
        "lineage": {
            "captures": [{"key": "jp-01/2023/01/01/a.pcap.gz", "etag": "9f", "size": 1234}],
            "delegations": [{"key": "20230101/delegated-apnic-extended-20230101", "etag": "ab", "size": 99}],
        },
        "snapshots": SnapshotUse(
            ("20230101/delegated-apnic-extended-20230101",),
            (CarriedForward(date(2023, 2, 11), "ripencc", date(2023, 2, 10)),),
            (HeldBack("20230126/delegated-ripencc-extended-20230126", "598,016 addresses for a day only"),),
        ),
        "damaged": (DamagedCapture("jp-03/2023/02/14/b.pcapng.gz", "truncated at byte 88,120"),),
        "code_version": "0.1.0+g0123456789ab",
        "data_docs": {"index.html": b"<!doctype html><title>Data Docs</title>"},
    }
    return ReportContext(**{**arguments, **changes})  # type: ignore[arg-type]
