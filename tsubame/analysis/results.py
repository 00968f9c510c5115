"""What the analysis of a quarter says, as plain values: the only thing ``report`` reads.

Counts are packets of the domestic sensors unless a name says otherwise; means are per sensor-day up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from tsubame.periods import Quarter, Window

if TYPE_CHECKING:
    from tsubame.analysis.noted_results import NotedPort

Interval = tuple[float, float]
_Day = date  # where a field is itself called date


@dataclass(frozen=True, slots=True)
class Ratio:
    """A mean over one window divided by a mean over another.

    Attributes:
        value: None when the denominator is zero or a window holds no day up.
        interval: 95 % interval, None when it cannot be told.
        formula: one line, in words and symbols, saying what was divided by what.
    """

    value: float | None
    interval: Interval | None
    numerator: Window
    denominator: Window
    formula: str


@dataclass(frozen=True, slots=True)
class RankedPort:
    """A row of the port table. ``port`` is None where the protocol has none (ICMP)."""

    rank: int
    protocol: int
    port: int | None
    packets: int
    per_sensor_day: float
    sources: int
    previous_rank: int | None
    rank_interval: tuple[int, int]
    close_to_next: bool


@dataclass(frozen=True, slots=True)
class RankedRegion:
    """A row of the region table; ``region`` is alpha-2, or a registry's own code such as EU."""

    rank: int
    region: str
    packets: int
    per_sensor_day: float
    sources: int
    previous_rank: int | None
    rank_interval: tuple[int, int]
    close_to_next: bool


@dataclass(frozen=True, slots=True)
class CommonRanks:
    """Ranks by the packets of the domestic sensors that two quarters have in common.

    Attributes:
        sensors: how many both have; added, removed: how many only this one and only the one before has.
        ports, regions: rank in this quarter and in the one before; None without a packet.
    """

    sensors: int
    added: int
    removed: int
    ports: dict[tuple[int, int | None], tuple[int | None, int | None]]
    regions: dict[str, tuple[int | None, int | None]]


@dataclass(frozen=True, slots=True)
class DailySeries:
    """A value for each report day of the quarter; None on days with no sensor up.

    Attributes:
        packets: packets of the domestic sensors.
        per_sensor: packets divided by the domestic sensors up that day.
        worth: what the sensors up that day are worth together, in sensors (``series.sensors_worth``); None where that
            is not known, and each is worth as much as any other.
    """

    days: tuple[date, ...]
    packets: tuple[int | None, ...]
    per_sensor: tuple[float | None, ...]
    worth: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a daily series.

    Attributes:
        kind: ``shift``, ``burst``, ``spike_and_decay`` or ``gradual``.
        onset: first day of the change.
        onset_interval: days between which the onset lies, 95 %.
        peak: highest day of a burst or spike (lowest of a fall); None for the others.
        end: last day; None where the change lasts to the end of the series.
        factor: level at its full effect / level without it, with its 95 % interval.
        strength: twice the gain in log likelihood.
        ratio: the ratio that the report states of such an event.
        one_sensor: part of the change that one sensor saw, where it is the greater part; None otherwise.
    """

    kind: str
    onset: date
    onset_interval: tuple[date, date]
    peak: date | None
    end: date | None
    factor: float
    factor_interval: Interval
    strength: float
    ratio: Ratio | None
    one_sensor: float | None = None


@dataclass(frozen=True, slots=True)
class SeenBySensors:
    """How many sensors have the events of a series in their own.

    Attributes:
        sensors: how many there are.
        of_event: for each event of the series, sensors with one of its direction that begins near it.
        alone: events of single sensors' series that no event of the series is near to.
    """

    sensors: int
    of_event: tuple[int, ...]
    alone: int


@dataclass(frozen=True, slots=True)
class Fluctuation:
    """A series that rose and fell again and again.

    Attributes:
        rises, falls: swings up and down.
        low, high: the seven days with the lowest and with the highest mean.
        ratio: the highest such mean / the lowest.
    """

    rises: int
    falls: int
    low: Window
    high: Window
    ratio: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many of the sources of one port also sent to another, against the other sources of the region.

    Attributes:
        port, companion: protocol and port.
        region: None for the sources of all regions.
        sources, also: distinct sources of ``port``, and those of them that sent to ``companion`` too.
        baseline_sources, baseline_also: the same of the sources that never sent to ``port``.
    """

    port: tuple[int, int | None]
    companion: tuple[int, int | None]
    region: str | None
    sources: int
    also: int
    baseline_sources: int
    baseline_also: int

    @property
    def share(self) -> float | None:
        """Share of the sources of ``port`` that sent to ``companion``; None without sources."""
        return self.also / self.sources if self.sources else None

    @property
    def baseline(self) -> float | None:
        """The same share of the other sources."""
        return self.baseline_also / self.baseline_sources if self.baseline_sources else None


