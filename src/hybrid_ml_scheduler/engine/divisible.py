"""Divisible tasks: which GPU, which fraction, and who waits for what (MODEL.md, *Queue discipline*).

There is one queue. At every event the policy goes through it in its order; a task whose choice is free now starts, any other waits and holds back
only tasks that want a device it waits for. Either the choice is made when a task becomes ready and kept (``commit``), or it is made anew at every
event from the times at which devices are expected to be free, tasks ahead in the queue included.

Expected times come from a `Law` that the caller hands in: nominal times for a rule, the truth for a clairvoyant policy, predictions for a learned
one.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_call, compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.events import advance, data_ready, next_event_s, start_task
from hybrid_ml_scheduler.engine.law import best_fraction, cpu_seconds, part_times, regime_at
from hybrid_ml_scheduler.engine.state import LAW_SERIAL, MODE_LAW, N_RUNNING, QUEUE_SIZE, Law, Problem, State


class Placement(IntEnum):
    """Codes of placement for divisible tasks."""

    FIRST_FIT = 0
    """The first option that is free now, else the first one."""
    ROUND_ROBIN = 1
    """GPU number ``task id mod number of GPUs``."""
    RANDOM = 2
    """A random GPU."""
    LEAST_LOADED = 3
    """The GPU with the fewest tasks given to it and not yet done there."""
    MET = 4
    """Least run time, however busy the device."""
    MCT = 5
    """Earliest completion."""
    ENERGY_AWARE = 6
    """Least product of energy and response time."""
    PRICED = 7
    """Completion plus the price of the device time held."""
    MIN_MIN = 8
    MAX_MIN = 9
    SUFFERAGE = 10


class Split(IntEnum):
    """Codes of the fractions that a divisible task may take."""

    WHOLE = 0
    """CPU alone or GPU alone."""
    CPU_ONLY = 1
    GPU_ONLY = 2
    INTENSITY = 3
    """The compute intensity."""
    ALTERNATE = 4
    """One half for even ids, the CPU alone for odd ones."""
    UNIFORM = 5
    """Uniformly random."""
    QILIN = 6
    """Where two straight lines, fitted per kind of task, cross."""
    EXACT = 7
    """The fraction that ends this task soonest by its expected times."""
    ANY = 8
    """CPU alone, the exact fraction, or GPU alone."""


_FIRST_FIT, _ROUND_ROBIN, _RANDOM, _LEAST_LOADED = (
    int(code) for code in (Placement.FIRST_FIT, Placement.ROUND_ROBIN, Placement.RANDOM, Placement.LEAST_LOADED)
)
_MET, _MCT, _ENERGY_AWARE, _PRICED = (int(code) for code in (Placement.MET, Placement.MCT, Placement.ENERGY_AWARE, Placement.PRICED))
_MIN_MIN, _MAX_MIN, _SUFFERAGE = (int(code) for code in (Placement.MIN_MIN, Placement.MAX_MIN, Placement.SUFFERAGE))
_WHOLE, _CPU_ONLY, _GPU_ONLY, _INTENSITY = (int(code) for code in (Split.WHOLE, Split.CPU_ONLY, Split.GPU_ONLY, Split.INTENSITY))
_ALTERNATE, _UNIFORM, _QILIN, _EXACT, _ANY = (int(code) for code in (Split.ALTERNATE, Split.UNIFORM, Split.QILIN, Split.EXACT, Split.ANY))

# Positions in Rule.params (priced placement and its order).
CPU_PRICE, CPU_PRICE_QUEUED, GPU_PRICE, GPU_PRICE_QUEUED, SPEED_EXPONENT, QUEUE_EXPONENT, ORDER_HELD, AGEING, SPLIT_PRICE = range(9)
N_PARAMS = 9
# Learned policies have more: what a joule costs in seconds, and the share of tasks that try a random option.
ENERGY_PRICE, EXPLORATION = 9, 10
N_LEARNED_PARAMS = 11


class Rule(NamedTuple):
    """A policy for divisible tasks, as codes and arrays.

    Attributes
    ----------
    placement, split, commit : int
        `Placement` and `Split` codes; ``commit`` is 1 if the choice is made once.
    key : ndarray of float64, shape (n_tasks,)
        Order of the queue, smallest first; equal keys in the order of becoming ready.
    priced_order : int
        1 if the queue is re-ordered at every event by the priced rule's own key.
    params : ndarray of float64, shape (N_PARAMS,) or (N_LEARNED_PARAMS,)
        Of priced placement.
    draw : ndarray of float64, shape (n_tasks, 2)
        Uniform numbers of each task: for the GPU and for the fraction.
    qilin : ndarray of float64, shape (n_kinds, n_gpus, 4)
        Lines ``a + b size`` of CPU and GPU time: (cpu a, cpu b, gpu a, gpu b).
    held_w : ndarray of float64, shape (n_nodes + n_gpus,)
        Watts drawn more when busy than when idle: of one core of each node, then of each GPU.
    task_id : ndarray of int64, shape (n_tasks,)
        Identifiers, for rules that count.
    """

    placement: int
    split: int
    commit: int
    key: FloatArray
    priced_order: int
    params: FloatArray
    draw: FloatArray
    qilin: FloatArray
    held_w: FloatArray
    task_id: IntArray


class Desk(NamedTuple):
    """Scratch and memory of a run: choices, expected ends, and the expected free times of cores and GPUs at the present event.

    For an explanation one task can be watched: ``watch``, ``options`` (node, GPU or -1, fraction, score per row) and ``order_key`` then hold what was
    considered when it was last chosen for, which is when it started.
    """

    choice_node: IntArray
    choice_gpu: IntArray
    choice_fraction: FloatArray
    expected_cpu_end: FloatArray
    expected_gpu_end: FloatArray
    core_ptr: IntArray
    core_free_at: FloatArray
    gpu_free_at: FloatArray
    gpu_tasks: IntArray
    cpu_held: NDArray[np.bool_]
    gpu_held: NDArray[np.bool_]
    score: FloatArray
    second: FloatArray
    behind: IntArray
    watch: IntArray
    options: FloatArray
    order_key: FloatArray


# Positions in Desk.watch: the task whose last choice is kept in `Desk.options` (-1 for none), how many options it had, the queue's length, how many
# tasks stood before it, and the first of these.
WATCHED, N_OPTIONS, QUEUE_LENGTH, N_AHEAD, FIRST_AHEAD = range(5)
MAX_OPTIONS, MAX_AHEAD = 4096, 10


def build_desk(problem: Problem) -> Desk:
    """Allocate a desk."""
    n_tasks = len(problem.arrival)
    n_nodes, n_gpus = len(problem.node_cores), len(problem.gpu_node)
    cores = -(-problem.node_cores // 1000)
    return Desk(
        choice_node=np.full(n_tasks, -1, dtype=np.int64),
        choice_gpu=np.full(n_tasks, -1, dtype=np.int64),
        choice_fraction=np.zeros(n_tasks),
        expected_cpu_end=np.zeros(n_tasks),
        expected_gpu_end=np.zeros(n_tasks),
        core_ptr=np.concatenate(([0], np.cumsum(cores))).astype(np.int64),
        core_free_at=np.zeros(int(cores.sum())),
        gpu_free_at=np.zeros(n_gpus),
        gpu_tasks=np.zeros(n_gpus, dtype=np.int64),
        cpu_held=np.zeros(n_nodes, dtype=np.bool_),
        gpu_held=np.zeros(n_gpus, dtype=np.bool_),
        score=np.zeros(n_tasks),
        second=np.zeros(n_tasks),
        behind=np.zeros(2, dtype=np.int64),
        watch=np.full(FIRST_AHEAD + MAX_AHEAD, -1, dtype=np.int64),
        options=np.zeros((min(MAX_OPTIONS, 2 * n_gpus + n_nodes), 4)),
        order_key=np.full(1, np.nan),
    )


def busy_watts(cluster: Cluster) -> FloatArray:
    """Return the watts drawn more when busy than when idle: of one core of each node, then of each GPU; NaN where nobody knows."""
    columns = cluster.columns()
    return np.concatenate([columns.node_core_busy_w - columns.node_core_idle_w, columns.gpu_busy_w - columns.gpu_idle_w])


def shortest_times(problem: Problem, expected: Law) -> FloatArray:
    """Return the expected time of every task on the device that suits it best, CPU alone or GPU alone.

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
        Seconds; infinite for a task that fits nowhere.
    """
    shortest = np.full(len(problem.arrival), np.inf)
    _fill_shortest(problem, expected, shortest)
    return shortest


@compiled_inner
def _cpu_allows(problem: Problem, task: int, node: int) -> bool:
    return bool(problem.cores[task] <= problem.node_cores[node] and problem.mem[task] <= problem.node_mem[node])


@compiled_entry
def _fill_shortest(problem: Problem, expected: Law, shortest: FloatArray) -> None:
    for task in range(len(shortest)):
        for node in range(len(problem.node_cores)):
            if _cpu_allows(problem, task, node):
                shortest[task] = min(shortest[task], cpu_seconds(problem, expected, task, node))
            for gpu in range(problem.gpu_ptr[node], problem.gpu_ptr[node + 1]):
                if problem.gpu_mem[gpu] >= problem.mem[task]:
                    shortest[task] = min(shortest[task], part_times(problem, expected, task, node, gpu, 1.0, 0)[1])


@compiled_inner
def _cores_of(problem: Problem, desk: Desk, task: int, node: int) -> int:
    """Whole cores that a task takes of a node, at most all of them."""
    return int(min((problem.cores[task] + 999) // 1000, desk.core_ptr[node + 1] - desk.core_ptr[node]))


@compiled_inner
def _occupy_cores(desk: Desk, node: int, cores: int, until_s: float) -> None:
    """Give the ``cores`` cores that are free first to somebody until a time; the free times stay sorted."""
    first, last = desk.core_ptr[node], desk.core_ptr[node + 1]
    free_at = desk.core_free_at
    for place in range(first, last - cores):
        if free_at[place + cores] >= until_s:
            for fill in range(place, place + cores):
                free_at[fill] = until_s
            return
        free_at[place] = free_at[place + cores]
    for fill in range(last - cores, last):
        free_at[fill] = until_s


@compiled_call
def _look_ahead(problem: Problem, state: State, desk: Desk) -> None:
    """Write down when every core and GPU is expected to be free of the running tasks, sorted per node."""
    now = state.clock[0]
    desk.core_free_at[:] = now
    desk.gpu_free_at[:] = now
    for position in range(state.counters[N_RUNNING]):
        task = state.running[position]
        if state.cpu_end[task] > now:
            node = state.node[task]
            until = max(desk.expected_cpu_end[task], now)
            cores = _cores_of(problem, desk, task, node)
            _insert_busy(desk, node, cores, until, now)
        if state.gpu_end[task] > now:
            desk.gpu_free_at[desk.choice_gpu[task]] = max(desk.expected_gpu_end[task], now)


@compiled_inner
def _insert_busy(desk: Desk, node: int, cores: int, until_s: float, now: float) -> None:
    """Turn ``cores`` cores that are free now into busy ones, keeping the node's free times sorted."""
    first, last = desk.core_ptr[node], desk.core_ptr[node + 1]
    free_at = desk.core_free_at
    place = first
    while place + cores < last and free_at[place + cores] <= until_s:
        free_at[place] = free_at[place + cores]
        place += 1
    for fill in range(place, place + cores):
        free_at[fill] = until_s


