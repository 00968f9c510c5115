"""Steps: a row for each lasting change of one of the first ten regions."""

from __future__ import annotations

from typing import Any

from expectations import bounds
from expectations.steps_carried import ExpectStepsToBeCarried
from expectations.steps_explained import ExpectStepsToBeExplained
from expectations.steps_told import ExpectStepsToBeTold
from tsubame.analysis import results


def build() -> list[Any]:
    """Return the expectations."""
    return [
        ExpectStepsToBeTold(
            severity="warning",
            description="Every step of a first region is explained by a reassignment or flagged",
            notes="A jump of ten-day means that the analysis passed over may be a reassignment it did not see.",
        ),
        ExpectStepsToBeCarried(
            explained=results.EXPLAINED,
            minimum=bounds.EXPLAINED_CARRIED,
            severity="warning",
            description="The explained part of a change is a part of it",
            notes="Priced here by the region's two series in the counts, in the analysis by the blocks' packets.",
        ),
        ExpectStepsToBeExplained(
            unexplained=results.NOT_EXPLAINED,
            severity="info",
            description="Steps that no reassignment explains",
            notes="A change of traffic is no fault; it is kept here so that it is found.",
        ),
    ]
