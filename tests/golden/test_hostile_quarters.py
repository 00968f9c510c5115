"""Quarters that a report was not written for: no sentence may be false, no figure empty, nothing may crash."""

import re
from datetime import date

import pytest

from tests.unit.analysis.quarter_data import Q, Row, cube_of
from tsubame.analysis.explore import build_explorer
from tsubame.analysis.quarter import QuarterInputs, analyse_quarter
from tsubame.analysis.series import SensorFacts
from tsubame.errors import NotReady
from tsubame.publish.editions import build_edition
from tsubame.report.claims import derive_claims
from tsubame.report.document import build_document, validate_document
from tsubame.report.figures import plan_figures
from tsubame.report.linter import lint_edition

SENSORS = ("jp-a", "jp-b")
FACTS = (
    SensorFacts("jp-a", True, date(2022, 12, 1), None),
    SensorFacts("jp-b", True, date(2022, 12, 1), None),
    SensorFacts("us-a", False, date(2022, 12, 1), None),
)
# Codes unknown to CLDR or of no country, and what no registry has delegated ("").
REGIONS = ("EU", "AP", "ZZ", "", "US", "JP")


def rows(day):
    """Two sensors, one dead from mid-February on; ICMP, UDP, a protocol without ports, ports without a name, ties."""
    ports = ((1, 0), (17, 123), (6, 61_234), (47, 0), (17, 61_235), (6, 23))
    for place, (protocol, port) in enumerate(ports):
        for source, region in enumerate(REGIONS):
            for sensor in SENSORS if day < date(2023, 2, 15) else SENSORS[:1]:
                packets = 5 if place < 3 else 2
                address = (20 + source) << 24 | place
                yield Row(sensor, protocol, port, address, region, region, packets)
    yield Row("us-a", 6, 23, 99 << 24, "US", "US", 50)


@pytest.fixture(scope="module")
def hostile():
    return analyse_quarter(QuarterInputs(Q, FACTS, cube_of(rows, SENSORS), None))


def test_a_quarter_of_two_sensors_says_nothing_false(hostile, context):
    document = build_document(hostile, context, plan_figures(hostile))
    validate_document(document)
    claims = derive_claims(hostile)
    # Three ports, and all regions, had the same packets every day: none led, and none had most.
    assert {claim.kind for claim in claims} <= {"close", "domestic_sources"}
    for claim in claims:
        assert "前四半期" not in claim.text_ja
        assert "previous" not in claim.text_en
        assert "多く観測" not in claim.text_ja
    assert [row["previous_label"] for row in document["tables"]["ports"]] == ["－"] * 5
    labels = {row["label"] for row in document["tables"]["ports"]}
    assert {"ICMP", "123/UDP（ntp）", "61234/TCP"} <= labels
    assert "" not in {row["region"] for row in document["tables"]["regions"]}
    for row in document["tables"]["regions"]:
        assert row["name_ja"]
        assert row["name_en"]


def test_its_edition_is_whole_and_its_words_are_those_of_its_data(hostile, context):
    cube = cube_of(rows, SENSORS)
    edition = build_edition(hostile, context, networks=[], explorer=build_explorer(cube, home="JP"))
    page = edition.files["index.html"].decode()
    assert not re.search(r"\b(?:None(?! of)|nan|inf)\b", re.sub(r"<style>.*?</style>", "", page, flags=re.S))
    assert edition.files["report.ja.pdf"].startswith(b"%PDF")
    drawn = {path for path in edition.files if path.endswith(".png")}
    assert len(drawn) >= 6
    for path in drawn:
        assert len(edition.files[path]) > 5_000, path
    for figure in re.findall(r'src="(figures/[^"]+)"', page):
        assert figure in edition.files


def test_a_sensor_that_died_is_no_fall_in_traffic(hostile):
    for series in hostile.port_series.values():
        assert max(series.per_sensor) == min(series.per_sensor)
    assert not any(hostile.port_events.values())
    assert not any(hostile.region_events.values())


def silent(day):
    return [row for row in rows(day) if row.sensor == "us-a"]


def test_no_packet_at_home_is_told_not_reported():
    with pytest.raises(NotReady, match="no packet of any domestic sensor"):
        analyse_quarter(QuarterInputs(Q, FACTS, cube_of(silent, SENSORS), None))


def one_day(day):
    return list(rows(day)) if day == date(2023, 2, 1) else silent(day)


def test_a_quarter_of_one_day_is_reported_as_one(context):
    analysis = analyse_quarter(QuarterInputs(Q, FACTS, cube_of(one_day, SENSORS), None))
    plans = plan_figures(analysis)
    document = build_document(analysis, context, plans)
    validate_document(document)
    assert document["has_gaps"]
    assert {claim["kind"] for claim in document["claims"]} <= {"rank", "close", "domestic_sources"}
    edition = build_edition(analysis, context, networks=[])
    assert list(lint_edition(document, edition.files)) == []
