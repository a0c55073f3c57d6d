"""Learned policies for divisible tasks: from a model to the compiled policy that the engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Mechanism
from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, Workload
from hybrid_ml_scheduler.engine import guard, simulate
from hybrid_ml_scheduler.engine.divisible import N_LEARNED_PARAMS, Placement, Split
from hybrid_ml_scheduler.engine.ensemble import Ensemble, ensemble_arrays, ensemble_from_arrays
from hybrid_ml_scheduler.engine.features import history
from hybrid_ml_scheduler.engine.features.divisible import DIVISIBLE, N_FEATURES
from hybrid_ml_scheduler.engine.learned_divisible import N_SETTINGS, learned_arrays
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.orders import Order
from hybrid_ml_scheduler.engine.shadow import OBJECTIVE_METRICS, weighted_objective
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.provider import Spelling
from hybrid_ml_scheduler.policies.priced import priced_params
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate

CPU = "cpu"
"""Name of the CPU among a model's devices; the others are GPU models."""

ENSEMBLES = ("cpu", "gpu", "cpu_low", "cpu_high", "gpu_low", "gpu_high")
"""Trees of a model: the correction, and the 10 % and 90 % quantiles of what is left of it."""

LARGEST_PRICES = np.array([100.0, 100.0, 1000.0, 1000.0, 5.0, 5.0, 1.0, 10.0, 100.0, 1e6, 0.05])
"""Largest parameters that a model may have, in the positions of `engine.divisible`; the smallest is 0."""

WORST_REHEARSAL = 1.15
"""Prices that cost more than so many times the rule's in a `rehearsal` are refused: the rule decides throughout."""
REHEARSALS = (("steady", 1.0), ("bursty", 1.25))
"""Preset and factor on its load."""
LONGER = 1.5
"""Where energy or cost alone is the objective, tasks may take so many times longer in a rehearsal: there the rule knows all that the model knows."""
REHEARSAL_TASKS, REHEARSAL_SEED = 1200, 19_999
MEAN_SIZE_S, MEAN_CORES = 4.42, 2.1
"""Of the tasks of ``steady``."""

_TIMES = [name in ("mean_bounded_slowdown", "mean_response_s", "p99_wait_s", "makespan_s") for name in OBJECTIVE_METRICS]
_SUMS_LIMIT = 1e7
_rehearsed: dict[tuple[bytes, bytes, str], float] = {}
"""Rehearsals of this process, which would always come out the same."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a model for divisible tasks holds, checked.

    Attributes
    ----------
    kinds, devices : tuple of str
        Names of the rows and columns of ``sums``; the first device is the CPU, the others are GPU models.
    sums : ndarray of float64, shape (kinds, devices, N_SUMS)
        What the history knows before the first task.
    params : ndarray of float64, shape (N_LEARNED_PARAMS,)
        Prices.
    settings, history_settings, guard_limits, low, high, objective : ndarray of float64
        As `engine.learned_divisible.learned_arrays` takes them.
    trees : mapping of str to Ensemble
        Those of `ENSEMBLES`.
    """

    kinds: tuple[str, ...]
    devices: tuple[str, ...]
    sums: FloatArray
    params: FloatArray
    settings: FloatArray
    history_settings: FloatArray
    guard_limits: FloatArray
    low: FloatArray
    high: FloatArray
    objective: FloatArray
    trees: Mapping[str, Ensemble]


