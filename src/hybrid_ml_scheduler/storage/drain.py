"""The way from the journal into the database: in the background, in batches, each row exactly once.

How far a stream has come stands in the database, in the same transaction as its rows: whatever breaks, both are there or neither. Aggregates of
results (`aggregates`) are kept up in that transaction too. Nothing is remembered here that could not be read again from the two.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from hybrid_ml_scheduler.core.errors import (
    HmsError,
    JournalError,
    SchemaError,
    StorageBusyError,
    StorageConflictError,
    StorageError,
    StorageFencedError,
    StorageUnavailableError,
)
from hybrid_ml_scheduler.core.observing import Place
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.storage.aggregates import Key, Pending, Totals, merge, totals_of
from hybrid_ml_scheduler.storage.chunk import Chunk
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.journal import JournalStore, SavedState
from hybrid_ml_scheduler.storage.repositories import (
    REPOSITORIES,
    MetricsRepository,
    ProgressRepository,
    Run,
    RunFileRepository,
    RunRepository,
    SchedulerResultRepository,
    StateRepository,
)
from hybrid_ml_scheduler.storage.retention import retain
from hybrid_ml_scheduler.storage.segments import Position

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy.ext.asyncio import AsyncSession

_LOG = logging.getLogger(__name__)

_RATE_MEMORY = 0.3
"""Share of the newest batch in the measured speed."""
_LEAST_LAG_LIMIT = 20_000
"""A run is never held back for fewer rows than this: the speed is not known yet, or the batches are small."""
_RETENTION_EVERY_S = 60.0
_MOST_EXPECTED = 1_000
"""Batches of a run whose traces wait for their rows to be written; while the database is away for long, older ones end without."""
_NOTE_EVERY_S = 5.0
_SWEPT_EVERY_S = 10.0
"""How often it is looked whether a run whose journal is here was deleted through another process, in seconds."""


class DrainState(StrEnum):
    """How the way into the database is."""

    OK = "ok"
    AWAY = "away"
    """The database does not answer; rows wait in the journal."""
    FENCED = "fenced"
    """Another process leads the run; this one must not write."""
    FAILED = "failed"
    """Something else is wrong: see ``error``. It is tried again."""


@dataclass(slots=True)
class _Way:
    """How far one run has come: what the database says, and the results that wait for others of their task."""

    positions: dict[Stream, Position]
    repeats: dict[Stream, int]
    pending: Pending
    saved_revision: int
    described: dict[str, Any]
    journal_ids: dict[Stream, str]
    files: set[str]
    awaited: SavedState | None = None
    """A state whose rows are on their way."""

    def reaches(self, state: SavedState) -> bool:
        """Whether all rows that belong before a state are there."""
        return all(self.positions[stream].seq >= seq for stream, seq in state.positions.items())


@dataclass(frozen=True, slots=True)
class _Batch:
    chunks: dict[Stream, Chunk]
    behind: dict[Stream, Position]

    @property
    def rows(self) -> int:
        return sum(chunk.count for chunk in self.chunks.values())


class Drainer:
    """Brings rows from the journal into the database.

    Parameters
    ----------
    database : Database
    journals : JournalStore
    """

    def __init__(self, database: Database, journals: JournalStore) -> None:
        self.database = database
        self.journals = journals
        self.settings = database.settings
        self.state = DrainState.OK
        self.error: str | None = None
        self.away_since_s: float | None = None
        """`time.monotonic` of when the database went away; None while it answers."""
        self.rows_per_s: float | None = None
        """Measured speed; None before the first batch."""
        self.drained_rows = 0
        """Rows that this process has brought into the database."""
        self.listeners: list[Callable[[int], Awaitable[None]]] = []
        """Called with a run's number after its rows have been committed; they must not raise."""
        self.prepare: Callable[[], Awaitable[None]] | None = None
        """What must be done once before anything is written, if it could not be when the storage was opened."""
        self._ways: dict[int, _Way] = {}
        self._drained: dict[tuple[int, Stream], int] = {}
        self._noted: dict[int, dict[Stream, int]] = {}
        self._noted_s: dict[int, float] = {}
        self._fences: dict[int, int] = {}
        self._expected: dict[int, deque[tuple[Mapping[Stream, int], Place]]] = {}
        self._lock = asyncio.Lock()
        self.superseded: set[int] = set()
        """Runs that another data folder has continued; what their journal here has beyond that is obsolete, and no lag."""
        self._settled: set[int] = set()
        self._broken: set[int] = set()
        self._blocked = False
        self._stop = asyncio.Event()
        self._progress = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._retained_s = time.monotonic()
        self._swept_s = -math.inf

    @property
    def lag_rows(self) -> int:
        """Rows in the journal that are not in the database yet.

        What it has is known once it has answered. Until then, what was noted beside the journal when it last did counts.
        """
        return sum(self._lag_of(run_id) for run_id in self.journals.runs())

    def _lag_of(self, run_id: int) -> int:
        if self._is_settled(run_id):
            return 0
        first = self.journals.first_seqs(run_id)
        ends = self.journals.positions(run_id)
        noted = self._noted.get(run_id)
        if noted is None:
            noted = self._noted[run_id] = self.journals.drained(run_id, self._database_name)
        known = {stream: self._drained.get((run_id, stream), max(first[stream], noted.get(stream, 0))) for stream in ends}
        return sum(max(0, end - known[stream]) for stream, end in ends.items())

    @property
    def _database_name(self) -> str:
        """A name for the database of these settings that tells nobody where it is."""
        return hashlib.sha256(self.settings.url.render_as_string(hide_password=True).encode()).hexdigest()[:16]

    def _note(self, run_id: int, *, now: bool = False) -> None:
        """Write beside the journal how far the database has come, now or if it is due: a start without it knows then what can be missing."""
        reached = {stream: seq for stream in Stream if (seq := self._drained.get((run_id, stream))) is not None}
        due = now or time.monotonic() - self._noted_s.get(run_id, -math.inf) >= _NOTE_EVERY_S
        if not due or not reached or reached == self._noted.get(run_id):
            return
        self._noted_s[run_id] = time.monotonic()
        try:
            self.journals.note_drained(run_id, self._database_name, reached)
        except OSError as error:
            # Nothing depends on it but the lag that is shown while the database is away.
            _LOG.warning("run %d: how far the database has come could not be noted: %s", run_id, error)
        else:
            self._noted[run_id] = reached

    @property
    def lag_limit_rows(self) -> int:
        """How many rows may wait before a run is held back: what drains in ``HMS_LAG_TARGET_S``, as measured."""
        return max(_LEAST_LAG_LIMIT, int((self.rows_per_s or 0.0) * self.settings.lag_target_s))

    def lead(self, run_id: int, token: int) -> None:
        """Write rows of this run only as long as no larger token has been seen; see `cache.Lease`."""
        self._fences[run_id] = token
        self.superseded.discard(run_id)
        self._settled.discard(run_id)

    @contextmanager
    def expected(self, run_id: int, ends: Callable[[], Mapping[Stream, int]]) -> Iterator[None]:
        """Let the trace at hand, if there is one, go on when rows up to these are written, unless keeping them fails."""
        place = self.database.observer.place()
        if place is None:
            yield
            return
        entry = (ends(), place)
        waiting = self._expected.setdefault(run_id, deque(maxlen=_MOST_EXPECTED))
        waiting.append(entry)
        try:
            yield
        except BaseException:
            with suppress(ValueError):
                waiting.remove(entry)
            raise

    def _arriving(self, run_id: int, behind: Mapping[Stream, Position]) -> list[Place]:
        """Return the traces whose rows are all before some positions."""

        def inside(positions: Mapping[Stream, int]) -> bool:
            return all(seq <= behind[stream].seq for stream, seq in positions.items())

        return [place for _, place in takewhile(lambda each: inside(each[0]), self._expected.get(run_id, ()))]

    def _arrived(self, run_id: int, traces: int) -> None:
        expected = self._expected.get(run_id)
        for _ in range(min(traces, len(expected or ()))):
            self._expected[run_id].popleft()

    async def ready(self) -> None:
        """Make sure that the tables are those of this version, if that has not been possible before.

        Raises
        ------
        SchemaError, StorageUnavailableError, StorageBusyError
        """
        if self.prepare is not None:
            await self.prepare()
            self.prepare = None

    async def settle(self, run_id: int) -> bool:
        """Bring everything that is known about a run by now into the database: what others must find there, should this process die.

        Returns
        -------
        bool
            Whether it is there; False while the database is away.

        Raises
        ------
        StorageFencedError
            If somebody else leads the run.
        JournalError
            If the journal cannot be read.
        """
        ends, revision = self.journals.positions(run_id), self.journals.state_revision(run_id)
        before: _Way | None = None
        while True:
            try:
                await self.ready()
                await self.drain_run(run_id)
            except (StorageUnavailableError, StorageBusyError, SchemaError):
                return False
            way = self._ways.get(run_id)
            if way is None:
                return False
            # The description goes with every batch, and a state behind its rows.
            if way.saved_revision >= revision and all(way.positions[stream].seq >= end for stream, end in ends.items()):
                return True
            if way is before:
                return False
            before = way

    def _is_settled(self, run_id: int) -> bool:
        """Whether nothing can have come since everything was there: a journal that is being begun or gone on with is opened at any moment."""
        return run_id in self._settled and self.journals.opened(run_id) is None

    def touch(self, run_id: int) -> None:
        """Say that something about a run has changed that is not a row."""
        self._settled.discard(run_id)

    async def wait_until_lag_below(self, rows: int | None = None) -> None:
        """Wait until fewer rows than that wait, or the database is away or fails: then waiting would not help.

        Parameters
        ----------
        rows : int, optional
            By default `lag_limit_rows`.
        """
        if self._task is None:
            return

        def enough() -> bool:
            lag = sum(self._lag_of(run_id) for run_id in self.journals.runs() if run_id not in self._broken)
            return self._blocked or self._stop.is_set() or lag < (self.lag_limit_rows if rows is None else rows)

        async with self._progress:
            await self._progress.wait_for(enough)

    def start(self) -> None:
        """Begin to work in the background."""
        if self._task is None:
            self._stop.clear()
            self._task = asyncio.create_task(self._work(), name="drain")

    async def stop(self, timeout_s: float) -> bool:
        """Bring in what the database takes in this time, then end.

        Returns
        -------
        bool
            Whether everything is in the database.
        """
        self._stop.set()
        task, self._task = self._task, None
        if task is not None:
            # A batch that is under way at the end of the time is undone by the database.
            with suppress(TimeoutError):
                await asyncio.wait_for(task, timeout_s)
        async with self._progress:
            self._progress.notify_all()
        for run_id in self.journals.runs():
            await asyncio.to_thread(self._note, run_id, now=True)
        return self.lag_rows == 0

    async def _work(self) -> None:
        first_pause_s = self.settings.drain_interval_s
        pause_s = first_pause_s
        while True:
            # Asked before: rows that were written while it looked come with another look.
            stopping = self._stop.is_set()
            try:
                await self._sweep_if_due()
                rows = await self.drain_all()
                for run_id in list(self._ways):
                    await asyncio.to_thread(self._note, run_id)
                await self._retain_if_due()
            except StorageError as error:
                self._ways.clear()
                await self._trouble(error)
            except Exception as error:  # noqa: BLE001 - logged with its traceback, and shown as the state
                # A defect of ours must be seen, and must not end the way into the database for good.
                _LOG.exception("rows wait in the journal")
                self._ways.clear()
                await self._trouble(StorageError(f"a defect of this program stopped the way into the database ({type(error).__name__}: {error})"))
            else:
                pause_s = first_pause_s
                if rows == 0 and stopping:
                    return
                if rows < self.settings.drain_batch_rows:
                    await self._pause(first_pause_s)
                continue
            if self._stop.is_set():
                return
            # Longer and longer, up to a limit.
            pause_s = min(2 * pause_s, max(first_pause_s, self.settings.drain_retry_max_s))
            await self._pause(pause_s)

    async def _retain_if_due(self) -> None:
        if time.monotonic() - self._retained_s >= _RETENTION_EVERY_S:
            self._retained_s = time.monotonic()
            await self.retain()

    async def _sweep_if_due(self) -> None:
        if time.monotonic() - self._swept_s >= _SWEPT_EVERY_S:
            await self.ready()
            await self.sweep()
            self._swept_s = time.monotonic()

    async def sweep(self) -> int:
        """Delete the journals here of runs that were deleted through another process; return how many.

        The database must say of each that it was deleted: one that is away, or was emptied and is to be filled again, takes no journal with it.

        Raises
        ------
        StorageUnavailableError, StorageBusyError
            If it does not answer. Nothing was deleted.
        """
        async with self._lock:
            async with self.database.read() as session:
                gone = await RunRepository(session, self.database.dialect).deleted(self.journals.runs())
            closed = [run_id for run_id in sorted(gone) if self.journals.opened(run_id) is None]
            for run_id in closed:
                await asyncio.to_thread(self.journals.delete, run_id)
                await self.forget(run_id)
        return len(closed)

    async def _pause(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), pause_s)

    async def _trouble(self, error: StorageError, *, blocked: bool = True) -> None:
        if isinstance(error, (StorageUnavailableError, StorageBusyError)):
            state = DrainState.AWAY
            self.away_since_s = self.away_since_s if self.away_since_s is not None else time.monotonic()
        else:
            state = DrainState.FENCED if isinstance(error, StorageFencedError) else DrainState.FAILED
        if state is not self.state or str(error) != self.error:
            _LOG.warning("rows wait in the journal: %s", error)
        await self._set(state, str(error), blocked=blocked)

    async def _set(self, state: DrainState, error: str | None, *, blocked: bool) -> None:
        async with self._progress:
            self.state, self.error, self._blocked = state, error, blocked
            if state is not DrainState.AWAY:
                self.away_since_s = None
            self._progress.notify_all()

    async def drain_all(self) -> int:
        """Bring in one batch of every run that has new rows.

        Returns
        -------
        int
            Rows that were brought in.

        Raises
        ------
        StorageError
            If the database or the journal fails; nothing of that batch was written.
        """
        await self.ready()
        total = 0
        problem: StorageError | None = None
        blocked = False
        broken = set()
        for run_id in list(self.journals.runs()):
            if self._is_settled(run_id):
                continue
            is_open = self.journals.opened(run_id) is not None
            try:
                rows = await self.drain_run(run_id)
            except (JournalError, StorageFencedError) as error:
                # It concerns this run only: the others go on.
                if isinstance(error, StorageFencedError) and not is_open:
                    self.superseded.add(run_id)
                    self._settled.add(run_id)
                    continue
                problem, blocked = error, blocked or is_open
                broken.add(run_id)
                continue
            total += rows
            if not rows and not is_open and self.journals.opened(run_id) is None:
                # It has ended, and all of it is there. Was it opened meanwhile, there is more to come.
                self._settled.add(run_id)
        self._broken = broken
        if problem is not None:
            await self._trouble(problem, blocked=blocked)
        else:
            await self._set(DrainState.OK, None, blocked=False)
        return total

    async def drain_run(self, run_id: int) -> int:
        """Bring in one batch of one run; see `drain_all`."""
        async with self._lock:
            if run_id not in self.journals.runs():
                return 0
            try:
                return await self._drain_run(run_id)
            except StorageConflictError:
                # A key is there already: the journal has a row twice, or the table has rows that the journal knows nothing of.
                self._ways.pop(run_id, None)
                return await self._drain_run(run_id, skip_repeats=True)
            except HmsError:
                self._ways.pop(run_id, None)
                raise

    async def _drain_run(self, run_id: int, *, skip_repeats: bool = False) -> int:
        way = self._ways.get(run_id)
        if way is None:
            way = await self._find_way(run_id)
        started_s = time.monotonic()
        state = await asyncio.to_thread(self._state_to_save, run_id, way)
        batch = await asyncio.to_thread(self._read, run_id, way)
        # Looked at behind the rows: what changed a run was described before it left any, so no row is there without what explains it.
        description = self.journals.description(run_id)
        files = await asyncio.to_thread(self._files_to_save, run_id, way)
        if not batch.rows and state is None and not files and description == way.described:
            self._remember(run_id, way)
            self._ways[run_id] = way
            return 0
        found, pending = ({}, way.pending) if skip_repeats else await asyncio.to_thread(self._aggregate, batch.chunks, way.pending)
        observer = self.database.observer
        places = self._arriving(run_id, batch.behind)
        with observer.span_of("write", places, {"hms.run_id": run_id, "hms.rows": batch.rows}):
            next_way = await self._write(run_id, way, batch, state, description, files, found, pending, skip_repeats=skip_repeats)
        self._arrived(run_id, len(places))
        self._ways[run_id] = next_way
        self._remember(run_id, next_way)
        if batch.rows:
            self._measure(batch.rows, time.monotonic() - started_s)
        async with self._progress:
            self._progress.notify_all()
        for listener in self.listeners:
            await listener(run_id)
        return batch.rows

    async def _write(
        self,
        run_id: int,
        way: _Way,
        batch: _Batch,
        state: SavedState | None,
        description: dict[str, Any],
        files: dict[str, bytes],
        found: dict[Key, Totals],
        pending: Pending,
        *,
        skip_repeats: bool,
    ) -> _Way:
        """Write a batch in one transaction; return how far the run has come with it."""
        async with self.database.write() as session:
            dialect = self.database.dialect
            if any(end > batch.behind[stream].seq for stream, end in self.journals.positions(run_id).items()):
                # Whoever brings the rest finds out if the server has lost this one. After the last one nobody would.
                await dialect.prepare_bulk(await session.connection())
            await self._claim(session, run_id, description)
            await self._still_there(session, run_id, way)
            repeats = dict(way.repeats)
            chunks = batch.chunks
            if skip_repeats:
                chunks = {stream: await self._without_repeats(session, run_id, chunk) for stream, chunk in chunks.items()}
                for stream, chunk in chunks.items():
                    repeats[stream] += batch.chunks[stream].count - chunk.count
                found, pending = await asyncio.to_thread(self._aggregate, chunks, way.pending)
            for stream, chunk in chunks.items():
                if chunk.count:
                    await REPOSITORIES[stream](session, dialect).insert(chunk)
            await MetricsRepository(session, dialect).add(run_id, self.settings.metrics_window_s, found)
            if state is not None:
                await StateRepository(session, dialect).save(run_id, state.revision, state.state, state.positions, state.checkpoint)
            await RunFileRepository(session, dialect).save(run_id, files)
            next_way = _Way(
                batch.behind,
                repeats,
                pending,
                way.saved_revision if state is None else state.revision,
                description,
                dict.fromkeys(Stream, self.journals.journal_id),
                way.files | set(files),
                way.awaited,
            )
            await ProgressRepository(session, dialect).save(self._rows_of(run_id, next_way))
        return next_way

    def _measure(self, rows: int, time_s: float) -> None:
        self.drained_rows += rows
        speed = rows / max(time_s, 1e-6)
        self.rows_per_s = speed if self.rows_per_s is None else (1 - _RATE_MEMORY) * self.rows_per_s + _RATE_MEMORY * speed

    def _remember(self, run_id: int, way: _Way) -> None:
        for stream, position in way.positions.items():
            self._drained[run_id, stream] = position.seq

    def _state_to_save(self, run_id: int, way: _Way) -> SavedState | None:
        """Return a state that the database lacks and has all rows before; what is not there yet is waited for.

        States may follow each other faster than their rows get there, so waiting for the newest one each time would be waiting for ever.
        """
        if self.journals.state_revision(run_id) <= way.saved_revision:
            return None
        due = way.awaited
        if due is not None and not way.reaches(due):
            return None
        newest = self.journals.saved_state(run_id)
        if newest is None or newest.revision <= way.saved_revision:
            return due
        if way.reaches(newest):
            way.awaited = None
            return newest
        way.awaited = newest
        return due

    def _files_to_save(self, run_id: int, way: _Way) -> dict[str, bytes]:
        found = {name: self.journals.file_content(run_id, name) for name in self.journals.files(run_id) if name not in way.files}
        # A model that is pruned meanwhile needs to go nowhere.
        return {name: content for name, content in found.items() if content is not None}

    def _read(self, run_id: int, way: _Way) -> _Batch:
        journal = self.journals.opened(run_id)
        if journal is not None:
            ends = journal.positions()
            journal.make_durable()
        else:
            ends = self.journals.positions(run_id)
        chunks, behind = {}, dict(way.positions)
        for stream, position in way.positions.items():
            if position.seq < ends[stream]:
                with closing(self.journals.read(run_id, stream, position, ends[stream], self.settings.drain_batch_rows)) as following:
                    found = next(following, None)
                if found is None:
                    raise JournalError(
                        f"{self.journals.run_folder(run_id)}: {stream} end before row {position.seq}; expected rows up to {ends[stream] - 1}"
                    )
                chunks[stream], behind[stream] = found
        return _Batch(chunks, behind)

    def _aggregate(self, chunks: Mapping[Stream, Chunk], pending: Pending) -> tuple[dict[Key, Totals], Pending]:
        chunk = chunks.get(Stream.RESULTS)
        if chunk is None or not chunk.count:
            return {}, pending
        window_s = self.settings.metrics_window_s
        pending, compared = pending.after(chunk.frame, window_s)
        return merge(totals_of(chunk.frame, window_s), compared), pending

    async def _claim(self, session: AsyncSession, run_id: int, description: Mapping[str, Any]) -> None:
        runs = RunRepository(session, self.database.dialect)
        await runs.save(Run.from_dict(description))
        token = self._fences.get(run_id)
        if token is not None:
            await runs.claim(run_id, token)

    async def _find_way(self, run_id: int) -> _Way:
        """Read how far a run has come."""
        async with self.database.read() as session:
            progress = await ProgressRepository(session, self.database.dialect).of_run(run_id)
            if not progress and await RunRepository(session, self.database.dialect).deleted([run_id]):
                raise StorageFencedError(f"run {run_id} was deleted; expected another one to be written")
            saved = await StateRepository(session, self.database.dialect).get(run_id)
            saved_revision = 0 if saved is None else saved.revision
            files = await RunFileRepository(session, self.database.dialect).names(run_id)
            results = progress.get(Stream.RESULTS)
            pending = Pending()
            if results is not None and results.pending_from < results.next_seq:
                repository = SchedulerResultRepository(session, self.database.dialect)
                pending = await self._waiting(repository, run_id, results.pending_from, results.next_seq)
        positions, repeats = {}, {}
        for stream in Stream:
            row = progress.get(stream)
            repeats[stream] = 0 if row is None else row.repeats
            if row is None:
                positions[stream] = self.journals.begin(run_id, stream)
            elif row.journal_id == self.journals.journal_id:
                positions[stream] = Position(row.next_seq, row.segment, row.byte_offset)
            elif run_id not in self._fences:
                raise StorageFencedError(f"run {run_id} has been continued from another data folder; expected to be the one that leads it")
            else:
                positions[stream] = await asyncio.to_thread(self.journals.locate, run_id, stream, row.next_seq)
            end = self.journals.positions(run_id)[stream]
            if positions[stream].seq > end:
                raise JournalError(
                    f"{self.journals.run_folder(run_id)}: the journal's {stream} end with row {end - 1}, but the database has rows up to "
                    f"{positions[stream].seq - 1}; expected it to be ahead (is it another one, or an old copy?)"
                )
        journal_ids = {stream: self.journals.journal_id if (row := progress.get(stream)) is None else row.journal_id for stream in Stream}
        return _Way(positions, repeats, pending, saved_revision, {}, journal_ids, files)

    async def _waiting(self, repository: SchedulerResultRepository, run_id: int, from_seq: int, until_seq: int) -> Pending:
        """Find the results again that wait for others of their task."""
        import polars as pl

        window_s = self.settings.metrics_window_s
        recent = await repository.range(run_id, from_seq, until_seq)
        # Beside the event loop, like everything else that goes through many rows.
        waiting, _ = await asyncio.to_thread(Pending().after, recent, window_s)
        if waiting.frame is None or not len(waiting):
            return waiting
        # A task with results before the range looks incomplete in it, and is not: ask for all its results.
        every = await repository.of_tasks(run_id, sorted(set(waiting.frame["task_id"].to_list())))
        return (await asyncio.to_thread(lambda: Pending().after(every.filter(pl.col("seq") < until_seq), window_s)))[0]

    async def _still_there(self, session: AsyncSession, run_id: int, way: _Way) -> None:
        progress = await ProgressRepository(session, self.database.dialect).of_run(run_id, lock=True)
        for stream, position in way.positions.items():
            row = progress.get(stream)
            if row is not None and row.journal_id != way.journal_ids[stream]:
                self._ways.pop(run_id, None)
                raise StorageFencedError(f"run {run_id} has been continued from another data folder; expected to be the one that leads it")
            # It may have lost the very first one.
            reached = self.journals.begin(run_id, stream).seq if row is None else row.next_seq
            if reached != position.seq:
                self._ways.pop(run_id, None)
                raise StorageUnavailableError(
                    f"run {run_id}: the database has come to row {reached} of {stream}; expected {position.seq} (it lost its last commits, "
                    "or somebody else wrote; trying again from there)"
                )

    def _rows_of(self, run_id: int, way: _Way) -> list[dict[str, Any]]:
        return [
            {
                "run_id": run_id,
                "stream": stream.value,
                "next_seq": position.seq,
                "journal_id": self.journals.journal_id,
                "segment": position.segment,
                "byte_offset": position.offset,
                "repeats": way.repeats[stream],
                "pending_from": self._pending_from(way) if stream is Stream.RESULTS else position.seq,
            }
            for stream, position in way.positions.items()
        ]

    def _pending_from(self, way: _Way) -> int:
        first = way.pending.first_seq
        return way.positions[Stream.RESULTS].seq if first is None else first

    async def _without_repeats(self, session: AsyncSession, run_id: int, chunk: Chunk) -> Chunk:
        """Leave out rows whose key or number is in the table or stands twice in the chunk."""
        import polars as pl

        repository = REPOSITORIES[chunk.stream](session, self.database.dialect)
        frame = chunk.frame
        keys = ["task_id"] if chunk.stream is Stream.TASKS else ["task_id", "scheduler"]
        there = await repository.of_tasks(run_id, frame["task_id"].unique().to_list())
        taken = await repository.range(run_id, chunk.first_seq, chunk.first_seq + chunk.count)
        known = frame.with_columns(pl.lit(value=True).alias("new")).join(there.select(keys), on=keys, how="semi")["seq"].to_list()
        drop: pl.Series = (
            frame.select(
                pl.col("seq").is_in(known) | pl.col("seq").is_in(taken["seq"].to_list()) | ~pl.struct(keys).is_first_distinct().alias("drop")
            )
        ).to_series()
        return chunk.without(drop)

    async def retain(self) -> int:
        """Delete what is older, or more, than the settings allow; see `retention.retain`."""
        return await retain(self.database, self.journals, self._drained, self._lock)

    async def forget(self, run_id: int) -> None:
        """Let go of a run whose rows are being deleted; called with nothing under way (see `paused`)."""
        self._ways.pop(run_id, None)
        self._expected.pop(run_id, None)
        self._settled.discard(run_id)
        self.superseded.discard(run_id)
        self._noted.pop(run_id, None)
        for stream in Stream:
            self._drained.pop((run_id, stream), None)
        async with self._progress:
            self._progress.notify_all()

    def paused(self) -> asyncio.Lock:
        """Return what keeps batches from being written while it is held."""
        return self._lock
