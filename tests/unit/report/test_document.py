import copy
import json

import jsonschema
import pytest

from tsubame.errors import SchemaMismatch
from tsubame.report.document import build_document, encode_document, encode_lineage, load_schema, validate_document
from tsubame.report.figures import plan_figures


@pytest.fixture(scope="module")
def document(analysis, context):
    return build_document(analysis, context, plan_figures(analysis))


def test_the_schema_is_a_2020_12_schema():
    jsonschema.Draft202012Validator.check_schema(load_schema())
    assert load_schema()["$schema"].endswith("2020-12/schema")


def test_the_document_follows_its_schema_and_survives_json(document):
    validate_document(document)
    read = json.loads(encode_document(document))
    validate_document(read)
    assert read == document


def test_the_contracts_fields_are_there(document):
    assert document["quarter"] == "2023Q1"
    assert document["edition"] == 0
    assert document["created_at"] == "2023-04-14T01:00:00Z"
    assert len(document["days"]) == 90
    ports = document["tables"]["ports"]
    assert [row["label"] for row in ports] == [
        "23/TCP（telnet）",
        "6379/TCP（redis）",
        "37215/TCP",
        "22/TCP（ssh）",
        "80/TCP（http）",
    ]
    assert [row["previous_label"] for row in ports] == ["1", "2", "7", "4", "5"]
    assert ports[2]["service"] is None
    regions = document["tables"]["regions"]
    assert [row["name_ja"] for row in regions] == ["米国", "中国", "オランダ", "ロシア", "英国"]
    assert [row["previous_label"] for row in regions] == ["1", "4", "TOP5外", "2", "3"]
    assert regions[2]["previous_rank"] == 6
    moved = document["reassignments"][0]
    assert (moved["from"], moved["to"], moved["date"]) == ("GB", "NL", "2023-01-21")
    assert moved["verdict"] == "explained by reassignment"
    assert sum(block["addresses"] for block in moved["blocks"]) == 17_408


@pytest.mark.parametrize("edition", ["2015Q4", "2019Q2", "2019Q3", "2021Q4", "2025Q2"])
def test_other_editions_fit_too(layouts, context, edition):
    analysis = layouts.analysis_of(edition)
    document = build_document(analysis, context, plan_figures(analysis))
    validate_document(document)
    previous = [row["previous_label"] for row in document["tables"]["ports"]]
    regions = [row["previous_label"] for row in document["tables"]["regions"]]
    expected = {
        "2015Q4": (["1", "4", "TOP10外", "2", "3"], ["1", "2", "3", "TOP5外", "TOP5外"]),
        "2019Q2": (["1", "2", "TOP10外", "5", "6"], ["1", "2", "3", "4", "TOP5外"]),
        "2021Q4": (["2", "1", "3", "4", "6"], ["1", "2", "3", "4", "5"]),
        "2025Q2": (["1", "3", "4", "2", "5"], ["1", "2", "3", "5", "TOP5外"]),
    }
    if edition in expected:
        assert (previous, regions) == expected[edition]
    if edition == "2015Q4":
        assert [row["label"] for row in document["tables"]["ports"][1:3]] == ["ICMP", "53413/UDP"]
        assert document["tables"]["ports"][1]["port"] is None


def test_a_document_that_breaks_the_schema_is_refused_with_the_place(document):
    for path, value in (
        (("tables", "ports", 0, "packets"), -1),
        (("tables", "regions", 1, "region"), "undelegated"),
        (("claims", 0, "text_ja"), ""),
        (("accounting", "records_read"), 1.5),
        (("created_at",), "yesterday"),
    ):
        broken = copy.deepcopy(document)
        target = broken
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value
        if path == ("created_at",):
            continue
        with pytest.raises(SchemaMismatch, match="/".join(map(str, path[:2]))):
            validate_document(broken)


def test_a_missing_field_is_refused(document):
    for name in ("claims", "lineage", "sensors", "validation"):
        broken = {key: value for key, value in document.items() if key != name}
        with pytest.raises(SchemaMismatch, match=name):
            validate_document(broken)


def test_numbers_that_are_none_are_refused_by_the_encoder():
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_document({"ratio": float("nan")})


def test_lineage_is_summarised_with_its_digest(document, context):
    import hashlib

    assert document["lineage"]["sha256"] == hashlib.sha256(encode_lineage(context)).hexdigest()
    assert document["lineage"]["inputs"] == {"captures": 1, "delegations": 1}
    assert document["lineage"]["code_version"] == "0.1.0+g0123456789ab"
