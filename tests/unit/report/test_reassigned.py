"""Each verdict has its words, in both languages, and no word of another one."""

import dataclasses
import datetime as dt
from datetime import date

import pytest

from tsubame.analysis import results
from tsubame.analysis.results import Event, Evidence, Ratio, RegionStep
from tsubame.periods import Window
from tsubame.report.claims import derive_claims
from tsubame.report.reassigned import say_quiet, say_reasons, say_reassignment, say_step

NAMES = (("英国", "the United Kingdom"), ("オランダ", "the Netherlands"))
BY_REGION = {"GB": NAMES[0], "NL": NAMES[1]}


def event(onset=date(2023, 2, 10), factor=4.0, kind="shift", ratio=None):
    return Event(kind, onset, (onset, onset), None, None, factor, (factor / 1.2, factor * 1.2), 99.0, ratio)


@pytest.fixture
def item(layouts):
    def make(verdict, **changes):
        return dataclasses.replace(layouts.gb_to_nl(verdict), last=date(2023, 1, 21), **changes)

    return make


@pytest.mark.parametrize("verdict", results.VERDICTS)
def test_only_an_explained_change_is_called_an_effect(item, verdict):
    ja, en = say_reassignment(item(verdict), NAMES)
    explained = verdict == results.EXPLAINED
    assert ("影響と考えられます" in ja) == explained
    assert ("considered to be the effect" in en) == explained
    assert ("時期と重なっています" in ja) == ("coincides with" in en) == (verdict == results.COINCIDES)
    assert (
        ("主な要因とは認められませんでした" in ja)
        == ("is not explained by" in en)
        == (verdict == results.NOT_EXPLAINED)
    )
    assert ("目立った変化は見られませんでした" in ja) == ("no marked change" in en) == (verdict == results.NO_SHIFT)
    assert ("判断できませんでした" in ja) == ("cannot be told" in en) == (verdict == results.CANNOT_TELL)
    assert ja.endswith("。")
    assert en.endswith(".")


def test_the_report_of_2023q1_in_its_own_words(item):
    ja, _ = say_reassignment(item(results.EXPLAINED), NAMES)
    assert ja.startswith(
        "1月21日頃を境として、英国とオランダを送信元とするパケット観測数に変化がありました（オランダが10日間平均で約8倍、"
    )
    assert (
        "これは、従来英国に割り当てられていたIPアドレス帯（6件、17,408アドレス）がオランダに割り当てられた影響と考えられます。"
        in ja
    )


def test_a_reason_is_given_for_each_way_of_only_coinciding(item):
    own = item(results.COINCIDES, evidence=Evidence(True, False, True, (("NL", event()), ("GB", event()))))
    ((ja, en),) = say_reasons(own, BY_REGION)
    assert ja == (
        "割り当てを固定した集計にも同じ時期に変化があり（オランダで2月10日頃、英国で2月10日頃）、割り当ての変更だけでは説明できません。"
    )
    assert "from the Netherlands around 10 February, from the United Kingdom around 10 February" in en
    late = item(results.COINCIDES, evidence=Evidence(True, True, False, (), event()))
    ((ja, en),) = say_reasons(late, BY_REGION)
    assert ja == "変化の始まりは2月10日頃と推定され、割り当てが変わった日とは一致しません。"
    assert "begun around 10 February" in en
    none = item(results.COINCIDES, evidence=Evidence(True, True, False))
    assert say_reasons(none, BY_REGION)[0][0] == "変化の始まった日は特定できませんでした。"
    assert say_reasons(item(results.EXPLAINED, evidence=Evidence(True, True, True)), BY_REGION) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"before": Window(date(2023, 1, 21), date(2023, 1, 20))}, "変更前の観測がないため、"),
        ({"delta": None}, "変更の前後に観測日が足りないため、"),
        ({"delta": 1.0, "share": None}, "日々のばらつきの範囲内であり、"),
        ({"delta": 1.0}, "変化に占める割合の幅が広いため、"),
    ],
)
def test_why_it_cannot_be_told(item, changes, why):
    ja, en = say_reassignment(item(results.CANNOT_TELL, **changes), NAMES)
    assert why in ja
    assert "cannot be told" in en


