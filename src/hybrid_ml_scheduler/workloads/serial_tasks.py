"""The tasks of the original system, for the preset ``serial``; its run-time law is the engine's law ``serial``."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray

ARRIVALS_PER_S = 100.0
MIN_SIZE, MAX_SIZE, SIZE_SHAPE = 100.0, 5000.0, 1.5
LOW_SHARE, LOW_MEAN, HIGH_MEAN, INTENSITY_SD = 0.3, 0.2, 0.8, 0.1
MIN_INTENSITY, MAX_INTENSITY = 0.05, 1.0
MEMORY_SD_MB, MIN_MEMORY_MB, MAX_MEMORY_MB = 50.0, 10.0, 500.0
CHILD_SHARE, MAX_PARENTS, PARENT_WINDOW = 0.2, 3, 50


def sizes(rng: np.random.Generator, n: int) -> FloatArray:
    """Draw problem sizes, ``min(100 * Pareto(1.5), 5000)`` with a Pareto variable from 1 on; shape (n,), no unit."""
    return np.minimum(MIN_SIZE * (1.0 + rng.pareto(SIZE_SHAPE, n)), MAX_SIZE)


def intensities(rng: np.random.Generator, n: int) -> FloatArray:
    """Draw compute intensities: 30 % around 0.2, the rest around 0.8, clipped to [0.05, 1]; shape (n,)."""
    mean = np.where(rng.random(n) < LOW_SHARE, LOW_MEAN, HIGH_MEAN)
    return np.asarray(np.clip(mean + INTENSITY_SD * rng.standard_normal(n), MIN_INTENSITY, MAX_INTENSITY))


def memories_mb(rng: np.random.Generator, size: FloatArray) -> FloatArray:
    """Draw memory: in proportion to the size, with noise, clipped to [10, 500] MB; shape (n,)."""
    noise_mb = MEMORY_SD_MB * rng.standard_normal(len(size))
    return np.asarray(np.clip(size / MAX_SIZE * MAX_MEMORY_MB + noise_mb, MIN_MEMORY_MB, MAX_MEMORY_MB))


def cpu_time_s(size: FloatArray, intensity: FloatArray) -> FloatArray:
    """Return the CPU time ``d = (size / 1000) ** 1.5 / (c + 0.5)`` in seconds; shape (n,)."""
    return np.asarray((size / 1000.0) ** 1.5 / (intensity + 0.5))


def parents(rng: np.random.Generator, n: int) -> tuple[IntArray, IntArray]:
    """Draw edges: 20 % of the tasks have 1 to 3 distinct parents among the 50 before them (all but the first, which has none before it).

    Returns
    -------
    parent, child : ndarray of int64, shape (n_edges,)
        Rows of both ends; a parent stands before its child.
    """
    row = np.arange(n, dtype=np.int64)
    before = np.minimum(row, PARENT_WINDOW)
    is_child = (rng.random(n) < CHILD_SHARE) & (row > 0)
    count = np.where(is_child, rng.integers(1, np.maximum(np.minimum(before, MAX_PARENTS), 1) + 1), 0)
    # Floyd's sampling of `count` distinct distances from 1 to `before`, for all rows at once (Bentley and Floyd, CACM 30(9), 1987).
    distance = np.zeros((MAX_PARENTS, n), dtype=np.int64)
    for step in range(MAX_PARENTS):
        top = before - count + 1 + step
        drawn = rng.integers(1, np.maximum(top, 1) + 1)
        taken = np.any(distance[:step] == drawn, axis=0)
        distance[step] = np.where(step < count, np.where(taken, top, drawn), 0)
    step_of, child = np.nonzero(distance)
    order = np.lexsort((-distance[step_of, child], child))
    child = child[order].astype(np.int64)
    return child - distance[step_of[order], child], child
