"""An analyst's overlay: words may be withheld and added, numbers not; it outlives an edition."""

import dataclasses

import pytest

from tsubame.errors import BadInput
from tsubame.report.document import build_document, validate_document
from tsubame.report.figures import plan_figures
from tsubame.report.overlay import Overlay, Remark, Withheld, parse_overlay
from tsubame.report.pages import render_edition

TOML = """
[[withhold]]
claim = "growth-region-cn"
reason_ja = "センサーの移設の影響と考えられるため"
reason_en = "thought to come from a sensor that was moved"

[[remark]]
section = "ports"
author = "山田"
text_ja = "関連する注意喚起を公開しています。"
text_en = "An alert on this has been published."
"""


def test_both_kinds_are_read():
    overlay = parse_overlay(TOML.encode(), key="lake/overlays/2023Q1.toml")
    assert overlay.withheld[0].claim == "growth-region-cn"
    assert overlay.remarks == (
        Remark("ports", "山田", "関連する注意喚起を公開しています。", "An alert on this has been published."),
    )
    assert parse_overlay(b"", key="k") == Overlay()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[[withhold]\n", "no TOML"),
        ("\udc80".encode("utf-8", "surrogateescape"), "no TOML"),
        ("ratio = 2.0", "'ratio'"),
        ('[[claim]]\nid = "growth-region-cn"\nratio = 9.0', "numbers of the report cannot be edited"),
        ('[[withhold]]\nclaim = "a"', "[[withhold]] 1"),
        (TOML.replace('author = "山田"', 'author = " "'), "empty author"),
        (TOML.replace('author = "山田"', "author = 7"), "author is no text"),
        (TOML.replace('section = "ports"', 'section = "cover"'), "cover"),
        (TOML + TOML, "withheld twice"),
        ("withhold = 3", "[[withhold]] 1"),
    ],
)
def test_anything_else_is_refused_in_one_line(content, words):
    with pytest.raises(BadInput) as caught:
        parse_overlay(content if isinstance(content, bytes) else content.encode(), key="lake/overlays/2023Q1.toml")
    text = str(caught.value)
    assert words in text
    assert "lake/overlays/2023Q1.toml" in text
    assert "\n" not in text


@pytest.fixture(scope="module")
def plans(analysis):
    return plan_figures(analysis)


def test_a_withheld_claim_is_not_printed_and_said_to_be_withheld(analysis, context, plans):
    plain = build_document(analysis, context, plans)
    claim = plain["claims"][0]
    overlay = Overlay((Withheld(claim["id"], "理由はこれです", "the reason is this"),))
    document = build_document(analysis, dataclasses.replace(context, overlay=overlay), plans)
    validate_document(document)
    assert document["claims"] == plain["claims"][1:]
    assert document["tables"] == plain["tables"]
    said = {
        "claim": claim["id"],
        "kind": claim["kind"],
        "reason_ja": "理由はこれです",
        "reason_en": "the reason is this",
    }
    assert document["overlay"]["withheld"] == [said]
    page = render_edition(document).decode()
    assert claim["text_ja"] not in page
    assert "理由はこれです" in page
    assert "the reason is this" in page


def test_a_remark_stands_under_its_authors_name(analysis, context, plans):
    for section in ("ports", "regions", "basis"):
        overlay = Overlay((), (Remark(section, "山田", "独自の<所見>です。", "A view of our own."),))
        document = build_document(analysis, dataclasses.replace(context, overlay=overlay), plans)
        validate_document(document)
        page = render_edition(document).decode()
        assert "独自の&lt;所見&gt;です。（分析者注：山田）" in page
        assert "A view of our own. (Analyst&#39;s remark: 山田)" in page


def test_it_fits_an_edition_that_no_longer_states_the_claim(analysis, context, plans):
    overlay = Overlay((Withheld("growth-region-zz", "古い", "old"),))
    document = build_document(analysis, dataclasses.replace(context, overlay=overlay), plans)
    validate_document(document)
    assert document["claims"] == build_document(analysis, context, plans)["claims"]
    assert document["overlay"]["unused"] == [{"claim": "growth-region-zz", "reason_ja": "古い", "reason_en": "old"}]