def test_a_first_day_is_compared_with_the_day_before(item):
    ja, en = say_reassignment(item(results.EXPLAINED, reference=date(2023, 1, 20)), NAMES)
    assert "変更前日の割り当てに固定して集計すると、" in ja
    assert "Counted by the delegations of the day before," in en


def test_small_shares_are_not_rounded_to_nothing(item):
    ja, en = say_reassignment(item(results.NOT_EXPLAINED, share=0.004), NAMES)
    assert "変化の1%未満にとどまり" in ja
    assert "less than 1%" in en


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_a_step_without_a_move(blocks):
    step = RegionStep("NL", event(), event(), results.NOT_EXPLAINED, (), blocks, 0.02 if blocks else None)
    ja, en = say_step(step, NAMES[1])
    assert ja.startswith("2月10日頃から、オランダを送信元とするパケット観測数が増加しました。")
    assert "IPアドレス帯の割り当ての変更では説明できません。" in ja
    assert ("割り当てが変わったIPアドレス帯はなく" in ja) == (blocks == 0)
    assert ("変化の約2%" in ja) == (blocks > 0)
    assert "it is not explained by a reassignment." in en
    assert ("3 address blocks delegated" in en) == (blocks == 3)


def test_a_fall_is_called_a_fall():
    ja, en = say_step(RegionStep("NL", event(factor=0.3), None, results.NOT_EXPLAINED), NAMES[1])
    assert "減少しました" in ja
    assert "fell" in en
    assert "同じ変化が見られます" not in ja


@pytest.mark.parametrize(
    ("onset", "ja_says", "en_says"),
    [
        (date(2023, 2, 11), "（10日間平均で約0.5倍）", "fell to about 0.5 times (by 10-day means)"),
        (
            date(2023, 1, 1),
            "（10日間平均で、前四半期末の約0.5倍）",
            "fell to about 0.5 times the end of the previous quarter (by 10-day means)",
        ),
    ],
)
def test_a_step_on_the_first_day_says_what_it_is_measured_against(onset, ja_says, en_says):
    one, ten = dt.timedelta(days=1), dt.timedelta(days=10)
    ratio = Ratio(0.5, None, Window(onset, onset + 9 * one), Window(onset - ten, onset - one), "")
    step = RegionStep("NL", event(onset, 0.5, ratio=ratio), None, results.NOT_EXPLAINED)
    ja, en = say_step(step, NAMES[1])
    assert ja_says in ja
    assert en_says in en


def quiet_items(item, number):
    return tuple(item(results.NO_SHIFT, date=date(2023, 2, day)) for day in range(1, number + 1))


@pytest.mark.parametrize(("number", "told"), [(1, 1), (3, 3), (4, 0)])
def test_few_moves_without_an_effect_are_told_one_by_one(layouts, item, number, told):
    analysis = layouts.analysis_2023q1(reassignments=())
    analysis = dataclasses.replace(analysis, minor_reassignments=quiet_items(item, number))
    claims = {claim.id: claim for claim in derive_claims(analysis) if claim.kind == "reassignment"}
    assert sum(claim.startswith("reassignment-gb-nl") for claim in claims) == told
    assert ("reassignments-without-effect" in claims) == (told == 0)


def test_all_others_are_counted(item):
    ja, en = say_quiet(quiet_items(item, 4))
    assert "24件（69,632アドレス）" in ja
    assert en.startswith("Another 24 address blocks (69,632 addresses) were delegated")
    one = dataclasses.replace(item(results.NO_SHIFT), blocks=item(results.NO_SHIFT).blocks[:1])
    assert say_quiet([one])[1].startswith("Another 1 address block (4,096 addresses) was delegated")
