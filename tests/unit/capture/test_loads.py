"""Arithmetic that compiled code and Python must do alike."""

import numpy as np

from tsubame.capture.blocks import Numbers
from tsubame.capture.compiled import kernel
from tsubame.capture.loads import mixed, signed


@kernel
def _mix(values: Numbers, results: Numbers) -> int:
    for row in range(len(values)):
        # Bounds that the compiler knows are what lets it reason about overflow.
        value = signed(values[row]) & 0xFFFFFFFF
        results[2 * row] = mixed(value) & 0xFFFF
        results[2 * row + 1] = mixed(values[row])
    return len(values)


def test_places_in_hash_tables_are_those_of_python_and_never_out_of_bounds():
    rng = np.random.default_rng(1)
    edges = [0, 1, -1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, -(2**63)]
    values = np.concatenate([np.array(edges, np.int64), rng.integers(-(2**63), 2**63 - 1, 5000)])
    results = np.zeros(2 * len(values), np.int64)
    _mix(values, results)
    product = 2**64
    for row, value in enumerate(values.tolist()):
        low, whole = (((part % product) * 0x9E3779B97F4A7C15 % product) >> 33 for part in (value & 0xFFFFFFFF, value))
        assert results[2 * row] == low & 0xFFFF
        assert results[2 * row + 1] == whole
    assert len(np.unique(results[1::2] & 0xFFF)) > 2500
