"""Sentences about events of a daily series, in Japanese and English.

As in ``narrative`` nothing is decided here. A day carries 頃 (about) where the analysis is not sure of it to the day,
and where a change begins little by little.
"""

from __future__ import annotations

from datetime import date, timedelta

from tsubame.analysis.results import Event, Ratio
from tsubame.periods import Window
from tsubame.report.narrative import MONTHS, Bilingual, day_text, times_text

SURE = timedelta(days=1)
"""An onset whose interval reaches no further than this to either side is told as a day, without 頃."""

SLOW = 0.02
"""A gradual rise of at most this part a day is told as 微増傾向, a slight rise, ..."""

SLOW_BESIDE = 0.05
"""... and so is one of up to this part a day beside a steeper rise that follows upon it."""

LONG_DECAY = timedelta(days=7)

ROUND_DAYS = 7
"""A burst of at least so many days is told as 約…日間 from about its onset; a shorter one by its first and last day."""


def about(event: Event) -> bool:
    """Say whether an event's onset is known only roughly."""
    low, high = event.onset_interval
    return event.onset - low > SURE or high - event.onset > SURE


def onset_text(event: Event) -> Bilingual:
    """Return ``2月25日頃`` and ``about 25 February``, or the day alone where it is sure."""
    ja, en = day_text(event.onset, "ja"), day_text(event.onset, "en")
    slow = event.kind in ("gradual", "spike_and_decay", "shift")
    return (f"{ja}頃", f"about {en}") if slow or about(event) else (ja, en)


def days_text(first: date, last: date) -> Bilingual:
    """Return ``2月19日から21日`` and ``19–21 February``; one day where both are the same."""
    if first == last:
        return day_text(first, "ja"), day_text(first, "en")
    if first.month == last.month:
        return f"{day_text(first, 'ja')}から{last.day}日", f"{first.day}–{day_text(last, 'en')}"
    return f"{day_text(first, 'ja')}から{day_text(last, 'ja')}", f"{day_text(first, 'en')} to {day_text(last, 'en')}"


def third_text(day: date) -> Bilingual:
    """Return the third of a month that a day lies in: ``2月中旬頃`` and ``mid-February``."""
    place = 0 if day.day <= 10 else 1 if day.day <= 20 else 2
    month = MONTHS[day.month - 1]
    return (
        f"{day.month}月{('上旬', '中旬', '下旬')[place]}頃",
        (f"early {month}", f"mid-{month}", f"late {month}")[place],
    )


def length_of(event: Event, last_day: date) -> int:
    """Return the days of an event."""
    return ((event.end or last_day) - event.onset).days + 1


def _trend(event: Event, last_day: date, slow: float = SLOW) -> Bilingual:
    """Return what a gradual change is called: 微増傾向, 増加傾向, 減少傾向."""
    if event.factor < 1:
        return "減少傾向", "a fall"
    daily = event.factor ** (1 / length_of(event, last_day)) - 1
    return ("微増傾向", "a slight rise") if daily <= slow else ("増加傾向", "a rise")


def peak_clause(event: Event) -> Bilingual:
    """Return how the highest (or lowest) day compares with the days before, in brackets; empty where unknown."""
    if event.ratio is None or event.ratio.value is None or event.peak is None:
        return "", ""
    times, window = times_text(event.ratio.value), event.ratio.denominator
    ja_word, en_word = ("最多", "highest") if event.factor > 1 else ("最少", "lowest")
    before_ja = f"{day_text(window.last, 'ja')}までの{len(window)}日間平均"
    before_en = f"the mean of the {len(window)} days to {day_text(window.last, 'en')}"
    return (
        f"（{ja_word}の{day_text(event.peak, 'ja')}は、{before_ja}の約{times}倍）",
        f" ({en_word} on {day_text(event.peak, 'en')}, about {times} times {before_en})",
    )


def say_event(event: Event, last_day: date, *, again: bool = False, ratio: bool = True) -> Bilingual:
    """Return an event as a predicate: what stands after ``…のパケットは、`` and after ``Packets … ``.

    Args:
        event: what happened.
        last_day: of the quarter.
        again: whether an earlier rise was told of the same series.
        ratio: whether to add how the peak compares with the days before.
    """
    on_ja, on_en = onset_text(event)
    up = event.factor > 1
    if event.kind == "shift":
        return _shift(event, on_ja, on_en)
    if event.kind == "gradual":
        trend = _trend(event, last_day)
        end = event.end or last_day
        return (
            f"{on_ja}から{day_text(end, 'ja')}頃にかけて{trend[0]}が続きました。",
            f"showed {trend[1]} from {on_en} to about {day_text(end, 'en')}.",
        )
    if event.kind == "spike_and_decay" and up and event.peak is not None:
        return _spike(event, last_day, again)
    end = event.end or last_day
    span = days_text(event.onset, end)
    if about(event) and end != event.onset:
        # Both ends are rough: say so at each.
        span = f"{on_ja}から{day_text(end, 'ja')}頃", f"{on_en} to about {day_text(end, 'en')}"
    peak_ja, peak_en = peak_clause(event) if ratio else ("", "")
    word_ja, word_en = ("増加", "rose") if up else ("減少", "fell")
    more = "再び" if again else ""
    preposition = "on" if end == event.onset else "from" if " to " in span[1] else "on"
    return (
        f"{span[0]}に{more}一時的な{word_ja}がありました{peak_ja}。",
        f"{word_en} {'again ' if again else ''}for a while {preposition} {span[1]}{peak_en}.",
    )


