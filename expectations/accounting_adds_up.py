"""Every record read has exactly one fate."""

from __future__ import annotations

from typing import Any

from expectations.frame import FrameExpectation
from expectations.texts import Line, line

FATES = (
    "packets_kept",
    "not_ip",
    "ipv6",
    "truncated_header",
    "bad_header",
    "outside_sensor",
    "damaged_record",
)


class ExpectAccountingToAddUp(FrameExpectation):
    """Records read are the sum of their fates, in every row."""

    label: str = "capture"

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Compare ``records_read`` with the sum of ``FATES``; rows are named by the column ``label``."""
        total = frame[list(FATES)].sum(axis=1)
        wrong = frame[total != frame["records_read"]]
        lines = [
            line("fates", name=name, read=read, total=total[index])
            for index, name, read in zip(wrong.index, wrong[self.label], wrong["records_read"], strict=True)
        ]
        return f"{len(frame)} rows, {int(frame['records_read'].sum())} records read", lines
