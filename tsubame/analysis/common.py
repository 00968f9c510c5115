"""Ranks on common sensors: what a table would be if both quarters had been seen by the same sensors.

Sensors see different address space. Where some were added or went away between two quarters, a rank may change for
that alone. Both quarters are then ranked again by the packets of the sensors that both have, each of them on at least
``LEAST_UP`` of its days: one that was there for a week would lend its level to that week only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from tsubame.analysis.cubes import Cube
from tsubame.analysis.packing import is_region, pack_port, unpack_port_cells
from tsubame.analysis.ranking import UNRANKED
from tsubame.analysis.results import CommonRanks, RankedPort, RankedRegion
from tsubame.analysis.series import build_exposure

LEAST_UP = 0.5

_Key = TypeVar("_Key", int, str)


def rank_on_common_sensors(
    cube: Cube, previous: Cube | None, ports: Sequence[RankedPort], regions: Sequence[RankedRegion]
) -> CommonRanks | None:
    """Rank both quarters by the domestic sensors that both have.

    Args:
        cube, previous: the days of the two quarters.
        ports, regions: rows of the tables.

    Returns:
        The rows' ranks; None where no sensor changed, or none is common.
    """
    if previous is None:
        return None
    now, before = _steady(cube), _steady(previous)
    common = now & before
    if now == before or not common:
        return None
    port_keys = {(row.protocol, row.port): _port_key(row) for row in ports}
    port_ranks = [_ranks(_port_totals(each, common)) for each in (cube, previous)]
    region_ranks = [_ranks(_region_totals(each, common)) for each in (cube, previous)]
    return CommonRanks(
        sensors=len(common),
        added=len(now - before),
        removed=len(before - now),
        ports={port: (port_ranks[0].get(key), port_ranks[1].get(key)) for port, key in port_keys.items()},
        regions={row.region: (region_ranks[0].get(row.region), region_ranks[1].get(row.region)) for row in regions},
    )


def _steady(cube: Cube) -> frozenset[str]:
    """Return the domestic sensors that were up on at least ``LEAST_UP`` of the quarter's days."""
    exposure = build_exposure(cube)
    days = exposure.up.sum(axis=1)
    return frozenset(
        name for name, up in zip(exposure.sensors, days.tolist(), strict=True) if up >= LEAST_UP * len(exposure.days)
    )


def _port_key(row: RankedPort) -> int:
    return int(pack_port(np.array([row.protocol]), np.array([row.port or 0]))[0])


def _port_totals(cube: Cube, sensors: Iterable[str]) -> dict[int, int]:
    """Return the packets of some sensors by packed port, of each day's first ``cubes.SENSOR_PORTS`` ports."""
    wanted = np.isin(np.array(cube.sensors), list(sensors))
    port, _, sensor = unpack_port_cells(cube.port_cells)
    mine = wanted[sensor]
    keys, place = np.unique(port[mine], return_inverse=True)
    totals = np.zeros(len(keys), np.int64)
    np.add.at(totals, place, cube.port_packets[mine].astype(np.int64))
    return dict(zip(keys.tolist(), totals.tolist(), strict=True))


def _region_totals(cube: Cube, sensors: frozenset[str]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for day in cube.days:
        columns = (day.regions[name].to_pylist() for name in ("sensor_id", "region", "packets"))
        for sensor, region, packets in zip(*columns, strict=True):
            if sensor in sensors and is_region(region) and region not in UNRANKED:
                totals[region] = totals.get(region, 0) + packets
    return totals


def _ranks(totals: dict[_Key, int]) -> dict[_Key, int]:
    """Return the rank of each key by its total; the lower key first where they are equal."""
    ordered = sorted(totals, key=lambda key: (-totals[key], key))
    return {key: rank for rank, key in enumerate(ordered, 1) if totals[key]}
