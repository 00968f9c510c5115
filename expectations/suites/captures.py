"""Accounting of captures: a row for each capture object with packets of the quarter."""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe

from expectations import bounds
from expectations.accounting_adds_up import FATES, ExpectAccountingToAddUp
from expectations.share_below import ExpectShareBelow


def build() -> list[Any]:
    """Return the expectations."""
    counters = [
        gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0, description=f"{name} is a number of records")
        for name in ("records_read", *FATES)
    ]
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="sensor_id", description="A capture is of a sensor"),
        gxe.ExpectColumnValuesToBeUnique(
            column="capture",
            description="A capture is counted once",
            notes="A capture counted twice would double its sensor's packets.",
        ),
        *counters,
        ExpectAccountingToAddUp(description="Every record read has exactly one fate"),
        gxe.ExpectColumnValuesToBeNull(
            column="error",
            severity="warning",
            description="Every capture is read to its end",
            notes="What precedes the damage is counted; the report names the captures.",
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="error",
            mostly=1 - bounds.UNREADABLE_CAPTURES_CRITICAL,
            description="Most captures are read to their end",
            notes="With more than a tenth cut short the quarter is not representative.",
        ),
        ExpectShareBelow(
            part="damaged_record",
            whole="records_read",
            maximum=bounds.DAMAGED_SHARE_WARNING,
            severity="warning",
            description="Hardly any record is damaged",
            notes="A sound sensor writes none.",
        ),
        ExpectShareBelow(
            part="damaged_record",
            whole="records_read",
            maximum=bounds.DAMAGED_SHARE_CRITICAL,
            description="The damaged records leave the numbers standing",
        ),
        ExpectShareBelow(
            part="outside_sensor",
            whole="records_read",
            maximum=bounds.OUTSIDE_SENSOR_SHARE_WARNING,
            severity="warning",
            description="The records are the sensors' own",
            notes="Otherwise an entry of the sensor registry is likely wrong.",
        ),
    ]
