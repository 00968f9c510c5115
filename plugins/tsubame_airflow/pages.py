"""Serves the published site and the Data Docs inside Airflow, to whoever may see Airflow's pages.

A browser opens no ``file://`` link from a page of Airflow, and the site may lie in a bucket: this reads both.
"""

from __future__ import annotations

import mimetypes
import re
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import Response

from tsubame.errors import BadInput, Unavailable
from tsubame.settings import Settings
from tsubame.stores import Store

_QUARTER = re.compile(r"\d{4}Q[1-4]", re.ASCII)

app = FastAPI(
    title="TSUBAME",
    openapi_url=None,
    docs_url=None,
    redoc_url=None,
    dependencies=[Depends(requires_access_view(AccessView.WEBSITE))],
)


@app.get("/site/{quarter}/{path:path}")
def read_site(quarter: str, path: str) -> Response:
    """Return an object of the published site."""
    return _answer(Settings.from_environment().site_url, quarter, path)


@app.get("/validation/{quarter}/docs/{path:path}")
def read_data_docs(quarter: str, path: str) -> Response:
    """Return an object of a quarter's newest Data Docs."""
    return _answer(Settings.from_environment().lake_url, quarter, f"docs/{path}", below="validation/")


def _answer(url: str, quarter: str, path: str, below: str = "") -> Response:
    parts = path.split("/")
    if not _QUARTER.fullmatch(quarter) or any(part in ("", ".", "..") or "\\" in part for part in parts):
        raise HTTPException(404, "there is no such page")
    try:
        content = Store(url).read(f"{below}{quarter}/{path}")
    except BadInput as error:
        raise HTTPException(404, "there is no such page") from error
    except Unavailable as error:
        raise HTTPException(503, "the store does not answer") from error
    kind: Any = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers={"X-Content-Type-Options": "nosniff"})
