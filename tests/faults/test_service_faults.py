"""What breaks around a running service, with the real service and real servers: killed, stopped, refused, full.

Afterwards every task that the run decided is in the journal and in the database exactly once, with equal values, by ``hms db check`` and by a
comparison that shares nothing with it; the run has gone on, and the count of processed tasks has never fallen. Each test prints its counts;
``./hms test --long`` breaks things more often.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import numpy as np
import pytest

from fault_cases import FEW, QUICK, SIX, SPEED, asked, check
from journal_comparison import compare, run_of, same_runs
from service_process import ServiceProcess, Watcher
from storage_servers import PostgresServer, ValkeyServer

SOME = pytest.param(3, FEW, 10.0, id="3")
MANY = pytest.param(20, SIX, 60.0, id="20", marks=pytest.mark.long)
MOUNT, UNMOUNT = shutil.which("mount"), shutil.which("umount")
OURS = "application_name LIKE 'hybrid-ml-scheduler%'"


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        server.execute("CREATE DATABASE runs")
        yield server
    finally:
        server.remove()


def drained(service: ServiceProcess) -> None:
    """Wait until the database answers again, and has all results of the tasks that were processed by now."""
    before = service.status()

    def there() -> bool:
        answer = service.client.get(f"/api/v1/runs/{before['run_id']}/statistics")
        if answer.status_code != 200 or service.status()["storage"]["state"] != "ok":
            return False
        results = [lane["results"] for lane in answer.json()]
        return len(results) == len(before["lanes"]) and min(results) >= before["tasks_processed"]

    service.until(there)


def away(service: ServiceProcess) -> None:
    """Wait until the service has noticed, and see that the run goes on."""
    service.until(lambda: service.status()["storage"]["state"] == "away")
    service.goes_on()


def every_task_once(service: ServiceProcess, watcher: Watcher, url: str | None, what: str, kills: int) -> None:
    """Compare everything, after the service has ended in order, and print the counts."""
    assert watcher.wrong == []
    assert watcher.most
    found = check(service)
    tasks = rows = lost = duplicated = 0
    for run_id in found["runs"]:
        one = compare(service.data, url, run_id)
        assert one.equal, one.first
        # What was shown as processed is there.
        lost += one.lost + max(0, watcher.most.get(run_id, 0) - one.whole)
        tasks, rows, duplicated = tasks + one.tasks, rows + one.rows, duplicated + one.duplicated
    sys.stdout.write(f"{what}: {tasks} tasks, {rows} rows, {kills} kills, lost {lost}, duplicated {duplicated}, {watcher.polls} looks\n")
    assert (lost, duplicated) == (0, 0)
    assert found["journal"]["rows"] == rows
    assert "Traceback" not in service.errors, service.errors


def test_it_ends_in_time_while_the_database_hangs(own_postgres: PostgresServer, tmp_path: Path) -> None:
    """Its sessions neither answer nor break. What is on its way into the database then goes there after the next start."""
    url = own_postgres.url("runs")
    with ServiceProcess(tmp_path, database_url=url, **QUICK) as service:
        service.start("--no-start")
        service.post("/api/start", asked(FEW, 21_006))
        with Watcher(service) as watcher:
            service.goes_on()
            drained(service)
            hung = asyncio.run(stopped_sessions(own_postgres))
            try:
                service.goes_on(500)
                began_s = time.monotonic()
                # With code 1 it says that it could not end in order; it must end all the same.
                assert service.end(signal.SIGTERM) in (0, 1)
                assert time.monotonic() - began_s < 30  # HMS_SHUTDOWN_TIMEOUT_S is 8
            finally:
                for process_id in hung:
                    os.kill(process_id, signal.SIGCONT)
            service.start("--no-start")
            drained(service)
            service.goes_on()
            assert service.end(signal.SIGTERM) == 0
        every_task_once(service, watcher, url, f"{len(hung)} sessions of the database hung", 0)


async def stopped_sessions(server: PostgresServer) -> list[int]:
    """Stop the processes behind all sessions of the service, without ending them."""
    sessions = Sessions(server)
    try:
        found = await (await sessions.connect()).fetch(f"SELECT pid FROM pg_stat_activity WHERE {OURS}")
    finally:
        await sessions.close()
    for row in found:
        os.kill(row["pid"], signal.SIGSTOP)
    return [row["pid"] for row in found]


class Sessions:
    """Another client of the server, with as many sessions as it can get."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.open: list[asyncpg.Connection] = []

    async def connect(self) -> asyncpg.Connection:
        found = await asyncpg.connect(host="127.0.0.1", port=self.server.port, user="hms", database="postgres")
        self.open.append(found)
        return found

    async def take_all(self) -> None:
        """Take every connection there is, those of the service too."""
        one = await self.connect()
        while True:
            try:
                await self.connect()
            except asyncpg.TooManyConnectionsError:
                await one.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
                if not await one.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}"):
                    with suppress(asyncpg.TooManyConnectionsError):
                        await self.connect()
                        continue
                    return

    async def end_transactions(self, count: int) -> int:
        """End sessions of the service that have written in a transaction and not committed yet; how many there were."""
        one = await self.connect()
        ended = 0
        while ended < count:
            ended += len(await one.fetch(f"SELECT pid FROM pg_stat_activity WHERE {OURS} AND backend_xid IS NOT NULL AND pg_terminate_backend(pid)"))
        return ended

    async def close(self) -> None:
        for each in self.open:
            each.terminate()


