"""Becoming the leader of what several processes share: in one transaction with what shuts the leader before out.

The run that goes on gets a journal in the data folder of its new leader, behind the rows that the database has. Where the journal of the new leader
is the one that the database knows, which was never taken over by anybody, it simply goes on, with all rows in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from hybrid_ml_scheduler.core.errors import JournalError, StorageBusyError, StorageUnavailableError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.storage.chunk import header_line
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.drain import Drainer
from hybrid_ml_scheduler.storage.journal import JournalStore, SavedState
from hybrid_ml_scheduler.storage.repositories import UNFINISHED, ProgressRepository, Run, RunFileRepository, RunRepository, StateRepository

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Elsewhere:
    """What the database has of a run whose journal is in another data folder."""

    first_seqs: dict[Stream, int]
    state: SavedState | None
    files: dict[str, bytes]


async def take_over(database: Database, journals: JournalStore, drainer: Drainer, token: int) -> Run | None:
    """Shut out every earlier leader, and make the newest unfinished run ready to go on in this data folder; older ones are ended.

    Parameters
    ----------
    database : Database
    journals : JournalStore
        Locked.
    drainer : Drainer
    token : int
        Of the new leader.

    Returns
    -------
    Run or None
        None if there is nothing to go on with.

    Raises
    ------
    StorageFencedError
        If there is a newer leader.
    StorageUnavailableError, StorageBusyError, SchemaError
        If the database does not answer. Nothing was changed.
    """
    await drainer.ready()
    here = {run.id: run for run in await asyncio.to_thread(_described, journals)}
    async with drainer.paused():
        # The commit waits for the disk of the server, and so for all rows before it: what the new journal begins behind cannot be lost any more.
        async with database.write() as session:
            runs = RunRepository(session, database.dialect)
            async with _ending_silent_holders(database, session):
                await runs.hold(token)
            candidates = {run.id: run for run in await runs.unfinished()}
            unknown = set(here) - await runs.known(here) - await runs.deleted(here)
            candidates |= {run_id: here[run_id] for run_id in unknown if here[run_id].state in UNFINISHED}
            chosen: Run | None = None
            elsewhere: _Elsewhere | None = None
            for run_id in sorted(candidates, reverse=True):
                mine = run_id in here and await _is_mine(session, database, journals, run_id)
                run = here[run_id] if mine else candidates[run_id]
                if run.state not in UNFINISHED:
                    continue  # that it has ended is on its way into the database
                if chosen is None:
                    chosen = run
                    if run_id not in unknown:
                        await runs.claim(run_id, token)
                    elsewhere = None if mine or run_id in unknown else await _claim_rows(session, database, journals, run_id)
                    continue
                ended = replace(run, state="stopped", message="another run was started after it", ended_at=datetime.now(UTC))
                if run_id not in unknown:
                    await runs.save(ended)
                if mine or run_id in unknown:
                    journals.describe(run_id, {**journals.description(run_id), **ended.to_dict()})
                    drainer.touch(run_id)
        if chosen is None:
            return None
        if elsewhere is not None:
            await asyncio.to_thread(_begin_here, journals, chosen, elsewhere)
            await drainer.forget(chosen.id)
        drainer.lead(chosen.id, token)
        return chosen


@asynccontextmanager
async def _ending_silent_holders(database: Database, session: AsyncSession) -> AsyncIterator[None]:
    """Let a session wait for the lead no longer than a lease: a leader that was stopped in the middle of a transaction would hold it for good.

    Whoever holds it had the lease before and has it no more. Nothing is lost with the transaction: its rows stand in a journal, or are made again.
    """
    waiting = await database.dialect.session_id(session)
    if waiting is None:
        yield
        return
    silent_s = database.settings.leader_lease_s

    async def watch() -> None:
        while True:
            await asyncio.sleep(silent_s / 4)
            try:
                async with database.read() as other:
                    ended = await database.dialect.end_silent_holders(other, waiting, silent_s)
            except (StorageUnavailableError, StorageBusyError) as error:
                _LOG.warning("cannot look who holds the lead in the database: %s", error)
                continue
            if ended:
                _LOG.warning("ended %d session of a leader before, which held the lead in the database and said nothing for %g s", ended, silent_s)

    task = asyncio.create_task(watch(), name="silent holders")
    try:
        yield
    finally:
        await end_task(task)


def _described(journals: JournalStore) -> Iterable[Run]:
    return [Run.from_dict(journals.description(run_id)) for run_id in journals.runs()]


async def _is_mine(session: AsyncSession, database: Database, journals: JournalStore, run_id: int) -> bool:
    """Whether the journal of a run that is here is the one that the database knows. One without a state was not made ready to go on."""
    if not journals.state_revision(run_id):
        return False
    progress = await ProgressRepository(session, database.dialect).of_run(run_id)
    return all(row.journal_id == journals.journal_id for row in progress.values())


async def _claim_rows(session: AsyncSession, database: Database, journals: JournalStore, run_id: int) -> _Elsewhere:
    """Say that further rows come from here, and fetch what is needed to make them."""
    repository = ProgressRepository(session, database.dialect)
    progress = await repository.of_run(run_id, lock=True)
    first = {stream: row.next_seq for stream, row in progress.items()}
    await repository.save(
        [
            {
                "run_id": run_id,
                "stream": stream.value,
                "next_seq": row.next_seq,
                "journal_id": journals.journal_id,
                "segment": row.next_seq,
                "byte_offset": len(header_line(stream)),
                "repeats": row.repeats,
                "pending_from": row.pending_from,
            }
            for stream, row in progress.items()
        ]
    )
    row = await StateRepository(session, database.dialect).get(run_id)
    state = None
    if row is not None:
        positions = {Stream(stream): int(seq) for stream, seq in row.positions.items()}
        state = SavedState(run_id, row.revision, row.state, positions, row.checkpoint or b"")
    return _Elsewhere(first, state, await RunFileRepository(session, database.dialect).of_run(run_id))


def _begin_here(journals: JournalStore, run: Run, elsewhere: _Elsewhere) -> None:
    """Begin a journal behind the rows that the database has. An older one of this run is obsolete: others have made its later rows again."""
    journals.delete(run.id)
    journals.create(run.id, {**run.to_dict(), "first_seq": {stream.value: seq for stream, seq in elsewhere.first_seqs.items()}})
    try:
        for name, content in elsewhere.files.items():
            journals.add_file(run.id, name, content)
        if elsewhere.state is not None:
            journals.adopt_state(elsewhere.state)
    except OSError as error:
        raise JournalError(f"{journals.run_folder(run.id)}: cannot be written ({error.strerror}); expected a disk that works and has room") from error
