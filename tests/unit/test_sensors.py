from datetime import date

import pytest

from tsubame.errors import BadInput, MalformedSensors
from tsubame.sensors import parse_network, parse_sensors

HEADER = "sensor_id,address,country,active_from,active_to\n"


def read(text):
    return parse_sensors((HEADER + text).encode())


def test_sensors_are_read_and_sorted():
    registry = read("us-1,198.51.100.0/29,US,2022-01-01,2022-12-31\njp-1,203.0.113.7,JP,2021-10-01,\n")
    assert [s.sensor_id for s in registry] == ["jp-1", "us-1"]
    assert registry.get("jp-1").domestic
    assert not registry.get("us-1").domestic
    assert registry.get("us-1").network == (0xC6336400, 0xC6336407)
    assert [s.sensor_id for s in registry.active(date(2023, 1, 1))] == ["jp-1"]
    with pytest.raises(BadInput, match=r"xx-1.*registry"):
        registry.get("xx-1")


def test_a_sensors_address_is_in_no_text_about_it():
    sensor = read("jp-1,203.0.113.7,JP,2021-10-01,\n").get("jp-1")
    assert "203.0.113" not in repr(sensor)
    assert str(0xCB007107) not in repr(sensor)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jp-1,203.0.113.9999,JP,2021-10-01,\n", r"column address at line 2: expected an IPv4"),
        ("jp-1,203.0.113.7/24,JP,2021-10-01,\n", r"column address at line 2"),
        ("jp-1,203.0.113.7,Japan,2021-10-01,\n", r"column country at line 2"),
        ("jp-1,203.0.113.7,JP,01.10.2021,\n", r"column active_from at line 2"),
        ("jp-1,203.0.113.7,JP,2021-10-01,never\n", r"column active_to at line 2"),
        ("jp-1,203.0.113.7,JP,2021-10-01,2020-01-01\n", r"a day not before 2021-10-01"),
        ("a/b,203.0.113.7,JP,2021-10-01,\n", r"column sensor_id at line 2"),
        ("jp-1,203.0.113.7,JP,2021-10-01,\njp-1,203.0.113.8,JP,2021-10-01,\n", r"jp-1 is there twice at line 3"),
        ("jp-1,203.0.113.7,JP\n", r"wrong number of columns at line 2"),
        ("", r"names no sensor"),
    ],
)
def test_a_malformed_registry_is_refused_by_line_without_its_address(text, message):
    with pytest.raises(MalformedSensors, match=message) as caught:
        read(text)
    assert "203.0.113" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_message_repeats_what_may_be_an_address():
    row = "jp-1,203.0.113.7,JP,2021-10-01,\n"
    for text in (
        row,  # a registry without its header
        row.replace(",", ";") + row,
        HEADER + "203.0.113.7,jp-1,JP,2021-10-01,\n",
        HEADER + "203.0.113.7,203.0.113.7,JP,2021-10-01,\n",
        HEADER + "jp-203-0-113-7,203.0.113.7,JP,2021-10-01,\n",
        HEADER + "jp-1,192.0.2.1,203.0.113.7,2021-10-01,\n",
        HEADER + "jp-1,192.0.2.1,JP,203.0.113.7,\n",
        HEADER + "jp-1,192.0.2.1,JP,2021-10-01,203.0.113.7\n",
        HEADER + "jp-1," + "203.0.113.7" * 20_000 + ",JP,2021-10-01,\n",
    ):
        with pytest.raises(MalformedSensors) as caught:
            parse_sensors(text.encode())
        assert "203.0.113" not in str(caught.value)
        assert "203-0-113" not in str(caught.value)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_way(end):
    content = (HEADER + "jp-1,203.0.113.7,JP,2021-10-01,\n").replace("\n", end)
    assert [sensor.sensor_id for sensor in parse_sensors(b"\xef\xbb\xbf" + content.encode())] == ["jp-1"]


def test_a_wrong_header_and_a_wrong_encoding_are_refused():
    with pytest.raises(MalformedSensors, match="wrong header"):
        parse_sensors(b"id,ip\n")
    with pytest.raises(MalformedSensors, match="is not UTF-8 at byte 0"):
        parse_sensors(b"\xff\xfe")


def test_a_bom_is_not_part_of_the_header():
    assert len(parse_sensors(b"\xef\xbb\xbf" + (HEADER + "a,192.0.2.1,JP,2020-01-01,\n").encode())) == 1


def test_a_network_is_its_first_and_last_address():
    assert parse_network("192.0.2.1") == (0xC0000201, 0xC0000201)
