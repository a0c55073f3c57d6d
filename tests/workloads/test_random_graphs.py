from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.workloads import random_graphs


@given(st.integers(0, 2**32))
def test_fork_join_has_one_source_and_one_sink(seed):
    n, parent, child = random_graphs.fork_join(np.random.default_rng(seed))
    assert all(p < c for p, c in zip(parent, child, strict=True))
    assert set(range(n)) - set(child) == {0}
    assert set(range(n)) - set(parent) == {n - 1}
    # A stage of width w has w + 1 tasks and 2 w edges.
    stages = n - 1 - len(child) // 2
    assert len(child) % 2 == 0
    assert 1 <= stages <= 3
    assert 2 * stages <= len(child) // 2 <= 8 * stages


@given(st.integers(0, 2**32))
def test_layered_graphs_have_depth_and_few_parents(seed):
    n, parent, child = random_graphs.layered(np.random.default_rng(seed))
    depth = np.zeros(n, dtype=int)
    for p, c in sorted(zip(parent, child, strict=True), key=lambda edge: edge[1]):
        assert p < c
        depth[c] = max(depth[c], depth[p] + 1)
    edges = list(zip(parent, child, strict=True))
    assert len(set(edges)) == len(edges)
    assert all(depth[c] == depth[p] + 1 for p, c in edges)
    assert 3 <= depth.max() + 1 <= 6
    assert max(np.bincount(child, minlength=n)) <= 3
    assert all(np.bincount(child, minlength=n)[depth > 0] >= 1)
    assert max(np.bincount(depth)) <= 8


@given(st.integers(0, 2**32), st.integers(1, 120))
def test_graphs_are_cut_off_at_the_number_of_tasks(seed, n):
    graph, parent, child = random_graphs.random_graphs(np.random.default_rng(seed), n)
    assert len(graph) == n
    assert graph[0] == 0
    assert set(np.diff(graph)) <= {0, 1}
    assert np.all(parent < child)
    assert np.all(child < n)
    assert np.array_equal(graph[parent], graph[child])


def test_the_mean_size_is_as_stated():
    graph, _, _ = random_graphs.random_graphs(np.random.default_rng(7), 100_000)
    assert 100_000 / (graph[-1] + 1) == pytest.approx(random_graphs.MEAN_GRAPH_TASKS, rel=0.02)
    assert random_graphs.MEAN_GRAPH_TASKS == 16.625
