"""Training of policies for rigid tasks on nodes with GPUs.

1. ``hybrid_ml`` only: trees learn the logarithm of run over requested time from what a run under a rule shows: the features of every task when it
   became ready, and the time it then took. LightGBM for the quantiles of 10, 50 and 90 %, and a random forest; of its median and the forest the one
   with the smaller error on validation runs decides.
2. Both: CMA-ES over the weights of the order and of the placement scores; the score of a set is the mean logarithm of the objective over that of the
   best of some rules on the same tasks.

Generated workloads have seeds from 10,000 on; those of validation from 10,500 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload, WorkloadKind
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.ensemble import ensemble_arrays
from hybrid_ml_scheduler.engine.features.batch import HIGHEST_RATIO, LEAST_S, LOWEST_RATIO
from hybrid_ml_scheduler.engine.learned_nodes import N_ORDER, N_RECORDED, N_WEIGHTS, PLACEMENT_WEIGHTS, W_AGEING, W_GPUS, Estimate, NodeRun
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.arrays import Arrays, arrays_digest
from hybrid_ml_scheduler.learning.card import ModelCard, model_name
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.nodes import FEATURE_NAMES
from hybrid_ml_scheduler.learning.objective import Objective
from hybrid_ml_scheduler.learning.search import TRAINING, search
from hybrid_ml_scheduler.learning.train_batch import Rows, fit_predictors
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, Step, TrainingRequest
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.gpu_cluster import generate_gpu_cluster
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.windows import first_n

GENERATED = "GPU clusters"
"""What stands in the card for `workloads.gpu_cluster`."""

RULES = ("sjf+fgd", "saf+fgd", "sjf+best_fit", "saf+best_fit", "sqf+fgd")
"""What scores are relative to: the best of them on each workload."""

N_TRAINING, N_VALIDATION, N_TASKS = 24, 12, 1_000
RECORDED_SEEDS, RECORDED_RUNS = 300, 48
"""Recorded runs have seeds from so many after the first of training and validation."""

GENERATIONS, PATIENCE = 60, 30
_TURNS = 4
_LARGEST = np.array([2.0, 2.0, 2.0, 1.0] + [3.0] * len(PLACEMENT_WEIGHTS))
"""Weights are kept within these, ageing above 0."""
_SIGMA = np.array([0.2, 0.2, 0.2, 0.03] + [0.3] * len(PLACEMENT_WEIGHTS))


def start_weights() -> FloatArray:
    """Return the weights at which the search starts: small and short first, by FGD."""
    weights = np.zeros(N_WEIGHTS)
    weights[W_GPUS] = 0.7
    weights[-1] = 1.0
    return weights


def weights_of(vector: FloatArray) -> FloatArray:
    """Return the weights of a point of the search: within bounds, ageing not below 0."""
    weights = np.clip(vector, -_LARGEST, _LARGEST)
    weights[W_AGEING] = max(weights[W_AGEING], 0.0)
    # The score of FGD breaks ties of all others, and no placement may weigh nothing at all.
    if not np.any(weights[N_ORDER:]):
        weights[-1] = 1.0
    return np.asarray(weights)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where training workloads come from; picklable.

    Attributes
    ----------
    specs : tuple of str
        Files; empty for generated ones. Of a file the first half is for training, the second for validation.
    """

    specs: tuple[str, ...]

    def open(self, first_seed: int, count: int) -> list[tuple[Workload, Cluster]]:
        """Return so many workloads with their clusters.

        Raises
        ------
        InputError
            If a file holds no rigid tasks for nodes.
        """
        if not self.specs:
            return [generate_gpu_cluster(seed, n_tasks=N_TASKS) for seed in range(first_seed, first_seed + count)]
        found = []
        for number in range(min(count, 4 * len(self.specs))):
            workload, cluster = _open_file(self.specs[number % len(self.specs)])
            half = len(workload) // 2
            rows = np.arange(half) if first_seed < FIRST_VALIDATION_SEED else np.arange(half, len(workload))
            quarter = (number // len(self.specs)) * max(len(rows) // 4, 1)
            found.append((first_n(workload.select(rows[quarter:] if len(rows[quarter:]) else rows), N_TASKS), cluster))
        return found


@cache
def _open_file(spec: str) -> tuple[Workload, Cluster]:
    workload = open_workload(spec)
    cluster = default_cluster(workload)
    if workload.kind is not WorkloadKind.RIGID or cluster.kind is not ClusterKind.NODES:
        raise InputError(f"workload {spec!r} has {workload.kind} tasks for {cluster.kind}; expected rigid tasks for nodes")
    if len(workload) < 8:
        raise InputError(f"workload {spec!r} has {len(workload)} tasks; expected at least 8, half of them for validation")
    return workload, cluster


class WeightProblem:
    """Scores weights; see `learning.search.SearchProblem`.

    Parameters
    ----------
    sources : Sources
    objective : Objective
    arrays : dict of str to ndarray
        Of the trees, if run times are estimated by them.
    sizes : tuple of (int, int)
        Workloads for training and validation.
    """

    def __init__(self, sources: Sources, objective: Objective, arrays: Arrays, sizes: tuple[int, int]) -> None:
        self._objective, self._arrays = objective, arrays
        self._estimate = Estimate.TREES if arrays else Estimate.REQUEST
        self._cases = {
            True: [(case, self._best_rule(*case)) for case in sources.open(FIRST_TRAINING_SEED, sizes[0])],
            False: [(case, self._best_rule(*case)) for case in sources.open(FIRST_VALIDATION_SEED, sizes[1])],
        }

    def _best_rule(self, workload: Workload, cluster: Cluster) -> float:
        values = []
        for rule in RULES:
            schedule = simulate(workload, cluster, compile_policy(rule, workload, cluster))
            values.append(self._objective.value(measure(workload, cluster, schedule)))
        return min(values)

    def score(self, vector: FloatArray, split: str, generation: int) -> float:
        """Return the mean logarithm of the objective over that of the best rule."""
        cases = self._cases[split == TRAINING]
        if split == TRAINING:
            cases = cases[generation % _TURNS :: _TURNS] or cases
        codes = {"estimate": int(self._estimate), "online": 1}
        arrays = {**self._arrays, "weights": weights_of(vector), "objective": self._objective.vector}
        policy = CompiledPolicy("searched", Mechanism.LEARNED_NODES, codes, arrays=arrays)
        logs = []
        for (workload, cluster), best in cases:
            value = self._objective.value(measure(workload, cluster, simulate(workload, cluster, policy)))
            logs.append(np.log(max(value, 1e-12) / max(best, 1e-12)))
        return float(np.mean(logs))


def record_rows(workload: Workload, cluster: Cluster) -> Rows:
    """Run a workload shortest request first, and return what was seen of every task when it became ready, with the time that it then took."""
    problem = build_problem(workload, cluster)
    arrays = {"weights": start_weights(), "objective": np.zeros(6)}
    policy = CompiledPolicy("recording", Mechanism.LEARNED_NODES, {"estimate": int(Estimate.REQUEST), "online": 1}, arrays=arrays)
    run = NodeRun(policy, workload, cluster, problem, build_truth(workload, cluster), n_recorded=len(workload))
    state = build_state(problem)
    run(state)
    count = int(run.mind.counts[N_RECORDED])
    task = run.mind.record_task[:count]
    ended = ~np.isnan(state.finish[task])
    task = task[ended]
    ratio = np.log(np.maximum(state.finish[task] - state.start[task], LEAST_S) / np.maximum(problem.requested[task], LEAST_S))
    return Rows(run.mind.record[:count][ended], np.clip(ratio, LOWEST_RATIO, HIGHEST_RATIO))


def _recorded(sources: Sources, first_seed: int, count: int) -> Rows:
    tables = [record_rows(*case) for case in sources.open(first_seed + RECORDED_SEEDS, count)]
    return Rows(np.concatenate([table.features for table in tables]), np.concatenate([table.log_ratio for table in tables]))


def train(request: TrainingRequest, tell: Step) -> Model:
    """Train a model for tasks on nodes.

    Parameters
    ----------
    request : TrainingRequest
    tell : callable

    Returns
    -------
    Model

    Raises
    ------
    InputError
        If a workload is none of rigid tasks for nodes, or a run does not have the metrics of the objective.
    """
    return train_sized(request, tell)


def train_sized(request: TrainingRequest, tell: Step, *, sizes: tuple[int, int] = (N_TRAINING, N_VALIDATION), recorded: int = RECORDED_RUNS) -> Model:
    """Train a model on so many workloads; see `train`."""
    sources = Sources(request.workloads)
    trees: Arrays = {}
    metrics: dict[str, float] = {}
    parameters: dict[str, Any] = {}
    digest: dict[str, Any] = {}
    if request.policy == "hybrid_ml":
        tell("run times observed under a rule", None)
        rows, judged = _recorded(sources, FIRST_TRAINING_SEED, recorded), _recorded(sources, FIRST_VALIDATION_SEED, max(recorded // 3, 1))
        predictors = fit_predictors(rows, judged, request.seed)
        metrics |= predictors.metrics
        parameters["library"] = predictors.library
        digest |= {"features": rows.features, "log_ratio": rows.log_ratio}
        for prefix, ensemble in predictors.ensembles.items():
            trees |= ensemble_arrays(ensemble, prefix)
    tell("preparing the search", None)
    result = search(
        partial(WeightProblem, sources, request.objective, trees, sizes),
        start_weights(),
        _SIGMA,
        seed=request.seed,
        jobs=request.jobs,
        budget_s=request.budget_s,
        generations=request.generations or GENERATIONS,
        patience=PATIENCE,
        checkpoint=request.checkpoint,
        tell=lambda point: tell("search", point),
    )
    metrics["validation_log_ratio_to_best_rule"] = result.validation
    metrics["validation_log_ratio_at_start"] = result.curve[0].validation
    cases = [case for first, count in zip((FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED), sizes, strict=True) for case in sources.open(first, count)]
    digest |= {f"run {number}": workload.truth.work_s for number, (workload, _) in enumerate(cases)}
    card = ModelCard(
        name=model_name(request.policy, "nodes", request.objective.text),
        policy=request.policy,
        kind="nodes",
        objective=request.objective.text,
        created=request.created,
        seed=request.seed,
        command=request.rebuilt_by(result.generations),
        features=FEATURE_NAMES,
        training={
            "workloads": list(request.workloads) or [GENERATED],
            "spans": [[FIRST_TRAINING_SEED, sizes[0]], [FIRST_VALIDATION_SEED, sizes[1]]],
            "seeds": [FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED],
            "tasks": int(sum(len(workload) for workload, _ in cases)),
            "sha256": arrays_digest(digest),
            "curve": [[point.generation, point.evaluations, point.training, point.validation, point.best] for point in result.curve],
        },
        metrics=metrics,
        parameters=parameters,
    )
    return Model(card, {**trees, "weights": weights_of(result.vector)})
