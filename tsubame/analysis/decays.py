"""Tools' marks that vanish from the first ports; what a collapse of a share means is in ``signatures``."""

from __future__ import annotations

from tsubame.analysis.contribution import port_parts
from tsubame.analysis.cubes import Cube
from tsubame.analysis.results import DailySeries, SignatureDecay
from tsubame.analysis.series import Exposure
from tsubame.analysis.signatures import find_signature_decay

Port = tuple[int, int | None]

WORTH_A_MARK = 0.1
"""Part of a port's packets of the quarter from which on a tool's mark is worth looking after."""


def find_decays(
    cube: Cube, exposure: Exposure, series: dict[Port, DailySeries]
) -> dict[tuple[Port, str], SignatureDecay]:
    """Return the collapsed shares of tools in some ports, by port and tool."""
    found = {}
    for (port, tool), part in port_parts(cube, exposure, series, "tool").items():
        whole = series[port]
        packets, total = (sum(count or 0 for count in each.packets) for each in (part, whole))
        if not tool or packets < WORTH_A_MARK * total:
            continue
        decay = find_signature_decay(part, whole)
        if decay is not None:
            found[port, tool] = decay
    return found
