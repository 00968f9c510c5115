"""Settings, read once from the environment (and a ``.env`` file) at the edges; never inside a step."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import dotenv

from tsubame.errors import UsageError
from tsubame.keys import SENSORS
from tsubame.periods import DEFAULT_ZONE, load_zone


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and what a day is.

    Attributes:
        captures_url, delegations_url, lake_url, site_url: any fsspec URL, or a path.
        sensors_url: the sensor registry, a file.
        timezone: name of the report day's zone.
        publisher: the body that signs the report.
        licence: terms of the published data, an SPDX identifier.
        kev_url: CISA's list of known exploited vulnerabilities, a file; empty for none.
    """

    captures_url: str = "var/captures"
    delegations_url: str = "var/delegations"
    lake_url: str = "var/lake"
    site_url: str = "var/site"
    sensors_url: str = f"var/captures/{SENSORS}"
    timezone: str = DEFAULT_ZONE
    publisher: str = "TSUBAME"
    licence: str = "CC-BY-4.0"
    kev_url: str = ""

    def __post_init__(self) -> None:
        load_zone(self.timezone)

    @property
    def zone(self) -> ZoneInfo:
        """The report day's zone."""
        return load_zone(self.timezone)

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, *, env_file: Path = Path(".env")
    ) -> Settings:
        """Read the ``TSUBAME_*`` variables; those of ``.env`` count where the environment is silent.

        Raises:
            UsageError: a value that cannot be meant, or a ``.env`` that cannot be read.
        """
        if environment is None:
            load_dotenv(env_file)
            environment = os.environ
        defaults = cls()

        def value(name: str, default: str) -> str:
            return environment.get(f"TSUBAME_{name}", "").strip() or default

        captures = value("CAPTURES_URL", defaults.captures_url).rstrip("/")
        return cls(
            captures_url=captures,
            delegations_url=value("DELEGATIONS_URL", defaults.delegations_url),
            lake_url=value("LAKE_URL", defaults.lake_url),
            site_url=value("SITE_URL", defaults.site_url),
            sensors_url=value("SENSORS_URL", f"{captures}/{SENSORS}"),
            timezone=value("TIMEZONE", defaults.timezone),
            publisher=value("PUBLISHER", defaults.publisher),
            licence=value("LICENCE", defaults.licence),
            kev_url=value("KEV_URL", defaults.kev_url),
        )


def load_dotenv(path: Path) -> None:
    """Put the settings of a ``.env`` file into the environment where it is silent.

    The whole file, not only this project's names: the S3 and Dask settings are read by botocore and Dask
    themselves.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "cannot be read", key=str(path), actual=getattr(error, "strerror", None) or "not UTF-8"
        ) from error
    dotenv.load_dotenv(stream=io.StringIO(content), override=False)
