"""Training of policies for task graphs on unrelated machines.

``rl_agent``: vectors of a list scheduler (`engine.list_plan`), found one after the other by direct policy search over whole plans: each is searched
to add most to those before it (the greedy construction of a portfolio, as in Hydra [1]_).

``hybrid_ml``: how far estimates are off, as three variances fitted by maximum likelihood to run times observed under a rule; then, on validation, how
large a correction or a delay must be before the rest is planned anew. Its vectors are those of HEFT and PEFT.

References
----------
.. [1] Xu, Hoos, Leyton-Brown, "Hydra: automatically configuring algorithms for portfolio-based selection", AAAI 2010.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Workload, WorkloadKind
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.features.kernels import graph_features
from hybrid_ml_scheduler.engine.kernel_history import SHORTEST_S
from hybrid_ml_scheduler.engine.list_plan import W_OCT, build_desk, list_plan
from hybrid_ml_scheduler.engine.plan_search import N_FEATURES, VECTOR_LENGTH, SearchEffort, best_plan, build_view, machine_classes
from hybrid_ml_scheduler.engine.state import build_problem
from hybrid_ml_scheduler.learning.arrays import arrays_digest
from hybrid_ml_scheduler.learning.card import ModelCard, model_name
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.kernels import FEATURE_NAMES, LARGEST_WEIGHT, OBJECTIVES, compile_learned
from hybrid_ml_scheduler.learning.provider import parse_spelling
from hybrid_ml_scheduler.learning.search import TRAINING, CurvePoint, search
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, Step, TrainingRequest
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.binding import bind_to_cluster
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.kernel_graphs import Misjudged, generate_kernel_graph, misjudge
from hybrid_ml_scheduler.workloads.open import open_workload

GENERATED = "kernel graphs"
"""What stands in the card for `workloads.kernel_graphs`."""

N_VECTORS = 6
N_TRAINING, N_VALIDATION = 288, 96
"""Generated cases; training takes turns with a ninth of them per generation."""

LARGEST_CASE = 500
"""Tasks of a training case: larger ones are passed over, since they would take most of the time."""

FILE_SIGMA = 0.2
"""Standard deviation of the logarithm by which the costs of a file's kernels are changed, per kernel and class of machines, for each of its cases."""

SEARCH_STEPS = 2_000
SEARCH_WORK = 3e7
AGAIN_STEPS = 100
DELAY = 0.01
"""When ``rl_agent`` plans anew: what validation chose for ``hybrid_ml``."""

_TURNS = 9
GENERATIONS = 240
"""Generations per vector, unless the request names a number or the time budget ends the first search earlier."""

_PATIENCE = 120  # generations without a better validation score
_OWN_SHARE = 0.1  # of a vector's own score, beside what it adds: so that the search does not stand on a plateau
_PRIORITY_SIGMA, _WEIGHT_SIGMA = 0.3, 0.4

WRONG = (Misjudged(0.0, 0.0, 0.0), Misjudged(0.2, 0.2, 0.05), Misjudged(0.0, 0.5, 0.1), Misjudged(0.5, 0.2, 0.1), Misjudged(0.0, 0.0, 0.3))
"""How wrong the estimates of hybrid_ml's training and validation cases are, in turn."""

_CORRECTIONS, _DELAYS = (0.02, 0.1, 0.3), (0.01, 0.05, 0.2)
"""Thresholds of planning anew that are tried on validation."""


def heft_vector() -> FloatArray:
    """Return the vector with which the list scheduler is HEFT."""
    vector = np.zeros(VECTOR_LENGTH)
    vector[FEATURE_NAMES.index("up_mean")] = 1.0
    return vector


def peft_vector() -> FloatArray:
    """Return the vector with which the list scheduler is PEFT."""
    vector = np.zeros(VECTOR_LENGTH)
    vector[FEATURE_NAMES.index("rest_mean")] = 1.0
    vector[N_FEATURES + W_OCT] = 1.0
    return vector


