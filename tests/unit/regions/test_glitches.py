"""What neighbours contradict is held back; what they bear out is not."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from tsubame.regions.changes import changed_ranges
from tsubame.regions.glitches import settle
from tsubame.regions.table import assemble

DAY = date(2023, 1, 24)
NAMES = {"G": "GB", "N": "NL", "D": "DE", "r": "reserved", "a": "available"}


def table(states: str):
    """Make a table of ten addresses for each letter; ``.`` is undelegated."""
    kept = [(10 * place, letter) for place, letter in enumerate(states) if letter != "."]
    first = np.array([start for start, _ in kept], dtype=np.int64)
    names = list(NAMES.values())
    codes = np.array([names.index(NAMES[letter]) for _, letter in kept], dtype=np.int64)
    return assemble(first, first + 9, codes, names, np.zeros(len(kept), np.int64), ("",))


def used(*states: str, days: list[int] | None = None, hold_days: int = 3):
    """Return, for each file, what is used of it, written like the files."""
    files = [
        (DAY + timedelta(days=day), table(state)) for day, state in zip(days or range(len(states)), states, strict=True)
    ]
    changes = [changed_ranges(old, new) for (_, old), (_, new) in pairwise(files)]
    uses = settle("ripencc", files, changes, hold_days=hold_days)
    shown = []
    for use in uses:
        letters = list(states[use.base])
        for first, last, index in use.patches:
            for place in range(first // 10, last // 10 + 1):
                letters[place] = states[index][place]
        shown.append("".join(letters))
    return shown, uses


def test_nothing_changes():
    shown, uses = used("GGNN", "GGNN", "GGNN")
    assert shown == ["GGNN"] * 3
    assert [use.base for use in uses] == [0, 1, 2]
    assert not any(use.held for use in uses)


def test_a_change_that_stays_is_used_from_its_first_day():
    assert used("GGGG", "GNGG", "GNGG")[0] == ["GGGG", "GNGG", "GNGG"]


def test_a_change_undone_the_next_day_is_held_back_and_its_file_not_used():
    shown, uses = used("GGGG", "GNNG", "GGGG", "GGGG")
    assert shown == ["GGGG"] * 4
    assert [use.base for use in uses] == [0, 0, 2, 3]
    (held,) = uses[1].held
    assert (held.registry, held.file_day, held.first, held.last, held.addresses) == (
        "ripencc", DAY + timedelta(days=1), 10, 29, 20,
    )  # fmt: skip
    assert (held.region, held.contradicted, held.whole_file) == ("GB", "NL", True)


def test_a_real_change_beside_a_smaller_glitch_keeps_its_day():
    shown, uses = used("GGGGG", "NNNGD", "NNNGG", "NNNGG")
    assert shown == ["GGGGG", "NNNGG", "NNNGG", "NNNGG"]
    assert uses[1].base == 1
    assert [held.whole_file for held in uses[1].held] == [False]


def test_a_real_change_in_a_file_that_is_mostly_wrong_waits_for_the_next():
    shown, uses = used("GGGGG", "NDDDD", "NGGGG", "NGGGG")
    assert shown == ["GGGGG", "GGGGG", "NGGGG", "NGGGG"]
    assert uses[1].base == 0


@pytest.mark.parametrize(("lasts", "held"), [(1, True), (2, True), (3, True), (4, False), (7, False)])
def test_how_soon_it_must_be_undone(lasts, held):
    shown, _ = used("GG", *["GN"] * lasts, "GG", "GG")
    assert shown == ["GG", *(["GG"] if held else ["GN"]) * lasts, "GG", "GG"]


def test_the_number_of_days_is_a_parameter():
    states = ("GG", "GN", "GN", "GG")
    assert used(*states, hold_days=1)[0] == list(states)
    assert used(*states, hold_days=2)[0] == ["GG"] * 4
    assert used("GG", "GN", "GG", hold_days=0)[0] == ["GG", "GN", "GG"]


def test_days_are_counted_where_files_are_missing():
    assert used("GG", "GN", "GG", days=[0, 7, 14])[0] == ["GG", "GN", "GG"]
    assert used("GG", "GN", "GG", days=[0, 7, 9])[0] == ["GG", "GG", "GG"]


def test_the_newest_file_is_used_until_another_contradicts_it():
    assert used("GG", "GN")[0] == ["GG", "GN"]
    assert used("GG", "GN", "GG")[0] == ["GG", "GG", "GG"]


def test_a_country_that_no_neighbour_supports_is_held_back():
    assert used("GG", "GD", "GN", "GN")[0] == ["GG", "GG", "GN", "GN"]


@pytest.mark.parametrize("passing", ["r", "a", "."])
def test_space_that_is_free_between_two_holders_is_not(passing):
    states = ("GG", f"G{passing}", "GN", "GN")
    assert used(*states)[0] == list(states)


def test_two_moves_in_ten_days_are_two_moves():
    states = ["GG"] + ["GN"] * 5 + ["ND"] * 5
    assert used(*states)[0] == states


def test_a_glitch_at_the_beginning_passes():
    assert used("GN", "GG", "GG", "GG", "GG")[0] == ["GN", "GG", "GG", "GG", "GG"]


def test_a_glitch_of_space_that_is_in_no_file():
    shown, uses = used("G..", "GNN", "G..", "G..")
    assert shown == ["G.."] * 4
    assert uses[1].held[0].region == "undelegated"


def test_a_glitch_in_the_wake_of_a_move():
    assert used("GGGG", "NGGG", "NGDD", "NGGG")[0] == ["GGGG", "NGGG", "NGGG", "NGGG"]


def test_a_file_not_used_may_be_followed_by_a_real_change():
    states = ("GGGG", "GDDD", "NGGG", "NGGG", "NGGG")
    assert used(*states)[0] == ["GGGG", "GGGG", "NGGG", "NGGG", "NGGG"]
