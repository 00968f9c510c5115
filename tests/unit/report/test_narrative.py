from datetime import date

import pytest

from tsubame.periods import Quarter
from tsubame.report.narrative import (
    day_text,
    join_sentences,
    ordinal,
    previous_text,
    quarter_title,
    say_first,
    times_text,
)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (8.04, "8"),
        (7.6, "8"),
        (5.0, "5"),
        (4.96, "5"),
        (1.5, "1.5"),
        (1.02, "1"),
        (1.96, "2"),
        (0.37, "0.4"),
        (0.04, "0.04"),
        (0.004, "0.004"),
        (0.0, "0"),
        (1234.5, "1,234"),
    ],
)
def test_ratios_are_rounded_as_the_report_rounds_them(ratio, text):
    assert times_text(ratio) == text


@pytest.mark.parametrize(
    ("previous", "cutoff", "has_previous", "ja", "en"),
    [
        (7, 10, True, "7", "7"),
        (10, 10, True, "10", "10"),
        (11, 10, True, "TOP10外", "outside top 10"),
        (None, 10, True, "TOP10外", "outside top 10"),
        (6, 5, True, "TOP5外", "outside top 5"),
        (None, 5, False, "－", "–"),
        (3, 5, False, "－", "–"),
    ],
)
def test_previous_ranks_are_cut_off_by_table(previous, cutoff, has_previous, ja, en):
    assert previous_text(previous, cutoff, has_previous, "ja") == ja
    assert previous_text(previous, cutoff, has_previous, "en") == en


def test_days_and_quarters():
    assert quarter_title(Quarter(2023, 1), "ja") == "2023年1〜3月"
    assert quarter_title(Quarter(2022, 4), "en") == "October–December 2022"
    assert day_text(date(2023, 1, 21), "ja") == "1月21日"
    assert day_text(date(2023, 1, 21), "en", with_year=True) == "21 January 2023"


def test_ordinals():
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 111, 112)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "111th", "112th"]
    )


def test_the_leader_with_each_past():
    subject = ("23/TCP（telnet）宛", "to 23/TCP (telnet)")
    assert say_first(subject, 1, 10, True)[0] == (
        "最も多く観測されたのは、前四半期に引き続き23/TCP（telnet）宛のパケットでした。"
    )
    assert "前四半期の2番目から順位を上げました" in say_first(subject, 2, 10, True)[0]
    assert "前四半期のTOP10外から" in say_first(subject, None, 10, True)[0]
    assert "TOP10外（12番目）" in say_first(subject, 12, 10, True)[0]
    assert "前四半期" not in say_first(subject, None, 10, False)[0]


def test_a_repeated_subject_is_left_out():
    said = [
        ("中国からのパケットは", "中国からのパケットは期間中に徐々に増えました。"),
        ("中国からのパケットは", "中国からのパケットは、前四半期の4番目から2番目に順位を上げました。"),
        ("英国からのパケットは", "英国からのパケットは、減りました。"),
    ]
    assert join_sentences(said, "ja") == (
        "中国からのパケットは期間中に徐々に増えました。前四半期の4番目から2番目に順位を上げました。"
        "英国からのパケットは、減りました。"
    )
    said = [("Packets from China ", "Packets from China rose."), ("Packets from China ", "Packets from China led.")]
    assert join_sentences(said, "en") == "Packets from China rose. They led."
