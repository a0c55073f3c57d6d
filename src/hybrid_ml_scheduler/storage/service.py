"""`SimulationDataService`: the door to everything that is stored. Sessions begin and commit here."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.core.errors import InputError, StorageBusyError, StorageError, StorageUnavailableError, UnknownRunError
from hybrid_ml_scheduler.core.observing import NOBODY, Observer
from hybrid_ml_scheduler.core.streams import Columns, ResultSink, RunBatch, Stream, TrainingSource, TrainingWindow
from hybrid_ml_scheduler.storage.aggregates import Totals
from hybrid_ml_scheduler.storage.analysis import AnalysisRepository, Paired, Placements, curve
from hybrid_ml_scheduler.storage.check import CheckReport, check
from hybrid_ml_scheduler.storage.chunk import count_rows, features_array, to_columns
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.drain import Drainer, DrainState
from hybrid_ml_scheduler.storage.journal import Journal, JournalStore, SavedState
from hybrid_ml_scheduler.storage.repositories import (
    REPOSITORIES,
    HistoryRepository,
    MetricsRepository,
    ModelRepository,
    Page,
    ProgressRepository,
    Run,
    RunRepository,
    SchedulerResultRepository,
    StateRepository,
    TaskRepository,
    TrainingDataRepository,
)
from hybrid_ml_scheduler.storage.settings import StorageSettings
from hybrid_ml_scheduler.storage.takeover import take_over

if TYPE_CHECKING:
    import polars as pl

    from hybrid_ml_scheduler.storage.schema import ModelRow

STREAM_PAGE = 5_000
"""Rows that a stream over a whole history takes at a time."""


@dataclass(frozen=True, slots=True)
class SchedulerStatistics:
    """How one scheduler did in one run; times in seconds, over finished tasks. None where nothing is known.

    Attributes
    ----------
    scheduler : str
    results, finished, rejected, refused, withdrawn : int
    mean_response_s, median_response_s, p95_response_s, p99_response_s, max_response_s : float or None
        Finish minus arrival. Quantiles are within `RELATIVE_ERROR` (1 %) of the exact ones; means and the maximum are exact.
    mean_wait_s, p99_wait_s, max_wait_s, mean_run_s, mean_bounded_slowdown : float or None
    energy_j, cost_usd : float
        Sums.
    by_model, by_fallback, by_exploration : int
        Who took the decisions.
    compared, wins : int
        Tasks with the results of all schedulers, and those on which none was faster.
    wins_against : mapping of str to int
        Compared tasks on which it was faster than that scheduler.
    mean_regret_s : float or None
        Mean response time above the oracle's, over the tasks both finished.
    last_finish_s : float
        In simulated seconds.
    """

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
    energy_j: float
    cost_usd: float
    by_model: int
    by_fallback: int
    by_exploration: int
    compared: int
    wins: int
    wins_against: Mapping[str, int]
    mean_regret_s: float | None
    last_finish_s: float

    @classmethod
    def of(cls, scheduler: str, totals: Totals) -> SchedulerStatistics:
        """Return the statistics that aggregates amount to."""
        count = totals.finished

        def mean(total: float) -> float | None:
            return total / count if count else None

        return cls(
            scheduler=scheduler,
            results=totals.results,
            finished=count,
            rejected=totals.rejected,
            refused=totals.refused,
            withdrawn=totals.withdrawn,
            mean_response_s=mean(totals.response_sum_s),
            median_response_s=totals.response_sketch.quantile(0.5),
            p95_response_s=totals.response_sketch.quantile(0.95),
            p99_response_s=totals.response_sketch.quantile(0.99),
            max_response_s=totals.response_max_s if count else None,
            mean_wait_s=mean(totals.wait_sum_s),
            p99_wait_s=totals.wait_sketch.quantile(0.99),
            max_wait_s=totals.wait_max_s if count else None,
            mean_run_s=mean(totals.run_sum_s),
            mean_bounded_slowdown=mean(totals.slowdown_sum),
            energy_j=totals.energy_j,
            cost_usd=totals.cost_usd,
            by_model=totals.by_model,
            by_fallback=totals.by_fallback,
            by_exploration=totals.by_exploration,
            compared=totals.compared,
            wins=totals.wins,
            wins_against=dict(sorted(totals.wins_against.items())),
            mean_regret_s=totals.regret_sum_s / totals.regret_n if totals.regret_n else None,
            last_finish_s=totals.last_finish_s,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WindowStatistics:
    """The same over the tasks that arrived in one window of simulated time.

    Attributes
    ----------
    begin_s, length_s : float
        In simulated seconds.
    statistics : SchedulerStatistics
    """

    begin_s: float
    length_s: float
    statistics: SchedulerStatistics


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the results of one scheduler are spread.

    Attributes
    ----------
    response, wait : list of (float, float)
        Cumulative distribution over the whole run: seconds (within 1 %), and the share of finished tasks that took no longer.
    placements : Placements
        Over its newest results.
    """

    response: list[tuple[float, float]]
    wait: list[tuple[float, float]]
    placements: Placements


