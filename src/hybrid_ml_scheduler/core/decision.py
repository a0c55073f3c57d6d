"""Decisions, schedules, and the protocols that connect policies with the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray, Tasks


@dataclass(frozen=True, slots=True)
class Candidate:
    """One option that a policy considered.

    Attributes
    ----------
    node : int
        Node index.
    gpus : tuple of int
        GPU numbers within the node.
    fraction : float or None
        GPU fraction of a divisible task.
    score : float
        The policy's score; the smallest wins.
    """

    node: int
    gpus: tuple[int, ...]
    fraction: float | None
    score: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Start this task now, there.

    Attributes
    ----------
    task : int
        Row of the task.
    node : int
        Node index (the machine's, on unrelated machines).
    gpus : tuple of int
        GPU numbers within the node; empty for none.
    fraction : float
        GPU fraction of a divisible task, 0 to 1; ignored for other kinds.
    candidates : tuple of Candidate
        What was considered, with scores (the explanation).
    """

    task: int
    node: int = 0
    gpus: tuple[int, ...] = ()
    fraction: float = 0.0
    candidates: tuple[Candidate, ...] = ()


class TaskStatus(IntEnum):
    """Where a task stands."""

    PENDING = 0
    """Not arrived yet, or its parents' data is not there."""
    READY = 1
    """In the queue."""
    RUNNING = 2
    FINISHED = 3
    REJECTED = 4
    """It can never fit this cluster."""
    ORPHANED = 5
    """An ancestor was rejected, so its data will never come."""


class DecidedBy(IntEnum):
    """Who took the decision that started a task."""

    RULE = 0
    """A rule that has no model."""
    MODEL = 1
    """A learned model."""
    EXPLORATION = 2
    """A learned policy's deliberate, seeded try of another option."""
    FALLBACK_COLD = 3
    """The rule behind a learned policy: the model has not been checked against enough outcomes yet."""
    FALLBACK_RANGE = 4
    """The rule: features are missing, or a prediction is out of its range."""
    FALLBACK_ERROR = 5
    """The rule: the model's recent predictions are worse than the nominal times."""
    FALLBACK_LOSING = 6
    """The rule: the model loses to it in the running shadow comparison."""


FIRST_FALLBACK = DecidedBy.FALLBACK_COLD
"""Codes from here on are decisions of the fallback rule."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a policy expected of a task on one class of device when it decided.

    Attributes
    ----------
    device : str
        ``cpu``, a GPU model, a machine, or ``processors`` of a pool.
    expected_s : float
        The run time that the decision rested on, in seconds.
    low_s, high_s : float
        Predicted quantiles of 10 % and 90 %, in seconds; NaN where the policy has none.
    nominal_s : float
        What a rule would have taken: nominal time, cost estimate, or the user's request, in seconds.
    """

    device: str
    expected_s: float
    low_s: float
    high_s: float
    nominal_s: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a task was started when and where it was.

    Attributes
    ----------
    task : int
        Row of the task.
    time_s : float
        When the decision was taken.
    decided_by : DecidedBy
        Who took it.
    chosen : Candidate
        What was chosen.
    candidates : tuple of Candidate
        Everything that was considered, best score first.
    predictions : tuple of Prediction
        Run times that were expected, one per class of device.
    order_score : float
        By what the task stood in the queue, smallest first; NaN where the queue has no score.
    queue_length : int
        Waiting tasks at that moment, this one included.
    ahead : tuple of int
        Rows of waiting tasks that stood before it, in order, at most ten.
    notes : tuple of str
        What else decided, in words.
    """

    task: int
    time_s: float
    decided_by: DecidedBy
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    predictions: tuple[Prediction, ...]
    order_score: float
    queue_length: int
    ahead: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """What happened to every task of a run; row ``i`` belongs to row ``i`` of the workload.

    Attributes
    ----------
    status : ndarray of int8, shape (n,)
        `TaskStatus` codes at the end of the run.
    ready_s, start_s, finish_s : ndarray of float64, shape (n,)
        When the task entered the queue, started and finished; NaN if it did not.
    cpu_end_s, gpu_end_s : ndarray of float64, shape (n,)
        When its CPU and GPU part freed their devices; NaN for no such part.
    node : ndarray of int64, shape (n,)
        Node index, -1 if it did not start.
    gpu_mask : ndarray of int64, shape (n,)
        Bit ``k`` set: the task held GPU ``k`` of its node.
    fraction : ndarray of float64, shape (n,)
        GPU fraction (divisible tasks), NaN otherwise.
    decision_order : ndarray of int64, shape (n_started,)
        Rows in the order in which they were started.
    engine_s : float
        Wall time of the simulation alone, in seconds.
    policy : str
        Name of the policy.
    decided_by : ndarray of int8, shape (n,)
        `DecidedBy` codes: who took the decision to start each task; `DecidedBy.RULE` for those that did not start.
    """

    status: NDArray[np.int8]
    ready_s: FloatArray
    start_s: FloatArray
    finish_s: FloatArray
    cpu_end_s: FloatArray
    gpu_end_s: FloatArray
    node: IntArray
    gpu_mask: IntArray
    fraction: FloatArray
    decision_order: IntArray
    engine_s: float
    policy: str
    decided_by: NDArray[np.int8]

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Mask of the tasks that ran to their end."""
        mask: NDArray[np.bool_] = self.status == TaskStatus.FINISHED
        return mask


