"""Learned policies for rigid tasks on nodes with GPUs, run by the engine."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from engine_cases import gpu, node, nodes, rigid, run
from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK, CompiledPolicy, DecidedBy, Mechanism
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, ModelError
from hybrid_ml_scheduler.core.workload import Truth, Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.features.nodes import NODES
from hybrid_ml_scheduler.engine.learned_nodes import N_ORDER, N_WEIGHTS, W_AGEING, W_GPUS, Estimate, NodeRun
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.nodes import RULE
from hybrid_ml_scheduler.workloads.clusters import pool
from hybrid_ml_scheduler.workloads.gpu_cluster import generate_gpu_cluster

OBJECTIVE = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])


@cache
def case(seed: int, n_tasks: int = 500) -> tuple[Workload, Cluster]:
    return generate_gpu_cluster(seed, n_tasks=n_tasks)


def policy(guarded: bool = False, **weights: float) -> CompiledPolicy:
    values = np.zeros(N_WEIGHTS)
    values[-1] = 1.0
    for name, value in weights.items():
        values[{"gpus": W_GPUS, "ageing": W_AGEING, "best_fit": N_ORDER, "fgd": N_WEIGHTS - 1}[name]] = value
    arrays = {"weights": values, "objective": OBJECTIVE}
    codes = {"estimate": int(Estimate.REQUEST), "online": 1}
    return CompiledPolicy("learned", Mechanism.LEARNED_NODES, codes, arrays=arrays, fallback=RULE if guarded else None)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rule", "weights"), [("sjf+fgd", {}), ("sjf+best_fit", {"best_fit": 1.0, "fgd": 0.0})])
def test_some_weights_are_a_rule(seed: int, rule: str, weights: dict[str, float]) -> None:
    workload, cluster = case(seed)
    # Equal requests stand by row in both; logarithms keep all other requests apart.
    learned, expected = simulate(workload, cluster, policy(**weights)), run(rule, workload, cluster)
    assert np.array_equal(learned.start_s, expected.start_s)
    assert np.array_equal(learned.node, expected.node)
    assert np.array_equal(learned.gpu_mask, expected.gpu_mask)
    assert (learned.decided_by == DecidedBy.MODEL).all()


def test_ageing_alone_is_first_come_first_served_in_the_end() -> None:
    workload, cluster = case(1)
    learned = simulate(workload, cluster, policy(ageing=1e6))
    assert np.array_equal(learned.start_s, run("fcfs+fgd", workload, cluster).start_s)


def test_weights_of_gpus_put_small_tasks_first() -> None:
    workload = rigid([0.0, 1.0, 2.0], 10.0, gpus=[2.0, 2.0, 1.0], requested_s=[10.0, 50.0, 60.0])
    cluster = nodes(node(4, gpu(), gpu()))
    assert simulate(workload, cluster, policy()).start_s.tolist() == [0.0, 10.0, 20.0]
    assert simulate(workload, cluster, policy(gpus=1.0)).start_s.tolist() == [0.0, 20.0, 10.0]


def trees(value: float) -> dict[str, Any]:
    """An ensemble of one leaf."""
    from hybrid_ml_scheduler.engine.ensemble import LEAF, Tree, build_ensemble, ensemble_arrays

    none = np.zeros(1, dtype=np.int64)
    tree = Tree(left=none, right=none, feature=none, number=np.array([value]), flags=np.array([LEAF]), categories=())
    return ensemble_arrays(build_ensemble([tree], len(NODES)), "median")


def with_trees(made: CompiledPolicy, value: float) -> CompiledPolicy:
    return replace(made, codes={**made.codes, "estimate": int(Estimate.TREES)}, arrays={**made.arrays, **trees(value)})


def test_predictions_out_of_range_leave_the_request() -> None:
    workload, cluster = case(0)
    exact = simulate(workload, cluster, policy())
    for value, code in ((-20.0, DecidedBy.FALLBACK_RANGE), (-1.0, DecidedBy.MODEL)):
        schedule = simulate(workload, cluster, with_trees(policy(), value))
        assert (schedule.decided_by == code).all()
        # A factor that is the same for all changes no order.
        assert np.array_equal(schedule.start_s, exact.start_s)


def test_wrong_predictions_are_noticed() -> None:
    workload, cluster = case(0)
    exact = replace(workload, tasks=replace(workload.tasks, requested_time_s=workload.truth.work_s))
    schedule = simulate(exact, cluster, with_trees(policy(guarded=True), 2.5))
    assert (schedule.decided_by == DecidedBy.FALLBACK_ERROR).mean() > 0.5
    assert not (simulate(exact, cluster, with_trees(policy(), 2.5)).decided_by == DecidedBy.FALLBACK_ERROR).any()


def mean_response_s(workload: Workload, cluster: Cluster, chosen: CompiledPolicy | str) -> float:
    schedule = run(chosen, workload, cluster) if isinstance(chosen, str) else simulate(workload, cluster, chosen)
    return measure(workload, cluster, schedule)["mean_response_s"]


def test_a_broken_order_falls_to_the_rule() -> None:
    """Longest and widest first, behind its guard: the comparison on the way must notice."""
    guarded, alone = [], []
    for seed in (1, 5, 6):
        workload, cluster = case(seed, 2000)
        rule = mean_response_s(workload, cluster, "saf+fgd")
        schedule = simulate(workload, cluster, policy(guarded=True, gpus=-8.0))
        assert (schedule.decided_by == DecidedBy.FALLBACK_LOSING).mean() > 0.5
        guarded.append(measure(workload, cluster, schedule)["mean_response_s"] / rule)
        alone.append(mean_response_s(workload, cluster, policy(gpus=-8.0)) / rule)
    assert np.mean(np.log(guarded)) < 0.5 * np.mean(np.log(alone))


def test_hidden_times_do_not_leak() -> None:
    workload, cluster = case(1)
    schedule = simulate(workload, cluster, policy(guarded=True))
    moment = float(np.median(schedule.finish_s))
    changed = workload.truth.work_s.copy()
    changed[schedule.finish_s > moment] *= 2.0
    later = simulate(replace(workload, truth=Truth(work_s=changed)), cluster, policy(guarded=True))
    past = schedule.start_s < moment
    assert past.any()
    assert np.array_equal(schedule.start_s[past], later.start_s[past])
    assert np.array_equal(schedule.node[past], later.node[past])
    # Whatever starts before anything has ended is decided without any truth.
    shuffled = workload.truth.work_s[np.random.default_rng(0).permutation(len(workload))]
    other = simulate(replace(workload, truth=Truth(work_s=shuffled)), cluster, policy(guarded=True))
    first = min(schedule.finish_s.min(), other.finish_s.min())
    early = schedule.start_s < first
    assert np.array_equal(schedule.node[early], other.node[early])


def test_a_run_in_steps_is_the_same_run() -> None:
    workload, cluster = case(2)
    whole = simulate(workload, cluster, policy())
    problem = build_problem(workload, cluster)
    learned = NodeRun(policy(), workload, cluster, problem, build_truth(workload, cluster))
    state = build_state(problem)
    for until in range(37, len(workload) + 38, 37):
        learned.step(state, until)
    learned.step(state, len(workload) + 1)
    assert np.array_equal(state.start, whole.start_s)


def test_what_features_say_of_history() -> None:
    workload = rigid([0.0, 1.0, 100.0], [10.0, 20.0, 5.0], gpus=0.5, requested_s=[40.0, 40.0, 40.0])
    workload = replace(workload, tasks=replace(workload.tasks, user=np.zeros(3, dtype=np.int64)))
    cluster = nodes(node(4, gpu()))
    problem = build_problem(workload, cluster)
    learned = NodeRun(policy(), workload, cluster, problem, build_truth(workload, cluster), n_recorded=3)
    learned(build_state(problem))
    names = [feature.name for feature in NODES]
    first, third = (dict(zip(names, learned.mind.record[row], strict=True)) for row in (0, 2))
    assert np.isnan(first["user_last"])
    assert first["user_ended"] == 0.0
    assert third["user_last"] == pytest.approx(np.log(20 / 40))
    assert third["user_mean"] == pytest.approx((np.log(20 / 40) + np.log(10 / 40)) / 2)
    assert third["user_last_two"] == pytest.approx(np.log(15 / 40))
    assert third["class_ended"] == pytest.approx(np.log(3))
    assert third["log_gpus"] == pytest.approx(np.log(0.501))


@pytest.mark.parametrize("weights", [np.zeros(3), np.full(N_WEIGHTS, np.nan), None])
def test_weights_from_anyone_are_checked(weights: Any) -> None:
    made = policy()
    arrays = {**made.arrays, "weights": weights} if weights is not None else {"objective": OBJECTIVE}
    with pytest.raises(ModelError, match="expected 9 finite numbers"):
        simulate(*case(0), replace(made, arrays=arrays))


def test_pools_are_for_others() -> None:
    with pytest.raises(IncompatiblePolicyError, match="it needs nodes"):
        simulate(rigid([0.0], 1.0), pool(4), policy())
    assert FIRST_FALLBACK > DecidedBy.MODEL
