"""What a learned policy sees and decides does not change when the future is cut off: tasks that have not arrived leave no trace."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism, Schedule
from hybrid_ml_scheduler.core.workload import WorkloadKind
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.features.history import N_SUMS
from hybrid_ml_scheduler.engine.outcome import schedule_of
from hybrid_ml_scheduler.engine.pool import Backfill
from hybrid_ml_scheduler.engine.scored_pool import N_RECORDED, Estimate
from hybrid_ml_scheduler.engine.scored_run import build_run
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.batch import START, weights_of
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads import lublin
from hybrid_ml_scheduler.workloads.clusters import default_cluster, workstation
from hybrid_ml_scheduler.workloads.synthetic import generate
from learned_cases import learned, run_whole
from properties.strategies import CASES, Case
from reference_scored import random_weights


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


def seen_of_jobs(case: Case, policy: CompiledPolicy) -> tuple[Schedule, NDArray[np.float64], NDArray[np.int64]]:
    """Run a policy for batch jobs without its rule; returns also the features of every estimate and whose they are."""
    problem = build_problem(case.workload, case.cluster)
    state = build_state(problem)
    run = build_run(policy, case.workload, problem, build_truth(case.workload, case.cluster), n_recorded=8 * len(case.workload))
    run.run(state, len(case.workload) + 1)
    count = int(run.queue.counts[N_RECORDED])
    return schedule_of(problem, state, "agent", 0.0), run.queue.record[:count], run.queue.record_task[:count]


@settings(max_examples=150)
@given(case=CASES[WorkloadKind.RIGID, ClusterKind.POOL], data=st.data())
def test_batch_jobs(case: Case, data: st.DataObject) -> None:
    n = len(case.workload)
    if n < 2:
        return
    kept = data.draw(st.integers(1, n - 1))
    seed = data.draw(st.integers(0, 100))
    codes = {"estimate": int(Estimate.HISTORY), "backfill": data.draw(st.sampled_from([0, int(Backfill.EASY)])), "online": 1}
    policy = CompiledPolicy("agent", Mechanism.SCORED_POOL, codes, arrays={"weights": np.array(random_weights(np.random.default_rng(seed)))})
    short_case = Case(case.workload.select(np.arange(kept)), case.cluster)
    whole, rows, task = seen_of_jobs(case, policy)
    short, rows_short, task_short = seen_of_jobs(short_case, policy)
    cut_s = case.workload.tasks.arrival_s[kept]
    early = np.flatnonzero(whole.start_s[:kept] < cut_s)
    assert np.array_equal(early, np.flatnonzero(short.start_s < cut_s))
    np.testing.assert_array_equal(whole.start_s[early], short.start_s[early])
    np.testing.assert_array_equal(whole.decision_order[: len(early)], short.decision_order[: len(early)])
    # Estimates come in the order of time; those of jobs that had started before the cut were made before it.
    until = next((place for place, row in enumerate(task.tolist()) if row not in early), len(task))
    np.testing.assert_array_equal(task[:until], task_short[:until])
    np.testing.assert_array_equal(rows[:until], rows_short[:until])


def test_guarded_runs_of_batch_jobs() -> None:
    for seed in (10_000, 10_001):
        work = lublin.generate("lublin:users=12,load=1.1", seed=seed, n_tasks=900)
        cluster = default_cluster(work)
        rule = compile_policy("saf+easy", work, cluster)
        assert isinstance(rule, CompiledPolicy)
        codes = {"estimate": int(Estimate.HISTORY), "backfill": int(Backfill.EASY), "online": 1}
        arrays = {"weights": weights_of(START), "objective": np.array([1.0, 0, 0, 0, 0, 0])}
        policy = CompiledPolicy("agent", Mechanism.SCORED_POOL, codes, arrays=arrays, fallback=rule)
        whole, short = (simulate(part, cluster, policy) for part in (work, work.select(np.arange(600))))
        early = np.flatnonzero(whole.start_s[:600] < work.tasks.arrival_s[600])
        assert len(early) > 400
        for name in ("start_s", "decided_by"):
            np.testing.assert_array_equal(getattr(whole, name)[early], getattr(short, name)[early], err_msg=name)


def test_long_runs_of_divisible_tasks() -> None:
    for preset, guarded in (("bursty", True), ("graphs", False), ("drift", True)):
        case = Case(generate(preset, seed=20_100, n_tasks=1200), workstation())
        compared = check_no_trace(case, learned(records=True, exploration=0.05, guarded=guarded), 800)
        assert compared > 500
