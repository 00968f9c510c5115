"""A scenario's quarter analysed from its packets in memory: capture bytes → flows → counts → cubes → analysis.

The same calls as the pipeline's, without its buckets and its cluster: one capture a sensor and month, and the
delegation files of the days on which something moves.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from itertools import groupby

import numpy as np

from tsubame.aggregate.counts import count_day, select_day
from tsubame.aggregate.flows import build_flows
from tsubame.analysis.cubes import Cube, day_cube, merge_cubes
from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
from tsubame.analysis.results import QuarterAnalysis
from tsubame.analysis.series import sensor_facts
from tsubame.periods import Quarter, day_bounds, load_zone
from tsubame.pipeline.counts import pinned_day
from tsubame.pipeline.delegations import DelegationArchive
from tsubame.sensors import SensorRegistry, parse_network, parse_sensors
from tsubame.simulate.containers import frame
from tsubame.simulate.delegations import DelegationFiles
from tsubame.simulate.packets import PacketMaker, Packets
from tsubame.simulate.reading import load_scenario
from tsubame.simulate.run import _nanoseconds, _sensors_csv
from tsubame.simulate.traffic import Plan, stream_of_randomness
from tsubame.simulate.world import World
from tsubame.stores import Store

ONE = timedelta(days=1)


@dataclass(frozen=True)
class Simulated:
    """What was analysed, and the plan it was made from: the truth to hold it against."""

    plan: Plan
    registry: SensorRegistry
    analysis: QuarterAnalysis
    cube: Cube


def analyse_scenario(name: str, quarter: Quarter, folder: str, *, scale: float, previous: bool) -> Simulated:
    """Simulate a scenario's packets and analyse a quarter of them."""
    scenario = load_scenario(name)
    world = World(scenario)
    plan = Plan(scenario, world, scale=scale, seed=scenario.seed)
    registry = parse_sensors(_sensors_csv(scenario))
    archive = DelegationArchive(_delegations(scenario, world, folder))
    quarters = (quarter.previous, quarter) if previous else (quarter,)
    days = [day for each in quarters for day in each.days]
    flows = _flows_by_day(plan, [day for day in days if scenario.first <= day <= scenario.last])
    moves = archive.moves(pinned_day(archive, quarter.first_day), quarter.last_day)
    domestic = tuple(sensor.sensor_id for sensor in registry if sensor.domestic)
    blocks = tuple(sorted({(move.first, move.last) for move in moves}))
    cubes = {}
    for each in quarters:
        pinned = archive.in_use(pinned_day(archive, each.first_day)).table
        made = []
        for day in each.days:
            counted = count_day(flows.pop(day, []), as_of=archive.in_use(day).table, pinned=pinned, domestic=domestic)
            made.append(day_cube(day, counted.counts, counted.sources, domestic, blocks if each == quarter else ()))
        cubes[each] = reduce(merge_cubes, made)
    inputs = QuarterInputs(quarter, sensor_facts(registry), cubes[quarter], cubes.get(quarter.previous), moves)
    return Simulated(plan, registry, analyse_quarter(inputs), cubes[quarter])


def _delegations(scenario, world: World, folder: str) -> Store:
    store, files = Store(folder), DelegationFiles(world)
    day, known = scenario.first - ONE, None
    while day <= scenario.last:
        if world.version(day) != known:
            known = world.version(day)
            for key, content in files.files(day):
                store.put(key, content)
        day += ONE
    return store


def _flows_by_day(plan: Plan, days: list[date]) -> dict[date, list]:
    """Return the flows of each report day, decoded from one capture a sensor and month."""
    zone, maker = load_zone(plan.scenario.timezone), PacketMaker(plan)
    down = {
        (o.sensor, o.first + ONE * n)
        for o in plan.scenario.outages
        if o.kind == "down"
        for n in range((o.last - o.first).days + 1)
    }
    flows: dict[date, list] = {day: [] for day in days}
    for sensor in plan.scenario.sensors:
        counts, network = plan.counts(sensor), parse_network(sensor.address)
        for _, month in groupby(days, key=lambda day: (day.year, day.month)):
            parts = []
            for day in (day for day in month if (sensor.id, day) not in down):
                rng = stream_of_randomness(plan.seed, "packets", sensor.id, day.toordinal())
                span = tuple(map(_nanoseconds, day_bounds(day, zone)))
                parts.append((day, maker.make(counts[:, (day - plan.days[0]).days], network, span, rng)))
            content, _ = frame(Packets.join([packets for _, packets in parts]), sensor)
            result = build_flows(
                io.BytesIO(content), capture_key=sensor.id, sensor_id=sensor.id, network=network, zone=zone
            )
            assert result.accounting.packets_kept == sum(len(packets) for _, packets in parts)
            for day, _ in parts:
                flows[day].append(select_day(result.table, day_bounds(day, zone)))
    return flows


def true_series(plan: Plan, days, wanted) -> np.ndarray:
    """Return (days,) expected packets per sensor of the streams for which ``wanted(stream)`` holds."""
    rows = [index for index, stream in enumerate(plan.streams) if wanted(stream)]
    at = [(day - plan.days[0]).days for day in days]
    return plan.expected[rows][:, at].sum(axis=0)