def _shift(event: Event, on_ja: str, on_en: str) -> Bilingual:
    word_ja, word_en = ("増加", "rose") if event.factor > 1 else ("減少", "fell")
    if event.ratio is None or event.ratio.value is None:
        return f"{on_ja}を境に{word_ja}しました。", f"{word_en} from {on_en} on."
    times = times_text(event.ratio.value)
    after, before = len(event.ratio.numerator), len(event.ratio.denominator)
    return (
        f"{on_ja}を境に{word_ja}し、その後の{after}日間平均は直前の{before}日間平均の約{times}倍となりました。",
        f"{word_en} from {on_en} on: the mean of the {after} days from then was about {times} times "
        f"that of the {before} days before.",
    )


def _spike(event: Event, last_day: date, again: bool) -> Bilingual:
    """Say that a series rose to a peak and fell again."""
    assert event.peak is not None
    on_ja, on_en = onset_text(event)
    more_ja, more_en = ("再び", " again") if again else ("", "")
    peak_ja, peak_en = day_text(event.peak, "ja"), day_text(event.peak, "en")
    reached_ja, reached_en = f"{peak_ja}に最多となった後", f"were highest on {peak_en}"
    if event.ratio is not None and event.ratio.value is not None:
        reached_ja, reached_en = _reached(event.ratio, peak_ja, peak_en)
    end = event.end or last_day
    slowly = end - event.peak >= LONG_DECAY
    until_ja = "期末" if event.end is None else f"{day_text(end, 'ja')}頃"
    until_en = "the end of the quarter" if event.end is None else f"about {day_text(end, 'en')}"
    when_en = on_en if on_en.startswith("about") else f"on {on_en}"
    how_ja, how_en = ("ゆるやかに減少しました", "slowly fell") if slowly else ("減少しました", "fell")
    return (
        f"{on_ja}から{more_ja}増加に転じ、{reached_ja}、{until_ja}にかけて{how_ja}。",
        f"began to rise{more_en} {when_en}, {reached_en}, then {how_en} until {until_en}.",
    )


def _reached(ratio: Ratio, peak_ja: str, peak_en: str) -> Bilingual:
    assert ratio.value is not None
    window, times = ratio.denominator, times_text(ratio.value)
    days = len(window)
    return (
        f"{peak_ja}には増加前の{day_text(window.last, 'ja')}までの{days}日間平均と比較して約{times}倍に達した後",
        f"reached about {times} times the mean of the {days} days to {day_text(window.last, 'en')} on {peak_en}",
    )


def say_rise_upon_rise(slow: Event, steep: Event, last_day: date, rank: Bilingual) -> Bilingual:
    """Say that a gradual rise was followed by a steeper one, as a predicate.

    Args:
        slow: the gradual rise.
        steep: what followed.
        last_day: of the quarter.
        rank: what became of the rank, as the closing clause of either sentence; empty for nothing.
    """
    trend = _trend(slow, last_day, SLOW_BESIDE)
    first_ja, first_en = onset_text(slow)
    then_ja, then_en = f"{day_text(steep.onset, 'ja')}頃", f"about {day_text(steep.onset, 'en')}"
    days = length_of(steep, last_day)
    if steep.kind == "burst" and days >= ROUND_DAYS:
        when_ja, when_en = f"{then_ja}からの約{days}日間には", f"for about {days} days from {then_en} on"
    else:
        when_ja, when_en = f"{then_ja}からは", f"from {then_en} on"
    rise_ja, rise_en = ("増えて、" + rank[0], f", and {rank[1]}") if rank[0] else ("増えました", "")
    return (
        f"{first_ja}から{trend[0]}が続いた後に、{when_ja}一段と{rise_ja}。",
        f"showed {trend[1]} from {first_en} on, then rose further {when_en}{rise_en}.",
    )


def say_one_sensor(rising: bool, share: int) -> Bilingual:
    """Say that one sensor saw the greater part of a change: a sentence that follows the one about it."""
    return (
        f"この{'増加' if rising else '減少'}の大半（約{share}%）は1台のセンサーで観測されたものです。",
        f" One sensor saw most of this {'rise' if rising else 'fall'} (about {share}%).",
    )


def say_period(subject: Bilingual, first: date, last: date | None) -> Bilingual:
    """Say from when to when linked events lasted; ``last`` is None where they have not ended."""
    from_ja, from_en = third_text(first)
    if last is None:
        return (
            f"{subject[0]}パケットが{from_ja}から増加しました。",
            f"Packets {subject[1]} increased from {from_en} on.",
        )
    to_ja, to_en = third_text(last)
    if from_ja == to_ja:
        return (
            f"{subject[0]}パケットが{from_ja}に増加しました。",
            f"Packets {subject[1]} increased in {from_en}.",
        )
    return (
        f"{subject[0]}パケットが{from_ja}から{to_ja}にかけて増加しました。",
        f"Packets {subject[1]} increased from {from_en} to {to_en}.",
    )


def window_of(event: Event, last_day: date) -> Window:
    """Return an event's days."""
    return Window(event.onset, event.end or last_day)
