"""A tool whose mark is gone is told from one whose packets are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.analysis.quarter_data import Q
from tsubame.analysis import results
from tsubame.analysis.results import DailySeries
from tsubame.analysis.signatures import find_signature_decay

DAYS = np.arange(90)
SENSORS = 8


def series_of(counts):
    packets = tuple(int(n) for n in counts)
    return DailySeries(Q.days, packets, tuple(n / SENSORS for n in packets))


def decay(marked, rest, seed=1):
    """Draw a tool with and without its mark, both moved by the same days."""
    rng = np.random.default_rng(seed)
    common = np.exp(rng.normal(0, 0.05, 90))
    tool, other = rng.poisson(marked * common), rng.poisson(rest * common)
    return find_signature_decay(series_of(tool), series_of(tool + other))


def after(day, before, value):
    return np.where(day > DAYS, before, value)


def test_a_mark_that_goes_is_no_fall_of_the_port():
    found = decay(after(40, 600.0, 30.0), after(40, 400.0, 970.0))
    assert found.verdict == results.MARK_GONE
    assert found.onset == Q.days[40]
    assert found.share_before == pytest.approx(0.6, abs=0.02)
    assert found.share_after == pytest.approx(0.03, abs=0.01)
    assert found.share_factor_interval[0] < 0.05 < found.share_factor_interval[1]
    assert found.total.value == pytest.approx(1, abs=0.1)
    assert found.total_if_stopped == pytest.approx(0.43, abs=0.03)


def test_packets_that_go_are_fewer_packets():
    found = decay(after(40, 600.0, 30.0), np.full(90, 400.0))
    assert found.verdict == results.FEWER_PACKETS
    assert found.total.value == pytest.approx(0.43, rel=0.1)


def test_both_at_once():
    assert decay(after(40, 600.0, 30.0), after(40, 400.0, 650.0)).verdict == results.MARK_AND_PACKETS


def test_a_small_share_cannot_be_told():
    assert decay(after(40, 30.0, 3.0), np.full(90, 970.0)).verdict == results.CANNOT_TELL


def test_an_update_that_spreads_slowly():
    left = 1 - 0.95 * np.clip((DAYS - 19) / 40, 0, 1)
    found = decay(600 * left, 1000 - 600 * left)
    assert found.verdict == results.MARK_GONE
    assert abs((found.onset - Q.days[20]).days) <= 12  # what is straight in the share bends in its logarithm


def test_a_fall_of_the_whole_port_or_a_steady_share_is_none():
    assert decay(after(40, 600.0, 150.0), after(40, 400.0, 100.0)) is None
    assert decay(np.full(90, 600.0), np.full(90, 400.0)) is None
    assert decay(np.zeros(90), np.full(90, 400.0)) is None
    assert decay(np.zeros(90), np.zeros(90)) is None


def test_series_of_different_days_are_refused():
    one = series_of(np.full(90, 5))
    other = DailySeries(Q.days[1:], one.packets[1:], one.per_sensor[1:])
    with pytest.raises(ValueError, match="different days"):
        find_signature_decay(one, other)
