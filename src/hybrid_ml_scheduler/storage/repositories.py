"""All SQL that there is: one class per table or group of tables, each over a session that somebody else began and commits.

Rows are numbered in the order in which they were written (``seq``), so "the newest" and "the next page" are ranges of numbers: no clock, no offset
that grows, no row twice on two pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CursorResult, Row, Select, Table, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hybrid_ml_scheduler.core.errors import StorageFencedError, UnknownRunError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.storage.aggregates import Key, Totals
from hybrid_ml_scheduler.storage.chunk import Chunk, frame_of
from hybrid_ml_scheduler.storage.dialects import DatabaseDialect
from hybrid_ml_scheduler.storage.schema import (
    STREAM_NAMES,
    STREAM_TABLES,
    TABLES,
    TOTAL_WINDOW,
    Base,
    DeletedRunRow,
    JournalProgressRow,
    LeadershipRow,
    MetricsRow,
    ModelRow,
    RunFileRow,
    RunRow,
    SimulationStateRow,
    TaskRow,
)

if TYPE_CHECKING:
    import polars as pl

UNFINISHED = ("running", "paused")
"""States of a run that somebody has to go on with."""
_LEADERSHIP = "runs"

MAX_PAGE = 10_000
"""Most rows in one page."""
SAME_FRACTION = 1e-3
"""GPU fractions that are closer than this are the same place."""
_SCHEDULE = tuple(
    "task_id status arrival_s start_s finish_s cpu_s gpu_s node gpus fraction energy_j decided_by model reason".split()  # noqa: SIM905 - one line
)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a table.

    Attributes
    ----------
    names : tuple of str
        Columns.
    rows : list of tuple
        Values, None where not known.
    next_seq : int or None
        Hand this over to get the page behind this one; None if there is none.
    """

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    next_seq: int | None

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows by name."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as its row says.

    Attributes
    ----------
    id : int
    state : str
        ``running``, ``paused``, ``stopped``, ``finished`` or ``failed``.
    workload, cluster : str
    policies : tuple of str
        Schedulers, in their order.
    options : mapping
        Everything else it was started with, JSON-able.
    version : str
        Of the program that began it.
    created_at, ended_at : datetime
        ``ended_at`` is None while it goes on.
    message : str or None
        Why it ended, if not as asked.
    """

    id: int
    state: str
    workload: str
    cluster: str
    policies: tuple[str, ...]
    options: Mapping[str, Any]
    version: str
    created_at: datetime
    ended_at: datetime | None = None
    message: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {
            "id": self.id,
            "state": self.state,
            "workload": self.workload,
            "cluster": self.cluster,
            "policies": list(self.policies),
            "options": dict(self.options),
            "version": self.version,
            "created_at": self.created_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "message": self.message,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Run:
        """Undo `to_dict`; further entries are left alone."""
        ended = values.get("ended_at")
        return cls(
            id=int(values["id"]),
            state=str(values["state"]),
            workload=str(values["workload"]),
            cluster=str(values["cluster"]),
            policies=tuple(values["policies"]),
            options=dict(values["options"]),
            version=str(values["version"]),
            created_at=datetime.fromisoformat(values["created_at"]),
            ended_at=None if ended is None else datetime.fromisoformat(ended),
            message=values.get("message"),
        )


class Repository:
    """What all repositories share.

    Parameters
    ----------
    session : AsyncSession
    dialect : DatabaseDialect
    """

    def __init__(self, session: AsyncSession, dialect: DatabaseDialect) -> None:
        self.session = session
        self.dialect = dialect

    async def upsert(self, table: Table, rows: Sequence[Mapping[str, Any]], keep: Iterable[str] = ()) -> None:
        """Insert rows; where the key is there already, replace all other columns but those to keep."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        # The rows are parameters, not a part of the statement, which is compiled once whatever their number.
        insert = self.dialect.insert(table)
        changed = {name: insert.excluded[name] for name in rows[0] if name not in {*keys, *keep}}
        await self.session.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed), [dict(row) for row in rows])


