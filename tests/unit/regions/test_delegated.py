"""Delegation files of both forms, and every way a line of one can be broken."""

import gzip
from datetime import date, timedelta

import pytest

from tsubame.errors import MalformedDelegation
from tsubame.regions.delegated import faults_by_kind, identify, parse_delegated

EXTENDED = """# a comment
#
2.3|ripencc|20230121|7|19830705|20230121|+0100
ripencc|*|ipv4|*|4|summary
ripencc|*|asn|*|2|summary
ripencc|*|ipv6|*|1|summary
ripencc|GB|ipv4|80.82.64.0|4096|20100816|allocated|a76eb471
ripencc|NL|ipv4|192.0.2.0|768|19930901|assigned|b-1
ripencc||ipv4|198.51.100.0|256||available
ripencc||ipv4|203.0.113.0|256||reserved|
ripencc|EU|asn|2|1|00000000|allocated|c
ripencc|DE|asn|196608|10|20070101|allocated|c|further|extensions
ripencc|FR|ipv6|2001:db8::|32|19990826|allocated|d
"""
PLAIN = """2|lacnic|20030101|1|19870101|20030101|-0300
lacnic|*|asn|*|0|summary
lacnic|*|ipv4|*|1|summary
lacnic|*|ipv6|*|0|summary
lacnic|BR|ipv4|200.0.0.0|65536|19950101|allocated
"""


def parse(text: str):
    return parse_delegated(text.encode(), key="file")


def test_the_extended_form():
    file = parse(EXTENDED)
    assert file.faults == ()
    assert (file.registry, file.day, file.extended) == ("ripencc", date(2023, 1, 21), True)
    assert file.header.utc_offset == timedelta(hours=1)
    assert file.comments == ("a comment", "")
    assert file.summaries == file.record_lines == {"ipv4": 4, "asn": 2, "ipv6": 1}
    first, second, free, kept = file.ipv4.to_pylist()
    assert first == {
        "first": 0x50524000, "last": 0x50524FFF, "region": "GB", "status": "allocated", "holder": "a76eb471",
        "date": date(2010, 8, 16), "line": 7,
    }  # fmt: skip
    assert (second["first"], second["last"]) == (0xC0000200, 0xC00004FF)
    assert (free["region"], free["status"], free["date"], free["holder"]) == ("", "available", None, "")
    assert kept["status"] == "reserved"
    assert [(row["first"], row["last"], row["date"]) for row in file.asn.to_pylist()] == [
        (2, 2, None),
        (196608, 196617, date(2007, 1, 1)),
    ]
    (six,) = file.ipv6.to_pylist()
    assert (six["first"], six["prefix_length"]) == (bytes.fromhex("20010db8") + bytes(12), 32)


def test_the_plain_form_and_gzip_of_several_members():
    file = parse(PLAIN)
    assert (file.extended, file.faults, file.ipv4.column("holder").to_pylist()) == (False, (), [""])
    half = len(PLAIN) // 2
    packed = gzip.compress(PLAIN[:half].encode()) + gzip.compress(PLAIN[half:].encode())
    again = parse_delegated(packed, key="file.gz")
    assert again.ipv4.equals(file.ipv4)
    assert again.identity == file.identity


def test_carriage_returns_a_byte_order_mark_and_blank_lines_do_no_harm():
    text = "\ufeff" + PLAIN.replace("\n", "\r\n") + "\r\n   \r\n"
    file = parse(text)
    assert file.faults == ()
    assert file.ipv4.drop_columns("line").equals(parse(PLAIN).ipv4.drop_columns("line"))


