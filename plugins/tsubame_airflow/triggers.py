"""Waits outside of the workers: a trigger costs the triggerer a listing a minute, and no worker slot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tsubame.errors import TsubameError, Unavailable
from tsubame.periods import parse_day

log = logging.getLogger("tsubame.trigger")


class DeliveryTrigger(BaseTrigger):
    """Fires when every active sensor has delivered a report day, or the grace for it is over.

    Its event is ``{"delivered": […], "awaited": […]}``, or ``{"error": …}`` when waiting cannot help.

    Args:
        day: report day, ``2023-01-31``.
        until: end of the grace, ISO 8601 with zone.
        poll_seconds: from one look to the next.
    """

    def __init__(self, day: str, until: str, poll_seconds: float) -> None:
        super().__init__()
        self.day, self.until, self.poll_seconds = day, until, poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer rebuilds the trigger from."""
        arguments = {"day": self.day, "until": self.until, "poll_seconds": self.poll_seconds}
        return "tsubame_airflow.triggers.DeliveryTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, sleep, look again; a store that does not answer is asked again."""
        until = datetime.fromisoformat(self.until)
        told: list[str] = []
        while True:
            over = datetime.now(UTC) >= until
            try:
                found = await asyncio.to_thread(self._look)
            except Unavailable as error:
                log.warning("will look again: %s", error)
            except TsubameError as error:
                yield TriggerEvent({"error": str(error)})
                return
            else:
                if over or not found["awaited"]:
                    yield TriggerEvent(found)
                    return
                if found["awaited"] != told:
                    told = found["awaited"]
                    log.info("%s: waiting until %s for %s", self.day, self.until, ", ".join(told))
            left = (until - datetime.now(UTC)).total_seconds()
            await asyncio.sleep(max(1.0, min(self.poll_seconds, left)))

    def _look(self) -> dict[str, Any]:
        from tsubame.pipeline.delivery import day_delivery
        from tsubame.settings import Settings

        return day_delivery(Settings.from_environment(), parse_day(self.day), now=datetime.now(UTC)).as_dict()
