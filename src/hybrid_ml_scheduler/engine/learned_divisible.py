"""Divisible tasks under a learned policy: the priced rule with predicted times, history that learns while it runs, and a rule behind it.

A task is predicted when it becomes ready: for the CPU and for each GPU model, the history's estimate of its kind, corrected by trees where the policy
has some. While it waits it is predicted anew when the history of its kind has changed noticeably. The decision is the priced rule's in both cases;
what differs between model and rule are the expected times and the prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, DecidedBy, Mechanism
from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Workload, no_edges
from hybrid_ml_scheduler.engine.compiled import compiled_call, compiled_entry
from hybrid_ml_scheduler.engine.divisible import (
    ENERGY_PRICE,
    EXPLORATION,
    N_LEARNED_PARAMS,
    N_PARAMS,
    Desk,
    Placement,
    Rule,
    Split,
    build_desk,
    busy_watts,
    decide_priced,
    explores,
    run_divisible,
)
from hybrid_ml_scheduler.engine.ensemble import EMPTY_ENSEMBLE, Ensemble, ensemble_arrays, ensemble_from_arrays, predict_ensemble
from hybrid_ml_scheduler.engine.events import advance, next_event_s
from hybrid_ml_scheduler.engine.features.divisible import N_FEATURES, fill_features, gpu_held, log_size, observed_cpu, observed_gpu
from hybrid_ml_scheduler.engine.features.history import (
    DEFAULT_SETTINGS,
    N_ALARMS,
    N_SUMS,
    PIVOT_S,
    History,
    W,
    build_history,
    estimate,
    observe,
)
from hybrid_ml_scheduler.engine.guard import COLD, DEFAULT_LIMITS, LOSING, Guard, build_guard, note_outcome, who_decides
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.outcome import schedule_of
from hybrid_ml_scheduler.engine.shadow import OBJECTIVE_METRICS, ShadowRecord, run_in_shadow, weighted_objective
from hybrid_ml_scheduler.engine.state import N_FINISHED, N_STARTED, QUEUE_SIZE, Law, Problem, State, build_state, nominal_law

# Positions in Mind.settings.
LARGEST_LOG, CAUTION = 0, 1
N_SETTINGS = 2
"""`LARGEST_LOG`: a predicted log factor beyond it is out of range. `CAUTION`: standard deviations of the history's estimate that are added to it."""

# Positions in Mind.progress.
OUTCOMES_SEEN, ONLINE, RECORDS = range(3)

_NO_LIMIT = 1 << 62
_REMEMBERED_ROWS = ("predicted", "outcome", "strange", "version", "recorded", "progress")
_MODEL, _EXPLORATION, _RANGE = int(DecidedBy.MODEL), int(DecidedBy.EXPLORATION), int(DecidedBy.FALLBACK_RANGE)
_TRUST = 3.0
"""Outcomes of the referee's cell that weigh as much as the model's prediction, where a replay needs a time that was not observed."""


class Mind(NamedTuple):
    """What a learned policy knows and remembers during a run. Sizes: n tasks, d device classes, F features.

    Attributes
    ----------
    history : History
        What predictions start from; frozen where the policy runs offline.
    referee : History
        The same, from nothing and always learning: what replays take for times that were not observed.
    guard : Guard
    cpu_trees, gpu_trees : Ensemble
        Corrections of the history's estimate; without trees there is none.
    settings : ndarray of float64, shape (N_SETTINGS,)
    low, high : ndarray of float64, shape (F,)
        A task with a feature beyond them is decided with nominal times.
    user : ndarray of int64, shape (n,)
        Codes, 0 where unknown.
    gpu_of_class : ndarray of float64, shape (d,)
        A GPU of each class; -1 for the CPU.
    predicted : ndarray of float64, shape (n, d)
        Logarithm of predicted over nominal work; NaN before the prediction.
    outcome : ndarray of float64, shape (n, d)
        The same as observed; NaN where it was not.
    strange : ndarray of bool, shape (n,)
        Tasks out of range.
    version : ndarray of int64, shape (n,)
        `History.version` of its kind when a task was predicted.
    x : ndarray of float64, shape (F,)
        Scratch.
    recorded : ndarray of float64, shape (n, d, F) or (0, 0, 0)
        Features of the last prediction, for training.
    progress : ndarray of int64, shape (3,)
        Finished tasks taken in; whether the history learns; whether features are recorded.
    """

    history: History
    referee: History
    guard: Guard
    cpu_trees: Ensemble
    gpu_trees: Ensemble
    settings: FloatArray
    low: FloatArray
    high: FloatArray
    user: IntArray
    gpu_of_class: FloatArray
    predicted: FloatArray
    outcome: FloatArray
    strange: NDArray[np.bool_]
    version: IntArray
    x: FloatArray
    recorded: FloatArray
    progress: IntArray


