"""The hidden world of the generated tasks: the laws that a learned policy has to find out.

One world for all presets, fixed by `WORLD_SEED`: what is learned on some seeds must hold on others. Two things are hidden.

- ``w(size)``: the true CPU time of a task of kind ``k`` is ``SCALE * a[k] * PIVOT_S * (size / PIVOT_S) ** b[k]``, before noise. ``log a`` is normal
  with sigma 0.3; the exponents ``b`` are eight evenly spaced numbers from 0.85 to 1.15 in random order. So a kind may be off by a factor of two at
  the far end of the sizes. ``SCALE`` makes the mean of ``w`` over the kinds and the sizes of ``steady`` equal to the mean size.
- ``e[kind, GPU model]``: the slow-down of a kind on a model, log-normal with median 1 and sigma 0.5 [MODEL]. A model's column depends on its name
  alone, so that adding a model to a cluster changes nothing for the others.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray

WORLD_SEED = 1
"""Fixes every hidden table."""

N_KINDS = 8
"""Kinds of kernel [MODEL]."""

SLOWDOWN_SIGMA = 0.5
"""Standard deviation of log e [MODEL]."""

COEFFICIENT_SIGMA = 0.3
EXPONENT_SPREAD = 0.15
PIVOT_S = 4.0
"""Near the mean size of ``steady``: there a kind's work is ``SCALE * a`` times the size."""

MIN_SIZE_S = 2.0
STEADY_SHAPE = 1.8
STEADY_MAX_SIZE_S = 120.0
"""Sizes of ``steady``: Pareto(1.8) from 2 s to 120 s [MODEL]."""


def _world(*key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(WORLD_SEED, spawn_key=key))


def clipped_pareto_moment(power: float, shape: float, low: float, high: float) -> float:
    """Return the moment ``E[min(X, high) ** power]`` of a Pareto variable X of this shape from `low` on; ``power != shape``."""
    tail = (high / low) ** -shape
    return float(low**power * shape / (shape - power) * (1.0 - (high / low) ** (power - shape)) + high**power * tail)


def work_law() -> tuple[FloatArray, FloatArray]:
    """Return coefficient and exponent of ``w(size) = coefficient * size ** exponent`` for every kind, sizes in seconds.

    Returns
    -------
    coefficient, exponent : ndarray of float64, shape (N_KINDS,)
    """
    world = _world(0)
    factor = np.exp(COEFFICIENT_SIGMA * world.standard_normal(N_KINDS))
    exponent = world.permutation(1.0 + EXPONENT_SPREAD * np.linspace(-1.0, 1.0, N_KINDS))
    coefficient = factor * PIVOT_S ** (1.0 - exponent)
    mean_size = clipped_pareto_moment(1.0, STEADY_SHAPE, MIN_SIZE_S, STEADY_MAX_SIZE_S)
    moments = np.array([clipped_pareto_moment(float(b), STEADY_SHAPE, MIN_SIZE_S, STEADY_MAX_SIZE_S) for b in exponent])
    scale = mean_size / float(np.mean(coefficient * moments))
    return scale * coefficient, exponent


def true_work_s(size_s: FloatArray, kind: IntArray) -> FloatArray:
    """Return the true CPU time of tasks, before noise, in seconds; both arguments of shape (n,)."""
    coefficient, exponent = work_law()
    return np.asarray(coefficient[kind] * size_s ** exponent[kind], dtype=np.float64)


def slowdown_table(models: Sequence[str], regime: int = 0) -> FloatArray:
    """Return ``e[kind, model]`` of one regime, shape (N_KINDS, len(models)); > 0."""
    table = np.ones((N_KINDS, len(models)))
    for column, model in enumerate(models):
        world = _world(1, regime, zlib.crc32(model.encode()))
        table[:, column] = np.exp(SLOWDOWN_SIGMA * world.standard_normal(N_KINDS))
    return table
