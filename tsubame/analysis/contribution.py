"""Who carries a port's traffic: by region and by tool, day by day, and what carries an excess."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tsubame.analysis.cubes import Cube
from tsubame.analysis.results import DailySeries
from tsubame.analysis.series import Exposure, daily_series
from tsubame.periods import Window

Port = tuple[int, int | None]


def port_parts(
    cube: Cube, exposure: Exposure, ports: Iterable[Port], by: str, region: str | None = None
) -> dict[tuple[Port, str], DailySeries]:
    """Return the daily series of each port by region or by tool.

    A port has parts on the days on which it was among the day's first ``cubes.CELL_PORTS``.

    Args:
        cube: the quarter's days.
        exposure: its domestic sensors up.
        ports: protocol and port; the port of a protocol without ports is None.
        by: ``region``, ``region_pinned`` or ``tool``.
        region: only its packets, as delegated on the quarter's first day; None for all.
    """
    wanted = {(protocol, port or 0): (protocol, port) for protocol, port in ports}
    packets: dict[tuple[Port, str], np.ndarray] = {}
    for each in cube.days:
        at = (each.day - exposure.days[0]).days
        protocol, port = each.cells["protocol"].to_numpy(), each.cells["dst_port"].to_numpy()
        for key, name in wanted.items():
            mine = np.flatnonzero((protocol == key[0]) & (port == key[1]))
            if not len(mine):
                continue
            rows = each.cells.take(mine)
            if region is not None:
                rows = rows.filter(pc.equal(rows["region_pinned"].cast(pa.string()), region))
            for part, counted in zip(rows[by].to_pylist(), rows["packets"].to_pylist(), strict=True):
                series = packets.setdefault((name, part), np.zeros(len(exposure.days), np.int64))
                series[at] += counted
    return {key: daily_series(exposure, packets[key]) for key in sorted(packets, key=_order)}


def _order(key: tuple[Port, str]) -> tuple[int, int, str]:
    (protocol, port), part = key
    return protocol, port or 0, part


def excess_shares(
    whole: DailySeries, parts: dict[str, DailySeries], during: Window, before: Window
) -> dict[str, float]:
    """Return each part's share of what a port has more during one window than before it.

    The shares add up to 1 when the parts add up to the whole; a part that fell has a negative share. Empty
    where the whole did not change.
    """
    excess = _mean(whole, during) - _mean(whole, before)
    if not excess:
        return {}
    shares = {name: (_mean(part, during) - _mean(part, before)) / excess for name, part in parts.items()}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _mean(series: DailySeries, window: Window) -> float:
    values = [
        value for day, value in zip(series.days, series.per_sensor, strict=True) if day in window and value is not None
    ]
    return float(np.mean(values)) if values else 0.0
