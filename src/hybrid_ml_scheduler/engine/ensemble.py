"""Tree ensembles as flat arrays, and the compiled walker that sums them: how trained trees decide inside the engine.

One layout serves LightGBM's boosted trees and scikit-learn's forests. What differs between the two is put into thresholds and flags when an ensemble
is made (`learning.trees`), so that the walker needs no cases for libraries.

A tree is stored breadth first with the two children of a node side by side: its first node is the root, and the children of its k-th split (counted
from 0) are its nodes ``2 k + 1`` and ``2 k + 2``. So no index of a child is stored, none can be wrong, and every walk ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_call, compiled_entry, compiled_inner

LEAF, NAN_RIGHT, CATEGORY, ZERO_MISSING = 1, 2, 4, 8
"""Flags of a node. `NAN_RIGHT`: missing values go right. `CATEGORY`: the split asks whether the value is in a set. `ZERO_MISSING`: 0 is missing."""

ZERO = float(np.float32(1e-35))
"""LightGBM's kZeroThreshold: what is not farther from 0 than this is 0."""

MAX_NODES = 4_000_000
MAX_TREES = 100_000
MAX_FEATURES = 4_096
MAX_CATEGORY = 1 << 20

_SPECIAL = CATEGORY | ZERO_MISSING
_LANES = 8
_SET_BITS = 64
_NODE = np.dtype([("number", np.float64), ("left", np.int32), ("feature", np.uint16), ("flags", np.uint16)])
# What a stored ensemble consists of: the end of the name, and the element type.
_STORED = {"number": np.float64, "feature": np.uint16, "flags": np.uint8, "tree_nodes": np.int32, "sets": np.int64, "n_features": np.int64}


class Ensemble(NamedTuple):
    """A sum of trees, ready for `predict_ensemble`. Sizes: n nodes of t trees.

    Attributes
    ----------
    nodes : ndarray of records, shape (n + 1,)
        16 bytes each, so that one step touches one cache line: ``number`` (threshold, or where the set of a categorical split begins in ``sets``),
        ``left`` (the right child follows it; a leaf names itself), ``feature``, ``flags``. The last one is an empty leaf.
    value : ndarray of float64, shape (n + 1,)
        Value of a leaf; 0 for other nodes.
    root : ndarray of int64, shape (t rounded up to a multiple of 8,)
        First node of each tree; filled up with the empty leaf.
    sets : ndarray of int64
        Per categorical split the number of words, then as many words of 64 categories, lowest bit first.
    n_features : ndarray of int64, shape (1,)
        Columns that a row must at least have.
    """

    nodes: NDArray[np.void]
    value: FloatArray
    root: IntArray
    sets: IntArray
    n_features: IntArray


class Tree(NamedTuple):
    """One tree as libraries keep it, with indices of children in any order; node 0 is the root.

    Attributes
    ----------
    left, right : ndarray of int64, shape (n,)
        Children; anything at leaves.
    feature : ndarray of int64, shape (n,)
        Column that a split looks at; anything at leaves.
    number : ndarray of float64, shape (n,)
        Threshold (a value not above it goes left), or value of a leaf, or index into ``categories``.
    flags : ndarray of int64, shape (n,)
        `LEAF`, `NAN_RIGHT`, `CATEGORY` (values in the set go left, others and missing ones right), `ZERO_MISSING` (0 goes where missing values go).
    categories : sequence of ndarray of int64
        The sets of the categorical splits: non-negative whole numbers below `MAX_CATEGORY`.
    """

    left: IntArray
    right: IntArray
    feature: IntArray
    number: FloatArray
    flags: IntArray
    categories: Sequence[IntArray] = ()


