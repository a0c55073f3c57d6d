"""How long a task takes (MODEL.md, *Run time of a divisible task*)."""

from __future__ import annotations

from hybrid_ml_scheduler.core.workload import FloatArray
from hybrid_ml_scheduler.engine.compiled import compiled_inner
from hybrid_ml_scheduler.engine.state import KIND_DIVISIBLE, LAW_OVERLAP, LAW_SERIAL, MODE_KIND, MODE_LAW, Law, Problem


@compiled_inner
def regime_at(regime_start: FloatArray, time_s: float) -> int:
    """Return the number of the regime that holds at a time."""
    regime = 0
    for index in range(1, len(regime_start)):
        if time_s >= regime_start[index]:
            regime = index
    return regime


@compiled_inner
def cpu_seconds(problem: Problem, law: Law, task: int, node: int) -> float:
    """Return the time of the whole task on its CPU cores of a node, in seconds."""
    seconds = law.work[task] / problem.node_speed[node]
    if law.factor.shape[0] > 0:
        seconds *= law.factor[task, 0]
    return float(seconds)


@compiled_inner
def transfer_in_seconds(problem: Problem, task: int, gpu: int) -> float:
    """Return the time that the whole working set takes over a GPU's host link, in seconds."""
    return float(problem.mem_mb[task] / (16000.0 if problem.mode[MODE_LAW] == LAW_SERIAL else problem.gpu_link[gpu]))


@compiled_inner
def gpu_rate(problem: Problem, law: Law, task: int, gpu: int, regime: int) -> float:
    """Return the time of the whole task on a GPU without the launch, in seconds: transfer of the working set plus work."""
    c = problem.intensity[task]
    factor = law.factor[task, 1 + problem.gpu_model[gpu]] if law.factor.shape[0] > 0 else 1.0
    if problem.mode[MODE_LAW] == LAW_SERIAL:
        # The original system: d / (1 + 3 c) + mem / 16000, whatever the GPU.
        return float(law.work[task] / (1.0 + 3.0 * c) * factor + transfer_in_seconds(problem, task, gpu))
    work = law.work[task] * ((1.0 - c) + c / problem.gpu_speed[gpu])
    slow = law.slowdown[regime, problem.kind[task], problem.gpu_model[gpu]] * law.gpu_noise[task]
    return float(transfer_in_seconds(problem, task, gpu) + work * slow * factor)


@compiled_inner
def launch_seconds(problem: Problem, gpu: int) -> float:
    """Return the launch latency of a GPU, in seconds; the law ``serial`` has none."""
    return 0.0 if problem.mode[MODE_LAW] == LAW_SERIAL else float(problem.gpu_launch[gpu])


@compiled_inner
def part_times(problem: Problem, law: Law, task: int, node: int, gpu: int, fraction: float, regime: int) -> tuple[float, float]:
    """Return how long the CPU part and the GPU part take, in seconds; 0 for a part with share 0.

    Under the laws ``sum`` and ``serial`` the parts run one after the other, so both devices are held until the whole task ends: both numbers are
    then the total.
    """
    cpu_s = 0.0
    gpu_s = 0.0
    if fraction < 1.0:
        cpu_s = (1.0 - fraction) * cpu_seconds(problem, law, task, node)
    if fraction > 0.0:
        gpu_s = launch_seconds(problem, gpu) + fraction * gpu_rate(problem, law, task, gpu, regime)
    if problem.mode[MODE_LAW] != LAW_OVERLAP:
        total = cpu_s + gpu_s
        return (total if fraction < 1.0 else 0.0), (total if fraction > 0.0 else 0.0)
    return cpu_s, gpu_s


@compiled_inner
def best_fraction(problem: Problem, law: Law, task: int, node: int, gpu: int, regime: int) -> float:
    """Return the GPU fraction that ends this one task soonest.

    With overlapping parts the optimum equates ``(1 - f) a`` and ``launch + f b`` (cf. Qilin, Luk et al., MICRO 2009): ``f = (a - launch) /
    (a + b)``, and 0 when the CPU is done before a GPU could have launched. Without overlap time is linear in ``f``: an end is best.
    """
    a = cpu_seconds(problem, law, task, node)
    b = gpu_rate(problem, law, task, gpu, regime)
    if problem.mode[MODE_LAW] != LAW_OVERLAP:
        return 1.0 if launch_seconds(problem, gpu) + b < a else 0.0
    if a <= problem.gpu_launch[gpu]:
        return 0.0
    return float((a - problem.gpu_launch[gpu]) / (a + b))


@compiled_inner
def rigid_seconds(problem: Problem, law: Law, task: int, node: int) -> float:
    """Return the run time of a rigid task or of a task on an unrelated machine, in seconds."""
    if law.cost.shape[0] > 0:
        return float(law.cost[task, node])
    return float(law.work[task] / problem.node_speed[node])


@compiled_inner
def is_divisible(problem: Problem) -> bool:
    """Whether the tasks of this problem choose a GPU fraction."""
    return bool(problem.mode[MODE_KIND] == KIND_DIVISIBLE)
