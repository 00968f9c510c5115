"""A scenario file is read as it is written, or refused with the place of the mistake."""

from __future__ import annotations

from datetime import date

import pytest

from tsubame.errors import MalformedScenario
from tsubame.simulate.reading import built_in_scenarios, load_scenario, parse_range, parse_scenario

HEAD = 'title = "t"\nfirst = 2023-01-01\nlast = 2023-01-05\n'
SENSOR = '[[sensors]]\nid = "a"\naddress = "192.0.2.1"\ncountry = "JP"\n'
TRAFFIC = '[[traffic]]\nname = "telnet"\nprotocol = "tcp"\nport = 23\nrates = { CN = 5 }\n'
EVENT = '[[events]]\nname = "e"\nshape = { kind = "burst", onset = 2023-01-02, end = 2023-01-03, factor = 2 }\n'
DAMAGE = '[[damage]]\nsensor = "a"\nday = 2024-01-02\nkind = "foreign"\n'
MISSING = "[[delegations.missing]]\nfirst = 2023-01-02\nlast = 2023-01-01\n"
MOVE = '[[delegations.moves]]\non = 2023-01-02\nregion = "NL"\nranges = ["9.9"]\n'


def parse(text: str):
    return parse_scenario(text.encode(), key="s.toml", name="s")


def test_the_smallest_scenario_has_the_documented_defaults():
    scenario = parse(HEAD + SENSOR + TRAFFIC)
    assert scenario.name == "s"
    assert scenario.first == date(2023, 1, 1)
    assert scenario.timezone == "Asia/Tokyo"
    assert scenario.sensors[0].container == "pcap"
    assert scenario.traffic[0].rates == {"CN": 5.0}


