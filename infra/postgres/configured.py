"""Where Airflow's metadata is: ``DATABASE`` says SQLite in the home (empty), ``postgres``, or an address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.postgres.service import PostgresService, address
from tsubame.errors import UsageError

CHECKOUT = Path(__file__).resolve().parents[2]
_OWN = "postgres"


def database_address(environment: Mapping[str, str]) -> str | None:
    """Return SQLAlchemy's address of the metadata database; None is SQLite in Airflow's home.

    Raises:
        UsageError: ``DATABASE`` names none.
        Unavailable: it is PostgreSQL of one's own, and that was never started.
    """
    wanted = environment.get("DATABASE", "").strip()
    if wanted in ("", "sqlite"):
        return None
    if wanted == _OWN:
        return address(_folder(environment))
    if wanted.startswith(("postgresql://", "postgresql+psycopg2://")):
        return wanted
    # What was found is not shown: an address holds a password.
    raise UsageError(
        "not a database", key="DATABASE", expected="sqlite, postgres, or postgresql://USER:PASSWORD@HOST/NAME"
    )


@contextmanager
def running_database(environment: Mapping[str, str], tell: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Run PostgreSQL meanwhile if ``DATABASE=postgres``; yields what looks whether it lives, raising Unavailable.

    Raises:
        Unavailable: it does not start.
    """
    if environment.get("DATABASE", "").strip() != _OWN:
        yield lambda: None
        return
    tell("starting PostgreSQL")
    with PostgresService(_folder(environment)) as service:
        yield service.check


def _folder(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("POSTGRES_FOLDER", "").strip() or CHECKOUT / "var" / "postgres").absolute()
