from __future__ import annotations

import contextlib
import gzip
import math
import re
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Power
from hybrid_ml_scheduler.core.constants import GPU_MODELS, REFERENCE_CORE
from hybrid_ml_scheduler.core.errors import DataFileError, HmsError
from hybrid_ml_scheduler.workloads import cluster_file
from hybrid_ml_scheduler.workloads.cluster_file import read_cluster_file

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "clusters" / "two-kinds.yaml"


def read(text: str | bytes) -> Cluster:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_cluster_file(path)


def test_the_example():
    cluster = read_cluster_file(EXAMPLE)
    assert (cluster.name, cluster.kind, cluster.network_gb_s, cluster.network_latency_s) == ("two-kinds", ClusterKind.NODES, 1.25, 50e-6)
    assert [node.name for node in cluster.nodes] == ["fast-0", "fast-1", "old", "cpu-only-0", "cpu-only-1"]
    fast, _, old, cpu_only, _ = cluster.nodes
    assert fast.core_power == REFERENCE_CORE
    assert [gpu.model for gpu in fast.gpus] == ["A10", "A10", "P4"]
    assert fast.gpus[0] == GPU_MODELS["A10"].gpu()
    assert fast.gpus[2].power == Power(GPU_MODELS["P4"].power.idle_w, GPU_MODELS["P4"].power.busy_w, 0.45)
    assert (old.cores_milli, old.memory_mb, old.cpu_speed) == (16_000, 64_000.0, 0.6)
    assert old.core_power == Power(3.0, 9.5, None)
    gpu = old.gpus[0]
    assert (gpu.memory_mb, gpu.speed, gpu.link_gb_s, gpu.launch_s, gpu.power) == (12_000.0, 5.0, 6.0, 0.05, Power(20.0, 180.0, None))
    assert (cpu_only.memory_mb, cpu_only.cpu_speed, cpu_only.gpus, cpu_only.core_power) == (math.inf, 1.0, (), Power())


def test_gzip_and_default_name(tmp_path):
    path = tmp_path / "mine.yaml.gz"
    path.write_bytes(gzip.compress(b"nodes: [{name: a, cores: 0.5}]"))
    cluster = read_cluster_file(path)
    assert cluster.name == "mine.yaml.gz"
    assert cluster.nodes[0].cores_milli == 500
    assert cluster.network_gb_s == math.inf


def test_pool_and_machines():
    assert read("kind: pool\nnodes: [{name: p, cores: 240}]").kind is ClusterKind.POOL
    machines = read("kind: machines\nnodes: [{name: m, count: 3}]")
    assert (machines.kind, len(machines.nodes), machines.nodes[0].cores_milli) == (ClusterKind.MACHINES, 3, 1000)


def test_null_is_unknown():
    gpu = read("nodes: [{name: a, cores: 1, gpus: [{model: A10, memory_gb: null, busy_w: null}]}]").nodes[0].gpus[0]
    assert gpu.memory_mb == math.inf
    assert (gpu.power.idle_w, gpu.power.busy_w) == (GPU_MODELS["A10"].power.idle_w, None)


