"""Train learned policies for divisible tasks; ``train`` is what ``hms train`` calls.

hybrid_ml, in three steps: recorded runs of an exploring policy, of which only what a real system could have seen is kept (the times of the
option that was taken); trees that correct the history's estimates, chosen by their error in worlds that they were not trained in; prices by
CMA-ES over whole runs with the predictions in the loop. rl_agent: no trees and no recorded runs; prices and the weight of uncertainty by CMA-ES
over whole runs that begin with an empty history.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload, WorkloadKind
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.divisible import ENERGY_PRICE, N_LEARNED_PARAMS, N_PARAMS
from hybrid_ml_scheduler.engine.ensemble import EMPTY_ENSEMBLE, Ensemble, ensemble_arrays, predict_ensemble_rows
from hybrid_ml_scheduler.engine.features.divisible import DIVISIBLE
from hybrid_ml_scheduler.engine.features.history import DEFAULT_SETTINGS, N_SUMS
from hybrid_ml_scheduler.engine.guard import DEFAULT_LIMITS
from hybrid_ml_scheduler.engine.learned_divisible import CAUTION, LearnedRun, learned_arrays, learned_params, prepare_learned
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.learning.arrays import Arrays, arrays_digest
from hybrid_ml_scheduler.learning.card import ModelCard, model_name
from hybrid_ml_scheduler.learning.divisible import CPU, LARGEST_PRICES
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.objective import Objective
from hybrid_ml_scheduler.learning.search import VALIDATION, CurvePoint, search
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, Step, TrainingRequest
from hybrid_ml_scheduler.learning.worlds import other_world
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.policies.priced import priced_params
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.open import open_workload

PRESETS = ("steady", "bursty", "heavy")
"""What the package's own models are trained on."""
WORLD_PRESETS = ("steady", "bursty", "heavy", "drift")
N_WORLDS = 56
VALIDATION_WORLDS = 14
"""The last of the worlds are for choosing between models."""
WORLD_TASKS = 2000
WORLD_LOADS = (0.4, 1.0)
EXPLORATION_SHARE = 0.1
"""Of the tasks of recorded runs that try a random option."""
HISTORY_SEEDS = 3
"""Recorded runs per workload, one after the other, from which the history of the named kinds is kept."""
HISTORY_TASKS = 5000
TREES, LEAVES, LEAST_ROWS = 100, 15, 200
FOREST_TREES = 40
QUANTILES = (0.1, 0.9)
SEARCH_TASKS = 2500
SEARCH_SEEDS = 2
"""Seeds of every preset in a generation; they take turns."""
VALIDATION_SEEDS = 3
SIGMA = 0.3
CAUTION_SIGMA = 0.2
START_PRICES = (0.06697, 0.5485, 0.8856, 1.689, 0.241, 0.9761, 0.3672, 0.007276, 0.05657)
START_CAUTION = 0.7941
START_SIGMA = 0.12
"""Where the search of hybrid_ml's prices goes on: what 60 generations from the prices of ``priced`` had found with the same seeds, before the
detectors knew the mean of what they look at. rl_agent begins at the prices of ``priced`` itself."""
MARGIN = 0.25
"""Share of the span of a feature in training by which the range for use is wider on each side."""
CONSTRAINT_WEIGHT = 10.0
"""What a logarithm of response time above the limit costs, where the objective is energy or cost alone."""
COUNTS = ("log_count", "log_since")
"""Features that grow with the length of a run: more outcomes than in training are no reason for doubt."""
_TURNS = 20
_RESPONSE = "mean_response_s"


