"""Memory does not grow with the number of tasks: a million of them, six schedulers, everything kept."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from hybrid_ml_scheduler.live.contract import RunRequest
from live_cases import ended, open_controller

pytestmark = [pytest.mark.anyio, pytest.mark.long]
MOST_MB = 600.0


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def test_a_million_tasks_in_bounded_memory(data_folder: Path) -> None:
    async with open_controller(data_folder, piece_tasks=2048, step_tasks=512, checkpoint_interval_s=5.0, training_pause_s=10.0) as controller:
        before = resident_mb()
        await controller.start(RunRequest(seed=20_600, max_tasks=1_000_000))
        while not ended(status := controller.status()):
            await asyncio.sleep(1.0)
        assert (status.message, status.tasks_processed) == (None, 1_000_000)
        # Other tests may have filled this process already.
        assert resident_mb() < max(MOST_MB, before + 250.0)
