"""From the training libraries' trees to the engine's: the same answers as their own ``predict``, without the libraries."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.ensemble import CATEGORY, LEAF, NAN_RIGHT, ZERO, ZERO_MISSING, Ensemble, Tree, build_ensemble

IDENTITY_OBJECTIVES = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
"""LightGBM's objectives whose prediction is the sum of the leaves itself."""

# LightGBM, include/LightGBM/tree.h: bit 0 of a decision type marks a categorical split, bit 1 "missing goes left", bits 2 and 3 what is missing.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT = 1, 2, 2
_MISSING_NONE, _MISSING_ZERO, _MISSING_NAN = 0, 1, 2
_WORD_BITS = 32


def from_lightgbm(booster: Any) -> Ensemble:
    """Convert a LightGBM model for regression.

    It is read from the text form of the model, whose 17 significant digits give thresholds and leaves back exactly. If training stopped early, only
    the trees up to the best iteration count, as in ``booster.predict``.

    Parameters
    ----------
    booster : lightgbm.Booster
        Numerical and categorical splits, any treatment of missing values, boosted or averaged; objectives of `IDENTITY_OBJECTIVES`.

    Returns
    -------
    Ensemble

    Raises
    ------
    ModelError
        If the objective transforms the sum, leaves are linear models, or there are several outputs.
    """
    header, *blocks = booster.model_to_string(importance_type="split").split("end of trees")[0].split("\n\nTree=")
    general = _fields(header)
    objective = general.get("objective", "none").split()
    if not objective or objective[0] not in IDENTITY_OBJECTIVES or "sqrt" in objective:
        raise ModelError(f"LightGBM model with objective {' '.join(objective)!r}; expected one of {', '.join(IDENTITY_OBJECTIVES)}")
    if general["num_tree_per_iteration"] != "1":
        raise ModelError(f"LightGBM model with {general['num_tree_per_iteration']} trees per iteration; expected one output")
    scale = 1.0 / len(blocks) if "average_output" in header.split("\n") else 1.0
    trees = [_lightgbm_tree(_fields(block), scale, index) for index, block in enumerate(blocks)]
    return build_ensemble(trees, int(general["max_feature_idx"]) + 1)


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _numbers(fields: dict[str, str], name: str, kind: type) -> Any:
    return np.array([kind(word) for word in fields.get(name, "").split()], dtype=np.float64 if kind is float else np.int64)


def _lightgbm_tree(fields: dict[str, str], scale: float, index: int) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise ModelError(f"LightGBM model, tree {index}: its leaves are linear models; expected constant leaves (linear_tree=false)")
    leaves: FloatArray = _numbers(fields, "leaf_value", float) * scale
    kind: IntArray = _numbers(fields, "decision_type", int)
    threshold: FloatArray = _numbers(fields, "threshold", float)
    # A tree without a split has one leaf and, in old and new versions, sometimes no fields of splits at all.
    splits = len(leaves) - 1
    if len(kind) != splits or len(threshold) != splits:
        raise ModelError(f"LightGBM model, tree {index}: {len(kind)} splits for {len(leaves)} leaves; expected {splits}")
    categorical = (kind & _CATEGORICAL) != 0
    missing = (kind >> _MISSING_SHIFT) & 3
    default_left = (kind & _DEFAULT_LEFT) != 0
    # What counts as missing goes where the split says. Where nothing does, NaN is taken for 0; in a categorical split it is in no set.
    nan_left = np.where(missing == _MISSING_NONE, threshold >= 0.0, default_left) & ~categorical
    zero_missing = (missing == _MISSING_ZERO) & ~categorical
    flags = np.where(nan_left, 0, NAN_RIGHT) | np.where(zero_missing, ZERO_MISSING, 0)
    flags = np.where(categorical, CATEGORY, flags)
    number = np.where(categorical, threshold, _of_rounded_zero(threshold))

    def child(name: str) -> IntArray:
        """Return nodes of splits and, behind them, of leaves, which LightGBM writes as -1, -2, ..."""
        given: IntArray = _numbers(fields, name, int)
        return np.concatenate([np.where(given < 0, splits - 1 - given, given), np.zeros(len(leaves), dtype=np.int64)])

    return Tree(
        left=child("left_child"),
        right=child("right_child"),
        feature=np.concatenate([_numbers(fields, "split_feature", int), np.zeros(len(leaves), dtype=np.int64)]),
        number=np.concatenate([number, leaves]),
        flags=np.concatenate([flags, np.full(len(leaves), LEAF)]),
        categories=_category_sets(fields),
    )


