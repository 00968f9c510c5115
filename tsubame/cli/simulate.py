"""``tsubame simulate``: a scenario becomes captures, delegation files and the truth about them."""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

from tsubame.cli.output import print_json, progress_bar
from tsubame.errors import UsageError
from tsubame.simulate.reading import built_in_scenarios, load_scenario


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    purpose = "write captures, sensors.csv, delegation files and truth.json of a scenario"
    parser = subparsers.add_parser(
        "simulate",
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}. What is already there as it should be is left untouched.",
        epilog="Writes to TSUBAME_CAPTURES_URL and TSUBAME_DELEGATIONS_URL.",
    )
    parser.add_argument(
        "scenario",
        metavar="SCENARIO",
        help=f"a TOML file, or a built-in name: {', '.join(built_in_scenarios())}",
    )
    parser.add_argument("--scale", type=_number, default=1.0, metavar="F", help="multiply all rates by F (default 1)")
    parser.add_argument("--seed", type=_seed, metavar="N", help="instead of the scenario's own seed")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def _number(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (value := float(text)) < 1e6:
            return value
    raise argparse.ArgumentTypeError(f"not a number above 0: {text!r}")


def _seed(text: str) -> int:
    with contextlib.suppress(ValueError):
        if (value := int(text)) >= 0:
            return value
    raise argparse.ArgumentTypeError(f"not a whole number from 0 on: {text!r}")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from tsubame.settings import Settings
    from tsubame.simulate.run import simulate
    from tsubame.stores import open_store

    scenario = load_scenario(arguments.scenario)
    settings = Settings.from_environment()
    if settings.captures_url.rstrip("/") == settings.delegations_url.rstrip("/"):
        raise UsageError(
            "captures and delegations need a store each",
            actual=settings.captures_url,
            hint="Change TSUBAME_CAPTURES_URL or TSUBAME_DELEGATIONS_URL.",
        )
    with progress_bar(not arguments.json) as progress:
        truth = simulate(
            scenario,
            open_store(settings.captures_url),
            open_store(settings.delegations_url),
            scale=arguments.scale,
            seed=arguments.seed,
            progress=progress,
        )
    summary = {
        "scenario": truth.scenario,
        "scale": truth.scale,
        "seed": truth.seed,
        "first": truth.first,
        "last": truth.last,
        "sensors": len(scenario.sensors),
        "packets": truth.packets,
        "captures": len(truth.accounting),
        "delegation_files": sum(not key.endswith(".md5") for key in truth.delegations),
        "captures_url": settings.captures_url,
        "delegations_url": settings.delegations_url,
    }
    if arguments.json:
        print_json(summary)
    else:
        print(
            f"{truth.scenario}, {truth.first} to {truth.last}: {truth.packets:,} packets in "
            f"{summary['captures']:,} captures of {summary['sensors']} sensors in {settings.captures_url}, "
            f"{summary['delegation_files']:,} delegation files in {settings.delegations_url}"
        )
    return 0
