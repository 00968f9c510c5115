"""Simulate a scenario into two stores. The only module of the package that writes."""

from __future__ import annotations

import dataclasses
import importlib.resources
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from tsubame.errors import UsageError
from tsubame.keys import SENSORS, CaptureKey
from tsubame.periods import day_bounds, days_between, load_zone
from tsubame.provenance import digest_of, sha256_of
from tsubame.sensors import COLUMNS, DOMESTIC_COUNTRY, parse_network
from tsubame.simulate.containers import compress, frame, suffix
from tsubame.simulate.delegations import DelegationFiles
from tsubame.simulate.packets import PacketMaker, Packets
from tsubame.simulate.scenario import Scenario, SensorSpec
from tsubame.simulate.traffic import Plan, stream_of_randomness
from tsubame.simulate.truth import TRUTH, Truth, TruthKeeper, accounting_of
from tsubame.simulate.world import World
from tsubame.stores import ObjectInfo, Store

Progress = Callable[[str, int, int], None]
_NOT_A_CAPTURE = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body>502</body></html>\n"
_ONE_DAY = timedelta(days=1)
_ELSEWHERE = "Set TSUBAME_CAPTURES_URL and TSUBAME_DELEGATIONS_URL to empty folders or buckets."
_OWN_CAPTURE = re.compile(r"([^/]+)/\d{4}/\d\d/\d\d/\1-\d{8}T\d{4}Z(-resent)?\.[a-z.]+", re.ASCII)


def simulate(
    scenario: Scenario,
    captures: Store,
    delegations: Store,
    *,
    scale: float = 1.0,
    seed: int | None = None,
    first: date | None = None,
    last: date | None = None,
    progress: Progress | None = None,
) -> Truth:
    """Write captures, ``sensors.csv``, delegation files and ``truth.json``.

    Objects whose bytes are already there are left untouched; when everything is there, nothing is made.

    Args:
        scenario: what to simulate.
        captures: sensor bucket; empty, or written by an earlier simulation.
        delegations: bucket of the delegation files.
        scale: all rates are multiplied by it; more than 0.
        seed: instead of the scenario's.
        first: a later first report day than the scenario's; each object is the same as in the whole.
        last: an earlier last one.
        progress: called with a stage, what is done and what there is to do.

    Returns:
        What was put in.

    Raises:
        UsageError: the scale, seed or days cannot be meant, or a store holds what no simulation wrote.
        MalformedScenario: the scenario contradicts itself in a way that only its world shows.
        Unavailable: a store does not answer, refuses, or is full.
    """
    asked = _Request.of(scenario, scale, seed, first, last)
    told = progress or _silent
    shelf = _Shelf(captures, delegations)
    earlier = shelf.open()
    if earlier is not None and earlier.complete and earlier.digest == asked.digest and shelf.holds(earlier):
        told("simulate", 1, 1)
        return earlier
    world = World(scenario)
    plan = Plan(scenario, world, scale=scale, seed=asked.seed)
    blank = asked.blank_truth()
    keeper = TruthKeeper(plan)
    accounting: dict[str, dict[str, int] | None] = {}
    _write_delegations(shelf, DelegationFiles(world), asked, told)
    if earlier is None or earlier.complete:
        # Says whose objects these are, should the run be cut short.
        captures.put(TRUTH, dataclasses.replace(earlier or blank, complete=False).as_json())
    shelf.put_capture(SENSORS, _sensors_csv(scenario))
    for number, sensor in enumerate(scenario.sensors):
        for made in _SensorCaptures(plan, sensor, asked, keeper).objects():
            shelf.put_capture(made.key, made.content)
            accounting[made.key] = made.accounting
        told("captures", number + 1, len(scenario.sensors))
    truth = dataclasses.replace(
        blank,
        complete=True,
        counts=keeper.counts(),
        sensor_days=keeper.sensor_days,
        accounting=accounting,
        captures=shelf.captures,
        delegations=shelf.delegations,
    )
    shelf.remove_leftovers()
    captures.put(TRUTH, truth.as_json())
    return truth


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


@dataclass(frozen=True, slots=True)
class _Request:
    """What is to be simulated, checked."""

    scenario: Scenario
    scale: float
    seed: int
    first: date
    last: date

    @classmethod
    def of(cls, scenario: Scenario, scale: float, seed: int | None, first: date | None, last: date | None) -> _Request:
        if not 0 < scale < 1e6:
            raise UsageError("scale", expected="a number above 0", actual=scale)
        if seed is not None and seed < 0:
            raise UsageError("seed", expected="a number not below 0", actual=seed)
        start, end = first or scenario.first, last or scenario.last
        if not scenario.first <= start <= end <= scenario.last:
            raise UsageError(
                "days to simulate",
                expected=f"days from {scenario.first} to {scenario.last}",
                actual=f"{start} to {end}",
            )
        return cls(scenario, scale, scenario.seed if seed is None else seed, start, end)

    @property
    def digest(self) -> str:
        content = {
            "scenario": dataclasses.asdict(self.scenario),
            "scale": self.scale,
            "seed": self.seed,
            "days": [self.first, self.last],
            "code": _code_digest(),
        }
        return digest_of(content, digits=32)

    def blank_truth(self) -> Truth:
        plain = _plain(dataclasses.asdict(self.scenario))
        return Truth(
            self.scenario.name,
            self.digest,
            self.scale,
            self.seed,
            self.first.isoformat(),
            self.last.isoformat(),
            self.scenario.timezone,
            events=plain["events"],
            moves=plain["delegations"]["moves"],
            outages=plain["outages"],
            damage=plain["damage"],
        )


