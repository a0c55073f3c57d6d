"""The connection to the database: pools, transactions, and one kind of error.

A transaction begins and commits here and nowhere else: ``async with database.write() as session``. Connections for reading cannot write.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from hybrid_ml_scheduler.core.errors import SchemaError, StorageBusyError, StorageUnavailableError
from hybrid_ml_scheduler.core.observing import NOBODY, Observer
from hybrid_ml_scheduler.storage.dialects import dialect_of
from hybrid_ml_scheduler.storage.settings import StorageSettings

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """The configured database. Nothing is connected before it is used.

    Parameters
    ----------
    settings : StorageSettings
    observer : Observer, optional
        Watches pools and sessions.
    """

    def __init__(self, settings: StorageSettings, observer: Observer = NOBODY) -> None:
        self.settings = settings
        self.observer = observer
        self.dialect = dialect_of(settings)
        self._engines: dict[bool, AsyncEngine] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def _engine(self, *, writes: bool) -> AsyncEngine:
        if writes not in self._engines:
            self._engines[writes] = self.dialect.engine(writes=writes)
            self.observer.opened_pool("write" if writes else "read", self._engines[writes])
        return self._engines[writes]

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a session that sees one state of the database and cannot change it.

        Raises
        ------
        StorageUnavailableError, StorageBusyError, SchemaError
            If the database is away, no connection becomes free in time, or tables are missing.
        """
        async with self._session(writes=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a session whose changes are committed together when the block ends, and undone if it raises.

        Raises
        ------
        StorageUnavailableError, StorageBusyError, SchemaError
            As `read`; nothing was written. If the connection broke while committing, whether it was is not known.
        """
        async with self._session(writes=True) as session:
            yield session

    @asynccontextmanager
    async def _session(self, *, writes: bool) -> AsyncIterator[AsyncSession]:
        try:
            with self.observer.span("database write" if writes else "database read"):
                async with AsyncSession(self._engine(writes=writes), expire_on_commit=False) as session, session.begin():
                    yield session
        except Exception as error:
            ours = self.dialect.translate(error)
            if isinstance(ours, StorageBusyError):
                self.observer.database_busy()
            if ours is None or ours is error:
                raise
            raise ours from error

    async def ping(self, timeout_s: float) -> None:
        """Ask the database for an answer.

        Raises
        ------
        StorageUnavailableError, StorageBusyError
            If there is none in time.
        """
        try:
            async with asyncio.timeout(timeout_s), self.read() as session:
                await session.execute(text("SELECT 1"))
        except TimeoutError as error:
            raise self.dialect.unavailable(error) from error

    async def close(self) -> None:
        """Close all connections."""
        engines, self._engines = list(self._engines.values()), {}
        for engine in engines:
            await engine.dispose()

    async def revision(self) -> str | None:
        """Return the version of the tables that are there; None for an empty database."""
        async with self.write() as session:
            return await (await session.connection()).run_sync(lambda connection: MigrationContext.configure(connection).get_current_revision())

    async def check_schema(self) -> None:
        """Make sure that the tables are those of this version.

        Raises
        ------
        SchemaError
            If they are missing, older or newer; the message says what to do.
        """
        found, newest = await self.revision(), newest_revision()
        if found == newest:
            return
        self._refuse_newer(found)
        raise SchemaError(
            f"the database {'is empty' if found is None else f'has tables of version {found}'}; expected version {newest} (run: hms db upgrade)"
        )

    async def upgrade(self, target: str = "head") -> tuple[str | None, str | None]:
        """Bring the tables to this version's.

        Parameters
        ----------
        target : str
            Another version.

        Returns
        -------
        tuple of (str or None, str or None)
            Version before and after.

        Raises
        ------
        SchemaError
            If they are newer than this program.
        """
        before = await self.revision()
        self._refuse_newer(before)
        await self._migrate(command.upgrade, target)
        return before, await self.revision()

    async def downgrade(self, target: str = "base") -> None:
        """Bring the tables back to an older version; ``base`` removes them and everything in them."""
        self._refuse_newer(await self.revision())
        await self._migrate(command.downgrade, target)

    def _refuse_newer(self, found: str | None) -> None:
        known = {script.revision for script in _scripts().walk_revisions()}
        if found is not None and found not in known:
            raise SchemaError(
                f"the database has tables of version {found}, which this program does not know; expected version {newest_revision()} or older "
                "(a newer version of the program made them: run that one)"
            )

    async def _migrate(self, how: Any, target: str) -> None:
        def run(connection: Connection) -> None:
            config = _config()
            config.attributes["connection"] = connection
            how(config, target)

        async with self.write() as session:
            connection = await session.connection()
            await self.dialect.prepare_migration(connection)
            await connection.run_sync(run)

    async def wait_until_reachable(self, timeout_s: float, pause_s: float = 0.1) -> None:
        """Wait for a database that is just starting.

        Raises
        ------
        StorageUnavailableError
            If it does not answer in time.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            try:
                return await self.ping(max(pause_s, deadline - asyncio.get_running_loop().time()))
            except StorageUnavailableError:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                await asyncio.sleep(pause_s)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def newest_revision() -> str:
    """Return the version of the tables that this program works with."""
    head = _scripts().get_current_head()
    if head is None:  # pragma: no cover - there is always a migration
        raise SchemaError("the package holds no migrations; expected a complete installation")
    return head
