import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from tsubame.analysis import events
from tsubame.analysis.events import detect_events
from tsubame.analysis.results import DailySeries
from tsubame.analysis.threads import one_thread
from tsubame.periods import Quarter


def threads():
    """Of numpy's BLAS: scipy has one of its own, which is loaded or not."""
    return {each["num_threads"] for each in threadpool_info() if "numpy" in each["filepath"]}


@pytest.fixture
def three_threads():
    with threadpool_limits(3, user_api="blas"):
        yield


def test_linear_algebra_uses_one_thread_until_the_last_has_left(three_threads):
    assert threads() == {3}
    with one_thread():
        with one_thread():
            assert threads() == {1}
        assert threads() == {1}
    assert threads() == {3}


def test_what_was_before_is_restored_after_an_error(three_threads):
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    assert threads() == {3}


def test_events_are_searched_for_on_one_thread(three_threads, monkeypatch):
    seen = []
    monkeypatch.setattr(events, "search", lambda *_: seen.append(threads()))
    days = Quarter(2023, 1).days
    packets = tuple(int(n) for n in np.random.default_rng(1).poisson(100, len(days)))
    assert detect_events(DailySeries(days, packets, tuple(n / 10 for n in packets))) == ()
    assert seen == [{1}]
    assert threads() == {3}
