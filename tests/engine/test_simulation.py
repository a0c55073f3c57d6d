from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engine_cases import divisible, gpu, node, nodes, pool, rigid, run
from hybrid_ml_scheduler.core.decision import Decision, DecisionView, Schedule, TaskStatus
from hybrid_ml_scheduler.core.errors import DecisionError, EngineError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.simulation import Simulation


def test_one_event_after_the_other() -> None:
    """Releases come before arrivals of the same time, and both before the decision point."""
    simulation = Simulation(rigid([0.0, 1.0, 3.0], [3.0, 1.0, 1.0], cores=[2, 1, 1]), pool(2))
    assert simulation.next_event()
    assert (simulation.now_s, simulation.queue.tolist(), simulation.running.tolist()) == (0.0, [0], [])
    simulation.start(Decision(0))
    assert (simulation.queue.tolist(), simulation.running.tolist(), simulation.free_cores_milli.tolist()) == ([], [0], [0])
    assert simulation.next_event()
    assert (simulation.now_s, simulation.queue.tolist(), simulation.free_cores_milli.tolist()) == (1.0, [1], [0])
    assert simulation.next_event()
    assert (simulation.now_s, simulation.queue.tolist(), simulation.running.tolist()) == (3.0, [1, 2], [])
    assert simulation.free_cores_milli.tolist() == [2000]
    simulation.start(Decision(2))
    simulation.start(Decision(1))
    assert simulation.start_s.tolist() == [0.0, 3.0, 3.0]
    assert simulation.next_event()
    assert simulation.now_s == 4.0
    assert not simulation.next_event()
    schedule = simulation.schedule("by hand")
    assert schedule.policy == "by hand"
    assert schedule.finish_s.tolist() == [3.0, 4.0, 4.0]
    assert schedule.decision_order.tolist() == [0, 2, 1]
    assert schedule.finished.all()


# Node 0: 2 cores, 1000 MB, a GPU of 500 MB and one without limit; node 1: 1 core, much memory, no GPU. 1 GB/s between them.
CLUSTER = nodes(node(2, gpu(memory_mb=500.0), gpu(), memory_mb=1000.0), node(1, memory_mb=9000.0), network_gb_s=1.0)


def rigid_run() -> Simulation:
    """At 1 s: tasks 1 to 7 wait; task 0 has ended on node 0 and its data (2 GB) needs until 3 s to node 1; task 8 has not come, 9 never will."""
    workload = rigid(
        [0.0] + [1.0] * 7 + [2.0, 2.0],
        [1.0] + [5.0] * 9,
        cores=[1, 1, 2, 1, 0, 0, 0, 1, 1, 9],
        memory_mb=[0, 0, 0, 2000, 0, 0, 0, 0, 0, 0],
        gpus=[0, 0, 0, 0, 0.6, 0.6, 2, 0, 0, 0],
        edges=[(0, 7, 0.0, 2000.0)],
    )
    simulation = Simulation(workload, CLUSTER)
    assert simulation.next_event()
    simulation.start(Decision(0, node=0))
    assert simulation.next_event()
    assert simulation.now_s == 1.0
    return simulation


def divisible_run() -> Simulation:
    simulation = Simulation(divisible([0.0, 0.0], [4.0, 4.0], memory_mb=[600.0, 400.0], cores=[1, 2]), CLUSTER)
    assert simulation.next_event()
    return simulation


def state_of(simulation: Simulation) -> tuple[Any, ...]:
    schedule = simulation.schedule("")
    columns = (schedule.status, schedule.start_s, schedule.node, schedule.gpu_mask, schedule.decision_order)
    free = (simulation.free_cores_milli, simulation.free_memory_bytes, simulation.gpu_free_milli, simulation.queue, simulation.running)
    return (simulation.now_s, *(column.tobytes() for column in (*columns, *free)))


