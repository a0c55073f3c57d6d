"""Why a batch job was started when it was: the run again, up to its decision, with the queue as it stood then."""

from __future__ import annotations

import math

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import Candidate, CompiledPolicy, DecidedBy, Explanation, Mechanism, Prediction
from hybrid_ml_scheduler.core.errors import InputError, PolicyError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, IntArray, Workload
from hybrid_ml_scheduler.engine.ensemble import predict_ensemble
from hybrid_ml_scheduler.engine.features.batch import LEAST_S, N_FEATURES, batch_features
from hybrid_ml_scheduler.engine.mechanisms import prepare
from hybrid_ml_scheduler.engine.orders import DYNAMIC_ORDERS, Order, dynamic_key, static_keys
from hybrid_ml_scheduler.engine.scored_pool import TERMS, Estimate, score_queue
from hybrid_ml_scheduler.engine.scored_run import ComparedRun, ScoredRun, build_run, model_ensemble
from hybrid_ml_scheduler.engine.state import Problem, State, build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.batch import HIGH, LOW

MOST_AHEAD = 10
DEVICE = "processors"

_WHY = {
    DecidedBy.MODEL: "the model decided",
    DecidedBy.FALLBACK_RANGE: "the request stood in for the run time: the prediction was missing or out of range",
    DecidedBy.FALLBACK_ERROR: "the rule decided: the model's recent predictions were worse than the requests",
    DecidedBy.FALLBACK_LOSING: "the rule decided: the model lost to it in the replay of the last arrivals",
}


def explain(policy: CompiledPolicy, workload: Workload, cluster: Cluster, task_row: int) -> Explanation:
    """Explain the decision that started a job; see `learning.explain.explain`.

    Parameters
    ----------
    policy : CompiledPolicy
        A rule or a learned policy for a pool of processors.
    workload, cluster
        What ran where.
    task_row : int
        Row of the job.

    Returns
    -------
    Explanation
        A pool has one place, so there is one candidate; what was decided is the order, which ``order_score`` and ``ahead`` tell.

    Raises
    ------
    InputError
        If the job was never started.
    PolicyError
        If the policy is not one for a pool.
    """
    if policy.mechanism not in (Mechanism.POOL, Mechanism.SCORED_POOL):
        raise PolicyError(f"decisions of policy {policy.name!r} cannot be explained here; expected a policy for a pool of processors")
    problem, truth = build_problem(workload, cluster), build_truth(workload, cluster)
    state = build_state(problem)
    prepare(policy, workload, cluster, problem, truth)(state)
    time_s = float(state.start[task_row])
    if math.isnan(time_s):
        raise InputError(f"task {workload.tasks.task_id[task_row]} of workload {workload.name!r} was never started; expected one that was")
    decided_by = DecidedBy(state.decided_by[task_row])
    waiting: IntArray = np.flatnonzero((state.ready <= time_s) & (state.start >= time_s)).astype(np.int64)
    notes: list[str] = []
    if policy.mechanism is Mechanism.POOL:
        score = _rule_scores(policy, workload, problem, waiting, time_s)
        prediction = Prediction(DEVICE, float(problem.requested[task_row]), math.nan, math.nan, float(problem.requested[task_row]))
    else:
        made = build_run(policy, workload, problem, truth)
        made.stop_s = time_s
        before = build_state(problem)
        if policy.fallback is None:
            made.run(before, len(workload) + 1)
        else:
            ComparedRun(policy, workload, cluster, made)(before)
        aged = score_queue(problem, before, made.rule, made.book, made.queue)
        waiting = made.queue.task[: len(waiting)].copy()
        by_model = decided_by in (DecidedBy.MODEL, DecidedBy.FALLBACK_RANGE)
        score = made.queue.score[: len(waiting)].copy() if by_model else made.rule.rule_key[waiting]
        prediction = _predicted(policy, problem, before, made, task_row)
        notes.append(_WHY[decided_by])
        if by_model:
            notes += _model_notes(problem, made, waiting, score, task_row, aged=aged)
    own = float(score[waiting == task_row][0])
    order = waiting[np.lexsort((waiting, score))].tolist()
    ahead = [row for row in order[: order.index(task_row)] if state.start[row] > time_s]
    if ahead:
        notes.append(f"it passed {len(ahead)} jobs that stood before it and could not start")
    chosen = Candidate(0, (), None, own)
    return Explanation(task_row, time_s, decided_by, chosen, (chosen,), (prediction,), own, len(waiting), tuple(ahead[:MOST_AHEAD]), tuple(notes))


def _rule_scores(policy: CompiledPolicy, workload: Workload, problem: Problem, waiting: IntArray, time_s: float) -> FloatArray:
    order = Order(policy.codes["order"])
    if order not in DYNAMIC_ORDERS:
        return static_keys(order, workload)[waiting]
    waits = time_s - problem.arrival[waiting]
    rows = zip(waits, problem.requested[waiting], problem.cores[waiting] / MILLI, strict=True)
    return np.array([dynamic_key(int(order), *(float(value) for value in row)) for row in rows])


def _predicted(policy: CompiledPolicy, problem: Problem, state: State, made: ScoredRun, task: int) -> Prediction:
    """Return what was expected of a waiting job, with the quantiles of 10 and 90 % where the model has them."""
    asked_s = float(problem.requested[task])
    low_s = high_s = math.nan
    if made.rule.estimate == Estimate.TREES:
        x = np.zeros(N_FEATURES)
        batch_features(problem, state, made.book, task, int(made.queue.counts[0]), x)
        low, high = sorted(predict_ensemble(model_ensemble(policy.arrays, name), x) for name in (LOW, HIGH))
        low_s, high_s = (max(asked_s, LEAST_S) * math.exp(value) for value in (low, high))
    return Prediction(DEVICE, float(made.queue.estimate_s[task]), low_s, high_s, asked_s)


def _model_notes(problem: Problem, made: ScoredRun, waiting: IntArray, score: FloatArray, task: int, *, aged: bool) -> list[str]:
    terms = ", ".join(f"{name} {value:.3g}" for name, value in zip(TERMS, made.queue.coefficient, strict=True))
    notes = [f"coefficients of the score at that moment: {terms}"]
    held = int(made.queue.needs[task] - problem.cores[task]) / MILLI
    if held > 0:
        notes.append(f"{held:g} more processors had to stay free for shorter jobs")
    if aged and waiting[0] == task:
        notes.append("it had waited so long that it went first whatever its score")
    head = float(score.min())
    if float(score[waiting == task][0]) > head:
        notes.append(f"the best score among those waiting was {head:.4g}")
    return notes
