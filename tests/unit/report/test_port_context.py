import gzip
import json
import re
from datetime import date
from pathlib import Path

import pytest

from tsubame.errors import BadInput
from tsubame.report.port_context import context_of, port_contexts, read_kev

KEV = Path(__file__).parents[4] / "shared" / "data" / "ref" / "cisa_kev_asof_2023-03-31.json.gz"
Q1 = date(2023, 3, 31)


def test_every_row_has_a_source_a_date_and_both_languages():
    assert len(port_contexts()) >= 50
    for row in port_contexts().values():
        assert row.product[0]
        assert row.product[1]
        assert row.url.startswith("https://")
        assert re.fullmatch(r"\d{4}-\d\d(-\d\d)?", row.date)
        assert row.source
        assert all(re.fullmatch(r"CVE-\d{4}-\d{4,}", cve) for cve in row.cves)
        assert row.protocol in (6, 17)


def test_37215_is_huaweis_router():
    context = context_of((6, 37215), {}, Q1)
    assert "Huawei製ルーターHG532" in context["text_ja"]
    assert "CVE-2017-17215" in context["text_ja"]
    assert "Satori (a variant of Mirai) is known to look for it." in context["text_en"]
    assert [source["title"] for source in context["sources"]] == ["NJCCIC: Satori"]


def test_a_port_without_a_row_has_no_context():
    assert context_of((6, 64999), {}, Q1) is None
    assert context_of((1, None), {}, Q1) is None


def test_the_kev_list_is_read_in_both_forms_and_told_until_the_quarters_end():
    entries = [{"cveID": "CVE-2022-0543", "dateAdded": "2022-03-28"}]
    for content in (json.dumps(entries).encode(), gzip.compress(json.dumps({"vulnerabilities": entries}).encode())):
        known = read_kev(content, key="kev.json")
        assert known["CVE-2022-0543"].added == date(2022, 3, 28)
    told = context_of((6, 6379), known, Q1)
    assert (
        "CVE-2022-0543は、2022年3月28日にCISAの悪用が確認された脆弱性の一覧（KEV）に登録されています。"
        in told["text_ja"]
    )
    assert told["sources"][-1]["date"] == "2022-03-28"
    assert "KEV" not in context_of((6, 6379), known, date(2021, 12, 31))["text_ja"]


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b'{"a": 1}', b"\x1f\x8b\x00", b'[{"cveID": "x", "dateAdded": "soon"}]']
)
def test_what_is_no_kev_list_is_refused(content):
    with pytest.raises(BadInput, match="is no KEV list"):
        read_kev(content, key="kev.json")


def test_the_catalogue_itself_agrees_with_the_table():
    if not KEV.exists():
        pytest.skip("the shared KEV list is not there")
    known = read_kev(KEV.read_bytes(), key=str(KEV))
    assert len(known) > 800
    listed = [row for row in port_contexts().values() if row.source.startswith("CISA")]
    assert listed
    for row in listed:
        assert all(cve in known for cve in row.cves), row
