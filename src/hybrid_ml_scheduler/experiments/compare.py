"""Compare policies: the same tasks, the same noise, the same cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import FloatArray
from hybrid_ml_scheduler.engine.metrics import win_shares
from hybrid_ml_scheduler.experiments.results import Comparison
from hybrid_ml_scheduler.experiments.runs import Job, Outcome, Plan, Stage, outcomes
from hybrid_ml_scheduler.experiments.summary import add_regret, summarise
from hybrid_ml_scheduler.learning.provider import with_learned, with_models
from hybrid_ml_scheduler.policies import compile_policy, default_policies
from hybrid_ml_scheduler.workloads.windows import parse_windows

Progress = Callable[[int, int, str], None]
"""Called with the number of steps done, of all steps, and what is under way."""


def run_comparison(
    workload_spec: str,
    *,
    cluster_spec: str | None = None,
    policies: Sequence[str] | None = None,
    seeds: int | None = None,
    first: int | None = None,
    windows: str | None = None,
    load: float | None = None,
    bound: bool = False,
    jobs: int = 1,
    format: str | None = None,  # noqa: A002 - named like the option --format
    lenient: bool = False,
    charts: bool = True,
    objective: str | None = None,
    models: Sequence[str] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Run policies on one workload and compare them.

    Parameters
    ----------
    workload_spec : str
        A file or a preset (`open_workload`).
    cluster_spec : str, optional
        A cluster's name or file (`open_cluster`); by default what suits the workload.
    policies : sequence of str, optional
        Names, each once; by default a sensible set for the kind of workload, learned policies included.
    seeds : int, optional
        Runs with seeds 0 ... seeds - 1; one by default. A preset is generated anew with each, a file stays and only random policies change.
    first : int, optional
        Only the first tasks.
    windows : str, optional
        ``START:LEN,...`` or a JSON file; each window is a run of its own.
    load : float, optional
        Factor on the arrival rate.
    bound : bool
        Also compute proven lower bounds and the gap to them.
    jobs : int
        Processes; results do not depend on it.
    format : str, optional
        Format of the file.
    lenient : bool
        Skip and count bad rows.
    charts : bool
        Keep the curves that plots and the HTML report need.
    objective : str, optional
        What policies are ranked by (`learning.objective.parse_objective`); learned ones are those trained for it. By default the usual metric of the
        kind of workload.
    models : sequence of str, optional
        ``NAME`` or ``NAME@VERSION``: the models of learned policies that are named without one.
    progress : callable, optional
        Is told how far the comparison has come.

    Returns
    -------
    Comparison

    Raises
    ------
    NothingToReportError
        If a policy finished no measured task.
    InputError
        If anything named is unknown, cannot be read, or does not go together.
    """
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: expected at least 1")
    spans = () if windows is None else tuple(parse_windows(windows))
    plan = Plan(workload_spec, cluster_spec, format, lenient, first, load, spans, 1 if seeds is None else seeds, objective=objective)
    stage = Stage(plan)
    opening = stage.workload(0)
    usual = default_policies(opening, stage.cluster)
    names = with_learned(usual, opening, stage.cluster) if policies is None else list(policies)
    if not names:
        raise InputError("no policy is named; expected at least one")
    names = with_models(names, opening, stage.cluster, objective=stage.objective, models=models)
    # Wrong names and unsuited policies must show before any long run.
    canonical = [compile_policy(name, opening, stage.cluster, seed=0).name for name in names]
    twice = next((name for name in canonical if canonical.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"policy {twice!r} is named twice; expected each once")

    n_runs = len(stage.runs)
    work: list[Job] = [(run, name, charts and run == 0) for run in range(n_runs) for name in names]
    by_policy: dict[str, list[Outcome]] = {name: [] for name in names}
    shares = np.zeros((n_runs, len(names), len(names)))
    tell = progress or _say_nothing
    steps = len(work) + (n_runs if bound else 0)
    arriving = outcomes(stage, plan, work, jobs)
    for done, (run, name, _) in enumerate(work):
        tell(done, steps, f"{name}, {stage.runs[run].label}" if n_runs > 1 else name)
        by_policy[name].append(next(arriving))
        if name == names[-1]:
            shares[run] = _win_shares([by_policy[other][run] for other in names])
    bounds: dict[str, Any] = {}
    if bound:
        from hybrid_ml_scheduler.experiments.bounding import bound_runs

        bounds = bound_runs(stage, by_policy, lambda run: tell(len(work) + run, steps, "lower bounds"))
    add_regret(by_policy)
    tell(steps, steps, "done")
    return summarise(stage, by_policy, shares.mean(axis=0), bounds)


def _say_nothing(done: int, total: int, label: str) -> None:
    """Stand in for a progress callback that nobody gave."""


def _win_shares(of_one_run: Sequence[Outcome]) -> FloatArray:
    responses = [outcome.response_s for outcome in of_one_run if outcome.response_s is not None]
    for outcome in of_one_run:
        # One number per task and policy is too much to keep for all runs.
        outcome.response_s = None
    return win_shares(responses)