def read_model(model: Model) -> Known:
    """Check what a model holds.

    Parameters
    ----------
    model : Model
        Of kind ``divisible``; may come from anyone.

    Raises
    ------
    ModelError
        If it is for something else, its features are not ours, an array is missing or of the wrong shape, or a number is out of its range.
    """
    card = model.card
    where = f"model {card.spelling}"
    if card.kind != "divisible":
        raise ModelError(f"{where}: is for {card.kind}; expected a model for divisible tasks")
    names = tuple(feature.name for feature in DIVISIBLE)
    if card.features != names:
        raise ModelError(f"{where}: its features are {', '.join(card.features)}; expected {', '.join(names)}")
    kinds, devices = (_names(card.parameters, key, where) for key in ("kinds", "devices"))
    if not devices or devices[0] != CPU:
        raise ModelError(f"{where}: its devices are {', '.join(devices)}; expected {CPU} first")
    sums = _array(model, "sums", (len(kinds), len(devices), history.N_SUMS), -_SUMS_LIMIT, _SUMS_LIMIT)
    weight, x, xx = sums[..., history.W], sums[..., history.WX], sums[..., history.WXX]
    if (weight < 0).any() or (weight * xx < x * x * (1.0 - 1e-9) - 1e-9).any():
        raise ModelError(f"{where}: array 'sums' holds sums that no observations have; expected weights of at least 0 and squares that go with them")
    params = _array(model, "params", (N_LEARNED_PARAMS,), 0.0, LARGEST_PRICES)
    low, high = (_array(model, name, (N_FEATURES,), -1e9, 1e9) for name in ("low", "high"))
    history_low = np.array([1e-3, 1e-3, 1e-3, 0.5, 0.0, 0.0, 1.0, 0.0, 1.0, 1e-3, 1e-3])
    trees = {}
    for prefix in ENSEMBLES:
        trees[prefix] = ensemble_from_arrays(model.arrays, prefix)
        if trees[prefix].n_features[0] > N_FEATURES:
            raise ModelError(f"{where}: the trees {prefix!r} look at {trees[prefix].n_features[0]} features; expected at most {N_FEATURES}")
    return Known(
        kinds,
        devices,
        sums,
        params,
        _array(model, "settings", (N_SETTINGS,), np.array([0.1, -2.0]), np.array([8.0, 2.0])),
        _array(model, "history_settings", (len(history.DEFAULT_SETTINGS),), history_low, 1e6),
        _array(
            model,
            "guard_limits",
            (len(guard.DEFAULT_LIMITS),),
            np.array([1e-3, 1.0, 0.1, 0.0, 1.0, 1.0]),
            np.array([0.5, 1.5, 1.0, 0.2, 100.0, 500.0]),
        ),
        low,
        high,
        _array(model, "objective", (len(OBJECTIVE_METRICS),), 0.0, 1e12),
        trees,
    )


