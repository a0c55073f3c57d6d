"""Intervals and tests over repeated runs (seeds or windows); one run has no interval.

SciPy is imported inside the functions that need its special functions, so that a plain comparison does not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray

CONFIDENCE = 0.95
EXACT_WILCOXON_MAX_N = 50
_ROUNDING = 1e-12
"""Relative differences up to this are rounding, not variation."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval, ``low <= high``."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two policies on the same runs.

    Attributes
    ----------
    n : int
        Number of pairs.
    mean_difference : float
        Mean of first minus second.
    interval : Interval or None
        t-interval of that mean; ``None`` if all differences are equal.
    t_p : float
        Two-sided p of the paired t-test; 1 if all differences are 0, 0 if they are all equal and not 0.
    wilcoxon_p : float
        Two-sided p of Wilcoxon's signed-rank test; 1 if all differences are 0.
    """

    n: int
    mean_difference: float
    interval: Interval | None
    t_p: float
    wilcoxon_p: float


def t_interval(values: Sequence[float] | FloatArray, confidence: float = CONFIDENCE) -> Interval | None:
    """Return the mean of independent values with Student's t-interval.

    Parameters
    ----------
    values : sequence of float, shape (n,)
        One value per run.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    Interval or None
        ``None`` for fewer than two values, and where all are equal: repeating a deterministic run says nothing about its uncertainty.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = len(sample)
    if n < 2 or _all_equal(sample):
        return None
    mean = float(sample.mean())
    half = _t_quantile(n - 1, confidence) * float(sample.std(ddof=1)) / np.sqrt(n)
    return Interval(mean, float(mean - half), float(mean + half))


def bootstrap_interval(
    values: Sequence[float] | FloatArray,
    statistic: Callable[[FloatArray], FloatArray] | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = 9999,
    seed: int = 0,
) -> Interval | None:
    """Return a statistic with its bias-corrected and accelerated (BCa) bootstrap interval, for skewed values.

    Parameters
    ----------
    values : sequence of float, shape (n,)
        One value per run.
    statistic : callable, optional
        Takes an array of shape (..., n) and reduces the last axis; the mean by default.
    confidence : float
        Coverage, between 0 and 1.
    resamples : int
        Number of resamples.
    seed : int
        Seed of the resampling; the same seed gives the same interval.

    Returns
    -------
    Interval or None
        ``None`` for fewer than two values, and where all are equal.

    References
    ----------
    .. [1] Efron, "Better bootstrap confidence intervals", JASA 82(397), 1987.
    """
    from scipy.special import ndtr, ndtri

    sample = np.asarray(values, dtype=np.float64)
    n = len(sample)
    if n < 2 or _all_equal(sample):
        return None
    reduce = _mean if statistic is None else statistic
    estimate = float(reduce(sample))
    draws = np.random.default_rng(seed).integers(0, n, size=(resamples, n))
    replicates = np.sort(reduce(sample[draws]))
    # The mid-rank keeps the bias at 0 where replicates tie with the estimate.
    below = (np.searchsorted(replicates, estimate, "left") + np.searchsorted(replicates, estimate, "right")) / (2 * resamples)
    bias = ndtri(below)
    leave_one_out = reduce(np.array([np.delete(sample, row) for row in range(n)]))
    spread = leave_one_out.mean() - leave_one_out
    squares = np.sum(spread**2)
    acceleration = float(np.sum(spread**3) / (6.0 * squares**1.5)) if squares > 0 else 0.0
    tails = bias + ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    levels = ndtr(bias + tails / (1.0 - acceleration * tails))
    low, high = np.quantile(replicates, levels)
    return Interval(estimate, float(low), float(high))


