"""Why a task of a graph runs where it does: the plan in force when it started, and the other machines beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import Candidate, CompiledPolicy, DecidedBy, Explanation, Mechanism, Prediction
from hybrid_ml_scheduler.core.errors import InputError, PolicyError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Workload
from hybrid_ml_scheduler.engine.kernel_history import Correction
from hybrid_ml_scheduler.engine.learned_graphs import PLANNER, prepare_learned
from hybrid_ml_scheduler.engine.plan_search import machine_classes, transfer_times
from hybrid_ml_scheduler.engine.state import Problem, State, build_problem, build_state, build_truth

_Z90 = 1.2815515655446004
"""Of the standard normal distribution: 90 % lie below."""

MOST_AHEAD = 10


def explain(policy: CompiledPolicy, workload: Workload, cluster: Cluster, task_row: int) -> Explanation:
    """Explain the start of a task by a learned policy for task graphs.

    Parameters
    ----------
    policy : CompiledPolicy
        From `learning.kernels.compile_learned`.
    workload, cluster
        What ran where; the run is repeated.
    task_row : int
        Row of the task.

    Returns
    -------
    Explanation
        Candidates are the machines, scored by when the task could have ended there, given when its machine-mates were done and its data was there:
        a plan may take a later one, because of what must follow.

    Raises
    ------
    PolicyError
        If the policy is no learned one for task graphs.
    InputError
        If the task never started.
    """
    if policy.mechanism is not Mechanism.PLAN or policy.codes.get("planner") != PLANNER:
        raise PolicyError(f"decisions of policy {policy.name!r} cannot be explained here; expected a learned policy for task graphs")
    problem = build_problem(workload, cluster)
    state = build_state(problem)
    run = prepare_learned(policy, problem, build_truth(workload, cluster))
    run(state)
    if not 0 <= task_row < len(workload) or np.isnan(state.start[task_row]):
        raise InputError(f"workload {workload.name!r}: the task in row {task_row} never started; expected one that did")
    now = float(state.start[task_row])
    in_force = int(np.flatnonzero(np.array(run.record.at_s) <= now)[-1])
    correction = run.record.correction[in_force]
    factor = np.exp(correction.log_mean[problem.kind[task_row]])[machine_classes(problem.cost)]
    expected_s = problem.cost[task_row] * factor
    chosen = run.record.chosen[in_force]
    scored = sorted(_candidates(problem, state, task_row, expected_s), key=lambda candidate: (candidate.score, candidate.node))
    home = int(state.node[task_row])
    waiting = np.flatnonzero((state.ready <= now) & (state.start >= now))
    mates = chosen.plan.order[chosen.plan.machine[chosen.plan.order] == home]
    before = mates[: int(np.flatnonzero(mates == task_row)[0])]
    ahead = [int(row) for row in before if row in waiting][:MOST_AHEAD]
    return Explanation(
        task=task_row,
        time_s=now,
        decided_by=DecidedBy(int(state.decided_by[task_row])),
        chosen=next(candidate for candidate in scored if candidate.node == home),
        candidates=tuple(scored),
        predictions=_predictions(problem, cluster, task_row, correction),
        order_score=float(chosen.plan.start_s[task_row]),
        queue_length=len(waiting),
        ahead=tuple(ahead),
        notes=_notes(run.record, in_force),
    )


def _candidates(problem: Problem, state: State, task: int, expected_s: FloatArray) -> list[Candidate]:
    """When the task could have ended on each machine, had it been put behind what the machine ran at that moment."""
    now = state.start[task]
    transfer_s = transfer_times(problem)
    first, last = problem.parent_ptr[task], problem.parent_ptr[task + 1]
    parents: IntArray = problem.parent_idx[first:last]
    found = []
    for machine in range(len(expected_s)):
        there = state.finish[parents] + np.where(state.node[parents] == machine, 0.0, transfer_s[first:last])
        running = (state.node == machine) & (state.start < now) & (state.finish > now)
        # What is known of a running task is when it should end, not when it will.
        busy_until = (state.start[running] + problem.cost[running, machine]).max(initial=now)
        begin = max(now, float(busy_until), float(there.max(initial=now)))
        found.append(Candidate(machine, (), None, float(begin + expected_s[machine])))
    return found


def _predictions(problem: Problem, cluster: Cluster, task: int, correction: Correction) -> tuple[Prediction, ...]:
    classes = machine_classes(problem.cost)
    kind = problem.kind[task]
    found = []
    for number in range(int(classes.max()) + 1):
        members = np.flatnonzero(classes == number)
        nominal_s = float(problem.cost[task, members[0]])
        mean, spread = float(correction.log_mean[kind, number]), float(correction.log_sd[kind, number])
        name = cluster.nodes[members[0]].name + (f" and {len(members) - 1} alike" if len(members) > 1 else "")
        low_s, high_s = (nominal_s * float(np.exp(mean + sign * _Z90 * spread)) for sign in (-1.0, 1.0))
        found.append(Prediction(name, nominal_s * float(np.exp(mean)), low_s, high_s, nominal_s))
    return tuple(found)


def _notes(record: Any, in_force: int) -> tuple[str, ...]:
    chosen = record.chosen[in_force]
    made = "before the run" if in_force == 0 else f"at {record.at_s[in_force]:g} s, number {in_force + 1} of {len(record.chosen)}"
    rivals = sorted((value, name) for name, value in chosen.values.items())
    notes = [f"the plan in force was made {made}, by {chosen.by}; its objective was {chosen.value:g} s"]
    notes.append("plans that competed: " + ", ".join(f"{name} {value:g} s" for value, name in rivals))
    if np.isfinite(chosen.bound_s):
        notes.append(f"by the expected run times no plan can end before {chosen.bound_s:g} s")
    return tuple(notes)
