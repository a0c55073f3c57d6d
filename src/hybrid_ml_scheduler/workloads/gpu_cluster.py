"""Generated tasks for clusters with GPUs: users who submit runs of a few applications, as traces of such clusters show them.

What is drawn, all from the seed:

- **cluster**: 3 to 10 nodes of 4 or 8 GPUs, 8 to 16 cores per GPU; in every third case 1 or 2 nodes without GPUs;
- **users**: 10 to 50, active by Zipf's law; each has 1 to 6 applications;
- **applications**: GPUs (none 15 %; a quarter, a half 10 % each; 1 40 %; 2 12 %; 4 8 %; 8 5 %, where nodes have them), half to 6 cores per GPU asked,
  and a median run time, log-normal with median 20 minutes and sigma 1.6, cut to 1 minute and 36 hours; runs scatter log-normally with sigma 0.2 to
  1.2, are cut to 10 s and 3 days, and 5 to 25 % end within minutes (they fail);
- **requested times**: in every fourth case the run time itself; else the application's median times a user's factor (1.5 to 10), rounded up to a
  usual value, at least the run time rounded up;
- **arrivals**: Poisson in bursts of 1 to 12 runs of one application, by day twice to five times as often as by night; the load (GPU-seconds asked
  over GPU-seconds there) is 0.6 to 1.1.

Orders of magnitude follow the descriptions of Microsoft's Philly (Jeon et al., USENIX ATC 2019) and Alibaba's clusters (Weng et al., NSDI 2022 and
USENIX ATC 2023): most tasks ask for at most one GPU, a few for whole nodes; run times span five orders; many runs repeat.
"""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node
from hybrid_ml_scheduler.core.workload import MILLI, FloatArray, ReadReport, Tasks, Truth, Workload, WorkloadKind, check_workload

SHAPES = ((0, 0), (1, 250), (1, 500), (1, 1000), (2, 1000), (4, 1000), (8, 1000))
"""GPUs and share of each in thousandths that applications ask for."""
SHAPE_CHANCES = (0.15, 0.10, 0.10, 0.40, 0.12, 0.08, 0.05)
USUAL_S = (600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0, 172_800.0, 259_200.0, 604_800.0)
"""Requested times that people choose, in seconds."""
SHORTEST_S, LONGEST_S = 10.0, 259_200.0
_EXACT = 0.25
_DAY_S = 86_400.0