class RunRepository(Repository):
    """The table ``runs``."""

    async def save(self, run: Run) -> None:
        """Insert or replace a run."""
        values = run.to_dict() | {"created_at": run.created_at, "ended_at": run.ended_at, "fence": 0}
        await self.upsert(_table_of(RunRow), [values], keep=("fence",))

    async def get(self, run_id: int) -> Run:
        """Return one run.

        Raises
        ------
        UnknownRunError
        """
        row = await self.session.get(RunRow, run_id)
        if row is None:
            raise UnknownRunError(f"there is no run {run_id}; expected one that the list of runs shows")
        return _run(row)

    async def page(self, *, before: int | None = None, limit: int = 50, state: str | None = None, workload: str | None = None) -> list[Run]:
        """Return runs, newest first.

        Parameters
        ----------
        before : int, optional
            Only runs with smaller numbers: the last one of the page before.
        limit : int
        state, workload : str, optional
            Only those.
        """
        query = select(RunRow).order_by(RunRow.id.desc()).limit(min(limit, MAX_PAGE))
        if before is not None:
            query = query.where(RunRow.id < before)
        if state is not None:
            query = query.where(RunRow.state == state)
        if workload is not None:
            query = query.where(RunRow.workload == workload)
        return [_run(row) for row in (await self.session.scalars(query)).all()]

    async def claim(self, run_id: int, token: int) -> None:
        """Say that the holder of this token leads the run now; see `fence`.

        Raises
        ------
        StorageFencedError
            If somebody with a larger one does.
        """
        await self.hold(token)
        if not await self.fence(run_id, token):
            raise StorageFencedError(f"run {run_id} has a newer leader than number {token}; expected to be the newest")

    async def fence(self, run_id: int, token: int) -> bool:
        """Whether the holder of this token may still write: no larger one has been seen. Holds until the transaction ends."""
        query = update(RunRow).where(RunRow.id == run_id, RunRow.fence <= token).values(fence=token)
        done = await self.session.execute(query)
        return isinstance(done, CursorResult) and done.rowcount == 1

    async def hold(self, token: int) -> None:
        """Make sure that this token is the largest ever seen, and that none takes its place until the transaction ends.

        Raises
        ------
        StorageFencedError
            If there is a larger one.
        """
        table = _table_of(LeadershipRow)
        insert = self.dialect.insert(table).values(name=_LEADERSHIP, token=token, taken_at=datetime.now(UTC))
        # One row for all runs: a leader that was shut out can no more begin another run than go on with the one it had.
        taken = insert.on_conflict_do_update(
            index_elements=["name"],
            set_={"token": insert.excluded.token, "taken_at": insert.excluded.taken_at},
            where=table.c.token <= insert.excluded.token,
        )
        done = await self.session.execute(taken)
        if not (isinstance(done, CursorResult) and done.rowcount == 1):
            raise StorageFencedError(f"there is a newer leader than number {token}; expected to be the newest")

    async def highest_fence(self) -> int:
        """Return the largest token ever seen."""
        runs = await self.session.scalar(select(func.coalesce(func.max(RunRow.fence), 0)))
        leaders = await self.session.scalar(select(func.coalesce(func.max(LeadershipRow.token), 0)))
        return max(int(runs or 0), int(leaders or 0))

    async def unfinished(self) -> list[Run]:
        """Return the runs that somebody has to go on with, newest first."""
        query = select(RunRow).where(RunRow.state.in_(UNFINISHED)).order_by(RunRow.id.desc())
        return [_run(row) for row in (await self.session.scalars(query)).all()]

    async def known(self, run_ids: Iterable[int]) -> set[int]:
        """Return which of these runs there are."""
        return set((await self.session.scalars(select(RunRow.id).where(RunRow.id.in_(list(run_ids))))).all())

    async def deleted(self, run_ids: Iterable[int]) -> set[int]:
        """Return which of these runs were deleted."""
        return set((await self.session.scalars(select(DeletedRunRow.run_id).where(DeletedRunRow.run_id.in_(list(run_ids))))).all())


