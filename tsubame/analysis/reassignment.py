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
from tsubame.analysis.ratios import is_shift, ratio_of_means, windows_around
from tsubame.analysis.results import Interval, MovedBlockEffect, Reassignment
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
    """M and Δ of one region in packets per domestic sensor and day, with the share's interval."""

    effect: float
    delta: float
    delta_interval: Interval | None
    share: float | None
    share_interval: Interval | None


def find_reassignments(
    cube: Cube, grid: RegionGrid, moves: Iterable[MovedBlock], seed: int
) -> tuple[tuple[Reassignment, ...], tuple[Reassignment, ...]]:
    """Group a quarter's moves and quantify each group.

    Args:
        cube: the quarter's days, made with the blocks of ``moves``.
        grid: the same by sensor, day and region.
        moves: blocks whose region on some day of the quarter is another than on its first day.
        seed: of the resampling; equal input gives equal output.

    Returns:
        The reassignments that matter, largest first, and all others, in order of date.
    """
    found = []
    for number, cluster in enumerate(_clusters(cube, moves)):
        rng = np.random.default_rng((seed, number))
        found.append(_quantify(cluster, grid, rng))
    found.sort(key=lambda each: (-each[0], each[2].date, each[2].from_region, each[2].to_region))
    important = tuple(result for _, matters, result in found if matters)
    others = [result for _, matters, result in found if not matters]
    return important, tuple(sorted(others, key=lambda r: (r.date, r.from_region, r.to_region)))


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


def _quantify(cluster: _Cluster, grid: RegionGrid, rng: np.random.Generator) -> tuple[float, bool, Reassignment]:
    """Return the size of the effect, whether it matters, and the reassignment."""
    first, last = cluster.ends
    days = grid.exposure.days
    before, after = windows_around(first, last, days)
    source, target = cluster.moves[0].from_region, cluster.moves[0].to_region
    moved = _by_sensor(cluster, grid, source, target)
    gained = _estimate(grid, target, moved, before, after, rng)
    observed, pinned = grid.series(target), grid.series(target, pinned=True)
    observed_from, pinned_from = grid.series(source), grid.series(source, pinned=True)
    ratio_pinned = ratio_of_means(pinned, after, before)
    smaller = min(
        max(_mean_over(grid.of(region), grid.exposure, window) for window in (before, after))
        for region in (source, target)
    )
    matters = gained.effect >= max(MATTERS_PACKETS, MATTERS * smaller)
    result = Reassignment(
        from_region=source,
        to_region=target,
        date=first,
        before=before,
        after=after,
        blocks=_block_effects(cluster, days, before, after),
        observed=ratio_of_means(observed, after, before),
        pinned=ratio_pinned,
        observed_from=ratio_of_means(observed_from, after, before),
        pinned_from=ratio_of_means(pinned_from, after, before),
        share=gained.share,
        share_interval=gained.share_interval,
        verdict=_verdict(gained, is_shift(ratio_pinned, OWN_SHIFT), matters),
    )
    return gained.effect, matters, result


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
    before: Window,
    after: Window,
    rng: np.random.Generator,
) -> _Estimate:
    """Quantify the gaining region by the module's formulas, and resample sensors × days."""
    exposure = grid.exposure
    packets = grid.of(target).astype(np.float64)
    at_before, at_after = (_days_up(exposure, window) for window in (before, after))
    if not len(at_before) or not len(at_after):
        effect = max(_mean_over(moved, exposure, window) for window in (before, after))
        return _Estimate(effect, 0.0, None, None, None)
    delta, effect = _delta_and_effect(packets, moved, exposure.up, at_before, at_after)
    if min(len(at_before), len(at_after)) < MINIMUM_DAYS:
        return _Estimate(effect, delta, None, None, None)
    deltas, effects = _resample(packets, moved, exposure, at_before, at_after, rng)
    widen = widening(min(len(at_before), len(at_after)))
    delta_interval = _interval(deltas, delta, widen)
    if delta_interval[0] <= 0 <= delta_interval[1]:
        return _Estimate(effect, delta, delta_interval, None, None)
    usable = np.sign(deltas) == np.sign(delta)
    shares = np.divide(effects, deltas, out=np.full_like(effects, np.nan), where=usable)
    share = effect / delta
    return _Estimate(effect, delta, delta_interval, share, _interval(shares[usable], share, widen))


def _delta_and_effect(
    packets: np.ndarray, moved: np.ndarray, up: np.ndarray, before: np.ndarray, after: np.ndarray
) -> tuple[float, float]:
    per_sensor = packets.sum(axis=0)[[*before, *after]] / up.sum(axis=0)[[*before, *after]]
    moved_per_sensor = moved.sum(axis=0)[[*before, *after]] / up.sum(axis=0)[[*before, *after]]
    n = len(before)
    delta = per_sensor[n:].mean() - per_sensor[:n].mean()
    return float(delta), float((moved_per_sensor[n:].mean() + moved_per_sensor[:n].mean()) / 2)


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
    if gained.delta_interval is None or own_shift is None:
        return results.NO_SHIFT if gained.effect == 0 else results.CANNOT_TELL
    if gained.share is None or gained.share_interval is None:
        # The region did not change: either nothing came with the blocks, or something else made up for it.
        return results.CANNOT_TELL if matters else results.NO_SHIFT
    low, high = gained.share_interval
    if low >= EXPLAINED_FROM and not own_shift:
        return results.EXPLAINED
    if gained.share >= PARTLY_FROM and low > 0:
        return results.PARTLY
    if high < EXPLAINED_FROM:
        return results.NOT_EXPLAINED
    return results.CANNOT_TELL


def _block_effects(
    cluster: _Cluster, days: tuple[date, ...], before: Window, after: Window
) -> tuple[MovedBlockEffect, ...]:
    """Return a row for each block; one of several CIDRs is named by all of them."""
    in_window = [np.array([day in window for day in days]) for window in (before, after)]
    rows = [
        MovedBlockEffect(
            cidr=", ".join(str(cidr) for cidr in move.cidrs),
            addresses=move.addresses,
            holder=move.holder,
            first_seen=move.first_seen,
            packets_before=int(packets[in_window[0]].sum()),
            packets_after=int(packets[in_window[1]].sum()),
        )
        for move, packets in zip(cluster.moves, cluster.packets, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (-row.packets_after, -row.packets_before, row.cidr)))


def _days_up(exposure: Exposure, window: Window) -> np.ndarray:
    """Return the indices of the window's days with a domestic sensor up."""
    up = exposure.sensors_up
    return np.array([i for i, day in enumerate(exposure.days) if day in window and up[i]], np.int64)


def _mean_over(packets: np.ndarray, exposure: Exposure, window: Window) -> float:
    at = _days_up(exposure, window)
    if not len(at):
        return 0.0
    return float((packets.sum(axis=0)[at] / exposure.sensors_up[at]).mean())
