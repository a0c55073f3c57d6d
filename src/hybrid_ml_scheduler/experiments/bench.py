"""How fast is it? The figures of ``hms bench``, each measured several times; the median counts.

Every figure is measured warm (compiled code is loaded, caches are filled) unless it is a start-up time. Targets stand beside the figures and decide
nothing: a machine is as fast as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import Decision, DecisionView
from hybrid_ml_scheduler.core.errors import EngineError, InputError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.experiments import bench_traces
from hybrid_ml_scheduler.experiments.compare import run_comparison
from hybrid_ml_scheduler.experiments.fill import fill
from hybrid_ml_scheduler.experiments.machine import machine
from hybrid_ml_scheduler.policies import compile_policy, list_policies
from hybrid_ml_scheduler.workloads.clusters import default_cluster, open_cluster, pool
from hybrid_ml_scheduler.workloads.export import write_workload
from hybrid_ml_scheduler.workloads.open import open_workload

GROWTH_JOBS = (25_000, 50_000, 100_000, 200_000)
GROWTH_LOAD = 1.2
GROWTH_POLICIES = ("fcfs+easy", "saf+easy", "wfp3+easy")
GRAPH_TASKS, GRAPH_MACHINES = 1_000, 8
FORTY, DEADLINE_FACTOR, PRIORITIES = 40, 2.0, 10
MIB = 1 << 20

Progress = Callable[[int, int, str], None]
"""Called with the number of steps done, of all steps, and what is under way."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes
    ----------
    name, unit : str
        What was measured, and in what.
    values : tuple of float
        One per repeat.
    target : float or None
        What the project wants; None where there is no target.
    more_is_better : bool
        Whether the target is a floor.
    note : str
        On what it was measured.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    target: float | None = None
    more_is_better: bool = True
    note: str = ""

    @property
    def value(self) -> float:
        """The median over the repeats."""
        return median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.more_is_better else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Report:
    """All figures, and where and when they were measured.

    Attributes
    ----------
    date : str
        ISO 8601, UTC.
    machine : mapping of str to str or int
        Processor, cores, memory, system, and versions.
    figures : tuple of Figure
    """

    date: str
    machine: dict[str, Any]
    figures: tuple[Figure, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        figures = [
            {
                "name": figure.name,
                "unit": figure.unit,
                "median": figure.value,
                "values": list(figure.values),
                "target": figure.target,
                "more_is_better": figure.more_is_better,
                "met": figure.met,
                "measured_on": figure.note,
            }
            for figure in self.figures
        ]
        return {"date": self.date, "machine": self.machine, "figures": figures}


@dataclass(slots=True)
class Inputs:
    """What is measured on: real traces where they are given, generated ones otherwise.

    Attributes
    ----------
    trace : str or None
        A batch trace; HPC2N for the documented figures.
    pods, nodes : str or None
        The openb pod and node lists, both or none.
    repeats : int
        Runs per figure; >= 1.
    folder : Path
        For temporary files.
    """

    trace: str | None
    pods: str | None
    nodes: str | None
    repeats: int
    folder: Path
    trace_spec: str = field(init=False)
    batch: Workload = field(init=False)
    batch_cluster: Cluster = field(init=False)

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise InputError(f"repeats is {self.repeats}; expected at least 1")
        if (self.pods is None) != (self.nodes is None):
            raise InputError("pods and nodes belong together; expected both or none")
        if self.trace is None:
            generated = bench_traces.batch_trace("generated", bench_traces.HPC2N_JOBS, bench_traces.HPC2N_PROCESSORS, bench_traces.HPC2N_LOAD, seed=0)
            self.trace_spec = str(self.folder / "generated.swf.gz")
            write_workload(generated, self.trace_spec)
        else:
            self.trace_spec = self.trace
        self.batch = open_workload(self.trace_spec)
        self.batch_cluster = default_cluster(self.batch)

    @property
    def batch_note(self) -> str:
        """Name and size of the batch trace."""
        return f"{self.batch.name}, {len(self.batch):,} jobs, {self.batch_cluster.total_cores:,.0f} processors"


class FirstComeFirstServed:
    """First come, first served as a user would write it, to measure the decision-point interface."""

    name = "bench_fcfs"

    def decide(self, view: DecisionView) -> Decision | None:
        """Start the head of the queue if it fits."""
        queue = view.queue
        if len(queue) == 0 or view.tasks.cores_milli[queue[0]] > view.free_cores_milli[0]:
            return None
        return Decision(int(queue[0]))


def measure_engine(inputs: Inputs) -> list[Figure]:
    """Measure jobs per second of the simulation alone, without reading and compiling, on one core."""
    figures = []
    for name, target in (("fcfs", 2e6), ("saf+easy", 3e5)):
        rates = tuple(len(inputs.batch) / seconds for seconds in _engine_s(inputs.batch, inputs.batch_cluster, name, inputs.repeats))
        figures.append(Figure(name, "jobs/s", rates, target, note=inputs.batch_note))
    return figures


def measure_forty(inputs: Inputs) -> list[Figure]:
    """Measure the wall time of all batch policies, at most forty, over the trace in two processes; reading it and starting them included.

    Deadlines and priorities are added to the trace, because the orders that use them would have nothing to look at.
    """
    tasks = inputs.batch.tasks
    deadline_s = tasks.arrival_s + DEADLINE_FACTOR * tasks.requested_time_s
    priority = (tasks.task_id % PRIORITIES).astype(np.float64)
    spec = str(inputs.folder / "with-deadlines.parquet")
    write_workload(replace(inputs.batch, tasks=replace(tasks, deadline_s=deadline_s, priority=priority)), spec)
    names = [policy.name for policy in list_policies() if policy.supports(inputs.batch.kind, inputs.batch_cluster.kind)][:FORTY]
    began = time.perf_counter()
    run_comparison(spec, policies=names, jobs=2)
    taken_s = time.perf_counter() - began
    return [Figure(f"{len(names)} policies with --jobs 2", "s", (taken_s,), 30.0, more_is_better=False, note=inputs.batch_note)]


def measure_growth(inputs: Inputs) -> list[Figure]:
    """Measure how the time per job grows with the length of a saturated trace, whose queue grows all along."""
    figures = []
    for name in GROWTH_POLICIES:
        for n_jobs in GROWTH_JOBS:
            trace = bench_traces.batch_trace("saturated", n_jobs, bench_traces.SDSC_PROCESSORS, GROWTH_LOAD, seed=0)
            times_us = tuple(1e6 * seconds / n_jobs for seconds in _engine_s(trace, pool(bench_traces.SDSC_PROCESSORS), name, inputs.repeats))
            note = f"generated, {bench_traces.SDSC_PROCESSORS} processors, load {GROWTH_LOAD}"
            figures.append(Figure(f"{name}, {n_jobs:,} jobs, saturated", "us/job", times_us, note=note))
    return figures


def measure_graphs(inputs: Inputs) -> list[Figure]:
    """Measure HEFT on a large graph: making the plan, and carrying it out."""
    graph, cluster = bench_traces.task_graph(GRAPH_TASKS, GRAPH_MACHINES, seed=0), bench_traces.machines(GRAPH_MACHINES)

    def plan() -> None:
        simulate(graph, cluster, compile_policy("heft", graph, cluster, seed=0))

    times_ms = tuple(1e3 * seconds for seconds in _wall_s(plan, inputs.repeats))
    return [Figure(f"HEFT, {GRAPH_TASKS:,} tasks x {GRAPH_MACHINES} machines", "ms", times_ms, 50.0, more_is_better=False, note="generated graph")]


def measure_placement(inputs: Inputs) -> list[Figure]:
    """Measure pods per second of FGD while a GPU cluster is filled."""
    if inputs.pods is not None and inputs.nodes is not None:
        pods, cluster = open_workload(inputs.pods), open_cluster(inputs.nodes)
    else:
        pods, cluster = bench_traces.pods(seed=0), bench_traces.gpu_cluster()
    fill(pods, cluster, ["fgd"], seeds=1)
    runs = fill(pods, cluster, ["fgd"], seeds=inputs.repeats)["results"]
    rates = tuple(run["placed_tasks"] / run["engine_s"] for run in runs)
    return [Figure("FGD, filling to 130 %", "pods/s", rates, 1e4, note=f"{pods.name}, {cluster.n_gpus:,} GPUs; placed pods only")]


def measure_decisions(inputs: Inputs) -> list[Figure]:
    """Measure decisions per second of a policy in Python, through the decision-point interface."""
    policy = FirstComeFirstServed()
    simulate(inputs.batch, inputs.batch_cluster, policy)
    rates = []
    for _ in range(inputs.repeats):
        schedule = simulate(inputs.batch, inputs.batch_cluster, policy)
        rates.append(len(schedule.decision_order) / schedule.engine_s)
    return [Figure("a policy in Python", "decisions/s", tuple(rates), 1e5, note=inputs.batch_note)]


def measure_models(inputs: Inputs) -> list[Figure]:
    """Measure the time that a learned model takes for one decision, inside the engine and, for comparison, in the training libraries."""
    from hybrid_ml_scheduler.learning.latency import decision_latencies

    latencies = decision_latencies(inputs.repeats)
    named = (
        ("lightgbm", "decision of 100 trees", 15.0),
        ("forest", "decision of 100 trees, random forest", 15.0),
        ("net", "decision of a 64x64 net", 3.0),
        ("lightgbm_library", "the same trees in LightGBM itself", None),
        ("forest_library", "the same forest in scikit-learn itself", None),
    )
    return [
        Figure(name, "us", latencies[key].times_us, target, more_is_better=False, note=f"{latencies[key].name}: {latencies[key].note}")
        for key, name, target in named
    ]


def measure_memory(inputs: Inputs) -> list[Figure]:
    """Measure the peak memory of a fresh process that reads the trace and compares two policies on it."""
    arguments = ["compare", inputs.trace_spec, "--policies", "fcfs,saf+easy", "--json", os.devnull]
    code = (
        "import sys; from hybrid_ml_scheduler.cli.main import run; code = run(sys.argv[1:]); "
        "print([line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1]); sys.exit(code)"
    )
    peaks = []
    for _ in range(inputs.repeats):
        output = _output_of([sys.executable, "-c", code, *arguments])
        peaks.append(int(output.split()[-1]) * 1024 / MIB)
    return [Figure("peak memory of hms compare, two policies", "MiB", tuple(peaks), 300e6 / MIB, more_is_better=False, note=inputs.batch_note)]


def measure_start_up(inputs: Inputs) -> list[Figure]:
    """Measure the time from the prompt to the answer, in fresh processes with compiled code on disk."""
    command = [sys.executable, "-c", "from hybrid_ml_scheduler.cli.main import main; main()"]
    figures = []
    for name, arguments, target in (("hms --help", ["--help"], 0.4), ("hms compare steady", ["compare", "steady"], 5.0)):
        times_s = tuple(_wall_s(partial(_output_of, [*command, *arguments]), inputs.repeats))
        figures.append(Figure(name, "s", times_s, target, more_is_better=False))
    return figures


MEASUREMENTS: tuple[Callable[[Inputs], list[Figure]], ...] = (
    measure_engine,
    measure_forty,
    measure_growth,
    measure_graphs,
    measure_placement,
    measure_decisions,
    measure_models,
    measure_memory,
    measure_start_up,
)


def run_benchmarks(
    *,
    trace: str | None = None,
    pods: str | None = None,
    nodes: str | None = None,
    repeats: int = 5,
    progress: Progress | None = None,
) -> Report:
    """Measure everything.

    Parameters
    ----------
    trace : str, optional
        A batch trace; one as large as HPC2N is generated without it.
    pods, nodes : str, optional
        The openb pod and node lists; generated without them.
    repeats : int
        Runs per figure; >= 1.
    progress : callable, optional
        Is told how far it has come.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If a file cannot be read, or an argument is out of range.
    """
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(trace, pods, nodes, repeats, Path(folder))
        for done, measurement in enumerate(MEASUREMENTS):
            if progress is not None:
                progress(done, len(MEASUREMENTS), measurement.__name__.removeprefix("measure_").replace("_", " "))
            figures += measurement(inputs)
    return Report(datetime.now(UTC).isoformat(timespec="seconds"), machine(), tuple(figures))


def _engine_s(workload: Workload, cluster: Cluster, name: str, repeats: int) -> list[float]:
    """Return the seconds of the simulation alone, after one run to warm up."""
    policy = compile_policy(name, workload, cluster, seed=0)
    simulate(workload, cluster, policy)
    return [simulate(workload, cluster, policy).engine_s for _ in range(repeats)]


def _wall_s(work: Callable[[], object], repeats: int) -> list[float]:
    """Return wall times, after one run to warm up."""
    work()
    times_s = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - began)
    return times_s


def _output_of(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"a measured command ended with exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout
