"""Learned policies against HEFT, PEFT and dmda on task graphs: the tables of docs/learning-graphs.md.

Groups of graphs: the four real graphs with the measured times of sirocco and of three further hosts; generated graphs of seeds that no training uses;
and, for estimates that are wrong, sirocco's times guessed from the smallest tile, sirocco's times with the measured deviations, and generated graphs
with wrong costs. Nothing here is used in training.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK
from hybrid_ml_scheduler.core.workload import Truth, Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.bounds import lower_bounds
from hybrid_ml_scheduler.engine.cp_sat import cp_sat_makespan
from hybrid_ml_scheduler.engine.statistics import Interval, geometric_mean_ratio, paired_test
from hybrid_ml_scheduler.experiments.table import render
from hybrid_ml_scheduler.learning.provider import register
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.binding import bind_to_cluster
from hybrid_ml_scheduler.workloads.clusters import open_cluster
from hybrid_ml_scheduler.workloads.kernel_graphs import Misjudged, generate_kernel_graph, misjudge
from hybrid_ml_scheduler.workloads.kernels import KERNELS, measured_kernels
from hybrid_ml_scheduler.workloads.open import open_workload

GRAPHS = ("cholesky_4", "cholesky_8", "cholesky_12", "denselu_8")
TILES = (409_600, 1_638_400, 3_686_400, 8_294_400)
TARGET_HOST = "sirocco"
OTHER_HOSTS = ("attila", "idgraf", "mirage")
RULES = ("heft", "peft", "dmda")
LEARNED = ("hybrid_ml", "rl_agent")
N_GENERATED = 60
N_NOISE = 10
WRONG = (
    ("class 0.2, kind 0.2, task 0.05", Misjudged(0.2, 0.2, 0.05)),
    ("kind 0.5, task 0.1", Misjudged(0.0, 0.5, 0.1)),
    ("class 0.5, kind 0.2, task 0.1", Misjudged(0.5, 0.2, 0.1)),
    ("task 0.3", Misjudged(0.0, 0.0, 0.3)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One graph: makespans in seconds by policy, share of decisions by a fallback rule by learned policy, and a proven bound in seconds."""

    name: str
    makespan_s: dict[str, float]
    fallback: dict[str, float]
    bound_s: float
    plan_s: dict[str, float]


def run(name: str, workload: Workload, cluster: Cluster, learned: Sequence[str] = LEARNED) -> Row:
    """Run every policy on one graph."""
    makespan_s, fallback, plan_s = {}, {}, {}
    for policy in (*RULES, *learned):
        compiled = compile_policy(policy, workload, cluster)
        began = time.perf_counter()
        schedule = simulate(workload, cluster, compiled)
        plan_s[policy] = time.perf_counter() - began
        makespan_s[policy] = float(schedule.finish_s.max() - workload.tasks.arrival_s[0])
        if policy in learned:
            fallback[policy] = float(np.mean(schedule.decided_by >= FIRST_FALLBACK))
    return Row(name, makespan_s, fallback, float(lower_bounds(workload, cluster)["best_s"]), plan_s)


def real_graphs(data: Path, hosts: Sequence[str]) -> Iterator[tuple[str, Workload, Cluster]]:
    """Yield the real graphs with the measured times of these hosts, for every tile that was measured there."""
    table = data / "starpu-perfmodels" / "derived_kernel_times.csv"
    for host in hosts:
        for tile in TILES if host == TARGET_HOST else TILES[:-1]:
            for graph in GRAPHS:
                workload = open_workload(str(data / "task-graphs" / f"{graph}.txt"))
                cluster = open_cluster(f"kernels:{table}@{host}#{tile}")
                yield f"{graph} {host} {tile:,}", bind_to_cluster(workload, cluster), cluster


