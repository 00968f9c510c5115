"""What S3 needs beyond what every store has: its region, patience, and the meaning of its refusals.

Nothing is imported from s3fs or botocore: its settings are plain values, its errors are known by their answers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from tsubame.errors import BadInput, TsubameError, Unavailable, UsageError

CONNECT_SECONDS = 10
READ_SECONDS = 20
ATTEMPTS = 4
"""Of a request, with growing pauses; s3fs repeats what still failed, and reads that were cut, RETRIES times.

A service that accepts connections and then says nothing is given up after READ_SECONDS × ATTEMPTS × RETRIES: 4 minutes.
"""
RETRIES = 3

_BAD_KEYS = {"SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken"}
_NO_BUCKET, _NO_BUCKET_HINT = "the bucket does not exist", "Create it, or check the URL."
_MISSING = {"404", "NoSuchKey", "NotFound"}
_SKEW_SECONDS = 15 * 60
"""S3 refuses a signature whose date is farther off (RequestTimeTooSkewed)."""


def options() -> dict[str, Any]:
    """Return s3fs' arguments: no listing is remembered, since others write; requests are repeated.

    botocore itself reads the endpoint and the keys, but ``AWS_REGION`` only under its newer name.
    The environment can set other limits: ``AWS_MAX_ATTEMPTS`` and ``AWS_RETRY_MODE``.

    Raises:
        UsageError: the endpoint holds a secret. botocore refuses it anyhow, after writing it into its log.
    """
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        endpoint = urlsplit(os.environ.get(name, ""))
        if "@" in endpoint.netloc or endpoint.query:
            raise UsageError(
                f"{name} holds more than a scheme, a host and a port",
                hint="Keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            )
    configuration: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
    if not (os.environ.get("AWS_RETRY_MODE") or os.environ.get("AWS_MAX_ATTEMPTS")):
        configuration["retries"] = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    found: dict[str, Any] = {"use_listings_cache": False, "config_kwargs": configuration}
    region = os.environ.get("AWS_REGION", "").strip()
    if region and not os.environ.get("AWS_DEFAULT_REGION"):
        found["client_kwargs"] = {"region_name": region}
    return found


def refusal(error: BaseException, where: str, what: str) -> TsubameError | None:
    """Return what the service's answer behind an error means, or None when no answer is behind it.

    Args:
        where: the object.
        what: what could not be done with it.
    """
    answer = _answer_behind(error)
    if answer is None:
        return None
    code = str(answer.get("Error", {}).get("Code", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code == "NoSuchBucket":
        return BadInput(_NO_BUCKET, key=where, hint=_NO_BUCKET_HINT)
    if code in _MISSING:
        return BadInput("does not exist", key=where)
    said = " ".join(dict.fromkeys(str(part) for part in (status, code) if part))
    if status == 403 and (off := _clock_off(answer, datetime.now(UTC))):
        return Unavailable(what, key=where, actual=f"{said}, and {off}", hint="Check this machine's clock.")
    if code in _BAD_KEYS:
        return Unavailable(what, key=where, actual=said, hint="Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    if status == 403:
        return Unavailable(what, key=where, actual=said, hint="Check the keys, and what they may do.")
    if code in ("SlowDown", "RequestTimeout") or (status or 0) >= 500:
        return Unavailable(what, key=where, actual=said, hint="Try again later.")
    return Unavailable(what, key=where, actual=said, hint="Check the endpoint, the region and the bucket.")


def _clock_off(answer: dict[str, Any], now: datetime) -> str | None:
    """Say how far this clock is from the service's, where that is why it refuses; an answer to HEAD has no code."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        there = parsedate_to_datetime(str(headers.get("date", "")))
    except ValueError:
        there = None
    if there is None or there.tzinfo is None:
        skewed = answer.get("Error", {}).get("Code") == "RequestTimeTooSkewed"
        return "a clock too far from the service's" if skewed else None
    seconds = (now - there).total_seconds()
    if abs(seconds) <= _SKEW_SECONDS:
        return None
    minutes = round(abs(seconds) / 60)
    return f"a clock {minutes // 60} h {minutes % 60:02} min {'ahead of' if seconds > 0 else 'behind'} the service's"


@contextmanager
def refusals(where: str, what: str) -> Iterator[None]:
    """Turn the service's answers within the block into errors that name the object."""
    try:
        yield
    except TsubameError:
        raise
    except Exception as error:
        refused = refusal(error, where, what)
        if refused is None:
            raise
        raise refused from error


def require_bucket(error: BaseException, where: str) -> None:
    """Tell an object that is not there from a bucket that is not there.

    Raises:
        BadInput: there is no such bucket.
    """
    answer = _answer_behind(error)
    if answer is not None and answer["Error"].get("Code") == "NoSuchBucket":
        raise BadInput(_NO_BUCKET, key=where, hint=_NO_BUCKET_HINT) from error


def _answer_behind(error: BaseException | None) -> dict[str, Any] | None:
    """Return the parsed answer of the botocore error that an error was made from."""
    for _ in range(8):
        if error is None:
            return None
        answer = getattr(error, "response", None)
        if isinstance(answer, dict) and "Error" in answer:
            return answer
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None
