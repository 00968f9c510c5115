"""The edition's own proof-reader: every number and label in its words equals the data behind it.

Words are made from numbers, so a fault means that code, not a person, went wrong; the edition is then refused.
What is checked, in Japanese and English: in claims every day, ratio, share, count and figure's number; in captions
and alternative texts every number; every port's label against IANA's registry and every region's name; tables
against their CSV, and the first table against the series of the first figure.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from tsubame.errors import Rejected
from tsubame.periods import Quarter
from tsubame.report.event_text import third_text
from tsubame.report.names import LANGUAGES, PROTOCOLS, port_label, region_codes, region_name, service_name
from tsubame.report.narrative import MONTHS, quarter_title, times_text
from tsubame.report.numbering import PORTS_FIGURE, REGIONS_FIGURE
from tsubame.report.second_reading import compare_languages, read_again, regions_said
from tsubame.report.tables import rounded

_NUMBERS = {name: number for number, name in PROTOCOLS.items()}
# Kana and kanji are word characters, too: a number that follows them begins all the same.
_LABEL = re.compile(r"(?<![0-9A-Za-z/])(\d{1,5})/(TCP|UDP|SCTP|DCCP)(?:（([^（）]+)）| \(([^()]+)\))?")
_JA_DAY = re.compile(r"(?:(\d{4})年)?(\d{1,2})月(\d{1,2})日(?:から(\d{1,2})日)?")
_EN_DAY = re.compile(rf"(\d{{1,2}})(?:–(\d{{1,2}}))? ({'|'.join(MONTHS)})(?: (\d{{4}}))?")
_QUARTER = re.compile(r"\d{4}年\d+〜\d+月")
_THIRD = re.compile(r"\d{1,2}月[上中下]旬頃")
_FIGURE = re.compile(r"［図(\d+)］|Figure (\d+)")
_NUMBER = re.compile(r"(?<![0-9A-Za-z.,])\d[\d,]*(?:\.\d+)?")
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
_WORDS_WITH_NUMBERS = re.compile(
    r"95%信頼区間|95% interval|TOP\d+外|outside the top \d+|1センサー・1日|1日あたり|1台あたり|\d+月"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where words and data differ."""

    place: str
    found: str
    expected: str


