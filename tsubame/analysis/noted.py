"""Noted ports: which ports a report looks into, and what carries their change.

A port of the first ten is noted when (a) its series has a rise: an event of at least ``RISE`` times that is as sure
as any series needs (``events.THRESHOLD``); or (b) its rank rose by at least ``RANKS_RISEN``, and its packets,
``FEWEST_RISEN`` or more, are per sensor-day at least ``RISE`` times those of the quarter before. Of these the report
takes the ``MOST_NOTED`` with the largest excess: packets per sensor beyond the mean of the 10 days before the first
rise or, for (b) alone, beyond the mean of the quarter before.

Regions are those of the quarter's first day throughout, so that a block's move to another region is no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from tsubame.analysis.contribution import excess_shares, port_parts
from tsubame.analysis.cubes import Cube
from tsubame.analysis.episodes import as_episodes
from tsubame.analysis.equivalence import FEWEST_PACKETS, compare_series
from tsubame.analysis.events import THRESHOLD, detect_events
from tsubame.analysis.noted_results import Focus, NotedPort, RegionPart, SourceDays, Superposition
from tsubame.analysis.overlap import Port, find_companion, keys_of_port, sources_of_port
from tsubame.analysis.packing import first_day_of, is_region, pack_port_cells, unpack_port_cells
from tsubame.analysis.ratios import WINDOW_DAYS, values_in
from tsubame.analysis.results import DailySeries, Event, Overlap, RankedPort
from tsubame.analysis.series import Exposure, daily_series
from tsubame.analysis.templates import GRADUAL
from tsubame.periods import ONE_DAY, Window
from tsubame.sensors import DOMESTIC_COUNTRY

FIRST_RANKS = 10
MOST_NOTED = 3
RISE = 1.5
RANKS_RISEN = 2

FEWEST_RISEN = 200
"""Packets in the quarter from which on ``RISE`` times is three standard errors above 1, were they independent:
among ports with two packets, one is always first and a rise of many times over."""

MOST_REGIONS = 60
"""Regions of a noted port, largest first, that are searched for events; the others have a packet now and then."""

CARRIED = 0.8
"""Part of a port's excess that some regions must carry for its rise to be theirs."""

OF_ONE_TOOL = 0.9
"""Part of a region's packets to a port that must bear a tool's mark for them to be called that tool's."""

WORTH_SEARCHING = 0.05
"""Part of a port's packets that a tool must have for events of its own."""

FEWEST_SOURCES = 10
SHARED = 0.5
BEYOND_CHANCE = 3.0
"""A companion port is told of at least so many sources, when at least half of them sent to it, and when that
share is above that of the region's other sources by three standard errors."""


def find_noted(
    cube: Cube,
    previous: Cube | None,
    exposure: Exposure,
    ranked: Sequence[RankedPort],
    previous_means: dict[Port, float],
    events: dict[Port, tuple[Event, ...]],
    series: dict[Port, DailySeries],
) -> tuple[NotedPort, ...]:
    """Choose the noted ports of a quarter and look into each.

    Args:
        cube: the quarter's days.
        previous: those of the quarter before; None without any.
        exposure: domestic sensors up.
        ranked: ports by rank, with previous ranks.
        previous_means: packets per sensor-day of the quarter before.
        events, series: of the first ports.

    Returns:
        At most ``MOST_NOTED`` ports, largest excess first.
    """
    chosen: list[tuple[float, RankedPort, tuple[str, ...], float | None]] = []
    for row in ranked[:FIRST_RANKS]:
        port = (row.protocol, row.port)
        if port not in series:
            continue
        before = previous_means.get(port)
        ratio = row.per_sensor_day / before if before else None
        rises = rises_of(events.get(port, ()))
        reasons: tuple[str, ...] = ("rise",) if rises else ()
        climbed = row.previous_rank is not None and row.previous_rank - row.rank >= RANKS_RISEN
        if climbed and ratio is not None and ratio >= RISE and row.packets >= FEWEST_RISEN:
            reasons += ("rank",)
        if reasons:
            baseline = before or 0.0
            if rises:
                baseline = _mean_before(series[port], rises)
            chosen.append((_excess(series[port], baseline), row, reasons, ratio))
    chosen.sort(key=lambda each: (-each[0], each[1].rank))
    return tuple(
        _look_into(cube, previous, exposure, (row.protocol, row.port), reasons, ratio, events, series)
        for _, row, reasons, ratio in chosen[:MOST_NOTED]
    )


def told_of(series: DailySeries) -> tuple[Event, ...]:
    """Return the events of a series that is one of many, in the form in which they are told."""
    return as_episodes(series, detect_events(series, threshold=THRESHOLD))