def _of_rounded_zero(threshold: FloatArray) -> FloatArray:
    """Return thresholds that do for values what the given ones do for values of which those within `ZERO` of 0 were made 0, as LightGBM does."""
    below = np.nextafter(-ZERO, -np.inf)
    return np.where((threshold >= 0.0) & (threshold < ZERO), ZERO, np.where((threshold >= -ZERO) & (threshold < 0.0), below, threshold))


def _category_sets(fields: dict[str, str]) -> list[IntArray]:
    bounds: IntArray = _numbers(fields, "cat_boundaries", int)
    words: IntArray = _numbers(fields, "cat_threshold", int)
    sets = []
    for begin, end in pairwise(bounds):
        bits = (words[begin:end, None] >> np.arange(_WORD_BITS)) & 1
        sets.append(np.flatnonzero(bits))
    return sets


def from_forest(regressor: Any) -> Ensemble:
    """Convert a scikit-learn forest (random forest or extremely randomised trees) for one target.

    scikit-learn casts a row to float32 before it compares; the thresholds here are the largest float64 that lead to the same side.

    Parameters
    ----------
    regressor : sklearn.ensemble.RandomForestRegressor or ExtraTreesRegressor
        Fitted.

    Returns
    -------
    Ensemble
        The mean of its trees. Infinities, which scikit-learn refuses, go where comparisons send them.

    Raises
    ------
    ModelError
        If it has several targets, or is not fitted.
    """
    estimators = getattr(regressor, "estimators_", None)
    if not estimators or not hasattr(estimators[0], "tree_"):
        raise ModelError(f"{type(regressor).__name__} has no trees; expected a fitted forest")
    if regressor.n_outputs_ != 1:
        raise ModelError(f"{type(regressor).__name__} has {regressor.n_outputs_} targets; expected one")
    trees = []
    for estimator in estimators:
        tree = estimator.tree_
        leaf = tree.children_left < 0
        flags = np.where(leaf, LEAF, np.where(tree.__getstate__()["nodes"]["missing_go_to_left"] != 0, 0, NAN_RIGHT))
        number = np.where(leaf, tree.value[:, 0, 0] / len(estimators), _of_single_precision(tree.threshold))
        trees.append(Tree(tree.children_left, tree.children_right, tree.feature, number, flags))
    return build_ensemble(trees, regressor.n_features_in_)


def _of_single_precision(threshold: FloatArray) -> FloatArray:
    """Return per threshold t the largest float64 that, rounded to float32 (half to even), is not above t."""
    largest, beyond = np.float32(np.finfo(np.float32).max), 2.0**128
    with np.errstate(over="ignore"):
        single = threshold.astype(np.float32)
        below = np.where(single > threshold, np.nextafter(single, np.float32(-np.inf)), single)
        above = np.nextafter(below, np.float32(np.inf))
    # Beside the largest float32 comes, for rounding, the next power of two.
    floor = np.where(below == -np.inf, -beyond, below.astype(np.float64))
    ceiling = np.where(below == largest, beyond, above.astype(np.float64))
    even = (below.view(np.uint32) & 1) == 0
    finite = np.where(np.isinf(floor), 0.0, floor)
    middle = finite + (ceiling - finite) / 2.0
    # scikit-learn parts missing values from all others by an infinite threshold.
    return np.where(np.isinf(floor), floor, np.where(even, middle, np.nextafter(middle, -np.inf)))
