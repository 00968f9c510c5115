from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsubame import keys
from tsubame.keys import CaptureKey, DelegationKey, FlowsKey, LedgerKey

days = st.dates(date(1980, 1, 1), date(2100, 12, 31))
names = st.from_regex(r"[A-Za-z0-9._~-]{1,30}\.(pcap|pcapng|cap|dmp)(\.gz|\.zst|\.bz2|\.xz|\.lz4)?", fullmatch=True)


@given(st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True), days, names)
def test_capture_keys_say_what_they_mean(sensor, day, name):
    key = CaptureKey(sensor, day, name)
    assert CaptureKey.parse(key.key) == key
    assert key.named_as_capture


@given(names, st.from_regex(r"[0-9a-f]{16}", fullmatch=True), days, days, st.booleans())
def test_flows_keys_say_what_they_mean(name, fingerprint, first, last, rejected):
    key = FlowsKey(f"jp-1/2023/01/02/{name}", fingerprint, first, last, rejected)
    assert FlowsKey.parse(key.key) == key
    assert key.may_contain(first) == (first <= last)


@pytest.mark.parametrize("name", ["a\nb.pcap", "\n.pcap.gz", "日本 2.PCAP", ".pcap.pcapng", "~x~.cap"])
def test_any_name_that_a_file_may_have_comes_back(name):
    key = CaptureKey("jp-1", date(2023, 1, 2), name)
    assert CaptureKey.parse(key.key) == key
    assert key.named_as_capture
    flows = FlowsKey(key.key, "0123456789abcdef", date(2023, 1, 2), None)
    assert FlowsKey.parse(flows.key) == flows


@given(days, st.sampled_from(keys.REGISTRIES), st.booleans(), st.booleans())
def test_delegation_keys_say_what_they_mean(day, registry, extended, compressed):
    key = DelegationKey(day, registry, extended, compressed)
    assert DelegationKey.parse(key.key) == key


@given(days)
def test_ledger_keys_say_their_day(day):
    assert LedgerKey.parse(LedgerKey(day, "0" * 16).key) == LedgerKey(day, "0" * 16)


@pytest.mark.parametrize(
    "key",
    [
        "sensors.csv",
        "jp-1/2023/13/01/a.pcap",
        "jp-1/2023/02/30/a.pcap",
        "jp-1/2023/1/1/a.pcap",
        "jp-1/2023/01/01/x/a.pcap",
    ],
)
def test_what_does_not_lie_where_captures_lie_is_no_capture_key(key):
    assert CaptureKey.parse(key) is None


def test_checksums_beside_captures_are_not_named_as_captures():
    assert not CaptureKey.parse("jp-1/2023/01/01/a.pcap.sha256").named_as_capture
    assert DelegationKey.parse("20230101/delegated-arin-extended-20230101.md5") is None
    assert DelegationKey.parse("20230101/delegated-arin-extended-20230102") is None


def test_month_prefixes_cover_a_span():
    assert keys.month_prefixes(date(2022, 12, 30), date(2023, 2, 1)) == ["2022/12/", "2023/01/", "2023/02/"]
