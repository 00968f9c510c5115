"""What the observation page shows: sensors × days, ranks of the last days, newest events, quarters.

All from the ledger, the counts and the site. A ledger key names its content, so what was read once is kept
in memory: a second look lists, and reads only days that were counted since.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tsubame.capture.accounting import Accounting
from tsubame.keys import CaptureKey, LedgerKey, counts_key, edition_prefix, verdict_key
from tsubame.periods import ONE_DAY, Quarter, days_between
from tsubame.pipeline.freshness import QuarterState, ledger_states, span_of
from tsubame.pipeline.inventory import list_ledger, read_registry
from tsubame.settings import Settings
from tsubame.stores import Store

RECEIVED, LATE, DAMAGED, DOWN, MISSING, UNCOUNTED, INACTIVE = "r", "l", "d", "n", "m", "u", "-"
MEANINGS = {
    RECEIVED: "received",
    LATE: "late",
    DAMAGED: "damaged",
    DOWN: "down",
    MISSING: "missing",
    UNCOUNTED: "not counted",
    INACTIVE: "inactive",
}
"""One letter a sensor and day. *Down*: captures came and no packet of them was kept. *Missing*: nothing came."""
RANK_DAYS = 7
_RANKS = 10
_EVENTS = 12
_EVENT_KINDS = ("shift", "burst", "spike_and_decay", "gradual", "reassignment", "superposition")
_READS_AT_ONCE = 16
_KEPT = 4000

Value = TypeVar("Value")


class Memory:
    """Keeps what immutable objects said, the oldest forgotten first; shared by threads."""

    def __init__(self, size: int = _KEPT) -> None:
        self._size, self._held, self._lock = size, dict[Any, Any](), Lock()

    def get(self, keys: Sequence[Any], read: Callable[[Any], Value]) -> dict[Any, Value]:
        """Return what ``read`` gives for each key; only what is not kept is read, several at once."""
        with self._lock:
            found = {key: self._held[key] for key in keys if key in self._held}
        missing = [key for key in keys if key not in found]
        if missing:
            with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
                found |= dict(zip(missing, pool.map(read, missing), strict=True))
        with self._lock:
            self._held |= {key: found[key] for key in missing}
            while len(self._held) > self._size:
                del self._held[next(iter(self._held))]
        return found


_records, _sums = Memory(), Memory()


def sensor_days(settings: Settings, first: date, last: date) -> dict[str, Any]:
    """Return the state of every sensor on every day, as JSON-ready values: a string of letters each.

    Raises:
        BadInput, MalformedSensors: the sensor registry is missing or cannot be read.
        Unavailable: a store does not answer.
    """
    registry = read_registry(settings)
    ledger = _newest(list_ledger(Store(settings.lake_url), first, last))
    keys = {day: (settings.lake_url, key) for day, key in ledger.items()}
    records = _records.get(list(keys.values()), _read_record)
    by_day = {day: records[key] for day, key in keys.items()}
    days = tuple(days_between(first, last))
    return {
        "first": first.isoformat(),
        "last": last.isoformat(),
        "meanings": MEANINGS,
        "sensors": [
            {
                "id": sensor.sensor_id,
                "country": sensor.country,
                "states": "".join(_state(by_day.get(day), sensor.sensor_id, sensor.is_active(day)) for day in days),
            }
            for sensor in registry
        ],
        "packets": [by_day[day]["packets"] if day in by_day else None for day in days],
    }


def _newest(ledger: Mapping[date, Sequence[LedgerKey]]) -> dict[date, LedgerKey]:
    # Two records of a day are left by an interrupted run; the page shows one of them until it is counted again.
    return {day: keys[-1] for day, keys in ledger.items()}


def _read_record(place: tuple[str, LedgerKey]) -> dict[str, Any]:
    """Return, of a ledger record, the letter of each sensor that delivered, and the day's packets."""
    url, key = place
    record = json.loads(Store(url).read(key.key))
    letters: dict[str, str] = {}
    on_time: set[str] = set()
    for item in record["captures"]:
        capture = CaptureKey.parse(item["capture"])
        if capture is None:
            continue
        if Accounting.from_dict(item["accounting"]).damage() or item["accounting"]["error"]:
            letters[capture.sensor_id] = DAMAGED
        elif capture.hint <= key.day + ONE_DAY:
            on_time.add(capture.sensor_id)
        letters.setdefault(capture.sensor_id, LATE)
    for sensor_id in on_time:
        letters[sensor_id] = RECEIVED if letters[sensor_id] == LATE else letters[sensor_id]
    up = record["packets"]
    return {
        "letters": {name: letter if up.get(name) else DOWN for name, letter in letters.items()},
        "packets": sum(up.values()),
    }


def _state(record: dict[str, Any] | None, sensor_id: str, active: bool) -> str:
    if record is None:
        return UNCOUNTED if active else INACTIVE
    return str(record["letters"].get(sensor_id, MISSING if active else INACTIVE))


