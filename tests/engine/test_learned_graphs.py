"""Learned policies on task graphs, run by the engine: guarantees, leaks, planning anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine_cases import run
from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, DecidedBy, Mechanism, Schedule
from hybrid_ml_scheduler.core.workload import Truth, Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.learned_graphs import (
    N_PARAMS,
    P_AGAIN_STEPS,
    P_CLASS,
    P_CORRECTION,
    P_DELAY,
    P_KIND,
    P_LATEST,
    P_STEPS,
    P_TASK,
    P_WORK,
    PLANNER,
    PlanRecord,
    prepare_learned,
)
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.train_kernels import heft_vector, peft_vector
from hybrid_ml_scheduler.workloads.kernel_graphs import Misjudged, generate_kernel_graph, misjudge

RULES = ("heft", "peft", "dmda")


def policy(
    *, predicts: bool = True, online: bool = True, guarded: bool = True, vectors: np.ndarray | None = None, **changes: float
) -> CompiledPolicy:
    params = np.zeros(N_PARAMS)
    params[[P_LATEST, P_STEPS, P_WORK, P_AGAIN_STEPS]] = 1.0, 200, 1e7, 50
    params[[P_CORRECTION, P_DELAY, P_CLASS, P_KIND, P_TASK]] = 0.1, 0.01, 0.1, 0.1, 0.01
    for name, value in changes.items():
        params[globals()[name]] = value
    codes = {"planner": PLANNER, "guarded": int(guarded), "online": int(online), "predicts": int(predicts and online)}
    arrays = {"vectors": np.stack([heft_vector(), peft_vector()]) if vectors is None else vectors}
    return CompiledPolicy("learned", Mechanism.PLAN, codes, params, arrays=arrays)


def makespan_s(schedule: Schedule) -> float:
    return float(schedule.finish_s.max())


def record_of(workload: Workload, cluster: Cluster, chosen: CompiledPolicy) -> PlanRecord:
    problem = build_problem(workload, cluster)
    learned = prepare_learned(chosen, problem, build_truth(workload, cluster))
    learned(build_state(problem))
    return learned.record


@pytest.mark.parametrize("seed", range(8))
def test_with_exact_estimates_the_plan_stands_and_no_rule_ends_sooner(seed: int) -> None:
    workload, cluster = generate_kernel_graph(seed)
    schedules = [simulate(workload, cluster, policy(predicts=predicts)) for predicts in (True, False)]
    assert np.array_equal(schedules[0].finish_s, schedules[1].finish_s)
    record = record_of(workload, cluster, policy())
    assert len(record.chosen) == 1
    assert record.considered == 0
    assert makespan_s(schedules[0]) == record.chosen[0].value
    assert np.array_equal(schedules[0].finish_s, record.chosen[0].plan.finish_s)
    assert makespan_s(schedules[0]) <= min(makespan_s(run(rule, workload, cluster)) for rule in RULES) * (1 + 1e-12)


def test_wrong_estimates_are_corrected_while_the_graph_runs() -> None:
    ratios, static = [], []
    for seed in range(12):
        workload, cluster = generate_kernel_graph(seed)
        wrong = misjudge(workload, Misjudged(0.3, 0.4, 0.05), seed)
        best_rule = min(makespan_s(run(rule, wrong, cluster)) for rule in RULES)
        ratios.append(makespan_s(simulate(wrong, cluster, policy())) / best_rule)
        static.append(makespan_s(simulate(wrong, cluster, policy(online=False))) / best_rule)
    assert np.exp(np.mean(np.log(ratios))) < 0.95
    assert np.exp(np.mean(np.log(ratios))) < np.exp(np.mean(np.log(static))) - 0.03


def test_a_broken_model_costs_nothing_behind_its_guard() -> None:
    rng = np.random.default_rng(0)
    costs, alone, rules = [], [], []
    for seed in range(12):
        workload, cluster = generate_kernel_graph(seed)
        broken = rng.normal(0.0, 5.0, (2, len(heft_vector())))
        rules.append(min(makespan_s(run(rule, workload, cluster)) for rule in RULES))
        schedule = simulate(workload, cluster, policy(vectors=broken, P_STEPS=0))
        costs.append(makespan_s(schedule))
        assert (schedule.decided_by == DecidedBy.FALLBACK_LOSING).all() or makespan_s(schedule) <= rules[-1]
        alone.append(makespan_s(simulate(workload, cluster, policy(vectors=broken, P_STEPS=0, guarded=False))))
    assert all(cost <= rule * (1 + 1e-12) for cost, rule in zip(costs, rules, strict=True))
    assert np.mean(np.log(np.array(alone) / rules)) > 0.1


def test_predictions_that_have_become_wrong_are_noticed() -> None:
    workload, cluster = generate_kernel_graph(5)
    assert workload.tasks.cost_s is not None
    # What the first half of the tasks shows is the opposite of what the second half does.
    factor = np.where(np.arange(len(workload)) < len(workload) // 2, 3.0, 1.0 / 3.0)[:, None]
    turned = replace(workload, truth=Truth(work_s=workload.truth.work_s, cost_s=workload.tasks.cost_s * factor))
    assert (simulate(turned, cluster, policy()).decided_by == DecidedBy.FALLBACK_ERROR).any()
    assert not (simulate(turned, cluster, policy(guarded=False)).decided_by == DecidedBy.FALLBACK_ERROR).any()


def test_corrections_out_of_range_are_not_believed() -> None:
    workload, cluster = generate_kernel_graph(10)
    assert workload.tasks.cost_s is not None
    far = replace(workload, truth=Truth(work_s=workload.truth.work_s, cost_s=workload.tasks.cost_s * 1e3))
    schedule = simulate(far, cluster, policy())
    assert (schedule.decided_by == DecidedBy.FALLBACK_RANGE).any()
    assert not (simulate(far, cluster, policy(guarded=False)).decided_by == DecidedBy.FALLBACK_RANGE).any()


@pytest.mark.parametrize("seed", [2, 10])
def test_the_same_seed_gives_the_same_schedule(seed: int) -> None:
    workload, cluster = generate_kernel_graph(seed)
    wrong = misjudge(workload, Misjudged(0.2, 0.3, 0.1), seed)
    first, second = (simulate(wrong, cluster, policy()) for _ in range(2))
    assert np.array_equal(first.finish_s, second.finish_s)
    assert np.array_equal(first.decided_by, second.decided_by)


@pytest.mark.parametrize("seed", [2, 10, 13])
def test_hidden_times_do_not_leak(seed: int) -> None:
    workload, cluster = generate_kernel_graph(seed)
    wrong = misjudge(workload, Misjudged(0.2, 0.3, 0.1), seed)
    schedule = simulate(wrong, cluster, policy())
    assert wrong.truth.cost_s is not None
    # Whatever starts before the first task has ended is decided without any truth.
    shuffled = wrong.truth.cost_s[np.random.default_rng(seed).permutation(len(wrong))]
    other = simulate(replace(wrong, truth=Truth(work_s=wrong.truth.work_s, cost_s=shuffled)), cluster, policy())
    first = min(schedule.finish_s.min(), other.finish_s.min())
    early = (schedule.start_s < first) | (other.start_s < first)
    assert early.any()
    assert np.array_equal(schedule.node[early], other.node[early])
    # And what happens up to any later moment does not depend on the times of tasks that end after it.
    moment = float(np.median(schedule.finish_s))
    changed = wrong.truth.cost_s.copy()
    changed[schedule.finish_s > moment] *= 3.0
    later = simulate(replace(wrong, truth=Truth(work_s=wrong.truth.work_s, cost_s=changed)), cluster, policy())
    past = schedule.start_s < moment
    assert np.array_equal(schedule.node[past], later.node[past])
    assert np.array_equal(schedule.start_s[past], later.start_s[past])


def test_delays_alone_make_a_plan_anew_without_predictions() -> None:
    workload, cluster = generate_kernel_graph(9)
    wrong = misjudge(workload, Misjudged(0.0, 0.5, 0.2), 4)
    record = record_of(wrong, cluster, policy(predicts=False))
    assert record.considered > 0
    assert all(np.isnan(correction.log_sd).all() for correction in record.correction)
    assert record_of(wrong, cluster, policy(predicts=False, P_DELAY=1e3, P_CORRECTION=1e3)).considered == 0
    assert record_of(wrong, cluster, policy(online=False)).considered == 0
