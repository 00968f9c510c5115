"""Verdicts: a row for each reassignment of the analysis, with its share, interval and verdict."""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe

from expectations.verdicts_follow import ExpectVerdictsToFollow
from tsubame.analysis import reassignment, results


def build() -> list[Any]:
    """Return the expectations."""
    return [
        ExpectVerdictsToFollow(
            explained=results.EXPLAINED,
            explained_from=reassignment.EXPLAINED_FROM,
            verdicts=list(results.VERDICTS),
            description="The words follow the numbers",
            notes="Only a share whose lower bound is half the change or more is called an explanation.",
        ),
        gxe.ExpectColumnValuesToNotBeInSet(
            column="verdict",
            value_set=[results.CANNOT_TELL],
            row_condition="matters==True",
            condition_parser="pandas",
            severity="warning",
            description="What the reassignments that matter did can be told",
        ),
    ]
