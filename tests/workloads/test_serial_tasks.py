from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hybrid_ml_scheduler.workloads import serial_tasks
from hybrid_ml_scheduler.workloads.synthetic import generate

N = 20_000


@pytest.fixture(scope="module")
def workload():
    return generate("serial", seed=5, n_tasks=N)


def test_sizes_are_pareto_cut_at_5000(workload):
    size = workload.tasks.size
    assert size.min() >= 100
    assert size.max() == 5000.0
    assert np.mean(size == 5000.0) == pytest.approx(50**-1.5, abs=0.001)
    below = size[size < 5000.0]
    share = stats.pareto(1.5, scale=100).cdf(5000.0)
    assert stats.kstest(below, lambda x: stats.pareto(1.5, scale=100).cdf(x) / share).pvalue > 0.01


def test_intensities_have_two_peaks(workload):
    c = workload.tasks.compute_intensity
    assert c.min() == 0.05
    assert c.max() == 1.0

    def cdf(x):
        return 0.3 * stats.norm(0.2, 0.1).cdf(x) + 0.7 * stats.norm(0.8, 0.1).cdf(x)

    inner = (c > 0.05) & (c < 1.0)
    low, high = cdf(0.05), cdf(1.0)
    assert stats.kstest(c[inner], lambda x: (cdf(x) - low) / (high - low)).pvalue > 0.01
    assert np.mean(c == 1.0) == pytest.approx(1 - high, abs=0.005)


def test_memory_follows_size(workload):
    memory, size = workload.tasks.memory_mb, workload.tasks.size
    assert memory.min() == 10.0
    assert memory.max() == 500.0
    inner = (size > 1500) & (size < 3000)
    assert stats.kstest(memory[inner] - size[inner] / 10, "norm", args=(0, 50)).pvalue > 0.01


def test_arrivals_are_100_a_second(workload):
    assert stats.kstest(np.diff(workload.tasks.arrival_s), "expon", args=(0, 0.01)).pvalue > 0.01


def test_a_fifth_has_one_to_three_parents_among_the_last_50(workload):
    t = workload.tasks
    count = np.diff(t.parent_ptr)
    assert np.mean(count > 0) == pytest.approx(0.2, abs=0.01)
    assert np.bincount(count[count > 0])[1:] / np.sum(count > 0) == pytest.approx([1 / 3] * 3, abs=0.03)
    child = np.repeat(np.arange(N), count)
    distance = child - t.parent_idx
    assert distance.min() == 1
    assert distance.max() == 50
    far = distance[child > 50]
    assert stats.chisquare(np.bincount(far)[1:]).pvalue > 0.01
    assert not t.edge_s.any()
    assert not t.edge_mb.any()


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_parents_are_distinct_and_earlier(seed, n):
    parent, child = serial_tasks.parents(np.random.default_rng(seed), n)
    assert len({*zip(parent.tolist(), child.tolist(), strict=True)}) == len(parent)
    assert np.all((parent >= 0) & (parent < child) & (child - parent <= 50))
    assert np.all(np.bincount(child, minlength=n) <= 3)


def test_the_true_time_is_the_original_formula(workload):
    t = workload.tasks
    expected = [(s / 1000) ** 1.5 / (c + 0.5) for s, c in zip(t.size.tolist(), t.compute_intensity.tolist(), strict=True)]
    assert workload.truth.work_s == pytest.approx(expected, rel=1e-12)
    assert np.array_equal(t.requested_time_s, workload.truth.work_s)
    assert workload.law == "serial"
    assert workload.truth.slowdown is None
    assert workload.report.estimates == "exact"
    assert (workload.tasks.kind, workload.tasks.user) == (None, None)