NODE = "nodes:\n  - name: a\n    cores: 4\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "the file is empty"),
        ("# nothing\n", None, "the document is empty"),
        ("nodes: [\n", 2, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("\x00", None, "not YAML"),
        ("- 1\n", 1, "the cluster is a list; expected a mapping with the keys name, kind"),
        ("name: x\n", 1, "the key nodes is missing"),
        ("nodes: []\n", 1, "the list nodes is empty"),
        ("nodes: 3\n", 1, "nodes is '3' in the cluster; expected a list"),
        ("name: x\nnodes:\n- 5\n", 3, "nodes[0] is '5'"),
        (NODE + "gpuz: 1\n", 4, "unknown key 'gpuz' in the cluster; expected one of name, kind, network_gb_s, network_latency_s, nodes"),
        (NODE + "    gpuz: 1\n", 4, "unknown key 'gpuz' in nodes[0]; expected one of name, count, cores"),
        (NODE + "    gpus:\n    - model: A10\n      watts: 3\n", 6, "unknown key 'watts' in nodes[0].gpus[0]; expected one of model, count"),
        (NODE + "    cores: 5\n", 4, "the key cores stands twice in nodes[0]"),
        (NODE + "    [1, 2]: 5\n", 4, "unknown key 'a list'"),
        ("nodes: [{cores: 1}]\n", 1, "the key name is missing in nodes[0]"),
        ("nodes: [{name: a}]\n", 1, "the key cores is missing in nodes[0]"),
        ("nodes: [{name: , cores: 1}]\n", 1, "name is empty"),
        ("nodes: [{name: [x], cores: 1}]\n", 1, "name is a list"),
        ("nodes: [{name: a, cores: many}]\n", 1, "cores is 'many'"),
        ("nodes: [{name: a, cores: -1}]\n", 1, "cores is '-1'"),
        ("nodes: [{name: a, cores: .nan}]\n", 1, "cores is '.nan'"),
        ("nodes: [{name: a, cores: nan}]\n", 1, "cores is 'nan'"),
        ("nodes: [{name: a, cores: 1e400}]\n", 1, "cores is '1e400'"),
        ("nodes: [{name: a, cores: 1e300}]\n", 1, "cores is '1e300'"),
        ("nodes: [{name: a, cores: 010}]\n", 1, "cores is '010'"),
        ("nodes: [{name: a, cores: 1:30}]\n", 1, "cores is '1:30'"),
        ("nodes: [{name: a, cores: 0x10}]\n", 1, "cores is '0x10'"),
        ("nodes: [{name: a, cores: 1_000}]\n", 1, "cores is '1_000'"),
        ("nodes: [{name: a, cores: '4'}]\n", 1, "cores is '4'"),
        ("nodes: [{name: a, cores: true}]\n", 1, "cores is 'true'"),
        ("nodes: [{name: a, cores: 0.0001}]\n", 1, "at most three decimals"),
        (NODE + "    memory_gb: -3\n", 4, "memory_gb is '-3'"),
        (NODE + "    cpu_speed: 0\n", 4, "cpu_speed is '0' in nodes[0]; expected a speed above 0"),
        (NODE + "    count: 0\n", 4, "count is '0'"),
        (NODE + "    count: 2.5\n", 4, "count is 2.5 in nodes[0]; expected a whole number from 1"),
        (NODE + "    count: 100001\n", 4, "count is '100001'"),
        (NODE + "    core: fast\n", 4, "core is 'fast' in nodes[0]; expected 'reference'"),
        (NODE + "    core_idle_w: 9\n    core_busy_w: 3\n", 5, "core_busy_w is 3 and core_idle_w is 9"),
        (NODE + "    core: reference\n    core_idle_w: 900\n", 5, "expected core_busy_w of at least core_idle_w"),
        (NODE + "  - name: a\n    cores: 1\n", 4, "the node name 'a' is there already"),
        ("nodes:\n- {name: a-1, cores: 1}\n- {name: a, count: 2, cores: 1}\n", 3, "the node name 'a-1' is there already"),
        (NODE + "    gpus: {model: A10}\n", 4, "gpus is a mapping in nodes[0]; expected a list"),
        (NODE + "    gpus: [{count: 2}]\n", 4, "the key model is missing in nodes[0].gpus[0]; expected the name of a GPU model (A10, P4"),
        (NODE + "    gpus:\n    - model: T4\n", 5, "the speed of GPU model 'T4' is not known"),
        (NODE + "    gpus:\n    - model: other\n", 5, "the speed of GPU model 'other' is not known"),
        (NODE + "    gpus:\n    - {model: other, speed: 0}\n", 5, "speed is '0'"),
        (NODE + "    gpus:\n    - {model: A10, link_gb_s: 0}\n", 5, "link_gb_s is '0'"),
        (NODE + "    gpus:\n    - {model: A10, launch_s: -1}\n", 5, "launch_s is '-1'"),
        (NODE + "    gpus:\n    - {model: A10, busy_w: -1}\n", 5, "busy_w is '-1'"),
        (NODE + "    gpus:\n    - {model: A10, count: 40}\n    - {model: P4, count: 40}\n", 6, "80 GPUs in nodes[0].gpus[1]; expected at most 62"),
        (NODE + "    gpus:\n    - {model: A10, count: 63}\n", 5, "count is '63'"),
        ("kind: cloud\n" + NODE, 1, "kind is 'cloud' in the cluster; expected one of pool, nodes, machines"),
        ("kind: pool\nnodes:\n- {name: a, cores: 1, count: 2}\n", 3, "a pool has 2 nodes and 0 GPUs"),
        ("network_gb_s: 0\n" + NODE, 1, "network_gb_s is '0'"),
        ("network_latency_s: -1\n" + NODE, 1, "network_latency_s is '-1'"),
        ("name: !!python/object/apply:os.system ['true']\n" + NODE, 1, "name is a list"),
        ("nodes: &n [*n]\n", 1, "nodes[0] is a list"),
        ("[" * 5000, None, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, line, says):
    with pytest.raises(DataFileError) as caught:
        read(text)
    assert says in str(caught.value)
    assert caught.value.line == line
    assert "c.yaml" in str(caught.value)


def test_not_utf8():
    with pytest.raises(DataFileError, match="line 2: byte 0xff is not UTF-8"):
        read(b"name: x\nkind: \xff\n")


def test_too_many_nodes_in_all():
    with pytest.raises(DataFileError, match="line 3: this is node 100001"):
        read("nodes:\n- {name: a, cores: 1, count: 100000}\n- {name: b, cores: 1}\n")


def test_a_large_file_is_refused(monkeypatch):
    monkeypatch.setattr(cluster_file, "FILE_LIMIT_BYTES", 100)
    with pytest.raises(DataFileError, match="larger than 100 bytes"):
        read("#" * 101)


_NUMBERS = st.one_of(st.integers(-5, 100), st.floats(), st.none(), st.text(max_size=3), st.booleans())
_GPUS = st.fixed_dictionaries({}, optional={key: st.one_of(_NUMBERS, st.sampled_from(["A10", "T4", "x"])) for key in cluster_file._GPU_KEYS})
_NODES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(cluster_file._NODE_KEYS, _NUMBERS) | {"name": st.text(max_size=3), "gpus": st.lists(_GPUS, max_size=3)}
)
_CLUSTERS = st.fixed_dictionaries(
    {"nodes": st.lists(_NODES, max_size=3)}, optional={"name": st.text(max_size=3), "kind": st.sampled_from(["pool", "x"]), "network_gb_s": _NUMBERS}
)