@dataclass(frozen=True, slots=True)
class Cases:
    """Where training graphs come from; picklable.

    Attributes
    ----------
    specs : tuple of str
        Files; empty for generated graphs.
    first_seed : int
    count : int
    """

    specs: tuple[str, ...]
    first_seed: int
    count: int

    def open(self) -> list[tuple[Workload, Cluster]]:
        """Return the graphs, in order.

        Raises
        ------
        InputError
            If a file is no graph on unrelated machines with costs.
        """
        if not self.specs:
            found: list[tuple[Workload, Cluster]] = []
            seed = self.first_seed
            while len(found) < self.count:
                case = generate_kernel_graph(seed)
                if len(case[0]) <= LARGEST_CASE:
                    found.append(case)
                seed += 1
            return found
        files = [_open_graph(spec) for spec in self.specs]
        cases = []
        for number in range(self.count):
            workload, cluster = files[number % len(files)]
            changed = misjudge(workload, Misjudged(0.0, FILE_SIGMA, 0.0), self.first_seed + number)
            # Here the changed costs are the visible ones too: another graph, not a wrong estimate.
            cases.append((replace(changed, tasks=replace(changed.tasks, cost_s=changed.truth.cost_s)), cluster))
        return cases


def _open_graph(spec: str) -> tuple[Workload, Cluster]:
    workload = open_workload(spec)
    if workload.kind is not WorkloadKind.MACHINES:
        raise InputError(
            f"workload {spec!r} has {workload.kind} tasks; expected a task graph on unrelated machines, or no workload for generated ones"
        )
    cluster = default_cluster(workload)
    if cluster.kind is not ClusterKind.MACHINES:
        raise InputError(f"workload {spec!r} runs on {cluster.name!r}; expected a graph with a cost per machine")
    return bind_to_cluster(workload, cluster), cluster


class VectorProblem:
    """Scores a vector: mean logarithm of its planned objective over that of the best rule, where vectors that were found before it help.

    Parameters
    ----------
    specs : tuple of str
        Files, or none.
    aim : tuple of (float, float)
        What a second of the makespan and of the mean response counts.
    found : tuple of tuple of float
        Vectors that are there already.
    sizes : tuple of (int, int)
        Cases for training and validation.
    """

    def __init__(self, specs: tuple[str, ...], aim: tuple[float, float], found: tuple[tuple[float, ...], ...], sizes: tuple[int, int]) -> None:
        self._aim = aim
        training = Cases(specs, FIRST_TRAINING_SEED, sizes[0]).open()
        validation = Cases(specs, FIRST_VALIDATION_SEED, sizes[1]).open()
        self._cases = {True: [_PlanCase(*case, aim) for case in training], False: [_PlanCase(*case, aim) for case in validation]}
        for vector in found:
            for case in (*self._cases[True], *self._cases[False]):
                case.keep(np.array(vector))

    def score(self, vector: FloatArray, split: str, generation: int) -> float:
        """Return the score of a vector; see `learning.search.SearchProblem`."""
        cases = self._cases[split == TRAINING]
        if split == TRAINING:
            cases = cases[generation % _TURNS :: _TURNS] or cases
        scores = [case.score(vector) for case in cases]
        together, own = np.mean(scores, axis=0)
        return float(together + _OWN_SHARE * own) if split == TRAINING else float(together)


class _PlanCase:
    """One graph, its features, and how good its best rule is."""

    def __init__(self, workload: Workload, cluster: Cluster, aim: tuple[float, float]) -> None:
        problem = build_problem(workload, cluster)
        n_tasks, n_machines = problem.cost.shape
        self._first = float(problem.arrival.min())
        self._mean_arrival = float(problem.arrival.mean())
        self._aim, self._n = aim, n_tasks
        self._view = build_view(problem, problem.cost)
        self._features, self._scores = graph_features(self._view)
        self._desk = build_desk(n_tasks, n_machines)
        self._nobody = np.full(n_tasks, -1, dtype=np.int64)
        rules = best_plan(problem, problem.cost, heft_vector()[None, :], aim=np.array(aim) / [1.0, n_tasks], effort=SearchEffort(0, 0.0), seed=0)
        self._rule = min(self._objective(value) for name, value in rules.values.items() if not name.startswith("vector"))
        self._best = self._rule

    def _objective(self, value: float) -> float:
        return value - self._aim[0] * self._first - self._aim[1] * self._mean_arrival

    def _plan(self, vector: FloatArray) -> float:
        priority = np.ascontiguousarray(self._features @ vector[:N_FEATURES])
        weights = np.ascontiguousarray(vector[N_FEATURES:])
        latest, total = list_plan(self._view, self._scores, priority, weights, self._nobody, self._desk)
        return self._objective(self._aim[0] * latest + self._aim[1] * total / self._n)

    def keep(self, vector: FloatArray) -> None:
        self._best = min(self._best, self._plan(vector))

    def score(self, vector: FloatArray) -> tuple[float, float]:
        if np.any(np.abs(vector) > LARGEST_WEIGHT):
            return np.inf, np.inf
        value = self._plan(vector)
        return float(np.log(min(value, self._best) / self._rule)), float(np.log(value / self._rule))


