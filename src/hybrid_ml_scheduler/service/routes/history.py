"""What has been: results, and schedulers side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from hybrid_ml_scheduler.core.errors import InputError, StorageError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.live.contract import RunState
from hybrid_ml_scheduler.service.answers import BeforeQuery, RunIdQuery, SchedulerQuery, json_response, raw_json, strict_query, to_json
from hybrid_ml_scheduler.service.exports import CONTENT, Format, rows
from hybrid_ml_scheduler.service.problems import (
    INVALID_REQUEST,
    STORAGE_AWAY,
    STORAGE_BUSY,
    STORAGE_CONFLICT,
    UNKNOWN_RUN,
    UNUSABLE_INPUT,
    InUseError,
    responses,
)
from hybrid_ml_scheduler.service.resources import Found
from hybrid_ml_scheduler.service.schemas import PAGE_MAX, Comparative, Deleted, RowPage

router = APIRouter(tags=["history"], dependencies=[Depends(strict_query)])
FormatQuery = Annotated[
    Format, Query(alias="format", description="json: a page, newest rows first. ndjson, csv: all rows in their order, one per line.")
]
PageLimitQuery = Annotated[int | None, Query(ge=1, le=PAGE_MAX, description="Most rows in a page; 1000 if left out. Not for streams.")]
_READS = (UNKNOWN_RUN, INVALID_REQUEST, UNUSABLE_INPUT, STORAGE_BUSY, STORAGE_AWAY)


@router.get("/api/full_history", summary="Results of a run", response_model=RowPage, responses={**responses(*_READS), **CONTENT})
async def full_history(
    resources: Found,
    run_id: RunIdQuery = None,
    scheduler: SchedulerQuery = None,
    limit: PageLimitQuery = None,
    before: BeforeQuery = None,
    form: FormatQuery = Format.JSON,
) -> Response:
    """What each scheduler made of each task, newest first; `next` of one page is `before` of the next. As a stream: everything, oldest first."""
    return await rows(resources, Stream.RESULTS, await resources.run_id(run_id), scheduler=scheduler, limit=limit, before=before, form=form)


@router.get("/api/history/comparative", summary="Schedulers side by side", response_model=Comparative, responses=responses(*_READS))
async def comparative(resources: Found, run_id: RunIdQuery = None) -> Response:
    """Statistics of all schedulers of a run: means, quantiles, wins, regret against the oracle."""
    run = await resources.run_id(run_id)
    if run is None:
        return json_response({"run_id": None, "schedulers": []})

    async def ask() -> bytes:
        found = await resources.storage.statistics(run)
        return to_json({"run_id": run, "schedulers": found})

    return raw_json(await resources.answers.answer(f"comparative {run}", ask))


@router.delete("/api/history", summary="Delete a run, or all of them", response_model=Deleted, responses=responses(STORAGE_CONFLICT, *_READS))
async def delete_history(
    resources: Found,
    run_id: RunIdQuery = None,
    everything: Annotated[bool, Query(alias="all", description="Delete all runs.")] = False,
) -> Response:
    """Needs `run_id` or `all=true`. Database and journal go together. A run that is going on must be stopped first."""
    if (run_id is not None) == everything:
        raise InputError("says not what to delete; expected either run_id or all=true")
    status = resources.controller.status()
    if status.state is not RunState.STOPPED and run_id in {None, status.run_id}:
        raise InUseError(f"run {status.run_id} is {status.state}; expected it to be stopped first (POST /api/stop)")
    try:
        deleted = await resources.storage.delete_history(run_id)
    except StorageError as error:
        if type(error) is not StorageError:
            raise
        raise InUseError(str(error)) from error
    await resources.answers.forget()
    return json_response({"rows": deleted})
