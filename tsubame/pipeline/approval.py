"""What a person decided about a refused edition: kept beside the verdict, valid for that verdict's inputs alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tsubame.errors import NotReady, UsageError
from tsubame.keys import decision_key, verdict_key
from tsubame.periods import Quarter
from tsubame.settings import Settings
from tsubame.stores import Store

APPROVED, REJECTED = "approved", "rejected"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A verdict that refuses an edition.

    Attributes:
        inputs: names all that the verdict was reached on.
        failed: the failed critical expectations, ``suite: message`` each.
        others: the failed expectations of lesser severity.
    """

    quarter: Quarter
    inputs: str
    failed: tuple[str, ...]
    others: tuple[str, ...]

    def as_markdown(self) -> str:
        """Return what a person should read before deciding."""
        lines = [f"Validation refuses **{self.quarter}**. Failed critical expectations:", ""]
        lines += [f"- {line}" for line in self.failed]
        if self.others:
            lines += ["", "Others that failed:", "", *(f"- {line}" for line in self.others)]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision about a refused edition.

    Attributes:
        inputs: of the verdict that it is about; of any other it says nothing.
        decision: ``approved`` or ``rejected``.
        author: name of the user; ``nobody`` when no one answered in time.
        at: ISO 8601.
        failed: the expectations that the edition was refused for.
    """

    inputs: str
    decision: str
    author: str
    at: str
    comment: str
    failed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what the edition's lineage says: not ``inputs``, which is made from the sensors' addresses, too."""
        said = asdict(self) | {"failed": list(self.failed)}
        del said["inputs"]
        return said


def read_refusal(settings: Settings, quarter: Quarter) -> Refusal | None:
    """Return the newest verdict on a quarter if it refuses the edition, or None when it lets it pass.

    Raises:
        NotReady: the quarter has not been validated.
    """
    lake = Store(settings.lake_url)
    if not lake.exists(verdict_key(quarter)):
        raise NotReady("has not been validated", key=str(quarter), hint=f"Run `tsubame report {quarter}`.")
    kept = json.loads(lake.read(verdict_key(quarter)))
    if not kept["verdict"]["refused"]:
        return None
    failures = [
        (line.partition(": ")[0], f"{suite['suite']}: {line.partition(': ')[2]}")
        for suite in kept["verdict"]["suites"]
        for line in suite["failures"]
    ]
    critical = tuple(text for severity, text in failures if severity == "critical")
    return Refusal(quarter, kept["inputs"], critical, tuple(text for s, text in failures if s != "critical"))


def decide(
    settings: Settings, quarter: Quarter, decision: str, *, inputs: str, author: str, at: datetime, comment: str = ""
) -> Decision:
    """Keep a person's decision about the refused edition of a quarter.

    Args:
        inputs: of the verdict that the person was shown.

    Raises:
        UsageError: the decision is none.
        NotReady: the quarter was validated again meanwhile, so the decision is about something else.
    """
    if decision not in (APPROVED, REJECTED):
        raise UsageError("not a decision", expected=f"{APPROVED} or {REJECTED}", actual=repr(decision))
    refusal = read_refusal(settings, quarter)
    if refusal is None or refusal.inputs != inputs:
        raise NotReady(
            "was validated again while the decision was awaited", key=str(quarter), hint="Look at the new verdict."
        )
    made = Decision(inputs, decision, author, at.isoformat(timespec="seconds"), comment, refusal.failed)
    content = json.dumps({**made.as_dict(), "inputs": inputs}, ensure_ascii=False, indent=1, sort_keys=True)
    Store(settings.lake_url).put(decision_key(quarter), content.encode())
    return made


def read_decision(settings: Settings, quarter: Quarter, inputs: str) -> Decision | None:
    """Return the decision about the verdict that was reached on ``inputs``, or None when nobody has made one."""
    lake = Store(settings.lake_url)
    if not lake.exists(decision_key(quarter)):
        return None
    kept = json.loads(lake.read(decision_key(quarter)))
    return Decision(**{**kept, "failed": tuple(kept["failed"])}) if kept["inputs"] == inputs else None


def standing_approval(settings: Settings, quarter: Quarter) -> Decision | None:
    """Return a person's approval of the edition that the newest verdict refuses; None where there is none.

    Raises:
        NotReady: the quarter has not been validated.
    """
    refusal = read_refusal(settings, quarter)
    decision = None if refusal is None else read_decision(settings, quarter, refusal.inputs)
    return decision if decision is not None and decision.decision == APPROVED else None
