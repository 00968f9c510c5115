"""Sensors × days: what has been received, late, is missing, rejected, or waits to be decoded."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from tsubame.capture.accounting import Accounting
from tsubame.keys import FlowsKey
from tsubame.periods import days_between
from tsubame.pipeline.inventory import Inventory, read_registry, take_inventory
from tsubame.pipeline.ledger import read_records
from tsubame.settings import Settings

RECEIVED, LATE, MISSING, REJECTED, ASIDE, WAITING, INACTIVE = (
    "received",
    "late",
    "missing",
    "rejected",
    "incomplete",
    "waiting",
    "inactive",
)
STATES = (RECEIVED, LATE, MISSING, REJECTED, ASIDE, WAITING, INACTIVE)


@dataclass(frozen=True, slots=True)
class Status:
    """The state of every sensor on every report day.

    Attributes:
        states: for each sensor id, one of ``STATES`` a day.
        unknown_sensors: folders that the registry does not name.
        rejected: keys of captures that are none.
        passed_over: objects and folders in sensors' folders that are not read, with the reason.
    """

    days: tuple[date, ...]
    states: dict[str, tuple[str, ...]]
    unknown_sensors: tuple[str, ...]
    rejected: tuple[str, ...]
    passed_over: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the status as JSON-ready values."""
        return {
            "days": [day.isoformat() for day in self.days],
            "sensors": {name: dict(zip(map(str, self.days), row, strict=True)) for name, row in self.states.items()},
            "unknown_sensors": list(self.unknown_sensors),
            "rejected": list(self.rejected),
            "passed_over": self.passed_over,
        }


def sensor_status(settings: Settings, first: date, last: date) -> Status:
    """Tell by listings what each sensor has delivered for the report days.

    A day is *received* when flows with that day's records are there, *late* when all of them were uploaded later
    than the day after, *waiting* when a capture uploaded on that date has not been decoded, *rejected* when all that
    was uploaded on that date is no capture, *incomplete* when a capture was set aside because it kills its workers,
    *missing* when a sensor that should be active delivered nothing.
    """
    registry = read_registry(settings)
    inventory = take_inventory(settings, first, last)
    days = tuple(days_between(first, last))
    seen: dict[tuple[str, date], str] = {}
    for state, sensor_id, day in _observations(inventory, first, last):
        held = seen.get((sensor_id, day))
        if held is None or _ORDER.index(state) < _ORDER.index(held):
            seen[sensor_id, day] = state
    states = {
        sensor.sensor_id: tuple(
            seen.get((sensor.sensor_id, day), MISSING if sensor.is_active(day) else INACTIVE) for day in days
        )
        for sensor in registry
    }
    return Status(days, states, inventory.unknown_sensors, inventory.rejected, inventory.passed_over)


@dataclass(frozen=True, slots=True)
class Counted:
    """What the counts of some report days rest on.

    Attributes:
        days: counted ones.
        sensor_days: pairs of sensor and day with at least one packet kept.
        damaged: captures that were not read to their end.
        carried_forward: days on which a registry's older snapshot stood in.
        code_versions: that counted them, sorted.
    """

    days: int
    sensor_days: int
    records_read: int
    packets_kept: int
    damaged: int
    carried_forward: int
    code_versions: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the values as JSON-ready ones."""
        return asdict(self) | {"code_versions": list(self.code_versions)}

    def as_line(self) -> str:
        """Return what a person should know of it, in one line."""
        return (
            f"counted: {self.days} days, {self.sensor_days:,} sensor-days up, {self.records_read:,} records read, "
            f"{self.packets_kept:,} packets kept, {self.damaged} damaged captures, "
            f"{self.carried_forward} days on an older delegation file, code {', '.join(self.code_versions) or '-'}"
        )


def counted_days(settings: Settings, first: date, last: date) -> Counted:
    """Add up the ledger of the report days that are counted.

    Raises:
        NotReady: an interrupted run left a day with more than one record.
        DamagedDays: records are not what was written.
    """
    records = read_records(settings, first, last).values()
    accounts = [record.accounting for record in records]
    captures = {
        item["capture"]
        for record in records
        for item in record.captures
        if Accounting.from_dict(item["accounting"]).damage()
    }
    return Counted(
        days=len(accounts),
        sensor_days=sum(sum(count > 0 for count in record.packets.values()) for record in records),
        records_read=sum(account.records_read for account in accounts),
        packets_kept=sum(account.packets_kept for account in accounts),
        damaged=len(captures),
        carried_forward=sum(bool(record.snapshot["carried_forward"]) for record in records),
        code_versions=tuple(sorted({record.code_version for record in records})),
    )


_ORDER = (ASIDE, RECEIVED, LATE, WAITING, REJECTED)


def _observations(inventory: Inventory, first: date, last: date) -> list[tuple[str, str, date]]:
    found: list[tuple[str, str, date]] = []
    for capture in inventory.missing:
        if first <= capture.key.hint <= last:
            found.append((WAITING, capture.key.sensor_id, capture.key.hint))
    for key, objects in inventory.flows.items():
        capture_at = inventory.captures.get(key)
        if capture_at is not None:
            for flows in objects:
                found += _days_of(flows, capture_at.key.sensor_id, capture_at.key.hint, first, last)
    return found


def _days_of(flows: FlowsKey, sensor_id: str, hint: date, first: date, last: date) -> list[tuple[str, str, date]]:
    if flows.first is None or flows.last is None:
        return []
    if flows.rejected:
        return [(REJECTED, sensor_id, hint)] if first <= hint <= last else []
    start, end = max(first, flows.first), min(last, flows.last)
    if flows.aside:
        return [(ASIDE, sensor_id, day) for day in days_between(start, end)]
    return [
        (LATE if hint > day + timedelta(days=1) else RECEIVED, sensor_id, day)
        for day in days_between(start, end)
    ]  # fmt: skip
