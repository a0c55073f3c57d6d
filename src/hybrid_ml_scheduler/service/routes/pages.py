"""What a browser gets: the dashboard, the status page, and what problems mean."""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from hybrid_ml_scheduler.service.page import PageFile, built_page
from hybrid_ml_scheduler.service.problems import KINDS, NOT_FOUND, NotFoundError, responses

router = APIRouter(tags=["pages"])
_STATIC = Path(__file__).parents[1] / "static"
_SWAGGER_UI = Path(str(resources.files("fastapi_swagger"))) / "resources"
_KINDS = {".js": "text/javascript", ".css": "text/css"}
_FILES: dict[str, tuple[bytes, str]] = {
    path.name: (path.read_bytes(), _KINDS[path.suffix])
    for path in (
        *(_STATIC / name for name in ("status.css", "status.js", "docs.js")),
        *(_SWAGGER_UI / name for name in ("swagger-ui.css", "swagger-ui-bundle.js")),
    )
}
"""Scripts and styles of the plain pages, by name. What they may do is the business of `hybrid_ml_scheduler.service.security.headers`."""
_PAGES = {name: (_STATIC / f"{name}.html").read_text(encoding="utf-8") for name in ("status", "docs")}
_FRESH = {"Cache-Control": "no-cache"}
_PAGE_HEADERS = {"Vary": "Accept-Encoding"}


def _sent(request: Request, file: PageFile) -> Response:
    headers = {**_PAGE_HEADERS, "Cache-Control": file.caching, "ETag": file.tag}
    if file.tag in [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    coding = request.headers.get("accept-encoding", "")
    if file.compressed is not None and "gzip" in coding and "gzip;q=0" not in coding.replace(" ", ""):
        return Response(file.compressed, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)


@router.get("/", include_in_schema=False)
async def page(request: Request) -> Response:
    """The dashboard, or the status page where it is not built."""
    files = await asyncio.to_thread(built_page)
    if "index.html" in files:
        return _sent(request, files["index.html"])
    return HTMLResponse(_PAGES["status"], headers=_FRESH)


@router.get("/status", include_in_schema=False)
async def status_page() -> Response:
    """A plain page that shows `/api/status`."""
    return HTMLResponse(_PAGES["status"], headers=_FRESH)


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """The description of the API, to read and to try."""
    return HTMLResponse(_PAGES["docs"], headers=_FRESH)


@router.get("/static/{name}", include_in_schema=False)
async def plain_file(name: Annotated[str, PathParameter(max_length=200)]) -> Response:
    """A script or style of the plain pages."""
    if name not in _FILES:
        raise NotFoundError("there is no such file; expected one that a page names")
    content, kind = _FILES[name]
    return Response(content, media_type=kind, headers=_FRESH)


async def _file(request: Request, name: str) -> Response:
    files = await asyncio.to_thread(built_page)
    if name not in files:
        raise NotFoundError("there is no such file of the page; expected one that the page at / names")
    return _sent(request, files[name])


@router.get("/icon.svg", include_in_schema=False)
async def icon(request: Request) -> Response:
    """The sign in the tab of a browser."""
    return await _file(request, "icon.svg")


@router.get("/assets/{name}", include_in_schema=False)
async def asset(request: Request, name: Annotated[str, PathParameter(max_length=200)]) -> Response:
    """A file of the dashboard; its name holds a hash of its content."""
    return await _file(request, f"assets/{name}")


@router.get("/problems/{name}", summary="What a kind of problem means", response_class=PlainTextResponse, responses=responses(NOT_FOUND))
async def problem(name: Annotated[str, PathParameter(max_length=100)]) -> Response:
    """Where the `type` of a problem leads to."""
    kind = KINDS.get(name)
    if kind is None:
        raise NotFoundError("there is no such kind of problem; expected the type of one")
    return PlainTextResponse(f"{kind.title} ({kind.status}). {kind.meaning}\n")