@compiled_inner
def _cpu_wait(problem: Problem, state: State, desk: Desk, task: int, node: int) -> float:
    """When a node's cores are expected to be there for a task: now if they are free and nobody ahead waits for them."""
    now = state.clock[0]
    if state.free_cores[node] >= problem.cores[task] and state.free_mem[node] >= problem.mem[task] and not desk.cpu_held[node]:
        return float(now)
    cores = _cores_of(problem, desk, task, node)
    return float(max(now, desk.core_free_at[desk.core_ptr[node] + cores - 1])) if cores > 0 else float(now)


@compiled_inner
def _gpu_wait(state: State, desk: Desk, gpu: int) -> float:
    """When a GPU is expected to be there for a task."""
    now = state.clock[0]
    if state.gpu_free[gpu] == 1000 and not desk.gpu_held[gpu]:
        return float(now)
    return float(max(now, desk.gpu_free_at[gpu]))


@compiled_inner
def _fraction(problem: Problem, expected: Law, rule: Rule, task: int, node: int, gpu: int, regime: int, attempt: int) -> float:
    """Return the ``attempt``-th fraction above 0 that the split allows on a GPU, or -1 for none."""
    split = rule.split
    if split == _ANY:
        if attempt == 0:
            return 1.0
        if attempt == 1:
            best = best_fraction(problem, expected, task, node, gpu, regime)
            return best if 0.0 < best < 1.0 else -1.0
        return -1.0
    if attempt > 0:
        return -1.0
    if split in (_WHOLE, _GPU_ONLY):
        return 1.0
    if split == _INTENSITY:
        return float(problem.intensity[task])
    if split == _ALTERNATE:
        return 0.5 if rule.task_id[task] % 2 == 0 else 0.0
    if split == _UNIFORM:
        return float(rule.draw[task, 1])
    if split == _EXACT:
        return best_fraction(problem, expected, task, node, gpu, regime)
    if split == _QILIN:
        kind = problem.kind[task]
        cpu_s = rule.qilin[kind, gpu, 0] + rule.qilin[kind, gpu, 1] * problem.size[task]
        offset = rule.qilin[kind, gpu, 2]
        gpu_s = rule.qilin[kind, gpu, 3] * problem.size[task]
        return float(min(max((cpu_s - offset) / max(cpu_s + gpu_s, 1e-12), 0.0), 1.0))
    return 0.0