def _code_digest() -> str:
    """Digest the simulator's own sources: other changes of the project make no new captures."""
    folder = importlib.resources.files("tsubame.simulate")
    sources = sorted((item.name, item.read_bytes()) for item in folder.iterdir() if item.name.endswith(".py"))
    return sha256_of(b"".join(content for _, content in sources))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


class _Shelf:
    """Both stores, with what they hold; puts only what differs."""

    def __init__(self, captures: Store, delegations: Store) -> None:
        self._stores = (captures, delegations)
        self._there: tuple[dict[str, ObjectInfo], dict[str, ObjectInfo]] = ({}, {})
        self._earlier: Truth | None = None
        self.captures: dict[str, int] = {}
        self.delegations: dict[str, int] = {}

    def open(self) -> Truth | None:
        """List the stores and return the truth of an earlier simulation.

        Raises:
            UsageError: there are objects in the captures store, and no simulation's truth.
        """
        captures, delegations = self._stores
        self._there = (
            {info.key: info for info in captures.list()},
            {info.key: info for info in delegations.list()},
        )
        if TRUTH in self._there[0]:
            self._earlier = Truth.from_json(captures.read(TRUTH))
        elif self._there[0]:
            raise UsageError("holds captures that were not simulated", key=captures.url, hint=_ELSEWHERE)
        return self._earlier

    def holds(self, truth: Truth) -> bool:
        """Say whether every object that a simulation wrote is there, by key and size."""
        return all(
            key in there and there[key].size == size
            for there, sizes in zip(self._there, (truth.captures, truth.delegations), strict=True)
            for key, size in sizes.items()
        )

    def put_capture(self, key: str, content: bytes) -> None:
        """Put into the captures store."""
        if not self._is_there(0, key, content):
            self._stores[0].put(key, content)
        self.captures[key] = len(content)

    def put_delegation(self, key: str, content: bytes) -> None:
        """Put into the delegations store.

        Raises:
            UsageError: there is another file of that key, which no simulation wrote.
        """
        if not self._is_there(1, key, content):
            own = self._earlier is not None and (key in self._earlier.delegations or not self._earlier.complete)
            if key in self._there[1] and not own:
                raise UsageError("was not written by this simulation", key=self._stores[1].locate(key), hint=_ELSEWHERE)
            self._stores[1].put(key, content)
        self.delegations[key] = len(content)

    def _is_there(self, which: int, key: str, content: bytes) -> bool:
        there = self._there[which].get(key)
        return there is not None and there.size == len(content) and self._stores[which].read(key) == content

    def remove_leftovers(self) -> None:
        """Delete what an earlier simulation, complete or cut short, wrote and this one did not."""
        if self._earlier is None:
            return
        old = set(self._earlier.captures)
        if not self._earlier.complete:
            old |= {key for key in self._there[0] if _OWN_CAPTURE.fullmatch(key)}
        for key in sorted(old - self.captures.keys()):
            self._stores[0].delete(key)
        for key in sorted(self._earlier.delegations.keys() - self.delegations.keys()):
            self._stores[1].delete(key)


def _write_delegations(shelf: _Shelf, files: DelegationFiles, asked: _Request, told: Progress) -> None:
    days = list(days_between(asked.first - _ONE_DAY, asked.last))
    for number, day in enumerate(days):
        for key, content in files.files(day):
            shelf.put_delegation(key, content)
        told("delegations", number + 1, len(days))


def _sensors_csv(scenario: Scenario) -> bytes:
    rows = [",".join(COLUMNS)]
    for sensor in sorted(scenario.sensors, key=lambda item: item.id):
        begin = sensor.active_from or scenario.first - _ONE_DAY
        rows.append(f"{sensor.id},{sensor.address},{sensor.country},{begin},{sensor.active_to or ''}")
    return "".join(f"{row}\n" for row in rows).encode()


@dataclass(frozen=True, slots=True)
class _Made:
    key: str
    content: bytes
    accounting: dict[str, int] | None


