"""Everything that a quarter's report states, from the merged cubes of two quarters and the moved blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsubame.analysis.by_sensor import SensorDays, events_by_sensor, with_largest_share
from tsubame.analysis.common import rank_on_common_sensors
from tsubame.analysis.cubes import Cube
from tsubame.analysis.decays import find_decays
from tsubame.analysis.episodes import as_episodes
from tsubame.analysis.events import THRESHOLD, TOP_THRESHOLD, detect_events
from tsubame.analysis.fluctuation import find_fluctuation
from tsubame.analysis.noted import find_noted
from tsubame.analysis.ranking import rank_ports, rank_regions
from tsubame.analysis.ratios import growth
from tsubame.analysis.reassignment import RegionEvents, find_reassignments
from tsubame.analysis.results import DailySeries, Event, QuarterAnalysis, RankedPort, RankedRegion, RegionEffect
from tsubame.analysis.series import (
    Exposure,
    RegionGrid,
    SensorFacts,
    build_exposure,
    build_region_grid,
    port_sensor_days,
    port_series,
    summarise_sensors,
)
from tsubame.analysis.steps import find_steps
from tsubame.analysis.threads import one_thread
from tsubame.analysis.timeline import MovedBlock, build_timeline
from tsubame.errors import NotReady
from tsubame.periods import Quarter

TOP_SERIES = 5
SERIES_RANKS = 10
"""Ports and regions that are given a daily series; a table shows at most as many."""


_Series = tuple[int, int | None] | str
"""A port, or a region."""


@dataclass(frozen=True, slots=True, eq=False)
class QuarterInputs:
    """What a quarter's analysis is made of.

    Attributes:
        sensors: every sensor of the registry, without addresses.
        current: the quarter's days, merged.
        previous: the days of the quarter before; None when there are none.
        moves: blocks that were delegated elsewhere in the quarter or the days of ``lead``; each must have
            been among the ``blocks`` that the current cube was made with.
        seed: of the resampling, joined with the quarter; equal inputs give equal results.
        lead: the last days of the quarter before, made with the same blocks; without them a move on the
            quarter's first day has nothing to be compared with.
    """

    quarter: Quarter
    sensors: tuple[SensorFacts, ...]
    current: Cube
    previous: Cube | None
    moves: Sequence[MovedBlock] = ()
    seed: int = 0
    lead: Cube | None = None


@dataclass(frozen=True, slots=True)
class _Ranks:
    ports: tuple[RankedPort, ...]
    regions: tuple[RankedRegion, ...]


@one_thread()
def analyse_quarter(inputs: QuarterInputs) -> QuarterAnalysis:
    """Rank, compare and explain.

    Raises:
        NotReady: no packet of any domestic sensor was kept in the quarter.
        ValueError: a cube is of another quarter than it should be.
    """
    quarter, cube = inputs.quarter, inputs.current
    if cube.quarter != quarter or (inputs.previous and inputs.previous.quarter != quarter.previous):
        raise ValueError(f"cubes of {cube.quarter} given for {quarter}")
    exposure = build_exposure(cube)
    if not exposure.sensor_days:
        raise NotReady(
            "no packet of any domestic sensor",
            key=str(quarter),
            hint="Count the quarter's days first, or check the countries in sensors.csv.",
        )
    seed = int(f"{inputs.seed}{quarter.year}{quarter.number}")
    grid = build_region_grid(cube, exposure)
    ranks = _rank(cube, exposure, grid, seed)
    before = _rank_previous(inputs.previous)
    place_of = {row.region: place for place, row in enumerate(ranks.regions)}
    events = RegionEvents(
        build_timeline(cube, grid, inputs.moves, inputs.lead),
        lambda region: _threshold(place_of.get(region, TOP_SERIES)),
    )
    important, minor = find_reassignments(events, seed)
    top_ports = [(row.protocol, row.port) for row in ranks.ports[:SERIES_RANKS]]
    top_regions = [row.region for row in ranks.regions[:SERIES_RANKS]]
    for each in important:
        top_regions += [name for name in (each.from_region, each.to_region) if name not in top_regions]
    ports = port_series(cube, exposure, top_ports)
    regions = {name: grid.series(name) for name in top_regions}
    pinned = {name: grid.series(name, pinned=True) for name in top_regions}
    port_rows = _with_previous_ports(ranks.ports, before.ports)
    seen: dict[_Series, SensorDays] = {
        name: SensorDays(quarter.days, grid.of(name, pinned=True), exposure.up) for name in top_regions
    }
    for key in top_ports:
        by_sensor = port_sensor_days(cube, exposure, key)
        if by_sensor is not None:
            seen[key] = SensorDays(quarter.days, by_sensor, exposure.up)
    port_events = {key: _events(place, key, each, seen) for place, (key, each) in enumerate(ports.items())}
    region_events = {key: _events(place, key, each, seen) for place, (key, each) in enumerate(pinned.items())}
    first: list[tuple[_Series, tuple[Event, ...]]] = [
        *((port, port_events[port]) for port in top_ports[:TOP_SERIES]),
        *((name, region_events[name]) for name in top_regions[:TOP_SERIES]),
    ]
    return QuarterAnalysis(
        quarter=quarter,
        days=quarter.days,
        sensors=summarise_sensors(cube, quarter, inputs.sensors),
        ports=port_rows,
        regions=_with_previous_regions(ranks.regions, before.regions),
        port_series=ports,
        region_series=regions,
        region_series_pinned=pinned,
        growth_ports={key: growth(series) for key, series in ports.items()},
        growth_regions={key: growth(series) for key, series in regions.items()},
        reassignments=important,
        previous=quarter.previous if before.ports else None,
        minor_reassignments=minor,
        port_events=port_events,
        decays=find_decays(cube, exposure, {key: ports[key] for key in top_ports[:TOP_SERIES]}),
        region_steps=find_steps([row.region for row in ranks.regions[:SERIES_RANKS]], events, important),
        region_effects=_effects(grid),
        region_events=region_events,
        seen_by_sensors={key: events_by_sensor(own, seen[key]) for key, own in first if key in seen},
        common=rank_on_common_sensors(cube, inputs.previous, ranks.ports[:SERIES_RANKS], ranks.regions[:SERIES_RANKS]),
        fluctuations={key: found for key, each in ports.items() if (found := find_fluctuation(each)) is not None},
        leads_daily=_leads_daily(grid, [row.region for row in ranks.regions]),
        noted=find_noted(
            cube,
            inputs.previous,
            exposure,
            port_rows,
            {(row.protocol, row.port): row.per_sensor_day for row in before.ports},
            port_events,
            ports,
        ),
    )


def _events(place: int, key: _Series, series: DailySeries, seen: dict[_Series, SensorDays]) -> tuple[Event, ...]:
    """Return the events of one of the first series, in the form in which they are told."""
    found = as_episodes(series, detect_events(series, threshold=_threshold(place)))
    return with_largest_share(found, seen[key]) if key in seen else found


def _leads_daily(grid: RegionGrid, ranked: list[str]) -> bool:
    """Say whether the first region had most packets on every day on which a domestic sensor was up."""
    daily = grid.observed.sum(axis=0)[grid.exposure.sensors_up > 0]
    places = [grid.regions.index(region) for region in ranked]
    return len(places) > 1 and len(daily) > 0 and bool(np.all(daily[:, places[:1]] > daily[:, places[1:]]))


def _effects(grid: RegionGrid) -> tuple[RegionEffect, ...]:
    """Return M_r(t) of every region whose two series part."""
    gained = ((grid.observed - grid.pinned).sum(axis=0)).T
    return tuple(
        RegionEffect(region, tuple(days.tolist()))
        for region, days in zip(grid.regions, gained, strict=True)
        if days.any()
    )


def _threshold(place: int) -> float:
    """Return how sure an event must be: the first five series are what the report is about."""
    return TOP_THRESHOLD if place < TOP_SERIES else THRESHOLD


def _rank_previous(cube: Cube | None) -> _Ranks:
    """Rank the quarter before in full; only its ranks are needed, not how sure they are."""
    if cube is None:
        return _Ranks((), ())
    exposure = build_exposure(cube)
    if not exposure.sensor_days:
        return _Ranks((), ())
    days = exposure.sensor_days
    return _Ranks(
        rank_ports(cube, days, None),
        rank_regions(cube, build_region_grid(cube, exposure), days, None),
    )


def _rank(cube: Cube, exposure: Exposure, grid: RegionGrid, seed: int) -> _Ranks:
    ports_rng, regions_rng = (np.random.default_rng((seed, stream)) for stream in (1, 2))
    return _Ranks(
        rank_ports(cube, exposure.sensor_days, ports_rng),
        rank_regions(cube, grid, exposure.sensor_days, regions_rng),
    )


def _with_previous_ports(rows: tuple[RankedPort, ...], before: tuple[RankedPort, ...]) -> tuple[RankedPort, ...]:
    ranks = {(row.protocol, row.port): row.rank for row in before}
    return tuple(replace(row, previous_rank=ranks.get((row.protocol, row.port))) for row in rows)


def _with_previous_regions(
    rows: tuple[RankedRegion, ...], before: tuple[RankedRegion, ...]
) -> tuple[RankedRegion, ...]:
    ranks = {row.region: row.rank for row in before}
    return tuple(replace(row, previous_rank=ranks.get(row.region)) for row in rows)
