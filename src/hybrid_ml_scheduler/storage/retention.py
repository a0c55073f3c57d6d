"""Deleting the oldest rows, as the settings want: whole files of the journal, together with their rows in the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.journal import JournalStore
from hybrid_ml_scheduler.storage.repositories import REPOSITORIES
from hybrid_ml_scheduler.storage.segments import segments

_DAY_S = 86_400.0
_DELETE_AT_ONCE = 50_000
"""Rows in one transaction: other writers wait for it."""


@dataclass(frozen=True, slots=True)
class _File:
    run_id: int
    stream: Stream
    until_seq: int
    changed_s: float
    size: int


async def retain(database: Database, journals: JournalStore, drained: Mapping[tuple[int, Stream], int], lock: asyncio.Lock) -> int:
    """Delete what is older, or more, than the settings allow, oldest first.

    The newest file of each stream stays, and so does what is not in the database yet.

    Parameters
    ----------
    database : Database
    journals : JournalStore
    drained : mapping of (run, Stream) to int
        Number of the first row that the database does not have.
    lock : asyncio.Lock
        Held while rows and file are deleted: nothing is drained then.

    Returns
    -------
    int
        Files that were deleted.
    """
    settings = database.settings
    if not settings.retention_days and not settings.retention_gb:
        return 0
    size = sum(journals.bytes_of(run_id) for run_id in journals.runs())
    too_old_s = time.time() - settings.retention_days * _DAY_S if settings.retention_days else float("-inf")
    too_large = settings.retention_gb * 1e9 if settings.retention_gb else float("inf")
    dropped = 0
    for file in _complete_files(journals, drained):
        if file.changed_s >= too_old_s and size <= too_large:
            continue
        async with lock:
            await _delete_rows(database, file)
            # Rows first: should we die in between, the file goes the next time.
            await asyncio.to_thread(journals.drop_before, file.run_id, file.stream, file.until_seq)
        size -= file.size
        dropped += 1
    return dropped


def _complete_files(journals: JournalStore, drained: Mapping[tuple[int, Stream], int]) -> list[_File]:
    """Return the files that are no stream's newest and are in the database, oldest run and row first."""
    files = []
    for run_id in journals.runs():
        for stream in Stream:
            for segment, following in pairwise(segments(journals.run_folder(run_id), stream)):
                if following.first_seq <= drained.get((run_id, stream), 0):
                    about = segment.path.stat()
                    files.append(_File(run_id, stream, following.first_seq, about.st_mtime, about.st_size))
    # By number, not by time: if the clock was set, files stay longer or shorter, but none goes before an older one of its stream.
    return sorted(files, key=lambda file: (file.run_id, file.until_seq))


async def _delete_rows(database: Database, file: _File) -> None:
    async with database.read() as session:
        first = await REPOSITORIES[file.stream](session, database.dialect).first_seq(file.run_id)
    upto = file.until_seq if first is None else first
    while upto < file.until_seq:
        upto = min(file.until_seq, upto + _DELETE_AT_ONCE)
        async with database.write() as session:
            await REPOSITORIES[file.stream](session, database.dialect).delete_before(file.run_id, upto)
