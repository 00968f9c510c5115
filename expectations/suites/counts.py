"""Columns of counts: a row for each day and column, with its Arrow type, nulls and range.

Derived from ``tsubame.schemas``: a column that is added there is validated here without a change.
"""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe

from tsubame import schemas

MINIMA = {"packets": 1, "sources": 1}
"""A row exists because of a packet, and a packet has a source."""


def build() -> list[Any]:
    """Return the expectations: of the table of columns, then of each column."""
    named: list[Any] = [
        gxe.ExpectColumnDistinctValuesToEqualSet(
            column="column",
            value_set=list(schemas.COUNTS.names),
            description="Counts have the columns that the schema declares",
        ),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["day", "column"], description="Each column is there once a day"
        ),
    ]
    for column in schemas.COUNTS.columns:
        own = {"row_condition": f'column=="{column.name}"', "condition_parser": "pandas"}
        named.append(
            gxe.ExpectColumnValuesToBeInSet(
                column="type",
                value_set=[str(column.type)],
                description=f"{column.name} is {column.type}: {column.meaning}",
                **own,
            )
        )
        if not column.nullable:
            named.append(
                gxe.ExpectColumnValuesToBeBetween(
                    column="nulls", max_value=0, description=f"{column.name} is never missing", **own
                )
            )
        if column.name in MINIMA:
            named.append(
                gxe.ExpectColumnValuesToBeBetween(
                    column="minimum",
                    min_value=MINIMA[column.name],
                    description=f"{column.name} is at least {MINIMA[column.name]}",
                    **own,
                )
            )
    return named
