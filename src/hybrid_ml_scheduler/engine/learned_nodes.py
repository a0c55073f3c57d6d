"""Rigid tasks on nodes with GPUs under a learned policy: an order by estimated run times, a weighted sum of placement scores, and a rule behind both.

A task gets its place in the order when it becomes ready, smallest first:

    log(estimated run time) + w0 g + w1 c + w2 g log(estimated run time) / 8 + w3 arrival / hour

with ``g`` and ``c`` the logarithms of the GPUs and cores asked for (features `log_gpus` and `log_cores`). The last term is ageing: whoever waits an
hour longer moves ahead by ``w3``. The estimated run time is the request, or what trees make of the history of the user and of the class. Among the
nodes on which a task fits the largest weighted sum of the scores of best fit, dot product, GPU packing, GPU clustering and FGD wins, the first among
equals.

Where the model must not decide, the queue stands in the rule's order and goes where the rule says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, DecidedBy, Mechanism, TaskStatus
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, ModelError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Workload
from hybrid_ml_scheduler.engine import placement
from hybrid_ml_scheduler.engine.codes_placement import PlacementCode
from hybrid_ml_scheduler.engine.compiled import compiled_call, compiled_entry
from hybrid_ml_scheduler.engine.ensemble import EMPTY_ENSEMBLE, Ensemble, ensemble_from_arrays, predict_ensemble
from hybrid_ml_scheduler.engine.events import advance, next_event_s, start_task
from hybrid_ml_scheduler.engine.features.batch import (
    HIGHEST_RATIO,
    LEAST_S,
    LOWEST_RATIO,
    RUNNING,
    WAITING,
    Book,
    build_book,
    note_end,
    note_start,
    note_submit,
)
from hybrid_ml_scheduler.engine.features.nodes import N_NODE_FEATURES, NODES, fill_nodes
from hybrid_ml_scheduler.engine.guard import ENABLED, LOSING, Guard, build_guard, note_outcome, who_decides
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.nodes import (
    PASS,
    SEEN_FINISHED,
    SORTED,
    NodeQueue,
    build_node_queue,
    close_where_data_is_missing,
    hold_back,
    request_of,
    sort_queue,
)
from hybrid_ml_scheduler.engine.orders import Order, processors, static_keys
from hybrid_ml_scheduler.engine.outcome import schedule_of
from hybrid_ml_scheduler.engine.placement import NODE_CLOSED, NodeState, PlacementRule, Request
from hybrid_ml_scheduler.engine.scored_run import EARLY, EARLY_PAUSE, PAUSE
from hybrid_ml_scheduler.engine.shadow import LARGEST_BLOCK, ShadowRecord, weighted_objective
from hybrid_ml_scheduler.engine.state import N_FINISHED, NEXT_ARRIVAL, QUEUE_SIZE, Law, Problem, State, build_problem, build_state, build_truth


class Estimate(IntEnum):
    """Where estimated run times come from."""

    REQUEST = 0
    TREES = 1


MIXED = (PlacementCode.BEST_FIT, PlacementCode.DOT_PRODUCT, PlacementCode.GPU_PACKING, PlacementCode.GPU_CLUSTERING, PlacementCode.FGD)
"""Rules whose scores are summed, in the order of their weights."""

ORDER_WEIGHTS = ("gpus", "cores", "gpus_x_run", "ageing")
PLACEMENT_WEIGHTS = ("best_fit", "dot_product", "gpu_packing", "gpu_clustering", "fgd")
N_ORDER, N_MIXED = len(ORDER_WEIGHTS), len(MIXED)
N_WEIGHTS = N_ORDER + N_MIXED
W_GPUS, W_CORES, W_PRODUCT, W_AGEING = range(N_ORDER)

GUARD_LIMITS = (0.02, 1.15, 1.0, 0.1, 30.0, 50.0)
"""Of the guardrail by errors (`engine.guard.DEFAULT_LIMITS`); run times scatter over orders of magnitude, so it is slow to judge."""

TREES = "median"
"""Prefix of the arrays of the ensemble that predicts the logarithm of run over requested time."""

_HOUR_S = 3600.0
_LOG_GPUS, _LOG_CORES = 1, 2
_MODEL, _RANGE = int(DecidedBy.MODEL), int(DecidedBy.FALLBACK_RANGE)

# Positions in Mind.counts.
_DECIDES, N_RECORDED, _WATCHED = range(3)


class Mind(NamedTuple):
    """What a learned policy for nodes knows. Sizes: n tasks, m nodes.

    Attributes
    ----------
    weights : ndarray of float64, shape (9,)
        `ORDER_WEIGHTS`, then `PLACEMENT_WEIGHTS`.
    estimate : int
        An `Estimate`.
    online : int
        1: histories learn from the tasks that end.
    ensemble : Ensemble
    low, high : ndarray of float64, shape (17,)
        Ranges of the features.
    model_key, rule_key : ndarray of float64, shape (n,)
        Place in the model's order, known from when a task is ready, and in the rule's.
    log_estimate : ndarray of float64, shape (n,)
        Logarithm of the estimated run time; NaN before a task is ready.
    strange : ndarray of bool, shape (n,)
        Features or prediction out of range: the request stands in.
    x : ndarray of float64, shape (17,)
        Scratch.
    record : ndarray of float64, shape (r, 17)
        Features of the first r tasks that became ready, for training.
    record_task : ndarray of int64, shape (r,)
        Their rows.
    watched : ndarray of float64, shape (m,)
        Scores of the nodes when the watched task started; NaN where it did not fit.
    ahead : ndarray of int64, shape (n + 1,)
        How many tasks were waiting when the watched task started, how many of them before it, then their rows.
    counts : ndarray of int64, shape (3,)
        Who decided last; rows recorded; the watched task or -1.
    """

    weights: FloatArray
    estimate: int
    online: int
    ensemble: Ensemble
    low: FloatArray
    high: FloatArray
    model_key: FloatArray
    rule_key: FloatArray
    log_estimate: FloatArray
    strange: NDArray[np.bool_]
    x: FloatArray
    record: FloatArray
    record_task: IntArray
    watched: FloatArray
    ahead: IntArray
    counts: IntArray


@compiled_call
def _estimate(problem: Problem, state: State, book: Book, mind: Mind, task: int) -> None:
    """Give a task that has become ready its estimated run time and its place in the model's order."""
    x = mind.x
    fill_nodes(problem, state, book, task, state.counters[QUEUE_SIZE], x)
    if mind.counts[N_RECORDED] < len(mind.record):
        for place in range(len(x)):
            mind.record[mind.counts[N_RECORDED], place] = x[place]
        mind.record_task[mind.counts[N_RECORDED]] = task
        mind.counts[N_RECORDED] += 1
    strange = False
    for place in range(len(x)):
        # Unknown (NaN) is no value out of range.
        if x[place] < mind.low[place] or x[place] > mind.high[place]:
            strange = True
    ratio = 0.0
    if mind.estimate == 1:
        ratio = predict_ensemble(mind.ensemble, x)
        if not LOWEST_RATIO <= ratio <= HIGHEST_RATIO:
            strange = True
            ratio = 0.0
    if strange:
        ratio = 0.0
    run = x[0] + ratio
    mind.strange[task] = strange
    mind.log_estimate[task] = run
    gpus, weights = x[_LOG_GPUS], mind.weights
    key = run + weights[W_GPUS] * gpus + weights[W_CORES] * x[_LOG_CORES] + weights[W_PRODUCT] * gpus * run / 8.0
    mind.model_key[task] = key + weights[W_AGEING] * problem.arrival[task] / _HOUR_S


