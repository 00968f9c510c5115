"""A statement of the report: typed, with its numbers, windows and formula, and its sentence in two languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tsubame.analysis.results import Interval
from tsubame.periods import Window

KINDS: Mapping[str, str] = {
    "rank": "a place in a table, or its change",
    "close": "neighbours in a table whose order is not certain",
    "change": "last days against first, of no gradual shape",
    "gradual": "a change that goes on for weeks",
    "fluctuation": "rises and falls that take turns through the quarter",
    "shift": "a level that changed and stayed",
    "burst": "a rise or fall of some days",
    "spike_and_decay": "a rise to a peak that then falls slowly",
    "story": "several events told in one sentence",
    "period": "from when to when linked events lasted",
    "reassignment": "blocks that the registries moved",
    "noted": "how much more a noted port had than in the quarter before",
    "domestic_sources": "that packets to a port came from Japan, too",
    "tool_share": "the part of a port's packets that bears a tool's mark",
    "signature_decay": "a tool's mark that vanishes while its packets go on",
    "overlap": "sources of one port that also sent to another",
    "no_correlation": "a series that did not change as another did",
    "correlation": "a series that changed as another did",
    "undecided_correlation": "that it cannot be told whether a series changed as another did",
    "regional_rises": "regions whose packets to a port rose",
    "superposition": "a port's change that is that of some regions",
    "sources": "distinct sources of a port, new and returning",
    "sensors": "how a port's packets spread over the sensors",
}
"""What each kind of claim states."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a claim is about; what does not apply is None.

    Attributes:
        direction: ``destination`` for ports, ``source`` for regions.
    """

    direction: str
    protocol: int | None = None
    port: int | None = None
    region: str | None = None
    tool: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the subject as ``report.json`` writes it."""
        return {
            "direction": self.direction,
            "protocol": self.protocol,
            "port": self.port,
            "region": self.region,
            "tool": self.tool,
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of the report.

    Attributes:
        kind: see ``KINDS``.
        ratio: unrounded; the text rounds it.
        windows: the windows compared, earlier first.
        figure: id of the figure that shows it, if one does.
        numbers: every other number that the text holds, by name: unrounded, or a day.
        told_in: id of the claim whose sentence tells this one too, where the report prints that instead.
        section: where the report prints it: ``ports``, ``regions``, ``reassignments`` or ``noted-<port>``.
    """

    id: str
    kind: str
    subject: Subject
    text_ja: str
    text_en: str
    onset: date | None = None
    peak: date | None = None
    end: date | None = None
    ratio: float | None = None
    ratio_interval: Interval | None = None
    windows: tuple[Window, ...] = ()
    formula: str = ""
    figure: str | None = None
    numbers: Mapping[str, float | int | date] = field(default_factory=dict)
    told_in: str | None = None
    section: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the claim as ``report.json`` writes it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "subject": self.subject.as_dict(),
            "onset": None if self.onset is None else self.onset.isoformat(),
            "peak": None if self.peak is None else self.peak.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
            "ratio": self.ratio,
            "ratio_interval": None if self.ratio_interval is None else list(self.ratio_interval),
            "windows": [window.as_text() for window in self.windows],
            "formula": self.formula,
            "text_ja": self.text_ja,
            "text_en": self.text_en,
            "figure": self.figure,
            "numbers": {
                name: value.isoformat() if isinstance(value, date) else value for name, value in self.numbers.items()
            },
            "told_in": self.told_in,
            "section": self.section,
        }
