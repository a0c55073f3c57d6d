"""From the outcomes of single runs to what a comparison says: means, intervals, tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.workload import FloatArray, Workload, WorkloadKind
from hybrid_ml_scheduler.engine.metrics import regret
from hybrid_ml_scheduler.engine.statistics import Interval, PairedTest, geometric_mean_ratio, holm, paired_test, t_interval
from hybrid_ml_scheduler.experiments.results import ClusterFacts, Comparison, Metrics, PolicyResult, RunFacts, Versus, WorkloadFacts
from hybrid_ml_scheduler.experiments.runs import Outcome, Stage

ORACLE = "oracle"
REGRET_OF = "mean_response_s"

OutcomesByPolicy = Mapping[str, Sequence[Outcome]]
"""By policy, one outcome per run."""


def add_regret(by_policy: OutcomesByPolicy) -> None:
    """Give every outcome its ``regret_to_oracle``: mean response over the oracle's in the same run, minus 1; nothing if there is no oracle."""
    for outcomes in by_policy.values():
        for outcome, oracle in zip(outcomes, by_policy.get(ORACLE, ()), strict=False):
            value = regret(outcome.metrics[REGRET_OF], oracle.metrics[REGRET_OF])
            if value is not None:
                outcome.metrics["regret_to_oracle"] = value


def primary_metric(workload: Workload, kind: ClusterKind) -> str:
    """Return what policies are ranked by on this kind of workload: smaller is better.

    Returns
    -------
    str
        ``makespan_s`` where all tasks arrive at once (a graph to be finished), ``mean_bounded_slowdown`` on batch pools, else ``mean_response_s``.
    """
    arrival = workload.tasks.arrival_s
    if workload.kind is WorkloadKind.MACHINES or (len(arrival) > 1 and arrival[0] == arrival[-1]):
        return "makespan_s"
    return "mean_bounded_slowdown" if kind is ClusterKind.POOL else "mean_response_s"


def summarise(stage: Stage, by_policy: OutcomesByPolicy, win_shares: FloatArray, bound: Mapping[str, Any]) -> Comparison:
    """Summarise all runs.

    Parameters
    ----------
    stage : Stage
        What was run.
    by_policy : mapping of str to sequence of Outcome
        One outcome per run of the stage.
    win_shares : ndarray of float64, shape (n_policies, n_policies)
        Mean over the runs (`metrics.wins`), policies in the order of `by_policy`.
    bound : mapping
        Lower bounds, JSON-able.

    Returns
    -------
    Comparison
    """
    names = list(by_policy)
    blocks = [run.block for run in stage.runs]
    primary = primary_metric(stage.workload(0), stage.cluster.kind)
    objective = None if stage.objective is None else stage.objective.metric
    versus = _versus_best(by_policy, blocks, objective or primary)
    results = tuple(
        PolicyResult(
            policy=name,
            metrics=means([outcome.metrics for outcome in outcomes]),
            ci95=intervals([outcome.metrics for outcome in outcomes], blocks),
            runs=tuple(outcome.metrics for outcome in outcomes),
            tasks_per_s=sum(outcome.tasks for outcome in outcomes) / max(sum(outcome.engine_s for outcome in outcomes), 1e-9),
            engine_s=sum(outcome.engine_s for outcome in outcomes),
            saturated_runs=sum(outcome.saturated for outcome in outcomes),
            clairvoyant=outcomes[0].clairvoyant,
            wins={other: float(win_shares[row, column]) for column, other in enumerate(names) if other != name},
            versus_best=versus.get(name),
            charts=outcomes[0].charts,
        )
        for row, (name, outcomes) in enumerate(by_policy.items())
    )
    return Comparison(_workload_facts(stage, by_policy), ClusterFacts.of(stage.cluster), results, bound, primary, objective)


