"""What a report states besides the analysis: when, from what, how it was checked. Plain values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from tsubame.report.overlay import NO_OVERLAY, Overlay
from tsubame.report.port_context import KnownExploited


@dataclass(frozen=True, slots=True)
class SuiteOutcome:
    """What one suite of expectations found.

    Attributes:
        passed, failed: number of expectations.
        severity: of the worst failed expectation, or ``none`` when all passed.
        failures: one line for each failed expectation.
    """

    suite: str
    passed: int
    failed: int
    severity: str = "none"
    failures: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as ``report.json`` writes it."""
        return {
            "suite": self.suite,
            "passed": self.passed,
            "failed": self.failed,
            "severity": self.severity,
            "failures": list(self.failures),
        }


@dataclass(frozen=True, slots=True)
class DamagedCapture:
    """A capture that was not read to its end, and why; what precedes the damage is counted."""

    key: str
    error: str


@dataclass(frozen=True, slots=True)
class CarriedForward:
    """A report day on which a registry's newest snapshot was older than the day."""

    day: date
    registry: str
    snapshot: date


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A snapshot, or a part of one, that was not used; why, in English and in Japanese where it is known."""

    key: str
    reason: str
    reason_ja: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotUse:
    """The delegation snapshots that the regions rest on.

    Attributes:
        used: keys of the delegation files read.
        carried_forward: days on which an older snapshot stood in.
        held_back: snapshots left out.
    """

    used: tuple[str, ...] = ()
    carried_forward: tuple[CarriedForward, ...] = ()
    held_back: tuple[HeldBack, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the use as ``report.json`` writes it."""
        return {
            "used": len(self.used),
            "carried_forward": [
                {
                    "day": item.day.isoformat(),
                    "registry": item.registry,
                    "snapshot": item.snapshot.isoformat(),
                }
                for item in sorted(self.carried_forward, key=lambda item: (item.day, item.registry))
            ],
            "held_back": [
                {"key": item.key, "reason": item.reason, "reason_ja": item.reason_ja or item.reason}
                for item in sorted(self.held_back, key=lambda item: item.key)
            ],
        }


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What the report of one quarter says beside its analysis.

    Attributes:
        created_at: instant of publication; stands in the edition but never makes a new one.
        timezone: name of the report day's zone.
        accounting: the contract's counters, added up over the quarter.
        verdict: what validation found: see ``suite_outcomes`` for the forms that are understood.
        notes: one line for each failed warning; printed in the report.
        notes_ja: the same in Japanese; empty where there is none.
        lineage: what the numbers were made from, as plain data; becomes ``lineage.json``.
        snapshots: delegation snapshots used, carried forward and held back.
        damaged: captures not read to their end.
        code_version: version of the code that counted and analysed.
        data_docs: Great Expectations' Data Docs, path relative to ``validation/`` -> content.
        publisher: the body that signs the report.
        licence: terms of the published data, an SPDX identifier.
        overlay: what an analyst withheld and added.
        known_exploited: CISA's KEV list, where one is given.
        notice: a sentence (Japanese, English) shown at the head, as for simulated data; None for none.
    """

    created_at: datetime
    timezone: str
    accounting: Mapping[str, int]
    verdict: object = ()
    notes: tuple[str, ...] = ()
    lineage: Mapping[str, Any] = field(default_factory=dict)
    snapshots: SnapshotUse = SnapshotUse()
    damaged: tuple[DamagedCapture, ...] = ()
    code_version: str = ""
    data_docs: Mapping[str, bytes] = field(default_factory=dict)
    notice: tuple[str, str] | None = None
    known_exploited: KnownExploited = field(default_factory=dict)
    publisher: str = "TSUBAME"
    licence: str = "CC-BY-4.0"
    overlay: Overlay = NO_OVERLAY
    notes_ja: tuple[str, ...] = ()


def suite_outcomes(verdict: object) -> tuple[SuiteOutcome, ...]:
    """Read a verdict: outcomes, dictionaries of the same fields, or an object whose ``as_dict`` holds them.

    A dictionary may hold the list under ``suites``. Suites of one name (a suite run on every day, say) are
    added up, in the order in which they first appear.

    Raises:
        TypeError: the verdict has another form.
    """
    as_dict = getattr(verdict, "as_dict", None)
    found: object = as_dict() if callable(as_dict) else verdict
    if isinstance(found, Mapping):
        found = next((found[name] for name in ("suites", "validation", "results") if name in found), ())
    if not isinstance(found, Iterable) or isinstance(found, str | bytes):
        raise TypeError(f"a verdict is a list of suites, not {type(verdict).__name__}")
    merged: dict[str, SuiteOutcome] = {}
    for item in found:
        outcome = _suite_outcome(item)
        earlier = merged.get(outcome.suite)
        merged[outcome.suite] = outcome if earlier is None else _added(earlier, outcome)
    return tuple(merged.values())


def _suite_outcome(item: object) -> SuiteOutcome:
    if isinstance(item, SuiteOutcome):
        return item
    as_dict = getattr(item, "as_dict", None)
    fields = as_dict() if callable(as_dict) else item
    if not isinstance(fields, Mapping):
        raise TypeError(f"a suite's outcome is a mapping, not {type(item).__name__}")
    failures: Sequence[object] = fields.get("failures") or ()
    failed = fields["failed"]
    return SuiteOutcome(
        str(fields["suite"]),
        int(fields["passed"]),
        int(failed),
        str(fields.get("severity") or "none"),
        tuple(map(str, failures)),
    )


_SEVERITIES = ("none", "info", "warning", "critical")


def _added(first: SuiteOutcome, second: SuiteOutcome) -> SuiteOutcome:
    severity = max(
        first.severity,
        second.severity,
        key=lambda name: _SEVERITIES.index(name) if name in _SEVERITIES else len(_SEVERITIES),
    )
    return SuiteOutcome(
        first.suite,
        first.passed + second.passed,
        first.failed + second.failed,
        severity,
        first.failures + second.failures,
    )
