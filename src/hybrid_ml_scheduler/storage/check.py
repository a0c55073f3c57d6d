"""Does the database hold what the journal holds? Row by row, value by value, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import JournalError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.journal import JournalStore
from hybrid_ml_scheduler.storage.repositories import (
    REPOSITORIES,
    HistoryRepository,
    MetricsRepository,
    ProgressRepository,
    RunRepository,
    StreamRepository,
)
from hybrid_ml_scheduler.storage.schema import STREAM_NAMES, STREAM_TABLES, JournalProgressRow

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy.ext.asyncio import AsyncSession

MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `SimulationDataService.check` found.

    Attributes
    ----------
    tables : mapping of str to int
        Rows.
    journal_rows, lag_rows : int
        Rows in the journal, and those of them that are not in the database yet.
    differences : int
        Rows that only one of the two has, or whose values differ, apart from the lag; and aggregates that do not add up.
    duplicates : int
        Rows of the journal whose key stands in it before.
    problems : tuple of str
        What was wrong, in words; at most twenty.
    newest : mapping of str to dict
        The newest row of each stream's table of the newest run, by name of column.
    """

    tables: Mapping[str, int]
    journal_rows: int
    lag_rows: int
    differences: int
    duplicates: int
    problems: tuple[str, ...] = ()
    newest: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Whether nothing differs; lag is no difference."""
        return not self.differences and not self.duplicates

    def to_dict(self) -> dict[str, Any]:
        """Return what ``hms db check --json`` prints."""
        return {
            "tables": dict(self.tables),
            "journal": {"rows": self.journal_rows, "lag_rows": self.lag_rows},
            "differences": self.differences,
            "duplicates": self.duplicates,
        }


@dataclass(slots=True)
class _Findings:
    journal_rows: int = 0
    lag_rows: int = 0
    differences: int = 0
    duplicates: int = 0
    problems: list[str] = field(default_factory=list)

    def differ(self, count: int, problem: str) -> None:
        self.differences += count
        self.problems.append(problem)


async def check(database: Database, journals: JournalStore) -> CheckReport:
    """Compare database and journal; see `CheckReport`.

    Raises
    ------
    StorageUnavailableError
        If the database is away.
    """
    found = _Findings()
    newest: dict[str, dict[str, Any]] = {}
    async with database.read() as session:
        if database.dialect.name == "postgresql":
            # All statements see the database of one moment; SQLite's do so by themselves.
            await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        history = HistoryRepository(session, database.dialect)
        tables = await history.counts()
        in_database = await history.runs()
        gone = await RunRepository(session, database.dialect).deleted(journals.runs())
        for run_id in sorted({*in_database, *journals.runs()} - gone):
            progress = await ProgressRepository(session, database.dialect).of_run(run_id)
            mine = run_id in journals.runs()
            if any(row.journal_id != journals.journal_id for row in progress.values()):
                continue  # another data folder has its journal
            for stream in Stream:
                repository = REPOSITORIES[stream](session, database.dialect)
                if not mine:
                    rows = await repository.count(run_id)
                    if rows:
                        found.differ(rows, f"run {run_id}: {rows} {stream} in the database, and no journal of it")
                    continue
                try:
                    await _check_stream(repository, journals, run_id, progress.get(stream), found)
                except JournalError as error:
                    found.differ(1, str(error))
            if mine:
                await _check_aggregates(session, database, journals, run_id, progress, found)
        for run_id in in_database[-1:]:
            for stream in Stream:
                page = await REPOSITORIES[stream](session, database.dialect).newest(run_id, 1)
                newest[STREAM_TABLES[stream].name] = page.dicts()[0] if page.rows else {}
    return CheckReport(tables, found.journal_rows, found.lag_rows, found.differences, found.duplicates, tuple(found.problems[:MAX_PROBLEMS]), newest)


async def _check_stream(
    repository: StreamRepository, journals: JournalStore, run_id: int, progress: JournalProgressRow | None, found: _Findings
) -> None:
    stream = repository.stream
    expected = int(journals.description(run_id).get("first_seq", {}).get(stream.value, 0))
    begin, end = journals.begin(run_id, stream), journals.end(run_id, stream).seq
    if begin.seq < expected:
        begin = journals.locate(run_id, stream, expected)  # files before it are being deleted
    drained = begin.seq if progress is None else progress.next_seq
    found.journal_rows += end - begin.seq
    found.lag_rows += max(0, end - drained)
    where = f"run {run_id}, {stream}"
    if drained > end:
        found.differ(drained - end, f"{where}: the database has come to row {drained}, the journal ends before row {end}")
    beyond = await repository.count(run_id, max(drained, begin.seq))
    if beyond:
        found.differ(beyond, f"{where}: {beyond} rows in the database from row {drained} on, behind where the journal has come to")
    if begin.seq > expected:
        found.differ(begin.seq - expected, f"{where}: the journal begins with row {begin.seq}, expected {expected}; a file is missing")
    seen: list[NDArray[np.uint64]] = []
    rows = journals.read(run_id, stream, begin, end)
    while (item := await asyncio.to_thread(next, rows, None)) is not None:
        await _check_chunk(repository, run_id, item[0].frame, drained, seen, found)


async def _check_chunk(
    repository: StreamRepository, run_id: int, journal: pl.DataFrame, drained: int, seen: list[NDArray[np.uint64]], found: _Findings
) -> None:
    import polars as pl

    stream = repository.stream
    keys = ["task_id"] if stream is Stream.TASKS else ["task_id", "scheduler"]
    here, waiting = journal.filter(pl.col("seq") < drained), journal.filter(pl.col("seq") >= drained)
    if here.height:
        table = await repository.range(run_id, int(here["seq"][0]), int(here["seq"][-1]) + 1)
        if not here.select(STREAM_NAMES[stream]).equals(table, null_equal=True):
            await _tell_apart(repository, run_id, here, table, keys, found)
    if waiting.height:
        there = (await repository.of_tasks(run_id, waiting["task_id"].unique().to_list())).select(keys)
        known = waiting.select(keys).join(there, on=keys, how="semi").height
        numbers = waiting.select(keys).hash_rows().to_numpy()
        repeated = len(numbers) - len(np.unique(numbers)) + sum(int(np.isin(np.unique(numbers), earlier).sum()) for earlier in seen)
        seen.append(np.unique(numbers))
        if known + repeated:
            found.duplicates += known + repeated
            found.problems.append(f"run {run_id}, {stream}: {known + repeated} rows of the journal whose key stands in it before")


async def _tell_apart(
    repository: StreamRepository, run_id: int, journal: pl.DataFrame, table: pl.DataFrame, keys: list[str], found: _Findings
) -> None:
    import polars as pl

    where = f"run {run_id}, {repository.stream}"
    missing = journal.join(table, on="seq", how="anti")
    if missing.height:
        there = await repository.of_tasks(run_id, missing["task_id"].unique().to_list())
        repeats = missing.join(there.select(keys), on=keys, how="semi").height
        found.duplicates += repeats
        if repeats:
            found.problems.append(f"{where}: {repeats} rows of the journal whose key stands in it before")
        if missing.height > repeats:
            found.differ(missing.height - repeats, f"{where}: {missing.height - repeats} rows of the journal are not in the database")
    extra = table.join(journal, on="seq", how="anti").height
    if extra:
        found.differ(extra, f"{where}: {extra} rows of the database are not in the journal")
    both = journal.join(table, on="seq", suffix="_there")
    same = [pl.col(name).eq_missing(pl.col(f"{name}_there")) for name in STREAM_NAMES[repository.stream] if name != "seq"]
    unequal = both.filter(~pl.all_horizontal(same))
    if unequal.height:
        found.differ(unequal.height, f"{where}: {unequal.height} rows have other values in the database, the first is row {unequal['seq'][0]}")


async def _check_aggregates(
    session: AsyncSession, database: Database, journals: JournalStore, run_id: int, progress: Mapping[Stream, JournalProgressRow], found: _Findings
) -> None:
    row = progress.get(Stream.RESULTS)
    if row is None or journals.begin(run_id, Stream.RESULTS).seq > 0:
        return  # aggregates count rows that retention has taken away since
    totals = await MetricsRepository(session, database.dialect).totals(run_id)
    counted = sum(each.results for each in totals.values())
    if counted != row.next_seq - row.repeats:
        found.differ(1, f"run {run_id}: metrics count {counted} results, expected {row.next_seq - row.repeats}")
