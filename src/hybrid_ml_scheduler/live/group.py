"""All lanes of a run, in step: the same tasks at the same simulated time, and what they leave in between."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import RunRequestError
from hybrid_ml_scheduler.core.streams import Columns
from hybrid_ml_scheduler.core.workload import MILLI, Workload, WorkloadKind
from hybrid_ml_scheduler.engine.continued import ContinuedRun
from hybrid_ml_scheduler.engine.whole import WholeRun
from hybrid_ml_scheduler.live.contract import LaneLearning, LaneStatus
from hybrid_ml_scheduler.live.lanes import NO_MODEL, Chosen, Lane
from hybrid_ml_scheduler.live.stream import StreamPosition, TaskStream

ORACLE = "oracle"

Choose = Callable[[str, str | None], Chosen]
"""Makes a policy ready; the second argument names its model and version, if it must be that one."""


@dataclass(slots=True)
class Produced:
    """Rows that a step leaves, by stream, in the order in which they must be written; results lack the number of lanes.

    And the real seconds that each lane took for it, by policy.
    """

    tasks: Columns = field(default_factory=dict)
    results: list[Columns] = field(default_factory=list)
    training: list[Columns] = field(default_factory=list)
    lane_s: dict[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tasks or self.results or self.training)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a run from outside, at a simulated time: a repetition of the run must do the same there.

    Attributes
    ----------
    time_s : float
    what : str
        ``added``, ``removed``, or ``model``: another version decides.
    policy : str
    model : str or None
        ``NAME@VERSION``.
    """

    time_s: float
    what: str
    policy: str
    model: str | None = None


