"""The proof-reader's second reading: not whether a number is one of the claim's, but whether it is the right one.

A sentence is read for what each of its places means: the first day it names is the onset, the day called highest the
peak, the day up to which a mean is taken the last of the window before; regions are those the claim is about, in both
languages; 増加 goes with a ratio above 1; and whatever is said in one language is said in the other. Faults are pairs:
what was found, what was expected.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any

from tsubame.report.event_text import third_text
from tsubame.report.names import LANGUAGES, Language, region_codes, region_name
from tsubame.report.narrative import MONTHS, times_text

Said = tuple[str, str]

EVENTS = ("burst", "spike_and_decay", "gradual", "shift", "story")
_MONTH = "|".join(MONTHS)
_JA_DAY = re.compile(r"(\d{1,2})月(\d{1,2})日(?:から(\d{1,2})日)?")
_EN_DAY = re.compile(rf"(\d{{1,2}})(?:–(\d{{1,2}}))? ({_MONTH})")
_JA_THIRD = re.compile(r"(\d{1,2})月([上中下])旬頃")
_EN_THIRD = re.compile(rf"(early |mid-|late )({_MONTH})")
_PLACES: Mapping[Language, tuple[tuple[str, str], ...]] = {
    "ja": (
        ("peak", r"最[多少]の(?P<m>\d+)月(?P<d>\d+)日"),
        ("peak", r"、(?P<m>\d+)月(?P<d>\d+)日に(?:最多となった|は増加前の)"),
        ("before", r"(?P<m>\d+)月(?P<d>\d+)日までの\d+日間?平均"),
        ("end", r"(?P<m>\d+)月(?P<d>\d+)日頃にかけて"),
    ),
    "en": (
        ("peak", rf"(?:highest|lowest) on (?P<d>\d+) (?P<n>{_MONTH})"),
        ("peak", rf" on (?P<d>\d+) (?P<n>{_MONTH}), then"),
        ("before", rf"days to (?P<d>\d+) (?P<n>{_MONTH})"),
        ("end", rf"until about (?P<d>\d+) (?P<n>{_MONTH})"),
    ),
}
_UP: Mapping[Language, str] = {
    "ja": r"増加|増えて|微増|上げ|上が",
    "en": r"\b(?:rose|rise|rising|increase[sd]?|moved up|up from)\b",
}
_DOWN: Mapping[Language, str] = {"ja": r"減少|減って|下げ|下が", "en": r"\b(?:fell|falls?|decrease[sd]?)\b"}
_ANY_REGIONS = ("reassignments-without-effect",)
_RISES = ("period", "story", "regional_rises", "superposition")
_HOME = ("domestic_sources", "sensors")


def read_again(claim: Mapping[str, Any]) -> Iterator[tuple[Language, Said]]:
    """Yield language and fault of every place of a claim's sentences that says something else than the claim."""
    for language in LANGUAGES:
        text = str(claim[f"text_{language}"])
        for fault in (*_places(claim, text, language), *_direction(claim, text, language)):
            yield language, fault
        yield from ((language, fault) for fault in _regions(claim, text, language))
        yield from ((language, fault) for fault in _rises(claim, text, language))
        cutoff = claim["numbers"].get("cutoff")
        for match in re.finditer(r"TOP(\d+)外|outside the top (\d+)", text):
            if cutoff is not None and (match[1] or match[2]) != str(cutoff):
                yield language, (match[0], f"top {cutoff}")
    ja, en = str(claim["text_ja"]), str(claim["text_en"])
    yield from (("en", fault) for fault in compare_languages(ja, en))
    if claim["kind"] == "reassignment" and _mentions(ja, "ja") != _mentions(en, "en"):
        yield "ja", ("regions named otherwise than in English", "the same regions as often")


def compare_languages(ja: str, en: str) -> Iterator[Said]:
    """Yield what one language says and the other does not: days, parts of months, regions."""
    for said in (days_said, _thirds, regions_said):
        japanese, english = Counter(said(ja, "ja")), Counter(said(en, "en"))
        if japanese != english:
            missing = sorted(map(str, (japanese - english).elements()))
            more = sorted(map(str, (english - japanese).elements()))
            yield ", ".join(more) or "nothing", ", ".join(missing) or "nothing"


