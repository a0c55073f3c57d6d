"""What was counted over time is all there, once, in bounded memory; and what is suggested can be run."""

from __future__ import annotations

import itertools

import pytest

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.workload import WorkloadKind
from hybrid_ml_scheduler.learning.provider import register
from hybrid_ml_scheduler.live.contract import CONTRACT_POLICIES, SUGGESTED_POLICIES
from hybrid_ml_scheduler.policies import list_policies
from hybrid_ml_scheduler.service.observability.history import MOST_STRETCHES, ServiceHistory, Totals


def test_stretches_hold_everything_once_however_long_the_service_runs() -> None:
    history, most = ServiceHistory(), 0
    assert history.stretches() == []
    for tick in range(1, 2_001):
        totals = Totals(tick * 3, tick // 7, tick // 11, tick // 5, {-3: tick, 5: tick * 2})
        history.take(tick * 5.0, totals)
        most = max(most, len(history.stretches()))
    found = history.stretches()
    assert most <= MOST_STRETCHES
    assert len(found) >= MOST_STRETCHES // 2 - 1
    assert found[0][0] == 0.0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(found))
    assert len({until_s - from_s for from_s, until_s, _ in found}) == 1
    until = int(found[-1][1] / 5)
    assert sum(counted.requests for _, _, counted in found) == until * 3
    assert sum(counted.troubles for _, _, counted in found) == until // 5
    assert sum(sum(counted.responses.values()) for _, _, counted in found) == until * 3


@pytest.mark.parametrize("runs", SUGGESTED_POLICIES)
def test_suggested_policies_run_on_what_they_are_suggested_for(runs: str) -> None:
    tasks, cluster = runs.split("/")
    usual, others = SUGGESTED_POLICIES[runs]
    assert not set(usual) & set(others)
    register()
    known = {spec.name: spec for spec in list_policies()}
    for name in (*usual, *others):
        # Learned policies take options behind their name.
        spec = known.get(name) or known[name.split("+")[0]]
        assert spec.supports(WorkloadKind(tasks), ClusterKind(cluster)), name


def test_the_suggestion_for_divisible_tasks_is_what_a_start_has_by_default() -> None:
    assert SUGGESTED_POLICIES["divisible/nodes"][0] == CONTRACT_POLICIES
