"""What counts as found: claims of a detector against what was put in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from event_series.families import Quarterly
from event_series.shapes import GRADUAL, Truth
from tsubame.analysis.results import DailySeries

TOLERANCE_DAYS = 3
"""A claim matches an event of its kind whose onset is at most so far from its own."""

TOLERANCE_GRADUAL_DAYS = 15
"""A ramp of 30 to 90 days has no sharp onset."""


@dataclass(frozen=True)
class Claim:
    """An event that a detector reports; one that knows no kinds says ``any``."""

    kind: str
    onset: int
    onset_interval: tuple[int, int] | None = None
    factor: float | None = None
    factor_interval: tuple[float, float] | None = None


Detector = Callable[[DailySeries], list[Claim]]


@dataclass
class Found:
    """An event that was put in, and what became of it.

    Attributes:
        level: packets a day.
        oracle: noncentrality of the likelihood ratio of a test that knows shape, onset and noise.
        claim: of its kind and near its onset; None when missed.
        located: a claim of any kind lies near its onset.
    """

    truth: Truth
    level: float
    oracle: float
    claim: Claim | None = None
    located: bool = False

    @property
    def onset_error(self) -> int:
        """Days between the onsets; for matched events only."""
        assert self.claim is not None
        return self.claim.onset - self.truth.onset


@dataclass
class Tally:
    """What a detector did on a family: events, claims, and of those the ones that match an event."""

    found: list[Found] = field(default_factory=list)
    claims: int = 0
    matched: int = 0
    placed: int = 0
    series: int = 0

    def recall(self, kind: str | None = None, located: bool = False) -> float:
        """Share of the events (of a kind) that were found; ``located``: whatever they were called."""
        chosen = [f for f in self.found if kind in (None, f.truth.kind)]
        return float(np.mean([f.located if located else f.claim is not None for f in chosen])) if chosen else np.nan

    @property
    def precision(self) -> float:
        """Share of the claims that match an event in kind and onset."""
        return self.matched / self.claims if self.claims else np.nan


def near(truth: Truth, claim: Claim) -> bool:
    """Say whether a claim's onset is that of an event."""
    tolerance = TOLERANCE_GRADUAL_DAYS if GRADUAL in (truth.kind, claim.kind) else TOLERANCE_DAYS
    return abs(claim.onset - truth.onset) <= tolerance


def judge(tally: Tally, quarter: Quarterly, claims: list[Claim]) -> None:
    """Match claims with events, nearest first, each at most once, and add them up."""
    tally.series += 1
    claims = [claim for claim in claims if claim.kind != "any" or not _aftermath(claim, quarter.truths)]
    tally.claims += len(claims)
    records = [Found(t, quarter.level, _noncentrality(quarter, t)) for t in quarter.truths]
    pairs = sorted(
        (abs(c.onset - r.truth.onset), i, j)
        for i, r in enumerate(records)
        for j, c in enumerate(claims)
        if near(r.truth, c)
    )
    for same_kind in (True, False):
        taken: set[int] = set()
        for _, i, j in pairs:
            record, claim = records[i], claims[j]
            fits = claim.kind in (record.truth.kind, "any") or not same_kind
            if j in taken or not fits or (record.claim is not None if same_kind else record.located):
                continue
            taken.add(j)
            if same_kind:
                record.claim = claim
            else:
                record.located = True
        if same_kind:
            tally.matched += len(taken)
        else:
            tally.placed += len(taken)
    tally.found += records


def _aftermath(claim: Claim, truths: list[Truth]) -> bool:
    """Say whether a change without a kind is the course or the end of an event: neither right nor wrong."""
    return not any(near(t, claim) for t in truths) and any(t.onset < claim.onset <= t.end + 3 for t in truths)


def _noncentrality(quarter: Quarterly, truth: Truth) -> float:
    """Twice the log likelihood that an event is worth beside an unknown level, to who knows the noise."""
    effect = truth.effect[quarter.at]
    both = np.linalg.solve(quarter.covariance, np.column_stack([np.ones_like(effect), effect]))
    ones, inner = float(both[:, 0].sum()), float(effect @ both[:, 0])
    return float(effect @ both[:, 1]) - inner**2 / ones
