"""The store contract on a real S3 service, and what only S3 can do wrong."""

import hashlib
import inspect
import os
import socket

import pytest

from tests.contracts import test_store as contract
from tests.integration.s3.conftest import point_at
from tsubame import s3 as s3_module
from tsubame.cli.main import main
from tsubame.errors import BadInput, Unavailable
from tsubame.stores import Store

pytestmark = pytest.mark.integration

# Every test of the contract that takes a store runs here with this module's store.
for _name, _test in vars(contract).copy().items():
    if _name.startswith("test_") and "store" in inspect.signature(_test).parameters:
        globals()[_name] = _test

OPERATIONS = {
    "list": lambda store: list(store.list()),
    "folders": lambda store: store.folders(),
    "info": lambda store: store.info("a.bin"),
    "read": lambda store: store.read("a.bin"),
    "open": lambda store: store.open("a.bin").read(),
    "local": lambda store: _local(store),
    "put": lambda store: store.put("b.bin", b"1"),
}


def _local(store):
    with store.local("a.bin") as file:
        return file.read()


@pytest.fixture(params=["bucket", "prefix"])
def store(request, bucket):
    return Store(bucket if request.param == "bucket" else f"{bucket}/some/prefix")


@pytest.fixture
def filled(bucket):
    store = Store(bucket)
    store.put("a.bin", os.urandom(100_000))
    return store


def test_the_etag_is_that_of_the_content(filled):
    assert filled.info("a.bin").etag == hashlib.md5(filled.read("a.bin")).hexdigest()


def test_a_large_object_is_written_in_parts_and_read_as_a_stream(bucket, tmp_path):
    source = tmp_path / "large.bin"
    source.write_bytes(os.urandom(40 * 2**20))
    store = Store(bucket)
    store.put_file("large.bin", source)
    assert store.info("large.bin").size == 40 * 2**20
    assert store.info("large.bin").etag.endswith(("-3", "-N")), "three parts"
    with store.open("large.bin") as stream, source.open("rb") as expected:
        while block := expected.read(3_000_000):
            assert stream.read(len(block)) == block
        assert stream.read(1) == b""
    with store.local("large.bin") as file, source.open("rb") as expected:
        assert hashlib.file_digest(file, "sha256").digest() == hashlib.file_digest(expected, "sha256").digest()


def test_a_listing_of_several_pages_is_whole(bucket, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    store = Store(bucket)
    keys = [f"d/{n:04}" for n in range(60)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put(key, b""), keys))
    from botocore.session import get_session

    client = get_session().create_client("s3", region_name=os.environ["AWS_REGION"])
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket[5:], PaginationConfig={"PageSize": 7})
    assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    assert [item.key for item in store.list()] == keys
    assert [item.key for item in store.list("d/001")] == keys[10:20]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_wrong_secret_is_refused_and_not_told(filled, monkeypatch, operation):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-a-secret")
    point_at(monkeypatch, {})
    with pytest.raises(Unavailable, match=r"found 403.*\. Check .*(key|KEY)") as caught:
        OPERATIONS[operation](Store(filled.url))
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_bucket_that_is_not_there_is_named(s3, operation):
    with pytest.raises(BadInput, match=r"s3://no-such-bucket.*: the bucket does not exist\. Create it"):
        OPERATIONS[operation](Store("s3://no-such-bucket/x"))


def test_a_user_without_the_right_is_refused(s3, filled, monkeypatch):
    point_at(monkeypatch, s3.environment("reader"))
    for operation in OPERATIONS.values():
        with pytest.raises(Unavailable, match="found 403"):
            operation(Store(filled.url))


def test_no_credentials_at_all_is_one_line(filled, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nonexistent")
    point_at(monkeypatch, {})
    with pytest.raises(Unavailable, match="Unable to locate credentials"):
        list(Store(filled.url).list())


def test_the_region_is_taken_from_either_name(s3, filled, monkeypatch):
    assert s3_module.options()["client_kwargs"] == {"region_name": "ap-northeast-1"}
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-1")
    assert "client_kwargs" not in s3_module.options()


@pytest.mark.parametrize("operation", ["list", "read", "put"])
def test_a_service_that_asks_for_patience_gets_it(filled, relay, operation):
    relay.refuse = 2
    OPERATIONS[operation](Store(filled.url))
    assert relay.refuse == 0


def test_a_service_that_only_refuses_is_unavailable(filled, relay):
    relay.refuse = 10**6
    with pytest.raises(Unavailable, match=r"a\.bin: cannot be read: found 503.*\. Try again later\."):
        Store(filled.url).open("a.bin").read()


def test_a_read_that_is_cut_once_is_taken_up_again(filled, relay):
    whole = filled.read("a.bin")
    relay.cut = 1
    with Store(filled.url).open("a.bin") as stream:
        assert stream.read() == whole
    for operation in ("read", "local"):
        relay.cut = 1
        assert OPERATIONS[operation](Store(filled.url)) == whole


@pytest.mark.parametrize("operation", ["open", "read", "local"])
def test_a_read_that_is_always_cut_is_unavailable_and_never_a_shorter_object(filled, relay, operation):
    relay.cut = 10**6
    with pytest.raises(Unavailable, match=r"a\.bin: cannot be read: "):
        OPERATIONS[operation](Store(filled.url))


def test_a_service_that_says_nothing_is_given_up(filled, relay, monkeypatch):
    monkeypatch.setattr(s3_module, "READ_SECONDS", 0.3)
    relay.silent = True
    with pytest.raises(Unavailable, match="cannot be listed"):
        list(Store(filled.url).list())


def test_objects_that_were_acknowledged_outlive_the_service(s3, filled):
    whole = filled.read("a.bin")
    s3.kill()
    with pytest.raises(Unavailable):
        filled.read("a.bin")
    s3.start()
    assert filled.read("a.bin") == whole


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        (lambda: {"AWS_SECRET_ACCESS_KEY": "canary-of-a-secret"}, 4, "403"),
        (lambda: {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{free_port()}"}, 4, "Could not connect"),
        (lambda: {"TSUBAME_CAPTURES_URL": "s3://no-such-bucket"}, 3, "s3://no-such-bucket"),
        (lambda: {"AWS_ENDPOINT_URL_S3": "no endpoint"}, 3, "no endpoint"),
    ],
)
def test_the_command_line_says_in_one_line_what_is_wrong(
    s3, bucket, monkeypatch, capsys, tmp_path, change, status, says
):
    for name in ("captures", "delegations", "lake", "site"):
        monkeypatch.setenv(f"TSUBAME_{name.upper()}_URL", f"{bucket}/{name}")
    monkeypatch.delenv("TSUBAME_SENSORS_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    point_at(monkeypatch, change())
    assert main(["status", "--from", "2023-01-14", "--to", "2023-01-15"]) == status
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1, said
    assert says in said[0]
    assert "canary" not in said[0]
