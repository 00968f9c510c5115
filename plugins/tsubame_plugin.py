"""The plugin: registers with Airflow what the package ``tsubame_airflow`` beside it holds."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from tsubame_airflow.deadlines import FirstQueuedAt
from tsubame_airflow.links import plugin_links
from tsubame_airflow.reading_ahead import ReadAhead
from tsubame_airflow.timetables import DayTimetable, QuarterMapper, QuarterTimetable


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request for a page; the web framework is imported at the first one, not in every service."""
    await importlib.import_module("tsubame_airflow.pages").app(scope, receive, send)


class TsubamePlugin(AirflowPlugin):
    """Timetables of report days and quarters; the observation page, the site and the Data Docs inside Airflow."""

    name = "tsubame"
    timetables: ClassVar[list[Any]] = [DayTimetable, QuarterTimetable]
    partition_mappers: ClassVar[list[Any]] = [QuarterMapper]
    deadline_references: ClassVar[list[Any]] = [FirstQueuedAt]
    fastapi_apps: ClassVar[list[Any]] = [{"app": pages, "url_prefix": "/tsubame", "name": "TSUBAME"}]
    fastapi_root_middlewares: ClassVar[list[Any]] = [{"middleware": ReadAhead, "name": "TSUBAME reads ahead"}]
    global_operator_extra_links: ClassVar[list[Any]] = plugin_links()
    external_views: ClassVar[list[Any]] = [
        {"name": "TSUBAME", "href": "/tsubame/", "destination": "nav", "url_route": "observation"}
    ]
