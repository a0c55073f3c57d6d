"""Proven bounds by constraint programming, for small instances (OR-tools CP-SAT; the optional extra ``cpsat``)."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, topological_order
from hybrid_ml_scheduler.engine.graphs import heft_plan

MAX_VARIABLES = 50_000
"""Largest model that is built (placements plus transfers); beyond it building alone takes longer than any sensible time limit."""

PROOF_TOLERANCE = 1e-6
"""Relative gap below which a schedule counts as proved optimal: what times that are no whole number of ticks leave open."""

_EXACT_SCALES = tuple(10**digits for digits in range(7))
_EXACT_HORIZON_TICKS = 10**9
_ROUNDED_HORIZON_TICKS = 10**9


@dataclass(frozen=True, slots=True)
class CpSatResult:
    """What the solver proved and found.

    Attributes
    ----------
    bound_s : float
        Proven lower bound on the makespan (last finish minus first arrival), in seconds.
    makespan_s : float
        Makespan of the best schedule known, in seconds.
    proved : bool
        Whether that schedule is optimal: the two above differ by less than `PROOF_TOLERANCE`.
    start_s : ndarray of float64, shape (n,)
        Start of every task in that schedule, in seconds on the clock of the arrivals.
    machine : ndarray of int64, shape (n,)
        Machine of every task in that schedule; 0 on a pool.
    """

    bound_s: float
    makespan_s: float
    proved: bool
    start_s: FloatArray
    machine: IntArray


def cp_sat_makespan(
    cost_s: FloatArray,
    parent_ptr: IntArray,
    parent_idx: IntArray,
    edge_s: FloatArray,
    arrival_s: FloatArray | None = None,
    *,
    time_limit_s: float = 30.0,
    workers: int = 1,
) -> CpSatResult:
    """Bound the makespan of a graph on unrelated machines with transfer times.

    Parameters
    ----------
    cost_s, parent_ptr, parent_idx, edge_s, arrival_s
        As for `heft_plan`, whose plan the solver starts from.
    time_limit_s : float
        Wall time for the solver, in seconds; > 0.
    workers : int
        Threads of the solver; with one, a run that ends before the limit is reproducible.

    Returns
    -------
    CpSatResult

    Raises
    ------
    InputError
        If OR-tools is not installed, or the instance has more than `MAX_VARIABLES` placements and transfers.
    WorkloadError, GraphOrderError
        As for `heft_plan`.

    Notes
    -----
    Times become whole ticks. Run times, transfers and arrivals are rounded down, so the solver's bound holds for the true times as well; where all
    times are decimals of at most six digits nothing is lost.
    """
    plan = heft_plan(cost_s, parent_ptr, parent_idx, edge_s, arrival_s)
    n_tasks, n_machines = cost_s.shape
    arrivals = np.zeros(n_tasks) if arrival_s is None else arrival_s
    _check_size("a graph", n_tasks * n_machines + len(parent_idx) * n_machines)
    first_s = float(arrivals.min())
    ticks = _Ticks([cost_s, edge_s, arrivals - first_s], float(plan.finish_s.max()) - first_s)
    horizon = ticks.up(float(plan.finish_s.max()) - first_s)
    cost, edge, arrival = ticks.down(cost_s), ticks.down(edge_s), ticks.down(arrivals - first_s)

    cp_model = _cp_model()
    model = cp_model.CpModel()
    makespan = model.new_int_var(0, horizon, "makespan")
    start = [model.new_int_var(int(arrival[task]), horizon, f"start {task}") for task in range(n_tasks)]
    end = [model.new_int_var(0, horizon, f"end {task}") for task in range(n_tasks)]
    placed = [[model.new_bool_var(f"task {task} on {machine}") for machine in range(n_machines)] for task in range(n_tasks)]
    for task in range(n_tasks):
        model.add_exactly_one(placed[task])
        model.add(end[task] <= makespan)
        model.add_hint(start[task], ticks.near(plan.start_s[task] - first_s))
        for machine in range(n_machines):
            model.add_hint(placed[task][machine], int(plan.machine[task] == machine))
    for machine in range(n_machines):
        model.add_no_overlap(
            [
                model.new_optional_interval_var(start[task], int(cost[task, machine]), end[task], placed[task][machine], f"run {task} on {machine}")
                for task in range(n_tasks)
            ]
        )
    for task in range(n_tasks):
        for position in range(parent_ptr[task], parent_ptr[task + 1]):
            parent = int(parent_idx[position])
            model.add(start[task] >= end[parent])
            if edge[position] > 0:
                for machine in range(n_machines):
                    apart = [placed[parent][machine], placed[task][machine].negated()]
                    model.add(start[task] >= end[parent] + int(edge[position])).only_enforce_if(apart)
    model.minimize(makespan)

    solver, found = _solve(cp_model, model, time_limit_s, workers)
    machine_of, start_s = plan.machine, plan.start_s
    if found:
        machine_of = np.array([int(np.argmax([solver.boolean_value(literal) for literal in row])) for row in placed], dtype=np.int64)
        order = _by_start([solver.value(variable) for variable in start], [solver.value(variable) for variable in end], parent_ptr, parent_idx)
        start_s = _start_on_machines(order, machine_of, cost_s, parent_ptr, parent_idx, edge_s, arrivals)
    finish_s = start_s + cost_s[np.arange(n_tasks), machine_of]
    if finish_s.max() > plan.finish_s.max():
        machine_of, start_s, finish_s = plan.machine, plan.start_s, plan.finish_s
    return _result(solver, ticks, float(finish_s.max()) - first_s, start_s, machine_of)


def cp_sat_pool_makespan(
    run_s: FloatArray,
    processors: IntArray,
    capacity: int,
    arrival_s: FloatArray,
    parent_ptr: IntArray,
    parent_idx: IntArray,
    *,
    time_limit_s: float = 30.0,
    workers: int = 1,
) -> CpSatResult:
    """Bound the makespan of rigid tasks on a pool of identical processors.

    Parameters
    ----------
    run_s : ndarray of float64, shape (n,)
        True run times in seconds; finite, >= 0.
    processors : ndarray of int64, shape (n,)
        Processors of every task, in the unit of `capacity`; 0 to `capacity`.
    capacity : int
        Processors of the pool.
    arrival_s : ndarray of float64, shape (n,)
        Arrivals in seconds.
    parent_ptr, parent_idx
        A task starts when all its parents have ended.
    time_limit_s, workers
        As for `cp_sat_makespan`.

    Returns
    -------
    CpSatResult

    Raises
    ------
    InputError
        If OR-tools is not installed, the instance is too large, or a task does not fit the pool.
    GraphOrderError
        If the edges contain a cycle.
    """
    n_tasks = len(run_s)
    _check_size("a pool", n_tasks + len(parent_idx))
    if n_tasks and int(processors.max()) > capacity:
        raise InputError(f"a task asks for {int(processors.max())} processors of a pool of {capacity}; expected tasks that fit")
    unit = int(np.gcd.reduce(np.append(processors, capacity)))
    processors, capacity = processors // unit, capacity // unit
    greedy_s = _start_on_pool(topological_order(parent_ptr, parent_idx), run_s, processors, capacity, arrival_s, parent_ptr, parent_idx)
    first_s = float(arrival_s.min())
    greedy_makespan_s = float((greedy_s + run_s).max()) - first_s
    ticks = _Ticks([run_s, arrival_s - first_s], greedy_makespan_s)
    horizon = ticks.up(greedy_makespan_s)
    run, arrival = ticks.down(run_s), ticks.down(arrival_s - first_s)

    cp_model = _cp_model()
    model = cp_model.CpModel()
    makespan = model.new_int_var(0, horizon, "makespan")
    start = [model.new_int_var(int(arrival[task]), horizon, f"start {task}") for task in range(n_tasks)]
    intervals = [model.new_fixed_size_interval_var(start[task], int(run[task]), f"run {task}") for task in range(n_tasks)]
    model.add_cumulative(intervals, [int(count) for count in processors], capacity)
    for task in range(n_tasks):
        model.add(start[task] + int(run[task]) <= makespan)
        model.add_hint(start[task], ticks.near(greedy_s[task] - first_s))
        for position in range(parent_ptr[task], parent_ptr[task + 1]):
            parent = int(parent_idx[position])
            model.add(start[task] >= start[parent] + int(run[parent]))
    model.minimize(makespan)

    solver, found = _solve(cp_model, model, time_limit_s, workers)
    start_s = greedy_s
    if found:
        begins = [solver.value(variable) for variable in start]
        order = _by_start(begins, [begin + int(length) for begin, length in zip(begins, run, strict=True)], parent_ptr, parent_idx)
        start_s = _start_on_pool(order, run_s, processors, capacity, arrival_s, parent_ptr, parent_idx)
    if (start_s + run_s).max() > (greedy_s + run_s).max():
        start_s = greedy_s
    return _result(solver, ticks, float((start_s + run_s).max()) - first_s, start_s, np.zeros(n_tasks, dtype=np.int64))


class _Ticks:
    """The solver's clock: whole ticks."""

    def __init__(self, columns: list[FloatArray], horizon_s: float) -> None:
        values = np.concatenate([column.ravel() for column in columns])
        self.per_s: float = _ROUNDED_HORIZON_TICKS / horizon_s if horizon_s > 0 else 1.0
        for scale in _EXACT_SCALES:
            scaled = values * scale
            if horizon_s * scale <= _EXACT_HORIZON_TICKS and np.allclose(scaled, np.round(scaled), rtol=0.0, atol=1e-9):
                self.per_s = float(scale)
                break

    def down(self, seconds: FloatArray) -> IntArray:
        # The hair undoes what floating point takes off decimals (0.29 * 100 = 28.999...).
        return np.asarray(np.floor(seconds * self.per_s + 1e-9), dtype=np.int64)

    def up(self, seconds: float) -> int:
        return int(np.ceil(seconds * self.per_s)) + 1

    def near(self, seconds: float) -> int:
        return int(np.floor(seconds * self.per_s + 1e-9))