@dataclass(frozen=True, slots=True)
class Records:
    """Outcomes with the features at their prediction; one entry per device class, CPU and GPU.

    Attributes
    ----------
    x : tuple of ndarray of float64, shape (m, N_FEATURES)
    y : tuple of ndarray of float64, shape (m,)
        Logarithm of observed over nominal work.
    """

    x: tuple[FloatArray, FloatArray]
    y: tuple[FloatArray, FloatArray]

    @staticmethod
    def joined(parts: Sequence[Records]) -> Records:
        """Return all of them in one."""
        return Records(
            (np.concatenate([part.x[0] for part in parts]), np.concatenate([part.x[1] for part in parts])),
            (np.concatenate([part.y[0] for part in parts]), np.concatenate([part.y[1] for part in parts])),
        )


def exploring_policy(sums: FloatArray, *, share: float, seed: int) -> CompiledPolicy:
    """Return the policy of recorded runs: priced placement by the history's estimates, and a share of tasks that try a random option."""
    rule = CompiledPolicy("priced", Mechanism.DIVISIBLE, params=priced_params())
    params = learned_params(priced_params(), exploration=share)
    codes = {"guarded": 0, "online": 1, "records": 1}
    return CompiledPolicy("exploring", Mechanism.LEARNED_DIVISIBLE, codes, params, seed=seed, arrays=dict(learned_arrays(sums)), fallback=rule)


def record_run(workload: Workload, cluster: Cluster, sums: FloatArray, *, share: float, seed: int) -> tuple[Records, LearnedRun]:
    """Run the exploring policy, and keep what was observed.

    Parameters
    ----------
    workload, cluster
    sums : ndarray of float64, shape (kinds, 1 + GPU models, N_SUMS)
        What the history knows at the beginning.
    share : float
        Of the tasks that explore.
    seed : int
        Of which tasks explore.

    Returns
    -------
    records : Records
        Of the options that were taken, and no others.
    run : LearnedRun
        With the history at the end.
    """
    problem = build_problem(workload, cluster)
    run = prepare_learned(exploring_policy(sums, share=share, seed=seed), workload, cluster, problem, build_truth(workload, cluster))
    run(build_state(problem))
    outcome, features = run.mind.outcome, run.mind.recorded
    on_cpu = ~np.isnan(outcome[:, 0])
    task, device = np.nonzero(~np.isnan(outcome[:, 1:]))
    return Records((features[on_cpu, 0], features[task, device + 1]), (outcome[on_cpu, 0], outcome[task, device + 1])), run


def record_worlds(seed: int, tell: Step) -> tuple[Records, Records]:
    """Record runs in `N_WORLDS` hidden worlds; those for training, and those for validation.

    The seeds of the worlds, which are those of their tasks too, count from ``FIRST_TRAINING_SEED + 1000 * seed`` on.
    """
    parts = []
    for number in range(N_WORLDS):
        world_seed = FIRST_TRAINING_SEED + 1000 * seed + number
        load = float(np.random.default_rng(world_seed).uniform(*WORLD_LOADS))
        preset = WORLD_PRESETS[number % len(WORLD_PRESETS)]
        workload, cluster = other_world(preset, seed=world_seed, n_tasks=WORLD_TASKS, load=load, drifts=number % 2 == 1)
        nothing = np.zeros((1, 1 + len(cluster.gpu_models), N_SUMS))
        parts.append(record_run(workload, cluster, nothing, share=EXPLORATION_SHARE, seed=world_seed)[0])
        tell(f"recorded world {number + 1} of {N_WORLDS}", None)
    return Records.joined(parts[:-VALIDATION_WORLDS]), Records.joined(parts[-VALIDATION_WORLDS:])


@dataclass(frozen=True, slots=True)
class Fitted:
    """Trees of one device class.

    Attributes
    ----------
    name : str
        Which library won.
    trees : Ensemble
        Correction of the history's estimate.
    low, high : Ensemble
        Quantiles of what the history's estimate lacks.
    errors : dict of str to float
        Mean absolute log error on validation of every candidate, of the history alone and of nominal times; share of outcomes between the quantiles.
    """

    name: str
    trees: Ensemble
    low: Ensemble
    high: Ensemble
    errors: dict[str, float]