@compiled_inner
def _gpu_value(problem: Problem, rule: Rule, gpu: int) -> float:
    """Return what a second of a GPU is worth beside the others: a power of its speed, where the run-time law knows speeds."""
    if problem.mode[MODE_LAW] == LAW_SERIAL:
        return 1.0
    return float((problem.gpu_speed[gpu] / 10.0) ** rule.params[SPEED_EXPONENT])


@compiled_inner
def _pressure(desk: Desk, exponent: float, devices: int) -> float:
    """Return the number of waiting tasks behind the present one, per device, to a power."""
    return float((max(desk.behind[0] - desk.behind[1], 0) / devices) ** exponent)


@compiled_inner
def _busy_joules(problem: Problem, rule: Rule, task: int, node: int, gpu: int, fraction: float, cpu_s: float, gpu_s: float) -> float:
    """Return what an option draws beyond idle devices, in joules."""
    joules = rule.held_w[node] * problem.cores[task] / 1000.0 * cpu_s
    if fraction > 0.0:
        joules += rule.held_w[len(problem.node_cores) + gpu] * gpu_s
    return float(joules)


@compiled_inner
def explores(rule: Rule, task: int) -> bool:
    """Whether a learned policy tries a random option for a task; drawn before the run."""
    return bool(len(rule.params) > N_PARAMS and rule.draw[task, 0] < rule.params[EXPLORATION])


