"""What is right passes, what is wrong is refused or noted, in words that a person can act on."""

from __future__ import annotations

import dataclasses
import re
from datetime import date

import pytest

from tests.content_policy import page_faults
from tests.unit.analysis.quarter_data import Move, Q, Row, cube_of
from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
from tsubame.analysis.series import SensorFacts
from tsubame.keys import REGISTRIES
from tsubame.validation.frames import ACCOUNTING, ValidationFrames, build_frames
from tsubame.validation.quarter import validate_quarter
from tsubame.validation.suites import SUITES, run_suites
from tsubame.validation.verdict import Verdict

DOMESTIC = ("jp-1", "jp-2")
SENSORS = tuple(SensorFacts(name, True, date(2022, 1, 1), None) for name in DOMESTIC)
MOVED = Move(1024, 1279, "GB", "NL", "holder-1", date(2023, 1, 21))


def rows(day):
    after = day >= MOVED.first_seen
    for i, sensor in enumerate(DOMESTIC):
        wobble = (day.toordinal() * (3 + i)) % 7
        yield Row(sensor, 6, 23, 1, "US", "US", 500 + wobble)
        yield Row(sensor, 6, 80, 5, "NL", "NL", 100 + wobble)
        yield Row(sensor, 6, 80, 6, "GB", "GB", 300 + wobble)
        yield Row(sensor, 6, 80, 1024, "NL" if after else "GB", "GB", 700 + wobble)


def account(kept, **others):
    return dict.fromkeys(ACCOUNTING, 0) | {"packets_kept": kept, "records_read": kept} | others


@pytest.fixture(scope="module")
def good():
    cube = cube_of(rows, DOMESTIC, (MOVED,))
    analysis = analyse_quarter(QuarterInputs(Q, SENSORS, cube, None, (MOVED,)))
    packets = {day: sum(row.packets for row in rows(day)) for day in Q.days}
    return ValidationFrames(
        sensors=SENSORS,
        current=cube,
        captures=tuple(
            account(n) | {"capture": f"jp-1/{day}.pcap", "sensor_id": "jp-1", "error": None}
            for day, n in packets.items()
        ),
        accounting_days=tuple(account(n) | {"day": day} for day, n in packets.items()),
        delegations=tuple(
            {"day": day, "registry": registry, "snapshot_date": day, "age_days": 0, "faults": 0}
            | {"addresses": 10**8, "md5_ok": True, "glitch": False}
            for day in Q.days
            for registry in REGISTRIES
        ),
        moves=(MOVED,),
        analysis=analysis,
    )


def verdict_of(frames: ValidationFrames, *suites: str) -> Verdict:
    tables = build_frames(frames)
    return Verdict(tuple(r.outcome for r in run_suites({name: tables[name] for name in suites or SUITES})))


def changed(sequence, index, **values):
    items = list(sequence)
    items[index] = {**items[index], **values}
    return tuple(items)


def test_a_sound_quarter_passes_with_docs(good, tmp_path):
    verdict = validate_quarter(good, docs_dir=tmp_path / "one")
    assert verdict.passed, verdict.as_dict()
    assert not verdict.refused
    assert verdict.notes == ()
    assert [suite.suite for suite in verdict.suites] == list(SUITES)
    assert all(suite.passed and suite.severity == "none" for suite in verdict.suites)
    validate_quarter(good, docs_dir=tmp_path / "two")
    for page in sorted((tmp_path / "one").iterdir()):
        text = page.read_text()
        assert text == (tmp_path / "two" / page.name).read_text(), page.name
        assert not re.search(r"(?i)https?://|//[a-z0-9.-]+\.(com|org|net|io)\b", text), page.name
        assert "<script" not in text
        assert page.suffix != ".html" or page_faults(page) == []
        assert str(tmp_path) not in text
    assert {page.name for page in (tmp_path / "one").iterdir()} == {
        "index.html",
        "data_docs.css",
        *(f"{name}.html" for name in SUITES),
    }


def test_counts_that_do_not_add_up_refuse(good):
    bad = dataclasses.replace(good, accounting_days=changed(good.accounting_days, 3, packets_kept=1, records_read=1))
    verdict = verdict_of(bad, "days")
    assert verdict.refused
    assert "2023-01-04: counted_packets" in verdict.summary
    assert verdict.as_dict()["suites"][0]["severity"] == "critical"


def test_a_record_without_a_fate_refuses(good):
    bad = dataclasses.replace(good, captures=changed(good.captures, 0, records_read=99999999))
    verdict = verdict_of(bad, "captures")
    assert verdict.refused
    assert "jp-1/2023-01-01.pcap: 99999999 records read" in verdict.reasons[0]


def test_a_damaged_capture_is_noted(good):
    bad = dataclasses.replace(good, captures=changed(good.captures, 0, error="cut at byte 77"))
    verdict = verdict_of(bad, "captures")
    assert not verdict.refused
    assert not verdict.passed
    assert verdict.notes == (
        "captures: Every capture is read to its end: 1 of 90 rows, such as "
        "jp-1/2023-01-01.pcap with error cut at byte 77",
    )


def test_a_capture_counted_twice_refuses(good):
    assert verdict_of(dataclasses.replace(good, captures=good.captures * 2), "captures").refused


def test_many_unreadable_captures_refuse(good):
    bad = tuple({**row, "error": "no capture"} for row in good.captures[:20]) + good.captures[20:]
    assert verdict_of(dataclasses.replace(good, captures=bad), "captures").refused


