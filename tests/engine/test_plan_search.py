"""The list scheduler behind learned plans, the search around it, and the race with the rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_cases import machines, on_machines, run
from graph_cases import GraphCase, assert_plan_is_possible, graph_cases, optimal_makespan, run_in_order
from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.engine import plan_search
from hybrid_ml_scheduler.engine.features.kernels import KERNELS, class_prices, graph_features
from hybrid_ml_scheduler.engine.graphs import heft_plan, peft_plan
from hybrid_ml_scheduler.engine.list_plan import N_DRAWS, N_WEIGHTS, W_OCT, build_desk, improve, list_plan
from hybrid_ml_scheduler.engine.plan import Plan
from hybrid_ml_scheduler.engine.plan_search import N_FEATURES, VECTOR_LENGTH, SearchEffort, Standing, best_plan, build_view, latest_bound
from hybrid_ml_scheduler.engine.state import Problem, build_problem
from hybrid_ml_scheduler.workloads.kernel_graphs import generate_kernel_graph

MAKESPAN = np.array([1.0, 0.0])
RULES = ("heft", "cpop", "peft", "dmda", "mct", "min_min", "max_min", "sufferage")
HEFT, PEFT = np.zeros(VECTOR_LENGTH), np.zeros(VECTOR_LENGTH)
HEFT[0] = PEFT[3] = PEFT[N_FEATURES + W_OCT] = 1.0


def workload_of(case: GraphCase) -> Workload:
    """The graph as a workload with exact costs, rows by arrival."""
    n = len(case.cost_s)
    arrival = np.zeros(n) if case.arrival_s is None else case.arrival_s
    row = np.argsort(arrival, kind="stable")
    place = np.argsort(row)
    edges = [(int(place[p]), int(place[i]), seconds, 0.0) for i in range(n) for p, seconds in case.parents(i)]
    return on_machines(case.cost_s[row], edges, arrival[row].tolist())


def case_of(workload: Workload) -> GraphCase:
    tasks = workload.tasks
    assert tasks.cost_s is not None
    return GraphCase(tasks.cost_s, tasks.parent_ptr, tasks.parent_idx, tasks.edge_s, tasks.arrival_s)


def problem_of(case: GraphCase) -> Problem:
    return build_problem(workload_of(case), machines(case.cost_s.shape[1]))


def planned(problem: Problem, priority_of: int, weights: FloatArray, forced: list[int] | None = None) -> tuple[Plan, float]:
    view = build_view(problem, problem.cost)
    n, m = problem.cost.shape
    features, scores = graph_features(view)
    desk = build_desk(n, m)
    none = np.full(n, -1) if forced is None else np.array(forced)
    latest, total = list_plan(view, scores, np.ascontiguousarray(features[:, priority_of]), weights, none, desk)
    assert total == pytest.approx(desk.finish.sum())
    order = np.lexsort((view.position, desk.finish, desk.start))
    return Plan(desk.machine, desk.start, desk.finish, order), latest


@given(case=graph_cases(arrivals=True))
@settings(max_examples=150)
def test_heft_and_peft_are_two_of_the_vectors(case: GraphCase) -> None:
    problem = problem_of(case)
    arguments = (problem.cost, problem.parent_ptr, problem.parent_idx, problem.edge_s, problem.arrival)
    with_rest = np.zeros(N_WEIGHTS)
    with_rest[W_OCT] = 1.0
    for plan, expected in (
        (planned(problem, 0, np.zeros(N_WEIGHTS)), heft_plan(*arguments)),
        (planned(problem, 3, with_rest), peft_plan(*arguments)),
    ):
        # Priorities that differ by rounding alone may change the sequence, as features are divided by the largest.
        if np.array_equal(plan[0].machine, expected.machine):
            assert np.array_equal(plan[0].start_s, expected.start_s)
        assert_plan_is_possible(plan[0], case_of(workload_of(case)))
        assert plan[1] == plan[0].finish_s.max()


@pytest.mark.parametrize("seed", range(6))
def test_on_larger_graphs_too(seed: int) -> None:
    workload, cluster = generate_kernel_graph(seed)
    problem = build_problem(workload, cluster)
    arguments = (problem.cost, problem.parent_ptr, problem.parent_idx, problem.edge_s, problem.arrival)
    with_rest = np.zeros(N_WEIGHTS)
    with_rest[W_OCT] = 1.0
    assert planned(problem, 0, np.zeros(N_WEIGHTS))[1] == pytest.approx(heft_plan(*arguments).finish_s.max(), rel=1e-3)
    assert planned(problem, 3, with_rest)[1] == pytest.approx(peft_plan(*arguments).finish_s.max(), rel=1e-3)


@given(case=graph_cases(), weights=st.lists(st.floats(-3, 3), min_size=N_WEIGHTS, max_size=N_WEIGHTS), priority=st.integers(0, N_FEATURES - 1))
@settings(max_examples=100)
def test_whatever_the_weights_the_plan_is_possible(case: GraphCase, weights: list[float], priority: int) -> None:
    plan, _ = planned(problem_of(case), priority, np.array(weights))
    assert_plan_is_possible(plan, case_of(workload_of(case)))


def test_a_forced_class_is_kept_to() -> None:
    problem = problem_of(GraphCase(np.array([[1.0, 5.0, 5.0]] * 4), np.zeros(5, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)))
    plan, latest = planned(problem, 0, np.zeros(N_WEIGHTS), [1, -1, 1, -1])
    assert set(plan.machine[[0, 2]]) == {1, 2}
    assert latest == 5.0


def test_equal_machines_are_one_class_in_the_order_of_the_first() -> None:
    cost = np.array([[3.0, 1.0, 3.0, 2.0], [4.0, 1.0, 4.0, 4.0]])
    assert plan_search.machine_classes(cost).tolist() == [0, 1, 0, 2]


@given(case=graph_cases(max_tasks=8, arrivals=True), seed=st.integers(0, 3))
@settings(max_examples=60)
def test_the_search_never_makes_a_plan_worse(case: GraphCase, seed: int) -> None:
    problem = problem_of(case)
    view = build_view(problem, problem.cost)
    n, m = problem.cost.shape
    features, scores = graph_features(view)
    desk = build_desk(n, m)

    def search(steps: int) -> float:
        priority, forced = np.ascontiguousarray(features[:, 0]), np.full(n, -1)
        improve(view, scores, priority, np.zeros(N_WEIGHTS), forced, np.random.default_rng(seed).random((steps, N_DRAWS)), MAKESPAN, -np.inf, desk)
        return list_plan(view, scores, priority, np.zeros(N_WEIGHTS), forced, desk)[0]

    assert search(60) == search(60) <= search(0)


@given(case=graph_cases(arrivals=True), seed=st.integers(0, 2))
@settings(max_examples=100)
def test_with_exact_costs_no_rule_ends_sooner_and_the_engine_does_what_was_planned(case: GraphCase, seed: int) -> None:
    workload = workload_of(case)
    cluster = machines(case.cost_s.shape[1])
    problem = build_problem(workload, cluster)
    chosen = best_plan(problem, problem.cost, np.stack([HEFT, PEFT]), aim=MAKESPAN, effort=SearchEffort(20, 1e6), seed=seed)
    if chosen.in_range:
        assert_plan_is_possible(chosen.plan, case_of(workload))
    for rule in RULES:
        assert chosen.value <= run(rule, workload, cluster).finish_s.max() * (1 + 1e-12)
    times = run_in_order(case_of(workload), chosen.plan.machine, chosen.plan.order.tolist())
    assert np.array_equal(times, chosen.plan.finish_s)
    assert chosen.value == max(times)


@given(case=graph_cases(max_tasks=4, max_machines=3))
@settings(max_examples=40)
def test_no_plan_ends_before_the_bound(case: GraphCase) -> None:
    problem = problem_of(case)
    assert latest_bound(build_view(problem, problem.cost)) <= optimal_makespan(case) + 1e-9


def test_a_rule_wins_over_a_bad_model_only() -> None:
    workload, cluster = generate_kernel_graph(3)
    problem = build_problem(workload, cluster)
    no_search = SearchEffort(0, 0.0)
    bad = -HEFT[None, :]
    guarded = best_plan(problem, problem.cost, bad, aim=MAKESPAN, effort=no_search, seed=0)
    assert not guarded.by_model
    assert guarded.by in RULES
    alone = best_plan(problem, problem.cost, bad, aim=MAKESPAN, effort=no_search, seed=0, guarded=False)
    assert alone.by == "vector 0"
    assert alone.value > guarded.value
    assert best_plan(problem, problem.cost, HEFT[None, :], aim=MAKESPAN, effort=no_search, seed=0).values["heft"] == guarded.values["heft"]


def test_the_sum_of_finishes_can_be_the_aim() -> None:
    workload, cluster = generate_kernel_graph(10)
    problem = build_problem(workload, cluster)
    both = np.stack([HEFT, PEFT])
    for_sum = best_plan(problem, problem.cost, both, aim=np.array([0.0, 1.0]), effort=SearchEffort(200, 1e9), seed=0)
    assert for_sum.value == pytest.approx(for_sum.plan.finish_s.sum())
    rules = [run(rule, workload, cluster).finish_s.sum() for rule in RULES]
    assert for_sum.value < min(rules)
    for_last = best_plan(problem, problem.cost, both, aim=MAKESPAN, effort=SearchEffort(200, 1e9), seed=0)
    assert for_last.plan.finish_s.max() < for_sum.plan.finish_s.max()


def test_features_out_of_range_leave_the_rules() -> None:
    workload = on_machines([[1.0, 0.0], [2.0, 1.0]], [(0, 1, 0.0, 0.0)])
    problem = build_problem(workload, machines(2))
    chosen = best_plan(problem, problem.cost, HEFT[None, :], aim=MAKESPAN, effort=SearchEffort(5, 1e9), seed=0)
    assert not chosen.in_range
    assert not chosen.by_model
    assert set(chosen.values) == set(RULES)
    assert best_plan(problem, problem.cost, HEFT[None, :], aim=MAKESPAN, effort=SearchEffort(0, 0), seed=0, guarded=False).by_model


@pytest.mark.parametrize("seed", range(20))
def test_features_keep_to_their_ranges(seed: int) -> None:
    workload, cluster = generate_kernel_graph(seed)
    problem = build_problem(workload, cluster)
    features, scores = graph_features(build_view(problem, problem.cost))
    assert features.shape == (len(workload), len(KERNELS))
    assert plan_search.is_in_range(features)
    assert (scores.red >= -1e-12).all()
    assert np.allclose(scores.red.min(axis=1), 0.0)


def test_prices_share_the_work_out() -> None:
    # Ten tasks that a GPU does in 1 s and a core in 2 s: with one GPU and one core the fluid optimum is 10 x 2 / 3.
    cost = np.array([[2.0, 1.0]] * 10)
    price = class_prices(cost, np.array([1, 1]))
    assert price @ [1, 1] == pytest.approx(1.0)
    assert (cost * price).min(axis=1).sum() == pytest.approx(20 / 3, rel=0.01)


def test_the_network_of_a_cluster_counts() -> None:
    workload = on_machines([[1.0, 9.0], [9.0, 1.0]], [(0, 1, 0.0, 500.0)])
    for gb_s, expected_s in ((0.1, 7.0), (0.01, 10.0)):
        cluster = Cluster("two", ClusterKind.MACHINES, (Node("a", 1000), Node("b", 1000)), network_gb_s=gb_s)
        problem = build_problem(workload, cluster)
        chosen = best_plan(problem, problem.cost, np.stack([HEFT, PEFT]), aim=MAKESPAN, effort=SearchEffort(0, 0), seed=0)
        assert chosen.value == pytest.approx(expected_s)


def test_what_has_started_stays() -> None:
    workload, cluster = generate_kernel_graph(10)
    problem = build_problem(workload, cluster)
    both = np.stack([HEFT, PEFT])
    first = best_plan(problem, problem.cost, both, aim=MAKESPAN, effort=SearchEffort(50, 1e9), seed=0)
    now = float(np.median(first.plan.start_s))
    started = first.plan.start_s <= now
    floor = np.full(problem.cost.shape[1], now)
    np.maximum.at(floor, first.plan.machine[started], first.plan.finish_s[started])
    order = first.plan.order[~started[first.plan.order]]
    standing = Standing(started, first.plan.machine, first.plan.start_s, first.plan.finish_s, floor, order)
    again = best_plan(problem, problem.cost, both, aim=MAKESPAN, effort=SearchEffort(50, 1e9), seed=1, standing=standing)
    assert again.value <= first.value
    assert again.values["keep"] == first.value
    assert np.array_equal(again.plan.start_s[started], first.plan.start_s[started])
    assert (again.plan.start_s[~started] >= now).all()
    assert_plan_is_possible(again.plan, case_of(workload))
    slow = np.where(np.arange(problem.cost.shape[1]) == first.plan.machine[order[-1]], 5.0, 1.0)
    other = best_plan(problem, problem.cost * slow, both, aim=MAKESPAN, effort=SearchEffort(50, 1e9), seed=1, standing=standing)
    assert other.value < other.values["keep"]
    assert other.by_model
