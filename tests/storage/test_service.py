"""Runs are kept, found, compared, checked, deleted and restored, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from sqlalchemy import text

from hybrid_ml_scheduler.core.errors import InputError, SchemaError, StorageError, StorageUnavailableError, UnknownRunError
from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage_cases import SCHEDULERS, make_batch, new_run
from storage_fixtures import MakeSettings
from storage_servers import PostgresServer

pytestmark = pytest.mark.anyio
OF_RUNS = ("journal_progress", "metrics", "model_registry", "run_files", "runs", "scheduler_results", "simulation_state", "tasks", "training_data")
"""Tables that runs fill; others are about the service."""


async def test_what_is_written_arrives_once_with_equal_values(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        for first in range(0, 300, 100):
            await sink.write(make_batch(first, 100))
        await sink.wait_until_lag_below(1)
        report = await service.check()
        assert report.problems == ()
        assert report.to_dict() | {"tables": {name: rows for name, rows in report.tables.items() if name in OF_RUNS}} == {
            "tables": {
                "journal_progress": 3,
                "metrics": report.tables["metrics"],
                "model_registry": 0,
                "run_files": 0,
                "runs": 1,
                "scheduler_results": 1800,
                "simulation_state": 0,
                "tasks": 300,
                "training_data": 300,
            },
            "journal": {"rows": 2400, "lag_rows": 0},
            "differences": 0,
            "duplicates": 0,
        }
        assert await service.runs() == [run]
        written = make_batch(200, 100).results
        page = await service.newest(Stream.RESULTS, run.id, 600)
        rows = page.dicts()[::-1]
        for name in ("task_id", "arrival_s", "finish_s", "gpus", "scheduler", "reason"):
            expected = [None if isinstance(value, float) and np.isnan(value) else value for value in list(written[name])]
            assert [row[name] for row in rows] == expected
        assert np.array_equal([row["seq"] for row in rows], np.arange(1200, 1800))
        assert {found.scheduler for found in await service.statistics(run.id)} == set(SCHEDULERS)


async def filled(service: SimulationDataService, tasks: int, seed: int = 0, schedulers: tuple[str, ...] = SCHEDULERS) -> int:
    run = new_run(service, schedulers)
    sink = service.begin_run(run)
    await sink.write(make_batch(0, tasks, schedulers, seed=seed))
    await sink.wait_until_lag_below(1)
    return run.id


async def test_pages_hold_every_row_once_forwards_and_backwards(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        run_id = await filled(service, 30)
        await filled(service, 5)
        forwards: list[int] = []
        seq: int | None = 0
        while seq is not None:
            page = await service.following(Stream.RESULTS, run_id, seq, 50)
            forwards += [row["seq"] for row in page.dicts()]
            seq = page.next_seq
        assert forwards == list(range(180))
        backwards: list[int] = []
        page = await service.newest(Stream.RESULTS, run_id, 50)
        while True:
            backwards += [row["seq"] for row in page.dicts()]
            if page.next_seq is None:
                break
            page = await service.newest(Stream.RESULTS, run_id, 50, before_seq=page.next_seq)
        assert backwards == list(range(179, -1, -1))
        one = [row async for page in service.history(Stream.RESULTS, run_id, scheduler="greedy") for row in page.dicts()]
        assert len(one) == 30
        assert {row["scheduler"] for row in one} == {"greedy"}
        assert (await service.newest(Stream.TASKS, 123, 5)).rows == []


async def test_the_whole_history_is_read_page_by_page(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybrid_ml_scheduler.storage.service.STREAM_PAGE", 70)
    async with SimulationDataService(make_settings()) as service:
        run_id = await filled(service, 30)
        pages = [page async for page in service.history(Stream.RESULTS, run_id)]
        assert [len(page.rows) for page in pages] == [70, 70, 40]
        assert [row["seq"] for page in pages for row in page.dicts()] == list(range(180))


async def test_one_task_with_all_its_results(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        run_id = await filled(service, 10)
        task, results = await service.task(run_id, 4)
        assert task is not None
        assert task["task_id"] == 4
        assert sorted(row["scheduler"] for row in results) == sorted(SCHEDULERS)
        assert await service.task(run_id, 10) == (None, [])


async def test_statistics_are_those_of_the_rows(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings(drain_batch_rows=97)) as service:
        run_id = await filled(service, 400)
        written = make_batch(0, 400).results
        scheduler, finish, arrival = (np.array(written[name]) for name in ("scheduler", "finish_s", "arrival_s"))
        for found in await service.statistics(run_id):
            response = (finish - arrival)[scheduler == found.scheduler]
            response = response[np.isfinite(response)]
            assert (found.results, found.finished) == (400, len(response))
            assert found.mean_response_s == pytest.approx(response.mean())
            assert found.max_response_s == response.max()
            for share, value in ((0.5, found.median_response_s), (0.95, found.p95_response_s), (0.99, found.p99_response_s)):
                assert value == pytest.approx(np.quantile(response, share, method="inverted_cdf"), rel=0.0101)
        windows = await service.windows(run_id, "greedy")
        assert sum(window.statistics.results for window in windows) == 400
        assert [window.begin_s for window in windows] == sorted((window.begin_s for window in windows), reverse=True)
        assert (await service.windows(run_id, "greedy", before=2))[0].begin_s == 60.0
        assert [found.scheduler for found in await service.statistics(run_id, "oracle")] == ["oracle"]
        with pytest.raises(UnknownRunError):
            await service.statistics(1)


async def test_two_runs_are_compared_by_scheduler(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        first = await filled(service, 20, seed=1)
        second = await filled(service, 20, seed=2, schedulers=("greedy", "mct"))
        rows = {row.scheduler: row for row in await service.compare(first, second)}
        assert rows["mct"].first is None
        assert rows["random"].second is None
        assert rows["random"].response_ratio is None
        greedy = rows["greedy"]
        assert greedy.first is not None
        assert greedy.second is not None
        assert greedy.response_ratio == greedy.second.mean_response_s / greedy.first.mean_response_s  # type: ignore[operator]


async def test_runs_are_listed_while_their_first_rows_are_on_the_way(make_settings: MakeSettings) -> None:
    settings = make_settings()
    async with SimulationDataService(settings) as service:
        stored = [await filled(service, 1) for _ in range(3)]
    service = SimulationDataService(settings)
    await service.open(drain=False)
    try:
        coming = new_run(service)
        service.begin_run(coming)
        everything = [coming.id, *stored[::-1]]
        assert [run.id for run in await service.runs()] == everything
        assert [run.id for run in await service.runs(limit=2)] == everything[:2]
        assert [run.id for run in await service.runs(limit=2, before=everything[1])] == everything[2:]
        assert [run.id for run in await service.runs(before=coming.id)] == stored[::-1]
        assert await service.runs(workload="other") == []
    finally:
        await service.close()


async def test_runs_are_listed_newest_first_by_page_and_filter(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        runs = [await filled(service, 1) for _ in range(5)]
        assert [run.id for run in await service.runs()] == runs[::-1]
        assert [run.id for run in await service.runs(limit=2, before=runs[3])] == [runs[2], runs[1]]
        service.end_run(await service.run(runs[1]), "failed", "why")
        async with asyncio.timeout(30):
            while not await service.runs(state="failed"):
                await asyncio.sleep(0.01)
        ended = (await service.runs(state="failed"))[0]
        assert (ended.id, ended.message, ended.ended_at is not None) == (runs[1], "why", True)
        assert service.local_runs()[3] == ended
        assert await service.runs(workload="other") == []
        assert await service.continue_run(runs[2])
        with pytest.raises(UnknownRunError):
            await service.continue_run(1)


async def test_numbers_of_runs_rise_even_if_the_clock_is_set_back(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimulationDataService(make_settings()) as service:
        first = new_run(service)
        service.begin_run(first)
        assert first.id < 2**53
        monkeypatch.setattr("hybrid_ml_scheduler.storage.service.time.time_ns", lambda: 0)
        assert new_run(service).id == first.id + 1


async def test_the_training_window_is_the_newest_rows_from_the_database_or_the_journal(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimulationDataService(make_settings()) as service:
        run_id = await filled(service, 50)
        window = await service.training_window(run_id, 20)
        assert (window.source, len(window), window.features.shape) == ("database", 20, (20, 4))
        assert window.columns["task_id"].tolist() == list(range(30, 50))

        def away(*, writes: bool) -> None:
            raise StorageUnavailableError(f"away ({writes})")

        monkeypatch.setattr(service.database, "_session", away)
        backup = await service.training_window(run_id, 20)
        assert backup.source == "journal"
        assert np.array_equal(backup.features, window.features, equal_nan=True)
        assert set(backup.columns) == set(window.columns)
        for name, values in window.columns.items():
            np.testing.assert_array_equal(backup.columns[name], values)
        with pytest.raises(StorageUnavailableError):
            await service.training_window(1, 20)
        monkeypatch.undo()
        assert len(await service.training_window(1, 20)) == 0


async def test_a_run_resumes_with_what_was_written_behind_its_checkpoint(make_settings: MakeSettings) -> None:
    settings = make_settings()
    async with SimulationDataService(settings) as service:
        run = new_run(service)
        sink = service.begin_run(run)
        await sink.write(make_batch(0, 5))
        await sink.save_state({"speed": 2.0}, b"engine")
        await sink.write(make_batch(5, 3))
    async with SimulationDataService(settings) as service:
        state = await service.saved_state(run.id)
        assert state is not None
        assert (state.state, state.checkpoint) == ({"speed": 2.0}, b"engine")
        sink = await service.continue_run(run.id)
        again = await sink.rows_since(state.positions)
        assert list(again[Stream.TASKS]["task_id"]) == [5, 6, 7]
        assert list(again[Stream.RESULTS]["scheduler"]) == list(make_batch(5, 3).results["scheduler"])
        assert await sink.rows_since(sink.positions()) == {}
        assert await service.saved_state(1) is None


async def test_history_is_deleted_from_both_together(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        first, second = await filled(service, 5), await filled(service, 5)
        with pytest.raises(StorageError, match="is being written"):
            await service.delete_history(first)
        service.end_run(await service.run(first), "stopped")
        service.end_run(await service.run(second), "stopped")
        with pytest.raises(UnknownRunError):
            await service.delete_history(1)
        assert await service.delete_history(first) > 40
        assert service.journals.runs() == [second]
        report = await service.check()
        assert (report.healthy, report.tables["tasks"], report.journal_rows) == (True, 5, 40)
        await service.delete_history()
        report = await service.check()
        assert (report.journal_rows, report.lag_rows, sum(report.tables[name] for name in OF_RUNS)) == (0, 0, 0)
        # A new run afterwards is no trouble.
        await filled(service, 5)
        assert (await service.check()).healthy


async def test_what_another_process_deleted_goes_here_too_and_does_not_come_back(make_settings: MakeSettings, tmp_path: Path) -> None:
    async with SimulationDataService(make_settings(data_dir=tmp_path / "one")) as one:
        first, second, third = [await filled(one, 5) for _ in range(3)]
        for run_id in (first, second):
            one.end_run(await one.run(run_id), "stopped")
        async with SimulationDataService(make_settings(data_dir=tmp_path / "two")) as two:
            assert await two.delete_history(first) > 40
        # Until it is swept it is no lag and no difference, and nobody goes on with it.
        assert (await one.check()).to_dict()["journal"] == {"rows": 80, "lag_rows": 0}
        assert await one.drainer.sweep() == 1
        assert one.journals.runs() == [second, third]
        assert await one.drainer.sweep() == 0
    async with SimulationDataService(make_settings(data_dir=tmp_path / "two")) as two:
        await two.delete_history(second)
    # At its next start, before a row of it could be brought in again. What is still unfinished here and was deleted is not gone on with either.
    one = SimulationDataService(make_settings(data_dir=tmp_path / "one"))
    await one.open(drain=False)
    assert await one.drainer.drain_all() == 0
    assert one.drainer.superseded == {second}
    one.drainer.start()
    async with asyncio.timeout(60):
        while one.journals.runs() != [third]:
            await asyncio.sleep(0.01)
    assert [run.id for run in await one.runs()] == [third]
    async with SimulationDataService(make_settings(data_dir=tmp_path / "two")) as two:
        await two.delete_history(third)
    taken = await one.take_over(1)
    assert taken is None
    await one.close()


async def test_a_leader_that_was_stopped_in_the_middle_of_a_transaction_is_shut_out(postgres: PostgresServer, migrated: str, tmp_path: Path) -> None:
    """It holds the lead in the database and says nothing: no time-out of the server sees a COPY that waits for its client."""
    name = postgres.new_database(migrated)
    settings = StorageSettings.load(data_dir=tmp_path, database_url=postgres.url(name), leader_lease_s=0.4, statement_timeout_s=60.0)
    copying = asyncio.Event()

    async def nothing() -> AsyncIterator[bytes]:
        copying.set()
        await asyncio.Event().wait()
        yield b""

    async def stopped_leader() -> None:
        ours = {"application_name": "hybrid-ml-scheduler"}
        session = await asyncpg.connect(host="127.0.0.1", port=postgres.port, user="hms", database=name, server_settings=ours)
        try:
            async with session.transaction():
                await session.execute("INSERT INTO leadership (name, token, taken_at) VALUES ('runs', 1, now())")
                await session.copy_to_table("tasks", source=nothing(), format="csv")
        finally:
            session.terminate()

    leader = asyncio.create_task(stopped_leader())
    try:
        async with SimulationDataService(settings) as service:
            async with asyncio.timeout(60):
                await copying.wait()
                assert await service.take_over(2) is None
            assert await service.highest_fence() == 2
    finally:
        leader.cancel()
        with pytest.raises((asyncio.CancelledError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await leader
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_database_that_lacks_a_run_takes_no_journal_with_it(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was emptied, or has never had it: `hms db restore` is to fill it again. Nor does one that is away."""
    async with SimulationDataService(make_settings()) as service:
        run_id = await filled(service, 5)
        service.end_run(await service.run(run_id), "stopped")
        await service.drainer.drain_all()
        async with service.database.write() as session:
            for table in OF_RUNS:
                await session.execute(text(f"DELETE FROM {table}"))
        assert await service.drainer.sweep() == 0
        assert service.journals.runs() == [run_id]

        def away(*, writes: bool) -> None:
            raise StorageUnavailableError(f"away ({writes})")

        monkeypatch.setattr(service.database, "_session", away)
        with pytest.raises(StorageUnavailableError):
            await service.drainer.sweep()
        assert service.journals.runs() == [run_id]


