"""The files of the examples are what they are said to be."""

from __future__ import annotations

import numpy as np

from graph_cases import EXAMPLES
from hybrid_ml_scheduler.core.workload import MILLI, WorkloadKind
from hybrid_ml_scheduler.workloads.open import open_workload
from sample_trace import JOBS, PROCESSORS, SAMPLE, sample_swf


def test_the_sample_is_what_its_generator_makes() -> None:
    assert SAMPLE.read_text() == sample_swf()


def test_the_sample_is_a_loaded_machine_with_over_estimates() -> None:
    workload = open_workload(str(SAMPLE))
    tasks, run_s = workload.tasks, workload.truth.work_s
    assert len(workload) == JOBS
    assert workload.report.processors == PROCESSORS
    assert workload.report.estimates == "user"
    assert np.all(tasks.requested_time_s > run_s)
    asked = float((tasks.cores_milli / MILLI * run_s).sum()) / (PROCESSORS * float(tasks.arrival_s[-1]))
    assert 0.7 < asked < 0.95


def test_the_task_graph_is_the_published_one() -> None:
    example = SAMPLE.parent / "topcuoglu.graph.json"
    assert example.read_text() == (EXAMPLES / "topcuoglu.graph.json").read_text()
    assert open_workload(str(example)).kind is WorkloadKind.MACHINES