def days_said(text: str, language: Language) -> list[tuple[int, int]]:
    """Return month and day of the days a text names, in order."""
    days = []
    if language == "ja":
        for match in _JA_DAY.finditer(text):
            days.append((int(match[1]), int(match[2])))
            if match[3]:
                days.append((int(match[1]), int(match[3])))
        return days
    for match in _EN_DAY.finditer(text):
        month = MONTHS.index(match[3]) + 1
        days += [(month, int(each)) for each in (match[1], match[2]) if each]
    return days


def _thirds(text: str, language: Language) -> list[tuple[int, int]]:
    if language == "ja":
        return [(int(match[1]), "上中下".index(match[2])) for match in _JA_THIRD.finditer(text)]
    parts = ("early ", "mid-", "late ")
    return [(MONTHS.index(match[2]) + 1, parts.index(match[1])) for match in _EN_THIRD.finditer(text)]


def regions_said(text: str, language: Language) -> list[str]:
    """Return the codes of the regions a text names, each once."""
    pattern, codes = _names(language)
    plain = text.replace("sensors in Japan", "sensors")
    return sorted({codes[match[0]] for match in pattern.finditer(plain)})


def _mentions(text: str, language: Language) -> Counter[str]:
    pattern, codes = _names(language)
    return Counter(codes[match[0]] for match in pattern.finditer(text))


@cache
def _names(language: Language) -> tuple[re.Pattern[str], dict[str, str]]:
    codes = {region_name(code, language): code for code in region_codes()}
    longest = sorted(codes, key=lambda name: (-len(name), name))
    alternatives = "|".join(map(re.escape, longest))
    return re.compile(alternatives if language == "ja" else rf"(?<!\w)(?:{alternatives})(?!\w)"), codes


def _places(claim: Mapping[str, Any], text: str, language: Language) -> Iterator[Said]:
    if claim["kind"] not in (*EVENTS, "period"):
        return
    expected = {"peak": claim["peak"], "end": claim["end"]}
    if claim["windows"]:
        expected["before"] = claim["windows"][0][1]
    for name, pattern in _PLACES[language]:
        for match in re.finditer(pattern, text):
            group = match.groupdict()
            month = int(group["m"]) if "m" in group else MONTHS.index(group["n"]) + 1
            day = expected.get(name)
            # A story's second rise has its own peak and end.
            if day is not None and _month_day(day) != (month, int(group["d"])):
                yield f"{name} {month}/{group['d']}", day
    days, onset = days_said(text, language), claim["onset"]
    if onset is not None and days and days[0] != _month_day(onset):
        yield f"onset {days[0][0]}/{days[0][1]}", onset
    lasting = claim["kind"] == "burst" and claim["end"] not in (None, onset) and len(days) > 1
    if lasting and days[1] != _month_day(claim["end"]):
        yield f"end {days[1][0]}/{days[1][1]}", claim["end"]
    if claim["kind"] == "period":
        yield from _parts_of_months(claim, text, language)


def _parts_of_months(claim: Mapping[str, Any], text: str, language: Language) -> Iterator[Said]:
    ends = [third_text(date.fromisoformat(day)) for day in (claim["onset"], claim["end"]) if day]
    wanted = list(dict.fromkeys(each[0 if language == "ja" else 1] for each in ends))
    found = [match[0] for match in (_JA_THIRD if language == "ja" else _EN_THIRD).finditer(text)]
    if found != wanted:
        yield ", ".join(found), ", ".join(wanted)


def _month_day(text: str) -> tuple[int, int]:
    day = date.fromisoformat(text)
    return day.month, day.day


