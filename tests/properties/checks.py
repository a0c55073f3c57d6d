"""What holds for every schedule (MODEL.md, *Always true*), checked in plain Python from the schedule alone."""

from __future__ import annotations

from collections import Counter

import numpy as np

from hybrid_ml_scheduler.core.cluster import ClusterKind
from hybrid_ml_scheduler.core.decision import Schedule, TaskStatus
from hybrid_ml_scheduler.core.workload import Workload, WorkloadKind
from properties.strategies import Case

FULL_SHARE = 1000


def parents_of(workload: Workload, task: int) -> list[tuple[int, int]]:
    """Row and edge number of every parent of a task."""
    pointer = workload.tasks.parent_ptr
    return [(int(workload.tasks.parent_idx[edge]), edge) for edge in range(pointer[task], pointer[task + 1])]


def gpus_of(schedule: Schedule, task: int) -> list[int]:
    """Numbers of the GPUs, within the node, that a task held."""
    return [k for k in range(62) if int(schedule.gpu_mask[task]) >> k & 1]


def fits_empty(case: Case, task: int) -> bool:
    """Whether the task would fit this cluster if nothing else ran."""
    workload, cluster = case
    tasks = workload.tasks
    if workload.kind == WorkloadKind.MACHINES:
        return True
    for node in cluster.nodes:
        on_cpu = tasks.cores_milli[task] <= node.cores_milli and tasks.memory_mb[task] <= node.memory_mb
        if workload.kind == WorkloadKind.DIVISIBLE:
            if on_cpu or any(tasks.memory_mb[task] <= gpu.memory_mb for gpu in node.gpus):
                return True
        elif on_cpu and tasks.gpus[task] <= len(node.gpus):
            return True
    return False


def check_fate(case: Case, schedule: Schedule) -> None:
    """Each task is finished exactly once, or rejected exactly when it cannot fit, or misses the data of one that was."""
    workload = case.workload
    n = len(workload)
    started = schedule.decision_order.tolist()
    assert all(count == 1 for count in Counter(started).values()), "a task was started twice"
    # Parents stand before children in every random workload, so one pass sees all ancestors.
    expected = [TaskStatus.FINISHED] * n
    for task in range(n):
        if not fits_empty(case, task):
            expected[task] = TaskStatus.REJECTED
        elif any(expected[parent] != TaskStatus.FINISHED for parent, _ in parents_of(workload, task)):
            expected[task] = TaskStatus.ORPHANED
    assert [TaskStatus(code) for code in schedule.status] == expected
    ran = [task for task in range(n) if expected[task] == TaskStatus.FINISHED]
    assert sorted(started) == ran
    for column in (schedule.start_s, schedule.finish_s):
        assert np.flatnonzero(~np.isnan(column)).tolist() == ran
    assert np.flatnonzero(schedule.node >= 0).tolist() == ran


def data_there_s(case: Case, schedule: Schedule, parent: int, task: int, edge: int) -> float:
    """When the data of an edge is where the task ran: over the host link for the part made on a GPU, and between two nodes."""
    workload, cluster = case
    tasks, node = workload.tasks, cluster.nodes[int(schedule.node[parent])]
    megabytes = float(tasks.edge_mb[edge])
    seconds = float(schedule.finish_s[parent])
    if workload.kind == WorkloadKind.DIVISIBLE and schedule.fraction[parent] > 0:
        gpu = node.gpus[gpus_of(schedule, parent)[0]]
        seconds += float(schedule.fraction[parent]) * megabytes / (gpu.link_gb_s * 1000)
    if schedule.node[parent] != schedule.node[task]:
        seconds += float(tasks.edge_s[edge])
        if megabytes > 0:
            seconds += cluster.network_latency_s + megabytes / (cluster.network_gb_s * 1000)
    return seconds


def check_order(case: Case, schedule: Schedule) -> None:
    """No task starts before its arrival, nor before the data of its parents is where it runs; time never runs backwards."""
    workload = case.workload
    starts = schedule.start_s[schedule.decision_order]
    assert (np.diff(starts) >= 0).all()
    for task in schedule.decision_order.tolist():
        assert schedule.start_s[task] >= schedule.ready_s[task] >= workload.tasks.arrival_s[task]
        assert parents_of(workload, task) or schedule.ready_s[task] == workload.tasks.arrival_s[task]
        for parent, edge in parents_of(workload, task):
            there = data_there_s(case, schedule, parent, task, edge)
            assert schedule.start_s[task] >= there - 1e-9, f"task {task} started before the data of task {parent} was there"


def law_parts(case: Case, schedule: Schedule, task: int) -> tuple[float, float]:
    """CPU time and GPU time of a divisible task as it was run (MODEL.md, *Run time of a divisible task*)."""
    workload, cluster = case
    tasks, truth = workload.tasks, workload.truth
    node, fraction, w = cluster.nodes[int(schedule.node[task])], float(schedule.fraction[task]), float(truth.work_s[task])
    on_cpu = (1 - fraction) * w / node.cpu_speed
    if fraction == 0:
        return on_cpu, 0.0
    gpu = node.gpus[gpus_of(schedule, task)[0]]
    c, b = float(tasks.compute_intensity[task]), float(tasks.memory_mb[task])
    if workload.law == "serial":
        return on_cpu, fraction * (w / (1 + 3 * c) + b / 16000)
    factor = 1.0 if truth.gpu_noise is None else float(truth.gpu_noise[task])
    if truth.slowdown is not None:
        regime = sum(1 for begin in truth.regime_start_s if begin <= schedule.start_s[task]) - 1
        factor *= float(truth.slowdown[regime, tasks.kind[task], truth.gpu_models.index(gpu.model)])
    return on_cpu, gpu.launch_s + fraction * (b / (gpu.link_gb_s * 1000) + w * ((1 - c) + c / gpu.speed) * factor)


