from __future__ import annotations

import math

import numpy as np
import pytest

from engine.test_scored_pool import SENSIBLE, constant, policy, rule_of
from hybrid_ml_scheduler.core.decision import CompiledPolicy
from hybrid_ml_scheduler.core.errors import InputError, PolicyError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.scored_pool import Estimate
from hybrid_ml_scheduler.learning.explain_batch import explain
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.policies.checks import example_cases
from hybrid_ml_scheduler.workloads.clusters import pool
from hybrid_ml_scheduler.workloads.lublin import generate

ROWS = (0, 5, 60, 250, 299)


@pytest.fixture(scope="module")
def workload() -> Workload:
    return generate("lublin:load=1.2,users=8", seed=10_020, n_tasks=300)


def made(name: str, workload: Workload) -> CompiledPolicy:
    if name == "model":
        return policy(SENSIBLE, Estimate.HISTORY, easy=True)
    if name == "guarded trees":
        trees = {**constant(-1.0), **constant(-3.0, "low"), **constant(0.0, "high")}
        return policy(SENSIBLE, Estimate.TREES, easy=True, rule=rule_of(workload), **trees)
    compiled = compile_policy(name, workload, pool(256))
    assert isinstance(compiled, CompiledPolicy)
    return compiled


@pytest.mark.parametrize("name", ["model", "guarded trees", "saf+easy", "f2", "wfp3+easy", "fcfs+conservative", "fcfs+easypp"])
def test_what_is_explained_is_what_happened(name: str, workload: Workload) -> None:
    compiled = made(name, workload)
    schedule = simulate(workload, pool(256), compiled)
    for row in ROWS:
        found = explain(compiled, workload, pool(256), row)
        assert found.time_s == schedule.start_s[row]
        assert found.decided_by == schedule.decided_by[row]
        together = np.flatnonzero((workload.tasks.arrival_s <= found.time_s) & (schedule.start_s >= found.time_s))
        assert found.queue_length == len(together)
        assert all(schedule.start_s[other] > found.time_s and workload.tasks.arrival_s[other] <= found.time_s for other in found.ahead)
        if name == "f2":
            assert not found.ahead  # without backfilling nobody passes
        prediction = found.predictions[0]
        assert prediction.nominal_s == workload.tasks.requested_time_s[row]
        if name == "guarded trees":
            assert prediction.low_s == pytest.approx(prediction.nominal_s * math.exp(-3.0))
            assert prediction.high_s == pytest.approx(prediction.nominal_s)
        else:
            assert math.isnan(prediction.low_s)


def test_the_best_score_starts_first_where_nobody_is_passed(workload: Workload) -> None:
    compiled = policy(SENSIBLE, Estimate.HISTORY)
    schedule = simulate(workload, pool(256), compiled)
    found = [explain(compiled, workload, pool(256), row) for row in ROWS]
    assert {each.notes[0] for each in found} == {"the model decided"}
    for each in found:
        if np.count_nonzero(schedule.start_s == each.time_s) == 1 and not each.ahead:
            assert not any("best score" in note for note in each.notes)


def test_what_cannot_be_explained(workload: Workload) -> None:
    with pytest.raises(InputError, match="was never started"):
        explain(rule_of(workload), workload, pool(1), int(np.argmax(workload.tasks.cores_milli)))
    case, cluster = next((case, cluster) for case, cluster in example_cases() if case.kind == "divisible")
    compiled = compile_policy("mct", case, cluster)
    assert isinstance(compiled, CompiledPolicy)
    with pytest.raises(PolicyError, match="a pool of processors"):
        explain(compiled, case, cluster, 0)
