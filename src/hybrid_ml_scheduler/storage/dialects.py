"""Everything in which SQLite and PostgreSQL differ."""

from __future__ import annotations

import io
import sqlite3
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import Insert, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from hybrid_ml_scheduler.core.errors import JournalError, SchemaError, StorageBusyError, StorageConflictError, StorageError, StorageUnavailableError
from hybrid_ml_scheduler.core.folders import make_private_folder

if TYPE_CHECKING:
    from hybrid_ml_scheduler.storage.chunk import Chunk
    from hybrid_ml_scheduler.storage.settings import StorageSettings

WRITE_CONNECTIONS = 2
"""One for the rows, one for everything else that is written to PostgreSQL."""

_MIGRATION_LOCK = 6_842_715  # any number that is ours
_APPLICATION = "hybrid-ml-scheduler"
"""What our sessions are called on a server."""


class DatabaseDialect(ABC):
    """One kind of database."""

    name: str

    def __init__(self, settings: StorageSettings) -> None:
        self.settings = settings

    @abstractmethod
    def engine(self, *, writes: bool) -> AsyncEngine:
        """Return a pool of connections that may write, or one of connections that cannot."""

    @abstractmethod
    async def insert_chunk(self, connection: AsyncConnection, table: Table, chunk: Chunk) -> None:
        """Insert all rows of a chunk of the journal, as part of the transaction, the fastest way there is."""

    @abstractmethod
    async def prepare_bulk(self, connection: AsyncConnection) -> None:
        """Prepare a transaction whose rows stand in the journal as well, so that losing it whole is no loss."""

    @abstractmethod
    async def prepare_migration(self, connection: AsyncConnection) -> None:
        """Keep other processes from changing tables until the transaction ends."""

    async def session_id(self, session: AsyncSession) -> int | None:
        """Return what the server calls a session; None where there is no server."""
        return None

    async def end_silent_holders(self, session: AsyncSession, waiting: int, silent_s: float) -> int:
        """End those of our sessions for which another one waits, and whose programs have said nothing for so long; return how many."""
        return 0

    @abstractmethod
    def insert(self, table: Table) -> Any:
        """Return an insert that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""

    @abstractmethod
    def explain(self, statement: str) -> str:
        """Return the statement that shows the plan of another."""

    def translate(self, error: BaseException) -> StorageError | None:
        """Return our error for one of the driver's, or None if it is a defect of ours."""
        if isinstance(error, StorageError):
            return error
        if isinstance(error, PoolTimeoutError):
            return StorageBusyError(
                f"all {self.settings.pool_size + self.settings.pool_overflow} database connections are in use (waited "
                f"{self.settings.pool_timeout_s:g} s); expected one to become free (HMS_POOL_SIZE, HMS_POOL_OVERFLOW)"
            )
        original: BaseException | None = error
        if isinstance(error, DBAPIError):
            original = error.orig if error.orig is not None else error
            if error.connection_invalidated:
                return self.unavailable(original)
        if isinstance(original, OSError):  # TimeoutError is one
            return self.unavailable(original)
        return None if original is None else self.translate_driver(original)

    @abstractmethod
    def translate_driver(self, error: BaseException) -> StorageError | None:
        """As `translate`, for the exceptions of the driver itself."""

    def unavailable(self, error: BaseException) -> StorageUnavailableError:
        """Return the error for a database that does not answer. Addresses stay out of it: they may be secrets."""
        # SQLAlchemy puts a shell without a name around asyncpg's exceptions.
        inner = error.__cause__ if type(error).__name__ == "Error" and error.__cause__ is not None else error
        reason = "no answer in time" if isinstance(inner, TimeoutError) else type(inner).__name__
        detail = getattr(inner, "strerror", None)
        return StorageUnavailableError(
            f"the {self.name} database cannot be reached ({detail or reason}); expected a running server or a usable file at HMS_DATABASE_URL"
        )


