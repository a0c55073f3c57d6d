"""One policy on one workload, with the whole schedule: what ``hms simulate`` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import DecidedBy, Schedule, TaskStatus
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import MILLI, Workload
from hybrid_ml_scheduler.engine.power import task_cost_usd, task_energy_j
from hybrid_ml_scheduler.experiments.results import Comparison, Metrics
from hybrid_ml_scheduler.experiments.runs import Plan, Stage, measure_schedule, run_policy
from hybrid_ml_scheduler.experiments.summary import summarise
from hybrid_ml_scheduler.learning.provider import with_models

SCHEDULE_SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class Simulation:
    """One run, whole.

    Attributes
    ----------
    comparison : Comparison
        Of this one policy, for its table and JSON.
    workload : Workload
    cluster : Cluster
    schedule : Schedule
    """

    comparison: Comparison
    workload: Workload
    cluster: Cluster
    schedule: Schedule

    @property
    def metrics(self) -> Metrics:
        """What was measured (`hybrid_ml_scheduler.engine.metrics`)."""
        return self.comparison.results[0].metrics

    def to_dict(self) -> dict[str, Any]:
        """Return the measures as plain JSON-able values, laid out like a comparison of one policy."""
        return self.comparison.to_dict()


def simulate_one(
    workload_spec: str,
    policy: str,
    *,
    cluster_spec: str | None = None,
    seed: int = 0,
    first: int | None = None,
    load: float | None = None,
    format: str | None = None,  # noqa: A002 - named like the option --format
    lenient: bool = False,
    objective: str | None = None,
    model: str | None = None,
) -> Simulation:
    """Run one policy on one workload.

    Parameters
    ----------
    workload_spec : str
        A file or a preset (`open_workload`).
    policy : str
        Name of the policy.
    cluster_spec : str, optional
        A cluster's name or file (`open_cluster`); by default what suits the workload.
    seed : int
        Of a preset, and of the policy's own random choices; >= 0.
    first : int, optional
        Only the first tasks.
    load : float, optional
        Factor on the arrival rate.
    format : str, optional
        Format of the file.
    lenient : bool
        Skip and count bad rows.
    objective, model : str, optional
        As in `run_comparison`.

    Returns
    -------
    Simulation

    Raises
    ------
    NothingToReportError
        If no measured task finished.
    InputError
        If anything named is unknown, cannot be read, or does not go together.
    """
    stage = Stage(Plan(workload_spec, cluster_spec, format, lenient, first, load, first_seed=seed, objective=objective))
    models = () if model is None else (model,)
    (policy,) = with_models([policy], stage.workload(0), stage.cluster, objective=stage.objective, models=models)
    workload, schedule, clairvoyant = run_policy(stage, 0, policy)
    outcome = measure_schedule(stage, workload, schedule, clairvoyant=clairvoyant, charts=False)
    return Simulation(summarise(stage, {schedule.policy: [outcome]}, np.zeros((1, 1)), {}), workload, stage.cluster, schedule)


def schedule_table(workload: Workload, cluster: Cluster, schedule: Schedule) -> pl.DataFrame:
    """Return a schedule as a table, one row per task in the order of arrival; what does not apply is null.

    Parameters
    ----------
    workload : Workload
    cluster : Cluster
    schedule : Schedule

    Returns
    -------
    polars.DataFrame
        Columns ``task_id``, ``status``, ``arrival_s``, ``ready_s``, ``start_s``, ``finish_s``, ``wait_s``, ``response_s``, ``cpu_end_s``,
        ``gpu_end_s``, ``cores``, ``node`` (name), ``gpus`` (numbers within the node, separated by blanks), ``gpu_fraction``, ``energy_j`` (busy
        energy), ``cost_usd``, ``decision`` (position in the order in which tasks were started, from 0), ``decided_by`` (``rule``, ``model``,
        ``exploration``, or the reason why a learned policy's rule decided: ``fallback_cold``, ``fallback_range``, ``fallback_error``,
        ``fallback_losing``).
    """
    gpus_of = {mask: " ".join(str(number) for number in range(mask.bit_length()) if mask >> number & 1) for mask in set(schedule.gpu_mask.tolist())}
    position = np.full(len(workload), -1, dtype=np.int64)
    position[schedule.decision_order] = np.arange(len(schedule.decision_order))
    decisions = zip(schedule.decided_by.tolist(), position.tolist(), strict=True)
    floats = {
        "arrival_s": workload.tasks.arrival_s,
        "ready_s": schedule.ready_s,
        "start_s": schedule.start_s,
        "finish_s": schedule.finish_s,
        "wait_s": schedule.start_s - schedule.ready_s,
        "response_s": schedule.finish_s - workload.tasks.arrival_s,
        "cpu_end_s": schedule.cpu_end_s,
        "gpu_end_s": schedule.gpu_end_s,
        "cores": workload.tasks.cores_milli / MILLI,
    }
    return pl.DataFrame(
        {
            "task_id": workload.tasks.task_id,
            "status": [TaskStatus(code).name.lower() for code in schedule.status.tolist()],
            **{name: pl.Series(values, nan_to_null=True) for name, values in floats.items()},
            "node": [cluster.nodes[node].name if node >= 0 else None for node in schedule.node.tolist()],
            "gpus": [gpus_of[mask] or None for mask in schedule.gpu_mask.tolist()],
            "gpu_fraction": pl.Series(schedule.fraction, nan_to_null=True),
            "energy_j": pl.Series(task_energy_j(workload, cluster, schedule), nan_to_null=True),
            "cost_usd": pl.Series(task_cost_usd(workload, cluster, schedule), nan_to_null=True),
            "decision": [place if place >= 0 else None for place in position.tolist()],
            "decided_by": [DecidedBy(code).name.lower() if place >= 0 else None for code, place in decisions],
        },
        schema_overrides={"node": pl.String, "gpus": pl.String, "decision": pl.Int64, "decided_by": pl.String},
    )


def write_schedule(simulation: Simulation, path: str | Path) -> None:
    """Write the schedule (`schedule_table`) as Parquet or CSV, by the suffix.

    Parameters
    ----------
    simulation : Simulation
    path : str or Path
        Ends in ``.parquet`` or ``.csv``.

    Raises
    ------
    InputError
        If the suffix is neither.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SCHEDULE_SUFFIXES:
        raise InputError(f"schedule file {str(path)!r}: the suffix names no format; expected {' or '.join(SCHEDULE_SUFFIXES)}")
    table = schedule_table(simulation.workload, simulation.cluster, simulation.schedule)
    if suffix == ".csv":
        table.write_csv(path)
    else:
        table.write_parquet(path)
