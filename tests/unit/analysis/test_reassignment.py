"""Words follow evidence; near moves are told apart; a move on the first day is compared with the days before."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

import numpy as np
import pytest

from tests.unit.analysis.quarter_data import Move, Q, Row, cube_of
from tsubame.analysis import results
from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
from tsubame.analysis.series import SensorFacts, build_exposure, build_region_grid
from tsubame.analysis.timeline import build_timeline

DOMESTIC = ("jp-1", "jp-2", "jp-3")
SENSORS = tuple(SensorFacts(name, True, date(2022, 1, 1), None) for name in DOMESTIC)
DAY = timedelta(days=1)
LEAD = tuple(Q.first_day - n * DAY for n in range(10, 0, -1))


def block(place, source="GB", target="NL", seen=date(2023, 2, 1), holder="holder"):
    return Move(1000 * place, 1000 * place + 255, source, target, holder, seen)


def noisy(mean, day, sensor, salt):
    rng = np.random.default_rng((day.toordinal(), sum(sensor.encode()), salt))
    return int(rng.poisson(mean)) or 1


def world(moves, *, own=None, each=300):
    """Rows of a quarter: every region has traffic of its own (100, or as ``own`` says), every block ``each``."""
    own = own or {}

    def rows(day):
        for sensor in DOMESTIC:
            for salt, region in enumerate(("US", "CN", "GB", "NL", "DE", "FR")):
                level = own.get(region, lambda _: 100)(day)
                yield Row(sensor, 6, 23, salt + 1, region, region, noisy(level, day, sensor, salt))
            for salt, move in enumerate(moves, 100):
                now = move.to_region if day >= move.first_seen else move.from_region
                pinned = move.to_region if Q.first_day >= move.first_seen else move.from_region
                if day < Q.first_day:
                    pinned = move.from_region
                yield Row(sensor, 6, 80, move.first, now, pinned, noisy(each, day, sensor, salt))

    return rows


def analyse(moves, *, lead=False, **changes):
    rows = world(moves, **changes)
    before = cube_of(rows, DOMESTIC, moves, LEAD) if lead else None
    inputs = QuarterInputs(Q, SENSORS, cube_of(rows, DOMESTIC, moves), None, tuple(moves), lead=before)
    return analyse_quarter(inputs)


def found(analysis):
    return {(each.from_region, each.to_region, each.date): each for each in analysis.reassignments}


def test_losses_equal_gains_on_every_day_for_all_regions():
    moves = (block(1), block(2, "GB", "DE", date(2023, 2, 20)), block(3, "FR", "GB", date(2023, 3, 3)))
    effects = analyse(moves).region_effects
    assert {effect.region for effect in effects} == {"GB", "NL", "DE", "FR"}
    gained = np.array([effect.gained for effect in effects])
    assert (gained.sum(axis=0) == 0).all()
    assert (gained[:, :31] == 0).all()
    assert gained.any(axis=0)[31:].all()


def test_the_pinned_series_follows_from_the_moves_alone():
    moves = (block(1), block(2, "GB", "DE", date(2023, 2, 20)), block(3, "NL", "GB", date(2023, 3, 3)))
    cube = cube_of(world(moves), DOMESTIC, moves)
    grid = build_region_grid(cube, build_exposure(cube))
    timeline = build_timeline(cube, grid, moves)
    for region in grid.regions:
        assert timeline.series_on(region, Q.first_day) == grid.series(region, pinned=True)
        # On the last day's delegations the last days are as delegated each day.
        late = timeline.series_on(region, Q.last_day)
        assert late.packets[-20:] == grid.series(region).packets[-20:]


@pytest.mark.parametrize("lead", [True, False])
def test_a_move_on_the_first_day_needs_the_days_before(lead):
    move = block(1, seen=Q.first_day)
    analysis = analyse((move,), lead=lead)
    (item,) = analysis.reassignments
    assert item.reference == Q.first_day - DAY
    if not lead:
        assert len(item.before) == 0
        assert item.verdict == results.CANNOT_TELL
        return
    assert item.before.as_text() == ["2022-12-22", "2022-12-31"]
    assert item.after.as_text() == ["2023-01-02", "2023-01-11"]
    assert item.share == pytest.approx(1, abs=0.03)
    assert item.pinned.value == pytest.approx(1, abs=0.05)
    assert item.observed.value == pytest.approx(4, rel=0.1)
    assert item.verdict == results.EXPLAINED
    assert item.series.days == (*LEAD, *Q.days)
    # The quarter's own series are the quarter's, and nothing parts in them.
    assert analysis.region_series["NL"].days == Q.days
    assert analysis.region_effects == ()


def test_a_move_in_the_first_days_has_whole_windows_with_a_lead():
    (item,) = analyse((block(1, seen=date(2023, 1, 4)),), lead=True).reassignments
    assert item.before.as_text() == ["2022-12-25", "2023-01-03"]
    assert item.reference == Q.first_day
    assert item.pinned.value == pytest.approx(1, abs=0.05)


def test_moves_some_days_apart_end_each_others_windows():
    moves = (block(1, seen=date(2023, 2, 1), holder="a"), block(2, seen=date(2023, 2, 7), holder="b"))
    first, second = sorted(analyse(moves).reassignments, key=lambda each: each.date)
    assert first.after.as_text() == second.before.as_text() == ["2023-02-02", "2023-02-06"]
    assert (first.shortened_for, second.shortened_for) == ((second.date,), (first.date,))
    assert first.share == pytest.approx(1, abs=0.03)
    assert second.share == pytest.approx(1, abs=0.04)


def test_moves_of_one_pair_too_near_for_a_window_are_one():
    moves = (block(1, seen=date(2023, 2, 1), holder="a"), block(2, seen=date(2023, 2, 4), holder="b"))
    (item,) = analyse(moves).reassignments
    assert (item.date, item.last) == (date(2023, 2, 1), date(2023, 2, 4))
    assert item.before.as_text() == ["2023-01-22", "2023-01-31"]
    assert item.after.as_text() == ["2023-02-05", "2023-02-14"]
    assert item.share == pytest.approx(1, abs=0.03)


def test_moves_from_two_regions_too_near_for_a_window_share_their_days():
    moves = (block(1, "GB", seen=date(2023, 2, 1)), block(2, "DE", seen=date(2023, 2, 3)))
    items = found(analyse(moves))
    windows = {(each.before, each.after) for each in items.values()}
    assert len(items) == 2
    assert [window.as_text() for window in windows.pop()] == [
        ["2023-01-22", "2023-01-31"],
        ["2023-02-04", "2023-02-13"],
    ]
    assert sum(each.share for each in items.values()) == pytest.approx(1, abs=0.03)
    assert [each.share for each in items.values()] == pytest.approx([0.5, 0.5], abs=0.03)


def test_a_move_that_does_not_matter_shortens_nothing():
    moves = (block(1), block(2, "US", "NL", date(2023, 2, 6)))

    def rows(day):
        for row in world(moves)(day):
            yield dataclasses.replace(row, packets=1) if row.source == 2000 else row

    analysis = analyse_quarter(QuarterInputs(Q, SENSORS, cube_of(rows, DOMESTIC, moves), None, moves))
    (item,) = analysis.reassignments
    assert item.after.as_text() == ["2023-02-02", "2023-02-11"]
    (minor,) = analysis.minor_reassignments
    assert minor.evidence is None
    assert minor.effect == pytest.approx(1)


def test_sensors_that_begin_between_the_windows_do_not_blur_the_share():
    move = block(1)

    def rows(day):
        for row in world((move,))(day):
            if row.sensor != "jp-3" or day >= date(2023, 2, 3):
                yield row

    analysis = analyse_quarter(QuarterInputs(Q, SENSORS, cube_of(rows, DOMESTIC, (move,)), None, (move,)))
    (item,) = analysis.reassignments
    low, high = item.share_interval
    assert 0.9 < low <= item.share <= high < 1.1
    assert item.verdict == results.EXPLAINED


def step(onset, factor):
    return lambda day: 100 * factor if day >= onset else 100


def test_an_explanation_needs_all_three_conditions():
    (item,) = analyse((block(1),)).reassignments
    assert item.evidence.failed == ()
    assert item.verdict == results.EXPLAINED
    assert item.share_from == pytest.approx(1, abs=0.03)


def test_an_event_of_the_losing_region_at_that_time_forbids_it():
    (item,) = analyse((block(1),), own={"GB": step(date(2023, 2, 2), 3)}).reassignments
    assert item.evidence.failed == ("alone",)
    assert {region for region, _ in item.evidence.own_events} == {"GB"}
    assert item.share_interval[0] > 0.5
    assert item.verdict == results.COINCIDES


def test_the_same_event_a_week_later_does_not():
    (item,) = analyse((block(1),), own={"GB": step(date(2023, 2, 20), 3)}).reassignments
    assert item.verdict == results.EXPLAINED


def test_a_share_below_one_half_forbids_it():
    (item,) = analyse((block(1),), own={"NL": step(date(2023, 2, 1), 6)}).reassignments
    assert "share" in item.evidence.failed
    assert item.share == pytest.approx(300 / 800, abs=0.03)
    assert item.verdict == results.COINCIDES


def test_a_change_that_sets_in_on_another_day_forbids_it():
    # The block is silent until six days after its move.
    move = block(1)

    def rows(day):
        for row in world((move,))(day):
            if row.source != 1000 or day >= date(2023, 2, 7):
                yield row

    analysis = analyse_quarter(QuarterInputs(Q, SENSORS, cube_of(rows, DOMESTIC, (move,)), None, (move,)))
    (item,) = analysis.reassignments
    assert "timely" in item.evidence.failed
    assert abs((item.evidence.shift.onset - date(2023, 2, 7)).days) <= 1
    assert item.verdict != results.EXPLAINED


def test_steps_are_explained_or_said_not_to_be():
    moves = (block(1),)
    analysis = analyse(moves, own={"US": step(date(2023, 3, 1), 4), "CN": step(date(2023, 2, 1), 0.25)})
    steps = {each.region: each for each in analysis.region_steps}
    assert {name: each.verdict for name, each in steps.items()} == {
        "NL": results.EXPLAINED,
        "GB": results.EXPLAINED,
        "US": results.NOT_EXPLAINED,
        "CN": results.NOT_EXPLAINED,
    }
    assert steps["NL"].reassignments == steps["GB"].reassignments == (("GB", "NL", date(2023, 2, 1)),)
    assert steps["NL"].moved_share == pytest.approx(1, abs=0.05)
    assert (steps["NL"].own, steps["NL"].blocks_near) == (None, 1)
    assert steps["US"].own.onset == steps["US"].event.onset
    assert (steps["US"].blocks_near, steps["US"].moved_share) == (0, pytest.approx(0))


def test_a_step_of_a_region_that_a_small_block_reached_is_not_explained():
    moves = (block(1),)
    analysis = analyse(moves, own={"NL": step(date(2023, 2, 1), 8)}, each=30)
    (step_of,) = (each for each in analysis.region_steps if each.region == "NL")
    assert step_of.verdict == results.NOT_EXPLAINED
    assert step_of.blocks_near == 1
    assert step_of.moved_share == pytest.approx(30 / 730, abs=0.02)