def guessed(data: Path) -> Iterator[tuple[str, Workload, Cluster]]:
    """Yield sirocco's graphs whose visible costs were scaled from the smallest tile by operations (the side of the tile cubed)."""
    table = data / "starpu-perfmodels" / "derived_kernel_times.csv"
    small = measured_kernels(table, TARGET_HOST, TILES[0])
    for name, workload, cluster in real_graphs(data, (TARGET_HOST,)):
        kernels, tasks = cluster.meta["kernels"], workload.tasks
        if kernels["tile_bytes"] == TILES[0] or tasks.kind is None:
            continue
        factor = (kernels["tile_bytes"] / TILES[0]) ** 1.5
        columns = [0] * kernels["cpus"] + [1] * kernels["gpus"]
        costs = np.array([[small[kernel][column] * factor for column in columns] for kernel in tasks.kind_names])
        yield name, replace(workload, tasks=replace(tasks, cost_s=costs[tasks.kind])), cluster


def noisy(data: Path) -> Iterator[tuple[str, Workload, Cluster]]:
    """Yield sirocco's graphs whose true times are drawn around the measured means: log-normal with the measured deviations."""
    table = data / "starpu-perfmodels" / "derived_kernel_times.csv"
    for name, workload, cluster in real_graphs(data, (TARGET_HOST,)):
        kernels, tasks = cluster.meta["kernels"], workload.tasks
        if tasks.kind is None or tasks.cost_s is None:
            continue
        relative = _deviations(table, int(kernels["tile_bytes"]))
        columns = [0] * kernels["cpus"] + [1] * kernels["gpus"]
        sigma = np.array([[relative[kernel][column] for column in columns] for kernel in tasks.kind_names])[tasks.kind]
        for seed in range(N_NOISE):
            draw = np.random.default_rng(seed).standard_normal(len(tasks))[:, None]
            log_sigma = np.sqrt(np.log1p(sigma**2))
            cost_s = tasks.cost_s * np.exp(log_sigma * draw - log_sigma**2 / 2.0)
            yield f"{name} seed {seed}", replace(workload, truth=Truth(work_s=cost_s.mean(axis=1), cost_s=cost_s)), cluster


