from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.engine.ensemble import (
    CATEGORY,
    EMPTY_ENSEMBLE,
    LEAF,
    NAN_RIGHT,
    ZERO,
    ZERO_MISSING,
    Ensemble,
    Tree,
    build_ensemble,
    ensemble_arrays,
    ensemble_from_arrays,
    predict_ensemble,
    predict_ensemble_rows,
)
from hybrid_ml_scheduler.learning.arrays import decode_arrays, encode_arrays

FEATURES = 4
CATEGORIES = (np.array([], dtype=np.int64), np.array([0, 3, 63, 64, 200]), np.array([5]))


def random_tree(random: np.random.Generator, splits: int) -> Tree:
    """A tree of any shape, its nodes in any order (but for the root), with all kinds of splits."""
    n = 2 * splits + 1
    left, right = np.full(n, -1), np.full(n, -1)
    flags = np.full(n, LEAF)
    number = random.normal(size=n)
    names = [0, *(1 + random.permutation(n - 1)).tolist()]
    leaves = [names.pop(0)]
    for _ in range(splits):
        node = leaves.pop(random.integers(len(leaves)))
        left[node], right[node] = names.pop(0), names.pop(0)
        leaves += [left[node], right[node]]
        flags[node] = random.choice([0, NAN_RIGHT, CATEGORY, ZERO_MISSING, ZERO_MISSING | NAN_RIGHT])
        number[node] = random.integers(len(CATEGORIES)) if flags[node] == CATEGORY else random.choice([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf])
    return Tree(left, right, random.integers(0, FEATURES, size=n), number, flags, CATEGORIES)


def random_rows(random: np.random.Generator, n: int) -> NDArray[np.float64]:
    special = [
        np.nan,
        np.inf,
        -np.inf,
        0.0,
        -0.0,
        ZERO,
        np.nextafter(ZERO, 1.0),
        -ZERO,
        3.0,
        3.99,
        -0.5,
        -1.0,
        63.0,
        64.0,
        65.0,
        200.0,
        5.0,
        1e300,
        2.0**31,
    ]
    return np.where(random.random((n, FEATURES)) < 0.5, random.normal(size=(n, FEATURES)), random.choice(special, size=(n, FEATURES)))


def walk(tree: Tree, row: NDArray[np.float64]) -> float:
    """The same in plain words, from the definition of the flags."""
    node = 0
    while not tree.flags[node] & LEAF:
        value, flags = row[tree.feature[node]], tree.flags[node]
        if flags & CATEGORY:
            goes_left = bool(np.isfinite(value) and value > -1 and int(value) in tree.categories[int(tree.number[node])])
        elif np.isnan(value) or (flags & ZERO_MISSING and abs(value) <= ZERO):
            goes_left = not flags & NAN_RIGHT
        else:
            goes_left = bool(value <= tree.number[node])
        node = int(tree.left[node] if goes_left else tree.right[node])
    return float(tree.number[node])


def random_ensemble(seed: int, n_trees: int) -> tuple[list[Tree], Ensemble]:
    random = np.random.default_rng(seed)
    trees = [random_tree(random, int(random.integers(0, 40))) for _ in range(n_trees)]
    return trees, build_ensemble(trees, FEATURES)


@pytest.mark.parametrize("n_trees", [0, 1, 7, 8, 9, 30])
def test_the_walker_does_what_the_flags_say(n_trees: int) -> None:
    for seed in range(10):
        trees, ensemble = random_ensemble(seed, n_trees)
        rows = random_rows(np.random.default_rng([seed, 1]), 100)
        result = np.empty(len(rows))
        predict_ensemble_rows(ensemble, rows, result)
        expected = [sum(walk(tree, row) for tree in trees) for row in rows]
        np.testing.assert_array_equal(result, expected)
        assert predict_ensemble(ensemble, rows[0]) == expected[0]


def test_the_empty_ensemble_says_nothing() -> None:
    assert predict_ensemble(EMPTY_ENSEMBLE, np.zeros(0)) == 0.0
    assert [np.asarray(part).dtype for part in EMPTY_ENSEMBLE] == [np.asarray(part).dtype for part in random_ensemble(0, 3)[1]]


def test_a_stored_ensemble_comes_back_the_same() -> None:
    for n_trees in (0, 1, 8, 13):
        _, ensemble = random_ensemble(5, n_trees)
        arrays = decode_arrays(encode_arrays(ensemble_arrays(ensemble, "cpu_p90"), "test"), "test")
        again = ensemble_from_arrays(arrays, "cpu_p90")
        for first, second in zip(ensemble, again, strict=True):
            np.testing.assert_array_equal(first, second)


ARRAYS = ensemble_arrays(random_ensemble(3, 6)[1], "m")


def changed(name: str, place: int, value: float) -> dict[str, NDArray[Any]]:
    array = ARRAYS[f"m_{name}"].copy()
    array[place] = value
    return ARRAYS | {f"m_{name}": array}


def first(where: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(where)[0])


