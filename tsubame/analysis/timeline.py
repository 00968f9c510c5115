"""The quarter's days and some that lead up to it: each region as delegated that day, and as on a reference day.

A block that moves on the quarter's first day is the gaining region's on every day of the quarter, so within the
quarter nothing parts. With the last days of the quarter before in front, and the delegations of the day before
the move as reference, it can be told like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Protocol

import numpy as np

from tsubame.analysis.cubes import Cube
from tsubame.analysis.ratios import WINDOW_DAYS, values_in
from tsubame.analysis.results import DailySeries
from tsubame.analysis.series import (
    Exposure,
    RegionGrid,
    block_packets,
    build_exposure,
    build_region_grid,
    daily_series,
)
from tsubame.periods import Window


class MovedBlock(Protocol):
    """What is needed of ``tsubame.regions.moves.Move``: a block and whose it was and is."""

    @property
    def first(self) -> int: ...  # noqa: D102 - first address, IPv4 in host order
    @property
    def last(self) -> int: ...  # noqa: D102 - last address
    @property
    def from_region(self) -> str: ...  # noqa: D102
    @property
    def to_region(self) -> str: ...  # noqa: D102
    @property
    def holder(self) -> str: ...  # noqa: D102 - the registry's opaque-id; empty when unknown
    @property
    def first_seen(self) -> date: ...  # noqa: D102 - date of the first snapshot used that shows it
    @property
    def addresses(self) -> int: ...  # noqa: D102
    @property
    def cidrs(self) -> Sequence[str]: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Timeline:
    """Packets of the domestic sensors by sensor, day and region, and of every moved block by day.

    Attributes:
        exposure: its days are those that lead up to the quarter, if there are any, then the quarter's.
        start: place of the quarter's first day among them.
        regions: every region and kind of space that occurs, sorted.
        observed: (sensors, days, regions) int64, as delegated that day.
        pinned: (days, regions) int64, as delegated on the quarter's first day; before it, that day.
        moves: every move of these days.
        packets: (moves, days) int64, from each move's block, whosever it was.
        parted: (from, to) -> (sensors,) int64, packets of the quarter counted for another region than at first.
    """

    exposure: Exposure
    start: int
    regions: tuple[str, ...]
    observed: np.ndarray
    pinned: np.ndarray
    moves: tuple[MovedBlock, ...]
    packets: np.ndarray
    parted: dict[tuple[str, str], np.ndarray]

    @property
    def days(self) -> tuple[date, ...]:
        """Consecutive days."""
        return self.exposure.days

    @cached_property
    def up(self) -> np.ndarray:
        """(days,) int64: domestic sensors up."""
        return self.exposure.sensors_up

    @cached_property
    def _seen(self) -> np.ndarray:
        """(moves,) int64, place of the first day that shows each move; may lie outside."""
        return np.array([(move.first_seen - self.days[0]).days for move in self.moves], np.int64)

    def of(self, region: str) -> np.ndarray:
        """Return the (sensors, days) packets of a region; zeros when it does not occur."""
        if region not in self.regions:
            return np.zeros(self.exposure.up.shape, np.int64)
        packets: np.ndarray = self.observed[:, :, self.regions.index(region)]
        return packets

    def series(self, region: str) -> DailySeries:
        """Return a region's daily series as delegated each day."""
        packets = self.of(region)
        return daily_series(self.exposure, packets.sum(axis=0), packets)

    def series_on(self, region: str, reference: date) -> DailySeries:
        """Return a region's daily series as delegated on one day, told by the moves between it and each day."""
        base = np.minimum(np.arange(len(self.days)), self.start)
        at = (reference - self.days[0]).days
        packets = (
            self.pinned[:, self.regions.index(region)].copy()
            if region in self.regions
            else np.zeros(len(self.days), np.int64)
        )
        for index, move in enumerate(self.moves):
            sign = (move.to_region == region) - (move.from_region == region)
            if sign:
                seen = self._seen[index]
                missing = ((base < seen) & (seen <= at)).astype(np.int64) - ((at < seen) & (seen <= base))
                packets += sign * missing * self.packets[index]
        return daily_series(self.exposure, packets, self.of(region))

    def mean(self, region: str, window: Window) -> float:
        """Return the mean per sensor and day of a region over a window, 0 where no sensor was up."""
        values, _ = values_in(self.series(region), window)
        return float(values.mean()) if len(values) else 0.0


def build_timeline(cube: Cube, grid: RegionGrid, moves: Sequence[MovedBlock], lead: Cube | None = None) -> Timeline:
    """Lay out a quarter, with the days before it where there are some.

    Args:
        cube: the quarter's days, made with the blocks of ``moves``.
        grid: the same by sensor, day and region.
        moves: from the first of the leading days on.
        lead: days of the quarter before, made with the same blocks; only the last ``WINDOW_DAYS`` are used.
    """
    names, pinned = grid.regions, grid.pinned.sum(axis=0)
    parted = {pair: packets.sum(axis=1) for pair, packets in grid.moved.items()}
    packets = block_packets(cube, moves)
    if lead is None or not lead.days:
        return Timeline(grid.exposure, 0, names, grid.observed, pinned, tuple(moves), packets, parted)
    days = tuple(cube.quarter.first_day - timedelta(days=n) for n in range(WINDOW_DAYS, 0, -1))
    before = build_region_grid(lead, build_exposure(lead))
    sensors = tuple(sorted({*grid.exposure.sensors, *before.exposure.sensors}))
    regions = tuple(sorted({*names, *before.regions}))
    up = np.zeros((len(sensors), len(days) + len(grid.exposure.days)), bool)
    observed = np.zeros((*up.shape, len(regions)), np.int64)
    for part, at, taken in ((before, 0, slice(-len(days), None)), (grid, len(days), slice(None))):
        rows = np.array([sensors.index(name) for name in part.exposure.sensors], np.int64)
        columns = np.array([regions.index(name) for name in part.regions], np.int64)
        kept = part.exposure.up[:, taken]
        place = np.arange(at, at + kept.shape[1])
        up[np.ix_(rows, place)] = kept
        observed[np.ix_(rows, place, columns)] = part.observed[:, taken]
    whole = observed.sum(axis=0)
    own = np.array([regions.index(name) for name in names], np.int64)
    whole[np.ix_(np.arange(len(days), up.shape[1]), own)] = pinned
    return Timeline(
        Exposure((*days, *grid.exposure.days), sensors, up),
        len(days),
        regions,
        observed,
        whole,
        tuple(moves),
        np.hstack((block_packets(lead, moves)[:, -len(days) :], packets)),
        {pair: _by_sensor(values, grid.exposure.sensors, sensors) for pair, values in parted.items()},
    )


def _by_sensor(values: np.ndarray, own: tuple[str, ...], sensors: tuple[str, ...]) -> np.ndarray:
    known = dict(zip(own, values.tolist(), strict=True))
    return np.array([known.get(name, 0) for name in sensors], np.int64)
