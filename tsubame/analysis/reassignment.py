"""How much of a region's change the registries made by delegating blocks elsewhere.

For a region r, N is its packets as delegated each day, N⁰ as delegated on the quarter's first day, x the
packets of the moved blocks; a bar is the mean per domestic sensor over a window, A the 10 days before the
move, B the 10 days after, the days of the move left out::

    Δ = N̄(B) − N̄(A)    M^P = Σ_in x̄(B) − Σ_out x̄(B)    M^L = Σ_in x̄(A) − Σ_out x̄(A)
    M = (M^P + M^L)/2    share = M/Δ

M^P prices the move at the traffic that followed, M^L at what went before; their mean leaves no remainder that
depends on the order in which move and traffic are counted. The share is withheld where Δ cannot be told
from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np

from tsubame.analysis import results
from tsubame.analysis.cubes import Cube
from tsubame.analysis.ratios import is_shift, ratio_of_means, slice_of, values_in, windows_around
from tsubame.analysis.results import DailySeries, Interval, MovedBlockEffect, Ratio, Reassignment
from tsubame.analysis.series import Exposure, RegionGrid, block_packets
from tsubame.analysis.uncertainty import (
    LEVEL,
    MINIMUM_DAYS,
    REPLICATES,
    day_block_draws,
    multiplicities,
    widening,
)
from tsubame.periods import Window

SAME_HOLDER_DAYS = 3
"""Registries move one holder's blocks over some days: so far apart, it is still one reassignment."""

OTHER_HOLDER_DAYS = 1
LONGEST_CLUSTER_DAYS = 7
"""A cluster longer than this would leave too little of the windows; it is cut."""

CARRYING = 0.01
"""A block with less than this part of the cluster's packets does not date it."""

MATTERS = 0.05
"""A reassignment matters when it moves at least this part of what the smaller of its two regions had in the
larger of its two windows, ..."""

MATTERS_PACKETS = 1.0
"""... and at least so many packets per domestic sensor and day: fewer cannot be told from noise."""

OWN_SHIFT = 1.25
"""The pinned series has a shift of its own when its whole interval lies beyond this factor. Nearer to 1 a
ten-day mean drifts by itself."""

EXPLAINED_FROM = 0.5
PARTLY_FROM = 0.1


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


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Moves between one pair of regions at one time, with their packets (blocks, days)."""

    moves: tuple[MovedBlock, ...]
    packets: np.ndarray

    @property
    def ends(self) -> tuple[date, date]:
        """First and last date on which a block was moved that carries some of the packets."""
        of_block = self.packets.sum(axis=1)
        carrying = of_block >= max(1.0, CARRYING * of_block.sum())
        dates = [m.first_seen for m, c in zip(self.moves, carrying, strict=True) if c or not carrying.any()]
        return min(dates), max(dates)


@dataclass(frozen=True, slots=True)
class _Estimate:
    """M and Δ of one region in packets per domestic sensor and day.

    Attributes:
        steady: whether Δ's interval spans 0; None when Δ has none.
        share_interval: None where the share is withheld, or too little moved to be resampled.
    """

    effect: float
    delta: float
    steady: bool | None
    share: float | None
    share_interval: Interval | None


class _Regions:
    """The daily series and means of the regions, each made once."""

    def __init__(self, grid: RegionGrid) -> None:
        self.grid = grid
        self.days = grid.exposure.days
        self.up = grid.exposure.sensors_up
        self._series: dict[tuple[str, bool], DailySeries] = {}

    def series(self, region: str, *, pinned: bool = False) -> DailySeries:
        key = region, pinned
        if key not in self._series:
            self._series[key] = self.grid.series(region, pinned=pinned)
        return self._series[key]

    def mean(self, region: str, window: Window) -> float:
        values, _ = values_in(self.series(region), window)
        return float(values.mean()) if len(values) else 0.0

    def days_up(self, window: Window) -> np.ndarray:
        """Return the indices of the window's days with a domestic sensor up."""
        part = slice_of(self.days, window)
        up: np.ndarray = np.flatnonzero(self.up[part]) + part.start
        return up