@pytest.mark.parametrize(
    ("line", "what", "kept"),
    [
        ("ripencc|GB|ipv4|80.82.64.0|4096|20100816", "6 fields where a record has 7 or 8", False),
        ("nonsense", "1 fields where a record has 7 or 8", False),
        ("|", "2 fields where a record has 7 or 8", False),
        ("\x00\x01\x02", "1 fields where a record has 7 or 8", False),
        ("arin|GB|ipv4|80.82.64.0|4096|20100816|allocated|x", "registry is not ripencc", False),
        ("RIPENCC|GB|ipv4|80.82.64.0|4096|20100816|allocated|x", "registry is not ripencc", False),
        ("2|ripencc|20230121|7|19830705|20230121|+0100", "registry is not ripencc", False),
        ("ripencc|GB|ipv5|80.82.64.0|4096|20100816|allocated|x", "type is not asn, ipv4 or ipv6", False),
        ("ripencc|G|ipv4|80.82.64.0|4096|20100816|allocated|x", "country is not two letters", False),
        ("ripencc|GBR|ipv4|80.82.64.0|4096|20100816|allocated|x", "country is not two letters", False),
        ("ripencc|G1|ipv4|80.82.64.0|4096|20100816|allocated|x", "country is not two letters", False),
        ("ripencc|*|ipv4|80.82.64.0|4096|20100816|allocated|x", "country is not two letters", False),
        ("ripencc|gb|ipv4|80.82.64.0|4096|20100816|allocated|x", "country in lower case", True),
        ("ripencc||ipv4|80.82.64.0|4096|20100816|allocated|x", "delegated without a country", True),
        ("ripencc|GB|ipv4|80.82.64|4096|20100816|allocated|x", "start is no IPv4 address", False),
        ("ripencc|GB|ipv4|80.82.64.256|4096|20100816|allocated|x", "start is no IPv4 address", False),
        ("ripencc|GB|ipv4|2001:db8::|4096|20100816|allocated|x", "start is no IPv4 address", False),
        ("ripencc|GB|ipv4|80.82.64.0|0|20100816|allocated|x", "value is no number of addresses", False),
        ("ripencc|GB|ipv4|80.82.64.0|-4|20100816|allocated|x", "value is no number of addresses", False),
        ("ripencc|GB|ipv4|80.82.64.0|/20|20100816|allocated|x", "value is no number of addresses", False),
        ("ripencc|GB|ipv4|80.82.64.0||20100816|allocated|x", "value is no number of addresses", False),
        ("ripencc|GB|ipv4|255.255.255.0|257|20100816|allocated|x", "range runs past the last of all addresses", False),
        ("ripencc|GB|ipv4|80.82.64.0|4096|20101301|allocated|x", "date is not YYYYMMDD", True),
        ("ripencc|GB|ipv4|80.82.64.0|4096|2010-08-16|allocated|x", "date is not YYYYMMDD", True),
        (
            "ripencc|GB|ipv4|80.82.64.0|4096|20100816|legacy|x",
            "status is not allocated, assigned, available or reserved",
            False,
        ),
        (
            "ripencc|GB|ipv4|80.82.64.0|4096|20100816||x",
            "status is not allocated, assigned, available or reserved",
            False,
        ),
        ("ripencc|GB|asn|AS1|1|20100816|allocated|x", "start is no AS number", False),
        ("ripencc|GB|asn|4294967296|1|20100816|allocated|x", "start is no AS number", False),
        ("ripencc|GB|asn|4294967295|2|20100816|allocated|x", "range runs past the last of all AS numbers", False),
        ("ripencc|GB|ipv6|2001:db8|32|20100816|allocated|x", "start is no IPv6 address", False),
        ("ripencc|GB|ipv6|" + "1" * 5000 + "|32|20100816|allocated|x", "start is no IPv6 address", False),
        ("ripencc|GB|ipv6|2001:db8::|129|20100816|allocated|x", "value is no IPv6 prefix length", False),
    ],
)  # fmt: skip
def test_every_malformed_line_is_reported_by_its_number(line, what, kept):
    lines = EXTENDED.splitlines()
    file = parse("\n".join([*lines[:9], line, *lines[9:]]) + "\n")
    (fault, *_) = [fault for fault in file.faults if fault.line == 10]
    assert (fault.what, fault.kept) == (what, kept)
    assert fault.text == line[:80]
    whole = parse(EXTENDED)
    total = sum(table.num_rows for table in (file.ipv4, file.asn, file.ipv6))
    assert total == sum(table.num_rows for table in (whole.ipv4, whole.asn, whole.ipv6)) + kept
    assert file.dropped == (not kept)


