"""All days of a quarter: what is missing or stale is decoded and counted, the rest is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from tsubame.errors import NotReady
from tsubame.periods import ONE_DAY, Quarter, day_bounds
from tsubame.pipeline.cluster import Progress, SetAside, silent
from tsubame.pipeline.counts import CountSummary, count_days, days_with_flows
from tsubame.pipeline.delegations import open_archive
from tsubame.pipeline.ingest import IngestSummary, ingest_days
from tsubame.settings import Settings

PREVIOUS_SHARE = 0.5
"""Share of a quarter's days that must have data before its ranks stand beside the next quarter's.

Captures run by UTC day and report days by the report's zone, so the first captures of an archive always spill
some hours into the quarter before; ranks of those hours would be no ranks of a quarter.
"""

_CAPTURES_NAMED = 3
LEAD_DAYS = 10
"""Days before a quarter that are counted with it: what a block moved on its first days is compared with."""


@dataclass(frozen=True, slots=True)
class QuarterSummary:
    """What a call of ``complete_quarter`` did.

    Attributes:
        previous: what was done for the quarter before; None when it has too few days with data to rank.
        ingest_before: in that case, what was decoded all the same while its captures were looked for.
    """

    quarter: Quarter
    ingest: IngestSummary
    counts: CountSummary
    previous: QuarterSummary | None = None
    ingest_before: IngestSummary | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-ready values."""
        return {
            "quarter": str(self.quarter),
            "ingest": self.ingest.as_dict(),
            "counts": self.counts.as_dict(),
            "previous": self.previous.as_dict() if self.previous else None,
            "ingest_before": self.ingest_before.as_dict() if self.ingest_before else None,
        }


def require_over(quarter: Quarter, settings: Settings, now: datetime) -> None:
    """Refuse a quarter whose last report day has not ended.

    Raises:
        NotReady: says when it ends.
    """
    if not quarter.is_over(now, settings.zone):
        end = day_bounds(quarter.last_day, settings.zone)[1].astimezone(settings.zone)
        raise NotReady("the quarter is not over", key=str(quarter), hint=f"It ends at {end:%Y-%m-%d %H:%M %Z}.")


def has_data(settings: Settings, quarter: Quarter) -> bool:
    """Say whether enough days of the quarter have flows for its ranks to stand beside another quarter's."""
    days = days_with_flows(settings, quarter.first_day, quarter.last_day)
    return len(days) >= PREVIOUS_SHARE * len(quarter.days)


def complete_quarter(
    settings: Settings, quarter: Quarter, *, previous: bool = False, progress: Progress = silent
) -> QuarterSummary:
    """Ingest and count every report day of a quarter that is missing or stale.

    Args:
        previous: complete the quarter before as well, when it has data, so that previous ranks are right in
            whatever order quarters are run.

    Raises:
        NotReady: the sensor bucket is empty, no capture bears on the quarter, or no delegation snapshot covers it.
        BadInput: the sensor registry is missing or malformed.
        Unavailable: a store or the cluster does not answer; what is done stays done.
        SetAside: after all others are decoded and counted: captures that kill their workers.
    """
    before: QuarterSummary | None = None
    ingest_before: IngestSummary | None = None
    if previous:
        span = quarter.previous.first_day, quarter.previous.last_day
        ingest_before = ingest_days(settings, *span, progress=progress)
        if has_data(settings, quarter.previous):
            before = QuarterSummary(quarter.previous, ingest_before, count_days(settings, *span, progress=progress))
            ingest_before = None
    # A day earlier than the lead: a day counts only if the one before was observed, too.
    begin = quarter.first_day - timedelta(days=LEAD_DAYS + 1)
    ingest = ingest_days(settings, begin, quarter.last_day, progress=progress)
    if not days_with_flows(settings, quarter.first_day, quarter.last_day):
        raise NotReady(
            "no capture has a packet of this quarter",
            key=str(quarter),
            hint=f"Upload captures to {settings.captures_url}, or name another quarter.",
        )
    first = min((*lead_days(settings, quarter), quarter.first_day))
    counts = count_days(settings, first, quarter.last_day, progress=progress)
    _refuse_incomplete(quarter, counts, before)
    return QuarterSummary(quarter, ingest, counts, before, ingest_before)


def _refuse_incomplete(quarter: Quarter, counts: CountSummary, before: QuarterSummary | None) -> None:
    """End with an error, now that all else is done: nobody should publish such a quarter without knowing."""
    incomplete = counts.incomplete | (before.counts.incomplete if before else {})
    if not incomplete:
        return
    captures = sorted({capture for day in incomplete.values() for capture in day})
    raise SetAside(
        f"killed every worker; {len(captures)} captures are set aside, {len(incomplete)} days counted without them",
        key=", ".join(captures[:_CAPTURES_NAMED]) + (" and others" if len(captures) > _CAPTURES_NAMED else ""),
        items=captures,
        hint=f"Give the workers more memory and run it again, or publish without them: `tsubame report {quarter}`.",
    )


def lead_days(settings: Settings, quarter: Quarter) -> tuple[date, ...]:
    """Return the days just before a quarter that its reassignments can be compared with.

    A day on which an archive of captures begins is observed in part only, and a day before the first
    usable delegation file has no regions: neither is one.
    """
    first = quarter.first_day - timedelta(days=LEAD_DAYS)
    seen = days_with_flows(settings, first - ONE_DAY, quarter.first_day - ONE_DAY)
    days = [day for day in sorted(seen) if day >= first and day - ONE_DAY in seen]
    archive = open_archive(settings)
    while days and not archive.covers(days[0]):
        del days[0]
    return tuple(days)
