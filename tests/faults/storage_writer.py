"""A process that writes a run until it is killed: ``python storage_writer.py RUN TASKS``, with the settings in the environment.

It does what a run does: it goes on where its journal ends, takes a task for written only once `JournalSink.write` has returned, and then says so on
standard output.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hybrid_ml_scheduler.core.streams import RunBatch, Stream
from hybrid_ml_scheduler.storage.service import SimulationDataService
from hybrid_ml_scheduler.storage.settings import StorageSettings
from storage_cases import SCHEDULERS, make_batch, new_run

TASKS_AT_ONCE = 5


async def main(run_id: int, tasks: int) -> None:
    async with SimulationDataService(StorageSettings.load()) as service:
        if run_id in service.journals.runs():
            sink = await service.continue_run(run_id)
        else:
            sink = service.begin_run(replace(new_run(service), id=run_id))
        while (first := sink.positions()[Stream.TRAINING] // TASKS_AT_ONCE * TASKS_AT_ONCE) < tasks:
            batch = make_batch(first, TASKS_AT_ONCE)
            # A kill between two streams of a batch leaves some of them written: what is there already is not written again.
            done = sink.positions()
            await sink.write(
                RunBatch(
                    tasks=_behind(batch.tasks, done[Stream.TASKS] - first),
                    results=_behind(batch.results, done[Stream.RESULTS] - first * len(SCHEDULERS)),
                    training=_behind(batch.training, done[Stream.TRAINING] - first),
                )
            )
            os.write(1, f"{first + TASKS_AT_ONCE}\n".encode())
            await sink.wait_until_lag_below()


def _behind(columns: object, rows: int) -> dict[str, object]:
    return {name: values[rows:] for name, values in columns.items()}  # type: ignore[attr-defined]


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