@pytest.mark.parametrize(("kills", "policies", "outage_s"), [SOME, MANY])
def test_everything_that_can_happen_to_postgresql_and_redis(
    own_postgres: PostgresServer, own_valkey: ValkeyServer, tmp_path: Path, kills: int, policies: tuple[str, ...], outage_s: float
) -> None:
    url = own_postgres.url("runs")
    chance = np.random.default_rng(11)
    with ServiceProcess(tmp_path, database_url=url, redis_url=own_valkey.url, **QUICK) as service:
        service.start("--no-start")
        service.post("/api/start", asked(policies, 21_001))
        with Watcher(service) as watcher:
            for _ in range(kills):
                time.sleep(chance.uniform(0.05, 0.4))
                own_postgres.kill()
                away(service)
                own_postgres.start()
                drained(service)

            for kill in range(kills):
                time.sleep(chance.uniform(0.0, 0.2))
                own_valkey.kill()
                service.goes_on()
                assert service.client.get("/api/full_history", params={"limit": 10}).status_code == 200
                service.until(lambda kill=kill: info(service)["redis"]["times_lost"] > kill)  # type: ignore[misc]
                own_valkey.start()
                service.until(lambda: info(service)["redis"]["state"] == "connected")

            # Away for longer than the service is ready without it.
            own_postgres.kill()
            began_s = time.monotonic()
            away(service)
            service.until(lambda: service.client.get("/health/ready").status_code == 503)
            assert service.client.get("/health/live").status_code == 200
            assert service.client.get("/api/full_history", params={"limit": 11}).status_code == 503
            service.until(lambda: time.monotonic() - began_s >= outage_s)
            service.goes_on()
            own_postgres.start()
            service.until(lambda: service.client.get("/health/ready").status_code == 200)
            drained(service)

            # A server that is there, and takes nobody in.
            own_postgres.execute(f"ALTER DATABASE runs ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
            away(service)
            own_postgres.execute("ALTER DATABASE runs ALLOW_CONNECTIONS true")
            drained(service)

            # All its connections are somebody else's.
            asyncio.run(out_of_connections(own_postgres, service))
            drained(service)

            # Transactions that have written, and never commit.
            aborted = asyncio.run(aborted_half_way(own_postgres, 4 * kills))
            drained(service)

            # The service ends while the database is away, and begins again before it is back. With Redis it shares its run: that no other process
            # has taken it over meanwhile only the database can tell, so it waits, and says so.
            own_postgres.kill()
            away(service)
            before = service.processed()
            assert service.end(signal.SIGTERM) == 0
            service.start("--no-start")
            found = service.status()
            assert (found["role"], found["storage"]["state"]) == ("follower", "away")
            assert "the database does not answer" in found["message"], found["message"]
            health = service.client.get("/health").json()["checks"]
            assert (health["database"]["state"], health["run"]["message"]) == ("away", found["message"])
            own_postgres.start()
            service.until(lambda: service.status()["role"] == "leader")
            assert service.processed() >= before
            drained(service)
            service.goes_on()
            assert service.end(signal.SIGTERM) == 0
        assert aborted >= 4 * kills
        every_task_once(service, watcher, url, f"PostgreSQL and Redis, {aborted} transactions ended", 2 * kills + 2)


def info(service: ServiceProcess) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = service.client.get("/health/info").json()
    return found


async def out_of_connections(server: PostgresServer, service: ServiceProcess) -> None:
    sessions = Sessions(server)
    try:
        await sessions.take_all()
        away(service)
        service.until(lambda: service.client.get("/health/ready").status_code == 503)
    finally:
        await sessions.close()


async def aborted_half_way(server: PostgresServer, count: int) -> int:
    sessions = Sessions(server)
    try:
        return await sessions.end_transactions(count)
    finally:
        await sessions.close()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("kills", "policies", "outage_s"), [SOME, MANY])
