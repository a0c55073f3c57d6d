"""From a learned policy for a pool of processors to its run: the scored queue, the rule behind it, and the comparison of the two on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism, TaskStatus
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, ModelError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Workload
from hybrid_ml_scheduler.engine.decision_point import one_task
from hybrid_ml_scheduler.engine.ensemble import EMPTY_ENSEMBLE, Ensemble, ensemble_from_arrays
from hybrid_ml_scheduler.engine.features.batch import N_FEATURES, RUNNING, WAITING, Book, build_book
from hybrid_ml_scheduler.engine.guard import ENABLED, LOSING, Guard, build_guard
from hybrid_ml_scheduler.engine.metrics import BOUNDED_SLOWDOWN_FLOOR_S, measure
from hybrid_ml_scheduler.engine.orders import DYNAMIC_ORDERS, Order, static_keys
from hybrid_ml_scheduler.engine.outcome import schedule_of
from hybrid_ml_scheduler.engine.pool import Backfill
from hybrid_ml_scheduler.engine.reservations import Ends, build_ends
from hybrid_ml_scheduler.engine.scored_pool import GUARD_LIMITS, N_WEIGHTS, Estimate, Queue, ScoredRule, build_queue, run_scored
from hybrid_ml_scheduler.engine.shadow import LARGEST_BLOCK, ShadowRecord, weighted_objective
from hybrid_ml_scheduler.engine.state import N_FINISHED, NEXT_ARRIVAL, Law, Problem, State, build_problem, build_state, build_truth

MEDIAN = "median"
"""Prefix of the arrays of the ensemble that decides."""
EARLY, EARLY_PAUSE, PAUSE = 1500, 60, 500
"""The policy and its rule are compared after every `EARLY_PAUSE` arrivals among the first `EARLY`, then after every `PAUSE`."""
MARGIN = 0.7
"""The rule wins a replay if it stays below so many times the policy's objective: short replays from an empty machine scatter. Chosen on validation
workloads."""


@dataclass(slots=True)
class ScoredRun:
    """A run under way.

    Attributes
    ----------
    problem, truth, rule, book, queue, ends, guard, stop_s
        Arguments of `scored_pool.run_scored`.
    """

    problem: Problem
    truth: Law
    rule: ScoredRule
    book: Book
    queue: Queue
    ends: Ends
    guard: Guard
    stop_s: float = math.inf

    def run(self, state: State, until_arrived: int, until_s: float = math.inf) -> None:
        """Run until so many jobs have arrived, or through all events before a time."""
        run_scored(
            self.problem, self.truth, state, self.rule, self.book, self.queue, self.ends, self.guard, until_arrived, self.stop_s, float(until_s)
        )

    def say_losing(self, losing: bool) -> None:
        """Say whether the rule decides from the next event on because the model loses to it."""
        self.guard.status[[ENABLED, LOSING]] = self.guard.status[ENABLED] | int(losing), int(losing)


def model_weights(arrays: Mapping[str, NDArray[Any]], name: str) -> FloatArray:
    """Return the parameters of a score from the arrays of a model, which may come from anyone.

    Raises
    ------
    ModelError
        If they are missing, of another number, or not finite.
    """
    weights = arrays.get(name)
    if weights is None or weights.dtype != np.float64 or weights.shape != (N_WEIGHTS,) or not np.isfinite(weights).all():
        found = "nothing" if weights is None else f"{weights.dtype} of shape {weights.shape}"
        raise ModelError(f"array {name}: {found}; expected {N_WEIGHTS} finite numbers")
    return np.ascontiguousarray(weights)


def model_ensemble(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Ensemble:
    """Return an ensemble over the features of batch jobs from the arrays of a model.

    Raises
    ------
    ModelError
        If it is damaged, or looks at more features than there are.
    """
    ensemble = ensemble_from_arrays(arrays, prefix)
    if ensemble.n_features[0] > N_FEATURES:
        raise ModelError(f"ensemble {prefix} looks at {ensemble.n_features[0]} features; expected at most {N_FEATURES}, those of batch jobs")
    return ensemble


def build_run(policy: CompiledPolicy, workload: Workload, problem: Problem, truth: Law, *, n_recorded: int = 0) -> ScoredRun:
    """Set a run of a learned policy up; see `prepare_scored` for what the policy must hold.

    Parameters
    ----------
    policy : CompiledPolicy
    workload : Workload
    problem, truth
        Of the workload.
    n_recorded : int
        Number of estimates whose features are recorded.
    """
    estimate = Estimate(policy.codes["estimate"])
    behind = policy.fallback
    rule_key, rule_easy = np.arange(len(workload), dtype=np.float64), 0
    if behind is not None:
        order, backfill = Order(behind.codes["order"]), Backfill(behind.codes["backfill"])
        if order in DYNAMIC_ORDERS or backfill not in (Backfill.NONE, Backfill.EASY):
            raise IncompatiblePolicyError(
                policy.name, workload.name, f"{behind.name} cannot stand behind it; expected a fixed order, with EASY or none"
            )
        rule_key, rule_easy = static_keys(order, workload), int(backfill is Backfill.EASY)
    rule = ScoredRule(
        weights=model_weights(policy.arrays, "weights"),
        estimate=int(estimate),
        easy=int(policy.codes["backfill"] == Backfill.EASY),
        ensemble=model_ensemble(policy.arrays, MEDIAN) if estimate is Estimate.TREES else EMPTY_ENSEMBLE,
        rule_key=rule_key,
        rule_easy=rule_easy,
        online=policy.codes["online"],
    )
    n = len(workload)
    guard = build_guard(1, guarded=behind is not None, cold=False, limits=np.array(GUARD_LIMITS))
    return ScoredRun(problem, truth, rule, build_book(workload.tasks), build_queue(n, n_recorded), build_ends(n), guard)


class ComparedRun:
    """A run of a learned policy, with the comparison with the rule if one stands behind it; call it with a fresh state, again to go on.

    Jobs that have ended say little here: a policy that puts long jobs off leaves them out. So the last jobs that *arrived* are replayed, and one that
    has not ended stands with the time that was asked for it, or with what it has run if that is more. They are replayed after so many arrivals, not
    ends, because a bad policy shows in what does not end. What a replay may know of histories is what was known at the comparison before.

    Parameters
    ----------
    policy : CompiledPolicy
    workload, cluster
        What runs where.
    made : ScoredRun

    Attributes
    ----------
    made : ScoredRun
    record : ShadowRecord
        Comparisons with the rule.
    """

    def __init__(self, policy: CompiledPolicy, workload: Workload, cluster: Cluster, made: ScoredRun) -> None:
        self._policy, self._workload, self._cluster = policy, workload, cluster
        self.made = made
        self.record = ShadowRecord()
        self._known = made.book.table.copy()
        # Jobs that had arrived at the last comparison.
        self._compared = np.zeros(1, dtype=np.int64)

    def __call__(self, state: State, until_s: float = math.inf) -> None:
        """Run through all events before a time."""
        made, n_tasks = self.made, len(self._workload)
        while self._policy.fallback is not None and (arrived := int(self._compared[0])) < n_tasks:
            until_arrived = arrived + (EARLY_PAUSE if arrived < EARLY else PAUSE)
            made.run(state, until_arrived, until_s)
            arrived = int(state.counters[NEXT_ARRIVAL])
            if state.clock[0] >= made.stop_s or arrived < min(until_arrived, n_tasks):
                return
            self._compared[0] = arrived
            last = np.arange(max(0, arrived - LARGEST_BLOCK), arrived)
            rows = last[np.isin(state.status[last], (TaskStatus.READY, TaskStatus.RUNNING, TaskStatus.FINISHED))]
            if len(rows) and arrived < n_tasks:
                learned, rule = compare_on(self._policy, self._workload, self._cluster, state, rows, made, self._known)
                self.record.add(int(state.counters[N_FINISHED]), len(rows), MARGIN * learned, rule)
                made.say_losing(self.record.losing)
                self._known[:] = made.book.table
        made.run(state, n_tasks + 1, until_s)

    def parts(self) -> dict[str, Any]:
        """Return everything that changes in the course of the run besides the state: arrays, and tuples of them."""
        made = self.made
        changing = {"book": made.book, "queue": made.queue, "ends": made.ends, "guard": made.guard}
        return {**changing, "known": self._known, "compared": self._compared, "record": self.record}


def prepare_scored(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> ComparedRun:
    """Return the run of a learned policy, to be called with a fresh state.

    Parameters
    ----------
    policy : CompiledPolicy
        Codes ``estimate`` (`Estimate`), ``backfill`` (none or EASY), ``online``; arrays ``weights`` (N_WEIGHTS,), ``objective`` (6,), and those of
        the ensemble `MEDIAN` where estimates come from trees. With a rule behind it (``fallback``: a fixed order, with EASY or none) the two are
        compared on the way.
    workload, cluster
        What runs where.
    problem, truth
        Of the two.

    Raises
    ------
    IncompatiblePolicyError
        If the cluster is no pool, or the rule is of another kind.
    ModelError
        If the arrays are not what was expected.
    """
    if cluster.kind is not ClusterKind.POOL:
        raise IncompatiblePolicyError(policy.name, workload.name, f"it needs a pool of processors; cluster {cluster.name!r} has nodes")
    return ComparedRun(policy, workload, cluster, build_run(policy, workload, problem, truth))


def compare_on(
    policy: CompiledPolicy, workload: Workload, cluster: Cluster, state: State, rows: IntArray, made: ScoredRun, known: FloatArray
) -> tuple[float, float]:
    """Replay jobs on an empty machine as the model and as the rule would decide.

    Parameters
    ----------
    policy : CompiledPolicy
        With a rule behind it.
    workload, cluster
        Of the run.
    state : State
        Of the run. A job that has ended takes the time that it took, any other what was asked for it, or what it has run so far if that is more.
    rows : ndarray of int64
        Jobs that have arrived, ascending.
    made : ScoredRun
        The run.
    known : ndarray of float64, shape as ``book.table``
        The histories that the replay begins with.

    Returns
    -------
    learned, rule : float
        The policy's objective under each; smaller is better.
    """
    part = workload.select(rows)
    started = ~np.isnan(state.start[rows])
    ended = state.status[rows] == TaskStatus.FINISHED
    so_far = np.where(started, state.clock[0] - np.where(started, state.start[rows], 0.0), 0.0)
    expected_s = np.maximum(workload.tasks.requested_time_s[rows], so_far)
    run_s = np.where(ended, state.finish[rows] - state.start[rows], expected_s)
    part = replace(part, truth=replace(part.truth, work_s=run_s), warmup=0.0)
    problem, truth = build_problem(part, cluster), build_truth(part, cluster)
    weights = policy.arrays["objective"]
    scores = []
    for by_rule in (False, True):
        replay = ScoredRun(
            problem=problem,
            truth=truth,
            rule=made.rule._replace(rule_key=made.rule.rule_key[rows]),
            book=_part_of_book(made.book, rows, known),
            queue=build_queue(len(rows)),
            ends=build_ends(len(rows)),
            guard=build_guard(1, guarded=False),
        )
        replay.say_losing(by_rule)
        replayed = build_state(problem)
        replay.run(replayed, len(rows) + 1)
        done = replayed.status == TaskStatus.FINISHED
        if np.flatnonzero(weights).tolist() == [0] and done.all():
            ran_s = replayed.finish - replayed.start
            scores.append(
                float(weights[0] * np.mean(np.maximum(1.0, (replayed.finish - replayed.ready) / np.maximum(ran_s, BOUNDED_SLOWDOWN_FLOOR_S))))
            )
        else:
            scores.append(weighted_objective(measure(part, cluster, schedule_of(problem, replayed, policy.name, 0.0)), weights))
    return scores[0], scores[1]


def _part_of_book(book: Book, rows: IntArray, known: FloatArray) -> Book:
    """Return a book for some jobs with what was known of their users and classes; none of them waits or runs."""
    user, klass = book.user[rows], book.klass[rows]
    entries = np.unique(np.concatenate([user, klass]))
    entries = entries[entries >= 0]
    table = known[np.append(entries, len(known) - 1)]
    table[:, [RUNNING, WAITING]] = 0.0
    places = [np.where(column >= 0, np.searchsorted(entries, column), -1) for column in (user, klass)]
    return Book(places[0], places[1], table)


@cache
def warm_up_scored() -> None:
    """Compile what runs a learned policy on a pool, or load it from the cache."""
    workload, cluster = one_task()
    problem, truth = build_problem(workload, cluster), build_truth(workload, cluster)
    codes = {"estimate": int(Estimate.REQUEST), "backfill": int(Backfill.EASY), "online": 1}

    policy = CompiledPolicy("warm-up", Mechanism.SCORED_POOL, codes, arrays={"weights": np.zeros(N_WEIGHTS)})
    build_run(policy, workload, problem, truth).run(build_state(problem), 2)
