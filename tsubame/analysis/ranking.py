"""Ranks of ports and regions: every packet kept of the domestic sensors counts.

Ties go to the larger number of distinct sources, then to the lower protocol and port, or the region's code.
Only two-letter regions are ranked; ZZ, reserved, available and undelegated space are not. How sure a rank is
comes from resampling sensors × 7-day blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsubame.analysis.cubes import BLOCK_DAYS, Cube
from tsubame.analysis.packing import (
    PORT_SHIFT,
    REGION_SHIFT,
    is_region,
    pack_port,
    region_code,
    region_of_code,
    unpack_port,
    unpack_port_cells,
)
from tsubame.analysis.results import RankedPort, RankedRegion
from tsubame.analysis.series import RegionGrid
from tsubame.analysis.uncertainty import LEVEL, multiplicities

PROTOCOLS_WITH_PORTS = frozenset({6, 17, 33, 132, 136})
"""TCP, UDP, DCCP, SCTP, UDP-Lite; others have no port, and are ranked as a protocol."""

UNRANKED = frozenset({"ZZ"})
RANK_DRAWS = 200
_CHUNK = 2048
CLOSE = 0.05
"""Two neighbours are close when at least this share of the draws exchanges them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    """Things in order of rank.

    Attributes:
        order: (n,) indices of the things, best first.
        low, high: (n,) int64, interval of each rank, in order of rank.
        close: (n,) bool, whether the next thing may as well stand above.
    """

    order: np.ndarray
    low: np.ndarray
    high: np.ndarray
    close: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Packets of things by sensor and 7-day block, in order of thing; four arrays of one length."""

    thing: np.ndarray
    packets: np.ndarray
    block: np.ndarray
    sensor: np.ndarray


def rank_ports(cube: Cube, sensor_days: int, rng: np.random.Generator | None) -> tuple[RankedPort, ...]:
    """Rank all ports of the cube, best first, without previous ranks.

    Args:
        cube: the quarter's days.
        sensor_days: sensor-days up of the domestic sensors.
        rng: draws the resamples; without it every interval is the rank alone.
    """
    keys, packets = _port_totals(cube)
    if not len(keys):
        return ()
    sources = _count_sources(cube.port_sources, keys, PORT_SHIFT)
    protocol, port = unpack_port(keys)
    order = np.lexsort((port, protocol, -sources, -packets))
    cell_port, block, sensor = unpack_port_cells(cube.port_cells)
    cells = _Cells(np.searchsorted(keys, cell_port), cube.port_packets.astype(np.int64), block, sensor)
    ranking = _with_intervals(order, packets, cells, rng)
    return tuple(
        RankedPort(
            rank=rank,
            protocol=int(protocol[i]),
            port=int(port[i]) if int(protocol[i]) in PROTOCOLS_WITH_PORTS else None,
            packets=int(packets[i]),
            per_sensor_day=int(packets[i]) / sensor_days,
            sources=int(sources[i]),
            previous_rank=None,
            rank_interval=(int(ranking.low[rank - 1]), int(ranking.high[rank - 1])),
            close_to_next=bool(ranking.close[rank - 1]),
        )
        for rank, i in enumerate(ranking.order, 1)
    )


def rank_regions(
    cube: Cube, grid: RegionGrid, sensor_days: int, rng: np.random.Generator | None
) -> tuple[RankedRegion, ...]:
    """Rank all two-letter regions as delegated each day, best first, without previous ranks."""
    totals = grid.observed.sum(axis=(0, 1))
    ranked = [
        (name, i) for i, name in enumerate(grid.regions) if is_region(name) and name not in UNRANKED and totals[i]
    ]
    if not ranked:
        return ()
    names = [name for name, _ in ranked]
    per_day = grid.observed[:, :, [i for _, i in ranked]]
    blocks = -(-per_day.shape[1] // BLOCK_DAYS)
    cells = np.add.reduceat(per_day, np.arange(blocks) * BLOCK_DAYS, axis=1)
    region, sensor, block = (axis.ravel() for axis in np.indices((len(names), cells.shape[0], blocks)))
    values = cells.transpose(2, 0, 1).ravel()
    packets = cells.sum(axis=(0, 1))
    codes = np.array([region_code(name) for name in names], np.uint64)
    sources = _count_sources(cube.region_sources, codes, REGION_SHIFT)
    order = np.lexsort((codes, -sources, -packets))
    ranking = _with_intervals(order, packets, _Cells(region, values, block, sensor), rng)
    return tuple(
        RankedRegion(
            rank=rank,
            region=region_of_code(int(codes[i])),
            packets=int(packets[i]),
            per_sensor_day=int(packets[i]) / sensor_days,
            sources=int(sources[i]),
            previous_rank=None,
            rank_interval=(int(ranking.low[rank - 1]), int(ranking.high[rank - 1])),
            close_to_next=bool(ranking.close[rank - 1]),
        )
        for rank, i in enumerate(ranking.order, 1)
    )


def _count_sources(packed: np.ndarray, keys: np.ndarray, shift: int) -> np.ndarray:
    """Return (n,) int64: the distinct sources of each of ``keys``, which are ``packed`` from bit ``shift`` on."""
    low = np.searchsorted(packed, keys << np.uint64(shift))
    high = np.searchsorted(packed, (keys + np.uint64(1)) << np.uint64(shift))
    return (high - low).astype(np.int64)


def _port_totals(cube: Cube) -> tuple[np.ndarray, np.ndarray]:
    """Return the key (uint64, sorted) and the packets (int64) of every port of the quarter."""
    totals = np.zeros(1 << 24, np.int64)
    for day in cube.days:
        protocol, port, packets = (day.ports[name].to_numpy() for name in ("protocol", "dst_port", "packets"))
        totals[pack_port(protocol, port)] += packets.astype(np.int64)
    keys = np.flatnonzero(totals)
    return keys.astype(np.uint64), totals[keys]


def _with_intervals(order: np.ndarray, packets: np.ndarray, cells: _Cells, rng: np.random.Generator | None) -> _Ranking:
    """Rank again in resamples of sensors × 7-day blocks.

    Args:
        order: (n,) the official order.
        packets: (n,) int64, the packets of each thing.
        cells: the part of the packets that is known by sensor and 7-day block; the rest is not resampled.
        rng: draws the resamples; None draws none.
    """
    official = np.arange(1, len(order) + 1)
    if rng is None or not len(cells.packets):
        return _Ranking(order, official, official, np.zeros(len(order), bool))
    sensors, sensor = np.unique(cells.sensor, return_inverse=True)
    blocks, block = np.unique(cells.block, return_inverse=True)
    by_sensor = multiplicities(len(sensors), RANK_DRAWS, rng)
    by_block = multiplicities(len(blocks), RANK_DRAWS, rng)
    weights = (by_sensor[:, :, None] * by_block[:, None, :]).reshape(RANK_DRAWS, -1)
    drawn = _drawn_totals(packets, cells, sensor * len(blocks) + block, weights)[:, order]
    # Equal counts keep their official order, so that a tie alone is no uncertainty.
    ranks = np.empty(drawn.shape, np.int32)
    for draw, totals in enumerate(drawn):
        ranks[draw, np.argsort(-totals, kind="stable")] = official
    exchanged = np.append((drawn[:, 1:] >= drawn[:, :-1]).sum(axis=0), 0)
    tail = (1 - LEVEL) / 2
    # Whole ranks: the interval is made of ranks that were drawn.
    low = np.quantile(ranks, tail, axis=0, method="inverted_cdf")
    high = np.quantile(ranks, 1 - tail, axis=0, method="inverted_cdf")
    return _Ranking(order, np.minimum(low, official), np.maximum(high, official), exchanged >= CLOSE * RANK_DRAWS)


def _drawn_totals(packets: np.ndarray, cells: _Cells, cell: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return each thing's packets in each resample.

    Args:
        packets: (n,) int64, the packets of each thing.
        cells: the entries that are resampled, in order of thing.
        cell: (entries,) int64, which sensor and 7-day block an entry belongs to.
        weights: (draws, cells), how often each of these was drawn.

    Returns:
        (draws, n) float32: rounding to seven digits moves no rank that is sure.
    """
    n = len(packets)
    fixed = packets - np.bincount(cells.thing, weights=cells.packets, minlength=n)
    totals = np.empty((len(weights), n), np.float32)
    for low in range(0, n, _CHUNK):
        high = min(low + _CHUNK, n)
        part = slice(*np.searchsorted(cells.thing, (low, high)))
        dense = np.zeros((high - low, weights.shape[1]))
        dense[cells.thing[part] - low, cell[part]] = cells.packets[part]
        totals[:, low:high] = weights @ dense.T + fixed[low:high]
    return totals
