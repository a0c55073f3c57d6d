"""Trouble of the disk and of the database, and what a run makes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import polars as pl
import pytest

from hybrid_ml_scheduler.core.errors import JournalFullError, StorageUnavailableError
from hybrid_ml_scheduler.core.streams import RunBatch, Stream
from hybrid_ml_scheduler.live.contract import RunRequest, RunState
from hybrid_ml_scheduler.storage.repositories import TrainingDataRepository
from live_cases import PATIENCE_S, ended, journal_rows, open_controller, until

pytestmark = pytest.mark.anyio


async def test_a_full_disk_blocks_the_run_and_nothing_is_lost(data_folder: Path) -> None:
    async with open_controller(data_folder, blocked_retry_s=0.01) as controller:
        await controller.start(RunRequest(policies=("greedy", "priced"), seed=20_500, max_tasks=400))
        live = controller._live
        assert live is not None
        write, save, full = live.sink.write, live.sink.save_state, [True]

        async def when_there_is_room(batch: RunBatch) -> None:
            if full[0]:
                raise JournalFullError("no room; expected some")
            await write(batch)

        async def save_when_there_is_room(state: object, checkpoint: bytes) -> None:
            if full[0]:
                raise JournalFullError("no room; expected some")
            await save(state, checkpoint)  # type: ignore[arg-type]

        live.sink.write, live.sink.save_state = when_there_is_room, save_when_there_is_room  # type: ignore[method-assign]
        blocked = await until(controller, lambda status: status.state is RunState.BLOCKED)
        assert "no room" in str(blocked.message)
        assert blocked.run_id is not None
        there = journal_rows(data_folder, blocked.run_id, Stream.RESULTS)
        whole = there.group_by("task_id").len().filter(pl.col("len") == 2).height
        assert controller.status().tasks_processed == blocked.tasks_processed == whole
        full[0] = False
        status = await until(controller, ended)
        assert (status.state, status.message, status.tasks_processed) == (RunState.STOPPED, None, 400)
    assert status.run_id is not None
    assert journal_rows(data_folder, status.run_id, Stream.RESULTS).height == 800


async def test_a_run_on_a_full_disk_can_be_stopped(data_folder: Path) -> None:
    async with open_controller(data_folder, blocked_retry_s=600.0) as controller:
        await controller.start(RunRequest(policies=("greedy",), seed=20_500))
        live = controller._live
        assert live is not None

        async def full(*arguments: object) -> None:
            raise JournalFullError("no room; expected some")

        live.sink.write = live.sink.save_state = full  # type: ignore[method-assign]
        await until(controller, lambda status: status.state is RunState.BLOCKED)
        status = await controller.stop()
        assert status.state is RunState.STOPPED
        assert status.message


async def test_training_reads_the_journal_while_the_database_is_away(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*arguments: object) -> None:
        raise StorageUnavailableError("the database is away; expected one that answers")

    monkeypatch.setattr(TrainingDataRepository, "window", away)
    async with open_controller(data_folder) as controller:
        await controller.start(RunRequest(policies=("hybrid_ml",), seed=20_500, retrain_every=100))
        status = await until(controller, lambda status: bool(status.retraining.versions))
        async with asyncio.timeout(PATIENCE_S):
            # It is entered behind the swap; a stop in between would leave it out.
            while not (entries := await controller._service.models(status.run_id)):
                await asyncio.sleep(0.01)
        assert {entry.source for entry in entries if entry.state == "in_use"} == {"journal"}


async def test_a_defect_shows_as_a_failed_run_and_another_can_start(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_controller(data_folder) as controller:
        await controller.start(RunRequest(policies=("greedy",), seed=20_500))
        live = controller._live
        assert live is not None

        def broken(until_s: float) -> None:
            raise ZeroDivisionError(str(until_s))

        monkeypatch.setattr(live.group, "advance", broken)
        status = await until(controller, ended)
        assert status.state is RunState.FAILED
        assert status.message
        await controller.start(RunRequest(policies=("greedy",), seed=20_500, max_tasks=100))
        assert (await until(controller, ended)).tasks_processed == 100
