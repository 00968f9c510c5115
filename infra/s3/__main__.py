"""``python -m infra.s3``: ``make s3``. Settings: ``S3_FOLDER`` (``var/s3``), ``S3_PORT`` (9000)."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

from infra.airflow.configuration import CHECKOUT
from infra.airflow.services import Interrupted, interruptible
from infra.s3.buckets import BUCKETS, make_buckets, urls
from infra.s3.service import S3Service
from tsubame.errors import TsubameError, UsageError

DEFAULT_PORT = 9000


def main() -> int:
    """Run the service until it is interrupted; returns the exit status."""
    try:
        with interruptible(), configured() as service:
            make_buckets(service.environment(), BUCKETS)
            print(f"# S3 at {service.endpoint}, objects in {service.folder}. In the shell that uses it:")
            for name, value in {**service.environment(), **urls()}.items():
                print(f"export {name}={shlex.quote(value)}")
            print("# Ctrl-C stops it; the objects stay.", flush=True)
            while True:
                service.check()
                time.sleep(1)
    except Interrupted as signalled:
        return 128 + signalled.number
    except TsubameError as error:
        print(f"tsubame: {error}", file=sys.stderr)
        return error.exit_status


def configured() -> S3Service:
    """Return the service that the environment asks for, not yet started.

    Raises:
        UsageError: ``S3_PORT`` is no port.
    """
    text = os.environ.get("S3_PORT", "").strip() or str(DEFAULT_PORT)
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise UsageError("not a port", key="S3_PORT", expected="1 to 65535, or 0 for any", actual=repr(text))
    folder = Path(os.environ.get("S3_FOLDER", "").strip() or CHECKOUT / "var" / "s3")
    return S3Service(folder.absolute(), port=int(text))


if __name__ == "__main__":
    raise SystemExit(main())