def _deviations(table: Path, tile_bytes: int) -> dict[str, tuple[float, float]]:
    """Return the measured deviation over the mean of every kernel, on a core and on a GPU."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["host"] == TARGET_HOST]
    found = {}
    for kernel, (codelet, tiles) in KERNELS.items():
        of_kernel = [row for row in rows if row["codelet"] == codelet and int(row["size_bytes"]) == tiles * tile_bytes]
        pair = []
        for prefix in ("cpu0_impl0", "cuda"):
            chosen = [row for row in of_kernel if row["arch"].startswith(prefix) and float(row["n_samples"]) > 0]
            weights = [float(row["n_samples"]) for row in chosen]
            pair.append(float(np.average([float(row["dev_us"]) / float(row["mean_us"]) for row in chosen], weights=weights)))
        found[kernel] = (pair[0], pair[1])
    return found


def generated(wrong: Misjudged | None = None) -> Iterator[tuple[str, Workload, Cluster]]:
    """Yield generated graphs of seeds from 0 on, if asked with wrong estimates."""
    for seed in range(N_GENERATED):
        workload, cluster = generate_kernel_graph(seed)
        yield workload.name, workload if wrong is None else misjudge(workload, wrong, seed), cluster


def table_of(rows: Sequence[Row], cp_sat: dict[str, tuple[float, float]]) -> str:
    """Return makespans in milliseconds, graph by graph."""
    lines = [["graph, host, tile", *RULES, *LEARNED, "bound", "gap of rl_agent", "CP-SAT: bound, best"]]
    for row in rows:
        solved = cp_sat.get(row.name)
        gap = row.makespan_s["rl_agent"] / max(row.bound_s, solved[0] if solved else 0.0) - 1.0
        cells = [f"{row.makespan_s[policy] * 1e3:.3f}" for policy in (*RULES, *LEARNED)]
        lines.append([row.name, *cells, f"{row.bound_s * 1e3:.3f}", f"{gap:.3%}", f"{solved[0] * 1e3:.3f}, {solved[1] * 1e3:.3f}" if solved else "-"])
    return render(lines)


def summary(title: str, rows: Sequence[Row], learned: Sequence[str] = LEARNED) -> str:
    """Return geometric mean ratios with intervals, paired tests, and how often a learned policy was better, equal or worse."""
    lines = [["policy", *(f"to {rule}" for rule in RULES), "to the best of the three", "Wilcoxon p", "better/equal/worse", "to bound", "fallback"]]
    best = [min(row.makespan_s[rule] for rule in RULES) for row in rows]
    for policy in (*RULES, *learned):
        own = [row.makespan_s[policy] for row in rows]
        cells = [_ratio(own, [row.makespan_s[rule] for row in rows]) for rule in RULES]
        test = paired_test(np.log(own), np.log(best))
        ratio = np.array(own) / np.array(best)
        counts = (np.sum(ratio < 1 - 1e-9), np.sum(np.abs(ratio - 1) <= 1e-9), np.sum(ratio > 1 + 1e-9))
        bound = _ratio(own, [row.bound_s for row in rows])
        share = f"{np.mean([row.fallback[policy] for row in rows]):.1%}" if policy in learned else "-"
        p = "-" if test is None else f"{test.wilcoxon_p:.2g}"
        lines.append([policy, *cells, _ratio(own, best), p, "/".join(str(int(count)) for count in counts), bound, share])
    tasks = f"longest time to plan and run: {max(row.plan_s[policy] for row in rows for policy in learned):.2f} s"
    return f"{title}: {len(rows)} runs; {tasks}\n{render(lines)}"


def _ratio(first: Sequence[float], second: Sequence[float]) -> str:
    found = geometric_mean_ratio(first, second)
    return f"{found.estimate:.4f} [{found.low:.4f}, {found.high:.4f}]" if isinstance(found, Interval) else f"{found:.4f}"


def solve(cases: Sequence[tuple[str, Workload, Cluster]], limit_s: float) -> dict[str, tuple[float, float]]:
    """Return bound and best makespan of CP-SAT in seconds, by name, for the graphs that it may take."""
    found = {}
    for name, workload, _ in cases:
        tasks = workload.tasks
        if tasks.cost_s is not None and limit_s > 0:
            result = cp_sat_makespan(tasks.cost_s, tasks.parent_ptr, tasks.parent_idx, tasks.edge_s, time_limit_s=limit_s)
            found[name] = (result.bound_s, result.makespan_s)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with task-graphs and starpu-perfmodels")
    parser.add_argument("--cp-sat", type=float, default=0.0, metavar="SECONDS", help="for graphs whose bound no rule meets; 0: none")
    parser.add_argument("--only", choices=("real", "other", "generated", "wrong"), help="one part alone")
    options = parser.parse_args(arguments)
    register()
    out = sys.stdout
    run("warm-up, so that no compiling is timed", *generate_kernel_graph(0))
    if options.only in (None, "real"):
        cases = list(real_graphs(options.data, (TARGET_HOST,)))
        rows = [run(*case) for case in cases]
        open_cases = [case for case, row in zip(cases, rows, strict=True) if min(row.makespan_s[rule] for rule in RULES) > row.bound_s * (1 + 1e-9)]
        out.write(table_of(rows, solve(open_cases, options.cp_sat)) + "\n\n" + summary(TARGET_HOST, rows) + "\n\n")
    if options.only in (None, "other"):
        out.write(summary(", ".join(OTHER_HOSTS), [run(*case) for case in real_graphs(options.data, OTHER_HOSTS)]) + "\n\n")
    if options.only in (None, "generated"):
        out.write(summary("generated graphs", [run(*case) for case in generated()]) + "\n\n")
    if options.only in (None, "wrong"):
        learned = (*LEARNED, "hybrid_ml+offline")
        out.write(summary("sirocco, guessed from the smallest tile", [run(*case, learned) for case in guessed(options.data)], learned) + "\n\n")
        out.write(summary("sirocco, measured deviations", [run(*case, learned) for case in noisy(options.data)], learned) + "\n\n")
        for name, wrong in WRONG:
            out.write(summary(f"generated graphs, wrong by {name}", [run(*case, learned) for case in generated(wrong)], learned) + "\n\n")


if __name__ == "__main__":
    main()
