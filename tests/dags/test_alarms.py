"""Alarms reach their receivers over real sockets; one that fails stops nothing."""

import asyncio
import base64
import email
import json
import logging
import socket
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def alarms(in_process):
    return in_process.alarms


@pytest.fixture
def webhook():
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def mailbox():
    """An SMTP server that takes everything."""
    got: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            for line in iter(self.rfile.readline, b""):
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    got.append("".join(part.decode() for part in iter(self.rfile.readline, b".\r\n")))
                self.wfile.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1], got
        server.shutdown()
        thread.join()


def test_an_alarm_is_posted_and_logged(alarms, webhook, monkeypatch, caplog):
    url, got = webhook
    monkeypatch.setenv("TSUBAME_ALARMS", f"webhook:http://127.0.0.1:9/nobody, webhook:{url}")
    with caplog.at_level(logging.WARNING, "tsubame.alarm"):
        alarms.raise_alarm(alarms.Alarm("event", "2023-02-28 37215/TCP", "6 times the mean"))
    assert got == [
        ("/hook", {
            "kind": "event", "subject": "2023-02-28 37215/TCP", "text": "6 times the mean", "more": [],
            "title": "TSUBAME event: 2023-02-28 37215/TCP: 6 times the mean",
        })
    ]  # fmt: skip
    assert "TSUBAME event: 2023-02-28 37215/TCP: 6 times the mean" in caplog.text
    assert "webhook at 127.0.0.1:9: an alarm could not be sent: found [Errno 111] Connection refused" in caplog.text
    assert "nobody" not in caplog.text


def test_an_alarm_is_mailed_by_airflows_connection(alarms, mailbox, monkeypatch):
    port, got = mailbox
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": {
        "disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"}}  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("TSUBAME_ALARMS", "smtp:ops@example.org")
    alarms.raise_alarm(alarms.Alarm("refused_edition", "2023Q1", "ranks <disorder>", ("more",)))
    mail = email.message_from_string(got[0])
    assert mail["Subject"] == "TSUBAME refused edition: 2023Q1: ranks <disorder>"
    assert mail["To"] == "ops@example.org"
    (page,) = mail.get_payload()
    assert page.get_payload(decode=True) == b"<p>ranks &lt;disorder&gt;<br>\nmore</p>"


@pytest.mark.parametrize("setting", ["pager:123", "smtp:nobody", "webhook:file:///etc/passwd"])
def test_a_receiver_of_no_known_kind_is_named(alarms, monkeypatch, caplog, setting):
    monkeypatch.setenv("TSUBAME_ALARMS", setting)
    with caplog.at_level(logging.ERROR, "tsubame.alarm"):
        alarms.raise_alarm(alarms.Alarm("event", "x", "y"))
    kind, _, rest = setting.partition(":")
    assert f"TSUBAME_ALARMS: no receiver of alarms: expected smtp:ADDRESS or webhook:URL, found {kind}:…" in caplog.text
    assert rest not in caplog.text


def test_an_address_with_a_password_is_used_and_never_told(alarms, monkeypatch, caplog):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.headers["Authorization"])
            self.send_error(500)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        host = f"127.0.0.1:{server.server_port}"
        monkeypatch.setenv(
            "TSUBAME_ALARMS", f"webhook:http://me:canary%21@{host}/canary?token=canary,webhook:http://{host}/can ary"
        )
        with caplog.at_level(logging.DEBUG):
            alarms.raise_alarm(alarms.Alarm("event", "x", "y"))
        server.shutdown()
    assert base64.b64decode(asked[0].removeprefix("Basic ")) == b"me:canary!"
    assert f"webhook at {host}: an alarm could not be sent: found HTTP 500" in caplog.text
    assert f"webhook at {host}: an alarm could not be sent: found InvalidURL" in caplog.text
    assert "canary" not in caplog.text
    assert "can ary" not in caplog.text


@pytest.mark.parametrize("kind", ["webhook", "smtp"])
def test_a_receiver_that_hangs_does_not_hang_the_task(alarms, webhook, monkeypatch, caplog, kind):
    url, got = webhook
    monkeypatch.setattr(alarms, "SECONDS", 1.0)
    # It takes the connection and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        silence = {"webhook": f"webhook:http://127.0.0.1:{port}/", "smtp": "smtp:ops@example.org"}[kind]
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": {
            "disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"}}  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("TSUBAME_ALARMS", f"{silence}, webhook:{url}")
        began = time.monotonic()
        alarms.raise_alarm(alarms.Alarm("event", "x", "y"))
        assert time.monotonic() - began < 5
    assert len(got) == 1
    assert "receiver 1 does not answer within 1 s" in caplog.text
    for thread in threading.enumerate():
        if thread.daemon and getattr(thread, "_target", None) is alarms._send:
            thread.join(10)


def test_a_missed_deadline_is_an_alarm_unless_it_is_a_backfills(alarms, webhook, monkeypatch):
    url, got = webhook
    monkeypatch.setenv("TSUBAME_ALARMS", f"webhook:{url}")
    for kind in ("backfill", "scheduled"):
        context = {"dag_run": {"run_type": kind, "partition_key": "2023Q1"}}
        missed = alarms.deadline_missed("the quarter is not published in time", context=context)
        # In a thread: another test's browser may keep an event loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, missed).result()
    assert [posted["title"] for _, posted in got] == ["TSUBAME deadline: 2023Q1: the quarter is not published in time"]


def test_airflow_is_told_every_secret_of_the_settings(in_process):
    from tsubame_airflow.masking import secrets_of

    settings = {
        "AWS_SECRET_ACCESS_KEY": "s3-secret", "AWS_SESSION_TOKEN": "session", "AWS_ACCESS_KEY_ID": "id",
        "TSUBAME_ALARMS": "smtp:ops@example.org, webhook:https://hooks.example/T0/B0/path-secret?code=query-secret, webhook:http://h/alarms",
        "TSUBAME_LAKE_URL": "sftp://me:p%40ss@host/lake", "HOME": "http://me:not-ours@host",
    }  # fmt: skip
    assert set(secrets_of(settings)) == {
        "s3-secret", "session", "T0/B0/path-secret", "code=query-secret", "p%40ss", "p@ss"
    }  # fmt: skip
