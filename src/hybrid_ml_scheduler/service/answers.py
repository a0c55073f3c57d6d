"""From what the program works with to what is sent."""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated, Any

import orjson
from fastapi import Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from hybrid_ml_scheduler.core.decision import Candidate, Explanation
from hybrid_ml_scheduler.live.contract import RunState, RunStatus
from hybrid_ml_scheduler.service.conditional import Tagged, tagged_response
from hybrid_ml_scheduler.service.facts import storage_status
from hybrid_ml_scheduler.service.resources import Resources
from hybrid_ml_scheduler.service.schemas import LARGEST_ID, PAGE_MAX

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS

RunIdPath = Annotated[int, Path(ge=0, le=LARGEST_ID, description="Number of the run.")]
RunIdQuery = Annotated[int | None, Query(ge=0, le=LARGEST_ID, description="Number of the run; the present or newest one if left out.")]
TaskIdPath = Annotated[int, Path(ge=0, le=LARGEST_ID, description="Number of the task in its run.")]
LimitQuery = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Most entries in the answer.")]
BeforeQuery = Annotated[int | None, Query(ge=0, le=LARGEST_ID, description="`next` of the page before.")]
SchedulerQuery = Annotated[
    str | None,
    Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="Only this scheduler, as spelled in the run."),
]


async def strict_query(request: Request) -> None:
    """Refuse a question with a parameter that its route does not know, or with one that stands twice: it means something else than would be answered.

    A dependency of routers.

    Raises
    ------
    RequestValidationError
    """
    route = request.scope.get("route")
    if not request.url.query or not isinstance(route, APIRoute):
        return
    known = {parameter.alias for parameter in route.dependant.query_params}
    names = [name for name, _ in request.query_params.multi_items()]
    counts = Counter(names)
    wrong = [
        {"loc": ("query", name), "msg": "no parameter here; expected " + (", ".join(sorted(known)) or "none"), "type": "unknown"}
        if name not in known
        else {"loc": ("query", name), "msg": "given more than once; expected it once", "type": "twice"}
        for name in sorted(counts)
        if name not in known or counts[name] > 1
    ]
    if wrong:
        raise RequestValidationError(wrong)


def to_json(value: Any) -> bytes:
    """Return JSON; numbers that are none become null."""
    return orjson.dumps(value, option=_OPTIONS)


def json_response(value: Any, status: int = 200, *, tagged: bool = False) -> Response:
    """Return an answer. Values come from ourselves, so they are not checked again on their way out.

    Parameters
    ----------
    value : Any
    status : int
    tagged : bool
        Whether a client that has this answer already is told so instead.
    """
    content = to_json(value)
    return raw_json(Tagged.of(content)) if tagged else Response(content, status, media_type="application/json")


def raw_json(content: bytes | Tagged) -> Response:
    """Return an answer that is JSON already."""
    if isinstance(content, Tagged):
        return tagged_response(content, "application/json")
    return Response(content, media_type="application/json")


def run_storage(resources: Resources) -> dict[str, Any]:
    """Return how the way into the database is for the run, which another process may have."""
    facts = resources.leader_facts()
    return storage_status(resources.storage) if facts is None else dict(facts["storage"])


def speed_text(speed: float | None) -> float | str:
    """Return a speed as it is asked for."""
    return "max" if speed is None else speed


def status_answer(resources: Resources, status: RunStatus | None = None) -> dict[str, Any]:
    """Return `schemas.Status`."""
    status = resources.controller.status() if status is None else status
    request = status.request
    return {
        "role": status.role,
        "state": status.state,
        "is_running": status.state is RunState.RUNNING,
        "is_paused": status.state is RunState.PAUSED,
        "run_id": status.run_id,
        "tasks_processed": status.tasks_processed,
        "tasks_arrived": status.tasks_arrived,
        "time_s": status.time_s,
        "speed": speed_text(status.speed) if status.run_id is not None else None,
        "started_at": status.started_at,
        "message": status.message,
        "request": None
        if request is None
        else {
            "workload": request.workload,
            "cluster": request.cluster,
            "policies": request.policies,
            "seed": request.seed,
            "load": request.load,
            "speed": speed_text(request.speed),
            "max_tasks": request.max_tasks,
            "objective": request.objective,
            "retrain_every": request.retrain_every,
        },
        "lanes": status.lanes,
        "retraining": status.retraining,
        "storage": run_storage(resources),
    }


def status_json(resources: Resources) -> bytes:
    """Return `status_answer` as JSON; encoded anew only if something has changed, for it is asked for far more often than that."""
    status, storage = resources.controller.status(), run_storage(resources)
    kept = resources.encoded_status
    if kept is None or kept[0] is not status or kept[1] != storage:
        kept = resources.encoded_status = (status, storage, to_json(status_answer(resources, status)))
    return kept[2]


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {"node": candidate.node, "gpus": list(candidate.gpus), "fraction": _known(candidate.fraction), "score": _known(candidate.score)}


def explanation_answer(run_id: int, task_id: int, policy: str, found: Explanation) -> dict[str, Any]:
    """Return `schemas.ExplanationAnswer`."""
    return {
        "run_id": run_id,
        "task_id": task_id,
        "policy": policy,
        "time_s": found.time_s,
        "decided_by": found.decided_by.name.lower(),
        "chosen": _candidate(found.chosen),
        "candidates": [_candidate(candidate) for candidate in found.candidates],
        "predictions": [
            {
                "device": entry.device,
                "expected_s": _known(entry.expected_s),
                "low_s": _known(entry.low_s),
                "high_s": _known(entry.high_s),
                "nominal_s": _known(entry.nominal_s),
            }
            for entry in found.predictions
        ],
        "order_score": _known(found.order_score),
        "queue_length": found.queue_length,
        "notes": list(found.notes),
    }
