"""The proof-reader against someone who alters one thing of a right edition: each alteration is found."""

import copy
import re

import pytest

from tests.golden import layouts
from tests.unit.analysis.noted_quarter import analysis as noted_analysis
from tsubame.publish.opendata import build_data
from tsubame.report.document import build_document
from tsubame.report.figures import plan_figures
from tsubame.report.linter import lint_edition

pytestmark = pytest.mark.long
"""Some 1,500 readings of whole editions: ``make proofread``."""


@pytest.fixture(scope="module", params=["reassignment", "noted"])
def edition(request, context):
    """Two editions that between them say a sentence of most kinds."""
    analysis = layouts.analysis_2023q1() if request.param == "reassignment" else noted_analysis()
    plans = plan_figures(analysis)
    return build_document(analysis, context, plans), build_data(analysis, plans)


def altered(edition, change):
    document, files = copy.deepcopy(edition[0]), dict(edition[1])
    change(document, files)
    return [fault.place for fault in lint_edition(document, files)]


def texts(document):
    """Every place where words stand: the holder, the field, and a name."""
    for claim in document["claims"]:
        for language in ("ja", "en"):
            yield claim, f"text_{language}", claim["id"]
    for figure in document["figures"]:
        for field in ("title_ja", "title_en", "alt_ja", "alt_en"):
            yield figure, field, figure["id"]


def test_a_right_edition_passes(edition):
    assert altered(edition, lambda document, files: None) == []


def every_alteration(edition, pattern, replaced):
    """Alter each match of a pattern in each text, one at a time; return what was missed, and how many there were."""
    document, files = edition[0], {path: content for path, content in edition[1].items() if path.endswith(".csv")}
    missed, tried = [], 0
    for place, (holder, field, name) in enumerate(texts(document)):
        for match in re.finditer(pattern, holder[field]):
            new = replaced(match)
            if new is None or new == match[0]:
                continue
            tried += 1
            broken = copy.deepcopy(document)
            other = list(texts(broken))[place][0]
            other[field] = holder[field][: match.start()] + new + holder[field][match.end() :]
            if not list(lint_edition(broken, files)):
                missed.append(f"{name}/{field}: {match[0]} -> {new}")
    return missed, tried


def test_every_digit_of_every_number_counts(edition):
    missed, tried = every_alteration(edition, r"\d", lambda match: str((int(match[0]) + 1) % 10))
    assert tried > 100
    assert missed == []


@pytest.mark.parametrize(
    ("pattern", "step"),
    [(r"(?<=月)\d{1,2}(?=日)", 1), (r"(?<=月)\d{1,2}(?=日)", -1), (r"\d{1,2}(?= (?:January|February|March))", 1)],
)
def test_a_day_moved_by_one_is_found(edition, pattern, step):
    missed, tried = every_alteration(edition, pattern, lambda match: str(int(match[0]) + step))
    assert tried
    assert missed == []


@pytest.mark.parametrize(
    ("pattern", "swaps"),
    [
        (
            "米国|中国|オランダ|ロシア|英国",
            {"米国": "英国", "中国": "韓国", "オランダ": "英国", "ロシア": "米国", "英国": "オランダ"},
        ),
        (
            "United States|China|Netherlands|Russia|United Kingdom",
            {"United States": "China", "China": "Brazil", "Netherlands": "United Kingdom", "Russia": "Taiwan"},
        ),
        (r"telnet|redis|ssh|http\b", {"telnet": "ssh", "redis": "http", "ssh": "telnet", "http": "microsoft-ds"}),
        ("TCP", {"TCP": "UDP"}),
        (r"増加(?!の始まり)|増え|(?<!積み)上げ|上が", {"増加": "減少", "上げ": "下げ"}),
        (r"\brose\b|\bfell\b", {"rose": "fell", "fell": "rose"}),
        ("上旬|中旬|下旬", {"上旬": "中旬", "中旬": "下旬", "下旬": "上旬"}),
        (r"\b(?:early |mid-|late )", {"early ": "mid-", "mid-": "late ", "late ": "early "}),
    ],
)  # fmt: skip
def test_a_word_swapped_in_one_language_is_found(edition, pattern, swaps):
    missed, _ = every_alteration(edition, pattern, lambda match: swaps.get(match[0]))
    assert missed == []


@pytest.mark.parametrize("table", ["ports", "regions"])
def test_every_cell_of_the_tables_counts(edition, table):
    for place, row in enumerate(edition[0]["tables"][table]):
        for field, value in row.items():

            def change(document, files, place=place, field=field, value=value):
                wrong = [value[0], value[1] + 1] if isinstance(value, list) else None
                if isinstance(value, bool):
                    wrong = not value
                elif isinstance(value, int | float):
                    wrong = value + 1
                elif isinstance(value, str) or value is None:
                    wrong = "17"
                document["tables"][table][place][field] = wrong

            assert altered(edition, change), (place, field)


def test_a_file_that_says_another_number_is_found(edition):
    def change(document, files):
        files["tables/figure-2.csv"] = re.sub(rb",(\d)(\d+),", rb",9\2,", files["tables/figure-2.csv"], count=1)

    assert any(place.startswith("tables/figure-2") for place in altered(edition, change))

    def shorten(document, files):
        files["tables/figure-1.csv"] = files["tables/figure-1.csv"].rpartition(b"\r\n2023")[0] + b"\r\n"

    assert any(place.startswith("tables/figure-1") for place in altered(edition, shorten))
