"""The reference simulator's other half: divisible tasks on one node, under policies that commit to their choice on arrival."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple


class Gpu(NamedTuple):
    memory_mb: float
    speed: float
    link_mb_s: float
    launch_s: float


class Node(NamedTuple):
    cores: float
    memory_mb: float
    cpu_speed: float
    gpus: tuple[Gpu, ...]


class Divisible(NamedTuple):
    number: int
    arrival_s: float
    cores: float
    memory_mb: float
    intensity: float
    work_s: float
    slowdown: tuple[float, ...]  # the hidden factor on each GPU
    parents: tuple[int, ...] = ()


class Run(NamedTuple):
    start_s: float
    cpu_end_s: float
    gpu_end_s: float
    gpu: int
    fraction: float


def part_times(task: Divisible, node: Node, fraction: float, gpu: int) -> tuple[float, float]:
    """Time of the CPU part and of the GPU part (MODEL.md, *Run time of a divisible task*)."""
    device = node.gpus[gpu]
    work = task.work_s * ((1 - task.intensity) + task.intensity / device.speed) * task.slowdown[gpu]
    on_gpu = device.launch_s + fraction * (task.memory_mb / device.link_mb_s + work) if fraction > 0 else 0.0
    return (1 - fraction) * task.work_s / node.cpu_speed, on_gpu


def _commit(task: Divisible, node: Node, policy: str, load: Sequence[float]) -> tuple[float, int] | None:
    """Fraction and GPU that the policy keeps for this task; where that can never fit, the CPU alone, else a GPU alone."""
    by_load = sorted(range(len(node.gpus)), key=lambda g: (load[g], g))
    wishes = {
        "round_robin": [(0.5 if task.number % 2 == 0 else 0.0, task.number % len(node.gpus))],
        "greedy": [(task.intensity, g) for g in by_load],
        "gpu_only": [(1.0, g) for g in by_load],
        "cpu_only": [],
    }
    for fraction, gpu in [*wishes[policy], (0.0, 0), *((1.0, g) for g in by_load)]:
        on_cpu = fraction == 1 or (task.cores <= node.cores and task.memory_mb <= node.memory_mb)
        if on_cpu and (fraction == 0 or task.memory_mb <= node.gpus[gpu].memory_mb):
            return fraction, gpu
    return None


def divisible_runs(tasks: Sequence[Divisible], node: Node, policy: str) -> list[Run | None]:
    """Run divisible tasks on one node: the choice is made on arrival, and a waiting task holds back only those who want what it waits for."""
    runs: list[Run | None] = [None] * len(tasks)
    pending, queue = set(range(len(tasks))), list[int]()
    choice: dict[int, tuple[float, int]] = {}
    on_cpu, on_gpu = dict[int, float](), dict[int, float]()  # task: end of its part
    done, load, now = set[int](), [0.0] * len(node.gpus), -inf
    while True:
        for i in [i for i in on_cpu if on_cpu[i] <= now]:
            del on_cpu[i]
        for i in [i for i in on_gpu if on_gpu[i] <= now]:
            del on_gpu[i]
            load[choice[i][1]] -= 1
        done = {i for i, run in enumerate(runs) if run and i not in on_cpu and i not in on_gpu}
        for i in sorted(i for i in pending if tasks[i].arrival_s <= now and done.issuperset(tasks[i].parents)):
            pending.discard(i)
            chosen = _commit(tasks[i], node, policy, load)
            if chosen:
                choice[i] = chosen
                load[chosen[1]] += chosen[0] > 0
                queue.append(i)
        held: set[int] = set()  # devices that someone waits for: -1 is the CPU with the host's memory, others are GPUs
        for i in queue[:]:
            fraction, gpu = choice[i]
            cores = node.cores - sum(tasks[k].cores for k in on_cpu)
            memory = node.memory_mb - sum(tasks[k].memory_mb for k in on_cpu)
            short = {-1} if fraction < 1 and (-1 in held or tasks[i].cores > cores or tasks[i].memory_mb > memory) else set()
            if fraction > 0 and (gpu in held or any(choice[k][1] == gpu for k in on_gpu)):
                short.add(gpu)
            held |= short
            if not short:
                queue.remove(i)
                cpu_s, gpu_s = part_times(tasks[i], node, fraction, gpu)
                runs[i] = Run(now, now + cpu_s, now + gpu_s, gpu, fraction)
                on_cpu.update({i: now + cpu_s} if fraction < 1 else {})
                on_gpu.update({i: now + gpu_s} if fraction > 0 else {})
        moments = [*on_cpu.values(), *on_gpu.values(), *(tasks[i].arrival_s for i in pending if tasks[i].arrival_s > now)]
        if not moments:
            return runs
        now = min(moments)
