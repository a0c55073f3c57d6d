from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import EngineError, InputError
from hybrid_ml_scheduler.core.workload import MILLI
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.experiments import bench, bench_traces
from hybrid_ml_scheduler.experiments.bench import Figure, FirstComeFirstServed, Inputs, Report
from hybrid_ml_scheduler.learning import latency
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import pool


def test_the_median_decides_whether_a_target_is_met() -> None:
    assert Figure("rate", "jobs/s", (1.0, 9.0, 5.0), target=5.0).met is True
    assert Figure("rate", "jobs/s", (1.0, 9.0, 4.9), target=5.0).met is False
    assert Figure("time", "s", (1.0, 9.0, 5.0), target=5.0, more_is_better=False).met is True
    assert Figure("time", "s", (1.0, 9.0, 5.1), target=5.0, more_is_better=False).met is False
    assert Figure("time", "s", (1.0,)).met is None


def test_a_report_is_json_with_machine_versions_and_date() -> None:
    report = Report("2026-01-01T00:00:00+00:00", bench.machine(), (Figure("rate", "jobs/s", (1.0, 3.0), 2.0, note="x"),))
    result = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert result["figures"] == [
        {
            "name": "rate",
            "unit": "jobs/s",
            "median": 2.0,
            "values": [1.0, 3.0],
            "target": 2.0,
            "more_is_better": True,
            "met": True,
            "measured_on": "x",
        }
    ]
    assert {"processor", "cores", "python", "numba", "numpy"} <= set(result["machine"])


@pytest.mark.parametrize("load", [0.5, 1.2])
def test_generated_traces_have_the_load_they_are_asked_for(load: float) -> None:
    trace = bench_traces.batch_trace("t", 20_000, 128, load, seed=3)
    tasks = trace.tasks
    work = np.sum(trace.truth.work_s * tasks.cores_milli) / MILLI
    assert work / (128 * tasks.arrival_s[-1]) == pytest.approx(load, rel=0.05)
    assert tasks.cores_milli.max() <= 64 * MILLI
    # EASY needs estimates that are upper bounds.
    assert np.all(tasks.requested_time_s >= trace.truth.work_s)


def test_the_measured_python_policy_is_first_come_first_served() -> None:
    trace = bench_traces.batch_trace("t", 500, 16, 1.0, seed=1)
    own = simulate(trace, pool(16), FirstComeFirstServed())
    ours = simulate(trace, pool(16), compile_policy("fcfs", trace, pool(16), seed=0))
    np.testing.assert_array_equal(own.start_s, ours.start_s)


def test_measurements_of_small_inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench_traces, "HPC2N_JOBS", 300)
    monkeypatch.setattr(bench, "GROWTH_JOBS", (100, 200))
    monkeypatch.setattr(bench, "GROWTH_POLICIES", ("fcfs+easy",))
    inputs = Inputs(None, None, None, 2, tmp_path)
    assert len(inputs.batch) == 300
    figures = [*bench.measure_engine(inputs), *bench.measure_growth(inputs), *bench.measure_decisions(inputs)]
    assert [figure.unit for figure in figures] == ["jobs/s", "jobs/s", "us/job", "us/job", "decisions/s"]
    assert all(len(figure.values) == 2 and min(figure.values) > 0 for figure in figures)
    assert "300 jobs, 240 processors" in figures[0].note


def test_the_time_of_a_decision_is_measured_for_every_kind_of_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench_traces, "HPC2N_JOBS", 10)
    for name, value in (("TREES", 3), ("LEAVES", 4), ("TRAINING_ROWS", 200)):
        monkeypatch.setattr(latency, name, value)
    figures = bench.measure_models(Inputs(None, None, None, 2, tmp_path))
    assert [figure.name for figure in figures if figure.target is not None] == [
        "decision of 100 trees",
        "decision of 100 trees, random forest",
        "decision of a 64x64 net",
    ]
    assert all(figure.unit == "us" and len(figure.values) == 2 and min(figure.values) > 0 for figure in figures)


def test_inputs_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected at least 1"):
        Inputs(None, None, None, 0, tmp_path)
    with pytest.raises(InputError, match="expected both or none"):
        Inputs(None, "pods.csv", None, 1, tmp_path)


def test_a_measured_command_that_fails_is_an_error() -> None:
    with pytest.raises(EngineError, match="exit code 3"):
        bench._output_of(["sh", "-c", "exit 3"])
