"""The audit of dependencies: vulnerable, clean, and not asked are three different things; a real OSV server answers."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.scripts import audit_dependencies
from infra.scripts.audit_dependencies import PROBE, main

FLAW = {
    "id": "OSV-1", "summary": "bad", "details": "very bad", "aliases": ["CVE-1"], "modified": "2026-01-01T00:00:00Z",
    "affected": [{
        "package": {"name": "bad", "ecosystem": "PyPI"}, "versions": ["1.0"],
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
    }],
}  # fmt: skip


@contextlib.contextmanager
def database(answer):
    """Serve ``answer(question)`` as (status, content) on loopback; yields the URL and the names asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(question["package"]["name"])
            status, content = answer(question)
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
        server.shutdown()


def known(question):
    """A database that knows the probe's flaws, and one of ``bad``."""
    if question["package"]["name"] in (PROBE["package"]["name"], "bad"):
        return 200, {"vulns": [FLAW]}
    return 200, {}


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "requirements.lock.txt"
    path.write_text("good==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    return path


def test_a_vulnerable_package_fails_the_check_and_is_named(lock, monkeypatch, capsys):
    lock.write_text(lock.read_text() + "bad==1.0 \\\n    --hash=sha256:" + "1" * 64 + "\n")
    with database(known) as (url, _):
        monkeypatch.setenv("AUDIT_URL", url)
        assert main([str(lock)]) == 1
    said = capsys.readouterr()
    assert said.err == "audit: bad 1.0: CVE-1, mended in 1.1\n"
    assert said.out == "audit: 2 locked packages, 1 vulnerable\n"


def test_a_clean_lock_passes_after_every_package_was_asked_for(lock, monkeypatch, capsys):
    with database(known) as (url, asked):
        monkeypatch.setenv("AUDIT_URL", url)
        assert main([str(lock)]) == 0
    assert asked == ["jinja2", "good"]
    assert capsys.readouterr().out == "audit: 1 locked packages, 0 vulnerable\n"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda _: (404, {}), "HTTP 404"),
        (lambda _: (200, {}), "what answers is no such database"),
        (lambda _: (200, []), "what answers is no such database"),
        (lambda q: known(q) if q["package"]["name"] == "jinja2" else (500, {}), "pip-audit did not finish"),
    ],
)
def test_a_database_that_does_not_answer_as_one_is_said_and_fails_nothing(lock, monkeypatch, capsys, answer, says):
    with database(answer) as (url, _):
        monkeypatch.setenv("AUDIT_URL", url)
        assert main([str(lock)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("audit: not done: ")
    assert says in said.out
    assert said.out.count("\n") == 1
    assert said.err == ""


def test_nobody_there_and_silence_are_told_soon(lock, monkeypatch, capsys):
    monkeypatch.setattr(audit_dependencies, "_SECONDS_FOR_PROBE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AUDIT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        began = time.monotonic()
        assert main([str(lock)]) == 0
        assert time.monotonic() - began < 5
    assert "no answer within 0.3 s" in capsys.readouterr().out
    assert main([str(lock)]) == 0
    assert "Connection refused" in capsys.readouterr().out
