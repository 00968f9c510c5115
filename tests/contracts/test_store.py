"""One contract for every kind of store."""

import os
import tempfile
import uuid
from pathlib import Path

import pytest

from tsubame.errors import BadInput, Unavailable
from tsubame.stores import Store, scratch_file, split_object_url


@pytest.fixture(params=["local", "file-url", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        return Store(str(tmp_path / "bucket"))
    if request.param == "file-url":
        return Store(f"file://{tmp_path}/bucket")
    return Store(f"memory://{uuid.uuid4().hex}/bucket")


def test_what_is_put_is_listed_and_read(store):
    store.put("a/b/one.bin", b"1" * 10)
    store.put("a/two.bin", b"22")
    store.put("c.bin", b"")
    assert [(o.key, o.size) for o in store.list()] == [("a/b/one.bin", 10), ("a/two.bin", 2), ("c.bin", 0)]
    assert [o.key for o in store.list("a/")] == ["a/b/one.bin", "a/two.bin"]
    assert [o.key for o in store.list("a/b/on")] == ["a/b/one.bin"]
    assert store.read("a/two.bin") == b"22"
    with store.open("a/b/one.bin") as stream:
        assert stream.read(4) + stream.read() == b"1" * 10
    assert store.folders() == ["a"]
    assert store.folders("a/") == ["b"]
    assert store.entries("a") == [("b", True), ("two.bin", False)]


def test_an_empty_store_lists_nothing(store):
    assert list(store.list()) == []
    assert store.folders() == []
    assert store.info("x") is None


def test_the_etag_changes_with_the_content(store):
    store.put("x", b"old")
    before = store.info("x")
    assert before == next(iter(store.list()))
    store.put("x", b"newer")
    assert store.info("x").etag != before.etag


def test_an_object_is_given_as_a_file_that_can_seek(store, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    store.put("a/x", bytes(range(200)))
    with store.local("a/x") as file:
        assert file.read(3) == bytes(range(3))
        assert file.seek(-2, os.SEEK_END) == 198
        assert file.read() == bytes((198, 199))
        assert file.seek(0) == 0
        assert file.read() == bytes(range(200))
    assert not list((tmp_path / "scratch").iterdir()), "a copy was left"
    with pytest.raises(BadInput, match=r"missing\.bin: does not exist"), store.local("missing.bin"):
        pass


def test_a_copy_that_the_temporary_directory_cannot_hold_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = Store(f"memory://{uuid.uuid4().hex}")
    store.put("x", b"1")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store._fs, "get_file", full, raising=False)
    with (
        pytest.raises(Unavailable, match=rf"^{tmp_path}: cannot hold a temporary file: .* Free some space"),
        store.local("x"),
    ):
        pass


def test_what_is_deleted_is_gone_and_deleting_again_is_no_error(store):
    store.put("x", b"1")
    store.delete("x")
    store.delete("x")
    assert not store.exists("x")


def test_what_is_not_there_is_named(store):
    with pytest.raises(BadInput, match=r"missing\.bin: does not exist"):
        store.read("missing.bin")
    with pytest.raises(BadInput, match=r"missing\.bin: does not exist"):
        store.open("missing.bin").read()


def test_a_store_travels_to_workers(store):
    import pickle

    store.put("x", b"1")
    assert pickle.loads(pickle.dumps(store)).read("x") == b"1"


def test_a_put_that_fails_leaves_the_old_object_and_no_part(tmp_path, monkeypatch):
    store = Store(str(tmp_path))
    store.put("a/x", b"old")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(Unavailable, match=r"a/x: cannot be written: found no space left on device\. Free some space"):
        store.put("a/x", b"new")
    assert store.read("a/x") == b"old"
    assert os.listdir(tmp_path / "a") == ["x"]


def test_a_full_disk_is_one_line():
    store = Store("/dev/full/x")
    with pytest.raises((BadInput, Unavailable)) as caught:
        store.put("a", b"1")
    assert "\n" not in str(caught.value)


def test_an_unknown_kind_of_store_is_named():
    with pytest.raises(BadInput, match="nosuch://b"):
        Store("nosuch://b")


def test_an_object_url_is_split_into_store_and_key(tmp_path):
    (tmp_path / "s.csv").write_bytes(b"x")
    store, key = split_object_url(str(tmp_path / "s.csv"))
    assert store.read(key) == b"x"


def test_a_file_is_put_whole(store, tmp_path):
    source = tmp_path / "source.bin"
    # Enough for an upload in several parts.
    source.write_bytes(b"0123456789" * 4_000_000)
    store.put("a/big.bin", b"old")
    store.put_file("a/big.bin", source)
    assert store.read("a/big.bin") == source.read_bytes()
    assert [o.key for o in store.list()] == ["a/big.bin"]
    assert source.exists()


def test_what_is_written_becomes_the_object_when_it_is_done(store):
    store.put("x", b"old")
    with store.writing("x") as sink:
        sink.write(b"ne")
        sink.write(b"w")
        assert store.read("x") == b"old"
    assert store.read("x") == b"new"


def test_what_is_not_written_to_its_end_never_becomes_the_object(store, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    store.put("x", b"old")

    def fail_half_way():
        with store.writing("x") as sink:
            sink.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert store.read("x") == b"old"
    assert [o.key for o in store.list()] == ["x"]
    assert [path.name for path in sorted(tmp_path.rglob("*")) if path not in before] in ([], ["bucket", "x"])


def test_a_scratch_file_is_read_back_and_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_file() as scratch:
        assert scratch.write(b"0123456789") == 10
        scratch.seek(3)
        buffer = bytearray(4)
        assert scratch.readinto(buffer) == 4
        assert buffer == b"3456"
    assert not list(tmp_path.iterdir())


def test_a_temporary_directory_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises((BadInput, Unavailable), match=r"gone: "), scratch_file():
        pass
