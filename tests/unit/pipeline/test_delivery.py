"""A sensor has delivered a day when a capture reaches its end, as the listing says."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tsubame.errors import BadInput
from tsubame.pipeline.delivery import day_delivery
from tsubame.settings import Settings

DAY = date(2023, 1, 20)
END = datetime(2023, 1, 20, 15, tzinfo=UTC)
"""Of Tokyo's day."""


@pytest.fixture
def settings(tmp_path):
    captures = tmp_path / "captures"
    captures.mkdir()
    (captures / "sensors.csv").write_text(
        "sensor_id,address,country,active_from,active_to\n"
        "a,203.0.113.1,JP,2020-01-01,\n"
        "b,203.0.113.2,JP,2020-01-01,\n"
        "gone,203.0.113.3,JP,2020-01-01,2023-01-19\n"
    )
    return Settings(captures_url=str(captures), sensors_url=str(captures / "sensors.csv"))


def put(settings: Settings, key: str, written: datetime) -> None:
    path = Path(settings.captures_url, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (written.timestamp(),) * 2)


def awaited(settings: Settings) -> tuple[str, ...]:
    found = day_delivery(settings, DAY, now=END + timedelta(days=40))
    assert set(found.delivered) | set(found.awaited) == {"a", "b"}
    return found.awaited


def test_whoever_is_not_active_is_not_awaited(settings):
    assert awaited(settings) == ("a", "b")


@pytest.mark.parametrize(
    ("key", "written", "delivered"),
    [
        ("a/2023/01/20/a.pcap.gz", END, True),
        ("a/2023/01/20/a.pcap.gz", END + timedelta(hours=9), True),
        # The hour of a day that is still running.
        ("a/2023/01/20/a-0500.pcap.gz", END - timedelta(seconds=1), False),
        # A day's last packets are never in a capture of the day before.
        ("a/2023/01/19/a.pcap.gz", END + timedelta(hours=1), False),
        # After an outage, all at once.
        ("a/2023/02/03/a.pcap.gz", END + timedelta(days=14), True),
        ("a/2023/01/20/a.pcap.gz.md5", END + timedelta(hours=9), False),
        ("a/2023/01/20/notes.txt", END + timedelta(hours=9), False),
    ],
)
def test_what_reaches_the_days_end(settings, key, written, delivered):
    put(settings, key, written)
    assert awaited(settings) == (("b",) if delivered else ("a", "b"))


def test_without_a_registry_waiting_cannot_help(settings):
    Path(settings.sensors_url).unlink()
    with pytest.raises(BadInput, match="the sensor registry does not exist"):
        awaited(settings)
