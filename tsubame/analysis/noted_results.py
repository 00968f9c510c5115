"""What the analysis says of noted ports, as plain values; beside ``results``, which the report reads as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from tsubame.analysis.results import DailySeries, Event, Interval, Overlap
from tsubame.periods import Window

NO_CHANGE = "none"
CHANGED = "changed"
UNDECIDED = "cannot tell"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether a series changed as the events of another one would have it; see ``analysis.equivalence``.

    Attributes:
        verdict: ``none`` (the change is smaller than ``margin``), ``changed`` or ``cannot tell``.
        factor: of the series on the day on which the other one's events are at their full effect, with its
            95 % interval; None where it could not be fitted.
        margin: a factor within 1/margin and margin is no change worth the name.
        other_factor: of the other series' events on that day.
    """

    verdict: str
    factor: float | None
    factor_interval: Interval | None
    margin: float
    other_factor: float


@dataclass(frozen=True, slots=True)
class SourceDays:
    """Distinct sources of a port by report day; None on days with no sensor up.

    Attributes:
        seen: sources of that day.
        new: those of them that had not been seen at that port since the quarter's first day.
        total: distinct sources of the quarter.
        returning: those of them that were seen at that port in the quarter before; None without one.
    """

    seen: tuple[int | None, ...]
    new: tuple[int | None, ...]
    total: int
    returning: int | None


@dataclass(frozen=True, slots=True)
class RegionPart:
    """A region's packets to a noted port, as delegated on the quarter's first day.

    Attributes:
        events: rises of at least ``analysis.noted.RISE``, in order of onset.
        excess_share: of what the port had more during its rise than before; None where it had no rise.
    """

    region: str
    series: DailySeries
    events: tuple[Event, ...]
    excess_share: float | None


@dataclass(frozen=True, slots=True)
class Superposition:
    """Whether a port's rise is that of some regions.

    Attributes:
        during, before: from the port's first onset to its last end, and the 10 days before.
        share: of the port's excess that the regions with events of their own carry together.
        rest: the port's packets without those regions.
        rest_events: rises of the rest; None where it is too small to have any.
        holds: whether the regions carry at least ``analysis.noted.CARRIED`` and the rest has no rise.
    """

    during: Window
    before: Window
    share: float
    rest: DailySeries
    rest_events: tuple[Event, ...] | None
    holds: bool


@dataclass(frozen=True, slots=True)
class Focus:
    """The region of a noted port that the report looks into.

    Attributes:
        tool: the mark that (nearly) all of its excess bears; None when no tool does.
        series: the region's packets to the port, of that tool where there is one.
        by_tool: the same by tool, largest first; the empty name is packets without a mark.
        overlap: with the port that most of the same sources also sent to; None where that is not telling.
        companion: packets of the region to that port, and how they compare.
    """

    region: str
    tool: str | None
    series: DailySeries
    events: tuple[Event, ...]
    by_tool: dict[str, DailySeries]
    overlap: Overlap | None
    companion: DailySeries | None
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class NotedPort:
    """A port that the report's second chapter is about; see ``analysis.noted`` for how it is chosen.

    Attributes:
        port: protocol and port.
        reasons: ``rise`` (events), ``rank`` (rank and mean rose), or both.
        previous_ratio: mean per sensor-day / that of the quarter before; None without one.
        events: all events of the port's series.
        by_tool: its series by tool, largest first; the empty name is packets without a mark.
        sensors: packets of the quarter by domestic sensor.
        regions: those with rises, in order of their excess.
        domestic: packets from Japan.
        tool_events: events of the tools' series, of each tool that has at least ``analysis.noted.WORTH_SEARCHING`` of
            the port's packets.
    """

    port: tuple[int, int | None]
    reasons: tuple[str, ...]
    previous_ratio: float | None
    series: DailySeries
    events: tuple[Event, ...]
    by_tool: dict[str, DailySeries]
    sources: SourceDays
    sensors: dict[str, int]
    regions: tuple[RegionPart, ...]
    superposition: Superposition | None
    focus: Focus | None
    domestic: int
    tool_events: dict[str, tuple[Event, ...]] = field(default_factory=dict)
