"""The regions page says what the document says, in both languages, and leads to files that an edition has."""

import dataclasses
import html
from datetime import date

import pytest

from tests.unit.report.test_pages import Reader
from tsubame.analysis import results
from tsubame.analysis.results import DailySeries, Event, Evidence, ReassignmentSeries, RegionEffect, RegionStep
from tsubame.publish.opendata import build_tables
from tsubame.report.document import build_document, validate_document
from tsubame.report.figures import draw_figures, plan_figures
from tsubame.report.region_page import render_regions
from tsubame.report.region_plans import plan_blocks
from tsubame.report.region_words import CONDITIONS, VERDICTS, WORDS
from tsubame.schemas import enforce


@pytest.fixture
def analysis(layouts):
    plain = layouts.analysis_2023q1()
    (item,) = plain.reassignments
    onset = Event(
        "shift", date(2023, 1, 21), (date(2023, 1, 20), date(2023, 1, 22)), None, None, 8.0, (7, 9), 99.0, None
    )
    blocks = tuple(
        DailySeries(plain.days, tuple(10 * n + 10 for _ in plain.days), tuple(n + 1.0 for _ in plain.days))
        for n in range(len(item.blocks))
    )
    regions = (item.from_region, item.to_region)
    series = ReassignmentSeries(
        plain.days,
        {region: plain.region_series[region] for region in regions},
        {region: plain.region_series_pinned[region] for region in regions},
        blocks,
    )
    item = dataclasses.replace(item, series=series, evidence=Evidence(True, True, True, (), onset))
    minor = dataclasses.replace(item, verdict=results.NO_SHIFT, date=date(2023, 3, 1), series=None, evidence=None)
    return dataclasses.replace(
        plain,
        reassignments=(item,),
        minor_reassignments=(minor,),
        region_steps=(
            RegionStep("NL", onset, None, results.EXPLAINED, (("GB", "NL", item.date),), 6, 0.99),
            RegionStep("CN", onset, onset, results.NOT_EXPLAINED),
        ),
        region_effects=(RegionEffect("GB", (-5,) * 90), RegionEffect("NL", (5,) * 90)),
    )


@pytest.fixture
def document(analysis, context):
    plans = (*plan_figures(analysis), *plan_blocks(analysis))
    made = build_document(analysis, context, plans)
    validate_document(made)
    return made


def test_the_page_says_what_the_document_says(document):
    page = render_regions(document).decode()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    text = " ".join(reader.texts)
    (item,) = document["reassignments"]
    for block in item["blocks"]:
        assert text.count(block["cidr"]) >= 2
    assert VERDICTS["ja"][results.EXPLAINED] in text
    assert VERDICTS["en"][results.NOT_EXPLAINED] in text
    for language in ("ja", "en"):
        assert all(sentence in text for sentence in CONDITIONS[language].values())
        (claim,) = [claim for claim in document["claims"] if claim["id"] == "reassignment-gb-nl-20230121"]
        assert claim[f"text_{language}"] in text
    assert "<script" not in page
    assert "http:" not in page
    assert "https:" not in page
    assert {picture["src"] for picture in reader.pictures} == {
        f"figures/blocks-gb-nl-20230121.{language}.svg" for language in ("ja", "en")
    }
    assert all(picture["alt"] for picture in reader.pictures)


def test_every_link_leads_to_a_table_with_its_dictionary(analysis, document):
    reader = Reader()
    reader.feed(render_regions(document).decode())
    plans = (*plan_figures(analysis), *plan_blocks(analysis))
    tables = build_tables(analysis, plans)
    for link in reader.links:
        if link.startswith("data/"):
            assert link.removeprefix("data/").removesuffix(".parquet") in tables, link
    for name in ("reassignments", "region-effects", "region-steps", "blocks-gb-nl-20230121"):
        schema, table = tables[name]
        assert enforce(table, schema).num_rows > 0
    effects = tables["region-effects"][1].to_pylist()
    assert sum(row["gained"] for row in effects) == 0
    lines = tables["blocks-gb-nl-20230121"][1].to_pylist()
    assert {row["line"] for row in lines} == {"observed", "pinned", "block"}
    assert len(lines) == 90 * (4 + len(document["reassignments"][0]["blocks"]))


def test_a_quarter_without_moves_says_so(layouts, context):
    analysis = dataclasses.replace(layouts.analysis_2023q1(reassignments=()))
    document = build_document(analysis, context, plan_figures(analysis))
    page = html.unescape(render_regions(document).decode())
    assert WORDS["ja"]["summary_none"] in page
    assert WORDS["en"]["no_effects"] in page
    assert WORDS["ja"]["no_steps"] in page


def test_figures_are_drawn_in_both_languages(analysis):
    plans = plan_blocks(analysis)
    assert [plan.id for plan in plans] == ["blocks-gb-nl-20230121"]
    drawn = draw_figures(analysis, plans)
    assert set(drawn) == set(plans[0].files)
    assert drawn["figures/blocks-gb-nl-20230121.ja.svg"] != drawn["figures/blocks-gb-nl-20230121.en.svg"]
    assert drawn["figures/blocks-gb-nl-20230121.ja.png"].startswith(b"\x89PNG")


def test_both_languages_have_the_same_words():
    for words in (WORDS, VERDICTS, CONDITIONS):
        assert set(words["ja"]) == set(words["en"])
    assert set(VERDICTS["ja"]) == set(results.VERDICTS)
