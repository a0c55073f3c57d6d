"""The table of ``hms profile``: read back, refused where it is wrong, and given to task graphs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.errors import ClusterError, DataFileError, InputError, WorkloadError
from hybrid_ml_scheduler.workloads.binding import bind_to_cluster
from hybrid_ml_scheduler.workloads.clusters import open_cluster
from hybrid_ml_scheduler.workloads.measured import MeasuredRow, MeasuredTable, read_measured_table
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.synthetic import generate
from reader_cases import spoiled

GPUS = [{"name": "gpu0", "link_gb_s": 10.0, "copy_latency_s": 1e-5}, {"name": "gpu1", "link_gb_s": 5, "copy_latency_s": 0}]


def row(kernel: str, size: int, device: str, cores: int, median_s: float, output_bytes: int = 1_000_000) -> MeasuredRow:
    return MeasuredRow(kernel, size, device, cores, output_bytes, median_s, median_s, median_s, median_s / 2, 2 * median_s, 3)


ROWS = (
    row("matmul", 64, "cpu", 1, 0.1),
    row("matmul", 64, "cpu", 2, 0.06),
    row("matmul", 64, "gpu0", 0, 0.01),
    row("matmul", 64, "gpu1", 0, 0.02),
    row("sort", 64, "cpu", 1, 0.3, 4),
    row("sort", 64, "gpu0", 0, 0.4, 4),
    row("sort", 64, "gpu1", 0, 0.5, 4),
    row("fft", 64, "cpu", 1, 0.3),
    row("fft", 64, "gpu0", 0, 0.4),
)
TABLE = MeasuredTable({"host": "lab", "cores": 2, "gpus": GPUS}, ROWS)
CPU_ONLY = MeasuredTable({"host": "lab", "cores": 2, "gpus": []}, tuple(row for row in ROWS if row.device == "cpu"))
GRAPH = "digraph g { 0 [kernel=matmul_64]; 1 [kernel=sort_64]; 2 [kernel=sort_64]; 0 -> 1; 1 -> 2; }"


def written(folder: Path, table: MeasuredTable = TABLE) -> str:
    path = folder / "kernels.csv"
    path.write_text(table.text())
    return str(path)


def graph(folder: Path, text: str = GRAPH):
    path = folder / "graph.dot"
    path.write_text(text)
    return open_workload(str(path))


def test_what_is_written_is_read_back(tmp_path):
    table = read_measured_table(written(tmp_path))
    assert table == TABLE
    assert table.gpu_names == ("gpu0", "gpu1")
    assert table.time_s("matmul", 64) == 0.1
    assert table.time_s("matmul", 64, "cpu", 2) == 0.06
    assert table.time_s("matmul", 64, "gpu1", 1) == 0.02
    assert table.time_s("matmul", 65) is None
    assert table.time_s("matmul", 64, "cpu", 3) is None


@given(st.floats(1e-9, 1e6), st.integers(1, 10**6))
def test_times_survive_to_the_last_bit(tmp_path_factory, median_s, repeats):
    table = MeasuredTable({"host": "lab", "cores": 1, "gpus": []}, (replace(row("fft", 8, "cpu", 1, median_s), repeats=repeats),))
    assert read_measured_table(written(tmp_path_factory.mktemp("t"), table)) == table


def test_machines_are_the_cores_and_gpus_of_the_table(tmp_path):
    cluster = open_cluster(f"kernels:{written(tmp_path)}@lab")
    assert cluster.kind is ClusterKind.MACHINES
    assert [node.name for node in cluster.nodes] == ["cpu0", "cpu1", "gpu0", "gpu1"]


def test_a_graph_gets_the_measured_times(tmp_path):
    bound = bind_to_cluster(graph(tmp_path), open_cluster(f"kernels:{written(tmp_path)}@lab"))
    assert bound.tasks.cost_s.tolist() == [[0.1, 0.1, 0.01, 0.02], [0.3, 0.3, 0.4, 0.5], [0.3, 0.3, 0.4, 0.5]]
    assert np.array_equal(bound.truth.cost_s, bound.tasks.cost_s)
    # Of each edge the slower link: 1 MB at 5 GB/s without latency, 4 bytes at 10 GB/s after 10 us.
    assert bound.tasks.edge_s == pytest.approx([2e-4, 1e-5 + 4e-10])
    assert not bound.tasks.edge_mb.any()


def test_cores_share_their_memory(tmp_path):
    bound = bind_to_cluster(graph(tmp_path), open_cluster(f"kernels:{written(tmp_path, CPU_ONLY)}@lab"))
    assert bound.tasks.cost_s.tolist() == [[0.1, 0.1], [0.3, 0.3], [0.3, 0.3]]
    assert not bound.tasks.edge_s.any()


def test_a_kernel_that_one_device_lacks_is_not_known(tmp_path):
    cluster = open_cluster(f"kernels:{written(tmp_path)}@lab")
    with pytest.raises(InputError, match=r"fft_64, which were not measured; known are matmul_64, sort_64"):
        bind_to_cluster(graph(tmp_path, "digraph g { 0 [kernel=fft_64]; }"), cluster)
    with pytest.raises(InputError, match="sort_65"):
        bind_to_cluster(graph(tmp_path, "digraph g { 0 [kernel=sort_65]; }"), cluster)
    lacking = open_cluster(f"kernels:{written(tmp_path, replace(TABLE, rows=ROWS[-2:]))}@lab")
    with pytest.raises(InputError, match="no kernel that was measured on one CPU core and on every GPU"):
        bind_to_cluster(graph(tmp_path), lacking)


def test_what_does_not_go_together(tmp_path):
    path = written(tmp_path)
    with pytest.raises(ClusterError, match=r"another host than 'elsewhere'; expected .*@lab"):
        open_cluster(f"kernels:{path}@elsewhere")
    with pytest.raises(ClusterError, match="has no tiles"):
        open_cluster(f"kernels:{path}@lab#1000")
    with pytest.raises(WorkloadError, match="task graph"):
        bind_to_cluster(generate("steady", seed=0, n_tasks=5), open_cluster(f"kernels:{path}@lab"))
    with pytest.raises(DataFileError, match=r"measured kernels, not a workload; expected .*--cluster kernels:PATH@HOST"):
        open_workload(path)


FIRST, HEADER, *LINES = CPU_ONLY.text().splitlines()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER, *LINES], "line 1: this is no table of hms profile"),
        (["# hms-profile {", HEADER, *LINES], "line 1: not JSON"),
        (["# hms-profile []", HEADER, *LINES], "no JSON object"),
        (['# hms-profile {"cores": 1, "gpus": []}', HEADER, *LINES], "names no host"),
        (['# hms-profile {"host": "lab", "cores": 0, "gpus": []}', HEADER, *LINES], "no usable number of cores"),
        (['# hms-profile {"host": "lab", "cores": true, "gpus": []}', HEADER, *LINES], "no usable number of cores"),
        (['# hms-profile {"host": "lab", "cores": 1}', HEADER, *LINES], "no usable list of GPUs"),
        (['# hms-profile {"host": "lab", "cores": 1, "gpus": [{"name": "gpu0", "link_gb_s": 0, "copy_latency_s": 0}]}', HEADER], "list of GPUs"),
        (['# hms-profile {"host": "lab", "cores": 1, "gpus": [{"name": "cpu", "link_gb_s": 1, "copy_latency_s": 0}]}', HEADER], "two devices alike"),
        ([FIRST, HEADER], "no data row"),
        ([FIRST, HEADER.replace("median_s", "mean_s"), *LINES], "columns median_s are missing"),
        ([FIRST, HEADER + ",more", *LINES], "unknown columns"),
        ([FIRST, HEADER, LINES[0], LINES[0]], "line 4: 'matmul' of size 64 on 'cpu' stands there twice"),
        ([FIRST, HEADER, LINES[0].replace("cpu,1", "gpu0,0")], "line 3: device is 'gpu0'"),
        ([FIRST, HEADER, LINES[0].replace("cpu,1", "cpu,0")], "line 3: cores is 0 on device 'cpu'"),
        ([FIRST, HEADER, "matmul,64,cpu,1,4,0.1,0.2,0.3,0.05,0.4,3"], "line 3: the times are 0.05, 0.2, 0.1"),
        ([FIRST, HEADER, "matmul,64,cpu,1,4,0,0,0,0,0,3"], "line 3: the times are 0"),
        ([FIRST, HEADER, "matmul,64,cpu,1,4,nan,0.1,0.1,0.1,0.1,3"], "line 3: .*nan"),
        ([FIRST, HEADER, "matmul,64,cpu,1,4,0.1,0.1,0.1,0.1,0.1,0"], "line 3: repeats is '0'"),
    ],
)
def test_tables_that_are_wrong(tmp_path, lines, message):
    path = tmp_path / "kernels.csv"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataFileError, match=message):
        read_measured_table(path)


@given(spoiled(TABLE.text().encode()))
def test_spoiled_tables_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("t") / "kernels.csv"
    path.write_bytes(data)
    try:
        table = read_measured_table(path)
    except DataFileError as error:
        message = str(error)
    else:
        message = ""
        devices = {"cpu", *table.gpu_names}
        assert all(0 < row.min_s <= row.median_s <= row.max_s and row.device in devices for row in table.rows)
        assert 0 <= table.transfer_s(1000) < float("inf")
    assert len(message) < 1500
    assert not message or str(path) in message