IS_LEAF = (ARRAYS["m_flags"] & LEAF) != 0
IS_CATEGORY = (ARRAYS["m_flags"] & CATEGORY) != 0
DAMAGED = {
    "m_number is missing": {name: array for name, array in ARRAYS.items() if name != "m_number"},
    "m_feature: int64 in 1 dimensions; expected uint16": ARRAYS | {"m_feature": ARRAYS["m_feature"].astype(np.int64)},
    "m_number: float64 in 2 dimensions": ARRAYS | {"m_number": ARRAYS["m_number"][None]},
    r"m_flags: \d+ nodes; expected": ARRAYS | {"m_flags": ARRAYS["m_flags"][:-1]},
    "node 0 looks at 4; expected 0 at leaves and 0 to 3 at splits": changed("feature", 0, FEATURES),
    "looks at 1; expected 0 at leaves": changed("feature", first(IS_LEAF), 1),
    "has nan; expected a finite value": changed("number", first(IS_LEAF), np.nan),
    "has inf; expected a finite value": changed("number", first(IS_LEAF), np.inf),
    "has -inf; expected a finite value": changed("number", first(IS_LEAF), -np.inf),
    "node 0 has nan; expected a finite value or a threshold": changed("number", 0, np.nan),
    "has 16; expected 1 for a leaf": changed("flags", 0, 16),
    "has 3; expected 1 for a leaf": changed("flags", first(IS_LEAF), LEAF | NAN_RIGHT),
    "has 12; expected 1 for a leaf": changed("flags", first(~IS_LEAF), CATEGORY | ZERO_MISSING),
    "splits among": changed("flags", first(IS_LEAF), NAN_RIGHT),
    "looks for its set at 0.5": changed("number", first(IS_CATEGORY), 0.5),
    "looks for its set at -1.0": changed("number", first(IS_CATEGORY), -1.0),
    "looks for its set at 1e": changed("number", first(IS_CATEGORY), 1e300),
    "m_sets: -1 words": changed("sets", 0, -1),
    "m_sets: 100000 words": changed("sets", 0, 100_000),
    "where the last set ends": ARRAYS | {"m_sets": np.append(ARRAYS["m_sets"], 5)},
    "m_tree_nodes: adds up to": changed("tree_nodes", 0, 2**31 - 1),
    "expected numbers from 1 on": changed("tree_nodes", 0, 0),
    r"m_n_features: \[-1\]": changed("n_features", 0, -1),
    r"m_n_features: \[4, 4\]": ARRAYS | {"m_n_features": np.array([4, 4])},
    "expected at most 100000 trees": ARRAYS | {"m_tree_nodes": np.ones(100_001, dtype=np.int32)},
}


@pytest.mark.parametrize("message", DAMAGED)
def test_damaged_arrays_are_refused(message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ensemble_from_arrays(DAMAGED[message], "m")


def test_splits_that_are_nobodys_children_are_refused() -> None:
    # The right number of splits, but the first node is a leaf already.
    flags = np.array([LEAF, 0, LEAF], dtype=np.uint8)
    arrays = {"m_number": np.zeros(3), "m_feature": np.zeros(3, dtype=np.uint16), "m_flags": flags, "m_tree_nodes": np.array([3], dtype=np.int32)}
    arrays |= {"m_sets": np.zeros(0, dtype=np.int64), "m_n_features": np.array([1])}
    with pytest.raises(ModelError, match="breadth first"):
        ensemble_from_arrays(arrays, "m")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_damaged_gives_an_error_or_a_finite_answer(data: st.DataObject) -> None:
    arrays = dict(ARRAYS)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(arrays)))
        array = arrays[name].copy()
        if data.draw(st.booleans()) and len(array):
            raw = array.view(np.uint8)
            raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
        else:
            array = array[: data.draw(st.integers(0, len(array)))].copy()
        arrays[name] = array
    try:
        ensemble = ensemble_from_arrays(arrays, "m")
    except ModelError:
        return
    assert ensemble.n_features[0] <= 4096
    rows = np.zeros((20, max(int(ensemble.n_features[0]), FEATURES)))
    rows[:, :FEATURES] = random_rows(np.random.default_rng(0), 20)
    result = np.full(20, np.nan)
    with np.errstate(over="ignore"):
        predict_ensemble_rows(ensemble, rows, result)
    # Finite leaves may still add up to more than a float64 holds.
    assert not np.isnan(result).any() or np.abs(ensemble.value).max() > 1e300


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (Tree(np.array([1, 0, 0]), np.array([1, 0, 0]), np.zeros(3, int), np.zeros(3), np.array([0, LEAF, LEAF])), "no other parent"),
        (Tree(np.array([0, 0, 0]), np.array([1, 0, 0]), np.zeros(3, int), np.zeros(3), np.array([0, LEAF, LEAF])), "no other parent"),
        (Tree(np.array([3, 0, 0]), np.array([1, 0, 0]), np.zeros(3, int), np.zeros(3), np.array([0, LEAF, LEAF])), "child 3"),
        (Tree(np.array([1, 0, 0]), np.array([2, 0, 0]), np.full(3, -1), np.zeros(3), np.array([0, LEAF, LEAF])), "feature -1"),
        (
            Tree(np.array([1, 0, 0]), np.array([2, 0, 0]), np.zeros(3, int), np.zeros(3), np.array([CATEGORY, LEAF, LEAF]), (np.array([-1]),)),
            "categories from -1",
        ),
    ],
)
def test_what_is_no_tree_is_refused(tree: Tree, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_ensemble([tree], 1)
