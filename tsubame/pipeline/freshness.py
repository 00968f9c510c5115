"""Which quarters are published as the data stand now, told by listings; what an edition was made from.

Publication keeps in the lake, as ``published/<quarter>.json``, the basis of the served edition. A quarter is
*current* while the listings say the same, *stale* when another run could publish something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from tsubame.aggregate.counts import COUNTS_VERSION
from tsubame.errors import BadInput, NotReady
from tsubame.keys import DelegationKey, LedgerKey, latest_key
from tsubame.periods import ONE_DAY, Quarter, days_between
from tsubame.pipeline.inventory import REACH, Capture, list_flows, list_ledger, read_registry, take_inventory
from tsubame.pipeline.quarter import LEAD_DAYS, PREVIOUS_SHARE
from tsubame.provenance import digest_of
from tsubame.regions.glitches import HOLD_DAYS
from tsubame.settings import Settings
from tsubame.stores import Store

CURRENT, STALE, MISSING, EMPTY, OPEN = "current", "stale", "missing", "empty", "open"
STATES = (CURRENT, STALE, MISSING, EMPTY, OPEN)
_DAYS_NAMED = 3
_NO_RECORD = "what the edition was made from is not recorded in the lake"


@dataclass(frozen=True, slots=True)
class Basis:
    """What an edition was made from, as far as listings tell.

    Attributes:
        ledger: for each counted day of the quarter, the digest of all that it was made from.
        before: the same of the quarter before, or where that has too few days for ranks, of its last days.
        delegations: digest of the names of the delegation files that can bear on the quarter.
        sensors: digest of the sensor registry.
        version: of the meaning of counts.
    """

    ledger: dict[str, str]
    before: dict[str, str]
    delegations: str
    sensors: str
    version: int


@dataclass(frozen=True, slots=True)
class QuarterState:
    """Whether a quarter's report says what the data say.

    Attributes:
        state: ``current``; ``stale``: another run may publish something else; ``missing``: there is data and no
            edition; ``empty``: there are no captures; ``open``: the quarter is not over.
        edition: number of the edition served, if there is one.
        reasons: why it is stale, a line each.
    """

    quarter: Quarter
    state: str
    edition: int | None
    reasons: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the state as JSON-ready values."""
        return {
            "quarter": str(self.quarter), "state": self.state, "edition": self.edition, "reasons": list(self.reasons),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Listings:
    """What the stores hold of a span of days, listed once."""

    waiting: tuple[Capture, ...]
    gone: tuple[date, ...]
    days_with_flows: frozenset[date]
    captured: frozenset[date]
    ledger: Mapping[date, Sequence[LedgerKey]]
    delegations: tuple[DelegationKey, ...]
    sensors: str


def quarter_states(settings: Settings, quarters: Sequence[Quarter], *, now: datetime) -> list[QuarterState]:
    """Tell of each quarter whether it is published as the data stand now.

    Args:
        quarters: in the order of time.
        now: a quarter that has not ended by then is ``open``.

    Raises:
        BadInput, MalformedSensors: the sensor registry is missing or cannot be read.
        Unavailable: a store does not answer.
    """
    if not quarters:
        return []
    try:
        there = _list(settings, quarters[0].previous.first_day, quarters[-1].last_day)
    except NotReady:
        # The sensor bucket is empty.
        there = None
    return [_state_of(settings, quarter, there, now) for quarter in quarters]


def ledger_states(settings: Settings, quarters: Sequence[Quarter], *, now: datetime) -> list[QuarterState]:
    """Tell the same by the ledger and the sensor registry alone, quickly however many captures there are.

    What is not counted yet is not seen: captures that wait, delegation files that came since.

    Raises:
        BadInput, MalformedSensors: the sensor registry is missing or cannot be read.
        Unavailable: a store does not answer.
    """
    if not quarters:
        return []
    ledger = list_ledger(Store(settings.lake_url), quarters[0].previous.first_day, quarters[-1].last_day)
    sensors, site = _sensors_digest(settings), Store(settings.site_url)

    def state_of(quarter: Quarter) -> QuarterState:
        edition = served_edition(site, quarter)
        if not quarter.is_over(now, settings.zone):
            return QuarterState(quarter, OPEN, edition)
        if edition is None:
            return QuarterState(quarter, MISSING if any(day in ledger for day in quarter.days) else EMPTY, None)
        kept = _kept_basis(settings, quarter)
        if kept is None or kept[0] != edition:
            return QuarterState(quarter, STALE, edition, (_NO_RECORD,))
        is_now = replace(
            kept[1], ledger=_digests(ledger, quarter.days), sensors=sensors,
            before=_digests(ledger, map(date.fromisoformat, kept[1].before)),
        )  # fmt: skip
        reasons = _differences(kept[1], is_now)
        return QuarterState(quarter, STALE if reasons else CURRENT, edition, tuple(reasons))

    # Two small reads a quarter: one after the other they are what a page would wait for.
    with ThreadPoolExecutor(len(quarters)) as pool:
        return list(pool.map(state_of, quarters))


def stale_quarters(settings: Settings, first: date, last: date, *, now: datetime) -> tuple[QuarterState, ...]:
    """Return the published quarters that the days from ``first`` to ``last`` bear on and that are stale.

    A day bears on its own quarter and, by the previous ranks, on the next; ``count_days`` of these days counts
    days near them, too.
    """
    site = Store(settings.site_url)
    span = span_of(Quarter.of(first - REACH), Quarter.of(last + REACH).next)
    touched = [quarter for quarter in span if served_edition(site, quarter)]
    return tuple(state for state in quarter_states(settings, touched, now=now) if state.state == STALE)


def span_of(first: Quarter, last: Quarter) -> list[Quarter]:
    """Return every quarter from ``first`` to ``last``."""
    quarters = [first]
    while quarters[-1] < last:
        quarters.append(quarters[-1].next)
    return quarters if first <= last else []


def served_edition(site: Store, quarter: Quarter) -> int | None:
    """Return the number of the edition that a quarter's pointer names, or None when nothing is published.

    Raises:
        BadInput: the pointer cannot be read. (``publish.editions`` would tell it, too, but imports the figures.)
    """
    key = latest_key(quarter)
    if not site.exists(key):
        return None
    try:
        return int(json.loads(site.read(key))["edition"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput("pointer to the newest edition cannot be read", key=site.locate(key)) from error


def basis_of(settings: Settings, quarter: Quarter) -> Basis:
    """Return what an edition that is made now is made from; take it before the data are read.

    Raises:
        BadInput, MalformedSensors: the sensor registry is missing or cannot be read.
        Unavailable: a store does not answer.
    """
    first, last = quarter.previous.first_day, quarter.last_day
    lake = Store(settings.lake_url)
    return _basis(
        quarter, _days_with_flows(lake, first, last), list_ledger(lake, first, last),
        _delegation_keys(settings), _sensors_digest(settings),
    )  # fmt: skip


def keep_basis(settings: Settings, quarter: Quarter, edition: int, basis: Basis) -> None:
    """Remember what the served edition was made from."""
    content = {"quarter": str(quarter), "edition": edition, **asdict(basis)}
    Store(settings.lake_url).put(_basis_key(quarter), json.dumps(content, indent=1, sort_keys=True).encode())


def last_given(settings: Settings, quarter: Quarter) -> int:
    """Return the number of the edition whose basis is kept, 0 where none is."""
    kept = _kept_basis(settings, quarter)
    return kept[0] if kept else 0


def _basis_key(quarter: Quarter) -> str:
    return f"published/{quarter}.json"


def _list(settings: Settings, first: date, last: date) -> _Listings:
    inventory = take_inventory(settings, first, last)
    lake = Store(settings.lake_url)
    edges = [day for key in inventory.obsolete if not key.aside for day in (key.first, key.last) if day]
    return _Listings(
        waiting=inventory.missing,
        gone=tuple(edges),
        days_with_flows=_days_of(inventory.flows.values(), first, last),
        captured=frozenset(capture.key.hint for capture in inventory.captures.values()),
        ledger=list_ledger(lake, first, last),
        delegations=_delegation_keys(settings),
        sensors=_sensors_digest(settings),
    )


def _days_with_flows(lake: Store, first: date, last: date) -> frozenset[date]:
    return _days_of(list_flows(lake, first, last).values(), first, last)


def _days_of(flows: Iterable[Any], first: date, last: date) -> frozenset[date]:
    return frozenset(
        day
        for objects in flows
        for key in objects
        if key.first and key.last and key.is_decoded
        for day in days_between(max(first, key.first), min(last, key.last))
    )


def _delegation_keys(settings: Settings) -> tuple[DelegationKey, ...]:
    found = (DelegationKey.parse(info.key) for info in Store(settings.delegations_url).list())
    return tuple(sorted(key for key in found if key))


def _sensors_digest(settings: Settings) -> str:
    return digest_of([[str(sensor), list(sensor.network)] for sensor in read_registry(settings)])


def _basis(
    quarter: Quarter,
    days: frozenset[date],
    ledger: Mapping[date, Sequence[LedgerKey]],
    delegations: Sequence[DelegationKey],
    sensors: str,
) -> Basis:
    until = quarter.last_day + timedelta(days=HOLD_DAYS)
    return Basis(
        ledger=_digests(ledger, quarter.days),
        before=_digests(ledger, _days_before(quarter, days)),
        delegations=digest_of([key.key for key in delegations if key.day <= until]),
        sensors=sensors,
        version=COUNTS_VERSION,
    )


def _digests(ledger: Mapping[date, Sequence[LedgerKey]], days: Iterable[date]) -> dict[str, str]:
    return {day.isoformat(): "+".join(sorted(key.digest for key in ledger[day])) for day in days if day in ledger}


def _days_before(quarter: Quarter, seen: frozenset[date]) -> tuple[date, ...]:
    """Return the days of the quarter before that its report rests on; ``seen`` are those with flows."""
    previous = quarter.previous.days
    if sum(day in seen for day in previous) >= PREVIOUS_SHARE * len(previous):
        return previous
    return tuple(day for day in previous[-LEAD_DAYS:] if {day, day - ONE_DAY} <= seen)


def _state_of(settings: Settings, quarter: Quarter, there: _Listings | None, now: datetime) -> QuarterState:
    edition = served_edition(Store(settings.site_url), quarter)
    if not quarter.is_over(now, settings.zone):
        return QuarterState(quarter, OPEN, edition)
    if edition is None:
        return QuarterState(quarter, MISSING if _has_captures(quarter, there) else EMPTY, None)
    reasons = _reasons(settings, quarter, edition, there)
    return QuarterState(quarter, STALE if reasons else CURRENT, edition, tuple(reasons))


def _has_captures(quarter: Quarter, there: _Listings | None) -> bool:
    if there is None:
        return False
    days = set(quarter.days)
    return not days.isdisjoint(there.captured | there.days_with_flows)


def _reasons(settings: Settings, quarter: Quarter, edition: int, there: _Listings | None) -> list[str]:
    if there is None:
        return ["the sensor bucket is empty"]
    kept = _kept_basis(settings, quarter)
    if kept is None or kept[0] != edition:
        return [_NO_RECORD]
    is_now = _basis(quarter, there.days_with_flows, there.ledger, there.delegations, there.sensors)
    return [*_captures_waiting(there, quarter.first_day, quarter.last_day), *_differences(kept[1], is_now)]


def _differences(was: Basis, is_now: Basis) -> list[str]:
    reasons = [
        *_changed("day", was.ledger, is_now.ledger),
        *_changed("day of the quarter before", was.before, is_now.before),
    ]
    if was.delegations != is_now.delegations:
        reasons.append("delegation files have come or gone")
    if was.sensors != is_now.sensors:
        reasons.append("the sensor registry has changed")
    if was.version != is_now.version:
        reasons.append("counts are made in another way now")
    return reasons


def _captures_waiting(there: _Listings, first: date, last: date) -> list[str]:
    # A UTC date touches the report day before and after it in some zone.
    near = (first - timedelta(days=1), last + timedelta(days=1))
    new = [capture.key.key for capture in there.waiting if near[0] <= capture.key.hint <= near[1]]
    gone = sorted({day for day in there.gone if first <= day <= last})
    said = [f"{len(new)} captures new, changed or not decoded, the first {new[0]}"] if new else []
    return said + ([f"captures replaced or withdrawn, the first of {gone[0]}"] if gone else [])


def _changed(what: str, was: Mapping[str, str], is_now: Mapping[str, str]) -> list[str]:
    days = sorted(day for day in {*was, *is_now} if was.get(day) != is_now.get(day))
    if not days:
        return []
    named = ", ".join(days[:_DAYS_NAMED]) + (f" and {len(days) - _DAYS_NAMED} more" if len(days) > _DAYS_NAMED else "")
    return [f"counted anew since: {what} {named}"]


def _kept_basis(settings: Settings, quarter: Quarter) -> tuple[int, Basis] | None:
    lake = Store(settings.lake_url)
    if not lake.exists(_basis_key(quarter)):
        return None
    try:
        content = json.loads(lake.read(_basis_key(quarter)))
        fields = {name: content[name] for name in Basis.__dataclass_fields__}
        return int(content["edition"]), Basis(**fields)
    except (ValueError, KeyError, TypeError):
        return None
