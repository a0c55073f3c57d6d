"""What breaks in the field, with real servers and real kills: afterwards every row is in journal and database exactly once, with equal values.

Each test prints its counts. ``./hms test --long`` kills more often.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from sqlalchemy import text

from hybrid_ml_scheduler.core.errors import JournalFullError
from hybrid_ml_scheduler.core.streams import RunBatch, Stream
from hybrid_ml_scheduler.storage.cache import Sharing, SharingState
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.drain import DrainState
from hybrid_ml_scheduler.storage.segments import segments
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage_cases import SCHEDULERS, make_batch, new_run
from storage_fixtures import QUICK, MakeSettings
from storage_servers import PostgresServer, ValkeyServer

pytestmark = pytest.mark.anyio

WRITER = Path(__file__).with_name("storage_writer.py")
ROWS_PER_TASK = len(SCHEDULERS) + 2
RESTART_TIMEOUT_S = 120
SOME = pytest.param(5, id="5")
MANY = pytest.param(20, id="20", marks=pytest.mark.long)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        server.execute("CREATE DATABASE runs")
        yield server
    finally:
        server.remove()


@pytest.fixture
async def _abandoned_futures() -> AsyncIterator[None]:
    """When a connection breaks while COPY sends rows, asyncpg leaves a future whose exception nobody can ask for. It is not ours, and no loss."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if not isinstance(context.get("exception"), asyncpg.PostgresConnectionError):
            (before or asyncio.AbstractEventLoop.default_exception_handler)(loop, context)

    loop.set_exception_handler(handle)
    yield
    gc.collect()
    loop.set_exception_handler(before)


async def upgraded(settings: StorageSettings) -> StorageSettings:
    async with Database(settings) as database:
        await database.upgrade()
    return settings


async def drained(service: SimulationDataService) -> None:
    async with asyncio.timeout(RESTART_TIMEOUT_S):
        while service.drainer.lag_rows or service.drainer.state is not DrainState.OK:
            await asyncio.sleep(0.02)


async def every_row_once(service: SimulationDataService, tasks: int, what: str, kills: int) -> None:
    """Compare journal and database with each other and with what was written, and print the counts."""
    report = await service.check()
    lost = tasks * ROWS_PER_TASK - report.journal_rows
    sys.stdout.write(
        f"{what}: {tasks} tasks, {report.journal_rows} rows, {kills} kills, "
        f"lost {lost}, duplicated {report.duplicates}, differences {report.differences}\n"
    )
    assert report.problems == ()
    assert (lost, report.duplicates, report.differences, report.lag_rows) == (0, 0, 0, 0)
    assert report.tables["tasks"] == report.tables["training_data"] == tasks
    assert report.tables["scheduler_results"] == tasks * len(SCHEDULERS)
    run_id = service.journals.runs()[-1]
    rows = [row async for page in service.history(Stream.RESULTS, run_id) for row in page.rows]
    assert len({(row[2], row[3]) for row in rows}) == len(rows) == tasks * len(SCHEDULERS)
    assert {row[2] for row in rows} == set(range(tasks))
    compared = [found.compared for found in await service.statistics(run_id)]
    assert compared == [tasks] * len(SCHEDULERS)


@pytest.mark.usefixtures("_abandoned_futures")
@pytest.mark.parametrize("kills", [SOME, MANY])
async def test_postgresql_is_killed_and_started_again_while_rows_arrive(own_postgres: PostgresServer, tmp_path: Path, kills: int) -> None:
    settings = await upgraded(StorageSettings.load(data_dir=tmp_path, database_url=own_postgres.url("runs"), drain_batch_rows=200, **QUICK))
    chance = np.random.default_rng(1)
    stop = asyncio.Event()
    async with SimulationDataService(settings) as service:
        sink = service.begin_run(new_run(service))
        tasks = 0

        async def write() -> None:
            nonlocal tasks
            while not stop.is_set():
                await sink.write(make_batch(tasks, 20))
                tasks += 20
                await sink.wait_until_lag_below(10_000)
                await asyncio.sleep(0.01)

        writer = asyncio.create_task(write())
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            await asyncio.to_thread(own_postgres.kill)
            written = tasks
            async with asyncio.timeout(RESTART_TIMEOUT_S):
                # The run goes on while the database is away.
                while tasks < written + 100 or service.drainer.state is DrainState.OK:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(own_postgres.start)
            await drained_to(service, written * ROWS_PER_TASK)
        stop.set()
        await writer
        await drained(service)
        await every_row_once(service, tasks, "PostgreSQL killed", kills)