def rises_of(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events that are rises of at least ``RISE``, as sure as any series needs, in order of onset."""
    return tuple(event for event in events if event.factor >= RISE and is_large(event) and event.strength >= THRESHOLD)


def is_large(event: Event) -> bool:
    """Say whether what was observed of an event is ``RISE`` times what was before, too, and not only its fit.

    Of a gradual change there is no such ratio: its own is that of the quarter's ends.
    """
    if event.kind == GRADUAL or event.ratio is None or event.ratio.value is None:
        return max(event.factor, 1 / event.factor) >= RISE
    return event.ratio.value >= RISE if event.factor > 1 else event.ratio.value <= 1 / RISE


def span_of(events: Sequence[Event], last_day: Window) -> Window:
    """Return the days from the first onset to the last end; the quarter's last day where one has no end."""
    return Window(min(event.onset for event in events), max(event.end or last_day.last for event in events))


def _look_into(
    cube: Cube,
    previous: Cube | None,
    exposure: Exposure,
    port: Port,
    reasons: tuple[str, ...],
    ratio: float | None,
    events: dict[Port, tuple[Event, ...]],
    series: dict[Port, DailySeries],
) -> NotedPort:
    whole, own = series[port], events.get(port, ())
    windows = _rise_windows(whole, rises_of(own))
    # Sensors are worth to its parts what they are to the port.
    by_region = {
        name: replace(part, worth=whole.worth) for name, part in _parts(cube, exposure, port, "region_pinned").items()
    }
    shares = excess_shares(whole, by_region, *windows) if windows else {}
    regions = _regions(by_region, shares)
    by_tool = {
        tool: replace(part, worth=whole.worth)
        for tool, part in _largest_first(_parts(cube, exposure, port, "tool")).items()
    }
    return NotedPort(
        port=port,
        reasons=reasons,
        previous_ratio=ratio,
        series=whole,
        events=own,
        by_tool=by_tool,
        sources=_source_days(cube, previous, exposure, port),
        sensors=_sensor_packets(cube, port),
        regions=regions,
        superposition=_superpose(whole, by_region, regions, windows) if windows and regions else None,
        focus=_focus(cube, exposure, port, regions),
        domestic=sum(count or 0 for count in by_region[DOMESTIC_COUNTRY].packets)
        if DOMESTIC_COUNTRY in by_region
        else 0,
        tool_events={
            tool: told_of(part)
            for tool, part in by_tool.items()
            if tool and _packets(part) >= WORTH_SEARCHING * _packets(whole)
        },
    )


def _parts(cube: Cube, exposure: Exposure, port: Port, by: str, region: str | None = None) -> dict[str, DailySeries]:
    return {part: found for (_, part), found in port_parts(cube, exposure, [port], by, region).items()}


def _largest_first(parts: dict[str, DailySeries]) -> dict[str, DailySeries]:
    return dict(sorted(parts.items(), key=lambda item: (-_packets(item[1]), item[0])))


def _packets(series: DailySeries) -> int:
    return sum(count or 0 for count in series.packets)


def _mean_before(series: DailySeries, rises: Sequence[Event]) -> float:
    """Return the mean of the 10 days before the first rise; of the rest of the quarter where there are none."""
    first = min(event.onset for event in rises)
    values, _ = values_in(series, Window(first - timedelta(days=WINDOW_DAYS), first - ONE_DAY))
    if not len(values):
        values, _ = values_in(series, Window(series.days[0], series.days[-1]))
    return float(values.mean()) if len(values) else 0.0


def _excess(series: DailySeries, baseline: float) -> float:
    return sum(value - baseline for value in series.per_sensor if value is not None and value > baseline)


def _rise_windows(series: DailySeries, rises: Sequence[Event]) -> tuple[Window, Window] | None:
    """Return the days of a port's rise, and the 10 before; None where the quarter begins with the rise."""
    if not rises:
        return None
    during = span_of(rises, Window(series.days[0], series.days[-1]))
    before = Window(max(during.first - timedelta(days=WINDOW_DAYS), series.days[0]), during.first - ONE_DAY)
    return (during, before) if len(values_in(series, before)[0]) else None


def _regions(by_region: dict[str, DailySeries], shares: dict[str, float]) -> tuple[RegionPart, ...]:
    """Return the regions with rises, in order of their part of the excess, then of their packets."""
    searched = [name for name in _largest_first(by_region) if is_region(name)][:MOST_REGIONS]
    found = []
    for name in searched:
        rises = rises_of(told_of(by_region[name]))
        if rises:
            found.append(RegionPart(name, by_region[name], rises, shares.get(name)))
    return tuple(sorted(found, key=lambda part: (-(part.excess_share or 0.0), -_packets(part.series), part.region)))


def _superpose(
    whole: DailySeries,
    by_region: dict[str, DailySeries],
    regions: Sequence[RegionPart],
    windows: tuple[Window, Window],
) -> Superposition:
    """Take the regions with rises out of the port's series and see what is left of its rise."""
    taken = {part.region for part in regions}
    packets = np.zeros(len(whole.days), np.int64)
    for name, series in by_region.items():
        if name not in taken:
            packets += np.array([count or 0 for count in series.packets], np.int64)
    rest = _like(whole, packets)
    up = [count for count in rest.packets if count is not None]
    testable = bool(up) and float(np.median(up)) >= FEWEST_PACKETS
    events = rises_of(told_of(rest)) if testable else None
    share = sum(part.excess_share or 0.0 for part in regions)
    holds = len(regions) > 1 and share >= CARRIED and not events
    return Superposition(windows[0], windows[1], share, rest, events, holds)


def _like(whole: DailySeries, packets: np.ndarray) -> DailySeries:
    """Return packets as a series of the same days and sensors as ``whole``."""
    sensors = [
        None if count is None else (count / mean if mean else None)
        for count, mean in zip(whole.packets, whole.per_sensor, strict=True)
    ]
    kept = [None if count is None else int(n) for count, n in zip(whole.packets, packets.tolist(), strict=True)]
    means = [None if n is None else n / up if up else 0.0 for n, up in zip(kept, sensors, strict=True)]
    return DailySeries(whole.days, tuple(kept), tuple(means), whole.worth)


def _focus(cube: Cube, exposure: Exposure, port: Port, regions: Sequence[RegionPart]) -> Focus | None:
    """Look into the domestic region where it has rises, otherwise into the one with the largest excess."""
    if not regions:
        return None
    part = next((each for each in regions if each.region == DOMESTIC_COUNTRY), regions[0])
    by_tool = _largest_first(_parts(cube, exposure, port, "tool", part.region))
    tool = next(iter(by_tool))
    series, events = part.series, part.events
    if tool and _packets(by_tool[tool]) >= OF_ONE_TOOL * _packets(part.series):
        series = by_tool[tool]
        events = rises_of(told_of(series))
    else:
        tool = ""
    if not events:
        tool, series, events = "", part.series, part.events
    overlap = find_companion(cube, port, part.region)
    if overlap is not None and not is_telling(overlap):
        overlap = None
    companion = None
    if overlap is not None and has_parts(cube, overlap.companion):
        companion = _parts(cube, exposure, overlap.companion, "region_pinned").get(part.region)
    return Focus(
        region=part.region,
        tool=tool or None,
        series=series,
        events=events,
        by_tool=by_tool,
        overlap=overlap,
        companion=companion,
        comparison=None if companion is None else compare_series(companion, events),
    )


def is_telling(overlap: Overlap) -> bool:
    """Say whether a companion port is worth telling; see ``BEYOND_CHANCE``."""
    share, baseline = overlap.share, overlap.baseline
    if share is None or overlap.sources < FEWEST_SOURCES or share < SHARED:
        return False
    if baseline is None:
        return True
    pooled = (overlap.also + overlap.baseline_also) / (overlap.sources + overlap.baseline_sources)
    error = (pooled * (1 - pooled) * (1 / overlap.sources + 1 / overlap.baseline_sources)) ** 0.5
    return bool(share - baseline > BEYOND_CHANCE * error)


def has_parts(cube: Cube, port: Port) -> bool:
    """Say whether a port's parts are known on every day on which it had packets."""
    key = (port[0], port[1] or 0)
    for day in cube.days:
        kept = _is_in(day.cells["protocol"].to_numpy(), day.cells["dst_port"].to_numpy(), key)
        if not kept and _is_in(day.ports["protocol"].to_numpy(), day.ports["dst_port"].to_numpy(), key):
            return False
    return True


def _is_in(protocol: np.ndarray, port: np.ndarray, key: tuple[int, int]) -> bool:
    return bool(((protocol == key[0]) & (port == key[1])).any())


def _source_days(cube: Cube, previous: Cube | None, exposure: Exposure, port: Port) -> SourceDays:
    days = len(exposure.days)
    seen = np.zeros(days, np.int64)
    for each in cube.days:
        hit = (each.ports["protocol"].to_numpy() == port[0]) & (each.ports["dst_port"].to_numpy() == (port[1] or 0))
        seen[(each.day - exposure.days[0]).days] = int(each.ports["sources"].to_numpy()[hit].sum())
    keys = keys_of_port(cube, port)
    new = np.bincount(first_day_of(keys), minlength=days)[:days]
    returning = None
    if previous is not None:
        returning = len(
            np.intersect1d(sources_of_port(cube, port), sources_of_port(previous, port), assume_unique=True)
        )
    return SourceDays(daily_series(exposure, seen).packets, daily_series(exposure, new).packets, len(keys), returning)


def _sensor_packets(cube: Cube, port: Port) -> dict[str, int]:
    """Return the port's packets by sensor, of the days on which it was among a day's first ports."""
    key = np.uint64((port[0] << 16) | (port[1] or 0))
    ends = pack_port_cells(0, np.zeros(2, np.uint64), np.array([key, key + np.uint64(1)]))
    mine = slice(*np.searchsorted(cube.port_cells, ends))
    _, _, sensor = unpack_port_cells(cube.port_cells[mine])
    packets = np.bincount(sensor, weights=cube.port_packets[mine], minlength=len(cube.sensors))
    return {name: int(count) for name, count in zip(cube.sensors, packets.tolist(), strict=True) if count}