def paired_test(first: Sequence[float] | FloatArray, second: Sequence[float] | FloatArray) -> PairedTest | None:
    """Test whether two policies differ on the same runs.

    Parameters
    ----------
    first, second : sequence of float, shape (n,)
        The same metric of both policies, run by run.

    Returns
    -------
    PairedTest or None
        ``None`` for fewer than two pairs.

    References
    ----------
    .. [1] Student, Biometrika 6, 1908.
    .. [2] Wilcoxon, Biometrics Bulletin 1(6), 1945; zero differences are left out, as he does.
    """
    from scipy.special import stdtr

    left, right = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    difference = left - right
    difference[np.abs(difference) <= _ROUNDING * np.maximum(np.abs(left), np.abs(right))] = 0.0
    n = len(difference)
    if n < 2:
        return None
    mean = float(difference.mean())
    interval = t_interval(difference)
    if interval is None:
        t_p = 1.0 if mean == 0 else 0.0
    else:
        t = mean / (float(difference.std(ddof=1)) / np.sqrt(n))
        t_p = float(2.0 * stdtr(n - 1, -abs(t)))
    return PairedTest(n, mean, interval, t_p, wilcoxon_signed_rank(difference))


def wilcoxon_signed_rank(difference: Sequence[float] | FloatArray) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test.

    Parameters
    ----------
    difference : sequence of float, shape (n,)
        Paired differences; zeros are left out, ties get the mean of their ranks.

    Returns
    -------
    float
        Exact, ties included, for up to 50 non-zero differences; beyond that by the normal approximation with tie correction.
    """
    values = np.asarray(difference, dtype=np.float64)
    values = values[values != 0]
    n = len(values)
    if n == 0:
        return 1.0
    double_ranks = _double_ranks(np.abs(values))
    total = int(double_ranks.sum())
    positive = int(double_ranks[values > 0].sum())
    smaller = min(positive, total - positive)
    if n > EXACT_WILCOXON_MAX_N:
        from scipy.special import ndtr

        # Ranks are doubled, hence the doubled mean and standard deviation; the tie correction is in the sum of squares.
        deviation = np.sqrt(np.sum(double_ranks.astype(np.float64) ** 2) / 4.0)
        return float(min(1.0, 2.0 * ndtr((smaller - total / 2.0) / deviation)))
    ways = np.zeros(total + 1)
    ways[0] = 1.0
    for rank in double_ranks:
        ways[rank:] = ways[rank:] + ways[: total + 1 - rank]
    return float(min(1.0, 2.0 * ways[: smaller + 1].sum() / 2.0**n))


def holm(p_values: Sequence[float] | FloatArray) -> list[float]:
    """Correct p values for the number of tests by Holm's step-down method.

    Parameters
    ----------
    p_values : sequence of float, shape (n,)

    Returns
    -------
    list of float
        Adjusted p values in the order given; at most 1.

    References
    ----------
    .. [1] Holm, Scandinavian Journal of Statistics 6(2), 1979.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]


def geometric_mean_ratio(first: Sequence[float] | FloatArray, second: Sequence[float] | FloatArray) -> Interval | float | None:
    """Return the geometric mean of ``first / second`` over runs, with the t-interval of the logarithms.

    Parameters
    ----------
    first, second : sequence of float, shape (n,)
        The same metric of both policies, run by run.

    Returns
    -------
    Interval or float or None
        The bare ratio where there is no interval (one run, or equal ratios); ``None`` where a value is not positive or there is no run.
    """
    numerator, denominator = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if len(numerator) == 0 or np.any(numerator <= 0) or np.any(denominator <= 0):
        return None
    ratios = numerator / denominator
    logs = np.log(ratios)
    interval = None if _all_equal(ratios) else t_interval(logs)
    if interval is None:
        return float(np.exp(logs.mean()))
    return Interval(*(float(np.exp(value)) for value in (interval.estimate, interval.low, interval.high)))


def _t_quantile(degrees: int, confidence: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1.0 + confidence) / 2.0))


def _all_equal(sample: FloatArray) -> bool:
    return bool(np.ptp(sample) <= _ROUNDING * np.abs(sample).max())


def _mean(values: FloatArray) -> FloatArray:
    means: FloatArray = np.mean(values, axis=-1)
    return means


def _double_ranks(values: FloatArray) -> IntArray:
    """Return twice the mid-ranks (from 1), so that tied ranks stay whole numbers."""
    order = np.sort(values)
    doubled: NDArray[np.int64] = np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right") + 1
    return doubled
