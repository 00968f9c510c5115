"""What of a counted day a person should hear of at once: a port far above its last days, old delegation files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tsubame.periods import ONE_DAY, days_between
from tsubame.pipeline.inventory import read_registry
from tsubame.pipeline.ledger import read_counts, read_records
from tsubame.settings import Settings

WINDOW_DAYS = 10
"""As the report's own ratios: a day against the mean of the ten before."""
FEWEST_DAYS = 5
"""With fewer counted days before, there is nothing to compare with."""
FEWEST_PACKETS = 50
"""Packets per domestic sensor that was up; below, a ratio is chance."""
OLDEST_DAYS = 3
"""Age from which a registry's file in use is stale."""
_PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP"}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a day that a person should hear of.

    Attributes:
        kind: ``event`` or ``stale_delegations``.
        subject: ``2023-01-21 37215/TCP``, or the day.
    """

    kind: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class DayNotices:
    """All notices of one report day."""

    day: date
    notices: tuple[Notice, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the notices as JSON-ready values."""
        return {"day": self.day.isoformat(), "notices": [f"{n.kind} {n.subject}: {n.text}" for n in self.notices]}


def watch_day(settings: Settings, day: date, *, ratio: float) -> DayNotices:
    """Compare a counted day with the ten days before, and look at the age of its delegation files.

    The mean is per domestic sensor that was up, so that a sensor more or less is no event.

    Args:
        ratio: from which multiple of the mean on a port's packets are an event.

    Raises:
        NotReady: an interrupted run left a day half counted.
        DamagedDays: counts or records are not what was written.
        BadInput: the sensor registry is missing or malformed.
        Unavailable: the store does not answer.
    """
    return DayNotices(day, (*_stale_delegations(settings, day), *_events(settings, day, ratio)))


def _stale_delegations(settings: Settings, day: date) -> list[Notice]:
    record = read_records(settings, day, day).get(day)
    ages = {} if record is None else record.snapshot["registries"]
    old = {name: entry["age_days"] for name, entry in sorted(ages.items()) if entry["age_days"] >= OLDEST_DAYS}
    if not old:
        return []
    named = ", ".join(f"{name} {age} days" for name, age in old.items())
    return [Notice("stale_delegations", day.isoformat(), f"regions rest on old files: {named}")]


def _events(settings: Settings, day: date, ratio: float) -> list[Notice]:
    domestic = pa.array([sensor.sensor_id for sensor in read_registry(settings) if sensor.domestic], pa.string())
    before = list(days_between(day - timedelta(days=WINDOW_DAYS), day - ONE_DAY))
    counted = read_records(settings, before[0], day)
    if day not in counted or sum(each in counted for each in before) < FEWEST_DAYS:
        return []
    today = _per_sensor(read_counts(settings, counted[day]), domestic)
    past = [_per_sensor(read_counts(settings, counted[each]), domestic) for each in before if each in counted]
    found = []
    for (protocol, port), mean in today.items():
        usual = sum(each.get((protocol, port), 0.0) for each in past) / len(past)
        if mean >= FEWEST_PACKETS and mean >= ratio * usual:
            name = _PROTOCOLS.get(protocol, str(protocol))
            label = name if protocol == 1 else f"{port}/{name}"
            times = f"{mean / usual:.1f} times" if usual else "nothing in"
            text = f"{mean:,.0f} packets per sensor, {times} the mean of the {len(past)} days before"
            found.append((mean, Notice("event", f"{day} {label}", text)))
    return [notice for _, notice in sorted(found, key=lambda pair: -pair[0])]


def _per_sensor(counts: pa.Table, domestic: pa.Array) -> dict[tuple[int, int], float]:
    """Return packets of each (protocol, port) per domestic sensor that was up."""
    table = counts.filter(pc.is_in(pc.cast(counts["sensor_id"], pa.string()), domestic))
    up = max(1, len(pc.unique(table["sensor_id"])))
    sums = table.group_by(["protocol", "dst_port"], use_threads=False).aggregate([("packets", "sum")])
    columns = (sums[name].to_pylist() for name in ("protocol", "dst_port", "packets_sum"))
    return {(protocol, port): packets / up for protocol, port, packets in zip(*columns, strict=True)}
