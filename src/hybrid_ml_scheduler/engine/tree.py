"""Waiting tasks in a fixed order, as the leaves of a tree that knows the fewest processors and the shortest estimate waiting below every node.

The first waiting task that may start is found without looking at those that may not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled

NOBODY = 1 << 62
"""Processors of an empty leaf: more than any pool has."""


class FitTree(NamedTuple):
    """A complete binary tree in arrays: node 1 is the root, the children of ``i`` are ``2 i`` and ``2 i + 1``, leaves are the second half.

    Attributes
    ----------
    fewest : ndarray of int64, shape (2 * n_leaves,)
        Fewest cores (thousandths) waiting below; `NOBODY` for none.
    shortest : ndarray of float64, shape (2 * n_leaves,)
        Shortest requested time waiting below, in seconds.
    """

    fewest: IntArray
    shortest: FloatArray


def build_tree(n_tasks: int) -> FitTree:
    """Return an empty tree with room for so many tasks."""
    size = 2 * (1 << max(n_tasks - 1, 0).bit_length())
    return FitTree(np.full(size, NOBODY, dtype=np.int64), np.full(size, np.inf))


@compiled
def tree_set(tree: FitTree, rank: int, cores: int, requested_s: float) -> None:
    """Write one leaf and what follows from it above; (`NOBODY`, inf) clears it."""
    fewest, shortest = tree.fewest, tree.shortest
    place = (len(fewest) >> 1) + rank
    fewest[place] = cores
    shortest[place] = requested_s
    place >>= 1
    while place >= 1:
        left = 2 * place
        few = min(fewest[left], fewest[left + 1])
        short = min(shortest[left], shortest[left + 1])
        if fewest[place] == few and shortest[place] == short:
            break
        fewest[place] = few
        shortest[place] = short
        place >>= 1


@compiled
def tree_next(tree: FitTree, after: int, free: int, slack_s: float, extra: int) -> int:
    """Return the first waiting rank from ``after`` on that fits and either ends within ``slack_s`` or needs at most ``extra``; -1 if none."""
    fewest, shortest = tree.fewest, tree.shortest
    leaves = len(fewest) >> 1
    if after >= leaves:
        return -1
    place = leaves + after
    while True:
        if fewest[place] <= free and (shortest[place] <= slack_s or fewest[place] <= extra):
            if place >= leaves:
                return int(place - leaves)
            place = 2 * place
            continue
        # Nothing below: on to the next subtree to the right. On the right rim (place + 1 is a power of two) there is none.
        while place & 1:
            if place & (place + 1) == 0:
                return -1
            place >>= 1
        place += 1


@compiled
def tree_first(tree: FitTree) -> int:
    """Return the smallest waiting rank; -1 if none."""
    fewest = tree.fewest
    if fewest[1] == NOBODY:
        return -1
    leaves = len(fewest) >> 1
    place = 1
    while place < leaves:
        place = 2 * place if fewest[2 * place] != NOBODY else 2 * place + 1
    return int(place - leaves)
