"""What a figure is before it is drawn: number, captions, alternative texts, data."""

from __future__ import annotations

from dataclasses import dataclass

from tsubame.analysis.noted_results import NotedPort
from tsubame.analysis.results import Reassignment
from tsubame.report.names import LANGUAGES

PIXELS_PER_INCH = 100
"""How large a page shows a figure that is as wide as its text."""

LINES_HEIGHT, PANELS_HEIGHT = 3.7, 3.2


@dataclass(frozen=True, slots=True)
class FigurePlan:
    """A figure to be drawn.

    Attributes:
        number: its number in the report.
        alt_ja, alt_en: what the picture shows, for those who do not see it.
        data: stem of the data behind it: ``data/<data>.parquet`` and ``tables/<data>.csv``.
        height: in inches.
        reassignment, noted: what it is of, where it is of one.
        kind: which of a noted port's figures it is.
    """

    id: str
    number: int
    title_ja: str
    title_en: str
    alt_ja: str
    alt_en: str
    data: str
    height: float
    reassignment: Reassignment | None = None
    noted: NotedPort | None = None
    kind: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the pictures in the edition."""
        return tuple(f"figures/{self.id}.{language}.{form}" for language in LANGUAGES for form in ("svg", "png"))
