"""Timetables whose partition is a period of the report's calendar: a day or a quarter.

A run's partition key is the period's name (``2023-01-31``, ``2023Q1``), so its run id reads as a person
would say it, ``airflow backfill create --from-date 2022-10-01 --to-date 2023-03-31`` means days of the report's
zone, and a run can be triggered by hand with the name of the period. Airflow's data intervals would be UTC
instants (2022Q4 in Tokyo begins on 2022-09-30T15:00Z) and a backfilled run's id the instant of its schedule.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pendulum
from airflow.exceptions import InvalidPartitionKeyError
from airflow.partition_mappers.base import PartitionMapper
from airflow.serialization.decoders import decode_asset_like
from airflow.serialization.encoders import encode_asset_like, ensure_serialized_asset
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from tsubame.errors import UsageError
from tsubame.periods import ONE_DAY, Quarter, day_bounds, load_zone, parse_day


class PeriodTimetable(Timetable):
    """One run per period, ``lag_hours`` after the period has ended in ``zone``.

    Without catch-up, a scheduler that was down when a period came due makes up for the newest one, if the last
    run was of one of the ``made_up_for`` periods before it. A new deployment, or one that only has backfills
    of long ago, waits for the next period to end.

    Args:
        zone: name of the report's time zone.
        lag_hours: from the period's end until it is run.
    """

    partitioned = True
    made_up_for = 1
    run_ordering = ("partition_date", "run_after")

    def __init__(self, zone: str, lag_hours: int = 0) -> None:
        self.zone = load_zone(zone)
        self.lag = timedelta(hours=lag_hours)

    @abstractmethod
    def begin(self, day: date) -> date:
        """Return the first day of the period that contains ``day``."""

    @abstractmethod
    def following(self, start: date) -> date:
        """Return the first day of the period after the one that starts on ``start``."""

    @abstractmethod
    def label(self, start: date) -> str:
        """Return the name of the period that starts on ``start``: its partition key."""

    @abstractmethod
    def start_of(self, key: str) -> date:
        """Return the first day of the period called ``key``; raises UsageError."""

    def end(self, start: date) -> datetime:
        """Return the UTC instant at which the period that starts on ``start`` is over."""
        return day_bounds(self.following(start), self.zone)[0]

    def info(self, start: date) -> DagRunInfo:
        """Return the run of the period that starts on ``start``."""
        return DagRunInfo(
            run_after=pendulum.instance(self.end(start) + self.lag),
            data_interval=None,
            partition_date=pendulum.instance(day_bounds(start, self.zone)[0]),
            partition_key=self.label(start),
        )

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run to schedule next."""
        last = self._start_of_run(last_dagrun_info)
        if restriction.catchup:
            if last is None and restriction.earliest is None:
                return None
            start = date.min if last is None else self.following(last)
        else:
            start = self._without_catchup(last, datetime.now(self.zone))
        if restriction.earliest is not None:
            start = max(start, self._first_from(restriction.earliest))
        if restriction.latest is not None and day_bounds(start, self.zone)[0] > restriction.latest:
            return None
        return self.info(start)

    def _without_catchup(self, last: date | None, now: datetime) -> date:
        upcoming = self.begin((now - self.lag).date())
        due = self.begin(upcoming - ONE_DAY)
        if last is None:
            return upcoming
        if last >= due:
            return self.following(last)
        start = last
        for _ in range(self.made_up_for):
            start = self.following(start)
            if start == due:
                return due
        return upcoming

    def _start_of_run(self, run: DagRunInfo | None) -> date | None:
        if run is None or run.partition_date is None:
            return None
        return self.begin(run.partition_date.astimezone(self.zone).date())

    def _first_from(self, instant: datetime) -> date:
        start = self.begin(instant.astimezone(self.zone).date())
        return start if day_bounds(start, self.zone)[0] >= instant else self.following(start)

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterable[DagRunInfo]:
        """Yield the runs of a backfill: periods that start within the span and are over."""
        now = datetime.now(self.zone)
        start = self._first_from(self.localize_partition_datetime(earliest))
        last = self.localize_partition_datetime(latest)
        while day_bounds(start, self.zone)[0] <= last and self.end(start) <= now:
            yield self.info(start)
            start = self.following(start)

    def localize_partition_datetime(self, dt: datetime) -> pendulum.DateTime:
        """Read the wall clock of ``dt`` as one in the report's zone: a backfill's dates are report days."""
        return pendulum.instance(dt.replace(tzinfo=self.zone)).in_timezone("UTC")

    def _decode_partition_date(self, partition_key: str) -> datetime:
        try:
            start = self.start_of(partition_key)
        except UsageError as error:
            raise InvalidPartitionKeyError(str(error)) from error
        return pendulum.instance(day_bounds(start, self.zone)[0])

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return an empty interval: the partition key says which period a run is of, not an interval."""
        return DataInterval.exact(run_after)

    def generate_run_id(
        self,
        *,
        run_type: Any,
        run_after: pendulum.DateTime,
        data_interval: DataInterval | None,  # noqa: ARG002 - given by Airflow, None where there are partitions
        **extra: Any,
    ) -> str:
        """Return ``backfill__2023Q1__20230405T031500``, the end being the moment of creation."""
        key = extra.get("partition_key") or f"{run_after:%Y%m%dT%H%M%S%f}"
        return run_type.generate_run_id(suffix=f"{key}__{pendulum.now('UTC'):%Y%m%dT%H%M%S}")

    def serialize(self) -> dict[str, Any]:
        """Return what ``deserialize`` needs."""
        return {"zone": self.zone.key, "lag_hours": int(self.lag.total_seconds() // 3600)}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> PeriodTimetable:
        """Rebuild the timetable in the scheduler."""
        return cls(data["zone"], data["lag_hours"])


class QuarterMapper(PartitionMapper):
    """Takes an asset's partition, a quarter, as the run's own: same key, same date as a scheduled run has."""

    def __init__(self, zone: str) -> None:
        super().__init__()
        self.zone = load_zone(zone)

    def to_downstream(self, key: str) -> str:
        """Return the key, if it is a quarter; raises UsageError."""
        return str(Quarter.parse(key))

    def to_partition_date(self, downstream_key: str) -> datetime:
        """Return the instant at which the quarter begins."""
        return pendulum.instance(day_bounds(Quarter.parse(downstream_key).first_day, self.zone)[0])

    def serialize(self) -> dict[str, Any]:
        """Return what ``deserialize`` needs."""
        return {"zone": self.zone.key}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> QuarterMapper:
        """Rebuild the mapper in another process."""
        return cls(data["zone"])


class QuarterTimetable(PeriodTimetable):
    """One run per calendar quarter, a publication lag after its end; the partition key reads ``2023Q1``.

    Args:
        stale: asset whose events, partitioned by quarter, make a run of that quarter besides.
    """

    description = "After each quarter and the publication lag"
    made_up_for = 4

    def __init__(self, zone: str, lag_hours: int = 0, *, stale: Any = None) -> None:
        super().__init__(zone, lag_hours)
        if stale is not None:
            self.asset_condition = ensure_serialized_asset(stale)

    @property
    def listens(self) -> bool:
        """Whether asset events make runs, too."""
        return bool(list(self.asset_condition.iter_assets()))

    def get_partition_mapper(self, *, name: str = "", uri: str = "") -> PartitionMapper:  # noqa: ARG002 - Airflow's
        """Return how a stale quarter's event becomes a run."""
        return QuarterMapper(self.zone.key)

    def serialize(self) -> dict[str, Any]:
        """Return what ``deserialize`` needs."""
        stale = {"stale": encode_asset_like(self.asset_condition)} if self.listens else {}
        return super().serialize() | stale

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> QuarterTimetable:
        """Rebuild the timetable in the scheduler."""
        stale = decode_asset_like(data["stale"]) if "stale" in data else None
        return cls(data["zone"], data["lag_hours"], stale=stale)

    def begin(self, day: date) -> date:
        """Return the first day of the quarter that contains ``day``."""
        return Quarter.of(day).first_day

    def following(self, start: date) -> date:
        """Return the first day of the next quarter."""
        return Quarter.of(start).next.first_day

    def label(self, start: date) -> str:
        """Return ``2023Q1``."""
        return str(Quarter.of(start))

    def start_of(self, key: str) -> date:
        """Return the first day of the quarter called ``key``."""
        return Quarter.parse(key).first_day

    @property
    def summary(self) -> str:
        """What the list of DAGs shows."""
        said = f"quarterly + {self.lag.total_seconds() / 86400:g} d, {self.zone.key}"
        return f"{said}, or stale" if self.listens else said


class DayTimetable(PeriodTimetable):
    """One run per day, a grace after its end; the partition key reads ``2023-01-31``."""

    description = "After each day and its grace"
    made_up_for = 31

    def begin(self, day: date) -> date:
        """Return ``day`` itself."""
        return day

    def following(self, start: date) -> date:
        """Return the next day."""
        return start + ONE_DAY

    def label(self, start: date) -> str:
        """Return ``2023-01-31``."""
        return start.isoformat()

    def start_of(self, key: str) -> date:
        """Return the day called ``key``."""
        return parse_day(key)

    @property
    def summary(self) -> str:
        """What the list of DAGs shows."""
        return f"daily + {self.lag.total_seconds() / 3600:g} h, {self.zone.key}"
