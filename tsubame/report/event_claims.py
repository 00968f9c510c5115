"""Claims about the events of a series: which are told, how they are linked, and which one sentence tells several.

An event is told when it is a change of at least ``TOLD`` times, up or down, and as sure as any series needs. Of two
that cover mostly the same days the surer one is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tsubame.analysis.events import THRESHOLD
from tsubame.analysis.noted import is_large
from tsubame.analysis.results import Event
from tsubame.report.event_text import (
    length_of,
    say_event,
    say_one_sensor,
    say_period,
    say_rise_upon_rise,
    window_of,
)
from tsubame.report.narrative import Bilingual
from tsubame.report.statements import Claim, Subject

TOLD = 1.5
SAME_DAYS = 0.5
"""Part of the shorter of two events that lies in the other one, from which on they are told as one."""

FOLLOWS = timedelta(days=14)
"""A steep rise that begins so near to the end of a gradual one is told in one sentence with it."""

MOST_TOLD = 4


@dataclass(frozen=True, slots=True)
class Told:
    """What a series' events are told of.

    Attributes:
        slug: part of the claims' ids.
        said: ``…のパケットは`` without ``のパケットは``, and what follows ``Packets ``.
        last_day: of the quarter.
        rank: a closing clause about the rank, for the sentence of two rises; empty for nothing.
        ranks: rank, previous rank and cut-off that the clause tells.
    """

    slug: str
    subject: Subject
    said: Bilingual
    figure: str | None
    section: str
    last_day: date
    rank: Bilingual = ("", "")
    ranks: tuple[int, int | None, int] | None = None


def told_events(events: Iterable[Event], last_day: date, kinds: Sequence[str] | None = None) -> tuple[Event, ...]:
    """Return the events that are told, in order of onset.

    Args:
        events: of one series.
        last_day: of the quarter.
        kinds: only these; None for all.
    """
    kept: list[Event] = []
    for event in sorted(events, key=lambda each: (-each.strength, each.onset)):
        size = max(event.factor, 1 / event.factor) if event.factor > 0 else float("inf")
        if (
            size < TOLD
            or not is_large(event)
            or event.strength < THRESHOLD
            or (kinds is not None and event.kind not in kinds)
        ):
            continue
        if not any(_covers(event, other, last_day) for other in kept):
            kept.append(event)
    return tuple(sorted(kept[:MOST_TOLD], key=lambda each: (each.onset, each.kind)))


def _covers(event: Event, other: Event, last_day: date) -> bool:
    """Say whether two events are mostly of the same days; a lasting one covers nothing but another lasting one."""
    lasting = [each.kind in ("shift", "gradual") for each in (event, other)]
    if lasting[0] != lasting[1]:
        return False
    first, second = window_of(event, last_day), window_of(other, last_day)
    shared = (min(first.last, second.last) - max(first.first, second.first)).days + 1
    return shared >= SAME_DAYS * min(len(first), len(second))


def event_claims(events: Sequence[Event], told: Told) -> Iterator[Claim]:
    """Yield a claim for each event, and before two that follow upon each other the sentence that tells both."""
    pair = _slow_then_steep(events)
    story_id = f"story-{told.slug}-{pair[0].onset:%Y%m%d}" if pair else None
    if pair and story_id:
        text = say_rise_upon_rise(*pair, told.last_day, told.rank)
        numbers: dict[str, float | int | date] = {
            "slow_onset": pair[0].onset,
            "steep_onset": pair[1].onset,
            "steep_days": length_of(pair[1], told.last_day),
        }
        if told.rank[0] and told.ranks is not None:
            names = ("rank", "previous_rank", "cutoff")
            numbers |= {name: n for name, n in zip(names, told.ranks, strict=True) if n is not None}
        numbers |= _sensor_numbers(pair[1])
        yield Claim(
            story_id,
            "story",
            told.subject,
            *_with_sensor(_sentence(told.said, text), pair[1]),
            onset=pair[0].onset,
            peak=pair[1].peak,
            end=pair[1].end,
            ratio=None if pair[1].ratio is None else pair[1].ratio.value,
            ratio_interval=None if pair[1].ratio is None else pair[1].ratio.interval,
            windows=() if pair[1].ratio is None else (pair[1].ratio.denominator, pair[1].ratio.numerator),
            formula="a gradual rise, then a steeper one",
            figure=told.figure,
            numbers=numbers,
            section=told.section,
        )
    risen = False
    for event in events:
        yield event_claim(event, told, again=risen, told_in=story_id if pair and event in pair else None)
        risen = risen or (event.factor > 1 and event.kind != "gradual")


def event_claim(event: Event, told: Told, *, again: bool = False, told_in: str | None = None) -> Claim:
    """Return the claim of one event."""
    ratio = event.ratio
    text = _sentence(told.said, say_event(event, told.last_day, again=again))
    return Claim(
        f"{event.kind}-{told.slug}-{event.onset:%Y%m%d}".replace("_", "-"),
        event.kind,
        told.subject,
        *_with_sensor(text, event),
        onset=event.onset,
        peak=event.peak,
        end=event.end,
        ratio=None if ratio is None else ratio.value,
        ratio_interval=None if ratio is None else ratio.interval,
        windows=() if ratio is None else (ratio.denominator, ratio.numerator),
        formula="" if ratio is None else ratio.formula,
        figure=told.figure,
        numbers={"factor": event.factor, "days": length_of(event, told.last_day)} | _sensor_numbers(event),
        told_in=told_in,
        section=told.section,
    )


def period_claim(events: Sequence[Event], told: Told, said: Bilingual) -> Claim:
    """Return the claim that tells from when to when several events lasted.

    Args:
        events: linked events.
        told: what they are of.
        said: the subject up to ``パケットが`` and after ``Packets ``.
    """
    first = min(event.onset for event in events)
    ends = [event.end for event in events if event.end is not None and event.kind != "gradual"]
    last = max(ends) if len(ends) == len(events) else None
    return Claim(
        f"period-{told.slug}-{first:%Y%m%d}",
        "period",
        told.subject,
        *say_period(said, first, last),
        onset=first,
        end=last,
        formula="from the first onset to the last end of the linked events",
        figure=told.figure,
        section=told.section,
    )


def _slow_then_steep(events: Sequence[Event]) -> tuple[Event, Event] | None:
    """Return a gradual rise and the surest steep rise that follows upon it, if there are such."""
    for slow in events:
        if slow.kind != "gradual" or slow.factor <= 1 or slow.end is None:
            continue
        after = [
            other
            for other in events
            if other.kind in ("burst", "spike_and_decay", "shift")
            and other.factor > 1
            and slow.end - FOLLOWS <= other.onset <= slow.end + FOLLOWS
            and other.onset > slow.onset + FOLLOWS
        ]
        if after:
            return slow, max(after, key=lambda each: (each.strength, each.factor))
    return None


def _with_sensor(text: Bilingual, event: Event) -> Bilingual:
    """Add to a sentence that one sensor saw most of what it tells, where that is so."""
    if event.one_sensor is None:
        return text
    more = say_one_sensor(event.factor > 1, round(100 * event.one_sensor))
    return text[0] + more[0], text[1] + more[1]


def _sensor_numbers(event: Event) -> dict[str, float | int]:
    return {} if event.one_sensor is None else {"one_sensor": event.one_sensor, "of_sensors": 1}


def _sentence(said: Bilingual, predicate: Bilingual) -> Bilingual:
    return f"{said[0]}のパケットは、{predicate[0]}", f"Packets {said[1]} {predicate[1]}"
