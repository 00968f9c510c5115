"""What was gathered of a quarter -> what its suites look at, and what its report says beside the analysis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tsubame.capture.accounting import Accounting
from tsubame.errors import BadInput
from tsubame.keys import REGISTRIES, overlay_key
from tsubame.periods import Quarter
from tsubame.pipeline.ledger import DayRecord
from tsubame.provenance import code_version
from tsubame.settings import Settings
from tsubame.simulate.truth import TRUTH
from tsubame.stores import Store, split_object_url

if TYPE_CHECKING:
    from tsubame.pipeline.report import Gathered
    from tsubame.report.context import ReportContext
    from tsubame.report.overlay import Overlay
    from tsubame.report.port_context import KnownExploited
    from tsubame.validation.frames import ValidationFrames

SIMULATED = (
    "このレポートは、模擬的に生成したデータから作成したものです。実際の観測結果ではありません。",
    "This report was made from simulated data. It describes no real observation.",
)


def frames_of(gathered: Gathered) -> ValidationFrames:
    """Return what the suites look at."""
    from tsubame.validation.frames import ValidationFrames

    def delegations(record: DayRecord) -> Iterator[dict[str, Any]]:
        held = {item["registry"] for item in record.snapshot["held"]}
        for registry in REGISTRIES:
            found = record.snapshot["registries"].get(registry, {"snapshot_date": None})
            yield {"day": record.day, "registry": registry, "glitch": registry in held, **found}

    return ValidationFrames(
        sensors=gathered.sensors,
        current=gathered.cube,
        captures=[
            {"capture": key, "sensor_id": key.partition("/")[0], **part.as_dict()}
            for key, (_, part) in _by_capture(gathered.records).items()
        ],
        accounting_days=[{"day": record.day, **record.accounting.as_dict()} for record in gathered.records],
        delegations=[row for record in gathered.records for row in delegations(record)],
        # What moved before the quarter's first day, or on it, is pinned where it moved to.
        moves=[move for move in gathered.moves if move.first_seen > gathered.quarter.first_day],
        analysis=gathered.analysis,
    )


def _accounting(records: tuple[DayRecord, ...]) -> Accounting:
    total = Accounting()
    for record in records:
        total = total + record.accounting
    return total


def _by_capture(records: tuple[DayRecord, ...]) -> dict[str, tuple[dict[str, Any], Accounting]]:
    """Return, for each capture that bears on the days, what it is and its account over those days."""
    captures: dict[str, tuple[dict[str, Any], Accounting]] = {}
    for record in records:
        for item in record.captures:
            part = Accounting.from_dict(item["accounting"])
            held = captures.get(item["capture"])
            captures[item["capture"]] = (item, held[1] + part if held else part)
    return dict(sorted(captures.items()))


def context_of(
    settings: Settings, gathered: Gathered, verdict: dict[str, Any], docs: dict[str, bytes], now: datetime
) -> ReportContext:
    """Return what the report says beside its analysis."""
    from tsubame.report.context import CarriedForward, DamagedCapture, HeldBack, ReportContext, SnapshotUse

    captures = _by_capture(gathered.records)
    snapshots = [(record.day, record.snapshot) for record in gathered.records]
    carried = tuple(
        CarriedForward(day, registry, date.fromordinal(day.toordinal() - age))
        for day, snapshot in snapshots
        for registry, age in sorted(snapshot["carried_forward"].items())
    )
    return ReportContext(
        created_at=now,
        timezone=settings.timezone,
        accounting={k: v for k, v in _accounting(gathered.records).as_dict().items() if isinstance(v, int)},
        verdict=verdict,
        notes=tuple(verdict["notes"]),
        notes_ja=tuple(verdict.get("notes_ja", ())),
        lineage=_lineage(settings, gathered, captures),
        snapshots=SnapshotUse(
            used=tuple(sorted({key for _, snapshot in snapshots for key in snapshot["files"]})),
            carried_forward=carried,
            held_back=tuple(HeldBack(key, *said) for key, said in sorted(held_back([s for _, s in snapshots]).items())),
        ),
        damaged=tuple(DamagedCapture(key, text) for key, (_, part) in captures.items() if (text := part.damage())),
        code_version=code_version(),
        data_docs=docs,
        # What `tsubame simulate` leaves beside its captures; what it says is for tests, that it is there is for all.
        publisher=settings.publisher,
        licence=settings.licence,
        overlay=_overlay(settings, gathered.quarter),
        known_exploited=_known_exploited(settings),
        notice=SIMULATED if Store(settings.captures_url).exists(TRUTH) else None,
    )


def _known_exploited(settings: Settings) -> KnownExploited:
    """Return CISA's KEV list; nothing where none is named."""
    from tsubame.report.port_context import read_kev

    if not settings.kev_url:
        return {}
    store, name = split_object_url(settings.kev_url)
    if not store.exists(name):
        raise BadInput("the KEV list does not exist", key=settings.kev_url, hint="Unset TSUBAME_KEV_URL, or fetch it.")
    return read_kev(store.read(name), key=settings.kev_url)


