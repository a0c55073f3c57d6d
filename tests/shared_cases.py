"""Several processes that share one run, all of them in this one: each with its own storage, data folder and connection to Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import polars as pl

from hybrid_ml_scheduler.core.streams import Stream
from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.live.contract import RunRequest, RunStatus
from hybrid_ml_scheduler.live.shared import SharedController
from hybrid_ml_scheduler.service.settings import ServiceSettings
from hybrid_ml_scheduler.storage.cache import Sharing
from hybrid_ml_scheduler.storage.service import SimulationDataService
from live_cases import PATIENCE_S, QUICKLY, abandon
from storage_fixtures import QUICK

LEASE_S = 3.0
"""Short enough to wait for, long enough for a machine that is busy elsewhere."""


class Member:
    """One of the processes."""

    def __init__(self, settings: ServiceSettings, initial: RunRequest | None) -> None:
        self.service = SimulationDataService(settings)
        self.sharing = Sharing(settings)
        self.controller = SharedController(self.service, settings, self.sharing, initial=initial)
        self.dead = False

    async def open(self) -> None:
        await self.service.open(upgrade=True)
        await self.sharing.open()
        await self.controller.recover()

    @property
    def status(self) -> RunStatus:
        return self.controller.status()

    async def close(self) -> None:
        """End in order."""
        if self.dead:
            return
        self.dead = True
        await self.controller.shutdown(PATIENCE_S)
        await self.sharing.close()
        await self.service.close()

    async def die(self) -> None:
        """End as SIGKILL ends a process: nothing is saved, drained or said."""
        self.dead = True
        controller = self.controller
        for task in (controller._leadership._task, controller._relay and controller._relay._loops[0]):
            if task is not None:
                await end_task(task)
        if controller._local is not None:
            await abandon(controller._local)
        await self.service.drainer.stop(0)
        if controller._relay is not None:
            await controller._relay.close()
        await controller._remote.close()
        await self.sharing.close()
        self.service.journals.close()
        await self.service.database.close()


class Processes:
    """Opens members over the same servers."""

    def __init__(self, folder: Path, stack: AsyncExitStack, given: dict[str, Any]) -> None:
        self.folder = folder
        self._stack = stack
        self._given = given

    def settings(self, name: str) -> ServiceSettings:
        data = {"data_dir": self.folder / name, "journal_fsync": "never", "leader_lease_s": LEASE_S, "control_timeout_s": PATIENCE_S}
        return ServiceSettings.load(**{**QUICKLY, **QUICK, **data, **self._given})

    async def open(self, name: str, initial: RunRequest | None = None) -> Member:
        member = Member(self.settings(name), initial)
        self._stack.push_async_callback(member.close)
        await member.open()
        return member


@asynccontextmanager
async def processes(folder: Path, **given: Any) -> AsyncIterator[Processes]:
    async with AsyncExitStack() as stack:
        yield Processes(folder, stack, given)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


def leaders(members: Sequence[Member]) -> list[Member]:
    return [member for member in members if not member.dead and member.controller._relay is not None]


async def one_leader(members: Sequence[Member]) -> Member:
    """Wait until one of them leads and the others hear it."""
    await until(lambda: len(leaders(members)) == 1)
    leader = leaders(members)[0]
    await until(lambda: all(member is leader or member.dead or member.controller._remote.led for member in members))
    return leader


async def stored_rows(service: SimulationDataService, run_id: int, stream: Stream) -> pl.DataFrame:
    """All rows of a stream in the database, in a fixed order, without their numbers and that of the run, as text."""
    pages = [page async for page in service.history(stream, run_id)]
    names = pages[0].names
    frame = pl.DataFrame([row for page in pages for row in page.rows], schema=list(names), orient="row", infer_schema_length=None)
    keys = ["task_id", "scheduler"] if stream is not Stream.TASKS else ["task_id"]
    return frame.drop("run_id", "seq").sort(keys)
