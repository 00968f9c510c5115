"""What the editions of two scenarios state, from packets alone, against what was put in."""

import os
from datetime import date
from pathlib import Path

import pytest

from tests.golden.simulated import true_series
from tests.golden.test_editions_text import as_text
from tsubame.periods import days_between
from tsubame.publish.opendata import build_data
from tsubame.report.claims import derive_claims
from tsubame.report.document import build_document, validate_document
from tsubame.report.figures import plan_figures
from tsubame.report.linter import lint_edition

FOLDER = Path(__file__).parent / "scenarios"
EVENTS = ("gradual", "shift", "burst", "spike_and_decay")


@pytest.fixture(scope="session")
def claims(simulated_2023q1):
    return derive_claims(simulated_2023q1.analysis)


def of(claims, kind, **subject):
    return [
        claim
        for claim in claims
        if claim.kind == kind and all(getattr(claim.subject, name) == value for name, value in subject.items())
    ]


def near(found, expected, days=1):
    return abs((found - date.fromisoformat(expected)).days) <= days


def test_the_tables_and_previous_ranks(simulated_2023q1):
    analysis = simulated_2023q1.analysis
    assert [(r.port, r.previous_rank) for r in analysis.ports[:5]] == [(23, 1), (6379, 2), (37215, 7), (22, 4), (80, 5)]
    regions = [(r.region, r.previous_rank) for r in analysis.regions[:5]]
    assert [region for region, _ in regions] == ["US", "CN", "NL", "RU", "GB"]
    assert [rank for _, rank in regions][:2] == [1, 4]
    assert regions[2][1] > 5
    assert [rank for _, rank in regions][3:] == [2, 3]


def test_china_grew_by_half(claims):
    (china,) = [claim for claim in of(claims, "gradual", region="CN") if claim.subject.port is None]
    assert china.ratio == pytest.approx(1.5, abs=0.08)
    assert "約1.5倍" in china.text_ja


def test_the_step_from_gb_to_nl_is_explained(simulated_2023q1, claims):
    (moved,) = [c for c in of(claims, "reassignment", region="NL") if c.ratio and c.ratio > 2]
    assert moved.onset == date(2023, 1, 21)
    assert moved.end <= date(2023, 1, 23)
    assert moved.ratio == pytest.approx(8, abs=0.8)
    assert "影響と考えられます" in moved.text_ja
    assert simulated_2023q1.analysis.reassignments[0].pinned.value == pytest.approx(1, abs=0.1)


def test_37215_rose_twice_and_came_from_japan_too(claims):
    (story,) = of(claims, "story", port=37215, region=None)
    assert near(story.numbers["slow_onset"], "2023-01-18", 3)
    assert near(story.numbers["steep_onset"], "2023-02-26", 1)
    assert story.numbers["steep_days"] in (9, 10, 11)
    assert "頃から微増傾向が続いた後に" in story.text_ja
    assert "一段と増えて、順位も前四半期の7番目から3番目に上がりました。" in story.text_ja
    assert "日本国内のIPアドレスも含まれていました" in of(claims, "domestic_sources", port=37215)[0].text_ja


def test_japans_mirai_wave_is_told_as_one_story(claims):
    subject = {"port": 37215, "region": "JP", "tool": "mirai"}
    (period,) = of(claims, "period", **subject)
    assert "Mirai型パケットという" in period.text_ja
    (bump,) = of(claims, "burst", **subject)
    assert (bump.onset, bump.end) == (date(2023, 2, 19), date(2023, 2, 21))
    assert "2月19日から21日に一時的な増加がありました" in bump.text_ja
    (wave,) = of(claims, "spike_and_decay", **subject)
    assert near(wave.onset, "2023-02-25", 1)
    assert wave.peak == date(2023, 2, 28)
    assert near(wave.end, "2023-03-18", 4)
    assert wave.ratio == pytest.approx(6, abs=1)
    assert [w.as_text() for w in wave.windows] == [["2023-02-09", "2023-02-18"], ["2023-02-28", "2023-02-28"]]
    assert "再び増加に転じ、2月28日には増加前の2月18日までの10日間平均と比較して約6倍に達した後" in wave.text_ja
    assert "ゆるやかに減少しました" in wave.text_ja


