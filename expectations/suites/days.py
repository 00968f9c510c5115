"""Report days: a row for each day of the quarter, with its accounting beside its counts."""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe

from expectations import bounds
from expectations.accounting_adds_up import ExpectAccountingToAddUp
from expectations.columns_equal import ExpectColumnsToAgree
from expectations.share_below import ExpectShareBelow


def build() -> list[Any]:
    """Return the expectations."""
    return [
        ExpectAccountingToAddUp(label="day", description="Every record of a day has exactly one fate"),
        ExpectColumnsToAgree(
            left="counted_packets",
            right="packets_kept",
            description="A day's counts hold every packet kept, and no other",
            notes="Counts are added up from flows, the accounting while decoding: two ways to one number.",
        ),
        ExpectColumnsToAgree(
            left="pinned_packets",
            right="packets_kept",
            description="Pinning regions to the quarter's first day neither adds nor drops a packet",
        ),
        ExpectColumnsToAgree(
            left="domestic_port_packets",
            right="domestic_packets",
            description="The packets of all ports are those of all regions",
        ),
        ExpectColumnsToAgree(
            left="domestic_source_packets",
            right="domestic_packets",
            description="The packets of all sources are those of all regions",
            notes="Sources and counts are two tables; a day whose tables are of different runs shows here.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="parted_on_first_day",
            max_value=0,
            description="On the quarter's first day every region is its pinned region",
            notes="Otherwise regions are pinned to another day than that of this quarter.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="source_rows_wrong",
            max_value=0,
            description="Each row has at least one source, and no more sources than packets",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="sensors_up",
            min_value=1,
            severity="warning",
            description="Some domestic sensor is up on every day",
            notes="A day without is a gap in every series.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="sensors_up_share",
            min_value=bounds.SENSORS_UP_WARNING,
            severity="warning",
            description="Most of the sensors expected are up on every day",
            notes="Means divide by sensors up; with few of them they rest on other address space.",
        ),
        ExpectShareBelow(
            part="undelegated_packets",
            whole="counted_packets",
            maximum=bounds.UNDELEGATED_SHARE_WARNING,
            severity="warning",
            description="Few packets come from space in no delegation file",
            notes="Spoofed sources are a few percent; more means that a registry's file is missing.",
        ),
        ExpectShareBelow(
            part="undelegated_packets",
            whole="counted_packets",
            maximum=bounds.UNDELEGATED_SHARE_CRITICAL,
            description="Most packets have a region",
        ),
    ]
