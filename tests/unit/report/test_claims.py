import dataclasses
from datetime import date

import numpy as np
import pytest

from tsubame.analysis import results
from tsubame.analysis.results import DailySeries, Ratio
from tsubame.periods import Quarter, Window
from tsubame.report.claims import derive_claims, is_gradual
from tsubame.report.document import build_document, validate_document
from tsubame.report.figures import plan_figures
from tsubame.report.linter import lint_edition


def claims_of(analysis):
    return {claim.id: claim for claim in derive_claims(analysis)}


def series(values):
    days = Quarter(2023, 1).days[: len(values)]
    return DailySeries(days, tuple(None if v is None else int(v) for v in values), tuple(values))


def growth(value, low, high):
    return Ratio(
        value,
        (low, high),
        Window(date(2023, 3, 22), date(2023, 3, 31)),
        Window(date(2023, 1, 1), date(2023, 1, 10)),
        "last / first",
    )


def test_the_seeds_statements_are_made(analysis):
    claims = claims_of(analysis)
    china = claims["gradual-region-cn"]
    assert china.kind == "gradual"
    assert china.ratio == pytest.approx(1.5, abs=0.1)
    assert "中国からのパケットは期間中に徐々に増えて" in china.text_ja
    assert "約1.5倍" in china.text_ja
    assert "about 1.5 times" in china.text_en
    assert [w.as_text() for w in china.windows] == [["2023-01-01", "2023-01-10"], ["2023-03-22", "2023-03-31"]]

    moved = claims["reassignment-gb-nl-20230121"]
    assert (moved.onset, moved.end) == (date(2023, 1, 21), date(2023, 1, 23))
    assert moved.ratio == 8.04
    assert "1月21日から23日にかけて、英国とオランダを送信元とするパケット観測数に変化" in moved.text_ja
    assert "オランダが10日間平均で約8倍、英国が約0.4倍" in moved.text_ja
    assert "影響と考えられます" in moved.text_ja
    assert "約1倍で、変化は認められません" in moved.text_ja

    assert "微増傾向" in claims["gradual-port-6379-tcp"].text_ja
    assert "前四半期の7番目から3番目に順位を上げました" in claims["rank-port-37215-tcp"].text_ja
    assert "TOP5外（6番目）から3番目" in claims["rank-region-nl"].text_ja
    assert "2番目から4番目に順位を下げました" in claims["rank-region-ru"].text_ja


def test_a_reassigned_region_is_not_said_to_have_grown(analysis):
    claims = claims_of(analysis)
    for region in ("nl", "gb"):
        assert f"gradual-region-{region}" not in claims
        assert f"change-region-{region}" not in claims


@pytest.mark.parametrize(
    ("verdict", "said", "never"),
    [
        (results.EXPLAINED, "影響と考えられます", "認められませんでした"),
        (results.COINCIDES, "時期と重なっています", "影響と考えられます"),
        (results.NOT_EXPLAINED, "主な要因とは認められませんでした", "影響と考えられます"),
    ],
)
def test_no_more_is_said_than_the_verdict_supports(layouts, verdict, said, never):
    analysis = layouts.analysis_2023q1(reassignments=(layouts.gb_to_nl(verdict),))
    text = claims_of(analysis)["reassignment-gb-nl-20230121"].text_ja
    assert said in text
    assert never not in text


def test_a_move_without_an_effect_is_not_told(layouts):
    analysis = layouts.analysis_2023q1(reassignments=(layouts.gb_to_nl(results.NO_SHIFT),))
    assert not [claim for claim in derive_claims(analysis) if claim.kind == "reassignment"]


def test_what_cannot_be_told_is_said_to_be_so_of_regions_in_the_table_only(layouts):
    item = layouts.gb_to_nl(results.CANNOT_TELL)
    told = claims_of(layouts.analysis_2023q1(reassignments=(item,)))["reassignment-gb-nl-20230121"]
    assert "影響の有無は判断できませんでした" in told.text_ja
    elsewhere = dataclasses.replace(item, from_region="SE", to_region="FI")
    claims = derive_claims(layouts.analysis_2023q1(reassignments=(elsewhere,)))
    assert not [claim for claim in claims if claim.kind == "reassignment"]


def test_a_move_of_one_day_is_dated_by_it(layouts):
    item = dataclasses.replace(layouts.gb_to_nl(), after=Window(date(2023, 1, 22), date(2023, 1, 31)))
    claim = claims_of(layouts.analysis_2023q1(reassignments=(item,)))["reassignment-gb-nl-20230121"]
    assert claim.text_ja.startswith("1月21日頃を境として、")
    assert claim.text_en.startswith("Around 21 January ")
    assert claim.end == claim.onset


def test_close_neighbours_are_told_together(layouts, analysis):
    rows = tuple(dataclasses.replace(row, close_to_next=row.rank in (2, 3, 5)) for row in analysis.regions)
    claims = claims_of(dataclasses.replace(analysis, regions=rows))
    assert claims["close-cn-nl-ru"].text_ja.startswith("中国、オランダとロシアの差は")
    assert claims["close-cn-nl-ru"].text_en.startswith("The differences between China, the Netherlands and Russia")
    assert sum(claim.kind == "close" and claim.subject.region is not None for claim in claims.values()) == 1


