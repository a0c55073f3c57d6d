"""What goes over the wire: requests are read strictly, answers are described with units."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hybrid_ml_scheduler.live.contract import CONTRACT_POLICIES, RunRequest
from hybrid_ml_scheduler.workloads.synthetic import PRESETS

LARGEST_ID = 2**53 - 1
"""Every reader of JSON keeps whole numbers up to here."""
PAGE_MAX = 10_000
"""Most rows in one page."""


def _clean(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_clean)]
"""A name or a spelling that a user gives."""
Positive = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
Speed = Positive | Literal["max"]


_LOAD_OF_A_TRACE = 1.0
_NULL_HAS_A_MEANING = frozenset({"cluster", "seed", "max_tasks", "objective", "retrain_every"})


def speed_of(value: float | str) -> float | None:
    """Return a speed as the run takes it: None for as fast as possible."""
    return None if isinstance(value, str) else float(value)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class StartRequest(_Request):
    """What a run shall be; everything is optional."""

    workload: Name | None = Field(None, description="A preset, whose stream has no end, or a trace file on the server.", examples=["steady"])
    cluster: Name | None = Field(None, description="A cluster's name, or a cluster file on the server; the workload's usual one if left out.")
    policies: Annotated[list[Name], Field(min_length=1, max_length=64)] | None = Field(
        None, description="One lane each, all on the same tasks.", examples=[list(CONTRACT_POLICIES)]
    )
    seed: int | None = Field(None, ge=0, le=LARGEST_ID, description="Of the stream and its noise; drawn and recorded if left out.", examples=[7])
    load: Positive | None = Field(
        None,
        description="Of a preset: share of the capacity of its cluster; 0.3 if left out. Of a trace: factor on the arrival rate; 1 if left out.",
        examples=[0.3],
    )
    speed: Speed | None = Field(None, description='Simulated seconds per real second, or "max".', examples=[60, "max"])
    max_tasks: int | None = Field(None, ge=1, le=LARGEST_ID, description="The run ends after so many tasks; never if left out.", examples=[100_000])
    objective: Name | None = Field(None, description="Learned policies take models that were trained for it.", examples=["mean_response"])
    retrain_every: int | None = Field(None, ge=1, le=LARGEST_ID, description="Finished tasks between two trainings; null: never.", examples=[5000])

    def to_run_request(self, default: RunRequest) -> RunRequest:
        """Return the run that this asks for; what was left out is taken from a default."""
        given: dict[str, Any] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if value is None and name not in _NULL_HAS_A_MEANING:
                continue
            if name == "policies":
                value = tuple(value)
            elif name == "speed":
                value = speed_of(value)
            given[name] = value
        if "load" not in given and given.get("workload", default.workload) not in PRESETS:
            given["load"] = _LOAD_OF_A_TRACE
        return replace(default, **given)


class SpeedRequest(_Request):
    """How fast simulated time shall pass."""

    speed: Speed = Field(description='Simulated seconds per real second, or "max".', examples=[60, "max"])


class PolicyRequest(_Request):
    """A policy for the run that is going on."""

    policy: Name = Field(description="Its spelling.", examples=["sjf+mct"])


class LoginRequest(_Request):
    """Who signs in: a key, or name and password."""

    key: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(None, description="An API key.")
    name: Name | None = Field(None, description="Of a user.")
    password: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(None, description="Of that user.")


class KeyRequest(_Request):
    """What a new key shall be."""

    name: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_clean)] = Field(description="What it is for.", examples=["ci"])
    scopes: Annotated[list[Literal["read", "control", "decide", "admin"]], Field(min_length=1, max_length=4)] = Field(
        description="What it may do; control and decide come with read, admin with everything.", examples=[["read"]]
    )
    days: Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)] | None = Field(None, description="After which it ends; never if left out.")


class _Answer(BaseModel):
    """Answers are built from values that are checked where they come about; these classes describe them."""


class Device(_Answer):
    """One device of a lane."""

    name: str = Field(description="NODE for the cores of a node, NODE/gpuK for its GPU K.", examples=["workstation/gpu0"])
    kind: str = Field(description="cpu, the GPU's model, or machine for one of several unrelated machines.")
    held: float = Field(description="Share in use, 0 to 1.", ge=0, le=1)
    tasks: list[int] = Field(description="Tasks on it, at most 64.")


class LaneSummary(_Answer):
    """How one policy is doing; null where nothing is known."""

    policy: str
    state: str = Field(description="running, saturated (refuses tasks until its queue is shorter) or finished.")
    finished: int = Field(description="Tasks finished so far.")
    refused: int = Field(description="Tasks refused so far.")
    queue_length: int = Field(description="Tasks waiting now.")
    running: int = Field(description="Tasks running now.")
    mean_response_s: float | None = Field(description="Over the newest finished tasks, in simulated seconds.")
    p95_response_s: float | None = Field(description="Over the newest finished tasks, in simulated seconds.")
    utilization_cpu: float | None = Field(description="Share of cores in use, 0 to 1.")
    utilization_gpu: float | None = Field(description="Share of GPUs in use, 0 to 1.")
    energy_j: float | None = Field(description="Busy energy of the finished tasks, in joules.")
    model: str | None = Field(description="Model in use, name@version.")
    fallback_share: float | None = Field(description="Share of the newest decisions that the rule behind a learned policy took, 0 to 1.")
    regret_to_oracle: float | None = Field(description="Mean response time over the oracle's, minus one, over the newest tasks.")
    message: str | None = None


class Lane(LaneSummary):
    """How one policy and its devices are doing; null where nothing is known."""

    devices: list[Device]


class RunRequestAnswer(_Answer):
    """What the run was asked to be, with the seed that was drawn."""

    workload: str
    cluster: str | None
    policies: list[str]
    seed: int | None
    load: float
    speed: float | str | None = Field(description='Simulated seconds per real second, or "max".')
    max_tasks: int | None
    objective: str | None
    retrain_every: int | None = Field(description="In finished tasks; null: never.")


class Retraining(_Answer):
    """How learning in the running service is doing."""

    state: str = Field(description="off, waiting, training or failed (the model in use stayed).")
    last_at_tasks: int | None
    last_error: str | None
    versions: list[str] = Field(description="Models that were swapped in, newest last.")


class PredictedPart(_Answer):
    """What a learned policy expected of one part of a finished task, and what it took; times in simulated seconds."""

    task_id: int
    kind: str | None
    device: str = Field(description="cpu, the GPU model that the part ran on, processors of a pool, or node.")
    predicted_s: float = Field(description="What the model said when the task was decided, whoever decided.")
    low_s: float | None = Field(description="Quantile of 10 %.")
    high_s: float | None = Field(description="Quantile of 90 %.")
    nominal_s: float = Field(description="What a rule assumes.")
    true_s: float
    finish_s: float = Field(description="When the task ended.")
    decided_by: str


class DeviceError(_Answer):
    """The guardrail's view of one class of devices: running means of absolute differences of logarithms of times."""

    device: str
    outcomes: int
    log_error: float = Field(description="Of the model.")
    nominal_log_error: float = Field(description="Of what a rule assumes.")


