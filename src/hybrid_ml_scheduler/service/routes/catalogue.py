"""What there is to choose from: policies and models."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.live.contract import SUGGESTED_POLICIES
from hybrid_ml_scheduler.service.answers import BeforeQuery, LimitQuery, RunIdQuery, json_response, strict_query
from hybrid_ml_scheduler.service.problems import (
    INVALID_REQUEST,
    REQUEST_TOO_LARGE,
    STORAGE_AWAY,
    STORAGE_BUSY,
    UNREADABLE_REQUEST,
    UNUSABLE_INPUT,
    responses,
)
from hybrid_ml_scheduler.service.resources import Found, Resources
from hybrid_ml_scheduler.service.schemas import FeatureUse, ModelInUse, PolicyList, PromoteRequest, StoredModelList, TrainedModelPage

if TYPE_CHECKING:
    from hybrid_ml_scheduler.learning.store import ModelStore

_CHANGE = (UNREADABLE_REQUEST, REQUEST_TOO_LARGE, INVALID_REQUEST, UNUSABLE_INPUT)
ModelName = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.-]+$", description="Name of a model of the store.")]
VersionPath = Annotated[int, Path(ge=1, le=999_999, description="Its version.")]
_STORAGE = (INVALID_REQUEST, STORAGE_BUSY, STORAGE_AWAY)
router = APIRouter(prefix="/api/v1", tags=["policies and models"], dependencies=[Depends(strict_query)])


@router.get("/policies", summary="Policies that can be named", response_model=PolicyList)
async def policies() -> Response:
    """Usual ones; every other composition order[+backfill][+placement][+split] of their parts can be named too."""
    return json_response(await asyncio.to_thread(_policies), tagged=True)


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
        ],
        "suggested": [{"runs": runs, "usual": list(usual), "others": list(others)} for runs, (usual, others) in SUGGESTED_POLICIES.items()],
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
    return json_response({"models": entries, "next": found[-1].id if len(found) == limit else None}, tagged=True)


@router.get("/models/store", summary="Models of the model store", response_model=StoredModelList)
async def stored_models(resources: Found) -> Response:
    """All versions of all models that policies can use, those that come with the program included."""
    return json_response(await asyncio.to_thread(_stored, _store(resources)), tagged=True)


def _store(resources: Resources) -> ModelStore:
    """Return the store that the runs of this service use."""
    from hybrid_ml_scheduler.learning.store import PRETRAINED, ModelStore

    return ModelStore([PRETRAINED, resources.settings.folder / "models"])


def _stored(store: ModelStore) -> dict[str, Any]:
    entries = store.entries()
    promotions = []
    for name in sorted({entry.name for entry in entries}):
        # A damaged history hides no model: the entries themselves say what is wrong with it.
        with suppress(ModelError):
            promotions += [{"name": name, "action": event.action, "version": event.version, "at": event.at} for event in store.history(name)]
    return {
        "models": [
            {
                "name": entry.name,
                "version": entry.version,
                "in_use": entry.in_use,
                "problem": None if entry.model is not None else "it cannot be loaded",
                "card": None if entry.model is None else entry.model.card.to_dict(),
            }
            for entry in entries
        ],
        "promotions": sorted(promotions, key=lambda event: event["at"]),
    }


@router.get(
    "/models/store/{name}/{version}/features",
    summary="What a model asks about",
    response_model=FeatureUse,
    responses=responses(INVALID_REQUEST, UNUSABLE_INPUT),
)
async def model_features(resources: Found, name: ModelName, version: VersionPath) -> Response:
    """Counted in its file: on which features its trees split, and how often."""

    def count() -> dict[str, Any]:
        from hybrid_ml_scheduler.learning.importance import feature_use

        return {"name": name, "version": version, "ensembles": feature_use(_store(resources).get(name, version))}

    return json_response(await asyncio.to_thread(count))


@router.post("/models/store/{name}/promote", summary="Put a version into use", response_model=ModelInUse, responses=responses(*_CHANGE))
async def promote(resources: Found, name: ModelName, body: PromoteRequest) -> Response:
    """Runs that begin from now on take it; lanes that are going on keep theirs until their own retraining replaces it."""
    await asyncio.to_thread(_store(resources).promote, name, body.version)
    return json_response({"name": name, "version": body.version})


@router.post(
    "/models/store/{name}/rollback",
    summary="Back to the version before",
    response_model=ModelInUse,
    responses=responses(INVALID_REQUEST, UNUSABLE_INPUT),
)
async def rollback(resources: Found, name: ModelName) -> Response:
    """Puts into use what was in use before the last promotion."""
    return json_response({"name": name, "version": await asyncio.to_thread(_store(resources).rollback, name)})
