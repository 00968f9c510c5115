"""Values by report day: how many sensors were up, and each region's and port's packets.

A sensor is up on a day when at least one packet of it was kept. A day on which no domestic sensor is up has
no value: it is a gap, not a zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np

from tsubame.analysis.cubes import Cube
from tsubame.analysis.results import DailySeries, SensorSummary
from tsubame.periods import Quarter
from tsubame.sensors import SensorRegistry

_WORTH_ROUNDS = 8
_LEAST_WORTH = 1e-3
_PLENTY = 10.0
"""Packets of a sensor from which on its median day tells what it is worth."""


@dataclass(frozen=True, slots=True)
class SensorFacts:
    """What the analysis knows of a sensor: everything but its address."""

    sensor_id: str
    domestic: bool
    active_from: date
    active_to: date | None

    def is_active(self, day: date) -> bool:
        """Say whether packets are expected of the sensor on ``day``."""
        return self.active_from <= day and (self.active_to is None or day <= self.active_to)


class _Moved(Protocol):
    """The part of ``tsubame.regions.moves.Move`` that is needed to find a block again."""

    @property
    def first(self) -> int: ...

    @property
    def last(self) -> int: ...


def sensor_facts(registry: SensorRegistry) -> tuple[SensorFacts, ...]:
    """Return the registry without its addresses."""
    return tuple(SensorFacts(s.sensor_id, s.domestic, s.active_from, s.active_to) for s in registry)


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """Which domestic sensors were up on which days of the quarter.

    Attributes:
        sensors: ids of the domestic sensors that were up at least once, sorted.
        up: (sensors, days) bool.
    """

    days: tuple[date, ...]
    sensors: tuple[str, ...]
    up: np.ndarray

    @property
    def sensors_up(self) -> np.ndarray:
        """(days,) int64: domestic sensors up on each day."""
        counted: np.ndarray = self.up.sum(axis=0, dtype=np.int64)
        return counted

    @property
    def sensor_days(self) -> int:
        """Sensor-days up of the domestic sensors."""
        return int(self.up.sum())


@dataclass(frozen=True, slots=True, eq=False)
class RegionGrid:
    """Packets of the domestic sensors by sensor, day and region, as delegated that day and as pinned.

    Attributes:
        regions: every region and kind of space that occurs, sorted.
        observed, pinned: (sensors, days, regions) int64.
        moved: packets by (region as pinned, region as delegated that day) where these differ, each
            (sensors, days) int64.
    """

    exposure: Exposure
    regions: tuple[str, ...]
    observed: np.ndarray
    pinned: np.ndarray
    moved: dict[tuple[str, str], np.ndarray]

    def of(self, region: str, *, pinned: bool = False) -> np.ndarray:
        """Return the (sensors, days) packets of a region; zeros when it does not occur."""
        if region not in self.regions:
            return np.zeros(self.exposure.up.shape, np.int64)
        packets: np.ndarray = (self.pinned if pinned else self.observed)[:, :, self.regions.index(region)]
        return packets

    def series(self, region: str, *, pinned: bool = False) -> DailySeries:
        """Return a region's daily series."""
        packets = self.of(region, pinned=pinned)
        return daily_series(self.exposure, packets.sum(axis=0), packets)

    def effect(self, region: str) -> np.ndarray:
        """Return M_r(t), (days,) int64: packets as delegated that day minus packets as pinned."""
        gained: np.ndarray = (self.of(region) - self.of(region, pinned=True)).sum(axis=0)
        return gained


def sensor_day_packets(cube: Cube) -> dict[tuple[str, date], int]:
    """Return the packets kept of each sensor, domestic or not, on each day it was up."""
    found: dict[tuple[str, date], int] = {}
    for each in cube.days:
        table = each.regions
        for sensor, packets in zip(table["sensor_id"].to_pylist(), table["packets"].to_pylist(), strict=True):
            if packets:
                found[sensor, each.day] = found.get((sensor, each.day), 0) + packets
    return found


