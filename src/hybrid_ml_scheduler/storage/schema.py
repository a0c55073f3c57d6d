"""The tables. Migrations make them (``migrations/``); a test holds the two equal on both dialects.

No foreign keys point from rows to runs: PostgreSQL would look up each row of a bulk write, and whole runs are deleted by one function anyway.
Every index besides the primary keys serves a query of `repositories`; a test shows each with EXPLAIN.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, REAL, BigInteger, DateTime, Dialect, Double, Index, Integer, LargeBinary, Table, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from hybrid_ml_scheduler.core.streams import STREAM_COLUMNS, Stream

# SQLite counts a column up by itself only if it is called INTEGER, and knows one kind of integer anyway.
Big = BigInteger().with_variant(Integer(), "sqlite")
DoubleType: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")

TOTAL_WINDOW = -1
"""``metrics.window_index`` of the row over the whole run."""


class UtcTime(TypeDecorator[datetime]):
    """A moment. SQLite keeps no time zones, so what is written there is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware moment."""
        return value if value is None or dialect.name != "sqlite" else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map: ClassVar[Any] = {
        int: Big,
        float: DoubleType,
        str: Text(),
        datetime: UtcTime(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        bytes: LargeBinary(),
    }


class RunRow(Base):
    """One continuous run."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str]
    workload: Mapped[str]
    cluster: Mapped[str]
    policies: Mapped[list[Any]]
    options: Mapped[dict[str, Any]]
    version: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    message: Mapped[str | None]
    fence: Mapped[int]


class TaskRow(Base):
    """One task of a run, as policies see it; see `hybrid_ml_scheduler.core.streams`."""

    __tablename__ = "tasks"
    __table_args__ = (Index("tasks_newest", "run_id", "seq", unique=True),)

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    arrival_s: Mapped[float]
    lanes: Mapped[int] = mapped_column(Integer())
    kind: Mapped[str | None]
    owner: Mapped[str | None]
    size: Mapped[float | None]
    compute_intensity: Mapped[float | None]
    memory_mb: Mapped[float | None]
    cores: Mapped[float | None]
    gpus_asked: Mapped[float | None]
    requested_time_s: Mapped[float | None]
    deadline_s: Mapped[float | None]
    priority: Mapped[float | None]
    parents: Mapped[str | None]


class SchedulerResultRow(Base):
    """What one scheduler made of one task; see `hybrid_ml_scheduler.core.streams`."""

    __tablename__ = "scheduler_results"
    __table_args__ = (Index("scheduler_results_newest", "run_id", "seq", unique=True),)

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    scheduler: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    status: Mapped[str]
    lanes: Mapped[int] = mapped_column(Integer())
    arrival_s: Mapped[float]
    start_s: Mapped[float | None]
    finish_s: Mapped[float | None]
    cpu_s: Mapped[float | None]
    gpu_s: Mapped[float | None]
    node: Mapped[int | None] = mapped_column(Integer())
    gpus: Mapped[str | None]
    fraction: Mapped[float | None]
    score: Mapped[float | None]
    energy_j: Mapped[float | None]
    cost_usd: Mapped[float | None]
    decided_by: Mapped[str | None]
    model: Mapped[str | None]
    reason: Mapped[str | None]


class TrainingRow(Base):
    """One observed outcome to learn from; see `hybrid_ml_scheduler.core.streams`."""

    __tablename__ = "training_data"
    __table_args__ = (Index("training_data_newest", "run_id", "seq", unique=True),)

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    scheduler: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    finish_s: Mapped[float]
    kind: Mapped[str | None]
    device: Mapped[str | None]
    node: Mapped[int | None] = mapped_column(Integer())
    fraction: Mapped[float | None]
    run_s: Mapped[float]
    cpu_s: Mapped[float | None]
    gpu_s: Mapped[float | None]
    nominal_s: Mapped[float | None]
    features: Mapped[str]


class MetricsRow(Base):
    """Aggregates of one scheduler over the tasks that arrived in one window of simulated time, and over all (window `TOTAL_WINDOW`).

    Kept up with every batch of results, in the same transaction; see `hybrid_ml_scheduler.storage.aggregates` for the columns.
    """

    __tablename__ = "metrics"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    window_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    scheduler: Mapped[str] = mapped_column(primary_key=True)
    window_s: Mapped[float]
    results: Mapped[int]
    finished: Mapped[int]
    rejected: Mapped[int]
    refused: Mapped[int]
    withdrawn: Mapped[int]
    response_sum_s: Mapped[float]
    response_max_s: Mapped[float]
    wait_sum_s: Mapped[float]
    wait_max_s: Mapped[float]
    run_sum_s: Mapped[float]
    slowdown_sum: Mapped[float]
    energy_j: Mapped[float]
    cost_usd: Mapped[float]
    by_model: Mapped[int]
    by_fallback: Mapped[int]
    by_exploration: Mapped[int]
    last_finish_s: Mapped[float]
    compared: Mapped[int]
    wins: Mapped[int]
    wins_against: Mapped[dict[str, Any]]
    regret_n: Mapped[int]
    regret_sum_s: Mapped[float]
    response_sketch: Mapped[bytes]
    wait_sketch: Mapped[bytes]