def cluster_or_error(data: bytes) -> None:
    with contextlib.suppress(HmsError):
        read(data).columns()


@given(st.binary(max_size=200))
@example(b"\x1f\x8b")
@example(b"nodes: [{name: a, cores: 1, core_idle_w: *x}]")
def test_any_bytes_give_a_cluster_or_an_error(data):
    cluster_or_error(data)


@given(st.text(alphabet=" \n:-[]{}&*!|>'\"#%@`?,anodesgpuc01.", max_size=80))
def test_any_yaml_like_text_gives_a_cluster_or_an_error(text):
    cluster_or_error(text.encode())


@given(_CLUSTERS)
def test_any_tree_gives_a_cluster_or_an_error(tree):
    cluster_or_error(yaml.safe_dump(tree).encode())


@given(st.data())
def test_a_damaged_example_gives_a_cluster_or_an_error(data):
    text = bytearray(EXAMPLE.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=2))
    cluster_or_error(bytes(text))


_GOOD_GPU = st.fixed_dictionaries(
    {"model": st.sampled_from(["A10", "P4", "T4", "mine"]), "speed": st.floats(0.1, 50)},
    optional={"count": st.integers(1, 4), "memory_gb": st.floats(0, 80)},
)
_GOOD_NODE = st.fixed_dictionaries(
    {"cores": st.integers(0, 128)}, optional={"count": st.integers(1, 3), "cpu_speed": st.floats(0.1, 3), "gpus": st.lists(_GOOD_GPU, max_size=3)}
)


@given(st.lists(_GOOD_NODE, min_size=1, max_size=4))
def test_good_files_are_read_as_they_stand(nodes):
    named = [{"name": f"n{position}", **node} for position, node in enumerate(nodes)]
    cluster = read(yaml.safe_dump({"nodes": named}))
    assert len(cluster.nodes) == sum(node.get("count", 1) for node in nodes)
    assert cluster.n_gpus == sum(node.get("count", 1) * sum(gpu.get("count", 1) for gpu in node.get("gpus", [])) for node in nodes)
    assert cluster.total_cores == sum(node.get("count", 1) * node["cores"] for node in nodes)


def test_the_page_on_clusters_names_every_key():
    page = (EXAMPLE.parents[2] / "docs" / "clusters.md").read_text(encoding="utf-8")
    for keys in (cluster_file._CLUSTER_KEYS, cluster_file._NODE_KEYS, cluster_file._GPU_KEYS):
        assert [key for key in keys if f"`{key}`" not in page] == []
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert read(block).n_gpus == 4
