"""The moved part of a region's change, with its interval: sensors × blocks of days are resampled.

For the formulas see ``reassignment``; all means are per domestic sensor up and day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsubame.analysis.results import Interval
from tsubame.analysis.series import Exposure
from tsubame.analysis.timeline import Timeline
from tsubame.analysis.uncertainty import (
    LEVEL,
    MINIMUM_DAYS,
    REPLICATES,
    day_block_draws,
    multiplicities,
    widening,
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """M and Δ of one region in packets per domestic sensor and day.

    Attributes:
        effect: M: positive where the region gains.
        delta: Δ; None where a window holds no day up.
        steady: whether Δ's interval spans 0; None when Δ has none.
        share: M/Δ; None where it is withheld.
        interval: of the share; None with it.
    """

    effect: float
    delta: float | None
    steady: bool | None
    share: float | None
    interval: Interval | None


def estimate_share(
    timeline: Timeline,
    region: str,
    moved: np.ndarray,
    windows: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> Estimate:
    """Quantify what moved blocks did to a region.

    Args:
        timeline: whose packets.
        region: which gains or loses.
        moved: (sensors, days) float64, packets of the blocks; negative where the region loses them.
        windows: places of the days up before and after, (n,) int64 each.
        rng: of the resampling.
    """
    packets = timeline.of(region).astype(np.float64)
    before, after = windows
    per_sensor, moved_per_sensor = (
        [total[at] / timeline.up[at] for at in windows] for total in (packets.sum(axis=0), moved.sum(axis=0))
    )
    known = [float(values.mean()) for values in moved_per_sensor if len(values)]
    effect = sum(known) / len(known) if known else 0.0
    delta = float(per_sensor[1].mean() - per_sensor[0].mean()) if len(before) and len(after) else None
    if delta is None or min(len(before), len(after)) < MINIMUM_DAYS:
        return Estimate(effect, delta, None, None, None)
    deltas, effects = _resample(packets, moved, timeline.exposure, before, after, rng)
    if not len(deltas):
        return Estimate(effect, delta, None, None, None)
    widen = widening(min(len(before), len(after)))
    low, high = _interval(deltas, delta, widen)
    if low <= 0 <= high:
        return Estimate(effect, delta, True, None, None)
    usable = np.sign(deltas) == np.sign(delta)
    shares = effects[usable] / deltas[usable]
    share = effect / delta
    return Estimate(effect, delta, False, share, _interval(shares, share, widen))


def share_among_sensors(timeline: Timeline, pair: tuple[str, str], packets: np.ndarray) -> np.ndarray:
    """Share the packets of moved blocks among the sensors: (sensors, days) float64.

    Sources are kept without the sensor they were seen by. From the move on, the packets pinned to one region
    and delegated to the other tell the sensors' parts; those of the days before are taken to be the same.

    Args:
        timeline: which sensors were up.
        pair: losing and gaining region.
        packets: (moves, days) int64.
    """
    up = timeline.exposure.up
    weight = timeline.parted.get(pair, np.zeros(len(up), np.int64)).astype(np.float64)
    if not weight.any():
        weight = up.sum(axis=1).astype(np.float64)
    weights = weight[:, None] * up
    whole = weights.sum(axis=0)
    total = packets.sum(axis=0).astype(np.float64)
    parts: np.ndarray = np.divide(weights, whole, out=np.zeros_like(weights), where=whole > 0) * total
    return parts


def _resample(
    packets: np.ndarray,
    moved: np.ndarray,
    exposure: Exposure,
    before: np.ndarray,
    after: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return Δ and M of each resample that has both windows, (draws,) float64 each."""
    weights = multiplicities(len(exposure.sensors), REPLICATES, rng).astype(np.float64)
    means = []
    for window in (before, after):
        drawn = day_block_draws(len(window), REPLICATES, rng)
        up = np.take_along_axis(weights @ exposure.up[:, window], drawn, axis=1)
        for values in (packets, moved):
            total = np.take_along_axis(weights @ values[:, window], drawn, axis=1)
            daily = np.divide(total, up, out=np.full_like(total, np.nan), where=up > 0)
            # A draw without any sensor up that day leaves the day out, as the official mean does.
            counted = (up > 0).sum(axis=1)
            sums = np.nansum(daily, axis=1)
            means.append(np.divide(sums, counted, out=np.full(len(sums), np.nan), where=counted > 0))
    level_before, moved_before, level_after, moved_after = means
    # Draws of sensors of which none was up in a window (they were added or ended in between) say nothing.
    known = ~np.isnan(level_before + level_after)
    return (level_after - level_before)[known], ((moved_after + moved_before) / 2)[known]


def _interval(draws: np.ndarray, centre: float, widen: float) -> Interval:
    """Return the 95 % interval of the draws, widened around the estimate."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return centre + (float(low) - centre) * widen, centre + (float(high) - centre) * widen
