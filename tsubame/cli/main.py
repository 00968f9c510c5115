"""``tsubame``: one parser, one place where an error becomes a line on stderr and an exit status."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

from tsubame import __version__
from tsubame.errors import TsubameError

COMMANDS = ("simulate", "decode", "ingest", "count", "delegations", "report", "run", "status")
"""In the order of use; each is a module of this package with ``add_parser`` and ``run``."""
_MODULES = {"ingest": "days", "count": "days", "report": "quarter", "run": "quarter"}

EXIT_STATUS = "exit status: 0 done; 2 usage; 3 bad input; 4 a service is unavailable; 5 refused by validation"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="tsubame",
        description="From packets that nobody asked for to a quarterly report.",
        epilog=f"{EXIT_STATUS}. Settings: TSUBAME_* in the environment or in .env.",
    )
    parser.add_argument("--version", action="version", version=f"tsubame {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in dict.fromkeys(_MODULES.get(command, command) for command in COMMANDS):
        importlib.import_module(f"tsubame.cli.{name}").add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; the console script's entry point."""
    # Names of files may hold what the terminal's encoding, or any, cannot say.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parsed = build_parser().parse_args(arguments)
    module = importlib.import_module(f"tsubame.cli.{_MODULES.get(parsed.command, parsed.command)}")
    try:
        status = int(module.run(parsed))
        sys.stdout.flush()
    except TsubameError as error:
        print(f"tsubame: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("tsubame: interrupted; what was written is whole, run it again to go on", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output (head, say) has gone; Python would complain once more at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # What nobody foresaw is a defect of ours, and still one line to its user.
        if os.environ.get("TSUBAME_TRACEBACK"):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print(f"tsubame: a defect of tsubame: {what}. Report it with what TSUBAME_TRACEBACK=1 shows.", file=sys.stderr)
        return 1
    return status
