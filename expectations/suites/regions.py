"""Regions as delegated each day against the quarter's first day: a row for each day and region."""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe

from expectations.losses_equal_gains import ExpectLossesToEqualGains


def build() -> list[Any]:
    """Return the expectations."""
    return [
        gxe.ExpectColumnValuesToMatchRegex(
            column="region",
            regex=r"^([A-Z]{2}|reserved|available|undelegated)$",
            description="A region is a two-letter code, or a kind of space without one",
        ),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["day", "region"], description="A region has one number a day"),
        ExpectLossesToEqualGains(description="What one region loses by reassignment others gain, every day"),
    ]
