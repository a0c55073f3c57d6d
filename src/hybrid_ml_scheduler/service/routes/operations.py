"""How the service is doing: for Prometheus, and for people."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from starlette.responses import Response

from hybrid_ml_scheduler.service.answers import json_response
from hybrid_ml_scheduler.service.operations import Operations
from hybrid_ml_scheduler.service.operations import operations as present
from hybrid_ml_scheduler.service.resources import Found

router = APIRouter(tags=["health"])


def _exposition(request: Request, resources: Found) -> Response:
    content, media_type = resources.observability.metrics.exposition(request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": media_type})


@router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request, resources: Found) -> Response:
    """Everything that is counted and measured, in Prometheus' text format or OpenMetrics."""
    return _exposition(request, resources)


@router.get("/metrics/prometheus", summary="The same metrics", response_class=PlainTextResponse)
async def metrics_prometheus(request: Request, resources: Found) -> Response:
    """The same as `/metrics`."""
    return _exposition(request, resources)


@router.get("/api/v1/operations", summary="How the service is doing", response_model=Operations)
async def operations(resources: Found) -> Response:
    """Response times per route, event loop, pools, caches, refusals and the newest troubles. No secrets."""
    return json_response(present(resources.observability, resources))
