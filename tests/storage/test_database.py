"""The database: its tables, its connections, its errors, and the plans of the queries that are made. Both kinds are real."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.dialects import postgresql, sqlite

from hybrid_ml_scheduler.core.errors import SchemaError, StorageBusyError, StorageConflictError, StorageUnavailableError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.storage.database import MIGRATIONS, Database, newest_revision
from hybrid_ml_scheduler.storage.repositories import REPOSITORIES, HistoryRepository, MetricsRepository, Run
from hybrid_ml_scheduler.storage.schema import TABLES, Base
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage_cases import make_batch, new_run
from storage_fixtures import QUICK, MakeSettings
from storage_servers import PostgresServer, free_port

pytestmark = pytest.mark.anyio


async def test_migrations_make_what_the_models_say_and_take_it_away_again(make_settings: MakeSettings) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata)

    def keys(connection: Connection) -> dict[str, list[str]]:
        return {name: inspect(connection).get_pk_constraint(name)["constrained_columns"] for name in TABLES}

    async with Database(make_settings()) as database:
        async with database.read() as session:
            connection = await session.connection()
            assert await connection.run_sync(differences) == []
            # Autogenerate does not compare primary keys.
            assert await connection.run_sync(keys) == {name: [column.name for column in Base.metadata.tables[name].primary_key] for name in TABLES}
        await database.downgrade()
        assert await database.revision() is None
        async with database.read() as session:
            names = await (await session.connection()).run_sync(lambda connection: set(inspect(connection).get_table_names()))
        assert names <= {"alembic_version"}
        assert await database.upgrade() == (None, newest_revision())
        assert await database.upgrade() == (newest_revision(), newest_revision())
        await database.check_schema()


async def test_what_others_on_the_machine_could_forge_tokens_with_is_for_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    service = SimulationDataService(StorageSettings.load(data_dir=folder))
    await service.open(upgrade=True)
    files = [path for path in folder.iterdir() if path.name.startswith("hms.sqlite3")]
    shown = {path.name: path.stat().st_mode & 0o077 for path in files}
    await service.close()
    assert folder.stat().st_mode & 0o077 == 0
    assert shown.keys() >= {"hms.sqlite3", "hms.sqlite3-wal"}
    assert not any(shown.values()), shown


async def test_tables_of_a_newer_version_are_refused(make_settings: MakeSettings) -> None:
    async with Database(make_settings()) as database:
        async with database.write() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for refused in (database.check_schema(), database.upgrade(), database.downgrade()):
            with pytest.raises(SchemaError, match="version 9999, which this program does not know"):
                await refused


async def test_missing_tables_are_named_as_such(make_settings: MakeSettings) -> None:
    async with Database(make_settings()) as database:
        await database.downgrade()
        with pytest.raises(SchemaError, match="is empty; expected version"):
            await database.check_schema()
        with pytest.raises(SchemaError, match="lacks a table or column"):
            async with database.read() as session:
                await HistoryRepository(session, database.dialect).runs()


async def test_a_block_that_raises_writes_nothing_and_reading_cannot_write(make_settings: MakeSettings) -> None:
    insert = text("INSERT INTO journal_progress VALUES (1, 'tasks', 0, 'x', 0, 0, 0, 0, '2026-01-01 00:00:00')")
    async with Database(make_settings()) as database:

        async def insert_then(last: str) -> None:
            async with database.write() as session:
                await session.execute(insert)
                await session.execute(text(last))

        with pytest.raises(SchemaError):
            await insert_then("SELECT * FROM no_such_table")
        with pytest.raises(StorageUnavailableError):
            async with database.read() as session:
                await session.execute(insert)
        async with database.read() as session:
            assert (await HistoryRepository(session, database.dialect).counts())["journal_progress"] == 0
        with pytest.raises(StorageConflictError):
            await insert_then(insert.text)


async def test_an_exhausted_pool_waits_and_then_says_so(make_settings: MakeSettings) -> None:
    async with Database(make_settings(pool_size=1, pool_overflow=0, pool_timeout_s=0.1)) as database:
        async with database.read() as held:
            await held.execute(text("SELECT 1"))
            with pytest.raises(StorageBusyError, match="all 1 database connections are in use"):
                async with database.read() as session:
                    await session.execute(text("SELECT 1"))
        await database.ping(5)

    async with Database(make_settings(pool_size=1, pool_overflow=0, pool_timeout_s=20)) as database:
        async with database.read() as held:
            await held.execute(text("SELECT 1"))
            waiting = asyncio.create_task(database.ping(20))
            await asyncio.sleep(0.01)
            assert not waiting.done()
        await waiting


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    settings = StorageSettings.load(data_dir=tmp_path, database_url=f"postgresql://anna:hunter2@127.0.0.1:{free_port()}/runs", **QUICK)
    async with Database(settings) as database:
        with pytest.raises(StorageUnavailableError) as caught:
            await database.ping(5)
        assert "hunter2" not in str(caught.value)
        with pytest.raises(StorageUnavailableError):
            await database.wait_until_reachable(0.05, 0.01)


async def test_a_server_that_accepts_and_never_answers(tmp_path: Path) -> None:
    writers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    try:
        async with Database(StorageSettings.load(data_dir=tmp_path, database_url=f"postgresql://a@127.0.0.1:{port}/b", **QUICK)) as database:
            with pytest.raises(StorageUnavailableError, match="no answer in time"):
                await database.ping(0.1)
    finally:
        silent.close()
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@pytest.mark.parametrize("part", ["t_unknown", "hms@nobody"])
async def test_a_server_that_refuses(postgres: PostgresServer, tmp_path: Path, part: str) -> None:
    url = postgres.url("t_unknown") if part == "t_unknown" else postgres.url("postgres").replace("hms@", "nobody@")
    async with Database(StorageSettings.load(data_dir=tmp_path, database_url=url, **QUICK)) as database:
        with pytest.raises(StorageUnavailableError, match=r"refused the connection \(state"):
            await database.ping(5)


async def test_a_server_without_a_free_connection(postgres: PostgresServer, tmp_path: Path) -> None:
    name = postgres.new_database()
    postgres.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 1")
    postgres.execute("DROP ROLE IF EXISTS limited; CREATE ROLE limited LOGIN")
    settings = StorageSettings.load(data_dir=tmp_path, database_url=postgres.url(name).replace("hms@", "limited@"), **QUICK)
    async with Database(settings) as database, database.read() as held:
        await held.execute(text("SELECT 1"))
        with pytest.raises(StorageUnavailableError, match="no connection left"):
            async with database.read() as session:
                await session.execute(text("SELECT 1"))


async def test_a_database_that_takes_no_connections(postgres: PostgresServer, tmp_path: Path) -> None:
    name = postgres.new_database()
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    async with Database(StorageSettings.load(data_dir=tmp_path, database_url=postgres.url(name), **QUICK)) as database:
        with pytest.raises(StorageUnavailableError, match="takes no connections"):
            await database.ping(5)


async def test_a_slow_statement_ends(postgres: PostgresServer, tmp_path: Path) -> None:
    settings = StorageSettings.load(data_dir=tmp_path, database_url=postgres.url(postgres.new_database()), **(QUICK | {"statement_timeout_s": 1.0}))
    async with Database(settings) as database:
        with pytest.raises(StorageBusyError, match="did not finish in time"):
            async with database.read() as session:
                await session.execute(text("SELECT pg_sleep(20)"))


async def test_sqlite_is_told_what_it_must(tmp_path: Path) -> None:
    async with Database(StorageSettings.load(data_dir=tmp_path, pool_timeout_s=1.5)) as database:
        async with database.write() as session:
            assert (await session.execute(text("PRAGMA journal_mode"))).scalar() == "wal"
            assert (await session.execute(text("PRAGMA synchronous"))).scalar() == 1
            assert (await session.execute(text("PRAGMA busy_timeout"))).scalar() == 1500
        async with database.read() as session:
            assert (await session.execute(text("PRAGMA query_only"))).scalar() == 1


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "hms.sqlite3").write_bytes(b"no database" * 1000)
    async with Database(StorageSettings.load(data_dir=tmp_path)) as database:
        with pytest.raises(StorageUnavailableError, match="the database file cannot be used"):
            await database.check_schema()


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with Database(StorageSettings.load(data_dir=tmp_path / "file" / "below")) as database:
        with pytest.raises(StorageUnavailableError):
            await database.ping(5)


def test_every_migration_has_its_number_in_its_name() -> None:
    for path in (MIGRATIONS / "versions").glob("*.py"):
        assert re.search(rf'^revision = "{path.name[:4]}"$', path.read_text(encoding="utf-8"), re.MULTILINE), path.name


async def plan(database: Database, query: object) -> str:
    dialect = postgresql.dialect() if database.dialect.name == "postgresql" else sqlite.dialect()
    statement = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))  # type: ignore[attr-defined]
    async with database.write() as session:
        rows = (await session.execute(text(database.dialect.explain(statement).replace(":", "\\:")))).all()
    return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("results", [100_000, pytest.param(1_000_000, marks=pytest.mark.long)])
async def test_every_query_uses_an_index_and_every_index_is_used(make_settings: MakeSettings, results: int) -> None:
    """Two runs, so that a plan which ignores the run would show; each index is named by the plan of a query that needs it."""
    schedulers = ("greedy", "oracle", "rl_agent", "hybrid_ml", "random")
    tasks = results // 2 // len(schedulers)
    used: set[str] = set()
    async with SimulationDataService(make_settings(drain_batch_rows=50_000)) as service:
        runs: list[Run] = []
        for _ in range(2):
            run = new_run(service, schedulers)
            runs.append(run)
            sink = service.begin_run(run)
            for first in range(0, tasks, 10_000):
                await sink.write(make_batch(first, min(10_000, tasks - first), schedulers))
        await sink.wait_until_lag_below(1)
        database, run_id = service.database, runs[0].id
        async with database.write() as session:
            await session.execute(text("ANALYZE"))
        async with database.read() as session:
            queries = {}
            for stream in Stream:
                repository = REPOSITORIES[stream](session, database.dialect)
                table = repository.table.name
                newest, key = f"{table}_newest", f"{table}_pkey"
                queries |= {
                    f"{table}: newest": (repository.newest_query(run_id, 1000), newest),
                    f"{table}: page": (repository.newest_query(run_id, 1000, before_seq=tasks // 2), newest),
                    f"{table}: following": (repository.following_query(run_id, tasks // 2, 1000), newest),
                    f"{table}: of tasks": (repository.of_tasks_query(run_id, [5, 7, 11]), key),
                    f"{table}: retention": (repository.delete_before_query(run_id, 100), newest),
                }
                if stream is Stream.RESULTS:
                    queries[f"{table}: newest of one"] = (repository.newest_query(run_id, 1000, scheduler="oracle"), newest)
            metrics = MetricsRepository(session, database.dialect)
            queries["metrics: totals"] = (metrics.totals_query(run_id), "metrics_pkey")
            queries["metrics: windows"] = (metrics.windows_query(run_id, "oracle", None, 100), "metrics_pkey")
        for name, (query, index) in queries.items():
            # SQLite calls the index of a primary key by a name of its own.
            expected = index if database.dialect.name == "postgresql" else index.replace(f"{index[:-5]}_pkey", f"sqlite_autoindex_{index[:-5]}_1")
            found = await plan(database, query)
            assert expected in found, f"{name}\n{found}"
            assert "SCAN" not in found.replace("SCAN CONSTANT ROW", ""), f"{name}\n{found}"
            assert "Seq Scan" not in found, f"{name}\n{found}"
            assert "Sort" not in found or "of tasks" in name, f"{name}\n{found}"
            assert "TEMP B-TREE" not in found or "of tasks" in name, f"{name}\n{found}"
            used.add(index)
    declared = {index.name for table in Base.metadata.tables.values() for index in table.indexes}
    assert declared <= used


async def test_a_task_is_found_by_its_number_also_before_the_database_knows_its_tables(make_settings: MakeSettings) -> None:
    """SQLite has no statistics of its tables unless somebody asks for them, and must choose the right index without."""
    async with Database(make_settings()) as database, database.read() as session:
        if database.dialect.name != "sqlite":
            pytest.skip("PostgreSQL gathers statistics by itself")
        for stream in Stream:
            repository = REPOSITORIES[stream](session, database.dialect)
            assert "autoindex" in await plan(database, repository.of_tasks_query(1, [5])), stream
