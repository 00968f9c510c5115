"""What is kept on the disk is what was made, whoever else writes there and whatever becomes of the files."""

import dataclasses
import gzip
import threading
from datetime import date

import pytest

from tsubame.errors import MalformedDelegation
from tsubame.keys import DelegationKey
from tsubame.pipeline import delegations as module
from tsubame.pipeline.delegations import DelegationArchive
from tsubame.pipeline.recent import Recent
from tsubame.pipeline.region_cache import RegionCache, open_cache
from tsubame.regions.checks import md5_of
from tsubame.stores import Store

TEXT = (
    b"2|ripencc|20230121|3|19830705|20230121|+0100\n"
    b"ripencc|*|ipv4|*|3|summary\n"
    b"ripencc|GB|ipv4|5.0.0.0|768|20100101|allocated|holder-a\n"
    b"ripencc|NL|ipv4|5.0.4.0|256|20100101|allocated|holder-b\n"
    b"ripencc|DE|ipv4|5.0.4.128|128|20110101|assigned|holder-c\n"
)
DAY = date(2023, 1, 21)
KEY = DelegationKey(DAY, "ripencc")


@pytest.fixture
def fresh(monkeypatch):
    """Make every archive forget what the process remembers."""

    def forget():
        for name in ("_headers", "_verified", "_bodies", "_tables", "_changes"):
            monkeypatch.setattr(module, name, Recent(64))

    forget()
    return forget


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path / "delegations"))
    store.put(KEY.key, TEXT)
    store.put(f"{KEY.key}.md5", md5_of(TEXT).encode())
    return store


def use(store, folder):
    archive = DelegationArchive(store, cache=RegionCache(folder))
    return archive, archive.in_use(DAY)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_kept_equals_what_was_made(store, tmp_path, fresh, monkeypatch):
    folder = tmp_path / "cache"
    archive, first = use(store, folder)
    made = archive.read(KEY)
    fresh()
    for name in ("parse_delegated", "build_table"):
        monkeypatch.setattr(module, name, None)  # nothing is parsed or built a second time
    archive, second = use(store, folder)
    kept = archive.read(KEY)
    assert second.table == first.table
    assert second.digest == first.digest
    assert second.table.overlaps == first.table.overlaps
    assert second.table.overlaps.addresses == 128
    assert second.table.starts.tolist() == first.table.starts.tolist()
    assert second.table.region_of(0x05000480) == "DE"
    assert archive.is_verified(KEY) is True
    for each in dataclasses.fields(made):
        assert getattr(made, each.name) == getattr(kept, each.name), each.name


def test_another_content_or_checksum_is_another_entry(store, tmp_path, fresh):
    folder = tmp_path / "cache"
    use(store, folder)
    before = files(folder)
    fresh()
    store.put(KEY.key, TEXT.replace(b"|NL|", b"|FR|"))
    with pytest.raises(MalformedDelegation, match="wrong MD5"):
        DelegationArchive(store, cache=RegionCache(folder)).read(KEY)
    assert files(folder) == before, "what is refused is not kept"
    store.put(f"{KEY.key}.md5", b"not a checksum")
    archive, found = use(store, folder)
    assert archive.is_verified(KEY) is False
    assert found.table.region_of(0x05000400) == "FR"


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b"", lambda b: b[:40] + b"\0" * 8 + b[48:], lambda b: b + b"x"]
)
def test_a_torn_file_is_made_again(store, tmp_path, fresh, damage):
    folder = tmp_path / "cache"
    _, first = use(store, folder)
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    for path, content in whole.items():
        path.write_bytes(damage(content))
    fresh()
    _, second = use(store, folder)
    assert second.table == first.table
    assert {path: path.read_bytes() for path in folder.iterdir()} == whole


def test_many_at_once_read_and_write_the_same(store, tmp_path, fresh):
    folder = tmp_path / "cache"
    _, first = use(store, folder)
    table, found = first.table, []

    def work():
        cache = RegionCache(folder)
        for number in range(20):
            found.append(cache.table(number % 3, lambda: table) == table)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 120
    assert not [name for name in files(folder) if name.endswith(".part")]


def test_a_folder_that_cannot_be_written_keeps_nothing_and_breaks_nothing(store, tmp_path, fresh):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    _, found = use(store, blocked / "cache")
    assert found.table.region_of(0x05000000) == "GB"


def test_the_longest_unused_goes_first(store, tmp_path, fresh):
    import os

    _, found = use(store, tmp_path / "other")
    folder = tmp_path / "cache"
    cache = RegionCache(folder)
    cache.table("old", lambda: found.table)
    (old,) = folder.iterdir()
    os.utime(old, (1, 1))
    small = RegionCache(folder, largest_bytes=old.stat().st_size + 10)
    small.table("new", lambda: found.table)
    assert old.name not in files(folder)
    assert len(files(folder)) == 1


def test_compressed_files_are_kept_alike(tmp_path, fresh):
    store = Store(str(tmp_path / "delegations"))
    key = DelegationKey(DAY, "ripencc", compressed=True)
    store.put(key.key, gzip.compress(TEXT, mtime=0))
    store.put(f"{key.key.removesuffix('.gz')}.md5", md5_of(TEXT).encode())
    archive = DelegationArchive(store, cache=RegionCache(tmp_path / "cache"))
    assert archive.read(key).ipv4.num_rows == 3
    assert archive.is_verified(key) is True


def test_the_folder_is_the_environments(tmp_path, monkeypatch):
    monkeypatch.setenv("TSUBAME_CACHE_DIR", str(tmp_path))
    assert open_cache()._folder == tmp_path / "regions"
    monkeypatch.delenv("TSUBAME_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert open_cache()._folder == tmp_path / "xdg" / "tsubame" / "regions"