def means(runs: Sequence[Metrics]) -> dict[str, float]:
    """Return the mean of every metric over the runs that have it."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: float(np.mean([run[name] for run in runs if name in run])) for name in names}


def intervals(runs: Sequence[Metrics], blocks: Sequence[int]) -> dict[str, Interval]:
    """Return the 95 % t-interval of every metric over blocks of runs; a metric without one is left out.

    Parameters
    ----------
    runs : sequence of mapping
        Metrics of every run.
    blocks : sequence of int
        Block of every run; runs of one block count as one value, their mean.

    Returns
    -------
    dict of str to Interval
    """
    names = dict.fromkeys(name for run in runs for name in run)
    found = {name: t_interval(list(_block_means(runs, blocks, name).values())) for name in names}
    return {name: interval for name, interval in found.items() if interval is not None}


def _block_means(runs: Sequence[Metrics], blocks: Sequence[int], name: str) -> dict[int, float]:
    values: dict[int, list[float]] = {}
    for run, block in zip(runs, blocks, strict=True):
        if name in run:
            values.setdefault(block, []).append(run[name])
    return {block: float(np.mean(of_block)) for block, of_block in values.items()}


def _versus_best(by_policy: OutcomesByPolicy, blocks: Sequence[int], primary: str) -> dict[str, Versus]:
    """Hold every policy that is not clairvoyant against the best of them; nothing where there are fewer than two blocks or policies."""
    values = {
        name: list(_block_means([outcome.metrics for outcome in outcomes], blocks, primary).values())
        for name, outcomes in by_policy.items()
        if not outcomes[0].clairvoyant
    }
    if len(values) < 2:
        return {}
    best = min(values, key=lambda name: float(np.mean(values[name])))
    tests: dict[str, PairedTest] = {}
    for name, mine in values.items():
        test = paired_test(mine, values[best]) if name != best else None
        if test is not None:
            tests[name] = test
    t_p = holm([test.t_p for test in tests.values()])
    wilcoxon_p = holm([test.wilcoxon_p for test in tests.values()])
    return {
        name: Versus(best, primary, test.n, test.mean_difference, geometric_mean_ratio(values[name], values[best]), t_p[row], wilcoxon_p[row])
        for row, (name, test) in enumerate(tests.items())
    }


def _workload_facts(stage: Stage, by_policy: OutcomesByPolicy) -> WorkloadFacts:
    first_policy = next(iter(by_policy.values()))
    runs = tuple(
        RunFacts(spec.label, outcome.tasks, int(outcome.metrics["rejected"]), int(outcome.metrics["orphaned"]), spec.block)
        for spec, outcome in zip(stage.runs, first_policy, strict=True)
    )
    of_one_seed = [facts for facts, spec in zip(runs, stage.runs, strict=True) if spec.seed == stage.runs[0].seed]
    opening = stage.workload(0)
    report = opening.report
    return WorkloadFacts(
        name=stage.base.name,
        format=report.format,
        kind=opening.kind.value,
        tasks=sum(run.tasks for run in of_one_seed),
        rejected=sum(run.rejected for run in of_one_seed),
        orphaned=sum(run.orphaned for run in of_one_seed),
        rejected_ids=first_policy[0].rejected_ids,
        sha256=report.sha256,
        estimates=report.estimates,
        sorted_by_us=report.sorted_by_us,
        substitutions=report.substitutions,
        dropped=report.dropped,
        warmup=opening.warmup,
        runs=runs,
        notes=(*report.notes, *_notes(stage, by_policy)),
    )


def _notes(stage: Stage, by_policy: OutcomesByPolicy) -> list[str]:
    notes = [] if stage.load is None else [f"the arrival rate was multiplied by {stage.load:g}"]
    n_blocks = len({run.block for run in stage.runs})
    if n_blocks > 1:
        equal = [name for name, outcomes in by_policy.items() if all(outcome.metrics == outcomes[0].metrics for outcome in outcomes)]
        if equal:
            what = "all policies" if len(equal) == len(by_policy) else ", ".join(equal)
            notes.append(f"{what}: all {len(stage.runs)} runs are equal, so there is no interval")
    if len(by_policy) > 1 and all(outcome.metrics.get("max_wait_s") == 0 for outcomes in by_policy.values() for outcome in outcomes):
        notes.append("no measured task ever waited, so its place in the queue never mattered; a smaller --cluster or a higher --load tells more")
    return notes