@compiled_call
def _mixed_score(node: int, asked: Request, nodes: NodeState, rules: tuple[PlacementRule, ...], mind: Mind) -> float:
    """Weighted sum of the scores of a node; -inf where the request does not fit or may not go."""
    if not placement.fits(node, asked, nodes):
        return -np.inf
    total = 0.0
    for number in range(N_MIXED):
        weight = mind.weights[N_ORDER + number]
        if weight != 0.0:
            total += weight * placement.remembered_score(node, asked, nodes, rules[number])
    return total


@compiled_call
def _place_mixed(asked: Request, nodes: NodeState, rules: tuple[PlacementRule, ...], mind: Mind) -> tuple[int, int]:
    """Choose the first node of the largest weighted score, and GPUs there; -1 if the request fits nowhere."""
    best, chosen = -np.inf, -1
    for node in range(len(nodes.stamp)):
        score = _mixed_score(node, asked, nodes, rules, mind)
        if score > best:
            best, chosen = score, node
    if chosen < 0:
        return -1, 0
    by_fgd = mind.weights[N_WEIGHTS - 1] > 0.0
    return chosen, placement.choose_gpus(chosen, asked, nodes, rules[N_MIXED - 1] if by_fgd else rules[0])


@compiled_call
def _watch(state: State, asked: Request, nodes: NodeState, rules: tuple[PlacementRule, ...], mind: Mind, position: int, kept: int) -> None:
    """Note what was considered for the task that is being explained, which is about to start."""
    for node in range(len(nodes.stamp)):
        score = _mixed_score(node, asked, nodes, rules, mind)
        mind.watched[node] = score if score > -np.inf else np.nan
    mind.ahead[0] = state.counters[QUEUE_SIZE] - position + kept
    mind.ahead[1] = kept
    for place in range(kept):
        mind.ahead[2 + place] = state.queue[place]


