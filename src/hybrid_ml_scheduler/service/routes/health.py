"""Whether the service is well, and facts about it."""

from __future__ import annotations

import platform
import time
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.service.answers import json_response
from hybrid_ml_scheduler.service.facts import storage_status
from hybrid_ml_scheduler.service.problems import STORAGE_AWAY
from hybrid_ml_scheduler.service.resources import Found, Resources
from hybrid_ml_scheduler.service.schemas import Alive, Health, Info
from hybrid_ml_scheduler.service.security.install import security_of
from hybrid_ml_scheduler.storage.cache import SharingState
from hybrid_ml_scheduler.storage.database import newest_revision

router = APIRouter(tags=["health"])
_UNAVAILABLE: dict[int | str, dict[str, Any]] = {STORAGE_AWAY.status: {"model": Health, "description": "The database has been away for too long."}}


async def _health(resources: Resources) -> tuple[int, dict[str, Any]]:
    away_s = await resources.database_away_s()
    too_long = away_s is not None and away_s >= resources.settings.database_away_max_s
    redis = await _redis(resources)
    status = resources.controller.status()
    checks = {
        "database": {"state": "ok" if away_s is None else "away", "away_s": None if away_s is None else round(away_s, 3)},
        "redis": {"state": redis},
        "journal": {"lag_rows": resources.storage.drainer.lag_rows, "state": resources.storage.drainer.state},
        "run": {"state": status.state, "message": status.message},
    }
    word = "unavailable" if too_long else "degraded" if away_s is not None or redis == SharingState.LOST else "ok"
    return (STORAGE_AWAY.status if too_long else 200), {"status": word, "checks": checks}


async def _redis(resources: Resources) -> str:
    if resources.sharing.state is SharingState.CONNECTED:
        await resources.sharing.ping()
    return resources.sharing.state


@router.get("/health", summary="Health of the service", response_model=Health, responses=_UNAVAILABLE)
async def health(resources: Found) -> Response:
    """The same as `/health/ready`."""
    code, found = await _health(resources)
    return json_response(found, code)


@router.get("/health/ready", summary="Whether the service can do its work", response_model=Health, responses=_UNAVAILABLE)
async def ready(resources: Found) -> Response:
    """Asks database and Redis for an answer. 503 once the database has been away for longer than HMS_DATABASE_AWAY_MAX_S; 200 and `degraded`
    before that, and while a configured Redis is away: nothing is lost without it.
    """
    code, found = await _health(resources)
    return json_response(found, code)


@router.get("/health/live", summary="Whether the process answers", response_model=Alive)
async def live() -> Response:
    """Answers once the interrupted run, if there was one, has been taken up again."""
    return json_response({"status": "ok"})


@router.get("/health/info", summary="Facts about the service", response_model=Info)
async def info(resources: Found, request: Request) -> Response:
    """Versions, kind of database, lag and uptime. No secrets, no names of servers."""
    return json_response(
        {
            "version": __version__,
            "python": platform.python_version(),
            "started_at": resources.started_at.isoformat(),
            "uptime_s": round(time.monotonic() - resources.started_s, 3),
            "process_id": resources.process_id,
            "database": {"dialect": resources.storage.database.dialect.name, "pool_size": resources.settings.pool_size},
            "redis": {"state": resources.sharing.state, "times_lost": resources.sharing.times_lost},
            "storage": storage_status(resources.storage),
            "live_stream": resources.connections.counts(),
            "schema_version": newest_revision(),
            "security": security_of(request).facts(),
        }
    )
