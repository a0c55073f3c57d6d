"""The runs of a comparison: which workload each of them is, and carrying one out, here or in a worker process."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Schedule, TaskStatus
from hybrid_ml_scheduler.core.errors import EngineError, InputError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.metrics import NAMED_REJECTS, is_saturated, measure, response_s
from hybrid_ml_scheduler.experiments.charts import PolicyCharts, policy_charts
from hybrid_ml_scheduler.learning.objective import parse_objective
from hybrid_ml_scheduler.learning.provider import register
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.binding import bind_to_cluster
from hybrid_ml_scheduler.workloads.clusters import default_cluster, open_cluster
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.windows import first_n, scale_load, windows

GENERATED = "generated"
"""`ReadReport.format` of workloads that depend on a seed."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run: a seed, and a window (its number) or the whole workload; see `RunFacts` for ``label`` and ``block``."""

    label: str
    seed: int
    window: int | None
    block: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that says what the runs of a comparison are; the same in every process.

    Attributes
    ----------
    workload_spec, cluster_spec, format, lenient, first, load
        As given on the command line.
    spans : tuple of (int, int)
        Windows, empty for none.
    seeds : int
        Number of seeds; > 0.
    first_seed : int
        The first of them.
    objective : str or None
        What policies are ranked by, and learned ones chosen for (`learning.objective.parse_objective`); None for the usual metric.
    """

    workload_spec: str
    cluster_spec: str | None = None
    format: str | None = None
    lenient: bool = False
    first: int | None = None
    load: float | None = None
    spans: tuple[tuple[int, int], ...] = ()
    seeds: int = 1
    first_seed: int = 0
    objective: str | None = None

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"--seeds {self.seeds}: expected at least 1")
        if self.spans and self.first is not None:
            raise InputError(f"--first {self.first} and --windows exclude each other: windows already name the tasks; expected one of them")

    def runs(self, *, generated: bool) -> tuple[RunSpec, ...]:
        """Return the runs; with windows over a file, seeds change only the policies' own choices and make no new block."""
        # The label of a window's run names the seed only where there are several.
        named_seed = self.seeds > 1 or not self.spans
        runs: list[RunSpec] = []
        for seed in range(self.first_seed, self.first_seed + self.seeds):
            for window, (start, length) in enumerate(self.spans or ((0, 0),)):
                parts = ([f"window {start}:{length}"] if self.spans else []) + ([f"seed {seed}"] if named_seed else [])
                block = window if self.spans and not generated else len(runs)
                runs.append(RunSpec(", ".join(parts), seed, window if self.spans else None, block))
        return tuple(runs)


class Stage:
    """Holds what is to be run, and gives the workload of each run.

    Parameters
    ----------
    plan : Plan
    base : Workload, optional
        The workload of the plan, where it has been opened already.

    Attributes
    ----------
    base : Workload
        As read, or as generated with the first seed, whole.
    cluster : Cluster
        The same for all runs.
    runs : tuple of RunSpec
    load : float or None
        Factor on the arrival rate, if there is one.
    objective : Objective or None
        What policies are ranked by, if the user says so.
    """

    def __init__(self, plan: Plan, base: Workload | None = None) -> None:
        # Every process that runs anything begins with a stage, so here the learned policies become known.
        register()
        self._plan = plan
        self.load = plan.load
        self.objective = None if plan.objective is None else parse_objective(plan.objective)
        self.base = open_workload(plan.workload_spec, format=plan.format, lenient=plan.lenient, seed=plan.first_seed) if base is None else base
        self.generated = self.base.report.format == GENERATED
        self._named = None if plan.cluster_spec is None else open_cluster(plan.cluster_spec, workload=self.base)
        if base is None and self.generated and self._named is not None:
            # The load and the hidden slow-downs of a preset are made for its cluster.
            self.base = open_workload(plan.workload_spec, seed=plan.first_seed, cluster=self._named)
        self.cluster: Cluster = self._named or default_cluster(self.base)
        self.runs = plan.runs(generated=self.generated)
        self._opened: tuple[int, list[Workload]] = (-1, [])

    def workload(self, run: int) -> Workload:
        """Return the workload of a run; those of one seed are cut once."""
        spec = self.runs[run]
        seed = spec.seed if self.generated else self._plan.first_seed
        if self._opened[0] != seed:
            self._opened = (seed, self._parts(seed))
        return self._opened[1][spec.window or 0]

    def _parts(self, seed: int) -> list[Workload]:
        plan = self._plan
        whole = self.base if seed == plan.first_seed else open_workload(plan.workload_spec, seed=seed, cluster=self._named)
        cut = whole if plan.first is None else first_n(whole, plan.first)
        parts = windows(cut, plan.spans) if plan.spans else [cut]
        if plan.load is not None:
            parts = [scale_load(part, plan.load) for part in parts]
        return [bind_to_cluster(part, self.cluster) for part in parts]


