"""Features of a divisible task on a device class: what a model of its run time sees, from visible columns and what has been observed so far."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray
from hybrid_ml_scheduler.engine.compiled import compiled, compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.features.history import PIVOT_S, History, estimate
from hybrid_ml_scheduler.engine.features.sheet import Feature
from hybrid_ml_scheduler.engine.law import gpu_rate, launch_seconds, transfer_in_seconds
from hybrid_ml_scheduler.engine.state import LAW_OVERLAP, MODE_LAW, Law, Problem, State

DIVISIBLE = (
    Feature("log_size", "1", -4.0, 12.0, "logarithm of nominal CPU seconds / 4 s"),
    Feature("intensity", "1", 0.0, 1.0, "parallel part of the work"),
    Feature("log_memory", "1", -1.0, 16.0, "logarithm of 1 + working set in MB"),
    Feature("cores", "1", 0.0, 1024.0, "CPU cores asked"),
    Feature("log_speed", "1", -5.0, 8.0, "logarithm of the device's nominal speed-up over the reference CPU on parallel work"),
    Feature("log_nominal", "1", -14.0, 14.0, "logarithm of the nominal seconds of the whole task's work on the device"),
    Feature("estimate", "1", -5.0, 5.0, "what the history of the kind on the device says of log(true work / nominal work) at this size"),
    Feature("estimate_sd", "1", 0.0, 3.0, "standard deviation of that"),
    Feature("log_count", "1", 0.0, 16.0, "logarithm of 1 + outcomes of the kind on the device that count"),
    Feature("log_since", "1", 0.0, 16.0, "logarithm of 1 + outcomes since that history last forgot"),
    Feature("cpu_estimate", "1", -5.0, 5.0, "the history's estimate for the same kind on the CPU"),
    Feature("cpu_estimate_sd", "1", 0.0, 3.0, "standard deviation of that"),
    Feature("recent", "1", -5.0, 5.0, "running mean of the estimate's errors for the kind on the device"),
    Feature("class_recent", "1", -5.0, 5.0, "running mean of the estimates' errors on the device"),
    Feature(
        "class_level", "1", -5.0, 5.0, "running mean of log(observed / nominal) on the device, less the CPU's estimate of the same kinds on a GPU"
    ),
    Feature("class_weight", "1", 0.0, 1.0, "weight behind class_level; 1 after many outcomes"),
    Feature("user_recent", "1", -5.0, 5.0, "running mean of the estimates' errors over the user's tasks"),
)
"""Data sheet of a row of features, one per task and device class; all are computed when the task is predicted."""

N_FEATURES = len(DIVISIBLE)


@compiled_entry
def fill_features(
    problem: Problem, nominal: Law, history: History, gpu_of_class: FloatArray, task: int, user: int, device: int, x: FloatArray
) -> None:
    """Write the features of a task on a device class into ``x``, shape (N_FEATURES,).

    Parameters
    ----------
    problem : Problem
    nominal : Law
        `engine.state.nominal_law`.
    history : History
    gpu_of_class : ndarray of float64, shape (n_classes,)
        A GPU of each class, by number; -1 for the CPU.
    task, user, device : int
        Row of the task, its user's code, device class.
    """
    kind = problem.kind[task]
    size = log_size(problem, nominal, task)
    work = nominal.work[task]
    speed = 1.0
    gpu = int(gpu_of_class[device])
    if gpu >= 0:
        speed = problem.gpu_speed[gpu]
        work = gpu_rate(problem, nominal, task, gpu, 0) - transfer_in_seconds(problem, task, gpu)
    mean, variance = estimate(history, kind, device, size)
    cpu_mean, cpu_variance = estimate(history, kind, 0, size)
    x[0] = size
    x[1] = problem.intensity[task]
    x[2] = np.log1p(problem.mem_mb[task])
    x[3] = problem.cores[task] / 1000.0
    x[4] = np.log(speed)
    x[5] = np.log(max(work, 1e-6))
    x[6] = mean
    x[7] = np.sqrt(variance)
    x[8] = np.log1p(history.sums[kind, device, 0])
    x[9] = np.log1p(history.since[kind, device])
    x[10] = cpu_mean
    x[11] = np.sqrt(cpu_variance)
    x[12] = history.recent[kind, device]
    x[13] = history.class_recent[device]
    x[14] = history.class_level[device, 0]
    x[15] = history.class_level[device, 1]
    x[16] = history.user_recent[user]


@compiled_inner
def log_size(problem: Problem, nominal: Law, task: int) -> float:
    """Return the logarithm of the nominal work over the pivot; clipped below at a millionth of a second."""
    return float(np.log(max(nominal.work[task], 1e-6) / PIVOT_S))


@compiled_entry
def observed_cpu(problem: Problem, nominal: Law, state: State, task: int) -> float:
    """Return log(observed / nominal) work of a finished task's CPU part; NaN if it had none or cannot be told apart from the GPU part."""
    share = 1.0 - state.fraction[task]
    if share <= 0.0 or (share < 1.0 and problem.mode[MODE_LAW] != LAW_OVERLAP):
        return np.nan
    work = (state.cpu_end[task] - state.start[task]) / share * problem.node_speed[state.node[task]]
    if not (work > 1e-9 and nominal.work[task] > 1e-9):
        return np.nan
    return float(np.log(work / nominal.work[task]))


@compiled_entry
def observed_gpu(problem: Problem, nominal: Law, state: State, task: int, gpu: int) -> float:
    """Return log(observed / nominal) work of a finished task's part on a GPU, transfer and launch taken out; NaN where `observed_cpu` says."""
    fraction = state.fraction[task]
    if fraction <= 0.0 or (fraction < 1.0 and problem.mode[MODE_LAW] != LAW_OVERLAP):
        return np.nan
    transfer = transfer_in_seconds(problem, task, gpu)
    work = (state.gpu_end[task] - state.start[task] - launch_seconds(problem, gpu)) / fraction - transfer
    expected = gpu_rate(problem, nominal, task, gpu, 0) - transfer
    if not (work > 1e-9 and expected > 1e-9):
        return np.nan
    return float(np.log(work / expected))


@compiled
def gpu_held(problem: Problem, state: State, task: int) -> int:
    """Return the number of the GPU that a divisible task held; -1 for none."""
    mask = state.gpu_mask[task]
    if mask == 0:
        return -1
    gpu = problem.gpu_ptr[state.node[task]]
    while mask > 1:
        mask >>= 1
        gpu += 1
    return int(gpu)
