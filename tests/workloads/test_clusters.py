from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.constants import REFERENCE_CORE
from hybrid_ml_scheduler.core.errors import ClusterError, DataFileError, HmsError, InputError, UnknownNameError
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.workloads.clusters import OPENB_NODE_LIST, default_cluster, open_cluster, peak_processors
from hybrid_ml_scheduler.workloads.export import write_workload
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.synthetic import generate


def rigid(arrival_s, run_s, cores, **report) -> Workload:
    n = len(arrival_s)
    tasks = Tasks(
        task_id=np.arange(n),
        arrival_s=np.array(arrival_s, dtype=float),
        cores_milli=1000 * np.array(cores),
        gpus=np.zeros(n, dtype=np.int64),
        gpu_share_milli=np.zeros(n, dtype=np.int64),
        memory_mb=np.zeros(n),
        requested_time_s=np.array(run_s, dtype=float),
        **no_edges(n),
    )
    report = ReadReport(**{"format": "tabular", "rows": n, **report})
    return Workload("trace", WorkloadKind.RIGID, tasks, Truth(work_s=np.array(run_s, dtype=float)), report)


def test_the_workstation_is_the_model():
    cluster = open_cluster("workstation")
    (node,) = cluster.nodes
    assert cluster.kind is ClusterKind.NODES
    assert (node.cores_milli, node.cpu_speed, node.core_power) == (16_000, 1.0, REFERENCE_CORE)
    assert [(gpu.speed, gpu.memory_mb, gpu.link_gb_s, gpu.launch_s) for gpu in node.gpus] == [
        (20, 24_000, 12, 0.02),
        (20, 24_000, 12, 0.02),
        (8, 8_000, 12, 0.02),
        (8, 8_000, 12, 0.02),
    ]
    assert len(cluster.gpu_models) == 2


@given(st.integers(1, 10_000_000))
def test_pool(n):
    cluster = open_cluster(f"pool:{n}")
    assert (cluster.kind, cluster.total_cores, cluster.n_gpus, cluster.name) == (ClusterKind.POOL, n, 0, f"pool:{n}")


def test_pool_from_the_header():
    assert open_cluster("pool", workload=rigid([0], [1], [1], processors=240)).total_cores == 240
    with pytest.raises(ClusterError, match="expected pool:N"):
        open_cluster("pool", workload=rigid([0], [1], [1]))
    with pytest.raises(ClusterError, match="expected pool:N"):
        open_cluster("pool")


@pytest.mark.parametrize(
    ("host", "tile", "machines"), [("sirocco", "", 24), ("sirocco", "#409600", 24), ("mirage", "", 12), ("idgraf", "", 12), ("elsewhere", "", 24)]
)
def test_kernels(host, tile, machines):
    cluster = open_cluster(f"kernels:a/b@c.csv@{host}{tile}")
    assert cluster.kind is ClusterKind.MACHINES
    assert len(cluster.nodes) == machines
    names = [node.name for node in cluster.nodes]
    assert names[0] == "cpu0"
    assert names[-1].startswith("gpu")
    kernels = cluster.meta["kernels"]
    assert (kernels["path"], kernels["host"]) == ("a/b@c.csv", host)
    assert kernels["tile_bytes"] == (409_600 if tile else 3_686_400)
    assert kernels["cpus"] + kernels["gpus"] == machines


def test_sirocco_has_20_cores_and_4_gpus():
    names = [node.name for node in open_cluster("kernels:x@sirocco").nodes]
    assert names == [f"cpu{i}" for i in range(20)] + [f"gpu{i}" for i in range(4)]


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("pool:", ClusterError, "'' is no number of processors"),
        ("pool:x", ClusterError, "expected pool:N"),
        ("pool:-3", ClusterError, "expected pool:N"),
        ("pool:0", ClusterError, "expected 1 to 10000000"),
        ("pool:10000001", ClusterError, "expected 1 to 10000000"),
        ("pool:٣", ClusterError, "expected pool:N"),
        ("openb:", ClusterError, "expected openb:PATH"),
        ("openb:/does/not/exist.csv", DataFileError, "there is no such file"),
        ("missing.csv", DataFileError, "there is no such file"),
        ("missing.yaml", DataFileError, "there is no such file"),
        ("kernels:x", ClusterError, "expected kernels:PATH@HOST"),
        ("kernels:@h", ClusterError, "expected kernels:PATH@HOST"),
        ("kernels:x@h#", ClusterError, "expected kernels:PATH@HOST"),
        ("kernels:x@h#0", ClusterError, "a tile of 0 bytes"),
        ("workstatoin", UnknownNameError, "expected workstation, pool:N"),
        ("", UnknownNameError, "neither a cluster nor a file"),
        ("a\0b", UnknownNameError, "neither a cluster nor a file"),
    ],
)
def test_what_is_wrong_with_a_name(spec, error, says):
    with pytest.raises(error) as caught:
        open_cluster(spec)
    assert says in str(caught.value)


@given(st.text(max_size=20))
def test_any_name_gives_a_cluster_or_an_error(spec):
    with contextlib.suppress(HmsError):
        open_cluster(spec)