def find_reassignments(
    cube: Cube, grid: RegionGrid, moves: Iterable[MovedBlock], seed: int
) -> tuple[tuple[Reassignment, ...], tuple[Reassignment, ...]]:
    """Group a quarter's moves and quantify each group.

    Args:
        cube: the quarter's days, made with the blocks of ``moves``.
        grid: the same by sensor, day and region.
        moves: blocks that were delegated to another region during the quarter.
        seed: of the resampling; equal input gives equal output.

    Returns:
        The reassignments that matter, largest first, and all others, in order of date.
    """
    regions = _Regions(grid)
    important, others = [], []
    for number, cluster in enumerate(_clusters(cube, moves)):
        effect, matters, found = _quantify(cluster, regions, np.random.default_rng((seed, number)))
        if matters:
            important.append((effect, found))
        else:
            others.append(found)
    important.sort(key=lambda each: (-each[0], each[1].date, each[1].from_region, each[1].to_region))
    others.sort(key=lambda each: (each.date, each.from_region, each.to_region))
    return tuple(found for _, found in important), tuple(others)


def _clusters(cube: Cube, moves: Iterable[MovedBlock]) -> list[_Cluster]:
    ordered = sorted(moves, key=lambda m: (m.from_region, m.to_region, m.first_seen, m.first))
    packets = block_packets(cube, ordered)
    groups: list[list[int]] = []
    for index, move in enumerate(ordered):
        if groups and _belongs(move, [ordered[other] for other in groups[-1]]):
            groups[-1].append(index)
        else:
            groups.append([index])
    return [_Cluster(tuple(ordered[index] for index in group), packets[group]) for group in groups]


def _belongs(move: MovedBlock, group: list[MovedBlock]) -> bool:
    first = group[0]
    if (move.from_region, move.to_region) != (first.from_region, first.to_region):
        return False
    if (move.first_seen - first.first_seen).days >= LONGEST_CLUSTER_DAYS:
        return False
    if (move.first_seen - group[-1].first_seen).days <= OTHER_HOLDER_DAYS:
        return True
    same = [other for other in group if move.holder and other.holder == move.holder]
    return any((move.first_seen - other.first_seen).days <= SAME_HOLDER_DAYS for other in same)


def _quantify(cluster: _Cluster, regions: _Regions, rng: np.random.Generator) -> tuple[float, bool, Reassignment]:
    """Return the size of the effect, whether it matters, and the reassignment."""
    first, last = cluster.ends
    before, after = windows_around(first, last, regions.days)
    source, target = cluster.moves[0].from_region, cluster.moves[0].to_region
    windows = tuple(regions.days_up(window) for window in (before, after))
    smaller = min(max(regions.mean(region, window) for window in (before, after)) for region in (source, target))
    effect = _effect(cluster, regions, windows[0], windows[1])
    matters = effect >= max(MATTERS_PACKETS, MATTERS * smaller)
    observed = ratio_of_means(regions.series(target), after, before)
    pinned = ratio_of_means(regions.series(target, pinned=True), after, before)
    if matters:
        moved = _by_sensor(cluster, regions.grid, source, target)
        gained = _estimate(regions.grid, target, moved, windows[0], windows[1], rng)
    else:
        gained = _rough_estimate(effect, regions.mean(target, after) - regions.mean(target, before), observed)
    result = Reassignment(
        from_region=source,
        to_region=target,
        date=first,
        before=before,
        after=after,
        blocks=_block_effects(cluster, regions.days, before, after),
        observed=observed,
        pinned=pinned,
        observed_from=ratio_of_means(regions.series(source), after, before),
        pinned_from=ratio_of_means(regions.series(source, pinned=True), after, before),
        share=gained.share,
        share_interval=gained.share_interval,
        verdict=_verdict(gained, is_shift(pinned, OWN_SHIFT), matters),
    )
    return effect, matters, result


def _effect(cluster: _Cluster, regions: _Regions, before: np.ndarray, after: np.ndarray) -> float:
    """Return M; where a window holds no day up, what the other one alone says."""
    moved = cluster.packets.sum(axis=0)
    means = [float((moved[at] / regions.up[at]).mean()) for at in (before, after) if len(at)]
    return sum(means) / len(means) if means else 0.0


def _rough_estimate(effect: float, delta: float, observed: Ratio) -> _Estimate:
    """Judge a move of few packets by the region's ratio alone: there is little to resample."""
    if observed.interval is None:
        return _Estimate(effect, delta, None, None, None)
    steady = observed.interval[0] <= 1 <= observed.interval[1]
    share = None if steady or not delta else effect / delta
    return _Estimate(effect, delta, steady, share, None)


