"""Learned policies for task graphs: a plan made with a model, and, where run times are predicted, made anew as tasks finish.

``rl_agent`` plans from the visible estimates; ``hybrid_ml`` corrects them by what finished tasks took (`kernel_history`). Both make the rest of the
plan anew when tasks end much earlier or later than planned, ``hybrid_ml`` also when its corrections have become large. The old plan competes with the
new ones. With exact estimates nothing is planned twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.decision import CompiledPolicy, DecidedBy, TaskStatus
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine import machines
from hybrid_ml_scheduler.engine.guard import build_guard, note_outcome, who_decides
from hybrid_ml_scheduler.engine.kernel_history import LARGEST_CORRECTION, SHORTEST_S, Correction, KernelHistory, Variances
from hybrid_ml_scheduler.engine.plan import Plan
from hybrid_ml_scheduler.engine.plan_search import Chosen, SearchEffort, Standing, best_plan, machine_classes
from hybrid_ml_scheduler.engine.state import N_FINISHED, Law, Problem, State

PLANNER = 3
"""Code of the learned planner in ``CompiledPolicy.codes["planner"]``."""

P_LATEST, P_TOTAL, P_STEPS, P_WORK, P_AGAIN_STEPS, P_CORRECTION, P_DELAY, P_CLASS, P_KIND, P_TASK = range(10)
"""Positions in ``CompiledPolicy.params``: what a second of the last finish and of the mean finish counts; plans to try and placements to weigh at
most; plans to try when planning anew; change of a logarithmic correction, and delay relative to the planned length, above which that is done; and the
three `Variances`."""
N_PARAMS = 10

CHECKS = 64
"""How often a run is looked at, at most: after every 64th part of its tasks."""


@dataclass(slots=True)
class PlanRecord:
    """What a learned policy planned during one run.

    Attributes
    ----------
    chosen : list of Chosen
        Every plan, the first one first; later ones only where they replaced it.
    at_s : list of float
        When each was made, -inf for the first.
    correction : list of Correction
        What each was made with; nothing but the spread for plans from the estimates alone.
    considered : int
        How often it was planned anew, whether or not the old plan won.
    """

    chosen: list[Chosen] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    correction: list[Correction] = field(default_factory=list)
    considered: int = 0


class _LearnedRun:
    """One run of a learned policy."""

    def __init__(self, policy: CompiledPolicy, problem: Problem, truth: Law) -> None:
        self._problem, self._truth, self._params, self._seed = problem, truth, policy.params, policy.seed
        self._vectors = np.ascontiguousarray(policy.arrays["vectors"])
        self._guarded, self._online = bool(policy.codes["guarded"]), bool(policy.codes["online"])
        predicts = bool(policy.codes["predicts"])
        # The mean response is the sum of the finishes over the number of tasks, less what no plan changes.
        self._aim = policy.params[[P_LATEST, P_TOTAL]] / [1.0, max(len(problem.arrival), 1)]
        self._of_class = machine_classes(problem.cost)
        n_kinds, n_classes = int(problem.kind.max(initial=0)) + 1, int(self._of_class.max()) + 1
        self._history = KernelHistory(n_kinds, n_classes, Variances(*policy.params[[P_CLASS, P_KIND, P_TASK]].tolist())) if predicts else None
        self._guard = build_guard(1, guarded=self._guarded, cold=False)
        self.record = PlanRecord()
        effort = SearchEffort(int(policy.params[P_STEPS]), float(policy.params[P_WORK]))
        chosen = best_plan(problem, problem.cost, self._vectors, aim=self._aim, effort=effort, seed=self._seed, guarded=self._guarded)
        nothing = Correction(np.zeros((n_kinds, n_classes)), np.full((n_kinds, n_classes), np.nan), np.zeros((n_kinds, n_classes), dtype=np.int64))
        self._adopt(chosen, -np.inf, nothing if self._history is None else self._history.correction())
        self._lists: machines.MachineLists | None = None
        # Finished tasks that were looked at, and the correction that the present plan was made with.
        self._seen = 0
        self._used = self.record.correction[0].log_mean

    def _adopt(self, chosen: Chosen, at_s: float, correction: Correction) -> None:
        self.record.chosen.append(chosen)
        self.record.at_s.append(at_s)
        self.record.correction.append(correction)
        self._plan = chosen.plan

    def __call__(self, state: State, until_s: float = np.inf) -> None:
        """Run through all events before a time; the state is fresh, or that of this run to be continued."""
        if self._lists is None:
            state.decided_by[:] = decided_by(self.record.chosen[0])
            self._lists = machines.build_lists(self._problem, self._plan)
        if not self._online:
            machines.run_machines(self._problem, self._truth, state, self._lists, -1, machines.TO_THE_END, float(until_s))
            return
        every = max(1, len(self._problem.arrival) // CHECKS)
        while machines.run_machines(self._problem, self._truth, state, self._lists, -1, self._seen + every, float(until_s)):
            ended = state.finish_log[self._seen : state.counters[N_FINISHED]]
            self._seen += len(ended)
            self._observe(state, ended)
            left = np.flatnonzero(state.status < TaskStatus.RUNNING)
            if not len(left):
                continue
            correction, refused = self._corrections(left)
            change = float(np.abs(correction.log_mean - self._used)[self._problem.kind[left]].max())
            delay = float(np.abs(state.finish[ended] - self._plan.finish_s[ended]).max()) / max(self._plan.makespan_s, SHORTEST_S)
            if change <= self._params[P_CORRECTION] and delay <= self._params[P_DELAY]:
                continue
            self._used = correction.log_mean
            chosen = self._plan_again(state, self._problem.cost * np.exp(self._used[self._problem.kind][:, self._of_class]))
            self._plan = chosen.plan
            if chosen.by != "keep":
                self._adopt(chosen, float(state.clock[0]), correction)
                state.decided_by[left] = np.where(refused > 0, refused, decided_by(chosen))
            rest = self._plan.order[state.status[self._plan.order] < TaskStatus.RUNNING]
            self._lists = machines.build_lists(self._problem, Plan(self._plan.machine, self._plan.start_s, self._plan.finish_s, rest))

    def _observe(self, state: State, ended: IntArray) -> None:
        """Take in what a real system observes: the times of the machines that were taken."""
        if self._history is None:
            return
        here = state.node[ended]
        estimate_s = self._problem.cost[ended, here]
        errors = self._history.observe(self._problem.kind[ended], self._of_class[here], estimate_s, state.finish[ended] - state.start[ended])
        for model_error, estimate_error in zip(*errors, strict=True):
            note_outcome(self._guard, 0, float(model_error), float(estimate_error))

    def _corrections(self, left: IntArray) -> tuple[Correction, NDArray[np.int8]]:
        """Return the corrections to plan with, and for every task that is left the reason why its estimates stand, 0 for none."""
        refused = np.zeros(len(left), dtype=np.int8)
        if self._history is None:
            return self.record.correction[0], refused
        found = self._history.correction()
        if not self._guarded:
            return found, refused
        decider = who_decides(self._guard)
        if decider != DecidedBy.MODEL:
            refused[:] = decider
            return found._replace(log_mean=np.zeros_like(found.log_mean)), refused
        believed = np.abs(found.log_mean) <= LARGEST_CORRECTION
        by_kind: NDArray[np.bool_] = np.all(believed, axis=1)
        refused[~by_kind[self._problem.kind[left]]] = DecidedBy.FALLBACK_RANGE
        return found._replace(log_mean=np.where(believed, found.log_mean, 0.0)), refused

    def _plan_again(self, state: State, cost_s: FloatArray) -> Chosen:
        self.record.considered += 1
        effort = SearchEffort(int(self._params[P_AGAIN_STEPS]), float(self._params[P_WORK]))
        return best_plan(
            self._problem,
            cost_s,
            self._vectors,
            aim=self._aim,
            effort=effort,
            seed=self._seed + self.record.considered,
            standing=_standing(self._problem, state, self._plan, cost_s),
            guarded=self._guarded,
        )


def _standing(problem: Problem, state: State, plan: Plan, cost_s: FloatArray) -> Standing:
    now = float(state.clock[0])
    started = state.status >= TaskStatus.RUNNING
    running = np.flatnonzero(state.status == TaskStatus.RUNNING)
    machine: IntArray = np.where(started, state.node, plan.machine)
    finish_s = np.where(started, state.finish, 0.0)
    # When a running task ends is not known: as predicted, or, if it has outlived that, any moment now.
    finish_s[running] = np.maximum(state.start[running] + cost_s[running, state.node[running]], now)
    floor_s = np.full(len(problem.node_cores), now)
    np.maximum.at(floor_s, state.node[running], finish_s[running])
    order = plan.order[~started[plan.order]]
    return Standing(started, machine, np.where(started, state.start, 0.0), finish_s, floor_s, np.ascontiguousarray(order))


def decided_by(chosen: Chosen) -> DecidedBy:
    """Say who decides when this plan is carried out."""
    if not chosen.in_range:
        return DecidedBy.FALLBACK_RANGE
    return DecidedBy.MODEL if chosen.by_model else DecidedBy.FALLBACK_LOSING


def prepare_learned(policy: CompiledPolicy, problem: Problem, truth: Law) -> _LearnedRun:
    """Plan, and return what carries the plan out on a fresh state; its ``record`` says what was planned."""
    return _LearnedRun(policy, problem, truth)


@cache
def warm_up_learned() -> None:
    """Compile what a run of a learned policy calls beside the plan, or load it from the cache."""
    guard = build_guard(1, guarded=True, cold=False)
    note_outcome(guard, 0, 0.0, 0.0)
    who_decides(guard)
