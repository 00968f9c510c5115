"""Which files are in force on a day."""

from datetime import date

import pytest

from tsubame.errors import NotReady
from tsubame.keys import REGISTRIES, DelegationKey
from tsubame.regions.snapshots import snapshot_in_force


def keys(*days: int, registries=REGISTRIES, **form):
    return [DelegationKey(date(2023, 1, day), registry, **form) for day in days for registry in registries]


def test_the_newest_file_not_later_than_the_day():
    snapshot = snapshot_in_force(keys(1, 5, 9), date(2023, 1, 8))
    assert {file.day.day for file in snapshot.files} == {5}
    assert [file.registry for file in snapshot.files] == list(REGISTRIES)
    assert snapshot.age_days == dict.fromkeys(REGISTRIES, 3)
    assert snapshot.carried_forward == snapshot.age_days
    assert snapshot.absent == ()
    assert snapshot_in_force(keys(1, 5, 9), date(2023, 1, 9)).carried_forward == {}


def test_each_registry_by_itself():
    available = keys(1) + keys(4, registries=("arin",)) + keys(9, registries=("lacnic",))
    snapshot = snapshot_in_force(available, date(2023, 1, 5))
    assert snapshot.age_days == {"afrinic": 4, "apnic": 4, "arin": 1, "lacnic": 4, "ripencc": 4}


def test_registries_without_a_file_are_absent():
    snapshot = snapshot_in_force(keys(3, registries=("arin", "apnic")), date(2023, 2, 1))
    assert snapshot.absent == ("afrinic", "lacnic", "ripencc")
    assert snapshot.age_days == {"apnic": 29, "arin": 29}


def test_the_extended_form_is_preferred_and_of_the_same_form_the_plain_file():
    forms = [{"extended": e, "compressed": c} for e in (False, True) for c in (False, True)]
    available = [key for form in forms for key in keys(3, registries=("arin",), **form)]
    for order in (available, available[::-1]):
        (file,) = snapshot_in_force(order, date(2023, 1, 3)).files
        assert (file.extended, file.compressed) == (True, False)
    later = [*available, *keys(4, registries=("arin",), extended=False)]
    (file,) = snapshot_in_force(later, date(2023, 1, 4)).files
    assert file.day.day == 4


@pytest.mark.parametrize("available", [[], keys(9)])
def test_before_the_first_file_nothing_is_ready(available):
    with pytest.raises(NotReady, match="no delegation file of 2023-01-08 or before"):
        snapshot_in_force(available, date(2023, 1, 8))
