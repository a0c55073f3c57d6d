"""Runs: what they were, their rows, their statistics, and two of them compared."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import HTMLResponse, Response

from hybrid_ml_scheduler.core.errors import StorageBusyError, StorageUnavailableError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.service.answers import (
    BeforeQuery,
    LimitQuery,
    RunIdPath,
    SchedulerQuery,
    TaskIdPath,
    explanation_answer,
    json_response,
    raw_json,
    strict_query,
    to_json,
)
from hybrid_ml_scheduler.service.exports import CONTENT, Format, rows
from hybrid_ml_scheduler.service.problems import (
    INVALID_REQUEST,
    NOT_FOUND,
    STORAGE_AWAY,
    STORAGE_BUSY,
    UNKNOWN_RUN,
    UNUSABLE_INPUT,
    NotFoundError,
    responses,
)
from hybrid_ml_scheduler.service.report import run_report
from hybrid_ml_scheduler.service.resources import Found, Resources
from hybrid_ml_scheduler.service.routes.history import FormatQuery, PageLimitQuery
from hybrid_ml_scheduler.service.schemas import (
    LARGEST_ID,
    ComparedRuns,
    Differences,
    DistributionAnswer,
    ExplanationAnswer,
    PairedRuns,
    RowPage,
    Run,
    RunPage,
    Statistics,
    TaskDetail,
    WindowPage,
)
from hybrid_ml_scheduler.storage.repositories import Run as StoredRun

MOST_CURVES = 16
"""Schedulers whose distributions a report shows."""
router = APIRouter(prefix="/api/v1", tags=["runs"], dependencies=[Depends(strict_query)])
_STORAGE = (INVALID_REQUEST, STORAGE_BUSY, STORAGE_AWAY)
_OF_RUN = (UNKNOWN_RUN, *_STORAGE)
PolicyQuery = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="The scheduler, as spelled in the run.")]
WordQuery = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


@router.get("/runs", summary="All runs", response_model=RunPage, responses=responses(*_STORAGE))
async def runs(resources: Found, before: BeforeQuery = None, limit: LimitQuery = 50, state: WordQuery = None, workload: WordQuery = None) -> Response:
    """Newest first. While the database is away: those that have a journal here."""

    def wanted(run: StoredRun) -> bool:
        return (before is None or run.id < before) and state in {None, run.state} and workload in {None, run.workload}

    try:
        found = await resources.storage.runs(before=before, limit=limit, state=state, workload=workload)
        source = "database"
        if before is None:
            # The row of a run arrives with its first rows; until then only the journal knows it.
            there = {run.id for run in await resources.storage.runs(limit=1)}
            newer = [run for run in await asyncio.to_thread(_newer_than, resources, max(there, default=-1)) if wanted(run)]
            found = [*newer, *found]
    except (StorageUnavailableError, StorageBusyError):
        found = [run for run in await asyncio.to_thread(resources.storage.local_runs) if wanted(run)]
        source = "journal"
    page = found[:limit]
    return json_response(
        {"runs": [run.to_dict() for run in page], "next": page[-1].id if len(found) >= limit and page else None, "source": source}, tagged=True
    )


def _newer_than(resources: Resources, run_id: int) -> list[StoredRun]:
    journals = resources.storage.journals
    return [StoredRun.from_dict(journals.description(each)) for each in reversed(journals.runs()) if each > run_id]


@router.get("/runs/{run_id}", summary="One run", response_model=Run, responses=responses(*_OF_RUN))
async def run(resources: Found, run_id: RunIdPath) -> Response:
    """What was run, with which policies, and how it ended."""
    if run_id in resources.storage.journals.runs():
        found = StoredRun.from_dict(await asyncio.to_thread(resources.storage.journals.description, run_id))
    else:
        found = await resources.storage.run(run_id)
    return json_response(found.to_dict(), tagged=True)


@router.get(
    "/runs/{run_id}/report",
    summary="A run as a report",
    response_class=HTMLResponse,
    responses={200: {"content": {"text/html": {}}}, **responses(*_OF_RUN)},
)
async def report(resources: Found, run_id: RunIdPath) -> Response:
    """One HTML file, to be kept: schedulers, distributions, differences to the oracle, and what the numbers mean."""
    if run_id in resources.storage.journals.runs():
        found = StoredRun.from_dict(await asyncio.to_thread(resources.storage.journals.description, run_id))
    else:
        found = await resources.storage.run(run_id)
    statistics = await resources.storage.statistics(run_id)
    paired = await resources.storage.paired(run_id, run_id, "oracle")
    spread = {}
    for each in statistics[:MOST_CURVES]:
        if (distribution := await resources.storage.distribution(run_id, each.scheduler)) is not None:
            spread[each.scheduler] = distribution
    text = await asyncio.to_thread(run_report, found, statistics, paired, spread)
    # A file to keep: shown in place it would need a security policy of its own for its style.
    return HTMLResponse(text, headers={"Content-Disposition": f'attachment; filename="run-{run_id}.html"'})


@router.get("/runs/{run_id}/tasks", summary="Tasks of a run", response_model=RowPage, responses={**responses(*_OF_RUN, UNUSABLE_INPUT), **CONTENT})
async def tasks(
    resources: Found, run_id: RunIdPath, limit: PageLimitQuery = None, before: BeforeQuery = None, form: FormatQuery = Format.JSON
) -> Response:
    """Tasks as policies see them, newest first; as a stream: all of them, oldest first."""
    return await rows(resources, Stream.TASKS, run_id, scheduler=None, limit=limit, before=before, form=form)


@router.get(
    "/runs/{run_id}/results", summary="Results of a run", response_model=RowPage, responses={**responses(*_OF_RUN, UNUSABLE_INPUT), **CONTENT}
)
async def results(
    resources: Found,
    run_id: RunIdPath,
    scheduler: SchedulerQuery = None,
    limit: PageLimitQuery = None,
    before: BeforeQuery = None,
    form: FormatQuery = Format.JSON,
) -> Response:
    """What each scheduler made of each task, newest first; as a stream: everything, oldest first."""
    return await rows(resources, Stream.RESULTS, run_id, scheduler=scheduler, limit=limit, before=before, form=form)


@router.get(
    "/runs/{run_id}/training", summary="Training rows of a run", response_model=RowPage, responses={**responses(*_OF_RUN, UNUSABLE_INPUT), **CONTENT}
)
async def training(
    resources: Found,
    run_id: RunIdPath,
    scheduler: SchedulerQuery = None,
    limit: PageLimitQuery = None,
    before: BeforeQuery = None,
    form: FormatQuery = Format.JSON,
) -> Response:
    """Observed outcomes that models are trained on, newest first; as a stream: everything, oldest first."""
    return await rows(resources, Stream.TRAINING, run_id, scheduler=scheduler, limit=limit, before=before, form=form)


@router.get("/runs/{run_id}/tasks/{task_id}", summary="One task", response_model=TaskDetail, responses=responses(NOT_FOUND, *_OF_RUN))
async def task(resources: Found, run_id: RunIdPath, task_id: TaskIdPath) -> Response:
    """The task, and what each scheduler made of it."""
    found, made_of_it = await resources.storage.task(run_id, task_id)
    if found is None and not made_of_it:
        await resources.storage.known_run(run_id)
        raise NotFoundError(f"run {run_id} has no task {task_id}; expected one whose results have reached the database")
    return json_response({"task": found, "results": made_of_it})


@router.get(
    "/runs/{run_id}/tasks/{task_id}/explanation",
    summary="Why a task was placed where it was",
    response_model=ExplanationAnswer,
    responses=responses(NOT_FOUND, *_OF_RUN, UNUSABLE_INPUT),
)
async def explanation(resources: Found, run_id: RunIdPath, task_id: TaskIdPath, policy: PolicyQuery) -> Response:
    """The decision taken again, with everything that was considered."""
    _, made_of_it = await resources.storage.task(run_id, task_id)
    if not made_of_it:
        await resources.storage.known_run(run_id)
    if policy not in {result["scheduler"] for result in made_of_it}:
        raise NotFoundError(f"run {run_id} has no result of {policy!r} for task {task_id}; expected one that has reached the database")
    found = await resources.controller.explain(run_id, task_id, policy)
    return json_response(explanation_answer(run_id, task_id, policy, found))


@router.get("/runs/{run_id}/statistics", summary="Statistics of a run", response_model=list[Statistics], responses=responses(NOT_FOUND, *_OF_RUN))
async def statistics(resources: Found, run_id: RunIdPath, scheduler: SchedulerQuery = None) -> Response:
    """Means, quantiles, wins and regret of each scheduler, or of one; as much work for a million tasks as for ten."""

    async def ask() -> bytes:
        found = await resources.storage.statistics(run_id, scheduler)
        if scheduler is not None and not found:
            raise NotFoundError(f"run {run_id} has no results of {scheduler!r}; expected a scheduler of the run, as spelled there")
        return to_json(found)

    return raw_json(await resources.answers.answer(f"statistics {run_id} {scheduler}", ask))


@router.get("/runs/{run_id}/windows", summary="Statistics over time", response_model=WindowPage, responses=responses(*_OF_RUN))
async def windows(resources: Found, run_id: RunIdPath, scheduler: PolicyQuery, before: BeforeQuery = None, limit: LimitQuery = 100) -> Response:
    """How one scheduler did in each window of simulated time, newest window first."""

    async def ask() -> bytes:
        found = await resources.storage.windows(run_id, scheduler, before, limit)
        if not found:
            await resources.storage.known_run(run_id)
        next_ = round(found[-1].begin_s / found[-1].length_s) if len(found) == limit else None
        return to_json({"run_id": run_id, "scheduler": scheduler, "windows": found, "next": next_})

    return raw_json(await resources.answers.answer(f"windows {run_id} {before} {limit} {scheduler}", ask))


@router.get("/compare", summary="Compare two runs", response_model=ComparedRuns, responses=responses(*_OF_RUN))
async def compare(
    resources: Found,
    first: Annotated[int, Query(ge=0, le=LARGEST_ID, description="Number of a run.")],
    second: Annotated[int, Query(ge=0, le=LARGEST_ID, description="Number of another run.")],
) -> Response:
    """Scheduler by scheduler."""

    async def ask() -> bytes:
        found: Any = await resources.storage.compare(first, second)
        return to_json({"first": first, "second": second, "schedulers": found})

    return raw_json(await resources.answers.answer(f"compare {first} {second}", ask))


@router.get("/compare/paired", summary="Compare two runs task by task", response_model=PairedRuns, responses=responses(*_OF_RUN))
async def compare_paired(
    resources: Found,
    first: Annotated[int, Query(ge=0, le=LARGEST_ID, description="Number of a run.")],
    second: Annotated[int, Query(ge=0, le=LARGEST_ID, description="Number of another run.")],
) -> Response:
    """Each scheduler of the second run against the same one of the first, on the newest tasks that both runs have."""

    async def ask() -> bytes:
        found: Any = await resources.storage.paired(first, second)
        return to_json({"first": first, "second": second, "schedulers": found})

    return raw_json(await resources.answers.answer(f"paired {first} {second}", ask))


@router.get("/runs/{run_id}/differences", summary="Schedulers against one, task by task", response_model=Differences, responses=responses(*_OF_RUN))
async def differences(resources: Found, run_id: RunIdPath, reference: PolicyQuery = "oracle") -> Response:
    """Each scheduler against the reference on the newest tasks that both finished: mean differences with 95 % intervals, and tests."""

    async def ask() -> bytes:
        found: Any = await resources.storage.paired(run_id, run_id, reference)
        return to_json({"run_id": run_id, "reference": reference, "schedulers": found})

    return raw_json(await resources.answers.answer(f"differences {run_id} {reference}", ask))


@router.get(
    "/runs/{run_id}/distribution",
    summary="How results are spread",
    response_model=DistributionAnswer,
    responses=responses(NOT_FOUND, *_OF_RUN),
)
async def distribution(resources: Found, run_id: RunIdPath, scheduler: PolicyQuery) -> Response:
    """Distributions of response and waiting times, where tasks were placed by size and intensity, and who decided."""

    async def ask() -> bytes:
        found = await resources.storage.distribution(run_id, scheduler)
        if found is None:
            raise NotFoundError(f"run {run_id} has no results of {scheduler!r}; expected a scheduler of the run, as spelled there")
        return to_json({"run_id": run_id, "scheduler": scheduler, "response": found.response, "wait": found.wait, "placements": found.placements})

    return raw_json(await resources.answers.answer(f"distribution {run_id} {scheduler}", ask))