class LaneLearning(_Answer):
    """How good the predictions of a learned policy are; null where nothing is known."""

    policy: str
    model: str
    outcomes: int = Field(description="Parts of finished tasks that were compared.")
    log_error: float | None = Field(description="Running mean of |log(predicted / true)|.")
    nominal_log_error: float | None = Field(description="The same for what a rule assumes.")
    coverage: float | None = Field(description="Share of sampled outcomes between the quantiles of 10 % and 90 %; 0.8 is ideal.")
    below: float | None = Field(
        description="Share of these that took less than the quantile of 10 %; 0.1 is ideal. The rest took more than that of 90 %."
    )
    coverage_outcomes: int = Field(description="How many were sampled for it, at most 512.")
    devices: list[DeviceError]
    decides: str = Field(description="model, or why the rule decides now: fallback_...")
    falls: int = Field(description="How often the guardrail has fallen.")
    alarms: int = Field(description="How often a detector of drift has rung since this version came into use.")
    last_alarm_s: float | None = Field(description="When it last did, in simulated seconds.")
    comparisons: int = Field(description="Replays against the rule that count.")
    shadow_log_ratio: float | None = Field(description="Their record, log(model / rule); above 0 the model loses.")
    pairs: list[PredictedPart] = Field(description="A sample of the newest predictions, oldest first, at most 60.")


