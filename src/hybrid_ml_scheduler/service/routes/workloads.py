"""Workloads of users."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from hybrid_ml_scheduler.core.errors import UnknownNameError
from hybrid_ml_scheduler.live.contract import RunState
from hybrid_ml_scheduler.live.uploads import PREFIX
from hybrid_ml_scheduler.service.answers import json_response, strict_query
from hybrid_ml_scheduler.service.problems import (
    INVALID_REQUEST,
    NOT_FOUND,
    REQUEST_TOO_LARGE,
    STORAGE_CONFLICT,
    TOO_SLOW,
    UNSUPPORTED_MEDIA,
    UNUSABLE_INPUT,
    InUseError,
    NotFoundError,
    responses,
)
from hybrid_ml_scheduler.service.resources import Found
from hybrid_ml_scheduler.service.schemas import DeletedWorkload, Name, UploadedWorkload, UploadList
from hybrid_ml_scheduler.service.security.install import security_of
from hybrid_ml_scheduler.service.security.principal import principal_of

router = APIRouter(prefix="/api/v1/workloads", tags=["policies and models"], dependencies=[Depends(strict_query)])
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}, "required": True}


@router.get("/uploads", summary="Uploaded workloads", response_model=UploadList)
async def uploads(request: Request) -> Response:
    """Newest first; `workload` is what a start names."""
    return json_response({"uploads": await security_of(request).uploads.all()})


@router.post(
    "",
    summary="Upload a workload",
    response_model=UploadedWorkload,
    responses=responses(UNUSABLE_INPUT, INVALID_REQUEST, REQUEST_TOO_LARGE, TOO_SLOW, UNSUPPORTED_MEDIA),
    openapi_extra={"requestBody": _BODY},
)
async def upload(request: Request, name: Annotated[Name, Query(description="What people call it; no path.")] = "upload") -> Response:
    """The body is the file as it is, plain or gzip, in any format that `hms workload` reads. It is read in a process of its own, and kept under
    the hash of its content.
    """

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in request.stream():
            if piece:
                yield piece

    return json_response(await security_of(request).uploads.add(name, principal_of(request).subject, pieces()))


@router.delete(
    "/{sha256}",
    summary="Delete an uploaded workload",
    response_model=DeletedWorkload,
    responses=responses(NOT_FOUND, STORAGE_CONFLICT, INVALID_REQUEST),
)
async def delete(
    request: Request, resources: Found, sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="Of its content.")]
) -> Response:
    """A run that is going on with it must be stopped first; runs of the history lose their explanations."""
    status = resources.controller.status()
    if status.request is not None and status.request.workload == PREFIX + sha256 and status.state is not RunState.STOPPED:
        raise InUseError(f"run {status.run_id} is {status.state} with this workload; expected it to be stopped first (POST /api/stop)")
    try:
        await security_of(request).uploads.delete(PREFIX + sha256)
    except UnknownNameError as error:
        raise NotFoundError(str(error)) from error
    return json_response({"workload": PREFIX + sha256})
