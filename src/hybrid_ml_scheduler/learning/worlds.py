"""Hidden worlds to train in: the tasks of a preset with other laws than those that policies are compared in.

A model that has seen only one world would learn its kinds by heart. In these worlds work, slow-downs, GPU models and their speeds are drawn anew, so
what helps in all of them is how to read the history.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.workloads import hidden_world
from hybrid_ml_scheduler.workloads.clusters import workstation
from hybrid_ml_scheduler.workloads.synthetic import generate

SPEEDS = (4.0, 40.0)
"""Nominal speed-ups of the GPUs of training worlds, log-uniform."""
NOISES = (0.05, 0.3)
"""Standard deviation of the logarithm of a task's own noise, uniform over the worlds."""
DRIFT_LOG_SD = 0.7
"""Of the common factor by which a GPU model becomes slower or faster where a world drifts."""


def other_cluster(seed: int) -> Cluster:
    """Return the workstation with GPUs of two models that nothing else knows, speeds drawn from `SPEEDS`."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    base = workstation()
    node = base.nodes[0]
    speed = np.exp(rng.uniform(np.log(SPEEDS[0]), np.log(SPEEDS[1]), 2))
    gpus = tuple(replace(gpu, model=f"model{place // 2}", speed=float(speed[place // 2])) for place, gpu in enumerate(node.gpus))
    return replace(base, name=f"world{seed}", nodes=(replace(node, gpus=gpus),))


def other_world(preset: str, *, seed: int, n_tasks: int, load: float, drifts: bool) -> tuple[Workload, Cluster]:
    """Generate the visible tasks of a preset with hidden laws of their own.

    Parameters
    ----------
    preset : str
        A preset of divisible tasks with kinds.
    seed : int
        Of tasks and world.
    n_tasks : int
        At least 1.
    load : float
        Factor on the preset's arrival rate.
    drifts : bool
        Whether all slow-downs change at half-time, and each GPU model's by a common factor besides.

    Returns
    -------
    workload : Workload
    cluster : Cluster
    """
    cluster = other_cluster(seed)
    workload = generate(preset, seed=seed, cluster=cluster, n_tasks=n_tasks, load=load)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    tasks = workload.tasks
    if tasks.size is None or tasks.kind is None:
        raise InputError(f"preset {preset!r} has no sizes and kinds; expected one of divisible tasks with kinds")
    kinds = hidden_world.N_KINDS
    coefficient = rng.normal(0.0, hidden_world.COEFFICIENT_SIGMA, kinds)
    exponent = rng.uniform(-hidden_world.EXPONENT_SPREAD, hidden_world.EXPONENT_SPREAD, kinds)
    factor = coefficient[tasks.kind] + exponent[tasks.kind] * np.log(tasks.size / hidden_world.PIVOT_S)
    noise = rng.uniform(*NOISES)
    work = tasks.size * np.exp(factor + noise * rng.standard_normal(len(tasks)) - noise**2 / 2.0)
    models = len(cluster.gpu_models)
    slowdown = np.exp(rng.normal(0.0, hidden_world.SLOWDOWN_SIGMA, (2, kinds, models)))
    slowdown[1] *= np.exp(rng.normal(0.0, DRIFT_LOG_SD, models))
    starts = np.array([-np.inf, tasks.arrival_s[-1] / 2.0])
    used = 2 if drifts else 1
    truth = replace(workload.truth, work_s=work, slowdown=slowdown[:used], regime_start_s=starts[:used])
    return replace(workload, name=f"{preset} in world {seed}", truth=truth, meta={**workload.meta, "world": seed}), cluster