def train(request: TrainingRequest, tell: Step) -> Model:
    """Train a model for task graphs.

    Parameters
    ----------
    request : TrainingRequest
        ``workloads``: files of graphs with costs, whose costs are varied to make cases; none for generated graphs. ``generations`` counts per
        vector; ``budget_s`` is shared by all vectors.
    tell : callable

    Returns
    -------
    Model

    Raises
    ------
    InputError
        If the objective is anything but makespan and mean response, or a workload is no graph with costs.
    """
    weights = dict(request.objective.weights)
    other = [name for name in weights if name not in OBJECTIVES]
    if other:
        raise InputError(f"objective {request.objective.text!r}: a plan does not say its {other[0]}; expected {' or '.join(OBJECTIVES)}")
    aim = (weights.get("makespan", 0.0), weights.get("mean_response", 0.0))
    return train_vectors(request, aim, tell) if request.policy == "rl_agent" else train_history(request, tell)


def train_vectors(request: TrainingRequest, aim: tuple[float, float], tell: Step, *, sizes: tuple[int, int] = (N_TRAINING, N_VALIDATION)) -> Model:
    """Search the vectors of ``rl_agent``; ``sizes`` are the numbers of training and validation cases."""
    found: list[tuple[float, ...]] = []
    curve: list[dict[str, Any]] = []
    validation = 0.0
    sigma = np.array([_PRIORITY_SIGMA] * N_FEATURES + [_WEIGHT_SIGMA] * (VECTOR_LENGTH - N_FEATURES))
    # The first search decides how many generations each gets, so that naming that number repeats all of them exactly.
    generations, budget_s = request.generations or GENERATIONS, request.budget_s / N_VECTORS
    for number in range(N_VECTORS):
        tell(f"vector {number + 1} of {N_VECTORS}", None)
        factory = partial(VectorProblem, request.workloads, aim, tuple(found), sizes)
        checkpoint = request.checkpoint and request.checkpoint.with_name(f"{request.checkpoint.name}.vector{number}")
        result = search(
            factory,
            peft_vector() if number % 2 == 0 else heft_vector(),
            sigma,
            seed=request.seed + number,
            jobs=request.jobs,
            budget_s=budget_s if number == 0 else None,
            generations=generations,
            patience=_PATIENCE,
            checkpoint=checkpoint,
            tell=lambda point: tell("search", point),
        )
        found.append(tuple(result.vector.tolist()))
        if number == 0 and result.ended == "budget":
            generations = result.generations
        validation = result.validation
        curve += _steps_forward(number, result.curve)
    cases = _both(request.workloads, sizes)
    metrics = {"validation_log_ratio_to_best_rule": validation}
    parameters = {"steps": SEARCH_STEPS, "work": SEARCH_WORK, "again_steps": AGAIN_STEPS, "delay": DELAY}
    rebuilt = replace(request, command=request.rebuilt_by(generations))
    return _model(rebuilt, cases, {"vectors": np.array(found)}, parameters, metrics, curve)


