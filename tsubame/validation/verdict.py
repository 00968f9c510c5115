"""What validation found: publish, publish with a note, or refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

CRITICAL = "critical"
WARNING = "warning"
INFO = "info"
NONE = "none"
_ORDER = (NONE, INFO, WARNING, CRITICAL)


def worst(severities: Iterable[str]) -> str:
    """Return the worst of some severities; ``none`` when there is none."""
    return max(severities, key=_ORDER.index, default=NONE)


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that failed.

    Attributes:
        severity: critical refuses, warning is printed with the report, info is only kept.
        message: one line: what was expected, and what was found.
        message_ja: the same in Japanese.
    """

    severity: str
    message: str
    message_ja: str = ""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """How a table's suite went: numbers of expectations passed and failed, and what failed."""

    suite: str
    passed: int
    failures: tuple[Failure, ...] = ()

    @property
    def failed(self) -> int:
        """Number of expectations that failed."""
        return len(self.failures)

    @property
    def severity(self) -> str:
        """The worst severity among the failures; ``none`` when there is none."""
        return worst(failure.severity for failure in self.failures)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values."""
        return {
            "suite": self.suite,
            "passed": self.passed,
            "failed": self.failed,
            "severity": self.severity,
            "failures": [f"{failure.severity}: {failure.message}" for failure in self.failures],
            "failures_ja": [failure.message_ja or failure.message for failure in self.failures],
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The results of all suites of a quarter.

    Attributes:
        checks: a row for each expectation, for the lake: ``schemas.VALIDATION`` but for quarter and inputs.
    """

    suites: tuple[SuiteResult, ...]
    checks: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    @property
    def refused(self) -> bool:
        """Whether a critical expectation failed: nothing may be published."""
        return any(suite.severity == CRITICAL for suite in self.suites)

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return not any(suite.failed for suite in self.suites)

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each failed warning, to be printed with the report."""
        return self._lines(WARNING)

    @property
    def notes_ja(self) -> tuple[str, ...]:
        """The notes in Japanese."""
        return tuple(
            f"{suite.suite}：{failure.message_ja or failure.message}"
            for suite in self.suites
            for failure in suite.failures
            if failure.severity == WARNING
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """A line for each failed critical expectation."""
        return self._lines(CRITICAL)

    @property
    def summary(self) -> str:
        """One line saying how it went."""
        if self.refused:
            reasons = self.reasons
            more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            return f"validation refuses publication: {reasons[0]}{more}"
        held = sum(suite.passed for suite in self.suites)
        return f"{held} expectations held, {len(self.notes)} to be noted"

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON-ready values."""
        return {
            "passed": self.passed,
            "refused": self.refused,
            "summary": self.summary,
            "notes": list(self.notes),
            "notes_ja": list(self.notes_ja),
            "suites": [suite.as_dict() for suite in self.suites],
        }

    def _lines(self, severity: str) -> tuple[str, ...]:
        return tuple(
            f"{suite.suite}: {failure.message}"
            for suite in self.suites
            for failure in suite.failures
            if failure.severity == severity
        )
