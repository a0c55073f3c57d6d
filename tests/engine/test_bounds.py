from __future__ import annotations

import importlib
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_cases import GraphCase, graph_case, graph_cases, optimal_makespan, optimal_total_finish
from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node
from hybrid_ml_scheduler.core.errors import GraphOrderError, InputError, NothingToReportError
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, edge_columns, no_edges
from hybrid_ml_scheduler.engine import bounds, cp_sat
from hybrid_ml_scheduler.engine.bounds import lower_bounds
from hybrid_ml_scheduler.engine.cp_sat import cp_sat_makespan, cp_sat_pool_makespan
from hybrid_ml_scheduler.engine.graphs import cpop_plan, heft_plan, peft_plan

ROUNDING = 1e-9
MAKESPAN_BOUNDS = ("critical_path_s", "area_s", "lp_s", "cp_sat_s", "best_s")


def workload_of(what: WorkloadKind, work_s: list[float], arrival_s: list[float] | None = None, law: str = "overlap", **columns: Any) -> Workload:
    n = len(work_s)
    truth_names = ("slowdown", "regime_start_s", "gpu_noise", "gpu_models")
    truth = Truth(np.array(work_s, dtype=np.float64), **{name: columns.pop(name) for name in truth_names if name in columns})
    zeros = np.zeros(n, dtype=np.int64)
    defaults: dict[str, Any] = {
        "task_id": np.arange(n),
        "arrival_s": np.zeros(n) if arrival_s is None else np.array(arrival_s, dtype=np.float64),
        "cores_milli": zeros + 1000,
        "gpus": zeros,
        "gpu_share_milli": zeros,
        "memory_mb": np.zeros(n),
        "requested_time_s": np.ones(n),
        **no_edges(n),
    }
    return Workload("tiny", what, Tasks(**(defaults | columns)), truth, ReadReport("generated", n), law=law)


def on_machines(case: GraphCase) -> tuple[Workload, Cluster]:
    """Rows are renamed so that they ascend in arrival, as every reader does it."""
    arrival = case.arrival_s if case.arrival_s is not None else np.zeros(len(case.cost_s))
    order = np.argsort(arrival, kind="stable")
    new = {int(row): k for k, row in enumerate(order)}
    edges = [(new[parent], new[task], s) for task in range(len(order)) for parent, s in case.parents(task)]
    columns = edge_columns(len(order), [e[0] for e in edges], [e[1] for e in edges], [e[2] for e in edges], [0.0] * len(edges))
    cost_s = case.cost_s[order]
    workload = workload_of(WorkloadKind.MACHINES, [0.0] * len(order), arrival[order].tolist(), cost_s=cost_s, **columns)
    workload = replace(workload, truth=replace(workload.truth, cost_s=cost_s))
    return workload, Cluster("machines", ClusterKind.MACHINES, tuple(Node(f"m{k}", 1000) for k in range(cost_s.shape[1])))


def pool(processors: int) -> Cluster:
    return Cluster("pool", ClusterKind.POOL, (Node("pool", 1000 * processors),))


def check_makespan(found: dict[str, float | bool], reached_s: float) -> None:
    for name in MAKESPAN_BOUNDS:
        assert found.get(name, 0.0) <= reached_s * (1 + ROUNDING) + ROUNDING, name


@given(case=graph_cases(max_tasks=5, max_machines=3, arrivals=True))
@settings(max_examples=80)
def test_graph_bounds_never_exceed_the_exhaustive_optimum(case: GraphCase) -> None:
    found = lower_bounds(*on_machines(case))
    check_makespan(found, optimal_makespan(case))
    n_tasks = len(case.cost_s)
    responses = optimal_total_finish(case) - sum(case.arrival(task) for task in range(n_tasks))
    assert found["mean_response_s"] <= responses / n_tasks + ROUNDING


@given(case=graph_cases(max_tasks=12, arrivals=True))
@settings(max_examples=150)
def test_graph_bounds_never_exceed_a_plan(case: GraphCase) -> None:
    found = lower_bounds(*on_machines(case))
    first = min(case.arrival(task) for task in range(len(case.cost_s)))
    for planner in (heft_plan, cpop_plan, peft_plan):
        check_makespan(found, planner(*case).finish_s.max() - first)


