"""What the learned policies for batch jobs reach: ``python -m hybrid_ml_scheduler.experiments.proof_batch TRACE:PROCESSORS... [options]``.

Per trace: windows of 1,024 consecutive jobs on an empty machine, the mean bounded slowdown of every rule and learned policy over them, and its ratio
to the best rule of that trace (over all rules: every order without and with EASY, and EASY++); then the trace run whole, with the longest wait. Over
the traces: the geometric mean of the ratios. Intervals are percentile bootstrap over windows, 95 %; p is Wilcoxon's signed-rank test of the
logarithms of window against window, learned against the best rule. The share of decisions that the rule behind a model took stands beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.statistics import wilcoxon_signed_rank
from hybrid_ml_scheduler.experiments.table import render
from hybrid_ml_scheduler.learning.provider import register
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import pool
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.windows import windows

ORDERS = ("fcfs", "sjf", "saf", "f1", "f2", "f3", "f4", "wfp3", "unicep", "sqf", "lexp")
RULES = (*(f"{order}{backfill}" for order in ORDERS for backfill in ("", "+easy")), "fcfs+easypp", "sjf+easypp", "saf+easypp", "f2+easypp")
LEARNED = tuple(f"{policy}{backfill}{guard}" for policy in ("hybrid_ml", "rl_agent") for backfill in ("", "+easy") for guard in ("", "+unguarded"))
WINDOW = 1024
RESAMPLES = 10_000
PUBLISHED_STARTS = (1981, 2756, 4299, 8850, 3316, 2714, 5228, 7762, 4022, 7085)
"""The ten windows of the published comparison."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace and the machine that it runs on."""

    path: str
    processors: int

    @property
    def name(self) -> str:
        """File name without its suffixes."""
        return Path(self.path).name.split(".")[0]


@dataclass(frozen=True, slots=True)
class Result:
    """One policy over the runs of one trace.

    Attributes
    ----------
    slowdown : ndarray of float64, shape (runs,)
        Mean bounded slowdown of every run.
    longest_wait_s : float
    fallback : float
        Share of the decisions that the rule behind a model took; 0 for rules.
    jobs_per_s : float
        Speed of the simulation.
    """

    slowdown: FloatArray
    longest_wait_s: float
    fallback: float
    jobs_per_s: float

    @property
    def mean(self) -> float:
        """Over the runs."""
        return float(self.slowdown.mean())


def run_all(runs: Sequence[Workload], cluster: Cluster, names: Sequence[str]) -> dict[str, Result]:
    """Run policies over workloads on one cluster."""
    results = {}
    for name in names:
        slowdown, wait, fallback, seconds = [], 0.0, 0, 0.0
        for workload in runs:
            schedule = simulate(workload, cluster, compile_policy(name, workload, cluster))
            metrics = measure(workload, cluster, schedule)
            slowdown.append(metrics["mean_bounded_slowdown"])
            wait = max(wait, metrics["max_wait_s"])
            fallback += int(np.count_nonzero(schedule.decided_by >= FIRST_FALLBACK))
            seconds += schedule.engine_s
        jobs = sum(len(workload) for workload in runs)
        results[name] = Result(np.array(slowdown), wait, fallback / jobs, jobs / seconds)
        sys.stderr.write(f"{name} {results[name].mean:.2f}\n")
    return results


def best_rule(results: dict[str, Result]) -> str:
    """Return the rule with the smallest mean."""
    return min((name for name in results if name in RULES), key=lambda name: results[name].mean)


