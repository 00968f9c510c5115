"""What a person should hear of without looking: one alarm, and where it is sent.

``TSUBAME_ALARMS`` lists the receivers: ``smtp:ops@example.org`` (by Airflow's connection ``smtp_default``) and
``webhook:https://…`` (POST of JSON), separated by commas. Every alarm is also in the log, as a warning.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow.sdk import AsyncCallback, DeadlineAlert

from tsubame.errors import Unavailable, UsageError
from tsubame.redaction import redact
from tsubame_airflow import metrics
from tsubame_airflow.deadlines import FirstQueuedAt
from tsubame_airflow.deployment import deadline_hours, grace_hours

log = logging.getLogger("tsubame.alarm")

SECONDS = 30.0
"""How long a task waits until all receivers together have taken its alarm."""
_SECONDS_PER_READ = 15
KINDS = ("refused_edition", "missing_sensors", "stale_delegations", "event", "deadline")


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person should know of.

    Attributes:
        kind: one of ``KINDS``.
        subject: the quarter, day or series that it is about.
        text: one line.
        more: further lines.
    """

    kind: str
    subject: str
    text: str
    more: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """One line that stands alone."""
        return f"TSUBAME {self.kind.replace('_', ' ')}: {self.subject}: {self.text}"


Receiver = Callable[[Alarm], None]


def receivers(environment: Mapping[str, str] | None = None) -> list[Receiver]:
    """Return whom the deployment sends alarms to.

    Raises:
        UsageError: ``TSUBAME_ALARMS`` names a receiver of no known kind.
    """
    text = (os.environ if environment is None else environment).get("TSUBAME_ALARMS", "")
    return [_receiver(entry.strip()) for entry in text.split(",") if entry.strip()]


def _receiver(entry: str) -> Receiver:
    kind, _, address = entry.partition(":")
    if kind == "smtp" and "@" in address:
        return lambda alarm: _mail(address, alarm)
    if kind == "webhook" and address.startswith(("https://", "http://")):
        return lambda alarm: _post(address, alarm)
    # Whatever follows may be an address that whoever knows it can post to.
    raise UsageError(
        "no receiver of alarms", key="TSUBAME_ALARMS", expected="smtp:ADDRESS or webhook:URL", actual=f"{kind}:…"
    )


def raise_alarm(alarm: Alarm) -> None:
    """Log an alarm and send it to all receivers at once.

    One that fails is logged; one that hangs is left behind after half a minute. Neither stops the task.
    """
    log.warning("%s", alarm.title)
    metrics.alarm(alarm.kind)
    try:
        chosen = receivers()
    except UsageError as error:
        log.error("%s", error)  # noqa: TRY400 - the message is the whole story
        return
    # A socket's timeout bounds each read only, and mail is tried several times; daemon threads hold nothing up.
    sending = [threading.Thread(target=_send, args=(receive, alarm), daemon=True) for receive in chosen]
    for thread in sending:
        thread.start()
    until = time.monotonic() + SECONDS
    for number, thread in enumerate(sending, 1):
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            log.error("an alarm could not be sent: receiver %d does not answer within %g s", number, SECONDS)


def _send(receive: Receiver, alarm: Alarm) -> None:
    try:
        receive(alarm)
    except Unavailable as error:
        log.error("%s", error)  # noqa: TRY400 - the message is the whole story
    except Exception as error:  # noqa: BLE001 - an alarm must not fail what it tells of
        log.error("an alarm could not be sent: %s: %s", type(error).__name__, redact(str(error)))  # noqa: TRY400


def _mail(address: str, alarm: Alarm) -> None:
    import html

    from airflow.providers.smtp.hooks.smtp import SmtpHook

    content = "<br>\n".join(html.escape(line) for line in (alarm.text, *alarm.more))
    with SmtpHook() as hook:
        hook.send_email_smtp(to=address, subject=alarm.title, html_content=f"<p>{content}</p>")


def _post(url: str, alarm: Alarm) -> None:
    body = json.dumps(asdict(alarm) | {"title": alarm.title}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"}
    where = urlsplit(url)
    user, _, host = where.netloc.rpartition("@")
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(unquote(user).encode()).decode()
    bare = where._replace(netloc=host).geturl()
    request = urllib.request.Request(bare, body, headers, method="POST")  # noqa: S310 - receivers() takes only HTTP
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS_PER_READ):  # noqa: S310 - receivers() takes only HTTP
            return
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"HTTP {error.code}"
    except OSError as error:
        reason = str(getattr(error, "reason", error))
    except (http.client.HTTPException, ValueError) as error:
        # Their texts quote the address, whose path is the secret with most services.
        reason = type(error).__name__
    raise Unavailable("an alarm could not be sent", key=f"webhook at {host}", actual=reason)


async def deadline_missed(what: str, context: Mapping[str, Any]) -> None:
    """Tell that a run was not done in time; Airflow's triggerer calls this.

    A backfill's runs are queued all at once, long before their turn: they have no deadline.
    """
    run = context["dag_run"]
    if run.get("run_type") == "backfill":
        return
    subject = str(run.get("partition_key") or run.get("dag_run_id") or run.get("run_id"))
    await asyncio.to_thread(raise_alarm, Alarm("deadline", subject, what))


def day_deadline() -> DeadlineAlert:
    """Return the alert for a day that is not counted in time after its grace."""
    return _deadline(grace_hours() + deadline_hours(), "the day is not counted in time")


def quarter_deadline() -> DeadlineAlert:
    """Return the alert for a quarter that is not published in time after its lag."""
    return _deadline(deadline_hours(), "the quarter is not published in time")


def _deadline(hours: int, what: str) -> DeadlineAlert:
    return DeadlineAlert(
        reference=FirstQueuedAt(),
        interval=timedelta(hours=hours),
        callback=AsyncCallback("tsubame_airflow.alarms.deadline_missed", kwargs={"what": what}),
    )