class Training(_Answer):
    """One training of one policy's model, and what it brought on the newest outcomes, which were held out."""

    policy: str
    before: str = Field(description="Model before it, name@version.")
    model: str = Field(description="Model after it.")
    at_tasks: int = Field(description="tasks_processed when it began.")
    time_s: float = Field(description="Simulated time of the swap.")
    rows: int = Field(description="Outcomes that it learned from.")
    held_out: int = Field(description="The newest of them, on which the errors were measured; 0: too few.")
    error_before: float | None = Field(description="Mean absolute log error of the model before.")
    error_after: float | None = Field(description="The same of a model trained the same way without the held-out outcomes.")


class StorageStatus(_Answer):
    """The way from the journal into the database."""

    state: str = Field(description="ok, away (rows wait in the journal), fenced or failed.")
    lag_rows: int = Field(description="Rows in the journal that are not in the database yet.")
    lag_limit_rows: int = Field(description="The run is held back once more rows wait.")
    rows_per_s: float | None = Field(description="Measured speed of the way into the database.")
    message: str | None = Field(description="Why it failed.")


class Status(_Answer):
    """Where the run stands."""

    role: str = Field(description="Of the process that answers: leader (it runs the run), follower (another process does) or alone.")
    state: str = Field(description="stopped, starting, running, paused, stopping, blocked (disk full) or failed.")
    is_running: bool = Field(description="Whether tasks are being scheduled right now.")
    is_paused: bool
    run_id: int | None
    tasks_processed: int = Field(description="Tasks whose results from every lane are in the journal; never falls during a run.")
    tasks_arrived: int
    time_s: float = Field(description="Simulated time in seconds.")
    speed: float | str | None = Field(description='Simulated seconds per real second, or "max".')
    started_at: str | None = Field(description="ISO 8601, UTC.")
    message: str | None = Field(description="Why a run is blocked or has failed.")
    request: RunRequestAnswer | None
    lanes: list[Lane]
    retraining: Retraining
    storage: StorageStatus


class Run(_Answer):
    """One run of the history."""

    id: int
    state: str = Field(description="running, paused, stopped, finished or failed.")
    workload: str
    cluster: str
    policies: list[str]
    options: dict[str, Any] = Field(description="Everything else it was started with.")
    version: str = Field(description="Of the program that began it.")
    created_at: str = Field(description="ISO 8601, UTC.")
    ended_at: str | None
    message: str | None


class RunPage(_Answer):
    """Runs, newest first."""

    runs: list[Run]
    next: int | None = Field(description="Hand this over as `before` to get the next page; null if there is none.")
    source: str = Field(description="database, or journal while the database is away.")


class RowPage(_Answer):
    """Rows of one run."""

    run_id: int | None = Field(description="null if there has never been a run.")
    rows: list[dict[str, Any]] = Field(description="Values by name of column; null where not known.")
    next: int | None = Field(description="Hand this over to get the next page; null if there is none.")


class TaskDetail(_Answer):
    """One task, and what each scheduler made of it."""

    task: dict[str, Any] | None = Field(description="null if only results are left.")
    results: list[dict[str, Any]]