def summarise_sensors(cube: Cube, quarter: Quarter, sensors: Iterable[SensorFacts]) -> SensorSummary:
    """Say how many sensors there are, on how many days each was expected and up."""
    up = set(sensor_day_packets(cube))
    coverage: dict[str, str] = {}
    expected = domestic_up = domestic = overseas = 0
    for sensor in sorted(sensors, key=lambda each: each.sensor_id):
        active = [sensor.is_active(day) for day in quarter.days]
        letters = "".join(
            "u" if (sensor.sensor_id, day) in up else "d" if is_active else "-"
            for day, is_active in zip(quarter.days, active, strict=True)
        )
        if set(letters) == {"-"}:
            continue
        coverage[sensor.sensor_id] = letters
        expected += sum(active)
        domestic += sensor.domestic
        overseas += not sensor.domestic
        domestic_up += letters.count("u") if sensor.domestic else 0
    total = sum(letters.count("u") for letters in coverage.values())
    return SensorSummary(domestic, overseas, expected, total, domestic_up, coverage)


def build_exposure(cube: Cube) -> Exposure:
    """Return which domestic sensors were up on which days of the cube's quarter."""
    days = cube.quarter.days
    domestic = set(cube.sensors)
    seen = [key for key in sensor_day_packets(cube) if key[0] in domestic]
    sensors = tuple(sorted({sensor for sensor, _ in seen}))
    row = {name: index for index, name in enumerate(sensors)}
    up = np.zeros((len(sensors), len(days)), bool)
    for sensor, day in seen:
        up[row[sensor], (day - days[0]).days] = True
    return Exposure(days, sensors, up)


def build_region_grid(cube: Cube, exposure: Exposure) -> RegionGrid:
    """Lay out the domestic sensors' packets by sensor, day and region."""
    names = sorted(
        {name for day in cube.days for c in ("region", "region_pinned") for name in day.regions[c].to_pylist()}
    )
    column = {name: index for index, name in enumerate(names)}
    row = {name: index for index, name in enumerate(exposure.sensors)}
    observed = np.zeros((*exposure.up.shape, len(names)), np.int64)
    pinned = np.zeros_like(observed)
    moved: dict[tuple[str, str], np.ndarray] = {}
    for each in cube.days:
        at = (each.day - exposure.days[0]).days
        for sensor, region, was, packets in zip(*(c.to_pylist() for c in each.regions.columns), strict=True):
            s = row.get(sensor)
            if s is None:
                continue
            observed[s, at, column[region]] += packets
            pinned[s, at, column[was]] += packets
            if region != was:
                moved.setdefault((was, region), np.zeros(exposure.up.shape, np.int64))[s, at] += packets
    return RegionGrid(exposure, tuple(names), observed, pinned, moved)


def daily_series(exposure: Exposure, packets: np.ndarray, by_sensor: np.ndarray | None = None) -> DailySeries:
    """Return the series of (days,) packets; days with no domestic sensor up have no value.

    Args:
        exposure: domestic sensors up.
        packets: of all of them, (days,) int64.
        by_sensor: the same by sensor, (sensors, days) int64, where it is known.
    """
    counted = zip(packets.tolist(), exposure.sensors_up.tolist(), strict=True)
    values = [(int(count), count / up) if up else (None, None) for count, up in counted]
    worth = None if by_sensor is None else tuple(sensors_worth(by_sensor, exposure.up).tolist())
    return DailySeries(exposure.days, tuple(v[0] for v in values), tuple(v[1] for v in values), worth)


