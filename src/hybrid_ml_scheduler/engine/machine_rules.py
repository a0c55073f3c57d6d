"""Dynamic rules for unrelated machines: which ready task goes where, decided while the tasks run.

Immediate rules take the first ready task and choose its machine; batch rules look at every ready task and choose a pair. The engine calls
`choose_ready` again with the machine's new free time after each choice, so a batch rule maps a whole batch as in the papers.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.compiled import compiled


class MachineRule(IntEnum):
    """Codes of the rules (``placement`` of `Mechanism.MACHINES`).

    References
    ----------
    .. [1] Maheswaran, Ali, Siegel, Hensgen, Freund, "Dynamic mapping of a class of independent tasks onto heterogeneous computing systems",
       JPDC 59(2), 1999: MET, MCT, OLB, min-min, max-min, sufferage.
    .. [2] Augonnet, Thibault, Namyst, Wacrenier, "StarPU: a unified platform for task scheduling on heterogeneous multicore architectures",
       CCPE 23(2), 2011: dmda (*deque model data aware*).
    """

    DMDA = 0
    """First ready task; the machine that ends it soonest, transfers included."""
    MET = 1
    """First ready task; the machine with the least run time, however busy."""
    MCT = 2
    """First ready task; the machine that would end it soonest were all its data at hand."""
    OLB = 3
    """First ready task; the machine that is free first, however slow."""
    MIN_MIN = 4
    """Of all ready tasks the one with the least best finish, on the machine that gives it."""
    MAX_MIN = 5
    """Of all ready tasks the one with the largest best finish, on the machine that gives it."""
    SUFFERAGE = 6
    """Of all ready tasks the one that loses most if it gets its second-best machine, on its best one."""


_DMDA = int(MachineRule.DMDA)
_MET = int(MachineRule.MET)
_MCT = int(MachineRule.MCT)
_OLB = int(MachineRule.OLB)
_MIN_MIN = int(MachineRule.MIN_MIN)
_MAX_MIN = int(MachineRule.MAX_MIN)


@compiled
def choose_ready(
    code: int,
    ready: IntArray,
    n_ready: int,
    now_s: float,
    machine_free_at_s: FloatArray,
    cost_s: FloatArray,
    data_ready_s: FloatArray,
) -> tuple[int, int, float]:
    """Choose the next task and its machine.

    A finish is ``max(now, free at, data ready) + cost``. Ties: the machine with the lowest number, then the task that stands first in ``ready``.

    Parameters
    ----------
    code : int
        A `MachineRule`.
    ready : ndarray of int64, shape (at least n_ready,)
        Rows of the ready tasks in the order in which they became ready.
    n_ready : int
        How many of them count; >= 1.
    now_s : float
        The present in seconds.
    machine_free_at_s : ndarray of float64, shape (n_machines,)
        When each machine will have ended what was given to it, in seconds; may lie in the past.
    cost_s : ndarray of float64, shape (n, n_machines)
        Estimated run times in seconds.
    data_ready_s : ndarray of float64, shape (n, n_machines)
        When each task's data is at each machine, in seconds; rows of ready tasks only.

    Returns
    -------
    position : int
        Index into ``ready``.
    machine : int
        Its machine.
    finish_s : float
        Its estimated finish there, transfers included, in seconds; what the machine's free time becomes.
    """
    n_machines = len(machine_free_at_s)
    batch = code >= _MIN_MIN
    best_position, best_machine, best_finish, best_key = -1, -1, np.inf, np.inf
    for position in range(n_ready if batch else 1):
        task = ready[position]
        chosen, chosen_score, second_score = -1, np.inf, np.inf
        for p in range(n_machines):
            free = max(now_s, machine_free_at_s[p])
            if code == _MET:
                score = cost_s[task, p]
            elif code == _MCT:
                score = free + cost_s[task, p]
            elif code == _OLB:
                score = free
            else:
                score = max(free, data_ready_s[task, p]) + cost_s[task, p]
            if chosen < 0 or score < chosen_score:
                second_score = chosen_score
                chosen, chosen_score = p, score
            elif score < second_score:
                second_score = score
        finish = max(now_s, machine_free_at_s[chosen], data_ready_s[task, chosen]) + cost_s[task, chosen]
        if code == _MIN_MIN:
            key = chosen_score
        elif code == _MAX_MIN:
            key = -chosen_score
        else:
            # One machine has no second best; every task then loses the same, so the first ready one goes.
            key = chosen_score - second_score if n_machines > 1 else 0.0
        if best_position < 0 or key < best_key:
            best_position, best_machine, best_finish, best_key = position, chosen, finish, key
    return best_position, best_machine, best_finish
