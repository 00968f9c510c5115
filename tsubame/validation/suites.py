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

SUITES = (
    "delegations",
    "captures",
    "days",
    "counts",
    "regions",
    "moves",
    "reassignments",
    "verdicts",
    "ranking",
)
"""Modules of ``expectations.suites``, in the order of the data path."""

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """A suite's outcome, and Great Expectations' own result for the Data Docs."""

    outcome: SuiteResult
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
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": _EXAMPLES},
    )
    failures = tuple(_failure(each) for each in result.results if not each.success)
    return SuiteRun(SuiteResult(name, len(result.results) - len(failures), failures), result)


def _failure(result: Any) -> Failure:
    config = result.expectation_config
    severity = getattr(config.severity, "value", None) or str(config.severity or CRITICAL)
    expected = " ".join((config.description or config.type).split())
    return Failure(severity, f"{expected}: {_found(result)}")


def _found(result: Any) -> str:
    """Say in one line what was found instead."""
    problem = _exception(result.exception_info)
    if problem:
        return f"could not be checked ({problem})"
    details = (result.result.get("details") or {}).get("failures")
    if details:
        return _shortened(details)
    examples = result.result.get("partial_unexpected_list")
    column = result.expectation_config.kwargs.get("column", "value")
    if examples:
        count = result.result.get("unexpected_count")
        values = ", ".join(dict.fromkeys(str(value) for value in examples))
        return f"{count} of {result.result.get('element_count')} rows, such as {column} {values}"
    return f"found {result.result.get('observed_value')}"


def _shortened(lines: list[str]) -> str:
    more = len(lines) - _EXAMPLES
    return "; ".join(lines[:_EXAMPLES]) + (f"; and {more} more" if more > 0 else "")


def _exception(info: Any) -> str:
    """Return the message of an exception that Great Expectations caught, in either form it keeps it."""
    if not info:
        return ""
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            return " ".join(str(entry.get("exception_message")).split())
    return ""
