"""For those who watch: timelines of lanes, how they have done so far, when and where stored runs did what, and where two policies part."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.workload import WorkloadKind
from hybrid_ml_scheduler.service.answers import RunIdPath, json_response, strict_query
from hybrid_ml_scheduler.service.problems import INVALID_REQUEST, STORAGE_AWAY, STORAGE_BUSY, UNKNOWN_RUN, UNUSABLE_INPUT, responses
from hybrid_ml_scheduler.service.resources import Found
from hybrid_ml_scheduler.service.schemas import LARGEST_ID, Divergence, ScheduleAnswer, Timeline, Trail, WorkloadList

router = APIRouter(prefix="/api/v1", tags=["runs"], dependencies=[Depends(strict_query)])
_OF_RUN = (UNKNOWN_RUN, INVALID_REQUEST, STORAGE_BUSY, STORAGE_AWAY)
LOOKED_AT = 50_000
"""Tasks that one request for a divergence looks at."""
MOST_TIMELINE = 5_000

_NAME: Any = {"min_length": 1, "max_length": 200, "pattern": r"^[^\x00-\x1f\x7f]+$"}
PolicyName = Annotated[str, Query(**_NAME, description="A policy, as spelled in the run.")]
FromTask = Annotated[int, Query(ge=0, le=LARGEST_ID, description="The first task to look at; identifiers ascend with arrivals.")]


@router.get("/run/timeline", summary="What one lane does right now", response_model=Timeline, responses=responses(INVALID_REQUEST, UNUSABLE_INPUT))
async def timeline(
    resources: Found,
    policy: PolicyName,
    since: Annotated[int, Query(ge=0, le=LARGEST_ID, description="`next` of the answer before; 0: the newest tasks.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_TIMELINE, description="Most finished tasks.")] = 1_000,
) -> Response:
    """Tasks that it finished lately, those on its devices, and its queue: from memory, so without the delay of the database."""
    return json_response(await resources.controller.timeline(policy, since, limit))


@router.get("/run/trail", summary="How the lanes have done so far", response_model=Trail)
async def trail(
    resources: Found, policy: Annotated[str | None, Query(**_NAME, description="Only this lane; none of that name: no lane.")] = None
) -> Response:
    """For the charts of a page that is opened in the middle of a run."""
    found = resources.controller.trail()
    if policy is not None:
        found["lanes"] = {name: columns for name, columns in found["lanes"].items() if name == policy}
    return json_response(found)


@router.get("/runs/{run_id}/schedule", summary="When and where tasks ran", response_model=ScheduleAnswer, responses=responses(*_OF_RUN))
async def schedule(
    resources: Found,
    run_id: RunIdPath,
    scheduler: PolicyName,
    from_task: FromTask = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_TIMELINE, description="Most tasks.")] = 1_000,
) -> Response:
    """In the order of the tasks, for the replay of a run."""
    found = await resources.storage.schedule(run_id, scheduler, from_task, limit)
    if not found:
        await resources.storage.known_run(run_id)
    next_ = found[-1]["task_id"] + 1 if len(found) == limit else None
    return json_response({"run_id": run_id, "scheduler": scheduler, "rows": found, "next": next_})


@router.get("/runs/{run_id}/divergence", summary="Where two schedulers part", response_model=Divergence, responses=responses(*_OF_RUN))
async def divergence(resources: Found, run_id: RunIdPath, first: PolicyName, second: PolicyName, from_task: FromTask = 0) -> Response:
    """The first task whose node, GPUs or GPU fraction differ, among the 50,000 from `from_task` on."""
    until = from_task + LOOKED_AT
    found = await resources.storage.divergence(run_id, first, second, from_task, until)
    if found is None:
        await resources.storage.known_run(run_id)
    answer = {"run_id": run_id, "first": first, "second": second, "task_id": found, "looked_until": until if found is None else found + 1}
    return json_response(answer)


@router.get("/workloads", summary="Workloads that can be named", response_model=WorkloadList)
async def workloads() -> Response:
    """Presets, and the generator of batch jobs; a trace on the server, or an uploaded one, can be named as well."""
    return json_response(await asyncio.to_thread(_workloads))


def _workloads() -> dict[str, Any]:
    from hybrid_ml_scheduler.workloads.synthetic import PRESETS

    presets = [
        {
            "name": preset.name,
            "summary": preset.description,
            "load": preset.load,
            "runs": f"{WorkloadKind.DIVISIBLE}/{ClusterKind.NODES}",
            "ends": False,
        }
        for preset in PRESETS.values()
    ]
    batch = {
        "name": "lublin",
        "summary": "batch jobs by the model of Lublin and Feitelson; its parameters follow a colon, as in lublin:processors=128",
        "load": 1.0,
        "runs": f"{WorkloadKind.RIGID}/{ClusterKind.POOL}",
        "ends": True,
    }
    return {"workloads": [*presets, batch]}
