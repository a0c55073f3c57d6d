from __future__ import annotations

import math

import pytest

from hybrid_ml_scheduler.core.decision import CompiledPolicy, DecidedBy
from hybrid_ml_scheduler.core.errors import PolicyError
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.learning.explain_divisible import explain
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.policies.checks import example_cases
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate
from learned_cases import learned

CLUSTER = workstation()
ROWS = (0, 7, 150, 399)


def compiled(name: str) -> CompiledPolicy:
    if name.startswith("learned"):
        return learned(guarded="guarded" in name, exploration=0.3 if "explores" in name else 0.0)
    policy = compile_policy(name, generate("bursty", seed=20_030, n_tasks=400), CLUSTER)
    assert isinstance(policy, CompiledPolicy)
    return policy


@pytest.mark.parametrize("name", ["priced", "oracle", "greedy", "sjf+mct", "min_min", "learned", "learned guarded", "learned explores"])
def test_what_is_explained_is_what_happened(name: str) -> None:
    workload = generate("bursty", seed=20_030, n_tasks=400)
    policy = compiled(name)
    schedule = simulate(workload, CLUSTER, policy)
    for row in ROWS:
        found = explain(policy, workload, CLUSTER, row)
        assert found.time_s == schedule.start_s[row]
        assert found.decided_by == schedule.decided_by[row]
        assert found.chosen.fraction == schedule.fraction[row]
        mask = sum(1 << gpu for gpu in found.chosen.gpus)
        assert mask == schedule.gpu_mask[row]
        assert found.candidates[0] == found.chosen or found.candidates[0].score == found.chosen.score
        assert [option.score for option in found.candidates] == sorted(option.score for option in found.candidates)
        assert found.queue_length >= 1 + len(found.ahead)
        assert row not in found.ahead
        for prediction in found.predictions:
            assert prediction.expected_s > 0.0
            assert prediction.nominal_s > 0.0
            assert math.isnan(prediction.low_s)
        if name != "oracle":
            assert [prediction.device for prediction in found.predictions] == ["cpu", "A10", "P4"]


def test_who_decided_is_said_in_words() -> None:
    workload = generate("steady", seed=20_031, n_tasks=400)
    policy = learned(guarded=True)
    first, last = explain(policy, workload, CLUSTER, 0), explain(policy, workload, CLUSTER, 399)
    assert first.decided_by == DecidedBy.FALLBACK_COLD
    assert "not been compared" in first.notes[0]
    assert last.notes[0] == "the model decided"
    for prediction in first.predictions:
        assert prediction.expected_s == pytest.approx(prediction.nominal_s)


def test_other_policies_are_refused() -> None:
    workload, cluster = next(iter(example_cases()))
    policy = compile_policy("fcfs", workload, cluster)
    assert isinstance(policy, CompiledPolicy)
    with pytest.raises(PolicyError, match="for divisible tasks"):
        explain(policy, workload, cluster, 0)
