from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from graph_cases import GraphCase, assert_plan_is_possible, graph_case, graph_cases, run_in_order
from hybrid_ml_scheduler.core.errors import GraphOrderError, WorkloadError
from hybrid_ml_scheduler.core.workload import topological_order
from hybrid_ml_scheduler.engine import graphs
from hybrid_ml_scheduler.engine.graphs import cpop_plan, heft_plan, optimistic_cost_table, optimistic_finish_table, peft_plan, upward_rank
from hybrid_ml_scheduler.engine.plan import Plan

PLANNERS = [heft_plan, cpop_plan, peft_plan]


def plan_slowly(case: GraphCase, algorithm: str) -> tuple[list[int], list[float]]:
    """Machine and start of every task by a second, unhurried reading of the three papers."""
    n_tasks, n_machines = case.cost_s.shape
    place = {int(task): k for k, task in enumerate(topological_order(case.parent_ptr, case.parent_idx))}
    mean = [float(row.mean()) for row in case.cost_s]
    children = {t: [(c, s) for c in range(n_tasks) for p, s in case.parents(c) if p == t] for t in range(n_tasks)}
    up: dict[int, float] = {}
    table = {}
    for task in sorted(place, key=place.__getitem__, reverse=True):
        up[task] = mean[task] + max([s + up[c] for c, s in children[task]], default=0.0)
        table[task] = [
            max([min(table[c][q] + case.cost_s[c, q] + (s if p != q else 0.0) for q in range(n_machines)) for c, s in children[task]], default=0.0)
            for p in range(n_machines)
        ]
    down: dict[int, float] = {}
    for task in sorted(place, key=place.__getitem__):
        down[task] = max([down[p] + mean[p] + s for p, s in case.parents(task)], default=0.0)
    priority = {"heft": up, "cpop": {t: up[t] + down[t] for t in up}, "peft": {t: float(np.mean(table[t])) for t in table}}[algorithm]
    critical: list[int] = []
    if algorithm == "cpop":
        step = [(t, 0.0) for t in place if not case.parents(t)]
        while step:
            critical.append(min(step, key=lambda edge: (-edge[1] - up[edge[0]], place[edge[0]]))[0])
            step = children[critical[-1]]
    fastest = min(range(n_machines), key=lambda p: (case.cost_s[critical, p].sum(), p))
    machine, start, finish = [-1] * n_tasks, [0.0] * n_tasks, [0.0] * n_tasks
    while -1 in machine:
        ready = [t for t in place if machine[t] < 0 and all(machine[p] >= 0 for p, _ in case.parents(t))]
        task = min(ready, key=lambda t: (-priority[t], place[t]))
        options = []
        for p in [fastest] if task in critical else range(n_machines):
            data = max([case.arrival(task), *(finish[q] + (s if machine[q] != p else 0.0) for q, s in case.parents(task))])
            taken = [(start[t], finish[t]) for t in place if machine[t] == p]
            cost = float(case.cost_s[task, p])
            begins = [b for b in [data, *(f for _, f in taken if f > data)] if all(b + cost <= s or b >= f for s, f in taken)]
            options.append((min(begins) + cost + (table[task][p] if algorithm == "peft" else 0.0), p, min(begins)))
        _, machine[task], start[task] = min(options)
        finish[task] = start[task] + float(case.cost_s[task, machine[task]])
    return machine, start


@given(case=graph_cases(arrivals=True))
@settings(max_examples=300, deadline=None, derandomize=True)
@pytest.mark.parametrize("planner", PLANNERS)
def test_plans_are_possible_and_equal_a_slow_reading_of_the_papers(planner: Callable[..., Plan], case: GraphCase) -> None:
    plan = planner(*case)
    assert_plan_is_possible(plan, case)
    machine, start = plan_slowly(case, planner.__name__.removesuffix("_plan"))
    assert plan.machine.tolist() == machine
    assert plan.start_s.tolist() == start


