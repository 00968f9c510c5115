from dataclasses import replace
from datetime import date, timedelta

import pytest

from tsubame.analysis.events import THRESHOLD
from tsubame.analysis.results import Event, Ratio
from tsubame.periods import Window
from tsubame.report.event_claims import Told, event_claims, told_events
from tsubame.report.event_text import days_text, say_event, say_period, say_rise_upon_rise, third_text
from tsubame.report.statements import Subject

LAST = date(2023, 3, 31)


def day(text):
    return date.fromisoformat(f"2023-{text}")


def event(kind, onset, end, factor, peak=None, ratio=None, before="02-18", sure=0, strength=100.0):
    onset = day(onset)
    window = Window(day(before) - timedelta(days=9), day(before))
    told = None if ratio is None else Ratio(ratio, (ratio, ratio), Window(day(peak), day(peak)), window, "day / mean")
    span = timedelta(days=sure)
    return Event(
        kind,
        onset,
        (onset - span, onset + span),
        None if peak is None else day(peak),
        None if end is None else day(end),
        factor,
        (factor, factor),
        strength,
        told,
    )


WAVE = event("spike_and_decay", "02-25", "03-18", 6.0, "02-28", 5.96)


@pytest.mark.parametrize(
    ("what", "again", "ja", "en"),
    [
        (
            event("burst", "02-19", "02-21", 2.5, "02-21", 2.51),
            False,
            "2月19日から21日に一時的な増加がありました（最多の2月21日は、2月18日までの10日間平均の約2.5倍）。",
            "rose for a while on 19–21 February (highest on 21 February, about 2.5 times the mean of the 10 days to "
            "18 February).",
        ),
        (
            WAVE,
            True,
            "2月25日頃から再び増加に転じ、2月28日には増加前の2月18日までの10日間平均と比較して約6倍に達した後、"
            "3月18日頃にかけてゆるやかに減少しました。",
            "began to rise again about 25 February, reached about 6 times the mean of the 10 days to 18 February on "
            "28 February, then slowly fell until about 18 March.",
        ),
        (
            event("spike_and_decay", "03-25", None, 6.0, "03-28", 5.96),
            False,
            "3月25日頃から増加に転じ、3月28日には増加前の2月18日までの10日間平均と比較して約6倍に達した後、"
            "期末にかけて減少しました。",
            "began to rise about 25 March, reached about 6 times the mean of the 10 days to 18 February on 28 March, "
            "then fell until the end of the quarter.",
        ),
        (
            event("burst", "02-27", "03-02", 0.4, "03-01", 0.4, sure=3),
            False,
            "2月27日頃から3月2日頃に一時的な減少がありました（最少の3月1日は、2月18日までの10日間平均の約0.4倍）。",
            "fell for a while from about 27 February to about 2 March (lowest on 1 March, about 0.4 times the mean of "
            "the 10 days to 18 February).",
        ),
        (
            event("burst", "02-19", "02-19", 2.5),
            False,
            "2月19日に一時的な増加がありました。",
            "rose for a while on 19 February.",
        ),
        (
            event("gradual", "01-18", "02-25", 2.0),
            False,
            "1月18日頃から2月25日頃にかけて微増傾向が続きました。",
            "showed a slight rise from about 18 January to about 25 February.",
        ),
        (
            event("gradual", "01-18", "02-01", 2.0),
            False,
            "1月18日頃から2月1日頃にかけて増加傾向が続きました。",
            "showed a rise from about 18 January to about 1 February.",
        ),
        (event("shift", "02-01", None, 0.5), False, "2月1日頃を境に減少しました。", "fell from about 1 February on."),
    ],
)
def test_events_are_told_as_the_report_tells_them(what, again, ja, en):
    assert say_event(what, LAST, again=again) == (ja, en)


def test_a_shift_is_told_with_its_windows():
    ratio = Ratio(2.04, None, Window(day("02-01"), day("02-10")), Window(day("01-22"), day("01-31")), "after / before")
    shift = Event("shift", day("02-01"), (day("02-01"),) * 2, None, None, 2.0, (2.0, 2.0), 100.0, ratio)
    assert (
        say_event(shift, LAST)[0] == "2月1日頃を境に増加し、その後の10日間平均は直前の10日間平均の約2倍となりました。"
    )