class Statistics(_Answer):
    """How one scheduler did in one run; times in simulated seconds over its finished tasks, quantiles within 1 %. null where nothing is known."""

    scheduler: str
    results: int
    finished: int
    rejected: int
    refused: int
    withdrawn: int
    mean_response_s: float | None
    median_response_s: float | None
    p95_response_s: float | None
    p99_response_s: float | None
    max_response_s: float | None
    mean_wait_s: float | None
    p99_wait_s: float | None
    max_wait_s: float | None
    mean_run_s: float | None
    mean_bounded_slowdown: float | None
    energy_j: float = Field(description="Sum, in joules.")
    cost_usd: float = Field(description="Sum, in US dollars.")
    by_model: int = Field(description="Decisions that a model took.")
    by_fallback: int = Field(description="Decisions that the rule behind a learned policy took.")
    by_exploration: int
    compared: int = Field(description="Tasks with the results of all schedulers.")
    wins: int = Field(description="Compared tasks on which no other scheduler had a shorter response time.")
    wins_against: dict[str, int] = Field(description="Compared tasks on which it was faster than that scheduler.")
    mean_regret_s: float | None = Field(description="Mean response time above the oracle's over the tasks that both finished.")
    last_finish_s: float


class Comparative(_Answer):
    """All schedulers of one run side by side."""

    run_id: int | None = Field(description="null if there has never been a run.")
    schedulers: list[Statistics]


class Window(_Answer):
    """The same over the tasks that arrived in one window of simulated time."""

    begin_s: float = Field(description="In simulated seconds.")
    length_s: float = Field(description="In simulated seconds.")
    statistics: Statistics


class WindowPage(_Answer):
    """Windows of one scheduler, newest first."""

    run_id: int
    scheduler: str
    windows: list[Window]
    next: int | None


class ComparedScheduler(_Answer):
    """One scheduler in two runs."""

    scheduler: str
    first: Statistics | None
    second: Statistics | None
    response_ratio: float | None = Field(description="Mean response time of the second run over that of the first.")


class ComparedRuns(_Answer):
    """Two runs, scheduler by scheduler."""

    first: int
    second: int
    schedulers: list[ComparedScheduler]


class PairedMetricAnswer(_Answer):
    """One metric of the same tasks twice."""

    first: float = Field(description="Mean over the tasks.")
    second: float = Field(description="Mean over the tasks.")
    difference: float = Field(description="Mean of second minus first, over the means of the stretches.")
    low: float | None = Field(description="95 % interval of the difference (Student's t over the stretches).")
    high: float | None
    t_p: float | None = Field(description="Two-sided p of the paired t-test over the stretches.")
    wilcoxon_p: float | None = Field(description="Two-sided p of Wilcoxon's signed-rank test over the stretches.")


class PairedScheduler(_Answer):
    """One scheduler against the same or another one, on the same tasks; null where nothing is known."""

    scheduler: str
    tasks: int = Field(description="Tasks that both finished, of the newest 5,000.")
    batches: int = Field(description="Stretches of tasks, one after the other, whose mean differences are taken for independent.")
    metrics: dict[str, PairedMetricAnswer | None] = Field(description="response_s, wait_s, slowdown (bounded by 10 s), energy_j, cost_usd.")


class Differences(_Answer):
    """All schedulers of a run against one of them, task by task."""

    run_id: int
    reference: str
    schedulers: list[PairedScheduler] = Field(description="Those that have a task in common with the reference.")


class PairedRuns(_Answer):
    """Schedulers of two runs on the same tasks: equal numbers, equal arrivals."""

    first: int
    second: int
    schedulers: list[PairedScheduler] = Field(description="Empty if the runs have no task in common.")


