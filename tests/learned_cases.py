"""Learned policies for divisible tasks without a model file."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism, Schedule
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine.features.history import N_SUMS
from hybrid_ml_scheduler.engine.learned_divisible import LearnedRun, learned_arrays, learned_params, prepare_learned
from hybrid_ml_scheduler.engine.simulation import schedule_of
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.divisible import priced_rule
from hybrid_ml_scheduler.policies.priced import priced_params


def learned(
    *,
    guarded: bool = False,
    online: bool = True,
    records: bool = False,
    exploration: float = 0.0,
    seed: int = 0,
    refused: bool = False,
    **arrays: Any,
) -> CompiledPolicy:
    """The prices of ``priced`` with times from a history that begins empty."""
    codes = {"guarded": int(guarded), "online": int(online), "records": int(records), "refused": int(refused)}
    params = learned_params(priced_params(), exploration=exploration)
    known = {"sums": np.zeros((8, 3, N_SUMS))} | arrays
    return CompiledPolicy(
        "learned", Mechanism.LEARNED_DIVISIBLE, codes, params, seed=seed, arrays=dict(learned_arrays(**known)), fallback=priced_rule()
    )


def run_whole(policy: CompiledPolicy, workload: Workload, cluster: Cluster) -> tuple[Schedule, LearnedRun]:
    """Run a learned policy, and keep what it knows."""
    problem = build_problem(workload, cluster)
    state = build_state(problem)
    run = prepare_learned(policy, workload, cluster, problem, build_truth(workload, cluster))
    run(state)
    return schedule_of(problem, state, policy.name, 0.0), run
