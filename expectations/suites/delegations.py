"""Delegation snapshots in force: a row for each day of the quarter and registry."""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe

from expectations import bounds
from expectations.registries_present import ExpectRegistriesToBePresent
from expectations.space_kept import ExpectSpaceToBeKept
from tsubame.keys import REGISTRIES


def build() -> list[Any]:
    """Return the expectations."""
    return [
        gxe.ExpectColumnValuesToBeInSet(
            column="registry",
            value_set=list(REGISTRIES),
            description="The registry is one of the five RIRs",
            notes="Files of another registry would give its space two regions.",
        ),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["day", "registry"],
            description="One snapshot of a registry is in force on a day",
        ),
        ExpectRegistriesToBePresent(
            registries=list(REGISTRIES),
            severity="warning",
            description="Every registry has a snapshot on every day",
            notes="Without one its space counts as undelegated and its regions fall in rank.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="age_days",
            min_value=0,
            max_value=bounds.SNAPSHOT_AGE_WARNING_DAYS,
            severity="warning",
            description="Snapshots are carried forward over a few days at most",
            notes="Registries publish daily; a gap is carried forward, and said.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="age_days",
            min_value=0,
            max_value=bounds.SNAPSHOT_AGE_CRITICAL_DAYS,
            description="No snapshot is older than a quarter, and none is of a later day",
            notes="An older one says nothing of this quarter's reassignments.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="faults",
            max_value=0,
            severity="warning",
            description="Every line of the snapshots can be read",
            notes="A line that cannot be read leaves its addresses undelegated.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="addresses",
            min_value=1,
            max_value=bounds.ADDRESSES,
            description="A snapshot in force holds addresses",
        ),
        gxe.ExpectColumnValuesToNotBeInSet(
            column="md5_ok",
            value_set=[False],
            description="A snapshot has the MD5 that its registry gives for it",
            notes="A file that does not is damaged or half there; it is not used.",
        ),
        gxe.ExpectColumnValuesToNotBeInSet(
            column="md5_unreadable",
            value_set=[True],
            severity="warning",
            description="The MD5 file beside a snapshot names an MD5",
            notes="Without one the snapshot is used unverified.",
        ),
        gxe.ExpectColumnValuesToNotBeInSet(
            column="glitch",
            value_set=[True],
            severity="warning",
            description="No snapshot is contradicted by its neighbours",
            notes="What its neighbours contradict is held back; the report says so.",
        ),
        ExpectSpaceToBeKept(
            maximum_loss=bounds.SPACE_LOST_WARNING,
            severity="warning",
            description="No registry loses much space from one snapshot to the next",
        ),
        ExpectSpaceToBeKept(
            maximum_loss=bounds.SPACE_LOST_CRITICAL,
            description="No snapshot is a part of a file",
        ),
    ]
