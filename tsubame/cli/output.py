"""What every command shares: a progress bar on a terminal, JSON for machines, warnings on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tsubame.pipeline.cluster import Progress, silent


def warn(text: str) -> None:
    """Print one line of warning."""
    print(f"tsubame: warning: {text}", file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as JSON, readable and in a fixed order."""
    print(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True))


@contextmanager
def progress_bar(enabled: bool = True) -> Iterator[Progress]:
    """Yield a Progress that draws bars on stderr when that is a terminal, and is silent otherwise."""
    if not enabled or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    stages: dict[str, Any] = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in stages:
            stages[stage] = bars.add_task(stage, total=total)
        bars.update(stages[stage], completed=done, total=total)

    with bars:
        yield show
