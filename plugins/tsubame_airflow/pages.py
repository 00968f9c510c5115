"""The observation page, the published site and the Data Docs inside Airflow, for whoever may see Airflow's pages.

A browser opens no ``file://`` link from a page of Airflow, and the site may lie in a bucket: this reads both.
The observation page is one file without a build step; its data come from the three addresses below ``/data``, its
runs from Airflow's own REST API with the reader's own permissions.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response

from tsubame.errors import BadInput, NotReady, TsubameError, Unavailable
from tsubame.periods import Quarter
from tsubame.settings import Settings
from tsubame.stores import Store

_PAGE = Path(__file__).with_name("observation.html")
LONGEST_DAYS = 731
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# Whoever may write to a bucket must not run a script as the person who reads it in Airflow: pages of the site run none,
# the explorer, which needs no file beside it, runs its own as nobody.
_PAGE_POLICY = "sandbox allow-same-origin allow-popups allow-downloads"
_EXPLORER_POLICY = "sandbox allow-scripts allow-popups allow-downloads"
_QUARTER = re.compile(r"\d{4}Q[1-4]", re.ASCII)

app = FastAPI(
    title="TSUBAME",
    openapi_url=None,
    docs_url=None,
    redoc_url=None,
    dependencies=[Depends(requires_access_view(AccessView.WEBSITE))],
)


@app.get("/")
def read_page() -> HTMLResponse:
    """Return the observation page."""
    page = _PAGE.read_text(encoding="utf-8")
    return HTMLResponse(page, headers={"Cache-Control": "no-cache", "Content-Security-Policy": _own_policy(page)})


def _own_policy(page: str) -> str:
    """Return the policy of the observation page: its own script, its styles, data from here, frames only in here."""
    scripts = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in _SCRIPT.findall(page))
    allowed = " ".join(f"'sha256-{digest}'" for digest in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; connect-src 'self'; "
        "img-src 'self' data:; frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
    )


@app.get("/data/days")
def read_days(days: int = Query(92, ge=1, le=LONGEST_DAYS), last: date | None = None) -> JSONResponse:
    """Return sensors × days up to ``last``; without it, up to the newest counted day."""
    from tsubame.pipeline.observation import sensor_days

    def told(settings: Settings) -> dict[str, Any]:
        end = last or _newest_day(settings)
        return sensor_days(settings, end - timedelta(days=days - 1), end)

    return _data(told)


@app.get("/data/ranks")
def read_ranks(last: date | None = None) -> JSONResponse:
    """Return the ranks of seven days; without ``last``, of those up to the newest day with packets."""
    from tsubame.pipeline.observation import current_ranks, newest_observed_day

    def told(settings: Settings) -> dict[str, Any]:
        return current_ranks(settings, last or newest_observed_day(settings, _newest_day(settings)))

    return _data(told)


@app.get("/data/quarters")
def read_quarters(number: int = Query(8, ge=1, le=40)) -> JSONResponse:
    """Return the newest quarters: state, edition, verdict, events."""
    from tsubame.pipeline.observation import quarters

    def told(settings: Settings) -> list[dict[str, Any]]:
        return quarters(settings, Quarter.of(_newest_day(settings)), number, now=datetime.now(UTC))

    return _data(told)


def _newest_day(settings: Settings) -> date:
    from tsubame.pipeline.observation import newest_day

    return newest_day(settings) or datetime.now(settings.zone).date() - timedelta(days=1)


def _data(tell: Callable[[Settings], Any]) -> JSONResponse:
    headers = {"Cache-Control": "no-store"}
    try:
        return JSONResponse(tell(Settings.from_environment()), headers=headers)
    except NotReady as error:
        return JSONResponse({"error": str(error)}, 404, headers)
    except Unavailable as error:
        return JSONResponse({"error": str(error)}, 503, headers)
    except TsubameError as error:
        return JSONResponse({"error": str(error)}, 500, headers)


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
    headers = {"X-Content-Type-Options": "nosniff"}
    if kind != "application/pdf":  # browsers show none in a sandbox
        headers["Content-Security-Policy"] = _EXPLORER_POLICY if parts[-1] == "explore.html" else _PAGE_POLICY
    return Response(content, media_type=kind, headers=headers)
