"""JSON and CSV of a comparison keep the contract."""

import csv
import io
import json
from dataclasses import replace

import pytest

from comparison_cases import station_comparison
from hybrid_ml_scheduler.core.errors import EngineError


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def test_json_keeps_the_contract():
    comparison = station_comparison(n=300)
    read = json.loads(comparison.to_json(), parse_constant=refuse)
    assert list(read) == ["workload", "cluster", "results", "bound"]
    assert {"name", "format", "tasks", "rejected", "sha256", "substitutions", "dropped", "estimates", "sorted"} <= set(read["workload"])
    assert read["cluster"]["gpu_models"] == {"fast": 2, "slow": 2}
    assert [result["policy"] for result in read["results"]] == ["random", "mct", "oracle"]
    for result, source in zip(read["results"], comparison.results, strict=True):
        assert {"policy", "metrics", "ci95", "runs", "tasks_per_s", "engine_s"} <= set(result)
        assert {"mean_wait_s", "p99_wait_s", "mean_response_s", "mean_slowdown", "makespan_s", "utilization", "energy_j", "cost_usd"} <= set(
            result["metrics"]
        )
        assert result["metrics"] == source.metrics
        assert len(result["runs"]) == 2
        low, high = result["ci95"]["mean_wait_s"]
        assert low < result["metrics"]["mean_wait_s"] < high
    assert read["bound"] == {"area_s": 12.5, "best_s": 12.5, "mean_response_s": 0.5}
    assert read["results"][0]["saturated"]
    assert read["results"][0]["versus_best"]["ratio_ci95"] == [1.2, 1.9]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_never_leave(value):
    comparison = station_comparison(n=300, charts=False)
    broken = replace(comparison.results[1], metrics={"mean_wait_s": value})
    with pytest.raises(EngineError, match=r"results\[1\]\.metrics\.mean_wait_s is (nan|inf)"):
        replace(comparison, results=(comparison.results[0], broken)).to_json()


def test_csv_has_a_row_per_policy_and_run():
    comparison = station_comparison(("a", "b,c"), n=300, charts=False)
    one = comparison.results[0]
    fewer = {name: value for name, value in one.runs[1].items() if name != "cost_usd"}
    comparison = replace(comparison, results=(replace(one, runs=(one.runs[0], fewer)), comparison.results[1]))
    rows = list(csv.DictReader(io.StringIO(comparison.to_csv())))
    assert [(row["policy"], row["run"]) for row in rows] == [("a", "seed 0"), ("a", "seed 1"), ("b,c", "seed 0"), ("b,c", "seed 1")]
    assert float(rows[0]["mean_wait_s"]) == one.metrics["mean_wait_s"]
    assert rows[0]["cost_usd"] != ""
    assert rows[1]["cost_usd"] == ""


@pytest.mark.parametrize(("saturated_runs", "marked"), [(0, False), (1, True), (2, True)])
def test_saturated_is_half_of_the_runs(saturated_runs, marked):
    result = replace(station_comparison(n=300, charts=False).results[1], saturated_runs=saturated_runs)
    assert result.saturated is marked
