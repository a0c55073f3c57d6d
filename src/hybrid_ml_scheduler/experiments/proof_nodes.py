"""Learned policies against rules for rigid tasks on nodes with GPUs: the tables of docs/learning-nodes.md.

Generated clusters of seeds that no training uses, and, given the folder of the openb trace, the second half of its pods on a part of its nodes at
three loads (the trace's own load keeps 14 of 6,212 GPUs busy on average, so that nobody waits).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK
from hybrid_ml_scheduler.core.workload import MILLI, Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.statistics import Interval, geometric_mean_ratio, paired_test
from hybrid_ml_scheduler.experiments.table import render
from hybrid_ml_scheduler.learning.provider import register
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import open_cluster
from hybrid_ml_scheduler.workloads.gpu_cluster import generate_gpu_cluster
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.windows import scale_load

RULES = tuple(f"{order}+{place}" for order in ("fcfs", "sjf", "saf", "sqf") for place in ("first_fit", "best_fit", "fgd"))
LEARNED = ("hybrid_ml", "rl_agent")
N_GENERATED = 40
EVERY_NODE = 100
LOADS = (0.7, 0.9, 1.1)


@dataclass(frozen=True, slots=True)
class Row:
    """One run: mean response in seconds by policy, and the share of decisions of a fallback rule by learned policy."""

    name: str
    response_s: dict[str, float]
    fallback: dict[str, float]


def run(name: str, workload: Workload, cluster: Cluster) -> Row:
    """Run every policy on one workload."""
    response_s, fallback = {}, {}
    for policy in (*RULES, *LEARNED):
        schedule = simulate(workload, cluster, compile_policy(policy, workload, cluster))
        response_s[policy] = measure(workload, cluster, schedule)["mean_response_s"]
        if policy in LEARNED:
            fallback[policy] = float(np.mean(schedule.decided_by >= FIRST_FALLBACK))
    return Row(name, response_s, fallback)


def generated(*, exact: bool) -> Iterator[tuple[str, Workload, Cluster]]:
    """Yield generated workloads of seeds from 0 on whose requested times are the run times, or users' estimates."""
    for seed in range(N_GENERATED):
        workload, cluster = generate_gpu_cluster(seed)
        if (workload.report.estimates == "exact") == exact:
            yield workload.name, workload, cluster


def openb(data: Path) -> Iterator[tuple[str, Workload, Cluster]]:
    """Yield the second half of the openb pods on every hundredth GPU node, at several loads."""
    workload = open_workload(str(data / "openb_pod_list_default.csv"))
    whole = open_cluster(f"openb:{data / 'openb_node_list_gpu_node.csv'}")
    cluster = replace(whole, name=f"every {EVERY_NODE}th GPU node of openb", nodes=whole.nodes[::EVERY_NODE])
    half = workload.select(np.arange(len(workload) // 2, len(workload)))
    tasks = half.tasks
    busy = float((tasks.gpus * tasks.gpu_share_milli / MILLI * half.truth.work_s).sum() / (tasks.arrival_s[-1] - tasks.arrival_s[0]))
    for load in LOADS:
        yield f"openb, second half, load {load:g}", scale_load(half, load * cluster.n_gpus / busy), cluster


def summary(title: str, rows: Sequence[Row]) -> str:
    """Return geometric mean ratios of the mean response, with intervals and a paired test."""
    single = min(RULES, key=lambda rule: float(np.mean([np.log(row.response_s[rule]) for row in rows])))
    best = [min(row.response_s[rule] for rule in RULES) for row in rows]
    of_single = [row.response_s[single] for row in rows]
    lines = [["policy", f"to the best single rule ({single})", "to the best rule of each run", "Wilcoxon p", "better/equal/worse", "fallback"]]
    for policy in (*RULES, *LEARNED):
        own = [row.response_s[policy] for row in rows]
        test = paired_test(np.log(own), np.log(of_single))
        ratio = np.array(own) / np.array(of_single)
        counts = (np.sum(ratio < 1 - 1e-9), np.sum(np.abs(ratio - 1) <= 1e-9), np.sum(ratio > 1 + 1e-9))
        share = f"{np.mean([row.fallback[policy] for row in rows]):.1%}" if policy in LEARNED else "-"
        p = "-" if test is None else f"{test.wilcoxon_p:.2g}"
        lines.append([policy, _ratio(own, of_single), _ratio(own, best), p, "/".join(str(int(count)) for count in counts), share])
    return f"{title}: {len(rows)} runs\n{render(lines)}"


def table_of(rows: Sequence[Row]) -> str:
    """Return mean responses in seconds, run by run."""
    chosen = ("fcfs+fgd", "sjf+fgd", "saf+fgd", "sjf+best_fit", "saf+best_fit", *LEARNED)
    return render([["run", *chosen], *([row.name, *(f"{row.response_s[policy]:,.0f}" for policy in chosen)] for row in rows)])


def _ratio(first: Sequence[float], second: Sequence[float]) -> str:
    found = geometric_mean_ratio(first, second)
    return f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]" if isinstance(found, Interval) else f"{found:.3f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openb", type=Path, help="folder with openb_pod_list_default.csv and openb_node_list_gpu_node.csv")
    options = parser.parse_args(arguments)
    register()
    sys.stdout.write(summary("generated, users' estimates", [run(*case) for case in generated(exact=False)]) + "\n\n")
    sys.stdout.write(summary("generated, exact estimates", [run(*case) for case in generated(exact=True)]) + "\n\n")
    if options.openb is not None:
        rows = [run(*case) for case in openb(options.openb)]
        sys.stdout.write(table_of(rows) + "\n")


if __name__ == "__main__":
    main()