class SimulationStateRow(Base):
    """Where a run stands, so that it goes on after its process has gone."""

    __tablename__ = "simulation_state"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int]
    state: Mapped[dict[str, Any]]
    positions: Mapped[dict[str, Any]]
    checkpoint: Mapped[bytes | None]
    saved_at: Mapped[datetime]


class ModelRow(Base):
    """A model that retraining made, or tried to make."""

    __tablename__ = "model_registry"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int | None]
    name: Mapped[str]
    version: Mapped[int | None] = mapped_column(Integer())
    state: Mapped[str]
    sha256: Mapped[str | None]
    rows: Mapped[int]
    source: Mapped[str]
    details: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    message: Mapped[str | None]


class JournalProgressRow(Base):
    """How far a stream of the journal has come into the database: written in the same transaction as its rows."""

    __tablename__ = "journal_progress"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stream: Mapped[str] = mapped_column(primary_key=True)
    next_seq: Mapped[int]
    journal_id: Mapped[str]
    segment: Mapped[int]
    byte_offset: Mapped[int]
    repeats: Mapped[int]
    pending_from: Mapped[int]
    updated_at: Mapped[datetime]


class ApiKeyRow(Base):
    """An API key: what is needed to know it again, never the key itself."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    sha256: Mapped[str]
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class UserRow(Base):
    """Somebody who signs in with a password, of which an argon2 hash is kept."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(primary_key=True)
    password_hash: Mapped[str]
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class SigningKeyRow(Base):
    """A key that short-lived tokens are signed with: a secret."""

    __tablename__ = "signing_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    secret: Mapped[bytes]
    created_at: Mapped[datetime]


class SessionRow(Base):
    """A sign-in that is renewed by a cookie, of which hashes are kept."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    refresh_sha256: Mapped[str]
    former_sha256: Mapped[str | None]
    created_at: Mapped[datetime]
    renewed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class AccessRevisionRow(Base):
    """One row that counts changes of the four tables above, so that every process sees cheaply whether there are any."""

    __tablename__ = "access_revision"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int]


class AuditRow(Base):
    """One call that changed something, or tried to. The database refuses to change or delete these rows."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    process: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str]
    address: Mapped[str | None]
    method: Mapped[str]
    path: Mapped[str]
    query: Mapped[str | None]
    status: Mapped[int] = mapped_column(Integer())
    note: Mapped[str | None]


class LeadershipRow(Base):
    """Who runs the runs of this database, by the largest token that was ever taken: what decides whose transactions count."""

    __tablename__ = "leadership"

    name: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[int]
    taken_at: Mapped[datetime]


class RunFileRow(Base):
    """A file that a run needs besides its checkpoint, such as a model that it made: whoever goes on with it may have another data folder."""

    __tablename__ = "run_files"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes]
    saved_at: Mapped[datetime]


class DeletedRunRow(Base):
    """A run that was deleted: its journal may be in several data folders, and a run that is only missing here was not deleted."""

    __tablename__ = "deleted_runs"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    deleted_at: Mapped[datetime]


def _table(row: type[Base]) -> Table:
    table = row.__table__
    if not isinstance(table, Table):  # pragma: no cover - every class above has one
        raise TypeError(f"{row.__name__} is mapped to no table")
    return table


STREAM_TABLES: dict[Stream, Table] = {
    Stream.TASKS: _table(TaskRow),
    Stream.RESULTS: _table(SchedulerResultRow),
    Stream.TRAINING: _table(TrainingRow),
}
"""Where the rows of each stream go; column names are those of `STREAM_COLUMNS`."""

STREAM_NAMES: dict[Stream, tuple[str, ...]] = {stream: tuple(column.name for column in columns) for stream, columns in STREAM_COLUMNS.items()}
"""Column names of each stream, in the order in which rows are returned."""

TABLES = tuple(sorted(Base.metadata.tables))
"""Names of all tables."""
