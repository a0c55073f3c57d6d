from __future__ import annotations

import json

import numpy as np
import pytest

from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.experiments.describe import describe
from hybrid_ml_scheduler.workloads.clusters import pool


def rigid() -> Workload:
    tasks = Tasks(
        task_id=np.arange(4),
        arrival_s=np.array([10.0, 10.0, 20.0, 60.0]),
        cores_milli=np.array([1000, 2000, 4000, 1000]),
        gpus=np.zeros(4, dtype=np.int64),
        gpu_share_milli=np.zeros(4, dtype=np.int64),
        memory_mb=np.zeros(4),
        requested_time_s=np.array([100.0, 100.0, 100.0, 100.0]),
        user=np.array([0, 1, -1, 0]),
        **no_edges(4),
    )
    return Workload("four", WorkloadKind.RIGID, tasks, Truth(work_s=np.array([50.0, 100.0, 0.0, 25.0])), ReadReport("swf", 4, estimates="exact"))


def test_load_is_work_over_capacity_between_first_and_last_arrival() -> None:
    result = describe(rigid(), pool(10))
    assert result["offered_load"] == {"cores": pytest.approx((50 + 200 + 0 + 25) / (10 * 50.0))}
    assert result["arrivals_per_s"] == pytest.approx(3 / 50)
    assert (result["users"], result["run_time_0"], result["edges"]) == (2, 1, 0)
    json.dumps(result, allow_nan=False)


def test_columns_that_the_source_does_not_have_are_absent() -> None:
    result = describe(rigid(), None)
    # The estimates are the true run times here, so they are no column of their own.
    assert list(result["columns"]) == ["work_s", "cores"]
    assert result["columns"]["work_s"]["median"] == 37.5
    assert "offered_load" not in result


def test_a_single_task_has_no_rate() -> None:
    assert "arrivals_per_s" not in describe(rigid().select([0]), pool(1))
