from __future__ import annotations

import contextlib
import gzip
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.cluster import Cluster, Power
from hybrid_ml_scheduler.core.constants import GPU_MODELS
from hybrid_ml_scheduler.core.errors import DataFileError, HmsError
from hybrid_ml_scheduler.workloads.openb_nodes import openb_cluster
from shared_data import shared

HEADER = "sn,cpu_milli,memory_mib,gpu,model\n"


def read(text: str | bytes) -> Cluster:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nodes.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return openb_cluster(path)


def test_the_published_cluster():
    cluster = openb_cluster(shared("data/alibaba-openb/openb_node_list_gpu_node.csv"))
    assert (len(cluster.nodes), cluster.n_gpus) == (1213, 6212)
    nodes = Counter(node.gpus[0].model for node in cluster.nodes)
    assert nodes == {"A10": 2, "G2": 549, "G3": 39, "P100": 134, "T4": 404, "V100M16": 55, "V100M32": 30}
    assert sum(cluster.meta["gpus"].values()) == 6212


def test_the_published_cluster_with_all_nodes():
    cluster = openb_cluster(shared("data/alibaba-openb/openb_node_list_all_node.csv"))
    assert (len(cluster.nodes), cluster.n_gpus) == (1523, 6212)
    assert sum(not node.gpus for node in cluster.nodes) == 310


def test_units_and_unknowns():
    cluster = read(HEADER + "a,64500,262144,2,T4\nb,0,0.5,0,\nc,1,1,1,H100\n")
    a, b, c = cluster.nodes
    assert (a.name, a.cores_milli, a.memory_mb) == ("a", 64_500, 262144 * 1.048576)
    assert a.gpus == (GPU_MODELS["T4"].gpu(),) * 2
    assert a.core_power == Power()
    assert (b.gpus, b.memory_mb) == ((), 0.524288)
    assert (c.gpus[0].memory_mb, c.gpus[0].power) == (float("inf"), Power())
    assert cluster.meta["unknown_speed"] == ["H100", "T4"]


def test_gzip(tmp_path):
    path = tmp_path / "nodes.csv.gz"
    path.write_bytes(gzip.compress((HEADER + "a,1,1,0,\n").encode()))
    assert openb_cluster(path).nodes[0].name == "a"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "the file is empty"),
        (HEADER, None, "no data row"),
        ("sn,cpu_milli\na,1\n", 1, "memory_mib, gpu, model"),
        (HEADER + "a,1,1,0,\na,1,1,0,\n", 3, "the node 'a' appears twice"),
        (HEADER + "a,1,1,2,\n", 2, "2 GPUs without a model"),
        (HEADER + "a,1,1,63,T4\n", 2, "gpu is '63'"),
        (HEADER + "a,-1,1,0,\n", 2, "cpu_milli is '-1'"),
        (HEADER + "a,1.5,1,0,\n", 2, "cpu_milli is '1.5'"),
        (HEADER + "a,1,nan,0,\n", 2, "memory_mib"),
        (HEADER + ",1,1,0,\n", 2, "sn is empty"),
        (HEADER + "a,1,1\n", 2, "3 columns"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, line, says):
    with pytest.raises(DataFileError) as caught:
        read(text)
    assert says in str(caught.value)
    assert caught.value.line == line


@given(st.one_of(st.binary(max_size=100), st.text(alphabet="a,1.\n-T4", max_size=60).map(lambda rows: (HEADER + rows).encode())))
def test_any_bytes_give_a_cluster_or_an_error(data):
    with contextlib.suppress(HmsError):
        read(data).columns()
