"""A quarter with a noted port, from its analysis to page, print, data and the proof-reader."""

import copy
import io

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.unit.analysis.noted_quarter import analysis as noted_analysis
from tsubame.errors import Rejected
from tsubame.publish.opendata import build_data
from tsubame.report.document import build_document, validate_document
from tsubame.report.figures import draw_figures, plan_figures
from tsubame.report.linter import lint_edition, refuse_faults
from tsubame.report.numbering import figure_numbers
from tsubame.report.pages import edition_parts, render_edition
from tsubame.report.printed import printed_view


@pytest.fixture(scope="module")
def plans():
    return plan_figures(noted_analysis())


@pytest.fixture(scope="module")
def document(context, plans):
    made = build_document(noted_analysis(), context, plans)
    validate_document(made)
    return made


@pytest.fixture(scope="module")
def data(plans):
    return build_data(noted_analysis(), plans)


def test_figures_are_numbered_as_planned(plans):
    assert {plan.id: plan.number for plan in plans} == figure_numbers(noted_analysis())
    assert [plan.kind for plan in plans if plan.noted] == ["focus", "companion", "regions", "tools", "sources"]


def test_the_chapter_stands_between_overview_and_basis(document):
    page = render_edition(document).decode()
    places = [page.index(f'id="ja-{name}"') for name in ("overview", "noted", "noted-37215-tcp", "basis")]
    assert places == sorted(places)
    for figure in document["figures"]:
        assert f'id="ja-{figure["id"]}"' in page
    assert "2.1. さまざまな地域を送信元とする37215/TCP宛のパケットの推移について" in page
    assert "CVE-2017-17215" in page
    assert "https://www.cyber.nj.gov/threat-profiles/botnet-variants/satori" in page


def test_what_a_story_tells_is_not_told_again(document):
    page = render_edition(document).decode()
    for claim in document["claims"]:
        rest = claim["text_ja"].split("のパケットは", 1)[-1].lstrip("、")
        if claim["told_in"] is None:
            assert rest in page, claim["id"]
        else:
            assert claim["text_ja"] not in page, claim["id"]


def test_print_has_the_same_chapter(document):
    sections = edition_parts(document, "ja")["noted"]
    blocks = printed_view(document, "ja")["blocks"]
    texts = [block.get("text") for block in blocks]
    files = [block.get("file") for block in blocks]
    for section in sections:
        assert section["title"] in texts
        for kind, content in section["blocks"]:
            if kind == "text":
                assert content in texts
            else:
                assert f"figures/{content['id']}.ja.svg" in files


def test_the_data_behind_each_figure_add_up(document, data, tmp_path):
    def ask(name, sql):
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(data[f"data/{name}.parquet"])
        return duckdb.sql(sql.format(f"'{path}'")).fetchall()

    total = ask("figure-1", "select sum(packets) from {} where port = 37215")[0][0]
    assert ask("noted-37215-tcp-tools", "select sum(packets) from {}")[0][0] == total
    focus = ask("noted-37215-tcp-focus", "select sum(packets) from {}")[0][0]
    assert focus == sum(noted_analysis().noted[0].focus.series.packets)
    assert ask("noted-37215-tcp-regions", "select distinct region, name_ja from {}") == [("BR", "ブラジル")]
    assert ask("noted-37215-tcp-companion", "select distinct port, region from {}") == [(23, "JP")]
    sources = ask("noted-37215-tcp-sources", "select sum(new_sources), max(sources) from {}")[0]
    claim = next(claim for claim in document["claims"] if claim["kind"] == "sources")
    assert sources == (claim["numbers"]["sources"], claim["numbers"]["most_on_a_day"])
    for plan in document["figures"]:
        assert pq.read_schema(io.BytesIO(data[plan["data"]])).metadata


def test_the_pictures_say_what_they_show(plans):
    drawn = draw_figures(noted_analysis(), [plan for plan in plans if plan.kind in ("focus", "regions")])
    ja, en = (drawn[f"figures/noted-37215-tcp-focus.{language}.svg"].decode() for language in ("ja", "en"))
    assert "<!-- Mirai型 -->" in ja
    assert "<!-- 2月10日 -->" in ja
    assert "<!-- Mirai type -->" in en
    assert "<!-- ブラジル -->" in drawn["figures/noted-37215-tcp-regions.ja.svg"].decode()


def test_a_right_edition_passes_the_proof_reader(document, data):
    assert list(lint_edition(document, data)) == []


def _claim(document, kind):
    found = [claim for claim in document["claims"] if claim["kind"] == kind]
    # Of events, one of JP's: they come last in the report.
    return next((claim for claim in found if claim["subject"]["region"] == "JP"), found[0])


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        ("burst", "2月25日", "2月10日"),
        ("overlap", "31アドレス", "30アドレス"),
        ("superposition", "約99%", None),
        ("no_correlation", "［図9］", "［図4］"),
        ("period", "3月上旬頃", "2月上旬頃"),
        ("sources", "1,234件", None),
        ("sensors", "37215/TCP（huawei）", "37215/TCP"),
    ],
)
def test_a_wrong_number_day_label_or_figure_is_found(document, data, kind, wrong, right):
    broken = copy.deepcopy(document)
    claim = _claim(broken, kind)
    if right is None:
        claim["text_ja"] += wrong
        claim["numbers"] = {name: n for name, n in claim["numbers"].items() if name not in ("share",)}
    else:
        assert right in claim["text_ja"]
        claim["text_ja"] = claim["text_ja"].replace(right, wrong)
    faults = list(lint_edition(broken, data))
    assert faults
    with pytest.raises(Rejected, match="words and data differ") as refused:
        refuse_faults(broken, data)
    assert "\n" not in str(refused.value)
    assert len(refused.value.verdict) == len(faults)


def test_a_wrong_ratio_label_or_table_is_found(document, data):
    broken = copy.deepcopy(document)
    burst = _claim(broken, "burst")
    burst["ratio"] *= 1.5
    broken["tables"]["ports"][0]["label"] = "23/TCP（ssh）"
    broken["tables"]["ports"][1]["packets"] += 1
    broken["tables"]["regions"][0]["name_ja"] = "アメリカ"
    broken["figures"][0]["number"] = 7
    places = {fault.place.partition("/")[0] for fault in lint_edition(broken, data)}
    assert places >= {"claims", "label of 6", "tables", "figures"}
    assert any(fault.place.startswith("name of") for fault in lint_edition(broken, data))
    without = {name: content for name, content in data.items() if name != "tables/ports.csv"}
    assert any(fault.found == "no file" for fault in lint_edition(document, without))