@dataclass(frozen=True, slots=True)
class RunComparison:
    """One scheduler in two runs.

    Attributes
    ----------
    scheduler : str
    first, second : SchedulerStatistics or None
        None where the run does not have it.
    response_ratio : float or None
        Mean response time of the second run over that of the first.
    """

    scheduler: str
    first: SchedulerStatistics | None
    second: SchedulerStatistics | None
    response_ratio: float | None


class JournalSink(ResultSink):
    """What a continuous run writes to; see `hybrid_ml_scheduler.core.streams.ResultSink`."""

    def __init__(self, journal: Journal, drainer: Drainer, executor: ThreadPoolExecutor) -> None:
        self.journal = journal
        self.drainer = drainer
        self._executor = executor

    async def write(self, batch: RunBatch) -> None:
        """Keep a batch."""
        with self.drainer.expected(self.journal.run_id, lambda: self._ends(batch)):
            await asyncio.get_running_loop().run_in_executor(self._executor, self.journal.append, batch)

    def _ends(self, batch: RunBatch) -> dict[Stream, int]:
        """Return how many rows of each stream will be kept with this batch."""
        return {stream: kept + count_rows(stream, batch.columns(stream)) for stream, kept in self.journal.positions().items()}

    def positions(self) -> dict[Stream, int]:
        """Return how many rows of each stream are kept."""
        return self.journal.positions()

    async def rows_since(self, positions: Mapping[Stream, int]) -> dict[Stream, Columns]:
        """Return the rows that were kept after a checkpoint was taken; those before this journal's first come from the database."""
        frames: dict[Stream, list[pl.DataFrame]] = {}
        run_id = self.journal.run_id
        for stream, first_seq in self.drainer.journals.first_seqs(run_id).items():
            if positions.get(stream, 0) < first_seq:
                async with self.drainer.database.read() as session:
                    repository = REPOSITORIES[stream](session, self.drainer.database.dialect)
                    frames[stream] = [await repository.range(run_id, positions.get(stream, 0), first_seq)]
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._rows_since, positions, frames)

    def _rows_since(self, positions: Mapping[Stream, int], frames: dict[Stream, list[pl.DataFrame]]) -> dict[Stream, Columns]:
        import polars as pl

        for chunk in self.journal.rows_since(positions):
            frames.setdefault(chunk.stream, []).append(chunk.frame)
        return {stream: to_columns(pl.concat(parts)) for stream, parts in frames.items()}

    async def save_state(self, state: Mapping[str, Any], checkpoint: bytes) -> None:
        """Keep where the run stands; it reaches the database once the rows before it have.

        Raises
        ------
        JournalFullError, JournalError
            If it cannot be written; the former state is still there.
        """
        await asyncio.get_running_loop().run_in_executor(self._executor, self.journal.save_state, state, checkpoint)

    @property
    def lag_rows(self) -> int:
        """Rows that are not in the database yet, of all runs."""
        return self.drainer.lag_rows

    async def wait_until_lag_below(self, rows: int | None = None) -> None:
        """Wait until the database has caught up, unless it is away."""
        await self.drainer.wait_until_lag_below(rows)


