"""A quarter in which JP and BR burst to 37215/TCP, with every number known beforehand."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np

from tests.unit.analysis.quarter_data import Q, Row, cube_of
from tsubame.analysis.cubes import Cube
from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
from tsubame.analysis.results import QuarterAnalysis
from tsubame.analysis.series import SensorFacts

DOMESTIC = ("jp-1", "jp-2", "jp-3")
PORT = (6, 37215)
JP_BURST = (date(2023, 2, 10), date(2023, 2, 14))
BR_BURST = (date(2023, 2, 12), date(2023, 2, 17))
HOSTS = 30


def poisson(day, sensor, salt, mean):
    return int(np.random.default_rng((day.toordinal(), sum(sensor.encode()), salt)).poisson(mean))


def rows_of(day):
    for sensor in (*DOMESTIC, "us-1"):
        for region, base, span, factor, tool in (
            ("JP", 20, JP_BURST, 6, "mirai"),
            ("BR", 30, BR_BURST, 5, "mirai"),
            ("CN", 40, None, 1, ""),
        ):
            inside = span is not None and span[0] <= day <= span[1]
            packets = poisson(day, sensor, sum(region.encode()), base * (factor if inside else 1))
            first = 1000 * (1 + "JPBRCN".index(region))
            for host in range(HOSTS):
                share = packets // HOSTS + (host < packets % HOSTS)
                if share:
                    yield Row(sensor, *PORT, first + host, region, region, share, tool)
        # The hosts of JP send to 23/TCP as well, and never change; so do a few others of JP, to another port.
        telnet = poisson(day, sensor, 5, 60)
        for host in range(HOSTS):
            share = telnet // HOSTS + (host < telnet % HOSTS)
            if share:
                yield Row(sensor, 6, 23, 1000 + host, "JP", "JP", share, "mirai")
        yield Row(sensor, 6, 23, 9_000, "US", "US", poisson(day, sensor, 6, 400) + 1)
        for host in range(20):
            yield Row(sensor, 6, 80, 20_000 + host, "JP", "JP", 1)


@cache
def cube() -> Cube:
    return cube_of(rows_of, DOMESTIC)


@cache
def analysis() -> QuarterAnalysis:
    sensors = tuple(SensorFacts(name, True, date(2022, 1, 1), None) for name in DOMESTIC)
    sensors += (SensorFacts("us-1", False, date(2022, 1, 1), None),)
    return analyse_quarter(QuarterInputs(Q, sensors, cube(), None))
