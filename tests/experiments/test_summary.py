"""Means, intervals and tests over runs."""

from types import SimpleNamespace

import numpy as np
import pytest

from comparison_cases import STATION, station_run
from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.engine.statistics import Interval, holm, paired_test, t_interval
from hybrid_ml_scheduler.experiments.runs import Outcome, Plan
from hybrid_ml_scheduler.experiments.summary import add_regret, intervals, means, primary_metric, summarise

VALUES = {"a": [3.0, 4.0, 6.0, 5.0], "b": [2.0, 3.5, 3.0, 4.0], "c": [9.0, 7.0, 8.5, 9.5], "oracle": [1.0, 2.0, 2.0, 2.0]}


def outcome(value, name="x", *, saturated=False, **more):
    metrics = {"mean_response_s": value, "rejected": 0.0, "orphaned": 0.0, **more}
    return Outcome(metrics, saturated, name == "oracle", name, 50, 0.5, (), None, None)


def summary(by_policy, seeds=4):
    workload, _ = station_run("any", 50, 1.0)
    stage = SimpleNamespace(
        runs=Plan("steady", seeds=seeds).runs(generated=True),
        cluster=STATION,
        base=workload,
        workload=lambda run: workload,
        generated=True,
        load=None,
        objective=None,
    )
    return summarise(stage, by_policy, np.full((len(by_policy), len(by_policy)), 0.25), {})


def test_means_and_intervals_are_over_blocks():
    runs = [{"m": 1.0, "k": 5.0}, {"m": 3.0}, {"m": 2.0, "k": 7.0}, {"m": 8.0}]
    assert means(runs) == {"m": 3.5, "k": 6.0}
    found = intervals(runs, [0, 1, 0, 1])
    assert found == {"m": t_interval([1.5, 5.5])}  # k has one block only
    assert intervals(runs, [0, 1, 2, 3]) == {"m": t_interval([1.0, 3.0, 2.0, 8.0]), "k": t_interval([5.0, 7.0])}


def test_every_policy_is_held_against_the_best_that_is_not_clairvoyant():
    comparison = summary({name: [outcome(value, name) for value in values] for name, values in VALUES.items()})
    versus = {result.policy: result.versus_best for result in comparison.results}
    assert versus["b"] is None
    assert versus["oracle"] is None
    raw = [paired_test(VALUES[name], VALUES["b"]) for name in "ac"]
    assert [versus[name].t_p for name in "ac"] == holm([test.t_p for test in raw])
    assert [versus[name].wilcoxon_p for name in "ac"] == holm([test.wilcoxon_p for test in raw])
    assert versus["a"].best == "b"
    assert versus["a"].mean_difference == pytest.approx(np.mean(VALUES["a"]) - np.mean(VALUES["b"]))
    assert isinstance(versus["a"].ratio, Interval)
    assert comparison.results[0].ci95["mean_response_s"] == t_interval(VALUES["a"])
    assert comparison.results[0].wins == {"b": 0.25, "c": 0.25, "oracle": 0.25}


def test_one_run_has_neither_interval_nor_test():
    comparison = summary({name: [outcome(values[0], name)] for name, values in VALUES.items()}, seeds=1)
    assert all(result.ci95 == {} and result.versus_best is None for result in comparison.results)
    assert comparison.workload.notes == ()


def test_equal_runs_are_said_to_be_equal():
    comparison = summary({"a": [outcome(2.0)] * 4, "b": [outcome(value) for value in VALUES["b"]]})
    assert comparison.results[0].ci95 == {}
    assert comparison.workload.notes == ("a: all 4 runs are equal, so there is no interval",)


@pytest.mark.parametrize(("runs", "marked"), [([True, True, False, False], True), ([True, False, False, False], False)])
def test_saturated_in_half_of_the_runs(runs, marked):
    result = summary({"a": [outcome(2.0, saturated=saturated) for saturated in runs]}).results[0]
    assert result.saturated_runs == sum(runs)
    assert result.saturated is marked


def test_regret_is_paired_by_run():
    by_policy = {name: [outcome(value, name) for value in VALUES[name]] for name in ("a", "oracle")}
    by_policy["oracle"][3] = outcome(0.0, "oracle")
    add_regret(by_policy)
    assert [run.metrics.get("regret_to_oracle") for run in by_policy["a"]] == [2.0, 1.0, 2.0, None]
    alone = {"a": [outcome(3.0)]}
    add_regret(alone)
    assert "regret_to_oracle" not in alone["a"][0].metrics


def test_tasks_per_second_count_simulation_only():
    result = summary({"a": [outcome(2.0)] * 4}).results[0]
    assert (result.engine_s, result.tasks_per_s) == (2.0, 100.0)


def test_primary_metric_follows_the_kind_of_workload():
    workload, _ = station_run("any", 50, 1.0)
    assert primary_metric(workload, ClusterKind.NODES) == "mean_response_s"
    assert primary_metric(workload, ClusterKind.POOL) == "mean_bounded_slowdown"
    at_once = workload.select([0])
    assert primary_metric(at_once, ClusterKind.POOL) == "mean_bounded_slowdown"
    assert primary_metric(at_once.select([0, 0]), ClusterKind.NODES) == "makespan_s"