@compiled_call
def _predict(problem: Problem, nominal: Law, expected: Law, mind: Mind, task: int) -> None:
    """Predict a task on every device class, into ``mind.predicted`` and ``expected.factor``."""
    x = mind.x
    strange = False
    for device in range(mind.predicted.shape[1]):
        fill_features(problem, nominal, mind.history, mind.gpu_of_class, task, mind.user[task], device, x)
        for feature in range(len(x)):
            # The negation catches NaN.
            if not mind.low[feature] <= x[feature] <= mind.high[feature]:
                strange = True
        trees = mind.cpu_trees if device == 0 else mind.gpu_trees
        predicted = x[6] + predict_ensemble(trees, x)
        if not abs(predicted) <= mind.settings[LARGEST_LOG]:
            strange = True
        mind.predicted[task, device] = predicted
        expected.factor[task, device] = np.exp(predicted + mind.settings[CAUTION] * x[7])
        if mind.progress[RECORDS] == 1:
            for feature in range(len(x)):
                mind.recorded[task, device, feature] = x[feature]
    if strange:
        for device in range(mind.predicted.shape[1]):
            expected.factor[task, device] = 1.0
    mind.strange[task] = strange
    mind.version[task] = mind.history.version[problem.kind[task]]


@compiled_call
def _learn(problem: Problem, nominal: Law, state: State, mind: Mind, task: int, device: int, y: float) -> None:
    """Take one outcome of a finished task in."""
    mind.outcome[task, device] = y
    note_outcome(mind.guard, device, abs(y - mind.predicted[task, device]), abs(y))
    size = log_size(problem, nominal, task)
    now = state.clock[0]
    kind = problem.kind[task]
    observe(mind.referee, now, kind, device, mind.user[task], size, y)
    if mind.progress[ONLINE] == 1:
        observe(mind.history, now, kind, device, mind.user[task], size, y)


@compiled_call
def _take_in(problem: Problem, nominal: Law, expected: Law, state: State, mind: Mind, known: int) -> None:
    """Learn from the tasks that have finished since the last event, then predict those that came, and those whose kind is seen differently now."""
    for position in range(mind.progress[OUTCOMES_SEEN], state.counters[N_FINISHED]):
        task = state.finish_log[position]
        y = observed_cpu(problem, nominal, state, task)
        if not np.isnan(y):
            _learn(problem, nominal, state, mind, task, 0, y)
        gpu = gpu_held(problem, state, task)
        if gpu >= 0:
            y = observed_gpu(problem, nominal, state, task, gpu)
            if not np.isnan(y):
                _learn(problem, nominal, state, mind, task, 1 + problem.gpu_model[gpu], y)
    mind.progress[OUTCOMES_SEEN] = state.counters[N_FINISHED]
    for position in range(state.counters[QUEUE_SIZE]):
        task = state.queue[position]
        if position >= known or mind.version[task] != mind.history.version[problem.kind[task]]:
            _predict(problem, nominal, expected, mind, task)


