"""What goes over the live stream, described: the dashboard's types are generated from this, and tests hold real messages against it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.json_schema import models_json_schema

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.live.contract import RunState
from hybrid_ml_scheduler.service.schemas import Device, LaneLearning, LaneSummary, Retraining, Training

Topic = Literal["run", "lanes", "devices", "tasks", "storage", "learning"]
_REF = "#/components/schemas/{model}"


class _Part(BaseModel):
    """These classes describe what is sent, and nothing besides that may be sent."""

    model_config = ConfigDict(extra="forbid")


class StreamRequest(_Part):
    """What the run was asked to be, with the seed that was drawn."""

    workload: str
    cluster: str | None
    policies: list[str]
    seed: int | None
    load: float
    speed: float | None = Field(description="Simulated seconds per real second; null: as fast as possible.")
    max_tasks: int | None
    objective: str | None
    retrain_every: int | None = Field(description="In finished tasks; null: never.")


class RunBody(_Part):
    """Topic run: where the run stands."""

    state: RunState
    run_id: int | None
    tasks_processed: int = Field(description="Tasks whose results from every lane are in the journal; never falls during a run.")
    tasks_arrived: int
    time_s: float = Field(description="Simulated time in seconds.")
    speed: float | None = Field(description="Simulated seconds per real second; null: as fast as possible.")
    request: StreamRequest | None
    message: str | None = Field(description="Why a run is blocked or has failed.")
    started_at: str | None = Field(description="ISO 8601, UTC.")
    retraining: Retraining


class LanesBody(_Part):
    """Topic lanes: how each policy is doing."""

    time_s: float
    lanes: list[LaneSummary]


class DevicesBody(_Part):
    """Topic devices: what each policy has on each device."""

    time_s: float
    devices: dict[str, list[Device]]


class FinishedTask(_Part):
    """What one scheduler made of one task."""

    task_id: int
    scheduler: str
    status: str = Field(description="finished, rejected, refused or withdrawn.")
    arrival_s: float
    start_s: float | None
    finish_s: float | None
    fraction: float | None = Field(description="Share of the work on the GPU, 0 to 1.")
    gpus: str | None = Field(description="Numbers of the GPUs of its node, separated by blanks.")
    decided_by: str | None
    model: str | None
    reason: str | None
    size: float | None = Field(description="Nominal CPU time in seconds; null if it is not known any more.")
    compute_intensity: float | None = Field(description="Parallel part of the work, 0 to 1.")


class TasksBody(_Part):
    """Topic tasks: results as they come, as a sample when there are many."""

    finished: list[FinishedTask] = Field(description="In an update at most 50, in a snapshot the newest 200.")
    results: int = Field(description="How many results this message stands for.")
    total: int = Field(description="How many results the run has by now.")
    time_s: float


class StorageBody(_Part):
    """Topic storage: rows written, and how many of them are not in the database yet."""

    lag_rows: int
    rows: dict[str, int] = Field(description="Rows of each stream of the journal.")


class LearningBody(Retraining):
    """Topic learning: how learning in the running service is doing, how good predictions are, and what trainings brought."""

    model_config = ConfigDict(extra="forbid")

    time_s: float
    lanes: list[LaneLearning]
    trainings: list[Training] = Field(description="Oldest first, at most 50.")


class _Message(_Part):
    version: Literal[1]
    seq: int = Field(description="Ascending within a process.")


class RunMessage(_Message):
    """About the run."""

    topic: Literal["run"]
    body: RunBody


class LanesMessage(_Message):
    """About the policies."""

    topic: Literal["lanes"]
    body: LanesBody


class DevicesMessage(_Message):
    """About the devices."""

    topic: Literal["devices"]
    body: DevicesBody


class TasksMessage(_Message):
    """About finished tasks."""

    topic: Literal["tasks"]
    body: TasksBody


class StorageMessage(_Message):
    """About what is stored."""

    topic: Literal["storage"]
    body: StorageBody


class LearningMessage(_Message):
    """About learning."""

    topic: Literal["learning"]
    body: LearningBody


StreamMessage = Annotated[RunMessage | LanesMessage | DevicesMessage | TasksMessage | StorageMessage | LearningMessage, Field(discriminator="topic")]


class _Frame(_Part):
    version: Literal[1]
    cursor: str = Field(description="Come back with it (?since=) to get only what has changed.")


class SnapshotFrame(_Frame):
    """The present state of the topics that were asked for: the first frame, and one after every subscription."""

    type: Literal["snapshot"]
    topics: list[Topic]
    messages: list[StreamMessage]


class UpdateFrame(_Frame):
    """What is new: at most one message per topic."""

    type: Literal["update"]
    messages: list[StreamMessage]


class HeartbeatFrame(_Frame):
    """There was nothing to say for a while."""

    type: Literal["heartbeat"]


class PongFrame(_Frame):
    """The answer to a ping."""

    type: Literal["pong"]


class SubscribeFrame(_Part):
    """What a client may send: another choice of topics."""

    type: Literal["subscribe"]
    topics: list[Topic]


class PingFrame(_Part):
    """What a client may send: it is answered by a pong."""

    type: Literal["ping"]


StreamFrame = Annotated[SnapshotFrame | UpdateFrame | HeartbeatFrame | PongFrame, Field(discriminator="type")]
FRAMES: TypeAdapter[SnapshotFrame | UpdateFrame | HeartbeatFrame | PongFrame] = TypeAdapter(StreamFrame)
"""Reads any frame that the service sends."""


def stream_document() -> dict[str, Any]:
    """Return the frames of the live stream as schemas of an OpenAPI document without paths, for the generator that reads the API's."""
    kinds: list[type[BaseModel]] = [SnapshotFrame, UpdateFrame, HeartbeatFrame, PongFrame, SubscribeFrame, PingFrame]
    _, found = models_json_schema([(kind, "serialization") for kind in kinds], ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hybrid ML Scheduler: live stream", "version": __version__},
        "paths": {},
        "components": {"schemas": dict(sorted(found["$defs"].items()))},
    }