class _SensorCaptures:
    """Makes all capture objects of one sensor."""

    def __init__(self, plan: Plan, sensor: SensorSpec, asked: _Request, keeper: TruthKeeper) -> None:
        self._plan, self._sensor, self._asked, self._keeper = plan, sensor, asked, keeper
        self._scenario = asked.scenario
        self._zone = load_zone(asked.scenario.timezone)
        self._maker = PacketMaker(plan)
        self._network = parse_network(sensor.address)
        self._counts = plan.counts(sensor)
        self._domestic = sensor.country == DOMESTIC_COUNTRY
        self._spans: dict[date, tuple[int, int]] = {}
        self._outages = [outage for outage in self._scenario.outages if outage.sensor == sensor.id]

    def objects(self) -> Iterator[_Made]:
        """Yield the sensor's objects in the order of time."""
        start = day_bounds(self._asked.first, self._zone)[0].date()
        end = (day_bounds(self._asked.last, self._zone)[1] - timedelta(microseconds=1)).date()
        made: dict[date, Packets] = {}
        for utc_day in days_between(start, end):
            # Wherever the zone lies, a UTC day has parts of at most these report days.
            near = [day for day in days_between(utc_day - _ONE_DAY, utc_day + _ONE_DAY) if self._is_up(day)]
            made = {day: made[day] if day in made else self._packets_of(day) for day in near}
            yield from self._objects_of(utc_day, made)

    def _objects_of(self, utc_day: date, made: dict[date, Packets]) -> Iterator[_Made]:
        sensor = self._sensor
        midnight = datetime(utc_day.year, utc_day.month, utc_day.day, tzinfo=UTC)
        hours = 24 // sensor.captures_per_day
        damage = {d.kind: d for d in self._scenario.damage if d.sensor == sensor.id and d.day == utc_day}
        for part in range(sensor.captures_per_day):
            begin = midnight + timedelta(hours=hours * part)
            window = _nanoseconds(begin), _nanoseconds(begin + timedelta(hours=hours))
            inside = {day: _overlap(window, self._span(day)) for day in made}
            inside = {day: span for day, span in inside.items() if span[0] < span[1]}
            if not inside:
                continue
            key = self._key(utc_day, f"{sensor.id}-{begin:%Y%m%dT%H%MZ}{suffix(sensor)}")
            keep = damage["truncated"].keep if part == 0 and "truncated" in damage else None
            yield self._capture(key, {day: (made[day], inside[day]) for day in inside}, keep)
            if part == 0 and "foreign" in damage:
                name = f"{sensor.id}-{begin:%Y%m%dT%H%MZ}-resent{suffix(sensor)}"
                yield _Made(self._key(utc_day, name), _NOT_A_CAPTURE, None)

    def _key(self, utc_day: date, name: str) -> str:
        late = [o for o in self._outages if o.kind == "late" and o.first <= utc_day <= o.last]
        uploaded = utc_day + timedelta(days=late[0].delay_days if late else 0)
        return CaptureKey(self._sensor.id, uploaded, name).key

    def _capture(self, key: str, parts: dict[date, tuple[Packets, tuple[int, int]]], keep: float | None) -> _Made:
        sensor = self._sensor
        columns = []
        for packets, span in parts.values():
            ends = np.searchsorted(packets.time, span)
            columns.append(packets.select(slice(int(ends[0]), int(ends[1]))))
        whole = next(iter(parts.values()))[1][0], list(parts.values())[-1][1][1]
        rng = stream_of_randomness(self._asked.seed, "strays", key)
        strays = (sensor.outside, 0 if sensor.link == "raw" else sensor.arp, sensor.ipv6)
        columns.append(self._maker.make_strays(strays, self._network, whole, rng))
        joined = Packets.join(columns)
        content, ends_of_records = frame(joined, sensor)
        fault = 0
        if keep is not None:
            content, joined, fault = _truncate(content, joined, ends_of_records, keep)
        for day in parts:
            begin, end = self._span(day)
            rows = (joined.time >= begin) & (joined.time < end)
            self._keeper.add(joined.select(rows), day, sensor.id, self._domestic)
        accounting = {**accounting_of(joined), "truncated_tail": fault}
        return _Made(key, compress(content, sensor.compression), accounting)

    def _is_up(self, day: date) -> bool:
        sensor = self._sensor
        active = (sensor.active_from is None or sensor.active_from <= day) and (
            sensor.active_to is None or day <= sensor.active_to
        )
        down = any(o.kind == "down" and o.first <= day <= o.last for o in self._outages)
        return active and not down and self._plan.days[0] <= day <= self._plan.days[-1]

    def _packets_of(self, day: date) -> Packets:
        at = (day - self._plan.days[0]).days
        rng = stream_of_randomness(self._asked.seed, "packets", self._sensor.id, day.toordinal())
        return self._maker.make(self._counts[:, at], self._network, self._span(day), rng)

    def _span(self, day: date) -> tuple[int, int]:
        if day not in self._spans:
            start, end = day_bounds(day, self._zone)
            self._spans[day] = _nanoseconds(start), _nanoseconds(end)
        return self._spans[day]


def _nanoseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), min(one[1], other[1])


def _truncate(content: bytes, packets: Packets, ends: npt.NDArray[np.int64], keep: float) -> tuple[bytes, Packets, int]:
    """Cut a capture inside a record, as an upload that broke off does."""
    size = int(len(content) * keep)
    if size in ends:
        size -= 1
    whole = int(np.searchsorted(ends, size, side="right"))
    return content[:size], packets.select(slice(0, whole)), int(size < len(content))