@compiled_entry
def run_learned(
    problem: Problem,
    truth: Law,
    nominal: Law,
    predicted: Law,
    state: State,
    learned: Rule,
    rule: Rule,
    desk: Desk,
    mind: Mind,
    until_finished: int,
    until_s: float,
) -> bool:
    """Run a learned policy until so many tasks have finished, or through all events before a time; call it again on the same arrays to go on.

    Returns
    -------
    bool
        False when nothing is left to happen before that time.
    """
    known = state.counters[QUEUE_SIZE]
    while state.counters[N_FINISHED] < until_finished:
        if next_event_s(problem, state) >= until_s:
            return False
        advance(problem, state)
        _take_in(problem, nominal, predicted, state, mind, known)
        known = state.counters[QUEUE_SIZE]
        if known == 0:
            continue
        started = state.counters[N_STARTED]
        decider = who_decides(mind.guard)
        if decider == _MODEL:
            decide_priced(problem, truth, predicted, state, learned, desk)
        else:
            decide_priced(problem, truth, nominal, state, rule, desk)
        for position in range(started, state.counters[N_STARTED]):
            task = state.start_log[position]
            code = decider
            if decider == _MODEL and explores(learned, task):
                code = _EXPLORATION
            elif decider == _MODEL and mind.strange[task]:
                code = _RANGE
            state.decided_by[task] = code
        known = state.counters[QUEUE_SIZE]
    return True