def _direction(claim: Mapping[str, Any], text: str, language: Language) -> Iterator[Said]:
    """Compare 増 and 減 with what the claim's numbers say."""
    kind, numbers = claim["kind"], claim["numbers"]
    if kind == "rank" and numbers.get("rank", 1) > 1 and "previous_rank" in numbers:
        up = numbers["rank"] < numbers["previous_rank"]
    elif kind in ("burst", "shift", "gradual") and claim["section"] != "reassignments":
        factor = numbers.get("factor", claim["ratio"])
        if factor is None:
            return
        up = factor > 1
    elif kind in _RISES:
        up = True
    else:
        return
    wrong = _DOWN if up else _UP
    if re.search(wrong[language], text.replace("rises and falls", "")):
        yield "a fall" if up else "a rise", "a rise" if up else "a fall"


def _regions(claim: Mapping[str, Any], text: str, language: Language) -> Iterator[Said]:
    if claim["id"] in _ANY_REGIONS:
        return
    subject, said = claim["subject"]["region"], set(regions_said(text, language))
    required = {subject} - {None}
    words = claim["id"].upper().split("-")
    if claim["kind"] == "reassignment" and len(words) > 2:
        required |= set(words[1:3])
        yield from _order(words[1], words[2], text, language)
        yield from _gain(claim, words[2], text, language)
    elif claim["kind"] == "close" and subject is not None:
        required |= set(words[1:])
    rises = {name[:2] for name in claim["numbers"] if re.match(r"[A-Z]{2}_", name)}
    allowed = required | rises | ({"JP"} if claim["kind"] in _HOME else set())
    known = set(_names(language)[1].values())
    if said - allowed:
        yield ", ".join(sorted(said - allowed)), ", ".join(sorted(allowed)) or "no region"
    if (required | rises) & known - said:
        yield "no " + ", ".join(sorted((required | rises) & known - said)), "every region of the claim"


def _order(from_region: str, to_region: str, text: str, language: Language) -> Iterator[Said]:
    """Compare from where to where blocks went."""
    pattern = {
        "ja": r"(?P<f>.+?)に割り当てられていたIPアドレス帯.*?が(?P<t>.+?)に割り当てられ",
        "en": r"delegated to (?P<f>.+?) being delegated to (?P<t>.+?)[.;]",
    }[language]
    match = re.search(pattern, text)
    if match is None:
        return
    found = [regions_said(re.split("[、。]", part)[-1], language) for part in (match["f"], match["t"])]
    if found != [[from_region], [to_region]]:
        yield f"from {', '.join(found[0])} to {', '.join(found[1])}", f"from {from_region} to {to_region}"


def _gain(claim: Mapping[str, Any], region: str, text: str, language: Language) -> Iterator[Said]:
    """Compare the ratio that is said of the region that gains with the claim's."""
    name = re.escape(region_name(region, language))
    follows = {"ja": r"が(?:\d+日間平均で)?約([\d.,]+)倍", "en": r" to about ([\d.,]+) times"}[language]
    match = re.search(name + follows, text)
    if match and claim["ratio"] is not None and match[1] != times_text(claim["ratio"]):
        yield f"{region} {match[1]}", times_text(claim["ratio"])


def _rises(claim: Mapping[str, Any], text: str, language: Language) -> Iterator[Said]:
    """Compare what is said of each region with that region's own numbers."""
    numbers = claim["numbers"]
    for code in dict.fromkeys(name[:2] for name in numbers if re.match(r"[A-Z]{2}_", name)):
        name = region_name(code, language)
        follows = {"ja": r"が([^）]*）?)", "en": r" ([^);]*\)?)"}[language]
        match = re.search(rf"(?<![ァ-ヶー]){re.escape(name)}{follows}", text)
        if match is None:
            continue
        own = {_month_day(v) for k, v in numbers.items() if k.startswith(f"{code}_") and isinstance(v, str)}
        for day in days_said(match[1], language):
            if day not in own:
                yield f"{code} {day[0]}/{day[1]}", f"a day of {code}"
        times = re.search(r"約([\d.,]+)倍|about ([\d.,]+) times", match[1])
        ratio = numbers.get(f"{code}_ratio")
        if times and ratio is not None and (times[1] or times[2]) != times_text(ratio):
            yield f"{code} {times[1] or times[2]}", times_text(ratio)