def _steps_forward(vector: int, curve: Sequence[CurvePoint]) -> list[dict[str, Any]]:
    """Return the start, every generation that was better on validation than all before, and the last one."""
    kept = [curve[0], *(point for before, point in pairwise(curve) if point.best < before.best), curve[-1]]
    return [
        {"vector": vector, "generation": point.generation, "evaluations": point.evaluations, "training": point.training, "best": point.best}
        for point in kept
    ]


def train_history(request: TrainingRequest, tell: Step, *, sizes: tuple[int, int] = (N_TRAINING, N_VALIDATION)) -> Model:
    """Fit the variances of ``hybrid_ml`` and choose when to plan anew."""
    began = time.monotonic()
    tell("run times observed under dmda", None)
    training, validation = _both(request.workloads, sizes)
    variances = fit_variances([_observed(*_wrong(number, case)) for number, case in enumerate(training)])
    parameters: dict[str, Any] = {"steps": SEARCH_STEPS, "work": SEARCH_WORK, "again_steps": AGAIN_STEPS}
    parameters |= dict(zip(("variance_class", "variance_kind", "variance_task"), variances, strict=True))
    arrays = {"vectors": np.stack([heft_vector(), peft_vector()])}
    wrong = [_wrong(number, case) for number, case in enumerate(validation)]
    best_rule = [_best_rule_s(workload, cluster) for workload, cluster in wrong]
    tried = []
    for number, (correction, delay) in enumerate(product(_CORRECTIONS, _DELAYS)):
        model = _model(request, (training, validation), arrays, {**parameters, "correction": correction, "delay": delay}, {}, [])
        policies = [compile_learned("hybrid_ml", parse_spelling("hybrid_ml"), model, *case, request.seed) for case in wrong]
        ratios = [_makespan_s(*case, policy) / rule_s for case, policy, rule_s in zip(wrong, policies, best_rule, strict=True)]
        score = float(np.mean(np.log(ratios)))
        tried.append((score, number, model))
        best = min(entry[0] for entry in tried)
        tell("thresholds", CurvePoint(number, number + 1, time.monotonic() - began, score, score, best))
    score, _, model = min(tried, key=lambda entry: entry[:2])
    curve = [{"correction": c, "delay": d, "validation": s} for (c, d), (s, _, _) in zip(product(_CORRECTIONS, _DELAYS), tried, strict=True)]
    return replace(
        model, card=replace(model.card, metrics={"validation_log_ratio_to_best_rule": score}, training={**model.card.training, "curve": curve})
    )


def _both(specs: tuple[str, ...], sizes: tuple[int, int]) -> tuple[list[tuple[Workload, Cluster]], list[tuple[Workload, Cluster]]]:
    return Cases(specs, FIRST_TRAINING_SEED, sizes[0]).open(), Cases(specs, FIRST_VALIDATION_SEED, sizes[1]).open()


def _wrong(number: int, case: tuple[Workload, Cluster]) -> tuple[Workload, Cluster]:
    return misjudge(case[0], WRONG[number % len(WRONG)], FIRST_TRAINING_SEED + number), case[1]


def _makespan_s(workload: Workload, cluster: Cluster, policy: CompiledPolicy) -> float:
    return float(simulate(workload, cluster, policy).finish_s.max() - workload.tasks.arrival_s[0])


RULES = ("heft", "peft", "dmda")
"""What hybrid_ml is measured against on wrong estimates."""


def _best_rule_s(workload: Workload, cluster: Cluster) -> float:
    makespans = []
    for rule in RULES:
        policy = compile_policy(rule, workload, cluster)
        assert isinstance(policy, CompiledPolicy)  # noqa: S101 - rules are
        makespans.append(_makespan_s(workload, cluster, policy))
    return min(makespans)


@dataclass(frozen=True, slots=True)
class Observed:
    """Outcomes of one run under a rule: the cell (kind x class) of each task, and the logarithm of observed over estimated time."""

    kind: IntArray
    machine_class: IntArray
    log_ratio: FloatArray


