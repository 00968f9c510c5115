"""The plugin: registers with Airflow what the package ``tsubame_airflow`` beside it holds."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from tsubame_airflow.timetables import DayTimetable, QuarterTimetable


class TsubamePlugin(AirflowPlugin):
    """Timetables of report days and quarters."""

    name = "tsubame"
    timetables: ClassVar[list[Any]] = [DayTimetable, QuarterTimetable]