def _cp_model() -> Any:
    try:
        return importlib.import_module("ortools.sat.python.cp_model")
    except ModuleNotFoundError as error:
        raise InputError("CP-SAT bounds need OR-tools, which is not installed; expected the optional extra 'cpsat'") from error


def _check_size(what: str, variables: int) -> None:
    if variables > MAX_VARIABLES:
        raise InputError(f"{what} with {variables} placements and transfers is too large for CP-SAT; expected at most {MAX_VARIABLES}")


def _solve(cp_model: Any, model: Any, time_limit_s: float, workers: int) -> tuple[Any, bool]:
    if not time_limit_s > 0:
        raise InputError(f"the time limit of CP-SAT is {time_limit_s} s; expected a positive number")
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = time_limit_s
    solver.parameters.num_workers = workers
    solver.parameters.random_seed = 0
    status = solver.solve(model)
    return solver, status in (cp_model.OPTIMAL, cp_model.FEASIBLE)


def _result(solver: Any, ticks: _Ticks, makespan_s: float, start_s: FloatArray, machine: IntArray) -> CpSatResult:
    bound_s = max(float(solver.best_objective_bound) / ticks.per_s, 0.0)
    proved = makespan_s - bound_s <= PROOF_TOLERANCE * max(makespan_s, 1.0)
    return CpSatResult(bound_s, makespan_s, proved, start_s, machine)