@given(case=graph_cases(max_tasks=5, max_machines=2, arrivals=True))
@settings(max_examples=25)
def test_cp_sat_equals_the_exhaustive_optimum(case: GraphCase) -> None:
    result = cp_sat_makespan(*case)
    assert result.proved
    assert result.bound_s == result.makespan_s == optimal_makespan(case)
    found = lower_bounds(*on_machines(case), cp_sat=True)
    assert found["cp_sat_proved"]
    assert found["best_s"] == found["cp_sat_s"] == result.bound_s


def test_cp_sat_holds_for_times_that_are_no_whole_ticks() -> None:
    third = 1.0 / 3.0
    case = graph_case([[third, 1.0], [third, 1.0], [np.pi, np.sqrt(2.0)]], [(0, 2, np.e / 10)])
    result = cp_sat_makespan(*case)
    best = optimal_makespan(case)
    assert result.proved
    assert best * (1 - 1e-6) <= result.bound_s <= best
    assert result.makespan_s == pytest.approx(best)


def greedy_pool(order: tuple[int, ...], work: list[float], asked: list[int], arrival: list[float], size: int) -> list[float]:
    """Finish times when tasks start in this order, each as soon as it fits."""
    finish = [0.0] * len(work)
    running: list[int] = []
    now = 0.0
    for task in order:
        now = max(now, arrival[task])
        while sum(asked[k] for k in running if finish[k] > now) + asked[task] > size:
            now = min(finish[k] for k in running if finish[k] > now)
        finish[task] = now + work[task]
        running.append(task)
    return finish


pool_tasks = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 3)), min_size=1, max_size=5)


@given(tasks=pool_tasks, warmup=st.sampled_from([0.0, 0.4]))
@settings(max_examples=150)
def test_pool_bounds_never_exceed_the_exhaustive_optimum(tasks: list[tuple[int, int, int]], warmup: float) -> None:
    tasks = sorted(tasks)
    arrival, work, asked = [float(a) for a, _, _ in tasks], [float(w) for _, w, _ in tasks], [c for _, _, c in tasks]
    # Starting in some order, each as soon as it fits, reaches the optimum of every measure that grows with finish times.
    schedules = [greedy_pool(order, work, asked, arrival, 3) for order in permutations(range(len(tasks)))]
    workload = workload_of(WorkloadKind.RIGID, work, arrival, cores_milli=np.array(asked) * 1000)
    found = lower_bounds(replace(workload, warmup=warmup), pool(3))
    check_makespan(found, min(max(finish) for finish in schedules) - arrival[0])
    measured = range(int(warmup * len(tasks) + 1e-9), len(tasks))
    best = min(sum(finish[k] - arrival[k] for k in measured) / len(measured) for finish in schedules)
    assert found["mean_response_s"] <= best + ROUNDING


@given(tasks=pool_tasks)
@settings(max_examples=25)
def test_cp_sat_on_a_pool_equals_the_exhaustive_optimum(tasks: list[tuple[int, int, int]]) -> None:
    tasks = sorted(tasks)
    arrival, work, asked = [float(a) for a, _, _ in tasks], [float(w) for _, w, _ in tasks], [c for _, _, c in tasks]
    best = min(max(greedy_pool(order, work, asked, arrival, 3)) for order in permutations(range(len(tasks)))) - arrival[0]
    found = lower_bounds(workload_of(WorkloadKind.RIGID, work, arrival, cores_milli=np.array(asked) * 1000), pool(3), cp_sat=True)
    assert found["cp_sat_proved"]
    assert found["cp_sat_s"] == found["best_s"] == best


SLOW_GPU = Gpu("slow", 4000.0, 4.0, 10.0, 0.5)
FAST_GPU = Gpu("fast", 2000.0, 16.0, 10.0, 0.25)
STATION = Cluster(
    "station",
    ClusterKind.NODES,
    (Node("a", 4000, 8000.0, 1.0, (SLOW_GPU, FAST_GPU)), Node("b", 2000, 8000.0, 2.0, (FAST_GPU,)), Node("c", 1000, 1.0)),
)


