"""A continuous run in a folder of its own, on a small embedded database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.live.contract import RunStatus
from hybrid_ml_scheduler.live.controller import LiveController
from hybrid_ml_scheduler.live.settings import LiveSettings
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage_fixtures import QUICK

PATIENCE_S = 120.0
QUICKLY = {"piece_tasks": 128, "step_tasks": 50, "checkpoint_interval_s": 0.0, "report_interval_s": 0.01, "training_pause_s": 0.0}
RULES = ("round_robin", "random", "greedy", "priced", "oracle")


def storage_settings(folder: Path, **given: Any) -> StorageSettings:
    return StorageSettings.load(**{"data_dir": folder, "journal_fsync": "never", **QUICK, **given})


@asynccontextmanager
async def open_service(folder: Path, **given: Any) -> AsyncIterator[SimulationDataService]:
    settings = storage_settings(folder, **given)
    folder.mkdir(exist_ok=True)
    async with Database(settings) as database:
        await database.upgrade()
    async with SimulationDataService(settings) as service:
        yield service


@asynccontextmanager
async def open_controller(folder: Path, **given: Any) -> AsyncIterator[LiveController]:
    async with open_service(folder) as service:
        controller = LiveController(service, LiveSettings.load(**{**QUICKLY, **given}))
        try:
            yield controller
        finally:
            await controller.shutdown(PATIENCE_S)


async def until(controller: LiveController, condition: Callable[[RunStatus], bool]) -> RunStatus:
    """Wait until a status fulfils a condition."""

    async def wait() -> RunStatus:
        while not condition(controller.status()):
            await asyncio.sleep(0.002)
        return controller.status()

    return await asyncio.wait_for(wait(), PATIENCE_S)


def ended(status: RunStatus) -> bool:
    return status.state.value in ("stopped", "failed")


async def abandon(controller: LiveController) -> None:
    """Let go of a run as a process that dies does: nothing is saved, nothing is said."""
    live = controller._live
    assert live is not None
    assert live.task is not None
    task = live.task
    live.keeps_record = True
    live.sink = _Dead()  # type: ignore[assignment]
    task.cancel()
    with suppress(asyncio.CancelledError, BaseException):
        await task


class _Dead:
    """A journal that nobody can write to any more."""

    def __getattr__(self, name: str) -> Any:
        raise asyncio.CancelledError(name)


def journal_rows(folder: Path, run_id: int, stream: Stream) -> pl.DataFrame:
    """All rows of a stream in the journal, in a fixed order, without their numbers and that of the run."""
    files = sorted((folder / "journal" / str(run_id)).glob(f"{stream.value}-*.csv"))
    frames = [pl.read_csv(file, infer_schema=False) for file in files]
    keys = ["task_id", "scheduler"] if stream is not Stream.TASKS else ["task_id"]
    return pl.concat(frames).drop("run_id", "seq").sort(keys)


def finite(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values])