@given(case=graph_cases(max_tasks=14, arrivals=True))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_carrying_a_plan_out_first_come_first_served_is_never_later_than_planned(case: GraphCase) -> None:
    for planner in PLANNERS:
        plan = planner(*case)
        finish = run_in_order(case, plan.machine, plan.order.tolist())
        assert all(real <= planned for real, planned in zip(finish, plan.finish_s, strict=True))


@given(case=graph_cases(max_machines=1))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_one_machine_never_idles(case: GraphCase) -> None:
    for planner in PLANNERS:
        assert planner(*case).makespan_s == case.cost_s.sum()


@given(case=graph_cases())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_tables_mirror_each_other(case: GraphCase) -> None:
    n_tasks = len(case.cost_s)
    edges = [(parent, child, seconds) for child in range(n_tasks) for parent, seconds in case.parents(child)]
    backwards = graph_case(case.cost_s.tolist(), [(child, parent, seconds) for parent, child, seconds in edges])
    assert np.array_equal(optimistic_finish_table(*case) - case.cost_s, optimistic_cost_table(*backwards[:4]))


def test_a_gap_is_filled_and_a_task_of_zero_length_stands_before_its_equal() -> None:
    # Machine 0 takes the long task at 0; the gap that waiting for data leaves before task 2 takes task 3.
    gap = graph_case([[4.0], [6.0], [2.0]], [], [3.0, 10.0, 0.0])
    plan = heft_plan(*gap)
    assert plan.start_s.tolist() == [3.0, 10.0, 0.0]
    assert plan.order.tolist() == [2, 0, 1]
    zero = heft_plan(*graph_case([[5.0], [0.0]], []))
    assert zero.start_s.tolist() == [0.0, 0.0]
    assert zero.order.tolist() == [1, 0]


def test_ties_go_to_the_first_task_and_the_first_machine() -> None:
    plan = heft_plan(*graph_case([[2.0, 2.0], [2.0, 2.0], [2.0, 2.0]], []))
    assert plan.machine.tolist() == [0, 1, 0]
    assert plan.start_s.tolist() == [0.0, 0.0, 2.0]


def test_of_two_critical_paths_cpop_pins_the_first() -> None:
    # Both children are as far from the end; the path through task 1 is fastest on machine 0, the one through task 2 on machine 1.
    case = graph_case([[1.0, 1.0], [2.0, 4.0], [4.0, 2.0]], [(0, 2, 1.0), (0, 1, 1.0)])
    assert cpop_plan(*case).machine[:2].tolist() == [0, 0]
    case = graph_case([[1.0, 1.0], [4.0, 2.0], [2.0, 4.0]], [(0, 2, 1.0), (0, 1, 1.0)])
    assert cpop_plan(*case).machine[:2].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cost_s": np.array([[1.0], [-1.0]])}, "cost of the graph is negative"),
        ({"cost_s": np.array([[1.0], [np.inf]])}, "cost of the graph is negative or not finite"),
        ({"cost_s": np.zeros((2, 0))}, "at least one machine"),
        ({"edge_s": np.array([np.nan])}, "transfer time of the graph"),
        ({"edge_s": np.zeros(2)}, "do not fit together"),
        ({"parent_ptr": np.array([0, 1])}, "do not fit together"),
        ({"parent_idx": np.array([2])}, "no row"),
        ({"arrival_s": np.array([0.0, np.nan])}, "arrivals"),
    ],
)
def test_bad_graphs_are_named(change: dict[str, np.ndarray], message: str) -> None:
    case = graph_case([[1.0], [1.0]], [(0, 1, 1.0)])._replace(**change)
    with pytest.raises(WorkloadError, match=message):
        heft_plan(*case)


def test_a_cycle_is_named() -> None:
    with pytest.raises(GraphOrderError, match="cycle"):
        upward_rank(np.ones((2, 1)), np.array([0, 1, 2]), np.array([1, 0]), np.zeros(2))


def test_every_planner_is_tested_here() -> None:
    assert {planner.__name__ for planner in PLANNERS} == {name for name in vars(graphs) if name.endswith("_plan")}
