"""The way from Python into the compiled engine at one decision point.

Unpacking sixty arrays at every call would cost several microseconds. So their addresses and shapes are written once into one integer array, and the
compiled entry points put the named tuples of `state` together again from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from hybrid_ml_scheduler.core.cluster import Cluster, ClusterKind, Node
from hybrid_ml_scheduler.core.decision import Decision
from hybrid_ml_scheduler.core.workload import IntArray, ReadReport, Tasks, Truth, Workload, WorkloadKind, no_edges
from hybrid_ml_scheduler.engine import events
from hybrid_ml_scheduler.engine.compiled import compiled_entry
from hybrid_ml_scheduler.engine.events import advance, can_start, start_task
from hybrid_ml_scheduler.engine.state import KIND_DIVISIBLE, MODE_KIND, QUEUE_SIZE, Law, Problem, State, build_problem, build_state, build_truth


def one_task() -> tuple[Workload, Cluster]:
    """Return the smallest workload and cluster: one task of one second on one core."""
    one = np.ones(1)
    none = np.zeros(1, dtype=np.int64)
    edges: dict[str, Any] = no_edges(1)
    tasks = Tasks(
        task_id=none,
        arrival_s=one,
        cores_milli=none + 1000,
        gpus=none,
        gpu_share_milli=none,
        memory_mb=np.zeros(1),
        requested_time_s=one,
        **edges,
    )
    workload = Workload("one task", WorkloadKind.RIGID, tasks, Truth(work_s=one), ReadReport("generated", 1))
    return workload, Cluster("pool:1", ClusterKind.POOL, (Node("pool", 1000),))


def _example() -> tuple[Problem, Law, State]:
    workload, cluster = one_task()
    problem = build_problem(workload, cluster)
    return problem, build_truth(workload, cluster), build_state(problem)


def _assembler(tuple_type: Any, offset: int) -> Any:
    """Make a compiled-code function that builds a named tuple of arrays from addresses and shapes that begin at an offset."""

    @intrinsic
    def assemble(typing_context: Any, addresses: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            numbers = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            position = offset

            def next_number() -> Any:
                nonlocal position
                place = builder.gep(numbers, [context.get_constant(types.intp, position)])
                position += 1
                return builder.load(place)

            arrays = []
            for array_type in tuple_type.types:
                array = context.make_array(array_type)(context, builder)
                data = builder.inttoptr(next_number(), array.data.type)
                shape = [next_number() for _ in range(array_type.ndim)]
                itemsize = context.get_constant(types.intp, array_type.dtype.bitwidth // 8 if array_type.dtype is not types.boolean else 1)
                strides = [itemsize]
                for extent in reversed(shape[1:]):
                    strides.insert(0, builder.mul(strides[0], extent))
                _populate(array, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
                arrays.append(array._getvalue())  # noqa: SLF001 - numba's own name for reading a structure under construction
            return context.make_tuple(builder, tuple_type, arrays)

        return tuple_type(addresses), generate

    return assemble


def _numbers(parts: tuple[Problem, Law, State]) -> list[list[int]]:
    return [[number for array in part for number in (array.ctypes.data, *array.shape)] for part in parts]


_typeof: Any = numba.typeof
_populate: Any = populate_array
_PARTS = _example()
_LENGTHS = [len(numbers) for numbers in _numbers(_PARTS)]
# For compiled entry points: the parts of a run, given the addresses of a `BoundEngine`.
problem_at = _assembler(_typeof(_PARTS[0]), 0)
law_at = _assembler(_typeof(_PARTS[1]), _LENGTHS[0])
state_at = _assembler(_typeof(_PARTS[2]), _LENGTHS[0] + _LENGTHS[1])


@compiled_entry
def _advance(addresses: IntArray) -> bool:
    return advance(problem_at(addresses), state_at(addresses))


@compiled_entry
def _start(addresses: IntArray, task: int, node: int, gpu_mask: int, fraction: float) -> int:
    problem = problem_at(addresses)
    state = state_at(addresses)
    reason = can_start(problem, state, task, node, gpu_mask, fraction)
    if reason != 0:
        return reason
    # Ready tasks are usually taken from the front.
    place = 0
    while state.queue[place] != task:
        place += 1
    last = state.counters[QUEUE_SIZE] - 1
    state.counters[QUEUE_SIZE] = last
    for move in range(place, last):
        state.queue[move] = state.queue[move + 1]
    start_task(problem, law_at(addresses), state, task, node, gpu_mask, fraction)
    return 0


@dataclass(frozen=True, slots=True)
class BoundEngine:
    """The compiled entry points for one run. Keeps the arrays alive whose addresses it holds."""

    addresses: IntArray
    parts: tuple[Problem, Law, State]

    def advance(self) -> bool:
        """Move to the next event; False when there is none."""
        return _advance(self.addresses)

    def start(self, task: int, node: int, gpu_mask: int, fraction: float) -> int:
        """Start a task; returns 0, or the reason why not (codes of `events`)."""
        return _start(self.addresses, task, node, gpu_mask, fraction)


def bind(problem: Problem, truth: Law, state: State) -> BoundEngine:
    """Write the addresses down.

    The arrays must be C-contiguous and of the same types in every run, which `build_problem`, `build_truth` and `build_state` see to.
    """
    _check_layout(problem, truth, state)
    _compile_entry_points()
    parts = (problem, truth, state)
    return BoundEngine(np.array([number for numbers in _numbers(parts) for number in numbers], dtype=np.int64), parts)


def _check_layout(*parts: Any) -> None:
    for part, example in zip(parts, _PARTS, strict=True):
        for name, array, expected in zip(part._fields, part, example, strict=True):
            if array.dtype != expected.dtype or array.ndim != expected.ndim or not array.flags.c_contiguous:
                raise TypeError(f"{type(part).__name__}.{name} is {array.dtype} with {array.ndim} axes; expected a C-contiguous {expected.dtype}")


@cache
def _compile_entry_points() -> None:
    addresses = np.array([number for numbers in _numbers(_PARTS) for number in numbers], dtype=np.int64)
    _advance(addresses)
    _start(addresses, 0, 0, 0, 0.0)


def explain(reason: int, decision: Decision, problem: Problem, state: State) -> str:
    """Say why a decision was refused."""
    task, node = decision.task, decision.node
    text = {
        events.NOT_READY: "it is not in the queue",
        events.NO_SUCH_PLACE: f"node {node} with GPUs {decision.gpus} does not exist",
        events.NO_CORES: "not enough free cores",
        events.NO_MEMORY: "not enough free host memory",
        events.NO_GPU: f"one of the GPUs {decision.gpus} has not enough of it free",
        events.NO_GPU_MEMORY: f"the working set does not fit the memory of GPU {decision.gpus}",
        events.NO_DATA: "the data of its parents is not there yet",
        events.BAD_FRACTION: f"GPU fraction {decision.fraction} is not between 0 and 1",
        events.WRONG_GPUS: f"{len(decision.gpus)} GPUs are not what it takes",
    }[reason]
    expected = "a task, node and GPUs that are free now"
    if reason == events.NO_CORES:
        expected = f"{problem.cores[task] / 1000:g} cores, {state.free_cores[node] / 1000:g} are free"
    elif reason == events.NO_MEMORY:
        expected = f"{problem.mem[task] / 1e6:g} MB, {state.free_mem[node] / 1e6:g} MB are free"
    elif reason == events.BAD_FRACTION:
        expected = "0 for the CPU alone to 1 for the GPU alone"
    elif reason == events.WRONG_GPUS:
        divisible = problem.mode[MODE_KIND] == KIND_DIVISIBLE
        expected = "one GPU if and only if the fraction is above 0" if divisible else f"{problem.gpus[task]} GPUs"
    return f"cannot start the task in row {task} on node {node} at {state.clock[0]:g} s: {text}; expected {expected}"