class LearnedRun:
    """One run of a learned policy; call it with a fresh state, or with that of a run of its own to be continued.

    Parameters
    ----------
    policy : CompiledPolicy
        ``codes``: ``guarded``, ``online``, ``records``; ``refused`` where the rule shall decide throughout. ``arrays``: see `learned_arrays`.
        ``fallback``: the priced rule.
    workload, cluster, problem, truth
        As everywhere.

    Attributes
    ----------
    mind : Mind
        What the policy knows, has predicted and has seen.
    record : ShadowRecord
        Comparisons with the rule.
    desk : Desk
        Of the run.
    """

    def __init__(self, policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> None:
        if policy.fallback is None:
            raise IncompatiblePolicyError(policy.name, workload.name, "it is a learned policy without a rule behind it")
        watts = busy_watts(cluster)
        params = policy.params
        if params[ENERGY_PRICE] > 0.0 and np.isnan(watts).any():
            raise IncompatiblePolicyError(policy.name, workload.name, f"cluster {cluster.name!r} does not say what all of its devices draw")
        arrays, n = policy.arrays, len(workload)
        n_classes = 1 + len(cluster.gpu_models)
        # By the names, because a task of any of them may come later.
        n_kinds = max(int(problem.kind.max(initial=0)) + 1, len(workload.tasks.kind_names))
        user = np.zeros(n, dtype=np.int64) if workload.tasks.user is None else np.maximum(workload.tasks.user, 0).astype(np.int64)
        n_users = max(int(user.max(initial=0)) + 1, len(workload.tasks.user_names))
        gpu_of_class = np.full(n_classes, -1.0)
        for gpu in reversed(range(len(problem.gpu_model))):
            gpu_of_class[1 + problem.gpu_model[gpu]] = gpu
        guarded = bool(policy.codes["guarded"])
        records = bool(policy.codes["records"])
        self._workload, self._cluster, self._problem, self._truth = workload, cluster, problem, truth
        self._weights = arrays["objective"]
        self._nominal = nominal_law(problem)
        self._expected = self._nominal._replace(factor=np.ones((n, n_classes)))
        self.desk = build_desk(problem)
        self.draw = np.random.default_rng(policy.seed).random((n, 2))
        held_w = np.where(np.isnan(watts), 0.0, watts)
        self._learned = _rule(params, self.draw, held_w, workload.tasks.task_id)
        self._rule = _rule(policy.fallback.params, self.draw, held_w, workload.tasks.task_id)
        self._guarded = guarded
        self._refused = guarded and bool(policy.codes.get("refused", 0))
        self.record = ShadowRecord()
        self.mind = Mind(
            history=build_history(
                n_kinds, n_classes, n_users, sums=_at_least(arrays["sums"], n_kinds, n_classes), settings=arrays["history_settings"]
            ),
            referee=build_history(n_kinds, n_classes, n_users),
            guard=build_guard(n_classes, guarded=guarded, limits=arrays["guard_limits"]),
            cpu_trees=ensemble_from_arrays(arrays, "cpu"),
            gpu_trees=ensemble_from_arrays(arrays, "gpu"),
            settings=arrays["settings"].copy(),
            low=arrays["low"].copy(),
            high=arrays["high"].copy(),
            user=user,
            gpu_of_class=gpu_of_class,
            predicted=np.full((n, n_classes), np.nan),
            outcome=np.full((n, n_classes), np.nan),
            strange=np.zeros(n, dtype=np.bool_),
            version=np.zeros(n, dtype=np.int64),
            x=np.zeros(N_FEATURES),
            recorded=np.full((n, n_classes, N_FEATURES), np.nan) if records else np.zeros((0, 0, 0)),
            progress=np.array([0, policy.codes["online"], int(records)], dtype=np.int64),
        )

    def __call__(self, state: State, until_s: float = np.inf) -> None:
        """Run through all events before a time; to the end, if none is given."""
        if not self._guarded:
            self.step(state, _NO_LIMIT, until_s)
            return

        def step(until: int, losing: bool) -> None:
            status = self.mind.guard.status
            # Before the first comparison nothing says that the model may decide.
            status[COLD] = int(not self.record.finished)
            status[LOSING] = int(losing or self._refused)
            self.step(state, until, until_s)

        self.record = run_in_shadow(state, step, lambda rows: self._replay(state, rows), self.record)

    def step(self, state: State, until_finished: int, until_s: float = np.inf) -> bool:
        """Go on until so many tasks have finished, without comparisons; False when nothing is left to happen before ``until_s``."""
        nominal, expected = self._nominal, self._expected
        return run_learned(
            self._problem, self._truth, nominal, expected, state, self._learned, self._rule, self.desk, self.mind, until_finished, float(until_s)
        )

    @property
    def factor(self) -> FloatArray:
        """Predicted factors of every task on every device class, shape (n, d); 1 before the prediction."""
        return self._expected.factor

    def carry(self, old: LearnedRun, keep: IntArray, dropped: int, *, knows: bool = True) -> None:
        """Take over what another run of this policy, or of another version of it, knows and remembers.

        Parameters
        ----------
        old : LearnedRun
            On other tasks of the same stream.
        keep : ndarray of int64, shape (m,)
            Its rows that are the first rows here.
        dropped : int
            Finished tasks of its log that are no longer in the log here.
        knows : bool
            Whether the history comes along too. If not, this is another version of the model: it begins with what it was compiled with, and the
            tasks that wait are predicted anew.
        """
        mind, before = self.mind, old.mind
        for name in ("predicted", "outcome", "strange", "version", "recorded"):
            rows = getattr(before, name)
            if len(rows):
                getattr(mind, name)[: len(keep)] = rows[keep]
        self.factor[: len(keep)] = old.factor[keep]
        if not knows:
            mind.version[: len(keep)] = -1
        self.mind = mind._replace(history=before.history if knows else mind.history, referee=before.referee, guard=before.guard)
        mind.progress[OUTCOMES_SEEN] = before.progress[OUTCOMES_SEEN] - dropped
        self.record = old.record
        self.record.shift(dropped)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore` needs to make a run of the same policy over the same tasks stand where this one does; desk and draws apart."""
        mind, record = self.mind, self.record
        found: dict[str, NDArray[Any]] = {f"mind.{name}": getattr(mind, name) for name in _REMEMBERED_ROWS}
        for part in ("history", "referee", "guard"):
            found |= {f"mind.{part}.{name}": column for name, column in getattr(mind, part)._asdict().items()}
        found["mind.factor"] = self.factor
        found["record.finished"] = np.array(record.finished, dtype=np.int64)
        found["record.log_ratio"] = np.array(record.log_ratio, dtype=np.float64)
        found["record.rule_decides"] = np.array(record.rule_decides, dtype=np.bool_)
        found["record.record"] = np.array([record.record])
        return found

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Stand where `arrays` was called.

        Raises
        ------
        KeyError, ValueError
            If something is missing or of the wrong shape.
        """
        for name in _REMEMBERED_ROWS:
            getattr(self.mind, name)[...] = arrays[f"mind.{name}"]
        for part in ("history", "referee", "guard"):
            for name, column in getattr(self.mind, part)._asdict().items():
                column[...] = arrays[f"mind.{part}.{name}"]
        self.factor[...] = arrays["mind.factor"]
        self.record = ShadowRecord(
            arrays["record.finished"].tolist(),
            arrays["record.log_ratio"].tolist(),
            arrays["record.rule_decides"].tolist(),
            float(arrays["record.record"][0]),
        )

    @property
    def alarms(self) -> tuple[FloatArray, IntArray]:
        """When the history's detectors rang, shape (m,), and for which kind (-1: all) and device class, shape (m, 2)."""
        n = min(int(self.mind.history.counters[N_ALARMS]), len(self.mind.history.alarm_s))
        return self.mind.history.alarm_s[:n].copy(), self.mind.history.alarm_cell[:n].copy()

    def _replay(self, state: State, rows: IntArray) -> tuple[float, float]:
        rows = rows[np.argsort(state.ready[rows], kind="stable")]
        problem = _block(self._problem, state, rows)
        nominal = Law(*(array[rows] if len(array) == len(self._workload) else array for array in self._nominal))
        # Arrays whose length happens to equal the number of tasks are set one by one.
        nominal = nominal._replace(slowdown=self._nominal.slowdown, regime_start=self._nominal.regime_start, factor=np.zeros((0, 0)))
        times = nominal._replace(factor=np.exp(self._observed_or_guessed(rows)))
        expected = nominal._replace(factor=self._expected.factor[rows])
        return self._value(problem, state, rows, times, expected, self._learned), self._value(problem, state, rows, times, nominal, self._rule)

    def _observed_or_guessed(self, rows: IntArray) -> FloatArray:
        """Return log factors of finished tasks: observed, or what history and model say, moved by how the task came out elsewhere."""
        mind = self.mind
        outcome, predicted = mind.outcome[rows], np.clip(np.nan_to_num(mind.predicted[rows]), -3.0, 3.0)
        guess = np.empty_like(predicted)
        for place, task in enumerate(rows):
            kind = self._problem.kind[task]
            size = np.log(max(self._nominal.work[task], 1e-6) / PIVOT_S)
            for device in range(guess.shape[1]):
                trust = mind.referee.sums[kind, device, W]
                guess[place, device] = (trust * estimate(mind.referee, kind, device, size)[0] + _TRUST * predicted[place, device]) / (trust + _TRUST)
        known = ~np.isnan(outcome)
        moved = np.where(known, outcome - guess, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return np.where(known, outcome, guess + moved[:, np.newaxis])

    def _value(self, problem: Problem, state: State, rows: IntArray, times: Law, expected: Law, rule: Rule) -> float:
        run = build_state(problem)
        small = rule._replace(key=rule.key[rows], draw=rule.draw[rows], task_id=rule.task_id[rows])
        run_divisible(problem, times, expected, run, small, build_desk(problem), np.inf)
        cut = replace(self._workload, warmup=0.0).select(rows)
        edges: dict[str, Any] = dict(no_edges(len(rows)))
        cut = replace(cut, tasks=replace(cut.tasks, arrival_s=problem.arrival, **edges))
        return weighted_objective(measure(cut, self._cluster, schedule_of(problem, run, "replay", 0.0)), self._weights)


def _rule(params: FloatArray, draw: FloatArray, held_w: FloatArray, task_id: IntArray) -> Rule:
    return Rule(
        placement=int(Placement.PRICED),
        split=int(Split.ANY),
        commit=0,
        key=np.zeros(len(draw)),
        priced_order=1,
        params=np.ascontiguousarray(params, dtype=np.float64),
        draw=draw,
        qilin=np.zeros((1, 1, 4)),
        held_w=held_w,
        task_id=task_id.astype(np.int64),
    )


def _at_least(sums: FloatArray, n_kinds: int, n_classes: int) -> FloatArray:
    """Return the sums of a workload's kinds; kinds that the policy was not compiled for have none."""
    padded = np.zeros((n_kinds, n_classes, N_SUMS))
    padded[: sums.shape[0], : sums.shape[1]] = sums[:n_kinds, :n_classes]
    return padded


def _block(problem: Problem, state: State, rows: IntArray) -> Problem:
    """Return the problem of some tasks alone: each arrives when it became ready, and waits for nobody's data."""
    columns = ("cores", "gpus", "share", "mem", "mem_mb", "requested", "size", "intensity", "kind", "fits")
    nobody = np.zeros(len(rows) + 1, dtype=np.int64)
    no_rows = np.zeros(0, dtype=np.int64)
    return problem._replace(
        arrival=state.ready[rows],
        parent_ptr=nobody,
        parent_idx=no_rows,
        edge_s=np.zeros(0),
        edge_mb=np.zeros(0),
        child_ptr=nobody,
        child_idx=no_rows,
        child_edge=no_rows,
        **{name: getattr(problem, name)[rows] for name in columns},
    )


def learned_arrays(
    sums: FloatArray,
    *,
    cpu_trees: Ensemble = EMPTY_ENSEMBLE,
    gpu_trees: Ensemble = EMPTY_ENSEMBLE,
    settings: FloatArray | None = None,
    history_settings: FloatArray | None = None,
    guard_limits: FloatArray | None = None,
    low: FloatArray | None = None,
    high: FloatArray | None = None,
    objective: FloatArray | None = None,
) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a compiled policy of this mechanism.

    Parameters
    ----------
    sums : ndarray of float64, shape (kinds, 1 + GPU models, N_SUMS)
        What the history knows before the first task, in the order of the workload's kinds and the cluster's models.
    cpu_trees, gpu_trees : Ensemble
        Corrections of the history's estimates.
    settings : ndarray of float64, shape (N_SETTINGS,), optional
        4 and 0 if left out.
    history_settings, guard_limits : ndarray of float64, optional
        The defaults of `features.history` and `guard` if left out.
    low, high : ndarray of float64, shape (N_FEATURES,), optional
        Range of the features; any number if left out.
    objective : ndarray of float64, shape (6,), optional
        Weights of `shadow.OBJECTIVE_METRICS`; the mean response time if left out.
    """
    response = np.array([float(name == "mean_response_s") for name in OBJECTIVE_METRICS])
    return {
        "sums": np.asarray(sums, dtype=np.float64),
        "settings": np.array([4.0, 0.0]) if settings is None else settings,
        "history_settings": np.array(DEFAULT_SETTINGS) if history_settings is None else history_settings,
        "guard_limits": np.array(DEFAULT_LIMITS) if guard_limits is None else guard_limits,
        "low": np.full(N_FEATURES, -np.inf) if low is None else low,
        "high": np.full(N_FEATURES, np.inf) if high is None else high,
        "objective": response if objective is None else objective,
        **ensemble_arrays(cpu_trees, "cpu"),
        **ensemble_arrays(gpu_trees, "gpu"),
    }


def learned_params(prices: FloatArray, *, energy_price: float = 0.0, exploration: float = 0.0) -> FloatArray:
    """Return the parameters of a learned rule: nine prices as of `priced`, seconds per joule, and the share of tasks that try a random option."""
    params = np.zeros(N_LEARNED_PARAMS)
    params[:N_PARAMS] = prices[:N_PARAMS]
    params[ENERGY_PRICE], params[EXPLORATION] = energy_price, exploration
    return params


def prepare_learned(policy: CompiledPolicy, workload: Workload, cluster: Cluster, problem: Problem, truth: Law) -> LearnedRun:
    """Return the run of a learned policy; see `mechanisms.prepare`.

    Raises
    ------
    IncompatiblePolicyError
        If the policy has no rule behind it, or its prices need watts that the cluster does not name.
    """
    return LearnedRun(policy, workload, cluster, problem, truth)


def warm_up_policy() -> CompiledPolicy:
    """Return a policy that runs everything that has to be compiled, on one task."""
    params = learned_params(np.ones(N_PARAMS))
    rule = CompiledPolicy("warm-up", Mechanism.DIVISIBLE, params=params[:N_PARAMS])
    codes = {"guarded": 0, "online": 1, "records": 0}
    return CompiledPolicy("warm-up", Mechanism.LEARNED_DIVISIBLE, codes, params, arrays=learned_arrays(np.zeros((1, 2, N_SUMS))), fallback=rule)