def newest_day(settings: Settings) -> date | None:
    """Return the newest day of which there are counts; one listing."""
    names = [name for name in Store(settings.lake_url).folders("counts/") if name.startswith("day=")]
    return date.fromisoformat(names[-1].removeprefix("day=")) if names else None


def newest_observed_day(settings: Settings, last: date) -> date:
    """Return the newest day, within a quarter before ``last``, of which there are packets; else ``last`` itself."""
    ledger = _newest(list_ledger(Store(settings.lake_url), last - timedelta(days=92), last))
    keys = {day: (settings.lake_url, key) for day, key in ledger.items()}
    records = _records.get(list(keys.values()), _read_record)
    return max((day for day, key in keys.items() if records[key]["packets"]), default=last)


def current_ranks(settings: Settings, last: date) -> dict[str, Any]:
    """Return ports and regions by packets at the domestic sensors, over the seven days to ``last`` and those before.

    Raises:
        BadInput, MalformedSensors: the sensor registry is missing or cannot be read.
        Unavailable: a store does not answer.
    """
    registry, first = read_registry(settings), last - timedelta(days=2 * RANK_DAYS - 1)
    ledger = _newest(list_ledger(Store(settings.lake_url), first, last))
    domestic = tuple(sensor.sensor_id for sensor in registry if sensor.domestic)
    keys = {day: (settings.lake_url, key, domestic) for day, key in ledger.items()}
    sums = _sums.get(list(keys.values()), _read_sums)
    border = last - timedelta(days=RANK_DAYS)
    told: dict[str, Any] = {"last": last.isoformat(), "days": sum(day > border for day in keys)}
    for which in ("ports", "regions"):
        now, before = Counter[str](), Counter[str]()
        for day, key in keys.items():
            (now if day > border else before).update(sums[key][which])
        order = [name for name, _ in before.most_common()]
        told[which] = [
            {"name": name, "packets": packets, "before": order.index(name) + 1 if name in before else None}
            for name, packets in now.most_common(_RANKS)
        ]
    return told


def _read_sums(place: tuple[str, LedgerKey, tuple[str, ...]]) -> dict[str, dict[str, int]]:
    url, key, domestic = place
    columns = ["sensor_id", "protocol", "dst_port", "region", "packets"]
    content = Store(url).read(counts_key(key.day))
    table = pq.read_table(pa.BufferReader(content), columns=columns, use_threads=False)
    table = table.filter(pc.is_in(pc.cast(table["sensor_id"], pa.string()), pa.array(domestic, pa.string())))
    by_port = table.group_by(["protocol", "dst_port"], use_threads=False).aggregate([("packets", "sum")]).to_pylist()
    regions = table.set_column(3, "region", pc.cast(table["region"], pa.string()))
    by_region = regions.group_by("region", use_threads=False).aggregate([("packets", "sum")]).to_pylist()
    return {
        "ports": {_port_label(row["protocol"], row["dst_port"]): row["packets_sum"] for row in by_port},
        "regions": {row["region"]: row["packets_sum"] for row in by_region if row["region"]},
    }


def _port_label(protocol: int, port: int) -> str:
    if protocol == 1:
        return "ICMP"
    return f"{port}/{ {6: 'TCP', 17: 'UDP'}.get(protocol, protocol) }"


def quarters(settings: Settings, last: Quarter, number: int, *, now: datetime) -> list[dict[str, Any]]:
    """Return the state, the edition, the verdict and the events of the ``number`` quarters up to ``last``.

    Raises:
        BadInput, MalformedSensors: the sensor registry is missing or cannot be read.
        Unavailable: a store does not answer.
    """
    first = last
    for _ in range(number - 1):
        first = first.previous
    lake, site = Store(settings.lake_url), Store(settings.site_url)
    states = ledger_states(settings, span_of(first, last), now=now)
    return [_quarter(lake, site, state) for state in reversed(states)]


def _quarter(lake: Store, site: Store, state: QuarterState) -> dict[str, Any]:
    told = state.as_dict() | {"verdict": None, "events": [], "created_at": None}
    if lake.exists(verdict_key(state.quarter)):
        verdict = json.loads(lake.read(verdict_key(state.quarter)))["verdict"]
        told["verdict"] = {"refused": verdict["refused"], "summary": verdict["summary"], "notes": len(verdict["notes"])}
    if state.edition:
        report = json.loads(site.read(f"{edition_prefix(state.quarter, state.edition)}report.json"))
        told["created_at"] = report["created_at"]
        events = [claim for claim in report["claims"] if claim["kind"] in _EVENT_KINDS and claim["onset"]]
        events.sort(key=lambda claim: str(claim["onset"]), reverse=True)
        told["events"] = [
            {"onset": claim["onset"], "kind": claim["kind"], "text_en": claim["text_en"], "text_ja": claim["text_ja"]}
            for claim in events[:_EVENTS]
        ]
    return told
