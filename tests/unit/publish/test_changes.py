"""Which inputs an edition's changes name."""

from tsubame.publish.changes import describe_changes


def test_a_day_or_sensor_that_changed_is_named_as_changed():
    document = {"edition": 1, "tables": {"ports": [], "regions": []}, "claims": [], "lineage": {"code_version": "1"}}
    before = {
        "days": [{"day": "2023-01-01", "counts_sha256": "a"}, {"day": "2023-01-02", "counts_sha256": "b"}],
        "sensors": [{"sensor_id": "jp-1", "active_to": None}],
        "captures": [{"key": "x", "size": 1}],
    }
    after = {
        "days": [{"day": "2023-01-01", "counts_sha256": "c"}, {"day": "2023-01-02", "counts_sha256": "b"}],
        "sensors": [{"sensor_id": "jp-1", "active_to": "2023-02-01"}],
        "captures": [{"key": "x", "size": 1}, {"key": "y", "size": 2}],
    }
    inputs = describe_changes(document, {**document, "edition": 2}, before, after)["inputs"]
    assert inputs["days"]["changed"] == {"number": 1, "keys": ["2023-01-01"]}
    assert inputs["sensors"]["changed"]["keys"] == ["jp-1"]
    assert inputs["captures"]["added"]["keys"] == ["y"]
    assert inputs["days"]["added"]["number"] == inputs["days"]["removed"]["number"] == 0
