"""``tsubame ingest`` and ``tsubame count``: a span of report days."""

from __future__ import annotations

import argparse
from typing import Any

from tsubame.cli.output import print_json, progress_bar, warn
from tsubame.errors import BadInput, Unavailable, UsageError
from tsubame.periods import parse_day

_PASSED_OVER_SHOWN = 20


def add_parser(subparsers: Any) -> None:
    """Add both commands."""
    for name, purpose in (
        ("ingest", "captures → flows, only what is new or changed"),
        ("count", "flows → counts, only the days touched"),
    ):
        parser = subparsers.add_parser(name, help=purpose, description=purpose)
        add_span(parser, required=True)
        parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def add_span(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add ``--from DAY --to DAY``."""
    parser.add_argument("--from", dest="first", metavar="DAY", required=required, help="first report day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", metavar="DAY", required=required, help="last report day, included")


def run(arguments: argparse.Namespace) -> int:
    """Run either command."""
    first, last = parse_day(arguments.first), parse_day(arguments.last)
    if last < first:
        raise UsageError("--to lies before --from", expected=f"{first} or later", actual=last)
    return _ingest(arguments, first, last) if arguments.command == "ingest" else _count(arguments, first, last)


def _ingest(arguments: argparse.Namespace, first: Any, last: Any) -> int:
    from tsubame.pipeline.ingest import ingest_days
    from tsubame.settings import Settings

    with progress_bar(not arguments.json) as progress:
        summary = ingest_days(Settings.from_environment(), first, last, progress=progress)
    if arguments.json:
        print_json(summary.as_dict())
    else:
        print(
            f"{summary.decoded} captures decoded, {summary.unchanged} unchanged, {summary.withdrawn} flows withdrawn; "
            f"{summary.accounting.records_read} records read, {summary.accounting.packets_kept} packets kept"
        )
    return report_faults(summary)


def report_faults(summary: Any) -> int:
    """Print a line for every capture and folder at fault; return 3 when something could not be read at all.

    What was set aside may be read another time, so it goes before: 4.
    """
    for key, text in summary.damaged.items():
        warn(f"{key}: {text}")
    for key, text in summary.rejected.items():
        warn(text if key in text else f"{key}: {text}")
    for key, text in summary.set_aside.items():
        warn(f"{key}: {text}, its days are incomplete. Give the workers more memory and run it again.")
    for name in summary.unknown_sensors:
        warn(f"{name}: sensor is not in the registry, its captures are not read. Add it to sensors.csv.")
    warn_passed_over(summary.passed_over)
    if summary.set_aside:
        return Unavailable.exit_status
    return BadInput.exit_status if summary.rejected or summary.unknown_sensors else 0


def warn_passed_over(passed_over: dict[str, str]) -> None:
    """Print a line for objects that are not read, which may be meant so: a checksum beside a capture is none."""
    for key, text in list(passed_over.items())[:_PASSED_OVER_SHOWN]:
        warn(f"{key}: not read, {text}")
    if (more := len(passed_over) - _PASSED_OVER_SHOWN) > 0:
        warn(f"{more} more objects are not read, see --json")


def _count(arguments: argparse.Namespace, first: Any, last: Any) -> int:
    from tsubame.pipeline.counts import count_days
    from tsubame.settings import Settings

    with progress_bar(not arguments.json) as progress:
        summary = count_days(Settings.from_environment(), first, last, progress=progress)
    if arguments.json:
        print_json(summary.as_dict())
    else:
        print(f"{len(summary.counted)} days counted, {summary.unchanged} unchanged; {summary.packets} packets")
    for key in summary.rebuilt:
        warn(f"{key}: was damaged, and made again from its capture")
    for day, captures in summary.incomplete.items():
        warn(f"{day}: is incomplete without {', '.join(captures)}. Run `tsubame ingest` for it again.")
    return Unavailable.exit_status if summary.incomplete else 0
