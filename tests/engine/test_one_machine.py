from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from hybrid_ml_scheduler.engine.one_machine import last_delivery_s, total_completion_s, total_mean_busy_s

Jobs = list[tuple[int, int, int]]
"""Release, work and tail of every job, in whole seconds."""


def jobs(max_jobs: int, max_work: int) -> st.SearchStrategy[Jobs]:
    return st.lists(st.tuples(st.integers(0, 6), st.integers(0, max_work), st.integers(0, 6)), min_size=1, max_size=max_jobs)


def columns(case: Jobs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    release, work, tail = np.array(case, dtype=np.float64).T.copy()
    return release, work, tail


@given(case=jobs(max_jobs=8, max_work=4))
@settings(max_examples=300)
def test_last_delivery_is_the_largest_bound_over_all_subsets(case: Jobs) -> None:
    # Carlier 1982: the preemptive optimum is the maximum over subsets of earliest release + work + least tail.
    subsets = (chosen for size in range(1, len(case) + 1) for chosen in combinations(case, size))
    expected = max(min(r for r, _, _ in chosen) + sum(w for _, w, _ in chosen) + min(q for _, _, q in chosen) for chosen in subsets)
    assert last_delivery_s(*columns(case)) == expected


@given(case=jobs(max_jobs=4, max_work=3))
@settings(max_examples=200)
def test_total_completion_is_the_exhaustive_optimum(case: Jobs) -> None:
    # With whole releases and works, interrupting at whole seconds loses nothing.
    @cache
    def least(now: int, rest: tuple[int, ...]) -> int:
        released = [k for k, left in enumerate(rest) if left > 0 and case[k][0] <= now]
        if not any(rest):
            return 0
        if not released:
            return least(now + 1, rest)
        options = []
        for k in released:
            left = (*rest[:k], rest[k] - 1, *rest[k + 1 :])
            options.append(least(now + 1, left) + (now + 1 if rest[k] == 1 else 0))
        return min(options)

    done_at_release = sum(r for r, w, _ in case if w == 0)
    release, work, _ = columns(case)
    assert total_completion_s(release, work) == least(0, tuple(w for _, w, _ in case)) + done_at_release


@given(case=jobs(max_jobs=6, max_work=4))
@settings(max_examples=200)
def test_total_mean_busy_time_is_the_best_assignment_of_units_to_slots(case: Jobs) -> None:
    units = [(r, w) for r, w, _ in case for _ in range(w)]
    slots = np.arange(40)
    cost = np.array([[(slot + 0.5) / w if slot >= r else 1e6 for slot in slots] for r, w in units]).reshape(len(units), len(slots))
    rows, chosen = linear_sum_assignment(cost)
    expected = cost[rows, chosen].sum() + sum(r for r, w, _ in case if w == 0)
    release, work, _ = columns(case)
    assert total_mean_busy_s(release, work) == pytest.approx(expected, abs=1e-9)


def test_an_idle_gap_is_waited_out() -> None:
    release, work, tail = np.array([10.0, 0.0]), np.array([1.0, 2.0]), np.array([0.0, 3.0])
    assert last_delivery_s(release, work, tail) == 11.0
    assert total_completion_s(release, work) == 13.0
    assert total_mean_busy_s(release, work) == 11.5
