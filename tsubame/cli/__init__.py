"""The command line: the calls of ``pipeline`` without Airflow."""

from tsubame.cli.main import main

__all__ = ["main"]