def test_a_slow_rise_and_a_steep_one_are_one_sentence():
    slow, steep = event("gradual", "01-18", "02-25", 2.2), event("burst", "02-26", "03-07", 2.2, "03-01", 3.0)
    rank = ("順位も前四半期の7番目から3番目に上がりました", "moved up from 7th place to 3rd place")
    ja, en = say_rise_upon_rise(slow, steep, LAST, rank)
    assert ja == (
        "1月18日頃から微増傾向が続いた後に、2月26日頃からの約10日間には一段と増えて、"
        "順位も前四半期の7番目から3番目に上がりました。"
    )
    assert en.endswith(
        "rose further for about 10 days from about 26 February on, and moved up from 7th place to 3rd place."
    )
    assert say_rise_upon_rise(slow, steep, LAST, ("", ""))[0].endswith("一段と増えました。")
    assert (
        "増加傾向が続いた後に、2月26日頃からは一段と"
        in say_rise_upon_rise(
            event("gradual", "02-10", "02-24", 3.0),
            WAVE.__class__(**{**_fields(WAVE), "onset": day("02-26")}),
            LAST,
            ("", ""),
        )[0]
    )


def _fields(item):
    return {name: getattr(item, name) for name in item.__slots__}


def test_thirds_spans_and_periods():
    assert [third_text(day(d))[0] for d in ("02-10", "02-11", "02-20", "02-21")] == [
        "2月上旬頃",
        "2月中旬頃",
        "2月中旬頃",
        "2月下旬頃",
    ]
    assert days_text(day("02-27"), day("03-06")) == ("2月27日から3月6日", "27 February to 6 March")
    said = ("日本を送信元とする37215/TCP宛の", "to 37215/TCP from Japan")
    assert say_period(said, day("02-19"), day("03-18")) == (
        "日本を送信元とする37215/TCP宛のパケットが2月中旬頃から3月中旬頃にかけて増加しました。",
        "Packets to 37215/TCP from Japan increased from mid-February to mid-March.",
    )
    assert (
        say_period(said, day("02-19"), None)[0]
        == "日本を送信元とする37215/TCP宛のパケットが2月中旬頃から増加しました。"
    )
    assert "が2月中旬頃に増加しました" in say_period(said, day("02-12"), day("02-15"))[0]


def test_only_sure_and_large_changes_are_told_and_the_surer_of_two():
    events = [
        event("burst", "02-01", "02-05", 1.4),
        event("burst", "02-01", "02-05", 3.0, strength=THRESHOLD - 1),
        event("burst", "02-10", "02-14", 3.0, strength=200.0),
        event("spike_and_decay", "02-09", "02-14", 2.0, strength=50.0),
        event("gradual", "02-01", "02-28", 2.0),
        event("shift", "03-01", None, 0.5),
    ]
    told = told_events(events, LAST)
    assert [(e.kind, e.onset) for e in told] == [
        ("gradual", day("02-01")),
        ("burst", day("02-10")),
        ("shift", day("03-01")),
    ]
    assert told_events(events, LAST, kinds=("shift",)) == (events[-1],)


def test_claims_of_a_story_say_in_which_they_are_told():
    slow, steep = event("gradual", "01-18", "02-25", 2.2), event("burst", "02-26", "03-07", 2.2, "03-01", 3.0)
    told = Told(
        "port-9-tcp", Subject("destination", 6, 9), ("9/TCP（discard）宛", "to 9/TCP (discard)"), None, "ports", LAST
    )
    story, *parts = event_claims((slow, steep), told)
    assert story.kind == "story"
    assert [claim.kind for claim in parts] == ["gradual", "burst"]
    assert {claim.told_in for claim in parts} == {story.id}
    assert story.numbers["steep_days"] == 10
    alone = list(event_claims((WAVE,), told))
    assert [claim.kind for claim in alone] == ["spike_and_decay"]
    assert alone[0].text_ja.startswith("9/TCP（discard）宛のパケットは、2月25日頃から増加に転じ")


def test_what_one_sensor_saw_is_told_with_the_event():
    alone = replace(event("burst", "02-19", "02-21", 2.5, "02-21", 2.51), one_sensor=0.83)
    told = Told("port-23-tcp", Subject("destination", 6, 23), ("23/TCP宛", "to 23/TCP"), None, "ports", LAST)
    (claim,) = event_claims([alone], told)
    assert claim.text_ja.endswith("約2.5倍）。この増加の大半（約83%）は1台のセンサーで観測されたものです。")
    assert claim.text_en.endswith("18 February). One sensor saw most of this rise (about 83%).")
    assert claim.numbers["one_sensor"] == 0.83
    (other,) = event_claims([replace(alone, one_sensor=None)], told)
    assert "センサー" not in other.text_ja