@compiled_call
def _take_in(problem: Problem, state: State, queue: NodeQueue, nodes: NodeState, book: Book, guard: Guard, mind: Mind) -> None:
    """Learn from the tasks that have ended, and estimate those that have come."""
    while queue.counts[SEEN_FINISHED] < state.counters[N_FINISHED]:
        ended = state.finish_log[queue.counts[SEEN_FINISHED]]
        queue.counts[SEEN_FINISHED] += 1
        placement.note(state.node[ended], 1, request_of(problem, queue, ended), nodes)
        run = np.log(max(state.finish[ended] - state.start[ended], LEAST_S))
        if mind.estimate == 1:
            asked = np.log(max(problem.requested[ended], LEAST_S))
            note_outcome(guard, 0, abs(mind.log_estimate[ended] - run), abs(asked - run))
        if mind.online == 1:
            note_end(problem, state, book, ended)
    for position in range(queue.counts[SORTED], state.counters[QUEUE_SIZE]):
        task = state.queue[position]
        _estimate(problem, state, book, mind, task)
        note_submit(book, task, state.clock[0])
    by = who_decides(guard)
    key = mind.model_key if by == _MODEL else mind.rule_key
    first = queue.counts[SORTED]
    if (by == _MODEL) != (mind.counts[_DECIDES] == _MODEL):
        # The queue stands in the other order.
        first = 0
        queue.counts[SORTED] = 0
    mind.counts[_DECIDES] = by
    for position in range(first, state.counters[QUEUE_SIZE]):
        queue.key[state.queue[position]] = key[state.queue[position]]


@compiled_entry
def run_learned_nodes(
    problem: Problem,
    truth: Law,
    state: State,
    queue: NodeQueue,
    nodes: NodeState,
    rules: tuple[PlacementRule, ...],
    behind: PlacementRule,
    book: Book,
    guard: Guard,
    mind: Mind,
    until_arrived: int,
    until_s: float,
) -> None:
    """Run until so many tasks have arrived, or through all events before a time; call it again on the same arrays to go on."""
    rows = state.queue
    while state.counters[NEXT_ARRIVAL] < until_arrived and next_event_s(problem, state) < until_s:
        advance(problem, state)
        _take_in(problem, state, queue, nodes, book, guard, mind)
        by = mind.counts[_DECIDES]
        sort_queue(problem, state, queue)
        queue.counts[PASS] += 1
        any_held = False
        kept = 0
        for position in range(state.counters[QUEUE_SIZE]):
            task = rows[position]
            kind = queue.request_class[task]
            if queue.failed_in[kind] != queue.counts[PASS]:
                data_missing = close_where_data_is_missing(problem, state, nodes, task)
                asked = request_of(problem, queue, task)
                if by == _MODEL:
                    node, gpu_mask = _place_mixed(asked, nodes, rules, mind)
                else:
                    node, gpu_mask = placement.place(asked, nodes, behind)
                if node >= 0 and task == mind.counts[_WATCHED]:
                    _watch(state, asked, nodes, rules, mind, position, kept)
                if data_missing:
                    for other in range(len(problem.node_cores)):
                        nodes.closed[other] &= ~NODE_CLOSED
                if node >= 0:
                    start_task(problem, truth, state, task, node, gpu_mask, 0.0)
                    state.decided_by[task] = _RANGE if by == _MODEL and mind.strange[task] else by
                    note_start(book, task, state.clock[0])
                    placement.note(node, -1, asked, nodes)
                    continue
                if not data_missing:
                    queue.failed_in[kind] = queue.counts[PASS]
                    hold_back(problem, state, nodes, task)
                    any_held = True
            rows[kept] = task
            kept += 1
        state.counters[QUEUE_SIZE] = kept
        queue.counts[SORTED] = kept
        if any_held:
            nodes.closed[:] = 0


