"""``python -m infra.compose.make_secrets``: makes the secrets that ``compose.yaml`` mounts, once; what is there stays.

The folder is for its owner alone. The files are readable beyond that: containers read them as a user of their own.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.dask.certificates import ROLES, make_certificates, make_server_certificates
from infra.s3.configuration import ACCOUNT

FOLDER = Path(__file__).with_name("secrets")


def make_secrets(folder: Path = FOLDER) -> list[str]:
    """Write the secrets that are missing; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    groups = (_database, _storage, _airflow, _dask, _servers)
    made: list[str] = []
    for group in groups:
        contents = group()
        # Those of a group belong together: a password without the address that uses it would be none.
        if all((folder / name).exists() for name in contents):
            continue
        for name, content in contents.items():
            path = folder / name
            path.unlink(missing_ok=True)
            path.write_text(content)
            path.chmod(0o444)
            made.append(name)
    return made


def _database() -> Mapping[str, str]:
    password = secrets.token_urlsafe(30)
    return {
        "postgres_password": password,
        "airflow_database": f"postgresql+psycopg2://airflow:{password}@postgres:5432/airflow",
    }


def _storage() -> Mapping[str, str]:
    secret = secrets.token_urlsafe(30)
    profile = f"[default]\naws_access_key_id = {ACCOUNT}:admin\naws_secret_access_key = {secret}\n"
    return {"s3_secret": secret, "aws_credentials": profile}


def _airflow() -> Mapping[str, str]:
    return {
        "airflow_fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "airflow_jwt": secrets.token_urlsafe(48),
        "airflow_session": secrets.token_urlsafe(48),
        "airflow_passwords": json.dumps({"admin": secrets.token_urlsafe(12)}),
    }


def _dask() -> Mapping[str, str]:
    place = Path(tempfile.mkdtemp(prefix="tsubame-tls-"))
    try:
        make_certificates(place)
        names = ("ca", *ROLES)
        return {f"dask_{name}": (place / f"{name}.pem").read_text() for name in names}
    finally:
        # The authority's key goes with it: a new host gets new certificates for all.
        shutil.rmtree(place)


def _servers() -> Mapping[str, str]:
    """Return the authority and the certificates by which clients know PostgreSQL and S3 by their names."""
    hosts = {name: (name, "localhost", "127.0.0.1") for name in ("postgres", "s3")}
    place = Path(tempfile.mkdtemp(prefix="tsubame-tls-"))
    try:
        make_server_certificates(place, hosts)
        files = {"servers_ca": "ca.pem"} | {f"{name}_tls": f"{name}.pem" for name in hosts}
        return {secret: (place / file).read_text() for secret, file in files.items()}
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    for name in make_secrets():
        print(f"{FOLDER / name}", file=sys.stderr)
