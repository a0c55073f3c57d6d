"""Why a divisible task was placed where it was: the run again, up to its decision, with everything that was considered kept."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK, Candidate, CompiledPolicy, DecidedBy, Explanation, Mechanism, Prediction
from hybrid_ml_scheduler.core.errors import InputError, PolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine.divisible import (
    FIRST_AHEAD,
    MAX_AHEAD,
    N_AHEAD,
    N_OPTIONS,
    QUEUE_LENGTH,
    WATCHED,
    Desk,
    build_desk,
    run_divisible,
)
from hybrid_ml_scheduler.engine.ensemble import ensemble_from_arrays, predict_ensemble_rows
from hybrid_ml_scheduler.engine.features.divisible import DIVISIBLE
from hybrid_ml_scheduler.engine.learned_divisible import CAUTION, LearnedRun, prepare_learned
from hybrid_ml_scheduler.engine.mechanisms import divisible_rule
from hybrid_ml_scheduler.engine.state import LAW_SERIAL, MODE_LAW, Problem, State, build_problem, build_state, build_truth, nominal_law
from hybrid_ml_scheduler.learning.divisible import CPU

_ESTIMATE = [feature.name for feature in DIVISIBLE].index("estimate")
_ESTIMATE_SD = [feature.name for feature in DIVISIBLE].index("estimate_sd")
_WHY = {
    DecidedBy.MODEL: "the model decided",
    DecidedBy.EXPLORATION: "a random option was tried, to learn from it",
    DecidedBy.FALLBACK_COLD: "the rule decided: the model had not been compared with it yet",
    DecidedBy.FALLBACK_RANGE: "nominal times were used: a feature or a prediction was out of the range of the model",
    DecidedBy.FALLBACK_ERROR: "the rule decided: the model's recent predictions were worse than nominal times",
    DecidedBy.FALLBACK_LOSING: "the rule decided: the model lost to it, or its prices were refused",
}


def explain(policy: CompiledPolicy, workload: Workload, cluster: Cluster, task_row: int) -> Explanation:
    """Explain the decision that started a task; see `learning.explain.explain`.

    Raises
    ------
    InputError
        If the task was never started.
    PolicyError
        If the policy is not one for divisible tasks.
    """
    if policy.mechanism not in (Mechanism.DIVISIBLE, Mechanism.LEARNED_DIVISIBLE):
        raise PolicyError(f"decisions of policy {policy.name!r} cannot be explained here; expected a policy for divisible tasks")
    problem = build_problem(workload, cluster)
    truth = build_truth(workload, cluster)
    state = build_state(problem)
    learned: LearnedRun | None = None
    if policy.mechanism is Mechanism.LEARNED_DIVISIBLE:
        learned = prepare_learned(replace(policy, codes={**policy.codes, "records": 1}), workload, cluster, problem, truth)
        desk = learned.desk
        desk.watch[WATCHED] = task_row
        learned(state)
    else:
        expected, rule = divisible_rule(policy, workload, cluster, problem, truth)
        desk = build_desk(problem)
        desk.watch[WATCHED] = task_row
        run_divisible(problem, truth, expected, state, rule, desk, np.inf)
    if math.isnan(state.start[task_row]):
        raise InputError(f"task {workload.tasks.task_id[task_row]} of workload {workload.name!r} was never started; expected one that was")
    return explanation_of(policy, cluster, problem, state, desk, learned, task_row)


def explanation_of(
    policy: CompiledPolicy,
    cluster: Cluster,
    problem: Problem,
    state: State,
    desk: Desk,
    learned: LearnedRun | None,
    task_row: int,
) -> Explanation:
    """Explain the decision that started a task, from a run in which it was watched (``desk.watch``) and has started.

    Parameters
    ----------
    policy, cluster, problem, state, desk
        Of the run.
    learned : LearnedRun or None
        The run, if the policy is a learned one; with recorded features.
    task_row : int
    """
    decided_by = DecidedBy(state.decided_by[task_row])
    chosen = _chosen(problem, state, desk, task_row)
    ahead = int(desk.watch[N_AHEAD])
    notes = [_WHY[decided_by]] if decided_by in _WHY else []
    if learned is not None and decided_by < FIRST_FALLBACK:
        notes.append("a candidate's score is its expected end from now, in seconds, plus the price of the device time that it holds")
    return Explanation(
        task=task_row,
        time_s=float(state.start[task_row]),
        decided_by=decided_by,
        chosen=chosen,
        candidates=tuple(sorted(_candidates(problem, desk), key=lambda option: option.score)),
        predictions=_predictions(policy, problem, cluster, task_row, learned, decided_by) if not policy.clairvoyant else (),
        order_score=float(desk.order_key[0]),
        queue_length=max(int(desk.watch[QUEUE_LENGTH]), 1),
        ahead=tuple(int(row) for row in desk.watch[FIRST_AHEAD : FIRST_AHEAD + min(max(ahead, 0), MAX_AHEAD)]),
        notes=tuple(notes),
    )


def _candidates(problem: Problem, desk: Desk) -> list[Candidate]:
    options = desk.options[: max(int(desk.watch[N_OPTIONS]), 0)]
    return [_candidate(problem, int(node), int(gpu), float(fraction), float(score)) for node, gpu, fraction, score in options]


def _candidate(problem: Problem, node: int, gpu: int, fraction: float, score: float) -> Candidate:
    gpus = () if gpu < 0 or fraction == 0.0 else (gpu - int(problem.gpu_ptr[node]),)
    return Candidate(node, gpus, fraction, score)


def _chosen(problem: Problem, state: State, desk: Desk, row: int) -> Candidate:
    gpu = int(desk.choice_gpu[row]) if state.fraction[row] > 0.0 else -1
    return _candidate(problem, int(state.node[row]), gpu, float(state.fraction[row]), float(desk.score[row]))


def _predictions(
    policy: CompiledPolicy, problem: Problem, cluster: Cluster, row: int, learned: LearnedRun | None, decided_by: DecidedBy
) -> tuple[Prediction, ...]:
    """Return the times of the whole task on one node's CPU and on each GPU model, launch and transfer included."""
    nominal = nominal_law(problem)
    work = float(nominal.work[row])
    serial = problem.mode[MODE_LAW] == LAW_SERIAL
    c = float(problem.intensity[row])
    found = []
    for device, name in enumerate((CPU, *cluster.gpu_models)):
        fixed = 0.0
        if device == 0:
            on_device = work / float(problem.node_speed[0])
        else:
            gpu = int(np.flatnonzero(problem.gpu_model == device - 1)[0])
            fixed = float(problem.mem_mb[row]) / (16000.0 if serial else float(problem.gpu_link[gpu])) + (
                0.0 if serial else float(problem.gpu_launch[gpu])
            )
            on_device = work / (1.0 + 3.0 * c) if serial else work * ((1.0 - c) + c / float(problem.gpu_speed[gpu]))
        expected, low, high = 0.0, math.nan, math.nan
        if learned is not None:
            mind = learned.mind
            x = mind.recorded[row, device]
            if decided_by < FIRST_FALLBACK:
                expected = float(mind.predicted[row, device] + mind.settings[CAUTION] * x[_ESTIMATE_SD])
            ends = [_quantile(policy, f"{'cpu' if device == 0 else 'gpu'}_{end}", x) for end in ("low", "high")]
            low, high = min(ends), max(ends)
        found.append(
            Prediction(
                name,
                fixed + on_device * math.exp(expected),
                fixed + on_device * math.exp(low) if not math.isnan(low) else low,
                fixed + on_device * math.exp(high) if not math.isnan(high) else high,
                fixed + on_device,
            )
        )
    return tuple(found)


def _quantile(policy: CompiledPolicy, prefix: str, x: np.ndarray) -> float:
    """Return a quantile of the log factor; NaN where the policy has none."""
    trees = ensemble_from_arrays(policy.arrays, prefix) if f"{prefix}_number" in policy.arrays else None
    if trees is None or not trees.n_features[0]:
        return math.nan
    result = np.zeros(1)
    predict_ensemble_rows(trees, np.ascontiguousarray(x[np.newaxis]), result)
    return float(x[_ESTIMATE] + result[0])