class SimulationDataService(TrainingSource):
    """Runs, their results and what is learned from them: journal, database, and the way between.

    Parameters
    ----------
    settings : StorageSettings
    observer : Observer, optional
        Watches the database and the run; a run takes it from here.
    """

    def __init__(self, settings: StorageSettings, observer: Observer = NOBODY) -> None:
        self.settings = settings
        self.observer = observer
        self.database = Database(settings, observer)
        self.journals = JournalStore(settings)
        self.drainer = Drainer(self.database, self.journals)
        self.token: int | None = None
        """That of the leader, if this process runs the runs of a database that it shares with others; see `take_over`."""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="journal")

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def open(self, *, drain: bool = True, upgrade: bool = False) -> None:
        """Take the data folder for this process, and begin to bring journal rows into the database. The database may be away.

        Parameters
        ----------
        drain : bool
            Whether to work in the background.
        upgrade : bool
            Make the tables, or bring older ones to this version's, first.

        Raises
        ------
        InputError
            If another process has the data folder.
        SchemaError
            If the database answers, and its tables are not this version's.
        """
        self.journals.lock()

        async def prepare() -> None:
            if upgrade:
                await self.database.upgrade()
            await self.database.check_schema()

        try:
            await prepare()
        except (StorageUnavailableError, StorageBusyError) as error:
            self.drainer.state, self.drainer.error, self.drainer.away_since_s = DrainState.AWAY, str(error), time.monotonic()
            # As soon as it answers, and before anything is written.
            self.drainer.prepare = prepare
        except BaseException:
            self.journals.close()
            raise
        if drain:
            self.drainer.start()

    async def close(self, drain_timeout_s: float = 10.0) -> bool:
        """Bring in what the database takes in this time, and let go of everything.

        Returns
        -------
        bool
            Whether everything is in the database. What is not stands in the journal.
        """
        try:
            return await self.drainer.stop(drain_timeout_s)
        finally:
            self.journals.close()
            self._executor.shutdown()
            await self.database.close()

    # Runs.

    def new_run_id(self) -> int:
        """Return a number for a new run: larger than those before it, below 2**53 so that every reader of JSON keeps it whole.

        It begins with the time in milliseconds; should the clock have been set back, it is the last one plus one.
        """
        return max(time.time_ns() // 1_000_000 * 1_000 + secrets.randbelow(1_000), max(self.journals.runs(), default=0) + 1)

    def describe(self, *, workload: str, cluster: str, policies: Sequence[str], options: Mapping[str, Any]) -> Run:
        """Return a new run that has not begun."""
        return Run(self.new_run_id(), "running", workload, cluster, tuple(policies), dict(options), __version__, datetime.now(UTC))

    def begin_run(self, run: Run) -> JournalSink:
        """Begin a run; its row reaches the database with its first rows."""
        if self.token is not None:
            self.drainer.lead(run.id, self.token)
        journal = self.journals.create(run.id, run.to_dict())
        self.drainer.touch(run.id)
        return JournalSink(journal, self.drainer, self._executor)

    async def take_over(self, token: int) -> Run | None:
        """Become the leader: from now on this process runs what several share, and no transaction of an earlier leader counts.

        Parameters
        ----------
        token : int
            See `hybrid_ml_scheduler.storage.cache.Lease`.

        Returns
        -------
        Run or None
            What somebody has to go on with, with its journal, newest state and files in this data folder.

        Raises
        ------
        StorageFencedError
            If there is a newer leader.
        StorageUnavailableError, StorageBusyError, SchemaError
            If the database does not answer: it is where leaders are told apart.
        """
        run = await take_over(self.database, self.journals, self.drainer, token)
        self.token = token
        return run

    async def leads(self) -> bool:
        """Ask the database whether no newer leader has taken the place of this one.

        Raises
        ------
        StorageUnavailableError, StorageBusyError
            If it does not answer.
        """
        return self.token is not None and await self.highest_fence() <= self.token

    def let_go(self, run_id: int) -> None:
        """Write no more into the journal of a run that somebody else goes on with."""
        self.journals.close_run(run_id)

    def step_down(self) -> None:
        """Be the leader no longer. What of its journal has not reached the database by then does so only if nobody has taken over."""
        self.token = None

    async def settle(self, run_id: int) -> bool:
        """Bring what is known about a run into the database now; see `Drainer.settle`."""
        return await self.drainer.settle(run_id)

    def files_folder(self, run_id: int) -> Path:
        """Return the folder of files that a run needs besides its checkpoint; whoever takes over finds them in theirs."""
        return self.journals.files_folder(run_id)

    async def continue_run(self, run_id: int) -> JournalSink:
        """Go on with a run: with its journal, or, if another machine has that, behind what the database holds.

        Raises
        ------
        UnknownRunError
            If neither knows it.
        """
        if run_id not in self.journals.runs():
            async with self.database.read() as session:
                run = await RunRepository(session, self.database.dialect).get(run_id)
                progress = await ProgressRepository(session, self.database.dialect).of_run(run_id)
            first = {stream.value: row.next_seq for stream, row in progress.items()}
            return JournalSink(self.journals.create(run_id, {**run.to_dict(), "first_seq": first}), self.drainer, self._executor)
        journal = self.journals.open(run_id)
        self.drainer.touch(run_id)
        return JournalSink(journal, self.drainer, self._executor)

    def update_run(self, run: Run) -> None:
        """Replace what is known about a run that is here; the database follows in the background."""
        self.journals.describe(run.id, {**self.journals.description(run.id), **run.to_dict()})
        self.drainer.touch(run.id)

    def end_run(self, run: Run, state: str, message: str | None = None) -> Run:
        """Close the journal of a run."""
        ended = replace(run, state=state, message=message, ended_at=datetime.now(UTC))
        self.update_run(ended)
        self.journals.close_run(run.id)
        return ended

    def local_runs(self) -> list[Run]:
        """Return the runs that have a journal here, newest first: known even while the database is away."""
        return [Run.from_dict(self.journals.description(run_id)) for run_id in reversed(self.journals.runs())]

    async def runs(self, *, before: int | None = None, limit: int = 50, state: str | None = None, workload: str | None = None) -> list[Run]:
        """Return runs, newest first; see `RunRepository.page`. Those whose first rows are still on their way to the database are among them."""
        async with self.database.read() as session:
            page = await RunRepository(session, self.database.dialect).page(before=before, limit=limit, state=state, workload=workload)
        there = {run.id for run in page}
        # Behind a full page the database may have further runs, known here or not.
        last = page[-1].id if page and len(page) >= limit else 0
        coming = [run for run in self.local_runs() if run.id not in there and last < run.id and (before is None or run.id < before)]
        coming = [run for run in coming if state in (None, run.state) and workload in (None, run.workload)]
        return sorted([*page, *coming], key=lambda run: -run.id)[:limit]

    async def run(self, run_id: int) -> Run:
        """Return one run.

        Raises
        ------
        UnknownRunError
        """
        async with self.database.read() as session:
            return await RunRepository(session, self.database.dialect).get(run_id)

    async def known_run(self, run_id: int) -> None:
        """Make sure that there is such a run: the database has it with its first rows, until then its journal.

        Raises
        ------
        UnknownRunError
        """
        if run_id not in self.journals.runs():
            await self.run(run_id)

    async def highest_fence(self) -> int:
        """Return the largest leader's token that any run has seen; a new one must be larger."""
        async with self.database.read() as session:
            return await RunRepository(session, self.database.dialect).highest_fence()

    # Rows.

    async def newest(self, stream: Stream, run_id: int, limit: int, before_seq: int | None = None, scheduler: str | None = None) -> Page:
        """Return rows from the newest backwards; see `StreamRepository.newest`."""
        async with self.database.read() as session:
            return await REPOSITORIES[stream](session, self.database.dialect).newest(run_id, limit, before_seq, scheduler)

    async def following(self, stream: Stream, run_id: int, from_seq: int, limit: int, scheduler: str | None = None) -> Page:
        """Return rows in their order; see `StreamRepository.following`."""
        async with self.database.read() as session:
            return await REPOSITORIES[stream](session, self.database.dialect).following(run_id, from_seq, limit, scheduler)

    async def history(self, stream: Stream, run_id: int, scheduler: str | None = None, from_seq: int = 0) -> AsyncIterator[Page]:
        """Return all rows in their order, page by page, in constant memory; rows that arrive meanwhile included."""
        next_seq: int | None = from_seq
        while next_seq is not None:
            page = await self.following(stream, run_id, next_seq, STREAM_PAGE, scheduler)
            if page.rows:
                yield page
            next_seq = page.next_seq

    async def task(self, run_id: int, task_id: int) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """Return a task (None if it is not there), and what each scheduler made of it."""
        async with self.database.read() as session:
            task = await TaskRepository(session, self.database.dialect).get(run_id, task_id)
            return task, await SchedulerResultRepository(session, self.database.dialect).of_task(run_id, task_id)

    # Statistics.

    async def statistics(self, run_id: int, scheduler: str | None = None) -> list[SchedulerStatistics]:
        """Return how each scheduler of a run did (or one), by name; as much work for a million tasks as for ten.

        Raises
        ------
        UnknownRunError
        """
        async with self.database.read() as session:
            totals = await MetricsRepository(session, self.database.dialect).totals(run_id, scheduler)
        if not totals:
            await self.known_run(run_id)
        return [SchedulerStatistics.of(name, found) for name, found in sorted(totals.items())]

    async def windows(self, run_id: int, scheduler: str, before: int | None = None, limit: int = 1_000) -> list[WindowStatistics]:
        """Return how a scheduler did over time, newest window first; ``before``: only windows before this one."""
        async with self.database.read() as session:
            found = await MetricsRepository(session, self.database.dialect).windows(run_id, scheduler, before, limit)
        return [WindowStatistics(index * length_s, length_s, SchedulerStatistics.of(scheduler, totals)) for index, length_s, totals in found]

    async def schedule(self, run_id: int, scheduler: str, from_task: int, limit: int) -> list[dict[str, Any]]:
        """Return where a scheduler put the tasks from one on, in their order."""
        async with self.database.read() as session:
            return await SchedulerResultRepository(session, self.database.dialect).schedule(run_id, scheduler, from_task, limit)

    async def divergence(self, run_id: int, first: str, second: str, from_task: int, until_task: int) -> int | None:
        """Return the first task that two schedulers put in different places."""
        async with self.database.read() as session:
            return await SchedulerResultRepository(session, self.database.dialect).divergence(run_id, first, second, from_task, until_task)

    async def compare(self, first_id: int, second_id: int) -> list[RunComparison]:
        """Compare two runs, scheduler by scheduler.

        Raises
        ------
        UnknownRunError
        """
        first = {found.scheduler: found for found in await self.statistics(first_id)}
        second = {found.scheduler: found for found in await self.statistics(second_id)}
        rows = []
        for name in sorted({*first, *second}):
            a, b = first.get(name), second.get(name)
            means = (None if a is None else a.mean_response_s, None if b is None else b.mean_response_s)
            ratio = means[1] / means[0] if means[0] and means[1] is not None else None
            rows.append(RunComparison(name, a, b, ratio))
        return rows

    async def distribution(self, run_id: int, scheduler: str) -> Distribution | None:
        """Return how the results of a scheduler are spread; None if it has none in this run.

        Raises
        ------
        UnknownRunError
        """
        async with self.database.read() as session:
            totals = (await MetricsRepository(session, self.database.dialect).totals(run_id, scheduler)).get(scheduler)
            placements = None if totals is None else await AnalysisRepository(session, self.database.dialect).placements(run_id, scheduler)
        if totals is None or placements is None:
            await self.known_run(run_id)
            return None
        return Distribution(curve(totals.response_sketch), curve(totals.wait_sketch), placements)

    async def paired(self, first: int, second: int, reference: str | None = None) -> list[Paired]:
        """Compare schedulers on the same tasks; see `AnalysisRepository.paired`.

        Raises
        ------
        UnknownRunError
        """
        async with self.database.read() as session:
            found = await AnalysisRepository(session, self.database.dialect).paired(first, second, reference)
        if not found:
            for run_id in (first, second):
                await self.known_run(run_id)
        return found

    # Learning.

    async def training_window(self, run_id: int, rows: int) -> TrainingWindow:
        """Return the newest rows of the training stream; see `hybrid_ml_scheduler.core.streams.TrainingSource`."""
        import polars as pl

        try:
            async with self.database.read() as session:
                frame = await TrainingDataRepository(session, self.database.dialect).window(run_id, rows)
            return await asyncio.to_thread(_window, frame, "database")
        except (StorageUnavailableError, StorageBusyError):
            if run_id not in self.journals.runs():
                raise
        chunks = await asyncio.to_thread(self.journals.newest, run_id, Stream.TRAINING, rows)
        empty = pl.DataFrame(schema={"features": pl.String()})
        return await asyncio.to_thread(_window, pl.concat([chunk.frame for chunk in chunks]) if chunks else empty, "journal")

    async def add_model(self, name: str, state: str, *, rows: int, source: str, **values: Any) -> int:
        """Enter a model that was trained, or failed to be, into the registry.

        Parameters
        ----------
        name : str
        state : str
            ``candidate``, ``in_use``, ``retired`` or ``failed``.
        rows : int
            Rows it was trained on.
        source : str
            Where they came from: ``database`` or ``journal``.
        **values
            ``run_id``, ``version``, ``sha256``, ``message``, ``details`` (JSON-able).

        Returns
        -------
        int
            Its number.
        """
        async with self.database.write() as session:
            if self.token is not None:
                await RunRepository(session, self.database.dialect).hold(self.token)
            entry = {"details": {}, **values, "name": name, "state": state, "rows": rows, "source": source}
            return await ModelRepository(session, self.database.dialect).add(entry)

    async def set_model_state(self, model_id: int, state: str, message: str | None = None) -> None:
        """Say what became of a model."""
        async with self.database.write() as session:
            await ModelRepository(session, self.database.dialect).set_state(model_id, state, message)

    async def retire_models(self, *, name: str | None = None, run_id: int | None = None, but: Collection[int] = ()) -> None:
        """Say of the models in use that they no longer are.

        Parameters
        ----------
        name : str, optional
            Only those of this name.
        run_id : int, optional
            Only those of this run.
        but : collection of int
            Versions that stay in use.
        """
        async with self.database.write() as session:
            if self.token is not None:
                await RunRepository(session, self.database.dialect).hold(self.token)
            await ModelRepository(session, self.database.dialect).retire(name=name, run_id=run_id, but=but)

    async def models(self, run_id: int | None = None, limit: int = 50, before: int | None = None) -> list[ModelRow]:
        """Return the registry, newest first."""
        async with self.database.read() as session:
            return await ModelRepository(session, self.database.dialect).newest(run_id, limit, before)

    # State.

    async def saved_state(self, run_id: int) -> SavedState | None:
        """Return where a run stood: the newest state that was saved whole, here or (if there is no journal here) in the database."""
        if run_id in self.journals.runs() and (found := await asyncio.to_thread(self.journals.saved_state, run_id)) is not None:
            return found
        async with self.database.read() as session:
            row = await StateRepository(session, self.database.dialect).get(run_id)
        if row is None:
            return None
        positions = {Stream(stream): int(seq) for stream, seq in row.positions.items()}
        return SavedState(run_id, row.revision, row.state, positions, row.checkpoint or b"")

    # Deleting, checking, restoring.

    async def delete_history(self, run_id: int | None = None) -> int:
        """Delete a run, or all of them: database and journal together.

        Parameters
        ----------
        run_id : int, optional
            By default all runs.

        Returns
        -------
        int
            Rows of the database that were deleted.

        Raises
        ------
        UnknownRunError
            If neither knows the run.
        StorageError
            If the run is being written.
        StorageUnavailableError
            If the database is away: nothing was deleted.
        """
        async with self.drainer.paused():
            async with self.database.read() as session:
                there = set(await HistoryRepository(session, self.database.dialect).runs()) | set(self.journals.runs())
            wanted = there if run_id is None else {run_id}
            if not wanted <= there:
                raise UnknownRunError(f"there is no run {run_id}; expected one that the list of runs shows")
            for each in sorted(wanted):
                if self.journals.opened(each) is not None:
                    raise StorageError(f"run {each} is being written; expected it to be stopped first")
            deleted = 0
            for each in sorted(wanted):
                async with self.database.write() as session:
                    deleted += await HistoryRepository(session, self.database.dialect).delete_run(each)
                await asyncio.to_thread(self.journals.delete, each)
                await self.drainer.forget(each)
            return deleted

    async def check(self) -> CheckReport:
        """Compare database and journal, row by row; see `CheckReport`. Changes nothing."""
        return await check(self.database, self.journals)

    async def restore(self, tell: Callable[[int], None] | None = None) -> int:
        """Fill an empty database from the journal.

        Parameters
        ----------
        tell : callable, optional
            Called with the rows brought in so far.

        Returns
        -------
        int
            Rows that were brought in.

        Raises
        ------
        InputError
            If the database holds runs already, or there is no journal.
        """
        self.journals.lock()
        if not self.journals.runs():
            raise InputError(f"{self.journals.folder}: holds no journal of any run; expected one to restore from (HMS_DATA_DIR)")
        await self.database.upgrade()
        async with self.database.read() as session:
            there = await HistoryRepository(session, self.database.dialect).runs()
        if there:
            raise InputError(
                f"the database holds {len(there)} run(s) already; expected an empty one (what is missing in it arrives by itself: hms serve)"
            )
        total = 0
        while rows := await self.drainer.drain_all():
            total += rows
            if tell is not None:
                tell(total)
        if self.drainer.state is not DrainState.OK:
            raise StorageError(self.drainer.error or "the journal could not be read; expected a whole one")
        return total


def _window(frame: pl.DataFrame, source: str) -> TrainingWindow:
    import numpy as np

    columns = {}
    for name, values in to_columns(frame.drop("features")).items():
        columns[name] = np.array(values, dtype=object) if isinstance(values, list) else values
    return TrainingWindow(columns, features_array(frame["features"]), source)
