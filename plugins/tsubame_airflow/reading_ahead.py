"""Reads what the observation page shows when the API server starts, so that its first reader need not wait.

The page's data are two years of small immutable objects; read once, they stay in the server's memory. Airflow gives a
plugin no moment of its own at the server's start, but it builds a middleware there, and in no other service.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

log = logging.getLogger("tsubame.page")


class ReadAhead:
    """A middleware that changes no request: its making starts the reading, in a thread that ends with the process."""

    def __init__(self, app: Any) -> None:
        self._app = app
        threading.Thread(target=read_ahead, name="tsubame-reads-ahead", daemon=True).start()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on."""
        await self._app(scope, receive, send)


def read_ahead() -> None:
    """Ask once what the page will ask; a failure is the page's to tell."""
    try:
        from tsubame_airflow import pages

        pages.read_ranks(last=None)
        pages.read_quarters(number=8)
        pages.read_days(days=pages.LONGEST_DAYS, last=None)
    except Exception as error:  # noqa: BLE001 - a server without its data still serves all else
        log.warning("the observation page's data could not be read ahead: %s: %s", type(error).__name__, error)