@compiled_inner
def _lot(draw: float, gpu: int, fraction: float) -> float:
    """Return a number from 0 to 1 that belongs to a task's draw and an option: the smallest one wins, the same at every event."""
    option = 3 * (gpu + 1) + (0 if fraction == 0.0 else 2 if fraction == 1.0 else 1)
    # A congruential step, then a square, which no fixed shift between options survives; all products stay below 2^63.
    mixed = (int(draw * 2147483647.0) * 48271 + (option + 1) * 69621) % 2147483647
    mixed = (mixed * mixed) % 2147483647
    mixed = (mixed * 16807) % 2147483647
    return mixed / 2147483647.0


@compiled_inner
def _score(
    problem: Problem, state: State, rule: Rule, desk: Desk, task: int, node: int, gpu: int, fraction: float, cpu_s: float, gpu_s: float
) -> float:
    """Return the score of an option; the smallest is chosen."""
    now = state.clock[0]
    start = now
    if fraction < 1.0:
        start = max(start, _cpu_wait(problem, state, desk, task, node))
    if fraction > 0.0:
        start = max(start, _gpu_wait(state, desk, gpu))
    run = max(cpu_s, gpu_s)
    placement = rule.placement
    if placement == _MET:
        return float(run)
    finish = start + run
    if placement == _ENERGY_AWARE:
        energy = _busy_joules(problem, rule, task, node, gpu, fraction, cpu_s, gpu_s)
        return float(energy * (finish - problem.arrival[task]))
    if placement == _FIRST_FIT:
        return 0.0 if start <= now else 1.0
    if placement != _PRICED:
        return float(finish)
    params = rule.params
    if explores(rule, task):
        return _lot(rule.draw[task, 1], gpu, fraction)
    devices = len(problem.gpu_node) + len(problem.node_cores)
    pressure = _pressure(desk, params[QUEUE_EXPONENT], devices)
    total = finish - now
    if fraction < 1.0:
        total += (params[CPU_PRICE] + params[CPU_PRICE_QUEUED] * pressure) * cpu_s * problem.cores[task] / 1000.0
    if fraction > 0.0:
        value = _gpu_value(problem, rule, gpu)
        total += (params[GPU_PRICE] + params[GPU_PRICE_QUEUED] * pressure) * value * gpu_s
        if fraction < 1.0:
            total += params[SPLIT_PRICE] * run
    if len(params) > N_PARAMS and params[ENERGY_PRICE] > 0.0:
        total += params[ENERGY_PRICE] * _busy_joules(problem, rule, task, node, gpu, fraction, cpu_s, gpu_s)
    return float(total)