@dataclass(frozen=True, slots=True)
class MovedBlockEffect:
    """A block that changed region, and its packets in the two windows."""

    cidr: str
    addresses: int
    holder: str
    first_seen: date
    packets_before: int
    packets_after: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What must all hold before a change is said to be because of a reassignment.

    Attributes:
        share: whether the share's lower bound is at least ``reassignment.EXPLAINED_FROM``.
        alone: whether no event of the two regions' pinned series lies near the date.
        timely: whether a lasting change of the gaining region's series as delegated each day began then.
        own_events: the events that contradict ``alone``, with their regions.
        shift: the lasting change nearest to the date; None when there is none.
    """

    share: bool
    alone: bool
    timely: bool
    own_events: tuple[tuple[str, Event], ...] = ()
    shift: Event | None = None

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the conditions that do not hold."""
        return tuple(name for name in ("share", "alone", "timely") if not getattr(self, name))


@dataclass(frozen=True, slots=True)
class ReassignmentSeries:
    """Daily means per sensor behind a reassignment, on the quarter's days and those that lead up to it.

    Attributes:
        observed, pinned: by region, as delegated each day and on ``Reassignment.reference``.
        blocks: for each of ``Reassignment.blocks`` its packets, whosever it was that day.
    """

    days: tuple[date, ...]
    observed: dict[str, DailySeries]
    pinned: dict[str, DailySeries]
    blocks: tuple[DailySeries, ...]


@dataclass(frozen=True, slots=True)
class Reassignment:
    """The effect on two regions of blocks that the registries moved from one to the other.

    Attributes:
        date: date of the first snapshot used that shows a move of this group.
        before, after: the windows; the days between them are those of the group's moves.
        observed: after / before of the gaining region, as delegated each day.
        pinned: the same, as delegated on the day ``reference``.
        observed_from, pinned_from: the same two of the losing region.
        share: M/Δ of the gaining region; None when Δ cannot be told from 0.
        verdict: one of ``VERDICTS``.
        reference: the quarter's first day; the day before the move where that is not later.
        effect: M of the gaining region, packets per domestic sensor and day.
        delta: Δ of the gaining region; None where a window has no day up.
        share_from, share_from_interval: −M/Δ of the losing region.
        last: date of the last of its moves that carries some of the packets.
        shortened_for: dates of other reassignments that the windows keep clear of.
        evidence: what the verdict rests on; None for those that do not matter.
        series: what figures show; None for those that do not matter.
    """

    from_region: str
    to_region: str
    date: date
    before: Window
    after: Window
    blocks: tuple[MovedBlockEffect, ...]
    observed: Ratio
    pinned: Ratio
    observed_from: Ratio
    pinned_from: Ratio
    share: float | None
    share_interval: Interval | None
    verdict: str
    reference: _Day | None = None
    effect: float = 0.0
    delta: float | None = None
    share_from: float | None = None
    share_from_interval: Interval | None = None
    last: _Day | None = None
    shortened_for: tuple[_Day, ...] = ()
    evidence: Evidence | None = None
    series: ReassignmentSeries | None = field(default=None, repr=False)


EXPLAINED = "explained by reassignment"
COINCIDES = "coincides with reassignment"
NOT_EXPLAINED = "not explained by reassignment"
NO_SHIFT = "reassignment without a shift"
CANNOT_TELL = "cannot tell"
VERDICTS = (EXPLAINED, COINCIDES, NOT_EXPLAINED, NO_SHIFT, CANNOT_TELL)


@dataclass(frozen=True, slots=True)
class RegionStep:
    """A lasting change of one of the first regions, and what reassignments have to do with it.

    Attributes:
        event: of the region's series as delegated each day.
        own: the event of its pinned series at the same time; None when there is none.
        verdict: ``EXPLAINED``, ``COINCIDES``, ``NOT_EXPLAINED`` or ``CANNOT_TELL``.
        reassignments: those that the verdict is taken from: losing region, gaining region and date.
        blocks_near: blocks moved to or from the region in the days about the onset, that matter or not.
        moved_share: M/Δ of all of them over the ten days before the onset and the ten from it on; None where Δ is 0.
    """

    region: str
    event: Event
    own: Event | None
    verdict: str
    reassignments: tuple[tuple[str, str, date], ...] = ()
    blocks_near: int = 0
    moved_share: float | None = None


