"""Plans carried out, and rules that choose while the tasks run, on unrelated machines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_cases import machines, on_machines, pool, rigid, run
from graph_cases import GraphCase, example, graph_cases
from hybrid_ml_scheduler.core.decision import Schedule
from hybrid_ml_scheduler.core.workload import Workload, edge_columns
from hybrid_ml_scheduler.engine.bounds import lower_bounds
from hybrid_ml_scheduler.engine.graphs import cpop_plan, heft_plan, peft_plan
from hybrid_ml_scheduler.engine.metrics import response_s
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate

PLANNERS = {"heft": heft_plan, "cpop": cpop_plan, "peft": peft_plan}
RULES = ("dmda", "mct", "met", "least_loaded", "min_min", "max_min", "sufferage")


def workload_of(case: GraphCase) -> Workload:
    """The graph as a workload with exact costs. Rows of a workload ascend in arrival, those of a graph need not."""
    n = len(case.cost_s)
    arrival = np.zeros(n) if case.arrival_s is None else case.arrival_s
    row = np.argsort(arrival, kind="stable")
    place = np.argsort(row)
    edges = [(int(place[p]), int(place[i]), seconds, 0.0) for i in range(n) for p, seconds in case.parents(i)]
    return on_machines(case.cost_s[row], edges, arrival[row].tolist())


def graph_of(workload: Workload) -> GraphCase:
    tasks = workload.tasks
    assert tasks.cost_s is not None
    return GraphCase(tasks.cost_s, tasks.parent_ptr, tasks.parent_idx, tasks.edge_s, tasks.arrival_s)


def makespan_s(workload: Workload, schedule: Schedule) -> float:
    return float(schedule.finish_s.max() - workload.tasks.arrival_s[0])


@pytest.mark.parametrize(("name", "policy", "expected_s"), [("topcuoglu", "heft", 80), ("topcuoglu", "cpop", 86), ("arabnejad", "peft", 122)])
def test_published_makespans_come_out_of_the_engine(name: str, policy: str, expected_s: float) -> None:
    workload = workload_of(example(name))
    schedule = run(policy, workload, machines(3))
    assert makespan_s(workload, schedule) == expected_s


def assert_bounded(workload: Workload, schedule: Schedule, bounds: dict[str, float | bool]) -> None:
    assert makespan_s(workload, schedule) >= bounds["best_s"] * (1 - 1e-9) - 1e-9
    assert np.nanmean(response_s(workload, schedule)) >= bounds["mean_response_s"] * (1 - 1e-9) - 1e-9


@given(case=graph_cases(arrivals=True))
@settings(max_examples=100)
def test_a_plan_with_exact_costs_never_ends_later_than_planned(case: GraphCase) -> None:
    workload = workload_of(case)
    cluster = machines(case.cost_s.shape[1])
    bounds = lower_bounds(workload, cluster)
    for policy, planner in PLANNERS.items():
        plan = planner(*graph_of(workload))
        schedule = run(policy, workload, cluster)
        assert schedule.node.tolist() == plan.machine.tolist()
        assert (schedule.finish_s <= plan.finish_s).all()
        assert_bounded(workload, schedule, bounds)


@given(case=graph_cases(arrivals=True))
@settings(max_examples=60)
def test_rules_that_choose_on_the_way_finish_everything(case: GraphCase) -> None:
    workload = workload_of(case)
    graph = graph_of(workload)
    cluster = machines(case.cost_s.shape[1])
    bounds = lower_bounds(workload, cluster)
    for policy in RULES:
        schedule = run(policy, workload, cluster)
        assert schedule.finished.all()
        assert_bounded(workload, schedule, bounds)
        for task in range(len(workload)):
            for parent, seconds in graph.parents(task):
                transfer = seconds if schedule.node[parent] != schedule.node[task] else 0.0
                assert schedule.start_s[task] >= schedule.finish_s[parent] + transfer


def test_dmda_leaves_a_task_where_its_data_is() -> None:
    workload = on_machines([[1.0, 9.0], [4.0, 3.0]], [(0, 1, 5.0, 0.0)])
    assert run("dmda", workload, machines(2)).finish_s.tolist() == [1.0, 5.0]
    assert run("mct", workload, machines(2)).finish_s.tolist() == [1.0, 9.0]


def test_data_in_megabytes_takes_the_network() -> None:
    cluster = replace(machines(2), network_gb_s=2.0, network_latency_s=0.5)
    workload = on_machines([[1.0, 9.0], [9.0, 3.0]], [(0, 1, 1.0, 4000.0)])
    assert run("met", workload, cluster).start_s.tolist() == [0.0, 1.0 + 1.0 + 0.5 + 2.0]


def test_estimates_decide_and_true_costs_happen() -> None:
    workload = on_machines([[1.0, 2.0]], true_cost_s=[[50.0, 3.0]])
    schedule = run("heft", workload, machines(2))
    assert (schedule.node[0], schedule.finish_s[0]) == (0, 50.0)


def test_a_machine_waits_for_the_next_of_its_list() -> None:
    """In HEFT's plan machine 0 runs task 2 after task 1. Task 1 waits for a parent that overran; task 2 is ready and must not overtake."""
    cost = [[9.0, 2.0], [3.0, 99.0], [4.0, 97.0]]
    workload = on_machines(cost, [(0, 1, 0.0, 0.0)], true_cost_s=[[9.0, 20.0], [3.0, 99.0], [4.0, 97.0]])
    assert heft_plan(*graph_of(workload)).start_s.tolist() == [0.0, 2.0, 5.0]
    schedule = run("heft", workload, machines(2))
    assert schedule.node.tolist() == [1, 0, 0]
    assert schedule.start_s.tolist() == [0.0, 20.0, 23.0]


