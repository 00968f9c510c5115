"""Every way in which regions change, through the whole path: verdict, numbers against the truth, what is printed."""

import json
import re
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pytest

from tests.scenarios.quarters import NOW, Q1, draft, prepare
from tsubame.pipeline.checked import results_key

pytestmark = pytest.mark.integration

MOVE = date(2023, 2, 10)
DAY = timedelta(days=1)
BECAUSE = ("影響と考えられます", "considered to be the effect")
BLOCK = "89.248.160.0/20"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Each scenario once: what was put in, analysis, report.json and page.

    One cluster of threads does them all: eleven quarters of small captures are mostly what processes cost.
    """
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)

        @cache
        def run(name):
            scenario = prepare(name, tmp_path_factory.mktemp(name))
            return scenario, *draft(scenario)

        yield run


def around(day, last=None):
    """The ten days before a move and the ten days after."""
    last = last or day
    return (day - 10 * DAY, day - DAY), (last + DAY, last + 10 * DAY)


def texts(document, kind, language):
    return [claim[f"text_{language}"] for claim in document["claims"] if claim["kind"] == kind]


def said(document, language):
    """All that is said of regions and reassignments."""
    return " ".join(
        claim[f"text_{language}"]
        for claim in document["claims"]
        if claim["kind"] == "reassignment" or claim["id"].startswith("shift-region")
    )


def numbers(text):
    """A sentence with its measured numbers left out, for golden texts."""
    return re.sub(r"\d+(\.\d+)?", "#", text)


def only(document):
    (row,) = document["reassignments"]
    assert (row["from"], row["to"]) == ("GB", "NL")
    assert [block["cidr"] for block in row["blocks"]] == [BLOCK]
    return row


def check_share(scenario, row, ideal, traffic="moving scanners"):
    """The share is that of what was simulated, and of the scenario's rates."""
    windows = [tuple(map(date.fromisoformat, window)) for window in row["windows"]]
    truth = scenario.share("NL", traffic, *windows)
    assert row["share"] == pytest.approx(truth, abs=0.005), "the formula, on the simulator's own numbers"
    assert row["share"] == pytest.approx(ideal, abs=0.05)
    low, high = row["share_interval"]
    assert low <= ideal <= high


def check_sums(gathered):
    """What one region gains others lose, on every day."""
    effects = gathered.analysis.region_effects
    assert [sum(day) for day in zip(*(effect.gained for effect in effects), strict=True)] in ([0] * 90, [])


@pytest.mark.parametrize(
    ("name", "seen", "ideal"),
    [
        ("missing-week", date(2023, 2, 15), 1.0),
        ("sensors-added", MOVE, 1.0),
        ("boundary-move", date(2023, 1, 1), 1.0),
    ],
)
def test_a_move_that_is_all_of_a_change_is_said_to_be_its_cause(ran, name, seen, ideal):
    scenario, gathered, document, page = ran(name)
    row = only(document)
    assert row["date"] == str(seen)
    before, after = around(seen)
    assert row["windows"] == [list(map(str, before)), list(map(str, after))]
    assert row["verdict"] == "explained by reassignment"
    assert {key: row["conditions"][key] for key in ("share", "alone", "timely")} == dict.fromkeys(
        ("share", "alone", "timely"), True
    )
    check_share(scenario, row, ideal)
    assert row["ratio_observed"] == pytest.approx(30 / 6, rel=0.1)
    assert row["ratio_pinned"] == pytest.approx(1, abs=0.1)
    assert row["ratio_observed_from"] == pytest.approx(10 / 34, rel=0.1)
    (ja,), (en,) = (texts(document, "reassignment", language) for language in ("ja", "en"))
    fixed = ("変更前日", "day before") if name == "boundary-move" else ("四半期初日", "quarter's first day")
    when = f"{seen.month}月{seen.day}日"
    assert ja.startswith(
        f"{when}頃を境として、英国とオランダを送信元とするパケット観測数に変化がありました（オランダが10日間平均で約"
    )
    assert (
        "これは、従来英国に割り当てられていたIPアドレス帯（1件、4,096アドレス）がオランダに割り当てられた影響と考えられます。"
        f"{fixed[0]}の割り当てに固定して集計すると、オランダからのパケットは約1倍で、変化は認められません。" in ja
    )
    assert (
        "This is considered to be the effect of 1 address block (4,096 addresses) that had been delegated to the "
        "United Kingdom being delegated to the Netherlands. Counted by the delegations of the "
        f"{fixed[1]}, packets from the Netherlands did not change" in en
    )
    assert ja in page
    assert "shift-region" not in " ".join(claim["id"] for claim in document["claims"])
    check_sums(gathered)


def test_the_missing_week_is_said(ran):
    _, _, document, page = ran("missing-week")
    carried = [item for item in document["snapshots"]["carried_forward"] if item["registry"] == "ripencc"]
    days = {f"2023-02-{day:02}" for day in range(8, 15)}
    assert days <= {item["day"] for item in carried}
    assert {item["snapshot"] for item in carried if item["day"] in days} == {"2023-02-07"}
    assert "2023-02-08〜2023-02-14（ripencc、2023-02-07の情報）" in page


