import csv
import gzip
import io
from pathlib import Path

import pytest

from tsubame.report.names import REGION_NAMES, port_label, port_slug, region_name, service_name

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "ref"
REGISTRY = SHARED / "iana_service-names-port-numbers_jgraef_2024-06.csv.gz"
PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132, "dccp": 33}


@pytest.mark.parametrize(
    ("protocol", "port", "ja", "en"),
    [
        (6, 23, "23/TCP（telnet）", "23/TCP (telnet)"),
        (6, 80, "80/TCP（http）", "80/TCP (http)"),
        (6, 443, "443/TCP（https）", "443/TCP (https)"),
        (6, 445, "445/TCP（microsoft-ds）", "445/TCP (microsoft-ds)"),
        (6, 6379, "6379/TCP（redis）", "6379/TCP (redis)"),
        (6, 6010, "6010/TCP（x11）", "6010/TCP (x11)"),
        (6, 37215, "37215/TCP", "37215/TCP"),
        (6, 8728, "8728/TCP", "8728/TCP"),
        (17, 53413, "53413/UDP", "53413/UDP"),
        (17, 53, "53/UDP（domain）", "53/UDP (domain)"),
        (1, None, "ICMP", "ICMP"),
        (253, None, "IP protocol 253", "IP protocol 253"),
    ],
)
def test_labels_are_the_registrys(protocol, port, ja, en):
    assert port_label(protocol, port) == ja
    assert port_label(protocol, port, "en") == en


def test_a_slug_is_fit_for_an_identifier():
    assert port_slug(6, 23) == "23-tcp"
    assert port_slug(1, None) == "icmp"
    assert port_slug(253, None) == "ip-protocol-253"


@pytest.mark.shared
@pytest.mark.skipif(not REGISTRY.exists(), reason="the shared copy of IANA's registry is not beside the checkout")
def test_every_assignment_of_the_registry_is_known_and_nothing_else():
    expected = {}
    text = gzip.decompress(REGISTRY.read_bytes()).decode("utf-8-sig")
    for row in csv.DictReader(io.StringIO(text)):
        name, ports = row["Service Name"].strip(), row["Port Number"].strip()
        protocol = PROTOCOL_NUMBERS.get(row["Transport Protocol"].strip())
        if name and ports and protocol:
            first, _, last = ports.partition("-")
            for port in range(int(first), int(last or first) + 1):
                expected.setdefault((protocol, port), set()).add(name)
    for protocol in PROTOCOL_NUMBERS.values():
        for port in range(65_536):
            names = expected.get((protocol, port))
            found = service_name(protocol, port)
            assert (found in names) if names else (found is None), (protocol, port)


@pytest.mark.parametrize(
    ("region", "ja", "en"),
    [
        ("US", "米国", "United States"),
        ("CN", "中国", "China"),
        ("NL", "オランダ", "Netherlands"),
        ("RU", "ロシア", "Russia"),
        ("GB", "英国", "United Kingdom"),
        ("KR", "韓国", "South Korea"),
        ("IN", "インド", "India"),
        ("BR", "ブラジル", "Brazil"),
        ("TW", "台湾", "Taiwan"),
        ("HK", "香港", "Hong Kong"),
        ("JP", "日本", "Japan"),
        ("BG", "ブルガリア", "Bulgaria"),
        ("CA", "カナダ", "Canada"),
        ("EU", "欧州連合（EU）", "European Union (EU)"),
        ("AP", "アジア太平洋地域（AP）", "Asia-Pacific (AP)"),
        ("QQ", "QQ", "QQ"),
    ],
)
def test_regions_are_named_as_the_report_names_them(region, ja, en):
    assert region_name(region) == ja
    assert region_name(region, "en") == en


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the shared ISO 3166 names are not beside the checkout")
def test_regions_are_named_by_cldr_where_the_report_has_no_usage_of_its_own():
    with (SHARED / "iso3166_en_ja.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["cldr_ja"]]
    assert len(rows) > 240
    for row in rows:
        code = row["alpha2"]
        assert region_name(code, "ja") != code
        if code not in REGION_NAMES:
            assert (region_name(code, "ja"), region_name(code, "en")) == (row["cldr_ja"], row["cldr_en"])
