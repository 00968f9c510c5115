"""Tells Airflow which of this deployment's settings are secrets, so that no log shows them, however verbose it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from airflow.sdk.log import mask_secret

_SHORTEST = 12
"""Characters of a path or query that may be a secret; a word like `alarms` would be blotted out everywhere."""
_PLAIN = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def mask_settings(environment: Mapping[str, str] | None = None) -> None:
    """Have Airflow replace the secrets in whatever this process and its supervisor log."""
    for secret in secrets_of(os.environ if environment is None else environment):
        mask_secret(secret)


def secrets_of(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield S3's keys, what the addresses of alarms hold beyond their host, and passwords within URLs."""
    yield from (environment[name] for name in _PLAIN if environment.get(name))
    for entry in environment.get("TSUBAME_ALARMS", "").split(","):
        kind, _, address = entry.strip().partition(":")
        if kind == "webhook":
            parts = urlsplit(address)
            yield from (part for part in (parts.path.strip("/"), parts.query) if len(part) >= _SHORTEST)
    for name, value in environment.items():
        if name.startswith(("TSUBAME_", "AWS_", "DASK_")) and "://" in value:
            user = value.partition("://")[2].partition("/")[0].rpartition("@")[0]
            if password := user.partition(":")[2]:
                yield from {password, unquote(password)}