def _names(parameters: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    names = parameters.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ModelError(f"{where}: parameter {key!r} is {str(names)[:60]}; expected a list of names, each once")
    return tuple(names)


def _array(model: Model, name: str, shape: tuple[int, ...], low: float | FloatArray, high: float | FloatArray) -> FloatArray:
    array = model.arrays.get(name)
    where = f"model {model.card.spelling}, array {name!r}"
    if array is None or array.shape != shape or array.dtype != np.float64:
        found = "is missing" if array is None else f"has shape {array.shape} of {array.dtype}"
        raise ModelError(f"{where}: {found}; expected shape {shape} of float64")
    if not (np.isfinite(array) & (array >= low) & (array <= high)).all():
        raise ModelError(f"{where}: a number is not finite or out of range; expected {np.min(low):g} to {np.max(high):g}")
    return np.ascontiguousarray(array)


def compile_learned(policy: str, options: Spelling, model: Model, workload: Workload, cluster: Cluster, seed: int) -> CompiledPolicy:
    """Make a learned policy for divisible tasks ready to run.

    Parameters
    ----------
    policy : str
        ``hybrid_ml`` or ``rl_agent``.
    options : Spelling
        Whether it is guarded, and whether it learns while it runs.
    model : Model
        Of kind ``divisible``.
    workload : Workload
        What it will run; names of kinds and visible columns only are used.
    cluster : Cluster
        Where it will run; names of GPU models are used.
    seed : int
        Of the tasks that explore.

    Raises
    ------
    ModelError
        If the model is for another policy, or `read_model` refuses it.
    """
    if model.card.policy != policy:
        raise ModelError(f"model {model.card.spelling}: is for {model.card.policy}; expected a model for {policy}")
    known = read_model(model)
    arrays: dict[str, NDArray[Any]] = dict(
        learned_arrays(
            sums_for(known, workload, cluster),
            cpu_trees=known.trees["cpu"],
            gpu_trees=known.trees["gpu"],
            settings=known.settings,
            history_settings=known.history_settings,
            guard_limits=known.guard_limits,
            low=known.low,
            high=known.high,
            objective=known.objective,
        )
    )
    for prefix in ENSEMBLES:
        # The quantiles decide nothing; explanations show them.
        arrays |= ensemble_arrays(known.trees[prefix], prefix)
    refused = options.guarded and rehearsal(known.params, known.objective, cluster) > WORST_REHEARSAL
    codes = {"guarded": int(options.guarded), "online": int(options.online), "records": 0, "refused": int(refused)}
    return CompiledPolicy(options.text, Mechanism.LEARNED_DIVISIBLE, codes, known.params.copy(), seed=seed, arrays=arrays, fallback=priced_rule())


def priced_rule() -> CompiledPolicy:
    """Return the rule behind every learned policy for divisible tasks: ``priced`` with nominal times and its own prices."""
    codes = {"order": int(Order.FCFS), "placement": int(Placement.PRICED), "split": int(Split.ANY), "commit": 0, "priced_order": 1}
    return CompiledPolicy("priced", Mechanism.DIVISIBLE, codes, priced_params())


def rehearsal(params: FloatArray, objective: FloatArray, cluster: Cluster) -> float:
    """Return what a model's prices cost against the rule's, where both know all run times exactly.

    Some hundred generated tasks run in a world without hidden parts, at a usual and at a high load of the cluster, under the model's prices and under
    those of ``priced``. It shows prices that no run on light load would show before a queue has built up; the shadow comparison sees the rest.

    Parameters
    ----------
    params : ndarray of float64, shape (N_LEARNED_PARAMS,)
        Prices of the model.
    objective : ndarray of float64, shape (6,)
        Its weights of `engine.shadow.OBJECTIVE_METRICS`.
    cluster : Cluster

    Returns
    -------
    float
        The larger of the two runs' objectives, as multiples of the rule's; for an objective without any time, of `LONGER` times its response too.
    """
    key = (params.tobytes(), objective.tobytes(), repr(cluster))
    if key not in _rehearsed:
        _rehearsed[key] = _rehearse(params, objective, cluster)
    return _rehearsed[key]


def _rehearse(params: FloatArray, weights: FloatArray, cluster: Cluster) -> float:
    rule = priced_rule()
    worst = 0.0
    for preset, load in REHEARSALS:
        drawn = generate(
            preset, seed=REHEARSAL_SEED, cluster=cluster, n_tasks=REHEARSAL_TASKS, load=load * _capacity(cluster) / _capacity(workstation())
        )
        truth = replace(drawn.truth, work_s=drawn.tasks.requested_time_s, slowdown=None, gpu_noise=None)
        workload = replace(drawn, truth=truth)
        ours, theirs = (measure(workload, cluster, simulate(workload, cluster, replace(rule, params=prices))) for prices in (params, rule.params))
        worst = max(worst, weighted_objective(ours, weights) / weighted_objective(theirs, weights))
        if not weights[_TIMES].any():
            worst = max(worst, ours["mean_response_s"] / theirs["mean_response_s"] / LONGER)
    return worst


def _capacity(cluster: Cluster) -> float:
    """Return roughly how many mean tasks a second a cluster works off; only ratios count."""
    columns = cluster.columns()
    on_gpu = MEAN_SIZE_S * (0.5 + 0.5 / np.maximum(columns.gpu_speed, 1e-6))
    return float(columns.node_cores_milli.sum() / MILLI / (MEAN_CORES * MEAN_SIZE_S) + (1.0 / on_gpu).sum())


def sums_for(known: Known, workload: Workload, cluster: Cluster) -> FloatArray:
    """Return what a model knows about a workload's kinds on a cluster's devices, by name; zeros where it knows nothing.

    Returns
    -------
    ndarray of float64, shape (n_kinds, 1 + GPU models, N_SUMS)
    """
    names = workload.tasks.kind_names
    devices = (CPU, *cluster.gpu_models)
    sums = np.zeros((max(len(names), 1), len(devices), history.N_SUMS))
    for row, kind in enumerate(names):
        for column, device in enumerate(devices):
            if kind in known.kinds and device in known.devices:
                sums[row, column] = known.sums[known.kinds.index(kind), known.devices.index(device)]
    return sums