def build_ensemble(trees: Sequence[Tree], n_features: int) -> Ensemble:
    """Lay trees out for the walker.

    Parameters
    ----------
    trees : sequence of Tree
        They are summed in this order.
    n_features : int
        Columns of a row; 0 to `MAX_FEATURES`.

    Raises
    ------
    ModelError
        If a tree is none (a node with two parents, a child that is not there), or anything that `ensemble_from_arrays` refuses.
    """
    number: list[float] = []
    feature: list[int] = []
    flags: list[int] = []
    sets: list[int] = []
    tree_nodes: list[int] = []
    for index, tree in enumerate(trees):
        order = _breadth_first(tree, index)
        tree_nodes.append(len(order))
        for node in order:
            kept, value = int(tree.flags[node]), float(tree.number[node])
            if kept & CATEGORY and not kept & LEAF:
                value, begin = float(len(sets)), int(value)
                sets += _set_words(tree.categories[begin], f"tree {index}, node {node}")
            number.append(value)
            flags.append(kept)
            feature.append(0 if kept & LEAF else _feature(int(tree.feature[node]), n_features, f"tree {index}, node {node}"))
    stored: dict[str, NDArray[Any]] = {
        "number": np.array(number, dtype=np.float64),
        "feature": np.array(feature, dtype=np.uint16),
        "flags": np.array(flags, dtype=np.uint8),
        "tree_nodes": np.array(tree_nodes, dtype=np.int32),
        "sets": np.array(sets, dtype=np.int64),
        "n_features": np.array([n_features], dtype=np.int64),
    }
    return ensemble_from_arrays({f"ensemble_{name}": array for name, array in stored.items()}, "ensemble")


def _breadth_first(tree: Tree, index: int) -> list[int]:
    order = [0]
    seen = {0}
    for node in order:
        if tree.flags[node] & LEAF:
            continue
        for child in (int(tree.left[node]), int(tree.right[node])):
            if not 0 <= child < len(tree.flags) or child in seen:
                raise ModelError(f"tree {index}, node {node}: child {child}; expected a node of the tree that has no other parent")
            seen.add(child)
            order.append(child)
    return order


