"""Why a task was placed where it was: the decision taken again, with everything that was considered."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Explanation
from hybrid_ml_scheduler.core.errors import InputError, PolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.learning.provider import model_kind
from hybrid_ml_scheduler.policies import compile_policy


class _Explainer(Protocol):
    """A module that explains decisions on one kind of workload."""

    def explain(self, policy: CompiledPolicy, workload: Workload, cluster: Cluster, task_row: int) -> Explanation: ...


def explain(policy: str, workload: Workload, cluster: Cluster, task_id: int, seed: int = 0) -> Explanation:
    """Explain the decision that started a task.

    Parameters
    ----------
    policy : str
        Its spelling.
    workload : Workload
    cluster : Cluster
    task_id : int
        Identifier of the task, as the workload gives it.
    seed : int
        Of the policy's own random choices; >= 0.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        If there is no such task, or it was never started.
    PolicyError
        If decisions of this policy cannot be explained.
    """
    rows = np.flatnonzero(workload.tasks.task_id == task_id)
    if len(rows) == 0:
        ids = workload.tasks.task_id
        raise InputError(f"workload {workload.name!r} has no task {task_id}; expected an id from {ids.min()} to {ids.max()}")
    compiled = compile_policy(policy, workload, cluster, seed=seed)
    if not isinstance(compiled, CompiledPolicy):
        raise PolicyError(f"decisions of policy {policy!r} on {workload.name!r} cannot be explained; expected a compiled policy")
    return explain_compiled(compiled, workload, cluster, int(rows[0]))


def explain_compiled(policy: CompiledPolicy, workload: Workload, cluster: Cluster, task_row: int) -> Explanation:
    """Explain the decision that started the task in a row, of a policy that has been made ready; see `explain`."""
    kind = model_kind(workload, cluster)
    if kind is None:
        raise PolicyError(f"decisions of policy {policy.name!r} on {workload.name!r} cannot be explained; expected other tasks or another cluster")
    module = cast("_Explainer", importlib.import_module(f"{__package__}.explain_{kind}"))
    return module.explain(policy, workload, cluster, task_row)
