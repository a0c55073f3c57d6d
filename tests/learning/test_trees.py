"""Converted ensembles say what the training libraries themselves say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.engine.ensemble import CATEGORY, ZERO, ZERO_MISSING, Ensemble, ensemble_arrays, predict_ensemble, predict_ensemble_rows
from hybrid_ml_scheduler.learning.files import Model
from hybrid_ml_scheduler.learning.importance import feature_use
from hybrid_ml_scheduler.learning.trees import _of_single_precision, from_forest, from_lightgbm
from model_cases import example_model

FEATURES, CATEGORICAL = 6, (4, 5)
SPECIAL = [0.0, -0.0, ZERO, -ZERO, 1e-36, -1e-36, 1e-34, np.inf, -np.inf, 1e300, -1e300, 5e-324]
UNSEEN = [-1.0, -0.5, -7.0, 0.5, 2.999, 40.0, 63.0, 64.0, 1000.0, 2.0**31 - 1, 2.0**31, 2.0**40, 1e300, np.inf, -np.inf]


def training_data(seed: int, n: int = 1500, *, missing: float = 0.1) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, FEATURES))
    x[:, 1] = np.where(random.random(n) < 0.5, 0.0, x[:, 1])
    x[:, 2] = np.round(x[:, 2] * 2.0) / 2.0
    x[:, 4], x[:, 5] = random.integers(0, 30, n), random.integers(0, 100, n)
    y = x[:, 0] * np.sin(x[:, 4]) + np.abs(x[:, 1]) + (x[:, 5] % 7) * 0.3 + 0.1 * random.standard_exponential(n)
    x[random.random(x.shape) < missing] = np.nan
    return x, y


def rows_to_try(seed: int, thresholds: NDArray[np.float64], n: int = 2000) -> NDArray[np.float64]:
    """Ordinary rows, mixed with the values at which splits, casts and conventions turn."""
    random = np.random.default_rng([seed, 7])
    x, _ = training_data(seed + 1000, n, missing=0.05)
    edges = np.concatenate([thresholds, np.nextafter(thresholds, np.inf), np.nextafter(thresholds, -np.inf), SPECIAL])
    x = np.where(random.random(x.shape) < 0.3, random.choice(edges, size=x.shape), x)
    for column in CATEGORICAL:
        x[:, column] = np.where(random.random(n) < 0.3, random.choice(UNSEEN, size=n), x[:, column])
    x[random.random(x.shape) < 0.1] = np.nan
    return x


def predict(ensemble: Ensemble, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.empty(len(rows))
    predict_ensemble_rows(ensemble, np.ascontiguousarray(rows), result)
    return result


def thresholds_of(ensemble: Ensemble) -> NDArray[np.float64]:
    numbers = ensemble.nodes["number"][(ensemble.nodes["flags"] & CATEGORY) == 0]
    return numbers[np.isfinite(numbers)]


SETTINGS: dict[str, dict[str, Any]] = {
    "regression": {"objective": "regression"},
    "median": {"objective": "quantile", "alpha": 0.5},
    "ninth decile": {"objective": "quantile", "alpha": 0.9},
    "first decile": {"objective": "quantile", "alpha": 0.1, "max_depth": 3},
    "absolute": {"objective": "regression_l1"},
    "huber": {"objective": "huber", "boost_from_average": False},
    "zero is missing": {"objective": "regression", "zero_as_missing": True},
    "nothing is missing": {"objective": "regression", "use_missing": False},
    "one-hot categories": {"objective": "regression", "max_cat_to_onehot": 200},
    "averaged": {"objective": "regression", "boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1},
    "stumps": {"objective": "quantile", "alpha": 0.7, "num_leaves": 2},
    "no split": {"objective": "regression", "min_data_in_leaf": 10_000},
}


def trained(options: dict[str, Any], seed: int, *, categorical: bool = True, rounds: int = 30, **more: Any) -> lightgbm.Booster:
    x, y = training_data(seed)
    data = lightgbm.Dataset(x, y, categorical_feature=list(CATEGORICAL) if categorical else [], free_raw_data=False)
    params = {"num_leaves": 31, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1, "deterministic": True, "seed": seed} | options
    return lightgbm.train(params, data, rounds, **more)


@pytest.mark.parametrize("categorical", [True, False])
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.filterwarnings("ignore:.*categorical_feature.*:UserWarning")
def test_lightgbm_says_the_same(name: str, categorical: bool) -> None:
    for seed in range(2):
        booster = trained(SETTINGS[name], seed, categorical=categorical)
        ensemble = from_lightgbm(booster)
        rows = rows_to_try(seed, thresholds_of(ensemble))
        np.testing.assert_allclose(predict(ensemble, rows), booster.predict(rows), rtol=0.0, atol=1e-9)


def test_the_settings_reach_every_kind_of_split() -> None:
    flags = np.concatenate([from_lightgbm(trained(SETTINGS[name], 0)).nodes["flags"] for name in ("regression", "zero is missing")])
    assert {CATEGORY, ZERO_MISSING} <= {int(kind) & (CATEGORY | ZERO_MISSING) for kind in flags}


def test_only_trees_up_to_the_best_iteration_count() -> None:
    x, y = training_data(9)
    stop = lightgbm.early_stopping(3, verbose=False)
    booster = trained(
        SETTINGS["regression"] | {"learning_rate": 0.5},
        0,
        rounds=200,
        valid_sets=[lightgbm.Dataset(x, y)],
        callbacks=[stop],
        keep_training_booster=True,
    )
    assert 0 < booster.best_iteration < booster.num_trees()
    rows = rows_to_try(0, np.zeros(1))
    np.testing.assert_allclose(predict(from_lightgbm(booster), rows), booster.predict(rows), rtol=0.0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), leaves=st.integers(2, 60), rounds=st.integers(1, 20), kind=st.sampled_from(sorted(SETTINGS)))
def test_lightgbm_says_the_same_over_random_models(seed: int, leaves: int, rounds: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(60, 400))
    x, y = training_data(seed, n, missing=float(random.choice([0.0, 0.2])))
    params = {"num_leaves": leaves, "min_data_in_leaf": 3, "verbose": -1, "num_threads": 1} | SETTINGS[kind]
    booster = lightgbm.train(params, lightgbm.Dataset(x, y * 10.0 ** random.integers(-3, 5), categorical_feature=list(CATEGORICAL)), rounds)
    ensemble = from_lightgbm(booster)
    rows = rows_to_try(seed, np.append(thresholds_of(ensemble), 0.0), 200)
    np.testing.assert_allclose(predict(ensemble, rows), booster.predict(rows), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "poisson"}, "objective 'poisson'; expected one of regression"),
        ({"objective": "regression", "reg_sqrt": True}, "objective 'regression sqrt'"),
        ({"objective": "regression", "linear_tree": True}, "tree 0: its leaves are linear models"),
        ({"objective": "multiclass", "num_class": 3}, "objective 'multiclass num_class:3'"),
    ],
)
def test_lightgbm_models_that_are_no_sum_of_leaves_are_refused(options: dict[str, Any], message: str) -> None:
    x, y = training_data(0, missing=0.0)
    booster = lightgbm.train({"verbose": -1, "num_threads": 1} | options, lightgbm.Dataset(x, np.floor(np.abs(y)) % 3), 3)
    with pytest.raises(ModelError, match=message):
        from_lightgbm(booster)


FORESTS = {
    "random forest": lambda seed: RandomForestRegressor(20, random_state=seed, max_leaf_nodes=60),
    "deep forest": lambda seed: RandomForestRegressor(5, random_state=seed),
    "extra trees": lambda seed: ExtraTreesRegressor(20, random_state=seed, max_depth=7),
    "roots": lambda seed: RandomForestRegressor(3, random_state=seed, max_depth=1, min_samples_leaf=2000),
}


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("name", FORESTS)
def test_scikit_learn_says_the_same(name: str, missing: float) -> None:
    for seed in range(2):
        x, y = training_data(seed, missing=missing)
        forest = FORESTS[name](seed).fit(x, y)
        ensemble = from_forest(forest)
        rows = rows_to_try(seed, np.append(thresholds_of(ensemble), 0.0))
        # scikit-learn refuses what does not fit a float32.
        rows[np.abs(rows) > 3e38] = 1e38
        np.testing.assert_allclose(predict(ensemble, rows), forest.predict(rows), rtol=0.0, atol=1e-9)


@settings(max_examples=500, deadline=None)
@given(st.floats(width=64, allow_nan=False), st.integers(-3, 3), st.booleans())
def test_thresholds_for_single_precision_send_every_value_to_the_same_side(number: float, steps: int, between: bool) -> None:
    threshold = np.array([number])
    if between:
        # scikit-learn's own thresholds: half-way between two float32, or one of them.
        single = np.clip(threshold, -1e38, 1e38).astype(np.float32)
        threshold = (single.astype(np.float64) + np.nextafter(single, np.float32(np.inf)).astype(np.float64)) / 2.0
    with np.errstate(over="ignore"):
        rounded = float(np.float32(threshold[0]))
    moved = _of_single_precision(threshold)
    values = [moved[0], threshold[0], rounded]
    with np.errstate(over="ignore"):
        for _ in range(abs(steps)):
            values = [*values, *(np.nextafter(value, np.copysign(np.inf, steps)) for value in values)]
        for value in [*values, np.inf, -np.inf]:
            assert (np.float32(value) <= threshold[0]) == (value <= moved[0])


def test_forests_that_cannot_be_converted_are_refused() -> None:
    x, y = training_data(0, missing=0.0)
    with pytest.raises(ModelError, match="has no trees; expected a fitted forest"):
        from_forest(RandomForestRegressor())
    with pytest.raises(ModelError, match="has 2 targets; expected one"):
        from_forest(RandomForestRegressor(2).fit(x, np.stack([y, y], axis=1)))


def test_one_row_at_a_time_is_the_same() -> None:
    x, y = training_data(3)
    ensemble = from_forest(RandomForestRegressor(13, random_state=0, max_leaf_nodes=40).fit(x, y))
    np.testing.assert_array_equal([predict_ensemble(ensemble, row) for row in x[:50]], predict(ensemble, x[:50]))


def test_splits_are_counted_as_lightgbm_counts_them() -> None:
    booster = trained(SETTINGS["regression"], 0)
    names = tuple(f"x{column}" for column in range(booster.num_feature()))
    arrays = ensemble_arrays(from_lightgbm(booster), "cpu")
    (use,) = feature_use(Model(replace(example_model().card, features=names), arrays))
    counts = booster.feature_importance("split")
    assert (use.name, use.trees, use.splits) == ("cpu", booster.num_trees(), counts.sum())
    assert use.share == {names[column]: counts[column] / counts.sum() for column in np.flatnonzero(counts)}
    assert [*use.share.values()] == sorted(use.share.values(), reverse=True)
