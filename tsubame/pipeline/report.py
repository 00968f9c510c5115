"""Counts -> edition: gather a quarter, analyse it, validate it, publish it.

Validation and publication are two calls, so that a refusal shows where it happened. The verdict is kept in the
lake with a digest of all that it was reached on; publication takes only a verdict of the very same inputs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tsubame.capture.accounting import Accounting
from tsubame.errors import NotReady, Rejected
from tsubame.keys import REGISTRIES
from tsubame.periods import Quarter
from tsubame.pipeline.cluster import Progress, connect, merge_tree, silent, spread
from tsubame.pipeline.counts import DayRecord, days_with_flows, pinned_day, plan_counts, read_day, read_records
from tsubame.pipeline.delegations import open_archive
from tsubame.pipeline.inventory import read_registry
from tsubame.pipeline.quarter import has_data, require_over
from tsubame.provenance import code_version, digest_of
from tsubame.regions.moves import Move
from tsubame.sensors import SensorRegistry
from tsubame.settings import Settings
from tsubame.simulate.truth import TRUTH
from tsubame.stores import Store

if TYPE_CHECKING:
    from tsubame.analysis.cubes import Cube
    from tsubame.analysis.results import QuarterAnalysis
    from tsubame.analysis.series import SensorFacts
    from tsubame.report.context import ReportContext
    from tsubame.validation.frames import ValidationFrames

STAGE = "counts → analysis"

SIMULATED = (
    "このレポートは、模擬的に生成したデータから作成したものです。実際の観測結果ではありません。",
    "This report was made from simulated data. It describes no real observation.",
)


@dataclass(frozen=True, slots=True)
class Gathered:
    """A quarter's inputs and what the analysis makes of them.

    Attributes:
        digest: names every input of the analysis and of the report.
        records: the ledger of the quarter's days, in order.
    """

    quarter: Quarter
    digest: str
    registry: SensorRegistry
    records: tuple[DayRecord, ...]
    sensors: tuple[SensorFacts, ...]
    moves: tuple[Move, ...]
    cube: Cube
    analysis: QuarterAnalysis


@dataclass(frozen=True, slots=True)
class EditionSummary:
    """Which edition is served now, and whether this call made it."""

    quarter: Quarter
    edition: int
    url: str
    created: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-ready values."""
        return {"quarter": str(self.quarter), "edition": self.edition, "url": self.url, "created": self.created}


def gather_quarter(settings: Settings, quarter: Quarter, *, now: datetime, progress: Progress = silent) -> Gathered:
    """Read a quarter's counts, and those of the one before when there are enough, and analyse them.

    Raises:
        NotReady: the quarter is not over, or some of its days are not counted or stale.
        Unavailable: a store or the cluster does not answer.
    """
    from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
    from tsubame.analysis.series import sensor_facts

    require_over(quarter, settings, now)
    registry = read_registry(settings)
    records = _current_records(settings, quarter)
    before = _current_records(settings, quarter.previous) if has_data(settings, quarter.previous) else ()
    moves = _moves_of(settings, quarter)
    domestic = tuple(sensor.sensor_id for sensor in registry if sensor.domestic)
    blocks = tuple(sorted({(move.first, move.last) for move in moves}))
    tasks = [
        _CubeTask(settings, record.day, domestic, blocks if record.day in quarter.days else ())
        for record in (*before, *records)
    ]
    with connect() as client:
        cubes = {
            which: merge_tree(
                (cube for _, cube in spread(client, _cube_of, part, stage=STAGE, progress=progress)), _merge
            )
            for which, part in ((quarter.previous, tasks[: len(before)]), (quarter, tasks[len(before) :]))
        }
    current = cubes[quarter]
    if current is None:
        raise NotReady("no day is counted", key=str(quarter), hint=f"Run `tsubame run {quarter}`.")
    facts = sensor_facts(registry)
    inputs = QuarterInputs(quarter, facts, current, cubes[quarter.previous], moves)
    digest = digest_of(
        {
            "days": [record.counts_sha256 for record in (*before, *records)],
            "ledger": [record.digest for record in (*before, *records)],
            "sensors": [str(fact) for fact in facts],
            "moves": [str(move) for move in moves],
            "code": code_version(),
        }
    )
    return Gathered(quarter, digest, registry, records, facts, moves, current, analyse_quarter(inputs))


@dataclass(frozen=True, slots=True)
class _CubeTask:
    settings: Settings
    day: date
    domestic: tuple[str, ...]
    blocks: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return f"counts of {self.day}"


def _cube_of(task: _CubeTask) -> Cube:
    from tsubame.analysis.cubes import day_cube

    counts, sources = read_day(task.settings, task.day)
    return day_cube(task.day, counts, sources, task.domestic, task.blocks)


def _merge(a: Cube, b: Cube) -> Cube:
    from tsubame.analysis.cubes import merge_cubes

    return merge_cubes(a, b)


def _current_records(settings: Settings, quarter: Quarter) -> tuple[DayRecord, ...]:
    """Return the ledger of a quarter's days, all counted from what is there now.

    Raises:
        NotReady: some are not.
    """
    if not days_with_flows(settings, quarter.first_day, quarter.last_day):
        raise NotReady(
            "no capture has a packet of this quarter", key=str(quarter), hint=f"Run `tsubame run {quarter}`."
        )
    stale, _ = plan_counts(settings, quarter.first_day, quarter.last_day)
    if stale:
        raise NotReady(
            f"{len(stale)} of {len(quarter.days)} days are not counted or stale, the first {stale[0].day}",
            key=str(quarter),
            hint=f"Run `tsubame run {quarter}`, or `tsubame count --from {quarter.first_day} --to {quarter.last_day}`.",
        )
    records = read_records(settings, quarter.first_day, quarter.last_day)
    return tuple(records[day] for day in quarter.days)