def check_run_times(case: Case, schedule: Schedule) -> None:
    """Every task ran as long as the law says, and freed its devices when the law says."""
    workload, cluster = case
    for task in schedule.decision_order.tolist():
        start, finish = float(schedule.start_s[task]), float(schedule.finish_s[task])
        if workload.kind == WorkloadKind.MACHINES:
            assert finish == start + workload.truth.cost_s[task, schedule.node[task]]
        elif workload.kind == WorkloadKind.RIGID:
            assert finish == start + workload.truth.work_s[task] / cluster.nodes[int(schedule.node[task])].cpu_speed
        else:
            cpu_s, gpu_s = law_parts(case, schedule, task)
            overlap = workload.law == "overlap"
            assert np.isclose(finish, start + (max(cpu_s, gpu_s) if overlap else cpu_s + gpu_s), rtol=1e-12, atol=1e-12)
            fraction = float(schedule.fraction[task])
            assert 0 <= fraction <= 1
            assert np.isnan(schedule.cpu_end_s[task]) == (fraction == 1), "a part with share 0 holds nothing"
            assert np.isnan(schedule.gpu_end_s[task]) == (fraction == 0), "a part with share 0 holds nothing"
            if overlap and fraction < 1:
                assert np.isclose(schedule.cpu_end_s[task], start + cpu_s, rtol=1e-12, atol=1e-12)
            if overlap and fraction > 0:
                assert np.isclose(schedule.gpu_end_s[task], start + gpu_s, rtol=1e-12, atol=1e-12)


def demands(case: Case, schedule: Schedule, task: int) -> list[tuple[tuple[str, int, int], float, float]]:
    """What a task held: (kind of device, node, number), amount, and until when."""
    workload, cluster = case
    tasks, node = workload.tasks, int(schedule.node[task])
    if cluster.kind == ClusterKind.MACHINES:
        return [(("machine", node, 0), 1, float(schedule.finish_s[task]))]
    held: list[tuple[tuple[str, int, int], float, float]] = []
    divisible = workload.kind == WorkloadKind.DIVISIBLE
    if not divisible or schedule.fraction[task] < 1:
        until = float(schedule.cpu_end_s[task] if divisible else schedule.finish_s[task])
        held.append((("cores", node, 0), int(tasks.cores_milli[task]), until))
        held.append((("memory", node, 0), float(tasks.memory_mb[task]), until))
    gpus = gpus_of(schedule, task)
    wanted = (1 if schedule.fraction[task] > 0 else 0) if divisible else int(tasks.gpus[task])
    assert len(gpus) == wanted, f"task {task} holds {len(gpus)} GPUs instead of {wanted}"
    for gpu in gpus:
        until = float(schedule.gpu_end_s[task] if divisible else schedule.finish_s[task])
        held.append((("gpu", node, gpu), FULL_SHARE if divisible else int(tasks.gpu_share_milli[task]), until))
        if divisible:
            held.append((("gpu memory", node, gpu), float(tasks.memory_mb[task]), until))
    return held


def check_capacity(case: Case, schedule: Schedule) -> None:
    """No device is above 100 % at any instant. Use grows only when a task starts, so the moments of starts are all that matter."""
    cluster = case.cluster
    capacity: dict[tuple[str, int, int], float] = {}
    for number, node in enumerate(cluster.nodes):
        capacity |= {("cores", number, 0): node.cores_milli, ("memory", number, 0): node.memory_mb, ("machine", number, 0): 1}
        for k, gpu in enumerate(node.gpus):
            capacity |= {("gpu", number, k): FULL_SHARE, ("gpu memory", number, k): gpu.memory_mb}
    held: list[tuple[tuple[str, int, int], float, float]] = []
    for task in schedule.decision_order.tolist():
        held = [entry for entry in held if entry[2] > schedule.start_s[task]]
        held += demands(case, schedule, task)
        used: Counter[tuple[str, int, int]] = Counter()
        for device, amount, _ in held:
            used[device] += amount
        over = {device: amount for device, amount in used.items() if amount > capacity[device]}
        assert not over, f"when task {task} started, more was held than there is: {over}"


def check_never_idle(case: Case, schedule: Schedule) -> None:
    """A cluster that is wholly empty never keeps a ready task waiting. Says nothing of data under way between nodes."""
    ran = schedule.decision_order.tolist()
    if case.workload.tasks.has_edges and len(case.cluster.nodes) > 1:
        return
    for moment in {float(schedule.finish_s[task]) for task in ran} | {float(schedule.ready_s[task]) for task in ran}:
        busy = [task for task in ran if schedule.start_s[task] <= moment < schedule.finish_s[task]]
        waiting = [task for task in ran if schedule.ready_s[task] <= moment < schedule.start_s[task]]
        assert busy or not waiting, f"tasks {waiting} wait at {moment} while nothing runs"


def check_always_true(case: Case, schedule: Schedule) -> None:
    """All of the above."""
    check_fate(case, schedule)
    check_order(case, schedule)
    check_run_times(case, schedule)
    check_capacity(case, schedule)