def _overlay(settings: Settings, quarter: Quarter) -> Overlay:
    """Return what an analyst changed in the quarter's words; nothing where there is no overlay."""
    from tsubame.report.overlay import NO_OVERLAY, parse_overlay

    lake, key = Store(settings.lake_url), overlay_key(quarter)
    return parse_overlay(lake.read(key), key=lake.locate(key)) if lake.exists(key) else NO_OVERLAY


def held_back(snapshots: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Return what was not used of which delegation file, and why, in English and in Japanese.

    Args:
        snapshots: as ``counts.describe_snapshot`` makes them, one a day.
    """
    refused: dict[str, str] = {}
    addresses: dict[tuple[str, str, str, str], int] = {}
    for snapshot in snapshots:
        refused |= {entry["key"]: entry["reason"] for entry in snapshot["refused"]}
        of_day: Counter[tuple[str, str, str, str]] = Counter()
        for held in snapshot["held"]:
            of_day[held["registry"], held["file_day"], held["region"], held["contradicted"]] += held["addresses"]
        addresses |= {key: max(number, addresses.get(key, 0)) for key, number in of_day.items()}
    reasons = {key: (reason, f"検査に合格しなかったため不採用（{reason}）") for key, reason in refused.items()}
    for (registry, day, region, contradicted), number in sorted(addresses.items()):
        name = f"{registry} {day}"
        said = (
            f"{number:,} addresses of {region} given to {contradicted}, contradicted by its neighbours",
            f"{region}の{number:,}アドレスを{contradicted}とする記載が、前後の日の情報と矛盾するため不採用",
        )
        before = reasons.get(name)
        reasons[name] = (f"{before[0]}; {said[0]}", f"{before[1]}、{said[1]}") if before else said
    return reasons


def _lineage(
    settings: Settings, gathered: Gathered, captures: dict[str, tuple[dict[str, Any], Accounting]]
) -> dict[str, Any]:
    """Return what the numbers were made from.

    Neither fingerprints nor the ledger's digests: they are made from the sensors' addresses, too.
    """
    return {
        "code_version": code_version(),
        "timezone": settings.timezone,
        "previous_quarter": str(gathered.analysis.previous) if gathered.analysis.previous else None,
        "sensors": [
            {
                "sensor_id": sensor.sensor_id,
                "country": sensor.country,
                "active_from": sensor.active_from.isoformat(),
                "active_to": sensor.active_to.isoformat() if sensor.active_to else None,
            }
            for sensor in gathered.registry
        ],
        "captures": [
            {"key": key, "sha256": item["sha256"], "size": item["size"], "accounting": part.as_dict()}
            for key, (item, part) in captures.items()
        ],
        "days": [
            {
                "day": record.day.isoformat(),
                "counts_sha256": record.counts_sha256,
                "delegations": record.snapshot["files"],
                "regions_digest": record.snapshot["digest"],
            }
            for record in gathered.records
        ],
    }
