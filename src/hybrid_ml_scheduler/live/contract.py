"""What the continuous run offers to those who control and watch it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from hybrid_ml_scheduler.core.decision import Explanation

CONTRACT_POLICIES = ("round_robin", "random", "greedy", "hybrid_ml", "rl_agent", "oracle")
"""The six schedulers that a run has by default."""
SUGGESTED_POLICIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "divisible/nodes": (CONTRACT_POLICIES, ("mct", "sjf+mct", "priced")),
        "divisible/pool": (("round_robin", "random", "greedy", "oracle"), ("mct", "sjf+mct", "priced")),
        "rigid/pool": (
            ("fcfs+easy", "sjf+easy", "saf+easy", "hybrid_ml+easy", "rl_agent+easy"),
            ("fcfs", "fcfs+conservative", "wfp3+easy", "f1+easy"),
        ),
        "rigid/nodes": (("first_fit", "best_fit", "fgd", "hybrid_ml", "rl_agent"), ("worst_fit", "dot_product", "gpu_packing", "gpu_clustering")),
        "machines/machines": (("heft", "peft", "dmda", "hybrid_ml", "rl_agent"), ("cpop", "mct", "min_min", "max_min", "sufferage")),
    }
)
"""By kind of tasks and cluster: policies worth comparing, and what to add next."""

MESSAGE_VERSION = 1
TOPICS = ("run", "lanes", "devices", "tasks", "storage", "learning")
"""What messages can be about."""


class RunState(StrEnum):
    """Where a run stands."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    BLOCKED = "blocked"
    """The disk is full: nothing is lost, and the run goes on by itself when there is room."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run shall be.

    Attributes
    ----------
    workload : str
        A preset, whose stream has no end, or ``lublin`` or a trace file, with which the run ends.
    cluster : str or None
        The usual one of the workload if None.
    policies : tuple of str
        One lane each.
    seed : int or None
        >= 0; drawn, and recorded, if None.
    load : float
        > 0. Of a preset: share of the capacity of the cluster that preset was made for; of a trace: factor on the arrival rate.
    speed : float or None
        Simulated seconds per real second, > 0; None: as fast as possible.
    max_tasks : int or None
        The run ends after so many; None: never.
    objective : str or None
        Learned policies take models that were trained for it; None: the usual one.
    retrain_every : int or None
        Finished tasks between two trainings; None: never.
    """

    workload: str = "steady"
    cluster: str | None = None
    policies: tuple[str, ...] = CONTRACT_POLICIES
    seed: int | None = None
    load: float = 0.3
    speed: float | None = None
    max_tasks: int | None = None
    objective: str | None = None
    retrain_every: int | None = 5000


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One device of a lane: a node's cores, or a GPU.

    Attributes
    ----------
    name : str
        ``NODE`` for the cores of a node, ``NODE/gpuK`` for its GPU ``K``. A cluster with more than 64 devices has one entry per kind.
    kind : str
        ``cpu``, the GPU's model, or ``machine`` for one of several unrelated machines.
    held : float
        Share that is in use, 0 to 1.
    tasks : tuple of int
        Identifiers of the tasks on it, at most 64.
    """

    name: str
    kind: str
    held: float
    tasks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """How one policy is doing; None where nothing is known.

    Attributes
    ----------
    policy : str
    state : str
        ``running``, ``saturated`` (its queue passed the limit, so it refuses tasks until it is shorter) or ``finished``.
    finished, refused : int
        Tasks so far.
    queue_length, running : int
        Tasks now.
    mean_response_s, p95_response_s : float or None
        Over the newest finished tasks, in simulated seconds.
    utilization_cpu, utilization_gpu : float or None
        Share of cores and of GPUs in use, 0 to 1.
    devices : tuple of DeviceStatus
    energy_j : float or None
        Busy energy of the finished tasks, in joules.
    model : str or None
        ``name@version`` of a learned policy's model.
    fallback_share : float or None
        Share of the newest decisions that the rule behind a learned policy took.
    regret_to_oracle : float or None
        Mean response time over the oracle's, minus one, over the newest tasks.
    message : str or None
        What a user should know, such as why a learned policy runs its rule.
    """

    policy: str
    state: str
    finished: int
    refused: int
    queue_length: int
    running: int
    mean_response_s: float | None
    p95_response_s: float | None
    utilization_cpu: float | None
    utilization_gpu: float | None
    devices: tuple[DeviceStatus, ...]
    energy_j: float | None
    model: str | None
    fallback_share: float | None
    regret_to_oracle: float | None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class RetrainStatus:
    """How learning in the running service is doing.

    Attributes
    ----------
    state : str
        ``off``, ``waiting``, ``training`` or ``failed`` (the last training; the model in use stayed).
    last_at_tasks : int or None
        ``tasks_processed`` when the last training began.
    last_error : str or None
    versions : tuple of str
        ``name@version`` of the models that were swapped in, newest last, at most ten.
    """

    state: str = "off"
    last_at_tasks: int | None = None
    last_error: str | None = None
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PredictedPart:
    """What a learned lane expected of one part of a finished task, and what it took; all times in simulated seconds.

    Attributes
    ----------
    task_id : int
    kind : str or None
    device : str
        ``cpu``, the GPU model that the part ran on, ``processors`` of a pool, or ``node``.
    predicted_s : float
        What the model said when the task was decided, whoever decided.
    low_s, high_s : float or None
        Quantiles of 10 % and 90 %; None where the model gives none.
    nominal_s : float
        What a rule assumes.
    true_s : float
    finish_s : float
        When the task ended.
    decided_by : str
        As in a result.
    """

    task_id: int
    kind: str | None
    device: str
    predicted_s: float
    low_s: float | None
    high_s: float | None
    nominal_s: float
    true_s: float
    finish_s: float
    decided_by: str


@dataclass(frozen=True, slots=True)
class DeviceError:
    """The guardrail's view of one class of devices: running means of absolute differences of logarithms of times.

    Attributes
    ----------
    device : str
    outcomes : int
        That it has seen.
    log_error, nominal_log_error : float
        Of the model, and of the rule's assumption.
    """

    device: str
    outcomes: int
    log_error: float
    nominal_log_error: float


@dataclass(frozen=True, slots=True)
class LaneLearning:
    """How good the predictions of a learned lane are; None where nothing is known.

    Attributes
    ----------
    policy, model : str
        The lane, and the ``name@version`` that decides in it.
    outcomes : int
        Parts of finished tasks that were compared.
    log_error, nominal_log_error : float or None
        Running mean (each outcome counts 1 %) of the absolute difference of the logarithms of predicted and true time, and the same for what a rule
        assumes.
    coverage : float or None
        Share of the newest sampled outcomes, at most 512, that lay between the quantiles of 10 % and 90 %: 0.8 is ideal.
    below : float or None
        Share of these that took less than their quantile of 10 %: 0.1 is ideal. The rest took more than that of 90 %.
    coverage_outcomes : int
        How many these were.
    devices : tuple of DeviceError
        What the guardrail goes by: it falls to the rule when a model's error stands well above the nominal one.
    decides : str
        ``model``, or why the rule decides now: ``fallback_...``.
    falls : int
        How often the guardrail has fallen.
    alarms : int
        How often a detector of drift has rung since this version came into use.
    last_alarm_s : float or None
        When it last did, in simulated seconds.
    comparisons : int
        Replays of finished tasks against the rule that count.
    shadow_log_ratio : float or None
        Their record: logarithm of the model's objective over the rule's; above 0 the model loses.
    pairs : tuple of PredictedPart
        A sample of the newest predictions, oldest first, at most 60.
    """

    policy: str
    model: str
    outcomes: int
    log_error: float | None
    nominal_log_error: float | None
    coverage: float | None
    below: float | None
    coverage_outcomes: int
    devices: tuple[DeviceError, ...]
    decides: str
    falls: int
    alarms: int
    last_alarm_s: float | None
    comparisons: int
    shadow_log_ratio: float | None
    pairs: tuple[PredictedPart, ...]


@dataclass(frozen=True, slots=True)
class Training:
    """One training of one lane's model.

    Attributes
    ----------
    policy, before, model : str
        The lane, and the ``name@version`` before and after it.
    at_tasks : int
        ``tasks_processed`` when it began.
    time_s : float
        Simulated time of the swap.
    rows : int
        Outcomes that it learned from.
    held_out : int
        The newest of them, on which both errors were measured; 0: too few to measure.
    error_before, error_after : float or None
        Mean absolute error of the logarithm of true over nominal work that the model knows of a kind on a device, which is what a training
        changes: of the model before, and of one trained the same way without the held-out outcomes.
    """

    policy: str
    before: str
    model: str
    at_tasks: int
    time_s: float
    rows: int
    held_out: int
    error_before: float | None
    error_after: float | None


@dataclass(frozen=True, slots=True)
class LearningStatus:
    """What the running service has learned.

    Attributes
    ----------
    lanes : tuple of LaneLearning
        Lanes that have a model.
    trainings : tuple of Training
        Oldest first, at most 50.
    """

    lanes: tuple[LaneLearning, ...] = ()
    trainings: tuple[Training, ...] = ()


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where the run stands.

    Attributes
    ----------
    state : RunState
    run_id : int or None
        None before the first run of this process.
    tasks_processed : int
        Tasks whose results from every lane are in the journal; never falls during a run.
    tasks_arrived : int
        Tasks that were given to the lanes.
    time_s : float
        Simulated time in seconds.
    speed : float or None
        Simulated seconds per real second; None: as fast as possible.
    request : RunRequest or None
        With the seed that was drawn.
    lanes : tuple of LaneStatus
    message : str or None
        Why a run is blocked or has failed.
    started_at : str or None
        ISO 8601, UTC.
    retraining : RetrainStatus
    learning : LearningStatus
        Worked out anew about once a second.
    role : str
        Of the process that says so: ``leader`` (it runs the run), ``follower`` (another process does) or ``alone``.
    """

    state: RunState
    run_id: int | None = None
    tasks_processed: int = 0
    tasks_arrived: int = 0
    time_s: float = 0.0
    speed: float | None = None
    request: RunRequest | None = None
    lanes: tuple[LaneStatus, ...] = ()
    message: str | None = None
    started_at: str | None = None
    retraining: RetrainStatus = field(default_factory=RetrainStatus)
    learning: LearningStatus = field(default_factory=LearningStatus)
    role: str = "alone"


