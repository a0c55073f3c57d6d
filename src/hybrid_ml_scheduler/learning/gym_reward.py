"""Rewards that add up to an objective: what every event adds to it, so that an episode's undiscounted return is exactly minus its value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import MILLI, Workload, WorkloadKind
from hybrid_ml_scheduler.engine.metrics import BOUNDED_SLOWDOWN_FLOOR_S, measured_rows
from hybrid_ml_scheduler.engine.power import SECONDS_PER_HOUR
from hybrid_ml_scheduler.engine.state import Problem, State
from hybrid_ml_scheduler.engine.usage import devices_of
from hybrid_ml_scheduler.learning.objective import METRICS, Objective


class CostMeter:
    """Watches one run and says what each event adds to an objective; `engine.metrics` defines the metrics.

    =====================  =============================================================================================================
    metric                 what is added, and when
    =====================  =============================================================================================================
    mean_response          measured tasks that have arrived and not finished, times the time that passes, over the number of measured tasks
    mean_bounded_slowdown  the task's own, over the number of measured tasks, when it finishes
    makespan               the time since the finish before, when a task finishes
    energy                 what the task drew beyond the idle draw, when it finishes, and the idle draw since the finish before; over all tasks
    cost                   the price of what the task held, when it finishes
    p99_wait               all of it at the end
    =====================  =============================================================================================================

    Parameters
    ----------
    workload : Workload
        Divisible tasks, or rigid ones on a pool of processors.
    cluster : Cluster
    objective : Objective
    problem : Problem
    state : State
        Of the run, which is read here and never written.

    Raises
    ------
    InputError
        If no measured task can ever finish, or the objective needs watts or prices that the cluster does not give.
    """

    def __init__(self, workload: Workload, cluster: Cluster, objective: Objective, problem: Problem, state: State) -> None:
        self._state = state
        self._weights = dict.fromkeys(METRICS, 0.0) | dict(objective.weights)
        self._arrival_s = problem.arrival
        can_finish = _can_finish(problem)
        self._measured = measured_rows(workload) & can_finish
        self._n_measured, self._n_finishing = int(self._measured.sum()), int(can_finish.sum())
        if not self._n_measured:
            raise InputError(f"workload {workload.name!r} on cluster {cluster.name!r}: no measured task can ever finish; expected at least one")
        devices = devices_of(cluster)
        self._cores = workload.tasks.cores_milli / MILLI
        self._divisible = workload.kind is WorkloadKind.DIVISIBLE
        self._gpu_ptr, self._n_nodes = problem.gpu_ptr, devices.n_nodes
        units = devices.capacity_milli / MILLI
        there = units > 0
        self._idle_w = float((devices.idle_w * units)[there].sum())
        self._more_w, self._usd_per_s = devices.busy_w - devices.idle_w, devices.usd_per_hour / SECONDS_PER_HOUR
        for name, known in (("energy", self._idle_w + self._more_w[there].sum()), ("cost", self._usd_per_s[there].sum())):
            if self._weights[name] and np.isnan(known):
                raise InputError(f"objective {objective.text!r}: cluster {cluster.name!r} does not say what its devices draw or cost; expected it to")
        self._now_s = self._last_finish_s = float(problem.arrival[0])
        self._in_system = self._n_arrived = self._n_finished = 0

    def after_event(self, now_s: float, n_arrived: int, n_finished: int) -> float:
        """Return what the time up to an event and the event itself have added.

        Parameters
        ----------
        now_s : float
            Time of the event, in seconds.
        n_arrived, n_finished : int
            Tasks that have arrived and finished so far, the event included.

        Returns
        -------
        float
            In the unit of the objective; >= 0.
        """
        weights = self._weights
        added = weights["mean_response"] * self._in_system * (now_s - self._now_s) / self._n_measured
        self._now_s = now_s
        self._in_system += int(self._measured[self._n_arrived : n_arrived].sum())
        finished = self._state.finish_log[self._n_finished : n_finished]
        self._in_system -= int(self._measured[finished].sum())
        self._n_arrived, self._n_finished = n_arrived, n_finished
        if len(finished):
            passed_s = now_s - self._last_finish_s
            self._last_finish_s = now_s
            added += passed_s * (weights["makespan"] + (weights["energy"] * self._idle_w / self._n_finishing if weights["energy"] else 0.0))
            added += sum(self._of_task(int(task)) for task in finished)
        return added

    def at_end(self) -> float:
        """Return what the end of the run adds."""
        if not self._weights["p99_wait"]:
            return 0.0
        wait_s = (self._state.start - self._state.ready)[self._measured]
        return float(self._weights["p99_wait"] * np.quantile(wait_s, 0.99))

    def _of_task(self, task: int) -> float:
        weights, state = self._weights, self._state
        added = 0.0
        if weights["mean_bounded_slowdown"] and self._measured[task]:
            run_s = state.finish[task] - state.start[task]
            stay_s = state.start[task] - state.ready[task] + run_s
            added += weights["mean_bounded_slowdown"] * max(1.0, stay_s / max(run_s, BOUNDED_SLOWDOWN_FLOOR_S)) / self._n_measured
        if weights["energy"] or weights["cost"]:
            for device, unit_s in self._held(task):
                if weights["energy"]:
                    added += weights["energy"] * self._more_w[device] * unit_s / self._n_finishing
                if weights["cost"]:
                    added += weights["cost"] * self._usd_per_s[device] * unit_s
        return float(added)

    def _held(self, task: int) -> list[tuple[int, float]]:
        """Return devices and the core- or GPU-seconds that a finished task held of them."""
        state = self._state
        node = int(state.node[task])
        held = []
        if not np.isnan(state.cpu_end[task]):
            held.append((node, float((state.cpu_end[task] - state.start[task]) * self._cores[task])))
        if self._divisible and state.gpu_mask[task]:
            gpu = int(self._gpu_ptr[node]) + int(state.gpu_mask[task]).bit_length() - 1
            held.append((self._n_nodes + gpu, float(state.gpu_end[task] - state.start[task])))
        return held


def _can_finish(problem: Problem) -> NDArray[np.bool_]:
    """Tell which tasks fit the empty cluster, as do all their ancestors."""
    can = problem.fits.copy()
    reached = np.flatnonzero(~can).tolist()
    while reached:
        task = reached.pop()
        for child in problem.child_idx[problem.child_ptr[task] : problem.child_ptr[task + 1]].tolist():
            if can[child]:
                can[child] = False
                reached.append(child)
    return can