def fit(training: tuple[FloatArray, FloatArray], validation: tuple[FloatArray, FloatArray], seed: int) -> Fitted:
    """Fit LightGBM and a random forest to what the history's estimate lacks, and keep what is better on validation.

    Parameters
    ----------
    training, validation : (ndarray of float64, shape (m, N_FEATURES), ndarray of float64, shape (m,))
        Features and logarithms of observed over nominal work.
    seed : int
    """
    import lightgbm
    from sklearn.ensemble import RandomForestRegressor

    from hybrid_ml_scheduler.learning.trees import from_forest, from_lightgbm

    (x, y), (x_valid, y_valid) = training, validation
    lacks = y - x[:, 6]
    common = {
        "num_leaves": LEAVES,
        "learning_rate": 0.06,
        "min_data_in_leaf": LEAST_ROWS,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }

    def boosted(objective: dict[str, Any]) -> Ensemble:
        return from_lightgbm(lightgbm.train({**common, **objective}, lightgbm.Dataset(x, lacks), TREES))

    forest = RandomForestRegressor(
        FOREST_TREES, max_leaf_nodes=64, min_samples_leaf=LEAST_ROWS // 4, max_features=0.5, max_samples=0.25, random_state=seed, n_jobs=1
    )
    candidates = {
        "lightgbm": boosted({"objective": "regression"}),
        "lightgbm_median": boosted({"objective": "quantile", "alpha": 0.5}),
        "random_forest": from_forest(forest.fit(x, lacks)),
    }
    errors = {name: float(np.abs(y_valid - x_valid[:, 6] - predict(trees, x_valid)).mean()) for name, trees in candidates.items()}
    best = min(errors, key=errors.__getitem__)
    low, high = (boosted({"objective": "quantile", "alpha": alpha}) for alpha in QUANTILES)
    left = y_valid - x_valid[:, 6]
    errors["history"] = float(np.abs(left).mean())
    errors["nominal"] = float(np.abs(y_valid).mean())
    errors["between_quantiles"] = float(((left >= predict(low, x_valid)) & (left <= predict(high, x_valid))).mean())
    return Fitted(best, candidates[best], low, high, errors)


def predict(trees: Ensemble, x: FloatArray) -> FloatArray:
    """Return the trees' answers for a table of features, shape (m,)."""
    result = np.zeros(len(x))
    predict_ensemble_rows(trees, np.ascontiguousarray(x), result)
    return result


@dataclass(frozen=True, slots=True)
class Runs:
    """Picklable description of the runs that parameters are judged by; called once per process, it builds them.

    Attributes
    ----------
    workloads : tuple of str
        As in the request.
    objective : Objective
    arrays : dict of str to ndarray
        Of the policy.
    sums_of : dict of str to ndarray
        What the history knows at the beginning, per workload.
    """

    workloads: tuple[str, ...]
    objective: Objective
    arrays: Arrays
    sums_of: dict[str, FloatArray]

    def __call__(self) -> Judge:
        """Build the runs."""
        return Judge(self)