async def drained_to(service: SimulationDataService, rows: int) -> None:
    """Wait until the database has at least so many rows."""
    async with asyncio.timeout(RESTART_TIMEOUT_S):
        while sum(service.journals.positions(service.journals.runs()[-1]).values()) - service.drainer.lag_rows < rows:
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("_abandoned_futures")
async def test_postgresql_ends_all_connections_in_the_middle_of_transactions(own_postgres: PostgresServer, tmp_path: Path) -> None:
    settings = await upgraded(StorageSettings.load(data_dir=tmp_path, database_url=own_postgres.url("runs"), drain_batch_rows=50, **QUICK))
    async with SimulationDataService(settings) as service:
        sink = service.begin_run(new_run(service))
        for first in range(0, 400, 20):
            await sink.write(make_batch(first, 20))
            await asyncio.to_thread(
                own_postgres.execute, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'hybrid%'"
            )
            await asyncio.sleep(0.02)
        await drained(service)
        await every_row_once(service, 400, "connections ended", 20)


async def test_a_database_that_refuses_connections_and_then_takes_them(own_postgres: PostgresServer, tmp_path: Path) -> None:
    settings = await upgraded(StorageSettings.load(data_dir=tmp_path, database_url=own_postgres.url("runs"), **QUICK))
    await asyncio.to_thread(own_postgres.kill)
    async with SimulationDataService(settings) as service:
        assert service.drainer.state is DrainState.AWAY
        sink = service.begin_run(new_run(service))
        for first in range(0, 100, 20):
            await sink.write(make_batch(first, 20))
        assert sink.lag_rows == 100 * ROWS_PER_TASK
        await asyncio.to_thread(own_postgres.start)
        await drained(service)
        await every_row_once(service, 100, "connections refused", 1)


async def test_a_server_that_runs_out_of_connections(own_postgres: PostgresServer, tmp_path: Path) -> None:
    settings = await upgraded(StorageSettings.load(data_dir=tmp_path, database_url=own_postgres.url("runs"), **QUICK))
    own_postgres.execute(
        "CREATE ROLE limited LOGIN SUPERUSER; ALTER ROLE limited NOSUPERUSER; GRANT ALL ON ALL TABLES IN SCHEMA public TO limited", "runs"
    )
    own_postgres.execute("ALTER DATABASE runs CONNECTION LIMIT 0")
    limited = StorageSettings.load(data_dir=tmp_path, database_url=own_postgres.url("runs").replace("hms@", "limited@"), **QUICK)
    async with SimulationDataService(limited) as service:
        assert service.drainer.state is DrainState.AWAY
        sink = service.begin_run(new_run(service))
        await sink.write(make_batch(0, 50))
        assert "no connection left" in (service.drainer.error or "")
        await asyncio.to_thread(own_postgres.execute, "ALTER DATABASE runs CONNECTION LIMIT 100")
        await drained(service)
    async with SimulationDataService(settings) as service:
        await drained(service)
        await every_row_once(service, 50, "out of connections", 0)


async def test_another_transaction_holds_the_rows_and_then_lets_go(make_settings: MakeSettings) -> None:
    """Batches that wait too long are aborted half-way, and written again."""
    settings = make_settings(drain_batch_rows=100, statement_timeout_s=0.3, pool_timeout_s=0.3)
    async with SimulationDataService(settings) as service, Database(make_settings()) as other:
        sink = service.begin_run(new_run(service))
        await sink.write(make_batch(0, 50))
        await drained(service)
        async with other.write() as session:
            await session.execute(text("UPDATE metrics SET results = results"))
            await sink.write(make_batch(50, 50))
            async with asyncio.timeout(RESTART_TIMEOUT_S):
                while service.drainer.state is DrainState.OK:
                    await asyncio.sleep(0.01)
        await drained(service)
        await every_row_once(service, 100, "transactions aborted half-way", 0)