REFUSED = [
    (Decision(0), "it is not in the queue"),
    (Decision(8), "it is not in the queue"),
    (Decision(9), "it is not in the queue"),
    (Decision(-1), "it is not in the queue"),
    (Decision(10), "it is not in the queue"),
    (Decision(1, node=2), r"node 2 with GPUs \(\) does not exist"),
    (Decision(1, node=-1), r"node -1 with GPUs \(\) does not exist"),
    (Decision(4, node=0, gpus=(2,)), r"node 0 with GPUs \(2,\) does not exist"),
    (Decision(4, node=1, gpus=(0,)), r"node 1 with GPUs \(0,\) does not exist"),
    (Decision(2, node=1), "not enough free cores; expected 2 cores, 1 are free"),
    (Decision(3, node=0), "not enough free host memory; expected 2000 MB, 1000 MB are free"),
    (Decision(4, node=0), "0 GPUs are not what it takes; expected 1 GPUs"),
    (Decision(6, node=0, gpus=(1,)), "1 GPUs are not what it takes; expected 2 GPUs"),
    (Decision(1, node=0, gpus=(0,)), "1 GPUs are not what it takes; expected 0 GPUs"),
    (Decision(7, node=1), "the data of its parents is not there yet"),
    (Decision(6, node=0, gpus=(0, 0)), r"GPUs \(0, 0\); expected different numbers from 0 to 61"),
    (Decision(4, node=0, gpus=(-1,)), r"GPUs \(-1,\); expected different numbers"),
    (Decision(4, node=0, gpus=(64,)), r"GPUs \(64,\); expected different numbers"),
]


@pytest.mark.parametrize(("decision", "reason"), REFUSED)
def test_a_decision_that_cannot_be_carried_out_says_why_and_changes_nothing(decision: Decision, reason: str) -> None:
    simulation = rigid_run()
    before = state_of(simulation)
    with pytest.raises(DecisionError, match=reason):
        simulation.start(decision)
    assert state_of(simulation) == before


def test_a_share_that_does_not_fit_one_gpu() -> None:
    simulation = rigid_run()
    simulation.start(Decision(4, node=0, gpus=(1,)))
    before = state_of(simulation)
    with pytest.raises(DecisionError, match=r"row 5 on node 0 at 1 s: one of the GPUs \(1,\) has not enough of it free"):
        simulation.start(Decision(5, node=0, gpus=(1,)))
    assert state_of(simulation) == before
    simulation.start(Decision(5, node=0, gpus=(0,)))
    assert simulation.gpu_free_milli.tolist() == [400, 400]


REFUSED_DIVISIBLE = [
    (Decision(0, gpus=(0,), fraction=0.5), "the working set does not fit the memory of GPU"),
    (Decision(0, gpus=(1,), fraction=1.5), "GPU fraction 1.5 is not between 0 and 1; expected 0 for the CPU alone to 1 for the GPU alone"),
    (Decision(0, gpus=(1,), fraction=-0.5), "GPU fraction -0.5 is not between 0 and 1"),
    (Decision(0, gpus=(1,), fraction=float("nan")), "GPU fraction nan is not between 0 and 1"),
    (Decision(0, fraction=0.5), "0 GPUs are not what it takes; expected one GPU if and only if the fraction is above 0"),
    (Decision(0, gpus=(1,), fraction=0.0), "1 GPUs are not what it takes"),
    (Decision(1, gpus=(0, 1), fraction=1.0), "2 GPUs are not what it takes"),
    (Decision(1, node=1), "not enough free cores; expected 2 cores, 1 are free"),
]


@pytest.mark.parametrize(("decision", "reason"), REFUSED_DIVISIBLE)
def test_a_split_that_cannot_be_carried_out(decision: Decision, reason: str) -> None:
    simulation = divisible_run()
    before = state_of(simulation)
    with pytest.raises(DecisionError, match=reason):
        simulation.start(decision)
    assert state_of(simulation) == before


def test_the_gpu_alone_needs_neither_cores_nor_host_memory() -> None:
    simulation = divisible_run()
    simulation.start(Decision(1, gpus=(0,), fraction=1.0))
    assert simulation.free_cores_milli.tolist() == [2000, 1000]
    assert simulation.free_memory_bytes.tolist() == [1_000_000_000, 9_000_000_000]
    assert simulation.gpu_free_milli.tolist() == [0, 1000]


def test_decisions_may_hold_any_kind_of_number() -> None:
    simulation = divisible_run()
    simulation.start(Decision(np.int32(1), np.int64(0), (np.int64(1),), fraction=1))
    assert simulation.schedule("").gpu_mask[1] == 2


def test_views_are_read_only() -> None:
    simulation = rigid_run()
    views = (
        simulation.queue,
        simulation.running,
        simulation.free_cores_milli,
        simulation.free_memory_bytes,
        simulation.gpu_free_milli,
        simulation.start_s,
    )
    for view in views:
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 0


