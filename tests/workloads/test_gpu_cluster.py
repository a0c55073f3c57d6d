"""Generated tasks for GPU clusters."""

from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.core.workload import MILLI
from hybrid_ml_scheduler.engine.state import build_problem
from hybrid_ml_scheduler.workloads.gpu_cluster import LONGEST_S, SHAPES, SHORTEST_S, USUAL_S, generate_gpu_cluster

CASES = [generate_gpu_cluster(seed, n_tasks=600) for seed in range(16)]


def test_the_seed_decides() -> None:
    (first, _), (second, _), (other, _) = (generate_gpu_cluster(seed, n_tasks=50) for seed in (3, 3, 4))
    assert np.array_equal(first.truth.work_s, second.truth.work_s)
    assert np.array_equal(first.tasks.arrival_s, second.tasks.arrival_s)
    assert not np.array_equal(first.truth.work_s, other.truth.work_s)


def test_every_task_fits_and_asks_for_a_known_shape() -> None:
    for workload, cluster in CASES:
        assert build_problem(workload, cluster).fits.all()
        shapes = set(zip(workload.tasks.gpus.tolist(), workload.tasks.gpu_share_milli.tolist(), strict=True))
        assert shapes <= set(SHAPES)
        assert (workload.truth.work_s >= SHORTEST_S).all()
        assert (workload.truth.work_s <= LONGEST_S).all()


def test_requests_are_exact_or_usual_values_that_are_not_too_short() -> None:
    exact = 0
    for workload, _ in CASES:
        asked, ran = workload.tasks.requested_time_s, workload.truth.work_s
        if workload.report.estimates == "exact":
            exact += 1
            assert np.array_equal(asked, ran)
        else:
            assert (asked >= ran).all()
            assert (np.isin(asked, USUAL_S) | (asked % 86_400.0 == 0.0)).all()
            assert np.median(asked / ran) > 1.5
    assert 1 <= exact <= 8


@pytest.mark.parametrize("load", [0.5, 1.0])
def test_the_load_is_as_asked(load: float) -> None:
    workload, cluster = generate_gpu_cluster(1, n_tasks=800, load=load)
    tasks = workload.tasks
    busy = (tasks.gpus * tasks.gpu_share_milli / MILLI * workload.truth.work_s).sum() / (tasks.arrival_s[-1] * cluster.n_gpus)
    assert busy == pytest.approx(load)


def test_what_users_do_repeats() -> None:
    for workload, _ in CASES:
        tasks = workload.tasks
        assert tasks.user is not None
        same = (tasks.user[1:] == tasks.user[:-1]) & (tasks.cores_milli[1:] == tasks.cores_milli[:-1])
        assert same.mean() > 0.6
