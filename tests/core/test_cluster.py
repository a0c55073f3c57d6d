from __future__ import annotations

import numpy as np
import pytest

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node, memory_bytes
from hybrid_ml_scheduler.core.errors import ClusterError

GPU = Gpu("a", 8000.0, 10.0, 12.0, 0.02)


@pytest.mark.parametrize(
    ("kind", "nodes", "message"),
    [
        (ClusterKind.NODES, (), "no node"),
        (ClusterKind.NODES, (Node("a", 1000), Node("a", 1000)), "'a' appears twice"),
        (ClusterKind.NODES, (Node("a", -1),), "cores >= 0"),
        (ClusterKind.NODES, (Node("a", 1000, cpu_speed=0.0),), "CPU speed > 0"),
        (ClusterKind.NODES, (Node("a", 1000, memory_mb=float("nan")),), "memory >= 0"),
        (ClusterKind.NODES, (Node("a", 1000, gpus=(GPU,) * 63),), "at most 62"),
        (ClusterKind.NODES, (Node("a", 1000, gpus=(Gpu("b", 1.0, -2.0, 12.0, 0.0),)),), "speed > 0"),
        (ClusterKind.POOL, (Node("a", 1000), Node("b", 1000)), "is a pool"),
        (ClusterKind.POOL, (Node("a", 1000, gpus=(GPU,)),), "is a pool"),
        (ClusterKind.POOL, (Node("a", 1000, memory_mb=64.0),), "is a pool"),
    ],
)
def test_impossible_clusters_are_refused(kind: ClusterKind, nodes: tuple[Node, ...], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        Cluster("test", kind, nodes)


def test_columns_hold_gpus_node_by_node() -> None:
    other = Gpu("b", 1.5, 2.0, 1.0, 0.0)
    columns = Cluster("test", ClusterKind.NODES, (Node("x", 500, gpus=(GPU, other)), Node("y", 2000), Node("z", 1000, gpus=(other,)))).columns()
    assert columns.gpu_ptr.tolist() == [0, 2, 2, 3]
    assert columns.gpu_node.tolist() == [0, 0, 2]
    assert columns.gpu_model.tolist() == [0, 1, 1]
    assert columns.gpu_memory_bytes.tolist() == [8_000_000_000, 1_500_000, 1_500_000]
    assert np.isnan(columns.gpu_busy_w).all()


def test_memory_in_bytes_is_exact_for_mebibytes_and_bounded() -> None:
    assert memory_bytes(131072 * 1.048576) * 2 == memory_bytes(262144 * 1.048576)
    assert memory_bytes(float("inf")) == 2**60
    assert memory_bytes(1e300) == 2**60