class PlacementsAnswer(_Answer):
    """Where the newest results of a scheduler went, and who decided it."""

    rows: int = Field(description="Results that were looked at, at most 10,000.")
    cpu_only: int = Field(description="Finished tasks with GPU fraction 0.")
    split: int = Field(description="Finished tasks with a GPU fraction between 0 and 1.")
    gpu_only: int = Field(description="Finished tasks with GPU fraction 1.")
    cpu_s: float = Field(description="Sum of the run times of their CPU parts, in seconds.")
    gpu_s: float = Field(description="Sum of the run times of their GPU parts, in seconds.")
    decided_by: dict[str, int] = Field(description="rule, model, exploration, or why the fallback decided.")
    reasons: dict[str, int] = Field(description="Why tasks were not run.")
    size_edges: list[float] = Field(description="Edges of the bins of size in seconds, on a logarithmic scale; empty if no size is known.")
    intensity_edges: list[float]
    count: list[list[int]] = Field(description="Tasks in each bin, by size, then compute intensity.")
    fraction: list[list[float | None]] = Field(description="Their mean GPU fraction; null where there are none.")


class DistributionAnswer(_Answer):
    """How the results of one scheduler are spread."""

    run_id: int
    scheduler: str
    response: list[tuple[float, float]] = Field(
        description="Cumulative distribution over the whole run: seconds (within 1 %), share of finished tasks that took no longer."
    )
    wait: list[tuple[float, float]] = Field(description="The same of waiting times.")
    placements: PlacementsAnswer


class PolicyEntry(_Answer):
    """One policy that can be named."""

    name: str
    summary: str
    reference: str
    runs: list[str] = Field(description="Kinds of tasks and clusters it can run, as tasks/cluster.", examples=[["divisible/nodes"]])


class Suggestion(_Answer):
    """What is worth comparing on one kind of tasks and cluster."""

    runs: str = Field(description="Tasks/cluster, as in `runs` of a policy.", examples=["divisible/nodes"])
    usual: list[str] = Field(description="Policies to begin with; for divisible tasks those that a start has by default.")
    others: list[str] = Field(description="The next ones to add.")


class PolicyList(_Answer):
    """Policies, by name."""

    policies: list[PolicyEntry]
    suggested: list[Suggestion] = Field(description="By kind of tasks and cluster.")


class TrainedModel(_Answer):
    """A model that retraining in the service made, or failed to make."""

    id: int
    run_id: int | None
    name: str
    version: int | None
    state: str = Field(description="candidate, in_use, retired or failed.")
    sha256: str | None
    rows: int = Field(description="Rows it was trained on.")
    source: str = Field(description="database or journal.")
    details: dict[str, Any]
    created_at: str
    message: str | None


class TrainedModelPage(_Answer):
    """Models of the registry, newest first."""

    models: list[TrainedModel]
    next: int | None


class StoredModelEntry(_Answer):
    """One version of a model in the model store."""

    name: str
    version: int
    in_use: bool
    problem: str | None = Field(description="Why it cannot be loaded.")
    card: dict[str, Any] | None


class Promotion(_Answer):
    """A version was put into use."""

    name: str
    action: str = Field(description="in_use (before anything was promoted), promote or rollback.")
    version: int = Field(description="In use from then on.")
    at: str = Field(description="ISO 8601, UTC.")


class StoredModelList(_Answer):
    """Models of the store, by name and version."""

    models: list[StoredModelEntry]
    promotions: list[Promotion] = Field(description="Of all models, in the order in which they were made.")


class PromoteRequest(_Request):
    """Which version shall be in use."""

    version: int = Field(ge=1, le=999_999, description="Version of the model in the store.", examples=[2])


class ModelInUse(_Answer):
    """What is in use now."""

    name: str
    version: int


class EnsembleUseAnswer(_Answer):
    """How often one ensemble of trees asks about each feature."""

    name: str = Field(description="The prediction it makes.", examples=["cpu_low"])
    trees: int
    splits: int
    share: dict[str, float] = Field(description="Splits on a feature over all splits, largest first.")


class FeatureUse(_Answer):
    """Which features the trees of a model ask about. How much each split gained is not in the file, and so not here."""

    name: str
    version: int
    ensembles: list[EnsembleUseAnswer] = Field(description="Empty for a model without trees.")