@compiled_inner
def _preferred_gpu(problem: Problem, rule: Rule, desk: Desk, task: int) -> int:
    """Return the one GPU that a rule names before looking at times; -1 if it looks at all of them."""
    n_gpus = len(problem.gpu_node)
    if n_gpus == 0:
        return -1
    if rule.placement == _ROUND_ROBIN:
        return int(rule.task_id[task] % n_gpus)
    if rule.placement == _RANDOM:
        fitting = 0
        for gpu in range(n_gpus):
            fitting += 1 if problem.gpu_mem[gpu] >= problem.mem[task] else 0
        wanted = int(rule.draw[task, 0] * fitting)
        for gpu in range(n_gpus):
            if problem.gpu_mem[gpu] >= problem.mem[task]:
                if wanted == 0:
                    return gpu
                wanted -= 1
        return -1
    if rule.placement == _LEAST_LOADED:
        best = -1
        for gpu in range(n_gpus):
            if problem.gpu_mem[gpu] >= problem.mem[task] and (best < 0 or desk.gpu_tasks[gpu] < desk.gpu_tasks[best]):
                best = gpu
        return best
    return -1


@compiled_inner
def _names_gpu(rule: Rule) -> bool:
    return rule.placement in (_ROUND_ROBIN, _RANDOM, _LEAST_LOADED)


@compiled_inner
def _keep_option(desk: Desk, task: int, node: int, gpu: int, fraction: float, score: float) -> None:
    """Keep an option of the watched task."""
    number = desk.watch[N_OPTIONS]
    if task == desk.watch[WATCHED] and number < len(desk.options):
        desk.options[number, 0] = node
        desk.options[number, 1] = gpu
        desk.options[number, 2] = fraction
        desk.options[number, 3] = score
        desk.watch[N_OPTIONS] = number + 1


@compiled_call
def _choose(problem: Problem, expected: Law, state: State, rule: Rule, desk: Desk, task: int, regime: int) -> float:
    """Write down the best option of a task and return its score; ``desk.second`` gets the runner-up's."""
    best = np.inf
    second = np.inf
    best_node, best_gpu, best_fraction_ = -1, -1, 0.0
    named = _preferred_gpu(problem, rule, desk, task)
    if task == desk.watch[WATCHED]:
        desk.watch[N_OPTIONS] = 0
    n_nodes = len(problem.node_cores)
    if rule.split != _CPU_ONLY:
        for node in range(n_nodes):
            for gpu in range(problem.gpu_ptr[node], problem.gpu_ptr[node + 1]):
                if (_names_gpu(rule) and gpu != named) or problem.gpu_mem[gpu] < problem.mem[task]:
                    continue
                attempt = 0
                while True:
                    fraction = _fraction(problem, expected, rule, task, node, gpu, regime, attempt)
                    if fraction < 0.0:
                        break
                    attempt += 1
                    if fraction == 0.0 or (fraction < 1.0 and not _cpu_allows(problem, task, node)):
                        continue
                    cpu_s, gpu_s = part_times(problem, expected, task, node, gpu, fraction, regime)
                    score = _score(problem, state, rule, desk, task, node, gpu, fraction, cpu_s, gpu_s)
                    _keep_option(desk, task, node, gpu, fraction, score)
                    if score < best or best_node < 0:
                        second = best
                        best, best_node, best_gpu, best_fraction_ = score, node, gpu, fraction
                    elif score < second:
                        second = score
    if rule.split in (_WHOLE, _CPU_ONLY, _ANY) or best_node < 0:
        for node in range(n_nodes):
            if _cpu_allows(problem, task, node):
                cpu_s = cpu_seconds(problem, expected, task, node)
                score = _score(problem, state, rule, desk, task, node, -1, 0.0, cpu_s, 0.0)
                _keep_option(desk, task, node, -1, 0.0, score)
                if score < best or best_node < 0:
                    second = best
                    best, best_node, best_gpu, best_fraction_ = score, node, -1, 0.0
                elif score < second:
                    second = score
    if best_node < 0:
        # Too large for every CPU: whichever GPU has the room, least loaded first.
        for gpu in range(len(problem.gpu_node)):
            if problem.gpu_mem[gpu] >= problem.mem[task] and (best_gpu < 0 or desk.gpu_tasks[gpu] < desk.gpu_tasks[best_gpu]):
                best_gpu = gpu
        best_node, best_fraction_ = problem.gpu_node[best_gpu], 1.0
        best = 0.0
        _keep_option(desk, task, best_node, best_gpu, 1.0, best)
    desk.choice_node[task] = best_node
    desk.choice_gpu[task] = best_gpu
    desk.choice_fraction[task] = best_fraction_
    desk.score[task] = best
    desk.second[task] = second
    return float(best)


