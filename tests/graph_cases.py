"""Task graphs for tests: the published examples, random ones, and plain-Python judges of plans."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, edge_columns
from hybrid_ml_scheduler.engine.plan import Plan

EXAMPLES = Path(__file__).parent / "conformance" / "data"


class GraphCase(NamedTuple):
    """The arguments of every planning function, in their order."""

    cost_s: FloatArray
    parent_ptr: IntArray
    parent_idx: IntArray
    edge_s: FloatArray
    arrival_s: FloatArray | None = None

    def parents(self, task: int) -> list[tuple[int, float]]:
        span = range(self.parent_ptr[task], self.parent_ptr[task + 1])
        return [(int(self.parent_idx[k]), float(self.edge_s[k])) for k in span]

    def arrival(self, task: int) -> float:
        return 0.0 if self.arrival_s is None else float(self.arrival_s[task])


def graph_case(cost: list[list[float]], edges: list[tuple[int, int, float]], arrival: list[float] | None = None) -> GraphCase:
    columns = edge_columns(len(cost), [e[0] for e in edges], [e[1] for e in edges], [e[2] for e in edges], [0.0] * len(edges))
    arrivals = None if arrival is None else np.array(arrival, dtype=np.float64)
    return GraphCase(np.array(cost, dtype=np.float64), columns["parent_ptr"], columns["parent_idx"], columns["edge_s"], arrivals)


def example(name: str) -> GraphCase:
    document = json.loads((EXAMPLES / f"{name}.graph.json").read_text(encoding="utf-8"))
    return graph_case(document["cost"], [tuple(edge) for edge in document["edges"]])


@st.composite
def graph_cases(draw: st.DrawFn, max_tasks: int = 9, max_machines: int = 4, *, arrivals: bool = False) -> GraphCase:
    """Small graphs of small whole numbers, so that ties and zeros are common and sums are exact; rows are not in topological order."""
    n_tasks = draw(st.integers(1, max_tasks))
    n_machines = draw(st.integers(1, max_machines))
    seconds = st.integers(0, 6).map(float)
    cost = [[draw(seconds) for _ in range(n_machines)] for _ in range(n_tasks)]
    name = draw(st.permutations(range(n_tasks)))
    pairs = [(i, j) for j in range(n_tasks) for i in range(j)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2 * n_tasks)) if pairs else []
    arrival = [draw(seconds) for _ in range(n_tasks)] if arrivals else None
    return graph_case(cost, [(name[i], name[j], draw(seconds)) for i, j in chosen], arrival)


def assert_plan_is_possible(plan: Plan, case: GraphCase) -> None:
    tasks = range(len(case.cost_s))
    for task in tasks:
        assert plan.finish_s[task] == plan.start_s[task] + case.cost_s[task, plan.machine[task]]
        assert plan.start_s[task] >= case.arrival(task)
        for parent, transfer_s in case.parents(task):
            assert plan.start_s[task] >= plan.finish_s[parent] + (transfer_s if plan.machine[parent] != plan.machine[task] else 0.0)
    assert sorted(plan.order) == list(tasks)
    free_at = dict.fromkeys(range(case.cost_s.shape[1]), -np.inf)
    seen: set[int] = set()
    for task in plan.order:
        assert plan.start_s[task] >= free_at[plan.machine[task]]
        free_at[plan.machine[task]] = plan.finish_s[task]
        assert {parent for parent, _ in case.parents(task)} <= seen
        seen.add(task)


def run_in_order(case: GraphCase, machine: IntArray, order: list[int]) -> list[float]:
    """Finish times when tasks start as soon as they can, each machine taking its tasks in this order."""
    free_at = [-np.inf] * case.cost_s.shape[1]
    finish = [0.0] * len(order)
    for task in order:
        ready = [finish[p] + (s if machine[p] != machine[task] else 0.0) for p, s in case.parents(task)]
        begin = max(free_at[machine[task]], case.arrival(task), *ready, -np.inf)
        finish[task] = free_at[machine[task]] = begin + float(case.cost_s[task, machine[task]])
    return finish


def topological_orders(case: GraphCase, done: tuple[int, ...] = ()) -> list[list[int]]:
    if len(done) == len(case.cost_s):
        return [list(done)]
    ready = [t for t in range(len(case.cost_s)) if t not in done and all(p in done for p, _ in case.parents(t))]
    return [order for task in ready for order in topological_orders(case, (*done, task))]


def optimal_makespan(case: GraphCase) -> float:
    """The least makespan over all assignments and all orders: exhaustive, for at most five tasks or so."""
    n_tasks, n_machines = case.cost_s.shape
    orders = topological_orders(case)
    first = min(case.arrival(task) for task in range(n_tasks))
    return (
        min(max(run_in_order(case, np.array(machine), order)) for machine in product(range(n_machines), repeat=n_tasks) for order in orders) - first
    )


def optimal_total_finish(case: GraphCase) -> float:
    """The least sum of finish times, exhaustively."""
    n_tasks, n_machines = case.cost_s.shape
    orders = topological_orders(case)
    return min(sum(run_in_order(case, np.array(machine), order)) for machine in product(range(n_machines), repeat=n_tasks) for order in orders)