def _by_sensor(cluster: _Cluster, grid: RegionGrid, source: str, target: str) -> np.ndarray:
    """Share the blocks' packets among the sensors: (sensors, days) float64.

    Sources are kept without the sensor they were seen by. From the move on, the packets pinned to one region
    and delegated to the other tell the sensors' parts; those of the days before are taken to be the same.
    """
    total = cluster.packets.sum(axis=0).astype(np.float64)
    seen = grid.moved.get((source, target))
    weight = seen.sum(axis=1).astype(np.float64) if seen is not None else np.zeros(len(grid.exposure.sensors))
    if not weight.any():
        weight = grid.exposure.up.sum(axis=1).astype(np.float64)
    weights = weight[:, None] * grid.exposure.up
    whole = weights.sum(axis=0)
    parts: np.ndarray = np.divide(weights, whole, out=np.zeros_like(weights), where=whole > 0) * total
    return parts


def _estimate(
    grid: RegionGrid,
    target: str,
    moved: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    rng: np.random.Generator,
) -> _Estimate:
    """Quantify the gaining region by the module's formulas, and resample sensors × days."""
    packets = grid.of(target).astype(np.float64)
    up = grid.exposure.up.sum(axis=0)
    per_sensor, moved_per_sensor = (
        [total[at] / up[at] for at in (before, after)] for total in (packets.sum(axis=0), moved.sum(axis=0))
    )
    effect = float(np.mean([values.mean() for values in moved_per_sensor if len(values)]))
    if min(len(before), len(after)) < MINIMUM_DAYS:
        return _Estimate(effect, 0.0, None, None, None)
    delta = float(per_sensor[1].mean() - per_sensor[0].mean())
    deltas, effects = _resample(packets, moved, grid.exposure, before, after, rng)
    widen = widening(min(len(before), len(after)))
    low, high = _interval(deltas, delta, widen)
    if low <= 0 <= high:
        return _Estimate(effect, delta, True, None, None)
    usable = np.sign(deltas) == np.sign(delta)
    shares = effects[usable] / deltas[usable]
    share = effect / delta
    return _Estimate(effect, delta, False, share, _interval(shares, share, widen))


def _resample(
    packets: np.ndarray,
    moved: np.ndarray,
    exposure: Exposure,
    before: np.ndarray,
    after: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return Δ and M of each resample, (draws,) float64 each."""
    weights = multiplicities(len(exposure.sensors), REPLICATES, rng).astype(np.float64)
    means = []
    for window in (before, after):
        drawn = window[day_block_draws(len(window), REPLICATES, rng)]
        up = np.take_along_axis(weights @ exposure.up, drawn, axis=1)
        for values in (packets, moved):
            total = np.take_along_axis(weights @ values, drawn, axis=1)
            daily = np.divide(total, up, out=np.full_like(total, np.nan), where=up > 0)
            # A draw without any sensor up that day leaves the day out, as the official mean does.
            counted = np.maximum((up > 0).sum(axis=1), 1)
            means.append(np.nansum(daily, axis=1) / counted)
    level_before, moved_before, level_after, moved_after = means
    return level_after - level_before, (moved_after + moved_before) / 2


def _interval(draws: np.ndarray, centre: float, widen: float) -> Interval:
    """Return the 95 % interval of the draws, widened around the estimate."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return centre + (float(low) - centre) * widen, centre + (float(high) - centre) * widen


def _verdict(gained: _Estimate, own_shift: bool | None, matters: bool) -> str:
    """Let the numbers choose the words."""
    if gained.steady is None or own_shift is None:
        return results.NO_SHIFT if gained.effect == 0 else results.CANNOT_TELL
    if gained.share is None:
        # The region did not change: either nothing came with the blocks, or something else made up for it.
        return results.CANNOT_TELL if matters else results.NO_SHIFT
    if gained.share_interval is None:
        return results.NOT_EXPLAINED if abs(gained.share) < PARTLY_FROM else results.CANNOT_TELL
    low, high = gained.share_interval
    if low >= EXPLAINED_FROM and not own_shift:
        return results.EXPLAINED
    if gained.share >= PARTLY_FROM and low > 0:
        return results.PARTLY
    return results.NOT_EXPLAINED if high < EXPLAINED_FROM else results.CANNOT_TELL


def _block_effects(
    cluster: _Cluster, days: tuple[date, ...], before: Window, after: Window
) -> tuple[MovedBlockEffect, ...]:
    """Return a row for each block; one of several CIDRs is named by all of them."""
    parts = slice_of(days, before), slice_of(days, after)
    rows = [
        MovedBlockEffect(
            cidr=", ".join(str(cidr) for cidr in move.cidrs),
            addresses=move.addresses,
            holder=move.holder,
            first_seen=move.first_seen,
            packets_before=int(packets[parts[0]].sum()),
            packets_after=int(packets[parts[1]].sum()),
        )
        for move, packets in zip(cluster.moves, cluster.packets, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (-row.packets_after, -row.packets_before, row.cidr)))
