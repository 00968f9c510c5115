"""Which sensors have delivered a report day to its end; told by listings alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tsubame.keys import CaptureKey, month_prefixes
from tsubame.periods import day_bounds
from tsubame.pipeline.inventory import LATE, read_registry
from tsubame.settings import Settings
from tsubame.stores import Store


@dataclass(frozen=True, slots=True)
class Delivery:
    """Who has delivered a report day.

    Attributes:
        delivered: sensors with a capture that reaches the day's end.
        awaited: active sensors without one.
    """

    day: date
    delivered: tuple[str, ...]
    awaited: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the delivery as JSON-ready values."""
        return {"day": self.day.isoformat(), "delivered": list(self.delivered), "awaited": list(self.awaited)}


def day_delivery(settings: Settings, day: date, *, now: datetime) -> Delivery:
    """Tell which of the sensors that are active on a report day have delivered it to its end.

    A sensor has when one of its captures has a path date (UTC) not before that of the day's last instant, and
    was written after that instant: of hourly captures the first one of the date ends too early.

    Args:
        now: bounds how far ahead captures are looked for.

    Raises:
        BadInput, MalformedSensors: the sensor registry is missing or cannot be read.
        Unavailable: the store does not answer.
    """
    end = day_bounds(day, settings.zone)[1].astimezone(UTC)
    last_date = (end - timedelta(microseconds=1)).date()
    until = max(last_date, min(last_date + LATE, now.astimezone(UTC).date()))
    store = Store(settings.captures_url)
    active = [sensor.sensor_id for sensor in read_registry(settings).active(day)]
    there = tuple(name for name in active if _reaches(store, name, (last_date, until), end))
    return Delivery(day, there, tuple(name for name in active if name not in there))


def _reaches(store: Store, sensor_id: str, span: tuple[date, date], end: datetime) -> bool:
    for month in month_prefixes(*span):
        for info in store.list(f"{sensor_id}/{month}"):
            key = CaptureKey.parse(info.key)
            if key is None or not key.named_as_capture or key.hint < span[0]:
                continue
            if info.modified is None or info.modified >= end.timestamp():
                return True
    return False