def node_weights(arrays: Mapping[str, NDArray[Any]]) -> FloatArray:
    """Return the weights of a model, which may come from anyone.

    Raises
    ------
    ModelError
        If they are missing, of another number, not finite, or no placement counts.
    """
    weights = arrays.get("weights")
    if weights is None or weights.dtype != np.float64 or weights.shape != (N_WEIGHTS,) or not np.isfinite(weights).all():
        raise ModelError(f"array 'weights' is not what a policy for nodes needs; expected {N_WEIGHTS} finite numbers")
    return np.ascontiguousarray(weights)


def node_ensemble(arrays: Mapping[str, NDArray[Any]]) -> Ensemble:
    """Return the ensemble of a model, which may come from anyone.

    Raises
    ------
    ModelError
        If it is damaged, or looks at more features than there are.
    """
    ensemble = ensemble_from_arrays(arrays, TREES)
    if ensemble.n_features[0] > N_NODE_FEATURES:
        raise ModelError(f"an ensemble looks at {ensemble.n_features[0]} features; expected at most {N_NODE_FEATURES}, those of tasks on nodes")
    return ensemble


class NodeRun:
    """One run of a learned policy on nodes; call it with a fresh state.

    Parameters
    ----------
    policy : CompiledPolicy
        Codes ``estimate`` (`Estimate`) and ``online``; arrays ``weights``, ``objective`` and those of the ensemble. ``fallback``: a rule for nodes
        with a fixed order; None: unguarded.
    workload, cluster, problem, truth
        As everywhere.
    n_recorded : int
        Number of tasks whose features are recorded.
    watch : int
        Row of a task to explain, or -1.

    Attributes
    ----------
    mind : Mind
    book : Book
        Histories.
    record : ShadowRecord
        Comparisons with the rule.
    """

    def __init__(
        self, policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law, *, n_recorded: int = 0, watch: int = -1
    ) -> None:
        if cluster.kind is not ClusterKind.NODES:
            raise IncompatiblePolicyError(policy.name, workload.name, f"it needs nodes; cluster {cluster.name!r} is a {cluster.kind}")
        self._policy, self._workload, self._cluster, self._problem, self._truth = policy, workload, cluster, problem, truth
        tasks, n = workload.tasks, len(workload)
        estimate = Estimate(policy.codes["estimate"])
        self._classes = placement.request_classes(tasks.cores_milli, tasks.gpus, tasks.gpu_share_milli)
        self._behind = policy.fallback
        guarded = self._behind is not None
        rule_order = Order.FCFS if self._behind is None else Order(self._behind.codes["order"])
        counts = np.array([_MODEL, 0, watch], dtype=np.int64)
        self.mind = Mind(
            weights=node_weights(policy.arrays),
            estimate=int(estimate),
            online=policy.codes["online"],
            ensemble=node_ensemble(policy.arrays) if estimate is Estimate.TREES else EMPTY_ENSEMBLE,
            low=np.array([feature.low if guarded else -np.inf for feature in NODES]),
            high=np.array([feature.high if guarded else np.inf for feature in NODES]),
            model_key=np.zeros(n),
            rule_key=static_keys(rule_order, workload),
            log_estimate=np.full(n, np.nan),
            strange=np.zeros(n, dtype=np.bool_),
            x=np.zeros(N_NODE_FEATURES),
            record=np.zeros((n_recorded, N_NODE_FEATURES)),
            record_task=np.zeros(n_recorded, dtype=np.int64),
            watched=np.full(len(cluster.nodes), np.nan),
            ahead=np.zeros(n + 2, dtype=np.int64),
            counts=counts,
        )
        self._queue = build_node_queue(problem, np.zeros(n), processors(workload), self._classes, -1)
        self.book = build_book(tasks)
        self.guard = build_guard(1, guarded=guarded, cold=False, limits=np.array(GUARD_LIMITS))
        self.record = ShadowRecord()
        self._known = self.book.table.copy()
        # Tasks that had arrived at the last comparison.
        self._compared = np.zeros(1, dtype=np.int64)
        self._typical = placement.typical_requests(tasks.cores_milli, tasks.gpus, tasks.gpu_share_milli)
        self._parts: tuple[NodeState, tuple[PlacementRule, ...], PlacementRule] | None = None

    def step(self, state: State, until_arrived: int, until_s: float = np.inf) -> None:
        """Go on until so many tasks have arrived, or through all events before a time, without comparisons."""
        if self._parts is None:
            node_state = placement.node_state(state.free_cores, state.free_mem, self._problem.gpu_ptr, state.gpu_free)
            n_classes = int(self._classes.max(initial=-1)) + 1
            codes = [*MIXED, PlacementCode.FGD if self._behind is None else PlacementCode(self._behind.codes["placement"])]
            *mixed, behind = [placement.placement_rule(code, node_state, n_classes, self._typical, self._policy.seed) for code in codes]
            self._parts = (node_state, tuple(mixed), behind)
        nodes, rules, behind = self._parts
        queue, book, guard, mind = self._queue, self.book, self.guard, self.mind
        run_learned_nodes(self._problem, self._truth, state, queue, nodes, rules, behind, book, guard, mind, until_arrived, float(until_s))

    def __call__(self, state: State, until_s: float = np.inf) -> None:
        """Run through all events before a time, with comparisons if a rule stands behind the model.

        As on a pool (`engine.scored_run`), the last tasks that arrived are replayed: those that ended say little of a policy that puts others off.
        """
        n_tasks, known = len(self._workload), self._known
        while self._behind is not None and (arrived := int(self._compared[0])) < n_tasks:
            until_arrived = arrived + (EARLY_PAUSE if arrived < EARLY else PAUSE)
            self.step(state, until_arrived, until_s)
            arrived = int(state.counters[NEXT_ARRIVAL])
            if arrived < min(until_arrived, n_tasks):
                return
            self._compared[0] = arrived
            last = np.arange(max(0, arrived - LARGEST_BLOCK), arrived)
            rows = last[np.isin(state.status[last], (TaskStatus.READY, TaskStatus.RUNNING, TaskStatus.FINISHED))]
            if len(rows) and arrived < n_tasks:
                self.record.add(int(state.counters[N_FINISHED]), len(rows), *self._replay(state, rows, known))
                self.guard.status[LOSING] = int(self.record.losing)
                known[:] = self.book.table
        self.step(state, n_tasks + 1, until_s)

    def parts(self) -> dict[str, Any]:
        """Return everything that changes in the course of the run besides the state, once it has begun: arrays, and tuples of them."""
        return {
            "queue": self._queue,
            "placing": self._parts,
            "book": self.book,
            "guard": self.guard,
            "mind": self.mind._replace(ensemble=EMPTY_ENSEMBLE),
            "known": self._known,
            "compared": self._compared,
            "record": self.record,
        }

    def _replay(self, state: State, rows: IntArray, known: FloatArray) -> tuple[float, float]:
        """Replay tasks as the model and as the rule decide, on the empty cluster and with the histories of the comparison before.

        A task that has not ended takes what was asked for it, or what it has run so far if that is more.
        """
        started = ~np.isnan(state.start[rows])
        ended = state.status[rows] == TaskStatus.FINISHED
        so_far = np.where(started, state.clock[0] - np.where(started, state.start[rows], 0.0), 0.0)
        run_s = np.where(ended, state.finish[rows] - state.start[rows], np.maximum(self._problem.requested[rows], so_far))
        speed = np.where(started, self._problem.node_speed[np.maximum(state.node[rows], 0)], 1.0)
        part = self._workload.select(rows)
        part = replace(part, truth=replace(part.truth, work_s=run_s * speed), warmup=0.0)
        problem, law = build_problem(part, self._cluster), build_truth(part, self._cluster)
        scores = []
        for by_rule in (False, True):
            run = NodeRun(self._policy, part, self._cluster, problem, law)
            table = known.copy()
            table[:, [RUNNING, WAITING]] = 0.0
            run.book = Book(self.book.user[rows], self.book.klass[rows], table)
            run.guard = build_guard(1, guarded=False)
            run.guard.status[[ENABLED, LOSING]] = int(by_rule)
            replayed = build_state(problem)
            run.step(replayed, len(rows) + 1)
            schedule = schedule_of(problem, replayed, self._policy.name, 0.0)
            scores.append(weighted_objective(measure(part, self._cluster, schedule), self._policy.arrays["objective"]))
        return scores[0], scores[1]


def warm_up_policy() -> CompiledPolicy:
    """Return a policy that runs everything here once."""
    weights = np.zeros(N_WEIGHTS)
    weights[-1] = 1.0
    codes = {"estimate": int(Estimate.REQUEST), "online": 1}
    return CompiledPolicy("warm-up", Mechanism.LEARNED_NODES, codes, arrays={"weights": weights, "objective": np.zeros(6)})
