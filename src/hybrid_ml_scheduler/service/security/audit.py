"""The audit log: who changed what, when and from where.

An entry is written to a file of the data folder before its caller gets the answer, and to the database within moments: so nothing waits for the
database, and nothing is lost with it. The file holds what the database does not have yet.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from hybrid_ml_scheduler.core.errors import StorageError
from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.service.observability.cleaning import Cleaner
from hybrid_ml_scheduler.service.problems import printable
from hybrid_ml_scheduler.storage.access import AuditRepository
from hybrid_ml_scheduler.storage.database import Database

_LOG = logging.getLogger(__name__)

FILE = "audit.jsonl"
NOTE_KEY = "hms.audit.note"
"""Where a route leaves a word for the entry of its request (in the ASGI scope)."""
_BATCH = 500
_EVERY_S = 0.25
_REFUSED_PER_S = 20
"""Refused calls that are written one by one; of more only the number is, so that nobody can fill the disk with them."""
_LONGEST = 500
_CLEANER = Cleaner()
_REFUSED = frozenset({400, 401, 403, 408, 413, 415, 421, 429})


@dataclass(frozen=True, slots=True)
class Entry:
    """One call; see `hybrid_ml_scheduler.storage.schema.AuditRow`."""

    id: int
    process: str
    at: str
    who: str
    address: str | None
    method: str
    path: str
    query: str | None
    status: int
    note: str | None

    def row(self) -> dict[str, Any]:
        """Return the row of the database."""
        return {**asdict(self), "at": datetime.fromisoformat(self.at)}


class AuditLog:
    """Writes the audit log of one process.

    Parameters
    ----------
    folder : Path
        The data folder.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self.lost = 0
        """Entries that could be kept nowhere but in the log of the service."""
        self._process = secrets.token_hex(4)
        self._waiting: deque[Entry] = deque()
        self._descriptor: int | None = None
        self._last_id = 0
        self._news = asyncio.Event()
        self._second, self._refused, self._left_out = 0, 0, 0

    def record(
        self, *, who: str, method: str, path: str, status: int, address: str | None = None, query: str | None = None, note: str | None = None
    ) -> None:
        """Write an entry. Takes some microseconds, and never fails: what cannot be kept is written to the log of the service."""
        if status in _REFUSED and self._too_many_refused():
            self._left_out += 1
            return
        if self._left_out:
            note = f"{'' if note is None else note + '; '}{self._left_out} refused calls before this one were only counted"
            self._left_out = 0
        self._last_id = max(self._last_id + 1, time.time_ns() // 1_000)
        entry = Entry(
            self._last_id,
            self._process,
            datetime.now(UTC).isoformat(),
            _short(who),
            address,
            method[:20],
            _short(path),
            _short(query) if query else None,
            status,
            None if note is None else _short(note),
        )
        try:
            if self._descriptor is not None:
                os.write(self._descriptor, orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            self.lost += 1
            _LOG.error("the audit log could not be written to the disk (%s): %s", error.strerror, orjson.dumps(entry).decode())
        self._waiting.append(entry)
        self._news.set()

    def _too_many_refused(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._refused = second, 0
        self._refused += 1
        return self._refused > _REFUSED_PER_S

    @asynccontextmanager
    async def running(self, database: Database) -> AsyncIterator[None]:
        """Bring entries into the database until the block ends."""
        await asyncio.to_thread(self._open)
        task = asyncio.create_task(self._drain_on(database))
        try:
            yield
        finally:
            await end_task(task)
            with suppress(StorageError):
                await self.drain(database)
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _open(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if self.file.exists():
            for line in self.file.read_bytes().splitlines():
                try:
                    self._waiting.append(Entry(**orjson.loads(line)))
                except (orjson.JSONDecodeError, TypeError):
                    # The last line of a process that died while writing it.
                    _LOG.warning("a line of %s is cut off: %s", FILE, printable(line.decode(errors="replace")))
        if self._waiting:
            self._news.set()
        self._descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def _drain_on(self, database: Database) -> None:
        while True:
            await self._news.wait()
            try:
                await self.drain(database)
            except StorageError:
                # They stay in the file; the state of the database is reported elsewhere.
                await asyncio.sleep(4 * _EVERY_S)
            await asyncio.sleep(_EVERY_S)

    async def drain(self, database: Database) -> None:
        """Bring what waits into the database.

        Raises
        ------
        StorageError
            If it does not take them; they wait on.
        """
        while self._waiting:
            batch = [self._waiting[index] for index in range(min(_BATCH, len(self._waiting)))]
            async with database.write() as session:
                await AuditRepository(session, database.dialect).add([entry.row() for entry in batch])
            for _ in batch:
                self._waiting.popleft()
        self._news.clear()
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)


def _short(text: str) -> str:
    """Return text as it is kept: bounded, on one line, and without the credentials that a caller may have put where they do not belong."""
    return _CLEANER.line(text[: 2 * _LONGEST])[:_LONGEST]


async def record_command(database: Database, command: str, note: str) -> None:
    """Enter a command that was typed on this machine."""
    entry = Entry(
        time.time_ns() // 1_000, secrets.token_hex(4), datetime.now(UTC).isoformat(), "shell", None, "COMMAND", command, None, 0, _short(note)
    )
    async with database.write() as session:
        await AuditRepository(session, database.dialect).add([entry.row()])
