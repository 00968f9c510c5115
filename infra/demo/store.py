"""Where the demo keeps its objects: folders in ``var/``, or with ``STORE=s3`` an S3 service of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.airflow.configuration import CHECKOUT
from infra.s3.buckets import BUCKETS, make_buckets, urls
from infra.s3.service import S3Service
from tsubame.errors import UsageError

STORES = ("", "local", "s3")


@contextmanager
def configured_store(tell: Callable[[str], None]) -> Iterator[Mapping[str, str]]:
    """Yield the variables that point at the demo's store; run the S3 service meanwhile if that is the store.

    Raises:
        UsageError: ``STORE`` names none.
        Unavailable: the S3 service does not start.
    """
    kind = os.environ.get("STORE", "").strip().lower()
    if kind not in STORES:
        raise UsageError("not a kind of store", key="STORE", expected="local or s3", actual=repr(kind))
    if kind != "s3":
        yield {}
        return
    folder = Path(os.environ.get("S3_FOLDER", "").strip() or CHECKOUT / "var" / "s3").absolute()
    tell("starting the S3 service")
    with S3Service(folder) as service:
        make_buckets(service.environment(), BUCKETS)
        tell(f"S3 is up at {service.endpoint}; its objects stay in {folder}, `make s3` serves them again")
        yield {**service.environment(), **urls(), "TSUBAME_SENSORS_URL": ""}