def sensors_worth(packets: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Return what the sensors up on each day are worth together, (days,) float64: as many as of them if all are alike.

    A sensor's worth is the median over its days of its packets per worth of the sensors up; of a few packets their
    sum, drawn towards that of the others. Neither an event nor a failure of one sensor moves it.

    Args:
        packets: (sensors, days) int64.
        up: (sensors, days) bool.
    """
    plain: np.ndarray = up.sum(axis=0).astype(np.float64)
    own = np.where(up, packets, 0).astype(np.float64)
    some = own.sum(axis=0) > 0
    if len(set(plain[plain > 0].tolist())) <= 1 or not some.any():
        return plain
    worth = np.ones(len(up))
    for _ in range(_WORTH_ROUNDS):
        level = np.divide(own.sum(axis=0), worth @ up, out=np.zeros(len(plain)), where=plain > 0)
        ratio = np.divide(own, level, out=np.full(own.shape, np.nan), where=up & some)
        for sensor, days in enumerate(up & some):
            expected = float(level[days].sum())
            if days.any() and np.median(own[sensor, days]) >= _PLENTY:
                worth[sensor] = max(float(np.median(ratio[sensor, days])), _LEAST_WORTH)
            else:
                worth[sensor] = (float(own[sensor, days].sum()) + _PLENTY) / (expected + _PLENTY)
        worth *= len(worth) / worth.sum()
    together: np.ndarray = worth @ up
    return together


def port_series(
    cube: Cube, exposure: Exposure, ports: Iterable[tuple[int, int | None]]
) -> dict[tuple[int, int | None], DailySeries]:
    """Return the daily series of some ports; the port of a protocol without ports is None."""
    wanted = list(ports)
    row = {(protocol, port or 0): index for index, (protocol, port) in enumerate(wanted)}
    packets = np.zeros((len(wanted), len(exposure.days)), np.int64)
    for each in cube.days:
        protocol, port, counted = (each.ports[name].to_numpy() for name in ("protocol", "dst_port", "packets"))
        for (want_protocol, want_port), index in row.items():
            hit = (protocol == want_protocol) & (port == want_port)
            packets[index, (each.day - exposure.days[0]).days] += int(counted[hit].sum())
    return {
        key: daily_series(exposure, packets[index], port_sensor_days(cube, exposure, key))
        for index, key in enumerate(wanted)
    }


def port_sensor_days(cube: Cube, exposure: Exposure, port: tuple[int, int | None]) -> np.ndarray | None:
    """Return a port's packets by domestic sensor and day, (sensors, days) int64.

    None where they are not known on a day on which it had packets: it was not among the day's first then.
    """
    row = {name: index for index, name in enumerate(exposure.sensors)}
    packets = np.zeros(exposure.up.shape, np.int64)
    for each in cube.days:
        table, at = each.port_sensors, (each.day - exposure.days[0]).days
        protocol, number = (each.ports[name].to_numpy() for name in ("protocol", "dst_port"))
        mine = (table["protocol"].to_numpy() == port[0]) & (table["dst_port"].to_numpy() == (port[1] or 0))
        if not mine.any() and ((protocol == port[0]) & (number == (port[1] or 0))).any():
            return None
        for place in np.flatnonzero(mine).tolist():
            packets[row[table["sensor_id"][place].as_py()], at] += table["packets"][place].as_py()
    return packets


def piece_packets(cube: Cube) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pieces of the moved blocks with their packets.

    Returns:
        First and last address, (pieces,) int64 each, in order and without overlap; packets of the domestic
        sensors, (pieces, days) int64.

    Raises:
        ValueError: the days of the cube were made with different blocks.
    """
    days = cube.quarter.days
    if not cube.days:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, len(days)), np.int64)
    first, last = (cube.days[0].pieces[name].to_numpy().astype(np.int64) for name in ("first", "last"))
    packets = np.zeros((len(first), len(days)), np.int64)
    for each in cube.days:
        if not (
            np.array_equal(first, each.pieces["first"].to_numpy())
            and np.array_equal(last, each.pieces["last"].to_numpy())
        ):
            raise ValueError(f"the cubes of {cube.days[0].day} and {each.day} are of different moved blocks")
        packets[:, (each.day - days[0]).days] = each.pieces["packets"].to_numpy()
    return first, last, packets


def block_packets(cube: Cube, blocks: Iterable[_Moved]) -> np.ndarray:
    """Return (blocks, days) int64: packets of the domestic sensors from each block on each day.

    Raises:
        ValueError: a block was not named when the cube was made.
    """
    wanted = [(int(block.first), int(block.last)) for block in blocks]
    first, last, packets = piece_packets(cube)
    below = np.vstack((np.zeros((1, packets.shape[1]), np.int64), np.cumsum(packets, axis=0)))
    size = np.concatenate(([0], np.cumsum(last - first + 1)))
    starts = np.array([start for start, _ in wanted], np.int64)
    ends = np.array([end for _, end in wanted], np.int64)
    low, high = np.searchsorted(first, starts), np.searchsorted(last, ends, side="right")
    unknown = np.flatnonzero(size[high] - size[low] != ends - starts + 1)
    if len(unknown):
        raise ValueError(f"the cube was not made with the block {wanted[int(unknown[0])]}")
    of_block: np.ndarray = below[high] - below[low]
    return of_block
