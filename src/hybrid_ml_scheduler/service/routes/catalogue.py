"""What there is to choose from: policies and models."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from hybrid_ml_scheduler.service.answers import BeforeQuery, LimitQuery, RunIdQuery, json_response
from hybrid_ml_scheduler.service.problems import INVALID_REQUEST, STORAGE_AWAY, STORAGE_BUSY, responses
from hybrid_ml_scheduler.service.resources import Found
from hybrid_ml_scheduler.service.schemas import PolicyList, StoredModelList, TrainedModelPage

_STORAGE = (INVALID_REQUEST, STORAGE_BUSY, STORAGE_AWAY)
router = APIRouter(prefix="/api/v1", tags=["policies and models"])


@router.get("/policies", summary="Policies that can be named", response_model=PolicyList)
async def policies() -> Response:
    """Usual ones; every other composition order[+backfill][+placement][+split] of their parts can be named too."""
    return json_response(await asyncio.to_thread(_policies))


def _policies() -> dict[str, Any]:
    from hybrid_ml_scheduler.learning.provider import register
    from hybrid_ml_scheduler.policies import list_policies

    register()
    return {
        "policies": [
            {
                "name": spec.name,
                "summary": spec.summary,
                "reference": spec.reference,
                "runs": [f"{tasks}/{cluster}" for tasks, cluster in spec.kinds],
            }
            for spec in sorted(list_policies(), key=lambda spec: spec.name)
        ]
    }


@router.get(
    "/models",
    summary="Models that retraining made",
    response_model=TrainedModelPage,
    responses=responses(*_STORAGE),
)
async def models(resources: Found, run_id: RunIdQuery = None, before: BeforeQuery = None, limit: LimitQuery = 50) -> Response:
    """Newest first, failed trainings included; of one run if `run_id` is given."""
    found = await resources.storage.models(run_id, limit, before)
    entries = [
        {
            "id": row.id,
            "run_id": row.run_id,
            "name": row.name,
            "version": row.version,
            "state": row.state,
            "sha256": row.sha256,
            "rows": row.rows,
            "source": row.source,
            "details": row.details,
            "created_at": row.created_at.isoformat(),
            "message": row.message,
        }
        for row in found
    ]
    return json_response({"models": entries, "next": found[-1].id if len(found) == limit else None})


@router.get("/models/store", summary="Models of the model store", response_model=StoredModelList)
async def stored_models() -> Response:
    """All versions of all models that policies can use, those that come with the program included."""
    return json_response(await asyncio.to_thread(_stored))


def _stored() -> dict[str, Any]:
    from hybrid_ml_scheduler.learning.store import default_store

    return {
        "models": [
            {
                "name": entry.name,
                "version": entry.version,
                "in_use": entry.in_use,
                "problem": None if entry.model is not None else "it cannot be loaded",
                "card": None if entry.model is None else entry.model.card.to_dict(),
            }
            for entry in default_store().entries()
        ]
    }
