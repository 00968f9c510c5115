"""One sensor's packets are told as one sensor's, and a sensor that fails takes nothing with it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tests.unit.analysis.quarter_data import Q, Row, cube_of
from tsubame.analysis.by_sensor import SensorDays, events_by_sensor, with_largest_share
from tsubame.analysis.events import detect_events
from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
from tsubame.analysis.results import DailySeries
from tsubame.analysis.series import Exposure, SensorFacts, daily_series, sensors_worth

AT = np.arange(90)
SENSORS = tuple(f"jp-{n}" for n in range(6))


def drawn(times, levels, down=(), seed=1):
    """Packets of sensors with levels of their own, each times a (sensors, days) factor; ``down``: sensor, days."""
    rng = np.random.default_rng(seed)
    packets = rng.poisson(np.array(levels)[:, None] * times * np.exp(rng.normal(0, 0.05, 90)))
    up = np.ones(packets.shape, bool)
    for sensor, days in down:
        up[sensor, days] = False
    return packets * up, up


def events_of(packets, up):
    series = daily_series(Exposure(Q.days, SENSORS, up), packets.sum(axis=0), packets)
    return detect_events(series), SensorDays(Q.days, packets, up)


def test_a_failure_of_the_loudest_sensor_is_no_event():
    levels = (5000, 300, 300, 300, 300, 300)
    packets, up = drawn(np.ones((6, 90)), levels, down=[(0, slice(30, 50)), (0, slice(70, 72))])
    assert events_of(packets, up)[0] == ()
    # Without knowing what the sensors are worth, it is one.
    plain = DailySeries(Q.days, tuple(packets.sum(axis=0).tolist()), tuple(packets.sum(axis=0) / up.sum(axis=0)))
    assert detect_events(plain) != ()


def test_an_event_during_a_failure_is_found_all_the_same():
    times = np.ones((6, 90))
    times[:, 40:46] = 5
    packets, up = drawn(times, (5000, 300, 300, 300, 300, 300), down=[(0, slice(30, 60))])
    (found,), _ = events_of(packets, up)
    assert (found.kind, found.onset, found.end) == ("burst", Q.days[40], Q.days[45])
    assert found.factor == pytest.approx(5, rel=0.1)


def test_worth_adds_up_and_forgets_events():
    times = np.ones((6, 90))
    times[2, 10:14] = 50
    packets, up = drawn(times, (600, 300, 300, 300, 300, 300), down=[(0, slice(30, 40)), (2, slice(50, 60))])
    worth = sensors_worth(packets, up)
    assert worth[0] == pytest.approx(6, rel=0.02)
    assert worth[35] == pytest.approx(6 * 5 / 7, rel=0.03)
    assert worth[55] == pytest.approx(6 * 6 / 7, rel=0.03)
    assert (sensors_worth(packets, np.ones((6, 90), bool)) == 6).all()


@pytest.mark.parametrize(("sensors", "share"), [((3,), 0.99), (range(6), None), ((1, 2, 3), None)])
def test_what_one_sensor_saw_is_known(sensors, share):
    times = np.ones((6, 90))
    times[list(sensors), 40:46] = 40 if share else 5
    packets, up = drawn(times, (300,) * 6)
    events, seen = events_of(packets, up)
    (found,) = with_largest_share(events, seen)
    assert found.one_sensor == (share if share is None else pytest.approx(share, abs=0.02))
    counted = events_by_sensor(events, seen)
    assert (counted.sensors, counted.of_event, counted.alone) == (6, (len(list(sensors)),), 0)


def test_an_event_of_one_sensor_may_be_none_of_the_sum():
    times = np.ones((6, 90))
    times[5, 60:64] = 4
    packets, up = drawn(times, (5000, 5000, 5000, 5000, 5000, 100))
    events, seen = events_of(packets, up)
    assert events == ()
    assert events_by_sensor(events, seen).alone == 1


def rows_of(day):
    rng = np.random.default_rng(day.toordinal())
    for sensor in SENSORS:
        burst = 60 if sensor == "jp-4" and date(2023, 2, 10) <= day <= date(2023, 2, 14) else 1
        yield Row(sensor, 6, 23, 1, "US", "US", int(rng.poisson(100 * burst)))
        yield Row(sensor, 6, 80, 2, "CN", "CN", int(rng.poisson(50)))


def test_a_quarter_knows_it_of_its_ports_and_regions():
    facts = tuple(SensorFacts(name, True, date(2022, 1, 1), None) for name in SENSORS)
    analysis = analyse_quarter(QuarterInputs(Q, facts, cube_of(rows_of, SENSORS), None))
    (of_port,), (of_region,) = analysis.port_events[6, 23], analysis.region_events["US"]
    assert of_port.one_sensor == of_region.one_sensor == pytest.approx(1, abs=0.02)
    assert analysis.seen_by_sensors[6, 23].of_event == (1,)
    assert analysis.seen_by_sensors["CN"].of_event == ()
