"""Mean waits against the closed forms of queueing theory: the engine as M/M/1, M/M/c, M/D/1, M/G/1 and with two classes of priority.

Each case is 30 independent replications of 40,000 tasks, of which the first quarter is warm-up; the closed form must lie inside the 99 % confidence
interval (Student's t over the means of the replications), and that interval must be narrow enough to tell a wrong engine from a right one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.policies import compile_policy

REPLICATIONS = 30
TASKS = 40_000
WARM_UP = 10_000
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

# Service times of mean 1, and their second moments.
SERVICES: dict[str, tuple[Draw, float]] = {
    "exponential": (lambda rng, n: rng.exponential(1.0, n), 2.0),
    "constant": (lambda rng, n: np.ones(n), 1.0),
    "uniform": (lambda rng, n: rng.uniform(0.0, 2.0, n), 4.0 / 3.0),
    "erlang2": (lambda rng, n: rng.gamma(2.0, 0.5, n), 1.5),
    # Half the work in a tenth of the tasks.
    "hyperexponential": (lambda rng, n: rng.exponential(np.where(rng.random(n) < 0.1, 5.0, 5.0 / 9.0)), 2 * (0.1 * 25.0 + 0.9 * 25.0 / 81.0)),
}


WIDE = ("hyperexponential", 0.9)
"""Would need ten times as many tasks for an interval that shows anything."""


def simulated_waits(
    order: str,
    servers: int,
    arrival_rate: float,
    service: Draw,
    seed: int,
    priority: Callable[[NDArray[np.float64]], NDArray[np.float64]] = np.zeros_like,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wait and service time of every task after the warm-up, one row per replication."""
    cluster = Cluster(f"pool:{servers}", ClusterKind.POOL, (Node("pool", servers * 1000),))
    waits, services = [], []
    for rng in np.random.default_rng(seed).spawn(REPLICATIONS):
        arrival_s = np.cumsum(rng.exponential(1.0 / arrival_rate, TASKS))
        work_s = service(rng, TASKS)
        tasks = Tasks(
            task_id=np.arange(TASKS),
            arrival_s=arrival_s,
            cores_milli=np.full(TASKS, 1000),
            gpus=np.zeros(TASKS, dtype=np.int64),
            gpu_share_milli=np.zeros(TASKS, dtype=np.int64),
            memory_mb=np.zeros(TASKS),
            requested_time_s=work_s,
            priority=priority(work_s),
            **no_edges(TASKS),
        )
        workload = Workload("queue", WorkloadKind.RIGID, tasks, Truth(work_s=work_s), ReadReport(format="generated", rows=TASKS, estimates="exact"))
        schedule = simulate(workload, cluster, compile_policy(order, workload, cluster))
        waits.append((schedule.start_s - arrival_s)[WARM_UP:])
        services.append(work_s[WARM_UP:])
    return np.array(waits), np.array(services)


def check_mean(means: NDArray[np.float64], expected: float) -> None:
    centre = float(means.mean())
    half = float(stats.t.ppf(0.995, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means)))
    assert half < 0.07 * expected, f"the interval {centre} +- {half} is too wide to show anything"
    assert abs(centre - expected) <= half, f"mean wait {centre} +- {half}; the closed form is {expected}"


def erlang_c(servers: int, offered: float) -> float:
    """Probability that an arrival has to wait (Erlang, 1917)."""
    terms = [offered**k / math.factorial(k) for k in range(servers)]
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return last / (sum(terms) + last)


@pytest.mark.parametrize(("service", "rho"), [(service, rho) for service in SERVICES for rho in (0.5, 0.7, 0.9) if (service, rho) != WIDE])
def test_one_server(service: str, rho: float) -> None:
    """M/M/1, M/D/1 and M/G/1: Pollaczek-Khinchine, ``lambda E[S^2] / (2 (1 - rho))``."""
    draw, second_moment = SERVICES[service]
    waits, _ = simulated_waits("fcfs", 1, rho, draw, seed=int(100 * rho))
    check_mean(waits.mean(axis=1), rho * second_moment / (2 * (1 - rho)))


@pytest.mark.parametrize(("servers", "rho"), [(1, 0.6), (2, 0.5), (2, 0.8), (5, 0.8), (20, 0.9)])
def test_many_servers(servers: int, rho: float) -> None:
    """M/M/c: ``C(c, a) / (c mu - lambda)``."""
    waits, _ = simulated_waits("fcfs", servers, rho * servers, SERVICES["exponential"][0], seed=servers)
    check_mean(waits.mean(axis=1), erlang_c(servers, rho * servers) / (servers * (1 - rho)))


@pytest.mark.parametrize("order", ["sjf", "ljf", "priority"])
def test_two_classes(order: str) -> None:
    """Two sizes without preemption: ``W_k = W_0 / ((1 - s_(k-1)) (1 - s_k))`` with the load ``s_k`` of the first k classes (Cobham, 1954)."""
    sizes, share, rate = (0.5, 3.0), 0.8, 0.8

    def draw(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        return np.where(rng.random(n) < share, *sizes)

    waits, services = simulated_waits(order, 1, rate, draw, seed=5, priority=lambda work_s: (work_s > 1).astype(np.float64))
    residual = rate * (share * sizes[0] ** 2 + (1 - share) * sizes[1] ** 2) / 2
    loads = {sizes[0]: rate * share * sizes[0], sizes[1]: rate * (1 - share) * sizes[1]}
    first, second = sizes if order == "sjf" else sizes[::-1]
    expected = {first: residual / (1 - loads[first]), second: residual / ((1 - loads[first]) * (1 - loads[first] - loads[second]))}
    for size in sizes:
        mine = services == size
        check_mean(np.array([row[chosen].mean() for row, chosen in zip(waits, mine, strict=True)]), expected[size])
