"""A static plan for a graph: which task runs on which machine, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Plan:
    """What a list-scheduling algorithm planned for every task, made from estimates before anything runs.

    Carrying a plan out means: every machine takes its own tasks first come, first served in the planned order. With exact estimates that gives
    times no later than the planned ones.

    Attributes
    ----------
    machine : ndarray of int64, shape (n,)
        Machine of every task.
    start_s, finish_s : ndarray of float64, shape (n,)
        Planned times in seconds, on the clock of the arrivals.
    order : ndarray of int64, shape (n,)
        Rows by planned start; equal starts by planned finish, then parents before children. A task of zero length thus stands before the one
        that occupies its machine from the same moment on, and no parent ever stands behind its child.
    """

    machine: IntArray
    start_s: FloatArray
    finish_s: FloatArray
    order: IntArray

    @property
    def makespan_s(self) -> float:
        """Last planned finish minus first planned start, in seconds; 0 for no task."""
        return float(self.finish_s.max() - self.start_s.min()) if len(self.order) else 0.0
