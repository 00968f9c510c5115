from tsubame.publish.changes import describe_changes


def document(edition, *, rank=2, text="中国は2番目でした。", ratio=1.5, code="1"):
    return {
        "edition": edition,
        "tables": {"ports": [], "regions": [{"region": "CN", "rank": rank, "packets": 1200}]},
        "claims": [] if text is None else [{"id": "c", "text_ja": text, "text_en": text, "ratio": ratio}],
        "lineage": {"code_version": code},
    }


def summary(before, after, lineage_before=None, lineage_after=None):
    return describe_changes(before, after, lineage_before or {}, lineage_after or {})["summary"]


def test_nothing_changed():
    changes = describe_changes(document(1), document(2), {"captures": []}, {"captures": []})
    assert changes["summary"] == {"ja": [], "en": []}
    assert changes["inputs"] == {}
    assert changes["code"] is None
    assert (changes["previous"], changes["edition"]) == (1, 2)


def test_ranks_are_told_by_the_regions_name():
    said = summary(document(1), document(2, rank=1))
    assert said == {"ja": ["中国：順位 2 → 1"], "en": ["China: rank 2 → 1"]}


def test_statements_added_removed_reworded_and_renumbered():
    assert summary(document(1, text=None), document(2))["ja"] == ["記述の追加：中国は2番目でした。"]
    assert summary(document(1), document(2, text=None))["en"] == ["Statement removed: 中国は2番目でした。"]
    assert summary(document(1), document(2, text="別"))["ja"] == ["記述の変更：中国は2番目でした。 → 別"]
    assert summary(document(1), document(2, ratio=1.51))["ja"] == ["文面は同じで根拠の数値が変わった記述の数：1"]


def test_a_row_that_left_the_table_is_told():
    after = document(2)
    after["tables"]["regions"] = []
    assert summary(document(1), after)["en"] == ["China: rank 2 → –", "China: packets 1,200 → –"]


def test_inputs_and_code():
    before = {"captures": [{"key": "a", "sha256": "1"}, {"key": "b", "sha256": "2"}], "sensors": 3}
    after = {"captures": [{"key": "a", "sha256": "9"}, {"key": "c", "sha256": "3"}], "sensors": 3}
    changes = describe_changes(document(1), document(2, code="2"), before, after)
    assert changes["inputs"] == {
        "captures": {
            "added": {"number": 1, "keys": ["c"]},
            "removed": {"number": 1, "keys": ["b"]},
            "changed": {"number": 1, "keys": ["a"]},
        }
    }
    assert changes["summary"]["en"] == [
        "Inputs captures: added 1, removed 1, changed 1",
        "Code version: 1 → 2",
    ]
