"""The plan of a learned policy for a task graph: every vector of the model and every rule make one, the best of them is improved, the best wins.

All plans are judged by what the expected run times say of them, with each machine working off its part in the planned order, as the engine does. So
with exact estimates no rule of the portfolio ends sooner than the plan that is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, topological_order
from hybrid_ml_scheduler.engine import graphs, machines
from hybrid_ml_scheduler.engine.features.kernels import KERNELS, class_prices, graph_features
from hybrid_ml_scheduler.engine.list_plan import N_DRAWS, N_WEIGHTS, W_OCT, Desk, GraphView, Scores, build_desk, improve, list_plan, retime
from hybrid_ml_scheduler.engine.machine_rules import MachineRule
from hybrid_ml_scheduler.engine.plan import Plan
from hybrid_ml_scheduler.engine.state import Law, Problem, build_state, nominal_law

N_FEATURES = len(KERNELS)
VECTOR_LENGTH = N_FEATURES + N_WEIGHTS
"""A vector of a model: what each feature counts in the priority, then the weights of the placement."""

PLANNERS = (("heft", graphs.heft_plan), ("cpop", graphs.cpop_plan), ("peft", graphs.peft_plan))
RULES = (MachineRule.DMDA, MachineRule.MCT, MachineRule.MIN_MIN, MachineRule.MAX_MIN, MachineRule.SUFFERAGE)
"""Rules whose plans compete: static planners, and dynamic rules run ahead with the expected times."""

ROUNDING = 1e-12
"""A rule's plan is better than the model's only by more than this part: what sums in another order differ by."""

_STARTS = 2  # vectors around whose plans is searched


class SearchEffort(NamedTuple):
    """How long to search.

    Attributes
    ----------
    steps : int
        Most plans that are tried; >= 0.
    work : float
        Most placements (plans x tasks x machines) that are weighed: fewer steps for large graphs.
    """

    steps: int
    work: float

    def steps_for(self, n_tasks: int, n_machines: int) -> int:
        """Return the number of plans to try for a graph of this size."""
        return int(min(self.steps, self.work / max(n_tasks * n_machines, 1)))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A plan and why it was taken.

    Attributes
    ----------
    plan : Plan
        With the times that the expected run times give; tasks that had started keep theirs.
    by : str
        Name of the rule; ``vector K``, ``search`` or ``keep``.
    by_model : bool
        Whether the model made it.
    value : float
        What it was judged by: ``aim[0] latest + aim[1] total`` in seconds.
    values : dict of str to float
        The same for every plan that competed.
    bound_s : float
        No plan can end sooner, by the expected run times; -inf if that was not computed.
    in_range : bool
        Whether the features of all tasks were within their range, so that the model was asked at all.
    """

    plan: Plan
    by: str
    by_model: bool
    value: float
    values: dict[str, float]
    bound_s: float
    in_range: bool


class Standing(NamedTuple):
    """How far a run has come; n tasks, m machines.

    Attributes
    ----------
    started : ndarray of bool, shape (n,)
        Tasks that have started.
    machine, start_s, finish_s : ndarray, shape (n,)
        Their place and times, expected ones for those that still run.
    floor_s : ndarray of float64, shape (m,)
        From when each machine is free for others.
    order : ndarray of int64
        The others, in the order of the plan that is being carried out, whose machines are in ``machine`` too.
    """

    started: NDArray[np.bool_]
    machine: IntArray
    start_s: FloatArray
    finish_s: FloatArray
    floor_s: FloatArray
    order: IntArray


def transfer_times(problem: Problem) -> FloatArray:
    """Return how long the data of every edge takes between two machines, in seconds; shape (e,)."""
    sends = problem.edge_mb > 0.0
    network = np.where(sends, problem.network[1] + problem.edge_mb / problem.network[0], 0.0)
    return np.asarray(problem.edge_s + network)


def build_view(problem: Problem, cost_s: FloatArray) -> GraphView:
    """Lay a graph out for planning with these expected run times, shape (n, m) in seconds."""
    n_tasks, n_machines = cost_s.shape
    position = np.empty(n_tasks, dtype=np.int64)
    position[topological_order(problem.parent_ptr, problem.parent_idx)] = np.arange(n_tasks)
    return GraphView(
        cost=np.ascontiguousarray(cost_s, dtype=np.float64),
        arrival=problem.arrival,
        parent_ptr=problem.parent_ptr,
        parent_idx=problem.parent_idx,
        transfer=transfer_times(problem),
        child_ptr=problem.child_ptr,
        child_idx=problem.child_idx,
        position=position,
        machine_class=machine_classes(cost_s),
        fixed=np.zeros(n_tasks, dtype=np.int8),
        floor=np.full(n_machines, -np.inf),
    )


