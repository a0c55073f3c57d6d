"""Fixtures of tests that store: settings for a fresh database of each kind. Both kinds are real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage_servers import PostgresServer, ValkeyServer

MakeSettings = Callable[..., StorageSettings]
# Nothing waits longer than it must where a server has been killed on purpose.
QUICK = {"drain_interval_s": 0.01, "drain_retry_max_s": 0.1, "connect_timeout_s": 5.0, "redis_retry_s": 0.02, "redis_timeout_s": 1.0}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in StorageSettings.model_fields:
        monkeypatch.delenv(f"HMS_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A server that a test may kill."""
    yield from _valkey()


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    yield from _valkey()


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> str:
    """Name of a PostgreSQL database with all tables, to be copied."""
    name = postgres.new_database()

    async def upgrade() -> None:
        async with Database(StorageSettings.load(database_url=postgres.url(name))) as database:
            await database.upgrade()

    asyncio.run(upgrade())
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def make_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeSettings]:
    """Settings for an empty database with all tables; other settings as given."""
    if request.param == "sqlite":
        make = _maker(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'hms.sqlite3'}")

        async def upgrade() -> None:
            async with Database(make()) as database:
                await database.upgrade()

        asyncio.run(upgrade())
        yield make
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_database(request.getfixturevalue("migrated"))
    yield _maker(tmp_path, server.url(name))
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _maker(folder: Path, url: str) -> MakeSettings:
    def make(**given: object) -> StorageSettings:
        return StorageSettings.load(**{"data_dir": folder, "database_url": url, **QUICK, **given})

    return make