def test_files_by_suffix_and_by_existence(tmp_path):
    (tmp_path / "c.yaml").write_text("nodes: [{name: y, cores: 1}]")
    (tmp_path / "plain").write_text("nodes: [{name: z, cores: 1}]")
    (tmp_path / "n.csv").write_text("sn,cpu_milli,memory_mib,gpu,model\nx,1,1,0,\n")
    assert open_cluster(str(tmp_path / "c.yaml")).nodes[0].name == "y"
    assert open_cluster(str(tmp_path / "plain")).nodes[0].name == "z"
    assert open_cluster(str(tmp_path / "n.csv")).nodes[0].name == "x"
    assert open_cluster(f"openb:{tmp_path / 'n.csv'}").nodes[0].name == "x"


@pytest.mark.parametrize("preset", ["steady", "serial", "graphs"])
def test_presets_run_on_the_workstation(preset):
    cluster = default_cluster(generate(preset, seed=0, n_tasks=10))
    assert cluster.name == "workstation"
    assert cluster.meta["default"]


def test_a_trace_runs_on_the_pool_that_its_header_names():
    assert default_cluster(rigid([0], [1], [1], format="swf", processors=338)).name == "pool:338"


@pytest.mark.parametrize("report", [{"format": "swf"}, {"format": "tabular"}])
def test_a_trace_that_names_no_processors_needs_a_cluster(report):
    with pytest.raises(InputError, match="--cluster"):
        default_cluster(rigid([0], [1], [1], **report))


def test_philly_runs_on_as_many_gpus_as_its_busiest_time_needs():
    workload = rigid([0, 1, 2, 3], [2, 10, 1, 1], [4, 3, 2, 5], format="philly")
    assert default_cluster(workload).name == "pool:8"  # the first ends as the third comes, the third as the fourth comes


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=20))
def test_at_the_peak_nobody_would_wait(jobs):
    jobs.sort()
    arrival, run, cores = (list(column) for column in zip(*jobs, strict=True))
    busiest = max(sum(c for a, r, c in jobs if a <= instant < a + r) for instant in arrival)
    assert peak_processors(rigid(arrival, run, cores)) == max(busiest, *cores)


def test_openb_pods_run_on_the_node_list_beside_them(tmp_path):
    pods = replace(rigid([0], [1], [1], format="openb"), meta={"path": str(tmp_path / "pods.csv")})
    with pytest.raises(InputError, match="--cluster openb:PATH"):
        default_cluster(pods)
    (tmp_path / OPENB_NODE_LIST).write_text("sn,cpu_milli,memory_mib,gpu,model\nx,1000,1,0,\n")
    cluster = default_cluster(pods)
    assert cluster.nodes[0].name == "x"
    assert "beside" in cluster.meta["default"]
    with pytest.raises(InputError, match="--cluster openb:PATH"):
        default_cluster(replace(pods, meta={}))


def test_a_pod_list_that_was_read_finds_its_nodes_and_leaves_no_path_behind(tmp_path):
    header = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
    (tmp_path / "pods.csv").write_text(header + "a,1000,100,1,500,,LS,Running,0,100,0\n")
    (tmp_path / OPENB_NODE_LIST).write_text("sn,cpu_milli,memory_mib,gpu,model\nx,1000,1,1,A10\n")
    pods = open_workload(str(tmp_path / "pods.csv"))
    assert default_cluster(pods).nodes[0].name == "x"
    write_workload(pods, tmp_path / "copy.csv")
    assert str(tmp_path) not in (tmp_path / "copy.csv").read_text()


def test_a_cost_matrix_has_a_machine_per_column():
    graph = rigid([0, 0], [1, 1], [1, 1], format="taskgraph")
    cost = np.ones((2, 3))
    graph = replace(graph, kind=WorkloadKind.MACHINES, tasks=replace(graph.tasks, cost_s=cost), truth=replace(graph.truth, cost_s=cost))
    cluster = default_cluster(graph)
    assert (cluster.kind, len(cluster.nodes)) == (ClusterKind.MACHINES, 3)


def test_a_graph_of_kernels_needs_measured_times():
    graph = replace(rigid([0], [0], [1], format="dot"), kind=WorkloadKind.MACHINES)
    with pytest.raises(InputError, match="kernels:PATH@HOST"):
        default_cluster(graph)


def test_a_workflow_runs_on_the_machines_that_it_lists():
    machine = {"name": "m", "cores": 48, "memory_mb": 1000.0}
    flow = replace(rigid([0], [1], [1], format="wfformat"), meta={"machines": [machine, {"name": "n", "cores": 2}, machine]})
    cluster = default_cluster(flow)
    assert [(node.name, node.cores_milli, node.memory_mb) for node in cluster.nodes] == [("m", 48_000, 1000.0), ("n", 2_000, float("inf"))]


@pytest.mark.parametrize("machines", [[], [{"name": "m"}]])
def test_a_workflow_without_machines_needs_a_cluster(machines):
    with pytest.raises(InputError, match="--cluster"):
        default_cluster(replace(rigid([0], [1], [1], format="wfformat"), meta={"machines": machines}))
