"""Random task graphs for the preset ``graphs``: fork-join and layered ones, half of each."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import IntArray

FORK_STAGES = (1, 3)
FORK_WIDTH = (2, 8)
LAYERS = (3, 6)
LAYER_WIDTH = (1, 8)
LAYER_PARENTS = (1, 3)
"""Smallest and largest of each, drawn uniformly. A task of a layer has its parents, as far as there are as many, in the layer before."""


def _mean(limits: tuple[int, int]) -> float:
    return (limits[0] + limits[1]) / 2.0


MEAN_GRAPH_TASKS = 0.5 * (1.0 + _mean(FORK_STAGES) * (_mean(FORK_WIDTH) + 1.0)) + 0.5 * _mean(LAYERS) * _mean(LAYER_WIDTH)
"""Mean number of tasks of a graph."""


def _draw(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    return int(rng.integers(limits[0], limits[1] + 1))


def fork_join(rng: np.random.Generator) -> tuple[int, list[int], list[int]]:
    """Draw a fork-join graph: a source, then stages of parallel tasks, each closed by one task that joins them.

    Returns
    -------
    n_tasks : int
        Tasks are numbered 0 to ``n_tasks - 1``, parents before children.
    parent, child : list of int
        Both ends of every edge.
    """
    parent: list[int] = []
    child: list[int] = []
    last, n_tasks = 0, 1
    for _ in range(_draw(rng, FORK_STAGES)):
        width = _draw(rng, FORK_WIDTH)
        join = n_tasks + width
        for branch in range(n_tasks, join):
            parent += [last, branch]
            child += [branch, join]
        last, n_tasks = join, join + 1
    return n_tasks, parent, child


def layered(rng: np.random.Generator) -> tuple[int, list[int], list[int]]:
    """Draw a layered graph: every task below the first layer has parents in the layer before. Returns what `fork_join` does."""
    parent: list[int] = []
    child: list[int] = []
    above: list[int] = []
    n_tasks = 0
    for _ in range(_draw(rng, LAYERS)):
        layer = list(range(n_tasks, n_tasks + _draw(rng, LAYER_WIDTH)))
        for task in layer:
            if above:
                chosen = rng.choice(above, size=min(_draw(rng, LAYER_PARENTS), len(above)), replace=False)
                parent += sorted(int(row) for row in chosen)
                child += [task] * len(chosen)
        above, n_tasks = layer, n_tasks + len(layer)
    return n_tasks, parent, child


def random_graphs(rng: np.random.Generator, n_tasks: int) -> tuple[IntArray, IntArray, IntArray]:
    """Draw graphs until there are `n_tasks` tasks; the last one is cut off there.

    Returns
    -------
    graph : ndarray of int64, shape (n_tasks,)
        Number of the graph of every task, ascending from 0.
    parent, child : ndarray of int64, shape (n_edges,)
        Both ends of every edge as task rows; a parent stands before its children.
    """
    sizes: list[int] = []
    parents: list[int] = []
    children: list[int] = []
    total = 0
    while total < n_tasks:
        size, parent, child = fork_join(rng) if rng.random() < 0.5 else layered(rng)
        parents += [total + row for row in parent]
        children += [total + row for row in child]
        sizes.append(size)
        total += size
    graph = np.repeat(np.arange(len(sizes)), sizes)[:n_tasks].astype(np.int64)
    ends = np.array([parents, children], dtype=np.int64).reshape(2, -1)
    ends = ends[:, ends[1] < n_tasks]
    return graph, ends[0], ends[1]
