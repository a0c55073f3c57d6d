"""Several processes share one run: one leads, all show the same, and another takes over without a trace in the rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from hybrid_ml_scheduler.core.errors import AlreadyRunningError, InputError, NoLeaderError, NotRunningError, RunRequestError, StorageFencedError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.live.contract import RunRequest, RunState
from hybrid_ml_scheduler.storage.cache import SharingState
from live_cases import PATIENCE_S, RULES
from shared_cases import Member, Processes, leaders, one_leader, processes, stored_rows, until
from storage_servers import PostgresServer, ValkeyServer

pytestmark = pytest.mark.anyio
SEED = 20_300
TASKS = 600
REQUEST = RunRequest(policies=(*RULES, "hybrid_ml"), seed=SEED, load=0.4, max_tasks=TASKS, retrain_every=None)
ENDLESS = RunRequest(policies=("greedy", "round_robin"), seed=SEED, speed=200.0, retrain_every=None)


@pytest.fixture
async def shared(postgres: PostgresServer, migrated: str, own_valkey: ValkeyServer, tmp_path: Path) -> AsyncIterator[Processes]:
    name = postgres.new_database(migrated)
    async with processes(tmp_path, database_url=postgres.url(name), redis_url=own_valkey.url) as found:
        yield found
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def trio(shared: Processes, initial: RunRequest | None = None) -> list[Member]:
    return [await shared.open(name, initial) for name in ("one", "two", "three")]


async def nothing_lost(members: list[Member], run_id: int, tasks: int) -> None:
    """Every task of the run is in the database once, and no journal says otherwise."""
    for member in members:
        await member.service.drainer.drain_all()
        report = await member.service.check()
        assert (report.problems, report.differences, report.duplicates) == ((), 0, 0)
    assert (await stored_rows(members[0].service, run_id, Stream.TASKS))["task_id"].to_list() == list(range(tasks))


async def test_all_show_what_one_of_them_runs_and_all_can_be_asked_to_control_it(shared: Processes) -> None:
    members = await trio(shared, ENDLESS)
    leader = await one_leader(members)
    assert leader is members[0]
    assert [member.status.role for member in members] == ["leader", "follower", "follower"]
    await until(lambda: all(member.status.tasks_processed > 50 for member in members))
    two, three = members[1:]

    # Through a follower, seen by all.
    paused = await two.controller.pause()
    assert (paused.state, paused.role) == (RunState.PAUSED, "follower")
    assert leader.status.state is RunState.PAUSED
    await until(lambda: three.status.state is RunState.PAUSED)
    await until(lambda: len({member.status.tasks_processed for member in members}) == 1)
    assert {(member.status.run_id, member.status.time_s, member.status.lanes) for member in members} == {
        (leader.status.run_id, leader.status.time_s, leader.status.lanes)
    }
    totals = [message.body["total"] for member in members for message in member.controller.feed.snapshot(["tasks"])]
    assert totals == [leader.service.journals.positions(leader.status.run_id or 0)[Stream.RESULTS]] * 3
    bodies = [[(message.topic, message.body) for message in member.controller.feed.snapshot(["run", "lanes", "devices"])] for member in members]
    assert len(bodies[0]) == 3
    # The one that leads has its own objects, the others what JSON makes of them.
    assert bodies[1] == bodies[2]
    assert [body[1]["time_s"] for body in bodies[0]] == [body[1]["time_s"] for body in bodies[1]]

    assert (await three.controller.set_speed(500.0)).speed == 500.0
    assert [lane.policy for lane in (await two.controller.add_policy("mct")).lanes] == ["greedy", "round_robin", "mct"]
    assert [lane.policy for lane in (await three.controller.remove_policy("greedy")).lanes] == ["round_robin", "mct"]
    assert (await three.controller.resume()).state is RunState.RUNNING

    # Errors come back as what they are.
    with pytest.raises(RunRequestError, match=r"is the only one|is not in the run"):
        await two.controller.remove_policy("greedy")
    with pytest.raises(InputError, match="bogus"):
        await two.controller.add_policy("bogus")
    with pytest.raises(AlreadyRunningError):
        await three.controller.start(ENDLESS)
    assert (await two.controller.stop()).state is RunState.STOPPED
    assert leader.status.state is RunState.STOPPED
    with pytest.raises(NotRunningError):
        await three.controller.pause()

    # Two starts at once through two followers: one run.
    results = await asyncio.gather(two.controller.start(ENDLESS), three.controller.start(ENDLESS), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["AlreadyRunningError", "RunStatus"]
    await until(lambda: all(member.status.tasks_processed > 20 for member in members))
    assert leaders(members) == [leader]


async def test_a_leader_that_is_killed_is_followed_by_another_as_if_nothing_had_happened(shared: Processes) -> None:
    """Rows that only the journal of the dead leader had are made again, equal; what was shown does not fall; it comes back as a follower."""
    members = await trio(shared)
    first = await one_leader(members)
    undisturbed = (await members[1].controller.start(REQUEST)).run_id
    await until(lambda: first.status.state is RunState.STOPPED and not first.service.drainer.lag_rows)
    run_id = (await members[1].controller.start(REQUEST)).run_id
    assert undisturbed is not None
    assert run_id is not None
    await until(lambda: first.status.tasks_processed >= 60)
    # From here on the journal is ahead of the database.
    await first.service.drainer.stop(0)
    ahead = first.status.tasks_processed
    await until(lambda: first.status.tasks_processed >= ahead + 60)
    await first.die()
    shown = [member.status for member in members[1:]]
    least, latest_s = max(status.tasks_processed for status in shown), max(status.time_s for status in shown)

    falls = []

    def watch() -> bool:
        for member in members[1:]:
            status = member.status
            if status.run_id != run_id or status.tasks_processed < least or status.time_s < latest_s:
                falls.append((member.status, least, latest_s))
        return len(leaders(members)) == 1 and leaders(members)[0].status.state in (RunState.RUNNING, RunState.STOPPED)

    least, latest_s = min(status.tasks_processed for status in shown), min(status.time_s for status in shown)
    await until(watch)
    second = await one_leader(members)
    assert falls == []
    back = await shared.open("one")
    assert back.status.role == "follower"
    await until(lambda: second.status.state is RunState.STOPPED)
    assert (second.status.tasks_processed, second.status.message) == (TASKS, None)
    await until(lambda: back.service.drainer.superseded == {run_id} and not second.service.drainer.lag_rows)
    for stream in Stream:
        expected, found = [await stored_rows(second.service, each, stream) for each in (undisturbed, run_id)]
        assert found.equals(expected), stream
    await nothing_lost([back, *members[1:]], run_id, TASKS)

    # What it has of a run that others went on with is no use any more, and it can lead that or another run.
    await second.close()
    await members[2 if second is members[1] else 1].close()
    await until(lambda: leaders([back]))
    assert back.status.state is RunState.STOPPED
    assert (await back.controller.start(REQUEST)).state is RunState.RUNNING
    await until(lambda: back.status.state is RunState.STOPPED)
    assert back.status.tasks_processed == TASKS


async def test_the_lead_goes_round_and_the_run_with_all_that_was_done_to_it(shared: Processes) -> None:
    """An orderly end, a death right after changes that were answered, a first leader that leads again: speed, pause, policies and models are kept."""
    members = await trio(shared, RunRequest(policies=("greedy", "hybrid_ml"), seed=SEED, speed=2_000.0, retrain_every=100))
    first = await one_leader(members)
    run_id = first.status.run_id
    assert run_id is not None
    await until(lambda: len(first.status.retraining.versions) >= 2)
    await members[1].controller.add_policy("mct")
    await members[2].controller.set_speed(3_000.0)
    learned = next(lane.model for lane in first.status.lanes if lane.policy == "hybrid_ml")
    assert learned is not None
    await first.die()
    second = await one_leader(members[1:])
    await until(lambda: second.status.state is RunState.RUNNING)
    assert (second.status.run_id, second.status.speed) == (run_id, 3_000.0)
    assert [lane.policy for lane in second.status.lanes] == ["greedy", "hybrid_ml", "mct"]
    now = next(lane.model for lane in second.status.lanes if lane.policy == "hybrid_ml")
    assert int((now or "").partition("@")[2]) >= int(learned.partition("@")[2])
    # It trains on, with numbers above those of the leader before.
    known = len(second.status.retraining.versions)
    await until(lambda: len(second.status.retraining.versions) > known or len(second.status.retraining.versions) == 10)
    await second.controller.pause()
    at = second.status
    await second.close()
    third = await one_leader([member for member in members if not member.dead])
    await until(lambda: third.status.state is RunState.PAUSED)
    assert third.status.run_id == run_id
    # A step that was under way when the run paused is counted when its rows are written.
    assert third.status.tasks_processed >= at.tasks_processed
    assert third.status.time_s == at.time_s
    at = third.status
    back = await shared.open("one")
    assert back.status.role == "follower"
    await third.close()
    await one_leader([back])
    await until(lambda: back.status.state is RunState.PAUSED)
    assert (back.status.run_id, back.status.state, back.status.tasks_processed) == (run_id, RunState.PAUSED, at.tasks_processed)
    await back.controller.resume()
    await until(lambda: back.status.tasks_processed > at.tasks_processed + 100)
    ended = await back.controller.stop()
    assert ended.tasks_processed >= at.tasks_processed

    # Whoever decided, the decision can be explained where the run is now.
    results = await stored_rows(back.service, run_id, Stream.RESULTS)
    assert results.select("task_id", "scheduler").is_unique().all()
    decided = results.filter((results["scheduler"] == "hybrid_ml") & (results["status"] == "finished"))
    assert decided["model"].n_unique() >= 3
    row = decided.filter(decided["model"] == learned).row(-1, named=True)
    found = await back.controller.explain(run_id, row["task_id"], "hybrid_ml")
    assert (found.chosen.node, found.time_s) == (row["node"], row["start_s"])
    report = await back.service.check()
    assert (report.problems, report.differences, report.duplicates) == ((), 0, 0)


@asynccontextmanager
async def no_state_reaches(postgres: PostgresServer, database: str) -> AsyncIterator[None]:
    """Let transactions that save where a run stands wait: a process that ends meanwhile has saved nothing."""
    other = await asyncpg.connect(host="127.0.0.1", port=postgres.port, user="hms", database=database)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE simulation_state IN EXCLUSIVE MODE")
            yield
    finally:
        await other.close()


async def test_what_was_done_to_a_run_after_its_checkpoint_in_the_database_is_done_again(
    postgres: PostgresServer, migrated: str, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    """The only checkpoint in the database is that of the beginning: all changes and rows since then must be found there, and none made twice."""
    name = postgres.new_database(migrated)
    rarely = {"checkpoint_interval_s": 3_600.0, "drain_batch_rows": 50}
    async with processes(tmp_path, database_url=postgres.url(name), redis_url=own_valkey.url, **rarely) as shared:
        members = await trio(shared)
        first = await one_leader(members)
        run_id = (await first.controller.start(RunRequest(policies=("greedy", "round_robin"), seed=SEED, speed=400.0, retrain_every=None))).run_id
        assert run_id is not None
        speed = 500.0
        for number, change in enumerate(("add_policy", "remove_policy"), start=1):
            leader = await one_leader(members)
            await until(lambda: leader.status.state is RunState.RUNNING and leader.status.tasks_processed > 100)  # noqa: B023 - called before it changes
            # Only the description has it.
            speed += 100.0
            assert (await leader.controller.set_speed(speed)).speed == speed
            # So many rows wait that the change reaches the database before the checkpoint that is behind them.
            await leader.service.drainer.stop(0)
            await until(lambda: leader.service.drainer.lag_rows > 500)  # noqa: B023
            async with no_state_reaches(postgres, name):
                asked = asyncio.create_task(getattr(leader.controller, change)("mct" if change == "add_policy" else "greedy"))
                watching = next(member for member in members if member is not leader and not member.dead).service
                async with asyncio.timeout(PATIENCE_S):
                    while len((await watching.run(run_id)).options.get("changes", {"newest": []})["newest"]) < number:
                        await asyncio.sleep(0.01)
                assert (saved := await watching.saved_state(run_id)) is not None
                assert saved.state["group"]["changes"] == []
                assert not asked.done()
                await leader.die()
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
        last = await one_leader(members)
        # Never answered, so never shown: it runs before it comes to where they were made.
        await until(lambda: [lane.policy for lane in last.status.lanes] == ["round_robin", "mct"])
        assert last.status.speed == speed
        saved = await last.service.saved_state(run_id)
        assert saved is not None
        assert saved.state["group"]["changes"] == []
        ended = await last.controller.stop()
        await nothing_lost([last], run_id, ended.tasks_arrived)
        # A task has a result from every lane that there was when it came, in the database and in the numbers that were shown.
        tasks = await stored_rows(last.service, run_id, Stream.TASKS)
        results = await stored_rows(last.service, run_id, Stream.RESULTS)
        assert sorted(set(tasks["lanes"])) == [2, 3]
        assert (await progress_repeats(postgres, name, run_id)) == 0
        given = dict(zip(tasks["task_id"], tasks["lanes"], strict=True))
        assert dict(results.group_by("task_id").len().iter_rows()) == given
        assert ended.tasks_processed == ended.tasks_arrived
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_what_the_database_has_not_taken_when_a_process_ends_comes_with_its_next_start(
    postgres: PostgresServer, migrated: str, own_valkey: ValkeyServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = postgres.new_database(migrated)
    async with processes(tmp_path, database_url=postgres.url(name), redis_url=own_valkey.url) as shared:
        first = await shared.open("one", ENDLESS)
        await until(lambda: first.status.tasks_processed > 50)
        run_id = first.status.run_id
        assert run_id is not None
        async with no_state_reaches(postgres, name):
            await first.controller.shutdown(0.5)
            assert f"run {run_id}: not everything is in the database yet (it has not taken it within 0.5 s)" in caplog.text
            await first.die()
        again = await shared.open("one")
        assert again.status.run_id == run_id
        ended = await again.controller.stop()
        await nothing_lost([again], run_id, ended.tasks_arrived)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def progress_repeats(postgres: PostgresServer, database: str, run_id: int) -> int:
    """Rows of the journal that were left out because the database had them under another number."""
    other = await asyncpg.connect(host="127.0.0.1", port=postgres.port, user="hms", database=database)
    try:
        return int(await other.fetchval("SELECT sum(repeats) FROM journal_progress WHERE run_id = $1", run_id))
    finally:
        await other.close()


async def test_a_leader_that_slept_longer_than_its_lease_writes_and_shows_nothing(shared: Processes) -> None:
    members = await trio(shared, ENDLESS)
    first = await one_leader(members)
    await until(lambda: members[1].status.tasks_processed > 50)
    run_id = first.status.run_id
    assert run_id is not None
    # As if stopped: nobody renews the lease, and the way into the database stands still.
    leadership = first.controller._leadership
    assert leadership._task is not None
    await first.service.drainer.stop(0)
    await until(lambda: first.service.drainer.lag_rows > 0)
    leadership._task.cancel()
    leadership._until_s = 0.0
    second = await one_leader(members[1:])
    await until(lambda: second.status.state is RunState.RUNNING)

    # It wakes up with rows that have not reached the database, and its old token.
    run, local = await first.service.run(run_id), first.controller._local
    assert local is not None
    assert not leadership.holds()
    with pytest.raises(StorageFencedError):
        await first.service.settle(run_id)
    with pytest.raises(StorageFencedError):
        await first.service.add_model("hybrid_ml-divisible", "failed", rows=0, source="none", run_id=run_id)
    assert await first.service.models(run_id) == []
    with pytest.raises(StorageFencedError):
        await first.service.take_over(leadership.lease.token if leadership.lease is not None else 0)
    with pytest.raises(NoLeaderError):
        await first.controller.pause()
    seen = members[2].status
    assert seen.state is not RunState.PAUSED
    leadership._task = None
    first.service.drainer.start()
    leadership.begin()
    await until(lambda: first.controller._local is None)
    await until(lambda: first.controller._remote.led)
    assert first.status.role == "follower"
    assert (await first.controller.pause()).state is RunState.PAUSED
    assert second.status.state is RunState.PAUSED
    assert run.id == second.status.run_id
    await second.controller.stop()
    await nothing_lost(members, run_id, second.status.tasks_arrived)


async def test_redis_is_killed_and_comes_back(shared: Processes, own_valkey: ValkeyServer) -> None:
    """The leader goes on, nobody takes over, and followers pick it up again by themselves."""
    members = await trio(shared, ENDLESS)
    leader = await one_leader(members)
    run_id, token = leader.status.run_id, leader.service.token
    for _ in range(2):
        await until(lambda: members[1].status.tasks_processed > 30)
        await asyncio.to_thread(own_valkey.kill)
        await until(lambda: all(member.sharing.state is SharingState.LOST for member in members))
        await until(lambda: not members[1].controller._remote.led)
        before = leader.status.tasks_processed
        assert members[1].status.state is RunState.STARTING
        shown = members[1].status.tasks_processed
        await until(lambda: leader.status.tasks_processed > before + 20)  # noqa: B023 - called before it changes
        assert leaders(members) == [leader]
        assert members[1].status.tasks_processed == shown
        await asyncio.to_thread(own_valkey.start)
        await until(lambda: all(member.status.tasks_processed > before + 20 for member in members))  # noqa: B023
        assert members[2].status.state is RunState.RUNNING
        assert await one_leader(members) is leader
    assert (leader.status.run_id, leader.service.token) == (run_id, token)
    assert (await members[2].controller.stop()).state is RunState.STOPPED


async def test_without_redis_or_the_database_nobody_begins_to_lead(shared: Processes, own_valkey: ValkeyServer, postgres: PostgresServer) -> None:
    await asyncio.to_thread(own_valkey.kill)
    member = await asyncio.wait_for(shared.open("one", ENDLESS), PATIENCE_S)
    assert (member.status.role, member.status.state) == ("follower", RunState.STOPPED)
    assert "Redis does not answer" in (member.controller._leadership.problem or "")
    assert "Redis does not answer" in (member.status.message or "")
    # Nor while only the database is away: whoever led meanwhile is known there. It waits, says so without saying where, and begins by itself.
    await asyncio.to_thread(postgres.execute, allowing(shared, "false"))
    await asyncio.to_thread(own_valkey.start)
    await until(lambda: "the database does not answer" in (member.status.message or ""))
    assert (member.status.role, member.status.state) == ("follower", RunState.STOPPED)
    await asyncio.to_thread(postgres.execute, allowing(shared, "true"))
    await until(lambda: member.status.state is RunState.RUNNING)
    assert (member.status.role, member.status.message) == ("leader", None)


def allowing(shared: Processes, allowed: str) -> str:
    """Let a database take connections, or refuse them and end those that it has."""
    name = shared.settings("none").url.database
    return f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