def test_the_companion_port_did_not_change(simulated_2023q1, claims):
    (overlap,) = of(claims, "overlap", port=37215, region="JP")
    focus = simulated_2023q1.analysis.noted[0].focus
    assert focus.overlap.companion == (6, 23)
    assert overlap.numbers["also"] == overlap.numbers["sources"] == 60
    assert "23/TCP（telnet）宛のパケットも送信していました" in overlap.text_ja
    (same,) = of(claims, "no_correlation", port=23, region="JP")
    assert "相関するような特徴的な変化を見出すことはできませんでした" in same.text_ja


def test_regional_bursts_are_dated(simulated_2023q1, claims):
    truth = {
        event.regions[0]: event.shape
        for event in simulated_2023q1.plan.scenario.events
        if event.traffic == ("37215 with bursts",)
    }
    assert len(truth) == 7
    found = [
        region
        for region, shape in truth.items()
        for claim in (
            *of(claims, "burst", port=37215, region=region),
            *of(claims, "spike_and_decay", port=37215, region=region),
        )
        if abs((claim.onset - shape.onset).days) <= 1
    ]
    assert len(set(found)) >= 5
    (told,) = [c for c in of(claims, "regional_rises", port=37215) if c.id.endswith("regions") and "more" not in c.id]
    assert "さまざまな地域から送信された37215/TCP宛のパケットで" in told.text_ja


def test_the_port_is_the_regions_laid_upon_each_other(claims):
    (found,) = of(claims, "superposition", port=37215)
    assert found.numbers["share"] >= 0.8
    assert "重なり合ったものと考えられます" in found.text_ja


def test_every_event_told_is_one_that_was_put_in(simulated_2023q1, claims):
    """Each ratio is that of the rates put in, over the same windows."""
    plan, checked = simulated_2023q1.plan, 0
    for claim in claims:
        if claim.kind not in EVENTS or claim.ratio is None:
            continue
        subject = claim.subject

        def wanted(stream, subject=subject):
            traffic = stream.traffic
            return (
                (subject.port is None or traffic.port == subject.port)
                and (subject.region is None or stream.origin == subject.region)
                and (subject.tool is None or traffic.tool == subject.tool)
            )

        before, after = (
            true_series(plan, list(days_between(window.first, window.last)), wanted).mean() for window in claim.windows
        )
        assert claim.ratio == pytest.approx(after / before, rel=0.3), claim.id
        checked += 1
    assert checked >= 10


def test_a_quiet_quarter_claims_nothing_that_did_not_happen(simulated_quiet):
    analysis = simulated_quiet.analysis
    claims = derive_claims(analysis)
    assert {claim.kind for claim in claims} <= {"rank", "close"}
    assert analysis.noted == ()
    assert [(r.protocol, r.port) for r in analysis.ports[:5]] == [(6, 23), (17, 5060), (1, None), (6, 443), (6, 8080)]
    assert analysis.ports[3].packets == analysis.ports[4].packets
    assert len(analysis.regions) == 4
    assert not [claim for claim in claims if "前四半期" in claim.text_ja]


@pytest.mark.parametrize("name", ["2023Q1", "quiet-2024Q2"])
def test_the_texts_are_as_they_were_and_right(name, request, context):
    simulated = request.getfixturevalue("simulated_2023q1" if name == "2023Q1" else "simulated_quiet")
    plans = plan_figures(simulated.analysis)
    document = build_document(simulated.analysis, context, plans)
    validate_document(document)
    assert list(lint_edition(document, build_data(simulated.analysis, plans))) == []
    text, kept = as_text(document), FOLDER / f"{name}.txt"
    if os.environ.get("TSUBAME_WRITE_GOLDEN"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")
