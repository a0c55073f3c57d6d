"""Controlling the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from hybrid_ml_scheduler.service.answers import json_response, raw_json, status_answer, status_json, strict_query
from hybrid_ml_scheduler.service.problems import (
    ALREADY_RUNNING,
    INVALID_REQUEST,
    NOT_FOUND,
    NOT_RUNNING,
    REQUEST_TOO_LARGE,
    UNREADABLE_REQUEST,
    UNUSABLE_INPUT,
    responses,
)
from hybrid_ml_scheduler.service.resources import Found, default_request
from hybrid_ml_scheduler.service.schemas import Name, PolicyRequest, SpeedRequest, StartRequest, Status, speed_of
from hybrid_ml_scheduler.service.security.install import security_of
from hybrid_ml_scheduler.service.security.uploads import checked_cluster, checked_workload

router = APIRouter(tags=["run"], dependencies=[Depends(strict_query)])
_BODY = (UNREADABLE_REQUEST, REQUEST_TOO_LARGE, INVALID_REQUEST, UNUSABLE_INPUT)


@router.get("/api/status", summary="Where the run stands", response_model=Status)
async def status(resources: Found) -> Response:
    """State, tasks processed, lanes with their queues and devices, retraining, and how far the database is behind."""
    return raw_json(status_json(resources))


@router.post("/api/start", summary="Start a run", response_model=Status, responses=responses(ALREADY_RUNNING, *_BODY))
async def start(request: Request, resources: Found, body: StartRequest | None = None) -> Response:
    """Start a new run. While one is going on: 409, and that run is not touched. Where keys are needed, files of the server are only those of the
    folder HMS_WORKLOAD_DIR.
    """
    wanted = (body or StartRequest.model_validate({})).to_run_request(default_request(resources.settings))
    if not security_of(request).access.open:
        settings = resources.settings
        workload = checked_workload(wanted.workload, settings, settings.folder)
        wanted = replace(wanted, workload=workload, cluster=None if wanted.cluster is None else checked_cluster(wanted.cluster, settings))
    return json_response(status_answer(resources, await resources.controller.start(wanted)))


@router.post("/api/stop", summary="Stop the run", response_model=Status)
async def stop(resources: Found) -> Response:
    """Answers when the run has stopped; stopped already: 200."""
    return json_response(status_answer(resources, await resources.controller.stop()))


@router.post("/api/pause", summary="Pause the run", response_model=Status, responses=responses(NOT_RUNNING))
async def pause(resources: Found) -> Response:
    """Paused already: 200."""
    return json_response(status_answer(resources, await resources.controller.pause()))


@router.post("/api/resume", summary="Go on with a paused run", response_model=Status, responses=responses(NOT_RUNNING))
async def resume(resources: Found) -> Response:
    """Running already: 200."""
    return json_response(status_answer(resources, await resources.controller.resume()))


@router.post("/api/speed", summary="Change the speed of the run", response_model=Status, responses=responses(NOT_RUNNING, *_BODY))
async def speed(resources: Found, body: SpeedRequest) -> Response:
    """Simulated seconds per real second, or "max"."""
    return json_response(status_answer(resources, await resources.controller.set_speed(speed_of(body.speed))))


@router.post("/api/v1/run/policies", summary="Add a policy to the run", response_model=Status, responses=responses(NOT_RUNNING, *_BODY))
async def add_policy(resources: Found, body: PolicyRequest) -> Response:
    """It gets a lane of its own, and the tasks that arrive from now on."""
    return json_response(status_answer(resources, await resources.controller.add_policy(body.policy)))


@router.delete(
    "/api/v1/run/policies/{policy:path}",
    summary="Take a policy out of the run",
    response_model=Status,
    responses=responses(NOT_RUNNING, NOT_FOUND, INVALID_REQUEST, UNUSABLE_INPUT),
)
async def remove_policy(resources: Found, policy: Annotated[Name, Path(description="As spelled in the run.")]) -> Response:
    """Tasks that it has not finished are recorded as withdrawn."""
    return json_response(status_answer(resources, await resources.controller.remove_policy(policy)))