class CandidateAnswer(_Answer):
    """One place a task could have gone."""

    node: int
    gpus: list[int]
    fraction: float | None = Field(description="Share of the work on the GPU, 0 to 1.")
    score: float | None = Field(description="The smallest wins.")


class PredictionAnswer(_Answer):
    """What a policy expected on one class of device; seconds."""

    device: str
    expected_s: float | None
    low_s: float | None = Field(description="10 % quantile.")
    high_s: float | None = Field(description="90 % quantile.")
    nominal_s: float | None


class ExplanationAnswer(_Answer):
    """Why a task was started when and where it was, recomputed."""

    run_id: int
    task_id: int
    policy: str
    time_s: float
    decided_by: str
    chosen: CandidateAnswer
    candidates: list[CandidateAnswer]
    predictions: list[PredictionAnswer]
    order_score: float | None
    queue_length: int
    notes: list[str]


class UploadedWorkload(_Answer):
    """A workload that somebody uploaded."""

    workload: str = Field(description="upload:SHA256; what a start names.")
    name: str = Field(description="As the user called it.")
    kind: str = Field(description="Of its tasks.")
    format: str
    tasks: int
    bytes: int = Field(description="As uploaded.")
    uploaded_at: str = Field(description="ISO 8601, UTC.")
    uploaded_by: str = Field(description="key:ID, user:NAME or anyone.")


class UploadList(_Answer):
    """Uploaded workloads, newest first."""

    uploads: list[UploadedWorkload]


class DeletedWorkload(_Answer):
    """What was deleted."""

    workload: str


class AuditEntry(_Answer):
    """One call that changed something, or tried to."""

    id: int
    at: str = Field(description="ISO 8601, UTC.")
    who: str = Field(description="key:ID, user:NAME, anyone (the service is open), nobody (no credentials) or shell (the command line).")
    address: str | None
    method: str
    path: str
    query: str | None
    status: int = Field(description="Of the answer; 0 for commands.")
    note: str | None


class AuditPage(_Answer):
    """Entries of the audit log, newest first."""

    entries: list[AuditEntry]
    next: int | None = Field(description="Hand this over as `before` to get the next page; null if there is none.")


class SessionAnswer(_Answer):
    """As whom a request is known."""

    auth: str = Field(description="keys (credentials are needed), open (none are, on this machine) or insecure (none are, and others can reach it).")
    signed_in: bool = Field(description="Whether this request may do anything besides signing in.")
    subject: str = Field(description="key:ID, user:NAME, anyone (the service is open) or nobody.")
    name: str
    scopes: list[str] = Field(description="read, control, decide, admin; with those that come with others.")
    expires_at: str | None = Field(description="When these credentials end; ISO 8601, UTC.")


class SignIn(_Answer):
    """A sign-in."""

    token: str = Field(description="For the header Authorization: Bearer TOKEN.")
    token_type: str = Field(examples=["Bearer"])
    expires_in_s: float = Field(description="How long the token is good; renew it before.")
    subject: str
    name: str
    scopes: list[str]


class SignedOut(_Answer):
    """A sign-in has ended."""

    ended: bool = Field(description="Whether there was one.")


class ApiKeyAnswer(_Answer):
    """What is known about an API key."""

    id: str = Field(description="Part of the key; no secret.")
    name: str
    scopes: list[str]
    created_at: str = Field(description="ISO 8601, UTC.")
    expires_at: str | None
    revoked_at: str | None


class ApiKeyList(_Answer):
    """API keys, oldest first."""

    keys: list[ApiKeyAnswer]


class NewApiKey(ApiKeyAnswer):
    """A new API key."""

    key: str = Field(description="The key itself: nobody can show it again.")


class Deleted(_Answer):
    """What was deleted."""

    rows: int = Field(description="Rows of the database that are gone; the journal went with them.")