class Mechanism(IntEnum):
    """Which compiled mechanism of the engine carries a policy out."""

    POOL = 0
    """Order and backfilling on one pool of processors."""
    DIVISIBLE = 1
    """Divisible tasks: placement and split, chosen once or anew at every event."""
    NODES = 2
    """Rigid tasks on nodes with GPUs: order of the queue and a placement rule."""
    PLAN = 3
    """Graphs on unrelated machines: a static plan made before the run."""
    MACHINES = 4
    """Unrelated machines: a choice when a task becomes ready."""
    LEARNED_DIVISIBLE = 5
    """Divisible tasks: the priced rule with learned times, and the rule with nominal times behind it."""
    SCORED_POOL = 6
    """A learned score of the jobs that wait for a pool of processors."""
    LEARNED_NODES = 7
    """Rigid tasks on nodes with GPUs: a learned order and weighted placement scores, and a rule behind them."""


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy as codes and parameter arrays, for the engine's compiled mechanisms.

    Attributes
    ----------
    name : str
        Canonical spelling.
    mechanism : Mechanism
        Which mechanism runs it.
    codes : mapping of str to int
        Codes of its parts (``order``, ``backfill``, ``placement``, ``split``, ...), as the mechanism defines them.
    params : ndarray of float64
        Parameters, as the mechanism defines them.
    clairvoyant : bool
        Whether it may read the truth.
    seed : int
        Seed of its own random choices.
    arrays : mapping of str to ndarray
        Larger inputs (learned models, predicted times).
    fallback : CompiledPolicy or None
        The rule behind a learned policy: it decides where the model must not.
    """

    name: str
    mechanism: Mechanism
    codes: dict[str, int] = field(default_factory=dict)
    params: FloatArray = field(default_factory=lambda: np.zeros(0))
    clairvoyant: bool = False
    seed: int = 0
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    fallback: CompiledPolicy | None = None


class DecisionView(Protocol):
    """What a policy of the user's own sees at a decision point. Nothing in it leads to the truth."""

    @property
    def now_s(self) -> float:
        """Simulated time in seconds."""

    @property
    def tasks(self) -> Tasks:
        """The visible columns of the whole workload; look only at rows in `queue` and `running`: others have not arrived."""

    @property
    def queue(self) -> IntArray:
        """Rows of the ready tasks, in the order in which they became ready."""

    @property
    def running(self) -> IntArray:
        """Rows of the running tasks."""

    @property
    def free_cores_milli(self) -> IntArray:
        """Free cores of every node, in thousandths."""


@runtime_checkable
class Policy(Protocol):
    """A policy of the user's own: one method.

    The engine calls `decide` at every decision point, again and again, until it answers ``None``: then time moves to the next event.
    """

    name: str

    def decide(self, view: DecisionView) -> Decision | None:
        """Return the next task to start now, or ``None`` to wait for the next event."""