def ratio_interval(first: FloatArray, second: FloatArray, seed: int = 0) -> tuple[float, float]:
    """Return a 95 % bootstrap interval of the ratio of two means over the same windows, which are drawn in pairs."""
    drawn = np.random.default_rng(seed).integers(len(first), size=(RESAMPLES, len(first)))
    low, high = np.quantile(first[drawn].mean(axis=1) / second[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def mean_interval(pairs: Sequence[tuple[FloatArray, FloatArray]], seed: int = 0) -> tuple[float, float]:
    """Return a 95 % bootstrap interval of the geometric mean over traces of the ratios of means; windows are drawn within their trace."""
    rng = np.random.default_rng(seed)
    logs = np.zeros(RESAMPLES)
    for first, second in pairs:
        drawn = rng.integers(len(first), size=(RESAMPLES, len(first)))
        logs += np.log(first[drawn].mean(axis=1) / second[drawn].mean(axis=1))
    low, high = np.exp(np.quantile(logs / len(pairs), (0.025, 0.975)))
    return float(low), float(high)


def spread_starts(n_jobs: int, first: int, wanted: int) -> list[int]:
    """Return the starts of at most so many disjoint windows, evenly spread over the jobs from `first` on."""
    room = (n_jobs - first) // WINDOW
    if room < 1:
        raise InputError(f"{n_jobs - first} jobs from job {first} on; expected at least {WINDOW}, one window")
    count = min(wanted, room)
    return [first + round(place) for place in np.linspace(0, n_jobs - first - WINDOW, count)]


def windows_table(results: dict[str, dict[str, Result]], names: Sequence[str]) -> str:
    """Return the table of the windows: mean bounded slowdown and ratio per trace, geometric mean of the ratios."""
    best = {trace: best_rule(of) for trace, of in results.items()}
    header = ["policy"]
    for trace in results:
        header += [trace, "ratio", "95 %", "p", "fallback"]
    rows = []
    for name in names:
        cells, logs, pairs = [name], [], []
        for trace, of in results.items():
            mine, its = of[name], of[best[trace]]
            ratio = mine.mean / its.mean
            logs.append(np.log(ratio))
            pairs.append((mine.slowdown, its.slowdown))
            low, high = ratio_interval(mine.slowdown, its.slowdown)
            differ = np.log(mine.slowdown) - np.log(its.slowdown)
            p = f"{wilcoxon_signed_rank(differ):.2g}" if name in LEARNED and np.any(differ != 0) else ""
            cells += [f"{mine.mean:.2f}", f"{ratio:.3f}", f"{low:.2f}-{high:.2f}", p, f"{100 * mine.fallback:.1f} %" if name in LEARNED else ""]
        low, high = mean_interval(pairs)
        rows.append([*cells, f"{np.exp(np.mean(logs)):.3f}", f"{low:.2f}-{high:.2f}"])
    rows.sort(key=lambda row: float(row[-2]))
    note = "; ".join(f"best rule on {trace}: {name}" for trace, name in best.items())
    return render([[*header, "geometric mean", "95 %"], *rows]) + f"\n{note}\n"


def whole_table(results: dict[str, dict[str, Result]], names: Sequence[str]) -> str:
    """Return the table of the whole traces: mean bounded slowdown, longest wait, both over those of the best rule, fallback, speed."""
    rows = []
    for trace, of in results.items():
        best = of[best_rule(of)]
        for name in sorted(names, key=lambda name: of[name].mean):
            mine = of[name]
            rows.append(
                [
                    trace,
                    name,
                    f"{mine.mean:.2f}",
                    f"{mine.mean / best.mean:.3f}",
                    f"{mine.longest_wait_s / 3600:.1f}",
                    f"{mine.longest_wait_s / best.longest_wait_s:.2f}",
                    f"{100 * mine.fallback:.1f} %" if name in LEARNED else "",
                    f"{mine.jobs_per_s:,.0f}",
                ]
            )
    return render([["trace", "policy", "mean bounded slowdown", "ratio", "longest wait [h]", "ratio", "fallback", "jobs/s"], *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+", metavar="TRACE:PROCESSORS")
    parser.add_argument("--parts", default="published,spread,whole", help="published, spread and whole, separated by commas")
    parser.add_argument("--windows", type=int, default=40, help="disjoint windows of a trace at most")
    parser.add_argument("--from-job", type=int, default=0, help="the disjoint windows begin here; used only for traces of more jobs")
    parser.add_argument("--learned", default=",".join(LEARNED))
    parser.add_argument("--rules", default=",".join(RULES))
    parser.add_argument("--json", type=Path, help="also write every figure here")
    options = parser.parse_args(arguments)
    register()
    names = [*options.rules.split(","), *filter(None, options.learned.split(","))]
    traces = []
    for text in options.traces:
        path, _, processors = text.rpartition(":")
        if not path or not processors.isdigit():
            raise InputError(f"trace {text!r}: expected PATH:PROCESSORS")
        traces.append(Trace(path, int(processors)))
    opened = {trace: open_workload(trace.path) for trace in traces}
    dump: dict[str, dict[str, dict[str, object]]] = {}
    for part in options.parts.split(","):
        results: dict[str, dict[str, Result]] = {}
        for trace, workload in opened.items():
            n_jobs = int(np.count_nonzero(workload.truth.work_s > 0))
            sys.stderr.write(f"{part}: {trace.name}\n")
            if part == "whole":
                runs = [workload]
            else:
                first = options.from_job if options.from_job + WINDOW <= n_jobs else 0
                starts = PUBLISHED_STARTS if part == "published" else spread_starts(n_jobs, first, options.windows)
                runs = windows(workload, [(start, WINDOW) for start in starts])
            results[trace.name] = run_all(runs, pool(trace.processors), names)
        sys.stdout.write(f"\n{part}\n" + (whole_table if part == "whole" else windows_table)(results, names))
        dump[part] = {
            trace: {name: [result.slowdown.tolist(), result.longest_wait_s, result.fallback, result.jobs_per_s] for name, result in of.items()}
            for trace, of in results.items()
        }
        if options.json is not None:
            options.json.write_text(json.dumps(dump), encoding="utf-8")


if __name__ == "__main__":
    main()