@st.composite
def divisible(draw: st.DrawFn) -> Workload:
    n = draw(st.integers(1, 7))
    models = STATION.gpu_models
    e = draw(st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=8, max_size=8))
    return workload_of(
        WorkloadKind.DIVISIBLE,
        draw(st.lists(st.sampled_from([0.0, 0.2, 1.0, 3.0, 10.0]), min_size=n, max_size=n)),
        sorted(draw(st.lists(st.sampled_from([0.0, 1.0, 5.0]), min_size=n, max_size=n))),
        law=draw(st.sampled_from(["overlap", "sum", "serial"])),
        cores_milli=1000 * np.array(draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))),
        memory_mb=np.array(draw(st.lists(st.sampled_from([0.0, 1500.0, 3000.0]), min_size=n, max_size=n))),
        compute_intensity=np.array(draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=n, max_size=n))),
        kind=np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))),
        slowdown=np.array(e).reshape(2, 2, len(models)),
        regime_start_s=np.array([-np.inf, 2.0]),
        gpu_noise=np.array(draw(st.lists(st.sampled_from([0.8, 1.3]), min_size=n, max_size=n))),
        gpu_models=models,
    )


def run_at_random(workload: Workload, seed: int) -> list[float]:
    """Finish times of one possible schedule: random order, places and fractions; devices are taken first come, first served."""
    generator = np.random.default_rng(seed)
    tasks, truth = workload.tasks, workload.truth
    core_free = [[0.0] * (node.cores_milli // 1000) for node in STATION.nodes]
    gpu_free = [[0.0] * len(node.gpus) for node in STATION.nodes]
    finish = [0.0] * len(workload)
    for task in generator.permutation(len(workload)):
        cores, memory, c = int(tasks.cores_milli[task]) // 1000, float(tasks.memory_mb[task]), float(tasks.compute_intensity[task])
        options: list[tuple[int, int, float]] = []
        for n, node in enumerate(STATION.nodes):
            roomy = cores <= len(core_free[n]) and memory <= node.memory_mb
            options += [(n, -1, 0.0)] if roomy else []
            for g, gpu in enumerate(node.gpus):
                fractions = [1.0, *([0.3, 0.7, 0.9] if roomy else [])]
                options += [(n, g, fraction) for fraction in fractions if memory <= gpu.memory_mb]
        n, g, fraction = options[generator.integers(len(options))]
        core_free[n].sort()
        begin = float(tasks.arrival_s[task])
        if fraction < 1:
            begin = max(begin, core_free[n][cores - 1])
        if fraction > 0:
            begin = max(begin, gpu_free[n][g])
        cpu_s = (1 - fraction) * truth.work_s[task] / STATION.nodes[n].cpu_speed
        gpu_s = 0.0
        if fraction > 0:
            gpu = STATION.nodes[n].gpus[g]
            e = truth.slowdown[int(begin >= 2.0), tasks.kind[task], STATION.gpu_models.index(gpu.model)] * truth.gpu_noise[task]
            whole = memory / (gpu.link_gb_s * 1000) + truth.work_s[task] * ((1 - c) + c / gpu.speed) * e
            gpu_s = gpu.launch_s + fraction * whole
            if workload.law == "serial":
                gpu_s = fraction * (truth.work_s[task] / (1 + 3 * c) + memory / 16000)
        if workload.law != "overlap":
            cpu_s = gpu_s = cpu_s + gpu_s
        if fraction < 1:
            core_free[n][:cores] = [begin + cpu_s] * cores
        if fraction > 0:
            gpu_free[n][g] = begin + gpu_s
        finish[task] = begin + max(cpu_s if fraction < 1 else 0.0, gpu_s if fraction > 0 else 0.0)
    return finish


@given(workload=divisible(), seed=st.integers(0, 1000))
@settings(max_examples=200)
def test_divisible_bounds_never_exceed_a_possible_schedule(workload: Workload, seed: int) -> None:
    found = lower_bounds(workload, STATION)
    for repeat in range(5):
        finish = run_at_random(workload, seed + repeat)
        check_makespan(found, max(finish) - workload.tasks.arrival_s[0])
        assert found["mean_response_s"] <= np.mean(np.array(finish) - workload.tasks.arrival_s) + ROUNDING


def test_one_divisible_task_takes_its_closed_form() -> None:
    cluster = Cluster("one", ClusterKind.NODES, (Node("a", 4000, gpus=(SLOW_GPU,)),))
    for law, expected in (("overlap", 8.0 * (2.0 + 0.5) / (8.0 + 2.0)), ("sum", 2.5), ("serial", 2.0)):
        workload = workload_of(WorkloadKind.DIVISIBLE, [8.0], law=law, compute_intensity=np.array([1.0]))
        found = lower_bounds(workload, cluster)
        assert found["critical_path_s"] == found["best_s"] == pytest.approx(expected)
        assert found["mean_response_s"] == pytest.approx(expected)


def test_lp_finds_the_prices_of_a_full_machine() -> None:
    # Ten tasks, 2 s on the one machine or 8 s on the other: shared out 8 to 2 both are busy for 16 s, and no less.
    workload, cluster = on_machines(graph_case([[2.0, 8.0]] * 10, []))
    found = lower_bounds(workload, cluster)
    assert found["lp_s"] == pytest.approx(16.0)
    assert found["area_s"] == pytest.approx(10.0)


def test_equal_devices_share_the_work() -> None:
    gpu = Gpu("g", 1e3, 1.0, 1.0, 0.0)
    cluster = Cluster("two", ClusterKind.NODES, (Node("a", 0, gpus=(gpu, gpu)), Node("b", 0, gpus=(gpu,))))
    found = lower_bounds(workload_of(WorkloadKind.DIVISIBLE, [4.0] * 9), cluster)
    assert found["lp_s"] == found["best_s"] == pytest.approx(12.0)


def test_prices_from_a_sample_stay_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    workload, cluster = on_machines(graph_case(generator.uniform(1, 20, (60, 3)).tolist(), []))
    full = lower_bounds(workload, cluster)
    monkeypatch.setattr(bounds, "LP_MAX_OPTIONS", 30)
    sampled = lower_bounds(workload, cluster)
    assert 0.9 * full["lp_s"] < sampled["lp_s"] < full["lp_s"]


def test_a_drift_is_bounded_by_the_better_regime_to_come() -> None:
    cluster = Cluster("one", ClusterKind.NODES, (Node("a", 0, gpus=(Gpu("g", 1e3, 1.0, 1.0, 0.0),)),))
    workload = workload_of(
        WorkloadKind.DIVISIBLE,
        [10.0, 10.0],
        [0.0, 50.0],
        slowdown=np.array([[[0.5]], [[3.0]], [[2.0]]]),
        regime_start_s=np.array([-np.inf, 20.0, 1000.0]),
        gpu_models=("g",),
    )
    # The second task arrives in the slowest regime: the fast one is past, the third still to come.
    assert lower_bounds(workload, cluster)["critical_path_s"] == pytest.approx(70.0)


def test_rigid_tasks_on_nodes_are_bounded_by_their_scarcest_resource() -> None:
    gpu = Gpu("g", 1e3, 1.0, 1.0, 0.0)
    cluster = Cluster("nodes", ClusterKind.NODES, (Node("a", 8000, 1000.0, 1.0, (gpu, gpu)), Node("b", 8000, 3000.0, 1.0)))
    share = {"gpus": np.ones(12, dtype=np.int64), "gpu_share_milli": np.full(12, 500), "cores_milli": np.full(12, 100)}
    assert lower_bounds(workload_of(WorkloadKind.RIGID, [4.0] * 12, **share), cluster)["best_s"] == pytest.approx(12.0)
    assert lower_bounds(workload_of(WorkloadKind.RIGID, [4.0] * 8, cores_milli=np.full(8, 6000)), cluster)["best_s"] == pytest.approx(12.0)
    assert lower_bounds(workload_of(WorkloadKind.RIGID, [4.0] * 8, memory_mb=np.full(8, 2000.0)), cluster)["best_s"] == pytest.approx(16.0)


def test_edges_and_faster_nodes_count_in_the_critical_path() -> None:
    cluster = Cluster("nodes", ClusterKind.NODES, (Node("a", 1000), Node("b", 1000, cpu_speed=2.0)))
    chain = workload_of(WorkloadKind.RIGID, [4.0, 6.0], [0.0, 1.0], **edge_columns(2, [0], [1], [9.0], [0.0]))
    found = lower_bounds(chain, cluster)
    assert found["critical_path_s"] == pytest.approx(5.0)
    assert found["mean_response_s"] == pytest.approx((2.0 + 4.0) / 2)


def test_tasks_that_never_run_do_not_count() -> None:
    workload = workload_of(
        WorkloadKind.RIGID, [3.0, 100.0, 100.0, 5.0], cores_milli=np.array([1000, 9000, 1000, 1000]), **edge_columns(4, [1], [2], [0.0], [0.0])
    )
    found = lower_bounds(workload, pool(2), cp_sat=True)
    assert found["best_s"] == 5.0
    assert found["cp_sat_s"] == 5.0
    assert found["mean_response_s"] == 4.0
    with pytest.raises(NothingToReportError, match="no task can ever run"):
        lower_bounds(workload.select([1]), pool(2))


def test_a_first_arrival_that_never_runs_still_starts_the_clock() -> None:
    workload = workload_of(WorkloadKind.RIGID, [1.0, 3.0], [0.0, 10.0], cores_milli=np.array([9000, 1000]))
    found = lower_bounds(workload, pool(2), cp_sat=True)
    assert found["best_s"] == found["critical_path_s"] == found["cp_sat_s"] == 13.0


def test_only_what_applies_is_there() -> None:
    rigid = workload_of(WorkloadKind.RIGID, [1.0])
    assert set(lower_bounds(rigid, pool(1))) == {"critical_path_s", "area_s", "best_s", "mean_response_s"}
    assert "mean_response_s" not in lower_bounds(replace(rigid, warmup=1.0), pool(1))
    divisible_task = workload_of(WorkloadKind.DIVISIBLE, [1.0])
    assert set(lower_bounds(divisible_task, STATION, cp_sat=True)) == {"critical_path_s", "area_s", "lp_s", "best_s", "mean_response_s"}


def test_too_large_instances_have_no_cp_sat_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    case = graph_case([[1.0, 1.0]] * 3, [])
    monkeypatch.setattr(cp_sat, "MAX_VARIABLES", 5)
    monkeypatch.setattr(bounds, "MAX_VARIABLES", 5)
    with pytest.raises(InputError, match="too large"):
        cp_sat_makespan(*case)
    assert "cp_sat_s" not in lower_bounds(*on_machines(case), cp_sat=True)


def test_a_missing_solver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(InputError, match="cpsat"):
        cp_sat_makespan(*graph_case([[1.0]], []))


def test_bad_solver_input_is_named() -> None:
    none = np.zeros(3, dtype=np.int64), np.zeros(0, dtype=np.int64)
    with pytest.raises(InputError, match="9 processors of a pool of 4"):
        cp_sat_pool_makespan(np.ones(2), np.array([1, 9]), 4, np.zeros(2), *none)
    with pytest.raises(InputError, match="time limit"):
        cp_sat_makespan(*graph_case([[1.0]], []), time_limit_s=0.0)
    with pytest.raises(GraphOrderError, match="cycle"):
        cp_sat_pool_makespan(np.ones(2), np.array([1, 1]), 4, np.zeros(2), np.array([0, 1, 2]), np.array([1, 0]))


def test_a_search_cut_short_still_gives_a_bound_and_a_schedule() -> None:
    generator = np.random.default_rng(3)
    n = 60
    edges = [(int(parent), child, 5.0) for child in range(4, n) for parent in generator.choice(child, 2, replace=False)]
    case = graph_case(generator.integers(1, 50, (n, 5)).astype(float).tolist(), edges)
    result = cp_sat_makespan(*case, time_limit_s=0.2)
    assert not result.proved
    assert 0 <= result.bound_s < result.makespan_s <= heft_plan(*case).makespan_s
