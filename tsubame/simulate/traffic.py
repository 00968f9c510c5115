"""How many packets of which stream each sensor sees each day, and who sends them.

A stream is the traffic of one ``[[traffic]]`` entry from one region or block.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from tsubame.periods import Quarter, days_between
from tsubame.simulate.scenario import Scenario, SensorSpec, ShapeSpec, TrafficSpec
from tsubame.simulate.world import World

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_LEFT_AT_END = 0.03


def stream_of_randomness(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator of one named purpose; purposes never disturb each other."""
    words = [zlib.crc32(name.encode()) if isinstance(name, str) else name for name in names]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))


@dataclass(frozen=True, slots=True)
class Stream:
    """Traffic of one kind from one region or block; its hosts are a slice of ``Hosts``."""

    traffic: TrafficSpec
    origin: str
    rate: float
    first_host: int
    hosts: int

    @property
    def name(self) -> str:
        """A name that no other stream of the scenario has."""
        return f"{self.traffic.name}/{self.origin}"


@dataclass(frozen=True, slots=True)
class Hosts:
    """The source hosts of all streams: columns of equal length.

    Attributes:
        address: uint32, IPv4 in host order.
        hops: routers between host and sensor.
        port: source port of tools that keep one.
        window: TCP window of tools that draw one.
        secret: 32 bits that a tool drew when it started.
        region: (versions, hosts) codes into ``Plan.regions``.
    """

    address: npt.NDArray[np.uint32]
    hops: npt.NDArray[np.uint8]
    port: npt.NDArray[np.uint16]
    window: npt.NDArray[np.uint16]
    secret: npt.NDArray[np.uint32]
    region: npt.NDArray[np.int16]


class Plan:
    """Streams, their hosts and their levels through time.

    Args:
        scenario: what to plan.
        world: whose addresses.
        scale: all rates are multiplied by it.
        seed: of everything but the world.

    Attributes:
        days: report days, one more at each end than the scenario has: captures are cut by UTC day.
        expected: (streams, days) packets per sensor of rate factor 1, scale applied.
    """

    def __init__(self, scenario: Scenario, world: World, *, scale: float, seed: int) -> None:
        self.scenario, self.world, self.seed = scenario, world, seed
        one = timedelta(days=1)
        self.days = tuple(days_between(scenario.first - one, scenario.last + one))
        self.streams, addresses = _make_streams(scenario, world, seed)
        self.hosts, self.regions = _describe_hosts(addresses, world, seed)
        levels = [
            stream.rate * _level(stream, scenario, self.days) * _noise(stream, len(self.days), seed)
            for stream in self.streams
        ]
        self.expected: Floats = scale * np.array(levels)
        self.other_ports = _unnamed_ports(scenario)

    def counts(self, sensor: SensorSpec) -> Integers:
        """Return (streams, days) numbers of packets that reach a sensor, outages apart."""
        rng = stream_of_randomness(self.seed, "counts", sensor.id)
        mean = self.expected * sensor.rate_factor
        for index, stream in enumerate(self.streams):
            if stream.traffic.noise > 0:
                shape = 1 / stream.traffic.noise
                mean[index] *= rng.gamma(shape, 1 / shape, len(self.days))
        if self.scenario.sampling == "poisson":
            return rng.poisson(mean).astype(np.int64)
        left_over = rng.random(len(self.streams))[:, None]
        whole = np.floor(np.cumsum(mean, axis=1) + left_over).astype(np.int64)
        return np.diff(whole, axis=1, prepend=0)

    def codes(self, day: date) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """Return the hosts' region codes as delegated on ``day`` and on its quarter's first day."""
        of_day = self.hosts.region[self.world.version(day)]
        return of_day, self.hosts.region[self.world.version(Quarter.of(day).first_day)]


