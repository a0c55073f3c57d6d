"""Comparisons from end to end: same tasks for all, honest intervals, the same result with any number of processes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import IncompatiblePolicyError, InputError, NothingToReportError, UnknownNameError
from hybrid_ml_scheduler.experiments.compare import run_comparison
from hybrid_ml_scheduler.experiments.runs import Plan
from hybrid_ml_scheduler.experiments.table import comparison_table


def swf_line(job, submit, run, processors, requested, user=1):
    return f"{job} {submit} -1 {run} {processors} -1 -1 {processors} {requested} -1 1 {user} 1 -1 1 -1 -1 -1"


@pytest.fixture
def trace(tmp_path):
    rng = np.random.default_rng(11)
    submit = np.cumsum(rng.exponential(60, 300)).astype(int)
    run = np.maximum(rng.lognormal(4, 1.5, 300).astype(int), 1)
    run[7] = 0
    width = rng.integers(1, 9, 300)
    lines = [swf_line(i + 1, submit[i], run[i], width[i], 2 * run[i] + 60, user=i % 5) for i in range(300)]
    path = tmp_path / "small.swf"
    path.write_text("; MaxProcs: 16\n" + "\n".join(lines) + "\n")
    return str(path)


def test_batch_trace(trace):
    comparison = run_comparison(trace, policies=["fcfs", "sjf", "saf+easy"], charts=False)
    read = json.loads(comparison.to_json())
    assert read["workload"]["tasks"] == 300
    assert read["workload"]["format"] == "swf"
    assert len(read["workload"]["sha256"]) == 64
    assert read["cluster"]["cores"] == 16
    assert [result["policy"] for result in read["results"]] == ["fcfs", "sjf", "saf+easy"]
    for result in read["results"]:
        assert result["ci95"] == {}
        assert result["runs"] == [result["metrics"]]
        assert result["tasks_per_s"] > 0
        assert "energy_j" not in result["metrics"]
    by_name = {result["policy"]: result["metrics"] for result in read["results"]}
    assert by_name["saf+easy"]["mean_bounded_slowdown"] < by_name["fcfs"]["mean_bounded_slowdown"]
    assert comparison.primary_metric == "mean_bounded_slowdown"
    assert comparison.results[0].charts is None


def test_seeds_over_a_file_are_no_sample(trace):
    comparison = run_comparison(trace, policies=["fcfs", "sjf"], seeds=3, charts=False)
    assert all(len(result.runs) == 3 and result.ci95 == {} for result in comparison.results)
    assert any("all policies: all 3 runs are equal" in note for note in comparison.workload.notes)
    assert [run.label for run in comparison.workload.runs] == ["seed 0", "seed 1", "seed 2"]


def test_windows_are_runs_of_their_own(trace):
    comparison = run_comparison(trace, policies=["fcfs", "sjf"], windows="0:100,150:100,20:50", charts=False)
    assert [run.tasks for run in comparison.workload.runs] == [100, 100, 50]
    assert comparison.workload.tasks == 250
    assert comparison.workload.dropped["run time 0"] == 1
    fcfs = comparison.results[0]
    waits = [run["mean_wait_s"] for run in fcfs.runs]
    assert fcfs.metrics["mean_wait_s"] == pytest.approx(np.mean(waits))
    assert fcfs.ci95["mean_wait_s"].low < np.mean(waits) < fcfs.ci95["mean_wait_s"].high
    alone = run_comparison(trace, policies=["fcfs"], windows="150:100", charts=False)
    assert alone.results[0].metrics == fcfs.runs[1]
    tested = [result.versus_best for result in comparison.results if result.versus_best is not None]
    assert [test.n for test in tested] == [3]


def test_seeds_of_a_window_make_no_second_sample(trace):
    once = run_comparison(trace, policies=["fcfs"], windows="0:100,150:100", charts=False)
    twice = run_comparison(trace, policies=["fcfs"], windows="0:100,150:100", seeds=2, charts=False)
    assert len(twice.results[0].runs) == 4
    assert twice.results[0].ci95 == once.results[0].ci95
    assert twice.workload.tasks == once.workload.tasks


def test_plan_of_generated_windows_counts_every_run():
    plan = Plan("steady", spans=((0, 10), (10, 10)), seeds=2)
    assert [run.block for run in plan.runs(generated=True)] == [0, 1, 2, 3]
    assert [run.block for run in plan.runs(generated=False)] == [0, 1, 0, 1]
    assert [run.label for run in plan.runs(generated=True)][2:] == ["window 0:10, seed 1", "window 10:10, seed 1"]


def test_generated_tasks_with_seeds():
    told = []
    comparison = run_comparison(
        "steady", policies=["greedy", "mct", "oracle"], seeds=2, first=600, progress=lambda done, total, label: told.append((done, total, label))
    )
    assert comparison.workload.sha256 is None
    assert comparison.workload.tasks == 600
    assert comparison.primary_metric == "mean_response_s"
    greedy, mct, oracle = comparison.results
    assert oracle.clairvoyant
    assert not mct.clairvoyant
    assert [run["regret_to_oracle"] for run in oracle.runs] == [0.0, 0.0]
    for result in (greedy, mct):
        for run, reference in zip(result.runs, oracle.runs, strict=True):
            assert run["regret_to_oracle"] == pytest.approx(run["mean_response_s"] / reference["mean_response_s"] - 1)
    assert mct.ci95["mean_response_s"].low < mct.metrics["mean_response_s"]
    assert greedy.runs[0] != greedy.runs[1]
    assert set(mct.wins) == {"greedy", "oracle"}
    assert 0 < mct.wins["greedy"] <= 1
    assert {"energy_j", "cost_usd", "mean_gpu_fraction"} <= set(mct.metrics)
    assert greedy.charts is not None
    assert [done for done, _, _ in told] == list(range(7))
    assert {total for _, total, _ in told} == {6}
    assert told[0][2] == "greedy, seed 0"
    assert "oracle °" in comparison_table(comparison)


def test_a_machine_on_which_nobody_waits_is_called_one(trace):
    idle = run_comparison(trace, cluster_spec="pool:100000", policies=["fcfs", "sjf"], charts=False)
    busy = run_comparison(trace, policies=["fcfs", "sjf"], charts=False)
    assert any("ever waited" in note for note in idle.workload.notes)
    assert not any("ever waited" in note for note in busy.workload.notes)


def test_any_number_of_processes_gives_the_same(trace):
    def measured(jobs):
        comparison = run_comparison(trace, policies=["fcfs", "sjf+easy", "f1"], windows="0:100,150:100", jobs=jobs)
        results = [replace(result, charts=None, engine_s=0.0, tasks_per_s=0.0) for result in comparison.results]
        return comparison.workload, results, [result.charts is not None for result in comparison.results]

    assert measured(2) == measured(1)


def test_first_and_load(trace):
    part = run_comparison(trace, policies=["fcfs"], first=100, charts=False)
    dense = run_comparison(trace, policies=["fcfs"], first=100, load=4.0, charts=False)
    assert part.workload.tasks == dense.workload.tasks == 100
    assert dense.results[0].metrics["mean_wait_s"] > part.results[0].metrics["mean_wait_s"]
    assert set(dense.workload.notes) - set(part.workload.notes) == {"the arrival rate was multiplied by 4"}


def test_bounds_are_below_every_policy(trace):
    comparison = run_comparison(trace, policies=["fcfs", "sjf+easy"], first=60, bound=True, charts=False)
    assert comparison.bound["best_s"] > 0
    for result in comparison.results:
        assert result.metrics["gap_to_bound"] == pytest.approx(result.metrics["makespan_s"] / comparison.bound["best_s"] - 1)
        assert result.metrics["gap_to_bound"] >= -1e-9
        assert result.metrics["response_gap_to_bound"] >= -1e-9


def test_too_large_tasks_are_counted_and_named(trace):
    comparison = run_comparison(trace, cluster_spec="pool:7", policies=["fcfs"], charts=False)
    assert comparison.workload.rejected > 0
    assert len(comparison.workload.rejected_ids) == 10
    assert comparison.results[0].metrics["rejected"] == comparison.workload.rejected


def test_a_run_without_any_task_is_an_error(tmp_path):
    path = tmp_path / "wide.swf"
    path.write_text("\n".join(swf_line(i + 1, i, 10, 8, 20) for i in range(5)) + "\n")
    for jobs in (1, 2):
        with pytest.raises(NothingToReportError, match="5 can never fit cluster 'pool:4': task 1, 2, 3, 4, 5"):
            run_comparison(str(path), cluster_spec="pool:4", policies=["fcfs", "sjf"], jobs=jobs)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"policies": ["fcfs", "sjf", "fcfs"]}, InputError, "'fcfs' is named twice"),
        ({"policies": []}, InputError, "at least one"),
        ({"policies": ["nonsense"]}, InputError, "nonsense"),
        ({"policies": ["heft"]}, IncompatiblePolicyError, "heft"),
        ({"policies": ["fcfs"], "first": 5, "windows": "0:5"}, InputError, "exclude each other"),
        ({"policies": ["fcfs"], "seeds": 0}, InputError, "expected at least 1"),
        ({"policies": ["fcfs"], "jobs": 0}, InputError, "expected at least 1"),
    ],
)
def test_options_that_make_no_sense(trace, options, error, message):
    with pytest.raises(error, match=message):
        run_comparison(trace, **options)


def test_unknown_workloads():
    with pytest.raises(UnknownNameError, match="stedy"):
        run_comparison("stedy")
