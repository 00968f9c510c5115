"""A relay between client and S3 service that breaks connections as networks and services do."""

import contextlib
import socket
import threading
from collections import Counter
from urllib.parse import urlsplit

_LATER = b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"


class Relay:
    """Listens on loopback and passes every connection on, unless told otherwise.

    Attributes:
        requests: what was asked for: counts of (method, path).
        refuse: while above 0, requests are answered with 503, each lowering it by one.
        cut: while above 0, a response longer than ``cut_after`` bytes is broken off there, lowering it by one.
        silent: requests are read and never answered.
    """

    def __init__(self, endpoint):
        target = urlsplit(endpoint)
        self._target = (target.hostname, target.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = []
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = Counter()
        self.refuse = self.cut = 0
        self.cut_after = 20_000
        self.silent = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Closing alone would not wake the thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for one in [self._listener, *self._open]:
            one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, ValueError), client, socket.create_connection(self._target) as server:
            from_client, from_server = client.makefile("rb"), server.makefile("rb")
            while head := _head(from_client):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                self.requests[method, path.partition("?")[0]] += 1
                if self.silent:
                    from_client.read()
                    return
                if self.refuse:
                    self.refuse -= 1
                    # Whoever announced a body waits for leave to send it: the answer comes without it, and ends.
                    body = b"" if method == "HEAD" else _LATER
                    refused = b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                    client.sendall(refused % len(body) + body)
                    return
                server.sendall(head)
                if b"expect: 100-continue" in head.lower():
                    client.sendall(_head(from_server))
                server.sendall(_body(from_client, head))
                answer = _head(from_server)
                body = b"" if method == "HEAD" else _body(from_server, answer)
                if self.cut and len(body) > self.cut_after:
                    self.cut -= 1
                    client.sendall(answer + body[: self.cut_after])
                    return
                client.sendall(answer + body)


def _head(stream):
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _length(head):
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _body(stream, head):
    """The body as it stands on the wire, whatever its framing."""
    if b"transfer-encoding: chunked" not in head.lower():
        return stream.read(_length(head))
    parts = []
    while True:
        line = stream.readline()
        size = int(line.split(b";")[0], 16)
        parts.append(line)
        if size == 0:
            return b"".join(parts) + _trailer(stream)
        parts.append(stream.read(size + 2))


def _trailer(stream):
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line)
    return b"".join(lines) + b"\r\n"