class LaneGroup:
    """The lanes of a run.

    Parameters
    ----------
    stream : TaskStream
    queue_limit : int
        See `LiveSettings`.

    Attributes
    ----------
    lanes : dict of str to Lane
        By their policies as spelled, in their order.
    time_s : float
        All events before this time have happened in every lane.
    changes : list of Change
        Oldest first.
    over : bool
        Whether nothing is left to happen.
    """

    def __init__(self, stream: TaskStream, queue_limit: int) -> None:
        self.stream = stream
        self.lanes: dict[str, Lane] = {}
        self.time_s = 0.0
        self.changes: list[Change] = []
        self.over = False
        self._limit = queue_limit
        self._begin = StreamPosition()
        self._given = 0
        self._load_pieces()
        if not stream.endless:
            # A trace may begin at any time: before its first arrival there is nothing to wait for.
            self.time_s = float(self._piece.tasks.arrival_s[0])

    def _load_pieces(self) -> None:
        """Open the piece at hand and the one after it, whose first arrival is how far lanes can go before they must have it."""
        found = self.stream.piece(self._begin)
        if found is None:
            raise RunRequestError(f"the stream has no task {self._begin.first_task}; expected a place in it")
        self._piece, self._next = found
        self._following = self.stream.piece(self._next)

    @property
    def horizon_s(self) -> float:
        """First arrival of the next piece; infinite behind the last one."""
        return float(self._following[0].tasks.arrival_s[0]) if self._following else np.inf

    @property
    def at_seam(self) -> bool:
        """Whether this is a good place to save: the lanes have just begun a piece, or the one piece that there is has no better place."""
        return self._given == 0 or self.stream.whole

    def ahead_s(self, tasks: int) -> float:
        """Return how far a step with so many arrivals may go; infinite when no further tasks come."""
        arrival_s = self._piece.tasks.arrival_s
        row = self._given + tasks
        if row < len(arrival_s) and arrival_s[row] == arrival_s[self._given]:
            # Tasks that arrive together stay together.
            row = int(np.searchsorted(arrival_s, arrival_s[row], side="right"))
        return float(arrival_s[row]) if row < len(arrival_s) else self.horizon_s

    def add(self, policy: str, chosen: Chosen) -> None:
        """Give a policy a lane; it gets the tasks that arrive from now on.

        Raises
        ------
        RunRequestError
            If it has one already, or no further tasks come.
        """
        if policy in self.lanes:
            raise RunRequestError(f"policy {policy!r} is in the run already; expected another one")
        rest = np.arange(self._given, len(self._piece))
        if not len(rest):
            raise RunRequestError(f"policy {policy!r}: no further tasks come in this run; expected one that goes on")
        piece = self._piece if self._given == 0 else self._piece.select(rest)
        first = self._begin.first_task + self._given
        run = (
            WholeRun(chosen.compiled, self.stream.cluster, piece)
            if self.stream.whole
            else ContinuedRun(chosen.compiled, self.stream.cluster, piece, first)
        )
        self.lanes[policy] = Lane(policy, chosen, self.stream.cluster, run, first, self._limit)

    def advance(self, until_s: float) -> Produced:
        """Go through all events before a time, at most to the horizon."""
        until_s = min(until_s, self.horizon_s)
        lane_s = {}
        for policy, lane in self.lanes.items():
            began_s = time.perf_counter()
            lane.advance(until_s)
            lane_s[policy] = time.perf_counter() - began_s
        produced = self._harvest(until_s)
        produced.lane_s = lane_s
        clocks = [float(lane.run.state.clock[0]) for lane in self.lanes.values()]
        self.time_s = until_s if np.isfinite(until_s) else max([self.time_s, *clocks])
        if self._following is not None and until_s == self.horizon_s:
            first, self._begin, self._given = self._next.first_task, self._next, 0
            self._piece, self._next = self._following
            self._following = self.stream.piece(self._next)
            for lane in self.lanes.values():
                lane.append(self._piece, first)
        else:
            self.over = self._following is None and self._given == len(self._piece) and all(lane.idle for lane in self.lanes.values())
        return produced

    def _harvest(self, until_s: float) -> Produced:
        produced = Produced()
        arrived = int(np.searchsorted(self._piece.tasks.arrival_s, until_s, side="left"))
        if arrived > self._given:
            produced.tasks = task_columns(self._piece, self._given, arrived, len(self.lanes))
            self._given = arrived
        for lane in self.lanes.values():
            results, training = lane.harvest()
            produced.results += results
            produced.training += training
        return produced

    def change(self, change: Change, chosen: Chosen | None) -> Produced:
        """Let something happen to the run; rows that this leaves are returned.

        Parameters
        ----------
        change : Change
        chosen : Chosen or None
            The policy made ready; None if it is removed.

        Raises
        ------
        RunRequestError
            If it cannot be done; nothing was changed.
        """
        produced = Produced()
        if change.what != "added" and change.policy not in self.lanes:
            raise RunRequestError(f"policy {change.policy!r} is not in the run; expected one of {', '.join(self.lanes)}")
        if change.what == "removed" and len(self.lanes) == 1:
            raise RunRequestError(f"policy {change.policy!r} is the only one in the run; expected another one beside it, or the run to be stopped")
        if chosen is None:
            produced.results.append(self.lanes.pop(change.policy).withdraw("the policy was taken out of the run"))
        elif change.what == "added":
            self.add(change.policy, chosen)
        else:
            self.lanes[change.policy].swap(chosen)
        self.changes.append(change)
        return produced

    def status(self) -> tuple[LaneStatus, ...]:
        """Return how every lane is doing."""
        oracle = self.lanes.get(ORACLE)
        return tuple(lane.status(self.over, oracle) for lane in self.lanes.values())

    def learning(self) -> tuple[LaneLearning, ...]:
        """Return how good the predictions of the lanes are that have a model."""
        return tuple(found for lane in self.lanes.values() if (found := lane.learning()) is not None)

    # Saving.

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what `restore` needs: JSON-able values, and arrays. Everything that has finished must have been harvested."""
        values: dict[str, Any] = {
            "time_s": self.time_s,
            "position": asdict(self._begin),
            "given": self._given,
            "over": self.over,
            "changes": [asdict(change) for change in self.changes],
            "lanes": [],
        }
        arrays: dict[str, NDArray[Any]] = {}
        for number, lane in enumerate(self.lanes.values()):
            lane.compact()
            saved, columns = lane.saved()
            values["lanes"].append(saved)
            arrays |= {f"{number}.{name}": column for name, column in columns.items()}
        return values, arrays

    def restore(self, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], choose: Choose, *, only: str | None = None) -> None:
        """Stand where `save` was called; with one lane, if only its policy is named.

        Raises
        ------
        KeyError, ValueError, IndexError
            If something is missing or of the wrong shape.
        """
        self.time_s, self._given, self.over = float(values["time_s"]), int(values["given"]), bool(values["over"])
        self.changes = [Change(**change) for change in values["changes"]]
        self._begin = StreamPosition(**values["position"])
        self._load_pieces()
        cluster, template = self.stream.cluster, self.stream.template
        self.lanes = {}
        for number, saved in enumerate(values["lanes"]):
            prefix = f"{number}."
            columns = {name.removeprefix(prefix): column for name, column in arrays.items() if name.startswith(prefix)}
            policy = str(saved["policy"])
            if only is not None and policy != only:
                continue
            chosen = choose(policy, saved["model"] or NO_MODEL)
            run: ContinuedRun | WholeRun
            if self.stream.whole:
                rest = np.arange(int(saved["first"]), len(self._piece))
                run = WholeRun.restored(chosen.compiled, cluster, self._piece.select(rest) if rest[0] else self._piece, columns)
            else:
                run = ContinuedRun.restored(chosen.compiled, cluster, template, columns)
            self.lanes[policy] = Lane(policy, chosen, cluster, run, 0, self._limit)
            self.lanes[policy].restore(saved, columns)


def task_columns(piece: Workload, first: int, last: int, lanes: int) -> Columns:
    """Return the rows of the stream ``tasks`` for some rows of a piece."""
    tasks = piece.tasks

    def names(codes: NDArray[np.int64] | None, known: Sequence[str]) -> list[str | None]:
        if codes is None or not known:
            return [None] * (last - first)
        return [known[code] if code >= 0 else None for code in codes[first:last]]

    columns: dict[str, Any] = {
        "task_id": tasks.task_id[first:last],
        "arrival_s": tasks.arrival_s[first:last],
        "lanes": np.full(last - first, lanes),
        "kind": names(tasks.kind, tasks.kind_names),
        "owner": names(tasks.user, tasks.user_names),
        "memory_mb": tasks.memory_mb[first:last],
        "cores": tasks.cores_milli[first:last] / MILLI,
        "requested_time_s": tasks.requested_time_s[first:last],
    }
    if piece.kind is WorkloadKind.RIGID:
        columns["gpus_asked"] = tasks.gpus[first:last] * tasks.gpu_share_milli[first:last] / MILLI
    for name in ("size", "compute_intensity", "deadline_s", "priority"):
        if (column := getattr(tasks, name)) is not None:
            columns[name] = column[first:last]
    if tasks.has_edges:
        parents = (tasks.task_id[tasks.parent_idx[tasks.parent_ptr[row] : tasks.parent_ptr[row + 1]]].tolist() for row in range(first, last))
        columns["parents"] = [" ".join(map(str, row)) or None for row in parents]
    return columns


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as bytes, without pickle."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **dict(arrays))
    return file.getvalue()


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """Undo `pack`.

    Raises
    ------
    ValueError
        If these bytes were not made by it.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as saved:
        return dict(saved)
