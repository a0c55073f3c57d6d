"""Runs made up for the tests of the storage: tasks and results with every column filled somewhere, and the same numbers for the same seed."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.streams import RunBatch, features_text, gpus_text
from hybrid_ml_scheduler.storage.repositories import Run
from hybrid_ml_scheduler.storage.service import SimulationDataService

SCHEDULERS = ("round_robin", "random", "greedy", "hybrid_ml:mine@3+offline", "rl_agent", "oracle")


def make_batch(first_task: int, tasks: int, schedulers: tuple[str, ...] = SCHEDULERS, *, seed: int = 0, training: bool = True) -> RunBatch:
    """Return tasks, what every scheduler made of them, and rows to learn from (of the last scheduler)."""
    rng = np.random.default_rng([seed, first_task])
    ids = np.arange(first_task, first_task + tasks)
    arrival = first_task * 0.5 + np.sort(rng.uniform(0, tasks * 0.5, tasks))
    lanes = np.full(tasks, len(schedulers))
    parts = []
    for number, _ in enumerate(schedulers):
        start = arrival + rng.exponential(2 + number, tasks)
        finish = start + rng.lognormal(1, 1, tasks)
        refused = rng.uniform(size=tasks) < (0.05 if number == 0 else 0.0)
        parts.append((start, finish, refused, rng.integers(0, 16, tasks)))
    start, finish, refused, masks = (np.concatenate([part[column] for part in parts]) for column in range(4))
    count = tasks * len(schedulers)
    names = [name for name in schedulers for _ in range(tasks)]
    learned = np.array([name.startswith(("hybrid_ml", "rl_agent")) for name in names])
    fallback = learned & (rng.uniform(size=count) < 0.25)
    decided = np.where(fallback, "fallback_cold", np.where(learned, "model", "rule"))
    results = {
        "task_id": np.tile(ids, len(schedulers)),
        "scheduler": names,
        "status": ["refused" if each else "finished" for each in refused],
        "lanes": np.full(count, len(schedulers)),
        "arrival_s": np.tile(arrival, len(schedulers)),
        "start_s": np.where(refused, np.nan, start),
        "finish_s": np.where(refused, np.nan, finish),
        "cpu_s": np.where(refused, np.nan, (finish - start) * 0.5),
        "gpu_s": np.where(masks > 0, finish - start, np.nan),
        "node": [None if each else 0 for each in refused],
        "gpus": gpus_text(masks),
        "fraction": rng.uniform(size=count),
        "score": np.where(learned, rng.normal(size=count), np.nan),
        "energy_j": np.where(refused, np.nan, rng.uniform(10, 300, count)),
        "cost_usd": np.where(refused, np.nan, rng.uniform(0, 1e-3, count)),
        "decided_by": [None if each else str(word) for each, word in zip(refused, decided, strict=True)],
        "model": ["hybrid_ml-divisible@3" if each else None for each in learned],
        "reason": ['the lane\'s queue is longer than 1000, "saturated"' if each else None for each in refused],
    }
    order = rng.permutation(count)
    results = {name: values[order] if isinstance(values, np.ndarray) else [values[row] for row in order] for name, values in results.items()}
    batch_training = {}
    if training:
        batch_training = {
            "task_id": ids,
            "scheduler": [schedulers[-1]] * tasks,
            "finish_s": finish[-tasks:],
            "kind": [f"kernel {row % 3}" for row in range(tasks)],
            "device": [None if row % 5 == 0 else "A10" for row in range(tasks)],
            "run_s": finish[-tasks:] - start[-tasks:],
            "nominal_s": rng.uniform(1, 10, tasks),
            "features": features_text(np.where(rng.uniform(size=(tasks, 4)) < 0.1, np.nan, rng.normal(size=(tasks, 4)))),
        }
    columns = {
        "task_id": ids,
        "arrival_s": arrival,
        "lanes": lanes,
        "kind": [f"kernel {row % 3}" for row in range(tasks)],
        "owner": [None if row % 2 else 'anna, of "the" lab' for row in range(tasks)],
        "size": rng.uniform(2, 120, tasks),
        "compute_intensity": rng.uniform(size=tasks),
        "memory_mb": np.where(rng.uniform(size=tasks) < 0.2, np.nan, rng.lognormal(8, 1, tasks)),
        "cores": rng.integers(1, 5, tasks).astype(float),
        "parents": [f"{row - 1}" if row % 7 == 3 else None for row in range(tasks)],
    }
    return RunBatch(tasks=columns, results=results, training=batch_training)


def new_run(service: SimulationDataService, policies: tuple[str, ...] = SCHEDULERS) -> Run:
    return service.describe(workload="steady", cluster="workstation", policies=policies, options={"seed": 1, "load": 0.3})
