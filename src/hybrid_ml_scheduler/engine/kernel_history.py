"""Run times of the tasks of a graph as they are expected after some have finished: the estimates, corrected by what was observed.

The model: the logarithm of observed over estimated time of a task of kind ``k`` on machine class ``c`` is ``b_c + u_kc + noise``, where ``b_c``,
``u_kc`` and the noise are normal with mean 0. Their three variances are learned from finished runs (`learning.train_kernels`); the effects are
estimated while a run goes on, from its own finished tasks alone (best linear unbiased prediction [1]_), and so is the noise, for which the learned
variance counts like `PRIOR_TASKS` observations. With exact estimates nothing is corrected.

References
----------
.. [1] Robinson, "That BLUP is a good thing: the estimation of random effects", Statistical Science 6(1), 1991.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray

PRIOR_TASKS = 10
"""Observations that the learned variance of the noise counts for."""

LEAST_VARIANCE = 1e-12
"""Of the noise: with exact estimates nothing varies."""

LARGEST_CORRECTION = 3.0
"""Largest correction that is believed, as a logarithm (a factor of 20); beyond it the estimate stands."""

SHORTEST_S = 1e-9
"""Run times are taken to be at least this long before logarithms."""


class Variances(NamedTuple):
    """Of the effects of machine classes, of kinds within a class, and of single tasks; squares of logarithms, > 0."""

    machine_class: float
    kind: float
    task: float


class Correction(NamedTuple):
    """What finished tasks say of the estimates; k kinds, c classes.

    Attributes
    ----------
    log_mean : ndarray of float64, shape (k, c)
        Expected logarithm of true over estimated time.
    log_sd : ndarray of float64, shape (k, c)
        Its standard deviation for a single task, noise included.
    seen : ndarray of int64, shape (k, c)
        Tasks observed.
    """

    log_mean: FloatArray
    log_sd: FloatArray
    seen: IntArray


class KernelHistory:
    """Running sums of what was observed, by kind of kernel and class of machines.

    Parameters
    ----------
    n_kinds, n_classes : int
        >= 1.
    variances : Variances
    """

    def __init__(self, n_kinds: int, n_classes: int, variances: Variances) -> None:
        self._variances = variances
        self._count = np.zeros((n_kinds, n_classes), dtype=np.int64)
        self._sum = np.zeros((n_kinds, n_classes))
        self._squares = np.zeros((n_kinds, n_classes))

    def observe(self, kind: IntArray, machine_class: IntArray, estimate_s: FloatArray, actual_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Take in tasks that have finished; all of shape (r,).

        Returns
        -------
        model_error, estimate_error : ndarray of float64, shape (r,)
            Absolute logarithmic errors of what was known before, and of the estimates.
        """
        log_ratio = np.log(np.maximum(actual_s, SHORTEST_S)) - np.log(np.maximum(estimate_s, SHORTEST_S))
        before = self.correction().log_mean[kind, machine_class]
        np.add.at(self._count, (kind, machine_class), 1)
        np.add.at(self._sum, (kind, machine_class), log_ratio)
        np.add.at(self._squares, (kind, machine_class), log_ratio**2)
        return np.abs(log_ratio - before), np.abs(log_ratio)

    def correction(self) -> Correction:
        """Return the best prediction from what was observed so far."""
        of_class, of_kind, prior = self._variances
        seen = self._count > 0
        count = np.maximum(self._count, 1)
        mean = self._sum / count
        within = float(np.maximum(self._squares - count * mean**2, 0.0).sum())
        of_task = max((PRIOR_TASKS * prior + within) / (PRIOR_TASKS + int((count - 1).sum())), LEAST_VARIANCE)
        weight = np.where(seen, 1.0 / (of_kind + of_task / count), 0.0)
        total = weight.sum(axis=0) + 1.0 / of_class
        class_effect = (weight * mean).sum(axis=0) / total
        share = np.where(seen, of_kind / (of_kind + of_task / count), 0.0)
        log_mean = class_effect + share * (mean - class_effect)
        # Variance of b + u given the data, in the nested model.
        variance = (1.0 - share) * of_kind + (1.0 - share) ** 2 / total + of_task
        return Correction(log_mean, np.sqrt(variance), self._count.copy())
