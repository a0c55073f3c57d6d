"""Unrelated machines: every machine works off its own list, first come, first served.

The list comes from a static plan (HEFT, CPOP, PEFT), or grows when tasks become ready and a dynamic rule gives them to a machine for good.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled_entry, compiled_inner
from hybrid_ml_scheduler.engine.events import READY, advance, data_ready, next_event_s, start_task
from hybrid_ml_scheduler.engine.machine_rules import choose_ready
from hybrid_ml_scheduler.engine.plan import Plan
from hybrid_ml_scheduler.engine.state import N_FINISHED, QUEUE_SIZE, Law, Problem, State

TO_THE_END = 1 << 62
"""For ``until_finished``: more tasks than there can be."""


class MachineLists(NamedTuple):
    """Linked lists of tasks, one per machine (-1: none), when each machine is expected to be done with its own, and data times of ready tasks.

    ``looked``, shape (1,): 1 if everything has been started that starts at the present event.
    """

    head: IntArray
    tail: IntArray
    next_task: IntArray
    free_at: FloatArray
    data_at: FloatArray
    looked: IntArray


def build_lists(problem: Problem, plan: Plan | None) -> MachineLists:
    """Allocate the lists, filled from a plan if there is one."""
    n_tasks, n_machines = problem.cost.shape
    lists = MachineLists(
        head=np.full(n_machines, -1, dtype=np.int64),
        tail=np.full(n_machines, -1, dtype=np.int64),
        next_task=np.full(n_tasks, -1, dtype=np.int64),
        free_at=np.zeros(n_machines),
        data_at=np.zeros((0, 0)) if plan is not None else np.zeros((n_tasks, n_machines)),
        looked=np.zeros(1, dtype=np.int64),
    )
    if plan is not None:
        for machine in range(n_machines):
            rows = plan.order[plan.machine[plan.order] == machine]
            if len(rows):
                lists.head[machine], lists.tail[machine] = rows[0], rows[-1]
                lists.next_task[rows[:-1]] = rows[1:]
    return lists


@compiled_inner
def _append(lists: MachineLists, machine: int, task: int) -> None:
    if lists.head[machine] < 0:
        lists.head[machine] = task
    else:
        lists.next_task[lists.tail[machine]] = task
    lists.tail[machine] = task


@compiled_inner
def _hand_out(problem: Problem, state: State, lists: MachineLists, rule: int) -> None:
    """Give every ready task to a machine by the rule."""
    now = state.clock[0]
    n_machines = len(lists.head)
    for machine in range(n_machines):
        if lists.head[machine] < 0 and state.free_cores[machine] == problem.node_cores[machine]:
            lists.free_at[machine] = now
    ready = state.queue
    count = state.counters[QUEUE_SIZE]
    for position in range(count):
        for machine in range(n_machines):
            lists.data_at[ready[position], machine] = data_ready(problem, state, ready[position], machine)
    while count > 0:
        position, machine, finish = choose_ready(rule, ready, count, now, lists.free_at, problem.cost, lists.data_at)
        _append(lists, machine, ready[position])
        lists.free_at[machine] = finish
        count -= 1
        for move in range(position, count):
            ready[move] = ready[move + 1]


@compiled_entry
def run_machines(problem: Problem, truth: Law, state: State, lists: MachineLists, rule: int, until_finished: int, until_s: float) -> bool:
    """Work off the lists; ``rule`` is -1 for a plan, else a `MachineRule`.

    Returns as soon as ``until_finished`` tasks have finished, before anything starts at that moment, and goes on from there when it is called again,
    with the same lists or others. Returns too when all events before ``until_s`` have happened, and goes on from there with the same lists.

    Returns
    -------
    bool
        False when nothing is left to happen before that time.
    """
    while True:
        if lists.looked[0] == 0:
            lists.looked[0] = 1
            if rule >= 0 and state.counters[QUEUE_SIZE] > 0:
                _hand_out(problem, state, lists, rule)
            state.counters[QUEUE_SIZE] = 0
            for machine in range(len(lists.head)):
                task = lists.head[machine]
                if (
                    task >= 0
                    and state.status[task] == READY
                    and state.free_cores[machine] >= problem.cores[task]
                    and data_ready(problem, state, task, machine) <= state.clock[0]
                ):
                    lists.head[machine] = lists.next_task[task]
                    start_task(problem, truth, state, task, machine, 0, 0.0)
        if next_event_s(problem, state) >= until_s:
            return False
        advance(problem, state)
        lists.looked[0] = 0
        if state.counters[N_FINISHED] >= until_finished:
            return True
