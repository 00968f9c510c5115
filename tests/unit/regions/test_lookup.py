"""The lookup gives what binary search gives, whatever the table."""

import numpy as np
import pytest

from tsubame.regions.lookup import _CROWDED, attribute_regions, build_lookup, look_up
from tsubame.regions.table import assemble


def table_of(bounds: np.ndarray, regions: np.ndarray, names: list[str]):
    ends = np.append(bounds[1:], 2**32) - 1
    return assemble(bounds, ends, regions, names, np.zeros(len(bounds), np.int64), ("",))


def by_search(addresses: np.ndarray, table) -> np.ndarray:
    return table.codes[np.searchsorted(table.starts, addresses, side="right") - 1]


def edges_of(table) -> np.ndarray:
    starts = table.starts.astype(np.int64)
    return np.unique(np.concatenate((starts, starts - 1, starts + 1)) % 2**32).astype(np.uint32)


@pytest.mark.parametrize("intervals", [1, 2, 300, 20_000])
def test_every_address_has_the_region_of_its_interval(intervals):
    random = np.random.default_rng(intervals)
    bounds = np.unique(np.append(random.integers(0, 2**32, intervals - 1), 0)).astype(np.int64)
    table = table_of(bounds, random.integers(0, 200, len(bounds)), [f"R{number:03}" for number in range(200)])
    addresses = np.concatenate((edges_of(table), random.integers(0, 2**32, 200_000).astype(np.uint32)))
    assert (attribute_regions(addresses, table) == by_search(addresses, table)).all()


def test_more_shared_blocks_than_there_are_rows():
    # Every /24 of 0.0.0.0/7 is shared by two regions: 131,072 of them, with 32,767 rows.
    bounds = np.arange(0, 2**25, 128, dtype=np.int64)
    table = table_of(bounds, np.arange(len(bounds)) % 3, ["AA", "BB", "CC"])
    lookup = build_lookup(table)
    assert lookup.split.shape == (32_767, 256)
    assert (lookup.pages == _CROWDED).any()
    addresses = np.concatenate(
        (edges_of(table), np.random.default_rng(1).integers(0, 2**26, 300_000).astype(np.uint32))
    )
    assert (look_up(addresses, lookup) == by_search(addresses, table)).all()


def test_the_worst_table_fits_in_64_mebibytes():
    random = np.random.default_rng(3)
    bounds = np.unique(np.append(random.integers(0, 2**32, 250_000), 0)).astype(np.int64)
    table = table_of(bounds, random.integers(0, 600, len(bounds)), [f"R{number:03}" for number in range(600)])
    lookup = build_lookup(table)
    assert lookup.nbytes <= 64 * 2**20
    addresses = random.integers(0, 2**32, 100_000).astype(np.uint32)
    assert (look_up(addresses, lookup) == by_search(addresses, table)).all()


def test_other_integers_are_refused():
    table = table_of(np.zeros(1, np.int64), np.zeros(1, np.int64), ["AA"])
    with pytest.raises(TypeError, match="int64"):
        attribute_regions(np.zeros(3, dtype=np.int64), table)
    assert attribute_regions(np.zeros(0, dtype=np.uint32), table).dtype == np.uint16


def test_arrays_that_are_not_contiguous_or_read_only_are_taken():
    table = table_of(np.array([0, 2**31]), np.array([0, 1]), ["AA", "BB"])
    addresses = np.array([0, 2**31, 1, 2**32 - 1], dtype=np.uint32)
    addresses.setflags(write=False)
    assert attribute_regions(addresses, table).tolist() == [0, 1, 0, 1]
    assert attribute_regions(addresses[::2], table).tolist() == [0, 0]


def test_many_tables_in_turn():
    addresses = np.array([5], dtype=np.uint32)
    tables = [table_of(np.array([0, bound]), np.array([0, 1]), ["AA", "BB"]) for bound in range(1, 12)]
    for table in tables + tables:
        assert attribute_regions(addresses, table) == by_search(addresses, table)
