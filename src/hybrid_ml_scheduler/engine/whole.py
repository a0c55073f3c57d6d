"""One policy over a trace that has an end: `WholeRun` holds all of it, can be stopped at any time and saved, and does what `simulate` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy, TaskStatus
from hybrid_ml_scheduler.core.workload import IntArray, Workload
from hybrid_ml_scheduler.engine import mechanisms
from hybrid_ml_scheduler.engine.rebase import STATE_ROWS
from hybrid_ml_scheduler.engine.shadow import LARGEST_BLOCK, ShadowRecord
from hybrid_ml_scheduler.engine.state import N_FINISHED, NEXT_ARRIVAL, build_problem, build_state, build_truth

Arrays = dict[str, NDArray[Any]]

_PLACES, _VALUES = "places", "values"
_DENSE_FROM = 4
"""An array is saved whole when more than one in so many of its entries differ from those of a fresh run, else as places and values."""
_SCRATCH = ("profile_s", "profile_free", "x", "stack", "scratch")
"""Arrays that hold nothing from one event to the next."""


class WholeRun:
    """A run over a whole trace, in steps.

    Parameters
    ----------
    policy : CompiledPolicy
    cluster : Cluster
    workload : Workload
        All tasks that it will ever get.

    Attributes
    ----------
    workload, problem, truth, state
        The engine's arrays.
    run : mechanisms.Run
        What decides.

    Raises
    ------
    IncompatiblePolicyError
        If the policy does not run these tasks there.
    """

    def __init__(self, policy: CompiledPolicy, cluster: Cluster, workload: Workload) -> None:
        self.policy, self.cluster, self.workload = policy, cluster, workload
        self.problem, self.truth = build_problem(workload, cluster), build_truth(workload, cluster)
        self.state = build_state(self.problem)
        self.run = mechanisms.prepare(policy, workload, cluster, self.problem, self.truth)
        self._until_s = -np.inf
        # Whatever is made around the arrays of an empty cluster is made now.
        self.advance(-np.inf)
        self._fresh = {name: _kept(array) for name, array in self._changing()}

    def advance(self, until_s: float) -> None:
        """Go through all events before a time."""
        self.run(self.state, until_s)
        self._until_s = max(self._until_s, until_s)

    @property
    def finished(self) -> IntArray:
        """Rows of the finished tasks, in the order of their ends."""
        return self.state.finish_log[: self.state.counters[N_FINISHED]]

    @property
    def repeats(self) -> bool:
        """Whether its own memory cannot be saved, so that `restored` does everything again: the plans of learned policies for task graphs."""
        return not hasattr(self.run, "parts")

    def _changing(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Give the arrays that change, each once."""
        seen: set[int] = set()
        parts = {} if self.repeats else self.run.parts()  # type: ignore[attr-defined]
        for name, array in _flat({"state": self.state, **parts}, ""):
            if id(array) not in seen and name.rpartition(".")[2] not in _SCRATCH:
                seen.add(id(array))
                yield name, array

    def arrays(self) -> Arrays:
        """Return what `restored` needs, besides the policy, the cluster and the workload: what differs from a fresh run."""
        found: Arrays = {"until": np.array([self._until_s])}
        if self.repeats:
            return found
        forgotten = self._forgotten()
        for name, array in self._changing():
            if name in ("state.start_log", "state.finish_log"):
                # Everything in them has been looked at.
                continue
            fresh = self._fresh[name]
            differs = (array != fresh) & ~(np.isnan(array) & np.isnan(fresh)) if array.dtype.kind == "f" else array != fresh
            if name.removeprefix("state.") in STATE_ROWS and name != "state.status":
                differs[forgotten] = False
            places = np.flatnonzero(differs)
            if len(places) * _DENSE_FROM > array.size:
                found[name] = array
            elif len(places):
                found[f"{name}.{_PLACES}"], found[f"{name}.{_VALUES}"] = places, array.ravel()[places]
        record = getattr(self.run, "record", None)
        if isinstance(record, ShadowRecord):
            found["record"] = np.array([record.finished, record.log_ratio, record.rule_decides], dtype=np.float64)
            found["record.record"] = np.array([record.record])
        return found

    def _forgotten(self) -> NDArray[np.bool_]:
        """Return the mask of the tasks that are over and that nothing looks at any more."""
        over = self.state.status >= TaskStatus.FINISHED
        over[max(int(self.state.counters[NEXT_ARRIVAL]) - LARGEST_BLOCK, 0) :] = False
        return over & (len(self.problem.parent_idx) == 0)

    @classmethod
    def restored(cls, policy: CompiledPolicy, cluster: Cluster, workload: Workload, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return a run that stands where `arrays` was called.

        Raises
        ------
        KeyError, ValueError, IndexError
            If something is missing or of the wrong shape.
        """
        made = cls(policy, cluster, workload)
        until_s = float(arrays["until"][0])
        if made.repeats:
            made.advance(until_s)
            return made
        for name, array in made._changing():
            if name in arrays:
                array[...] = arrays[name]
            elif f"{name}.{_PLACES}" in arrays:
                array.reshape(-1)[arrays[f"{name}.{_PLACES}"]] = arrays[f"{name}.{_VALUES}"]
        record = getattr(made.run, "record", None)
        if isinstance(record, ShadowRecord):
            finished, log_ratio, rule_decides = arrays["record"]
            record.finished[:] = [int(count) for count in finished]
            record.log_ratio[:] = log_ratio.tolist()
            record.rule_decides[:] = [bool(decides) for decides in rule_decides]
            record.record = float(arrays["record.record"][0])
        made._until_s = until_s
        return made


def _flat(parts: Any, name: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """Give all arrays in nested tuples and dicts with their names."""
    if isinstance(parts, np.ndarray):
        yield name, parts
        return
    if isinstance(parts, tuple):
        names = parts._fields if hasattr(parts, "_fields") else tuple(map(str, range(len(parts))))
        parts = dict(zip(names, parts, strict=True))
    if isinstance(parts, dict):
        for key, part in parts.items():
            yield from _flat(part, f"{name}.{key}" if name else key)


def _kept(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of an array; of one value only if all are the same."""
    if array.size and (np.all(array == array.flat[0]) or (array.dtype.kind == "f" and bool(np.isnan(array).all()))):
        return array.flat[:1].copy()
    return array.copy()