def test_a_record_without_a_country_and_one_in_lower_case_have_a_region():
    text = "2|apnic|20230101|2|||+1000\napnic|*|ipv4|*|2|summary\n"
    file = parse(text + "apnic|jp|ipv4|1.0.0.0|256||allocated|x\napnic||ipv4|1.0.1.0|256||assigned|x\n")
    assert file.ipv4.column("region").to_pylist() == ["JP", "ZZ"]


def test_as_numbers_of_the_older_notation():
    text = "2|apnic|20090101|2|||+1000\napnic|*|asn|*|2|summary\n"
    file = parse(text + "apnic|JP|asn|2.10|1|20081201|allocated\napnic|JP|asn|2.99999|1|20081201|allocated\n")
    assert file.asn.column("first").to_pylist() == [131082]
    assert [(fault.line, fault.what) for fault in file.faults] == [(4, "start is no AS number")]


def test_opaque_ids_may_be_any_utf8_and_what_is_not_is_reported():
    text = "2|apnic|20090101|2|||+1000\napnic|*|ipv4|*|2|summary\n"
    content = (
        text.encode()
        + "apnic|JP|ipv4|1.0.0.0|256||allocated|é\n".encode()
        + b"apnic|JP|ipv4|1.0.1.0|256||allocated|\xff\xfe\n"
    )
    file = parse_delegated(content, key="file")
    assert file.ipv4.column("holder").to_pylist() == ["é", ""]
    assert [(fault.line, fault.what, fault.kept) for fault in file.faults] == [(4, "opaque-id is not UTF-8", True)]


def test_counts_are_held_against_the_content():
    file = parse(EXTENDED.replace("|ipv4|*|4|", "|ipv4|*|5|").replace("ripencc|*|asn|*|2|summary\n", ""))
    assert [str(fault).split(": ")[:2] for fault in file.faults] == [
        ["line 3", "no summary line for 2 asn records"],
        ["line 4", "summary states 5 ipv4 records, the file has 4"],
    ]
    file = parse(EXTENDED.replace("20230121|7|", "20230121|9|"))
    assert [fault.what for fault in file.faults] == ["version line states 9 records, the file has 7"]
    assert all(fault.kept for fault in file.faults)


