"""The command line: the calls of ``pipeline`` without Airflow."""

import os

# Before numpy is loaded: small matrices on many threads cost several times the CPU of one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tsubame.cli.main import main

__all__ = ["main"]
