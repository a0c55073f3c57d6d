"""Intervals and tests, against SciPy and closed forms."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hybrid_ml_scheduler.engine.statistics import (
    Interval,
    bootstrap_interval,
    geometric_mean_ratio,
    holm,
    paired_test,
    t_interval,
    wilcoxon_signed_rank,
)

samples = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=2, max_size=12)


def test_t_interval_matches_scipy():
    values = np.random.default_rng(3).normal(5, 2, 9)
    low, high = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
    interval = t_interval(values)
    assert interval is not None
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((values.mean(), low, high), rel=1e-12)


def test_t_interval_of_two_values_has_the_cauchy_quantile():
    # One degree of freedom is the Cauchy distribution: its 97.5 % quantile is tan(0.475 pi).
    interval = t_interval([0.0, 2.0])
    assert interval is not None
    assert interval.high == pytest.approx(1.0 + np.tan(0.475 * np.pi))


@pytest.mark.parametrize("values", [[], [1.0], [0.1, 0.1], [0.1] * 10])
def test_no_interval_without_variation(values):
    assert t_interval(values) is None
    assert bootstrap_interval(values) is None


def test_t_interval_covers_the_mean_95_times_in_100():
    rng = np.random.default_rng(7)
    intervals = [t_interval(rng.normal(1, 3, 5)) for _ in range(2000)]
    covered = sum(interval.low <= 1 <= interval.high for interval in intervals if interval is not None)
    assert 1870 <= covered <= 1930  # 1900 expected, standard deviation 9.7


def test_bootstrap_is_close_to_scipys_bca():
    values = np.random.default_rng(5).lognormal(0, 1, 25)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=9999, method="BCa", rng=np.random.default_rng(1)).confidence_interval
    ours = bootstrap_interval(values)
    assert ours is not None
    assert ours.estimate == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.03)


def test_bootstrap_repeats_from_its_seed_and_takes_other_statistics():
    values = [1.0, 2.0, 4.0, 8.0, 100.0]
    assert bootstrap_interval(values, seed=4) == bootstrap_interval(values, seed=4)
    median = bootstrap_interval(values, statistic=lambda sample: np.median(sample, axis=-1))
    assert median is not None
    assert median.estimate == 4.0
    assert 1.0 <= median.low <= 4.0 <= median.high <= 100.0


@given(samples, st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_paired_t_matches_scipy(first, seed):
    first = np.array(first)
    second = first + np.random.default_rng(seed).normal(0.5, 1, len(first))
    ours = paired_test(first, second)
    theirs = stats.ttest_rel(first, second)
    assert ours is not None
    assert ours.t_p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)
    assert ours.mean_difference == pytest.approx((first - second).mean())


def test_paired_test_of_equal_differences():
    same = paired_test([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert same is not None
    assert (same.t_p, same.wilcoxon_p, same.interval) == (1.0, 1.0, None)
    shifted = paired_test([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    assert shifted is not None
    assert (shifted.t_p, shifted.wilcoxon_p) == (0.0, 0.25)  # three ranks of one sign: 2 / 2**3
    assert paired_test([1.0], [2.0]) is None


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
@settings(max_examples=150, deadline=None)
def test_exact_wilcoxon_matches_brute_force_with_ties_and_zeros(difference):
    values = np.array([value for value in difference if value])
    ours = wilcoxon_signed_rank(difference)
    if not len(values):
        assert ours == 1.0
        return
    ranks = stats.rankdata(np.abs(values))
    seen = min(ranks[values > 0].sum(), ranks[values < 0].sum())
    smaller = [sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign) <= seen for signs in product((False, True), repeat=len(values))]
    assert ours == pytest.approx(min(1.0, 2 * np.mean(smaller)))


def test_wilcoxon_matches_scipy():
    few = np.random.default_rng(2).normal(0.4, 1, 30)
    many = np.round(np.random.default_rng(2).normal(0.1, 1, 400), 1)
    many = many[many != 0]
    assert wilcoxon_signed_rank(few) == pytest.approx(stats.wilcoxon(few, method="exact").pvalue)
    assert wilcoxon_signed_rank(many) == pytest.approx(stats.wilcoxon(many, method="approx", correction=False).pvalue)


def test_holm_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, then made ascending.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_geometric_mean_ratio():
    assert geometric_mean_ratio([2.0, 8.0], [1.0, 4.0]) == pytest.approx(2.0)
    ratio = geometric_mean_ratio([1.0, 16.0], [1.0, 1.0])
    assert isinstance(ratio, Interval)
    assert ratio.estimate == pytest.approx(4.0)
    assert ratio.low * ratio.high == pytest.approx(16.0)
    assert geometric_mean_ratio([0.0], [1.0]) is None
    assert geometric_mean_ratio([], []) is None