@compiled_call
def _count_gpu_tasks(state: State, desk: Desk) -> None:
    """Count for every GPU the tasks given to it that have not left it yet."""
    now = state.clock[0]
    desk.gpu_tasks[:] = 0
    for position in range(state.counters[QUEUE_SIZE]):
        task = state.queue[position]
        if desk.choice_fraction[task] > 0.0:
            desk.gpu_tasks[desk.choice_gpu[task]] += 1
    for position in range(state.counters[N_RUNNING]):
        task = state.running[position]
        if state.gpu_end[task] > now:
            desk.gpu_tasks[desk.choice_gpu[task]] += 1


@compiled_call
def _admit(problem: Problem, expected: Law, state: State, rule: Rule, desk: Desk, known: int, regime: int) -> None:
    """Bring tasks that came since the last event to their place in the order; committing rules choose for them now."""
    queue = state.queue
    arrived = state.counters[QUEUE_SIZE]
    if rule.commit and arrived > known:
        state.counters[QUEUE_SIZE] = known
        _count_gpu_tasks(state, desk)
    for position in range(known, arrived):
        task = queue[position]
        if rule.commit:
            _choose(problem, expected, state, rule, desk, task, regime)
            if desk.choice_fraction[task] > 0.0:
                desk.gpu_tasks[desk.choice_gpu[task]] += 1
        place = position
        while place > 0 and rule.key[queue[place - 1]] > rule.key[task]:
            queue[place] = queue[place - 1]
            place -= 1
        queue[place] = task
    state.counters[QUEUE_SIZE] = arrived


@compiled_inner
def _priced_key(problem: Problem, expected: Law, state: State, rule: Rule, task: int, regime: int) -> float:
    """Order of the priced rule: shortest expected run first, blended with the device time held, less with age."""
    least = np.inf
    held = np.inf
    for node in range(len(problem.node_cores)):
        if _cpu_allows(problem, task, node):
            cpu_s = cpu_seconds(problem, expected, task, node)
            least = min(least, cpu_s)
            held = min(held, cpu_s * problem.cores[task] / 1000.0 * max(rule.params[CPU_PRICE], 1e-9))
        for gpu in range(problem.gpu_ptr[node], problem.gpu_ptr[node + 1]):
            if problem.gpu_mem[gpu] >= problem.mem[task]:
                _, gpu_s = part_times(problem, expected, task, node, gpu, 1.0, regime)
                least = min(least, gpu_s)
                value = _gpu_value(problem, rule, gpu)
                held = min(held, gpu_s * value * max(rule.params[GPU_PRICE], 1e-9))
    theta = rule.params[ORDER_HELD]
    waited = state.clock[0] - problem.arrival[task]
    return float(max(least, 1e-9) ** (1.0 - theta) * max(held, 1e-9) ** theta / (1.0 + rule.params[AGEING] * waited))


@compiled_call
def _reorder(problem: Problem, expected: Law, state: State, rule: Rule, desk: Desk, regime: int) -> None:
    """Sort the queue by the priced key; it changes little from event to event, so insertion is cheap."""
    queue = state.queue
    for position in range(state.counters[QUEUE_SIZE]):
        task = queue[position]
        key = _priced_key(problem, expected, state, rule, task, regime)
        desk.score[task] = key
        if task == desk.watch[WATCHED]:
            desk.order_key[0] = key
        place = position
        while place > 0 and desk.score[queue[place - 1]] > key:
            queue[place] = queue[place - 1]
            place -= 1
        queue[place] = task


