"""What is there and what is to be done, told by listings alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta

from tsubame.aggregate.flows import FLOWS_VERSION
from tsubame.errors import BadInput, NotReady
from tsubame.keys import CAPTURE_NAME, CaptureKey, FlowsKey, LedgerKey, month_prefixes
from tsubame.provenance import digest_of
from tsubame.sensors import Sensor, SensorRegistry, parse_sensors
from tsubame.settings import Settings
from tsubame.stores import ObjectInfo, Store, split_object_url

EARLY = timedelta(days=2)
"""How much earlier than its packets' report day a path's date may be: two zones lie between them."""
LATE = timedelta(days=31)
"""How much later an upload is still looked for."""
MOST_NAME_BYTES = 200
"""Bytes of a capture's name: file systems hold 255, and flows put what they are of behind it."""
REACH = EARLY + LATE
"""How far beside a span of report days a capture may bear that is looked at for the span's sake."""
MISPLACED = "lies where no capture is looked for. Captures lie in <sensor>/<YYYY>/<MM>/<DD>/."
MISNAMED = "is not named as a capture. Names end in .pcap, .pcapng, .cap or .dmp, compressed with .gz, .zst and so on."
_LISTINGS_AT_ONCE = 16
_YEAR, _MONTH = re.compile(r"\d{4}", re.ASCII), re.compile(r"\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture object and what its flows depend on."""

    key: CaptureKey
    info: ObjectInfo
    sensor: Sensor
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """The objects that can bear on a span of report days.

    Attributes:
        captures: by key.
        flows: all flows objects found, by capture key (more than one only after an interrupted run).
        unknown_sensors: folders of the sensor bucket that the registry does not name.
        passed_over: objects and folders in sensors' folders that are not read, and why: not named as captures, or not
            where captures lie.
        unfit: captures whose names flows cannot bear; they are not read.
    """

    captures: dict[str, Capture]
    flows: dict[str, list[FlowsKey]]
    unknown_sensors: tuple[str, ...] = ()
    passed_over: dict[str, str] = field(default_factory=dict)
    unfit: tuple[str, ...] = ()
    missing: tuple[Capture, ...] = field(init=False)
    obsolete: tuple[FlowsKey, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find what is to be decoded and what is to be removed."""
        current = {
            flows
            for key, objects in self.flows.items()
            for flows in objects
            if key in self.captures and flows.fingerprint == self.captures[key].fingerprint and not flows.aside
        }
        decoded = {flows.capture for flows in current}
        missing = [capture for key, capture in sorted(self.captures.items()) if key not in decoded]
        obsolete = [
            flows
            for _, objects in sorted(self.flows.items())
            for number, flows in enumerate(sorted(objects, key=lambda flows: flows not in current))
            if number or flows not in current
        ]
        object.__setattr__(self, "missing", tuple(missing))
        object.__setattr__(self, "obsolete", tuple(obsolete))

    @property
    def rejected(self) -> tuple[str, ...]:
        """Keys of the captures that were read and are none."""
        return tuple(sorted(key for key, objects in self.flows.items() for flows in objects if flows.rejected))


def read_registry(settings: Settings) -> SensorRegistry:
    """Read the sensor registry.

    Raises:
        BadInput: it is not there.
        MalformedSensors: it cannot be read.
    """
    store, name = split_object_url(settings.sensors_url)
    if not store.exists(name):
        raise BadInput(
            "the sensor registry does not exist",
            key=settings.sensors_url,
            hint="Write one (sensor_id,address,country,active_from,active_to), or set TSUBAME_SENSORS_URL.",
        )
    return parse_sensors(store.read(name), key=settings.sensors_url)


def fingerprint_of(info: ObjectInfo, sensor: Sensor, timezone: str) -> str:
    """Return 16 hex digits that change whenever the flows of a capture would.

    The sensor's network is part of it, so a fingerprint stays in the lake and is never published.
    """
    return digest_of([info.etag, info.size, sensor.sensor_id, sensor.network, timezone, FLOWS_VERSION])


def take_inventory(settings: Settings, first: date, last: date) -> Inventory:
    """List captures and flows that can hold packets of the report days from ``first`` to ``last``.

    Raises:
        NotReady: the sensor bucket holds no sensor folder at all.
        BadInput, MalformedSensors: the sensor registry is missing or cannot be read.
        Unavailable: a store does not answer.
    """
    registry = read_registry(settings)
    captures, lake = Store(settings.captures_url), Store(settings.lake_url)
    entries = captures.entries()
    folders = [name for name, is_folder in entries if is_folder]
    if not folders:
        raise NotReady(
            "the sensor bucket is empty",
            key=settings.captures_url,
            hint="Check TSUBAME_CAPTURES_URL, or upload captures.",
        )
    known = [name for name in folders if name in registry]
    span = (first - EARLY, last + LATE)
    found: dict[str, Capture] = {}
    passed_over = {name: MISPLACED for name, is_folder in entries if not is_folder and CAPTURE_NAME.fullmatch(name)}
    passed_over |= _misplaced(captures, known, span)
    unfit: list[str] = []
    for info in _list_months(captures, "", known, span):
        key = CaptureKey.parse(info.key)
        if key is None:
            passed_over[info.key] = MISPLACED
        elif not key.named_as_capture:
            passed_over[info.key] = MISNAMED
        elif not _can_be_kept(key.name):
            unfit.append(info.key)
        elif span[0] <= key.hint <= span[1]:
            sensor = registry.get(key.sensor_id)
            found[info.key] = Capture(key, info, sensor, fingerprint_of(info, sensor, settings.timezone))
    return Inventory(
        captures=found,
        flows=list_flows(lake, first, last),
        unknown_sensors=tuple(name for name in folders if name not in registry),
        passed_over=dict(sorted(passed_over.items())),
        unfit=tuple(unfit),
    )


def _misplaced(store: Store, sensors: Iterable[str], span: tuple[date, date]) -> dict[str, str]:
    """Return what lies beside the years of sensors' folders, and beside the months of the span's years.

    No listing of months would ever meet it.
    """
    years = range(span[0].year, span[1].year + 1)
    looked_into = [
        (folder, due)
        for sensor in sensors
        for folder, due in ((sensor, _YEAR), *((f"{sensor}/{year}", _MONTH) for year in years))
    ]
    with ThreadPoolExecutor(_LISTINGS_AT_ONCE) as pool:
        found = pool.map(lambda place: (*place, store.entries(place[0])), looked_into)
        return {
            f"{folder}/{name}" + "/" * is_folder: MISPLACED
            for folder, due, entries in found
            for name, is_folder in entries
            if not (is_folder and due.fullmatch(name))
        }


def _can_be_kept(name: str) -> bool:
    """Say whether flows can bear a capture's name: it is text, and leaves room for what is put behind it."""
    try:
        return len(name.encode()) <= MOST_NAME_BYTES
    except UnicodeEncodeError:
        return False


def list_flows(lake: Store, first: date, last: date) -> dict[str, list[FlowsKey]]:
    """List the flows objects whose captures' path dates can bear on the report days, by capture key."""
    span = (first - EARLY, last + LATE)
    flows: dict[str, list[FlowsKey]] = {}
    for info in _list_months(lake, "flows/", lake.folders("flows/"), span):
        key = FlowsKey.parse(info.key)
        capture = CaptureKey.parse(key.capture) if key else None
        if key and capture and span[0] <= capture.hint <= span[1]:
            flows.setdefault(key.capture, []).append(key)
    return flows


def list_ledger(lake: Store, first: date, last: date) -> dict[date, list[LedgerKey]]:
    """List the records of counted days by day; a day has more than one only after interrupted runs."""
    found: dict[date, list[LedgerKey]] = {}
    for prefix in month_prefixes(first, last):
        for info in lake.list(f"ledger/{prefix[:4]}-{prefix[5:7]}"):
            key = LedgerKey.parse(info.key)
            if key and first <= key.day <= last:
                found.setdefault(key.day, []).append(key)
    return found


def _list_months(store: Store, root: str, folders: Iterable[str], span: tuple[date, date]) -> list[ObjectInfo]:
    prefixes = [f"{root}{folder}/{month}" for folder in folders for month in month_prefixes(*span)]
    with ThreadPoolExecutor(_LISTINGS_AT_ONCE) as pool:
        return [info for listing in pool.map(lambda prefix: list(store.list(prefix)), prefixes) for info in listing]
