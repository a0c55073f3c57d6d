from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hybrid_ml_scheduler.workloads import arrivals


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_poisson_gaps_are_exponential():
    gaps = np.diff(arrivals.poisson(rng(), 5000, 4.0), prepend=0.0)
    assert stats.kstest(gaps, "expon", args=(0, 0.25)).pvalue > 0.01


def test_two_states_with_equal_rates_are_poisson():
    gaps = np.diff(arrivals.two_state(rng(1), 5000, 4.0, high=1.0, low=1.0), prepend=0.0)
    assert stats.kstest(gaps, "expon", args=(0, 0.25)).pvalue > 0.01


def test_two_states_keep_the_mean_rate_and_are_bursty():
    times = arrivals.two_state(rng(2), 400_000, 4.0)
    assert len(times) / times[-1] == pytest.approx(4.0, rel=0.05)
    counts = np.histogram(times, bins=np.arange(0.0, times[-1], 10.0))[0]
    # The variance of the counts exceeds their mean: by (rate gap)^2 p (1 - p) times a correlation time, 40 against 7 here; Poisson has 1.
    assert counts.var() / counts.mean() > 5.0


def test_the_high_state_has_five_times_the_rate_for_a_quarter_of_the_time():
    times = arrivals.two_state(rng(3), 400_000, 20.0)
    counts = np.histogram(times, bins=np.arange(0.0, times[-1], 1.0))[0]
    is_high = counts > 25  # rates are 50 and 10 per second
    assert is_high.mean() == pytest.approx(0.25, abs=0.03)
    assert counts[is_high].mean() == pytest.approx(50.0, rel=0.03)
    assert counts[~is_high].mean() == pytest.approx(10.0, rel=0.03)


def test_a_day_swings_between_its_two_rates():
    times = arrivals.sinusoidal(rng(4), 200_000, 1.0, 3.0, 100.0)
    assert len(times) == 200_000
    assert np.all(np.diff(times) >= 0)
    phase = (times % 100.0) / 100.0
    in_day = np.histogram(phase, bins=20, range=(0, 1))[0] / (times[-1] / 20)
    middle = (np.arange(20) + 0.5) / 20
    assert in_day == pytest.approx(2.0 + np.sin(2 * np.pi * middle), rel=0.05)


def test_a_constant_day_is_poisson():
    gaps = np.diff(arrivals.sinusoidal(rng(5), 5000, 2.0, 2.0, 60.0), prepend=0.0)
    assert stats.kstest(gaps, "expon", args=(0, 0.5)).pvalue > 0.01


@pytest.mark.parametrize("n", [1, 2, 7])
def test_few_arrivals(n):
    assert len(arrivals.two_state(rng(6), n, 0.001)) == n
    assert len(arrivals.sinusoidal(rng(6), n, 0.0001, 3.0, 100.0)) == n
