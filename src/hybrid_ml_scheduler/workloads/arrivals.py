"""Arrival processes of the generated workloads: each turns a generator into ascending times in seconds."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray


def poisson(rng: np.random.Generator, n: int, rate_per_s: float) -> FloatArray:
    """Return `n` arrivals of a Poisson process, shape (n,)."""
    return np.asarray(np.cumsum(rng.standard_exponential(n)) / rate_per_s)


def two_state(
    rng: np.random.Generator, n: int, rate_per_s: float, *, high: float = 2.5, low: float = 0.5, high_s: float = 30.0, low_s: float = 90.0
) -> FloatArray:
    """Return `n` arrivals of a Poisson process whose rate jumps between two levels (a Markov-modulated Poisson process).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n : int
        Number of arrivals.
    rate_per_s : float
        Mean rate, provided that ``high * high_s + low * low_s = high_s + low_s``; > 0.
    high, low : float
        Factors on the rate in the two states; > 0.
    high_s, low_s : float
        Mean stay in each state, exponentially distributed; > 0. The first state is drawn from the stationary distribution.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    unit = np.cumsum(rng.standard_exponential(n))
    is_high = bool(rng.random() < high_s / (high_s + low_s))
    times, levels = [0.0], [0.0]
    while levels[-1] <= unit[-1]:
        stay_s = float(rng.standard_exponential()) * (high_s if is_high else low_s)
        times.append(times[-1] + stay_s)
        levels.append(levels[-1] + stay_s * rate_per_s * (high if is_high else low))
        is_high = not is_high
    # Unit-rate arrivals seen through the inverse of the cumulative rate, which is piecewise linear: exact, not an approximation.
    return np.asarray(np.interp(unit, levels, times))


def sinusoidal(rng: np.random.Generator, n: int, low_per_s: float, high_per_s: float, period_s: float, *, begin_s: float = 0.0) -> FloatArray:
    """Return `n` arrivals of a Poisson process whose rate swings between two values, at the mean and rising at time 0.

    Arrivals are counted from ``begin_s`` on, which says where in its period the process begins.

    Candidates of a process at the highest rate are kept with probability ``rate(t) / high_per_s`` [1]_.

    References
    ----------
    .. [1] Lewis and Shedler, Simulation of nonhomogeneous Poisson processes by thinning, Naval Research Logistics 26(3), 1979.
    """
    mean, swing = (high_per_s + low_per_s) / 2.0, (high_per_s - low_per_s) / 2.0
    kept: list[FloatArray] = []
    found, now_s = 0, 0.0
    while found < n:
        candidates = now_s + np.cumsum(rng.standard_exponential(n)) / high_per_s
        rate = mean + swing * np.sin(2.0 * np.pi * (begin_s + candidates) / period_s)
        kept.append(candidates[rng.random(n) * high_per_s < rate])
        found += len(kept[-1])
        now_s = float(candidates[-1])
    return np.concatenate(kept)[:n]