def machine_classes(cost_s: FloatArray) -> IntArray:
    """Give machines of equal columns the same number, in the order of the first of each; shape (m,)."""
    _, first, inverse = np.unique(cost_s, axis=1, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return np.asarray(rank[inverse.reshape(-1)])


def latest_bound(view: GraphView) -> float:
    """Return a time before which no plan can end: critical path with optimistic places, and priced work over all machines."""
    rest = graphs.optimistic_cost_table(view.cost, view.parent_ptr, view.parent_idx, view.transfer)
    end = graphs.optimistic_finish_table(view.cost, view.parent_ptr, view.parent_idx, view.transfer, view.arrival)
    longest = float((end + rest).min(axis=1).max(initial=-np.inf))
    _, first, size = np.unique(view.machine_class, return_index=True, return_counts=True)
    by_class = view.cost[:, first]
    work = float((by_class * class_prices(by_class, size.astype(np.int64))).min(axis=1).sum())
    return max(longest, float(view.arrival.min(initial=np.inf)) + work)


def best_plan(
    problem: Problem,
    cost_s: FloatArray,
    vectors: FloatArray,
    *,
    aim: FloatArray,
    effort: SearchEffort,
    seed: int,
    standing: Standing | None = None,
    guarded: bool = True,
) -> Chosen:
    """Make the plan of a learned policy.

    Parameters
    ----------
    problem : Problem
        Edges, arrivals and machines.
    cost_s : ndarray of float64, shape (n, m)
        Expected run times in seconds.
    vectors : ndarray of float64, shape (k, 16)
        Of the model; k >= 1.
    aim : ndarray of float64, shape (2,)
        What a second of the last finish, and of the sum of all finishes, counts. Equal values: the smaller sum.
    effort : SearchEffort
    seed : int
        Of the search.
    standing : Standing, optional
        How far the run has come; from the beginning if left out. Then the plan that is being carried out competes, and of the rules HEFT and PEFT.
    guarded : bool
        Whether the rules compete, and features are held to their ranges.

    Returns
    -------
    Chosen
        A rule's plan is taken where it is better than all of the model's; between equals the model's.
    """
    view = build_view(problem, cost_s)
    n_tasks, n_machines = cost_s.shape
    desk = build_desk(n_tasks, n_machines)
    if standing is not None:
        view.fixed[:] = standing.started
        view.floor[:] = standing.floor_s
        _reset(desk, standing)
    features, scores = graph_features(view)
    race = _Race(view, desk, aim)
    nobody = np.full(n_tasks, -1, dtype=np.int64)
    in_range = not guarded or is_in_range(features)
    bound_s = latest_bound(view) if standing is None else -np.inf
    goal_s = bound_s if aim[1] == 0.0 else -np.inf
    if standing is not None:
        race.enter_order("keep", standing.machine, standing.order, by_model=True)
    if in_range:
        entries = []
        for number, vector in enumerate(vectors):
            priority = np.ascontiguousarray(features @ vector[:N_FEATURES])
            weights = np.ascontiguousarray(vector[N_FEATURES:])
            value = race.enter_list(f"vector {number}", scores, priority, weights, nobody, by_model=True)
            entries.append((value, number, priority, weights))
        entries.sort(key=lambda entry: entry[:2])
        rng = np.random.default_rng(seed)
        steps = effort.steps_for(n_tasks, n_machines) // min(_STARTS, len(entries))
        for _, _, priority, weights in entries[:_STARTS] if steps else ():
            forced = nobody.copy()
            improve(view, scores, priority, weights, forced, rng.random((steps, N_DRAWS)), aim, goal_s, desk)
            race.enter_list("search", scores, priority, weights, forced, by_model=True)
    if guarded or not in_range:
        if standing is None:
            for name, plan in rule_plans(problem, cost_s):
                race.enter_order(name, plan.machine, plan.order, by_model=False)
        else:
            zero = np.zeros(N_WEIGHTS)
            with_rest = zero.copy()
            with_rest[W_OCT] = 1.0
            race.enter_list("heft", scores, np.ascontiguousarray(features[:, 0]), zero, nobody, by_model=False)
            race.enter_list("peft", scores, np.ascontiguousarray(features[:, 3]), with_rest, nobody, by_model=False)
    return replace(race.winner(), bound_s=bound_s, in_range=in_range)


def is_in_range(features: FloatArray) -> bool:
    """Whether every feature of every task is within the range of the data sheet."""
    low = np.array([feature.low for feature in KERNELS])
    high = np.array([feature.high for feature in KERNELS])
    # A hair for sums that were added up in another order.
    return bool(np.all((features >= low - 1e-9) & (features <= high + 1e-9)))


def rule_plans(problem: Problem, cost_s: FloatArray) -> list[tuple[str, Plan]]:
    """Return the plans of the rules for these expected run times, made as the policies of those names make them."""
    plans = [(name, planner(cost_s, problem.parent_ptr, problem.parent_idx, problem.edge_s, problem.arrival)) for name, planner in PLANNERS]
    expected = nominal_law(problem)._replace(cost=np.ascontiguousarray(cost_s, dtype=np.float64))
    seen = problem._replace(cost=expected.cost)
    return plans + [(rule.name.lower(), _run_ahead(seen, expected, rule)) for rule in RULES]


def _run_ahead(problem: Problem, expected: Law, rule: MachineRule) -> Plan:
    state = build_state(problem)
    machines.run_machines(problem, expected, state, machines.build_lists(problem, None), int(rule), machines.TO_THE_END, np.inf)
    return _as_plan(state.node, state.start, state.finish, problem)


def _as_plan(machine: IntArray, start_s: FloatArray, finish_s: FloatArray, problem: Problem) -> Plan:
    position = np.empty(len(machine), dtype=np.int64)
    position[topological_order(problem.parent_ptr, problem.parent_idx)] = np.arange(len(machine))
    order = np.lexsort((position, finish_s, start_s)).astype(np.int64)
    return Plan(machine.copy(), start_s.copy(), finish_s.copy(), order)


def _reset(desk: Desk, standing: Standing) -> None:
    desk.machine[:] = standing.machine
    desk.start[:] = standing.start_s
    desk.finish[:] = standing.finish_s


class _Race:
    """Keeps the best plan of the model and the best of the rules."""

    def __init__(self, view: GraphView, desk: Desk, aim: FloatArray) -> None:
        self._view, self._desk, self._aim = view, desk, aim
        self._best: dict[bool, Chosen] = {}
        self._values: dict[str, float] = {}

    def enter_list(self, name: str, scores: Scores, priority: FloatArray, weights: FloatArray, forced: IntArray, *, by_model: bool) -> float:
        list_plan(self._view, scores, priority, weights, forced, self._desk)
        return self._judge(name, self._order(), by_model=by_model)

    def enter_order(self, name: str, machine: IntArray, order: IntArray, *, by_model: bool) -> float:
        free = self._view.fixed[order] == 0
        self._desk.machine[order[free]] = machine[order[free]]
        return self._judge(name, np.ascontiguousarray(order[free]), by_model=by_model)

    def _order(self) -> IntArray:
        desk = self._desk
        order = np.lexsort((self._view.position, desk.finish, desk.start)).astype(np.int64)
        return np.ascontiguousarray(order[self._view.fixed[order] == 0])

    def _judge(self, name: str, order: IntArray, *, by_model: bool) -> float:
        latest, total = retime(self._view, order, self._desk)
        value = float(self._aim[0] * latest + self._aim[1] * total) if len(order) else 0.0
        self._values[name] = min(value, self._values.get(name, np.inf))
        best = self._best.get(by_model)
        desk = self._desk
        if best is None or (value, total) < (best.value, float(best.plan.finish_s[order].sum())):
            everywhere = np.lexsort((self._view.position, desk.finish, desk.start)).astype(np.int64)
            plan = Plan(desk.machine.copy(), desk.start.copy(), desk.finish.copy(), everywhere)
            self._best[by_model] = Chosen(plan, name, by_model, value, self._values, -np.inf, in_range=True)
        return value

    def winner(self) -> Chosen:
        ours, rules = self._best.get(True), self._best.get(False)
        if ours is None or (rules is not None and rules.value < ours.value - ROUNDING * abs(ours.value)):
            assert rules is not None  # noqa: S101 - without the model's plans the rules were asked
            return rules
        return ours