def _observed(workload: Workload, cluster: Cluster) -> Observed:
    """Run dmda, and return what a real system would know afterwards: the times of the machines that were taken."""
    policy = compile_policy("dmda", workload, cluster)
    schedule = simulate(workload, cluster, policy)
    tasks = workload.tasks
    assert tasks.cost_s is not None  # noqa: S101 - simulate refuses a graph without costs
    estimate_s = tasks.cost_s[np.arange(len(tasks)), schedule.node]
    ratio = np.log(np.maximum(schedule.finish_s - schedule.start_s, SHORTEST_S) / np.maximum(estimate_s, SHORTEST_S))
    kind = tasks.kind if tasks.kind is not None else np.zeros(len(tasks), dtype=np.int64)
    return Observed(kind, machine_classes(tasks.cost_s)[schedule.node], ratio)


class _Cells(NamedTuple):
    """Of one class in one run: number, mean, and squares within, of every cell that was observed."""

    number: FloatArray
    mean: FloatArray
    within: FloatArray


def fit_variances(runs: Sequence[Observed]) -> tuple[float, float, float]:
    """Fit the variances of `engine.kernel_history` by maximum likelihood.

    Parameters
    ----------
    runs : sequence of Observed
        Effects are drawn anew in every run.

    Returns
    -------
    tuple of float
        Of the classes, of the kinds within a class, and of the tasks; each at least 1e-6.
    """
    from scipy.optimize import minimize

    groups = [_sufficient(run) for run in runs]

    def negative(logs: FloatArray) -> float:
        of_class, of_kind, of_task = np.exp(logs)
        total = 0.0
        for cells in groups:
            for count, mean, within in cells:
                # Within a cell: noise alone; between the cells of a class: a common effect, independent ones, and the noise of a mean.
                total += float(((count - 1.0) * np.log(of_task) + within / of_task).sum())
                own = of_kind + of_task / count
                precision = 1.0 / own
                shared = 1.0 + of_class * precision.sum()
                quadratic = (precision * mean**2).sum() - of_class * (precision * mean).sum() ** 2 / shared
                total += float(np.log(own).sum() + np.log(shared) + quadratic)
        return total

    result = minimize(negative, np.log([0.1, 0.1, 0.05]), method="L-BFGS-B", bounds=[(np.log(1e-6), np.log(10.0))] * 3)
    of_class, of_kind, of_task = np.exp(result.x)
    return float(of_class), float(of_kind), float(of_task)


def _sufficient(run: Observed) -> list[_Cells]:
    groups = []
    for number in np.unique(run.machine_class):
        here = run.machine_class == number
        _, cell = np.unique(run.kind[here], return_inverse=True)
        count = np.bincount(cell).astype(np.float64)
        mean = np.bincount(cell, weights=run.log_ratio[here]) / count
        within = np.bincount(cell, weights=(run.log_ratio[here] - mean[cell]) ** 2)
        groups.append(_Cells(count.astype(np.float64), mean, within.astype(np.float64)))
    return groups


def _model(
    request: TrainingRequest,
    cases: tuple[list[tuple[Workload, Cluster]], list[tuple[Workload, Cluster]]],
    arrays: dict[str, NDArray[Any]],
    parameters: dict[str, Any],
    metrics: dict[str, float],
    curve: list[dict[str, Any]],
) -> Model:
    workloads = [workload for split in cases for workload, _ in split]
    content: dict[str, NDArray[Any]] = {f"parents {number}": workload.tasks.parent_idx for number, workload in enumerate(workloads)}
    content |= {f"cost {number}": workload.truth.cost_s for number, workload in enumerate(workloads) if workload.truth.cost_s is not None}
    training = {
        "workloads": list(request.workloads) or [GENERATED],
        "spans": [[FIRST_TRAINING_SEED, len(cases[0])], [FIRST_VALIDATION_SEED, len(cases[1])]],
        "seeds": [FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED],
        "tasks": int(sum(len(workload) for workload in workloads)),
        "sha256": arrays_digest(content),
        "curve": curve,
    }
    card = ModelCard(
        name=model_name(request.policy, "kernels", request.objective.text),
        policy=request.policy,
        kind="kernels",
        objective=request.objective.text,
        created=request.created,
        seed=request.seed,
        command=request.command,
        features=FEATURE_NAMES,
        training=training,
        metrics=metrics,
        parameters=parameters,
    )
    return Model(card, arrays)