class RunningTasks(_Answer):
    """Tasks on the devices of a lane, as columns; of a part that still runs, nobody knows yet how long it takes."""

    task_id: list[int]
    arrival_s: list[float]
    start_s: list[float]
    cpu_s: list[float | None] = Field(description="Run time of the CPU part if it has ended, in seconds.")
    gpu_s: list[float | None] = Field(description="Run time of the GPU part if it has ended, in seconds.")
    node: list[int]
    gpus: list[str | None] = Field(description="GPUs of the node, separated by blanks.")
    fraction: list[float]


class WaitingTasks(_Answer):
    """The queue of a lane."""

    length: int = Field(description="All waiting tasks.")
    task_id: list[int] = Field(description="At most 100 of them, in the order of the queue.")
    arrival_s: list[float]


class TimelineDevice(_Answer):
    """A device of the lane's cluster."""

    name: str = Field(description="NODE for the cores of a node, NODE/gpuK for its GPU K.")
    kind: str


class Timeline(_Answer):
    """What one lane has finished lately, runs now and lets wait."""

    run_id: int
    policy: str
    time_s: float = Field(description="Simulated time in seconds.")
    running: RunningTasks
    waiting: WaitingTasks
    devices: list[TimelineDevice]
    next: int = Field(description="Hand this over as `since` to get only what came after.")
    missed: bool = Field(description="Whether results after `since` had to be left out.")
    columns: dict[str, list[Any]] = Field(
        description="Finished tasks, oldest first, as columns named as in the results, with size and compute_intensity."
    )


class Trail(_Answer):
    """How every lane has done since this process began with the run, thinned out evenly."""

    run_id: int | None
    time_s: list[float] = Field(description="Simulated seconds of the points, at most 1024.")
    stride: int = Field(description="Every so manieth report is a point.")
    lanes: dict[str, dict[str, list[float | None]]] = Field(
        description="By policy and metric; as long as time_s. log_error and nominal_log_error are those of a model, null for rules."
    )


class ScheduleAnswer(_Answer):
    """When and where a scheduler ran tasks, in their order."""

    run_id: int
    scheduler: str
    rows: list[dict[str, Any]] = Field(
        description="Values by name of column, as in the results, with size and compute_intensity; null where not known."
    )
    next: int | None = Field(description="Hand this over as `from_task` to get the following ones; null if there are none yet.")


class Divergence(_Answer):
    """The first task that two schedulers put in different places."""

    run_id: int
    first: str
    second: str
    task_id: int | None = Field(description="null if there is none among those that were looked at.")
    looked_until: int = Field(description="Tasks before this one were looked at; hand it over as `from_task` to look further.")


class WorkloadEntry(_Answer):
    """Something that a run can have as its workload."""

    name: str
    summary: str
    load: float = Field(description="Of a preset: share of the capacity of its cluster that it has by itself; else 1. A run may ask for another.")
    runs: str = Field(description="Kind of its tasks and of its usual cluster, as in `runs` of a policy.", examples=["divisible/nodes"])
    ends: bool = Field(description="Whether the run ends with its last task.")


class WorkloadList(_Answer):
    """Workloads that can be named without a file."""

    workloads: list[WorkloadEntry]


class Health(_Answer):
    """Whether the service is well."""

    status: str = Field(description="ok, degraded (something optional is away, or the database for a moment) or unavailable.")
    checks: dict[str, Any] = Field(description="State of each part.")


class Alive(_Answer):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Info(_Answer):
    """Facts about the running service."""

    version: str
    python: str
    started_at: str
    uptime_s: float
    process_id: str = Field(description="Drawn at start; part of the cursors of the live stream.")
    database: dict[str, Any]
    redis: dict[str, Any]
    storage: StorageStatus
    live_stream: dict[str, Any]
    schema_version: str
    security: dict[str, Any] = Field(description="auth: keys, open (no credentials are needed, on this machine) or insecure (nor for others).")
