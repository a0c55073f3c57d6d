"""Random tiny workloads and clusters, rich in the corners: equal times, zero run times, zero memory, estimates wrong in both directions or missing.

All numbers are small multiples of an eighth, so that sums are exact in floating point and many events fall together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node, Power
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, check_workload, edge_columns

MAX_TASKS = 12
_POWER = Power(idle_w=10.0, busy_w=100.0, usd_per_hour=1.0)


class Case(NamedTuple):
    """A workload and the cluster it runs on."""

    workload: Workload
    cluster: Cluster


GAPS = st.sampled_from((0.0, 0.0, 0.0, 0.5, 1.0, 2.0, 5.0))
RUNS = st.sampled_from((0.0, 0.0, 0.125, 1.0, 1.0, 2.0, 3.0, 8.0))
# None: the user gave no estimate, so the reader took the true run time.
ESTIMATES = st.sampled_from((None, None, 0.0, 0.5, 1.0, 2.0, 3.0, 10.0))
DEADLINES = st.sampled_from((np.nan, 0.0, 2.0, 4.0, 8.0))


def _edges(n_tasks: int) -> st.SearchStrategy[list[tuple[int, int, float, float]]]:
    """Edges from rows to later rows, each pair at most once, with a transfer time and an amount of data."""
    if n_tasks < 2:
        return st.just([])
    pair = st.tuples(st.integers(0, n_tasks - 1), st.integers(0, n_tasks - 1)).filter(lambda ends: ends[0] != ends[1]).map(sorted)
    edge = st.tuples(pair, st.sampled_from((0.0, 0.0, 0.5, 2.0)), st.sampled_from((0.0, 0.0, 500.0, 2000.0)))
    return st.lists(edge, max_size=8, unique_by=lambda drawn: tuple(drawn[0])).map(
        lambda drawn: [(ends[0], ends[1], seconds, megabytes) for ends, seconds, megabytes in drawn]
    )


def _assemble(
    family: WorkloadKind, rows: list[dict[str, Any]], edges: list[tuple[int, int, float, float]], truth: dict[str, Any], first_s: float, **more: Any
) -> Workload:
    n = len(rows)

    def column(name: str, dtype: type, default: float = 0) -> Any:
        return np.array([row.get(name, default) for row in rows], dtype=dtype)

    parents, children, edge_s, edge_mb = zip(*edges, strict=True) if edges else ((), (), (), ())
    run_s = column("run_s", np.float64)
    requested = [row["run_s"] if row.get("requested_s") is None else row["requested_s"] for row in rows]
    tasks = Tasks(
        task_id=np.arange(n) + 1,
        arrival_s=first_s + np.cumsum(column("gap_s", np.float64)),
        cores_milli=column("cores_milli", np.int64, 1000),
        gpus=column("gpus", np.int64),
        gpu_share_milli=column("gpu_share_milli", np.int64),
        memory_mb=column("memory_mb", np.float64),
        requested_time_s=np.array(requested, dtype=np.float64),
        user=column("user", np.int64),
        user_names=("ann", "bob", "cyd"),
        priority=column("priority", np.float64),
        deadline_s=first_s + column("deadline_s", np.float64, np.nan),
        **edge_columns(n, parents, children, edge_s, edge_mb),
        **more,
    )
    missing = any(row.get("requested_s") is None for row in rows)
    report = ReadReport(format="generated", rows=n, estimates="exact" if missing else "user")
    return check_workload(Workload(name="random", kind=family, tasks=tasks, truth=Truth(work_s=run_s, **truth), report=report))


@st.composite
def pool_cases(draw: st.DrawFn, edges: bool = False, upper_bounds: bool = False, together: bool = False) -> Case:
    """Rigid tasks on a pool of 1 to 8 processors; some ask for one more than there are.

    ``upper_bounds``: every estimate is at least the run time; ``together``: all tasks arrive at once.
    """
    processors = draw(st.integers(1, 8))
    row = st.fixed_dictionaries(
        {
            "gap_s": st.just(0.0) if together else GAPS,
            "run_s": RUNS,
            "requested_s": ESTIMATES,
            "cores_milli": st.integers(1, processors + 1).map(lambda n: n * 1000),
            "deadline_s": DEADLINES,
            "priority": st.integers(-1, 2),
            "user": st.integers(-1, 2),
        }
    )
    rows = draw(st.lists(row, min_size=1, max_size=MAX_TASKS))
    if upper_bounds:
        rows = [values | {"requested_s": max(values["run_s"], values["requested_s"] or 0.0)} for values in rows]
    links = draw(_edges(len(rows))) if edges else []
    workload = _assemble(WorkloadKind.RIGID, rows, links, {}, draw(st.sampled_from((0.0, 0.0, 1000.0))))
    return Case(workload, pool(processors))


def pool(processors: int) -> Cluster:
    """A pool of identical processors."""
    return Cluster("pool", ClusterKind.POOL, (Node("pool", processors * 1000, core_power=_POWER),))


@st.composite
def gpu_nodes(draw: st.DrawFn, divisible: bool = False, max_nodes: int = 3, gpus: tuple[int, int] = (0, 3)) -> Cluster:
    """One to three nodes with up to three GPUs each, of two models."""
    gpu = st.builds(
        Gpu,
        model=st.sampled_from(("fast", "slow")),
        memory_mb=st.sampled_from((2000.0, 4000.0, float("inf"))),
        speed=st.sampled_from((2.0, 8.0)),
        link_gb_s=st.sampled_from((1.0, 4.0)),
        launch_s=st.sampled_from((0.0, 0.125)),
        power=st.just(_POWER),
    )
    node = st.tuples(
        st.sampled_from((1000, 2000, 4000) if divisible else (0, 1000, 2000, 4000)),
        st.sampled_from((1000.0, 4000.0, 4000.0, float("inf"))),
        st.sampled_from((1.0, 1.0, 2.0)),
        st.lists(gpu, min_size=gpus[0], max_size=gpus[1]),
    )
    nodes = draw(st.lists(node, min_size=1, max_size=max_nodes))
    return Cluster(
        "nodes",
        ClusterKind.NODES,
        tuple(Node(f"n{i}", cores, memory, speed, tuple(devices), _POWER) for i, (cores, memory, speed, devices) in enumerate(nodes)),
        network_gb_s=draw(st.sampled_from((1.0, float("inf")))),
        network_latency_s=draw(st.sampled_from((0.0, 0.125))),
    )


@st.composite
def node_cases(draw: st.DrawFn, edges: bool = False) -> Case:
    """Rigid tasks that ask for cores, memory, and GPUs or a share of one."""
    cluster = draw(gpu_nodes())
    asked = st.sampled_from(((0, 0), (0, 0), (1, 1000), (1, 600), (1, 400), (1, 250), (1, 1), (2, 1000), (3, 1000)))
    row = st.fixed_dictionaries(
        {
            "gap_s": GAPS,
            "run_s": RUNS,
            "requested_s": ESTIMATES,
            "cores_milli": st.sampled_from((0, 1, 500, 1000, 1000, 2000, 4000, 5000)),
            "memory_mb": st.sampled_from((0.0, 500.0, 1000.0, 3000.0, 5000.0)),
            "gpu": asked,
            "deadline_s": DEADLINES,
            "priority": st.integers(-1, 2),
            "user": st.integers(-1, 2),
        }
    )
    rows = [
        values | {"gpus": values["gpu"][0], "gpu_share_milli": values["gpu"][1]} for values in draw(st.lists(row, min_size=1, max_size=MAX_TASKS))
    ]
    links = draw(_edges(len(rows))) if edges else []
    return Case(_assemble(WorkloadKind.RIGID, rows, links, {}, 0.0), cluster)


@st.composite
def divisible_cases(draw: st.DrawFn, clusters: st.SearchStrategy[Cluster], edges: bool = False, law: str | None = None, max_regimes: int = 2) -> Case:
    """Divisible tasks of two kinds, with hidden slow-downs that may change on the way, under any of the three laws or the one named."""
    cluster = draw(clusters)
    row = st.fixed_dictionaries(
        {
            "gap_s": GAPS,
            "run_s": st.sampled_from((0.0, 1.0, 2.0, 4.0, 4.0, 16.0)),
            "size": st.sampled_from((0.5, 1.0, 2.0, 8.0)),
            "compute_intensity": st.sampled_from((0.0, 0.25, 0.5, 0.75, 1.0, 1.0)),
            "kind": st.integers(0, 1),
            "cores_milli": st.sampled_from((500, 1000, 1000, 2000, 4000, 5000)),
            "memory_mb": st.sampled_from((0.0, 500.0, 1000.0, 1000.0, 3000.0, 5000.0)),
            "deadline_s": DEADLINES,
            "priority": st.integers(-1, 2),
            "user": st.integers(-1, 2),
        }
    )
    rows = draw(st.lists(row, min_size=1, max_size=MAX_TASKS))
    for values in rows:
        values["requested_s"] = values["size"]
    models = cluster.gpu_models or ("none of this cluster",)
    regimes = draw(st.integers(0, max_regimes))
    factor = st.sampled_from((0.5, 1.0, 2.0))
    truth: dict[str, Any] = {}
    if regimes:
        cells = draw(st.lists(factor, min_size=regimes * 2 * len(models), max_size=regimes * 2 * len(models)))
        truth["slowdown"] = np.array(cells).reshape(regimes, 2, len(models))
        # The change comes at the very moment when some task arrives.
        changes = sum(values["gap_s"] for values in rows[: draw(st.integers(1, len(rows)))])
        truth["regime_start_s"] = np.array([-np.inf, changes][:regimes])
        truth["gpu_models"] = models
    if draw(st.booleans()):
        truth["gpu_noise"] = np.array(draw(st.lists(factor, min_size=len(rows), max_size=len(rows))))
    links = draw(_edges(len(rows))) if edges else []
    workload = _assemble(
        WorkloadKind.DIVISIBLE,
        rows,
        links,
        truth,
        0.0,
        size=np.array([values["size"] for values in rows]),
        compute_intensity=np.array([values["compute_intensity"] for values in rows]),
        kind=np.array([values["kind"] for values in rows], dtype=np.int64),
        kind_names=("gemm", "fft"),
    )
    return Case(replace(workload, law=law or draw(st.sampled_from(("overlap", "overlap", "sum", "serial")))), cluster)


@st.composite
def machine_cases(draw: st.DrawFn) -> Case:
    """A task graph on one to three unrelated machines; the true costs differ from the visible ones."""
    machines = draw(st.integers(1, 3))
    n = draw(st.integers(1, MAX_TASKS))
    cost = st.sampled_from((0.0, 0.5, 1.0, 2.0, 3.0, 7.0))
    cells = st.lists(cost, min_size=n * machines, max_size=n * machines)
    seen = np.array(draw(cells)).reshape(n, machines)
    true = np.array(draw(cells)).reshape(n, machines)
    gaps = draw(st.lists(GAPS, min_size=n, max_size=n))
    rows = [{"gap_s": gap, "run_s": float(true[i].mean()), "requested_s": float(seen[i].mean())} for i, gap in enumerate(gaps)]
    workload = _assemble(WorkloadKind.MACHINES, rows, draw(_edges(n)), {"cost_s": true}, 0.0, cost_s=seen)
    nodes = tuple(Node(f"m{i}", 1000, core_power=_POWER) for i in range(machines))
    return Case(workload, Cluster("machines", ClusterKind.MACHINES, nodes, network_gb_s=draw(st.sampled_from((1.0, float("inf"))))))


NODES = gpu_nodes(divisible=True)
ONE_NODE = gpu_nodes(divisible=True, max_nodes=1, gpus=(1, 2))
POOLS = st.integers(1, 8).map(pool)
CASES: dict[tuple[WorkloadKind, ClusterKind], st.SearchStrategy[Case]] = {
    (WorkloadKind.RIGID, ClusterKind.POOL): pool_cases() | pool_cases(edges=True),
    (WorkloadKind.RIGID, ClusterKind.NODES): node_cases() | node_cases(edges=True),
    (WorkloadKind.DIVISIBLE, ClusterKind.NODES): divisible_cases(NODES) | divisible_cases(NODES, edges=True),
    (WorkloadKind.DIVISIBLE, ClusterKind.POOL): divisible_cases(POOLS) | divisible_cases(POOLS, edges=True),
    (WorkloadKind.MACHINES, ClusterKind.MACHINES): machine_cases(),
}
