"""Three real services over one PostgreSQL and one Valkey share a run; the one that leads is killed, or stopped for longer than its lease.

Each time another one takes over. Nobody who watches sees a number fall, streams of the others go on, ``hms db check`` finds nothing in any of the
data folders, and what is in the database is what an undisturbed run with the same seed leaves there. Each test prints its counts;
``./hms test --long`` breaks things more often.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fault_cases import FEW, QUICK, asked, check
from service_process import ServiceProcess, Watcher
from storage_servers import PostgresServer, ValkeyServer

LEASE_S = 3.0
"""Short enough to wait for; a process that gets no processor for so long loses the lead, and nothing else."""
SHARED = {**QUICK, "leader_lease_s": LEASE_S, "control_timeout_s": 120.0, "ws_rate_hz": 20, "ws_send_timeout_s": 120.0}
NAMES = ("one", "two", "three")
TABLES = ("tasks", "scheduler_results", "training_data")


class StreamWatcher:
    """A client of the live stream of one process: numbers of messages, and the counts in them, must never fall while it is connected."""

    def __init__(self, service: ServiceProcess) -> None:
        self.wrong: list[str] = []
        self.frames = 0
        self.closed: str | None = None
        """How the connection ended, if the test did not end it."""
        self._last_seq = -1
        self._most: dict[tuple[int, str], float] = {}
        self._stack = ExitStack()
        self._address = f"ws://{service.address.removeprefix('http://')}/ws"
        self._ending = False
        self._thread = threading.Thread(target=self._watch, name="stream")

    def __enter__(self) -> Self:
        self._socket = self._stack.enter_context(connect(self._address, open_timeout=120, ping_interval=None, max_size=None))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ending = True
        self._stack.close()
        self._thread.join()

    def has_told(self, run_id: int, tasks: int) -> bool:
        """Whether so many processed tasks of a run were told; it must not have ended."""
        assert self._thread.is_alive(), self.closed
        return self._most.get((run_id, "tasks_processed"), 0) >= tasks

    def _watch(self) -> None:
        try:
            for text in self._socket:
                self._look(json.loads(text))
        except ConnectionClosed as error:
            self.closed = str(error)
        else:
            self.closed = None if self._ending else "closed in order"

    def _look(self, frame: dict[str, Any]) -> None:
        self.frames += 1
        messages = frame.get("messages", [])
        if messages and min(message["seq"] for message in messages) <= self._last_seq:
            self.wrong.append(f"{frame['type']} with message {min(message['seq'] for message in messages)} after {self._last_seq}")
        self._last_seq = max([self._last_seq, *(message["seq"] for message in messages)])
        for message in messages:
            if message["topic"] == "run" and message["body"]["run_id"] is not None:
                for what in ("tasks_processed", "tasks_arrived", "time_s"):
                    self._never_less(message["body"]["run_id"], what, message["body"][what])

    def _never_less(self, run_id: int, what: str, value: float) -> None:
        most = self._most.get((run_id, what), 0)
        if value < most:
            self.wrong.append(f"run {run_id}: {what} {value} after {most}")
        self._most[run_id, what] = max(value, most)


class Trio:
    """Three services that share a run, each watched from outside."""

    def __init__(self, stack: ExitStack, folder: Path, postgres: PostgresServer, valkey: ValkeyServer, **given: object) -> None:
        self.stack = stack
        self.url = postgres.url(postgres.new_database())
        self.members: list[ServiceProcess] = []
        self.watchers: dict[ServiceProcess, Watcher] = {}
        for name in NAMES:
            (folder / name).mkdir()
            member = ServiceProcess(folder / name, database_url=self.url, redis_url=valkey.url, **{**SHARED, **given})
            stack.enter_context(member)
            member.start("--no-start")
            self.members.append(member)
        for member in self.members:
            self.watchers[member] = stack.enter_context(Watcher(member))

    def leader(self, among: Sequence[ServiceProcess] | None = None) -> ServiceProcess:
        """Wait until one of them leads."""
        wanted = self.members if among is None else among
        found: list[ServiceProcess] = []

        def led() -> bool:
            found[:] = [member for member in wanted if member.status()["role"] == "leader"]
            return len(found) == 1

        wanted[0].until(led)
        return found[0]

    def others(self, one: ServiceProcess) -> list[ServiceProcess]:
        return [member for member in self.members if member is not one]

    def most(self, run_id: int) -> int:
        """The largest count that any of them has shown."""
        return max(watcher.most.get(run_id, 0) for watcher in self.watchers.values())


def goes_on_behind(trio: Trio, member: ServiceProcess, run_id: int, tasks: int = 100) -> None:
    """Wait until the run is further than anybody has shown."""
    shown = trio.most(run_id)
    member.until(lambda: member.processed() >= shown + tasks)


def kill(trio: Trio, run_id: int) -> None:
    leader = trio.leader()
    others = trio.others(leader)
    with ExitStack() as stack:
        streams = [stack.enter_context(StreamWatcher(member)) for member in others]
        others[0].until(lambda: all(stream.has_told(run_id, 1) for stream in streams))
        leader.end(signal.SIGKILL)
        successor = trio.leader(others)
        goes_on_behind(trio, successor, run_id)
        shown = trio.most(run_id)
        others[0].until(lambda: all(stream.has_told(run_id, shown) for stream in streams))
        assert [stream.closed for stream in streams] == [None, None]
        assert [stream.wrong for stream in streams] == [[], []]
    leader.start("--no-start")
    assert leader.status()["run_id"] == run_id


def stop_for_longer_than_the_lease(trio: Trio, run_id: int) -> None:
    """What wakes up is not the leader any more. What it had begun may still come into its own journal, and nothing after that."""
    leader = trio.leader()
    others = trio.others(leader)
    with ExitStack() as stack:
        streams = [stack.enter_context(StreamWatcher(member)) for member in others]
        assert leader.process is not None
        leader.process.send_signal(signal.SIGSTOP)
        try:
            successor = trio.leader(others)
            goes_on_behind(trio, successor, run_id)
        finally:
            leader.process.send_signal(signal.SIGCONT)
        leader.until(lambda: leader.status()["role"] == "follower")
        # What it had begun has come by the time that others have gone on for a while.
        goes_on_behind(trio, leader, run_id)
        before = journal_bytes(leader, run_id)
        goes_on_behind(trio, leader, run_id)
        assert journal_bytes(leader, run_id) == before
        assert "leads no longer" in leader.errors
        assert trio.leader(others)
        assert [stream.closed for stream in streams] == [None, None]
        assert [stream.wrong for stream in streams] == [[], []]


def ended(member: ServiceProcess, run_id: int) -> None:
    """Wait until a member shows that a run has ended."""

    def shown() -> bool:
        status = member.status()
        return bool(status["run_id"] == run_id and status["state"] == "stopped")

    member.until(shown)


def journal_bytes(member: ServiceProcess, run_id: int) -> int:
    return sum(path.stat().st_size for path in (member.data / "journal" / str(run_id)).glob("*.csv"))


@pytest.mark.parametrize(
    ("kills", "stops", "given"),
    [
        pytest.param(1, 1, {}, id="1"),
        pytest.param(10, 5, {}, id="10", marks=pytest.mark.long),
        # Whoever takes over does everything again, from the beginning.
        pytest.param(4, 2, {"checkpoint_interval_s": 3_600.0}, id="rare checkpoints", marks=pytest.mark.long),
    ],
)
def test_the_leader_of_a_shared_run_is_killed_and_stopped(
    postgres: PostgresServer, own_valkey: ValkeyServer, tmp_path: Path, kills: int, stops: int, given: dict[str, object]
) -> None:
    with ExitStack() as stack:
        trio = Trio(stack, tmp_path, postgres, own_valkey, **given)
        run_id = trio.members[1].post("/api/start", asked(FEW, 21_010))["run_id"]
        goes_on_behind(trio, trio.members[2], run_id)
        for number in range(max(kills, stops)):
            if number < kills:
                kill(trio, run_id)
            if number < stops:
                stop_for_longer_than_the_lease(trio, run_id)
        trio.members[0].post("/api/stop")
        arrived = int(trio.members[0].status()["tasks_arrived"])
        undisturbed = trio.members[0].post("/api/start", asked(FEW, 21_010, speed="max", max_tasks=arrived))["run_id"]
        for member in trio.members:
            ended(member, undisturbed)
        # Whatever is on its way then comes after the next start of its process, and there is none here.
        for member in trio.members:
            member.until(lambda member=member: member.status()["storage"]["lag_rows"] == 0)  # type: ignore[misc]
        for member in trio.members:
            assert member.end(signal.SIGTERM) == 0
    assert [watcher.wrong for watcher in trio.watchers.values()] == [[], [], []]
    found = asyncio.run(stored(trio.url, run_id, undisturbed))
    for member in trio.members:
        # Lost, repeated or different rows of its journal would be found here; rows of it that others have made again are obsolete.
        check(member)
        assert "Traceback" not in member.errors, member.errors
    counts = ", ".join(f"{name} {count}" for name, count in found.items())
    sys.stdout.write(f"shared run, {kills} kills, {stops} stops: {counts}, {sum(each.polls for each in trio.watchers.values())} looks\n")
    assert found["tasks"] == arrived
    assert (found["lost"], found["duplicated"], found["unequal"]) == (0, 0, 0)
    # What was shown as processed is there.
    assert found["whole"] >= trio.most(run_id)


async def stored(url: str, run_id: int, undisturbed: int) -> dict[str, int]:
    """Compare a run with an undisturbed one, and with itself, by SQL through the bare driver."""
    server = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))
    try:

        async def count(query: str, *arguments: object) -> int:
            return int(await server.fetchval(query, *arguments))

        results = "SELECT count(*) FROM scheduler_results r WHERE r.run_id = t.run_id AND r.task_id = t.task_id"
        per_task = f"SELECT t.lanes, ({results}) AS there FROM tasks t WHERE t.run_id = $1"
        found = {
            "tasks": await count("SELECT count(*) FROM tasks WHERE run_id = $1", run_id),
            "results": await count("SELECT count(*) FROM scheduler_results WHERE run_id = $1", run_id),
            "whole": await count(f"SELECT count(*) FROM ({per_task}) AS each WHERE there = lanes", run_id),
            "lost": await count(f"SELECT coalesce(sum(lanes - there), 0) FROM ({per_task}) AS each WHERE there < lanes", run_id),
            "duplicated": await count(f"SELECT coalesce(sum(there - lanes), 0) FROM ({per_task}) AS each WHERE there > lanes", run_id),
            "unequal": 0,
        }
        for table in TABLES:
            names = await server.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = $1", table)
            columns = ", ".join(f'"{row["column_name"]}"' for row in names if row["column_name"] not in ("run_id", "seq"))
            # What no lane had finished when the run was stopped says so, and is another row in a run that was not.
            only = " AND status <> 'withdrawn'" if table == "scheduler_results" else ""
            mine = f"SELECT {columns} FROM {table} WHERE run_id = $1{only}"
            theirs = f"SELECT {columns} FROM {table} WHERE run_id = $2"
            found["unequal"] += await count(f"SELECT count(*) FROM ({mine} EXCEPT ALL {theirs}) AS rest", run_id, undisturbed)
        return found
    finally:
        await server.close()
