"""What a continuous run hands over to be kept, and what retraining reads back: columns, and the protocols between the run and its storage.

A run writes three streams. Rows of a stream are numbered from 0 in the order in which they were handed over (``seq``): clocks may be set back,
numbers never go back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, Sequence[Any] | NDArray[Any]]
"""Columns of equal length. A missing column, None and NaN all mean: not known."""


class ColumnType(StrEnum):
    """How the values of a column are written."""

    INT = "int"
    FLOAT = "float"
    TEXT = "text"


class StreamColumn(NamedTuple):
    """One column of a stream.

    Attributes
    ----------
    name : str
    type : ColumnType
        INT is 64 bits, FLOAT a double; TEXT holds no line breaks.
    required : bool
        Whether every row must have a value.
    meaning : str
        Unit and range.
    """

    name: str
    type: ColumnType
    required: bool
    meaning: str


def _columns(*rows: tuple[str, str, bool, str]) -> tuple[StreamColumn, ...]:
    return tuple(StreamColumn(name, ColumnType(kind), required, meaning) for name, kind, required, meaning in rows)


class Stream(StrEnum):
    """The streams of a run, in the order in which they are written and stored."""

    TASKS = "tasks"
    RESULTS = "results"
    TRAINING = "training"


_KEY = (
    ("run_id", "int", True, "number of the run"),
    ("seq", "int", True, "number of the row in its stream, from 0, without gaps"),
    ("task_id", "int", True, "task, unique in the run"),
)

STREAM_COLUMNS: dict[Stream, tuple[StreamColumn, ...]] = {
    Stream.TASKS: _columns(
        *_KEY,
        ("arrival_s", "float", True, "arrival in simulated seconds"),
        ("lanes", "int", True, "how many schedulers were given this task, and so how many results there will be"),
        ("kind", "text", False, "kind of task"),
        ("owner", "text", False, "user"),
        ("size", "float", False, "nominal CPU time in seconds on the asked cores"),
        ("compute_intensity", "float", False, "parallel part of the work, 0 to 1"),
        ("memory_mb", "float", False, "memory asked, in MB"),
        ("cores", "float", False, "CPU cores asked"),
        ("gpus_asked", "float", False, "GPUs asked; below 1, a share of one"),
        ("requested_time_s", "float", False, "run time asked for, in seconds"),
        ("deadline_s", "float", False, "deadline in simulated seconds"),
        ("priority", "float", False, "larger is more urgent"),
        ("parents", "text", False, "tasks whose data it needs, separated by blanks"),
    ),
    Stream.RESULTS: _columns(
        *_KEY,
        ("scheduler", "text", True, "policy of the lane, as spelled"),
        ("status", "text", True, "one of ResultStatus"),
        ("lanes", "int", True, "as in the task"),
        ("arrival_s", "float", True, "as in the task"),
        ("start_s", "float", False, "start in simulated seconds"),
        ("finish_s", "float", False, "finish in simulated seconds"),
        ("cpu_s", "float", False, "run time of its CPU part in seconds"),
        ("gpu_s", "float", False, "run time of its GPU part in seconds"),
        ("node", "int", False, "chosen node"),
        ("gpus", "text", False, "chosen GPUs of the node, separated by blanks"),
        ("fraction", "float", False, "chosen GPU fraction, 0 to 1"),
        ("score", "float", False, "the policy's score of this option; the smallest wins"),
        ("energy_j", "float", False, "busy energy in joules"),
        ("cost_usd", "float", False, "cost in US dollars"),
        ("decided_by", "text", False, "rule, model, exploration, or why the fallback rule decided: fallback_..."),
        ("model", "text", False, "name and version of the model, name@version"),
        ("reason", "text", False, "why the task was not run"),
    ),
    Stream.TRAINING: _columns(
        *_KEY,
        ("scheduler", "text", True, "policy of the lane that ran the task"),
        ("finish_s", "float", True, "when the outcome was known, in simulated seconds"),
        ("kind", "text", False, "kind of task"),
        ("device", "text", False, "GPU model that its GPU part ran on, or cpu"),
        ("node", "int", False, "node it ran on"),
        ("fraction", "float", False, "GPU fraction, 0 to 1"),
        ("run_s", "float", True, "observed run time in seconds"),
        ("cpu_s", "float", False, "observed run time of its CPU part in seconds"),
        ("gpu_s", "float", False, "observed run time of its GPU part in seconds"),
        ("nominal_s", "float", False, "what a rule would have taken, in seconds"),
        ("features", "text", True, "feature values at the decision, separated by blanks; nan where unknown"),
    ),
}
"""What a row of each stream holds. ``run_id`` and ``seq`` are filled by the storage."""


class ResultStatus(StrEnum):
    """What became of a task in one lane."""

    FINISHED = "finished"
    REJECTED = "rejected"
    """It can never fit the cluster, or an ancestor was rejected."""
    REFUSED = "refused"
    """The lane was saturated and took no further task."""
    WITHDRAWN = "withdrawn"
    """The lane was removed from the run before the task had finished."""


@dataclass(frozen=True, slots=True)
class RunBatch:
    """Rows that belong together: all of them are kept, or none.

    Attributes
    ----------
    tasks, results, training : mapping of str to sequence
        Columns of `STREAM_COLUMNS`, without ``run_id`` and ``seq``; empty for no rows.
    """

    tasks: Columns = field(default_factory=dict)
    results: Columns = field(default_factory=dict)
    training: Columns = field(default_factory=dict)

    def columns(self, stream: Stream) -> Columns:
        """Return the columns of one stream."""
        return {Stream.TASKS: self.tasks, Stream.RESULTS: self.results, Stream.TRAINING: self.training}[stream]


@dataclass(frozen=True, slots=True)
class TrainingWindow:
    """The newest rows of the training stream, oldest first.

    Attributes
    ----------
    columns : mapping of str to ndarray
        The columns of the stream, numbers as float64 or int64, texts as objects (None where unknown), except ``features``.
    features : ndarray of float64, shape (n, n_features)
        One row of feature values per row.
    source : str
        ``database``, or ``journal`` while the database is away.
    """

    columns: Mapping[str, NDArray[Any]]
    features: NDArray[np.float64]
    source: str

    def __len__(self) -> int:
        return len(self.features)


class ResultSink(Protocol):
    """Where a continuous run leaves what it produces."""

    async def write(self, batch: RunBatch) -> None:
        """Keep a batch; once this returns, its rows survive the process.

        Raises
        ------
        JournalFullError
            If the disk is full: nothing of the batch was written. Keep it, and write it again later.
        """

    def positions(self) -> dict[Stream, int]:
        """Return how many rows of each stream are kept; store this with a checkpoint."""

    async def rows_since(self, positions: Mapping[Stream, int]) -> dict[Stream, Columns]:
        """Return the rows that were kept after a checkpoint was taken: what a resumed run will produce again, and must not write again."""

    @property
    def lag_rows(self) -> int:
        """Rows that are safe on this machine but not in the database yet."""

    async def wait_until_lag_below(self, rows: int | None = None) -> None:
        """Wait until the database has caught up; return at once while it is away, for then waiting would stop the run.

        Parameters
        ----------
        rows : int, optional
            By default what the database takes in a few seconds, as measured.
        """


class TrainingSource(Protocol):
    """Where retraining gets its rows."""

    async def training_window(self, run_id: int, rows: int) -> TrainingWindow:
        """Return the newest rows of a run's training stream: from the database, or from the journal while the database is away."""


def gpus_text(masks: NDArray[np.int64]) -> list[str | None]:
    """Spell bit masks of GPUs as in the column ``gpus``.

    Parameters
    ----------
    masks : ndarray of int64, shape (n,)
        Bit ``k`` set: GPU ``k``.

    Returns
    -------
    list of str or None
        Numbers separated by blanks; None for no GPU.

    Examples
    --------
    >>> gpus_text(np.array([0, 1, 6]))
    [None, '0', '1 2']
    """
    spelled = {int(mask): " ".join(str(bit) for bit in range(63) if int(mask) >> bit & 1) or None for mask in np.unique(masks)}
    return [spelled[mask] for mask in masks.tolist()]


def features_text(rows: NDArray[np.float64]) -> list[str]:
    """Spell feature values as in the column ``features``; exact.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, n_features)

    Returns
    -------
    list of str
    """
    return [" ".join(map(repr, row)) for row in rows.tolist()]