def test_a_second_summary_of_a_type_is_reported():
    file = parse(EXTENDED + "ripencc|*|asn|*|3|summary\n")
    assert [(fault.line, fault.what) for fault in file.faults] == [
        (14, "a summary that is given twice, or of nothing known")
    ]
    file = parse(EXTENDED + "ripencc|*|dns|*|3|summary\n")
    assert [fault.line for fault in file.faults] == [14]
    file = parse(EXTENDED + "ripencc|*|" + "x" * 5000 + "|*|3|summary\n")
    assert [fault.line for fault in file.faults] == [14]


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_file_whose_end_is_missing_is_known_for_it(keep):
    lines = [f"ripencc|GB|ipv4|10.{i // 256}.{i % 256}.0|256|20100816|allocated|x\n" for i in range(1000)]
    text = "2|ripencc|20230121|1000||20230121|+0100\nripencc|*|ipv4|*|1000|summary\n" + "".join(lines)
    assert not parse(text).is_cut
    assert parse(text[: int(len(text) * keep)]).is_cut
    whole_lines = text[: int(len(text) * keep)].rpartition("\n")[0] + "\n"
    assert parse(whole_lines).is_cut
    miscounted = parse(text.replace("|1000|", "|1001|"))
    assert not miscounted.is_cut
    assert miscounted.faults


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not a delegation file"),
        (b"# only a comment\n", "not a delegation file"),
        (b"<html>\n<body>503</body></html>\n", "no version line at line 1"),
        (b"# c\n\nripencc|GB|ipv4|80.82.64.0|4096|20100816|allocated|x\n", "no version line at line 3"),
        (b"2|nobody|20230121|7|19830705|20230121|+0100\n", "not one of the registries at line 1"),
        (b"2|ripencc|20230121|many|19830705|20230121|+0100\n", "no version line at line 1"),
        (b"2|ripencc|20230121|7|19830705|20230121\n", "no version line at line 1"),
        (gzip.compress(EXTENDED.encode())[:60], "gzip data ends too early"),
        (b"\x1f\x8b rest is no gzip", "broken gzip data"),
        (b"\xd4\xc3\xb2\xa1" + bytes(40), "no version line at line 1"),
    ],
)
def test_what_is_no_delegation_file_is_refused_in_one_line(content, what):
    with pytest.raises(MalformedDelegation) as caught:
        parse_delegated(content, key="the-file")
    text = str(caught.value)
    assert text.startswith("the-file: ")
    assert what in text
    assert "\n" not in text


def test_the_versions_of_the_version_line():
    def header(line: str):
        return parse(line + "\n")

    arin = header("2.3|arin|1539406814230|0|19700101|20181013|-0400")
    assert (arin.day, arin.own_days) == (date(2018, 10, 13), (date(2018, 10, 13),))
    ripe = header("2|ripencc|1539467999|0|19830705|20181013|+0200")
    assert ripe.header.issued_on == date(2018, 10, 13)
    apnic = header("2.3|apnic|20181014|0||20181012|+1000")
    assert (apnic.day, apnic.own_days) == (date(2018, 10, 14), (date(2018, 10, 12), date(2018, 10, 14)))
    assert apnic.faults == ()
    afrinic = header("2|afrinic|20181013|0|00000000|20181013|00000")
    assert (afrinic.header.first_day, afrinic.header.utc_offset, afrinic.faults) == (None, timedelta(0), ())
    odd = header("2|afrinic|7|0|20181399|20181013|noon")
    assert [fault.what for fault in odd.faults] == ["start date is no date", "UTC offset is not +hhmm"]
    assert header("2|lacnic|20991231|0||20181013|-0300").day == date(2018, 10, 13)
    assert header("2|lacnic|x|0||00000000|-0300").day is None


def test_identity_ignores_the_dates_and_nothing_else():
    base = identify(EXTENDED.encode(), key="a")
    later = EXTENDED.replace("2.3|ripencc|20230121|7|19830705|20230121", "2.3|ripencc|20230122|7|19830705|20230122")
    assert identify(later.encode(), key="b") == base
    for old, new in (("+0100", "+0200"), ("|7|", "|8|"), ("GB", "NL"), ("a comment", "b comment"), ("2.3|", "2|")):
        assert identify(EXTENDED.replace(old, new).encode(), key="c") != base


def test_types_that_are_not_wanted_are_only_counted():
    file = parse_delegated(EXTENDED.encode(), key="file", types=("ipv4",))
    assert (file.ipv4.num_rows, file.asn.num_rows, file.ipv6.num_rows) == (4, 0, 0)
    assert file.record_lines == {"ipv4": 4, "asn": 2, "ipv6": 1}
    assert file.faults == ()


def test_faults_are_summed_up_by_kind():
    file = parse(EXTENDED + "x\ny\n" + "ripencc|gb|ipv4|80.82.64.0|4096|20100816|allocated|x\n")
    kinds = dict(faults_by_kind(file.faults))
    assert kinds["1 fields where a record has 7 or 8"] == 2
    assert kinds["country in lower case"] == 1
