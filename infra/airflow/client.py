"""A small client of Airflow's REST API: log in, ask, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tsubame.errors import Unavailable

_SECONDS = 20
# Loopback is never behind a proxy, whatever the environment says.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoAnswer(Exception):
    """The server does not answer now."""


class Refused(Unavailable):
    """The server answered with an error status."""

    def __init__(self, status: int, where: str, text: str) -> None:
        super().__init__("Airflow refused", key=where, actual=f"{status} {text[:300]}")
        self.status = status


@dataclass(slots=True)
class Client:
    """Talks to one API server as one user.

    Args:
        url: of the server.
        user: name of the user.
        password: gives the password when a token is needed.
    """

    url: str
    user: str
    password: Callable[[], str] = field(repr=False)
    _token: str | None = field(default=None, repr=False)

    def version(self) -> str | None:
        """Return the server's version; raises NoAnswer."""
        return str(self._ask("GET", "/api/v2/version").get("version"))

    def is_healthy(self) -> bool:
        """Say whether database, scheduler, dag-processor and triggerer are healthy; raises NoAnswer."""
        health = self._ask("GET", "/api/v2/monitor/health")
        return all(part.get("status") == "healthy" for part in health.values() if part)

    def login(self) -> None:
        """Get a token; raises NoAnswer, Refused."""
        answer = self._ask("POST", "/auth/token", {"username": self.user, "password": self.password()})
        self._token = str(answer["access_token"])

    def get(self, path: str, **query: Any) -> Any:
        """Return what ``/api/v2`` + ``path`` answers; raises NoAnswer, Refused."""
        wanted = urllib.parse.urlencode(query, doseq=True)
        return self._authorised("GET", f"/api/v2{path}" + (f"?{wanted}" if wanted else ""))

    def post(self, path: str, body: Any) -> Any:
        """Send ``body`` to ``/api/v2`` + ``path``; raises NoAnswer, Refused."""
        return self._authorised("POST", f"/api/v2{path}", body)

    def patch(self, path: str, body: Any) -> Any:
        """Change what is at ``/api/v2`` + ``path``; raises NoAnswer, Refused."""
        return self._authorised("PATCH", f"/api/v2{path}", body)

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool unless there is one: its slots are then the operator's to change."""
        known = {pool["name"] for pool in self.get("/pools", limit=100)["pools"]}
        if name not in known:
            self.post("/pools", {"name": name, "slots": slots, "description": description})

    def _authorised(self, method: str, path: str, body: Any = None) -> Any:
        if self._token is None:
            self.login()
        try:
            return self._ask(method, path, body)
        except Refused as refused:
            if refused.status != 401:
                raise
        self.login()
        return self._ask(method, path, body)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Accept": "application/json"}
        if self._token and path.startswith("/api/"):
            headers["Authorization"] = f"Bearer {self._token}"
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        try:
            with _OPENER.open(request, timeout=_SECONDS) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise Refused(error.code, f"{method} {path}", text) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoAnswer(str(error)) from error