@pytest.mark.parametrize("name", built_in_scenarios())
def test_built_in_scenarios_load(name):
    assert load_scenario(name).name == name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = \n", "at line 1"),
        (HEAD + SENSOR, "key traffic is missing"),
        (HEAD + TRAFFIC, "key sensors is missing"),
        ("title = 3\n" + HEAD[12:] + SENSOR + TRAFFIC, "key title: expected a text, found 3"),
        (HEAD + SENSOR + TRAFFIC + "prot = 1\n", "unknown key traffic[0].prot. Did you mean port"),
        (HEAD + SENSOR + "colour = 1\n" + TRAFFIC, "unknown key sensors[0].colour"),
        (HEAD + SENSOR + TRAFFIC + 'tool = "hammer"\n', "key traffic[0].tool: expected one of '', mirai"),
        (HEAD + SENSOR + TRAFFIC.replace("23", "70000"), "key traffic[0].port: expected at most 65535"),
        (HEAD + SENSOR + TRAFFIC.replace("CN", "China"), "key traffic[0].rates: expected alpha-2 codes"),
        (HEAD + SENSOR + TRAFFIC.replace("= 5 ", "= -5 "), "key traffic[0].rates.CN: expected at least 0"),
        (HEAD + SENSOR + TRAFFIC.replace("= 5 ", "= nan "), "expected a finite number"),
        (HEAD + SENSOR + TRAFFIC.replace("= 5 ", "= true "), "expected a number"),
        (HEAD + SENSOR + TRAFFIC + "noise = -1\n", "key traffic[0].noise"),
        (HEAD + SENSOR + TRAFFIC + "weekly = [1, 2]\n", "expected seven numbers"),
        (HEAD + SENSOR + TRAFFIC + TRAFFIC, "key traffic[1].name: expected a name of its own"),
        (HEAD + SENSOR + TRAFFIC + 'same_hosts_as = "x"\n', "key traffic[0].same_hosts_as"),
        (HEAD + SENSOR + TRAFFIC.replace('"tcp"', '"icmp"'), "key traffic[0].port: expected none"),
        (HEAD + SENSOR + TRAFFIC.replace("port = 23\n", ""), "key traffic[0].port: expected a port"),
        (HEAD + SENSOR + TRAFFIC + 'form = "icmp-reply"\n', "key traffic[0].form"),
        (HEAD + SENSOR + TRAFFIC.replace("rates = { CN = 5 }\n", ""), "neither rates nor blocks"),
        (HEAD + SENSOR + TRAFFIC + 'blocks = { "1.2.3.4/8" = 1 }\n', "key traffic[0].blocks"),
        (HEAD + SENSOR.replace("192.0.2.1", "192.0.2.300") + TRAFFIC, "key sensors[0].address"),
        (HEAD + SENSOR + SENSOR + TRAFFIC, "key sensors[1].id"),
        (HEAD + SENSOR + "snaplen = 10\n" + TRAFFIC, "key sensors[0].snaplen: expected at least 96"),
        (HEAD.replace("2023-01-05", "2022-01-05") + SENSOR + TRAFFIC, "key last"),
        (HEAD.replace("2023-01-05", '"soon"') + SENSOR + TRAFFIC, "key last: expected a date"),
        (HEAD.replace("2023-01-05", "2023-01-05T00:00:00Z") + SENSOR + TRAFFIC, "key last: expected a date"),
        (HEAD + 'timezone = "Mars/Base"\n' + SENSOR + TRAFFIC, "key timezone"),
        (HEAD + 'name = "x"\n' + SENSOR + TRAFFIC, "key name"),
        (HEAD + SENSOR + TRAFFIC + EVENT + 'traffic = ["telet"]\n', "key events[0].traffic"),
        (HEAD + SENSOR + TRAFFIC + EVENT + 'regions = ["US"]\n', "key events[0].regions"),
        (HEAD + SENSOR + TRAFFIC + EVENT.replace(", end = 2023-01-03", ""), "key events[0].shape.end"),
        (HEAD + SENSOR + TRAFFIC + EVENT.replace("01-03", "01-01"), "onset, peak, end in this order"),
        (HEAD + SENSOR + TRAFFIC + EVENT.replace("burst", "wave"), "events[0].shape"),
        (HEAD + SENSOR + TRAFFIC + '[[outages]]\nsensor = "b"\nfirst = 2023-01-01\nlast = 2023-01-02\n', "outages[0]"),
        (HEAD + SENSOR + TRAFFIC + "[delegations]\nrecords = { mars = 3 }\n", "delegations.records.mars"),
        (HEAD + SENSOR + TRAFFIC + DAMAGE, "key damage[0].day: expected a day from 2023-01-01 to 2023-01-05"),
        (HEAD + SENSOR + TRAFFIC + MISSING, "key delegations.missing[0].last"),
        (HEAD + SENSOR + TRAFFIC + MOVE, "key delegations.moves[0].ranges"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(text, says):
    with pytest.raises(MalformedScenario) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith("s.toml: ")
    assert says in message
    assert "\n" not in message


def test_the_sensors_address_is_not_repeated_in_an_error():
    with pytest.raises(MalformedScenario) as caught:
        parse(HEAD + SENSOR.replace("192.0.2.1", "192.0.2.300") + TRAFFIC)
    assert "192.0.2" not in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(MalformedScenario, match="no such scenario: expected a TOML file or one of 2023Q1"):
        load_scenario(tmp_path / "none.toml")
    with pytest.raises(MalformedScenario, match="cannot be read"):
        load_scenario(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(MalformedScenario, match="is not UTF-8 at byte 9"):
        load_scenario(tmp_path / "bytes.toml")


def test_ranges():
    assert parse_range("10.0.0.0/30") == (0x0A000000, 0x0A000003)
    assert parse_range("67.58.224.0-67.67.255.255")[1] - parse_range("67.58.224.0-67.67.255.255")[0] + 1 == 598016
    with pytest.raises(ValueError, match="ends before"):
        parse_range("10.0.0.2-10.0.0.1")
