"""What Airflow needs to know: its home, settings and secrets.

Everything is written to ``airflow.cfg`` in the home, so that ``airflow`` called by hand with the same
``AIRFLOW_HOME`` sees the same deployment. A variable ``AIRFLOW__SECTION__KEY`` in the environment goes before it.
"""

from __future__ import annotations

import base64
import configparser
import json
import os
import secrets
import sqlite3
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.machine import write_private
from infra.postgres.configured import database_address
from tsubame.errors import Unavailable, UsageError
from tsubame.settings import Settings, load_dotenv

CHECKOUT = Path(__file__).resolve().parents[2]
USER = "admin"
DEFAULT_PORT = 8080
_PASSWORDS = "passwords.json"
_SECRETS = "secrets.json"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One Airflow on this machine.

    Attributes:
        home: ``AIRFLOW_HOME``: database, logs, secrets.
        port: of the API server, on loopback.
        environment: of every service.
    """

    home: Path
    port: int
    environment: Mapping[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """Where the UI and the REST API are."""
        return f"http://localhost:{self.port}"

    @property
    def service_logs(self) -> Path:
        """Folder of the services' own logs."""
        return self.home / "logs" / "services"

    @property
    def password_file(self) -> Path:
        """The file that holds the UI's password; only its owner reads it."""
        return self.home / _PASSWORDS

    @property
    def password(self) -> str:
        """The password of the user ``admin``."""
        return str(json.loads(self.password_file.read_text())[USER])


def deploy(environment: Mapping[str, str] | None = None) -> Deployment:
    """Read the settings, make the home and write what Airflow reads from it.

    Raises:
        UsageError: ``PORT``, ``DATABASE`` or another setting cannot be meant.
        Unavailable: the home cannot be written, or there is no database.
    """
    if environment is None:
        load_dotenv(CHECKOUT / ".env")
        environment = os.environ
    home = Path(environment.get("AIRFLOW_HOME", "").strip() or CHECKOUT / "var" / "airflow").absolute()
    port = _port(environment)
    database = database_address(environment)
    try:
        for folder in (home, home / "logs" / "services"):
            folder.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        keys = _kept_secrets(home)
        _keep_password(home)
        options = _options(home, port, keys, database) | {"metrics": _metrics(environment)[0]}
        write_private(home / "airflow.cfg", _rendered(options))
        if not (database or environment.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")):
            _use_write_ahead_log(home / "airflow.db")
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(
            "cannot be written", key=str(home), actual=getattr(error, "strerror", None) or error,
            hint="Choose another AIRFLOW_HOME.",
        ) from error  # fmt: skip
    return Deployment(home, port, _environment(environment, home))


def _port(environment: Mapping[str, str]) -> int:
    text = environment.get("PORT", "").strip() or str(DEFAULT_PORT)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise UsageError("not a port", key="PORT", expected="1 to 65535", actual=repr(text))
    return int(text)


def _metrics(environment: Mapping[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the options and the variables by which Airflow sends metrics to where ``TSUBAME_METRICS`` says."""
    text = environment.get("TSUBAME_METRICS", "").strip()
    if not text:
        return {}, {}
    wrong = UsageError(
        "no receiver of metrics", key="TSUBAME_METRICS",
        expected="statsd://HOST:PORT, or an OpenTelemetry collector's http://HOST:PORT", actual=repr(text),
    )  # fmt: skip
    try:
        url = urllib.parse.urlsplit(text)
        host, receiver = url.hostname, url.port
    except ValueError:
        raise wrong from None
    if not host or url.scheme not in ("statsd", "http", "https"):
        raise wrong
    if url.scheme != "statsd":
        # Every task is a process of its own, so counters begin anew with each: differences, not sums, can be added up.
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": text,
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
            "OTEL_SERVICE_NAME": "tsubame",
        }
        return {"otel_on": True}, variables
    return {"statsd_on": True, "statsd_host": host, "statsd_port": receiver or 8125}, {}


def _kept_secrets(home: Path) -> dict[str, str]:
    """Return the deployment's keys; made once, since stored connections and logins depend on them."""
    path = home / _SECRETS
    try:
        kept = json.loads(path.read_text())
        return {name: str(kept[name]) for name in ("fernet", "jwt", "session")}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    keys = {
        "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt": secrets.token_urlsafe(48),
        "session": secrets.token_urlsafe(48),
    }
    write_private(path, json.dumps(keys))
    return keys


def _keep_password(home: Path) -> None:
    """Make the UI's password once, before Airflow does: it would leave the file readable to everyone."""
    path = home / _PASSWORDS
    try:
        if json.loads(path.read_text())[USER]:
            path.chmod(0o600)
            return
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    write_private(path, json.dumps({USER: secrets.token_urlsafe(12)}) + "\n")


def _use_write_ahead_log(path: Path) -> None:
    """Readers and the writer of SQLite do not wait for each other in this mode; the file remembers it."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
    database.close()
    path.chmod(0o600)


def _options(home: Path, port: int, keys: Mapping[str, str], database: str | None) -> dict[str, dict[str, object]]:
    url = f"http://localhost:{port}"
    return {
        "core": {
            "dags_folder": CHECKOUT / "dags",
            "plugins_folder": CHECKOUT / "plugins",
            "executor": "LocalExecutor",
            "parallelism": 4,
            "load_examples": False,
            "dags_are_paused_at_creation": True,
            "fernet_key": keys["fernet"],
            "execution_api_server_url": f"{url}/execution/",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": home / _PASSWORDS,
        },
        "database": {"sql_alchemy_conn": database or f"sqlite:///{home / 'airflow.db'}"},
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "base_url": url,
            "workers": 1,
            "secret_key": keys["session"],
            "expose_config": False,
        },
        "api_auth": {"jwt_secret": keys["jwt"]},
        "logging": {"base_log_folder": home / "logs"},
        # A changed or new DAG file is seen within this many seconds.
        "dag_processor": {"refresh_interval": 30, "min_file_process_interval": 30},
        # Tasks of a scheduler that was killed are found within half a minute of the next one's start.
        "scheduler": {"catchup_by_default": False, "orphaned_tasks_check_interval": 30},
        "usage_data_collection": {"enabled": False},
    }


def _rendered(options: Mapping[str, Mapping[str, object]]) -> str:
    lines = ["# Written at every start of the services; AIRFLOW__SECTION__KEY in the environment goes before it."]
    for section, values in options.items():
        lines.append(f"\n[{section}]")
        # A percent sign would be read as the beginning of an interpolation.
        lines += [f"{name} = {str(value).replace('%', '%%')}" for name, value in values.items()]
    content = "\n".join(lines) + "\n"
    configparser.ConfigParser().read_string(content)
    return content


def _environment(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the services' environment: tasks run in other folders, so paths in it are absolute."""
    settings = Settings.from_environment(environment)
    places = {
        "TSUBAME_CAPTURES_URL": settings.captures_url,
        "TSUBAME_DELEGATIONS_URL": settings.delegations_url,
        "TSUBAME_LAKE_URL": settings.lake_url,
        "TSUBAME_SITE_URL": settings.site_url,
        "TSUBAME_SENSORS_URL": settings.sensors_url,
    }
    path = os.pathsep.join(filter(None, [str(CHECKOUT), environment.get("PYTHONPATH", "")]))
    return {
        **_metrics(environment)[1],
        **environment,
        **{name: url if "://" in url else str(CHECKOUT.joinpath(url)) for name, url in places.items()},
        "TSUBAME_TIMEZONE": settings.timezone,
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "SCARF_ANALYTICS": "false",
    }
