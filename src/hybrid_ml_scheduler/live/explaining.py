"""Why a task of a continuous run was started when and where it was: the lane done again, up to the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.decision import Explanation, TaskStatus
from hybrid_ml_scheduler.core.errors import UnknownNameError
from hybrid_ml_scheduler.engine.divisible import WATCHED
from hybrid_ml_scheduler.engine.learned_divisible import LearnedRun
from hybrid_ml_scheduler.engine.whole import WholeRun
from hybrid_ml_scheduler.learning.explain import explain_compiled
from hybrid_ml_scheduler.learning.explain_divisible import explanation_of
from hybrid_ml_scheduler.live.group import Change, Choose, LaneGroup, unpack
from hybrid_ml_scheduler.live.lanes import NO_MODEL, Chosen, Lane
from hybrid_ml_scheduler.live.requests import open_stream, request_of
from hybrid_ml_scheduler.live.run_models import RunModels
from hybrid_ml_scheduler.storage.journal import JournalStore, SavedState
from hybrid_ml_scheduler.storage.service import SimulationDataService


def explain_task(
    service: SimulationDataService,
    models: RunModels,
    run_id: int,
    options: Mapping[str, Any],
    changes: Sequence[Change],
    end_s: float,
    task_id: int,
    policy: str,
) -> Explanation:
    """Do a run again, with one policy, up to a decision: from the newest kept state before the task came, or from its seed.

    Parameters
    ----------
    service : SimulationDataService
        Where states are kept.
    models : RunModels
    run_id : int
    options : mapping
        Of the run.
    changes : sequence of Change
        What happened to it since it began.
    end_s : float
        How far it has come.
    task_id : int
    policy : str

    Raises
    ------
    UnknownNameError
        If the run has no such task, or that policy has not started it.
    """
    request = request_of(options)
    group = LaneGroup(open_stream(request, options, service.settings.folder), int(options["queue_limit"]))

    def chosen(name: str, model: str | None) -> Chosen:
        return models.choose(group.stream, request, name, model or NO_MODEL, run_id)

    begun_with = options["models"]
    # Over a trace the explanation is a run over it anyway.
    number = None if group.stream.whole else group.stream.number_of(task_id)
    if number is not None and (kept := _kept_before(service.journals, run_id, number)) is not None:
        values = kept.state["group"]
        group.restore(values, unpack(kept.checkpoint), chosen, only=policy)
        begun_with, changes = {}, changes[len(values["changes"]) :]
    return explain_result(group, begun_with, changes, end_s, task_id, policy, chosen)


def _kept_before(journals: JournalStore, run_id: int, number: int) -> SavedState | None:
    """Return the newest kept state of a run before a task of the stream came; None if there is none here."""
    if run_id not in journals.runs():
        return None
    heads = journals.kept_heads(run_id)
    before = [revision for revision, head in heads.items() if head["group"]["position"]["first_task"] + head["group"]["given"] <= number]
    return journals.kept_state(run_id, before[-1]) if before else None


def explain_result(
    group: LaneGroup, models: Mapping[str, str], changes: Sequence[Change], end_s: float, task_id: int, policy: str, choose: Choose
) -> Explanation:
    """Do one lane of a run again until it starts a task, and say what was considered.

    Parameters
    ----------
    group : LaneGroup
        Of the run's stream: without lanes, at its beginning, or restored from where it stood before the task came, with this one lane.
    models : mapping of str to str
        Policies with which the run began, and their models; empty for a restored one.
    changes : sequence of Change
        What happened to it since.
    end_s : float
        How far the run has come.
    task_id : int
    policy : str
        Of the lane.
    choose : callable
        Makes the policy ready.

    Raises
    ------
    UnknownNameError
        If the run has no such task, or that policy has not started it.
    """
    mine = [change for change in changes if change.policy == policy]
    if policy in models:
        group.add(policy, choose(policy, models[policy]))
    while mine or policy in group.lanes:
        until_s = min(group.horizon_s, end_s, mine[0].time_s if mine else np.inf)
        if policy in group.lanes and (found := _found(group.lanes[policy], until_s, task_id)) is not None:
            return found
        group.advance(until_s)
        if mine and group.time_s >= mine[0].time_s:
            change = mine.pop(0)
            if change.what == "removed":
                del group.lanes[policy]
            else:
                group.change(change, choose(policy, change.model))
        elif group.over or group.time_s >= end_s:
            break
    raise UnknownNameError(f"policy {policy!r} has not started task {task_id} in this run; expected a task with a result of that policy")


def _found(lane: Lane, until_s: float, task_id: int) -> Explanation | None:
    """Go on to a time, and explain the task if it has been started by then."""
    run = lane.run
    ids = run.workload.tasks.task_id
    row = int(np.argmax(ids == task_id)) if np.any(ids == task_id) else -1
    if isinstance(run, WholeRun):
        lane.advance(until_s)
        return None if row < 0 or np.isnan(run.state.start[row]) else _of_whole(lane, run, row)
    if row >= 0 and run.state.status[row] <= TaskStatus.READY:
        run.run.desk.watch[WATCHED] = row
    lane.advance(until_s)
    if row < 0 or np.isnan(run.state.start[row]):
        return None
    learned = run.run if isinstance(run.run, LearnedRun) else None
    found = explanation_of(run.policy, run.cluster, run.problem, run.state, run.run.desk, learned, row)
    return replace(found, task=task_id, ahead=tuple(int(ids[each]) for each in found.ahead))


def _of_whole(lane: Lane, run: WholeRun, row: int) -> Explanation:
    """Explain a decision over a trace: the tasks that the lane refused never were in its queue, so they are left out."""
    given = np.flatnonzero(~lane.left_out)
    ids = run.workload.tasks.task_id[given]
    workload = run.workload if len(given) == len(run.workload) else run.workload.select(given)
    found = explain_compiled(run.policy, workload, run.cluster, int(np.searchsorted(given, row)))
    return replace(found, task=int(ids[found.task]), ahead=tuple(int(ids[each]) for each in found.ahead))