@dataclass(frozen=True, slots=True)
class RegionEffect:
    """M_r(t) of a region: packets as delegated each day minus packets as delegated on the quarter's first day."""

    region: str
    gained: tuple[int, ...]


MARK_GONE = "signature decayed"
FEWER_PACKETS = "fewer packets"
MARK_AND_PACKETS = "signature decayed and fewer packets"


@dataclass(frozen=True, slots=True)
class SignatureDecay:
    """A tool's share of a port that collapsed, and what the port's total did meanwhile.

    Attributes:
        onset, onset_interval: first day of the share's fall, with its 95 % interval.
        share_factor, share_factor_interval: share after / before.
        share_before, share_after: in the ratios' windows; None without packets there.
        tool, total: after / before of the tool's packets and of all.
        total_if_stopped: what the total's ratio would be had the tool's packets only stopped.
        verdict: ``MARK_GONE``, ``FEWER_PACKETS``, ``MARK_AND_PACKETS`` or ``CANNOT_TELL``.
    """

    onset: date
    onset_interval: tuple[date, date]
    share_factor: float
    share_factor_interval: Interval
    share_before: float | None
    share_after: float | None
    tool: Ratio
    total: Ratio
    total_if_stopped: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class SensorSummary:
    """How much the numbers rest on.

    Attributes:
        coverage: for each sensor id, one letter a day: ``u`` up, ``d`` expected but not up, ``-`` else.
    """

    domestic: int
    overseas: int
    sensor_days_expected: int
    sensor_days_up: int
    domestic_sensor_days_up: int
    coverage: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuarterAnalysis:
    """Everything that the report of one quarter states.

    Attributes:
        ports, regions: full rankings, best first; the report cuts them.
        port_series, region_series: for each of the first ranks, keyed by (protocol, port) and by region.
        region_series_pinned: the same regions as delegated on the quarter's first day.
        growth_ports, growth_regions: last 10 days / first 10 days, for the series above.
        reassignments: those that matter (see ``tsubame.analysis.reassignment``), largest effect first.
        previous: the quarter that previous ranks are of; None when it has no data.
        minor_reassignments: all other moves of the quarter, grouped and quantified alike; for the open data.
        port_events, region_events: events of the series above; of regions as pinned, so that a block's move
            is no event; in the form in which they are told (``analysis.episodes``).
        region_steps: lasting changes of the first regions, each explained by a reassignment or not.
        region_effects: of every region whose two series part on some day; every day they add up to 0.
        noted: ports that the report looks into, largest excess first.
        decays: collapsed shares of tools in the first ports, by port and tool.
        seen_by_sensors: of the events of the first ports and regions, by port or region.
        common: ranks of the first rows on common sensors; None where the sensors are those of the quarter before.
        fluctuations: ports of the series above that rose and fell again and again.
        leads_daily: whether the first region had more packets than any other on every day that a sensor was up.
    """

    quarter: Quarter
    days: tuple[date, ...]
    sensors: SensorSummary
    ports: tuple[RankedPort, ...]
    regions: tuple[RankedRegion, ...]
    port_series: dict[tuple[int, int | None], DailySeries]
    region_series: dict[str, DailySeries]
    region_series_pinned: dict[str, DailySeries]
    growth_ports: dict[tuple[int, int | None], Ratio]
    growth_regions: dict[str, Ratio]
    reassignments: tuple[Reassignment, ...]
    previous: Quarter | None
    minor_reassignments: tuple[Reassignment, ...] = ()
    port_events: dict[tuple[int, int | None], tuple[Event, ...]] = field(default_factory=dict)
    region_events: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    noted: tuple[NotedPort, ...] = ()
    region_steps: tuple[RegionStep, ...] = ()
    region_effects: tuple[RegionEffect, ...] = ()
    decays: dict[tuple[tuple[int, int | None], str], SignatureDecay] = field(default_factory=dict)
    common: CommonRanks | None = None
    seen_by_sensors: dict[tuple[int, int | None] | str, SeenBySensors] = field(default_factory=dict)
    fluctuations: dict[tuple[int, int | None], Fluctuation] = field(default_factory=dict)
    leads_daily: bool = False
