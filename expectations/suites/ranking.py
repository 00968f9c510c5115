"""Rankings: a row for each port and region ranked."""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe

from expectations.ranks_in_order import ExpectRanksInOrder


def build() -> list[Any]:
    """Return the expectations."""
    return [
        ExpectRanksInOrder(description="Ranks count from 1, and packets fall with the rank"),
        gxe.ExpectColumnValuesToBeBetween(
            column="sources", min_value=1, description="What is ranked has at least one source"
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="packets",
            column_B="sources",
            or_equal=True,
            description="There are no more sources than packets",
        ),
    ]
