"""Results that are waited for while a clock is set; Dask itself is in tests/integration/test_cluster.py."""

import threading

import pytest

from tsubame.errors import Unavailable
from tsubame.pipeline import cluster


class Clock:
    """A clock that goes on by a second whenever it is looked at, and whose wall is set at some instants."""

    def __init__(self, sets):
        self.now, self.sets = 1000.0, sets

    def monotonic(self):
        self.now += 1
        return self.now

    def time(self):
        return self.now + 1e9 + sum(seconds for instant, seconds in self.sets if self.now >= instant)


class Queue:
    """An ``as_completed`` whose futures are done at some instants."""

    def __init__(self, clock, instants):
        self.clock, self.instants = clock, list(instants)
        self.thread_condition = threading.Condition()
        self.thread_condition.wait = lambda timeout: None

    def is_empty(self):
        return not self.instants

    def has_ready(self):
        return self.instants[0] <= self.clock.now

    def __next__(self):
        return self.instants.pop(0)


def arriving(monkeypatch, sets, instants):
    clock = Clock(sets)
    monkeypatch.setattr(cluster, "time", clock)
    return list(cluster._arriving(Queue(clock, instants)))


@pytest.mark.parametrize("sets", [[], [(1050, 90_000)], [(1050, -50)], [(1050, 500), (1060, -500), (1070, 500)]])
def test_long_work_is_waited_for(monkeypatch, sets):
    assert arriving(monkeypatch, sets, [1010, 9000]) == [1010, 9000]


def test_what_is_nearly_done_when_a_clock_is_set_back_is_waited_for(monkeypatch):
    assert arriving(monkeypatch, [(1200, -90_000)], [1010, 1240]) == [1010, 1240]


def test_what_goes_on_after_a_clock_was_set_back_is_waited_for(monkeypatch):
    instants = list(range(1010, 3000, 50))
    assert arriving(monkeypatch, [(1100, -90_000)], instants) == instants


def test_silence_after_a_clock_was_set_back_is_told(monkeypatch):
    with pytest.raises(Unavailable, match=r"clock was set back: found 90,000 s\. Run it again") as caught:
        arriving(monkeypatch, [(1100, -90_000)], [1010, 9000])
    assert caught.value.exit_status == 4


def test_a_clock_that_was_ahead_and_is_set_right_is_told(monkeypatch):
    with pytest.raises(Unavailable, match="found 600 s"):
        arriving(monkeypatch, [(1020, 600), (1100, -600)], [1010, 9000])
