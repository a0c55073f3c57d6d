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
    parents: tuple[tuple[int, float], ...] = ()  # row, and the megabytes it sends


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
    """Run divisible tasks on one node: the choice is made when a task is ready and kept; one that waits holds back only who wants what it lacks.

    The queue stands in the order of becoming ready; at one instant: by a parent's end, by the data of parents, by arrival. ``None``: never ran.
    """
    runs: list[Run | None] = [None] * len(tasks)
    ends: list[tuple[float, int, int]] = []  # (time, task, device) in the order of starts; device -1 is the CPU, others are GPUs
    data: list[tuple[float, int]] = []  # (time, task): data of parents under way
    choice: dict[int, tuple[float, int]] = {}
    coming, queue, load, now = list(range(len(tasks))), list[int](), [0.0] * len(node.gpus), -inf
    fresh: list[int] = []

    def arrive(some: list[int]) -> None:
        """Those whose parents have all ended are ready, or have their data under way."""
        for i in some:
            parents = [(runs[parent], mb) for parent, mb in tasks[i].parents]
            if all(run for run, _ in parents) and not {task for _, task, _ in ends} & {parent for parent, _ in tasks[i].parents}:
                there = max((_data_there(run, node, mb) for run, mb in parents if run), default=now)
                if there > now:
                    data.append((there, i))
                else:
                    fresh.append(i)

    while True:
        fresh.clear()
        for end in sorted((end for end in ends if end[0] <= now), key=lambda end: end[0]):
            ends.remove(end)
            load[end[2]] -= end[2] >= 0
            arrive([i for i, task in enumerate(tasks) if i not in coming and end[1] in dict(task.parents)])
        for moment in [moment for moment in data if moment[0] <= now]:
            data.remove(moment)
            fresh.append(moment[1])
        while coming and tasks[coming[0]].arrival_s <= now:
            arrive([coming.pop(0)])
        for i in fresh:
            chosen = _commit(tasks[i], node, policy, load)
            if chosen:
                choice[i] = chosen
                load[chosen[1]] += chosen[0] > 0
                queue.append(i)
        held: set[int] = set()  # devices that someone waits for
        for i in queue[:]:
            fraction, gpu = choice[i]
            on_cpu = [task for _, task, device in ends if device < 0]
            cores = node.cores - sum(tasks[k].cores for k in on_cpu)
            memory = node.memory_mb - sum(tasks[k].memory_mb for k in on_cpu)
            short = {-1} if fraction < 1 and (-1 in held or tasks[i].cores > cores or tasks[i].memory_mb > memory) else set()
            short |= {gpu} if fraction > 0 and (gpu in held or any(device == gpu for *_, device in ends)) else set()
            held |= short
            if not short:
                queue.remove(i)
                cpu_s, gpu_s = part_times(tasks[i], node, fraction, gpu)
                runs[i] = Run(now, now + cpu_s, now + gpu_s, gpu, fraction)
                ends += [(now + cpu_s, i, -1)] if fraction < 1 else []
                ends += [(now + gpu_s, i, gpu)] if fraction > 0 else []
        moments = [end[0] for end in ends] + [moment[0] for moment in data] + [tasks[i].arrival_s for i in coming]
        if not moments:
            return runs
        now = min(moments)


def _data_there(run: Run, node: Node, megabytes: float) -> float:
    """When the result of a run is in host memory: the part made on the GPU comes over its link."""
    return max(run.cpu_end_s, run.gpu_end_s) + (run.fraction * megabytes / node.gpus[run.gpu].link_mb_s if run.fraction > 0 else 0.0)
