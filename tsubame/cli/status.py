"""``tsubame status``: sensors × days, or quarters × published."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from tsubame.cli.days import add_span, warn_passed_over
from tsubame.cli.output import print_json, warn
from tsubame.errors import DamagedObject, TsubameError, Unavailable, UsageError
from tsubame.periods import Quarter, parse_day

_LETTERS = {
    "received": "■",
    "late": "◧",
    "missing": "·",
    "rejected": "✕",
    "incomplete": "◌",
    "waiting": "□",
    "inactive": " ",
}
_DEFAULT_DAYS = 31


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    purpose = "sensors × days: received, late, missing, rejected"
    parser = subparsers.add_parser("status", help=purpose, description=purpose)
    add_span(parser, required=False)
    parser.add_argument(
        "--quarters", metavar="FIRST..LAST", help="instead: which quarters are published as the data stand now"
    )
    parser.add_argument("--json", action="store_true", help="print the states as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; without days, the last 31 that are over."""
    from tsubame.pipeline.status import counted_days, sensor_status
    from tsubame.settings import Settings

    settings = Settings.from_environment()
    if arguments.quarters:
        return _run_quarters(arguments, settings)
    yesterday = datetime.now(UTC).astimezone(settings.zone).date() - timedelta(days=1)
    last = parse_day(arguments.last) if arguments.last else yesterday
    first = parse_day(arguments.first) if arguments.first else last - timedelta(days=_DEFAULT_DAYS - 1)
    if last < first:
        raise UsageError("--to lies before --from", expected=f"{first} or later", actual=last)
    status = sensor_status(settings, first, last)
    try:
        counted = counted_days(settings, first, last)
    except TsubameError as error:
        if isinstance(error, Unavailable) and not isinstance(error, DamagedObject):
            raise
        # What was delivered is told all the same, though days were counted by other code or are damaged.
        counted = None
        warn(str(error))
    if arguments.json:
        print_json(status.as_dict() | {"counted": counted.as_dict() if counted else None})
        return 0
    width = max(map(len, status.states), default=6)
    print(f"{'':{width}}  {first} … {last}")
    for name, row in status.states.items():
        counts = ", ".join(f"{row.count(s)} {s}" for s in _LETTERS if s in row and s != "inactive")
        print(f"{name:{width}}  {''.join(_LETTERS[state] for state in row)}  {counts}")
    print("  ".join(f"{letter} {state}" for state, letter in _LETTERS.items() if letter.strip()))
    if counted:
        print(counted.as_line())
    for name in status.unknown_sensors:
        warn(f"{name}: sensor is not in the registry, its captures are not read. Add it to sensors.csv.")
    warn_passed_over(status.passed_over)
    return 0


def _run_quarters(arguments: argparse.Namespace, settings: Any) -> int:
    from tsubame.pipeline.freshness import quarter_states, span_of

    if arguments.first or arguments.last:
        raise UsageError("--quarters goes without --from and --to")
    one, _, other = arguments.quarters.partition("..")
    first, last = Quarter.parse(one), Quarter.parse(other or one)
    if last < first:
        raise UsageError("the last quarter lies before the first", expected=f"{first} or later", actual=str(last))
    states = quarter_states(settings, span_of(first, last), now=datetime.now(UTC))
    if arguments.json:
        print_json([state.as_dict() for state in states])
        return 0
    for state in states:
        edition = f"edition {state.edition}" if state.edition else ""
        print(f"{state.quarter}  {state.state:8} {edition:11} {'; '.join(state.reasons)}".rstrip())
    return 0