def refuse_faults(document: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Refuse an edition whose words and data differ.

    Args:
        document: the content of ``report.json``.
        files: the edition's files; its CSV tables are read.

    Raises:
        Rejected: names the first place; ``verdict`` lists all.
    """
    faults = list(lint_edition(document, files))
    if faults:
        first = faults[0]
        raise Rejected(
            f"report's words and data differ in {first.place}",
            key=str(document["quarter"]),
            expected=first.expected,
            actual=first.found,
            hint="Nothing was published; the sentence's template or its claim is wrong.",
            verdict=[{"place": item.place, "found": item.found, "expected": item.expected} for item in faults],
        )


def lint_edition(document: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[Fault]:
    """Yield every place where words and data differ."""
    yield from _lint_labels(document)
    yield from _lint_tables(document, files)
    yield from _lint_figures(document)
    numbers = {figure["id"]: figure["number"] for figure in document["figures"]}
    moved = _rendered(_numbers_in([document.get(name) for name in ("reassignments", "moves", "region_steps")]))
    for claim in document["claims"]:
        for language in LANGUAGES:
            yield from _lint_claim(claim, language, numbers, moved)
        for language, (found, expected) in read_again(claim):
            yield Fault(f"claims/{claim['id']}/text_{language}", found, expected)
        for found, expected in (*_compare_ports(claim["text_ja"], claim["text_en"]), *_compare_numbers(claim)):
            yield Fault(f"claims/{claim['id']}/text_en", found, expected)
    yield from _lint_captions(document, files)
    yield from _lint_copies(files)


def _lint_claim(
    claim: Mapping[str, Any], language: str, figures: Mapping[str, int], moved: frozenset[str]
) -> Iterator[Fault]:
    place, text = f"claims/{claim['id']}/text_{language}", _LABEL.sub(" ", str(claim[f"text_{language}"]))
    days = _days_of(claim)
    for said in _FIGURE.finditer(text):
        number = int(said[1] or said[2])
        if number not in figures.values() or (claim["figure"] is None and number not in claim["numbers"].values()):
            yield Fault(place, said[0], f"a figure of {sorted(figures.values())}")
    text = _FIGURE.sub(" ", text)
    thirds = {third_text(day)[0] for day in days}
    for third in _THIRD.findall(text):
        if third not in thirds:
            yield Fault(place, third, " or ".join(sorted(thirds)))
    lenient = claim["section"] == "reassignments"
    for day in _days_in(text, language):
        if day not in {(known.month, known.day) for known in days}:
            yield Fault(place, f"{day[0]}/{day[1]}", ", ".join(sorted(known.isoformat() for known in days)))
    allowed = _allowed(claim) | (moved if lenient else frozenset())
    for plain in _plain_numbers(text):
        if plain not in allowed:
            yield Fault(place, plain, "a number of the claim, rounded as its kind is")


def _plain_numbers(text: str) -> list[str]:
    """Return the numbers of a text that are no day, label, reference or name."""
    for pattern in (_CVE, _THIRD, _JA_DAY, _EN_DAY, _WORDS_WITH_NUMBERS):
        text = pattern.sub(" ", text)
    return [number.rstrip(",") for number in _NUMBER.findall(re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", " ", text))]


def _allowed(claim: Mapping[str, Any]) -> frozenset[str]:
    """Return every text that a number of the claim may have in its sentence."""
    allowed = set(_rendered(value for value in claim["numbers"].values() if not isinstance(value, str)))
    if claim["ratio"] is not None:
        allowed.add(times_text(claim["ratio"]))
    for first, last in claim["windows"]:
        allowed.add(str((date.fromisoformat(last) - date.fromisoformat(first)).days + 1))
    return frozenset(allowed)


def _rendered(values: Iterable[float]) -> frozenset[str]:
    """Return counts with separators, ratios as the report rounds them, and shares as percentages."""
    texts: set[str] = set()
    for value in values:
        if isinstance(value, int):
            texts |= {str(value), f"{value:,}"}
        else:
            texts |= {times_text(abs(value)), str(round(100 * value)), f"{value:.2f}", f"{100 * value:.1f}"}
    return frozenset(texts)


def _numbers_in(value: Any) -> Iterator[float]:
    """Yield every number of nested data, the lengths of its lists, and sums of addresses."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _numbers_in(each)
        windows = value.get("windows") or ()
        for window in windows:
            if isinstance(window, list | tuple) and len(window) == 2:
                yield (date.fromisoformat(window[1]) - date.fromisoformat(window[0])).days + 1
    elif isinstance(value, list | tuple):
        yield len(value)
        yield sum(each["addresses"] for each in value if isinstance(each, Mapping) and "addresses" in each)
        for each in value:
            yield from _numbers_in(each)


def _days_of(claim: Mapping[str, Any]) -> set[date]:
    texts = [claim[name] for name in ("onset", "peak", "end") if claim[name] is not None]
    texts += [end for window in claim["windows"] for end in window]
    texts += [value for value in claim["numbers"].values() if isinstance(value, str)]
    return {date.fromisoformat(text) for text in texts}


def _days_in(text: str, language: str) -> Iterator[tuple[int, int]]:
    """Yield month and day of every day that a text names."""
    if language == "ja":
        for said in _JA_DAY.finditer(text):
            yield int(said[2]), int(said[3])
            if said[4]:
                yield int(said[2]), int(said[4])
        return
    for said in _EN_DAY.finditer(text):
        month = MONTHS.index(said[3]) + 1
        yield month, int(said[1])
        if said[2]:
            yield month, int(said[2])


def _lint_labels(document: Mapping[str, Any]) -> Iterator[Fault]:
    for row in (*document["tables"]["ports"], *document["noted"]):
        key, place = (row["protocol"], row["port"]), f"label of {row['protocol']}/{row['port']}"
        for field, language in (("label", "ja"), ("label_en", "en")):
            expected = port_label(*key, "ja" if language == "ja" else "en")
            if row[field] != expected:
                yield Fault(place, row[field], expected)
        if "service" in row and row["service"] != service_name(*key):
            yield Fault(place, str(row["service"]), str(service_name(*key)))
    for row in document["tables"]["regions"]:
        for language in LANGUAGES:
            expected = region_name(row["region"], language)
            if row[f"name_{language}"] != expected:
                yield Fault(f"name of {row['region']}", row[f"name_{language}"], expected)
    for place, language, text in _texts(document):
        for said in _LABEL.finditer(text):
            expected = port_label(_NUMBERS[said[2]], int(said[1]), "ja" if language == "ja" else "en")
            if said[0] != expected:
                yield Fault(place, said[0], expected)


def _texts(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield place, language and text of every sentence, caption and alternative text."""
    for language in LANGUAGES:
        for claim in document["claims"]:
            yield f"claims/{claim['id']}", language, claim[f"text_{language}"]
        for figure in document["figures"]:
            yield f"figures/{figure['id']}", language, figure[f"title_{language}"]
            yield f"figures/{figure['id']}", language, figure[f"alt_{language}"]
        for noted in document["noted"]:
            yield f"noted/{noted['id']}", language, noted[f"title_{language}"]
            if noted["context"]:
                yield f"noted/{noted['id']}/context", language, noted["context"][f"text_{language}"]


def _lint_figures(document: Mapping[str, Any]) -> Iterator[Fault]:
    numbers = [figure["number"] for figure in document["figures"]]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Fault("figures", str(numbers), "1, 2, 3 … in the order of the report")
    tables, quarter = document["tables"], str(document["quarter"])
    known = _rendered([int(quarter[:4]), len(tables["ports"]), len(tables["regions"]), 1])
    days = {day for claim in document["claims"] for day in _days_of(claim)}
    near = {(day.month, day.day) for day in days}
    for figure in document["figures"]:
        for language in LANGUAGES:
            for field in (f"title_{language}", f"alt_{language}"):
                text = _LABEL.sub(" ", figure[field])
                for day in _days_in(text, language):
                    if day not in near:
                        yield Fault(f"figures/{figure['id']}/{field}", f"{day[0]}/{day[1]}", "a day of a claim")
                rows = {PORTS_FIGURE: tables["ports"], REGIONS_FIGURE: tables["regions"]}.get(figure["id"])
                for top in re.findall(r"(?:トップ|top )(\d+)", text):
                    if rows is not None and top != str(len(rows)):
                        yield Fault(f"figures/{figure['id']}/{field}", top, str(len(rows)))
                for title in _QUARTER.findall(text):
                    if title != quarter_title(Quarter.parse(quarter), "ja"):
                        yield Fault(f"figures/{figure['id']}/{field}", title, quarter)
                for number in _plain_numbers(_QUARTER.sub(" ", text)):
                    if number not in known:
                        yield Fault(f"figures/{figure['id']}/{field}", number, "the quarter, or rows of a table")


def _lint_tables(document: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[Fault]:
    for name in ("ports", "regions"):
        content = files.get(f"tables/{name}.csv")
        if content is None:
            yield Fault(f"tables/{name}.csv", "no file", "the rows of the table")
            continue
        rows = _read_csv(content)
        shown = document["tables"][name]
        if len(rows) != len(shown):
            yield Fault(f"tables/{name}.csv", f"{len(rows)} rows", f"{len(shown)} rows")
        for row, plain in zip(shown, rows, strict=False):
            shared = {**row, **_as_csv(row)}
            if list(map(str, shared["rank_interval"])) != [plain["rank_low"], plain["rank_high"]]:
                yield Fault(f"tables/{name}/{row['rank']}/rank_interval", str(row["rank_interval"]), plain["rank_low"])
            expected_en = _english_rank(plain["previous_label"])
            if row["previous_label_en"] != expected_en:
                yield Fault(f"tables/{name}/{row['rank']}/previous_label_en", row["previous_label_en"], expected_en)
            for field in plain.keys() & shared.keys():
                same = (
                    rounded(float(plain[field])) == shared[field]
                    if field == "per_sensor_day"
                    else plain[field] == str(shared[field])
                )
                if not same:
                    yield Fault(f"tables/{name}/{row['rank']}/{field}", str(shared[field]), plain[field])
    yield from _lint_sums(document, files)


def _as_csv(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the values that a CSV file writes in another way: nothing, and yes or no."""
    return {
        name: "" if value is None else str(value).lower()
        for name, value in row.items()
        if value is None or isinstance(value, bool)
    }


def _english_rank(label: str) -> str:
    beyond = re.fullmatch(r"TOP(\d+)外", label)
    return f"outside top {beyond[1]}" if beyond else "–" if label == "－" else label


def _lint_captions(document: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[Fault]:
    """Compare the ports and regions of captions and alternative texts in both languages, and with the figure's data."""
    for figure in document["figures"]:
        place, content = f"figures/{figure['id']}", files.get(figure["csv"])
        for field in ("title", "alt"):
            ja, en = figure[f"{field}_ja"], figure[f"{field}_en"]
            for found, expected in (*compare_languages(ja, en), *_compare_ports(ja, en)):
                yield Fault(f"{place}/{field}_en", found, expected)
        rows = [] if content is None else _read_csv(content)
        drawn = {row["region"] for row in rows if row.get("region")} & set(region_codes())
        said = set(regions_said(figure["alt_ja"], "ja"))
        if drawn and said and said != drawn:
            yield Fault(f"{place}/alt_ja", ", ".join(sorted(said)), ", ".join(sorted(drawn)))


def _compare_ports(ja: str, en: str) -> Iterator[tuple[str, str]]:
    said = [sorted({match[0].split("（")[0].split(" (")[0] for match in _LABEL.finditer(text)}) for text in (ja, en)]
    if said[0] != said[1]:
        yield ", ".join(said[1]), ", ".join(said[0])


def _compare_numbers(claim: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Compare the numbers of a claim's sentences; one language may name a number twice that the other names once."""
    said = [
        sorted({each.replace(",", "") for each in _plain_numbers(_LABEL.sub(" ", _FIGURE.sub(" ", str(claim[name]))))})
        for name in ("text_ja", "text_en")
    ]
    if said[0] != said[1]:
        yield ", ".join(said[1]), ", ".join(said[0])
    figures = [[each[0] or each[1] for each in _FIGURE.findall(str(claim[name]))] for name in ("text_ja", "text_en")]
    if sorted(figures[0]) != sorted(figures[1]):
        yield ", ".join(figures[1]), ", ".join(figures[0])


def _lint_copies(files: Mapping[str, bytes]) -> Iterator[Fault]:
    """Compare every CSV file with the Parquet file of the same name: rows, columns and sums."""
    import pyarrow.parquet as pq

    for path in sorted(files):
        name = path.removeprefix("tables/").removesuffix(".csv")
        if path != f"tables/{name}.csv" or (twin := files.get(f"data/{name}.parquet")) is None:
            continue
        rows, table = _read_csv(files[path]), pq.read_table(io.BytesIO(twin))
        if len(rows) != table.num_rows:
            yield Fault(path, f"{len(rows)} rows", f"{table.num_rows} rows")
        for column in ("packets", "packets_pinned", "sources", "addresses"):
            if rows and column in rows[0] and column in table.column_names:
                total, other = sum(int(row[column] or 0) for row in rows), sum(filter(None, table[column].to_pylist()))
                if total != other:
                    yield Fault(f"{path}/{column}", str(total), str(other))


def _lint_sums(document: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[Fault]:
    """Compare each port's packets with the sum of its series in the first figure."""
    content = files.get("tables/figure-1.csv")
    if content is None:
        return
    sums: dict[str, int] = {}
    for row in _read_csv(content):
        sums[row["label"]] = sums.get(row["label"], 0) + int(row["packets"] or 0)
    for row in document["tables"]["ports"]:
        if row["label"] in sums and sums[row["label"]] != row["packets"]:
            yield Fault(f"tables/ports/{row['rank']}/packets", str(row["packets"]), str(sums[row["label"]]))


def _read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
