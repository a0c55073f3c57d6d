from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hybrid_ml_scheduler.core.errors import InputError, WorkloadError
from hybrid_ml_scheduler.workloads.binding import bind_to_cluster
from hybrid_ml_scheduler.workloads.cluster_file import read_cluster_file
from hybrid_ml_scheduler.workloads.clusters import open_cluster
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.synthetic import generate

TIMES = """host,codelet,arch,size_bytes,flops,mean_us,dev_us,n_samples
h,chol_model_potrf,cpu0_impl0,1000,0,100,1,5
h,chol_model_potrf,cuda0_impl0,1000,0,400,1,5
h,chol_model_gemm,cpu0_impl0,3000,0,900,1,5
h,chol_model_gemm,cuda0_impl0,3000,0,30,1,5
"""


@pytest.fixture
def kernels(tmp_path: Path) -> str:
    path = tmp_path / "times.csv"
    path.write_text(TIMES)
    return f"kernels:{path}@h#1000"


def graph(folder: Path, text: str):
    path = folder / "graph.dot"
    path.write_text(text)
    return open_workload(str(path))


def test_a_graph_of_kernels_gets_its_times(kernels, tmp_path):
    workload = graph(tmp_path, "digraph g { 0 [kernel=potrf]; 1 [kernel=gemm]; 0 -> 1; }")
    cluster = open_cluster(kernels)
    bound = bind_to_cluster(workload, cluster)
    cost = bound.tasks.cost_s
    assert cost.shape == (2, len(cluster.nodes)) == (2, 24)
    assert cost[0] == pytest.approx([100e-6] * 20 + [400e-6] * 4)
    assert cost[1] == pytest.approx([900e-6] * 20 + [30e-6] * 4)
    assert np.array_equal(bound.truth.cost_s, cost)
    assert bound.tasks.edge_s == pytest.approx([1000 / 12e9 + 10e-6])
    assert not bound.tasks.edge_mb.any()


def test_kernels_that_were_not_measured(kernels, tmp_path):
    with pytest.raises(InputError, match="trsm"):
        bind_to_cluster(graph(tmp_path, "digraph g { 0 [kernel=trsm]; }"), open_cluster(kernels))


def test_other_tasks_do_not_run_on_measured_kernels(kernels):
    with pytest.raises(WorkloadError, match="task graph"):
        bind_to_cluster(generate("steady", seed=0, n_tasks=5), open_cluster(kernels))


@pytest.mark.parametrize("preset", ["steady", "drift"])
def test_a_preset_moves_to_other_gpus(preset):
    cluster = read_cluster_file(Path(__file__).resolve().parents[2] / "examples" / "clusters" / "two-kinds.yaml")
    moved = bind_to_cluster(generate(preset, seed=0, n_tasks=50), cluster)
    there = generate(preset, seed=0, n_tasks=50, cluster=cluster)
    assert moved.truth.gpu_models == there.truth.gpu_models == ("A10", "P4", "home-made")
    assert np.array_equal(moved.truth.slowdown, there.truth.slowdown)
    assert np.array_equal(moved.truth.work_s, there.truth.work_s)


@pytest.mark.parametrize("preset", ["steady", "serial"])
def test_nothing_to_bind_changes_nothing(preset):
    workload = generate(preset, seed=0, n_tasks=5)
    assert bind_to_cluster(workload, open_cluster("workstation")) is workload
    assert bind_to_cluster(workload, open_cluster("pool:8")) is workload