@compiled_inner
def _open_devices(problem: Problem, state: State, desk: Desk) -> int:
    """Count the devices that a further task could start on."""
    open_ = 0
    for node in range(len(problem.node_cores)):
        if state.free_cores[node] > 0 and not desk.cpu_held[node]:
            open_ += 1
    for gpu in range(len(problem.gpu_node)):
        if state.gpu_free[gpu] == 1000 and not desk.gpu_held[gpu]:
            open_ += 1
    return open_


@compiled_inner
def _start_or_hold(problem: Problem, truth: Law, state: State, desk: Desk, task: int) -> bool:
    """Start a task on its choice if that is free and nobody ahead waits for it; else let it hold what it lacks. Returns whether it started."""
    node, gpu, fraction = desk.choice_node[task], desk.choice_gpu[task], desk.choice_fraction[task]
    starts = True
    if fraction < 1.0 and (desk.cpu_held[node] or state.free_cores[node] < problem.cores[task] or state.free_mem[node] < problem.mem[task]):
        desk.cpu_held[node] = True
        starts = False
    if fraction > 0.0 and (desk.gpu_held[gpu] or state.gpu_free[gpu] < 1000):
        desk.gpu_held[gpu] = True
        starts = False
    if starts and len(problem.node_cores) > 1 and data_ready(problem, state, task, node) > state.clock[0]:
        # It waits for data, not for a device, and holds nobody back.
        starts = False
    if starts:
        mask = 1 << (gpu - problem.gpu_ptr[node]) if fraction > 0.0 else 0
        start_task(problem, truth, state, task, node, mask, fraction)
    return starts


@compiled_call
def _settle(problem: Problem, truth: Law, expected: Law, state: State, desk: Desk, task: int, regime: int) -> bool:
    """Start a task or let it hold what it lacks, and note until when it is expected to occupy its devices, now or after waiting."""
    node, gpu, fraction = desk.choice_node[task], desk.choice_gpu[task], desk.choice_fraction[task]
    now = state.clock[0]
    starts = _start_or_hold(problem, truth, state, desk, task)
    cpu_s, gpu_s = part_times(problem, expected, task, node, gpu, fraction, regime)
    cores = _cores_of(problem, desk, task, node)
    if starts:
        desk.expected_cpu_end[task] = now + cpu_s
        desk.expected_gpu_end[task] = now + gpu_s
        if fraction < 1.0:
            _insert_busy(desk, node, cores, now + cpu_s, now)
        if fraction > 0.0:
            desk.gpu_free_at[gpu] = now + gpu_s
        return True
    start = now
    if fraction < 1.0 and cores > 0:
        start = max(start, desk.core_free_at[desk.core_ptr[node] + cores - 1])
    if fraction > 0.0:
        start = max(start, desk.gpu_free_at[gpu])
    if fraction < 1.0:
        _occupy_cores(desk, node, cores, start + cpu_s)
    if fraction > 0.0:
        desk.gpu_free_at[gpu] = start + gpu_s
    return False


@compiled_inner
def _keep_place(state: State, desk: Desk, waiting: int, kept: int) -> None:
    """Keep where the watched task stands: ``kept`` tasks before it still wait."""
    desk.watch[QUEUE_LENGTH] = waiting
    desk.watch[N_AHEAD] = kept
    for place in range(min(kept, MAX_AHEAD)):
        desk.watch[FIRST_AHEAD + place] = state.queue[place]


@compiled_call
def _walk_committed(problem: Problem, truth: Law, state: State, desk: Desk) -> None:
    """Go through the queue once, in order; every task keeps the choice that it came with."""
    queue = state.queue
    waiting = state.counters[QUEUE_SIZE]
    kept = 0
    position = 0
    open_ = _open_devices(problem, state, desk)
    while position < waiting and open_ > 0:
        task = queue[position]
        position += 1
        node, gpu, fraction = desk.choice_node[task], desk.choice_gpu[task], desk.choice_fraction[task]
        if task == desk.watch[WATCHED]:
            _keep_place(state, desk, waiting, kept)
        held_already = (fraction == 0.0 or desk.gpu_held[gpu]) and (fraction == 1.0 or desk.cpu_held[node])
        if held_already or not _start_or_hold(problem, truth, state, desk, task):
            queue[kept] = task
            kept += 1
        if not held_already:
            open_ = _open_devices(problem, state, desk)
    while position < waiting:
        queue[kept] = queue[position]
        kept += 1
        position += 1
    state.counters[QUEUE_SIZE] = kept


