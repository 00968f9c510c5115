"""Which sources of one kind of traffic also send another: exact, from distinct sources.

The share is worth something only against a baseline: the other sources of the same region.
"""

from __future__ import annotations

import numpy as np

from tsubame.analysis.cubes import Cube, pack_port, region_code
from tsubame.analysis.results import Overlap

Port = tuple[int, int | None]


def sources_of_port(cube: Cube, port: Port) -> np.ndarray:
    """Return the distinct sources of a port at the domestic sensors; (n,) uint64, sorted."""
    key = pack_port(np.array([port[0]]), np.array([port[1] or 0]))[0]
    return _sources_below(cube.port_sources, int(key))


def sources_of_region(cube: Cube, region: str) -> np.ndarray:
    """Return the distinct sources of a two-letter region at the domestic sensors; (n,) uint64, sorted."""
    return _sources_below(cube.region_sources, region_code(region))


def _sources_below(packed: np.ndarray, key: int) -> np.ndarray:
    low, high = np.searchsorted(packed, np.array([key << 32, (key + 1) << 32], np.uint64))
    sources: np.ndarray = packed[low:high] & np.uint64(0xFFFFFFFF)
    return sources


def measure_overlap(cube: Cube, port: Port, companion: Port, region: str | None = None) -> Overlap:
    """Say how many of the sources that sent to ``port`` also sent to ``companion`` in the quarter.

    Args:
        cube: the quarter's days.
        port: protocol and port of the traffic in question.
        companion: the other port.
        region: only sources delegated to it on some day; None for all.

    Returns:
        The counts; the baseline is of the sources (of the region) that never sent to ``port``.
    """
    own, other = sources_of_port(cube, port), sources_of_port(cube, companion)
    if region is None:
        everyone = np.unique(cube.port_sources & np.uint64(0xFFFFFFFF))
    else:
        everyone = sources_of_region(cube, region)
        own = np.intersect1d(own, everyone, assume_unique=True)
    both = np.intersect1d(own, other, assume_unique=True)
    rest = np.setdiff1d(everyone, own, assume_unique=True)
    rest_both = np.intersect1d(rest, other, assume_unique=True)
    return Overlap(
        port=port,
        companion=companion,
        region=region,
        sources=len(own),
        also=len(both),
        baseline_sources=len(rest),
        baseline_also=len(rest_both),
    )
