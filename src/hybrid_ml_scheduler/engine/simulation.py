"""Run one policy over one workload: `simulate` for the whole trace, `Simulation` to stop at every decision point."""

from __future__ import annotations

import time

import numpy as np

from hybrid_ml_scheduler.core.cluster import MAX_GPUS_PER_NODE, Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, Decision, Policy, Schedule
from hybrid_ml_scheduler.core.errors import DecisionError, EngineError
from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Tasks, Workload
from hybrid_ml_scheduler.engine import decision_point, mechanisms
from hybrid_ml_scheduler.engine.outcome import schedule_of
from hybrid_ml_scheduler.engine.state import (
    N_FINISHED,
    N_ORPHANED,
    N_REJECTED,
    N_RUNNING,
    QUEUE_SIZE,
    Law,
    Problem,
    State,
    build_problem,
    build_state,
    build_truth,
    copy_state,
)


def simulate(workload: Workload, cluster: Cluster, policy: CompiledPolicy | Policy) -> Schedule:
    """Run a policy over a whole workload.

    Parameters
    ----------
    workload : Workload
        The tasks and their hidden truth.
    cluster : Cluster
        Where they run.
    policy : CompiledPolicy or Policy
        A compiled policy runs inside the engine without coming back to Python; a policy of the user's own is asked at every decision point.

    Returns
    -------
    Schedule

    Raises
    ------
    IncompatiblePolicyError
        If the policy cannot run this kind of workload on this kind of cluster.
    DecisionError
        If a policy of the user's own decides what cannot be done.
    EngineError
        If tasks are left that no event will ever start.
    """
    problem = build_problem(workload, cluster)
    truth = build_truth(workload, cluster)
    state = build_state(problem)
    if isinstance(policy, CompiledPolicy):
        run = mechanisms.prepare(policy, workload, cluster, problem, truth)
        mechanisms.warm_up(policy)
        began = time.perf_counter()
        run(state)
        elapsed = time.perf_counter() - began
    else:
        simulation = Simulation(workload, cluster, _parts=(problem, truth, state))
        began = time.perf_counter()
        decide = policy.decide
        while simulation.next_event():
            while (decision := decide(simulation)) is not None:
                simulation.start(decision)
        elapsed = time.perf_counter() - began
    _check_complete(workload, policy.name, state)
    return schedule_of(problem, state, policy.name, elapsed)


def _check_complete(workload: Workload, policy: str, state: State) -> None:
    counters = state.counters
    left = len(workload) - int(counters[N_FINISHED] + counters[N_REJECTED] + counters[N_ORPHANED])
    if left:
        raise EngineError(
            f"policy {policy!r} left {left} of {len(workload)} tasks of workload {workload.name!r} waiting when nothing was left to happen; "
            "expected every task to be started at some event"
        )


class Simulation:
    """The same engine, one decision at a time; also the view that a policy of the user's own gets (`core.decision.DecisionView`).

    Call `next_event` to move to the next time at which something happens, then `start` for every task that should start now. Nothing reachable
    from here by public names leads to the true run times before a task has finished.

    Parameters
    ----------
    workload : Workload
        The tasks.
    cluster : Cluster
        Where they run.

    Examples
    --------
    >>> from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
    >>> from hybrid_ml_scheduler.core.workload import ReadReport, Tasks, Workload, WorkloadKind, no_edges
    >>> two = np.array([1.0, 2.0])
    >>> tasks = Tasks(task_id=np.arange(2), arrival_s=two, cores_milli=np.array([1000, 1000]), gpus=np.zeros(2, dtype=int),
    ...     gpu_share_milli=np.zeros(2, dtype=int), memory_mb=np.zeros(2), requested_time_s=two, **no_edges(2))
    >>> work = Workload("two", WorkloadKind.RIGID, tasks, Truth(work_s=two), ReadReport("example", 2))
    >>> simulation = Simulation(work, Cluster("pool:1", ClusterKind.POOL, (Node("pool", 1000),)))
    >>> while simulation.next_event():
    ...     if len(simulation.queue) and simulation.free_cores_milli[0]:
    ...         simulation.start(Decision(int(simulation.queue[0])))
    >>> simulation.schedule("by hand").finish_s
    array([2., 4.])
    """

    def __init__(self, workload: Workload, cluster: Cluster, *, _parts: tuple[Problem, Law, State] | None = None) -> None:
        if _parts is None:
            problem = build_problem(workload, cluster)
            _parts = (problem, build_truth(workload, cluster), build_state(problem))
        self.__problem, self.__truth, self.__state = _parts
        self.tasks: Tasks = workload.tasks
        self.cluster = cluster
        state = self.__state
        self.__clock, self.__counters = state.clock, state.counters
        self.__queue: IntArray = _read_only(state.queue)
        self.__running: IntArray = _read_only(state.running)
        self.free_cores_milli: IntArray = _read_only(state.free_cores)
        self.free_memory_bytes: IntArray = _read_only(state.free_mem)
        self.gpu_free_milli: IntArray = _read_only(state.gpu_free)
        self.start_s: FloatArray = _read_only(state.start)
        self.__engine = decision_point.bind(self.__problem, self.__truth, state)

    @property
    def now_s(self) -> float:
        """Simulated time in seconds."""
        return float(self.__clock[0])

    @property
    def queue(self) -> IntArray:
        """Rows of the ready tasks, in the order in which they became ready; valid until the next call of `start` or `next_event`."""
        return self.__queue[: self.__counters[QUEUE_SIZE]]

    @property
    def running(self) -> IntArray:
        """Rows of the running tasks, in no particular order; valid until the next call of `start` or `next_event`."""
        return self.__running[: self.__counters[N_RUNNING]]

    def next_event(self) -> bool:
        """Move to the next event; False when nothing is left to happen."""
        return self.__engine.advance()

    def start(self, decision: Decision) -> None:
        """Start a task now.

        Raises
        ------
        DecisionError
            If it is not ready or does not fit; nothing is started then.
        """
        gpu_mask = 0
        for gpu in decision.gpus:
            if not 0 <= gpu < MAX_GPUS_PER_NODE or gpu_mask >> gpu & 1:
                raise DecisionError(
                    f"task in row {decision.task}: GPUs {decision.gpus}; expected different numbers from 0 to {MAX_GPUS_PER_NODE - 1}"
                )
            gpu_mask |= 1 << gpu
        # Other types of numbers would each compile the engine's entry point anew.
        reason = self.__engine.start(int(decision.task), int(decision.node), int(gpu_mask), float(decision.fraction))
        if reason:
            raise DecisionError(decision_point.explain(reason, decision, self.__problem, self.__state))

    def schedule(self, policy: str) -> Schedule:
        """Return what has happened so far, under the name of a policy. Columns of running tasks are filled as far as they are known."""
        state = copy_state(self.__state)
        running = state.running[: state.counters[N_RUNNING]]
        for column in (state.finish, state.cpu_end, state.gpu_end):
            column[running] = np.nan
        return schedule_of(self.__problem, state, policy, 0.0)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


__all__ = ["Simulation", "schedule_of", "simulate"]