@compiled_call
def _walk(problem: Problem, truth: Law, expected: Law, state: State, rule: Rule, desk: Desk, regime: int) -> None:
    """Go through the queue once, in order."""
    queue = state.queue
    waiting = state.counters[QUEUE_SIZE]
    desk.behind[0] = waiting
    kept = 0
    position = 0
    while position < waiting:
        if _open_devices(problem, state, desk) == 0:
            break
        task = queue[position]
        desk.behind[1] = position + 1
        position += 1
        if task == desk.watch[WATCHED]:
            _keep_place(state, desk, waiting, kept)
        _choose(problem, expected, state, rule, desk, task, regime)
        if not _settle(problem, truth, expected, state, desk, task, regime):
            queue[kept] = task
            kept += 1
    while position < waiting:
        queue[kept] = queue[position]
        kept += 1
        position += 1
    state.counters[QUEUE_SIZE] = kept


@compiled_call
def _batch(problem: Problem, truth: Law, expected: Law, state: State, rule: Rule, desk: Desk, regime: int) -> None:
    """Map the waiting tasks as a batch: pick one by the rule, settle it, look again [1]_.

    References
    ----------
    .. [1] Maheswaran et al., JPDC 59(2), 1999: min-min, max-min, sufferage.
    """
    queue = state.queue
    waiting = state.counters[QUEUE_SIZE]
    left = waiting
    desk.behind[0] = waiting
    kept = waiting
    while left > 0 and _open_devices(problem, state, desk) > 0:
        best = -1
        best_key = np.inf
        for position in range(left):
            task = queue[position]
            score = _choose(problem, expected, state, rule, desk, task, regime)
            if rule.placement == _MIN_MIN:
                key = score
            elif rule.placement == _MAX_MIN:
                key = -score
            else:
                key = score - desk.second[task]
            if best < 0 or key < best_key:
                best = position
                best_key = key
        task = queue[best]
        if task == desk.watch[WATCHED]:
            _keep_place(state, desk, waiting, 0)
        left -= 1
        for position in range(best, left):
            queue[position] = queue[position + 1]
        if not _settle(problem, truth, expected, state, desk, task, regime):
            kept -= 1
            queue[kept] = task
    # Those that were mapped but wait come behind those never looked at, in the order of becoming ready among themselves.
    for position in range(kept, waiting):
        queue[left] = queue[position]
        left += 1
    state.counters[QUEUE_SIZE] = left
    for position in range(1, left):
        task = queue[position]
        place = position
        while place > 0 and (state.ready[queue[place - 1]] > state.ready[task]):
            queue[place] = queue[place - 1]
            place -= 1
        queue[place] = task


@compiled_call
def decide_priced(problem: Problem, truth: Law, expected: Law, state: State, rule: Rule, desk: Desk) -> None:
    """Start what the priced rule starts at this event; the whole queue is known to the desk."""
    desk.cpu_held[:] = False
    desk.gpu_held[:] = False
    if _open_devices(problem, state, desk) > 0:
        regime = regime_at(expected.regime_start, state.clock[0])
        _look_ahead(problem, state, desk)
        _reorder(problem, expected, state, rule, desk, regime)
        _walk(problem, truth, expected, state, rule, desk, regime)


@compiled_entry
def run_divisible(problem: Problem, truth: Law, expected: Law, state: State, rule: Rule, desk: Desk, until_s: float) -> None:
    """Run a rule for divisible tasks through all events before a time; call it again on the same arrays to go on."""
    known = state.counters[QUEUE_SIZE]
    while next_event_s(problem, state) < until_s:
        advance(problem, state)
        regime = regime_at(expected.regime_start, state.clock[0])
        _admit(problem, expected, state, rule, desk, known, regime)
        known = state.counters[QUEUE_SIZE]
        if known == 0:
            continue
        desk.cpu_held[:] = False
        desk.gpu_held[:] = False
        if rule.commit:
            _walk_committed(problem, truth, state, desk)
        elif _open_devices(problem, state, desk) > 0:
            _look_ahead(problem, state, desk)
            if rule.placement >= _MIN_MIN:
                _batch(problem, truth, expected, state, rule, desk, regime)
            else:
                if rule.priced_order:
                    _reorder(problem, expected, state, rule, desk, regime)
                _walk(problem, truth, expected, state, rule, desk, regime)
        known = state.counters[QUEUE_SIZE]
