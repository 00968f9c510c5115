"""Counts -> edition: gather a quarter, analyse it, validate it, publish it.

Validation and publication are two calls, so that a refusal shows where it happened. The verdict is kept in the
lake with a digest of all that it was reached on; publication takes only a verdict of the very same inputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tsubame.errors import NotReady, Rejected
from tsubame.keys import verdict_key
from tsubame.periods import ONE_DAY, Quarter
from tsubame.pipeline.approval import APPROVED, read_decision
from tsubame.pipeline.checked import encode_results, results_key
from tsubame.pipeline.cluster import Progress, connect, merge_tree, silent, spread
from tsubame.pipeline.context import context_of, frames_of
from tsubame.pipeline.counts import days_with_flows, pinned_day, plan_counts, recount_days
from tsubame.pipeline.delegations import open_archive
from tsubame.pipeline.freshness import basis_of, keep_basis, last_given
from tsubame.pipeline.inventory import read_registry
from tsubame.pipeline.ledger import DamagedDays, DayRecord, read_day, read_records, refuse_damaged
from tsubame.pipeline.quarter import has_data, lead_days, require_over
from tsubame.provenance import code_version, digest_of
from tsubame.regions.moves import Move
from tsubame.sensors import DOMESTIC_COUNTRY, SensorRegistry
from tsubame.settings import Settings
from tsubame.stores import Store

if TYPE_CHECKING:
    from tsubame.analysis.cubes import Cube
    from tsubame.analysis.results import QuarterAnalysis
    from tsubame.analysis.series import SensorFacts

STAGE = "counts → analysis"


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

    Days that are not what was counted are counted again first.

    Raises:
        NotReady: the quarter is not over, or some of its days are not counted or stale.
        Unavailable: a store or the cluster does not answer.
    """
    try:
        return _gather(settings, quarter, now, progress)
    except DamagedDays as damaged:
        recount_days(settings, damaged.days, progress=progress)
        return _gather(settings, quarter, now, progress)


def _gather(settings: Settings, quarter: Quarter, now: datetime, progress: Progress) -> Gathered:
    from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
    from tsubame.analysis.series import sensor_facts

    require_over(quarter, settings, now)
    registry = read_registry(settings)
    records = _current_records(settings, quarter)
    before = _current_records(settings, quarter.previous) if has_data(settings, quarter.previous) else ()
    leading = lead_days(settings, quarter)
    lead = _current_records(settings, quarter, leading)
    moves = _moves_of(settings, quarter, leading)
    domestic = tuple(sensor.sensor_id for sensor in registry if sensor.domestic)
    blocks = tuple(sorted({(move.first, move.last) for move in moves}))
    # The lead is read apart: it needs the moved blocks, which the whole quarter before does not.
    parts = [
        [_CubeTask(settings, record, domestic, cut) for record in part]
        for part, cut in ((before, ()), (lead, blocks), (records, blocks))
    ]
    with connect() as client:
        previous, leading_cube, current = (_merged_cube(client, settings, part, progress) for part in parts)
    if current is None:
        raise NotReady("no day is counted", key=str(quarter), hint=f"Run `tsubame run {quarter}`.")
    facts = sensor_facts(registry)
    inputs = QuarterInputs(quarter, facts, current, previous, moves, lead=leading_cube)
    digest = digest_of(
        {
            "days": [record.counts_sha256 for record in (*before, *lead, *records)],
            "ledger": [record.digest for record in (*before, *lead, *records)],
            "sensors": [str(fact) for fact in facts],
            "moves": [str(move) for move in moves],
            "code": code_version(),
        }
    )
    return Gathered(quarter, digest, registry, records, facts, moves, current, analyse_quarter(inputs))


@dataclass(frozen=True, slots=True)
class _CubeTask:
    settings: Settings
    record: DayRecord
    domestic: tuple[str, ...]
    blocks: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return f"counts of {self.record.day}"


def _merged_cube(client: Any, settings: Settings, tasks: list[_CubeTask], progress: Progress) -> Cube | None:
    damaged: list[date] = []

    def cubes() -> Iterator[Cube]:
        for task, cube in spread(client, _cube_of, tasks, stage=STAGE, progress=progress):
            if cube is None:
                damaged.append(task.record.day)
            else:
                yield cube

    merged = merge_tree(cubes(), _merge)
    refuse_damaged(settings, damaged)
    return merged


def _cube_of(task: _CubeTask) -> Cube | None:
    """Return a day's cube; None when its counts are not what was counted."""
    from tsubame.analysis.cubes import day_cube

    try:
        counts, sources = read_day(task.settings, task.record)
    except DamagedDays:
        return None
    return day_cube(task.record.day, counts, sources, task.domestic, task.blocks)


