"""A quarter with known traffic: ranks, ratios and reassignments come out as they were put in."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import date, timedelta

import numpy as np
import pytest

from tests.unit.analysis.quarter_data import Move, Q, Row, cube_of
from tsubame.analysis import results
from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
from tsubame.analysis.series import SensorFacts
from tsubame.errors import NotReady

DOMESTIC = ("jp-1", "jp-2", "jp-3", "jp-4")
SENSORS = (
    *(SensorFacts(name, True, date(2022, 1, 1), None) for name in DOMESTIC),
    SensorFacts("us-1", False, date(2022, 1, 1), None),
)
MOVED = Move(1000, 1255, "GB", "NL", "holder-1", date(2023, 1, 21))
DAY = timedelta(days=1)


def noisy(mean, day, sensor, salt):
    rng = np.random.default_rng((day.toordinal(), sum(sensor.encode()), salt))
    return int(rng.poisson(mean)) or 1


def background(day, move=MOVED, rise=1.0, block_mean=700, own=100):
    """GB holds ``block_mean`` a sensor in the moved block; NL has ``own`` of its own, ×rise from the move on."""
    for sensor in (*DOMESTIC, "us-1"):
        yield Row(sensor, 6, 23, 1, "US", "US", noisy(5000, day, sensor, 1))
        yield Row(sensor, 1, 0, 2, "CN", "CN", noisy(2000, day, sensor, 2))
        yield Row(sensor, 17, 53, 3, "undelegated", "undelegated", noisy(9000, day, sensor, 3))
        after = day >= move.first_seen
        own_now = own * (rise if after else 1)
        yield Row(sensor, 6, 80, 5, "NL", "NL", noisy(own_now, day, sensor, 4))
        yield Row(sensor, 6, 80, 6, "GB", "GB", noisy(300, day, sensor, 5))
        if block_mean:
            yield Row(sensor, 6, 80, 1000, "NL" if after else "GB", "GB", noisy(block_mean, day, sensor, 6))


def analyse(rows_of=background, moves=(MOVED,), days=Q.days, **changes):
    inputs = QuarterInputs(Q, SENSORS, cube_of(rows_of, DOMESTIC, moves, days), None, moves)
    return analyse_quarter(dataclasses.replace(inputs, **changes))


@pytest.fixture(scope="module")
def plain():
    return analyse()


def test_ports_are_ranked_by_every_packet_of_domestic_sensors(plain):
    assert [(r.rank, r.protocol, r.port) for r in plain.ports] == [
        (1, 17, 53),
        (2, 6, 23),
        (3, 1, None),
        (4, 6, 80),
    ]
    expected = sum(noisy(5000, day, s, 1) for day in Q.days for s in DOMESTIC)
    assert plain.ports[1].packets == expected
    assert plain.ports[1].per_sensor_day == expected / (4 * 90)
    assert [r.sources for r in plain.ports] == [1, 1, 1, 3]
    assert all(r.rank_interval == (r.rank, r.rank) and r.previous_rank is None for r in plain.ports)
    assert [r.close_to_next for r in plain.ports] == [False] * 4


def test_only_two_letter_regions_are_ranked(plain):
    assert [r.region for r in plain.regions] == ["US", "CN", "NL", "GB"]
    assert plain.regions[2].sources == 2
    assert plain.regions[3].sources == 2


def test_a_reassignment_is_dated_quantified_and_explained(plain):
    (found,) = plain.reassignments
    assert (found.from_region, found.to_region, found.date) == ("GB", "NL", date(2023, 1, 21))
    assert found.before.as_text() == ["2023-01-11", "2023-01-20"]
    assert found.after.as_text() == ["2023-01-22", "2023-01-31"]
    assert found.observed.value == pytest.approx(8, rel=0.05)
    assert found.pinned.value == pytest.approx(1, abs=0.1)
    assert found.observed_from.value == pytest.approx(0.3, abs=0.02)
    assert found.share == pytest.approx(1, abs=0.02)
    low, high = found.share_interval
    assert low <= found.share <= high
    assert low > 0.9
    assert found.verdict == results.EXPLAINED
    (block,) = found.blocks
    assert (block.cidr, block.addresses, block.holder) == (
        "0.0.3.232/29, 0.0.3.240/28, 0.0.4.0/25, 0.0.4.128/26, 0.0.4.192/27, 0.0.4.224/29",
        256,
        "holder-1",
    )  # 1000..1255 is no CIDR
    assert block.packets_after == sum(noisy(700, day, s, 6) for day in found.after.days for s in DOMESTIC)
    assert plain.minor_reassignments == ()


def test_the_share_is_that_of_the_formula_written_out(plain):
    """M/Δ computed here from rows, day by day, without the package."""
    (found,) = plain.reassignments

    def mean(values_of, window):
        return np.mean([np.mean([values_of(day, s) for s in DOMESTIC]) for day in window.days])

    def moved(day, s):
        return noisy(700, day, s, 6)

    def observed(day, s):
        return noisy(100, day, s, 4) + (moved(day, s) if day >= MOVED.first_seen else 0)

    delta = mean(observed, found.after) - mean(observed, found.before)
    effect = (mean(moved, found.after) + mean(moved, found.before)) / 2
    assert found.share == pytest.approx(effect / delta, rel=1e-12)
    assert found.observed.value == pytest.approx(mean(observed, found.after) / mean(observed, found.before))


def test_move_and_rise_together_are_told_apart():
    # NL rises from 100 to 500 by itself, and gains 600: the share is 0.6.
    analysis = analyse(lambda day: background(day, rise=5, block_mean=600))
    (found,) = analysis.reassignments
    assert found.share == pytest.approx(0.6, abs=0.03)
    assert found.pinned.value == pytest.approx(5, rel=0.05)
    assert found.verdict == results.COINCIDES


def test_a_move_without_traffic_is_no_shift_and_stays_in_the_data():
    analysis = analyse(lambda day: background(day, block_mean=0))
    assert analysis.reassignments == ()
    (found,) = analysis.minor_reassignments
    assert found.verdict == results.NO_SHIFT
    assert found.share is None
    assert found.blocks[0].packets_after == 0


def test_a_shift_that_the_move_does_not_carry_is_not_explained():
    analysis = analyse(lambda day: background(day, rise=8, block_mean=10))
    (found,) = analysis.reassignments + analysis.minor_reassignments
    assert found.verdict == results.NOT_EXPLAINED
    assert found.share < 0.05


def test_a_rise_made_up_for_by_a_fall_cannot_be_told():
    # The block brings 300, and NL's own 350 fall to 50: nothing shows, yet the move matters.
    analysis = analyse(lambda day: background(day, rise=1 / 7, block_mean=300, own=350))
    (found,) = analysis.reassignments
    assert found.share is None
    assert found.verdict == results.CANNOT_TELL


@pytest.mark.parametrize(
    ("seen", "before", "after"),
    [
        (date(2023, 1, 4), ["2023-01-01", "2023-01-03"], ["2023-01-05", "2023-01-14"]),
        (date(2023, 3, 29), ["2023-03-19", "2023-03-28"], ["2023-03-30", "2023-03-31"]),
    ],
)
def test_windows_end_at_the_edges_of_the_quarter(seen, before, after):
    move = dataclasses.replace(MOVED, first_seen=seen)
    analysis = analyse(lambda day: background(day, move=move), moves=(move,))
    (found,) = analysis.reassignments
    assert (found.before.as_text(), found.after.as_text()) == (before, after)
    # Two days are too few for an interval, so nothing is claimed.
    assert (found.verdict == results.CANNOT_TELL) == (len(found.after) < 3)
    assert found.observed.value == pytest.approx(8, rel=0.15)


def test_a_move_on_the_last_day_has_no_window_after():
    move = dataclasses.replace(MOVED, first_seen=Q.last_day)
    analysis = analyse(lambda day: background(day, move=move), moves=(move,))
    (found,) = analysis.reassignments
    assert found.observed.value is None
    assert found.verdict == results.CANNOT_TELL


def test_sensors_down_are_gaps_and_not_zeros():
    down = date(2023, 1, 25)

    def rows(day):
        for row in background(day):
            if day == date(2023, 2, 10) and row.sensor in DOMESTIC:
                continue
            if day == down and row.sensor in ("jp-1", "jp-2"):
                continue
            yield row

    analysis = analyse(rows)
    series = analysis.region_series["US"]
    assert series.per_sensor[Q.days.index(date(2023, 2, 10))] is None
    assert series.packets[Q.days.index(date(2023, 2, 10))] is None
    assert series.per_sensor[Q.days.index(down)] == series.packets[Q.days.index(down)] / 2
    assert analysis.sensors.domestic_sensor_days_up == 4 * 90 - 4 - 2
    assert analysis.sensors.sensor_days_up == 5 * 90 - 4 - 2
    assert analysis.sensors.sensor_days_expected == 5 * 90
    assert analysis.sensors.coverage["jp-1"][24] == "d"
    assert analysis.reassignments[0].verdict == results.EXPLAINED


def test_days_without_counts_at_all_are_gaps():
    days = [day for day in Q.days if day.month != 2]
    analysis = analyse(days=days)
    assert analysis.days == Q.days
    assert analysis.region_series["US"].packets[40] is None
    assert analysis.sensors.domestic_sensor_days_up == 4 * len(days)


def test_previous_ranks_come_from_the_full_ranking_of_the_quarter_before():
    def rows(day):
        yield Row("jp-1", 6, 80, 1, "GB", "GB", 50)
        yield Row("jp-1", 6, 23, 1, "CN", "CN", 40)
        for port in range(1000, 1020):
            yield Row("jp-1", 6, port, 1, "RU", "RU", 20)
        yield Row("jp-1", 17, 53, 1, "US", "US", 1)

    previous = cube_of(rows, DOMESTIC, days=Q.previous.days)
    analysis = analyse(previous=previous)
    assert analysis.previous == Q.previous
    assert {(r.protocol, r.port): r.previous_rank for r in analysis.ports} == {
        (17, 53): 23,
        (6, 23): 2,
        (1, None): None,
        (6, 80): 1,
    }
    assert {r.region: r.previous_rank for r in analysis.regions} == {"US": 4, "CN": 3, "NL": None, "GB": 2}


def test_ties_go_to_more_sources_then_protocol_and_port_then_code():
    def rows(day):
        yield Row("jp-1", 17, 53, 1, "US", "US", 10)
        yield Row("jp-1", 6, 99, 1, "CN", "CN", 10)
        yield Row("jp-1", 6, 22, 2, "BR", "BR", 10)
        yield Row("jp-1", 6, 4000, 3, "ZZ", "ZZ", 5)
        yield Row("jp-1", 6, 4000, 4, "AU", "AU", 5)

    analysis = analyse(rows, moves=())
    assert [(r.protocol, r.port) for r in analysis.ports] == [(6, 4000), (6, 22), (6, 99), (17, 53)]
    assert all(row.close_to_next for row in analysis.ports[:-1])
    assert [r.region for r in analysis.regions] == ["BR", "CN", "US", "AU"]


def test_ranks_that_rest_on_one_sensor_are_wide():
    def rows(day):
        for i, sensor in enumerate(DOMESTIC):
            yield Row(sensor, 6, 23, 1, "US", "US", 100)
            yield Row(sensor, 6, 80, 1, "US", "US", 500 if i == 0 else 1)

    analysis = analyse(rows, moves=())
    assert [r.port for r in analysis.ports] == [80, 23]
    assert [r.rank_interval for r in analysis.ports] == [(1, 2), (1, 2)]
    assert analysis.ports[0].close_to_next


def test_no_domestic_packets_is_not_ready():
    with pytest.raises(NotReady, match="2023Q1: no packet of any domestic sensor"):
        analyse(lambda day: [Row("us-1", 6, 23, 1, "US", "US", 5)], moves=())


def test_equal_inputs_give_equal_results(plain):
    again = analyse()
    assert again == plain
    assert pickle.loads(pickle.dumps(plain)) == plain


def test_blocks_of_one_holder_some_days_apart_are_one_reassignment():
    first = dataclasses.replace(MOVED, first=1000, last=1127)
    later = dataclasses.replace(MOVED, first=1128, last=1255, first_seen=MOVED.first_seen + 2 * DAY)
    idle = dataclasses.replace(MOVED, first=5000, last=5255, first_seen=MOVED.first_seen - 1 * DAY, holder="x")
    apart = dataclasses.replace(MOVED, first=6000, last=6255, first_seen=MOVED.first_seen + 9 * DAY)

    def rows(day):
        for sensor in DOMESTIC:
            for block in (first, later):
                region = "NL" if day >= block.first_seen else "GB"
                yield Row(sensor, 6, 80, block.first, region, "GB", noisy(300, day, sensor, block.first))
            yield Row(sensor, 6, 80, 5, "NL", "NL", noisy(100, day, sensor, 4))
            yield Row(sensor, 6, 80, 6, "GB", "GB", noisy(100, day, sensor, 5))

    analysis = analyse(rows, moves=(first, later, idle, apart))
    (found,) = analysis.reassignments
    # The idle block belongs to it, but what carries no packets does not date it.
    assert sorted(b.first_seen.day for b in found.blocks) == [20, 21, 23]
    assert found.date == date(2023, 1, 21)
    assert found.before.last == date(2023, 1, 20)
    assert found.after.first == date(2023, 1, 24)
    assert found.share == pytest.approx(1, abs=0.03)
    (other,) = analysis.minor_reassignments
    assert other.date == apart.first_seen
