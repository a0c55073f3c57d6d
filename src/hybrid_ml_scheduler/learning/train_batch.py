"""Training of the policies for batch jobs on a pool: run-time models from recorded runs, and the parameters of the scored queue by search.

1. ``hybrid_ml`` only: the features of jobs, as the engine itself fills them in at every estimate of a run, and the run times with which the jobs then
   ended are the table on which trees learn the logarithm of run over requested time: LightGBM for the quantiles of 10, 50 and 90 %, and a random
   forest for the mean. Of LightGBM's median and the forest that one decides whose mean absolute error on validation runs is smaller.
2. Both: CMA-ES over the parameters of the score (`learning.batch_arena` says what is minimised), once without and once with EASY. For ``hybrid_ml`` a
   first search takes run times from the mean of the history, as for ``rl_agent``, and a second one goes on from there with the trees.

Seeds of generated workloads are from 10,000 on; those of validation from 10,500 on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Workload
from hybrid_ml_scheduler.engine.ensemble import EMPTY_ENSEMBLE, Ensemble, ensemble_arrays, ensemble_from_arrays, predict_ensemble_rows
from hybrid_ml_scheduler.engine.features.batch import HIGHEST_RATIO, LEAST_S, LOWEST_RATIO
from hybrid_ml_scheduler.engine.pool import Backfill
from hybrid_ml_scheduler.engine.scored_pool import N_RECORDED, Estimate
from hybrid_ml_scheduler.engine.scored_run import MEDIAN, build_run
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.arrays import Arrays, arrays_digest
from hybrid_ml_scheduler.learning.batch import ESTIMATES, FEATURES, HIGH, LOW, START, weights_of
from hybrid_ml_scheduler.learning.batch import SIGMA as SPREAD
from hybrid_ml_scheduler.learning.batch_arena import FULL, Arena, ArenaSize, training_spec
from hybrid_ml_scheduler.learning.card import ModelCard, model_name
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.search import CurvePoint, SearchResult, search
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, Step, TrainingRequest
from hybrid_ml_scheduler.learning.trees import from_forest, from_lightgbm
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.windows import first_n

RECORDED_SEEDS = 300
"""Recorded runs have seeds from so many after the first of training and validation, apart from those of the search."""
RECORDED_JOBS = 4000
RECORDED_RUNS, VALIDATION_RUNS = 100, 30
ROWS_PER_JOB = 4
TREES, LEAVES, RATE, LEAST_ROWS = 40, 20, 0.15, 300
FOREST_TREES, FOREST_LEAVES, FOREST_ROWS = 24, 64, 60_000
QUANTILES = {LOW: 0.1, MEDIAN: 0.5, HIGH: 0.9}
BACKFILLS = ("none", "easy")
PATIENCE = 40
"""Generations without a better score on validation after which a search ends."""
WINDOW_ROWS = 200_000
"""Rows of the sliding window on which `retrain` trains at most, the newest."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What trees are trained on.

    Attributes
    ----------
    features : ndarray of float64, shape (n, n_features)
    log_ratio : ndarray of float64, shape (n,)
        Logarithm of run over requested time.
    """

    features: FloatArray
    log_ratio: FloatArray

    @property
    def digest(self) -> str:
        """SHA-256 of the table."""
        return arrays_digest({"features": self.features, "log_ratio": self.log_ratio})


@dataclass(frozen=True, slots=True)
class Predictors:
    """Trained trees.

    Attributes
    ----------
    ensembles : dict of str to Ensemble
        One for `LOW`, `MEDIAN` and `HIGH`; the middle one decides.
    library : str
        What made the one that decides: ``lightgbm`` or ``random forest``.
    metrics : dict of str to float
        Mean absolute error of the logarithm on validation runs, of both and of the requests; share of run times within the two quantiles.
    """

    ensembles: dict[str, Ensemble]
    library: str
    metrics: dict[str, float]


def record_rows(workload: Workload, policy: CompiledPolicy | None = None) -> Rows:
    """Run a workload and return what was seen of the jobs at each estimate, with what they then took.

    Parameters
    ----------
    workload : Workload
        Rigid jobs, for the pool that `default_cluster` names.
    policy : CompiledPolicy, optional
        That runs them; by default the scored queue with EASY and the parameters at which the search starts.
    """
    if policy is None:
        codes = {"estimate": int(Estimate.HISTORY), "backfill": int(Backfill.EASY), "online": 1}
        policy = CompiledPolicy("recording", Mechanism.SCORED_POOL, codes, arrays={"weights": weights_of(START)})
    cluster = default_cluster(workload)
    problem = build_problem(workload, cluster)
    run = build_run(policy, workload, problem, build_truth(workload, cluster), n_recorded=ROWS_PER_JOB * len(workload))
    state = build_state(problem)
    run.run(state, len(workload) + 1)
    count = int(run.queue.counts[N_RECORDED])
    task: IntArray = run.queue.record_task[:count]
    ended = ~np.isnan(state.finish[task])
    task = task[ended]
    run_s = state.finish[task] - state.start[task]
    ratio = np.log(np.maximum(run_s, LEAST_S) / np.maximum(workload.tasks.requested_time_s[task], LEAST_S))
    return Rows(run.queue.record[:count][ended], np.clip(ratio, LOWEST_RATIO, HIGHEST_RATIO))


def _recorded(specs: Sequence[str], first_seed: int, runs: int) -> Rows:
    tables = []
    for seed in range(first_seed + RECORDED_SEEDS, first_seed + RECORDED_SEEDS + runs):
        whole = open_workload(specs[seed % len(specs)] if specs else training_spec(seed), seed=seed)
        if whole.report.format != "generated":
            half = len(whole) // 2
            whole = whole.select(np.arange(half, len(whole)) if first_seed >= FIRST_VALIDATION_SEED else np.arange(half))
            start = int(np.random.default_rng(seed).integers(max(len(whole) - RECORDED_JOBS, 0) + 1))
            whole = whole.select(np.arange(start, min(start + RECORDED_JOBS, len(whole))))
        tables.append(record_rows(first_n(whole, RECORDED_JOBS)))
    return Rows(np.concatenate([table.features for table in tables]), np.concatenate([table.log_ratio for table in tables]))


def fit_predictors(rows: Rows, validation: Rows, seed: int) -> Predictors:
    """Train the trees and choose between the libraries; see the head of this module.

    Parameters
    ----------
    rows, validation : Rows
        Of different runs.
    seed : int
    """
    import lightgbm
    from sklearn.ensemble import RandomForestRegressor

    ensembles = {}
    for name, quantile in QUANTILES.items():
        settings: dict[str, Any] = {
            "objective": "quantile",
            "alpha": quantile,
            "num_leaves": LEAVES,
            "learning_rate": RATE,
            "min_data_in_leaf": min(LEAST_ROWS, max(len(rows.log_ratio) // 50, 1)),
            "feature_fraction": 0.8,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "seed": seed,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        booster = lightgbm.train(settings, lightgbm.Dataset(rows.features, rows.log_ratio), TREES)
        ensembles[name] = from_lightgbm(booster)
    forest = RandomForestRegressor(
        FOREST_TREES,
        max_leaf_nodes=FOREST_LEAVES,
        max_features=0.5,
        max_samples=min(FOREST_ROWS, len(rows.log_ratio)),
        random_state=seed,
        n_jobs=1,
    ).fit(rows.features, rows.log_ratio)
    candidates = {"lightgbm": ensembles[MEDIAN], "random forest": from_forest(forest)}
    predicted = {name: _predict(ensemble, validation.features) for name, ensemble in candidates.items()}
    errors = {name: float(np.mean(np.abs(values - validation.log_ratio))) for name, values in predicted.items()}
    library = min(errors, key=lambda name: errors[name])
    low, high = (_predict(ensembles[name], validation.features) for name in (LOW, HIGH))
    metrics = {f"log_error_{name.replace(' ', '_')}": error for name, error in errors.items()}
    metrics["log_error_request"] = float(np.mean(np.abs(validation.log_ratio)))
    metrics["share_within_quantiles"] = float(np.mean((validation.log_ratio >= low) & (validation.log_ratio <= high)))
    return Predictors({**ensembles, MEDIAN: candidates[library]}, library, metrics)


def _predict(ensemble: Ensemble, features: FloatArray) -> FloatArray:
    result = np.zeros(len(features))
    predict_ensemble_rows(ensemble, np.ascontiguousarray(features), result)
    return result


def train(request: TrainingRequest, tell: Step, size: ArenaSize = FULL) -> Model:
    """Train a model for batch jobs.

    Parameters
    ----------
    request : TrainingRequest
        Without workloads, on generated ones of many kinds (`batch_arena.training_spec`). The budget is for everything; ``generations`` are those
        of each of the two searches.
    tell : callable
        Is told every step; the generations of the second search count on from those of the first.
    size : ArenaSize
        How much is run to judge a parameter set.

    Returns
    -------
    Model
    """
    began = time.monotonic()
    estimate = ESTIMATES[request.policy]
    arrays: Arrays = {}
    metrics: dict[str, float] = {}
    parameters: dict[str, Any] = {}
    data: Arrays = {"seeds": np.array([FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED])}
    ensemble, recorded = EMPTY_ENSEMBLE, 0
    if estimate is Estimate.TREES:
        tell("recording runs", None)
        rows, validation = (
            _recorded(request.workloads, first, runs)
            for first, runs in ((FIRST_TRAINING_SEED, RECORDED_RUNS), (FIRST_VALIDATION_SEED, VALIDATION_RUNS))
        )
        tell("training run-time models", None)
        predictors = fit_predictors(rows, validation, request.seed)
        # What is stored must be what was searched with.
        for name, made in predictors.ensembles.items():
            arrays |= ensemble_arrays(made, name)
        ensemble, recorded = ensemble_from_arrays(arrays, MEDIAN), len(rows.log_ratio)
        metrics |= predictors.metrics
        parameters["library"] = predictors.library
        data = {"features": rows.features, "log_ratio": rows.log_ratio}
    curve = _Curve(tell)
    found: dict[str, SearchResult] = {}
    for easy, backfill in enumerate(BACKFILLS):
        left_s = max(request.budget_s - (time.monotonic() - began), 1.0) / (len(BACKFILLS) - easy)
        found[backfill] = _search(request, estimate, easy, ensemble, left_s, curve, size)
        arrays[f"weights_{backfill}"] = weights_of(found[backfill].vector)
        verdict = Arena(request.workloads, request.objective, int(estimate), easy, ensemble, size).verdict(found[backfill].vector)
        metrics |= {
            f"windows_over_best_rule_{backfill}": verdict.windows,
            f"long_runs_over_best_rule_{backfill}": verdict.long,
            f"longest_wait_over_best_rule_{backfill}": verdict.wait,
        }
    parameters["generations"] = {name: result.generations for name, result in found.items()}
    parameters["ended"] = {name: result.ended for name, result in found.items()}
    command = request.command if request.generations is None else request.rebuilt_by(request.generations)
    card = ModelCard(
        name=model_name(request.policy, "batch", request.objective.text),
        policy=request.policy,
        kind="batch",
        objective=request.objective.text,
        created=request.created,
        seed=request.seed,
        command=command,
        features=FEATURES[request.policy],
        training={
            "workloads": list(request.workloads) or ["lublin: learning.batch_arena.training_spec of every seed"],
            "spans": [],
            "seeds": [FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED],
            "tasks": recorded,
            "sha256": arrays_digest(data),
            "curve": [[point.generation, point.evaluations, point.training, point.validation, point.best] for point in curve.points],
        },
        metrics=metrics,
        parameters=parameters,
    )
    return Model(card, arrays)


def _search(
    request: TrainingRequest, estimate: Estimate, easy: int, ensemble: Ensemble, budget_s: float, curve: _Curve, size: ArenaSize
) -> SearchResult:
    """Search the parameters for one backfilling; with trees first without them, where a run takes a third of the time, and on from there."""
    name = BACKFILLS[easy]
    if estimate is not Estimate.TREES:
        return _search_once(request, estimate, easy, ensemble, budget_s, START, SPREAD, name, request.generations, curve, size)
    first = _search_once(request, Estimate.HISTORY, easy, EMPTY_ENSEMBLE, budget_s / 2, START, SPREAD, name, request.generations, curve, size)
    spread, name = SPREAD / 2, f"{name}-trees"
    return _search_once(request, estimate, easy, ensemble, budget_s / 2, first.vector, spread, name, request.generations, curve, size)


def _search_once(
    request: TrainingRequest,
    estimate: Estimate,
    easy: int,
    ensemble: Ensemble,
    budget_s: float,
    start: FloatArray,
    spread: FloatArray,
    name: str,
    generations: int | None,
    curve: _Curve,
    size: ArenaSize,
) -> SearchResult:
    return search(
        partial(Arena, request.workloads, request.objective, int(estimate), easy, ensemble, size),
        start,
        spread,
        seed=request.seed,
        jobs=request.jobs,
        budget_s=budget_s if generations is None else None,
        generations=generations,
        patience=PATIENCE,
        checkpoint=None if request.checkpoint is None else Path(f"{request.checkpoint}-{name}"),
        tell=curve.section(name),
    )


class _Curve:
    """The generations of several searches as one curve, each numbered on from the one before."""

    def __init__(self, tell: Step) -> None:
        self._tell = tell
        self.points: list[CurvePoint] = []

    def section(self, name: str) -> Callable[[CurvePoint], None]:
        """Return what a search tells its generations."""
        before = self.points[-1] if self.points else None
        step = f"search ({name})"

        def add(point: CurvePoint) -> None:
            if before is not None:
                point = replace(
                    point,
                    generation=point.generation + before.generation + 1,
                    evaluations=point.evaluations + before.evaluations,
                    elapsed_s=point.elapsed_s + before.elapsed_s,
                )
            self.points.append(point)
            self._tell(step, point)

        return add


def retrain(model: Model, finished_tasks: Workload) -> Model:
    """Train the run-time models of a ``hybrid_ml`` model anew on the newest finished jobs; the parameters of the score stay.

    Parameters
    ----------
    model : Model
        Of kind ``batch``.
    finished_tasks : Workload
        Jobs that have ended, with the run times that were observed; the last `WINDOW_ROWS` / `ROWS_PER_JOB` of them count. The newest fifth chooses
        between the libraries.

    Returns
    -------
    Model
        Not stored yet.

    Raises
    ------
    InputError
        If the model has no run-time models, or there are fewer than 100 jobs.
    """
    if ESTIMATES[model.card.policy] is not Estimate.TREES:
        raise InputError(f"model {model.card.spelling} has no run-time models to train; expected one of hybrid_ml")
    if len(finished_tasks) < 100:
        raise InputError(f"{len(finished_tasks)} finished jobs; expected at least 100 to train on")
    window = finished_tasks.select(np.arange(max(0, len(finished_tasks) - WINDOW_ROWS // ROWS_PER_JOB), len(finished_tasks)))
    split = len(window) - len(window) // 5
    rows, validation = record_rows(window.select(np.arange(split))), record_rows(window.select(np.arange(split, len(window))))
    predictors = fit_predictors(rows, validation, model.card.seed)
    arrays = {name: array for name, array in model.arrays.items() if name.startswith("weights_")}
    for name, made in predictors.ensembles.items():
        arrays |= ensemble_arrays(made, name)
    training = {
        **model.card.training,
        "workloads": [finished_tasks.name],
        "spans": [[0, len(finished_tasks)]],
        "seeds": [],
        "tasks": len(rows.log_ratio),
    }
    training["sha256"] = rows.digest
    card = replace(
        model.card,
        version=0,
        arrays_sha256="",
        training=training,
        metrics={**model.card.metrics, **predictors.metrics},
        parameters={**model.card.parameters, "library": predictors.library},
    )
    return Model(card, arrays)
