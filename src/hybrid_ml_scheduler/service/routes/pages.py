"""What a browser gets: the status page, and what problems mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from hybrid_ml_scheduler.service.problems import KINDS, NOT_FOUND, NotFoundError, responses

router = APIRouter(tags=["pages"])
_STATUS_PAGE = (Path(__file__).parents[1] / "static" / "status.html").read_text(encoding="utf-8")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@router.get("/", include_in_schema=False)
async def page() -> Response:
    """A plain page that shows `/api/status`."""
    return HTMLResponse(_STATUS_PAGE, headers=_HEADERS)


@router.get("/problems/{name}", summary="What a kind of problem means", response_class=PlainTextResponse, responses=responses(NOT_FOUND))
async def problem(name: Annotated[str, PathParameter(max_length=100)]) -> Response:
    """Where the `type` of a problem leads to."""
    kind = KINDS.get(name)
    if kind is None:
        raise NotFoundError("there is no such kind of problem; expected the type of one")
    return PlainTextResponse(f"{kind.title} ({kind.status}). {kind.meaning}\n")