def test_a_move_with_a_rise_of_its_own_only_coincides(ran):
    scenario, gathered, document, page = ran("move-with-rise")
    row = only(document)
    # NL's own 12 packets become 36 on the day on which 24 come with the block.
    check_share(scenario, row, 24 / 48)
    assert row["verdict"] == "coincides with reassignment"
    assert row["conditions"]["alone"] is False
    assert {(event["region"], event["onset"]) for event in row["conditions"]["own_events"]} == {("NL", "2023-02-10")}
    assert row["ratio_pinned"] == pytest.approx(3, rel=0.1)
    (ja,), (en,) = (texts(document, "reassignment", language) for language in ("ja", "en"))
    assert numbers(ja) == (
        "#月#日頃を境として、英国とオランダを送信元とするパケット観測数に変化がありました（オランダが#日間平均で約#倍、英国が約#倍）。"
        "この変化は、従来英国に割り当てられていたIPアドレス帯（#件、#,#アドレス）がオランダに割り当てられた時期と重なっています。"
        "変化のうち、割り当てが変わったアドレス帯のパケットに相当する分は約#%です（#%信頼区間 #〜#%）。"
        "四半期初日の割り当てに固定して集計すると、オランダからのパケットは約#倍でした。"
        "割り当てを固定した集計にも同じ時期に変化があり（オランダで#月#日頃）、割り当ての変更だけでは説明できません。"
    )
    assert numbers(en) == (
        "Around # February the numbers of packets from the United Kingdom and the Netherlands changed (the Netherlands "
        "to about # times, the United Kingdom to about # times, by #-day means). This coincides with # address block "
        "(#,# addresses) that had been delegated to the United Kingdom being delegated to the Netherlands; packets "
        "from the moved blocks amount to about #% of the change (#% interval #–#%). Counted by the delegations of the "
        "quarter's first day, packets from the Netherlands went to about # times. Packets counted so changed at that "
        "time too (from the Netherlands around # February): the reassignment alone does not explain it."
    )
    assert ja in page
    assert not any(word in said(document, language) for word, language in zip(BECAUSE, ("ja", "en"), strict=True))
    check_sums(gathered)


def test_two_moves_within_ten_days_are_told_apart(ran):
    scenario, gathered, document, _ = ran("two-moves")
    rows = {row["date"]: row for row in document["reassignments"]}
    assert set(rows) == {"2023-02-08", "2023-02-14"}
    # The windows between the two are cut: 9 to 13 February belong to both.
    assert rows["2023-02-08"]["windows"] == [["2023-01-29", "2023-02-07"], ["2023-02-09", "2023-02-13"]]
    assert rows["2023-02-14"]["windows"] == [["2023-02-09", "2023-02-13"], ["2023-02-15", "2023-02-24"]]
    check_share(scenario, rows["2023-02-08"], 1.0)
    check_share(scenario, rows["2023-02-14"], 1.0, "more moving scanners")
    assert {row["verdict"] for row in rows.values()} == {"explained by reassignment"}
    assert rows["2023-02-08"]["shortened_for"] == ["2023-02-14"]
    ja, en = said(document, "ja"), said(document, "en")
    assert "比較する期間は、2月14日の別の割り当ての変更と重ならないようにしています。" in ja
    assert "オランダが前10日間と後5日間の平均で約" in ja
    assert "The days compared are chosen to keep clear of another reassignment on 8 February." in en
    check_sums(gathered)


def test_a_shift_without_a_move_is_not_explained_by_one(ran):
    scenario, gathered, document, page = ran("shift-without-move")
    assert document["reassignments"] == []
    assert document["moves"]["groups"] == 0
    (step,) = document["region_steps"]
    assert (step["region"], step["onset"], step["pinned_onset"]) == ("NL", "2023-02-10", "2023-02-10")
    assert step["verdict"] == "not explained by reassignment"
    assert step["ratio"] == pytest.approx(48 / 12, rel=0.1)
    truth = scenario.mean(MOVE, MOVE + 9 * DAY, region="NL") / scenario.mean(MOVE - 10 * DAY, MOVE - DAY, region="NL")
    assert step["ratio"] == pytest.approx(truth, rel=0.005)
    assert numbers(said(document, "ja")) == (
        "#月#日頃から、オランダを送信元とするパケット観測数が増加しました（#日間平均で約#倍）。"
        "この時期に同地域で割り当てが変わったIPアドレス帯はなく、IPアドレス帯の割り当ての変更では説明できません。"
        "四半期初日の割り当てに固定した集計でも同じ変化が見られます。"
    )
    assert numbers(said(document, "en")) == (
        "From about # February packets from the Netherlands rose to about # times (by #-day means). No address block "
        "was delegated to or from the Netherlands at that time: it is not explained by a reassignment. Counted by the "
        "delegations of the quarter's first day it shows all the same."
    )
    assert said(document, "ja") in page
    assert gathered.analysis.region_effects == ()