def _by_start(begin: list[int], end: list[int], parent_ptr: IntArray, parent_idx: IntArray) -> IntArray:
    """Rows by start, then end, then parents before children."""
    position = np.empty(len(begin), dtype=np.int64)
    position[topological_order(parent_ptr, parent_idx)] = np.arange(len(begin))
    return np.lexsort((position, np.array(end), np.array(begin))).astype(np.int64)


def _start_on_machines(
    order: IntArray,
    machine: IntArray,
    cost_s: FloatArray,
    parent_ptr: IntArray,
    parent_idx: IntArray,
    edge_s: FloatArray,
    arrival_s: FloatArray,
) -> FloatArray:
    """Start every task as soon as it can, machines taking their tasks in this order."""
    free_at = np.full(cost_s.shape[1], -np.inf)
    start = np.empty(len(order))
    finish = np.empty(len(order))
    for task in order:
        here = machine[task]
        begin = max(arrival_s[task], free_at[here])
        for position in range(parent_ptr[task], parent_ptr[task + 1]):
            parent = parent_idx[position]
            begin = max(begin, finish[parent] + (edge_s[position] if machine[parent] != here else 0.0))
        start[task] = begin
        finish[task] = free_at[here] = begin + cost_s[task, here]
    return start


def _start_on_pool(
    order: IntArray, run_s: FloatArray, processors: IntArray, capacity: int, arrival_s: FloatArray, parent_ptr: IntArray, parent_idx: IntArray
) -> FloatArray:
    """Start every task as soon as it can, none before one that stands before it in this order."""
    finish = np.zeros(len(order))
    start = np.zeros(len(order))
    running: list[int] = []
    now = -np.inf
    for task in order:
        now = max(now, arrival_s[task], *(finish[parent] for parent in parent_idx[parent_ptr[task] : parent_ptr[task + 1]]))
        while True:
            running = [other for other in running if finish[other] > now]
            if sum(int(processors[other]) for other in running) + processors[task] <= capacity:
                break
            now = min(finish[other] for other in running)
        start[task] = now
        finish[task] = now + run_s[task]
        running.append(task)
    return start
