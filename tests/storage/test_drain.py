"""From the journal to the database: once, whatever is killed, aborted, repeated or written by somebody else. Both databases are real."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from hybrid_ml_scheduler.core.errors import InputError, StorageBusyError, StorageFencedError, StorageUnavailableError
from hybrid_ml_scheduler.core.streams import RunBatch, Stream
from hybrid_ml_scheduler.storage import repositories
from hybrid_ml_scheduler.storage.drain import DrainState
from hybrid_ml_scheduler.storage.journal import Journal
from hybrid_ml_scheduler.storage.segments import segments
from hybrid_ml_scheduler.storage.service import JournalSink, SimulationDataService
from storage_cases import SCHEDULERS, make_batch, new_run
from storage_fixtures import MakeSettings

pytestmark = pytest.mark.anyio


async def is_equal(service: SimulationDataService, *, results: int, repeats: int = 0) -> None:
    report = await service.check()
    assert report.problems == () or repeats
    assert (report.differences, report.duplicates, report.lag_rows) == (0, repeats, 0)
    assert report.tables["scheduler_results"] == results


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
async def test_batches_of_any_size_over_any_files(make_settings: MakeSettings, batch_rows: int) -> None:
    async with SimulationDataService(make_settings(drain_batch_rows=batch_rows, journal_segment_mb=0.003)) as service:
        sink = service.begin_run(new_run(service))
        for first in range(0, 12, 3):
            await sink.write(make_batch(first, 3))
        await sink.wait_until_lag_below(1)
        await is_equal(service, results=12 * len(SCHEDULERS))


async def test_what_waits_for_its_other_results_is_found_again_after_a_restart(make_settings: MakeSettings) -> None:
    """Results arrive in halves, with a restart in between; comparisons must add up as if there had been none."""
    settings = make_settings(drain_batch_rows=11)
    service = SimulationDataService(settings)
    await service.open()
    run = new_run(service)
    batch = make_batch(0, 30)
    sink = service.begin_run(run)
    await sink.write(RunBatch(tasks=batch.tasks))
    total = 30 * len(SCHEDULERS)
    for start in range(0, total, 40):
        if start:
            service = SimulationDataService(settings)
            await service.open()
            sink = await service.continue_run(run.id)
        await sink.write(RunBatch(results={name: values[start : start + 40] for name, values in batch.results.items()}))
        assert await service.close(30)
    async with SimulationDataService(settings) as service:
        statistics = await service.statistics(run.id)
        assert [found.compared for found in statistics] == [30] * len(SCHEDULERS)
        assert sum(found.wins for found in statistics) == 30
        await is_equal(service, results=total)


async def test_a_task_that_was_complete_before_a_restart_waits_for_nothing(make_settings: MakeSettings) -> None:
    """After the restart only the end of the rows is read again, and in it the first task seems to lack a result."""
    settings = make_settings()
    rows = [(0, "a"), (1, "a"), (0, "b"), (1, "b")]

    def batch(part: list[tuple[int, str]]) -> RunBatch:
        tasks, names = zip(*part, strict=True)
        count = len(part)
        times = {"arrival_s": [0.0] * count, "start_s": [0.0] * count, "finish_s": [1.0] * count}
        return RunBatch(results={"task_id": tasks, "scheduler": names, "status": ["finished"] * count, "lanes": [2] * count, **times})

    async with SimulationDataService(settings) as service:
        run = new_run(service, ("a", "b"))
        await service.begin_run(run).write(batch(rows[:3]))
    async with SimulationDataService(settings) as service:
        await (await service.continue_run(run.id)).write(batch(rows[3:]))
        await service.drainer.stop(30)
        async with service.database.read() as session:
            progress = await repositories.ProgressRepository(session, service.database.dialect).of_run(run.id)
        assert (progress[Stream.RESULTS].next_seq, progress[Stream.RESULTS].pending_from) == (4, 4)
        assert [found.compared for found in await service.statistics(run.id)] == [2, 2]


async def test_a_state_gets_there_though_newer_ones_come_faster_than_their_rows(make_settings: MakeSettings) -> None:
    """A run that is held back is always ahead of the database. Whoever takes it over must find where it was, not how it began."""
    async with SimulationDataService(make_settings(drain_batch_rows=4 * len(SCHEDULERS))) as service:
        await service.drainer.stop(30)
        sink = service.begin_run(run := new_run(service))
        await sink.write(make_batch(0, 20))
        there: list[int] = []
        for step in range(5, 40):
            await sink.write(make_batch(4 * step, 4))
            await sink.save_state({"step": step}, bytes(step))
            await service.drainer.drain_run(run.id)
            async with service.database.read() as session:
                row = await repositories.StateRepository(session, service.database.dialect).get(run.id)
            if row is not None:
                there.append(row.state["step"])
                assert len(row.checkpoint) == row.state["step"]
        assert service.drainer.lag_rows >= 20 * len(SCHEDULERS)
        assert there == sorted(there)
        # Five batches are always on their way: a state is picked as the newest one, and comes with the last of them.
        assert there[-1] >= 39 - 2 * 5
        assert await service.settle(run.id)
        async with service.database.read() as session:
            row = await repositories.StateRepository(session, service.database.dialect).get(run.id)
        assert row is not None
        assert row.state == {"step": 39}


async def test_a_transaction_that_is_aborted_half_way_leaves_nothing(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = 3

    async def abort(self: repositories.MetricsRepository, *arguments: object) -> None:
        nonlocal broken
        if broken:
            broken -= 1
            await self.session.execute(text("SELECT * FROM tasks WHERE no_such_function(task_id)"))
        await whole(self, *arguments)

    whole = repositories.MetricsRepository.add
    monkeypatch.setattr(repositories.MetricsRepository, "add", abort)
    async with SimulationDataService(make_settings()) as service:
        sink = service.begin_run(new_run(service))
        await sink.write(make_batch(0, 50))
        seen = set()
        async with asyncio.timeout(30):
            while service.drainer.lag_rows:
                seen.add(service.drainer.state)
                await asyncio.sleep(0.01)
        assert DrainState.FAILED in seen
        await is_equal(service, results=50 * len(SCHEDULERS))
    assert broken == 0


async def test_commits_that_the_database_has_lost_are_brought_again(make_settings: MakeSettings) -> None:
    """A server that crashes may lose its last commits, whole: ours do not wait for its disk."""
    tables = ("metrics", "journal_progress", "tasks", "scheduler_results", "training_data")
    async with SimulationDataService(make_settings()) as service:

        async def change(*statements: str) -> None:
            async with service.database.write() as session:
                for statement in statements:
                    await session.execute(text(statement))

        sink = service.begin_run(new_run(service))
        await sink.write(make_batch(0, 10))
        await sink.wait_until_lag_below(1)
        await change(*(f"CREATE TABLE kept_{name} AS SELECT * FROM {name}" for name in tables))
        await sink.write(make_batch(10, 10))
        await sink.wait_until_lag_below(1)
        await change(*(part for name in tables for part in (f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM kept_{name}")))
        await sink.write(make_batch(20, 10))
        await sink.wait_until_lag_below(1)
        async with asyncio.timeout(30):
            while (await service.check()).tables["tasks"] < 30:
                await asyncio.sleep(0.02)
        await is_equal(service, results=30 * len(SCHEDULERS))


async def test_a_row_that_stands_twice_in_the_journal_is_stored_once_and_shown(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings(drain_batch_rows=10)) as service:
        sink = service.begin_run(new_run(service))
        batch = make_batch(0, 5)
        await sink.write(batch)
        await sink.write(RunBatch(results=batch.results))
        await sink.write(make_batch(5, 5))
        await sink.wait_until_lag_below(1)
        assert service.drainer.state is DrainState.OK
        report = await service.check()
        assert (report.differences, report.duplicates) == (0, 30)
        assert report.tables["scheduler_results"] == 60
        totals = {found.scheduler: found.results for found in await service.statistics((await service.runs())[0].id)}
        assert totals == dict.fromkeys(sorted(SCHEDULERS), 10)


async def test_duplicates_are_found_before_they_are_drained_too(make_settings: MakeSettings) -> None:
    service = SimulationDataService(make_settings())
    await service.open(drain=False)
    sink = service.begin_run(new_run(service))
    batch = make_batch(0, 5)
    await sink.write(batch)
    await sink.write(RunBatch(results=batch.results))
    report = await service.check()
    assert (report.duplicates, report.lag_rows) == (30, 70)
    await service.close()


@pytest.mark.parametrize(
    ("statement", "differences"),
    [
        ("DELETE FROM scheduler_results WHERE seq = 7", 1),
        ("UPDATE scheduler_results SET score = 0.25 WHERE seq IN (3, 4)", 2),
        ("UPDATE tasks SET owner = 'somebody else' WHERE task_id = 2", 1),
        ("UPDATE metrics SET results = results + 1 WHERE window_index = -1 AND scheduler = 'oracle'", 1),
        ("INSERT INTO training_data (run_id, task_id, scheduler, seq, finish_s, run_s, features) SELECT id, 99, 'x', 99, 1, 1, '' FROM runs", 1),
    ],
)
async def test_check_finds_what_somebody_changed(make_settings: MakeSettings, statement: str, differences: int) -> None:
    async with SimulationDataService(make_settings()) as service:
        sink = service.begin_run(new_run(service))
        await sink.write(make_batch(0, 5))
        await sink.wait_until_lag_below(1)
        async with service.database.write() as session:
            await session.execute(text(statement))
        report = await service.check()
        assert (report.differences, report.duplicates) == (differences, 0)
        assert len(report.problems) == 1


async def test_check_finds_a_missing_file(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings(journal_segment_mb=0.001)) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        for first in range(0, 20, 5):
            await sink.write(make_batch(first, 5))
        await sink.wait_until_lag_below(1)
        files = segments(service.journals.run_folder(run.id), Stream.RESULTS)
        files[0].path.unlink()
        assert not (await service.check()).healthy


async def test_while_the_database_is_away_the_run_goes_on_and_then_all_arrives(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimulationDataService(make_settings()) as service:
        sink = service.begin_run(new_run(service))
        monkeypatch.setattr(service.database, "_session", _away)
        for first in range(0, 20, 5):
            await sink.write(make_batch(first, 5))
        async with asyncio.timeout(30):
            while service.drainer.state is not DrainState.AWAY:
                await asyncio.sleep(0.01)
            # Waiting for a database that is away would stop the run.
            await sink.wait_until_lag_below(1)
        assert service.drainer.away_since_s is not None
        assert sink.lag_rows == 20 * (len(SCHEDULERS) + 2)
        monkeypatch.undo()
        async with asyncio.timeout(30):
            while sink.lag_rows:
                await asyncio.sleep(0.01)
        assert service.drainer.away_since_s is None
        await is_equal(service, results=20 * len(SCHEDULERS))


def _away(*, writes: bool) -> None:
    raise StorageUnavailableError(f"away ({writes})")


async def test_a_run_is_held_back_until_the_database_has_caught_up(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings(drain_interval_s=0.05)) as service:
        sink = service.begin_run(new_run(service))
        await sink.write(make_batch(0, 200))
        await sink.wait_until_lag_below(2_000)
        waiting = asyncio.create_task(sink.wait_until_lag_below(100))
        await waiting
        assert sink.lag_rows < 100


async def test_a_run_that_is_seen_before_its_journal_is_open_is_drained_all_the_same(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimulationDataService(make_settings(drain_interval_s=0.01)) as service:
        run, loop, seen = new_run(service), asyncio.get_running_loop(), asyncio.Event()
        wanted, open_journal, drain_run = run.id, service.journals.open, service.drainer.drain_run

        async def told(run_id: int) -> int:
            rows = await drain_run(run_id)
            if run_id == wanted:
                loop.call_soon(seen.set)
            return rows

        def opened_late(run_id: int) -> Journal:
            # A run begins in a thread; meanwhile the drainer goes over all runs that there are.
            asyncio.run_coroutine_threadsafe(seen.wait(), loop).result(30)
            return open_journal(run_id)

        monkeypatch.setattr(service.drainer, "drain_run", told)
        monkeypatch.setattr(service.journals, "open", opened_late)
        sink = await asyncio.to_thread(service.begin_run, run)
        await sink.write(make_batch(0, 10))
        assert service.drainer.lag_rows > 0
        async with asyncio.timeout(30):
            await sink.wait_until_lag_below(1)
        await is_equal(service, results=10 * len(SCHEDULERS))


async def test_stopping_brings_in_what_is_left(make_settings: MakeSettings) -> None:
    settings = make_settings(drain_interval_s=30, drain_batch_rows=10)
    service = SimulationDataService(settings)
    await service.open()
    await asyncio.sleep(0.01)
    sink = service.begin_run(new_run(service))
    await sink.write(make_batch(0, 50))
    assert await service.close(60)
    async with SimulationDataService(settings) as service:
        await is_equal(service, results=50 * len(SCHEDULERS))


async def test_only_the_newest_leader_can_write(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        service.drainer.lead(run.id, 3)
        await sink.write(make_batch(0, 5))
        await sink.wait_until_lag_below(1)
        assert await service.highest_fence() == 3
        service.drainer.lead(run.id, 2)
        await sink.write(make_batch(5, 5))
        async with asyncio.timeout(30):
            while service.drainer.state is not DrainState.FENCED:
                await asyncio.sleep(0.01)
        with pytest.raises(StorageFencedError):
            await service.drainer.drain_run(run.id)
        report = await service.check()
        assert (report.tables["tasks"], report.differences) == (5, 0)


async def test_another_machine_goes_on_with_a_run(make_settings: MakeSettings, tmp_path: Path) -> None:
    """The first leader dies with rows that only its journal has; the second goes on behind what the database has, and the first is shut out."""
    first_settings = make_settings(data_dir=tmp_path / "first")
    first = SimulationDataService(first_settings)
    await first.open()
    run = new_run(first)
    sink = first.begin_run(run)
    first.drainer.lead(run.id, 1)
    await sink.write(make_batch(0, 10))
    await sink.save_state({"time_s": 1.0}, b"checkpoint")
    await sink.wait_until_lag_below(1)
    async with asyncio.timeout(30):
        while await StateOf(first, run.id).missing():
            await asyncio.sleep(0.01)
    await first.drainer.stop(5)
    await sink.write(make_batch(10, 1))
    await first.close()

    async with SimulationDataService(make_settings(data_dir=tmp_path / "second")) as second:
        state = await second.saved_state(run.id)
        assert state is not None
        assert (state.checkpoint, state.positions[Stream.TASKS]) == (b"checkpoint", 10)
        # As a take-over does it: a run that is open here before it is led from here is somebody else's.
        second.drainer.lead(run.id, 1 + await second.highest_fence())
        sink = await second.continue_run(run.id)
        assert sink.positions() == {Stream.TASKS: 10, Stream.RESULTS: 60, Stream.TRAINING: 10}
        await sink.write(make_batch(10, 10))
        await sink.wait_until_lag_below(1)
        await is_equal(second, results=120)

    async with SimulationDataService(first_settings) as back:
        async with asyncio.timeout(30):
            while back.drainer.superseded != {run.id}:
                await asyncio.sleep(0.01)
        # What only the first had is obsolete, and neither lag nor a difference.
        assert (back.drainer.state, back.drainer.lag_rows) == (DrainState.OK, 0)
        assert (await back.check()).healthy
        await back.continue_run(run.id)
        async with asyncio.timeout(30):
            while back.drainer.state is not DrainState.FENCED:
                await asyncio.sleep(0.01)
        assert "another data folder" in (back.drainer.error or "")


class StateOf:
    """Whether the database has the state of a run."""

    def __init__(self, service: SimulationDataService, run_id: int) -> None:
        self.service, self.run_id = service, run_id

    async def missing(self) -> bool:
        async with self.service.database.read() as session:
            return await repositories.StateRepository(session, self.service.database.dialect).get(self.run_id) is None


async def test_a_state_reaches_the_database_behind_its_rows(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings(drain_batch_rows=10)) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        await sink.write(make_batch(0, 20))
        await sink.save_state({"time_s": 3.5}, b"\0\n")
        async with asyncio.timeout(30):
            while await StateOf(service, run.id).missing():
                await asyncio.sleep(0.005)
        async with service.database.read() as session:
            row = await repositories.StateRepository(session, service.database.dialect).get(run.id)
            progress = await repositories.ProgressRepository(session, service.database.dialect).of_run(run.id)
        assert row is not None
        assert (row.state, row.checkpoint, row.positions) == ({"time_s": 3.5}, b"\0\n", {"tasks": 20, "results": 120, "training": 20})
        assert progress[Stream.RESULTS].next_seq >= 120


async def test_retention_takes_the_oldest_files_and_their_rows(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings(journal_segment_mb=0.005, retention_gb=20e-6)) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        for first in range(0, 100, 5):
            await sink.write(make_batch(first, 5))
        await sink.wait_until_lag_below(1)
        dropped = await service.drainer.retain()
        assert dropped > 3
        assert service.journals.bytes_of(run.id) <= 20_000
        report = await service.check()
        assert report.problems == ()
        assert report.journal_rows == sum(report.tables[name] for name in ("tasks", "scheduler_results", "training_data")) < 800
        newest = await service.newest(Stream.RESULTS, run.id, 1)
        assert newest.dicts()[0]["seq"] == 599
        # Aggregates go on to count what was deleted.
        assert sum(found.results for found in await service.statistics(run.id)) == 600
        await sink.write(make_batch(100, 5))
        await sink.wait_until_lag_below(1)
        assert (await service.check()).healthy


async def test_a_file_that_retention_left_over_is_no_difference_and_goes_the_next_time(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimulationDataService(make_settings(journal_segment_mb=0.005, retention_gb=30e-6)) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        for first in range(0, 50, 5):
            await sink.write(make_batch(first, 5))
        await sink.wait_until_lag_below(1)

        def die(path: Path, **_: object) -> None:
            raise KeyboardInterrupt(path)

        monkeypatch.setattr(Path, "unlink", die)
        with pytest.raises(KeyboardInterrupt):
            await service.drainer.retain()
        monkeypatch.undo()
        assert (await service.check()).problems == ()
        assert await service.drainer.retain() > 0
        assert service.journals.bytes_of(run.id) <= 30_000
        assert (await service.check()).problems == ()


async def test_retention_by_age_never_takes_what_the_database_lacks(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SimulationDataService(make_settings(journal_segment_mb=0.005, retention_days=1))
    await service.open(drain=False)
    run = new_run(service)
    sink = service.begin_run(run)
    for first in range(0, 50, 5):
        await sink.write(make_batch(first, 5))
    monkeypatch.setattr("hybrid_ml_scheduler.storage.retention.time.time", lambda: 4e9)
    assert await service.drainer.retain() == 0
    while await service.drainer.drain_all():
        pass
    assert await service.drainer.retain() > 3
    assert (await service.check()).healthy
    await service.close()


async def test_an_empty_database_is_restored_from_the_journal(make_settings: MakeSettings) -> None:
    settings = make_settings(drain_batch_rows=50)
    async with SimulationDataService(settings) as service:
        for _ in range(2):
            run = new_run(service)
            sink = service.begin_run(run)
            await sink.write(make_batch(0, 20))
            await sink.save_state({"n": 1}, b"c")
            await sink.wait_until_lag_below(1)
            service.end_run(run, "stopped")
        before = await service.runs()
        async with asyncio.timeout(30):
            while (await service.runs())[0].state != "stopped":
                await asyncio.sleep(0.01)
        before = await service.runs()
        statistics = await service.statistics(run.id)
        await service.database.downgrade()
    service = SimulationDataService(settings)
    told: list[int] = []
    assert await service.restore(told.append) == 320
    assert told[-1] == 320
    assert await service.runs() == before
    assert await service.statistics(run.id) == statistics
    await is_equal(service, results=240)
    with pytest.raises(InputError, match="holds 2 run"):
        await service.restore()
    await service.close()


async def test_a_busy_database_is_waited_for(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimulationDataService(make_settings()) as service:
        calls = 0
        ours = service.database._session

        def busy(*, writes: bool) -> object:
            nonlocal calls
            calls += 1
            if calls < 4:
                raise StorageBusyError("all taken")
            return ours(writes=writes)

        monkeypatch.setattr(service.database, "_session", busy)
        sink = service.begin_run(new_run(service))
        await sink.write(make_batch(0, 5))
        async with asyncio.timeout(30):
            while sink.lag_rows:
                await asyncio.sleep(0.01)
        assert calls >= 4


async def test_a_run_whose_journal_is_damaged_does_not_stop_the_others(make_settings: MakeSettings) -> None:
    service = SimulationDataService(make_settings())
    await service.open(drain=False)
    sinks: list[tuple[int, JournalSink]] = []
    for _ in range(2):
        run = new_run(service)
        sinks.append((run.id, service.begin_run(run)))
        await sinks[-1][1].write(make_batch(0, 5))
    path = segments(service.journals.run_folder(sinks[0][0]), Stream.TASKS)[0].path
    content = path.read_bytes()
    path.write_bytes(content.replace(b",1,1,", b",x,y,", 1))
    await service.drainer.drain_all()
    assert service.drainer.state is DrainState.FAILED
    assert "damaged" in (service.drainer.error or "")
    assert service.drainer.lag_rows == 40
    assert (await service.runs())[0].id == sinks[1][0]
    path.write_bytes(content)
    await service.drainer.drain_all()
    assert (service.drainer.state, service.drainer.lag_rows) == (DrainState.OK, 0)
    await service.close()


async def test_a_start_without_the_database_counts_only_what_it_may_lack(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings()
    async with SimulationDataService(settings) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        await sink.write(make_batch(0, 20))
        await sink.wait_until_lag_below(1)
    service = SimulationDataService(settings)
    monkeypatch.setattr(service.database, "_session", _away)
    service.journals.lock()
    sink = JournalSink(service.journals.open(run.id), service.drainer, service._executor)
    try:
        assert sink.lag_rows == 0
        await sink.write(make_batch(20, 5))
        assert sink.lag_rows == 5 * (len(SCHEDULERS) + 2)
    finally:
        await service.close(0.0)
