"""``tsubame report`` and ``tsubame run``: a quarter's edition."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from tsubame.cli.days import report_faults
from tsubame.cli.output import print_json, progress_bar, warn
from tsubame.periods import Quarter


def add_parser(subparsers: Any) -> None:
    """Add both commands."""
    purpose = "counts → edition: analyse, validate, publish"
    report = subparsers.add_parser("report", help=purpose, description=purpose)
    purpose = "everything for a quarter: captures → flows → counts → edition"
    whole = subparsers.add_parser("run", help=purpose, description=purpose)
    whole.add_argument("--previous", action="store_true", help="also count the quarter before, for previous ranks")
    for parser in (report, whole):
        parser.add_argument("quarter", metavar="QUARTER", help="such as 2023Q1")
        parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run either command."""
    from tsubame.pipeline.cluster import connect
    from tsubame.pipeline.quarter import complete_quarter, require_over
    from tsubame.pipeline.report import publish_quarter
    from tsubame.settings import Settings

    quarter, settings, now = Quarter.parse(arguments.quarter), Settings.from_environment(), datetime.now(UTC)
    require_over(quarter, settings, now)
    with progress_bar(not arguments.json) as progress, connect():
        if arguments.command == "run":
            done = complete_quarter(settings, quarter, previous=arguments.previous, progress=progress)
            if arguments.previous and done.previous is None:
                warn(f"{quarter.previous} has too few days with data: previous ranks are left out")
            # A file that is no capture is named here and counted in the report; it does not stop it.
            earlier = done.previous.ingest if done.previous else done.ingest_before
            for each in filter(None, (earlier, done.ingest)):
                report_faults(each)
        verdict = _validated(settings, quarter, now, progress)
        edition = publish_quarter(settings, quarter, now=now, progress=progress)
    for note in verdict.get("notes", []):
        warn(note)
    if arguments.json:
        print_json({"verdict": verdict, "edition": edition.as_dict()})
    else:
        state = "published" if edition.created else "unchanged since"
        print(f"{quarter}: {state} edition {edition.edition}: {edition.url}")
    return 0


def _validated(settings: Any, quarter: Quarter, now: datetime, progress: Any) -> dict[str, Any]:
    """Return the verdict; one that refuses counts as refused unless a person has approved that very edition."""
    from tsubame.errors import Rejected
    from tsubame.pipeline.approval import standing_approval
    from tsubame.pipeline.report import validate_quarter

    try:
        return validate_quarter(settings, quarter, now=now, progress=progress)
    except Rejected as refusal:
        approval = standing_approval(settings, quarter)
        if approval is None or not isinstance(refusal.verdict, dict):
            raise
        warn(f"{quarter}: refused by validation, approved by {approval.author} on {approval.at}: {refusal.what}")
        return refusal.verdict
