"""Which sources of one kind of traffic also send another: exact, from distinct sources.

The share is worth something only against a baseline: the other sources of the same region.
"""

from __future__ import annotations

import numpy as np

from tsubame.analysis.cubes import Cube
from tsubame.analysis.packing import (
    PORT_SHIFT,
    REGION_SHIFT,
    pack_port,
    port_of_source,
    region_code,
    source_of,
    unpack_port,
)
from tsubame.analysis.ranking import PROTOCOLS_WITH_PORTS
from tsubame.analysis.results import Overlap

Port = tuple[int, int | None]

_CHUNK = 1 << 20


def keys_of_port(cube: Cube, port: Port) -> np.ndarray:
    """Return the packed sources of a port at the domestic sensors, see ``packing.pack_port_source``."""
    return _below(cube.port_sources, int(_packed(port)), PORT_SHIFT)


def sources_of_port(cube: Cube, port: Port) -> np.ndarray:
    """Return the distinct sources of a port at the domestic sensors; (n,) uint64, sorted."""
    return source_of(keys_of_port(cube, port))


def sources_of_region(cube: Cube, region: str) -> np.ndarray:
    """Return the distinct sources of a two-letter region at the domestic sensors; (n,) uint64, sorted."""
    sources: np.ndarray = _below(cube.region_sources, region_code(region), REGION_SHIFT) & np.uint64(0xFFFFFFFF)
    return sources


def _packed(port: Port) -> np.uint64:
    return np.uint64(pack_port(np.array([port[0]]), np.array([port[1] or 0]))[0])


def _below(packed: np.ndarray, key: int, shift: int) -> np.ndarray:
    low, high = np.searchsorted(packed, np.array([key << shift, (key + 1) << shift], np.uint64))
    return packed[low:high]


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
        everyone = np.unique(source_of(cube.port_sources))
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


def find_companion(cube: Cube, port: Port, region: str | None = None) -> Overlap | None:
    """Return the overlap with the port that most of the sources of ``port`` also sent to.

    Of several with as many sources the lower protocol and port is taken. None where the sources sent to no
    other port.

    Args:
        cube: the quarter's days.
        port: protocol and port of the traffic in question.
        region: only its sources; None for all.
    """
    own = sources_of_port(cube, port)
    if region is not None:
        own = np.intersect1d(own, sources_of_region(cube, region), assume_unique=True)
    if not len(own):
        return None
    shared = np.zeros(1 << 24, np.uint32)
    for low in range(0, len(cube.port_sources), _CHUNK):
        part = cube.port_sources[low : low + _CHUNK]
        sources = source_of(part)
        at = np.minimum(np.searchsorted(own, sources), len(own) - 1)
        keys, counted = np.unique(port_of_source(part[own[at] == sources]), return_counts=True)
        shared[keys] += counted.astype(np.uint32)
    shared[int(_packed(port))] = 0
    best = int(np.argmax(shared))
    if not shared[best]:
        return None
    protocol, number = (int(values[0]) for values in unpack_port(np.array([best], np.uint64)))
    return measure_overlap(cube, port, (protocol, number if protocol in PROTOCOLS_WITH_PORTS else None), region)
