"""Why a rigid task went to its node when it did: the run repeated, and what was considered at that moment noted."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import Candidate, CompiledPolicy, DecidedBy, Explanation, Mechanism, Prediction
from hybrid_ml_scheduler.core.errors import InputError, PolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine.ensemble import ensemble_from_arrays, predict_ensemble_rows
from hybrid_ml_scheduler.engine.features.batch import LEAST_S
from hybrid_ml_scheduler.engine.learned_nodes import Estimate, NodeRun
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.nodes import HIGH, LOW

MOST_AHEAD = 10


def explain(policy: CompiledPolicy, workload: Workload, cluster: Cluster, task_row: int) -> Explanation:
    """Explain the start of a task by a learned policy for nodes.

    Parameters
    ----------
    policy : CompiledPolicy
        From `learning.nodes.compile_learned`.
    workload, cluster
        What ran where; the run is repeated.
    task_row : int
        Row of the task.

    Returns
    -------
    Explanation
        Candidates are the nodes on which the task could start at that moment. Scores are the negative weighted sums of the placement scores, so that
        the smallest wins.

    Raises
    ------
    PolicyError
        If the policy is no learned one for nodes.
    InputError
        If the task never started.
    """
    if policy.mechanism is not Mechanism.LEARNED_NODES:
        raise PolicyError(f"decisions of policy {policy.name!r} cannot be explained here; expected a learned policy for nodes")
    problem = build_problem(workload, cluster)
    state = build_state(problem)
    run = NodeRun(policy, workload, cluster, problem, build_truth(workload, cluster), n_recorded=len(workload), watch=task_row)
    run(state)
    if not 0 <= task_row < len(workload) or np.isnan(state.start[task_row]):
        raise InputError(f"workload {workload.name!r}: the task in row {task_row} never started; expected one that did")
    mind = run.mind
    home = int(state.node[task_row])
    gpus = tuple(gpu for gpu in range(62) if int(state.gpu_mask[task_row]) >> gpu & 1)
    chosen = Candidate(home, gpus, None, -float(mind.watched[home]))
    others = [Candidate(node, (), None, -float(mind.watched[node])) for node in np.flatnonzero(~np.isnan(mind.watched)).tolist() if node != home]
    by = DecidedBy(int(state.decided_by[task_row]))
    key = mind.model_key if by in (DecidedBy.MODEL, DecidedBy.FALLBACK_RANGE) else mind.rule_key
    waiting, before = int(mind.ahead[0]), int(mind.ahead[1])
    notes = []
    if by is not DecidedBy.MODEL and policy.fallback is not None:
        notes.append(f"the rule {policy.fallback.name} decided; the scores are those of the model")
    return Explanation(
        task=task_row,
        time_s=float(state.start[task_row]),
        decided_by=by,
        chosen=chosen,
        candidates=tuple(sorted([chosen, *others], key=lambda candidate: (candidate.score, candidate.node))),
        predictions=(_prediction(policy, run, task_row, max(float(problem.requested[task_row]), LEAST_S)),),
        order_score=float(key[task_row]),
        queue_length=waiting,
        ahead=tuple(int(row) for row in mind.ahead[2 : 2 + min(before, MOST_AHEAD)]),
        notes=tuple(notes),
    )


def _prediction(policy: CompiledPolicy, run: NodeRun, task: int, requested_s: float) -> Prediction:
    expected_s = float(np.exp(run.mind.log_estimate[task]))
    bounds = [np.nan, np.nan]
    if policy.codes["estimate"] == Estimate.TREES:
        features = run.mind.record[run.mind.record_task == task][:1]
        for place, prefix in enumerate((LOW, HIGH)):
            ratio = np.zeros(1)
            predict_ensemble_rows(ensemble_from_arrays(policy.arrays, prefix), np.ascontiguousarray(features), ratio)
            bounds[place] = requested_s * float(np.exp(ratio[0]))
    return Prediction("any node", expected_s, bounds[0], bounds[1], requested_s)
