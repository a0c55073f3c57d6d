"""Which tasks still wait for results of some lane: what counts a task as processed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.streams import Columns
from hybrid_ml_scheduler.core.workload import IntArray


class Ledger:
    """Counts tasks whose results from every lane are in the journal. Tell it what has been written, never what is about to be.

    Attributes
    ----------
    arrived, processed : int
        Tasks that were given to the lanes, and those of them that all lanes are done with.
    """

    def __init__(self) -> None:
        self.arrived = 0
        self.processed = 0
        self._ids = np.zeros(0, dtype=np.int64)
        self._left = np.zeros(0, dtype=np.int64)
        self._lanes = np.zeros(0, dtype=np.int64)

    @property
    def open_tasks(self) -> int:
        """Tasks that wait for a result."""
        return len(self._ids)

    def add(self, tasks: Columns, results: Columns) -> None:
        """Take rows in that were written: tasks that arrived, and results of these or earlier ones."""
        if len(new := np.asarray(tasks.get("task_id", ()), dtype=np.int64)):
            order = np.argsort(new, kind="stable")
            self._ids = np.concatenate([self._ids, new[order]])
            lanes = np.asarray(tasks["lanes"], dtype=np.int64)[order]
            self._left, self._lanes = np.concatenate([self._left, lanes]), np.concatenate([self._lanes, lanes])
            if np.any(np.diff(self._ids) <= 0):
                self._pick(np.argsort(self._ids, kind="stable"))
            self.arrived += len(new)
        if len(over := np.asarray(results.get("task_id", ()), dtype=np.int64)):
            np.subtract.at(self._left, np.searchsorted(self._ids, over), 1)
            still = self._left > 0
            self.processed += int(len(still) - still.sum())
            self._pick(still)

    def _pick(self, which: NDArray[Any]) -> None:
        self._ids, self._left, self._lanes = self._ids[which], self._left[which], self._lanes[which]

    def lanes_of(self, ids: IntArray, tasks: Columns) -> IntArray:
        """Return how many lanes were given each of some tasks.

        Parameters
        ----------
        ids : ndarray of int64, shape (n,)
            Tasks that wait for results, or of the rows in ``tasks``.
        tasks : Columns
            Rows of tasks that are about to be written.
        """
        known = np.concatenate([self._ids, np.asarray(tasks.get("task_id", ()), dtype=np.int64)])
        lanes = np.concatenate([self._lanes, np.asarray(tasks.get("lanes", ()), dtype=np.int64)])
        order = np.argsort(known, kind="stable")
        return np.asarray(lanes[order[np.searchsorted(known[order], ids)]])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything that `restore` needs."""
        return {"ids": self._ids, "left": self._left, "lanes": self._lanes, "counts": np.array([self.arrived, self.processed])}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Stand where `arrays` was called."""
        self._ids, self._left, self._lanes = (arrays[name].astype(np.int64) for name in ("ids", "left", "lanes"))
        self.arrived, self.processed = (int(count) for count in arrays["counts"])


class Written:
    """Rows that a run before this one wrote after the checkpoint that this one goes on from: they come again, and must not be written again.

    Parameters
    ----------
    rows : mapping of str to Columns
        By the name of the stream: ``tasks``, ``results``, ``training``.
    """

    def __init__(self, rows: Mapping[str, Columns]) -> None:
        self._ids: dict[tuple[str, str], IntArray] = {}
        for stream, columns in rows.items():
            ids = np.asarray(columns.get("task_id", ()), dtype=np.int64)
            schedulers = np.asarray(columns.get("scheduler", [""] * len(ids)), dtype=object)
            for scheduler in set(schedulers.tolist()):
                self._ids[stream, scheduler] = np.sort(ids[schedulers == scheduler])

    def saved(self) -> list[list[Any]]:
        """Return what has not come again yet, JSON-able: a run may end before it is back where the one before it was."""
        return [[stream, scheduler, ids.tolist()] for (stream, scheduler), ids in self._ids.items()]

    def restore(self, saved: Iterable[Sequence[Any]]) -> None:
        """Add what `saved` returned."""
        for stream, scheduler, ids in saved:
            known = self._ids.get((stream, scheduler), np.zeros(0, dtype=np.int64))
            self._ids[stream, scheduler] = np.union1d(known, np.asarray(ids, dtype=np.int64))

    def without(self, stream: str, columns: Columns) -> Columns:
        """Return the rows that have not been written, and forget those that have."""
        ids = np.asarray(columns.get("task_id", ()), dtype=np.int64)
        if not self._ids or not len(ids):
            return columns
        schedulers = np.asarray(columns.get("scheduler", [""] * len(ids)), dtype=object)
        new = np.ones(len(ids), dtype=np.bool_)
        for scheduler in set(schedulers.tolist()):
            known = self._ids.get((stream, scheduler))
            if known is None:
                continue
            of_it = schedulers == scheduler
            new[of_it] = ~np.isin(ids[of_it], known)
            left = np.setdiff1d(known, ids[of_it], assume_unique=True)
            if len(left):
                self._ids[stream, scheduler] = left
            else:
                del self._ids[stream, scheduler]
        if new.all():
            return columns
        places = np.flatnonzero(new)
        return {
            name: values[places] if isinstance(values, np.ndarray) else [values[int(place)] for place in places] for name, values in columns.items()
        }