async def test_nothing_is_deleted_while_the_database_is_away(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimulationDataService(make_settings()) as service:
        run_id = await filled(service, 5)
        service.end_run(await service.run(run_id), "stopped")

        def away(*, writes: bool) -> None:
            raise StorageUnavailableError(f"away ({writes})")

        monkeypatch.setattr(service.database, "_session", away)
        with pytest.raises(StorageUnavailableError):
            await service.delete_history(run_id)
        assert service.journals.runs() == [run_id]


async def test_models_are_registered_newest_first(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        good = await service.add_model("hybrid_ml-divisible", "candidate", rows=500, source="database", run_id=7, version=2, details={"loss": 0.5})
        bad = await service.add_model("hybrid_ml-divisible", "failed", rows=3, source="journal", run_id=8, message="too few rows")
        await service.set_model_state(good, "in_use")
        models = await service.models()
        assert [(model.id, model.state, model.version, model.message) for model in models] == [
            (bad, "failed", None, "too few rows"),
            (good, "in_use", 2, None),
        ]
        assert [model.id for model in await service.models(run_id=7)] == [good]
        assert [model.id for model in await service.models(before=bad)] == [good]
        assert models[1].created_at.tzinfo is not None


async def test_a_second_process_is_refused(make_settings: MakeSettings) -> None:
    settings = make_settings()
    async with SimulationDataService(settings):
        other = SimulationDataService(settings)
        with pytest.raises(InputError, match="another process writes into this data folder") as caught:
            await other.open()
        assert caught.value.exit_code == 2
        await other.close()


async def test_old_tables_are_refused_at_the_start_and_the_folder_let_go(make_settings: MakeSettings) -> None:
    settings = make_settings()
    async with Database(settings) as database:
        await database.downgrade()
    for _ in range(2):
        service = SimulationDataService(settings)
        with pytest.raises(SchemaError, match="hms db upgrade"):
            await service.open()
        await service.close()


async def test_tables_are_made_at_the_start_if_wanted(make_settings: MakeSettings) -> None:
    settings = make_settings()
    async with Database(settings) as database:
        await database.downgrade()
    service = SimulationDataService(settings)
    await service.open(upgrade=True)
    await filled(service, 2)
    assert (await service.check()).healthy
    await service.close()


async def test_two_processes_that_make_the_tables_at_once(make_settings: MakeSettings) -> None:
    async with Database(make_settings()) as one, Database(make_settings()) as two:
        await one.downgrade()
        await asyncio.gather(one.upgrade(), two.upgrade())
        await one.check_schema()


async def test_listeners_hear_of_committed_rows(make_settings: MakeSettings) -> None:
    async with SimulationDataService(make_settings()) as service:
        heard: list[int] = []

        async def hear(run_id: int) -> None:
            heard.append(run_id)
            assert (await service.newest(Stream.TASKS, run_id, 1)).rows

        service.drainer.listeners.append(hear)
        run_id = await filled(service, 3)
        assert heard[-1] == run_id