def test_an_unfinished_run_does_not_say_when_running_tasks_will_end() -> None:
    simulation = Simulation(divisible([0.0, 0.0, 5.0], [4.0, 80.0, 1.0]), nodes(node(2, gpu(2.0))))
    assert simulation.next_event()
    simulation.start(Decision(0))
    simulation.start(Decision(1, gpus=(0,), fraction=0.5))
    assert simulation.next_event()
    schedule = simulation.schedule("so far")
    assert simulation.now_s == 4.0
    assert schedule.status.tolist() == [TaskStatus.FINISHED, TaskStatus.RUNNING, TaskStatus.PENDING]
    assert schedule.start_s[:2].tolist() == [0.0, 0.0]
    assert schedule.finish_s[0] == 4.0
    for column in (schedule.finish_s, schedule.cpu_end_s, schedule.gpu_end_s):
        assert np.isnan(column[1:]).all()
    # It is a copy: what happens later does not show in it, and nothing written to it changes the run.
    schedule.status[:] = TaskStatus.REJECTED
    assert simulation.next_event()
    assert simulation.schedule("").status.tolist() == [TaskStatus.FINISHED, TaskStatus.RUNNING, TaskStatus.READY]


class Idle:
    name = "idle"

    def decide(self, view: DecisionView) -> Decision | None:
        del view
        return None


def test_a_policy_that_leaves_tasks_waiting() -> None:
    with pytest.raises(EngineError, match="policy 'idle' left 2 of 3 tasks of workload 'rigid' waiting"):
        simulate(rigid([0.0, 0.0, 1.0], 1.0, cores=[1, 9, 1]), pool(2), Idle())


class FirstComeFirstServed:
    name = "own fcfs"

    def decide(self, view: DecisionView) -> Decision | None:
        head = min(view.queue.tolist(), default=None)
        return None if head is None or view.tasks.cores_milli[head] > view.free_cores_milli[0] else Decision(head)


def random_jobs(seed: int, n: int = 300) -> Workload:
    rng = np.random.default_rng(seed)
    parents = [(int(rng.integers(0, i)), i, 0.0, 0.0) for i in range(1, n, 7)] if seed % 2 else []
    return rigid(np.cumsum(rng.choice([0.0, 0.5, 3.0], n)), rng.choice([0.0, 1.0, 2.5, 9.0], n), cores=rng.integers(1, 9, n), edges=parents)


@pytest.mark.parametrize("seed", range(6))
def test_a_policy_in_python_and_the_compiled_one_give_the_same_bits(seed: int) -> None:
    workload = random_jobs(seed)
    own, compiled = simulate(workload, pool(8), FirstComeFirstServed()), run("fcfs", workload, pool(8))
    assert (own.start_s > workload.tasks.arrival_s).sum() > 50
    for column in Schedule.__dataclass_fields__:
        if column not in ("engine_s", "policy"):
            assert getattr(own, column).tobytes() == getattr(compiled, column).tobytes(), column


def reachable(thing: Any, seen: dict[int, Any], depth: int = 0) -> Iterator[Any]:
    """Everything that public names lead to from an object: attributes, items, and what the base of an array is."""
    if id(thing) in seen or depth > 8 or isinstance(thing, (type, str, bytes, int, float, bool, complex, type(None))):
        return
    seen[id(thing)] = thing
    yield thing
    if isinstance(thing, np.ndarray):
        if thing.base is not None:
            yield from reachable(thing.base, seen, depth + 1)
        return
    items = list(thing.values()) if isinstance(thing, dict) else list(thing) if isinstance(thing, (tuple, list)) else []
    for item in items:
        yield from reachable(item, seen, depth + 1)
    for name in dir(thing):
        if not name.startswith("_"):
            yield from reachable(getattr(thing, name), seen, depth + 1)


def test_public_names_do_not_lead_to_the_truth() -> None:
    """Run times that occur nowhere else: none of them, nor a finish time that follows from one, may be found."""
    secret = np.array([0.7310001, 0.4190003, 0.9170007])
    workload = divisible([0.0, 0.0, 0.0], 1.0, work_s=secret)
    simulation = Simulation(workload, nodes(node(2, gpu())))
    assert simulation.next_event()
    simulation.start(Decision(0))
    simulation.start(Decision(1, gpus=(0,), fraction=1.0))
    seen: dict[int, Any] = {}
    found = list(reachable(simulation, seen)) + list(reachable(simulation.schedule(""), seen))
    arrays = [thing for thing in found if isinstance(thing, np.ndarray)]
    assert len(arrays) > 20
    hidden = {*secret.tolist(), *(secret / 10).tolist()}
    for array in arrays:
        assert not np.shares_memory(array, workload.truth.work_s)
        assert not hidden & set(array.reshape(-1).tolist())