def test_windows_cut_at_the_quarters_ends_are_said_as_they_are(layouts):
    item = dataclasses.replace(layouts.gb_to_nl(), before=Window(date(2023, 1, 17), date(2023, 1, 20)))
    text = claims_of(layouts.analysis_2023q1(reassignments=(item,)))["reassignment-gb-nl-20230121"]
    assert "前4日間と後10日間の平均で約8倍" in text.text_ja
    assert "the means of the 4 days before and the 10 days after" in text.text_en


def test_a_wide_interval_or_a_small_change_makes_no_claim(analysis):
    china = ("CN", "gradual-region-cn")
    for ratio in (growth(1.5, 0.9, 2.1), growth(1.03, 1.01, 1.05)):
        changed = dataclasses.replace(analysis, growth_regions={**analysis.growth_regions, china[0]: ratio})
        assert china[1] not in claims_of(changed)


def test_an_unknown_ratio_makes_no_claim(analysis):
    none = dataclasses.replace(growth(1, 1, 1), value=None, interval=None)
    changed = dataclasses.replace(analysis, growth_regions=dict.fromkeys(analysis.growth_regions, none))
    assert not [name for name in claims_of(changed) if name.startswith(("gradual-region", "change-region"))]


def test_a_step_is_a_change_but_not_gradual(analysis):
    step = series([10.0] * 45 + [20.0] * 45)
    changed = dataclasses.replace(
        analysis,
        region_series={**analysis.region_series, "CN": step},
        growth_regions={**analysis.growth_regions, "CN": growth(2.0, 1.8, 2.2)},
    )
    claims = claims_of(changed)
    assert "gradual-region-cn" not in claims
    assert "徐々に" not in claims["change-region-cn"].text_ja
    assert claims["change-region-cn"].onset is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.linspace(100, 150, 90), True),
        (np.linspace(150, 100, 90), True),
        (np.full(90, 100.0), False),
        (np.r_[np.full(45, 100.0), np.full(45, 150.0)], False),
        (np.r_[np.full(40, 100.0), np.full(10, 400.0), np.full(40, 110.0)], False),
        (np.linspace(100, 150, 20), False),
    ],
)
def test_gradual_means_evenly(values, expected):
    assert is_gradual(series([float(value) for value in values])) is expected


def test_days_without_a_sensor_do_not_make_a_step():
    values = [float(value) for value in np.linspace(100, 150, 90)]
    values[30:42] = [None] * 12
    assert is_gradual(series(values))


def test_without_a_previous_quarter_no_rank_is_compared(layouts):
    analysis = layouts.analysis_2023q1(previous=False)
    for claim in derive_claims(analysis):
        assert "前四半期" not in claim.text_ja
        assert "previous quarter" not in claim.text_en


def test_an_unchanged_table_is_said_to_be_so(layouts):
    analysis = layouts.make_analysis(
        Quarter(2024, 2), [(6, 23, 1), (6, 22, 2)], [("US", 1), ("CN", 2), ("JP", 3)], port_means=None
    )
    claims = claims_of(analysis)
    assert claims["rank-ports-unchanged"].text_ja == "トップ2の順位は前四半期から変わっていません。"
    assert "rank-port-22-tcp" not in claims


def test_a_quarter_with_nothing_in_it_claims_nothing(layouts):
    assert derive_claims(layouts.make_analysis(Quarter(2024, 2), [], [])) == ()


def test_ids_are_unique_and_every_text_is_there_twice(analysis):
    claims = derive_claims(analysis)
    assert len({claim.id for claim in claims}) == len(claims)
    for claim in claims:
        assert claim.text_ja.endswith("。")
        assert claim.text_en.endswith(".")
        assert "  " not in claim.text_en
        assert claim.formula


@pytest.fixture
def on_common_sensors(analysis):
    """23/TCP and the first region as in the table; 6379/TCP fifth, and second in the quarter before."""
    ports = {(row.protocol, row.port): (row.rank, row.previous_rank) for row in analysis.ports[:5]}
    ports[6, 6379] = (5, 2)
    regions = {row.region: (row.rank, row.previous_rank) for row in analysis.regions[:5]}
    return dataclasses.replace(analysis, common=results.CommonRanks(9, 1, 2, ports, regions))


def test_changed_sensors_are_told_with_the_ranks_that_differ(on_common_sensors):
    claims = {claim.id: claim for claim in derive_claims(on_common_sensors)}
    ports, regions = claims["rank-ports-common"], claims["rank-regions-common"]
    assert ports.text_ja == (
        "国内センサーは前四半期から1台増・2台減となっています。"
        "両四半期に共通する9台だけで見ると、6379/TCP（redis）は5番目（前四半期は2番目）です。"
    )
    assert ports.text_en == (
        "Since the previous quarter, 1 domestic sensor was added and 2 went away; on the 9 that both quarters have, "
        "6379/TCP (redis) is 5th (in the previous quarter 2nd)."
    )
    assert regions.text_ja.endswith("共通する9台だけで見ても、トップ5の順位とその前四半期の順位は同じです。")
    assert ports.section == "ports"


def test_ranks_on_common_sensors_follow_schema_and_linter(on_common_sensors, context):
    plans = plan_figures(on_common_sensors)
    document = build_document(on_common_sensors, context, plans)
    validate_document(document)
    assert {"protocol": 6, "port": 6379, "rank": 5, "previous_rank": 2} in document["common_ranks"]["ports"]
    faults = [fault.place for fault in lint_edition(document, {}) if "common" in fault.place]
    assert faults == []
