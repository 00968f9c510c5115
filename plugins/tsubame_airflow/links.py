"""Buttons on tasks: to the edition that was published, to the Data Docs of its validation, to Dask's dashboard.

The first two lead to ``pages``, which serves the site and the Data Docs to whoever is logged in to Airflow. The third
leads where ``TSUBAME_DASK_DASHBOARD_URL`` says: only a deployment knows how a browser reaches its cluster.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import BaseOperatorLink
from airflow.sdk.bases.xcom import BaseXCom

from tsubame.errors import UsageError
from tsubame_airflow.deployment import DASK_POOL, dask_dashboard

log = logging.getLogger("tsubame.page")

PREFIX = "/tsubame"


class EditionLink(BaseOperatorLink):
    """From the task that published an edition to its page."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the page's address, or nothing when no edition was published."""
        edition = BaseXCom.get_value(ti_key=ti_key, key="return_value")
        if not edition:
            return ""
        return f"{PREFIX}/site/{edition['quarter']}/editions/{edition['edition']}/index.html"


class DataDocsLink(BaseOperatorLink):
    """From the task that validated a quarter to what it found, passed or refused."""

    name = "Data Docs"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address of the quarter's Data Docs."""
        key = ti_key.get_template_context()["dag_run"].partition_key
        return f"{PREFIX}/validation/{key}/docs/index.html" if key else ""


class DaskDashboardLink(BaseOperatorLink):
    """From a task that computes on Dask to the dashboard of the cluster, while it runs and after."""

    name = "Dask dashboard"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the dashboard's address, or nothing for a task that does not compute on Dask."""
        return dask_dashboard() if operator.pool == DASK_POOL else ""


def plugin_links() -> list[BaseOperatorLink]:
    """Return the links that the API server itself makes, so that they are there before a task has ended."""
    try:
        return [DaskDashboardLink()] if dask_dashboard() else []
    except UsageError as error:
        # A plugin that does not load takes the timetables of every DAG with it.
        log.error("%s", error)  # noqa: TRY400 - the message is the whole story
        return []


def with_link(task: Any, link: BaseOperatorLink) -> Any:
    """Give a task of the ``@task`` kind a button."""
    task.operator.operator_extra_links = (link,)
    return task
