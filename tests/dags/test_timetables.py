"""Quarters and days of the report's zone as Airflow's schedule: boundaries, leap years, zones, lag."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

TOKYO = "Asia/Tokyo"


@pytest.fixture
def timetables(in_process):
    return in_process.timetables


@pytest.fixture
def at(timetables, monkeypatch):
    """Set the clock of the timetables."""

    def set_clock(moment: datetime) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return moment.astimezone(tz)

        monkeypatch.setattr(timetables, "datetime", Clock)

    return set_clock


def backfilled(timetable, first: str, last: str) -> list:
    bounds = (datetime.fromisoformat(f"{day}T00:00:00+00:00") for day in (first, last))
    return list(timetable.iter_partition_dagrun_infos(earliest=next(bounds), latest=next(bounds)))


def scheduled(timetables, timetable, last=None, *, catchup=False, earliest=None, latest=None):
    from airflow.timetables.base import TimeRestriction

    return timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=TimeRestriction(earliest, latest, catchup))


def test_a_backfill_takes_the_quarters_that_begin_in_the_span(timetables):
    infos = backfilled(timetables.QuarterTimetable(TOKYO), "2022-10-01", "2023-03-31")
    assert [info.partition_key for info in infos] == ["2022Q4", "2023Q1"]
    # The days of a backfill are the report's: the quarter begins at midnight in Tokyo, the evening before in UTC.
    assert infos[0].partition_date == datetime(2022, 9, 30, 15, tzinfo=UTC)
    assert infos[0].data_interval is None
    assert infos[1].run_after == datetime(2023, 3, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "keys"),
    [
        ("2022-10-01", "2022-10-01", ["2022Q4"]),
        ("2022-10-02", "2022-12-31", []),
        ("2022-10-02", "2023-01-01", ["2023Q1"]),
        ("2019-12-31", "2020-12-31", ["2020Q1", "2020Q2", "2020Q3", "2020Q4"]),
    ],
)
def test_the_ends_of_a_backfill(timetables, first, last, keys):
    infos = backfilled(timetables.QuarterTimetable(TOKYO), first, last)
    assert [info.partition_key for info in infos] == keys


@pytest.mark.parametrize("zone", [TOKYO, "UTC", "America/St_Johns", "Pacific/Kiritimati", "Asia/Kathmandu"])
def test_quarters_join_without_gap_or_overlap_in_every_zone(timetables, zone):
    infos = backfilled(timetables.QuarterTimetable(zone), "1999-01-01", "2024-12-31")
    assert len(infos) == 26 * 4
    for one, following in itertools.pairwise(infos):
        assert one.run_after == following.partition_date
        local = following.partition_date.astimezone(ZoneInfo(zone))
        assert (local.day, local.hour, local.minute) == (1, 0, 0)
        assert local.month in (1, 4, 7, 10)


def test_leap_days_and_clock_changes_are_days(timetables):
    days = backfilled(timetables.DayTimetable("America/New_York"), "2024-02-28", "2024-03-11")
    assert [info.partition_key for info in days][:3] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    lengths = {i.partition_key: i.run_after - i.partition_date for i in days}
    assert lengths["2024-03-10"] == timedelta(hours=23)
    assert lengths["2024-03-09"] == timedelta(hours=24)


def test_a_period_that_is_not_over_is_left_out_of_a_backfill(timetables, at):
    at(datetime(2023, 3, 31, 14, 59, 59, tzinfo=UTC))
    timetable = timetables.QuarterTimetable(TOKYO)
    assert [i.partition_key for i in backfilled(timetable, "2022-10-01", "2023-12-31")] == ["2022Q4"]
    at(datetime(2023, 3, 31, 15, tzinfo=UTC))
    assert [i.partition_key for i in backfilled(timetable, "2022-10-01", "2023-12-31")] == ["2022Q4", "2023Q1"]


def test_the_lag_counts_from_the_quarters_end(timetables):
    (info,) = backfilled(timetables.QuarterTimetable(TOKYO, 120), "2023-01-01", "2023-01-01")
    assert info.run_after == datetime(2023, 4, 5, 15, tzinfo=UTC)


def test_a_new_deployment_waits_for_the_next_quarter(timetables, at):
    at(datetime(2023, 4, 5, 14, 59, tzinfo=UTC))
    timetable = timetables.QuarterTimetable(TOKYO, 120)
    assert scheduled(timetables, timetable).partition_key == "2023Q1"
    at(datetime(2023, 4, 5, 15, 0, tzinfo=UTC))
    assert scheduled(timetables, timetable).partition_key == "2023Q2"


def test_one_quarter_follows_the_other(timetables, at):
    at(datetime(2023, 4, 6, tzinfo=UTC))
    timetable = timetables.QuarterTimetable(TOKYO, 120)
    last = timetable.info(date(2023, 1, 1))
    assert scheduled(timetables, timetable, last).partition_key == "2023Q2"
    assert scheduled(timetables, timetable, timetable.info(date(2023, 4, 1))).partition_key == "2023Q3"


def test_a_scheduler_that_was_down_makes_up_for_the_newest_quarter_only(timetables, at):
    at(datetime(2023, 8, 1, tzinfo=UTC))
    timetable = timetables.QuarterTimetable(TOKYO, 120)
    assert scheduled(timetables, timetable, timetable.info(date(2022, 10, 1))).partition_key == "2023Q2"
    # A backfill of long ago does not set off a run of the newest quarter.
    assert scheduled(timetables, timetable, timetable.info(date(2020, 10, 1))).partition_key == "2023Q3"


def test_catchup_goes_on_from_the_start_date(timetables, at):
    at(datetime(2023, 8, 1, tzinfo=UTC))
    timetable = timetables.QuarterTimetable(TOKYO)
    start = datetime(2022, 5, 1, tzinfo=UTC)
    info = scheduled(timetables, timetable, catchup=True, earliest=start)
    assert info.partition_key == "2022Q3"
    assert scheduled(timetables, timetable, info, catchup=True, earliest=start).partition_key == "2022Q4"
    assert scheduled(timetables, timetable, catchup=True) is None


def test_nothing_is_scheduled_after_the_end_date(timetables, at):
    at(datetime(2023, 8, 1, tzinfo=UTC))
    timetable = timetables.QuarterTimetable(TOKYO)
    assert scheduled(timetables, timetable, latest=datetime(2023, 1, 1, tzinfo=UTC)) is None


def test_a_key_by_hand_means_its_period(timetables):
    from airflow.exceptions import InvalidPartitionKeyError

    quarters, days = timetables.QuarterTimetable(TOKYO), timetables.DayTimetable(TOKYO)
    assert quarters.resolve_partition_date("2023Q1") == datetime(2022, 12, 31, 15, tzinfo=UTC)
    assert days.resolve_partition_date("2023-01-31") == datetime(2023, 1, 30, 15, tzinfo=UTC)
    for timetable, key in ((quarters, "2023Q5"), (quarters, "2023-01-31"), (days, "2023Q1"), (days, "2023-02-29")):
        with pytest.raises(InvalidPartitionKeyError, match=r"not a (quarter|day)"):
            timetable.resolve_partition_date(key)


def test_a_run_id_reads_as_the_period(timetables):
    from airflow.utils.types import DagRunType

    timetable = timetables.QuarterTimetable(TOKYO)
    info = timetable.info(date(2023, 1, 1))
    made = timetable.generate_run_id(
        run_type=DagRunType.BACKFILL_JOB, run_after=info.run_after, data_interval=None, partition_key="2023Q1"
    )
    assert made.startswith("backfill__2023Q1__2")


def test_serialisation_keeps_zone_and_lag(timetables):
    for kind in (timetables.QuarterTimetable, timetables.DayTimetable):
        again = kind.deserialize(kind("America/New_York", 7).serialize())
        assert (again.zone.key, again.lag) == ("America/New_York", timedelta(hours=7))
