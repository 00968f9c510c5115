"""Running the suites with Great Expectations, silently and without leaving anything behind."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsubame.validation.verdict import CRITICAL, Failure, SuiteResult

if TYPE_CHECKING:
    import pandas as pd

ROW_NAMES = {
    "delegations": ("day", "registry"),
    "captures": ("capture",),
    "days": ("day",),
    "counts": ("day", "column"),
    "regions": ("day", "region"),
    "moves": ("day", "from_region", "to_region"),
    "reassignments": ("from_region", "to_region"),
    "steps": ("region", "day"),
    "verdicts": ("date", "from_region", "to_region"),
    "ranking": ("table", "name"),
}
"""What names a row of each suite's frame; the suites are the modules of ``expectations.suites``."""

SUITES = tuple(ROW_NAMES)

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """A suite's outcome, each expectation's, and Great Expectations' own result for the Data Docs.

    Attributes:
        checks: rows of ``schemas.VALIDATION``, but for quarter and inputs.
    """

    outcome: SuiteResult
    checks: tuple[dict[str, Any], ...]
    result: Any


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Great Expectations from reporting home, drawing progress bars and warning of its own imports."""
    before = os.environ.get("GX_ANALYTICS_ENABLED")
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Deprecations inside the library are its own affair; ours are caught in our own tests.
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        if before is None:
            del os.environ["GX_ANALYTICS_ENABLED"]
        else:
            os.environ["GX_ANALYTICS_ENABLED"] = before


def run_suites(frames: Mapping[str, pd.DataFrame]) -> tuple[SuiteRun, ...]:
    """Run the suite of each frame.

    Args:
        frames: by name of the suite; see ``tsubame.validation.frames``.
    """
    with quiet():
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        source = context.data_sources.add_pandas("quarter")
        return tuple(_run(gx, context, source, name, frames[name]) for name in SUITES if name in frames)


def _run(gx: Any, context: Any, source: Any, name: str, frame: pd.DataFrame) -> SuiteRun:
    module = importlib.import_module(f"expectations.suites.{name}")
    suite = context.suites.add(gx.ExpectationSuite(name, expectations=module.build()))
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
    result = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": frame},
        result_format={
            "result_format": "SUMMARY",
            "partial_unexpected_count": _EXAMPLES,
            "unexpected_index_column_names": list(ROW_NAMES[name]),
        },
    )
    checks = tuple(_check(name, place, each) for place, each in enumerate(result.results, start=1))
    failures = tuple(
        Failure(
            check["severity"],
            f"{check['expected']}: {check['found']}",
            f"{check['expected_ja']}：{check['found_ja']}",
        )
        for check in checks
        if not check["passed"]
    )
    return SuiteRun(SuiteResult(name, len(checks) - len(failures), failures), checks, result)


def _check(suite: str, place: int, result: Any) -> dict[str, Any]:
    """Return what was expected and found, in both languages."""
    from expectations.texts import in_japanese

    config = result.expectation_config
    expected = " ".join((config.description or config.type).split())
    observed = result.result.get("observed_value")
    found = ("", "") if result.success else _found(result, ROW_NAMES[suite])
    return {
        "suite": suite,
        "place": place,
        "expectation": config.type,
        "column": str(config.kwargs.get("column") or ""),
        "severity": getattr(config.severity, "value", None) or str(config.severity or CRITICAL),
        "passed": bool(result.success),
        "observed": "" if observed is None else str(observed),
        "expected": expected,
        "expected_ja": in_japanese(expected),
        "found": found[0],
        "found_ja": found[1],
    }


def _found(result: Any, row_names: tuple[str, ...]) -> tuple[str, str]:
    """Say in one line, in English and in Japanese, what was found instead."""
    from expectations.texts import line

    problem = _exception(result.exception_info)
    if problem:
        return line("unchecked", problem=problem)
    details = result.result.get("details") or {}
    if details.get("failures"):
        return _shortened(details["failures"]), _shortened(details["failures_ja"], japanese=True)
    examples = result.result.get("partial_unexpected_index_list")
    if examples:
        counted = {"n": result.result.get("unexpected_count"), "m": result.result.get("element_count")}
        english, japanese = zip(*(_row(row, row_names) for row in examples), strict=True)
        return line("rows", **counted, rows="; ".join(english))[0], line("rows", **counted, rows="、".join(japanese))[1]
    return line("found", value=result.result.get("observed_value"))


def _row(row: Mapping[str, Any], row_names: tuple[str, ...]) -> tuple[str, str]:
    """Name a row, and say what was unexpected in it, in English and in Japanese."""
    from expectations.texts import COLUMNS

    name = " ".join(str(row[key]) for key in row_names)
    values = {
        key: f"{value:.4g}" if isinstance(value, float) else str(value)
        for key, value in row.items()
        if key not in row_names
    }
    english = ", ".join(f"{key} {value}" for key, value in values.items())
    japanese = "、".join(f"{COLUMNS.get(key, key)} {value}" for key, value in values.items())
    return " with ".join(
        filter(None, (name, english))
    ), f"{name}（{japanese}）" if name and japanese else name or japanese


def _shortened(lines: list[str], *, japanese: bool = False) -> str:
    more = len(lines) - _EXAMPLES
    rest = f"、ほか{more}件" if japanese else f"; and {more} more"
    return ("、" if japanese else "; ").join(lines[:_EXAMPLES]) + (rest if more > 0 else "")


def _exception(info: Any) -> str:
    """Return the message of an exception that Great Expectations caught, in either form it keeps it."""
    if not info:
        return ""
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            return " ".join(str(entry.get("exception_message")).split())
    return ""