def _moves_of(settings: Settings, quarter: Quarter) -> tuple[Move, ...]:
    """Return the moves between the delegations in use on the quarter's days."""
    archive = open_archive(settings)
    return archive.moves(pinned_day(archive, quarter.first_day), quarter.last_day)


def validate_quarter(
    settings: Settings, quarter: Quarter, *, now: datetime, progress: Progress = silent
) -> dict[str, Any]:
    """Run the suites on a quarter, keep the verdict and the Data Docs in the lake, and return the verdict.

    Raises:
        Rejected: a critical expectation failed; the verdict is kept all the same.
        NotReady: the quarter is not over, or some of its days are not counted or stale.
        Unavailable: a store or the cluster does not answer.
    """
    from tsubame.validation.quarter import validate_quarter as validate

    gathered = gather_quarter(settings, quarter, now=now, progress=progress)
    progress("validation", 0, 1)
    with TemporaryDirectory(prefix="tsubame-data-docs-") as folder:
        verdict = validate(_frames(gathered), docs_dir=Path(folder))
        docs = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file()
        }
    lake, kept = Store(settings.lake_url), {"inputs": gathered.digest, "verdict": verdict.as_dict()}
    lake.delete(_verdict_key(quarter))
    for old in list(lake.list(_docs_prefix(quarter))):
        if old.key.removeprefix(_docs_prefix(quarter)) not in docs:
            lake.delete(old.key)
    for path, content in docs.items():
        lake.put(_docs_prefix(quarter) + path, content)
    lake.put(_verdict_key(quarter), json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True).encode())
    progress("validation", 1, 1)
    if verdict.refused:
        raise _refusal(quarter, verdict.as_dict())
    return verdict.as_dict()


def publish_quarter(
    settings: Settings, quarter: Quarter, *, now: datetime, progress: Progress = silent
) -> EditionSummary:
    """Render a validated quarter and publish it, unless the served edition already says the same.

    Raises:
        Rejected: validation refused it, or a file would give a sensor's address away.
        NotReady: it has not been validated as it stands now.
        Unavailable: a store or the cluster does not answer; the old edition stays served.
    """
    from tsubame.publish.editions import build_edition, publish_edition

    gathered = gather_quarter(settings, quarter, now=now, progress=progress)
    lake = Store(settings.lake_url)
    kept = json.loads(lake.read(_verdict_key(quarter))) if lake.exists(_verdict_key(quarter)) else {}
    if kept.get("inputs") != gathered.digest:
        raise NotReady(
            "has not been validated as it stands now", key=str(quarter), hint=f"Run `tsubame report {quarter}`."
        )
    if kept["verdict"]["refused"]:
        raise _refusal(quarter, kept["verdict"])
    prefix = _docs_prefix(quarter)
    docs = {info.key.removeprefix(prefix): lake.read(info.key) for info in lake.list(prefix)}
    progress("edition", 0, 1)
    edition = build_edition(
        gathered.analysis,
        _context(settings, gathered, kept["verdict"], docs, now),
        networks=[sensor.network for sensor in gathered.registry],
    )
    published = publish_edition(Store(settings.site_url), quarter, edition.files, created_at=now)
    progress("edition", 1, 1)
    return EditionSummary(quarter, published.edition, published.url, published.created)


def _verdict_key(quarter: Quarter) -> str:
    return f"validation/{quarter}/verdict.json"


def _docs_prefix(quarter: Quarter) -> str:
    return f"validation/{quarter}/docs/"


def _refusal(quarter: Quarter, verdict: dict[str, Any]) -> Rejected:
    return Rejected(
        verdict["summary"],
        key=str(quarter),
        verdict=verdict,
        hint="Nothing was published; the Data Docs are in the lake below " + _docs_prefix(quarter),
    )


def _frames(gathered: Gathered) -> ValidationFrames:
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
        moves=gathered.moves,
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


def _context(
    settings: Settings, gathered: Gathered, verdict: dict[str, Any], docs: dict[str, bytes], now: datetime
) -> ReportContext:
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
        lineage=_lineage(settings, gathered, captures),
        snapshots=SnapshotUse(
            used=tuple(sorted({key for _, snapshot in snapshots for key in snapshot["files"]})),
            carried_forward=carried,
            held_back=tuple(HeldBack(key, reason) for key, reason in sorted(_held_back(snapshots).items())),
        ),
        damaged=tuple(DamagedCapture(key, text) for key, (_, part) in captures.items() if (text := part.damage())),
        code_version=code_version(),
        data_docs=docs,
        # What `tsubame simulate` leaves beside its captures; what it says is for tests, that it is there is for all.
        notice=SIMULATED if Store(settings.captures_url).exists(TRUTH) else None,
    )


def _held_back(snapshots: list[tuple[date, dict[str, Any]]]) -> dict[str, str]:
    """Return what was not used of which delegation file, and why."""
    reasons: dict[str, str] = {}
    addresses: Counter[tuple[str, str, str, str]] = Counter()
    for _, snapshot in snapshots:
        reasons |= {refused["key"]: refused["reason"] for refused in snapshot["refused"]}
        for held in snapshot["held"]:
            key = (held["registry"], held["file_day"], held["region"], held["contradicted"])
            addresses[key] = max(addresses[key], held["addresses"])
    for (registry, day, region, contradicted), number in sorted(addresses.items()):
        name = f"{registry} {day}"
        text = f"{number} addresses of {region} given to {contradicted}, contradicted by its neighbours"
        reasons[name] = f"{reasons[name]}; {text}" if name in reasons else text
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
