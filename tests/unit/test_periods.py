from datetime import UTC, date, datetime, timedelta

import pytest

from tsubame.errors import UsageError
from tsubame.periods import Quarter, Window, day_bounds, load_zone, parse_day


@pytest.mark.parametrize(
    ("text", "first", "last", "days"),
    [
        ("2023Q1", date(2023, 1, 1), date(2023, 3, 31), 90),
        ("2024q1", date(2024, 1, 1), date(2024, 3, 31), 91),
        ("2022Q4", date(2022, 10, 1), date(2022, 12, 31), 92),
    ],
)
def test_a_quarter_has_its_days(text, first, last, days):
    quarter = Quarter.parse(text)
    assert (quarter.first_day, quarter.last_day, len(quarter.days)) == (first, last, days)
    assert str(quarter) == text.upper()
    assert quarter.previous.next == quarter == quarter.next.previous == Quarter.of(last) == Quarter.of(first)


@pytest.mark.parametrize("text", ["", "2023", "2023Q0", "2023Q5", "23Q1", "２０２３Q1", "1969Q4", "2023-Q1"])
def test_what_is_no_quarter_is_refused(text):
    with pytest.raises(UsageError, match="not a quarter"):
        Quarter.parse(text)


@pytest.mark.parametrize("text", ["", "x", "2023-02-30", "0001-01-01", "1969-12-31", "9999-12-31", "2023-1-1"])
def test_what_is_no_day_is_refused(text):
    with pytest.raises(UsageError, match="not a day"):
        parse_day(text)


def test_a_quarter_is_over_when_its_last_day_ends_in_the_reports_zone():
    tokyo, quarter = load_zone("Asia/Tokyo"), Quarter(2023, 1)
    end = datetime(2023, 3, 31, 15, tzinfo=UTC)
    assert quarter.is_over(end, tokyo)
    assert not quarter.is_over(end - timedelta(seconds=1), tokyo)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Tokyo", date(2023, 3, 26), 24),
        ("Europe/Berlin", date(2023, 3, 26), 23),
        ("Europe/Berlin", date(2023, 10, 29), 25),
        ("Asia/Kolkata", date(2023, 1, 1), 24),
    ],
)
def test_a_day_lasts_from_midnight_to_midnight_on_the_clock(zone, day, hours):
    start, end = day_bounds(day, load_zone(zone))
    assert end - start == timedelta(hours=hours)
    assert start.astimezone(load_zone(zone)).date() == day
    assert (end - timedelta(seconds=1)).astimezone(load_zone(zone)).date() == day


@pytest.mark.parametrize("name", ["Asia/Atlantis", "", "../etc/passwd", "/etc/localtime"])
def test_an_unknown_zone_is_refused_in_one_line(name):
    with pytest.raises(UsageError, match="unknown time zone"):
        load_zone(name)


def test_a_day_reads_both_ways_of_writing():
    assert parse_day("2023-01-31") == parse_day("20230131") == date(2023, 1, 31)
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        parse_day("31.1.2023")


def test_a_window_counts_both_ends():
    window = Window(date(2023, 2, 9), date(2023, 2, 18))
    assert len(window) == len(window.days) == 10
    assert date(2023, 2, 18) in window
    assert date(2023, 2, 19) not in window
