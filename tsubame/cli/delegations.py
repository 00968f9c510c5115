"""``tsubame delegations fetch|import|moves``: the archive of delegation files from the command line."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tsubame.cli.output import print_json, progress_bar

if TYPE_CHECKING:
    from tsubame.pipeline.delegation_sources import Arrival

_STATUS = {"refused": 3, "missing": 4, "unavailable": 4}
_NO_REGIONS = ("undelegated", "reserved", "available")
"""What stands for a region where nothing is delegated."""


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser of ``tsubame``."""
    parser = subparsers.add_parser(
        "delegations",
        help="fetch and import the registries' delegation files; list the blocks that moved",
        description="The archive of the five registries' delegation files, in TSUBAME_DELEGATIONS_URL.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    fetch = actions.add_parser(
        "fetch",
        help="bring the registries' files of a day into the archive",
        description="Fetch the five registries' extended files over HTTPS, verify them against their MD5 and "
        "store each once. TSUBAME_RIR_BASE_URL_<REGISTRY> names another server than the registry's own.",
    )
    fetch.add_argument("--day", metavar="DAY", help="the registries' date (default: the latest files)")
    fetch.add_argument("--to", metavar="DAY", help="fetch every day from --day to this one")
    fetch.add_argument("--json", action="store_true", help="one JSON list instead of lines")
    bring = actions.add_parser(
        "import",
        help="bring delegation files from a disk into the archive",
        description="Import delegation files, plain, gzip or bzip2; an .md5 beside a file is checked.",
    )
    bring.add_argument("paths", nargs="+", metavar="FILE", help="delegation files")
    bring.add_argument("--date", metavar="DAY", help="store under this date instead of the file's own")
    bring.add_argument("--json", action="store_true", help="one JSON list instead of lines")
    moves = actions.add_parser(
        "moves",
        help="list the blocks that changed region between two dates",
        description="List the blocks delegated to another region on the second date than on the first, each "
        "with the date of the first snapshot that shows it. A snapshot that its neighbours contradict is not used.",
    )
    moves.add_argument("first", metavar="DATE", help="the earlier date, YYYY-MM-DD")
    moves.add_argument("last", metavar="DATE", help="the later date, YYYY-MM-DD")
    for end, done in (("from", "left"), ("to", "came to")):
        purpose = f"only blocks that {done} this region: alpha-2, or one of {', '.join(_NO_REGIONS)}"
        moves.add_argument(f"--{end}", dest=f"{end}_region", metavar="REGION", type=_region, help=purpose)
    moves.add_argument("--json", action="store_true", help="one JSON list instead of lines")
    parser.set_defaults(run=run)


def _region(text: str) -> str:
    """Read a region's code, in any case."""
    if text.lower() in _NO_REGIONS:
        return text.lower()
    if len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    raise argparse.ArgumentTypeError(f"not a region: {text!r}")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed arguments say.

    Returns:
        The exit status.

    Raises:
        TsubameError: what went wrong, in one line.
    """
    return {"fetch": _fetch, "import": _import, "moves": _moves}[arguments.action](arguments)


def _fetch(arguments: argparse.Namespace) -> int:
    from tsubame.errors import UsageError
    from tsubame.periods import ONE_DAY, days_between, parse_day
    from tsubame.pipeline.delegation_sources import base_urls_from_environment, fetch_delegations
    from tsubame.settings import Settings

    settings = Settings.from_environment()
    urls = base_urls_from_environment()
    first = parse_day(arguments.day) if arguments.day else None
    last = parse_day(arguments.to) if arguments.to else first
    if last and (first is None or last < first):
        raise UsageError("--to needs an earlier --day", actual=f"--day {arguments.day} --to {arguments.to}")
    if last and last > datetime.now(UTC).date() + ONE_DAY:
        raise UsageError("no registry has a file of that day yet", actual=last)
    arrivals: list[Arrival] = []
    days = [None] if first is None or last is None else list(days_between(first, last))
    with progress_bar(not arguments.json) as progress:
        for done, day in enumerate(days, start=1):
            arrivals.extend(fetch_delegations(settings, day, base_urls=urls, progress=progress).arrivals)
            progress("days", done, len(days))
    return _tell(arrivals, as_json=arguments.json)


def _import(arguments: argparse.Namespace) -> int:
    from tsubame.errors import BadInput
    from tsubame.periods import parse_day
    from tsubame.pipeline.delegation_sources import Arrival, import_delegation
    from tsubame.settings import Settings

    settings = Settings.from_environment()
    day = parse_day(arguments.date) if arguments.date else None
    arrivals = []
    for path in arguments.paths:
        try:
            arrivals.append(import_delegation(settings, path, day=day))
        except BadInput as error:
            # One bad file never stops the others.
            arrivals.append(Arrival("", "refused", None, str(error)))
    return _tell(arrivals, as_json=arguments.json)


def _moves(arguments: argparse.Namespace) -> int:
    from tsubame.errors import UsageError
    from tsubame.periods import parse_day
    from tsubame.pipeline.delegations import moves_between
    from tsubame.settings import Settings

    first, last = parse_day(arguments.first), parse_day(arguments.last)
    if last < first:
        raise UsageError("the second date is before the first", actual=f"{first} {last}")
    with progress_bar(not arguments.json) as progress:
        moves = moves_between(
            Settings.from_environment(),
            first,
            last,
            arguments.from_region,
            arguments.to_region,
            progress=progress,
        )
    rows = [
        {
            "cidr": cidr,
            "addresses": _size(cidr),
            "from": move.from_region,
            "to": move.to_region,
            "holder": move.holder,
            "first_seen": move.first_seen.isoformat(),
        }
        for move in moves
        for cidr in move.cidrs
    ]
    if arguments.json:
        print_json(rows)
        return 0
    for row in rows:
        print(
            f"{row['first_seen']}  {row['from']} -> {row['to']}  {row['cidr']:<18}  "
            f"{row['addresses']:>9,} addresses  {row['holder'] or '-'}"
        )
    total, holders = sum(move.addresses for move in moves), {move.holder for move in moves}
    print(f"{len(rows)} blocks, {total:,} addresses, {len(holders)} holder{'' if len(holders) == 1 else 's'}")
    return 0


def _size(cidr: str) -> int:
    return 1 << (32 - int(cidr.rpartition("/")[2]))


def _tell(arrivals: list[Arrival], *, as_json: bool) -> int:
    """Print what became of the files: what went wrong on stderr, a line each."""
    if as_json:
        names = ("registry", "outcome", "key", "detail", "verified")
        print_json([{name: getattr(arrival, name) for name in names} for arrival in arrivals])
    for arrival in arrivals:
        bad = arrival.outcome in _STATUS
        if bad:
            print(f"tsubame: {arrival.registry and arrival.registry + ': '}{arrival.detail}", file=sys.stderr)
        elif not as_json:
            check = "MD5 agrees" if arrival.verified else "no MD5"
            note = f", {arrival.detail}" if arrival.detail else ""
            print(f"{arrival.outcome}: {arrival.key} ({check}{note})")
    return min((_STATUS[arrival.outcome] for arrival in arrivals if arrival.outcome in _STATUS), default=0)
