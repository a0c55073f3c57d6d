"""How long does a model take to decide? Trains one of each kind and times it inside the engine, and the training libraries beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray
from hybrid_ml_scheduler.engine.ensemble import Ensemble, predict_ensemble_rows
from hybrid_ml_scheduler.engine.net import build_net, n_net_params, net_forward_rows, net_scratch
from hybrid_ml_scheduler.learning.trees import from_forest, from_lightgbm

TREES, LEAVES, FEATURES = 100, 63, 20
TRAINING_ROWS = 20_000
NET_SIZES = (FEATURES, 64, 64, 1)
LIBRARY_ROWS = 20


@dataclass(frozen=True, slots=True)
class Latency:
    """Time per decision.

    Attributes
    ----------
    name : str
        Which model.
    times_us : tuple of float
        Microseconds per decision, one per repeat.
    note : str
        What was measured.
    """

    name: str
    times_us: tuple[float, ...]
    note: str


def decision_latencies(repeats: int, rows: int = 20_000) -> dict[str, Latency]:
    """Measure the time per decision of tree ensembles and a network.

    Every repeat takes rows that were not seen before, so that no branch predictor knows the way through the trees; rows hold 5 % missing values (0
    for the network) and one categorical column. Models decide in one compiled loop; the libraries are asked row by row, as somebody would who called
    them at each decision.

    Parameters
    ----------
    repeats : int
        >= 1.
    rows : int
        Decisions per repeat.

    Returns
    -------
    dict of str to Latency
        ``lightgbm``, ``forest``, ``net``; ``lightgbm_library`` and ``forest_library`` for the libraries' own predict on one row.
    """
    import lightgbm
    from sklearn.ensemble import RandomForestRegressor

    random = np.random.default_rng(0)
    x = _rows(random, TRAINING_ROWS)
    y = np.nan_to_num(x[:, 0] * x[:, 1]) + np.sin(np.nan_to_num(x[:, 2])) + x[:, -1] % 7 + random.standard_exponential(len(x))
    params = {"objective": "quantile", "alpha": 0.9, "num_leaves": LEAVES, "num_threads": 1, "verbose": -1, "seed": 0}
    booster = lightgbm.train(params, lightgbm.Dataset(x, y, categorical_feature=[FEATURES - 1]), TREES)
    forest = RandomForestRegressor(TREES, max_leaf_nodes=LEAVES, max_features=0.5, random_state=0, n_jobs=1).fit(x, y)
    net = build_net(NET_SIZES, 0.2 * random.normal(size=n_net_params(NET_SIZES)), "tanh")
    scratch, result = net_scratch(net), np.empty(rows)

    def ensemble_loop(ensemble: Ensemble) -> Callable[[FloatArray], Any]:
        return lambda table: predict_ensemble_rows(ensemble, table, result)

    def one_by_one(predict: Callable[[FloatArray], Any]) -> Callable[[FloatArray], Any]:
        return lambda table: [predict(table[row : row + 1]) for row in range(len(table))]

    trees = f"{TREES} trees of {LEAVES} leaves, {FEATURES} features"
    measured: dict[str, tuple[str, str, int, Callable[[FloatArray], Any]]] = {
        "lightgbm": ("LightGBM in the engine", f"{trees}, one of them categorical", rows, ensemble_loop(from_lightgbm(booster))),
        "forest": ("random forest in the engine", trees, rows, ensemble_loop(from_forest(forest))),
        "net": ("net in the engine", f"{FEATURES} inputs, tanh", rows, lambda table: net_forward_rows(net, table, scratch, result)),
        "lightgbm_library": ("LightGBM's own predict, one row", trees, LIBRARY_ROWS, one_by_one(booster.predict)),
        "forest_library": ("scikit-learn's own predict, one row", trees, LIBRARY_ROWS, one_by_one(forest.predict)),
    }
    latencies = {}
    for key, (name, note, size, decide) in measured.items():
        times_us = []
        decide(_rows(random, size))
        for _ in range(repeats):
            table = _rows(random, size)
            if key == "net":
                table = np.nan_to_num(table)
            began = time.perf_counter()
            decide(table)
            times_us.append(1e6 * (time.perf_counter() - began) / size)
        latencies[key] = Latency(name, tuple(times_us), note)
    return latencies


def _rows(random: np.random.Generator, n: int) -> FloatArray:
    x = random.normal(size=(n, FEATURES))
    x[random.random(x.shape) < 0.05] = np.nan
    x[:, -1] = random.integers(0, 40, size=n)
    return x