@pytest.mark.parametrize("kills", [SOME, MANY])
async def test_the_writing_process_is_killed_at_random_moments(make_settings: MakeSettings, tmp_path: Path, kills: int) -> None:
    settings = make_settings(journal_segment_mb=0.05, drain_batch_rows=100)
    environment = os.environ | {"HMS_DATA_DIR": str(tmp_path), "HMS_DATABASE_URL": settings.url.render_as_string(hide_password=False)}
    environment |= {"HMS_JOURNAL_SEGMENT_MB": "0.05", "HMS_DRAIN_BATCH_ROWS": "100", "HMS_DRAIN_INTERVAL_S": "0.01"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    chance = np.random.default_rng(2)
    run_id, acknowledged = 77, 0

    async def life(*, until: int | None) -> int:
        """Let the process write, and kill it after so many batches and a random while; return up to which task it said it had written."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, WRITER, str(run_id), str(10**9 if until is None else until), stdout=subprocess.PIPE, env=environment, cwd=tmp_path
        )
        assert process.stdout is not None
        said = 0
        batches = int(chance.integers(1, 13))
        while line := await asyncio.wait_for(process.stdout.readline(), RESTART_TIMEOUT_S):
            said = int(line)
            batches -= 1
            if until is None and batches == 0:
                await asyncio.sleep(chance.uniform(0, 0.05))
                process.send_signal(signal.SIGKILL)
        assert await process.wait() == (0 if until is not None else -signal.SIGKILL)
        return said

    for _ in range(kills):
        said = await life(until=None)
        assert said > acknowledged
        acknowledged = said
        # Nothing that was acknowledged is missing in the journal.
        service = SimulationDataService(settings)
        assert service.journals.positions(run_id)[Stream.TASKS] >= acknowledged
        await service.close()
    tasks = acknowledged + 20
    await life(until=tasks)
    async with SimulationDataService(settings) as service:
        await drained(service)
        await every_row_once(service, tasks, "writer killed", kills)


@pytest.mark.parametrize("kills", [SOME, MANY])
async def test_redis_is_killed_and_started_again(own_valkey: ValkeyServer, tmp_path: Path, kills: int) -> None:
    settings = StorageSettings.load(data_dir=tmp_path, redis_url=own_valkey.url, **(QUICK | {"cache_ttl_s": 60}))
    answered = heard = 0
    async with Sharing(settings) as one, Sharing(settings) as two:
        near, far = one.subscribe("t"), two.subscribe("t")
        lease = await one.acquire("run")
        assert lease is not None
        for kill in range(kills):
            assert await one.wait_for(SharingState.CONNECTED, RESTART_TIMEOUT_S)
            assert await two.wait_for(SharingState.CONNECTED, RESTART_TIMEOUT_S)
            # The server has forgotten who leads; the leader takes its place again.
            assert await one.renew(lease)
            await one.set("g", f"k{kill}", b"shared")
            assert await two.get("g", f"k{kill}") == b"shared"
            await one.publish("t", b"far %d" % kill)
            assert await far.next(RESTART_TIMEOUT_S) == ("t", b"far %d" % kill)
            assert await near.next(RESTART_TIMEOUT_S) == ("t", b"far %d" % kill)
            assert await two.acquire("run") is None
            await asyncio.to_thread(own_valkey.kill)
            # Everything goes on in the process.
            await one.set("g", "local", b"%d" % kill)
            await one.invalidate("g")
            await one.set("g", "local", b"%d" % kill)
            assert await one.get("g", "local") == b"%d" % kill
            await one.publish("t", b"near %d" % kill)
            assert await near.next(RESTART_TIMEOUT_S) == ("t", b"near %d" % kill)
            assert await one.renew(lease)
            answered += 1
            heard += 2
            await asyncio.to_thread(own_valkey.start)
        assert await one.wait_for(SharingState.CONNECTED, RESTART_TIMEOUT_S)
        assert one.times_lost == kills
    sys.stdout.write(f"Redis killed: {kills} kills, {answered} answers and {heard} messages in between, none lost\n")


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond this size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_the_disk_is_full_again_and_again(own_postgres: PostgresServer, tmp_path: Path) -> None:
    """The writer keeps the batch that was refused, and writes it again when there is room."""
    settings = await upgraded(StorageSettings.load(data_dir=tmp_path, database_url=own_postgres.url("runs"), **QUICK))
    refused = 0
    async with SimulationDataService(settings) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        for first in range(0, 300, 20):
            batch = make_batch(first, 20)
            sizes = [segment.path.stat().st_size for stream in Stream for segment in segments(service.journals.run_folder(run.id), stream)]
            with full_disk(max(sizes) + 2_000):
                for _ in range(3):
                    with pytest.raises(JournalFullError):
                        await sink.write(batch)
                    refused += 1
            await sink.write(batch)
        await drained(service)
        await every_row_once(service, 300, f"disk full {refused} times", 0)


async def test_the_disk_of_the_embedded_database_is_full(tmp_path: Path) -> None:
    settings = await upgraded(StorageSettings.load(data_dir=tmp_path, drain_batch_rows=100, **QUICK))
    async with SimulationDataService(settings) as service:
        sink = service.begin_run(new_run(service))
        with full_disk(90_000):
            await sink.write(make_batch(0, 40))
            async with asyncio.timeout(RESTART_TIMEOUT_S):
                while service.drainer.state is not DrainState.AWAY:
                    await asyncio.sleep(0.01)
        await sink.write(make_batch(40, 20))
        await drained(service)
        await every_row_once(service, 60, "database disk full", 0)


async def test_a_torn_last_line_after_a_crash(make_settings: MakeSettings) -> None:
    settings = make_settings()
    tasks = 0
    for cut in (1, 10, 57, 120):
        service = SimulationDataService(settings)
        await service.open(drain=False)
        run_id = service.journals.runs()[-1] if service.journals.runs() else 0
        run = new_run(service)
        sink = await service.continue_run(run_id) if run_id else service.begin_run(run)
        run_id = run_id or run.id
        await sink.write(make_batch(tasks, 10))
        tasks += 10
        service.journals.close()
        await service.database.close()
        path = segments(service.journals.run_folder(run_id), Stream.RESULTS)[-1].path
        # A crash in the middle of a line: what is there of it is no row.
        line = path.read_bytes().splitlines(keepends=True)[-1]
        with path.open("ab") as file:
            file.write(line[:cut])
    async with SimulationDataService(settings) as service:
        await service.continue_run(service.journals.runs()[-1])
        await drained(service)
        await every_row_once(service, tasks, "torn lines", 4)


async def test_rows_that_are_produced_again_after_a_crash_are_told_from_new_ones(make_settings: MakeSettings) -> None:
    """A checkpoint is older than the journal's end: the resumed run learns what it has written since, per scheduler."""
    settings = make_settings()
    async with SimulationDataService(settings) as service:
        sink = service.begin_run(run := new_run(service))
        await sink.write(make_batch(0, 10))
        await sink.save_state({}, b"")
        await sink.write(make_batch(10, 10))
    async with SimulationDataService(settings) as service:
        sink = await service.continue_run(run.id)
        state = await service.saved_state(run.id)
        assert state is not None
        written = await sink.rows_since(state.positions)
        again = make_batch(10, 10).results
        known = set(zip(written[Stream.RESULTS]["task_id"], written[Stream.RESULTS]["scheduler"], strict=True))
        fresh = [row for row, key in enumerate(zip(again["task_id"], again["scheduler"], strict=True)) if key not in known]
        assert fresh == []
        await sink.write(RunBatch())
        await drained(service)
        await every_row_once(service, 20, "resumed", 1)