def _make_streams(scenario: Scenario, world: World, seed: int) -> tuple[tuple[Stream, ...], npt.NDArray[np.uint32]]:
    streams: list[Stream] = []
    pools: list[npt.NDArray[np.uint32]] = []
    start = 0
    for traffic in scenario.traffic:
        for origin, rate in (*traffic.rates.items(), *traffic.blocks.items()):
            if traffic.same_hosts_as:
                other = next(s for s in streams if s.name == f"{traffic.same_hosts_as}/{origin}")
                streams.append(Stream(traffic, origin, rate, other.first_host, other.hosts))
                continue
            rng = stream_of_randomness(seed, "hosts", traffic.name, origin)
            pools.append(world.hosts(origin, traffic.hosts, rng))
            streams.append(Stream(traffic, origin, rate, start, traffic.hosts))
            start += traffic.hosts
    return tuple(streams), np.concatenate(pools)


def _describe_hosts(addresses: npt.NDArray[np.uint32], world: World, seed: int) -> tuple[Hosts, tuple[str, ...]]:
    number = len(addresses)
    rng = stream_of_randomness(seed, "host traits")
    attributed = np.stack([world.attribute(addresses, version) for version in range(world.versions)])
    regions, codes = np.unique(attributed.astype(str), return_inverse=True)
    hosts = Hosts(
        address=addresses,
        hops=rng.integers(6, 26, number, np.uint8),
        port=rng.integers(32768, 61000, number, np.uint16),
        window=rng.integers(1025, 65535, number, np.uint16),
        secret=rng.integers(0, 2**32, number, np.uint32),
        region=codes.reshape(attributed.shape).astype(np.int16),
    )
    return hosts, tuple(str(region) for region in regions)


def _unnamed_ports(scenario: Scenario) -> npt.NDArray[np.uint16]:
    named = {port for traffic in scenario.traffic for port in (traffic.port, *traffic.ports)}
    return np.array([port for port in range(1024, 65536) if port not in named], np.uint16)


def _level(stream: Stream, scenario: Scenario, days: tuple[date, ...]) -> Floats:
    level = np.ones(len(days))
    for shape in stream.traffic.profile:
        level *= shape_multiplier(shape, days)
    for event in scenario.events:
        if (not event.traffic or stream.traffic.name in event.traffic) and (
            not event.regions or stream.origin in event.regions
        ):
            level *= shape_multiplier(event.shape, days)
    if stream.traffic.weekly:
        level *= np.array([stream.traffic.weekly[day.weekday()] for day in days])
    return level


def _noise(stream: Stream, number: int, seed: int) -> Floats:
    if stream.traffic.noise <= 0:
        return np.ones(number)
    shape = 1 / stream.traffic.noise
    return stream_of_randomness(seed, "noise", stream.name).gamma(shape, 1 / shape, number)


def shape_multiplier(shape: ShapeSpec, days: tuple[date, ...]) -> Floats:
    """Return the multiplier of a shape on each day.

    Args:
        shape: its dates and height.
        days: consecutive days.

    Returns:
        (days,) float64; 1 where the shape changes nothing.
    """
    at = np.array([(day - shape.onset).days for day in days], float)
    height = shape.factor - 1
    if shape.kind == "shift":
        return np.where(at >= 0, shape.factor, 1.0)
    if shape.kind == "wave":
        return np.where(at >= 0, 1 + shape.factor * np.sin(2 * math.pi * at / shape.period_days), 1.0).clip(0)
    assert shape.end is not None
    end = (shape.end - shape.onset).days
    if shape.kind == "burst":
        return np.where((at >= 0) & (at <= end), shape.factor, 1.0)
    if shape.kind == "ramp":
        return 1 + height * (at / max(1, end)).clip(0, 1) if end else np.where(at >= 0, shape.factor, 1.0)
    assert shape.peak is not None
    peak = (shape.peak - shape.onset).days
    half_life = shape.half_life_days or max(1, end - peak) / math.log2(1 / _LEFT_AT_END)
    rise = ((at + 1) / (peak + 1)).clip(0, 1)
    fall = np.where(at > peak, 0.5 ** ((at - peak).clip(0) / half_life), 1.0)
    return 1 + height * np.where((at >= 0) & (at <= end), rise * fall, 0.0)