@pytest.mark.parametrize(
    ("change", "refused", "said"),
    [
        ({"age_days": 9}, False, "1 of 450 rows, such as 2023-01-03 afrinic with age_days 9"),
        ({"age_days": 100}, True, "such as 2023-01-03 afrinic with age_days 100"),
        ({"age_days": -1}, True, "with age_days -1"),
        ({"faults": 2}, False, "1 of 450 rows, such as 2023-01-03 afrinic with faults 2"),
        ({"addresses": 0}, True, "with addresses 0"),
        ({"addresses": 99 * 10**6}, False, "afrinic 2023-01-03: 99,000,000 addresses, 1.0% fewer"),
        ({"addresses": 5 * 10**7}, True, "50.0% fewer"),
        ({"md5_ok": False}, True, "with md5_ok False"),
        ({"md5_ok": None}, False, ""),
        ({"glitch": True}, False, "with glitch True"),
        ({"snapshot_date": None, "age_days": None, "addresses": None}, False, "afrinic: no snapshot on 1 of 90"),
        ({"registry": "iana"}, True, "1 of 450 rows, such as 2023-01-03 iana"),
    ],
)
def test_delegations(good, change, refused, said):
    bad = dataclasses.replace(good, delegations=changed(good.delegations, 10, **change))
    verdict = verdict_of(bad, "delegations")
    assert verdict.refused == refused, verdict.as_dict()
    assert verdict.passed == (said == "")
    assert said in " ".join(verdict.notes + verdict.reasons)


def test_parted_packets_that_no_block_carries_refuse(good):
    verdict = verdict_of(dataclasses.replace(good, moves=()), "moves", "reassignments")
    assert verdict.refused
    assert "GB -> NL:" in verdict.summary
    assert "70 days from 2023-01-21, moved blocks carry 0" in verdict.summary


def test_a_reassignment_that_the_analysis_missed_refuses(good):
    blind = dataclasses.replace(good.analysis, reassignments=())
    verdict = verdict_of(dataclasses.replace(good, analysis=blind), "reassignments")
    assert verdict.refused
    assert "no reassignment is recognised" in verdict.summary


def test_a_reassignment_dated_too_late_refuses(good):
    (found,) = good.analysis.reassignments
    block = dataclasses.replace(found.blocks[0], first_seen=date(2023, 1, 23))
    late = dataclasses.replace(good.analysis, reassignments=(dataclasses.replace(found, blocks=(block,)),))
    verdict = verdict_of(dataclasses.replace(good, analysis=late), "reassignments")
    assert "first seen 2023-01-23, but packets parted from 2023-01-21 on" in verdict.summary


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"share_interval": (0.3, 1.2)}, "said to be explained with a share from 0.3"),
        ({"share": None, "share_interval": None}, "said to be explained"),
        ({"share": 3.0}, "share 3.000 outside"),
        ({"verdict": "surely"}, "unknown verdict 'surely'"),
    ],
)
def test_a_verdict_that_its_numbers_do_not_bear_refuses(good, change, said):
    (found,) = good.analysis.reassignments
    wrong = dataclasses.replace(good.analysis, reassignments=(dataclasses.replace(found, **change),))
    verdict = verdict_of(dataclasses.replace(good, analysis=wrong), "verdicts")
    assert verdict.refused
    assert said in verdict.summary


def test_regions_pinned_to_another_day_refuse(good):
    def wrong(day):
        return [dataclasses.replace(row, pinned="FR") for row in rows(day)]

    verdict = verdict_of(dataclasses.replace(good, current=cube_of(wrong, DOMESTIC, (MOVED,))), "days")
    assert any("On the quarter's first day" in line for line in verdict.reasons)


def test_a_sensor_down_is_noted(good):
    def wrong(day):
        return [row for row in rows(day) if not (day.day == 5 and row.sensor == "jp-2")]

    cube = cube_of(wrong, DOMESTIC, (MOVED,))
    days = tuple(account(sum(r.packets for r in wrong(day))) | {"day": day} for day in Q.days)
    verdict = verdict_of(dataclasses.replace(good, current=cube, accounting_days=days), "days")
    assert not verdict.refused
    assert "3 of 90 rows, such as 2023-01-05 with sensors_up_share 0.5; 2023-02-05" in verdict.notes[0]


def test_ranks_out_of_order_refuse(good):
    ports = good.analysis.ports[::-1]
    verdict = verdict_of(dataclasses.replace(good, analysis=dataclasses.replace(good.analysis, ports=ports)), "ranking")
    assert verdict.refused
    assert "ports: ranks do not count from 1 to 2" in verdict.summary


def test_a_check_that_cannot_run_refuses(good):
    tables = build_frames(good)
    (run,) = run_suites({"days": tables["days"].drop(columns="sensors_up")})
    verdict = Verdict((run.outcome,))
    assert any("sensors_up" in line for line in verdict.notes + verdict.reasons), verdict.as_dict()


def test_a_quarter_without_moves_or_captures_has_nothing_to_fail(good):
    def quiet_rows(day):
        return [Row("jp-1", 17, 53, 1, "JP", "JP", 5)] if day.month == 2 else []

    cube = cube_of(quiet_rows, DOMESTIC)
    quiet = dataclasses.replace(
        good,
        current=cube,
        captures=(),
        accounting_days=tuple(account(5) | {"day": day} for day in Q.days if day.month == 2),
        delegations=(),
        moves=(),
        analysis=analyse_quarter(QuarterInputs(Q, SENSORS, cube, None)),
    )
    verdict = verdict_of(quiet)
    assert not verdict.refused, verdict.as_dict()
    assert {note.split(":")[0] for note in verdict.notes} == {"days"}