class StreamRepository(Repository):
    """A table that one stream of the journal fills."""

    stream: Stream

    @property
    def table(self) -> Table:
        """The table."""
        return STREAM_TABLES[self.stream]

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns, in the order in which rows are returned."""
        return STREAM_NAMES[self.stream]

    def _select(self, run_id: int) -> Select[Any]:
        return select(*(self.table.c[name] for name in self.names)).where(self.table.c.run_id == run_id)

    async def insert(self, chunk: Chunk) -> None:
        """Insert rows from the journal."""
        await self.dialect.insert_chunk(await self.session.connection(), self.table, chunk)

    def newest_query(self, run_id: int, limit: int, before_seq: int | None = None, scheduler: str | None = None) -> Select[Any]:
        """Return the statement of `newest`."""
        query = self._select(run_id).order_by(self.table.c.seq.desc()).limit(limit)
        if before_seq is not None:
            query = query.where(self.table.c.seq < before_seq)
        if scheduler is not None:
            query = query.where(self.table.c.scheduler == scheduler)
        return query

    async def newest(self, run_id: int, limit: int, before_seq: int | None = None, scheduler: str | None = None) -> Page:
        """Return rows from the newest backwards.

        Parameters
        ----------
        run_id : int
        limit : int
            At most `MAX_PAGE`.
        before_seq : int, optional
            ``next_seq`` of the page before.
        scheduler : str, optional
            Only its rows.
        """
        limit = min(limit, MAX_PAGE)
        rows = _tuples((await self.session.execute(self.newest_query(run_id, limit, before_seq, scheduler))).all())
        return Page(self.names, rows, rows[-1][1] if len(rows) == limit else None)

    def following_query(self, run_id: int, from_seq: int, limit: int, scheduler: str | None = None) -> Select[Any]:
        """Return the statement of `following`."""
        query = self._select(run_id).where(self.table.c.seq >= from_seq).order_by(self.table.c.seq).limit(limit)
        return query if scheduler is None else query.where(self.table.c.scheduler == scheduler)

    async def following(self, run_id: int, from_seq: int, limit: int, scheduler: str | None = None) -> Page:
        """Return rows in their order.

        Parameters
        ----------
        run_id : int
        from_seq : int
            ``next_seq`` of the page before, or 0.
        limit : int
            At most `MAX_PAGE`.
        scheduler : str, optional
            Only its rows.
        """
        limit = min(limit, MAX_PAGE)
        rows = _tuples((await self.session.execute(self.following_query(run_id, from_seq, limit, scheduler))).all())
        return Page(self.names, rows, rows[-1][1] + 1 if len(rows) == limit else None)

    async def range(self, run_id: int, from_seq: int, until_seq: int) -> pl.DataFrame:
        """Return all rows with numbers in a range, in their order."""
        query = self._select(run_id).where(self.table.c.seq >= from_seq, self.table.c.seq < until_seq).order_by(self.table.c.seq)
        found = (await self.session.execute(query)).all()
        return await asyncio.to_thread(lambda: frame_of(self.stream, self.names, _tuples(found)))

    def of_tasks_query(self, run_id: int, task_ids: Sequence[int]) -> Select[Any]:
        """Return the statement of `of_tasks`."""
        # Sorted afterwards: asked for the order, SQLite would go through the whole run by the index that has it.
        return self._select(run_id).where(self.table.c.task_id.in_(task_ids))

    async def of_tasks(self, run_id: int, task_ids: Sequence[int]) -> pl.DataFrame:
        """Return the rows of some tasks."""
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(task_ids), 10_000):
            rows += _tuples((await self.session.execute(self.of_tasks_query(run_id, task_ids[start : start + 10_000]))).all())
        return await asyncio.to_thread(lambda: frame_of(self.stream, self.names, rows).sort("seq"))

    async def first_seq(self, run_id: int) -> int | None:
        """Return the number of the oldest row, None if there is none."""
        found: int | None = await self.session.scalar(select(func.min(self.table.c.seq)).where(self.table.c.run_id == run_id))
        return found

    async def count(self, run_id: int, from_seq: int = 0) -> int:
        """Return the number of rows from one on."""
        query = select(func.count()).select_from(self.table).where(self.table.c.run_id == run_id, self.table.c.seq >= from_seq)
        return int(await self.session.scalar(query) or 0)

    def delete_before_query(self, run_id: int, seq: int) -> Any:
        """Return the statement of `delete_before`."""
        return delete(self.table).where(self.table.c.run_id == run_id, self.table.c.seq < seq)

    async def delete_before(self, run_id: int, seq: int) -> int:
        """Delete the oldest rows, and return how many there were."""
        done = await self.session.execute(self.delete_before_query(run_id, seq))
        return done.rowcount if isinstance(done, CursorResult) else 0


class TaskRepository(StreamRepository):
    """The table ``tasks``."""

    stream = Stream.TASKS

    async def get(self, run_id: int, task_id: int) -> dict[str, Any] | None:
        """Return one task by name of column, None if it is not there."""
        row = (await self.session.execute(self._select(run_id).where(self.table.c.task_id == task_id))).first()
        return None if row is None else dict(zip(self.names, row, strict=True))


class SchedulerResultRepository(StreamRepository):
    """The table ``scheduler_results``."""

    stream = Stream.RESULTS

    async def of_task(self, run_id: int, task_id: int) -> list[dict[str, Any]]:
        """Return what each scheduler made of one task."""
        rows = (await self.session.execute(self.of_tasks_query(run_id, [task_id]))).all()
        return sorted((dict(zip(self.names, row, strict=True)) for row in rows), key=lambda row: int(row["seq"]))

    def schedule_query(self, run_id: int, scheduler: str, from_task: int, limit: int) -> Select[Any]:
        """Return the statement of `schedule`."""
        table, tasks = self.table, _table_of(TaskRow)
        joined = table.join(tasks, (tasks.c.run_id == table.c.run_id) & (tasks.c.task_id == table.c.task_id), isouter=True)
        query = select(*(table.c[name] for name in _SCHEDULE), tasks.c.size, tasks.c.compute_intensity).select_from(joined)
        query = query.where(table.c.run_id == run_id, table.c.task_id >= from_task, table.c.scheduler == scheduler)
        return query.order_by(table.c.task_id).limit(limit)

    async def schedule(self, run_id: int, scheduler: str, from_task: int, limit: int) -> list[dict[str, Any]]:
        """Return where a scheduler put the tasks from one on, in their order, with their size and intensity."""
        rows = (await self.session.execute(self.schedule_query(run_id, scheduler, from_task, min(limit, MAX_PAGE)))).all()
        return [dict(zip((*_SCHEDULE, "size", "compute_intensity"), row, strict=True)) for row in rows]

    def divergence_query(self, run_id: int, first: str, second: str, from_task: int, until_task: int) -> Select[Any]:
        """Return the statement of `divergence`."""
        a, b = self.table.alias("a"), self.table.alias("b")
        joined = a.join(b, (a.c.run_id == b.c.run_id) & (a.c.task_id == b.c.task_id))
        elsewhere = (
            a.c.node.is_distinct_from(b.c.node) | a.c.gpus.is_distinct_from(b.c.gpus) | (func.abs(a.c.fraction - b.c.fraction) > SAME_FRACTION)
        )
        query = select(a.c.task_id).select_from(joined)
        query = query.where(a.c.run_id == run_id, a.c.scheduler == first, b.c.scheduler == second, a.c.task_id >= from_task, a.c.task_id < until_task)
        return query.where(elsewhere).order_by(a.c.task_id).limit(1)

    async def divergence(self, run_id: int, first: str, second: str, from_task: int, until_task: int) -> int | None:
        """Return the first task from one on, and before another, that two schedulers put in different places; None if there is none."""
        found = await self.session.scalar(self.divergence_query(run_id, first, second, from_task, until_task))
        return None if found is None else int(found)


class TrainingDataRepository(StreamRepository):
    """The table ``training_data``."""

    stream = Stream.TRAINING

    async def window(self, run_id: int, rows: int) -> pl.DataFrame:
        """Return the newest rows, at most so many, oldest first."""
        found = (await self.session.execute(self.newest_query(run_id, rows))).all()
        # Tens of thousands of rows: the event loop does not wait for them.
        return await asyncio.to_thread(lambda: frame_of(self.stream, self.names, reversed(_tuples(found))))


REPOSITORIES: dict[Stream, type[StreamRepository]] = {
    Stream.TASKS: TaskRepository,
    Stream.RESULTS: SchedulerResultRepository,
    Stream.TRAINING: TrainingDataRepository,
}


class MetricsRepository(Repository):
    """The table ``metrics``."""

    async def add(self, run_id: int, window_s: float, found: Mapping[Key, Totals]) -> None:
        """Add what a batch of results counted to what is there."""
        if not found:
            return
        windows = sorted({window for _, window in found})
        merged: dict[Key, Totals] = {}
        for start in range(0, len(windows), 10_000):
            query = select(MetricsRow).where(MetricsRow.run_id == run_id, MetricsRow.window_index.in_(windows[start : start + 10_000]))
            for row in (await self.session.execute(query.with_only_columns(*_METRICS_COLUMNS))).all():
                if (row.scheduler, row.window_index) in found:
                    merged[row.scheduler, row.window_index] = Totals.from_row(row)
        for key, totals in found.items():
            merged.setdefault(key, Totals()).add(totals)
        rows = [
            {"run_id": run_id, "scheduler": scheduler, "window_index": window, "window_s": window_s, **totals.to_row()}
            for (scheduler, window), totals in merged.items()
        ]
        await self.upsert(_table_of(MetricsRow), rows)

    def totals_query(self, run_id: int) -> Select[Any]:
        """Return the statement of `totals`."""
        return select(*_METRICS_COLUMNS).where(MetricsRow.run_id == run_id, MetricsRow.window_index == TOTAL_WINDOW)

    async def totals(self, run_id: int, scheduler: str | None = None) -> dict[str, Totals]:
        """Return the aggregates over the whole run, by scheduler."""
        query = self.totals_query(run_id)
        if scheduler is not None:
            query = query.where(MetricsRow.scheduler == scheduler)
        return {row.scheduler: Totals.from_row(row) for row in (await self.session.execute(query)).all()}

    def windows_query(self, run_id: int, scheduler: str, before: int | None, limit: int) -> Select[Any]:
        """Return the statement of `windows`."""
        query = select(*_METRICS_COLUMNS).where(
            MetricsRow.run_id == run_id, MetricsRow.scheduler == scheduler, MetricsRow.window_index > TOTAL_WINDOW
        )
        query = query.order_by(MetricsRow.window_index.desc()).limit(limit)
        return query if before is None else query.where(MetricsRow.window_index < before)

    async def windows(self, run_id: int, scheduler: str, before: int | None = None, limit: int = 1_000) -> list[tuple[int, float, Totals]]:
        """Return windows from the newest backwards: index, length in simulated seconds, aggregates."""
        rows = (await self.session.execute(self.windows_query(run_id, scheduler, before, min(limit, MAX_PAGE)))).all()
        return [(row.window_index, row.window_s, Totals.from_row(row)) for row in rows]


class StateRepository(Repository):
    """The table ``simulation_state``."""

    async def save(self, run_id: int, revision: int, state: Mapping[str, Any], positions: Mapping[Stream, int], checkpoint: bytes) -> None:
        """Insert or replace where a run stands."""
        values = {
            "run_id": run_id,
            "revision": revision,
            "state": dict(state),
            "positions": {stream.value: seq for stream, seq in positions.items()},
            "checkpoint": checkpoint,
            "saved_at": datetime.now(UTC),
        }
        await self.upsert(_table_of(SimulationStateRow), [values])

    async def get(self, run_id: int) -> SimulationStateRow | None:
        """Return where a run stands, None if nothing was saved."""
        return await self.session.get(SimulationStateRow, run_id)


class ModelRepository(Repository):
    """The table ``model_registry``."""

    async def add(self, values: Mapping[str, Any]) -> int:
        """Insert a model, and return its number."""
        row = ModelRow(**{"created_at": datetime.now(UTC), **values})
        self.session.add(row)
        await self.session.flush()
        return row.id

    async def set_state(self, model_id: int, state: str, message: str | None = None) -> None:
        """Say what became of a model."""
        await self.session.execute(update(ModelRow).where(ModelRow.id == model_id).values(state=state, message=message))

    async def retire(self, *, name: str | None = None, run_id: int | None = None, but: Collection[int] = ()) -> None:
        """Say of models in use that they no longer are: of one name or one run, apart from some versions."""
        query = update(ModelRow).where(ModelRow.state == "in_use")
        if name is not None:
            query = query.where(ModelRow.name == name)
        if run_id is not None:
            query = query.where(ModelRow.run_id == run_id)
        if but:
            query = query.where(ModelRow.version.not_in(but))
        await self.session.execute(query.values(state="retired"))

    async def newest(self, run_id: int | None = None, limit: int = 50, before: int | None = None) -> list[ModelRow]:
        """Return models, newest first."""
        query = select(ModelRow).order_by(ModelRow.id.desc()).limit(min(limit, MAX_PAGE))
        if run_id is not None:
            query = query.where(ModelRow.run_id == run_id)
        if before is not None:
            query = query.where(ModelRow.id < before)
        return list((await self.session.scalars(query)).all())


class RunFileRepository(Repository):
    """The table ``run_files``."""

    async def names(self, run_id: int) -> set[str]:
        """Return the names of a run's files."""
        return set((await self.session.scalars(select(RunFileRow.name).where(RunFileRow.run_id == run_id))).all())

    async def of_run(self, run_id: int) -> dict[str, bytes]:
        """Return a run's files by their names."""
        query = select(RunFileRow.name, RunFileRow.content).where(RunFileRow.run_id == run_id)
        return {row.name: row.content for row in (await self.session.execute(query)).all()}

    async def save(self, run_id: int, files: Mapping[str, bytes]) -> None:
        """Insert files, or replace those of the same name."""
        rows = [{"run_id": run_id, "name": name, "content": content, "saved_at": datetime.now(UTC)} for name, content in files.items()]
        await self.upsert(_table_of(RunFileRow), rows)


