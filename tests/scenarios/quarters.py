"""The scenarios of ``tests/scenarios``, cut to some weeks about what happens in them, through the whole path."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tsubame.periods import Quarter, days_between
from tsubame.settings import Settings
from tsubame.simulate.reading import load_scenario
from tsubame.simulate.run import simulate
from tsubame.stores import Store

Q1 = Quarter(2023, 1)
NOW = datetime(2023, 6, 1, tzinfo=UTC)
SPANS = {
    "boundary-move": (date(2022, 12, 21), date(2023, 1, 20)),
    "glitch": (date(2023, 1, 12), date(2023, 2, 10)),
}
"""What is simulated of a scenario; of any other, some two weeks either side of 10 February."""


@dataclass(frozen=True)
class Ran:
    """A scenario's buckets, and what was put into them."""

    settings: Settings
    truth: dict[str, Any]

    def mean(self, first: date, last: date, **wanted: str) -> float:
        """Mean packets per domestic sensor and day of some rows of the truth."""
        counts = self.truth["counts"]
        hit = np.array(counts["domestic"], bool)
        for column, value in wanted.items():
            hit &= np.array(counts[column]) == value
        days, packets = np.array(counts["day"]), np.array(counts["packets"])
        up = self.truth["sensor_days"]
        daily = []
        for day in days_between(first, last):
            sensors = sum(name.startswith("jp-") and bool(seen.get(str(day))) for name, seen in up.items())
            daily.append(packets[hit & (days == str(day))].sum() / sensors)
        return float(np.mean(daily))

    def share(self, region: str, traffic: str, before: tuple[date, date], after: tuple[date, date]) -> float:
        """M/Δ by the issue's formula, from what the simulator says it sent; the traffic is that of the moved block."""
        moved = [self.mean(*window, traffic=traffic) for window in (before, after)]
        # What else the region has; the block is the region's from the day on which its move was seen, not made.
        other = [
            self.mean(*window, region=region) - self.mean(*window, region=region, traffic=traffic)
            for window in (before, after)
        ]
        return sum(moved) / 2 / (other[1] + moved[1] - other[0])


def prepare(name: str, root: Path, *, sensors: int = 3) -> Ran:
    """Simulate a scenario's weeks with its first domestic sensors, ingest and count them."""
    from tsubame.pipeline.quarter import complete_quarter

    whole = load_scenario(str(Path(__file__).parent / f"{name}.toml"))
    first, last = SPANS.get(name, (date(2023, 1, 28), date(2023, 2, 26)))
    domestic = [sensor for sensor in whole.sensors if sensor.country == "JP"]
    early = [sensor for sensor in domestic if sensor.active_from is None][:sensors]
    late = [sensor for sensor in domestic if sensor.active_from is not None][:1]
    scenario = dataclasses.replace(whole, first=first, last=last, sensors=(*early, *late))
    captures, delegations = (str(root / part) for part in ("captures", "delegations"))
    simulate(scenario, Store(captures), Store(delegations))
    settings = Settings(
        captures_url=captures,
        delegations_url=delegations,
        lake_url=str(root / "lake"),
        site_url=str(root / "site"),
        sensors_url=f"{captures}/sensors.csv",
    )
    complete_quarter(settings, Q1)
    return Ran(settings, json.loads((root / "captures" / "truth.json").read_text()))


def draft(ran: Ran) -> tuple[Any, dict[str, Any], str]:
    """Return the analysis, ``report.json`` and the page of a scenario, without validation and pictures."""
    from tsubame.pipeline import report
    from tsubame.pipeline.context import context_of
    from tsubame.report.document import build_document, validate_document
    from tsubame.report.figures import plan_figures
    from tsubame.report.pages import render_edition

    gathered = report.gather_quarter(ran.settings, Q1, now=NOW)
    verdict = {"suites": [], "notes": [], "notes_ja": [], "refused": False}
    context = context_of(ran.settings, gathered, verdict, {}, NOW)
    document = build_document(gathered.analysis, context, plan_figures(gathered.analysis))
    validate_document(document)
    return gathered, document, render_edition(document).decode()