def test_the_service_is_killed_at_random_moments(
    request: pytest.FixtureRequest, tmp_path: Path, dialect: str, kills: int, policies: tuple[str, ...], outage_s: float
) -> None:
    url = None
    if dialect == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url(server.new_database())
        kills = kills // 2 + 1
    chance = np.random.default_rng(12)
    tasks = 2_000 * kills
    with ServiceProcess(tmp_path, **QUICK, **({} if url is None else {"database_url": url})) as service:
        service.start("--no-start")
        wanted = asked(policies, 21_002, max_tasks=tasks)
        run_id = service.post("/api/start", wanted)["run_id"]
        with Watcher(service) as watcher:
            for _ in range(kills):
                service.goes_on(int(chance.integers(1, 200)))
                time.sleep(chance.uniform(0.0, 0.1))
                service.end(signal.SIGKILL)
                service.start("--no-start")
                status = service.status()
                assert (status["run_id"], status["state"]) == (run_id, "running")
                assert status["tasks_processed"] >= watcher.most[run_id]
            assert service.processed() < tasks
            service.post("/api/speed", {"speed": "max"})
            service.until(lambda: service.status()["state"] == "stopped")
            assert service.processed() == tasks
            # The same again, undisturbed: nothing was repeated or left out on the way, and nothing decided differently.
            undisturbed = service.post("/api/start", {**wanted, "speed": "max"})["run_id"]
            service.until(lambda: service.status()["state"] == "stopped")
            assert service.end(signal.SIGTERM) == 0
        same = same_runs(service.data, undisturbed, run_id)
        assert same.equal, same.first
        assert {run_of(service.data, each)["state"] for each in (run_id, undisturbed)} == {"finished"}
        every_task_once(service, watcher, url, f"service killed, {dialect}", kills)


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[None]:
    """Mount a file system in memory; skips the test where that is not allowed."""
    folder.mkdir()
    if os.geteuid() != 0 or MOUNT is None or UNMOUNT is None:
        pytest.skip("only root may mount a small file system, with mount and umount")
    done = subprocess.run([MOUNT, "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run([UNMOUNT, "--lazy", folder], check=True)


def resize(folder: Path, size_mb: int) -> None:
    assert MOUNT is not None
    subprocess.run([MOUNT, "-o", f"remount,size={size_mb}m", "tmpfs", folder], check=True)


@pytest.mark.parametrize(("kills", "policies", "outage_s"), [SOME, MANY])
def test_the_disk_is_full_again_and_again(tmp_path: Path, kills: int, policies: tuple[str, ...], outage_s: float) -> None:
    """Journal and embedded database share a small disk. The run waits when it is full, and goes on as soon as there is room."""
    disk = tmp_path / "disk"
    with small_disk(disk, 4), ServiceProcess(tmp_path, disk / "data", **QUICK) as service:
        service.start("--no-start")
        service.post("/api/start", asked(policies, 21_003, speed="max"))
        with Watcher(service) as watcher:
            for full in range(kills):
                service.until(lambda: service.status()["state"] == "blocked")
                status = service.status()
                assert "no room" in status["message"]
                assert service.client.get("/health/live").status_code == 200
                if full == kills // 2:
                    # Not even that the process dies now loses anything, or that it ends in order.
                    service.end(signal.SIGKILL)
                    resize(disk, 4 * full + 5)
                    service.start("--no-start")
                    assert service.status()["run_id"] == status["run_id"]
                resize(disk, 4 * full + 8)
                service.goes_on()
            resize(disk, 400)
            service.post("/api/speed", {"speed": SPEED})
            service.until(lambda: service.status()["state"] == "running")
            drained(service)
            service.goes_on()
            assert service.end(signal.SIGTERM) == 0
        every_task_once(service, watcher, None, f"disk full {kills} times", 1)


@pytest.mark.parametrize(("kills", "policies", "outage_s"), [SOME, MANY])
def test_the_clock_is_set_back(tmp_path: Path, kills: int, policies: tuple[str, ...], outage_s: float) -> None:
    """While the service runs, and while it does not; numbers of rows and runs go on upwards."""
    offset = tmp_path / "offset"
    offset.write_text("0")
    with ServiceProcess(tmp_path, **QUICK) as service:
        service.program = (str(Path(__file__).with_name("served_with_a_clock.py")), str(offset))
        service.start("--no-start")
        run_id = service.post("/api/start", asked(policies, 21_004))["run_id"]
        with Watcher(service) as watcher:
            for back in range(kills):
                set_clock(offset, -3_600.0 * (back + 1))
                service.goes_on()
                drained(service)
            started_at = service.status()["started_at"]
            service.end(signal.SIGKILL)
            set_clock(offset, -1e8)
            service.start("--no-start")
            assert (service.status()["run_id"], service.status()["started_at"]) == (run_id, started_at)
            service.goes_on()
            service.post("/api/stop")
            # Three years before the first run by the clock, and still the newer one.
            second = service.post("/api/start", asked(policies, 21_005))
            assert second["run_id"] > run_id
            assert second["started_at"] < started_at
            service.goes_on()
            assert service.client.get("/api/v1/runs").json()["runs"][0]["id"] == second["run_id"]
            assert service.end(signal.SIGTERM) == 0
        every_task_once(service, watcher, None, f"clock set back {kills + 1} times", 1)


def set_clock(file: Path, offset_s: float) -> None:
    """Replace what the file says at once: it is read all the time."""
    new = file.with_name("offset.new")
    new.write_text(str(offset_s))
    new.replace(file)