class PostgresDialect(DatabaseDialect):
    """PostgreSQL, through asyncpg."""

    name = "postgresql"

    def engine(self, *, writes: bool) -> AsyncEngine:
        """Return a pool; the server refuses writes on connections for reading."""
        settings = self.settings
        server = {
            "application_name": _APPLICATION,
            "timezone": "UTC",
            "statement_timeout": str(int(settings.statement_timeout_s * 1000)),
            "idle_in_transaction_session_timeout": str(int(settings.statement_timeout_s * 2000)),
            "jit": "off",  # compiling a plan takes longer than our queries
        }
        if not writes:
            server["default_transaction_read_only"] = "on"
        return create_async_engine(
            settings.url,
            pool_size=WRITE_CONNECTIONS if writes else settings.pool_size,
            max_overflow=0 if writes else settings.pool_overflow,
            pool_timeout=settings.pool_timeout_s,
            pool_pre_ping=True,  # a connection that the server has dropped is replaced, not handed out
            connect_args={"timeout": settings.connect_timeout_s, "command_timeout": settings.statement_timeout_s * 1.5, "server_settings": server},
        )

    async def session_id(self, session: AsyncSession) -> int | None:
        """Return the number of the server's process for it."""
        found: int | None = await session.scalar(text("SELECT pg_backend_pid()"))
        return found

    async def end_silent_holders(self, session: AsyncSession, waiting: int, silent_s: float) -> int:
        """End them as `pg_terminate_backend` does, which a role may do to its own.

        The server's own time-outs do not see them: a COPY that waits for its client is neither idle nor interrupted when its time is over.
        """
        ended = await session.scalars(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(:waiting)) AND application_name = :ours "
                "AND wait_event_type = 'Client' AND clock_timestamp() - state_change > make_interval(secs => :silent_s)"
            ),
            {"waiting": waiting, "ours": _APPLICATION, "silent_s": silent_s},
        )
        return sum(ended.all())

    async def insert_chunk(self, connection: AsyncConnection, table: Table, chunk: Chunk) -> None:
        """Hand the journal's lines to COPY: no row becomes a Python object on the way."""
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        if not isinstance(driver, asyncpg.Connection):
            raise TypeError(f"connected through {type(driver).__name__}; expected asyncpg")
        try:
            await driver.copy_to_table(table.name, source=io.BytesIO(chunk.data), columns=list(chunk.names), format="csv")
        except asyncpg.DataError as error:
            _ = chunk.frame  # says which rows are damaged
            raise JournalError(
                f"the journal's {chunk.stream} hold a value that the database does not take ({error}); expected rows that hms wrote"
            ) from error
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError) as error:
            # SQLAlchemy has not seen this statement, so it must be told that the connection is of no use any more.
            await connection.invalidate(error)
            raise self.unavailable(error) from error

    async def prepare_bulk(self, connection: AsyncConnection) -> None:
        """Let the commit not wait for the disk of the server."""
        # If the server loses the commit, it loses rows and progress together. The journal brings them again with the next batch; there must be one.
        await connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    async def prepare_migration(self, connection: AsyncConnection) -> None:
        """Wait for our turn."""
        await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")

    def insert(self, table: Table) -> Insert:
        """Return PostgreSQL's insert."""
        return postgresql.insert(table)

    def explain(self, statement: str) -> str:
        """Return the statement that shows a plan."""
        return f"EXPLAIN (COSTS OFF) {statement}"

    def translate_driver(self, error: BaseException) -> StorageError | None:
        """Translate asyncpg's exceptions, by SQLSTATE where there is one."""
        code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        if code == "53300":
            return StorageUnavailableError("the database server has no connection left; expected a free one (max_connections of the server)")
        if code == "23505":
            return _conflict(error)
        if code in {"57014", "55P03", "40P01", "40001"}:
            return StorageBusyError(f"the database did not finish in time (state {code}); expected an answer (HMS_STATEMENT_TIMEOUT_S)")
        if code in {"42P01", "42703", "3F000"}:
            return SchemaError("the database lacks a table or column; expected the current tables (hms db upgrade makes them)")
        if code in {"28P01", "28000", "3D000"}:
            return StorageUnavailableError(
                f"the database server refused the connection (state {code}); expected user, password and database of HMS_DATABASE_URL"
            )
        if code == "55000" and "accepting connections" in str(error):
            return StorageUnavailableError("the database takes no connections (ALLOW_CONNECTIONS is false); expected one that does")
        if code is not None and (code[:2] in {"08", "53", "57", "58"} or code == "25006"):
            return self.unavailable(error)
        # asyncpg, and SQLAlchemy's shell around it, for connections that broke without a word from the server.
        return self.unavailable(error) if type(error).__name__ in {"InterfaceError", "ConnectionDoesNotExistError", "InternalClientError"} else None


