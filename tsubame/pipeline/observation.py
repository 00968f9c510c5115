"""What the observation page shows: sensors × days, ranks of the last days, newest events, quarters.

All from the ledger, the counts and the site. A ledger key names its content, so what was read once is kept
in memory: a second look lists, and reads only days that were counted since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tsubame.capture.accounting import Accounting
from tsubame.errors import DamagedObject
from tsubame.keys import CaptureKey, LedgerKey, counts_key, edition_prefix, verdict_key
from tsubame.periods import ONE_DAY, Quarter, days_between
from tsubame.pipeline.freshness import ledger_states, span_of
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
_LONGEST_DAYS = 731
_LONGEST_QUARTERS = 40

Value = TypeVar("Value")


class Memory:
    """Keeps what immutable objects said, the oldest forgotten first; shared by threads."""

    def __init__(self, size: int) -> None:
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


# Sums are tables of up to some 100,000 ports: those of two looks are kept, not of every day since the start.
_records, _sums, _told = Memory(2 * _LONGEST_DAYS), Memory(4 * RANK_DAYS), Memory(2 * _LONGEST_QUARTERS)


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


@contextmanager
def _intact(url: str, key: str) -> Iterator[None]:
    """Turn what reading a changed object raises into what can be done about it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DamagedObject(
            "is not what was counted", key=Store(url).locate(key), hint="Run `tsubame count` for its day."
        ) from error


def _read_record(place: tuple[str, LedgerKey]) -> dict[str, Any]:
    """Return, of a ledger record, the letter of each sensor that delivered, and the day's packets."""
    url, key = place
    with _intact(url, key.key):
        return _summary(json.loads(Store(url).read(key.key)), key)


def _summary(record: Mapping[str, Any], key: LedgerKey) -> dict[str, Any]:
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
    days = sorted(ledger, reverse=True)
    # The newest day nearly always has some: no need to read a quarter of records to know.
    for some in (days[begin : begin + RANK_DAYS] for begin in range(0, len(days), RANK_DAYS)):
        keys = {day: (settings.lake_url, ledger[day]) for day in some}
        records = _records.get(list(keys.values()), _read_record)
        for day, key in keys.items():
            if records[key]["packets"]:
                return day
    return last


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
    now = [sums[key] for day, key in keys.items() if day > border]
    before = [sums[key] for day, key in keys.items() if day <= border]
    told: dict[str, Any] = {"last": last.isoformat(), "days": len(now)}
    for which, columns, name in (("ports", _PORT, _port_label), ("regions", _REGION, _region_label)):
        if not sums:
            told[which] = []
            continue
        empty = next(iter(sums.values()))[which].slice(0, 0)
        ranked, was = (_ranked([empty, *(day[which] for day in days)], columns) for days in (now, before))
        top = ranked.slice(0, _RANKS).join(
            was.select([*columns, "rank"]), list(columns), join_type="left outer", right_suffix="_before"
        )
        told[which] = [
            {"name": name(row), "packets": row["packets"], "before": row["rank_before"]}
            for row in top.sort_by("rank").to_pylist()
        ]
    return told


_PORT, _REGION = ("protocol", "dst_port"), ("region",)


def _ranked(tables: Sequence[pa.Table], columns: Sequence[str]) -> pa.Table:
    """Return several days' sums added up, most packets first, with their ranks."""
    table = _added_up(pa.concat_tables(tables), columns)
    table = table.sort_by([("packets", "descending"), *((column, "ascending") for column in columns)])
    return table.append_column("rank", pa.array(range(1, len(table) + 1), pa.uint32()))


def _added_up(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    sums = table.group_by(list(columns), use_threads=False).aggregate([("packets", "sum")])
    return sums.select([*columns, "packets_sum"]).rename_columns([*columns, "packets"])


def _read_sums(place: tuple[str, LedgerKey, tuple[str, ...]]) -> dict[str, pa.Table]:
    url, key, domestic = place
    columns = ["sensor_id", "protocol", "dst_port", "region", "packets"]
    content = Store(url).read(counts_key(key.day))
    with _intact(url, counts_key(key.day)):
        table = pq.read_table(pa.BufferReader(content), columns=columns, use_threads=False)
    table = table.filter(pc.is_in(pc.cast(table["sensor_id"], pa.string()), pa.array(domestic, pa.string())))
    regions = table.set_column(3, "region", pc.cast(table["region"], pa.string()))
    regions = regions.filter(pc.not_equal(regions["region"], ""))
    return {"ports": _added_up(table, _PORT), "regions": _added_up(regions, _REGION)}


def _port_label(row: Mapping[str, Any]) -> str:
    if row["protocol"] == 1:
        return "ICMP"
    return f"{row['dst_port']}/{ {6: 'TCP', 17: 'UDP'}.get(row['protocol'], row['protocol']) }"


def _region_label(row: Mapping[str, Any]) -> str:
    return str(row["region"])


def quarters(settings: Settings, last: Quarter, number: int, *, now: datetime) -> list[dict[str, Any]]:
    """Return the state, the edition, the verdict and the events of the ``number`` quarters up to ``last``.

    Raises:
        BadInput, MalformedSensors: the sensor registry is missing or cannot be read.
        Unavailable: a store does not answer.
    """
    first = last
    for _ in range(number - 1):
        first = first.previous
    lake = Store(settings.lake_url)
    states = ledger_states(settings, span_of(first, last), now=now)
    keys = {state: (settings.site_url, state.quarter, state.edition) for state in states if state.edition}
    told = _told.get(list(keys.values()), _read_edition)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        verdicts = list(pool.map(lambda state: _verdict(lake, state.quarter), states))
    unpublished: dict[str, Any] = {"events": [], "created_at": None}
    return [
        state.as_dict() | {"verdict": verdict} | (told[keys[state]] if state in keys else unpublished)
        for state, verdict in zip(reversed(states), reversed(verdicts), strict=True)
    ]


def _verdict(lake: Store, quarter: Quarter) -> dict[str, Any] | None:
    if not lake.exists(verdict_key(quarter)):
        return None
    verdict = json.loads(lake.read(verdict_key(quarter)))["verdict"]
    return {"refused": verdict["refused"], "summary": verdict["summary"], "notes": len(verdict["notes"])}


def _read_edition(place: tuple[str, Quarter, int]) -> dict[str, Any]:
    """Return what an edition, which never changes, says of itself and of events."""
    url, quarter, edition = place
    report = json.loads(Store(url).read(f"{edition_prefix(quarter, edition)}report.json"))
    events = [claim for claim in report["claims"] if claim["kind"] in _EVENT_KINDS and claim["onset"]]
    events.sort(key=lambda claim: str(claim["onset"]), reverse=True)
    return {
        "created_at": report["created_at"],
        "events": [
            {"onset": claim["onset"], "kind": claim["kind"], "text_en": claim["text_en"], "text_ja": claim["text_ja"]}
            for claim in events[:_EVENTS]
        ],
    }
