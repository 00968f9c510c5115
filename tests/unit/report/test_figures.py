import dataclasses
import re
import struct
import xml.etree.ElementTree as ElementTree

import pytest

from tsubame.analysis.results import DailySeries
from tsubame.periods import Quarter
from tsubame.report.figures import draw_figures, plan_figures


@pytest.fixture(scope="module")
def drawn(analysis):
    return draw_figures(analysis, plan_figures(analysis)[1:3])


def test_the_figures_are_planned_and_numbered(analysis):
    plans = plan_figures(analysis)
    assert [(plan.number, plan.id) for plan in plans] == [
        (1, "figure-1"),
        (2, "figure-2"),
        (3, "reassignment-gb-nl-20230121"),
        (4, "coverage"),
    ]
    assert plans[0].title_ja == "2023年1〜3月の宛先ポート番号別パケット観測数トップ5の推移"
    assert "23/TCP (telnet)" in plans[0].alt_en
    assert all(plan.alt_ja and plan.alt_en for plan in plans)


def test_every_planned_file_is_drawn(analysis, drawn):
    assert set(drawn) == {path for plan in plan_figures(analysis)[1:3] for path in plan.files}


def test_pictures_are_what_their_names_say_and_light(drawn):
    for path, content in drawn.items():
        if path.endswith(".png"):
            width, height = struct.unpack(">II", content[16:24])
            assert content.startswith(b"\x89PNG")
            assert width >= 1200
            assert height >= 480
            assert len(content) < 300_000
        else:
            assert ElementTree.fromstring(content).tag.endswith("svg")
            assert len(content) < 150_000


def test_svg_has_no_text_that_needs_a_font_and_asks_no_host(drawn):
    for path, content in drawn.items():
        if path.endswith(".svg"):
            assert b"<text" not in content
            assert not re.search(rb'(?:href|src)="(?!#)', content)


def test_japanese_is_drawn_with_glyphs_not_boxes(drawn):
    svg = drawn["figures/figure-2.ja.svg"].decode()
    assert "IPAexGothic" in svg
    for label in ("米国", "中国", "オランダ", "観測なし"):
        assert f"<!-- {label} -->" in svg


def test_the_axis_says_what_is_counted_and_gaps_and_moves_are_marked(drawn):
    ja, en = (drawn[f"figures/figure-2.{language}.svg"].decode() for language in ("ja", "en"))
    assert "<!-- パケット数（センサー1台・1日あたりの平均） -->" in ja
    assert "<!-- packets per sensor and day (mean) -->" in en
    assert "1月21日 英国→オランダ 割り当て変更" in ja
    assert "<!-- no data -->" in en


def test_same_analysis_same_bytes_no_date_and_the_global_style_left_alone(analysis, drawn):
    import matplotlib

    before = dict(matplotlib.rcParams)
    again = draw_figures(analysis, plan_figures(analysis)[1:2])
    assert dict(matplotlib.rcParams) == before
    for path, content in again.items():
        assert content == drawn[path]
        assert b"<dc:date" not in content
        assert b"matplotlib" not in content.lower() or path.endswith(".svg")
    assert b"Software" not in drawn["figures/figure-2.ja.png"]


def test_figures_are_drawn_of_very_little(layouts):
    quarter = Quarter(2024, 2)
    empty = layouts.make_analysis(quarter, [], [])
    empty = dataclasses.replace(empty, sensors=dataclasses.replace(empty.sensors, coverage={}))
    assert len(draw_figures(empty, plan_figures(empty)[:1])) == 4

    one = layouts.make_analysis(quarter, [(1, None, None)], [("US", None)], previous=False)
    silent = DailySeries(one.days, (None,) * len(one.days), (None,) * len(one.days))
    single = DailySeries(one.days, (*silent.packets[1:], 7), (*silent.per_sensor[1:], 0.35))
    one = dataclasses.replace(one, port_series={(1, None): silent}, region_series={"US": single})
    assert len(draw_figures(one, plan_figures(one)[:2])) == 8
