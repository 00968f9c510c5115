"""A port that only a new sensor sees is first in the table, and not on the sensors that both quarters have."""

from __future__ import annotations

from datetime import date

import pytest

from tests.unit.analysis.quarter_data import Q, Row, cube_of
from tsubame.analysis.common import rank_on_common_sensors
from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
from tsubame.analysis.series import SensorFacts

DOMESTIC = ("jp-1", "jp-2", "jp-3", "jp-4")
SENSORS = tuple(SensorFacts(name, True, date(2022, 1, 1), None) for name in DOMESTIC)


def rows_of(sensors, new_from=None):
    """Every sensor sees 23/TCP from US more than 80/TCP from CN; jp-4 sees 22/TCP from RU most of all."""

    def of(day):
        for sensor in sensors:
            if sensor == "jp-4" and (new_from is None or day >= new_from):
                yield Row(sensor, 6, 22, 9, "RU", "RU", 900)
            if sensor != "jp-4" or new_from is None or day >= new_from:
                yield Row(sensor, 6, 23, 1, "US", "US", 100)
                yield Row(sensor, 6, 80, 5, "CN", "CN", 60)

    return of


@pytest.fixture(scope="module")
def changed():
    now = cube_of(rows_of(("jp-1", "jp-2", "jp-4")), DOMESTIC)
    before = cube_of(rows_of(("jp-1", "jp-2", "jp-3")), DOMESTIC, days=Q.previous.days)
    return analyse_quarter(QuarterInputs(Q, SENSORS, now, before))


def test_ranks_on_common_sensors_leave_the_new_sensor_out(changed):
    assert [(row.port, row.rank, row.previous_rank) for row in changed.ports] == [(22, 1, None), (23, 2, 1), (80, 3, 2)]
    common = changed.common
    assert (common.sensors, common.added, common.removed) == (2, 1, 1)
    assert common.ports == {(6, 22): (None, None), (6, 23): (1, 1), (6, 80): (2, 2)}
    assert common.regions == {"RU": (None, None), "US": (1, 1), "CN": (2, 2)}


def test_a_sensor_that_was_there_for_a_week_changes_nothing():
    now = cube_of(rows_of(("jp-1", "jp-4"), new_from=date(2023, 3, 25)), DOMESTIC)
    before = cube_of(rows_of(("jp-1",)), DOMESTIC, days=Q.previous.days)
    assert rank_on_common_sensors(now, before, (), ()) is None
    assert rank_on_common_sensors(now, None, (), ()) is None
