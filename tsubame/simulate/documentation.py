"""The scenario format's documentation, made from the dataclasses that check it.

``python -m tsubame.simulate.documentation > tsubame/simulate/README.md``; a test holds the two together.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from datetime import date
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tsubame.simulate import scenario

_HEAD = """# Scenarios

A scenario is a TOML file that says what sensors see and what the registries' files say; `tsubame simulate` makes
the captures, `sensors.csv`, the delegation files and `truth.json` of it. Built-in scenarios lie in `scenarios/`;
`tests/scenarios/` has small ones, one for each way in which regions can change.

The same scenario, scale and seed give the same bytes. `truth.json` says what was put in; only tests read it.
Unknown keys are refused. Dates are report days of the scenario's zone unless said otherwise, ranges of dates
include both ends, and rates are packets per sensor and day at scale 1.

<!-- Made by `python -m tsubame.simulate.documentation`; change scenario.py instead. -->
"""
_PARTS: tuple[tuple[str, type], ...] = (
    ("The file", scenario.Scenario),
    ("`[[sensors]]`", scenario.SensorSpec),
    ("`[[traffic]]`", scenario.TrafficSpec),
    ("`[[events]]`", scenario.EventSpec),
    ("`shape`, and each of `profile`", scenario.ShapeSpec),
    ("`[[outages]]`", scenario.OutageSpec),
    ("`[[damage]]`", scenario.DamageSpec),
    ("`[delegations]`", scenario.DelegationsSpec),
    ("`[[delegations.blocks]]`", scenario.BlockSpec),
    ("`[[delegations.moves]]`", scenario.MoveSpec),
    ("`[[delegations.rearrangements]]`", scenario.RearrangementSpec),
    ("`[[delegations.glitches]]`", scenario.GlitchSpec),
    ("`[[delegations.missing]]`", scenario.MissingSpec),
)
_SCALARS = {str: "text", int: "whole number", float: "number", bool: "true or false", date: "date"}


def describe_format() -> str:
    """Return the format's documentation as Markdown."""
    parts = [_HEAD]
    for heading, kind in _PARTS:
        rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
        hints = get_type_hints(kind)
        for item in dataclasses.fields(kind):
            if kind is scenario.Scenario and item.name == "name":
                continue
            meaning = item.metadata["meaning"].replace("|", "\\|")
            rows.append(f"| `{item.name}` | {_kind(hints[item.name])} | {_default(item)} | {meaning} |")
        parts.append(f"## {heading}\n\n{(kind.__doc__ or '').strip()}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _kind(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _kind(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{argument}`" if argument != "" else "empty" for argument in arguments)
    if origin is tuple:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"table: {_kind(arguments[1])}"
    return "table" if dataclasses.is_dataclass(hint) else _SCALARS[hint]


def _default(item: dataclasses.Field[Any]) -> str:
    if item.default is dataclasses.MISSING:
        return "required" if item.default_factory is dataclasses.MISSING else "empty"
    value = item.default
    if value in ("", (), None) or dataclasses.is_dataclass(value):
        return "empty" if value == "" or value == () else "none"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return ", ".join(f"`{part}`" for part in (value if isinstance(value, tuple) else (value,)))


if __name__ == "__main__":
    sys.stdout.write(describe_format())