@dataclass(slots=True)
class Outcome:
    """What one policy did in one run: its measures, and what comparing needs beyond them."""

    metrics: dict[str, float]
    saturated: bool
    clairvoyant: bool
    policy: str
    tasks: int
    engine_s: float
    rejected_ids: tuple[int, ...]
    response_s: FloatArray | None
    charts: PolicyCharts | None


def run_policy(stage: Stage, run: int, policy: str) -> tuple[Workload, Schedule, bool]:
    """Simulate one policy in one run.

    Returns
    -------
    workload : Workload
    schedule : Schedule
    clairvoyant : bool
    """
    workload = stage.workload(run)
    compiled = compile_policy(policy, workload, stage.cluster, seed=stage.runs[run].seed)
    # A policy of the user's own sees only what the decision point shows, which is never the truth.
    clairvoyant = isinstance(compiled, CompiledPolicy) and compiled.clairvoyant
    return workload, simulate(workload, stage.cluster, compiled), clairvoyant


def carry_out(stage: Stage, run: int, policy: str, *, charts: bool) -> Outcome:
    """Simulate and measure one policy in one run.

    Parameters
    ----------
    stage : Stage
    run : int
        Number of the run.
    policy : str
    charts : bool
        Whether to keep curves for plots.

    Returns
    -------
    Outcome

    Raises
    ------
    NothingToReportError
        If no measured task finished.
    """
    workload, schedule, clairvoyant = run_policy(stage, run, policy)
    return measure_schedule(stage, workload, schedule, clairvoyant=clairvoyant, charts=charts)


def measure_schedule(stage: Stage, workload: Workload, schedule: Schedule, *, clairvoyant: bool, charts: bool) -> Outcome:
    """Measure one schedule of one run; see `carry_out`."""
    rejected = np.flatnonzero(schedule.status == TaskStatus.REJECTED)
    metrics = measure(workload, stage.cluster, schedule)
    if stage.objective is not None:
        metrics["objective"] = stage.objective.value(metrics)
    return Outcome(
        metrics=metrics,
        saturated=is_saturated(workload, schedule),
        clairvoyant=clairvoyant,
        policy=schedule.policy,
        tasks=len(workload),
        engine_s=schedule.engine_s,
        rejected_ids=tuple(int(task) for task in workload.tasks.task_id[rejected[:NAMED_REJECTS]]),
        response_s=response_s(workload, schedule),
        charts=policy_charts(workload, stage.cluster, schedule) if charts else None,
    )


Job = tuple[int, str, bool]
"""Number of the run, policy, whether charts are wanted."""

_worker_stage: list[Stage] = []
"""The stage of this worker process; one for its whole life, so that each worker gets the workload once."""


def _start_worker(plan: Plan, base: Workload) -> None:
    # Ctrl-C reaches all processes of a terminal: a worker ends at once and in silence, the parent says why.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _worker_stage[:] = [Stage(plan, base)]


def _work(job: Job) -> Outcome:
    run, policy, charts = job
    return carry_out(_worker_stage[0], run, policy, charts=charts)


def outcomes(stage: Stage, plan: Plan, jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """Carry out jobs and yield their outcomes in the order of the jobs, the same for every number of processes.

    Parameters
    ----------
    stage : Stage
        Of `plan`, in this process.
    plan : Plan
    jobs : sequence of Job
    processes : int
        1 works in this process; more start that many of their own (by *spawn*: a forked child of a process with compiled threads may hang).

    Yields
    ------
    Outcome

    Raises
    ------
    EngineError
        If a worker process dies.
    """
    if processes == 1 or len(jobs) == 1:
        for run, policy, charts in jobs:
            yield carry_out(stage, run, policy, charts=charts)
        return
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(min(processes, len(jobs)), mp_context=context, initializer=_start_worker, initargs=(plan, stage.base))
    try:
        yield from executor.map(_work, jobs)
    except BrokenProcessPool as error:
        raise EngineError("a worker process died, perhaps for lack of memory; expected it to live (fewer --jobs need less memory)") from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