@given(
    jobs=st.lists(st.tuples(st.sampled_from((0.0, 0.0, 1.0, 4.0)), st.sampled_from((0.0, 1.0, 3.0, 8.0)), st.integers(1, 4)), min_size=1, max_size=12)
)
@settings(max_examples=60)
def test_no_policy_on_a_pool_beats_the_bounds(jobs: list[tuple[float, float, int]]) -> None:
    gaps, runs, cores = zip(*jobs, strict=True)
    workload = rigid(np.cumsum(gaps).tolist(), runs, cores=cores, requested_s=[2 * run_s for run_s in runs])
    bounds = lower_bounds(workload, pool(4))
    for policy in ("fcfs", "sjf+easy", "wfp3+conservative", "laf+easy"):
        assert_bounded(workload, run(policy, workload, pool(4)), bounds)


@pytest.mark.parametrize("n_tasks", [1, 7, 60])
@pytest.mark.parametrize("preset", ["steady", "bursty", "heavy", "diurnal", "drift", "graphs", "serial"])
def test_no_policy_for_divisible_tasks_beats_the_bounds(preset: str, n_tasks: int) -> None:
    workload = replace(generate(preset, seed=3, n_tasks=n_tasks, load=3.0), warmup=0.0)
    bounds = lower_bounds(workload, workstation())
    for policy in ("oracle", "priced", "mct", "sjf+mct", "greedy", "round_robin", "min_min"):
        schedule = run(policy, workload, workstation())
        assert schedule.finished.all()
        assert_bounded(workload, schedule, bounds)


def test_rows_sorted_by_arrival_keep_their_edges() -> None:
    columns = edge_columns(3, [2], [0], [4.0], [0.0])
    case = GraphCase(np.array([[1.0], [2.0], [3.0]]), columns["parent_ptr"], columns["parent_idx"], columns["edge_s"], np.array([5.0, 0.0, 1.0]))
    graph = graph_of(workload_of(case))
    assert graph.cost_s.tolist() == [[2.0], [3.0], [1.0]]
    assert graph.parents(2) == [(1, 4.0)]