def _merge(a: Cube, b: Cube) -> Cube:
    from tsubame.analysis.cubes import merge_cubes

    return merge_cubes(a, b)


def _current_records(
    settings: Settings, quarter: Quarter, days: tuple[date, ...] | None = None
) -> tuple[DayRecord, ...]:
    """Return the ledger of a quarter's days, or of those that lead up to it, counted from what is there now.

    Raises:
        NotReady: some are not.
    """
    days = quarter.days if days is None else days
    if not days:
        return ()
    if not days_with_flows(settings, days[0], days[-1]):
        raise NotReady(
            "no capture has a packet of this quarter", key=str(quarter), hint=f"Run `tsubame run {quarter}`."
        )
    stale = [task for task in plan_counts(settings, days[0], days[-1])[0] if task.day in days]
    if stale:
        raise NotReady(
            f"{len(stale)} of {len(days)} days are not counted or stale, the first {stale[0].day}",
            key=str(quarter),
            hint=f"Run `tsubame run {quarter}`, or `tsubame count --from {days[0]} --to {days[-1]}`.",
        )
    records = read_records(settings, days[0], days[-1])
    return tuple(records[day] for day in days)


def _moves_of(settings: Settings, quarter: Quarter, leading: tuple[date, ...]) -> tuple[Move, ...]:
    """Return the moves between the delegations in use on the quarter's days and those that lead up to it.

    A move on the quarter's first day is one even where nothing was observed before, so that it can be told.
    """
    archive = open_archive(settings)
    before = min((*leading, quarter.first_day - ONE_DAY))
    begin = before if archive.covers(before) else pinned_day(archive, quarter.first_day)
    return archive.moves(begin, quarter.last_day)


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
        verdict = validate(frames_of(gathered), docs_dir=Path(folder))
        docs = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file()
        }
    lake, kept = Store(settings.lake_url), {"inputs": gathered.digest, "verdict": verdict.as_dict()}
    lake.delete(verdict_key(quarter))
    lake.put(results_key(quarter), encode_results(verdict.checks, gathered.digest))
    for old in list(lake.list(_docs_prefix(quarter))):
        if old.key.removeprefix(_docs_prefix(quarter)) not in docs:
            lake.delete(old.key)
    for path, content in docs.items():
        lake.put(_docs_prefix(quarter) + path, content)
    lake.put(verdict_key(quarter), json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True).encode())
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
    from tsubame.analysis.explore import build_explorer
    from tsubame.publish.editions import build_edition, publish_edition

    basis = basis_of(settings, quarter)
    gathered = gather_quarter(settings, quarter, now=now, progress=progress)
    lake = Store(settings.lake_url)
    kept = json.loads(lake.read(verdict_key(quarter))) if lake.exists(verdict_key(quarter)) else {}
    if kept.get("inputs") != gathered.digest:
        raise NotReady(
            "has not been validated as it stands now", key=str(quarter), hint=f"Run `tsubame report {quarter}`."
        )
    decision = read_decision(settings, quarter, gathered.digest) if kept["verdict"]["refused"] else None
    if kept["verdict"]["refused"] and (decision is None or decision.decision != APPROVED):
        raise _refusal(quarter, kept["verdict"])
    prefix = _docs_prefix(quarter)
    docs = {info.key.removeprefix(prefix): lake.read(info.key) for info in lake.list(prefix)}
    progress("edition", 0, 1)
    context = context_of(settings, gathered, kept["verdict"], docs, now)
    if decision is not None:
        context = replace(context, lineage={**context.lineage, "approval": decision.as_dict()})
    networks = [sensor.network for sensor in gathered.registry]
    edition = build_edition(
        gathered.analysis,
        context,
        networks=networks,
        explorer=build_explorer(gathered.cube, home=DOMESTIC_COUNTRY),
    )
    published = publish_edition(
        Store(settings.site_url), quarter, edition.files,
        created_at=now, networks=networks, given=last_given(settings, quarter),
    )  # fmt: skip
    keep_basis(settings, quarter, published.edition, basis)
    progress("edition", 1, 1)
    return EditionSummary(quarter, published.edition, published.url, published.created)


def _docs_prefix(quarter: Quarter) -> str:
    return f"validation/{quarter}/docs/"


def _refusal(quarter: Quarter, verdict: dict[str, Any]) -> Rejected:
    return Rejected(
        verdict["summary"],
        key=str(quarter),
        verdict=verdict,
        hint="Nothing was published; the Data Docs are in the lake below " + _docs_prefix(quarter),
    )