class ProgressRepository(Repository):
    """The table ``journal_progress``."""

    async def of_run(self, run_id: int, *, lock: bool = False) -> dict[Stream, JournalProgressRow]:
        """Return how far each stream of a run has come.

        Parameters
        ----------
        run_id : int
        lock : bool
            Keep others from changing it until the transaction ends.
        """
        query = select(JournalProgressRow).where(JournalProgressRow.run_id == run_id)
        if lock:
            query = query.with_for_update()
        return {Stream(row.stream): row for row in (await self.session.scalars(query)).all()}

    async def all(self) -> dict[tuple[int, Stream], int]:
        """Return the number of the next row of each stream of each run."""
        query = select(JournalProgressRow.run_id, JournalProgressRow.stream, JournalProgressRow.next_seq)
        return {(run_id, Stream(stream)): next_seq for run_id, stream, next_seq in (await self.session.execute(query)).all()}

    async def save(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert or replace progress."""
        await self.upsert(_table_of(JournalProgressRow), [{**row, "updated_at": datetime.now(UTC)} for row in rows])


class HistoryRepository(Repository):
    """What concerns all tables."""

    async def counts(self) -> dict[str, int]:
        """Return the number of rows of every table."""
        return {name: int(await self.session.scalar(select(func.count()).select_from(Base.metadata.tables[name])) or 0) for name in TABLES}

    async def delete_run(self, run_id: int) -> int:
        """Delete everything about a run but that it was deleted, and return the number of rows."""
        deleted = 0
        gone = _table_of(DeletedRunRow)
        values = {"run_id": run_id, "deleted_at": datetime.now(UTC)}
        await self.session.execute(self.dialect.insert(gone).values(**values).on_conflict_do_nothing())
        for table in Base.metadata.tables.values():
            if table is gone:
                continue
            column = table.c.id if table.name == RunRow.__tablename__ else table.c.get("run_id")
            if column is None:
                continue  # about the service, not about a run
            done = await self.session.execute(delete(table).where(column == run_id))
            deleted += done.rowcount if isinstance(done, CursorResult) else 0
        return deleted

    async def runs(self) -> list[int]:
        """Return the numbers of all runs, oldest first."""
        return list((await self.session.scalars(select(RunRow.id).order_by(RunRow.id))).all())


def _table_of(row: type[Base]) -> Table:
    return Base.metadata.tables[row.__tablename__]


_METRICS_COLUMNS = tuple(_table_of(MetricsRow).columns)


def _tuples(rows: Sequence[Row[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows]


def _run(row: RunRow) -> Run:
    return Run(row.id, row.state, row.workload, row.cluster, tuple(row.policies), row.options, row.version, row.created_at, row.ended_at, row.message)