class Judge:
    """Scores parameter sets: mean over runs of the logarithm of the objective, or of what it costs where response time is a constraint."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._cases: dict[tuple[str, str, int], tuple[Workload, Cluster, float | None]] = {}
        self._constrained = runs.objective.text in ("energy", "cost")

    def score(self, vector: FloatArray, split: str, generation: int) -> float:
        """See `search.SearchProblem`."""
        scores = []
        for name in self._runs.workloads:
            if split == VALIDATION:
                turns = list(range(VALIDATION_SEEDS))
            else:
                turns = [(generation * SEARCH_SEEDS + turn) % _TURNS for turn in range(SEARCH_SEEDS)]
            for turn in turns:
                workload, cluster, limit = self._case(name, split, turn)
                arrays = {**self._runs.arrays, "sums": self._runs.sums_of[name]}
                metrics = measure(workload, cluster, simulate(workload, cluster, searched_policy(vector, arrays)))
                score = math.log(max(self._runs.objective.value(metrics), 1e-12))
                if limit is not None:
                    score += CONSTRAINT_WEIGHT * max(0.0, math.log(metrics[_RESPONSE] / limit))
                scores.append(score)
        return float(np.mean(scores))

    def _case(self, name: str, split: str, turn: int) -> tuple[Workload, Cluster, float | None]:
        key = (name, split, turn)
        if key not in self._cases:
            first, n_tasks = (FIRST_VALIDATION_SEED, 2 * SEARCH_TASKS) if split == VALIDATION else (FIRST_TRAINING_SEED, SEARCH_TASKS)
            workload = training_workload(name, first + turn, split, n_tasks)
            cluster = default_cluster(workload)
            limit = None
            if self._constrained:
                rules = [compile_policy(rule, workload, cluster) for rule in ("priced", "gpu_only")]
                limit = min(measure(workload, cluster, simulate(workload, cluster, rule))[_RESPONSE] for rule in rules)
            self._cases[key] = (workload, cluster, limit)
        return self._cases[key]


def training_workload(spec: str, seed: int, split: str, n_tasks: int = SEARCH_TASKS) -> Workload:
    """Open a workload to train on: the first tasks of a preset with this seed, or the first (training) or last (validation) part of a file by time.

    Raises
    ------
    InputError
        If its tasks are not divisible, or the seed is one of those for comparisons.
    """
    if seed < FIRST_TRAINING_SEED:
        raise InputError(f"training with seed {seed}; expected at least {FIRST_TRAINING_SEED}: smaller ones are for comparisons")
    workload = open_workload(spec, seed=seed)
    if workload.kind is not WorkloadKind.DIVISIBLE:
        raise InputError(f"workload {spec!r} has {workload.kind} tasks; expected divisible ones to train on")
    if workload.report.format == "generated":
        return workload.select(np.arange(min(n_tasks, len(workload))))
    cut = int(0.7 * len(workload))
    return workload.select(np.arange(cut, len(workload)) if split == VALIDATION else np.arange(cut))


def searched_policy(vector: FloatArray, arrays: Arrays) -> CompiledPolicy:
    """Return the policy of a point of the search: logarithms of the prices, the caution, and, if it is searched, the logarithm of a joule's price."""
    params, settings = unpack(vector)
    rule = CompiledPolicy("priced", Mechanism.DIVISIBLE, params=priced_params())
    codes = {"guarded": 0, "online": 1, "records": 0}
    arrays = {**arrays, "settings": settings}
    return CompiledPolicy("searched", Mechanism.LEARNED_DIVISIBLE, codes, params, arrays=arrays, fallback=rule)


