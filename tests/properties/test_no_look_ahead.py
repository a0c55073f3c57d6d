"""What a learned policy sees and decides does not change when the future is cut off: tasks that have not arrived leave no trace."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy
from hybrid_ml_scheduler.core.workload import WorkloadKind
from hybrid_ml_scheduler.engine.features.history import N_SUMS
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate
from learned_cases import learned, run_whole
from properties.strategies import CASES, Case


def check_no_trace(case: Case, policy: CompiledPolicy, kept: int) -> int:
    """Run whole and cut; everything before the first missing task arrives must be the same. Returns how many tasks were compared."""
    whole, seen = run_whole(policy, case.workload, case.cluster)
    short, seen_short = run_whole(policy, case.workload.select(np.arange(kept)), case.cluster)
    cut_s = case.workload.tasks.arrival_s[kept]
    early = np.flatnonzero(whole.start_s[:kept] < cut_s)
    assert np.array_equal(early, np.flatnonzero(short.start_s < cut_s))
    for name in ("start_s", "node", "gpu_mask", "fraction", "decided_by"):
        np.testing.assert_array_equal(getattr(whole, name)[early], getattr(short, name)[early], err_msg=name)
    np.testing.assert_array_equal(whole.decision_order[: len(early)], short.decision_order[: len(early)])
    # Features and predictions of a task that has started are those of its decision.
    np.testing.assert_array_equal(seen.mind.recorded[early], seen_short.mind.recorded[early])
    np.testing.assert_array_equal(seen.mind.predicted[early], seen_short.mind.predicted[early])
    return len(early)


@settings(max_examples=100)
@given(case=CASES[WorkloadKind.DIVISIBLE, ClusterKind.NODES], data=st.data())
def test_divisible_tasks(case: Case, data: st.DataObject) -> None:
    n = len(case.workload)
    if n < 2:
        return
    models = len(case.cluster.gpu_models)
    policy = learned(
        sums=np.zeros((2, 1 + models, N_SUMS)), records=True, exploration=data.draw(st.sampled_from([0.0, 0.5])), guarded=data.draw(st.booleans())
    )
    check_no_trace(case, policy, data.draw(st.integers(1, n - 1)))


def test_long_runs_of_divisible_tasks() -> None:
    for preset, guarded in (("bursty", True), ("graphs", False), ("drift", True)):
        case = Case(generate(preset, seed=20_100, n_tasks=1200), workstation())
        compared = check_no_trace(case, learned(records=True, exploration=0.05, guarded=guarded), 800)
        assert compared > 500
