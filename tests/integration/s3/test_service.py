"""The S3 service as ``make s3`` and the demo run it: what it prints, keeps, and leaves behind."""

import contextlib
import http.client
import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from infra.demo.store import configured_store
from infra.s3.buckets import BUCKETS
from infra.s3.service import S3Service
from tests.integration.s3.conftest import point_at
from tsubame.errors import Unavailable, UsageError
from tsubame.stores import Store

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).resolve().parents[3]


def left_over(folder):
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(folder) in word for word in process.cmdline()) and process.pid != os.getpid():
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def serve(folder):
    """Start the service by its command; returns it with the variables it prints."""
    environment = {**os.environ, "S3_FOLDER": str(folder), "S3_PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.s3"], env=environment, cwd=CHECKOUT, text=True, stdout=subprocess.PIPE
    )
    exports = {}
    for line in process.stdout:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exports[name] = shlex.split(value)[0]
        if "Ctrl-C" in line:
            return process, exports
    raise AssertionError(f"ended with {process.wait()}")


def test_the_command_serves_until_interrupted_and_keeps_objects_and_keys(tmp_path, monkeypatch):
    folder = tmp_path / "s3"
    process, exports = serve(folder)
    with process:
        assert set(exports) >= {"AWS_ENDPOINT_URL_S3", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "TSUBAME_LAKE_URL"}
        point_at(monkeypatch, exports)
        Store(exports["TSUBAME_LAKE_URL"]).put("a/b", b"kept")
        with pytest.raises(Unavailable, match="runs already"), S3Service(folder):
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert left_over(folder) == []
    for path in (folder / "secrets.json", folder / "etc" / "proxy-server.conf"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    process, again = serve(folder)
    with process:
        assert again["AWS_SECRET_ACCESS_KEY"] == exports["AWS_SECRET_ACCESS_KEY"]
        point_at(monkeypatch, again)
        assert Store(again["TSUBAME_LAKE_URL"]).read("a/b") == b"kept"
        # Killed without a chance to clean up: the servers end by themselves.
        process.kill()
        process.wait()
    deadline = time.monotonic() + 30
    while left_over(folder) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left_over(folder) == []


def test_it_comes_back_on_its_port_at_once_while_it_is_asked(tmp_path):
    over = threading.Event()

    def ask(port):
        while not over.wait(0.02):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/healthcheck")
                with connection.getresponse() as answer:
                    answer.read()

    with S3Service(tmp_path / "s3") as service, ThreadPoolExecutor(4) as pool:
        port = service.port
        asking = [pool.submit(ask, port) for _ in range(4)]
        try:
            for end in (service.stop, service.kill) * 3:
                end()
                service.start()
                assert service.port == port
        finally:
            over.set()
        assert [each.result() for each in asking] == [None] * 4


def test_the_demos_store_is_s3_when_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("STORE", "s3")
    monkeypatch.setenv("S3_FOLDER", str(tmp_path / "s3"))
    told = []
    with configured_store(told.append) as places:
        point_at(monkeypatch, places)
        for name in BUCKETS:
            store = Store(places[f"TSUBAME_{name.partition('-')[2].upper()}_URL"])
            assert list(store.list()) == []
        assert not any(places["AWS_SECRET_ACCESS_KEY"] in line for line in told)
    assert left_over(tmp_path / "s3") == []


@pytest.mark.parametrize("kind", ["", "local"])
def test_the_demos_store_is_folders_otherwise(monkeypatch, kind):
    monkeypatch.setenv("STORE", kind)
    with configured_store(print) as places:
        assert places == {}


def test_a_kind_of_store_that_is_none(monkeypatch):
    monkeypatch.setenv("STORE", "tape")
    with pytest.raises(UsageError, match="STORE: not a kind of store: expected local or s3, found 'tape'"):
        configured_store(print).__enter__()


def test_a_port_that_is_taken_is_named(tmp_path, s3_service):
    with pytest.raises(Unavailable, match=f"port {s3_service.port} is taken"):
        S3Service(tmp_path / "other", port=s3_service.port).start()


def test_a_folder_that_cannot_hold_objects_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="file/s3: cannot hold an S3 service"):
        S3Service(tmp_path / "file" / "s3").start()