class Controller(Protocol):
    """Controls the one continuous run of a process; all methods are safe under concurrent callers."""

    async def start(self, request: RunRequest) -> RunStatus:
        """Start a new run.

        Raises
        ------
        AlreadyRunningError
            If one is running; it is not touched.
        InputError
            If the request makes no sense; nothing is started.
        """

    async def stop(self) -> RunStatus:
        """Stop the run, and return when it has stopped; stopped already: nothing happens."""

    async def pause(self) -> RunStatus:
        """Let the run wait; paused already: nothing happens.

        Raises
        ------
        NotRunningError
            If it is stopped.
        """

    async def resume(self) -> RunStatus:
        """Let a paused run go on; running: nothing happens.

        Raises
        ------
        NotRunningError
            If it is stopped.
        """

    async def set_speed(self, speed: float | None) -> RunStatus:
        """Change the simulated seconds per real second, > 0; None: as fast as possible.

        Raises
        ------
        NotRunningError, RunRequestError
        """

    async def add_policy(self, policy: str) -> RunStatus:
        """Give a policy a lane of its own: it gets the tasks that arrive from now on.

        Raises
        ------
        NotRunningError, InputError
        """

    async def remove_policy(self, policy: str) -> RunStatus:
        """Take a policy out of the run; the tasks that it has not finished are recorded as withdrawn.

        Raises
        ------
        NotRunningError, RunRequestError
        """

    def status(self) -> RunStatus:
        """Return where the run stands."""

    async def recover(self) -> RunStatus:
        """At start-up: go on with the run that was there when the process before this one ended."""

    async def shutdown(self, timeout_s: float) -> None:
        """End of the process: save where the run stands; the next `recover` goes on with it."""

    async def timeline(self, policy: str, since: int, limit: int) -> dict[str, Any]:
        """Return what a lane has finished lately, runs now and lets wait, JSON-able.

        Parameters
        ----------
        policy : str
        since : int
            ``next`` of the answer before; only results after it. 0: the newest ones.
        limit : int
            Most finished tasks.

        Raises
        ------
        UnknownNameError
            If the present run has no such lane.
        """

    def trail(self) -> dict[str, Any]:
        """Return how every lane has done since this process began with the run, thinned out evenly, JSON-able."""

    async def explain(self, run_id: int, task_id: int, policy: str) -> Explanation:
        """Recompute why a task was started when and where it was.

        Raises
        ------
        UnknownRunError, UnknownNameError
            If there is no such run, or no such result in it.
        """


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the live stream.

    Attributes
    ----------
    version : int
        `MESSAGE_VERSION`.
    seq : int
        Ascending within a process.
    topic : str
        One of `TOPICS`.
    body : dict
        JSON-able.
    """

    version: int
    seq: int
    topic: str
    body: dict[str, Any]


class Subscription(Protocol):
    """Messages as they come, at most so many lists a second; what was missed meanwhile is merged, never queued."""

    def __aiter__(self) -> AsyncIterator[list[Message]]:
        """Return itself."""

    async def __anext__(self) -> list[Message]:
        """Return what is new, as soon as something is."""

    async def close(self) -> None:
        """End it; an iteration under way ends."""


class Feed(Protocol):
    """Where watchers get messages from."""

    def snapshot(self, topics: Iterable[str]) -> list[Message]:
        """Return the present state of some topics; its size is bounded."""

    def subscribe(self, topics: Iterable[str], rate_hz: float) -> Subscription:
        """Follow some topics; never holds the run up."""