def generate_gpu_cluster(seed: int, *, n_tasks: int = 2_000, load: float | None = None) -> tuple[Workload, Cluster]:
    """Draw a cluster and its tasks.

    Parameters
    ----------
    seed : int
        >= 0; seeds from 10,000 on are for training.
    n_tasks : int
        >= 1.
    load : float, optional
        GPU-seconds asked for over GPU-seconds there; drawn from 0.6 to 1.1 if left out.

    Returns
    -------
    workload : Workload
        Of kind ``RIGID``.
    cluster : Cluster
        Of kind ``NODES``.
    """
    rng = np.random.default_rng(seed)
    cluster = _draw_cluster(rng, f"GPU cluster seed {seed}")
    most = max(len(node.gpus) for node in cluster.nodes)
    n_users = int(rng.integers(10, 51))
    exact = bool(rng.random() < _EXACT)
    chances = np.array([chance if gpus <= most else 0.0 for (gpus, _), chance in zip(SHAPES, SHAPE_CHANCES, strict=True)])
    owner, shape, cores, median_s, sigma, fails, factor = [], [], [], [], [], [], []
    for user in range(n_users):
        generous = float(np.exp(rng.uniform(np.log(1.5), np.log(10.0))))
        for _ in range(int(rng.integers(1, 7))):
            kind = int(rng.choice(len(SHAPES), p=chances / chances.sum()))
            owner.append(user)
            shape.append(kind)
            cores.append(int(rng.integers(1, 13)) * max(SHAPES[kind][0] * SHAPES[kind][1], MILLI) // 2)
            median_s.append(float(np.clip(rng.lognormal(np.log(1200.0), 1.6), 60.0, LONGEST_S / 2)))
            sigma.append(float(rng.uniform(0.2, 1.2)))
            fails.append(float(rng.uniform(0.05, 0.25)))
            factor.append(generous)
    by_user = 1.0 / np.arange(1, n_users + 1)
    activity = rng.permutation(by_user)[owner]
    application = _draw_bursts(rng, activity / activity.sum(), n_tasks)
    typical_s = np.array(median_s)[application]
    run_s = typical_s * rng.lognormal(0.0, 1.0, n_tasks) ** np.array(sigma)[application]
    failed = rng.random(n_tasks) < np.array(fails)[application]
    run_s = np.clip(np.where(failed, np.minimum(run_s, rng.exponential(90.0, n_tasks)), run_s), SHORTEST_S, LONGEST_S)
    asked_s = np.maximum(_usual(typical_s * np.array(factor)[application]), _usual(run_s))
    shapes = np.array(SHAPES)[np.array(shape)[application]]
    gpus, share = shapes[:, 0].astype(np.int64), shapes[:, 1].astype(np.int64)
    cores_milli = np.minimum(np.array(cores)[application], min(node.cores_milli for node in cluster.nodes if node.gpus)).astype(np.int64)
    drawn = float(rng.uniform(0.6, 1.1))
    work = float((gpus * share / MILLI * run_s).sum())
    span_s = work / (cluster.n_gpus * (drawn if load is None else load))
    arrival_s = _draw_arrivals(rng, application, span_s)
    tasks = Tasks(
        task_id=np.arange(n_tasks, dtype=np.int64),
        arrival_s=arrival_s,
        cores_milli=cores_milli,
        gpus=gpus,
        gpu_share_milli=share,
        memory_mb=np.zeros(n_tasks),
        requested_time_s=run_s.copy() if exact else asked_s,
        user=np.array(owner, dtype=np.int64)[application],
        user_names=tuple(f"user{number}" for number in range(n_users)),
        parent_ptr=np.zeros(n_tasks + 1, dtype=np.int64),
        parent_idx=np.zeros(0, dtype=np.int64),
        edge_s=np.zeros(0),
        edge_mb=np.zeros(0),
    )
    report = ReadReport(format="generated", rows=n_tasks, estimates="exact" if exact else "user")
    workload = Workload(f"GPU cluster seed {seed}", WorkloadKind.RIGID, tasks, Truth(work_s=run_s), report, warmup=0.1)
    return check_workload(workload), cluster


def _draw_cluster(rng: np.random.Generator, name: str) -> Cluster:
    each, per_gpu = int(rng.choice([4, 8])), int(rng.integers(8, 17))
    gpu = Gpu("GPU", float("inf"), 1.0, 12.0, 0.0)
    nodes = [Node(f"gpu{number}", each * per_gpu * MILLI, gpus=(gpu,) * each) for number in range(int(rng.integers(3, 11)))]
    if rng.random() < 1 / 3:
        nodes += [Node(f"cpu{number}", 64 * MILLI) for number in range(int(rng.integers(1, 3)))]
    return Cluster(name, ClusterKind.NODES, tuple(nodes))


def _draw_bursts(rng: np.random.Generator, chances: FloatArray, n_tasks: int) -> np.ndarray:
    """Application of every task: bursts of one application each."""
    rows: list[int] = []
    while len(rows) < n_tasks:
        rows += [int(rng.choice(len(chances), p=chances))] * int(rng.integers(1, 13))
    return np.array(rows[:n_tasks], dtype=np.int64)


def _draw_arrivals(rng: np.random.Generator, application: np.ndarray, span_s: float) -> FloatArray:
    """Ascending arrivals over a span: bursts by day and night, the tasks of a burst shortly after one another."""
    n = len(application)
    new = np.concatenate(([True], np.diff(application) != 0))
    swing = float(rng.uniform(2.0, 5.0))
    # Even gaps, stretched by the hour: at night the same number of bursts takes longer.
    even = np.cumsum(np.where(new, rng.exponential(1.0, n), rng.exponential(0.05, n)))
    time_s = even / even[-1] * span_s
    day = 1.0 + (swing - 1.0) * 0.5 * (1.0 + np.sin(2.0 * np.pi * time_s / _DAY_S))
    gaps = np.diff(time_s, prepend=0.0) / day
    arrival = np.cumsum(gaps)
    return np.asarray(arrival * (span_s / arrival[-1]))


def _usual(seconds: FloatArray) -> FloatArray:
    """Round up to a usual value; beyond the largest to whole days."""
    usual = np.array(USUAL_S)
    place = np.searchsorted(usual, seconds)
    return np.where(place < len(usual), usual[np.minimum(place, len(usual) - 1)], np.ceil(seconds / _DAY_S) * _DAY_S)