def test_a_move_without_traffic_says_that_nothing_came_of_it(ran):
    _, gathered, document, page = ran("move-without-traffic")
    assert document["reassignments"] == document["region_steps"] == []
    (row,) = document["moves"]["minor"]
    assert (row["from"], row["to"], row["date"], row["cidr"]) == ("GB", "NL", str(MOVE), BLOCK)
    assert (row["verdict"], row["effect"], row["packets_after"]) == ("reassignment without a shift", 0, 0)
    assert said(document, "ja") == (
        "2月10日に英国に割り当てられていたIPアドレス帯（1件、4,096アドレス）がオランダに割り当てられましたが、"
        "両地域のパケット観測数に目立った変化は見られませんでした。"
    )
    assert said(document, "en") == (
        "On 10 February the registries' data show 1 address block (4,096 addresses) that had been delegated to the "
        "United Kingdom being delegated to the Netherlands; no marked change in either region's packets went with it."
    )
    assert said(document, "ja") in page
    assert gathered.analysis.region_effects == ()


@pytest.mark.parametrize("name", ["split-and-merge", "registry-absent"])
def test_what_is_no_move_makes_no_statement(ran, name):
    _, gathered, document, _ = ran(name)
    assert gathered.moves == ()
    assert document["reassignments"] == document["region_steps"] == []
    assert said(document, "ja") == said(document, "en") == ""


def test_a_registry_that_is_absent_leaves_its_space_undelegated(ran):
    scenario, gathered, _, _ = ran("registry-absent")
    assert {record.snapshot["absent"][0] for record in gathered.records} == {"lacnic"}
    assert "BR" not in {row.region for row in gathered.analysis.regions}
    share = scenario.mean(MOVE, MOVE + 9 * DAY, region="BR") / scenario.mean(MOVE, MOVE + 9 * DAY)
    assert share > 0.1, "the truth has them"
    none = sum(packets for region, packets in duckdb.sql(
        f"""select region, sum(packets) from read_parquet('{scenario.settings.lake_url}/counts/*/*.parquet',
        hive_partitioning=true) where day between '2023-02-10' and '2023-02-19' group by all"""
    ).fetchall() if region == "undelegated")  # fmt: skip
    assert none == pytest.approx(scenario.mean(MOVE, MOVE + 9 * DAY, region="BR") * 10 * 3, rel=0.001)


@pytest.mark.parametrize(
    ("name", "key", "addresses"), [("glitch", "arin 2023-01-26", 598_016), ("move-reverts", "ripencc 2023-02-10", 4096)]
)
def test_what_the_days_around_contradict_is_held_back_and_said(ran, name, key, addresses):
    scenario, gathered, document, page = ran(name)
    assert gathered.moves == ()
    assert document["reassignments"] == document["region_steps"] == []
    held = {item["key"]: item for item in document["snapshots"]["held_back"]}
    assert held[key]["reason"].startswith(f"{addresses:,} addresses of ")
    assert held[key]["reason"].endswith("given to NL, contradicted by its neighbours")
    assert held[key]["reason_ja"] in page
    assert "前後の日の情報と矛盾するため不採用" in held[key]["reason_ja"]
    # Nobody's packets were counted for the region of the glitch.
    days = around(date.fromisoformat(key[-10:]))
    nl = [scenario.mean(*window, region="NL") for window in days]
    assert nl[1] == pytest.approx(nl[0], rel=0.15) or name == "move-reverts"
    assert gathered.analysis.region_effects == ()


def test_a_revert_is_published_with_notes_in_both_languages_and_kept_as_a_table(ran):
    from tsubame.pipeline.report import publish_quarter, validate_quarter

    scenario, *_ = ran("move-reverts")
    verdict = validate_quarter(scenario.settings, Q1, now=NOW)
    assert not verdict["refused"]
    assert any(
        note.startswith("delegations: No snapshot is contradicted by its neighbours") for note in verdict["notes"]
    )
    assert any(
        note.startswith("delegations：割り当て情報は前後の日の情報と矛盾しない：") for note in verdict["notes_ja"]
    )
    publish_quarter(scenario.settings, Q1, now=NOW)
    site = Path(scenario.settings.site_url, "2023Q1/editions/1")
    report = json.loads((site / "report.json").read_text())
    assert report["notes"] == verdict["notes"]
    assert report["notes_ja"] == verdict["notes_ja"]
    japanese, english = (site / "index.html").read_text().split('id="en" lang="en"')
    assert verdict["notes_ja"][0] in japanese
    assert verdict["notes_ja"][0] not in english
    page = (site / "regions.html").read_text()
    assert "本四半期に割り当て先の地域が変わったIPアドレス帯はありませんでした。" in page
    assert "4,096 addresses of GB given to NL" in page
    table = Path(scenario.settings.lake_url, results_key(Q1))
    rows = duckdb.sql(f"select suite, severity, passed, expected_ja, found_ja from '{table}'").fetchall()
    assert {suite for suite, *_ in rows} == {suite["suite"] for suite in verdict["suites"]}
    assert sum(not passed for _, _, passed, *_ in rows) == sum(suite["failed"] for suite in verdict["suites"])
    assert (site / "validation" / "delegations.html").is_file()