def unpack(vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return parameters and settings of a point of the search, inside the limits that models must keep."""
    prices = np.zeros(N_LEARNED_PARAMS)
    prices[:N_PARAMS] = np.exp(np.clip(vector[:N_PARAMS], -20.0, 20.0))
    if len(vector) > N_PARAMS + 1:
        prices[ENERGY_PRICE] = math.exp(min(max(vector[N_PARAMS + 1], -20.0), 10.0))
    settings = np.array([4.0, 0.0])
    settings[CAUTION] = min(max(vector[N_PARAMS], -2.0), 2.0)
    return np.minimum(prices, LARGEST_PRICES), settings


def train(request: TrainingRequest, tell: Step) -> Model:
    """Train a model; see `learning.training.train`.

    Raises
    ------
    InputError
        If a workload does not suit, or the cluster does not know what the objective needs.
    """
    began = time.monotonic()
    workloads = request.workloads or PRESETS
    sums_of, kinds, devices = _known_kinds(workloads, request, tell)
    arrays: dict[str, NDArray[Any]] = {}
    metrics: dict[str, float] = {}
    digest: dict[str, NDArray[Any]] = {}
    chosen = {}
    low, high = (np.array([getattr(feature, end) for feature in DIVISIBLE]) for end in ("low", "high"))
    trees = dict.fromkeys(("cpu", "gpu", "cpu_low", "cpu_high", "gpu_low", "gpu_high"), EMPTY_ENSEMBLE)
    rows = 0
    if request.policy == "hybrid_ml":
        training, validation = record_worlds(request.seed, tell)
        for place, device in enumerate(("cpu", "gpu")):
            fitted = fit((training.x[place], training.y[place]), (validation.x[place], validation.y[place]), request.seed)
            trees |= {device: fitted.trees, f"{device}_low": fitted.low, f"{device}_high": fitted.high}
            chosen[device] = fitted.name
            metrics |= {f"{device}_log_error_{name}": value for name, value in fitted.errors.items() if name != "between_quantiles"}
            metrics[f"{device}_between_quantiles"] = fitted.errors["between_quantiles"]
            digest |= {f"x{place}": training.x[place], f"y{place}": training.y[place]}
            rows += len(training.y[place])
            tell(f"{device}: {fitted.name}, error {fitted.errors[fitted.name]:.4f} (history alone {fitted.errors['history']:.4f})", None)
        low, high = _ranges(training, low, high)
    for prefix, ensemble in trees.items():
        arrays |= ensemble_arrays(ensemble, prefix)
    prior = {name: sums if request.policy == "hybrid_ml" else np.zeros_like(sums) for name, sums in sums_of.items()}
    settings = learned_arrays(np.zeros((1, 1, N_SUMS)), cpu_trees=trees["cpu"], gpu_trees=trees["gpu"], low=low, high=high)
    runs = Runs(workloads, request.objective, dict(settings), prior)
    with_energy = any(name in ("energy", "cost") for name, _ in request.objective.weights)
    goes_on = request.policy == "hybrid_ml"
    prices, caution = (np.array(START_PRICES), START_CAUTION) if goes_on else (priced_params(), 0.0)
    start = np.concatenate([np.log(prices), [caution], [math.log(1e-3)] if with_energy else []])
    sigma = np.concatenate([np.full(N_PARAMS, START_SIGMA if goes_on else SIGMA), [CAUTION_SIGMA], [1.0] if with_energy else []])

    def told(point: CurvePoint) -> None:
        tell(f"generation {point.generation}: best on validation {math.exp(point.best):.4f}", point)

    found = search(
        runs,
        start,
        sigma,
        seed=request.seed,
        jobs=request.jobs,
        budget_s=max(request.budget_s - (time.monotonic() - began), 1.0),
        generations=request.generations,
        checkpoint=request.checkpoint,
        tell=told,
    )
    params, found_settings = unpack(found.vector)
    metrics["validation_objective"] = math.exp(found.validation)
    metrics["validation_objective_at_start"] = math.exp(found.curve[0].validation)
    shipped = _joined(sums_of, kinds, devices) if request.policy == "hybrid_ml" else np.zeros((0, 1, N_SUMS))
    arrays |= {
        "sums": shipped,
        "params": params,
        "settings": found_settings,
        "history_settings": np.array(DEFAULT_SETTINGS),
        "guard_limits": np.array(DEFAULT_LIMITS),
        "low": low,
        "high": high,
        "objective": request.objective.vector,
    }
    card = ModelCard(
        name=model_name(request.policy, "divisible", request.objective.text),
        policy=request.policy,
        kind="divisible",
        objective=request.objective.text,
        created=request.created,
        seed=request.seed,
        command=request.rebuilt_by(found.generations),
        features=tuple(feature.name for feature in DIVISIBLE),
        training={
            "workloads": list(workloads),
            "spans": [[0, SEARCH_TASKS]] * len(workloads),
            "seeds": _seeds(request),
            "tasks": rows,
            "sha256": arrays_digest({**digest, **{f"sums{number}": prior[name] for number, name in enumerate(workloads)}}),
            "curve": [[point.generation, point.evaluations, point.training, point.validation, point.best] for point in found.curve],
            "ended": found.ended,
            "generations": found.generations,
        },
        metrics=metrics,
        parameters={
            "kinds": list(kinds) if request.policy == "hybrid_ml" else [],
            "devices": list(devices) if request.policy == "hybrid_ml" else [CPU],
            "chosen": chosen,
            "exploration_in_training": EXPLORATION_SHARE if request.policy == "hybrid_ml" else 0.0,
        },
    )
    return Model(card, arrays)


def _seeds(request: TrainingRequest) -> list[int]:
    seeds = {*range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + _TURNS), *range(FIRST_VALIDATION_SEED, FIRST_VALIDATION_SEED + VALIDATION_SEEDS)}
    if request.policy == "hybrid_ml":
        first = FIRST_TRAINING_SEED + 1000 * request.seed
        seeds |= set(range(first, first + N_WORLDS))
    return sorted(seeds)


def _known_kinds(workloads: Sequence[str], request: TrainingRequest, tell: Step) -> tuple[dict[str, FloatArray], tuple[str, ...], tuple[str, ...]]:
    """Let the exploring policy run over the workloads one after the other; return what its history knows at the end, and the names."""
    names: dict[str, None] = {}
    models: dict[str, None] = {}
    opened = []
    for spec in workloads:
        for turn in range(HISTORY_SEEDS if request.policy == "hybrid_ml" else 1):
            workload = training_workload(spec, FIRST_TRAINING_SEED + turn, "training", HISTORY_TASKS)
            cluster = default_cluster(workload)
            names |= dict.fromkeys(workload.tasks.kind_names)
            models |= dict.fromkeys(cluster.gpu_models)
            opened.append((spec, workload, cluster))
    kinds, devices = tuple(names), (CPU, *models)
    total = np.zeros((max(len(kinds), 1), len(devices), N_SUMS))
    if request.policy == "hybrid_ml":
        for number, (spec, workload, cluster) in enumerate(opened):
            rows, columns = _places(workload, cluster, kinds, devices)
            _, run = record_run(workload, cluster, total[np.ix_(rows, columns)], share=EXPLORATION_SHARE, seed=FIRST_TRAINING_SEED + number)
            total[np.ix_(rows, columns)] = run.mind.history.sums
            tell(f"history of {spec}, run {number + 1} of {len(opened)}", None)
    sums_of = {}
    for spec, workload, cluster in opened:
        rows, columns = _places(workload, cluster, kinds, devices)
        sums_of[spec] = total[np.ix_(rows, columns)].copy()
    return sums_of, kinds, devices


def _places(workload: Workload, cluster: Cluster, kinds: tuple[str, ...], devices: tuple[str, ...]) -> tuple[list[int], list[int]]:
    rows = [kinds.index(kind) for kind in workload.tasks.kind_names] or [0]
    return rows, [0, *(devices.index(model) for model in cluster.gpu_models)]


def _joined(sums_of: dict[str, FloatArray], kinds: tuple[str, ...], devices: tuple[str, ...]) -> FloatArray:
    """Return the history's knowledge of all named kinds; nothing where kinds have no names."""
    known = next(iter(sums_of.values()))
    return known if known.shape[:2] == (len(kinds), len(devices)) else np.zeros((len(kinds), len(devices), N_SUMS))


def _ranges(training: Records, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the range of every feature in training, wider by a margin, inside the data sheet's; counts of outcomes may be any."""
    rows = np.concatenate(training.x)
    least, most = rows.min(axis=0), rows.max(axis=0)
    margin = MARGIN * (most - least)
    counts = np.array([feature.name in COUNTS for feature in DIVISIBLE])
    return np.where(counts, low, np.maximum(low, least - margin)), np.where(counts, high, np.minimum(high, most + margin))
