"""The sensor registry: who watches, from which country, from when to when.

A sensor's address is secret. It is needed to tell the sensor's packets from others in the capture step and
nowhere else, so it is kept out of ``repr``, logs and every table.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from tsubame.errors import BadInput, MalformedSensors

COLUMNS = ("sensor_id", "address", "country", "active_from", "active_to")
DOMESTIC_COUNTRY = "JP"
_SENSOR_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)

_QUAD = re.compile(r"(?<!\d)\d{1,3}(?:[._-]\d{1,3}){3}(?!\d)")
#: What may be an address, or the beginning of one: it is repeated in no message.
_ADDRESS = re.compile(rf"{_QUAD.pattern}|\d+\.\d+\.\d+|::|:[0-9A-Fa-f]+:")


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor; dates are report days, both included.

    Attributes:
        network: first and last address it answers for, IPv4 in host order. Secret.
    """

    sensor_id: str
    country: str
    active_from: date
    active_to: date | None
    network: tuple[int, int] = field(repr=False)

    @property
    def domestic(self) -> bool:
        """Whether the sensor stands in Japan; the report's rankings count these."""
        return self.country == DOMESTIC_COUNTRY

    def is_active(self, day: date) -> bool:
        """Say whether packets are expected of the sensor on ``day``."""
        return self.active_from <= day and (self.active_to is None or day <= self.active_to)


@dataclass(frozen=True, slots=True)
class SensorRegistry:
    """All sensors, in the order of their ids."""

    sensors: tuple[Sensor, ...]

    def __iter__(self) -> Iterator[Sensor]:
        return iter(self.sensors)

    def __len__(self) -> int:
        return len(self.sensors)

    def __contains__(self, sensor_id: object) -> bool:
        return any(sensor.sensor_id == sensor_id for sensor in self.sensors)

    def get(self, sensor_id: str) -> Sensor:
        """Return the sensor called ``sensor_id``.

        Raises:
            BadInput: the registry does not name it.
        """
        for sensor in self.sensors:
            if sensor.sensor_id == sensor_id:
                return sensor
        raise BadInput("sensor is not in the registry", key=sensor_id, hint="Add it to sensors.csv.")

    def active(self, day: date) -> tuple[Sensor, ...]:
        """Return the sensors of which packets are expected on ``day``."""
        return tuple(sensor for sensor in self.sensors if sensor.is_active(day))


def parse_network(text: str) -> tuple[int, int]:
    """Read an IPv4 address or CIDR block as its first and last address in host order.

    Raises:
        ValueError: the text is neither.
    """
    network = ipaddress.IPv4Network(text.strip(), strict=True)
    return int(network.network_address), int(network.broadcast_address)


def parse_sensors(content: bytes, *, key: str = "sensors.csv") -> SensorRegistry:
    """Read ``sensor_id,address,country,active_from,active_to``.

    Raises:
        MalformedSensors: names the first line that is wrong, never its address.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedSensors("is not UTF-8", key=key, offset=error.start) from error
    # Old Macintosh line ends (\r alone) too: the csv module wants them translated.
    reader = csv.DictReader(io.StringIO(text, newline=None))
    header = tuple(name.strip() for name in _header(reader, key))
    if header != COLUMNS:
        raise MalformedSensors(
            "wrong header",
            key=key,
            offset=1,
            unit="line",
            expected=",".join(COLUMNS),
            actual=_shown(header),
        )
    sensors: dict[str, Sensor] = {}
    for row in _rows(reader, key):
        sensor = _parse_row(row, key, reader.line_num)
        if sensor.sensor_id in sensors:
            raise MalformedSensors(
                f"sensor {sensor.sensor_id} is there twice", key=key, offset=reader.line_num, unit="line"
            )
        sensors[sensor.sensor_id] = sensor
    if not sensors:
        raise MalformedSensors("names no sensor", key=key, hint="Add a line for each sensor folder of the bucket.")
    return SensorRegistry(tuple(sensors[name] for name in sorted(sensors)))


def _header(reader: csv.DictReader[str], key: str) -> Sequence[str]:
    try:
        return reader.fieldnames or ()
    except csv.Error as error:
        raise MalformedSensors("is no CSV", key=key, offset=1, unit="line", actual=error) from error


def _rows(reader: csv.DictReader[str], key: str) -> Iterator[dict[str | None, str | None]]:
    """Yield the rows; csv's own errors quote nothing of the content."""
    try:
        yield from reader
    except csv.Error as error:
        raise MalformedSensors("is no CSV", key=key, offset=reader.line_num, unit="line", actual=error) from error


def _shown(header: tuple[str, ...]) -> str:
    """Return a header for a message; not where it is a row of data, whose address is secret."""
    if any(_ADDRESS.search(name) for name in header):
        return "a row of data (not shown)"
    return ",".join(header)[:200] or "nothing"


def _parse_row(row: dict[str | None, str | None], key: str, line: int) -> Sensor:
    def wrong(column: str, expected: str, actual: object) -> MalformedSensors:
        shown = "an address (not shown)" if _ADDRESS.search(str(actual)) else str(actual)[:80]
        return MalformedSensors(f"column {column}", key=key, offset=line, unit="line", expected=expected, actual=shown)

    if None in row or any(value is None for value in row.values()):
        raise MalformedSensors("wrong number of columns", key=key, offset=line, unit="line", expected=len(COLUMNS))
    cells = {name: (value or "").strip() for name, value in row.items() if name is not None}
    if not _SENSOR_ID.fullmatch(cells["sensor_id"]):
        raise wrong("sensor_id", "letters, digits, '.', '_' or '-'", repr(cells["sensor_id"]))
    if _QUAD.search(cells["sensor_id"]):
        # Names of sensors are in counts, messages and lineage.
        raise wrong("sensor_id", "a name that is no address", repr(cells["sensor_id"]))
    try:
        network = parse_network(cells["address"])
    except ValueError:
        # The address is secret: it is not repeated, and neither is ipaddress' message, which quotes it.
        raise wrong("address", "an IPv4 address or CIDR block", "something else (not shown)") from None
    if not re.fullmatch(r"[A-Z]{2}", cells["country"], re.ASCII):
        raise wrong("country", "ISO 3166 alpha-2 in capitals", repr(cells["country"]))
    active_from = _parse_date(cells["active_from"])
    if active_from is None:
        raise wrong("active_from", "YYYY-MM-DD", repr(cells["active_from"]))
    active_to = _parse_date(cells["active_to"])
    if cells["active_to"] and active_to is None:
        raise wrong("active_to", "YYYY-MM-DD or nothing", repr(cells["active_to"]))
    if active_to is not None and active_to < active_from:
        raise wrong("active_to", f"a day not before {active_from}", active_to)
    return Sensor(cells["sensor_id"], cells["country"], active_from, active_to, network)


def _parse_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
