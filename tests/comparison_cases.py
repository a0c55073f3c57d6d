"""Comparisons made by hand, for tests of what is made of them."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Gpu, Node, Power
from hybrid_ml_scheduler.core.decision import Schedule
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.statistics import Interval
from hybrid_ml_scheduler.experiments.charts import policy_charts
from hybrid_ml_scheduler.experiments.results import ClusterFacts, Comparison, PolicyResult, RunFacts, Versus, WorkloadFacts

CORE = Power(idle_w=2.0, busy_w=10.0, usd_per_hour=0.04)
FAST = Gpu("fast", 24000.0, 20.0, 12.0, 0.02, Power(15.0, 150.0, 0.8))
SLOW = Gpu("slow", 8000.0, 8.0, 12.0, 0.02, Power(10.0, 75.0, 0.4))
STATION = Cluster("station", ClusterKind.NODES, (Node("a", 16000, gpus=(FAST, FAST, SLOW, SLOW), core_power=CORE),))


def station_run(policy: str, n: int, pace: float, seed: int = 0) -> tuple[Workload, Schedule]:
    """Tasks on the four GPUs in turn, each after the one before it on the same GPU; `pace` stretches their run times."""
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(0.5, n))
    run = rng.exponential(1.4, n) * pace
    start, free = np.empty(n), np.zeros(4)
    for row in range(n):
        start[row] = max(arrival[row], free[row % 4])
        free[row % 4] = start[row] + run[row]
    zero = np.zeros(n, dtype=np.int64)
    tasks = Tasks(np.arange(n), arrival, np.full(n, 1000), zero, zero, np.zeros(n), run, **no_edges(n))
    workload = Workload("hand", WorkloadKind.DIVISIBLE, tasks, Truth(run), ReadReport("generated", n), warmup=0.1)
    split = np.arange(n) % 3 == 0
    schedule = Schedule(
        status=np.full(n, 3, dtype=np.int8),
        ready_s=arrival,
        start_s=start,
        finish_s=start + run,
        cpu_end_s=np.where(split, start + 0.8 * run, np.nan),
        gpu_end_s=start + run,
        node=zero,
        gpu_mask=1 << (np.arange(n) % 4),
        fraction=np.where(split, 0.7, 1.0),
        decision_order=np.arange(n),
        engine_s=0.01,
        policy=policy,
        decided_by=np.zeros(n, dtype=np.int8),
    )
    return workload, schedule


def station_comparison(
    names: tuple[str, ...] = ("random", "mct", "oracle"), n: int = 2000, *, charts: bool = True, title: str = "hand"
) -> Comparison:
    """Policies of rising pace, with made-up intervals and tests; the first is saturated, ``oracle`` clairvoyant."""
    results = []
    for rank, name in enumerate(names):
        workload, schedule = station_run(name, n, 1.5 - rank / len(names))
        metrics = measure(workload, STATION, schedule)
        results.append(
            PolicyResult(
                policy=name,
                metrics=metrics,
                ci95={metric: Interval(value, 0.9 * value, 1.1 * value) for metric, value in metrics.items() if metric.startswith(("mean", "p99"))},
                runs=(metrics, metrics),
                tasks_per_s=1e6,
                engine_s=0.02,
                saturated_runs=2 if rank == 0 else 0,
                clairvoyant=name == "oracle",
                wins={other: 0.5 for other in names if other != name},
                versus_best=Versus(names[-1], "mean_response_s", 2, 1.5, Interval(1.5, 1.2, 1.9), 0.012, 0.5) if rank == 0 else None,
                charts=policy_charts(workload, STATION, schedule) if charts else None,
            )
        )
    runs = tuple(RunFacts(f"seed {seed}", n, 0, 0, seed) for seed in range(2))
    facts = WorkloadFacts(title, "generated", "divisible", n, 0, 0, (), None, "nominal", False, {}, {}, 0.1, runs, ("a note",))
    return Comparison(facts, ClusterFacts.of(STATION), tuple(results), {"area_s": 12.5, "best_s": 12.5, "mean_response_s": 0.5}, "mean_response_s")