class SqliteDialect(DatabaseDialect):
    """SQLite, the embedded default, through aiosqlite."""

    name = "sqlite"

    def engine(self, *, writes: bool) -> AsyncEngine:
        """Return a pool over the file. It and its folder are made if need be, for this user alone: the file holds keys that sign tokens."""
        settings = self.settings
        path = Path(settings.url.database or "")
        try:
            make_private_folder(path.parent)
            path.touch(mode=0o600)
        except OSError as error:
            raise self.unavailable(error) from error
        engine = create_async_engine(
            settings.url,
            # SQLite lets one connection write at a time; a second one would only wait for the first.
            pool_size=1 if writes else settings.pool_size,
            max_overflow=0 if writes else settings.pool_overflow,
            pool_timeout=settings.statement_timeout_s if writes else settings.pool_timeout_s,
            connect_args={"timeout": settings.pool_timeout_s},
        )

        @event.listens_for(engine.sync_engine, "connect")
        def _set_up(connection: Any, record: Any) -> None:
            # Python's module would begin transactions by itself, and too late; ours are begun below.
            connection.isolation_level = None
            cursor = connection.cursor()
            for pragma in self.pragmas(writes=writes):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @event.listens_for(engine.sync_engine, "begin")
        def _begin(connection: Any) -> None:
            # A writer that began as a reader could not become one while another writes: it takes its place at once.
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def pragmas(self, *, writes: bool) -> list[str]:
        """Return what every connection is told."""
        pragmas = [
            "journal_mode = WAL",  # readers see the last commit while rows are written, instead of waiting
            "synchronous = NORMAL",  # no wait for the disk per commit: a power cut may take the last ones, whole, and the journal has them
            f"busy_timeout = {int(self.settings.pool_timeout_s * 1000)}",  # wait for another process that writes, then fail
            # In kB: where rows are written the right edges of all indexes stay in memory; readers are many, and need little.
            f"cache_size = {-65_536 if writes else -8_192}",
            "temp_store = MEMORY",  # sorting does not touch the disk
        ]
        if not writes:
            pragmas.append("query_only = ON")  # a repository that writes while it should read is a defect: fail
        return pragmas

    async def insert_chunk(self, connection: AsyncConnection, table: Table, chunk: Chunk) -> None:
        """Insert with one prepared statement."""
        marks = ", ".join("?" * len(chunk.names))
        statement = f"INSERT INTO {table.name} ({', '.join(chunk.names)}) VALUES ({marks})"  # noqa: S608 - our own names
        for rows in chunk.rows():
            await connection.exec_driver_sql(statement, rows)

    async def prepare_bulk(self, connection: AsyncConnection) -> None:
        """Nothing to do: see ``synchronous``."""

    async def prepare_migration(self, connection: AsyncConnection) -> None:
        """Nothing to do: a transaction that writes is alone."""

    def insert(self, table: Table) -> Insert:
        """Return SQLite's insert."""
        return sqlite.insert(table)

    def explain(self, statement: str) -> str:
        """Return the statement that shows a plan."""
        return f"EXPLAIN QUERY PLAN {statement}"

    def translate_driver(self, error: BaseException) -> StorageError | None:
        """Translate the exceptions of Python's module, by SQLite's code."""
        if not isinstance(error, sqlite3.Error):
            return None
        if isinstance(error, sqlite3.IntegrityError):
            return _conflict(error)
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return StorageBusyError("another process keeps the database file locked; expected it to let go (HMS_POOL_TIMEOUT_S)")
        if primary == sqlite3.SQLITE_FULL:
            return StorageUnavailableError("the disk is full, the database file cannot grow; expected room at HMS_DATABASE_URL or HMS_DATA_DIR")
        if primary in {
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_NOTADB,
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_PERM,
        }:
            return StorageUnavailableError(f"the database file cannot be used ({error}); expected a SQLite file that can be written (HMS_DATA_DIR)")
        if "no such table" in str(error) or "no such column" in str(error) or "has no column" in str(error):
            return SchemaError("the database lacks a table or column; expected the current tables (hms db upgrade makes them)")
        return None


def _conflict(error: BaseException) -> StorageConflictError:
    return StorageConflictError(f"a row with this key is in the database already ({str(error).partition(chr(10))[0][:200]}); expected new ones")


def dialect_of(settings: StorageSettings) -> DatabaseDialect:
    """Return the dialect of the configured database."""
    return PostgresDialect(settings) if settings.url.get_backend_name() == "postgresql" else SqliteDialect(settings)