def _set_words(categories: IntArray, where: str) -> list[int]:
    chosen = np.unique(np.asarray(categories, dtype=np.int64))
    if len(chosen) and (chosen[0] < 0 or chosen[-1] >= MAX_CATEGORY):
        raise ModelError(f"{where}: categories from {chosen[0]} to {chosen[-1]}; expected 0 to {MAX_CATEGORY - 1}")
    words = np.zeros(chosen[-1] // _SET_BITS + 1 if len(chosen) else 0, dtype=np.uint64)
    np.bitwise_or.at(words, chosen // _SET_BITS, np.uint64(1) << (chosen % _SET_BITS).astype(np.uint64))
    return [len(words), *words.view(np.int64).tolist()]


def _feature(feature: int, n_features: int, where: str) -> int:
    if not 0 <= feature < n_features:
        raise ModelError(f"{where}: feature {feature}; expected 0 to {n_features - 1}")
    return feature


def ensemble_arrays(ensemble: Ensemble, prefix: str) -> dict[str, NDArray[Any]]:
    """Return an ensemble as the arrays of a model file, named ``PREFIX_number``, ``PREFIX_flags`` and so on; `ensemble_from_arrays` reads them."""
    nodes = ensemble.nodes[:-1]
    trees = ensemble.root[ensemble.root < len(nodes)]
    stored = {
        "number": np.where(nodes["flags"] & LEAF, ensemble.value[:-1], nodes["number"]),
        "feature": nodes["feature"].copy(),
        "flags": nodes["flags"].astype(np.uint8),
        "tree_nodes": np.diff(trees, append=len(nodes)).astype(np.int32),
        "sets": ensemble.sets,
        "n_features": ensemble.n_features,
    }
    return {f"{prefix}_{name}": array for name, array in stored.items()}


def ensemble_from_arrays(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Ensemble:
    """Make an ensemble from the arrays of a model file, which may come from anyone.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        As `ensemble_arrays` names them; others are left alone.
    prefix : str
        How the names begin.

    Raises
    ------
    ModelError
        If an array is missing, of another type or length, or holds what would lead the walker out of the arrays or to a value that is not finite.
    """
    number, feature, flags, tree_nodes, sets, n_features = (_stored(arrays, prefix, name) for name in _STORED)
    n = len(number)
    for name, array in (("feature", feature), ("flags", flags)):
        if len(array) != n:
            raise ModelError(f"array {prefix}_{name}: {len(array)} nodes; expected {n}, as {prefix}_number has")
    if n > MAX_NODES or len(tree_nodes) > MAX_TREES:
        raise ModelError(f"ensemble {prefix}: {len(tree_nodes)} trees of {n} nodes; expected at most {MAX_TREES} trees and {MAX_NODES} nodes")
    if len(n_features) != 1 or not 0 <= n_features[0] <= MAX_FEATURES:
        raise ModelError(f"array {prefix}_n_features: {n_features[:4].tolist()}; expected one number from 0 to {MAX_FEATURES}")
    if (tree_nodes < 1).any() or int(tree_nodes.sum(dtype=np.int64)) != n:
        raise ModelError(
            f"array {prefix}_tree_nodes: adds up to {tree_nodes.sum(dtype=np.int64)}; expected numbers from 1 on that add up to {n} nodes"
        )
    leaf = (flags & LEAF) != 0
    _check_nodes(prefix, number, feature, flags, leaf, int(n_features[0]))
    _check_sets(prefix, sets, number[~leaf & ((flags & CATEGORY) != 0)])
    root = np.concatenate([[0], np.cumsum(tree_nodes, dtype=np.int64)[:-1]]).astype(np.int64)[: len(tree_nodes)]
    left = _children(prefix, root, leaf)

    nodes = np.zeros(n + 1, dtype=_NODE)
    nodes["number"][:n] = np.where(leaf, np.inf, number)
    nodes["number"][n] = np.inf
    nodes["left"][:n] = left
    nodes["left"][n] = n
    nodes["feature"][:n] = feature
    nodes["flags"][:n] = flags
    nodes["flags"][n] = LEAF
    value = np.zeros(n + 1)
    value[:n] = np.where(leaf, number, 0.0)
    padded = np.full(-(-len(root) // _LANES) * _LANES, n, dtype=np.int64)
    padded[: len(root)] = root
    return Ensemble(nodes, value, padded, sets.copy(), n_features.copy())


def _stored(arrays: Mapping[str, NDArray[Any]], prefix: str, name: str) -> NDArray[Any]:
    full = f"{prefix}_{name}"
    array = arrays.get(full)
    if array is None:
        raise ModelError(f"array {full} is missing; expected the ensemble {prefix} to be whole")
    if array.dtype != _STORED[name] or array.ndim != 1:
        raise ModelError(f"array {full}: {array.dtype} in {array.ndim} dimensions; expected {np.dtype(_STORED[name])} in one")
    return array


def _check_nodes(prefix: str, number: FloatArray, feature: IntArray, flags: IntArray, leaf: NDArray[np.bool_], n_features: int) -> None:
    allowed = flags & ~np.uint8(LEAF | NAN_RIGHT | CATEGORY | ZERO_MISSING)
    # A leaf must not look at anything, and a set knows no missing zero.
    bad = (allowed != 0) | (leaf & (flags != LEAF)) | ((flags & _SPECIAL) == _SPECIAL)
    if bad.any():
        raise ModelError(f"array {prefix}_flags: node {bad.argmax()} has {flags[bad.argmax()]}; expected {LEAF} for a leaf or flags of a split")
    bad = np.where(leaf, feature != 0, feature >= n_features)
    if bad.any():
        raise ModelError(
            f"array {prefix}_feature: node {bad.argmax()} looks at {feature[bad.argmax()]}; expected 0 at leaves and 0 to {n_features - 1} at splits"
        )
    # A threshold may be infinite (everything goes left, or nothing does), a value may not.
    bad = np.isnan(number) | (leaf & ~np.isfinite(number))
    if bad.any():
        raise ModelError(f"array {prefix}_number: node {bad.argmax()} has {number[bad.argmax()]}; expected a finite value or a threshold")


def _check_sets(prefix: str, sets: IntArray, begins: FloatArray) -> None:
    starts = set()
    place = 0
    while place < len(sets):
        starts.add(float(place))
        if not 0 <= sets[place] <= MAX_CATEGORY // _SET_BITS:
            raise ModelError(f"array {prefix}_sets: {sets[place]} words at {place}; expected 0 to {MAX_CATEGORY // _SET_BITS}")
        place += 1 + int(sets[place])
    if place != len(sets):
        raise ModelError(f"array {prefix}_sets: {len(sets)} numbers; expected {place}, where the last set ends")
    for begin in begins.tolist():
        if begin not in starts:
            raise ModelError(
                f"array {prefix}_number: a categorical split looks for its set at {begin}; expected the beginning of one in {prefix}_sets"
            )


def _children(prefix: str, root: IntArray, leaf: NDArray[np.bool_]) -> IntArray:
    """Return the left child of every split and leaves themselves."""
    n = len(leaf)
    splits_before = np.concatenate([[0], np.cumsum(~leaf)]).astype(np.int64)
    ends = np.append(root[1:], n) if len(root) else root
    sizes = ends - root
    splits = splits_before[ends] - splits_before[root]
    tree_of = np.repeat(np.arange(len(root)), sizes)
    place = np.arange(n)
    left = np.where(leaf, place, root[tree_of] + 1 + 2 * (splits_before[:n] - splits_before[root][tree_of]))
    # Of 2 k + 1 nodes k must be splits, and before each node enough of them that it is somebody's child: left children then lie behind their parents.
    bad = (sizes != 2 * splits + 1)[tree_of] | (~leaf & (left <= place))
    if bad.any():
        tree = int(tree_of[bad.argmax()])
        raise ModelError(
            f"array {prefix}_flags: tree {tree} has {splits[tree]} splits among {sizes[tree]} nodes; expected a whole binary tree, breadth first"
        )
    return left


def _empty() -> Ensemble:
    return build_ensemble((), 0)


@compiled_call
def _special(node: Any, value: float, sets: IntArray) -> int:
    """Say whether a value goes right (1) at a categorical split or one that takes zeros for missing."""
    if node.flags & ZERO_MISSING:
        if np.isnan(value) or (value >= -ZERO and value <= ZERO):
            return 1 if node.flags & NAN_RIGHT else 0
        return 1 if value > node.number else 0
    # Only values that an integer of 32 bits can hold once cut to whole numbers; NaN fails both comparisons.
    if not (value > -1.0 and value < 2147483648.0):
        return 1
    category = np.int64(value)
    begin = np.int64(node.number)
    word = category >> 6
    if word >= sets[begin]:
        return 1
    return int(1 - ((sets[begin + 1 + word] >> (category & 63)) & 1))


@compiled_inner
def _step(nodes: NDArray[np.void], sets: IntArray, x: FloatArray, place: int) -> int:
    """Return the child that a row goes to; a leaf leads to itself: its threshold is infinite, and missing values go left."""
    node = nodes[place]
    value = x[node.feature]
    if node.flags & _SPECIAL:
        return int(node.left + _special(node, value, sets))
    right = (value > node.number) | ((value != value) & ((node.flags & NAN_RIGHT) != 0))  # noqa: PLR0124 - NaN, in one instruction
    return int(node.left + np.int64(right))


@compiled_entry
def predict_ensemble(ensemble: Ensemble, x: FloatArray) -> float:
    """Return the sum of all trees for one row.

    Eight trees are walked abreast, because a step must wait for the one before it, but not for those of other trees. The order of the sum is fixed.

    Parameters
    ----------
    ensemble : Ensemble
    x : ndarray of float64, shape (at least n_features,)
        Any values, NaN (missing) and infinities included; a shorter row is not noticed and reads foreign memory.

    Returns
    -------
    float
    """
    nodes, value, root, sets = ensemble.nodes, ensemble.value, ensemble.root, ensemble.sets
    total = 0.0
    for group in range(0, len(root), 8):
        a, b, c, d = root[group], root[group + 1], root[group + 2], root[group + 3]
        e, f, g, h = root[group + 4], root[group + 5], root[group + 6], root[group + 7]
        while True:
            a1 = _step(nodes, sets, x, a)
            b1 = _step(nodes, sets, x, b)
            c1 = _step(nodes, sets, x, c)
            d1 = _step(nodes, sets, x, d)
            e1 = _step(nodes, sets, x, e)
            f1 = _step(nodes, sets, x, f)
            g1 = _step(nodes, sets, x, g)
            h1 = _step(nodes, sets, x, h)
            moved = (a1 ^ a) | (b1 ^ b) | (c1 ^ c) | (d1 ^ d) | (e1 ^ e) | (f1 ^ f) | (g1 ^ g) | (h1 ^ h)
            a, b, c, d, e, f, g, h = a1, b1, c1, d1, e1, f1, g1, h1
            if moved == 0:
                break
        total += value[a]
        total += value[b]
        total += value[c]
        total += value[d]
        total += value[e]
        total += value[f]
        total += value[g]
        total += value[h]
    return total


@compiled_entry
def predict_ensemble_rows(ensemble: Ensemble, rows: FloatArray, result: FloatArray) -> None:
    """Write `predict_ensemble` of every row of a table, shape (m, at least n_features), into ``result``, shape (m,)."""
    for row in range(len(rows)):
        result[row] = predict_ensemble(ensemble, rows[row])


EMPTY_ENSEMBLE = _empty()
"""No tree: 0 for every row. Stands where a policy has no model."""
